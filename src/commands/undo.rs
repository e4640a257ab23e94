//! `undo`: take tag writes back.

use std::{
    io::Write,
    sync::{Arc, atomic::Ordering},
};

use serde_json::json;

use super::{Desk, Outcome, scan::cancel_on_signal, select, tag, talk, with_path, write};
use crate::{
    cli::{Form, UndoArgs},
    hooks::Hooks,
    store::now_ms,
    tags::{Back, Options, Undo, Way, undo, ways_back},
    text::{clean, clean_path},
};

pub(super) fn run(desk: &Desk, args: &UndoArgs) -> anyhow::Result<Outcome> {
    let store = if args.dry_run { desk.reader()? } else { desk.store()? };
    if !args.dry_run {
        tag::recover(&store)?;
    }
    let rules = &desk.config.tags;
    let (which, what) = match (args.run, &args.since, args.query.is_empty()) {
        (Some(run), ..) => (Undo::Run(run), format!("run {run}")),
        (_, Some(since), _) => (Undo::Since(now_ms() - ago(since)?), format!("since {since} ago")),
        (_, _, false) => {
            let files = select::files(desk, &store, &args.query)?;
            (Undo::Files(files.iter().map(|file| file.id).collect()), select::text(&args.query))
        }
        _ => (Undo::Last, "the last run".to_owned()),
    };
    let cancel = cancel_on_signal()?;
    let list = ways_back(&store, &which, &rules.joiner)?;
    let mut out = std::io::stdout().lock();
    if list.is_empty() {
        writeln!(out, "there is nothing to take back")?;
        return Ok(Outcome::Partly);
    }
    let count = |way: fn(&Way) -> bool| list.iter().filter(|back| way(&back.way)).count();
    if args.dry_run {
        if args.format == Form::Json {
            writeln!(out, "{:#}", json!({ "files": list.iter().map(document).collect::<Vec<_>>() }))?;
            return Ok(Outcome::Good);
        }
        for back in &list {
            let how = match &back.way {
                Way::Bytes => "every byte as it was".to_owned(),
                Way::Genre => "the old genre; other tags changed since".to_owned(),
                Way::Skipped(reason) => format!("skipped: {}", clean(reason)),
            };
            writeln!(
                out,
                "{}\n  {} -> {}  ({how})",
                clean_path(&back.path),
                genres(&back.write.new_genres),
                genres(&back.write.old_genres)
            )?;
        }
        writeln!(
            out,
            "{} would be taken back ({} byte for byte), {} skipped",
            count(|way| !matches!(way, Way::Skipped(_))),
            count(|way| *way == Way::Bytes),
            count(|way| matches!(way, Way::Skipped(_)))
        )?;
        return Ok(Outcome::Good);
    }

    let hooks = Arc::new(Hooks::start(&desk.config.hooks));
    let options = Options {
        keep_mtime: args.keep_mtime || rules.keep_mtime,
        hard_links: args.hard_links,
        no_undo: false,
        undo_max_bytes: rules.undo_max_bytes,
        hooks: Arc::clone(&hooks),
    };
    let bar = write::bar(list.len(), "taking back");
    let report = undo(&store, &list, &what, &rules.joiner, options, &mut |back, result| {
        if let Err(refusal) = result {
            bar.suspend(|| {
                talk(format_args!("deepcuts: {}: skipped: {}", clean_path(&back.path), clean(&refusal.reason)))
            });
        }
        bar.inc(1);
        !cancel.load(Ordering::SeqCst)
    })?;
    bar.finish_and_clear();
    hooks.close(&cancel);
    if args.format == Form::Json {
        let skipped: Vec<_> =
            report.refused.iter().map(|(path, reason)| with_path(path, json!({ "reason": reason }))).collect();
        writeln!(out, "{:#}", json!({"taken_back": report.written, "skipped": skipped}))?;
    } else {
        writeln!(out, "{} taken back, {} skipped", report.written, report.refused.len())?;
    }
    Ok(match (cancel.load(Ordering::SeqCst), report.refused.is_empty()) {
        (true, _) => Outcome::Interrupted,
        (false, true) => Outcome::Good,
        (false, false) => Outcome::Partly,
    })
}

pub(super) fn genres(list: &[String]) -> String {
    if list.is_empty() { "(no genre)".to_owned() } else { clean(&list.join("; ")).into_owned() }
}

fn document(back: &Back) -> serde_json::Value {
    let (way, reason) = match &back.way {
        Way::Bytes => ("bytes", None),
        Way::Genre => ("genre", None),
        Way::Skipped(reason) => ("skipped", Some(reason)),
    };
    let write = &back.write;
    with_path(&back.path, json!({"from": write.new_genres, "to": write.old_genres, "way": way, "reason": reason}))
}

/// 2d, 12h, 30m as milliseconds.
fn ago(text: &str) -> anyhow::Result<i64> {
    let text = text.trim();
    let (digits, unit) = text.split_at(text.trim_end_matches(|c: char| c.is_alphabetic()).len());
    let ms: Option<i64> = match unit {
        "m" | "min" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        "w" => Some(604_800_000),
        _ => None,
    };
    digits
        .parse::<i64>()
        .ok()
        .filter(|n| *n >= 0)
        .zip(ms)
        .and_then(|(n, ms)| n.checked_mul(ms))
        .ok_or_else(|| anyhow::anyhow!("--since {text}: a time such as 30m, 12h, 2d or 1w was expected"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(ago("2d").unwrap(), 172_800_000);
        assert_eq!(ago("30m").unwrap(), 1_800_000);
        for wrong in ["", "d", "-1d", "2", "2y", "999999999999999999w"] {
            assert!(ago(wrong).is_err(), "{wrong}");
        }
    }
}
