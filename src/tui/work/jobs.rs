//! The listener within the UI: it scans when it opens and when it is asked to, then stays with the library as
//! `deepcuts watch` does. Stopped, nothing that was heard is lost. Where another process has the role, it is left
//! to it.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{Context, Mailbox, Out, library::Wish, mailbox::Mail};
use crate::{
    hooks::Hooks,
    pipeline::{self, Follow, Report, Root, Scan, Stay},
    progress::Progress,
    role::Role,
    search::index::Keeper,
    store::Store,
    tags::{self, TagKeeper},
    text::{clean_path, told},
    tui::{
        data::{Job, JobState, thousands},
        event::{Ask, Done, Said},
    },
};

/// Four numbers a second are as many as anybody reads.
const TELL: Duration = Duration::from_millis(250);

/// Run until the mailbox is closed.
pub fn run(
    mail: &Mailbox<Ask>,
    out: &Out,
    context: &Context,
    nudge: &Arc<Mailbox<Wish>>,
    cancel: &Arc<AtomicBool>,
    hooks: &Arc<Hooks>,
) {
    loop {
        let Mail::One(ask) = mail.take(None) else { return };
        let (roots, retry_failed, asked) = match ask {
            Ask::Stay => (Vec::new(), false, false),
            Ask::Scan { roots, retry_failed } => (roots, retry_failed, true),
            _ => continue,
        };
        cancel.store(false, Ordering::Relaxed);
        if mail.is_closed() {
            return;
        }
        let shown = Shown::default();
        match listen(roots, retry_failed, asked, out, context, nudge, cancel, hooks, &shown) {
            Ok(()) => {}
            Err(error) => {
                let said = Said::note(told(error.as_ref()));
                out.done(Done::Job(job(&Progress::default(), JobState::Failed, said.text.clone())));
                out.done(Done::Said(said));
            }
        }
    }
}

fn job(progress: &Progress, state: JobState, said: String) -> Job {
    Job {
        title: "Listening".into(),
        state,
        done: progress.done(),
        total: progress.planned.load(Ordering::Relaxed),
        looking: progress.crawling.load(Ordering::Relaxed),
        rate: progress.rate(),
        failed: progress.failed.load(Ordering::Relaxed),
        current: crate::text::clean(&progress.current()).into_owned(),
        said,
    }
}

/// The counters that are being raised, if any, for the thread that shows them.
#[derive(Default)]
struct Shown {
    progress: Mutex<Option<Arc<Progress>>>,
    began: Condvar,
    ended: AtomicBool,
}

impl Shown {
    fn set(&self, progress: Option<Arc<Progress>>) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
        self.began.notify_all();
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        self.set(None);
    }

    /// Tell how far it is, four times a second while something goes on; sleep otherwise.
    fn tell(&self, out: &Out) {
        let mut inside = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.ended.load(Ordering::Relaxed) {
            // The first number is worth telling only when there is something to hear.
            let busy = inside.clone().filter(|p| p.planned.load(Ordering::Relaxed) > 0);
            if let Some(progress) = &busy {
                out.done(Done::Job(job(progress, JobState::Running, String::new())));
            }
            inside = if inside.is_some() {
                self.began.wait_timeout(inside, TELL).unwrap_or_else(PoisonError::into_inner).0
            } else {
                self.began.wait(inside).unwrap_or_else(PoisonError::into_inner)
            };
        }
    }
}

struct End<'a>(&'a Shown);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

struct Following<'a> {
    nudge: &'a Mailbox<Wish>,
    out: &'a Out,
    shown: &'a Shown,
    cancel: &'a AtomicBool,
    current: Arc<Progress>,
    /// Say how the scan ended even when it found nothing to do.
    aloud: bool,
    /// Roots that were not there, and that was said.
    missed: Vec<PathBuf>,
    index: Keeper,
    tags: TagKeeper,
}

impl Following<'_> {
    fn begin(&mut self) -> Arc<Progress> {
        self.current = Arc::new(Progress::default());
        self.shown.set(Some(Arc::clone(&self.current)));
        Arc::clone(&self.current)
    }

    fn learn(&mut self, store: &Store, last: bool) {
        if let Err(error) = self.index.learn(store, last, &mut |_, _| {}) {
            self.out.bad(&error);
        }
    }
}

impl Follow for Following<'_> {
    fn committed(&mut self, store: &Store, last: bool) {
        self.tags.committed(store, last);
        self.learn(store, last);
        self.nudge.look();
        let (written, refused) = self.tags.count();
        if written + refused > 0 {
            self.out.done(Done::Said(Said::good(format!("{written} tagged as heard, {refused} refused"))));
        }
    }

    fn warn(&mut self, path: &Path, reason: &str) {
        tracing::warn!("{}: {reason}", path.display());
        self.out.done(Done::Said(Said::note(format!("{}: {reason}", clean_path(path)))));
    }
}

