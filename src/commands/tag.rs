//! `tag`: what would be written into which file, and writing it.

use std::{collections::BTreeMap, io::Write, sync::atomic::Ordering};

use serde_json::json;

use super::{
    Desk, Outcome, colours, readers,
    scan::cancel_on_signal,
    select, talk,
    write::{self, How},
};
use crate::{
    cli::{Form, PolicyName, TagArgs},
    config::{Policy, Tags as Rules},
    store::Store,
    tags::{self, Item, Outlook},
    text::{clean, clean_path},
};

/// Counts of a preview or a run, and its last line.
#[derive(Default)]
struct Counts {
    change: u64,
    equal: u64,
    kept: BTreeMap<&'static str, u64>,
    refused: BTreeMap<String, u64>,
}

impl Counts {
    fn line(&self, verb: &str) -> String {
        let list = |map: Vec<(&str, u64)>| {
            let only = map.len() == 1;
            let all: Vec<String> =
                map.iter().map(|(why, n)| if only { (*why).to_owned() } else { format!("{n} {why}") }).collect();
            all.join("; ")
        };
        let mut line = format!("{} {verb}, {} equal", self.change, self.equal);
        let kept: u64 = self.kept.values().sum();
        if kept > 0 {
            line += &format!(", {kept} left alone ({})", list(self.kept.iter().map(|(w, n)| (*w, *n)).collect()));
        }
        let refused: u64 = self.refused.values().sum();
        line += &format!(", {refused} refused");
        if refused > 0 {
            line += &format!(": {}", list(self.refused.iter().map(|(w, n)| (w.as_str(), *n)).collect()));
        }
        clean(&line).into_owned()
    }
}

