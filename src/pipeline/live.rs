//! Staying with a library: scan, then hear what the watch tells, and look through everything now and then.
//!
//! What changed is looked at once it has kept still; a path that is gone, a folder that moved in, a file that
//! grows all become a small scan of just that path. The ears are started by such a scan when there is
//! something to hear, and let go with it.

use std::{
    collections::HashMap,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use deepcuts_protocol::ModelCard;

use super::{Follow, Report, Root, Scan, scan};
use crate::{
    config, crawl,
    ears::Setup,
    progress::Progress,
    store::{Store, StoreError},
    track::path_bytes,
    watch::Watch,
};

/// The longest that a change of the database by another process waits for the index.
const TICK: Duration = Duration::from_secs(2);

/// The longest sleep: whoever quits waits no longer for it to end.
const SLEEP: Duration = Duration::from_millis(200);

/// The least time that a path has to keep still: what is told of it comes in bursts, and a new folder is watched a
/// moment after it is told.
const MOMENT: Duration = Duration::from_millis(250);

/// More changed paths than this, and the roots are looked through instead.
const MANY: usize = 2_000;

/// What is told of a library that is watched.
pub trait Stay: Follow {
    /// A scan ended: the first, one of what changed, or one of everything.
    fn scanned(&mut self, report: &Report) {
        let _ = report;
    }

    /// A root cannot be watched by the system.
    fn unwatched(&mut self, reason: &str) {
        tracing::warn!("{reason}");
    }

    /// Nothing happened for a moment: time to pick up what other processes wrote.
    fn idle(&mut self, store: &Store) {
        let _ = store;
    }

    /// The counters of the scan that begins.
    fn progress(&mut self) -> std::sync::Arc<Progress> {
        std::sync::Arc::default()
    }
}

/// Scan `what`'s roots, then stay with them until `cancel` is set.
///
/// # Errors
/// When the database cannot be used.
pub fn stay(store: &Store, what: &Scan<'_>, stay: &mut dyn Stay, cancel: &AtomicBool) -> Result<(), StoreError> {
    let settings = &what.config.watch;
    let roots: Vec<PathBuf> = what.roots.iter().map(|r| r.path.clone()).collect();
    // Watch first, then scan: what changes during the scan is told after it.
    let (mut watch, mut polled) = watch(&roots, settings, stay);
    let mut folders: Vec<_> = roots.iter().map(|root| folder(root)).collect();
    let mut changed = Changed::new(Duration::from_secs(u64::from(settings.settle_seconds)).max(MOMENT));
    let every = |minutes: u32| (minutes > 0).then(|| Duration::from_secs(60 * u64::from(minutes)));
    let mut looked = Instant::now();
    let mut polled_at = Instant::now();
    let mut with = With { ears: what.ears.clone(), card: what.card.clone(), since: what.since };
    changed.take_back(run(store, what, &with, what.roots.clone(), stay, cancel)?);
    let mut ticked = Instant::now();
    while !cancel.load(Ordering::Relaxed) {
        let wait = changed.wait().min(TICK.saturating_sub(ticked.elapsed())).min(SLEEP);
        match &watch {
            Some(watch) if watch.wait(wait) => changed.note(watch.changed()),
            Some(_) => {
                polled.clone_from(&roots);
                std::thread::sleep(wait);
            }
            None => std::thread::sleep(wait),
        }
        // A file that never keeps still, a recording say, must not keep the rest waiting.
        if ticked.elapsed() < TICK && changed.wait() > Duration::ZERO {
            continue;
        }
        ticked = Instant::now();
        let lost = watch.as_ref().is_some_and(Watch::lost) || changed.paths.len() > MANY;
        let reconcile = every(settings.reconcile_minutes).is_some_and(|time| looked.elapsed() >= time);
        let promoted = with.follow(store, &what.config.ears.model)?;
        if lost || reconcile || promoted {
            if lost {
                tracing::warn!("changes were lost; everything is looked through");
            }
            changed.paths.clear();
            looked = Instant::now();
            changed.take_back(run(store, what, &with, what.roots.clone(), stay, cancel)?);
            continue;
        }
        let mut due: Vec<Root> = changed.due().into_iter().filter_map(|path| part(&roots, path)).collect();
        // A root that was unmounted, or moved away, and is back is another folder: nothing is told of it any more.
        for (root, was) in roots.iter().zip(&mut folders) {
            let now = folder(root);
            if std::mem::replace(was, now) == now || polled.contains(root) {
                continue;
            }
            if let (Some(_), Some(watch)) = (now, &mut watch) {
                if let Err(error) = watch.add(root, settings.poll_seconds) {
                    stay.unwatched(&error.to_string());
                    polled.push(root.clone());
                }
                due.push(Root { path: root.clone(), part_of: None });
            }
        }
        if !polled.is_empty() && polled_at.elapsed() >= Duration::from_secs(u64::from(settings.poll_seconds)) {
            polled_at = Instant::now();
            due.extend(polled.iter().map(|path| Root { path: path.clone(), part_of: None }));
        }
        if due.is_empty() {
            stay.idle(store);
        } else {
            changed.take_back(run(store, what, &with, due, stay, cancel)?);
        }
    }
    Ok(())
}

/// Which folder a root is now; none when it is not there.
fn folder(root: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(root).ok().map(|it| (it.dev(), it.ino()))
}

fn watch(roots: &[PathBuf], settings: &config::Watch, stay: &mut dyn Stay) -> (Option<Watch>, Vec<PathBuf>) {
    let mut polled: Vec<PathBuf> =
        settings.poll.iter().filter(|path| roots.iter().any(|root| path.starts_with(root))).cloned().collect();
    let mut watch = match Watch::new() {
        Ok(watch) => watch,
        Err(error) => {
            stay.unwatched(&format!("nothing can be watched ({error}); the roots are looked through instead"));
            return (None, roots.to_vec());
        }
    };
    for root in roots.iter().filter(|root| !settings.poll.contains(root)) {
        if let Err(error) = watch.add(root, settings.poll_seconds) {
            stay.unwatched(&error.to_string());
            polled.push(root.clone());
        }
    }
    (Some(watch), polled)
}

/// What listens: the model that the stay began with, or that another process has put in force since.
struct With {
    ears: Setup,
    card: ModelCard,
    /// The promotion that held then.
    since: Option<i64>,
}

impl With {
    /// Take up the model that is in force now; true when it is another than before.
    fn follow(&mut self, store: &Store, settings: &str) -> Result<bool, StoreError> {
        let (since, now) = store.at_once(|| Ok((store.promotion(settings)?, store.current_model()?)))??;
        self.since = since;
        let Some(now) = now.filter(|now| now.card.id() != self.card.id()) else { return Ok(false) };
        if !now.path.exists() {
            return Ok(false);
        }
        tracing::info!(model = now.card.name, "another model was put in force");
        self.ears.model = now.path;
        self.card = now.card;
        Ok(true)
    }
}

/// One scan; what was still changing has to be looked at again.
fn run(
    store: &Store,
    what: &Scan<'_>,
    with: &With,
    roots: Vec<Root>,
    stay: &mut dyn Stay,
    cancel: &AtomicBool,
) -> Result<Vec<PathBuf>, StoreError> {
    let progress = stay.progress();
    let part = Scan {
        roots,
        retry_failed: false,
        config: what.config,
        ears: with.ears.clone(),
        card: with.card.clone(),
        since: with.since,
        hooks: what.hooks,
    };
    let report = scan(store, &part, stay, &progress, cancel)?;
    stay.scanned(&report);
    Ok(report.pending)
}

/// The root that a changed path belongs to; none for what is no concern of ours.
fn part(roots: &[PathBuf], path: PathBuf) -> Option<Root> {
    let root = roots.iter().filter(|root| path.starts_with(root)).max()?;
    let name = path.file_name().map(|n| path_bytes(Path::new(n)))?;
    if name == crawl::IGNORE_FILE.as_bytes() {
        let folder = path.parent()?.to_path_buf();
        return Some(Root { part_of: (folder != *root).then(|| root.clone()), path: folder });
    }
    Some(Root { part_of: (path != *root).then(|| root.clone()), path })
}

/// Paths that changed, and when they last did.
struct Changed {
    paths: HashMap<PathBuf, Instant>,
    settle: Duration,
}

impl Changed {
    fn new(settle: Duration) -> Self {
        Self { paths: HashMap::new(), settle }
    }

    /// Note paths that changed, and when they last did.
    fn note(&mut self, paths: impl IntoIterator<Item = (PathBuf, Instant)>) {
        let ours = |path: &Path| {
            path.file_name().is_some_and(|n| path_bytes(Path::new(n)).starts_with(crawl::COPY_PREFIX.as_bytes()))
        };
        self.paths.extend(paths.into_iter().filter(|(path, _)| !ours(path)));
    }

    fn take_back(&mut self, paths: Vec<PathBuf>) {
        let now = Instant::now();
        self.note(paths.into_iter().map(|path| (path, now)));
    }

    /// How long until the first has kept still.
    fn wait(&self) -> Duration {
        self.paths.values().map(|at| self.settle.saturating_sub(at.elapsed())).min().unwrap_or(Duration::MAX)
    }

    /// Paths that have kept still; those below another of them are left to it.
    fn due(&mut self) -> Vec<PathBuf> {
        let settle = self.settle;
        let mut due: Vec<PathBuf> = Vec::new();
        self.paths.retain(|path, at| {
            let still = at.elapsed() >= settle;
            if still {
                due.push(path.clone());
            }
            !still
        });
        due.sort();
        let mut tops: Vec<PathBuf> = Vec::new();
        for path in due {
            if tops.last().is_none_or(|top| !path.starts_with(top)) {
                tops.push(path);
            }
        }
        tops
    }
}
