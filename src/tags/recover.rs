//! After a crash: every write that was begun and not ended is resolved by looking at the disk.
//!
//! The journal says which copy belongs to which file, and what each should hash to. A copy that the journal
//! does not name is never touched, nor is one of a process that still runs.

use std::{fs::File, path::Path};

use super::{copy, write::owner};
use crate::{
    store::{Finished, Store, StoreError, WriteRow, WriteState},
    track::FileStamp,
};

/// What became of a write that a crash interrupted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The file.
    pub path: std::path::PathBuf,
    /// For people.
    pub what: &'static str,
}

fn runs(row: &WriteRow) -> bool {
    row.owner.split(':').next().and_then(|pid| pid.parse().ok()).is_some_and(|pid| owner(pid) == row.owner)
}

fn hash_of(path: &Path) -> Option<[u8; 32]> {
    path.symlink_metadata().ok().filter(std::fs::Metadata::is_file)?;
    copy::hash(&File::open(path).ok()?).ok()
}

fn discard(path: &Path) -> bool {
    match copy::discard(path) {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "a stale copy could not be removed");
            false
        }
    }
}

/// Resolve what earlier processes left.
///
/// # Errors
/// What the store says; the disk's errors leave a write open for the next start.
pub fn recover(store: &Store) -> Result<Vec<Recovered>, StoreError> {
    let mut recovered = Vec::new();
    for row in store.open_writes()? {
        if runs(&row) || !copy::is_ours(&row.copy) {
            continue;
        }
        // A folder that is not there (an unmounted disk) may come back with the copy in it.
        if !row.path.parent().is_some_and(Path::is_dir) {
            continue;
        }
        if let Some(what) = resolve(store, &row)? {
            recovered.push(Recovered { path: row.path, what });
        }
    }
    for row in store.leftovers()? {
        let there = row.copy.symlink_metadata().is_ok();
        let ours = copy::is_ours(&row.copy) && hash_of(&row.copy) == row.old_hash;
        if !there && row.path.parent().is_some_and(Path::is_dir) || there && ours && discard(&row.copy) {
            store.tidied(row.id)?;
        }
    }
    Ok(recovered)
}

fn resolve(store: &Store, row: &WriteRow) -> Result<Option<&'static str>, StoreError> {
    let stale = hash_of(&row.copy);
    let there = row.copy.symlink_metadata().is_ok();
    let abandoned = "it is as it was; what was begun was thrown away";
    if row.state == WriteState::Intent || row.new_hash.is_none() {
        if there && !discard(&row.copy) {
            return Ok(None);
        }
        store.refused(row.id, "interrupted before the swap")?;
        return Ok(Some(abandoned));
    }
    let now = hash_of(&row.path);
    if now.is_some() && now == row.new_hash {
        if there && stale.is_some() && stale != row.old_hash {
            // Somebody replaced the file just before the swap, and we did not live to see it.
            if copy::exchange_back(&row.copy, &row.path).is_err() || !discard(&row.copy) {
                return Ok(None);
            }
            store.refused(row.id, "it changed while it was being written")?;
            return Ok(Some("it had changed meanwhile; that content is back in its place"));
        }
        if there && !discard(&row.copy) {
            return Ok(None);
        }
        let Ok(stamp) = FileStamp::read(&row.path) else { return Ok(None) };
        // Beside what is ours may stand what its listener wrote: the row says which is which.
        let written = row.written.as_deref();
        let finished = Finished { file: row.file, stamp, genres: &row.new_genres, written, leftover: false };
        store.done(row.id, &finished)?;
        return Ok(Some("its write was finished"));
    }
    // Not swapped, or changed since: the copy is ours if it holds what we made or what we took out.
    if there && (stale == row.new_hash || stale == row.old_hash && now.is_some()) {
        if !discard(&row.copy) {
            return Ok(None);
        }
        store.refused(row.id, "interrupted before the swap")?;
        return Ok(Some(abandoned));
    }
    if there && now.is_some() {
        tracing::warn!(copy = %row.copy.display(), "left alone: neither what was written nor what was there before");
    }
    if !there || now.is_some() {
        store.refused(row.id, "interrupted")?;
    }
    Ok(Some("it is as it was"))
}
