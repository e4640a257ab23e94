//! Hearing from the system that something changed below a root: notify lives here only.
//!
//! It tells paths, and never what became of them: whoever listens looks at the disk. When the system loses
//! events or refuses to watch, that is said, and the root has to be looked through instead. It knows no
//! database and decides nothing.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use notify::{ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// Paths that changed and are not yet fetched; beyond it the roots are looked through.
const CHANGED: usize = 16_384;

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
    watcher: RecommendedWatcher,
    told: Arc<Told>,
    wake: Receiver<()>,
}

/// Every path that was told, and when it last was. A path is never made good by another: a file that was created and
/// moved on within a moment may have been seen where it was first.
#[derive(Default)]
struct Told {
    paths: Mutex<HashMap<PathBuf, Instant>>,
    lost: AtomicBool,
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
        let (waker, wake) = bounded(1);
        let told = Arc::<Told>::default();
        let into = Arc::clone(&told);
        let watcher = notify::recommended_watcher(move |event| into.take(event, &waker))?;
        Ok(Self { watcher, told, wake })
    }

    /// Watch a root and all below it; one that is watched already is watched as it is now.
    ///
    /// # Errors
    /// Why it cannot be watched, and what raises the limit where that is the reason.
    pub fn add(&mut self, root: &Path, poll_seconds: u32) -> Result<(), WatchError> {
        let _ = self.watcher.unwatch(root);
        self.watcher.watch(root, RecursiveMode::Recursive).map_err(|error| {
            let _ = self.watcher.unwatch(root);
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

    /// Sleep until something is told, no longer than `patience`; false when nothing will be told any more.
    #[must_use]
    pub fn wait(&self, patience: Duration) -> bool {
        !matches!(self.wake.recv_timeout(patience), Err(RecvTimeoutError::Disconnected))
    }

    /// Paths that were told since this was last asked, and when each last was.
    #[must_use]
    pub fn changed(&self) -> HashMap<PathBuf, Instant> {
        std::mem::take(&mut *self.told.paths.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether changes were lost since this was last asked: then every root has to be looked through.
    #[must_use]
    pub fn lost(&self) -> bool {
        self.told.lost.swap(false, Ordering::Relaxed)
    }
}

impl Told {
    fn take(&self, event: notify::Result<Event>, waker: &Sender<()>) {
        match event {
            Ok(event) if event.need_rescan() => self.lose(),
            // Our own reading is no change.
            Ok(Event { kind: EventKind::Access(kind), .. }) if !is_close_after_write(kind) => return,
            Ok(event) => self.note(event.paths),
            Err(error) => {
                tracing::warn!(%error, "the watch failed for a moment");
                self.lose();
            }
        }
        // Whoever is awake already needs no second call.
        let _ = waker.try_send(());
    }

    fn note(&self, changed: Vec<PathBuf>) {
        let mut paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        paths.extend(changed.into_iter().map(|path| (path, now)));
        if paths.len() > CHANGED {
            paths.clear();
            self.lose();
        }
    }

    fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }
}

fn is_close_after_write(kind: notify::event::AccessKind) -> bool {
    use notify::event::{AccessKind, AccessMode};
    kind == AccessKind::Close(AccessMode::Write)
}
