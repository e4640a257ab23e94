//! The writer: keeps what the others find out, and decides what the ears hear next.

use std::{
    collections::{HashMap, VecDeque},
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, never, select};
use deepcuts_protocol::{ModelCard, Stage};

use super::{Event, Follow, Known, Report, Scan, room};
use crate::{
    ears::{Job, Said},
    hooks::{Hooks, Kind},
    progress::Progress,
    store::{Store, StoreError},
    text::clean_path,
    track::FileStamp,
};

/// Identified files that wait for the ears. Small, so that what was just hashed is still in the page cache when
/// it is decoded.
const WAITING: usize = 64;

/// Time between two commits that others are told of; twice that while the writer is never idle. What was heard is in the
/// index so soon, and two seconds are what is promised.
const TELL: Duration = Duration::from_millis(750);

/// Time between two looks at the room on the disk.
const CHECK: Duration = Duration::from_secs(1);

pub(super) struct Keeper<'a> {
    store: &'a Store,
    card: &'a ModelCard,
    follow: &'a mut dyn Follow,
    progress: &'a Progress,
    waiting: VecDeque<Known>,
    in_flight: HashMap<u64, Known>,
    /// Other files of a track that is in flight.
    copies: HashMap<i64, Vec<Known>>,
    next: u64,
    report: Report,
    told: Instant,
    checked: Instant,
    news: bool,
    hooks: &'a Hooks,
    /// For the hooks, once it is committed.
    to_tell: Vec<Tell>,
    /// Files that were not there. Some only move, and turn up in the same scan.
    gone: Vec<i64>,
}

enum Tell {
    Heard(i64),
    Failed { path: PathBuf, stage: Stage, reason: String },
}

impl<'a> Keeper<'a> {
    pub fn new(store: &'a Store, scan: &'a Scan<'_>, follow: &'a mut dyn Follow, progress: &'a Progress) -> Self {
        Self {
            store,
            card: &scan.card,
            follow,
            progress,
            waiting: VecDeque::new(),
            in_flight: HashMap::new(),
            copies: HashMap::new(),
            next: 0,
            report: Report::default(),
            told: Instant::now(),
            checked: Instant::now(),
            news: false,
            hooks: scan.hooks,
            to_tell: Vec::new(),
            gone: Vec::new(),
        }
    }

    pub fn run(
        &mut self,
        events: &Receiver<Event>,
        said: &Receiver<Said>,
        to_hear: Sender<Job>,
        stopped: &dyn Fn() -> bool,
    ) -> Result<(), StoreError> {
        let mut to_hear = Some(to_hear);
        let mut open = true;
        let quiet = never();
        loop {
            self.hand_on(to_hear.as_ref());
            let done = !open && self.waiting.is_empty() && self.in_flight.is_empty();
            if done || stopped() || self.report.fatal.is_some() {
                drop(to_hear.take());
                return self.store.commit();
            }
            let events = if open && self.waiting.len() < WAITING { events } else { &quiet };
            // Whatever is there already is worked off in one transaction; none is held while we wait.
            let got = select! {
                recv(said) -> s => Some((None, s.ok())),
                recv(events) -> e => Some((Some(e.ok()), None)),
                default => None,
            };
            let got = match got {
                Some(got) => Some(got),
                None => {
                    self.settle()?;
                    select! {
                        recv(said) -> s => Some((None, s.ok())),
                        recv(events) -> e => Some((Some(e.ok()), None)),
                        default(Duration::from_millis(100)) => None,
                    }
                }
            };
            match got {
                None => {}
                Some((Some(Some(event)), _)) => self.event(event)?,
                Some((Some(None), _)) => open = false,
                Some((None, Some(said))) => self.said(said)?,
                Some((None, None)) => {
                    self.report.fatal.get_or_insert_with(|| "the ears ended".to_owned());
                }
            }
            if self.told.elapsed() >= 2 * TELL {
                self.settle()?;
            }
        }
    }

