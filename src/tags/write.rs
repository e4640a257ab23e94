//! One write, from the first look at the file to the last row of the journal.
//!
//! ```text
//! open, identify -> splices -> intent -> copy -> prove -> dress, fsync -> ready -> swap -> done
//! ```
//!
//! Whatever goes wrong before the swap leaves the original untouched and no copy behind; whatever ends the
//! process is resolved by [`super::recover`].

use std::{fs::File, panic::AssertUnwindSafe, path::Path, sync::LazyLock};

use super::{
    Refusal,
    copy::{self, Copy, Original, Swapped},
    edit::{self, Edit, Wanted},
    proof,
    splice::{Spliced, Splices},
};
use crate::{
    payload::Source,
    store::{Finished, NewWrite, Store, StoreError},
    track::{AudioId, FileStamp, Format},
};

/// What holds for every file of a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Keep modification times.
    pub keep_mtime: bool,
    /// Write files that have more than one hard link.
    pub hard_links: bool,
    /// Keep no way back.
    pub no_undo: bool,
    /// Largest way back, bytes.
    pub undo_max_bytes: u64,
    /// Who is told of each write.
    pub hooks: std::sync::Arc<crate::hooks::Hooks>,
}

/// Why a write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// This file is not written; the next may be.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What stands under the file's name is not settled: its row stays open, and the next start looks at the disk.
    #[error(transparent)]
    Open(Refusal),
    /// The journal cannot be kept: nothing more may be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<copy::Failed> for WriteError {
    fn from(failed: copy::Failed) -> Self {
        match failed {
            copy::Failed::AsItWas(refusal) => Self::Refused(refusal),
            copy::Failed::Open(refusal) => Self::Open(refusal),
        }
    }
}

impl From<crate::payload::PayloadError> for WriteError {
    fn from(error: crate::payload::PayloadError) -> Self {
        Self::Refused(error.into())
    }
}

/// What a file becomes.
pub(super) enum Change<'a> {
    /// These items, by the editors.
    Items(&'a Wanted),
    /// Its content before, by a reverse patch: the hash it must have now, and the one it will have.
    Back { patch: &'a [u8], now: [u8; 32], then: [u8; 32] },
}

/// What is written where.
pub(super) struct Target<'a> {
    pub(super) run: i64,
    pub(super) file: Option<i64>,
    pub(super) path: &'a Path,
    pub(super) format: Format,
    /// The audio that the genre was heard in.
    pub(super) audio: Option<AudioId>,
    /// The stamp it had when the write was planned.
    pub(super) stamp: Option<FileStamp>,
    pub(super) old_genres: &'a [String],
    pub(super) new_genres: &'a [String],
    /// What counts as ours when it is done.
    pub(super) written: Option<&'a [String]>,
    pub(super) undoes: Option<i64>,
}

/// Who we are: the process, and when it started, so that a number given again is not taken for us.
pub(super) fn owner(pid: u32) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The second field is a name in parentheses, and may hold anything.
    let started = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(19)).unwrap_or("?");
    format!("{pid}:{started}")
}

static OWNER: LazyLock<String> = LazyLock::new(|| owner(std::process::id()));

/// What will change, and how to get back.
struct Prepared {
    splices: Splices,
    back: Splices,
    edit: Edit,
}

fn prepare(source: &Source<'_>, format: Format, change: &Change<'_>) -> Result<Prepared, Refusal> {
    // A fault of ours in a walker is one file that is not written, not the end of the run.
    std::panic::catch_unwind(AssertUnwindSafe(|| prepare_unguarded(source, format, change)))
        .unwrap_or_else(|_| Err(Refusal::new("its tags could not be walked")))
}

fn prepare_unguarded(source: &Source<'_>, format: Format, change: &Change<'_>) -> Result<Prepared, Refusal> {
    let edit = match change {
        Change::Items(wanted) => edit::edit(source, format, wanted)?,
        Change::Back { patch, .. } => {
            let splices = Splices::from_bytes(patch).ok_or_else(|| Refusal::new("its way back is damaged"))?;
            Edit { splices: splices.list().to_vec(), ..Edit::default() }
        }
    };
    let splices = Splices::new(edit.splices.clone()).ok_or_else(|| Refusal::new("its tags overlap"))?;
    let splices = splices.trimmed(source)?;
    let back = splices.inverse(source)?;
    Ok(Prepared { splices, back, edit })
}

