//! The way back: byte for byte where the file is as we left it, by a normal write of the old genre where only
//! the genre is still ours, and not at all where somebody has changed it since.

use std::{collections::HashSet, fs::File, path::PathBuf};

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

fn path_now(store: &Store, row: &WriteRow) -> Result<PathBuf, StoreError> {
    let file = match row.file {
        Some(file) => store.file(file)?,
        None => None,
    };
    // A file that was renamed since is found by its row; one that was written through a link, by its own path.
    Ok(match file {
        Some(file) if !row.path.exists() => file.path,
        _ => row.path.clone(),
    })
}

fn way(row: &WriteRow, path: &std::path::Path, has_patch: bool, joiner: &str) -> Result<Way, Refusal> {
    let file = File::open(path)?;
    if has_patch && Some(copy::hash(&file)?) == row.new_hash {
        return Ok(Way::Bytes);
    }
    let format = payload::sniff(&file)?.ok_or_else(|| Refusal::new("it is no audio file any more"))?;
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
        let path = path_now(store, &write)?;
        let has_patch = store.patch(write.id)?.is_some();
        let first = seen.insert(write.path.clone());
        let way = if first || !has_patch {
            way(&write, &path, has_patch, joiner).unwrap_or_else(|refusal| Way::Skipped(refusal.reason))
        } else {
            Way::Bytes
        };
        list.push(Back { write, path, way });
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
    undo_days: u32,
    each: &mut dyn FnMut(&Back, &Result<(), Refusal>) -> bool,
) -> Result<Report, StoreError> {
    let mut writer = Writer::begin_kind(store, "undo", what, options, undo_days)?;
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
    let target = Target {
        run: writer.run(),
        file: row.file,
        path: &back.path,
        format,
        audio: None,
        stamp: None,
        old_genres: &row.new_genres,
        new_genres: &row.old_genres,
        written: row.old_written.as_deref(),
        undoes: Some(row.id),
    };
    writer.one(&target, &change)
}