    /// Commit, and tell the followers now and then.
    fn settle(&mut self) -> Result<(), StoreError> {
        self.store.commit()?;
        self.tell();
        if self.checked.elapsed() >= CHECK {
            self.checked = Instant::now();
            self.check_room(0);
        }
        if self.news && self.told.elapsed() >= TELL {
            self.follow.committed(self.store, false);
            self.told = Instant::now();
            self.news = false;
        }
        Ok(())
    }

    /// Tell the hooks what is in the database now.
    fn tell(&mut self) {
        for tell in self.to_tell.drain(..) {
            match tell {
                Tell::Heard(file) => self.hooks.heard(self.store, file),
                Tell::Failed { path, stage, reason } => self.hooks.failed(&path, stage.name(), &reason),
            }
        }
    }

    fn tell_missing(&mut self) -> Result<(), StoreError> {
        for file in std::mem::take(&mut self.gone) {
            if let Some(row) = self.store.file(file)?.filter(|row| !row.present) {
                self.hooks.missing(&row.path);
            }
        }
        Ok(())
    }

    /// Stop before the disk is full, not when.
    fn check_room(&mut self, tracks: u64) {
        if let Some(reason) = room::lacks(self.store.path(), tracks) {
            self.report.fatal.get_or_insert(reason);
        }
    }

    pub fn finish(mut self) -> Result<Report, StoreError> {
        self.store.commit()?;
        self.tell();
        self.tell_missing()?;
        self.follow.committed(self.store, true);
        let count = |c: &std::sync::atomic::AtomicU64| c.load(Ordering::Relaxed);
        self.report.seen = count(&self.progress.seen);
        self.report.heard = count(&self.progress.heard);
        self.report.known = count(&self.progress.known);
        self.report.failed = count(&self.progress.failed);
        self.report.unchanged = count(&self.progress.unchanged).saturating_sub(self.report.skipped);
        Ok(std::mem::take(&mut self.report))
    }

    /// Give the ears as much as they take.
    fn hand_on(&mut self, to_hear: Option<&Sender<Job>>) {
        let Some(to_hear) = to_hear else { return };
        while let Some(known) = self.waiting.front() {
            let id = self.next;
            if to_hear.try_send(Job { id, path: known.path.clone() }).is_err() {
                return;
            }
            self.next += 1;
            if let Some(known) = self.waiting.pop_front() {
                self.in_flight.insert(id, known);
            }
        }
    }

    fn event(&mut self, event: Event) -> Result<(), StoreError> {
        match event {
            Event::Identified(new) => {
                self.store.begin()?;
                // A folder that was moved and left a link behind has its files under the old names, too.
                let is_gone =
                    |old: &Path| old.symlink_metadata().is_err() || old.canonicalize().is_ok_and(|now| now == new.path);
                let (file, track) = self.store.put_file(&new, &is_gone)?;
                self.news = true;
                self.want(Known { file, track, path: new.path, stamp: new.stamp })?;
            }
            Event::Unheard(known) => self.want(known)?,
            Event::Back(known) => {
                self.store.begin()?;
                self.store.mark_present(known.file)?;
                self.news = true;
                self.want(known)?;
            }
            Event::Failed { path, stamp, stage, reason } => {
                self.store.begin()?;
                self.store.put_failure(&path, stamp, stage, &reason)?;
                if self.hooks.wants(Kind::Failed) {
                    self.to_tell.push(Tell::Failed { path, stage, reason });
                }
                self.progress.one(&self.progress.failed);
                self.news = true;
            }
            Event::Changing(path) => {
                self.follow.warn(&path, "it is still changing; it is heard once it keeps still");
                self.report.pending.push(path);
            }
            Event::Warning { path, reason } => {
                self.report.warnings += 1;
                self.follow.warn(&path, &reason);
            }
            Event::Crawled { root, crawled, gone, forgotten, skipped } => {
                self.store.begin()?;
                self.report.skipped += skipped;
                let planned = self.progress.planned.load(Ordering::Relaxed);
                self.check_room(planned.saturating_sub(self.progress.done()));
                if crawled.missing {
                    let whole = root.part_of.clone().unwrap_or_else(|| root.path.clone());
                    if !self.report.roots_missing.contains(&whole) {
                        self.report.roots_missing.push(whole);
                    }
                }
                if !crawled.cancelled && root.part_of.is_none() {
                    self.store.root_seen(&root.path, !crawled.missing)?;
                }
                self.report.gone += self.store.mark_missing(&gone)?;
                self.store.forget_failures(&forgotten)?;
                self.news |= !gone.is_empty();
                if self.hooks.wants(Kind::Missing) {
                    self.gone.extend(gone.into_iter().map(|(file, _)| file));
                }
            }
        }
        Ok(())
    }