pub(super) fn run(desk: &Desk, args: &TagArgs) -> anyhow::Result<Outcome> {
    let dry_run = args.dry_run || !args.readers.is_empty();
    let store = if dry_run { desk.reader()? } else { desk.store()? };
    if !dry_run {
        recover(&store)?;
    }
    let rules = rules(&desk.config.tags, args);
    let limit = args.max_bytes.as_deref().map(bytes).transpose()?;
    let cancel = cancel_on_signal()?;
    let files = select::files(desk, &store, &args.query)?;
    if files.is_empty() {
        let known = !args.query.is_empty() || store.stats()?.files > 0;
        anyhow::ensure!(known, "there is nothing in the library yet; `deepcuts scan DIR` listens to a folder");
        if args.format == Form::Json {
            writeln!(std::io::stdout(), "{:#}", document(&[], &[], &Counts::default(), None))?;
        }
        talk("deepcuts: no file that is there answers; nothing to write");
        return Ok(Outcome::Partly);
    }
    let taxonomy = store.taxonomy()?;
    for stranger in desk.config.unknown_genres(&taxonomy) {
        talk(format_args!("deepcuts: {}", clean(&stranger)));
    }

    let bar = write::bar(files.len(), "looking");
    let mut counts = Counts::default();
    let mut items: Vec<Item> = Vec::new();
    let mut apart = Vec::new();
    for file in &files {
        if cancel.load(Ordering::SeqCst) {
            bar.finish_and_clear();
            return Ok(Outcome::Interrupted);
        }
        match tags::preview(&store, file, &rules, &taxonomy, args.hard_links)? {
            Outlook::Change(item) => items.push(*item),
            Outlook::Equal => counts.equal += 1,
            Outlook::Kept(kept) => *counts.kept.entry(kept.reason()).or_default() += 1,
            Outlook::Refused(reason) => {
                apart.push((file.path.clone(), reason.clone()));
                *counts.refused.entry(reason).or_default() += 1;
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    counts.change = items.len() as u64;
    if !args.readers.is_empty() {
        return readers::show(&items, &args.readers, &rules.joiner, args.format);
    }
    let total: u64 = items.iter().map(|item| item.bytes).sum();

    let show = args.dry_run || !write::confirmed(&store, args.yes)?;
    let mut out = std::io::stdout().lock();
    if args.format == Form::Table && show {
        for item in &items {
            diff(&mut out, item)?;
        }
        for (path, reason) in &apart {
            writeln!(out, "{}\n  refused: {}", clean_path(path), clean(reason))?;
        }
        if !items.is_empty() {
            writeln!(out, "{} would be written anew", size(total))?;
        }
        if args.dry_run {
            writeln!(out, "{}", counts.line("would change"))?;
        }
    }
    if args.dry_run {
        if args.format == Form::Json {
            writeln!(out, "{:#}", document(&items, &apart, &counts, None))?;
        }
        return Ok(if apart.is_empty() { Outcome::Good } else { Outcome::Partly });
    }
    if let Some(limit) = limit {
        anyhow::ensure!(
            total <= limit,
            "{} would be written anew, more than --max-bytes allows ({}); nothing was written",
            size(total),
            size(limit)
        );
    }
    if !show {
        for (path, reason) in &apart {
            talk(format_args!("deepcuts: {}: {}", clean_path(path), clean(reason)));
        }
    }
    out.flush()?;
    let how = How { yes: args.yes, hard_links: args.hard_links, no_undo: args.no_undo };
    let what = if args.query.is_empty() { "all".to_owned() } else { select::text(&args.query) };
    let Some(wrote) = write::write(desk, &store, &items, &rules, &what, &how, &cancel)? else {
        return Ok(Outcome::Good);
    };
    let (run, report, interrupted) = (wrote.run, wrote.report, wrote.interrupted);
    let failed = report.refused.clone();
    counts.change = report.written;
    counts.equal += report.equal;
    for (_, reason) in &failed {
        *counts.refused.entry(reason.clone()).or_default() += 1;
    }
    if args.format == Form::Json {
        let all: Vec<_> = apart.into_iter().chain(failed).collect();
        writeln!(out, "{:#}", document(&items, &all, &counts, Some(run)))?;
    } else {
        writeln!(out, "{}", counts.line("changed"))?;
    }
    Ok(match (interrupted, counts.refused.is_empty()) {
        (true, _) => Outcome::Interrupted,
        (false, true) => Outcome::Good,
        (false, false) => Outcome::Partly,
    })
}

/// Resolve what a crash left, and say so.
pub(super) fn recover(store: &Store) -> anyhow::Result<()> {
    for recovered in tags::recover(store)? {
        talk(format_args!("deepcuts: {}: a write was interrupted: {}", clean_path(&recovered.path), recovered.what));
    }
    Ok(())
}

fn rules(config: &Rules, args: &TagArgs) -> Rules {
    let mut rules = config.clone();
    rules.keep_mtime |= args.keep_mtime;
    rules.policy = match args.policy {
        Some(PolicyName::Fill) => Policy::Fill,
        Some(PolicyName::Merge) => Policy::Merge,
        Some(PolicyName::Replace) => Policy::Replace,
        None => rules.policy,
    };
    rules
}

fn diff(out: &mut impl Write, item: &Item) -> std::io::Result<()> {
    let (red, green, dim, off) =
        if colours() { ("\x1b[31m", "\x1b[32m", "\x1b[2m", "\x1b[0m") } else { ("", "", "", "") };
    let line = |genres: &[String]| {
        if genres.is_empty() { "(no genre)".to_owned() } else { clean(&genres.join("; ")).into_owned() }
    };
    writeln!(out, "{}", clean_path(&item.file.path))?;
    if item.from != item.to {
        writeln!(out, "{red}- {}{off}", line(&item.from))?;
        writeln!(out, "{green}+ {}{off}", line(&item.to))?;
    }
    for (key, value) in &item.shares {
        writeln!(out, "{green}+ {}{off}", clean(&format!("{key}={value}")))?;
    }
    for note in &item.notes {
        writeln!(out, "{dim}  {}{off}", clean(note))?;
    }
    Ok(())
}

fn document(
    items: &[Item],
    refused: &[(std::path::PathBuf, String)],
    counts: &Counts,
    run: Option<i64>,
) -> serde_json::Value {
    let failed = |item: &&Item| !refused.iter().any(|(path, _)| *path == item.file.path);
    let changes: Vec<_> = items
        .iter()
        .filter(failed)
        .map(|item| {
            let mut change = super::with_path(
                &item.file.path,
                json!({"from": item.from, "to": item.to, "bytes": item.bytes, "notes": item.notes}),
            );
            if !item.shares.is_empty()
                && let Some(object) = change.as_object_mut()
            {
                let shares: serde_json::Map<_, _> =
                    item.shares.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect();
                object.insert("shares".to_owned(), shares.into());
            }
            change
        })
        .collect();
    let refused: Vec<_> =
        refused.iter().map(|(path, reason)| super::with_path(path, json!({"reason": reason}))).collect();
    json!({"run": run, "changes": changes, "refused": refused, "equal": counts.equal, "left_alone": counts.kept})
}

/// 1,234,567 as 1.2 MB.
fn size(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", units[unit]) }
}

/// 500M as 500,000,000.
fn bytes(text: &str) -> anyhow::Result<u64> {
    let lower = text.trim().to_lowercase();
    let digits = lower.trim_end_matches(|c: char| !c.is_ascii_digit());
    let factor: Option<u64> = match lower[digits.len()..].trim().trim_end_matches('b') {
        "" => Some(1),
        "k" => Some(1000),
        "m" => Some(1_000_000),
        "g" => Some(1_000_000_000),
        "t" => Some(1_000_000_000_000),
        _ => None,
    };
    digits
        .parse::<u64>()
        .ok()
        .zip(factor)
        .and_then(|(n, factor)| n.checked_mul(factor))
        .ok_or_else(|| anyhow::anyhow!("--max-bytes {text}: a size such as 500M or 2G was expected"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        assert_eq!(bytes("500M").unwrap(), 500_000_000);
        assert_eq!(bytes("2 gb").unwrap(), 2_000_000_000);
        assert_eq!(bytes("17").unwrap(), 17);
        assert!(bytes("lots").is_err() && bytes("5x").is_err() && bytes("").is_err());
        assert_eq!(size(1_234_567), "1.2 MB");
        assert_eq!(size(999), "999 B");
        assert_eq!(size(999_999), "1.0 MB");
    }

    #[test]
    fn the_last_line_counts_everything() {
        let mut counts = Counts { change: 12, equal: 3, ..Counts::default() };
        counts.refused.insert("unreadable ID3 frame".to_owned(), 1);
        assert_eq!(counts.line("would change"), "12 would change, 3 equal, 1 refused: unreadable ID3 frame");
    }
}
