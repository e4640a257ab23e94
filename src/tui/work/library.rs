//! The library worker: holds every row, follows what changes in the database, and makes the views.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Context, Mailbox, Out, mailbox::Mail, search::Finder};
use crate::{
    store::{Changed, Store, StoreError},
    tui::{
        data::{Counts, Row, Spec},
        event::{Ask, Done, Slot},
        theme::Genres,
        view,
    },
};

/// How often it is looked whether another process has written. One pragma, a few microseconds.
const LOOK: Duration = Duration::from_millis(1000);

/// Views are made again no more often than this while the library changes.
const PACE: Duration = Duration::from_millis(500);

/// Beyond so many changed files reading everything again is faster than one by one.
const MANY: usize = 20_000;

/// What this worker is asked for.
#[derive(Debug)]
pub enum Wish {
    /// A view or a completion.
    Ask(Ask),
    /// Somebody of this process has written.
    Look,
}

impl Mailbox<Wish> {
    /// Say that something was written.
    pub fn look(&self) {
        self.put(Wish::Look, |old, _| matches!(old, Wish::Look));
    }
}

/// Run until the mailbox is closed.
pub fn run(mail: &Mailbox<Wish>, out: &Out, context: &Context) {
    let Some(store) = context.reader(out) else { return };
    let mut library = Library {
        store,
        context,
        finder: Finder::default(),
        out,
        rows: Vec::new(),
        places: HashMap::new(),
        genres: Arc::new(Genres::default()),
        seen: 0,
        version: -1,
        wanted: HashMap::new(),
        failed: 0,
    };
    if let Err(error) = library.load() {
        out.bad(&error);
    }
    let mut late = false;
    let mut made = Instant::now();
    loop {
        let patience = if late { PACE.saturating_sub(made.elapsed()) } else { LOOK };
        match mail.take(Some(patience)) {
            Mail::Closed => return,
            Mail::One(Wish::Ask(Ask::View(slot, spec))) => library.view(slot, spec),
            Mail::One(Wish::Ask(Ask::Complete(text))) => library.complete(text),
            Mail::One(Wish::Ask(Ask::Why(file, query))) => library.why(file, query),
            Mail::One(Wish::Ask(_)) => {}
            Mail::One(Wish::Look) | Mail::Quiet => {
                late = made.elapsed() < PACE;
                if !late {
                    match library.follow() {
                        Ok(true) => made = Instant::now(),
                        Ok(false) => {}
                        Err(error) => out.bad(&error),
                    }
                }
            }
        }
    }
}

struct Library<'a> {
    store: Store,
    context: &'a Context,
    finder: Finder,
    out: &'a Out,
    rows: Vec<Arc<Row>>,
    places: HashMap<i64, usize>,
    genres: Arc<Genres>,
    /// The newest change that the rows know.
    seen: i64,
    version: i64,
    wanted: HashMap<Slot, Spec>,
    failed: usize,
}

