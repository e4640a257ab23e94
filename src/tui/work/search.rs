//! Asks the search room, and makes the index first where nobody else does.

use crate::{
    genre::Taxonomy,
    role::Role,
    search::{
        Advice, Offers, SearchOptions, Searcher, complete,
        index::{IndexError, Indexer},
        query::{Grammar, Query, TextField, Thresholds},
        why::{Clause, why},
    },
    store::Store,
    text::clean,
    tui::{
        data::Answer,
        event::{Done, Said},
        work::{Context, Out},
    },
};

/// A library that can be searched, opened when it is first asked.
#[derive(Default)]
pub struct Finder {
    searcher: Option<Searcher>,
}

/// What was found: files in order, none where the query makes no sense.
pub struct Found {
    /// File rows, the nearest first.
    pub files: Vec<i64>,
    /// What is said of them.
    pub answer: Answer,
}

impl Finder {
    /// Answer `text`.
    ///
    /// # Errors
    /// What the index or the database says.
    pub fn find(&mut self, text: &str, store: &Store, context: &Context, out: &Out) -> anyhow::Result<Found> {
        let taxonomy = taxonomy(store, context)?;
        let mut grammar = Grammar::new(&taxonomy, Thresholds::from(&context.config.search));
        grammar.saved = store.searches()?;
        let query = match grammar.parse(text) {
            Ok(query) => query,
            Err(error) => {
                let error = (clean(&error.message).into_owned(), error.span.start, error.span.end);
                return Ok(Found { files: Vec::new(), answer: Answer { error: Some(error), ..Answer::default() } });
            }
        };
        let searcher = self.searcher(store, context, out)?;
        let options = SearchOptions { limit: Some(0), advice: true };
        let ordered = match searcher.ordered(store, &query, query.limit.unwrap_or(usize::MAX)) {
            // Said under the prompt, as every other word that means nothing.
            Err(IndexError::Like(reason)) => {
                let error = Some((clean(&format!("like: {reason}")).into_owned(), 0, 0));
                return Ok(Found { files: Vec::new(), answer: Answer { error, ..Answer::default() } });
            }
            other => other?,
        };
        let answer = searcher.run(store, &taxonomy, &query, options)?;
        let files = ordered.ranked.iter().map(|hit| hit.file).collect();
        let mut notes = remarks(&query);
        notes.extend(answer.advice.as_ref().map(advice).unwrap_or_default());
        let (heard, known) = (answer.coverage.heard, answer.coverage.known);
        if heard < known {
            notes.push(format!("{heard} of {known} tracks are heard; the others can be found by their words only"));
        }
        let meaning = clean(&answer.meaning).into_owned();
        Ok(Found { files, answer: Answer { meaning, notes, error: None } })
    }

    /// Why a file answers `text`, clause by clause. Nothing where the search has not been asked, or makes no sense.
    ///
    /// # Errors
    /// What the index or the database says.
    pub fn why(&self, text: &str, file: i64, store: &Store, context: &Context) -> anyhow::Result<Vec<Clause>> {
        let Some(searcher) = &self.searcher else { return Ok(Vec::new()) };
        let taxonomy = taxonomy(store, context)?;
        let mut grammar = Grammar::new(&taxonomy, Thresholds::from(&context.config.search));
        grammar.saved = store.searches()?;
        let Ok(query) = grammar.parse(text) else { return Ok(Vec::new()) };
        Ok(why(searcher.reader(), store, &taxonomy, &query, file)?)
    }

    /// What the last word of `text` could become: the whole query, as it would read.
    ///
    /// # Errors
    /// What the database says.
    pub fn complete(&self, text: &str, store: &Store, context: &Context) -> anyhow::Result<Vec<String>> {
        let taxonomy = taxonomy(store, context)?;
        let saved = store.searches()?.into_keys().collect();
        let completion = complete(text, text.len(), &taxonomy, &Library { searcher: self.searcher.as_ref(), saved });
        let before = text.get(..completion.replaces.start).unwrap_or_default();
        let after = text.get(completion.replaces.end..).unwrap_or_default();
        Ok(completion.choices.iter().map(|choice| clean(&format!("{before}{choice}{after}")).into_owned()).collect())
    }

    /// A searcher that knows what was committed; where nobody listens to the library, the index is brought up here.
    fn searcher(&mut self, store: &Store, context: &Context, out: &Out) -> anyhow::Result<&Searcher> {
        let path = &context.paths.index;
        if let Some(searcher) = &self.searcher {
            searcher.reload()?;
        } else {
            self.searcher = Searcher::open(path, store).ok();
        }
        let behind = self.searcher.as_ref().map_or(Ok(true), |s| s.reader().is_behind(store))?;
        if behind && let Ok(_role) = Role::take(&context.paths.lock()) {
            self.searcher = None;
            let writable = Store::open(&context.paths.database)?;
            let mut told = 0;
            let mut progress = |done: u64, total: u64| {
                if done >= told + 5_000 {
                    told = done;
                    out.done(Done::Said(Said::note(format!("indexing {done} of {total}"))));
                }
            };
            Indexer::open(path, &writable, &mut progress)?.close(&writable)?;
        }
        if self.searcher.is_none() {
            self.searcher = Some(Searcher::open(path, store)?);
        }
        self.searcher.as_ref().ok_or_else(|| anyhow::anyhow!("the index cannot be opened"))
    }
}

/// What the library has to offer for Tab: the index knows every name, in order.
struct Library<'a> {
    searcher: Option<&'a Searcher>,
    saved: Vec<String>,
}

impl Offers for Library<'_> {
    fn values(&self, field: TextField, prefix: &str, most: usize) -> Vec<String> {
        let values = self.searcher.map(|searcher| searcher.reader().values(field, prefix, most));
        values.and_then(Result::ok).unwrap_or_default()
    }

    fn saved(&self) -> Vec<String> {
        self.saved.clone()
    }
}

fn taxonomy(store: &Store, context: &Context) -> anyhow::Result<Taxonomy> {
    let mut taxonomy = store.taxonomy()?;
    for (alias, name) in &context.config.search.aliases {
        taxonomy.alias(alias, name);
    }
    Ok(taxonomy)
}

fn remarks(query: &Query) -> Vec<String> {
    // Hints are part of the meaning.
    let mut notes = Vec::new();
    if !query.ignored.is_empty() {
        notes.push(clean(&format!("passed over: {}", query.ignored.join(", "))).into_owned());
    }
    notes
}

fn advice(advice: &Advice) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(impossible) = &advice.impossible {
        notes.push(format!("no track can ever meet {impossible}"));
    }
    if let Some((clause, n)) = &advice.removed_most {
        notes.push(format!("without {clause}: {n}"));
    }
    if let Some((looser, n)) = &advice.looser {
        notes.push(format!("nearest: {looser} ({n})"));
    }
    notes.iter().map(|note| clean(note).into_owned()).collect()
}
