//! Files and tracks: which paths there are, which audio each holds, what their tags say.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::{Result, Store, now_ms};
use crate::track::{AudioId, FileStamp, FileTags, Format, path_bytes, path_from_bytes};

/// A file as it was found: everything but what it sounds like.
#[derive(Clone, Debug)]
pub struct NewFile {
    /// Where.
    pub path: PathBuf,
    /// When it was read.
    pub stamp: FileStamp,
    /// Hash of its encoded audio.
    pub audio: AudioId,
    /// Container.
    pub format: Format,
    /// What its tags say.
    pub tags: FileTags,
}

/// What the library knows of a path, as much as a crawl needs.
#[derive(Clone, Debug)]
pub struct Known {
    /// The file's row; none for a failure of a file that was never identified.
    pub file: Option<i64>,
    /// Its track.
    pub track: Option<i64>,
    /// Its stamp when it was read.
    pub stamp: FileStamp,
    /// How far it got.
    pub state: KnownState,
}

/// How far a known file got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownState {
    /// Heard by the current model.
    Heard,
    /// Identified, but not heard by the current model.
    Unheard,
    /// It failed.
    Failed,
    /// It was gone when last looked for; whether it was heard is kept.
    Missing,
}

/// A file of the library, as `show` prints it.
#[derive(Clone, Debug)]
pub struct FileRow {
    /// Row.
    pub id: i64,
    /// Track.
    pub track: i64,
    /// Where.
    pub path: PathBuf,
    /// When it was last read.
    pub stamp: FileStamp,
    /// Container, by name.
    pub format: String,
    /// Whether it was there when last looked for.
    pub present: bool,
    /// What its tags say.
    pub tags: FileTags,
    /// What we last wrote as genres.
    pub written_genres: Option<Vec<String>>,
    /// Length of the audio.
    pub duration_ms: Option<i64>,
}

/// Columns of [`FileRow`], in the order that `file_row` reads.
const FILE_COLUMNS: &str = "f.id, f.track_id, f.path, f.format, f.state = 'present', f.dev, f.ino, f.size, f.mtime_ns, \
     f.ctime_ns, f.title, f.artist, f.album, f.album_artist, f.year, f.track_no, f.disc_no, f.genres, \
     f.written_genres, t.duration_ms";

pub(super) fn stamp_at(row: &Row<'_>, first: usize) -> rusqlite::Result<FileStamp> {
    let unsigned = |i: usize| row.get::<_, i64>(first + i).map(i64::cast_unsigned);
    Ok(FileStamp {
        dev: unsigned(0)?,
        ino: unsigned(1)?,
        size: unsigned(2)?,
        mtime_ns: row.get(first + 3)?,
        ctime_ns: row.get(first + 4)?,
    })
}

pub(super) fn list(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_default()
}

pub(super) fn json(list: &[String]) -> String {
    serde_json::to_string(list).unwrap_or_else(|_| "[]".to_owned())
}

pub(super) fn path_at(row: &Row<'_>, i: usize) -> rusqlite::Result<PathBuf> {
    Ok(path_from_bytes(row.get_ref(i)?.as_blob()?).to_path_buf())
}

fn file_row(row: &Row<'_>) -> rusqlite::Result<FileRow> {
    Ok(FileRow {
        id: row.get(0)?,
        track: row.get(1)?,
        path: path_at(row, 2)?,
        format: row.get(3)?,
        present: row.get(4)?,
        stamp: stamp_at(row, 5)?,
        tags: FileTags {
            title: row.get(10)?,
            artist: row.get(11)?,
            album: row.get(12)?,
            album_artist: row.get(13)?,
            year: row.get(14)?,
            track_no: row.get(15)?,
            disc_no: row.get(16)?,
            genres: list(&row.get::<_, String>(17)?),
        },
        written_genres: row.get::<_, Option<String>>(18)?.as_deref().map(list),
        duration_ms: row.get(19)?,
    })
}

