//! Files that could not be heard, with the stage and the reason.

use std::path::{Path, PathBuf};

use deepcuts_protocol::Stage;

use super::{Result, Store, files::stamp_at, now_ms};
use crate::track::{FileStamp, path_bytes, path_from_bytes};

/// A file that could not be heard.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Where.
    pub path: PathBuf,
    /// The file as it was then.
    pub stamp: FileStamp,
    /// In which stage, by name.
    pub stage: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at_ms: i64,
}

impl Store {
    /// Keep that a file failed; it is skipped until it changes or is asked for again. When its content could
    /// not even be read as audio, whatever the library knew at this path is not there any more.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn put_failure(&self, path: &Path, stamp: FileStamp, stage: Stage, reason: &str) -> Result<()> {
        self.atomically(|conn| {
            conn.prepare_cached(
                "INSERT INTO failures (path, path_text, dev, ino, size, mtime_ns, ctime_ns, stage, reason, at_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
                 ON CONFLICT DO UPDATE SET dev = ?3, ino = ?4, size = ?5, mtime_ns = ?6, ctime_ns = ?7, stage = ?8,
                     reason = ?9, at_ms = ?10",
            )?
            .execute(rusqlite::params![
                path_bytes(path),
                path.to_string_lossy(),
                stamp.dev.cast_signed(),
                stamp.ino.cast_signed(),
                stamp.size.cast_signed(),
                stamp.mtime_ns,
                stamp.ctime_ns,
                stage.name(),
                reason,
                now_ms()
            ])?;
            if matches!(stage, Stage::Probe) {
                let gone: Vec<i64> = conn
                    .prepare_cached(
                        "UPDATE files SET state = 'missing', missing_since_ms = ?2
                         WHERE path = ?1 AND state = 'present' RETURNING id",
                    )?
                    .query_map(rusqlite::params![path_bytes(path), now_ms()], |r| r.get(0))?
                    .collect::<rusqlite::Result<_>>()?;
                gone.into_iter().try_for_each(|id| super::changes::note_in(conn, id))?;
            }
            Ok(())
        })
    }

    /// Every failure, by path.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn failures(&self) -> Result<Vec<Failure>> {
        let read = || {
            self.conn
                .prepare_cached(
                    "SELECT path, dev, ino, size, mtime_ns, ctime_ns, stage, reason, at_ms FROM failures ORDER BY path",
                )?
                .query_map([], |r| {
                    Ok(Failure {
                        path: path_from_bytes(r.get_ref(0)?.as_blob()?).to_path_buf(),
                        stamp: stamp_at(r, 1)?,
                        stage: r.get(6)?,
                        reason: r.get(7)?,
                        at_ms: r.get(8)?,
                    })
                })?
                .collect()
        };
        self.wrap(read())
    }

    /// Forget the failures of files that are gone.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn forget_failures(&self, paths: &[PathBuf]) -> Result<()> {
        self.atomically(|conn| {
            let mut delete = conn.prepare_cached("DELETE FROM failures WHERE path = ?1")?;
            paths.iter().try_for_each(|path| delete.execute([path_bytes(path)]).map(|_| ()))
        })
    }
}
