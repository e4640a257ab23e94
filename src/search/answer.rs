//! Asks the index, and fetches what it found from the database.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    advice::{self, Advice},
    index::{IndexError, Ranked, Reader},
    like,
    meaning::meaning,
    query::{Expr, Query},
    similar::Neighbours,
};
use crate::{
    genre::{Genre, Taxonomy},
    store::{FileRow, Store, StoreError},
    track::Mix,
};

/// How an answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SearchOptions {
    /// At most so many hits are fetched; all are counted. The query's own limit holds, too.
    pub limit: Option<usize>,
    /// When nothing answers, find out why: a few more searches.
    pub advice: bool,
}

/// How much of the library can be searched by what it sounds like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Files that are there and have been heard.
    pub heard: usize,
    /// Files that are there.
    pub known: usize,
}

/// What a search found.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What was understood.
    pub meaning: String,
    /// How much of the library can be searched.
    pub coverage: Coverage,
    /// How many files answer.
    pub count: usize,
    /// The first of them, in order.
    pub hits: Vec<Hit>,
    /// Why nothing answers, and what would.
    pub advice: Option<Advice>,
}

/// A file that answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The file's row.
    pub file_id: i64,
    /// Its track's row.
    pub track_id: i64,
    /// Path.
    pub path: PathBuf,
    /// Whether it is there.
    pub present: bool,
    /// Title.
    pub title: Option<String>,
    /// Artist, else the album's.
    pub artist: Option<String>,
    /// Album.
    pub album: Option<String>,
    /// Length, ms.
    pub duration_ms: Option<i64>,
    /// The mix in force, where anything is known.
    pub mix: Option<Mix>,
    /// How far the mix lies from the one asked for, millionths.
    pub distance: u32,
    /// Sum of the weights of the fields that the words match.
    pub weight: u32,
}

impl Hit {
    /// The hit of a file, with what ranked it.
    #[must_use]
    pub fn new(row: FileRow, mix: Option<Mix>, distance: u32, weight: u32) -> Self {
        Self {
            file_id: row.id,
            track_id: row.track,
            path: row.path,
            present: row.present,
            title: row.tags.title,
            artist: row.tags.artist.or(row.tags.album_artist),
            album: row.tags.album,
            duration_ms: row.duration_ms,
            mix,
            distance,
            weight,
        }
    }

    /// The title, or the name of the file where it has none.
    #[must_use]
    pub fn shown_title(&self) -> String {
        match self.title.as_deref().map(str::trim).filter(|title| !title.is_empty()) {
            Some(title) => title.to_owned(),
            None => self.path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned()),
        }
    }
}

/// Files in the order of an answer.
#[derive(Debug)]
pub struct Ordered {
    /// The first of them.
    pub ranked: Vec<Ranked>,
    /// How many there are.
    pub count: usize,
    /// The names of the tracks that they should sound like.
    pub likes: Vec<String>,
}

/// A library that can be searched.
pub struct Searcher {
    reader: Reader,
    /// What tracks sound like, up to a change of the library; kept while it is asked for.
    neighbours: Mutex<Option<(i64, Arc<Neighbours>)>>,
}

impl std::fmt::Debug for Searcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Searcher").field("reader", &self.reader).finish_non_exhaustive()
    }
}

impl Searcher {
    /// Open the index in `path`, which has to be of the library `store`.
    ///
    /// # Errors
    /// [`IndexError::Unusable`] when the index has to be made first ([`super::index::Indexer::open`] does).
    pub fn open(path: &Path, store: &Store) -> Result<Self, IndexError> {
        Ok(Self { reader: Reader::open(path, store)?, neighbours: Mutex::default() })
    }

    /// The index itself.
    #[must_use]
    pub const fn reader(&self) -> &Reader {
        &self.reader
    }

    /// See what was committed since it was opened or reloaded.
    ///
    /// # Errors
    /// What the index says.
    pub fn reload(&self) -> Result<(), IndexError> {
        self.reader.reload()
    }

