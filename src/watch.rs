//! Hearing from the system that something changed below a root: notify lives here only.
//!
//! It tells paths, and never what became of them: whoever listens looks at the disk. When the system loses
//! events or refuses to watch, that is said, and the root has to be looked through instead. It knows no
//! database and decides nothing.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded};
use notify::{ErrorKind, EventKind, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, NoCache, new_debouncer_opt};

/// Paths that changed and are not yet fetched; beyond it the roots are looked through.
const CHANGED: usize = 16_384;

/// Events on one path within this time are one.
const DEBOUNCE: Duration = Duration::from_millis(250);

/// Why a root cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The system's limit of watched folders is reached.
    #[error(
        "{root}: the system watches no more folders (fs.inotify.max_user_watches is {limit}); it is looked through every {poll_seconds} s instead. To raise the limit: sudo sysctl fs.inotify.max_user_watches=1048576"
    )]
    Limit {
        /// The root.
        root: PathBuf,
        /// The limit, as the system tells it.
        limit: String,
        /// Time between two looks.
        poll_seconds: u32,
    },
    /// Something else.
    #[error("{root}: it cannot be watched ({reason}); it is looked through every {poll_seconds} s instead")]
    Other {
        /// The root.
        root: PathBuf,
        /// Why.
        reason: String,
        /// Time between two looks.
        poll_seconds: u32,
    },
}

/// Watched roots. Dropped, they are watched no more.
pub struct Watch {
    debouncer: Debouncer<RecommendedWatcher, NoCache>,
    changed: Receiver<PathBuf>,
    lost: Arc<AtomicBool>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl Watch {
    /// Begin, with no root.
    ///
    /// # Errors
    /// When the system has no way to watch.
    pub fn new() -> Result<Self, notify::Error> {
        let (sender, changed) = bounded(CHANGED);
        let lost = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&lost);
        let debouncer = new_debouncer_opt::<_, RecommendedWatcher, NoCache>(
            DEBOUNCE,
            None,
            move |events: DebounceEventResult| take(events, &sender, &flag),
            NoCache::new(),
            notify::Config::default(),
        )?;
        Ok(Self { debouncer, changed, lost })
    }

    /// Watch a root and all below it.
    ///
    /// # Errors
    /// Why it cannot be watched, and what raises the limit where that is the reason.
    pub fn add(&mut self, root: &Path, poll_seconds: u32) -> Result<(), WatchError> {
        self.debouncer.watch(root, RecursiveMode::Recursive).map_err(|error| {
            let _ = self.debouncer.unwatch(root);
            let root = root.to_path_buf();
            match error.kind {
                ErrorKind::MaxFilesWatch => {
                    let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_user_watches").unwrap_or_default();
                    WatchError::Limit { root, limit: limit.trim().to_owned(), poll_seconds }
                }
                _ => WatchError::Other { root, reason: error.to_string(), poll_seconds },
            }
        })
    }

    /// Paths that changed, as they come.
    #[must_use]
    pub const fn changed(&self) -> &Receiver<PathBuf> {
        &self.changed
    }

    /// Whether changes were lost since this was last asked: then every root has to be looked through.
    #[must_use]
    pub fn lost(&self) -> bool {
        self.lost.swap(false, Ordering::Relaxed)
    }
}

fn take(events: DebounceEventResult, sender: &Sender<PathBuf>, lost: &AtomicBool) {
    let lose = || lost.store(true, Ordering::Relaxed);
    match events {
        Ok(events) => {
            for event in events {
                if event.need_rescan() {
                    lose();
                }
                if matches!(event.kind, EventKind::Access(kind) if !is_close_after_write(kind)) {
                    continue;
                }
                for path in &event.paths {
                    if sender.try_send(path.clone()).is_err() {
                        lose();
                    }
                }
            }
        }
        Err(errors) => {
            for error in errors {
                tracing::warn!(%error, "the watch failed for a moment");
            }
            lose();
        }
    }
}

fn is_close_after_write(kind: notify::event::AccessKind) -> bool {
    use notify::event::{AccessKind, AccessMode};
    kind == AccessKind::Close(AccessMode::Write)
}
