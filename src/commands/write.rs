//! Writing what was previewed: the question at the first real write, the run, its progress, and who is told. `tag` and
//! `audit` come here.

use std::{
    io::IsTerminal,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Desk, talk, talk_part};
use crate::{
    config::Tags as Rules,
    hooks::Hooks,
    store::Store,
    tags::{Item, Options, Report, Writer},
    text::{clean, clean_path},
};

/// In the store's small settings: the listener has seen a preview and said yes.
const CONFIRMED: &str = "tags_confirmed";

/// What the command line says of it.
pub(super) struct How {
    pub yes: bool,
    pub hard_links: bool,
    pub no_undo: bool,
}

/// A run that ended.
pub(super) struct Wrote {
    pub run: i64,
    pub report: Report,
    pub interrupted: bool,
}

/// Whether the listener has said yes, now or once before.
pub(super) fn confirmed(store: &Store, yes: bool) -> anyhow::Result<bool> {
    Ok(yes || store.meta(CONFIRMED)?.is_some())
}

/// Write `items` as a run called `what`. None when the listener does not want it.
pub(super) fn write(
    desk: &Desk,
    store: &Store,
    items: &[Item],
    rules: &Rules,
    what: &str,
    how: &How,
    cancel: &AtomicBool,
) -> anyhow::Result<Option<Wrote>> {
    if !items.is_empty() && !confirmed(store, how.yes)? {
        anyhow::ensure!(
            std::io::stdin().is_terminal(),
            "this would be the first write into your files: look at it with --dry-run, then say --yes"
        );
        if !ask(&format!("Write genres into {} files? `deepcuts undo` takes it back. [y/N] ", items.len()))? {
            talk("nothing was written");
            return Ok(None);
        }
    }
    if !items.is_empty() {
        store.set_meta(CONFIRMED, "yes")?;
    }
    let hooks = Arc::new(Hooks::start(&desk.config.hooks));
    let options = Options {
        keep_mtime: rules.keep_mtime,
        hard_links: how.hard_links,
        no_undo: how.no_undo,
        undo_max_bytes: rules.undo_max_bytes,
        hooks: Arc::clone(&hooks),
    };
    let progress = bar(items.len(), "writing");
    let mut writer = Writer::begin(store, what, options, rules.undo_days)?;
    let run = writer.run();
    let mut interrupted = false;
    for item in items {
        if cancel.load(Ordering::SeqCst) {
            interrupted = true;
            break;
        }
        if let Err(refusal) = writer.write(item)? {
            let line = format!("deepcuts: {}: {}", clean_path(&item.file.path), clean(&refusal.reason));
            progress.suspend(|| talk(line));
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    let report = writer.end()?;
    hooks.close(cancel);
    if report.renamed > 0 {
        talk(format_args!(
            "deepcuts: {} files were replaced by renaming: their file system cannot exchange names, so a change made in \
             that very moment would not have been seen",
            report.renamed
        ));
    }
    Ok(Some(Wrote { run, report, interrupted }))
}

pub(super) fn ask(question: &str) -> anyhow::Result<bool> {
    talk_part(format_args!("{question}"));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Progress over files, on a terminal.
pub(super) fn bar(total: usize, doing: &str) -> ProgressBar {
    let target =
        if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(total as u64), target);
    if let Ok(style) = ProgressStyle::with_template("{msg} {pos}/{len} files, {eta} left") {
        bar.set_style(style);
    }
    bar.set_message(doing.to_owned());
    bar
}
