//! The flow of a scan: crawl -> identify -> ears -> store.
//!
//! One thread crawls and decides what needs work, a few identify (hash, tags), one feeds the ears, and the
//! caller's thread writes: it alone holds the database to write. Every queue is bounded, so a slow stage holds
//! back those before it; the writer never waits while it holds a transaction. Failures travel as values on the
//! same channels as results. A cancelled scan stops the producers, lets the channels run dry and commits what
//! is done: nothing finished is lost.

mod away;
mod identify;
mod keep;
mod live;
mod plan;
mod room;

pub use live::{Stay, stay};

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use crossbeam_channel::bounded;
use deepcuts_protocol::{ModelCard, Stage};

use crate::{
    config::Config,
    crawl::Crawled,
    ears,
    hooks::{Hooks, Scanned},
    progress::Progress,
    relabel,
    store::{NewFile, Store, StoreError},
    track::FileStamp,
};

/// Files planned and not yet identified: covers the gap while a folder is listed.
const PLANNED: usize = 256;

/// Results on the way to the writer.
const EVENTS: usize = 64;

/// Files handed to the ears' thread and not yet taken.
const JOBS: usize = 32;

/// Threads that hash and read tags. Reading is the limit, and the ears want the cores.
const IDENTIFIERS: usize = 2;

/// A place to scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// A folder or a file.
    pub path: PathBuf,
    /// The library's root that it is a part of. A part that is not there is gone; a root that is not there may be
    /// unmounted, and nothing of it is.
    pub part_of: Option<PathBuf>,
}

/// What to scan, and with what.
#[derive(Debug)]
pub struct Scan<'a> {
    /// Folders or files.
    pub roots: Vec<Root>,
    /// Try again what failed before.
    pub retry_failed: bool,
    /// The settings.
    pub config: &'a Config,
    /// The ears.
    pub ears: ears::Setup,
    /// The model that hears.
    pub card: ModelCard,
    /// The promotion that held when it was looked up which model does: [`Store::promotion`].
    pub since: Option<i64>,
    /// Who is told what was found.
    pub hooks: &'a Hooks,
}

/// How a scan ended.
#[derive(Debug, Default)]
pub struct Report {
    /// Files that were there.
    pub seen: u64,
    /// Files that needed no work.
    pub unchanged: u64,
    /// Files whose track was heard now.
    pub heard: u64,
    /// Files whose track was known already.
    pub known: u64,
    /// Files that failed now.
    pub failed: u64,
    /// Files that had failed before and were skipped.
    pub skipped: u64,
    /// Files that are still changing.
    pub pending: Vec<PathBuf>,
    /// Files that are gone.
    pub gone: u64,
    /// Roots that are not there.
    pub roots_missing: Vec<PathBuf>,
    /// Places that could not be looked at.
    pub warnings: u64,
    /// The scan was stopped.
    pub cancelled: bool,
    /// Why nothing more can be heard.
    pub fatal: Option<String>,
    /// How long it took.
    pub seconds: f64,
}

/// What the writer is told.
enum Event {
    /// A file was identified.
    Identified(Box<NewFile>),
    /// A known file still has to be heard.
    Unheard(Known),
    /// A file that was missing is back, unchanged.
    Back(Known),
    /// A file failed.
    Failed { path: PathBuf, stamp: FileStamp, stage: Stage, reason: String },
    /// A file changes while it is looked at.
    Changing(PathBuf),
    /// A place could not be looked at.
    Warning { path: PathBuf, reason: String },
    /// A root was walked through.
    Crawled { root: Root, crawled: Crawled, gone: Vec<(i64, PathBuf)>, forgotten: Vec<PathBuf>, skipped: u64 },
}

/// A file of the library.
#[derive(Clone, Debug)]
struct Known {
    file: i64,
    track: i64,
    path: PathBuf,
    stamp: FileStamp,
}

/// What a scan tells while it goes on. All of it is optional.
pub trait Follow {
    /// Files were heard and committed; good for an index. `last` when nothing more will come.
    fn committed(&mut self, store: &Store, last: bool) {
        let _ = (store, last);
    }

    /// A file was heard and kept.
    fn heard(&mut self, store: &Store, file: i64) {
        let _ = (store, file);
    }

    /// Something that people should read while it happens.
    fn warn(&mut self, path: &std::path::Path, reason: &str) {
        tracing::warn!("{}: {reason}", path.display());
    }
}

