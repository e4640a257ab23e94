//! `like:`: the hits that sound most like some tracks, the nearest first.
//!
//! A track is named by the row of its file, by its path, or by words of its title, artist, album or path.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use super::{
    fold,
    index::{IndexError, Ranked, Reader},
    query::{Expr, Leaf, Query, Test},
    similar::Neighbours,
};
use crate::store::{FileRow, Store};

/// Hits of a search by likeness that gives no limit of its own: beyond them nothing is much alike.
pub(super) const MOST: usize = 100;

/// The tracks that are named, with what people call them.
pub(super) fn seeds(reader: &Reader, store: &Store, named: &[String]) -> Result<Vec<(i64, String)>, IndexError> {
    let mut seeds = Vec::new();
    for name in named {
        let file = match name.parse::<i64>() {
            Ok(row) => store.file(row)?,
            Err(_) if name.starts_with('/') => store.file_at(Path::new(name))?,
            Err(_) => by_words(reader, store, name)?,
        };
        let Some(file) = file else {
            return Err(IndexError::Like(format!("no track of the library is {name:?}")));
        };
        seeds.push((file.track, shown(&file)));
    }
    Ok(seeds)
}

fn shown(file: &FileRow) -> String {
    let stem = || file.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let title = file.tags.title.clone().unwrap_or_else(stem);
    match file.tags.artist.as_ref().or(file.tags.album_artist.as_ref()) {
        Some(artist) => format!("{title} - {artist}"),
        None => title,
    }
}

/// The first track, as a search orders them, that has all of these words.
fn by_words(reader: &Reader, store: &Store, text: &str) -> Result<Option<FileRow>, IndexError> {
    let leaf = |word: String| {
        let test = Test::Words { field: None, shown: word.clone(), words: vec![word], prefix: false };
        Expr::Leaf(Leaf { test, span: 0..0 })
    };
    let words = fold::tokens(text);
    if words.is_empty() {
        return Ok(None);
    }
    let query = Query { root: Expr::all(words.into_iter().map(leaf).collect()), ..Query::everything() };
    let found = reader.find(&query, 1, &store.genre_rows()?)?;
    match found.hits.first() {
        Some(hit) => Ok(store.file(hit.file)?),
        None => Ok(None),
    }
}

/// Of `hits` those most like the seeds: the nearest first, or as they were where they have an order of their own.
pub(super) fn nearest(
    store: &Store,
    neighbours: &Neighbours,
    seeds: &[(i64, String)],
    hits: Vec<Ranked>,
    most: usize,
    by_likeness: bool,
) -> Result<Vec<Ranked>, IndexError> {
    let tracks: Vec<i64> = seeds.iter().map(|(track, _)| *track).collect();
    let Some(near) = neighbours.nearest(&tracks) else {
        return Err(IndexError::Like("none of these tracks has been heard yet".to_owned()));
    };
    let track_of = store.track_of_files()?;
    let mut by_track: HashMap<i64, Vec<usize>> = HashMap::new();
    for (place, hit) in hits.iter().enumerate() {
        if let Some(track) = track_of.get(&hit.file) {
            by_track.entry(*track).or_default().push(place);
        }
    }
    let mut chosen: Vec<(usize, u32)> = Vec::new();
    for near in near {
        if chosen.len() >= most {
            break;
        }
        // A cosine of 1 is no distance at all, one of -1 the largest.
        let distance = ((1.0 - near.cosine.clamp(-1.0, 1.0)) * 500_000.0) as u32;
        // Of several copies of a recording one is enough.
        chosen.extend(by_track.get(&near.track).and_then(|places| places.first()).map(|place| (*place, distance)));
    }
    let ranked = |(place, distance): (usize, u32)| hits.get(place).map(|hit| Ranked { distance, ..hit.clone() });
    if by_likeness {
        return Ok(chosen.into_iter().filter_map(ranked).collect());
    }
    let among: HashSet<usize> = chosen.iter().map(|(place, _)| *place).collect();
    Ok(hits.into_iter().enumerate().filter(|(place, _)| among.contains(place)).map(|(_, hit)| hit).collect())
}
