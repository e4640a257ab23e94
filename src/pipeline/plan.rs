//! The crawl's thread: which of the files that are there need work, and which known ones are gone.

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crossbeam_channel::Sender;

use super::{Event, Known, Root, away::Disks};
use crate::{
    config::Library,
    crawl::{Found, crawl},
    progress::Progress,
    store::{self, KnownState},
    text::clean_path,
    track::FileStamp,
};

/// What the library knows below a root.
pub(super) type KnownFiles = HashMap<PathBuf, store::Known>;

/// Files found in one go before they are handed on: long enough to put the newest first, short enough that the
/// first is heard at once.
const BATCH: usize = 2048;
const BATCH_TIME: Duration = Duration::from_millis(500);

/// Files that need work, newest first, of equals the smallest: what was just dropped in is heard within seconds.
#[derive(Default)]
pub(super) struct Batch {
    files: Vec<(PathBuf, FileStamp)>,
    since: Option<Instant>,
}

pub(super) struct Planner<'a, S: Fn() -> bool> {
    pub library: &'a Library,
    pub retry_failed: bool,
    pub settle: Duration,
    pub progress: &'a Progress,
    pub stopped: &'a S,
    pub to_identify: Sender<(PathBuf, FileStamp)>,
    pub tell: Sender<Event>,
    pub batch: Batch,
}

impl<S: Fn() -> bool> Planner<'_, S> {
    pub fn run(mut self, plans: Vec<(Root, Vec<PathBuf>, KnownFiles)>) {
        let mut young = Vec::new();
        for (root, others, known) in plans {
            self.walk(root, &others, known, &mut young);
        }
        self.flush();
        self.wait_for(young);
        self.progress.crawling.store(false, Ordering::Relaxed);
    }

    fn walk(&mut self, root: Root, others: &[PathBuf], mut known: KnownFiles, young: &mut Vec<(PathBuf, FileStamp)>) {
        let cancel = AtomicBool::new(false);
        let mut skipped = 0;
        let mut disks = Disks::default();
        let mut crawled =
            crawl(&root.path, root.part_of.as_deref().unwrap_or(&root.path), self.library, &cancel, &mut |found| {
                if (self.stopped)() {
                    cancel.store(true, Ordering::Relaxed);
                    return;
                }
                match found {
                    Found::File { path, .. } | Found::Warning { path, .. }
                        if others.iter().any(|other| path.starts_with(other)) => {}
                    Found::File { path, stamp } => {
                        self.progress.one(&self.progress.seen);
                        let before = known.remove(&path);
                        if let Some(before) = &before {
                            disks.found(&path, before.stamp.dev);
                        }
                        skipped += u64::from(!self.plan(path, stamp, before, young));
                    }
                    Found::Warning { path, reason } => self.tell(Event::Warning { path, reason }),
                }
            });
        if crawled.missing && root.part_of.as_deref().is_some_and(is_there) {
            // A part of a root that is there: it was deleted, moved or emptied.
            crawled.missing = false;
        }
        let mut gone = Vec::new();
        let mut forgotten = Vec::new();
        let mut away = BTreeSet::new();
        let base = root.part_of.as_deref().unwrap_or(&root.path);
        for (path, left) in known {
            if !crawled.vouches_for(&path) {
                continue;
            }
            if left.state != KnownState::Missing
                && let Some(place) = disks.missing(&path, left.stamp.dev, base)
            {
                away.insert(place);
                continue;
            }
            match (left.state, left.file) {
                (KnownState::Heard | KnownState::Unheard, Some(file)) => gone.push((file, path)),
                (KnownState::Failed, file) => {
                    gone.extend(file.map(|file| (file, path.clone())));
                    forgotten.push(path);
                }
                _ => {}
            }
        }
        for path in away {
            let reason = "the disk of what was there is not mounted; what the library knows of it is kept".to_owned();
            self.tell(Event::Warning { path, reason });
        }
        self.tell(Event::Crawled { root, crawled, gone, forgotten, skipped });
    }

    /// Decide what a file needs; false when it failed before and is skipped.
    fn plan(
        &mut self,
        path: PathBuf,
        stamp: FileStamp,
        before: Option<store::Known>,
        young: &mut Vec<(PathBuf, FileStamp)>,
    ) -> bool {
        let Some(before) = before.filter(|b| stamp.is_still(b.stamp)) else {
            if self.is_young(stamp) {
                young.push((path, stamp));
            } else {
                self.identify(path, stamp);
            }
            return true;
        };
        let known = before.file.zip(before.track);
        match (before.state, known) {
            (KnownState::Heard, _) => self.progress.one(&self.progress.unchanged),
            (KnownState::Unheard, Some((file, track))) => {
                self.progress.one(&self.progress.planned);
                self.tell(Event::Unheard(Known { file, track, path, stamp }));
            }
            (KnownState::Missing, Some((file, track))) => {
                self.progress.one(&self.progress.planned);
                self.tell(Event::Back(Known { file, track, path, stamp }));
            }
            (KnownState::Failed, _) if !self.retry_failed => {
                self.progress.one(&self.progress.unchanged);
                return false;
            }
            _ => self.identify(path, stamp),
        }
        true
    }

    fn identify(&mut self, path: PathBuf, stamp: FileStamp) {
        self.progress.one(&self.progress.planned);
        self.batch.files.push((path, stamp));
        let since = *self.batch.since.get_or_insert_with(Instant::now);
        if self.batch.files.len() >= BATCH || since.elapsed() >= BATCH_TIME {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        batch.files.sort_by_key(|(_, stamp)| {
            (std::cmp::Reverse(stamp.mtime_ns.max(stamp.ctime_ns) / 1_000_000_000), stamp.size)
        });
        for (path, stamp) in batch.files {
            if (self.stopped)() {
                return;
            }
            self.progress.now_at(clean_path(&path));
            // The receivers end only when the scan is over.
            let _ = self.to_identify.send((path, stamp));
        }
    }

    fn tell(&self, event: Event) {
        let _ = self.tell.send(event);
    }

    /// Whether a file may still be being written.
    fn is_young(&self, stamp: FileStamp) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let age = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX) - stamp.mtime_ns.max(stamp.ctime_ns);
        // A clock that jumped back makes a file look younger than now: it is not waited for.
        u128::try_from(age).is_ok_and(|age| age < self.settle.as_nanos())
    }

    /// Files that were changed just now: once they have kept still they are heard, else they stay pending.
    fn wait_for(&mut self, young: Vec<(PathBuf, FileStamp)>) {
        let step = Duration::from_millis(50);
        for (path, stamp) in young {
            while self.is_young(stamp) && !(self.stopped)() {
                std::thread::sleep(step);
            }
            match FileStamp::read(&path) {
                Ok(now) if now == stamp => {
                    self.identify(path, stamp);
                    self.flush();
                }
                Ok(_) => self.tell(Event::Changing(path)),
                Err(_) => {}
            }
        }
    }
}

/// Whether a root is there and holds anything.
pub(super) fn is_there(root: &Path) -> bool {
    std::fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_some())
}
