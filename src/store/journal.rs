//! The journal of tag writes: intent, ready, done. Each step is on the disk before it returns, power or not.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params};

use super::{
    Result, Store, changes,
    files::{json, list, path_at},
    now_ms,
};
use crate::track::{AudioId, FileStamp, path_bytes};

/// A write that is about to begin.
#[derive(Clone, Debug)]
pub struct NewWrite<'a> {
    /// Its run.
    pub run: i64,
    /// The file's row, where the library knows it.
    pub file: Option<i64>,
    /// The file, links resolved.
    pub path: &'a Path,
    /// The recording that it holds.
    pub audio: AudioId,
    /// The hidden copy beside it.
    pub copy: &'a Path,
    /// Who writes.
    pub owner: &'a str,
    /// Genres before.
    pub old_genres: &'a [String],
    /// Genres after.
    pub new_genres: &'a [String],
    /// Which of them count as written by us when it is done; `None` when they are the file's own.
    pub written: Option<&'a [String]>,
    /// The write that this one takes back.
    pub undoes: Option<i64>,
}

/// What a finished write means for the library.
#[derive(Clone, Debug)]
pub struct Finished<'a> {
    /// The library's row of the file.
    pub file: Option<i64>,
    /// The file's stamp now.
    pub stamp: FileStamp,
    /// The genres it says now.
    pub genres: &'a [String],
    /// Which of them count as written by us; `None` when they are the file's own.
    pub written: Option<&'a [String]>,
    /// Whether the old content is still in the copy's place.
    pub leftover: bool,
}

/// How far a write got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteState {
    /// Announced: the copy may be there, the file is as it was.
    Intent,
    /// The copy is finished; it may be swapped or not.
    Ready,
    /// Written.
    Done,
    /// Not written.
    Refused,
    /// Written, and taken back since.
    Undone,
}

impl WriteState {
    /// As it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Ready => "ready",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Undone => "undone",
        }
    }

    fn from_name(name: &str) -> Self {
        [Self::Intent, Self::Ready, Self::Done, Self::Undone]
            .into_iter()
            .find(|state| state.name() == name)
            .unwrap_or(Self::Refused)
    }
}

/// A write as the journal has it.
#[derive(Clone, Debug)]
pub struct WriteRow {
    /// Row.
    pub id: i64,
    /// Its run.
    pub run: i64,
    /// The file's row.
    pub file: Option<i64>,
    /// The file as it was called.
    pub path: PathBuf,
    /// The recording that it held; not known of writes made before this was noted.
    pub audio: Option<AudioId>,
    /// The hidden copy.
    pub copy: PathBuf,
    /// How far it got.
    pub state: WriteState,
    /// Why it was refused.
    pub reason: Option<String>,
    /// Who wrote.
    pub owner: String,
    /// When it was announced.
    pub at_ms: i64,
    /// Genres before.
    pub old_genres: Vec<String>,
    /// Genres after.
    pub new_genres: Vec<String>,
    /// What counted as ours before.
    pub old_written: Option<Vec<String>>,
    /// What counts as ours when it is done.
    pub written: Option<Vec<String>>,
    /// blake3 of the content before.
    pub old_hash: Option<[u8; 32]>,
    /// blake3 of the content after.
    pub new_hash: Option<[u8; 32]>,
    /// The write that this one took back.
    pub undoes: Option<i64>,
}

/// A run as the journal has it.
#[derive(Clone, Debug)]
pub struct RunRow {
    /// Row.
    pub id: i64,
    /// `tag` or `undo`.
    pub kind: String,
    /// What was asked for.
    pub what: String,
    /// When.
    pub started_ms: i64,
    /// Files written and still so.
    pub done: u32,
    /// Files refused.
    pub refused: u32,
    /// Files written, and taken back since.
    pub undone: u32,
}

const WRITE_COLUMNS: &str = "id, run_id, file_id, path, copy, state, reason, owner, at_ms, old_genres, new_genres, \
     old_written, old_hash, new_hash, undoes, audio, written";

fn write_row(row: &Row<'_>) -> rusqlite::Result<WriteRow> {
    let hash = |i: usize| row.get::<_, Option<[u8; 32]>>(i);
    Ok(WriteRow {
        id: row.get(0)?,
        run: row.get(1)?,
        file: row.get(2)?,
        path: path_at(row, 3)?,
        copy: path_at(row, 4)?,
        state: WriteState::from_name(&row.get::<_, String>(5)?),
        reason: row.get(6)?,
        owner: row.get(7)?,
        at_ms: row.get(8)?,
        old_genres: list(&row.get::<_, String>(9)?),
        new_genres: list(&row.get::<_, String>(10)?),
        old_written: row.get::<_, Option<String>>(11)?.as_deref().map(list),
        old_hash: hash(12)?,
        new_hash: hash(13)?,
        undoes: row.get(14)?,
        audio: row.get::<_, Option<[u8; 32]>>(15)?.map(AudioId),
        written: row.get::<_, Option<String>>(16)?.as_deref().map(list),
    })
}

