//! `history`: the runs that wrote into files, or the files of one.

use std::io::Write;

use serde_json::json;

use super::{Desk, Outcome, status::when, undo::genres, with_path};
use crate::{
    cli::{Form, HistoryArgs},
    store::WriteState,
    text::{clean, clean_path},
};

pub(super) fn run(desk: &Desk, args: &HistoryArgs) -> anyhow::Result<Outcome> {
    let store = desk.reader()?;
    let mut out = std::io::stdout().lock();
    if let Some(run) = args.run {
        let writes = store.writes_of_run(run)?;
        if args.format == Form::Json {
            let list: Vec<_> = writes
                .iter()
                .map(|w| {
                    let row = json!({"from": w.old_genres, "to": w.new_genres, "state": w.state.name(),
                        "reason": w.reason, "at_ms": w.at_ms});
                    with_path(&w.path, row)
                })
                .collect();
            writeln!(out, "{:#}", json!({ "writes": list }))?;
        } else {
            for w in &writes {
                let state = match (w.state, &w.reason) {
                    (WriteState::Done, _) => String::new(),
                    (state, Some(reason)) => format!("  ({}: {})", state.name(), clean(reason)),
                    (state, None) => format!("  ({})", state.name()),
                };
                writeln!(
                    out,
                    "{}\n  {} -> {}{state}",
                    clean_path(&w.path),
                    genres(&w.old_genres),
                    genres(&w.new_genres)
                )?;
            }
        }
        return Ok(if writes.is_empty() { Outcome::Partly } else { Outcome::Good });
    }
    let runs = store.runs()?;
    if args.format == Form::Json {
        let list: Vec<_> = runs
            .iter()
            .map(|r| {
                json!({"run": r.id, "kind": r.kind, "what": r.what, "started_ms": r.started_ms, "written": r.done,
                    "refused": r.refused, "taken_back": r.undone})
            })
            .collect();
        writeln!(out, "{:#}", json!({ "runs": list }))?;
    } else {
        for r in &runs {
            let undone = if r.undone > 0 { format!(", {} taken back", r.undone) } else { String::new() };
            let refused = if r.refused > 0 { format!(", {} refused", r.refused) } else { String::new() };
            let what = clean(&r.what).into_owned();
            writeln!(
                out,
                "{:>4}  {}  {:<4}  {} written{undone}{refused}  {what}",
                r.id,
                when(r.started_ms),
                r.kind,
                r.done
            )?;
        }
    }
    Ok(if runs.is_empty() { Outcome::Partly } else { Outcome::Good })
}
