//! The search index, kept up by whoever holds the listener's role. It never stops a scan: what goes wrong is
//! said once, and it is tried again; after the last time, the next command that searches puts it right.

use std::{
    io::IsTerminal,
    path::PathBuf,
    time::{Duration, Instant},
};

use crate::{
    search::index::{IndexError, Indexer},
    store::Store,
    text::clean,
};

/// How long an index may take to be made before anything is said of it.
const QUIET: Duration = Duration::from_millis(500);

/// How long after a failure it is tried again: a full disk gets room, another writer ends.
const PATIENCE: Duration = Duration::from_secs(10);

/// Follows the library with the index.
#[derive(Debug)]
pub struct IndexKeeper {
    path: PathBuf,
    indexer: Option<Indexer>,
    failed: Option<Instant>,
}

impl IndexKeeper {
    /// For the index in `path`; it is opened when there is something to learn.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self { path, indexer: None, failed: None }
    }

    /// The library has committed something; `last` when nothing more comes for now.
    pub fn committed(&mut self, store: &Store, last: bool) {
        if self.failed.is_some_and(|at| at.elapsed() < PATIENCE) {
            return;
        }
        match self.learn(store, last) {
            Ok(()) => self.failed = None,
            Err(error) => {
                self.indexer = None;
                if self.failed.replace(Instant::now()).is_none() {
                    eprintln!("deepcuts: {}; it is tried again", clean(&error.to_string()));
                }
            }
        }
    }

    fn learn(&mut self, store: &Store, last: bool) -> Result<(), IndexError> {
        // A cache may be emptied at any time, and nobody else makes it anew while we have the role.
        if self.indexer.as_ref().is_some_and(Indexer::is_gone) {
            self.indexer = None;
        }
        let indexer = match &mut self.indexer {
            Some(indexer) => indexer,
            None => self.indexer.insert(Indexer::open(&self.path, store, &mut indexing())?),
        };
        if last { indexer.flush(store) } else { indexer.catch_up(store).map(|_| ()) }
    }

    /// Let its merges end.
    pub fn close(&mut self, store: &Store) {
        if let Some(Err(error)) = self.indexer.take().map(|indexer| indexer.close(store)) {
            eprintln!("deepcuts: {}; the next search makes it good", clean(&error.to_string()));
        }
    }
}

/// A line on stderr while an index is made, if it takes long enough to wonder.
pub(super) fn indexing() -> impl FnMut(u64, u64) {
    let started = Instant::now();
    let terminal = std::io::stderr().is_terminal();
    let mut said = false;
    move |done, total| {
        if started.elapsed() < QUIET {
            return;
        }
        if terminal {
            eprint!("\rindexing {done} of {total}{}", if done == total { "\n" } else { "" });
        } else if !said {
            eprintln!("deepcuts: indexing {total} files");
        }
        said = true;
    }
}
