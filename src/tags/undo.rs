//! The way back: byte for byte where the file is as we left it, by a normal write of the old genre where only
//! the genre is still ours, and not at all where somebody has changed it since.

use std::{
    collections::HashSet,
    fs::File,
    path::{Path, PathBuf},
};

use super::{
    Refusal, copy,
    edit::Wanted,
    read,
    run::{Report, Writer},
    write::{Change, Options, Target},
};
use crate::{
    payload,
    store::{Store, StoreError, WriteRow, WriteState},
};

/// Which writes are taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undo {
    /// Those of the last run that has something to take back.
    Last,
    /// Those of one run.
    Run(i64),
    /// Those made since, in milliseconds since 1970.
    Since(i64),
    /// All that were made into these files, by row.
    Files(Vec<i64>),
}

/// How a write can be taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Every byte as it was.
    Bytes,
    /// The old genre, written anew: other things in the file changed since.
    Genre,
    /// Not at all.
    Skipped(String),
}

/// A write that would be taken back.
#[derive(Clone, Debug)]
pub struct Back {
    /// The write.
    pub write: WriteRow,
    /// The file, as it is called now.
    pub path: PathBuf,
    /// Its row, where the library knows it.
    file: Option<i64>,
    /// How.
    pub way: Way,
}

/// The writes that `undo` means, the newest first.
fn chosen(store: &Store, undo: &Undo) -> Result<Vec<WriteRow>, StoreError> {
    let mut rows = match undo {
        Undo::Last => match store.runs()?.into_iter().find(|run| run.kind == "tag" && run.done > 0) {
            Some(run) => store.writes_of_run(run.id)?,
            None => Vec::new(),
        },
        Undo::Run(run) => store.writes_of_run(*run)?,
        Undo::Since(ms) => store.writes_since(*ms)?,
        Undo::Files(files) => {
            let mut rows = Vec::new();
            for file in files {
                rows.extend(store.writes_of_file(*file)?);
            }
            rows
        }
    };
    rows.retain(|row| row.state == WriteState::Done);
    rows.sort_by_key(|row| std::cmp::Reverse(row.id));
    Ok(rows)
}

/// Where the file that was written is now, and its row.
fn place(store: &Store, row: &WriteRow) -> Result<(PathBuf, Option<i64>), StoreError> {
    if holds(&row.path, row) {
        // One that was written through a link is known by the link.
        return Ok((row.path.clone(), store.file_at(&row.path)?.map(|file| file.id).or(row.file)));
    }
    // A file that was renamed since is found by its row.
    let known = match row.file {
        Some(file) => store.file(file)?,
        None => None,
    };
    if let Some(file) = known.filter(|file| holds(&file.path, row)) {
        return Ok((file.path, Some(file.id)));
    }
    // When another took its name, it is among those that hold its recording. A copy with a history of its own is not
    // it: only the very bytes are.
    let copies = match row.audio {
        Some(audio) => store.files_of_audio(audio)?,
        None => Vec::new(),
    };
    let same = |path: &Path| File::open(path).is_ok_and(|file| is_as_left(&file, row));
    let found = copies.into_iter().find(|file| same(&file.path));
    Ok(found.map_or_else(|| (row.path.clone(), row.file), |file| (file.path, Some(file.id))))
}

fn is_as_left(file: &File, row: &WriteRow) -> bool {
    copy::hash(file).is_ok_and(|hash| Some(hash) == row.new_hash)
}

/// Writes made before their recording was noted are taken at their path's word.
fn is_recording(file: &File, row: &WriteRow) -> bool {
    row.audio.is_none_or(|audio| payload::identify(file).is_ok_and(|found| found.id == audio))
}

/// Whether the file at `path` may be the one that was written: it is as we left it, or holds the same recording.
fn holds(path: &Path, row: &WriteRow) -> bool {
    File::open(path).is_ok_and(|file| is_as_left(&file, row) || is_recording(&file, row))
}

