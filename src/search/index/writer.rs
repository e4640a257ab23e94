//! Keeps the index up with the library. One writer at a time: whoever holds the listener's role.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tantivy::{Index, IndexWriter, TantivyError, Term, directory::error::LockError, indexer::UserOperation};

use super::{
    IndexError, Stamp, Unusable, damaged,
    document::document,
    open,
    schema::{Fields, LAYOUT, register, schema},
};
use crate::store::{Store, now_ms};

/// Commit after so many files: each commit makes a segment, and many small ones are slow to search.
const COMMIT_FILES: usize = 5_000;

/// Or when the last commit was so long ago: what is heard can be found within two seconds, of which the writer of the
/// library takes most before it tells of it.
const COMMIT_AFTER: Duration = Duration::from_millis(500);

/// Changes read at once.
const BATCH: usize = 1_000;

/// Memory of the writer, bytes; Tantivy wants at least 15 MB a thread.
const WRITER_BYTES: usize = 48 << 20;

/// Called with (files done, files in all) while an index is made anew.
pub type Progress<'a> = dyn FnMut(u64, u64) + 'a;

/// The writer of the index.
pub struct Indexer {
    path: PathBuf,
    writer: IndexWriter,
    fields: Fields,
    library: String,
    /// Up to which change the last commit went, and how far it was learned since.
    committed: i64,
    learned: i64,
    /// Files learned since the last commit, and when that was.
    waiting: usize,
    since: Option<Instant>,
}

impl std::fmt::Debug for Indexer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Indexer").field("path", &self.path).finish_non_exhaustive()
    }
}

fn aside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(what);
    path.with_file_name(name)
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> IndexError {
    move |source| IndexError::Io { path: path.into(), source }
}

fn wrap(path: &Path) -> impl Fn(TantivyError) -> IndexError {
    move |source| match source {
        TantivyError::LockFailure(LockError::LockBusy, _) => IndexError::Busy { path: path.into() },
        source => IndexError::Tantivy { path: path.into(), source },
    }
}

impl Indexer {
    /// Open the index in `path` for writing. One that cannot be used is moved aside and made anew from the
    /// library, with progress.
    ///
    /// # Errors
    /// Another writer, the file system, the database.
    pub fn open(path: &Path, store: &Store, progress: &mut Progress<'_>) -> Result<Self, IndexError> {
        store.make_library_id()?;
        let usable = open(path, store).and_then(|(index, fields, stamp)| Self::on(path, &index, fields, stamp));
        match usable {
            Err(IndexError::Unusable { why, .. }) => {
                if why != Unusable::Absent {
                    tracing::warn!(index = %path.display(), %why, "the search index is moved aside and made anew");
                }
                Self::rebuild(path, store, progress)
            }
            other => other,
        }
    }

    fn on(path: &Path, index: &Index, fields: Fields, stamp: Stamp) -> Result<Self, IndexError> {
        // A damaged segment shows when it is opened for reading.
        index.reader().map_err(damaged(path))?;
        let writer: IndexWriter = index.writer_with_num_threads(1, WRITER_BYTES).map_err(wrap(path))?;
        // A writer that was killed left files whose names the next one would use again.
        writer.garbage_collect_files().wait().map_err(wrap(path))?;
        Ok(Self {
            path: path.into(),
            writer,
            fields,
            library: stamp.library,
            committed: stamp.seq,
            learned: stamp.seq,
            waiting: 0,
            since: None,
        })
    }

    /// Make the index anew from the library. Searches see the old one until the new one is whole.
    ///
    /// # Errors
    /// The file system, the database.
    pub fn rebuild(path: &Path, store: &Store, progress: &mut Progress<'_>) -> Result<Self, IndexError> {
        let building = aside(path, ".building");
        if building.exists() {
            std::fs::remove_dir_all(&building).map_err(io(&building))?;
        }
        std::fs::create_dir_all(&building).map_err(io(&building))?;
        let (wanted, fields) = schema();
        let index = Index::create_in_dir(&building, wanted).map_err(wrap(&building))?;
        register(&index);
        let library = store.make_library_id()?;
        // Whatever changes while it is made is noted after this number, and learned again.
        let seq = store.last_change()?;
        let total = store.file_count()?;
        let rows = store.genre_rows()?;
        let mut writer: IndexWriter = index.writer_with_num_threads(1, 4 * WRITER_BYTES).map_err(wrap(&building))?;
        let mut done = 0;
        let mut failed = None;
        store.each_index_row(|row| {
            if let Err(e) = writer.add_document(document(&row, &fields, &rows)) {
                failed = Some(e);
                return false;
            }
            done += 1;
            if done % 1_000 == 0 {
                progress(done, total);
            }
            true
        })?;
        if let Some(e) = failed {
            return Err(wrap(&building)(e));
        }
        let stamp = Stamp { layout: LAYOUT, library, seq };
        commit(&mut writer, &stamp).map_err(wrap(&building))?;
        writer.wait_merging_threads().map_err(wrap(&building))?;
        progress(total, total);
        drop(index);
        Self::swap(path, &building)?;
        // The stamp is never behind the watermark, so the watermark may follow.
        store.set_index_watermark(stamp.seq)?;
        let index = Index::open_in_dir(path).map_err(wrap(path))?;
        register(&index);
        Self::on(path, &index, fields, stamp)
    }