    /// Answer `query`.
    ///
    /// # Errors
    /// What the index or the database says.
    pub fn run(
        &self,
        store: &Store,
        taxonomy: &Taxonomy,
        query: &Query,
        options: SearchOptions,
    ) -> Result<Answer, IndexError> {
        let rows = store.genre_rows()?;
        let limit = query.limit.unwrap_or(usize::MAX).min(options.limit.unwrap_or(usize::MAX));
        let Ordered { ranked: found, count, likes } = self.ordered(store, query, limit)?;
        // A file that was forgotten since the index learned of it is no hit.
        let hit = |ranked: &Ranked| {
            let Some(row) = store.file(ranked.file)? else { return Ok(None) };
            let mix = store.mix(row.track)?;
            Ok(Some(Hit::new(row, mix, ranked.distance, ranked.weight)))
        };
        let hits = store.at_once(|| {
            found.iter().filter_map(|ranked| hit(ranked).transpose()).collect::<Result<_, StoreError>>()
        })??;
        let (heard, known) = self.reader.coverage()?;
        let advice = if count == 0 && options.advice {
            let count = |root: &Expr| self.reader.count(root, query.asks_for_state(), &rows);
            advice::advise(query, taxonomy, &count)?
        } else {
            None
        };
        Ok(Answer {
            meaning: meaning(&Query { like: likes, ..query.clone() }, taxonomy),
            coverage: Coverage { heard, known },
            count: query.limit.map_or(count, |limit| limit.min(count)),
            hits,
            advice,
        })
    }

    /// The files that answer, in order; at most `limit`.
    ///
    /// # Errors
    /// What the index or the database says; [`IndexError::Like`] where a track that is named cannot be compared.
    pub fn ordered(&self, store: &Store, query: &Query, limit: usize) -> Result<Ordered, IndexError> {
        let rows = store.genre_rows()?;
        if query.like.is_empty() {
            *self.neighbours.lock().unwrap_or_else(PoisonError::into_inner) = None;
            let found = self.reader.find(query, limit, &rows)?;
            return Ok(Ordered { ranked: found.hits, count: found.count, likes: Vec::new() });
        }
        let seeds = like::seeds(&self.reader, store, &query.like)?;
        let neighbours = self.neighbours(store)?;
        let found = self.reader.find(query, usize::MAX, &rows)?;
        let most = query.limit.unwrap_or(like::MOST);
        let mut ranked = like::nearest(store, &neighbours, &seeds, found.hits, most, query.sort.is_empty())?;
        let count = ranked.len();
        ranked.truncate(limit);
        Ok(Ordered { ranked, count, likes: seeds.into_iter().map(|(_, name)| name).collect() })
    }

    fn neighbours(&self, store: &Store) -> Result<Arc<Neighbours>, IndexError> {
        let last = store.last_change()?;
        let mut kept = self.neighbours.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, neighbours)) = kept.as_ref()
            && *at == last
        {
            return Ok(Arc::clone(neighbours));
        }
        let neighbours = Arc::new(Neighbours::load(store)?);
        *kept = Some((last, Arc::clone(&neighbours)));
        Ok(neighbours)
    }

    /// How many files answer: for the count as a query is typed.
    ///
    /// # Errors
    /// What the index or the database says.
    pub fn count(&self, store: &Store, query: &Query) -> Result<usize, IndexError> {
        self.reader.count(&query.root, query.asks_for_state(), &store.genre_rows()?)
    }
}

/// Shares of `mix` as a line of the table shows them: whole percents, largest first, what is unsure last.
/// Shares that round to nothing are left out.
#[must_use]
pub fn percents(mix: &Mix) -> Vec<(Genre, u32)> {
    let percent = |won: u32| {
        let (won, chunks) = (u64::from(won), u64::from(mix.chunks()));
        ((200 * won + chunks) / (2 * chunks)) as u32
    };
    let mut shown: Vec<(Genre, u32)> = mix.won().iter().map(|(genre, won)| (genre.clone(), percent(*won))).collect();
    if let Some(unsure) = Genre::new(super::query::UNSURE) {
        shown.push((unsure, percent(mix.unsure())));
    }
    shown.retain(|(_, percent)| *percent > 0);
    shown
}
