//! `audit`: what is wrong with the genres that files have.

use std::{collections::HashSet, fs::File, io::Write};

use serde_json::json;

use super::{Desk, Outcome, select, tag, undo::genres, with_path};
use crate::{
    cli::{AuditArgs, Form},
    payload,
    tags::audit::{self, Finding},
    text::clean_path,
};

pub(super) fn run(desk: &Desk, args: &AuditArgs) -> anyhow::Result<Outcome> {
    let store = desk.reader()?;
    let taxonomy = store.taxonomy()?;
    let rules = &desk.config.tags;
    let files = select::files(desk, &store, &args.query)?;
    let bar = tag::bar(files.len(), "looking");
    let mut found: Vec<(std::path::PathBuf, Finding)> = Vec::new();
    let mut tracks = HashSet::new();
    for file in &files {
        bar.inc(1);
        let mix = store.mix(file.track)?;
        let format = File::open(&file.path).and_then(|open| payload::sniff(&open)).ok().flatten();
        // A file that cannot be read now is judged by what is known of it.
        let spelt = format.and_then(|format| audit::spelt(&file.path, format).ok()).unwrap_or_default();
        let findings = audit::audit(file, &spelt, mix.as_ref(), &taxonomy, rules);
        found.extend(findings.into_iter().map(|finding| (file.path.clone(), finding)));
        if tracks.insert(file.track) {
            let copies = store.files_of(file.track)?;
            for (id, finding) in audit::copies(&copies, mix.as_ref(), &taxonomy, rules) {
                if let Some(copy) = copies.iter().find(|copy| copy.id == id) {
                    found.push((copy.path.clone(), finding));
                }
            }
        }
    }
    bar.finish_and_clear();
    let mut out = std::io::stdout().lock();
    if args.format == Form::Json {
        let list: Vec<_> = found
            .iter()
            .map(|(path, f)| with_path(path, json!({"fault": f.fault.name(), "says": f.says, "fix": f.fix})))
            .collect();
        writeln!(out, "{:#}", json!({ "findings": list, "files": files.len() }))?;
    } else {
        for (path, finding) in &found {
            let fix = if finding.fix.is_empty() { "yours to say".to_owned() } else { genres(&finding.fix) };
            writeln!(out, "{}\n  {}: {} -> {fix}", clean_path(path), finding.fault.name(), genres(&finding.says))?;
        }
        writeln!(out, "{} findings in {} files", found.len(), files.len())?;
    }
    Ok(if found.is_empty() { Outcome::Good } else { Outcome::Partly })
}
