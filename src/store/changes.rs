//! What the search index has still to learn.

use rusqlite::Connection;

use super::{Result, Store};

/// Note that something searchable of a file changed; in the transaction that changes it.
pub(super) fn note_in(conn: &Connection, file: i64) -> rusqlite::Result<()> {
    conn.prepare_cached("INSERT INTO changes (file_id) VALUES (?1)")?.execute([file])?;
    Ok(())
}

/// Note all files of a track.
pub(super) fn note_track_in(conn: &Connection, track: i64) -> rusqlite::Result<()> {
    conn.prepare_cached("INSERT INTO changes (file_id) SELECT id FROM files WHERE track_id = ?1")?.execute([track])?;
    Ok(())
}

impl Store {
    /// Run `work` as one transaction: its own, or a savepoint in the one that [`Store::begin`] opened.
    pub(super) fn atomically<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let (open, close, undo) = if self.conn.is_autocommit() {
            ("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK")
        } else {
            ("SAVEPOINT work", "RELEASE work", "ROLLBACK TO work; RELEASE work")
        };
        let run = || {
            self.conn.execute_batch(open)?;
            match work(&self.conn).and_then(|value| self.conn.execute_batch(close).map(|()| value)) {
                Ok(value) => Ok(value),
                Err(error) => {
                    // The first error is the one to report; a failed rollback only repeats it.
                    let _ = self.conn.execute_batch(undo);
                    Err(error)
                }
            }
        };
        self.wrap(run())
    }
}