/// Scan: find, identify, hear and keep.
///
/// # Errors
/// When the database cannot be used. Whatever concerns one file is in the report and in the database.
pub fn scan(
    store: &Store,
    scan: &Scan<'_>,
    follow: &mut dyn Follow,
    progress: &Progress,
    cancel: &AtomicBool,
) -> Result<Report, StoreError> {
    store.put_model(&scan.ears.model, &scan.card)?;
    if !store.listen_with(scan.card.id(), &scan.config.ears.model, scan.since)? {
        tracing::info!("another model is in force by now; what is heard now counts once it is named again");
    }
    // What another head on this trunk has heard need not be decoded again.
    if let Err(error) = relabel::missing(store, &scan.ears, &scan.card, cancel, &mut |_, _| {}) {
        tracing::warn!(%error, "what another model heard could not be named again; it is heard again");
    }
    let current = Some((scan.card.id(), scan.card.feature_version));
    let mut plans = Vec::new();
    for (root, others) in places(store, scan)? {
        if root.part_of.is_none() && root.path.is_dir() {
            store.put_root(&root.path)?;
        }
        let mut known: plan::KnownFiles = store.known_under(&root.path, current)?.into_iter().collect();
        known.retain(|path, _| !others.iter().any(|other| path.starts_with(other)));
        plans.push((root, others, known));
    }
    // Set when the writer has had enough: cancelled, or the ears cannot be used.
    let stop = AtomicBool::new(false);
    let (to_identify, planned) = bounded(PLANNED);
    let (tell, events) = bounded(EVENTS);
    let (to_hear, jobs) = bounded(JOBS);
    let (say, said) = bounded(EVENTS);
    let settle = Duration::from_secs(u64::from(scan.config.watch.settle_seconds));
    let stopped = || cancel.load(Ordering::Relaxed) || stop.load(Ordering::Relaxed);

    std::thread::scope(|threads| -> Result<Report, StoreError> {
        let (stopped, stop) = (&stopped, &stop);
        let planner = plan::Planner {
            library: &scan.config.library,
            retry_failed: scan.retry_failed,
            settle,
            progress,
            stopped,
            to_identify,
            tell: tell.clone(),
            batch: plan::Batch::default(),
        };
        spawn(threads, "crawl", move || planner.run(plans));
        for n in 0..IDENTIFIERS {
            let (planned, tell) = (planned.clone(), tell.clone());
            spawn(threads, &format!("identify-{n}"), move || identify::run(&planned, &tell, stopped));
        }
        drop((planned, tell));
        let setup = &scan.ears;
        let ears = spawn(threads, "ears", move || ears::listen(setup, &jobs, &say, stop));
        let mut keeper = keep::Keeper::new(store, scan, follow, progress);
        let kept = keeper.run(&events, &said, to_hear, stopped);
        stop.store(true, Ordering::Relaxed);
        // Whoever waits to tell us something must be let go.
        while events.recv_timeout(Duration::from_millis(50)).is_ok() || !ears.is_finished() {
            while said.try_recv().is_ok() {}
        }
        drop((events, said));
        kept?;
        let mut report = keeper.finish()?;
        report.cancelled = cancel.load(Ordering::Relaxed);
        report.seconds = progress.seconds();
        note_rate(store, &report)?;
        scan.hooks.scanned(Scanned {
            seen: report.seen,
            heard: report.heard,
            known: report.known,
            failed: report.failed,
            gone: report.gone,
            seconds: report.seconds,
        });
        Ok(report)
    })
}

/// What is walked through: each root, and the roots below it that this walk leaves alone.
///
/// A folder below a root of the library is a part of that root and none of its own, or it would be looked for ever after
/// it was renamed. Where roots lie in one another, each file is looked at once; and a root that is not there may be
/// unmounted, so the root around it does not know what became of its files.
fn places(store: &Store, scan: &Scan<'_>) -> Result<Vec<(Root, Vec<PathBuf>)>, StoreError> {
    let mut whole: Vec<PathBuf> = store.roots()?.into_iter().map(|(path, ..)| path).collect();
    whole.extend(scan.config.library.roots.iter().cloned());
    let mut roots = scan.roots.clone();
    for root in roots.iter_mut().filter(|root| root.part_of.is_none() && !whole.contains(&root.path)) {
        root.part_of = whole.iter().filter(|around| root.path.starts_with(around)).max().cloned();
    }
    whole.extend(roots.iter().filter(|root| root.part_of.is_none()).map(|root| root.path.clone()));
    let apart = |root: &Root| {
        let below = whole.iter().filter(|other| **other != root.path && other.starts_with(&root.path));
        let left = below.filter(|other| roots.iter().any(|r| r.path == **other) || !plan::is_there(other));
        left.cloned().collect()
    };
    Ok(roots.iter().map(|root| (root.clone(), apart(root))).collect())
}

/// Keep how fast this library was last heard here, for `status` to say how long a backlog takes.
fn note_rate(store: &Store, report: &Report) -> Result<(), StoreError> {
    if report.heard < 5 || report.seconds <= 0.0 {
        return Ok(());
    }
    store.set_meta(RATE, &format!("{:.3}", report.heard as f64 / report.seconds))
}

/// Key of the rate last seen (tracks a second) among the small settings of the database.
pub const RATE: &str = "tracks_per_second";

#[allow(clippy::panic)]
fn spawn<'scope, 'env>(
    threads: &'scope std::thread::Scope<'scope, 'env>,
    name: &str,
    work: impl FnOnce() + Send + 'scope,
) -> std::thread::ScopedJoinHandle<'scope, ()> {
    match std::thread::Builder::new().name(name.to_owned()).spawn_scoped(threads, work) {
        Ok(handle) => handle,
        // As std::thread::spawn does: a system without threads has no way on.
        Err(error) => panic!("no thread for {name}: {error}"),
    }
}