    /// Let a file be heard, unless its track was, or is about to be.
    fn want(&mut self, known: Known) -> Result<(), StoreError> {
        if self.store.is_heard(known.track, self.card.id(), self.card.feature_version)? {
            self.progress.one(&self.progress.known);
            return Ok(());
        }
        if let Some(copies) = self.copies.get_mut(&known.track) {
            copies.push(known);
            return Ok(());
        }
        self.copies.insert(known.track, Vec::new());
        self.waiting.push_back(known);
        Ok(())
    }

    fn said(&mut self, said: Said) -> Result<(), StoreError> {
        match said {
            Said::Ready { device, card } => {
                tracing::info!(?device, model = card.name, "the ears are ready");
                if card.id() != self.card.id() {
                    self.report.fatal = Some("the ears loaded another model than was asked for".to_owned());
                }
            }
            Said::Begun(id) => {
                if let Some(known) = self.in_flight.get(&id) {
                    self.progress.now_at(clean_path(&known.path));
                }
            }
            Said::Heard(id, hearing) => {
                let Some(known) = self.in_flight.remove(&id) else { return Ok(()) };
                let copies = self.copies.remove(&known.track).unwrap_or_default();
                if let Err(error) = hearing.check(self.card.genres.len()) {
                    self.failed(&known, Stage::Classify, &error.to_string())?;
                    return self.retry(copies);
                }
                if has_changed(&known) {
                    self.event(Event::Changing(known.path))?;
                    return self.retry(copies);
                }
                self.store.begin()?;
                self.store.put_hearing(known.track, self.card, &hearing)?;
                self.progress.one(&self.progress.heard);
                self.news = true;
                self.heard(known.file);
                for copy in copies {
                    self.progress.one(&self.progress.known);
                    self.heard(copy.file);
                }
            }
            Said::Failed(id, stage, reason) => {
                let Some(known) = self.in_flight.remove(&id) else { return Ok(()) };
                let copies = self.copies.remove(&known.track).unwrap_or_default();
                if has_changed(&known) {
                    self.event(Event::Changing(known.path))?;
                } else {
                    self.failed(&known, stage, &reason)?;
                }
                self.retry(copies)?;
            }
            Said::Fatal(reason) => self.report.fatal = Some(reason),
        }
        Ok(())
    }

    fn heard(&mut self, file: i64) {
        self.follow.heard(self.store, file);
        if self.hooks.wants(Kind::Heard) {
            self.to_tell.push(Tell::Heard(file));
        }
    }

    fn failed(&mut self, known: &Known, stage: Stage, reason: &str) -> Result<(), StoreError> {
        self.event(Event::Failed { path: known.path.clone(), stamp: known.stamp, stage, reason: reason.to_owned() })
    }

    fn retry(&mut self, copies: Vec<Known>) -> Result<(), StoreError> {
        copies.into_iter().try_for_each(|copy| self.want(copy))
    }
}

/// Whether a file went or became another while the ears had it: what was heard, or why it was not, may be of something
/// else than what was hashed.
fn has_changed(known: &Known) -> bool {
    FileStamp::read(&known.path).ok() != Some(known.stamp)
}
