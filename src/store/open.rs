//! Opening a library: create, migrate with a backup, refuse a newer one, set a damaged one aside.

use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};
use rustix::fs::{Access, StatVfsMountFlags};

use super::{Result, Store, StoreError, now_ms};

/// The released migrations, in order. A released one never changes; a change of schema appends.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001-library.sql"),
    include_str!("../../migrations/0002-tags.sql"),
    include_str!("../../migrations/0003-search.sql"),
    include_str!("../../migrations/0004-corrections.sql"),
    include_str!("../../migrations/0005-kept-searches.sql"),
    include_str!("../../migrations/0006-journal.sql"),
];

static ALL: LazyLock<Migrations<'static>> = LazyLock::new(|| MIGRATIONS.iter().map(|sql| M::up(sql)).collect());

/// Tries of a migration, while another process may be at it.
const MIGRATION_ATTEMPTS: u32 = 20;

/// Pages (4 KiB each) in the log before it is emptied into the database: 32 MiB.
const LOG_PAGES: u32 = 8_192;

/// How long a write waits for another process's short transaction.
const BUSY: Duration = Duration::from_secs(30);

impl Store {
    /// Open the library at `path` to read and write; make it, and its folder, when there is none.
    ///
    /// # Errors
    /// Named: a newer schema, a failed migration (the backup is kept), a damaged file (kept aside), no access.
    pub fn open(path: &Path) -> Result<Self> {
        if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
            std::fs::create_dir_all(dir).map_err(|source| StoreError::Io { path: dir.into(), source })?;
        }
        let store = Self::connect(path, OpenFlags::default()).and_then(Self::prepared);
        match store {
            Err(StoreError::Malformed { reason, .. }) => Err(set_aside(path, &reason)),
            other => other,
        }
    }

    /// Open the library at `path` to read only. It is never created or migrated; an older schema is a plain
    /// [`Store::open`]'s job.
    ///
    /// # Errors
    /// Named: no library yet, a newer schema, no access, damage.
    pub fn open_reader(path: &Path) -> Result<Self> {
        let (store, version) = Self::look(path)?;
        if version < MIGRATIONS.len() {
            drop(store);
            drop(Self::open(path)?);
            return Self::open_reader(path);
        }
        Ok(store)
    }

    /// Open a backup to copy it. It stays as it is, of an older schema, too.
    ///
    /// # Errors
    /// As [`Self::open_reader`]; a database that is no library.
    pub fn open_backup(path: &Path) -> Result<Self> {
        let (store, version) = Self::look(path)?;
        if version == 0 {
            return Err(store.value("it is no library"));
        }
        Ok(store)
    }

    /// Open to read only, whatever the schema; with its version.
    fn look(path: &Path) -> Result<(Self, usize)> {
        if !path.exists() {
            return Err(StoreError::Missing { path: path.into() });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let read_only = rustix::fs::statvfs(path).is_ok_and(|s| s.f_flag.contains(StatVfsMountFlags::RDONLY));
        let has_log = std::fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0);
        let mut store = if (read_only && !has_log) || is_closed_to_us(path) {
            // There is no place for a log beside it, and nobody to share one with.
            Self::connect(&unchanging(path), flags | OpenFlags::SQLITE_OPEN_URI)?
        } else {
            Self::connect(path, flags)?
        };
        store.path = path.into();
        let version = store.version()?;
        store.refuse_newer(version)?;
        Ok((store, version))
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Self> {
        let sql = |source| StoreError::sql(path, source);
        let conn = Connection::open_with_flags(path, flags).map_err(sql)?;
        conn.busy_timeout(BUSY).map_err(sql)?;
        conn.set_prepared_statement_cache_capacity(64);
        conn.execute_batch("PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;")
            .map_err(sql)?;
        Ok(Self::new(conn, path.into()))
    }

    fn prepared(mut self) -> Result<Self> {
        // WAL survives a crash of the program with NORMAL; what must survive a loss of power (the journal of tag
        // writes) asks for FULL itself.
        self.wrap(self.conn.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"))?;
        // Emptying the log waits for the disk twice, and writes a page once however often it changed meanwhile.
        self.wrap(self.conn.pragma_update(None, "wal_autocheckpoint", LOG_PAGES))?;
        let version = self.version()?;
        self.refuse_newer(version)?;
        if version == MIGRATIONS.len() {
            return Ok(self);
        }
        let backup = if version > 0 {
            self.backup_beside(&format!("before-schema-{}", MIGRATIONS.len()))?
        } else {
            PathBuf::new()
        };
        // Two processes may find the same old schema: the one that comes second finds the work done.
        for attempt in 1.. {
            match ALL.to_latest(&mut self.conn) {
                Ok(()) => break,
                Err(_) if attempt < MIGRATION_ATTEMPTS && self.version()? < MIGRATIONS.len() => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(_) if self.version()? == MIGRATIONS.len() => break,
                Err(error) => {
                    let reason = match error {
                        rusqlite_migration::Error::RusqliteError { err, .. } => err.to_string(),
                        other => other.to_string(),
                    };
                    return Err(StoreError::Migration { path: self.path.clone(), reason, backup });
                }
            }
        }
        Ok(self)
    }

    fn version(&self) -> Result<usize> {
        self.wrap(self.conn.query_row("PRAGMA user_version", [], |r| r.get::<_, u32>(0))).map(|v| v as usize)
    }

    fn refuse_newer(&self, found: usize) -> Result<()> {
        if found > MIGRATIONS.len() {
            return Err(StoreError::Newer { path: self.path.clone(), found, known: MIGRATIONS.len() });
        }
        Ok(())
    }

    fn backup_beside(&self, why: &str) -> Result<PathBuf> {
        let to = self.path.with_extension(format!("{why}.{}.bak", now_ms()));
        self.backup_to(&to)?;
        Ok(to)
    }

    /// Copy the whole library, consistent as of now, to a new file at `to`.
    ///
    /// # Errors
    /// What SQLite says; an existing file is not replaced.
    pub fn backup_to(&self, to: &Path) -> Result<()> {
        if to.exists() {
            return Err(StoreError::Io { path: to.into(), source: std::io::ErrorKind::AlreadyExists.into() });
        }
        let copy = || {
            let mut target = Connection::open(to)?;
            rusqlite::backup::Backup::new(&self.conn, &mut target)?.run_to_completion(1024, Duration::ZERO, None)
        };
        copy().map_err(|source| StoreError::sql(to, source))
    }

    /// SQLite's own check of the whole file: empty when all is well.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn integrity(&self) -> Result<Vec<String>> {
        let rows: Vec<String> = self.wrap(
            self.conn
                .prepare("PRAGMA integrity_check")
                .and_then(|mut s| s.query_map([], |r| r.get(0)).and_then(Iterator::collect)),
        )?;
        Ok(rows.into_iter().filter(|row| row != "ok").collect())
    }
}

