//! Follows the library with the index, for whoever holds the listener's role. It never stops a scan: what goes wrong is
//! said once, and it is tried again.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{IndexError, Indexer, Progress};
use crate::store::Store;

/// How long after a failure it is tried again: a full disk gets room, another writer ends.
const PATIENCE: Duration = Duration::from_secs(10);

/// Follows the library with the index.
#[derive(Debug)]
pub struct Keeper {
    path: PathBuf,
    indexer: Option<Indexer>,
    failed: Option<Instant>,
}

impl Keeper {
    /// For the index in `path`; it is opened when there is something to learn.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self { path, indexer: None, failed: None }
    }

    /// The library has committed something; `last` when nothing more comes for now. `progress` hears of an index that
    /// is made anew.
    ///
    /// # Errors
    /// The file system, the database; once, until it goes well again.
    pub fn learn(&mut self, store: &Store, last: bool, progress: &mut Progress<'_>) -> Result<(), IndexError> {
        if self.failed.is_some_and(|at| at.elapsed() < PATIENCE) {
            return Ok(());
        }
        match self.try_to_learn(store, last, progress) {
            Ok(()) => {
                self.failed = None;
                Ok(())
            }
            Err(error) => {
                self.indexer = None;
                if self.failed.replace(Instant::now()).is_none() { Err(error) } else { Ok(()) }
            }
        }
    }

    fn try_to_learn(&mut self, store: &Store, last: bool, progress: &mut Progress<'_>) -> Result<(), IndexError> {
        // A cache may be emptied at any time, and nobody else makes it anew while we have the role.
        if self.indexer.as_ref().is_some_and(Indexer::is_gone) {
            self.indexer = None;
        }
        let indexer = match &mut self.indexer {
            Some(indexer) => indexer,
            None => self.indexer.insert(Indexer::open(&self.path, store, progress)?),
        };
        if last { indexer.flush(store) } else { indexer.catch_up(store).map(|_| ()) }
    }

    /// Let its merges end.
    ///
    /// # Errors
    /// The file system, the database; the next search makes it good.
    pub fn close(&mut self, store: &Store) -> Result<(), IndexError> {
        self.indexer.take().map_or(Ok(()), |indexer| indexer.close(store))
    }
}