    /// Put what was built in place; an index that was there is kept aside, one only.
    fn swap(path: &Path, building: &Path) -> Result<(), IndexError> {
        let kept_prefix = format!("{}.aside-", path.file_name().unwrap_or_default().to_string_lossy());
        let parent = path.parent().unwrap_or(Path::new("."));
        for entry in std::fs::read_dir(parent).map_err(io(parent))?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(&kept_prefix) {
                std::fs::remove_dir_all(entry.path()).map_err(io(&entry.path()))?;
            }
        }
        if path.exists() {
            let kept = aside(path, &format!(".aside-{}", now_ms()));
            std::fs::rename(path, &kept).map_err(io(path))?;
        }
        std::fs::rename(building, path).map_err(io(path))
    }

    /// Whether somebody has deleted the index that is written.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        !self.path.join("meta.json").exists()
    }

    /// Learn what changed in the library since; commits when enough has come together or long enough has gone
    /// by. Returns the number of files learned. Call it after each commit of the library.
    ///
    /// # Errors
    /// The file system, the database.
    pub fn catch_up(&mut self, store: &Store) -> Result<usize, IndexError> {
        let mut count = 0;
        while let Some((last, files)) = store.changes_after(self.learned, BATCH)? {
            let found = store.index_rows(&files)?;
            // Read after the files: a genre that one of them has may have been new a moment ago.
            let rows = store.genre_rows()?;
            let mut operations = Vec::with_capacity(files.len() * 2);
            for (file, row) in files.iter().zip(found) {
                operations.push(UserOperation::Delete(Term::from_field_u64(self.fields.id, file.cast_unsigned())));
                if let Some(row) = row {
                    operations.push(UserOperation::Add(document(&row, &self.fields, &rows)));
                }
            }
            self.writer.run(operations).map_err(wrap(&self.path))?;
            self.learned = last;
            self.waiting += files.len();
            count += files.len();
            if self.waiting >= COMMIT_FILES {
                self.commit(store)?;
            }
        }
        if self.waiting > 0 && self.since.is_none_or(|at| at.elapsed() >= COMMIT_AFTER) {
            self.commit(store)?;
        }
        Ok(count)
    }

    /// Learn what is left and commit it: at the end of a scan, or when nothing more comes.
    ///
    /// # Errors
    /// The file system, the database.
    pub fn flush(&mut self, store: &Store) -> Result<(), IndexError> {
        self.catch_up(store)?;
        if self.waiting > 0 || self.learned > self.committed { self.commit(store) } else { Ok(()) }
    }

    fn commit(&mut self, store: &Store) -> Result<(), IndexError> {
        let stamp = Stamp { layout: LAYOUT, library: self.library.clone(), seq: self.learned };
        commit(&mut self.writer, &stamp).map_err(wrap(&self.path))?;
        self.committed = self.learned;
        self.waiting = 0;
        self.since = Some(Instant::now());
        Ok(store.set_index_watermark(self.committed)?)
    }

    /// Commit, and let merges end.
    ///
    /// # Errors
    /// The file system, the database.
    pub fn close(mut self, store: &Store) -> Result<(), IndexError> {
        self.flush(store)?;
        self.writer.wait_merging_threads().map_err(wrap(&self.path))
    }
}

fn commit(writer: &mut IndexWriter, stamp: &Stamp) -> tantivy::Result<()> {
    let mut prepared = writer.prepare_commit()?;
    prepared.set_payload(&serde_json::to_string(stamp).unwrap_or_default());
    prepared.commit().map(|_| ())
}