/// `path` with `suffix` behind its name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The URI that tells SQLite that nobody can write to the file at `path`.
fn unchanging(path: &Path) -> PathBuf {
    use std::fmt::Write;
    let mut uri = "file:".to_owned();
    for &byte in crate::track::path_bytes(path) {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => uri.push(byte.into()),
            // Writing into a text does not fail.
            _ => drop(write!(uri, "%{byte:02x}")),
        }
    }
    (uri + "?immutable=1").into()
}

/// Whether the library at `path` lies in a folder that we may not write to, and nobody has it open: whoever has keeps a
/// log and its index there, and SQLite reads along.
fn is_closed_to_us(path: &Path) -> bool {
    let folder = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    rustix::fs::access(folder, Access::WRITE_OK).is_err()
        && ["-wal", "-shm"].iter().all(|log| !beside(path, log).exists())
}

/// Move a damaged database, with its log, out of the way under a name that says so.
fn set_aside(path: &Path, reason: &str) -> StoreError {
    let stamp = now_ms();
    let aside = |p: &Path| beside(p, &format!(".damaged-{stamp}"));
    let kept = aside(path);
    if let Err(source) = std::fs::rename(path, &kept) {
        return StoreError::Io { path: path.into(), source };
    }
    for suffix in ["-wal", "-shm"] {
        let log = beside(path, suffix);
        if log.exists() && std::fs::rename(&log, aside(&log)).is_err() {
            tracing::warn!(path = %log.display(), "a log of the damaged database could not be moved");
        }
    }
    StoreError::Damaged { path: path.into(), reason: reason.to_owned(), kept }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn searches_that_the_ui_kept_are_searches_like_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("library.db");
        let before = Connection::open(&path).unwrap();
        for sql in &MIGRATIONS[..4] {
            before.execute_batch(sql).unwrap();
        }
        let kept = r#"["mostly jazz", 7, "artist:\"nina simone\""]"#;
        before.execute("INSERT INTO meta VALUES ('kept_searches', ?1)", [kept]).unwrap();
        before.execute("INSERT INTO searches VALUES ('kept-3', 'blues', 1)", []).unwrap();
        before.execute_batch("PRAGMA user_version = 4").unwrap();
        drop(before);
        let store = Store::open(&path).unwrap();
        let names: Vec<(String, String)> = store.searches().unwrap().into_iter().collect();
        // What has the name already is not overwritten.
        assert_eq!(names, [("kept-1".into(), "mostly jazz".into()), ("kept-3".into(), "blues".to_owned())]);
        assert_eq!(store.meta("kept_searches").unwrap(), None);
    }
}