impl Store {
    /// As `atomically`, and on the disk when it returns. What a scan has gathered so far is committed first.
    fn durably<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        self.commit()?;
        self.wrap(self.conn.execute_batch("PRAGMA synchronous = FULL"))?;
        let result = self.atomically(work);
        self.wrap(self.conn.execute_batch("PRAGMA synchronous = NORMAL"))?;
        result
    }

    /// Begin a run.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn begin_run(&self, kind: &str, what: &str) -> Result<i64> {
        self.atomically(|conn| {
            conn.prepare_cached("INSERT INTO tag_runs (kind, what, started_ms) VALUES (?1, ?2, ?3)")?
                .execute(params![kind, what, now_ms()])?;
            Ok(conn.last_insert_rowid())
        })
    }

    /// End a run; one that wrote and refused nothing is forgotten.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn end_run(&self, run: i64) -> Result<()> {
        self.atomically(|conn| {
            conn.execute("UPDATE tag_runs SET ended_ms = ?2 WHERE id = ?1", params![run, now_ms()])?;
            conn.execute(
                "DELETE FROM tag_runs WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM tag_writes WHERE run_id = ?1)",
                [run],
            )
            .map(|_| ())
        })
    }

    /// Announce a write. `None` when another process is at that file.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn intend(&self, new: &NewWrite<'_>) -> Result<Option<i64>> {
        let result = self.durably(|conn| {
            conn.prepare_cached(
                "INSERT INTO tag_writes (run_id, file_id, path, path_text, copy, state, owner, at_ms, old_genres,
                     new_genres, old_written, undoes, audio, written)
                 VALUES (?1, ?2, ?3, ?4, ?5, 'intent', ?6, ?7, ?8, ?9,
                     (SELECT written_genres FROM files WHERE id = ?2), ?10, ?11, ?12)",
            )?
            .execute(params![
                new.run,
                new.file,
                path_bytes(new.path),
                new.path.to_string_lossy(),
                path_bytes(new.copy),
                new.owner,
                now_ms(),
                json(new.old_genres),
                json(new.new_genres),
                new.undoes,
                new.audio.0,
                new.written.map(json),
            ])?;
            Ok(conn.last_insert_rowid())
        });
        match result {
            Ok(id) => Ok(Some(id)),
            Err(super::StoreError::Sql { source, .. })
                if source.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Note that the copy is finished: what the file holds now and will hold, and the way back.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn ready(&self, id: i64, old_hash: [u8; 32], new_hash: [u8; 32], patch: Option<&[u8]>) -> Result<()> {
        self.durably(|conn| {
            conn.prepare_cached(
                "UPDATE tag_writes SET state = 'ready', old_hash = ?2, new_hash = ?3, patch = ?4 WHERE id = ?1",
            )?
            .execute(params![id, old_hash, new_hash, patch])
            .map(|_| ())
        })
    }

    /// Note that a write is done, what it took back, and what the file says now: so that no scan takes it for a
    /// change, and search finds it.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn done(&self, id: i64, finished: &Finished<'_>) -> Result<()> {
        self.durably(|conn| {
            conn.prepare_cached("UPDATE tag_writes SET state = 'done', done_ms = ?2, leftover = ?3 WHERE id = ?1")?
                .execute(params![id, now_ms(), finished.leftover])?;
            conn.prepare_cached(
                "UPDATE tag_writes SET state = 'undone' WHERE id = (SELECT undoes FROM tag_writes WHERE id = ?1)",
            )?
            .execute([id])?;
            let Some(file) = finished.file else { return Ok(()) };
            let stamp = finished.stamp;
            conn.prepare_cached(
                "UPDATE files SET dev = ?2, ino = ?3, size = ?4, mtime_ns = ?5, ctime_ns = ?6, genres = ?7,
                     written_genres = ?8 WHERE id = ?1",
            )?
            .execute(params![
                file,
                stamp.dev.cast_signed(),
                stamp.ino.cast_signed(),
                stamp.size.cast_signed(),
                stamp.mtime_ns,
                stamp.ctime_ns,
                json(finished.genres),
                finished.written.map(json),
            ])?;
            let track: Option<i64> =
                conn.query_row("SELECT track_id FROM files WHERE id = ?1", [file], |r| r.get(0)).optional()?;
            match track {
                Some(track) => self.refresh_file_in(conn, track, file),
                None => changes::note_in(conn, file),
            }
        })
    }

    /// Note that a write did not happen, and why.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn refused(&self, id: i64, reason: &str) -> Result<()> {
        self.atomically(|conn| {
            conn.prepare_cached("UPDATE tag_writes SET state = 'refused', reason = ?2, patch = NULL WHERE id = ?1")?
                .execute(params![id, reason])
                .map(|_| ())
        })
    }

    fn writes(&self, condition: &str, argument: &dyn rusqlite::ToSql) -> Result<Vec<WriteRow>> {
        let sql = format!("SELECT {WRITE_COLUMNS} FROM tag_writes WHERE {condition}");
        self.wrap(
            self.conn
                .prepare_cached(&sql)
                .and_then(|mut s| s.query_map([argument], write_row).and_then(Iterator::collect)),
        )
    }

    /// Writes that were begun and not ended, by whomever.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open_writes(&self) -> Result<Vec<WriteRow>> {
        self.writes("state IN ('intent', 'ready') AND ?1 ORDER BY id", &true)
    }

    /// Finished writes whose old content is still in the copy's place.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn leftovers(&self) -> Result<Vec<WriteRow>> {
        self.writes("leftover = ?1 ORDER BY id", &true)
    }

    /// The old content of a finished write is gone from the copy's place.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn tidied(&self, write: i64) -> Result<()> {
        self.atomically(|conn| conn.execute("UPDATE tag_writes SET leftover = 0 WHERE id = ?1", [write]).map(|_| ()))
    }

    /// All writes of a run, in order.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn writes_of_run(&self, run: i64) -> Result<Vec<WriteRow>> {
        self.writes("run_id = ?1 ORDER BY id", &run)
    }

    /// What was written since `ms` and not taken back, the newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn writes_since(&self, ms: i64) -> Result<Vec<WriteRow>> {
        self.writes("state = 'done' AND undoes IS NULL AND at_ms >= ?1 ORDER BY id DESC", &ms)
    }

    /// What was written into a file and not taken back, the newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn writes_of_file(&self, file: i64) -> Result<Vec<WriteRow>> {
        self.writes("state = 'done' AND undoes IS NULL AND file_id = ?1 ORDER BY id DESC", &file)
    }

    /// The write with this row id.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn write_by_id(&self, id: i64) -> Result<Option<WriteRow>> {
        Ok(self.writes("id = ?1", &id)?.pop())
    }

    /// The way back of a write, while it is kept.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn patch(&self, write: i64) -> Result<Option<Vec<u8>>> {
        self.wrap(self.conn.query_row("SELECT patch FROM tag_writes WHERE id = ?1", [write], |r| r.get(0)))
    }

    /// Forget the ways back of writes that were `age_ms` old, now and when the run before this one began: one jump of
    /// the clock drops none. The rest of the journal stays.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn prune_patches(&self, age_ms: i64) -> Result<usize> {
        self.atomically(|conn| {
            conn.execute(
                "UPDATE tag_writes SET patch = NULL
                 WHERE patch IS NOT NULL
                     AND at_ms < MIN(?1, (SELECT started_ms FROM tag_runs ORDER BY id DESC LIMIT 1)) - ?2",
                params![now_ms(), age_ms],
            )
        })
    }

    /// All runs, the newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn runs(&self) -> Result<Vec<RunRow>> {
        let row = |r: &Row<'_>| {
            Ok(RunRow {
                id: r.get(0)?,
                kind: r.get(1)?,
                what: r.get(2)?,
                started_ms: r.get(3)?,
                done: r.get(4)?,
                refused: r.get(5)?,
                undone: r.get(6)?,
            })
        };
        self.wrap(
            self.conn
                .prepare_cached(
                    "SELECT r.id, r.kind, r.what, r.started_ms, COUNT(*) FILTER (WHERE w.state = 'done'),
                         COUNT(*) FILTER (WHERE w.state = 'refused'), COUNT(*) FILTER (WHERE w.state = 'undone')
                     FROM tag_runs r LEFT JOIN tag_writes w ON w.run_id = r.id GROUP BY r.id ORDER BY r.id DESC",
                )
                .and_then(|mut s| s.query_map([], row).and_then(Iterator::collect)),
        )
    }

    /// The hash of a track's audio.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn audio(&self, track: i64) -> Result<Option<AudioId>> {
        self.wrap(
            self.conn
                .prepare_cached("SELECT audio FROM tracks WHERE id = ?1")
                .and_then(|mut s| s.query_row([track], |r| r.get(0).map(AudioId)).optional()),
        )
    }
}
