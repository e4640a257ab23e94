//! Genre tags written as tracks are heard: only where the listener said so, by `[tags] auto_write` or
//! `scan --write-tags`. One run of the history for each scan; what a killed scan had heard and not written is
//! written by the next.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{Options, Outlook, Writer, copy::BUSY, preview};
use crate::{
    config::Tags as Rules,
    hooks::Hooks,
    store::{Store, StoreError, now_ms},
};

/// In the store's small settings: everything heard before this was looked at.
const LOOKED: &str = "auto_write_looked_ms";

/// Follows the library with tags.
#[derive(Debug)]
pub struct TagKeeper {
    rules: Rules,
    hooks: Arc<Hooks>,
    cancel: Arc<AtomicBool>,
    on: bool,
    /// When it began to follow, ms.
    began: i64,
    run: Option<i64>,
    written: u64,
    refused: u64,
    given_up: bool,
    /// Files that somebody had open to write: closing one changes nothing that would have it heard again.
    later: BTreeSet<i64>,
}

impl TagKeeper {
    /// By these rules, if they or the command line say so; `hooks` are told. Once `cancel` is set, nothing more is
    /// written.
    #[must_use]
    pub fn new(rules: &Rules, asked: bool, hooks: &Arc<Hooks>, cancel: &Arc<AtomicBool>) -> Self {
        let on = asked || rules.auto_write;
        let (rules, hooks, cancel) = (rules.clone(), Arc::clone(hooks), Arc::clone(cancel));
        Self {
            rules,
            hooks,
            cancel,
            on,
            began: now_ms(),
            run: None,
            written: 0,
            refused: 0,
            given_up: false,
            later: BTreeSet::new(),
        }
    }

    /// Whether tags are written.
    #[must_use]
    pub const fn on(&self) -> bool {
        self.on
    }

    /// The library has committed something; `last` when nothing more comes for now.
    pub fn committed(&mut self, store: &Store, last: bool) {
        if !self.on || self.given_up {
            return;
        }
        if let Err(error) = self.write(store, last) {
            self.given_up = true;
            tracing::error!("{error}; no more tags are written");
        }
    }

    /// What was written since this was last asked: (written, refused).
    pub fn count(&mut self) -> (u64, u64) {
        (std::mem::take(&mut self.written), std::mem::take(&mut self.refused))
    }

    fn write(&mut self, store: &Store, last: bool) -> Result<(), StoreError> {
        let until = now_ms();
        let looked = store.meta(LOOKED)?.and_then(|ms| ms.parse().ok()).unwrap_or(0);
        // A clock that was wrong and is right again would have nothing written for years.
        let since = if looked > until { self.began.min(until) } else { looked };
        let taxonomy = store.taxonomy()?;
        let mut whole = true;
        let mut files = store.heard_since(since)?;
        for file in std::mem::take(&mut self.later) {
            let file = store.file(file)?.filter(|file| file.present && !files.iter().any(|f| f.id == file.id));
            files.extend(file);
        }
        for file in files {
            // A whole library may be waiting. What is left is written by the next scan.
            if self.cancel.load(Ordering::SeqCst) {
                whole = false;
                break;
            }
            match preview(store, &file, &self.rules, &taxonomy, false)? {
                Outlook::Change(item) => {
                    let mut writer = self.writer(store)?;
                    let wrote = writer.write(&item)?;
                    writer.pause();
                    match wrote {
                        Ok(()) => self.written += 1,
                        Err(refusal) if refusal.reason == BUSY && self.later.insert(file.id) && !last => {}
                        Err(refusal) => self.refuse(&file.path, &refusal.reason),
                    }
                }
                Outlook::Refused(reason) => self.refuse(&file.path, &reason),
                Outlook::Equal | Outlook::Kept(_) => {}
            }
        }
        if whole {
            store.set_meta(LOOKED, &until.to_string())?;
        }
        if last && let Some(run) = self.run.take() {
            store.end_run(run)?;
        }
        Ok(())
    }

    fn writer<'s>(&mut self, store: &'s Store) -> Result<Writer<'s>, StoreError> {
        let options = Options {
            keep_mtime: self.rules.keep_mtime,
            hard_links: false,
            no_undo: false,
            undo_max_bytes: self.rules.undo_max_bytes,
            hooks: Arc::clone(&self.hooks),
        };
        if let Some(run) = self.run {
            return Ok(Writer::go_on(store, run, options));
        }
        let writer = Writer::begin(store, "as heard", options, self.rules.undo_days)?;
        self.run = Some(writer.run());
        Ok(writer)
    }

    fn refuse(&mut self, path: &Path, reason: &str) {
        self.refused += 1;
        tracing::warn!("{}: not tagged: {reason}", path.display());
    }
}
