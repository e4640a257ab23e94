//! `audit`: what is wrong with the genres that files have, and with `--fix` writing what is right.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::Write,
    path::PathBuf,
};

use serde_json::json;

use super::{
    Desk, Outcome,
    scan::cancel_on_signal,
    select,
    tag::recover,
    talk,
    undo::genres,
    with_path,
    write::{self, How},
};
use crate::{
    cli::{AuditArgs, FaultName, Form},
    config::Tags as Rules,
    payload,
    store::{FileRow, Store},
    tags::{
        self, Item, Outlook,
        audit::{self, Fault, Finding},
    },
    text::{clean, clean_path},
};

/// Findings by file, in the order of the library.
type Found = Vec<(FileRow, Vec<Finding>)>;

pub(super) fn run(desk: &Desk, args: &AuditArgs) -> anyhow::Result<Outcome> {
    let writes = !args.fix.is_empty() && !args.dry_run;
    let store = if writes { desk.store()? } else { desk.reader()? };
    if writes {
        recover(&store)?;
    }
    let rules = &desk.config.tags;
    let files = select::files(desk, &store, &args.query)?;
    let found = find(&store, &files, rules)?;
    if !args.fix.is_empty() {
        return fix(desk, &store, &found, args);
    }
    let mut out = std::io::stdout().lock();
    let all = found.iter().flat_map(|(file, findings)| findings.iter().map(|finding| (&file.path, finding)));
    let count = all.clone().count();
    if args.format == Form::Json {
        let list: Vec<_> = all
            .map(|(path, f)| with_path(path, json!({"fault": f.fault.name(), "says": f.says, "fix": f.fix})))
            .collect();
        writeln!(out, "{:#}", json!({ "findings": list, "files": files.len() }))?;
    } else {
        for (path, finding) in all {
            let fix = if finding.fix.is_empty() { "yours to say".to_owned() } else { genres(&finding.fix) };
            writeln!(out, "{}\n  {}: {} -> {fix}", clean_path(path), finding.fault.name(), genres(&finding.says))?;
        }
        writeln!(out, "{count} findings in {} files", files.len())?;
    }
    let nowhere = files.is_empty() && !args.query.is_empty();
    Ok(if count == 0 && !nowhere { Outcome::Good } else { Outcome::Partly })
}

fn find(store: &Store, files: &[FileRow], rules: &Rules) -> anyhow::Result<Found> {
    let taxonomy = store.taxonomy()?;
    let bar = write::bar(files.len(), "looking");
    let mut found = Found::new();
    let mut places: HashMap<i64, usize> = HashMap::new();
    let mut tracks = HashSet::new();
    let asked: HashSet<i64> = files.iter().map(|file| file.id).collect();
    let mut put = |found: &mut Found, file: &FileRow, finding: Finding| {
        let place = *places.entry(file.id).or_insert_with(|| {
            found.push((file.clone(), Vec::new()));
            found.len() - 1
        });
        found[place].1.push(finding);
    };
    for file in files {
        bar.inc(1);
        let mix = store.mix(file.track)?;
        let format = File::open(&file.path).and_then(|open| payload::sniff(&open)).ok().flatten();
        // A file that cannot be read now is judged by what is known of it.
        let spelt = format.and_then(|format| audit::spelt(&file.path, format).ok()).unwrap_or_default();
        for finding in audit::audit(file, &spelt, mix.as_ref(), &taxonomy, rules) {
            put(&mut found, file, finding);
        }
        if tracks.insert(file.track) {
            let copies = store.files_of(file.track)?;
            // A copy that was not asked for is a witness; only those that were are judged, and written.
            let found_copies = audit::copies(&copies, mix.as_ref(), &taxonomy, rules);
            for (id, finding) in found_copies.into_iter().filter(|(id, _)| asked.contains(id)) {
                if let Some(copy) = copies.iter().find(|copy| copy.id == id) {
                    put(&mut found, copy, finding);
                }
            }
        }
    }
    bar.finish_and_clear();
    Ok(found)
}

fn named(fault: Fault) -> FaultName {
    match fault {
        Fault::Contradicts => FaultName::Audio,
        Fault::Numeric => FaultName::Number,
        Fault::Joined => FaultName::Joined,
        Fault::Spelling => FaultName::Spelling,
        Fault::Copies => FaultName::Copies,
    }
}

/// The finding that decides: what the audio says, else what the copies say, else the tidiest form of the file's own.
fn deciding<'f>(findings: &'f [Finding], wanted: &[FaultName]) -> Option<&'f Finding> {
    let rank = |fault: Fault| match fault {
        Fault::Contradicts => 4,
        Fault::Copies => 3,
        Fault::Joined | Fault::Spelling => 2,
        Fault::Numeric => 1,
    };
    findings
        .iter()
        .filter(|f| !f.fix.is_empty() && (wanted.contains(&FaultName::All) || wanted.contains(&named(f.fault))))
        .max_by_key(|f| rank(f.fault))
}

fn fix(desk: &Desk, store: &Store, found: &Found, args: &AuditArgs) -> anyhow::Result<Outcome> {
    let rules = &desk.config.tags;
    let cancel = cancel_on_signal()?;
    let mut items: Vec<Item> = Vec::new();
    let mut refused: Vec<(PathBuf, String)> = Vec::new();
    let show = args.dry_run || !write::confirmed(store, args.yes)?;
    let mut out = std::io::stdout().lock();
    let mut documents = Vec::new();
    for (file, findings) in found {
        let Some(finding) = deciding(findings, &args.fix) else { continue };
        // What was heard is ours from then on; a listener's own word stays the listener's, better spelt.
        let ours: &[String] = if finding.fault == Fault::Contradicts { &finding.fix } else { &[] };
        match tags::preview_as(store, file, rules, &finding.fix, ours, false)? {
            Outlook::Change(item) => {
                if show && args.format == Form::Table {
                    let (path, fault) = (clean_path(&file.path), finding.fault.name());
                    writeln!(out, "{path}\n  {fault}: {} -> {}", genres(&finding.says), genres(&item.to))?;
                }
                let change = json!({"fault": finding.fault.name(), "from": finding.says, "to": item.to});
                documents.push(with_path(&file.path, change));
                items.push(*item);
            }
            Outlook::Equal | Outlook::Kept(_) => {}
            Outlook::Refused(reason) => refused.push((file.path.clone(), reason)),
        }
    }
    for (path, reason) in &refused {
        talk(format_args!("deepcuts: {}: {}", clean_path(path), clean(reason)));
    }
    let mut written = None;
    if !args.dry_run {
        out.flush()?;
        let how = How { yes: args.yes, hard_links: false, no_undo: false };
        let Some(wrote) = write::write(desk, store, &items, rules, "audit --fix", &how, &cancel)? else {
            return Ok(Outcome::Good);
        };
        refused.extend(wrote.report.refused);
        written = Some((wrote.run, wrote.report.written));
        if wrote.interrupted {
            return Ok(Outcome::Interrupted);
        }
    }
    if args.format == Form::Json {
        let refused: Vec<_> = refused.iter().map(|(path, reason)| with_path(path, json!({"reason": reason}))).collect();
        let run = written.map(|(run, _)| run);
        writeln!(out, "{:#}", json!({"run": run, "changes": documents, "refused": refused}))?;
    } else {
        match written {
            Some((_, n)) => writeln!(out, "{n} fixed, {} refused; `deepcuts undo` takes it back", refused.len())?,
            None => writeln!(out, "{} would be fixed, {} refused", items.len(), refused.len())?,
        }
    }
    Ok(if refused.is_empty() { Outcome::Good } else { Outcome::Partly })
}