impl Library<'_> {
    /// Read everything.
    fn load(&mut self) -> Result<(), StoreError> {
        self.version = self.store.data_version()?;
        self.seen = self.store.last_change()?;
        self.tell_genres()?;
        let mut mixes = HashMap::new();
        self.store.each_mix(|track, mix| drop(mixes.insert(track, mix)))?;
        let mut rows = Vec::new();
        self.store.each_file(|file| {
            let mix = mixes.get(&file.track).cloned();
            rows.push(Arc::new(Row::of(file, mix)));
        })?;
        self.rows = rows;
        self.index();
        self.tell_counts()?;
        Ok(())
    }

    fn index(&mut self) {
        self.places = self.rows.iter().enumerate().map(|(i, row)| (row.file, i)).collect();
    }

    /// Take up what was written since; whether anything was.
    fn follow(&mut self) -> Result<bool, StoreError> {
        let version = self.store.data_version()?;
        if version == self.version {
            return Ok(false);
        }
        self.version = version;
        // Another word for a genre, or a hidden one, changes no row.
        self.tell_genres()?;
        let before = self.seen;
        let (last, changed) = self.store.changed_after(before)?;
        if last != before {
            match changed {
                Changed::Files(files) if files.len() <= MANY => {
                    self.seen = last;
                    self.renew(&files)?;
                }
                _ => self.load()?,
            }
        }
        // A search is asked again even when no row changed: the index may have learned of rows that did.
        let wanted = self.wanted.iter().filter(|(_, spec)| last != before || !spec.query.is_empty());
        let wanted: Vec<(Slot, Spec)> = wanted.map(|(slot, spec)| (*slot, spec.clone())).collect();
        wanted.into_iter().for_each(|(slot, spec)| self.view(slot, spec));
        self.tell_counts()?;
        self.out.done(Done::Changed);
        Ok(true)
    }

    /// Read these files again. Those that were forgotten go all at once: every place behind them changes.
    fn renew(&mut self, files: &[i64]) -> Result<(), StoreError> {
        let mut gone = HashSet::new();
        for &file in files {
            let Some(found) = self.store.file(file)? else {
                gone.insert(file);
                continue;
            };
            let mix = self.store.mix(found.track)?;
            let row = Arc::new(Row::of(found, mix));
            match self.places.get(&file) {
                Some(place) => self.rows[*place] = row,
                None => {
                    self.places.insert(file, self.rows.len());
                    self.rows.push(row);
                }
            }
        }
        if gone.iter().any(|file| self.places.contains_key(file)) {
            self.rows.retain(|row| !gone.contains(&row.file));
            self.index();
        }
        Ok(())
    }

    fn tell_genres(&mut self) -> Result<(), StoreError> {
        let genres = Arc::new(Genres::of(&self.store.taxonomy()?));
        self.genres = Arc::clone(&genres);
        self.out.done(Done::Genres(genres));
        Ok(())
    }

    fn tell_counts(&mut self) -> Result<(), StoreError> {
        use crate::track::Source;
        self.failed = self.store.failures()?.len();
        let source = |row: &Row| row.mix.as_ref().map(crate::track::Mix::source);
        let present = || self.rows.iter().filter(|row| row.present);
        self.out.done(Done::Counts(Counts {
            files: present().count(),
            heard: present().filter(|row| matches!(source(row), Some(Source::Model | Source::User))).count(),
            corrected: present().filter(|row| source(row) == Some(Source::User)).count(),
            failed: self.failed,
            loading: false,
        }));
        Ok(())
    }

    fn view(&mut self, slot: Slot, spec: Spec) {
        self.wanted.insert(slot, spec.clone());
        let (rows, answer) = if spec.query.is_empty() {
            (self.rows.iter().filter(|row| row.present).cloned().collect(), None)
        } else {
            match self.finder.find(&spec.query, &self.store, self.context, self.out) {
                Ok(found) => {
                    let row = |file: &i64| self.places.get(file).map(|place| Arc::clone(&self.rows[*place]));
                    (found.files.iter().filter_map(row).collect(), Some(found.answer))
                }
                Err(error) => {
                    self.out.bad(&error);
                    (Vec::new(), None)
                }
            }
        };
        self.out.done(Done::View(slot, Box::new(view::make(spec, rows, answer, &self.genres))));
    }

    fn why(&self, file: i64, query: String) {
        match self.finder.why(&query, file, &self.store, self.context) {
            Ok(clauses) => self.out.done(Done::Why(file, query, clauses)),
            Err(error) => self.out.bad(&error),
        }
    }

    fn complete(&self, text: String) {
        match self.finder.complete(&text, &self.store, self.context) {
            Ok(choices) => self.out.done(Done::Completions(text, choices)),
            Err(error) => self.out.bad(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{path::PathBuf, sync::atomic::AtomicBool};

    use super::*;
    use crate::{
        config::Config,
        paths::Paths,
        store::NewFile,
        track::{AudioId, FileStamp, FileTags, Format},
    };

    const FILES: i64 = 10_000;

    #[test]
    fn what_is_forgotten_leaves_the_rows_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("library.db");
        let writable = Store::open(&database).unwrap();
        let put = |n: i64| {
            let mut audio = [0; 32];
            audio[..8].copy_from_slice(&n.to_le_bytes());
            let stamp = FileStamp { dev: 1, ino: n.cast_unsigned(), size: 1, mtime_ns: 0, ctime_ns: 0 };
            let path = format!("/music/{n}.flac").into();
            let new = NewFile { path, stamp, audio: AudioId(audio), format: Format::Flac, tags: FileTags::default() };
            writable.put_file(&new, &|_| false).unwrap()
        };
        writable.begin().unwrap();
        let files: Vec<i64> = (0..FILES).map(|n| put(n).0).collect();
        writable.commit().unwrap();
        let (events, _heard) = crossbeam_channel::unbounded();
        let (out, config) = (Out { events }, Config::default());
        let context = Context {
            config,
            paths: Paths::new(None, Some(database.clone())).unwrap(),
            ears: Arc::new(|| anyhow::bail!("none")),
            auto_write: Arc::new(AtomicBool::new(false)),
        };
        let mut library = Library {
            store: Store::open_reader(&database).unwrap(),
            context: &context,
            finder: Finder::default(),
            out: &out,
            rows: Vec::new(),
            places: HashMap::new(),
            genres: Arc::new(Genres::default()),
            seen: 0,
            version: -1,
            wanted: HashMap::new(),
            failed: 0,
        };
        let began = Instant::now();
        library.load().unwrap();
        let read = began.elapsed();
        assert_eq!(library.rows.len() as i64, FILES);
        // Every second one is pruned, and one more arrives.
        let gone = |n: &i64| n % 2 == 0;
        let missing: Vec<(i64, PathBuf)> =
            (0..FILES).filter(gone).map(|n| (files[n as usize], format!("/music/{n}.flac").into())).collect();
        writable.mark_missing(&missing).unwrap();
        writable.prune_missing(i64::MAX).unwrap();
        let last = put(FILES).0;
        let began = Instant::now();
        assert!(library.follow().unwrap());
        // Reading all of it anew is the alternative: file by file it took a hundred times as long.
        let followed = began.elapsed();
        assert!(followed < read * 20, "{followed:?}, and {read:?} to read all");
        let wanted: Vec<i64> = (0..FILES).filter(|n| !gone(n)).map(|n| files[n as usize]).chain([last]).collect();
        assert_eq!(library.rows.iter().map(|row| row.file).collect::<Vec<_>>(), wanted);
        assert!(library.places.iter().all(|(file, place)| library.rows[*place].file == *file));
        assert_eq!(library.places.len(), wanted.len());
    }
}