fn way(row: &WriteRow, path: &Path, has_patch: bool, joiner: &str) -> Result<Way, Refusal> {
    let file = File::open(path)?;
    if has_patch && Some(copy::hash(&file)?) == row.new_hash {
        return Ok(Way::Bytes);
    }
    let format = payload::sniff(&file)?.ok_or_else(|| Refusal::new("it is no audio file any more"))?;
    if !is_recording(&file, row) {
        return Ok(Way::Skipped("another recording is in its place now".to_owned()));
    }
    let tags = read::parse(path, format, false).map_err(|error| Refusal::new(error.to_string()))?;
    let genres = tags.file_tags(joiner).genres;
    Ok(if genres == row.new_genres && row.old_genres != row.new_genres {
        Way::Genre
    } else {
        Way::Skipped("its genre was changed since".to_owned())
    })
}

/// What `undo` would take back, and how, the newest first. Of several writes into one file only the newest is
/// looked at on the disk: the others follow from it.
///
/// # Errors
/// What the store says.
pub fn ways_back(store: &Store, undo: &Undo, joiner: &str) -> Result<Vec<Back>, StoreError> {
    let mut seen = HashSet::new();
    let mut list = Vec::new();
    for write in chosen(store, undo)? {
        let (path, file) = place(store, &write)?;
        let has_patch = store.patch(write.id)?.is_some();
        let first = seen.insert(path.clone());
        let way = if first || !has_patch {
            way(&write, &path, has_patch, joiner).unwrap_or_else(|refusal| Way::Skipped(refusal.reason))
        } else {
            Way::Bytes
        };
        list.push(Back { write, path, file, way });
    }
    Ok(list)
}

/// Take writes back, as a run of its own. `each` is told of every file and may stop by returning false.
///
/// # Errors
/// When the journal cannot be kept.
pub fn undo(
    store: &Store,
    list: &[Back],
    what: &str,
    joiner: &str,
    options: Options,
    each: &mut dyn FnMut(&Back, &Result<(), Refusal>) -> bool,
) -> Result<Report, StoreError> {
    let mut writer = Writer::begin_undo(store, what, options)?;
    let mut skipped = Vec::new();
    for back in list {
        let result = match one(store, &mut writer, back, joiner)? {
            Ok(()) => Ok(()),
            Err(refusal) => {
                skipped.push((back.path.clone(), refusal.reason.clone()));
                Err(refusal)
            }
        };
        if !each(back, &result) {
            break;
        }
    }
    let mut report = writer.end()?;
    report.refused = skipped;
    Ok(report)
}

fn one(store: &Store, writer: &mut Writer<'_>, back: &Back, joiner: &str) -> Result<Result<(), Refusal>, StoreError> {
    let row = &back.write;
    let patch = store.patch(row.id)?;
    // Looked at again: an older write into the same file may only now be the newest.
    let way = match way(row, &back.path, patch.is_some(), joiner) {
        Ok(way) => way,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let format = match File::open(&back.path).and_then(|file| payload::sniff(&file)) {
        Ok(Some(format)) => format,
        Ok(None) => return Ok(Err(Refusal::new("it is no audio file any more"))),
        Err(error) => return Ok(Err(error.into())),
    };
    let wanted;
    let change = match (way, &patch, row.new_hash, row.old_hash) {
        (Way::Skipped(reason), ..) => return Ok(Err(Refusal::new(reason))),
        (Way::Bytes, Some(patch), Some(now), Some(then)) => Change::Back { patch, now, then },
        _ => {
            wanted =
                Wanted { genres: row.old_genres.clone(), joiner: joiner.to_owned(), own_shares: true, shares: vec![] };
            Change::Items(&wanted)
        }
    };
    // The bytes of a whole file are proof enough; a genre goes into the recording that it was taken out of.
    let audio = row.audio.filter(|_| matches!(change, Change::Items(_)));
    let target = Target {
        run: writer.run(),
        file: back.file,
        path: &back.path,
        format,
        audio,
        stamp: None,
        old_genres: &row.new_genres,
        new_genres: &row.old_genres,
        written: row.old_written.as_deref(),
        undoes: Some(row.id),
    };
    writer.one(&target, &change)
}