/// The splices that would make `file` say what is wanted, and notes; for previews.
pub(super) fn preview(file: &File, format: Format, wanted: &Wanted) -> Result<(Splices, Vec<String>), Refusal> {
    let prepared = prepare(&Source::new(file)?, format, &Change::Items(wanted))?;
    Ok((prepared.splices, prepared.edit.notes))
}

/// What would be refused before anything is read closely: links, modes, and what is odd about the container.
pub(super) fn look(path: &Path, file: &File, format: Format, hard_links: bool) -> Result<(), Refusal> {
    Original::open(path, hard_links)?;
    if let Some(fault) = crate::payload::faults(&Source::new(file)?, format)?.first() {
        return Err(Refusal::new(fault.to_string()));
    }
    Ok(())
}

/// Write. `Ok(None)` when there is nothing to change.
pub(super) fn write(
    store: &Store,
    target: &Target<'_>,
    change: &Change<'_>,
    options: &Options,
) -> Result<Option<Swapped>, WriteError> {
    let original = Original::open(target.path, options.hard_links)?;
    if target.stamp.is_some_and(|stamp| stamp != original.stamp) {
        return Err(Refusal::new("it changed since it was looked at; look again").into());
    }
    let audio = proof::writable(&original.file, target.format)?;
    if target.audio.is_some_and(|heard| heard != audio) {
        return Err(Refusal::new("its audio is not what was heard; scan it again").into());
    }
    let prepared = prepare(&Source::new(&original.file).map_err(Refusal::from)?, target.format, change)?;
    if prepared.splices.list().is_empty() {
        return Ok(None);
    }
    let patch = prepared.back.to_bytes();
    if !options.no_undo && patch.len() as u64 > options.undo_max_bytes {
        let mib = patch.len() as u64 / (1 << 20) + 1;
        return Err(Refusal::new(format!("its way back would take {mib} MiB; --no-undo writes without one")).into());
    }

    let path = copy::sibling(&original.path);
    let new = NewWrite {
        run: target.run,
        file: target.file,
        path: &original.path,
        audio,
        copy: &path,
        owner: &OWNER,
        old_genres: target.old_genres,
        new_genres: target.new_genres,
        written: target.written,
        undoes: target.undoes,
    };
    let Some(id) = store.intend(&new)? else {
        return Err(Refusal::new("another deepcuts is writing it").into());
    };
    let patch = (!options.no_undo).then_some(patch.as_slice());
    let done = finish(store, id, target.format, &original, audio, &path, &prepared, change, options, patch);
    match done {
        Ok(swapped) => {
            let finished = Finished {
                file: target.file,
                stamp: swapped.stamp,
                genres: target.new_genres,
                written: target.written,
                leftover: swapped.leftover,
            };
            store.done(id, &finished)?;
            Ok(Some(swapped))
        }
        Err(WriteError::Refused(refusal)) => {
            store.refused(id, &refusal.reason)?;
            Err(refusal.into())
        }
        Err(error) => Err(error),
    }
}

#[allow(clippy::too_many_arguments)]
fn finish(
    store: &Store,
    id: i64,
    format: Format,
    original: &Original,
    audio: AudioId,
    path: &Path,
    prepared: &Prepared,
    change: &Change<'_>,
    options: &Options,
    patch: Option<&[u8]>,
) -> Result<Swapped, WriteError> {
    let copy = Copy::make(path.to_path_buf(), &original.file, &prepared.splices)?;
    let old_hash = copy::hash(&original.file)?;
    let new_hash = copy::hash(&copy.file)?;
    // The way back is proven before it could be needed.
    let back = Spliced::new(&copy.file, &prepared.back).map_err(Refusal::from)?;
    let back = back.ok_or_else(|| Refusal::new("the copy is too short; it was thrown away"))?;
    let mut hasher = blake3::Hasher::new();
    let source = Source::new(&back).map_err(Refusal::from)?;
    source.stream(0..source.len(), "the copy", |piece| {
        hasher.update(piece);
    })?;
    if *hasher.finalize().as_bytes() != old_hash {
        return Err(Refusal::new("it could not be undone; the copy was thrown away").into());
    }
    match change {
        Change::Items(wanted) => {
            let old = (original.path.as_path(), &original.file, audio);
            proof::prove(old, (path, &copy.file), format, wanted, &prepared.edit)?;
        }
        Change::Back { now, then, .. } => {
            if old_hash != *now || new_hash != *then {
                return Err(Refusal::new("it changed since it was written").into());
            }
        }
    }
    copy.dress(&original.file, options.keep_mtime)?;
    store.ready(id, old_hash, new_hash, patch)?;
    Ok(copy::swap(original, copy, old_hash)?)
}
