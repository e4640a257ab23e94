//! Which files a command is about: files and folders by path, or what a search finds.

use std::{ffi::OsString, os::unix::ffi::OsStrExt, path::Path};

use super::{Desk, library_path, talk};
use crate::{
    search::{SearchOptions, formats},
    store::{FileRow, Store},
    text::clean_path,
};

/// The present files of the library that `words` mean: all without words, those at and below the words where all
/// are paths that exist, else those that a search finds. A word that can only be a path has to exist.
pub(super) fn files(desk: &Desk, store: &Store, words: &[OsString]) -> anyhow::Result<Vec<FileRow>> {
    let mut files = Vec::new();
    if words.is_empty() {
        store.each_file(|file| files.push(file))?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
    } else if words.iter().all(|word| Path::new(word).symlink_metadata().is_ok()) {
        for word in words {
            let path = library_path(Path::new(word))?;
            let mut below: Vec<_> = store.known_under(&path, None)?.into_iter().map(|(path, _)| path).collect();
            below.sort();
            below.dedup();
            let before = files.len();
            for path in below {
                files.extend(store.file_at(&path)?);
            }
            let word = clean_path(Path::new(word));
            anyhow::ensure!(files.len() > before, "{word}: not in the library; `deepcuts scan` it first");
        }
        let mut seen = std::collections::HashSet::new();
        files.retain(|file| seen.insert(file.id));
    } else {
        for word in words.iter().filter(|word| is_path(word)) {
            let path = Path::new(word);
            anyhow::ensure!(path.symlink_metadata().is_ok(), "{}: there is no such file or folder", clean_path(path));
        }
        let taxonomy = desk.taxonomy(store)?;
        let query = desk.grammar(store, &taxonomy)?.parse(&text(words))?;
        let answer = desk.searcher(store)?.run(store, &taxonomy, &query, SearchOptions::default())?;
        talk(format_args!("{}", formats::headline(&answer)));
        for hit in answer.hits {
            files.extend(store.file(hit.file_id)?);
        }
    }
    files.retain(|file| file.present);
    Ok(files)
}

/// What cannot be words of a search: no text, or a path from the root or from here.
fn is_path(word: &OsString) -> bool {
    word.to_str().is_none() || [&b"/"[..], b"./", b"../"].iter().any(|start| word.as_bytes().starts_with(start))
}

/// The words as one text, for a search and for the history.
pub(super) fn text(words: &[OsString]) -> String {
    words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
