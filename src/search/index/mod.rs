//! The index: a cache of what can be searched, made from SQLite and never trusted against it.
//!
//! Tantivy lives here and nowhere else. An index says, with each commit, of which library it is, by which
//! layout it was made and up to which change it has learned; what does not fit, is damaged or has lost time is
//! moved aside and made anew. Commits come first, the watermark in SQLite second: a crash between the two means
//! that some changes are learned twice, which changes nothing.

mod collect;
mod compile;
mod document;
mod filter;
mod keeper;
mod schema;
mod writer;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::atomic::{AtomicI64, Ordering},
};

use serde::{Deserialize, Serialize};
use tantivy::{Index, IndexReader, ReloadPolicy, TantivyError, collector::Count, directory::error::LockError};

pub use collect::{Found, Ranked};
pub use document::{largest, values_of, words_of};
pub use keeper::Keeper;
pub use writer::{Indexer, Progress};

use super::{
    fold::fold,
    query::{Expr, Query, Test, TextField},
    rank::{Asked, text_of_key},
};
use crate::{
    genre::Genre,
    store::{Store, StoreError},
};
use schema::{Fields, LAYOUT, register, schema};

/// What can go wrong with the index.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// There is none, or it cannot be used; whoever holds the listener's role makes it anew.
    #[error("search index {path}: {why}")]
    Unusable {
        /// Its folder.
        path: PathBuf,
        /// Why.
        why: Unusable,
    },
    /// What a query names as sounding like what is wanted cannot be compared.
    #[error("like: {0}")]
    Like(String),
    /// Another process writes it.
    #[error("search index {path}: another process is writing it; try again when it has finished")]
    Busy {
        /// Its folder.
        path: PathBuf,
    },
    /// Tantivy said no.
    #[error("search index {path}: {source}")]
    Tantivy {
        /// Its folder.
        path: PathBuf,
        /// What it said.
        source: tantivy::TantivyError,
    },
    /// The file system said no.
    #[error("search index {path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The database said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an index cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// None was made yet.
    #[error("there is none yet")]
    Absent,
    /// It is another library's.
    #[error("it belongs to another library")]
    Foreign,
    /// It was made by another version.
    #[error("it was made by another version of deepcuts")]
    Outdated,
    /// It knows changes that the library does not, or lacks changes that the library has forgotten.
    #[error("it and the library are not of the same time")]
    Astray,
    /// It cannot be read.
    #[error("it is damaged ({0})")]
    Damaged(String),
}

/// What an index says of itself with each commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    layout: u32,
    library: String,
    /// Everything up to this change is in it.
    seq: i64,
}

/// An index that can be read: it opened, and it is this library's.
pub struct Reader {
    path: PathBuf,
    fields: Fields,
    index: Index,
    reader: IndexReader,
    /// Everything up to this change is in what is seen.
    seq: AtomicI64,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What Tantivy says of an index that cannot be read. That it may not be locked is no damage, and would keep one that is
/// made anew from being read, too.
fn damaged(path: &Path) -> impl Fn(TantivyError) -> IndexError {
    move |error| match error {
        TantivyError::LockFailure(LockError::IoError(why), _) => {
            IndexError::Io { path: path.into(), source: std::io::Error::new(why.kind(), why.to_string()) }
        }
        other => IndexError::Unusable { path: path.into(), why: Unusable::Damaged(other.to_string()) },
    }
}

/// Open the index in `path` and check whose it is.
fn open(path: &Path, store: &Store) -> Result<(Index, Fields, Stamp), IndexError> {
    let unusable = |why| IndexError::Unusable { path: path.into(), why };
    let damaged = damaged(path);
    if !path.join("meta.json").exists() {
        let empty = std::fs::read_dir(path).map_or(true, |mut entries| entries.next().is_none());
        return Err(unusable(if empty {
            Unusable::Absent
        } else {
            Unusable::Damaged("its list of parts is gone".into())
        }));
    }
    let index = Index::open_in_dir(path).map_err(&damaged)?;
    let (wanted, fields) = schema();
    let payload = index.load_metas().map_err(&damaged)?.payload.unwrap_or_default();
    let Ok(stamp) = serde_json::from_str::<Stamp>(&payload) else { return Err(unusable(Unusable::Outdated)) };
    if index.schema() != wanted || stamp.layout != LAYOUT {
        return Err(unusable(Unusable::Outdated));
    }
    if store.library_id()?.as_deref() != Some(stamp.library.as_str()) {
        return Err(unusable(Unusable::Foreign));
    }
    if stamp.seq < store.index_watermark()? || stamp.seq > store.last_change()? {
        return Err(unusable(Unusable::Astray));
    }
    register(&index);
    Ok((index, fields, stamp))
}

/// Whether words of `expr` weigh: what is asked not to be there has no weight.
fn weighs(expr: &Expr, so: bool) -> bool {
    match expr {
        Expr::All(parts) | Expr::Any(parts) => parts.iter().any(|part| weighs(part, so)),
        Expr::Not(part) => weighs(part, !so),
        Expr::Leaf(leaf) => so && matches!(leaf.test, Test::Words { .. }),
    }
}

impl Reader {
    /// Open the index in `path` for searching.
    ///
    /// # Errors
    /// [`IndexError::Unusable`] with the reason, when it has to be made first.
    pub fn open(path: &Path, store: &Store) -> Result<Self, IndexError> {
        let (index, fields, stamp) = open(path, store)?;
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into().map_err(damaged(path))?;
        Ok(Self { path: path.into(), fields, index, reader, seq: AtomicI64::new(stamp.seq) })
    }