impl Stay for Following<'_> {
    fn scanned(&mut self, report: &Report) {
        self.shown.set(None);
        self.nudge.look();
        for root in &report.roots_missing {
            // A polled root is looked for again and again.
            if !self.missed.contains(root) {
                self.missed.push(root.clone());
                self.aloud = true;
                let said = format!("{}: not there, or nothing in it; what is known of it is kept", clean_path(root));
                self.out.done(Done::Said(Said::note(said)));
            }
        }
        let worth = report.heard + report.known + report.failed + report.gone > 0 || report.fatal.is_some();
        if !(worth || self.aloud) {
            return;
        }
        self.aloud = false;
        let state = match (&report.fatal, self.cancel.load(Ordering::Relaxed)) {
            (Some(_), _) => JobState::Failed,
            (None, true) => JobState::Paused,
            (None, false) => JobState::Ended,
        };
        let ended = job(&self.current, state, said(report));
        if state == JobState::Ended && report.heard > 0 {
            self.out.done(Done::Said(Said::good(format!("listened: {}", ended.said))));
        }
        self.out.done(Done::Job(ended));
    }

    fn idle(&mut self, store: &Store) {
        self.learn(store, true);
    }

    fn unwatched(&mut self, reason: &str) {
        self.out.done(Done::Said(Said::note(reason)));
    }

    fn progress(&mut self) -> Arc<Progress> {
        self.begin()
    }
}

/// Take the listener's role, scan, and stay with the library until it is told to stop.
#[allow(clippy::too_many_arguments)]
fn listen(
    named: Vec<PathBuf>,
    retry_failed: bool,
    asked: bool,
    out: &Out,
    context: &Context,
    nudge: &Mailbox<Wish>,
    cancel: &Arc<AtomicBool>,
    hooks: &Arc<Hooks>,
    shown: &Shown,
) -> anyhow::Result<()> {
    let store = Store::open(&context.paths.database)?;
    let named: Vec<PathBuf> = named
        .into_iter()
        .map(|path| path.canonicalize().map_err(|e| anyhow::anyhow!("{}: {e}", clean_path(&path))))
        .collect::<anyhow::Result<_>>()?;
    let known = folders(context, &store)?;
    if known.is_empty() && named.is_empty() {
        anyhow::ensure!(!asked, "which folder? :scan DIR listens to one");
        return Ok(());
    }
    let _role = Role::take(&context.paths.lock())?;
    for recovered in tags::recover(&store)? {
        out.done(Done::Said(Said::note(format!("{}: {}", clean_path(&recovered.path), recovered.what))));
    }
    let since = store.promotion(&context.config.ears.model)?;
    let (setup, card) = (context.ears)()?;
    std::thread::scope(|threads| {
        threads.spawn(|| shown.tell(out));
        // However this ends, the thread that tells must be let go.
        let _end = End(shown);
        let index = Keeper::new(context.paths.index.clone());
        let tags = TagKeeper::new(&context.config.tags, context.auto_write.load(Ordering::Relaxed), hooks, cancel);
        let current = Arc::default();
        let missed = Vec::new();
        let mut following = Following { nudge, out, shown, cancel, current, aloud: asked, missed, index, tags };
        following.learn(&store, true);
        let listened = (|| -> anyhow::Result<()> {
            let roots = whole(named.clone());
            let mut scan = Scan { roots, retry_failed, config: &context.config, ears: setup, card, since, hooks };
            if retry_failed || !named.is_empty() {
                if scan.roots.is_empty() {
                    scan.roots = whole(known);
                }
                let progress = following.begin();
                let report = pipeline::scan(&store, &scan, &mut following, &progress, cancel)?;
                following.scanned(&report);
                if report.cancelled {
                    return Ok(());
                }
            }
            scan.retry_failed = false;
            scan.roots = whole(folders(context, &store)?);
            Ok(pipeline::stay(&store, &scan, &mut following, cancel)?)
        })();
        if let Err(error) = following.index.close(&store) {
            tracing::warn!(%error, "the index was not closed well");
        }
        listened
    })
}

fn whole(paths: Vec<PathBuf>) -> Vec<Root> {
    paths.into_iter().map(|path| Root { path, part_of: None }).collect()
}

/// The folders of the library: the settings', else those scanned before.
fn folders(context: &Context, store: &Store) -> anyhow::Result<Vec<PathBuf>> {
    if !context.config.library.roots.is_empty() {
        return Ok(context.config.library.roots.clone());
    }
    Ok(store.roots()?.into_iter().map(|(path, ..)| path).collect())
}

fn said(report: &Report) -> String {
    if let Some(reason) = &report.fatal {
        return crate::text::clean(reason).into_owned();
    }
    let mut parts = vec![format!("{} files", thousands(report.seen as usize))];
    for (n, what) in [
        (report.heard, "heard"),
        (report.known, "known already"),
        (report.unchanged, "unchanged"),
        (report.gone, "gone"),
        (report.pending.len() as u64, "still changing"),
        (report.skipped, "skipped, they failed before"),
        (report.failed, "failed"),
        (report.roots_missing.len() as u64, "folders not there"),
    ] {
        if n > 0 {
            parts.push(format!("{} {what}", thousands(n as usize)));
        }
    }
    if report.cancelled {
        parts.push("stopped".to_owned());
    }
    parts.join(", ")
}
