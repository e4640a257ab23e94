//! The store: SQLite is the truth, and this room holds the only SQL.
//!
//! [`Store::open`] migrates (with a backup before), refuses a database made by a newer program, and sets a
//! damaged one aside. Every writing method is one transaction; what has to stand or fall together shares a
//! `_in(&Transaction)` function. Whatever changes something searchable appends to `changes` in the same
//! transaction, so that the index can always catch up. The store knows no file on disk but its own.

mod analyses;
mod changes;
mod corrections;
mod failures;
mod files;
mod genre_acts;
mod import;
mod index_feed;
mod journal;
mod live;
mod mix;
mod models;
mod open;
mod promotions;
mod relabel;
mod searches;
mod similar;
mod stats;
mod taxonomy;
mod teach;

use std::{
    cell::RefCell,
    collections::HashMap,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use rusqlite::{Connection, ErrorCode};

pub use analyses::Analysis;
pub use corrections::{Correction, Kept, NewCorrection, Origin, Span};
pub use failures::Failure;
pub use files::{FileRow, Known, KnownState, NewFile};
pub use genre_acts::{GenreChange, TakenChanges};
pub use import::{Imported, NewImport};
pub use index_feed::{IndexMix, IndexRow, IndexTimeline};
pub use journal::{Finished, NewWrite, RunRow, WriteRow, WriteState};
pub use live::Changed;
pub use models::ModelRow;
pub use promotions::{How, Promotion};
pub use relabel::{NewLabels, Shift, Unlabelled};
pub use similar::Vectors;
pub use stats::Stats;
pub use taxonomy::{GenreAct, GenreRow};
pub use teach::Heard;

/// What can go wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite said no.
    #[error("database {path}: {source}")]
    Sql {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Its disk said no. SQLite has a number for it, and no word of what to do.
    #[error(
        "database {path}: its disk could not be read or written ({reason}): it is full, a quota is used up, or it fails"
    )]
    Disk {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// Damaged, as a query found; [`Store::open`] has seen nothing of it.
    #[error(
        "database {path} is damaged ({reason}). `deepcuts correct --export FILE` may save what you said; then          `deepcuts restore BACKUP`, or move it away and scan again"
    )]
    Malformed {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// The database could not be brought up to date.
    #[error("database {path}: a migration failed: {reason}; the backup {backup} is as it was before")]
    Migration {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
        /// The copy made before.
        backup: PathBuf,
    },
    /// Made by a newer program.
    #[error(
        "database {path} was made by a newer deepcuts (schema {found}, this one knows {known}); update deepcuts, or choose another with --db"
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: usize,
        /// Ours.
        known: usize,
    },
    /// Damaged: kept aside.
    #[error(
        "database {path} is damaged ({reason}); it was kept as {kept}. Restore a backup there, or scan again to begin anew"
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What the check said.
        reason: String,
        /// Where the damaged one is now.
        kept: PathBuf,
    },
    /// No database yet.
    #[error("there is no library yet at {path}; `deepcuts scan DIR` makes one")]
    Missing {
        /// Where it would be.
        path: PathBuf,
    },
    /// The file system said no.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A change of the taxonomy that cannot be.
    #[error("{what}")]
    Genre {
        /// Why not.
        what: String,
    },
    /// A value in the database makes no sense.
    #[error("database {path}: {what}")]
    Value {
        /// The database.
        path: PathBuf,
        /// What makes no sense.
        what: String,
    },
}

impl StoreError {
    fn sql(path: &Path, source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => {
                Self::Disk { path: path.into(), reason: source.to_string() }
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::Malformed { path: path.into(), reason: source.to_string() }
            }
            _ => Self::Sql { path: path.into(), source },
        }
    }
}

/// Result of the store.
pub type Result<T> = std::result::Result<T, StoreError>;

/// An open library.
#[derive(Debug)]
pub struct Store {
    conn: Connection,
    path: PathBuf,
    /// The genre rows of each model's outputs: they never change once known.
    outputs: RefCell<HashMap<String, Vec<i64>>>,
}

impl Store {
    fn new(conn: Connection, path: PathBuf) -> Self {
        Self { conn, path, outputs: RefCell::default() }
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn wrap<T>(&self, result: rusqlite::Result<T>) -> Result<T> {
        result.map_err(|source| StoreError::sql(&self.path, source))
    }

    fn value(&self, what: impl Into<String>) -> StoreError {
        StoreError::Value { path: self.path.clone(), what: what.into() }
    }

    /// A small setting kept in the database, such as the current model.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn meta(&self, key: &str) -> Result<Option<String>> {
        use rusqlite::OptionalExtension;
        self.wrap(
            self.conn
                .prepare_cached("SELECT value FROM meta WHERE key = ?1")
                .and_then(|mut s| s.query_row([key], |r| r.get(0)).optional()),
        )
    }

    /// Keep a small setting.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_meta(&self, key: &str, value: &str) -> Result<()> {
        self.wrap(
            self.conn
                .prepare_cached("INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2")
                .and_then(|mut s| s.execute([key, value]))
                .map(|_| ()),
        )
    }

    /// Group many writes: they are durable together, when [`Self::commit`] returns.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn begin(&self) -> Result<()> {
        if self.conn.is_autocommit() { self.wrap(self.conn.execute_batch("BEGIN IMMEDIATE")) } else { Ok(()) }
    }

    /// Do several acts as one: all of them stand, or none.
    ///
    /// # Errors
    /// What `work` says, or SQLite.
    pub fn together<T, E>(&self, work: impl FnOnce() -> std::result::Result<T, E>) -> std::result::Result<T, E>
    where
        E: From<StoreError>,
    {
        if !self.conn.is_autocommit() {
            return work();
        }
        self.begin()?;
        let done = work().and_then(|value| self.commit().map(|()| value).map_err(E::from));
        if done.is_err() && !self.conn.is_autocommit() {
            // The first error is the one to report; a failed rollback only repeats it.
            let _ = self.conn.execute_batch("ROLLBACK");
        }
        done
    }

    /// Read many rows as they are at one moment: one look at the log, instead of one for every statement. For short
    /// work that writes nothing: the log cannot be emptied meanwhile.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn at_once<T>(&self, work: impl FnOnce() -> T) -> Result<T> {
        if !self.conn.is_autocommit() {
            return Ok(work());
        }
        self.wrap(self.conn.execute_batch("BEGIN"))?;
        let value = work();
        self.commit().map(|()| value)
    }

    /// End what [`Self::begin`] began; nothing to do when there is none.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn commit(&self) -> Result<()> {
        if self.conn.is_autocommit() { Ok(()) } else { self.wrap(self.conn.execute_batch("COMMIT")) }
    }
}

/// Now, in milliseconds since 1970.
#[must_use]
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}
