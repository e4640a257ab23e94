//! The library worker: holds every row, follows what changes in the database, and makes the views.

use std::{
    collections::HashMap,
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
        let before = self.seen;
        let (last, changed) = self.store.changed_after(before)?;
        if last != before {
            match changed {
                Changed::Files(files) if files.len() <= MANY => {
                    self.seen = last;
                    self.tell_genres()?;
                    files.into_iter().try_for_each(|file| self.renew(file))?;
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

    fn renew(&mut self, file: i64) -> Result<(), StoreError> {
        let Some(found) = self.store.file(file)? else {
            if let Some(place) = self.places.remove(&file) {
                self.rows.remove(place);
                self.index();
            }
            return Ok(());
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