impl Store {
    /// Keep a file as it was found, and the track it holds. A row of the same audio that was missing, or whose
    /// path `is_gone`, is the same file under a new name: it moves, with all that hangs on it. Returns (file, track).
    ///
    /// # Errors
    /// What SQLite says.
    pub fn put_file(&self, new: &NewFile, is_gone: &dyn Fn(&Path) -> bool) -> Result<(i64, i64)> {
        self.atomically(|conn| {
            let track = track_in(conn, new.audio)?;
            let path = path_bytes(&new.path);
            let known: Option<(i64, i64)> = conn
                .prepare_cached("SELECT id, track_id FROM files WHERE path = ?1")?
                .query_row([path], |r| Ok((r.get(0)?, r.get(1)?)))
                .optional()?;
            let moved = match known {
                Some((id, _)) => Some(id),
                None => moved_from(conn, track, new.stamp, is_gone)?,
            };
            let file = write_in(conn, moved, track, new)?;
            conn.prepare_cached("DELETE FROM failures WHERE path = ?1")?.execute([path])?;
            let other = known.filter(|(_, before)| *before != track);
            if other.is_some() {
                // What we wrote into the recording that was here is not ours in the one that took its place.
                conn.prepare_cached(
                    "UPDATE files SET written_genres = (SELECT written FROM tag_writes WHERE audio = ?2 AND state = 'done'
                         ORDER BY id DESC LIMIT 1) WHERE id = ?1",
                )?
                .execute(rusqlite::params![file, new.audio.0])?;
            }
            self.refresh_file_in(conn, track, file)?;
            if let Some((_, before)) = other {
                self.refresh_mix_in(conn, before)?;
            }
            Ok((file, track))
        })
    }

    /// Everything known under `root` (or of the root itself, when it is a file), for a crawl to compare with.
    /// `current` is (model, feature version) that count as heard.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn known_under(&self, root: &Path, current: Option<(&str, u32)>) -> Result<Vec<(PathBuf, Known)>> {
        let (low, high) = subtree(root);
        let (model, version) = current.unwrap_or(("", 0));
        let mut known = Vec::new();
        let read = |known: &mut Vec<(PathBuf, Known)>| -> rusqlite::Result<()> {
            let mut files = self.conn.prepare_cached(
                "SELECT f.path, f.id, f.track_id, f.dev, f.ino, f.size, f.mtime_ns, f.ctime_ns, f.state = 'present',
                        a.feature_version IS ?4
                 FROM files f LEFT JOIN analyses a ON a.track_id = f.track_id AND a.model_id = ?3
                 WHERE f.path = ?5 OR (f.path >= ?1 AND f.path < ?2)",
            )?;
            let mut rows = files.query(rusqlite::params![low, high, model, version, path_bytes(root)])?;
            while let Some(r) = rows.next()? {
                let state = match (r.get(8)?, r.get(9)?) {
                    (false, _) => KnownState::Missing,
                    (true, true) => KnownState::Heard,
                    (true, false) => KnownState::Unheard,
                };
                known
                    .push((path_at(r, 0)?, Known { file: r.get(1)?, track: r.get(2)?, stamp: stamp_at(r, 3)?, state }));
            }
            // After the files, so that of two entries of a path the failure is the last.
            let mut failures = self.conn.prepare_cached(
                "SELECT x.path, x.dev, x.ino, x.size, x.mtime_ns, x.ctime_ns, f.id, f.track_id
                 FROM failures x LEFT JOIN files f ON f.path = x.path AND f.state = 'present'
                 WHERE x.path = ?3 OR (x.path >= ?1 AND x.path < ?2)",
            )?;
            let mut rows = failures.query(rusqlite::params![low, high, path_bytes(root)])?;
            while let Some(r) = rows.next()? {
                let (file, track) = (r.get(6)?, r.get(7)?);
                known.push((path_at(r, 0)?, Known { file, track, stamp: stamp_at(r, 1)?, state: KnownState::Failed }));
            }
            Ok(())
        };
        self.wrap(read(&mut known))?;
        Ok(known)
    }

    /// The file at `path`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn file_at(&self, path: &Path) -> Result<Option<FileRow>> {
        let sql = format!("SELECT {FILE_COLUMNS} FROM files f JOIN tracks t ON t.id = f.track_id WHERE f.path = ?1");
        self.wrap(self.conn.prepare_cached(&sql).and_then(|mut s| s.query_row([path_bytes(path)], file_row).optional()))
    }

    /// The file with this row id.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn file(&self, id: i64) -> Result<Option<FileRow>> {
        let sql = format!("SELECT {FILE_COLUMNS} FROM files f JOIN tracks t ON t.id = f.track_id WHERE f.id = ?1");
        self.wrap(self.conn.prepare_cached(&sql).and_then(|mut s| s.query_row([id], file_row).optional()))
    }

    /// All files of a track, by path.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn files_of(&self, track: i64) -> Result<Vec<FileRow>> {
        let sql = format!(
            "SELECT {FILE_COLUMNS} FROM files f JOIN tracks t ON t.id = f.track_id WHERE f.track_id = ?1 ORDER BY f.path"
        );
        self.wrap(
            self.conn.prepare_cached(&sql).and_then(|mut s| s.query_map([track], file_row).and_then(Iterator::collect)),
        )
    }

    /// All files that hold this recording, by path.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn files_of_audio(&self, audio: AudioId) -> Result<Vec<FileRow>> {
        let track = self.wrap(
            self.conn
                .prepare_cached("SELECT id FROM tracks WHERE audio = ?1")
                .and_then(|mut s| s.query_row([audio.0], |r| r.get(0)).optional()),
        )?;
        track.map_or_else(|| Ok(Vec::new()), |track| self.files_of(track))
    }

    /// Call `each` with every file of the library, in the order of row ids.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn each_file(&self, mut each: impl FnMut(FileRow)) -> Result<()> {
        let sql = format!("SELECT {FILE_COLUMNS} FROM files f JOIN tracks t ON t.id = f.track_id ORDER BY f.id");
        let mut read = || -> rusqlite::Result<()> {
            let mut statement = self.conn.prepare_cached(&sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                each(file_row(row)?);
            }
            Ok(())
        };
        self.wrap(read())
    }

    /// The track of every file, by row.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn track_of_files(&self) -> Result<std::collections::HashMap<i64, i64>> {
        self.wrap(
            self.conn
                .prepare_cached("SELECT id, track_id FROM files")
                .and_then(|mut s| s.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect()),
        )
    }

    /// The files that are there whose track was heard at or after `ms`, by row.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn heard_since(&self, ms: i64) -> Result<Vec<FileRow>> {
        let sql = format!(
            "SELECT {FILE_COLUMNS} FROM files f JOIN tracks t ON t.id = f.track_id
             WHERE f.state = 'present' AND f.track_id IN (SELECT track_id FROM analyses WHERE heard_ms >= ?1)
             ORDER BY f.id"
        );
        self.wrap(
            self.conn.prepare_cached(&sql).and_then(|mut s| s.query_map([ms], file_row).and_then(Iterator::collect)),
        )
    }

    /// Mark files as gone; their analyses and corrections stay. A file that has moved meanwhile is not gone.
    /// Returns how many are.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn mark_missing(&self, files: &[(i64, PathBuf)]) -> Result<u64> {
        self.atomically(|conn| {
            let mut mark = conn.prepare_cached(
                "UPDATE files SET state = 'missing', missing_since_ms = ?3
                 WHERE id = ?1 AND path = ?2 AND state = 'present'",
            )?;
            let mut gone = 0;
            for (id, path) in files {
                if mark.execute(rusqlite::params![id, path_bytes(path), now_ms()])? > 0 {
                    super::changes::note_in(conn, *id)?;
                    gone += 1;
                }
            }
            Ok(gone)
        })
    }

    /// Mark a file that was missing as back, unchanged.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn mark_present(&self, file: i64) -> Result<()> {
        self.atomically(|conn| {
            conn.prepare_cached("UPDATE files SET state = 'present', missing_since_ms = NULL WHERE id = ?1")?
                .execute([file])?;
            super::changes::note_in(conn, file)
        })
    }

    /// Paths of files that have been missing since before `before_ms`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn missing_since(&self, before_ms: i64) -> Result<Vec<PathBuf>> {
        self.wrap(
            self.conn
                .prepare_cached(
                    "SELECT path FROM files WHERE state = 'missing' AND missing_since_ms <= ?1 ORDER BY path",
                )
                .and_then(|mut s| s.query_map([before_ms], |r| path_at(r, 0)).and_then(Iterator::collect)),
        )
    }

    /// Forget files that have been missing since before `before_ms`; what the user said of them is kept with
    /// the track. Returns how many.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn prune_missing(&self, before_ms: i64) -> Result<usize> {
        self.atomically(|conn| {
            let gone: Vec<i64> = conn
                .prepare_cached("SELECT id FROM files WHERE state = 'missing' AND missing_since_ms <= ?1")?
                .query_map([before_ms], |r| r.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            for id in &gone {
                super::changes::note_in(conn, *id)?;
                conn.prepare_cached("DELETE FROM files WHERE id = ?1")?.execute([id])?;
            }
            conn.execute(
                "DELETE FROM tracks WHERE id NOT IN (SELECT track_id FROM files)
                 AND id NOT IN (SELECT track_id FROM corrections) AND id NOT IN (SELECT track_id FROM locks)",
                [],
            )?;
            Ok(gone.len())
        })
    }

    /// Remember a folder of the library. A new one takes in those below it: they are parts of it now.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn put_root(&self, path: &Path) -> Result<()> {
        let (low, high) = subtree(path);
        self.atomically(|conn| {
            let new = conn.execute(
                "INSERT INTO roots (path, path_text) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                rusqlite::params![path_bytes(path), path.to_string_lossy()],
            )?;
            if new > 0 {
                conn.execute("DELETE FROM roots WHERE path >= ?1 AND path < ?2", [low, high])?;
            }
            Ok(())
        })
    }

    /// The folders of the library: (path, present, when it was last crawled whole).
    ///
    /// # Errors
    /// What SQLite says.
    pub fn roots(&self) -> Result<Vec<(PathBuf, bool, Option<i64>)>> {
        self.wrap(
            self.conn
                .prepare_cached("SELECT path, state = 'present', reconciled_ms FROM roots ORDER BY path")
                .and_then(|mut s| {
                    s.query_map([], |r| Ok((path_at(r, 0)?, r.get(1)?, r.get(2)?))).and_then(Iterator::collect)
                }),
        )
    }

    /// Note whether a root was there, and that it has just been crawled whole.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn root_seen(&self, path: &Path, present: bool) -> Result<()> {
        let (state, at) = if present { ("present", Some(now_ms())) } else { ("missing", None) };
        self.wrap(
            self.conn
                .execute(
                    "UPDATE roots SET state = ?2, reconciled_ms = COALESCE(?3, reconciled_ms) WHERE path = ?1",
                    rusqlite::params![path_bytes(path), state, at],
                )
                .map(|_| ()),
        )
    }
}

