//! Which files a command is about: files and folders by path, or what a search finds.

use std::path::Path;

use super::{Desk, library_path};
use crate::{
    search::{SearchOptions, formats},
    store::{FileRow, Store},
};

/// The present files of the library that `words` mean: all without words, those at and below the words where all
/// are paths that exist, else those that a search finds.
pub(super) fn files(desk: &Desk, store: &Store, words: &[String]) -> anyhow::Result<Vec<FileRow>> {
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
            anyhow::ensure!(files.len() > before, "{word}: not in the library; `deepcuts scan` it first");
        }
        let mut seen = std::collections::HashSet::new();
        files.retain(|file| seen.insert(file.id));
    } else {
        let taxonomy = desk.taxonomy(store)?;
        let query = desk.grammar(store, &taxonomy)?.parse(&words.join(" "))?;
        let answer = desk.searcher(store)?.run(store, &taxonomy, &query, SearchOptions::default())?;
        eprintln!("{}", formats::headline(&answer));
        for hit in answer.hits {
            files.extend(store.file(hit.file_id)?);
        }
    }
    files.retain(|file| file.present);
    Ok(files)
}