    fn wrap<T>(&self, result: tantivy::Result<T>) -> Result<T, IndexError> {
        result.map_err(|source| IndexError::Tantivy { path: self.path.clone(), source })
    }

    /// Whether the library has changes that the index, as it is seen, has not learned.
    ///
    /// # Errors
    /// What the database says.
    pub fn is_behind(&self, store: &Store) -> Result<bool, IndexError> {
        Ok(store.changes_after(self.seq.load(Ordering::Relaxed), 1)?.is_some())
    }

    /// See what was committed since.
    ///
    /// # Errors
    /// What Tantivy says.
    pub fn reload(&self) -> Result<(), IndexError> {
        // Read first: what is seen is then at least as new as it says.
        let payload = self.wrap(self.index.load_metas())?.payload.unwrap_or_default();
        self.wrap(self.reader.reload())?;
        if let Ok(stamp) = serde_json::from_str::<Stamp>(&payload) {
            self.seq.store(stamp.seq, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Which state of the index is seen.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.reader.searcher().generation().generation_id()
    }

    /// The first `limit` files that answer, and how many do.
    ///
    /// # Errors
    /// What Tantivy says.
    pub fn find(&self, query: &Query, limit: usize, rows: &BTreeMap<Genre, i64>) -> Result<Found, IndexError> {
        let compiled = compile::Compiler { fields: &self.fields, rows }.query(&query.root, query.asks_for_state());
        let weighs = weighs(&query.root, true);
        let asked = Asked::of(&query.root);
        let ranker = collect::Ranker { sort: &query.sort, asked: &asked, limit, weighs };
        self.wrap(self.reader.searcher().search(compiled.as_ref(), &ranker))
    }

    /// How many files answer `root`.
    ///
    /// # Errors
    /// What Tantivy says.
    pub fn count(&self, root: &Expr, asks_for_state: bool, rows: &BTreeMap<Genre, i64>) -> Result<usize, IndexError> {
        let compiled = compile::Compiler { fields: &self.fields, rows }.query(root, asks_for_state);
        self.wrap(self.reader.searcher().search(compiled.as_ref(), &Count))
    }

    /// Whether the file answers `root`, whatever its state.
    ///
    /// # Errors
    /// What Tantivy says.
    pub fn holds(&self, file: i64, root: &Expr, rows: &BTreeMap<Genre, i64>) -> Result<bool, IndexError> {
        use tantivy::{
            Term,
            query::{BooleanQuery, TermQuery},
            schema::IndexRecordOption,
        };
        let compiled = compile::Compiler { fields: &self.fields, rows }.query(root, true);
        let term = Term::from_field_u64(self.fields.id, file.cast_unsigned());
        let this = Box::new(TermQuery::new(term, IndexRecordOption::Basic));
        let both = BooleanQuery::intersection(vec![this, compiled]);
        Ok(self.wrap(self.reader.searcher().search(&both, &Count))? > 0)
    }

    /// Values of a text field that begin as `prefix` does, case and accents not counting, in order; at most so many.
    ///
    /// # Errors
    /// What Tantivy says.
    pub fn values(&self, field: TextField, prefix: &str, most: usize) -> Result<Vec<String>, IndexError> {
        let prefix = fold(prefix.trim_start());
        let mut found: BTreeMap<String, String> = BTreeMap::new();
        let read = |found: &mut BTreeMap<String, String>| -> tantivy::Result<()> {
            for segment in self.reader.searcher().segment_readers() {
                let Some(column) = segment.fast_fields().bytes(&schema::key_column(field))? else { continue };
                let mut stream = column.dictionary().range().ge(prefix.as_bytes()).into_stream()?;
                let mut here = 0;
                while here < most && stream.advance() && stream.key().starts_with(prefix.as_bytes()) {
                    let text = String::from_utf8_lossy(text_of_key(stream.key())).trim().to_owned();
                    here += usize::from(found.insert(fold(&text), text).is_none());
                }
            }
            Ok(())
        };
        self.wrap(read(&mut found))?;
        Ok(found.into_values().take(most).collect())
    }

    /// (heard, known): files that are there and have been heard, and files that are there.
    ///
    /// # Errors
    /// What Tantivy says.
    pub fn coverage(&self) -> Result<(usize, usize), IndexError> {
        use tantivy::{
            Term,
            query::{BooleanQuery, Query, TermQuery},
            schema::IndexRecordOption,
        };
        let searcher = self.reader.searcher();
        let flag = |text: &str| {
            let term = Term::from_field_text(self.fields.flag, text);
            Box::new(TermQuery::new(term, IndexRecordOption::Basic)) as Box<dyn Query>
        };
        let count = |query: &dyn Query| self.wrap(searcher.search(query, &Count));
        let missing = count(flag("state=missing").as_ref())?;
        let gone = count(&BooleanQuery::intersection(vec![flag("heard"), flag("state=missing")]))?;
        let heard = count(flag("heard").as_ref())?;
        let all = usize::try_from(searcher.num_docs()).unwrap_or(usize::MAX);
        Ok((heard.saturating_sub(gone), all.saturating_sub(missing)))
    }
}