/// The half-open range of paths below `root`, as bytes: from "root/" to "root0" ('0' follows '/').
fn subtree(root: &Path) -> (Vec<u8>, Vec<u8>) {
    let root = path_bytes(root);
    let root = root.strip_suffix(b"/").unwrap_or(root);
    ([root, b"/"].concat(), [root, b"0"].concat())
}

fn track_in(conn: &Connection, audio: AudioId) -> rusqlite::Result<i64> {
    conn.prepare_cached("INSERT INTO tracks (audio, added_ms) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(rusqlite::params![audio.0, now_ms()])?;
    conn.prepare_cached("SELECT id FROM tracks WHERE audio = ?1")?.query_row([audio.0], |r| r.get(0))
}

/// Copies of one recording that are asked whether they are still there. Those on the same inode and those known to be
/// missing come first; with thousands of copies, each new one would ask all the others.
const ASKED: u32 = 100;

/// The row of the same audio that this path was called before: one that is missing, or whose path is gone. A
/// hard link or a copy is still there: then this is another file.
fn moved_from(
    conn: &Connection,
    track: i64,
    stamp: FileStamp,
    is_gone: &dyn Fn(&Path) -> bool,
) -> rusqlite::Result<Option<i64>> {
    let mut statement = conn.prepare_cached(
        "SELECT id, path, state = 'missing' FROM files WHERE track_id = ?1
         ORDER BY (dev = ?2 AND ino = ?3) DESC, missing_since_ms DESC, id LIMIT ?4",
    )?;
    let (dev, ino) = (stamp.dev.cast_signed(), stamp.ino.cast_signed());
    let mut rows = statement.query(rusqlite::params![track, dev, ino, ASKED])?;
    while let Some(row) = rows.next()? {
        if row.get(2)? || is_gone(&path_at(row, 1)?) {
            return row.get(0).map(Some);
        }
    }
    Ok(None)
}

fn write_in(conn: &Connection, existing: Option<i64>, track: i64, new: &NewFile) -> rusqlite::Result<i64> {
    let tags = &new.tags;
    let sql = if existing.is_some() {
        "UPDATE files SET path = :path, path_text = :text, track_id = :track, format = :format, dev = :dev, ino = :ino,
             size = :size, mtime_ns = :mtime, ctime_ns = :ctime, state = 'present', missing_since_ms = NULL,
             title = :title, artist = :artist, album = :album, album_artist = :album_artist, year = :year,
             track_no = :track_no, disc_no = :disc_no, genres = :genres, added_ms = COALESCE(added_ms, :now)
         WHERE id = :id"
    } else {
        "INSERT INTO files (id, path, path_text, track_id, format, dev, ino, size, mtime_ns, ctime_ns, added_ms, title,
             artist, album, album_artist, year, track_no, disc_no, genres)
         VALUES (:id, :path, :text, :track, :format, :dev, :ino, :size, :mtime, :ctime, :now, :title, :artist, :album,
             :album_artist, :year, :track_no, :disc_no, :genres)"
    };
    conn.prepare_cached(sql)?.execute(named_params! {
        ":id": existing,
        ":path": path_bytes(&new.path),
        ":text": new.path.to_string_lossy(),
        ":track": track,
        ":format": new.format.name(),
        ":dev": new.stamp.dev.cast_signed(),
        ":ino": new.stamp.ino.cast_signed(),
        ":size": new.stamp.size.cast_signed(),
        ":mtime": new.stamp.mtime_ns,
        ":ctime": new.stamp.ctime_ns,
        ":now": now_ms(),
        ":title": tags.title,
        ":artist": tags.artist,
        ":album": tags.album,
        ":album_artist": tags.album_artist,
        ":year": tags.year,
        ":track_no": tags.track_no,
        ":disc_no": tags.disc_no,
        ":genres": json(&tags.genres),
    })?;
    Ok(existing.unwrap_or_else(|| conn.last_insert_rowid()))
}
