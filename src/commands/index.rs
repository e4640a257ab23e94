//! The search index as the commands keep it: on stderr it is said what goes wrong, and how far a new one is.

use std::{
    io::IsTerminal,
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{talk, talk_part};
use crate::{search::index::Keeper, store::Store, text::clean};

/// How long an index may take to be made before anything is said of it.
const QUIET: Duration = Duration::from_millis(500);

/// Follows the library with the index.
#[derive(Debug)]
pub struct IndexKeeper(Keeper);

impl IndexKeeper {
    /// For the index in `path`; it is opened when there is something to learn.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self(Keeper::new(path))
    }

    /// The library has committed something; `last` when nothing more comes for now.
    pub fn committed(&mut self, store: &Store, last: bool) {
        if let Err(error) = self.0.learn(store, last, &mut indexing()) {
            talk(format_args!("deepcuts: {}; it is tried again", clean(&error.to_string())));
        }
    }

    /// Let its merges end.
    pub fn close(&mut self, store: &Store) {
        if let Err(error) = self.0.close(store) {
            talk(format_args!("deepcuts: {}; the next search makes it good", clean(&error.to_string())));
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
            talk_part(format_args!("\rindexing {done} of {total}{}", if done == total { "\n" } else { "" }));
        } else if !said {
            talk(format_args!("deepcuts: indexing {total} files"));
        }
        said = true;
    }
}
