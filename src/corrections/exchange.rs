//! Corrections as a file: they survive a lost database, and move between machines.
//!
//! What is keyed by the audio itself means the same track wherever it lies and whatever it is called; title and path
//! are there for people. What was made of the genres (renamed, merged, hidden, other words) comes along, before the
//! corrections that are in those names. Taking the same file twice changes nothing, and what was taken back here stays
//! so.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::{
    store::{GenreChange, Imported, NewImport, Origin, Span, Store, StoreError, TakenChanges},
    track::AudioId,
};

/// Version of the format.
pub const VERSION: u32 = 1;

/// The file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// [`VERSION`]; it also says what the file is.
    pub deepcuts_corrections: u32,
    /// Genres that are corrected to, slug to name as people write it.
    pub genres: BTreeMap<String, String>,
    /// What was made of the genres and is in force, oldest first.
    #[serde(default)]
    pub genre_changes: Vec<GenreChange>,
    /// The corrections in force, oldest first.
    pub corrections: Vec<Entry>,
}

/// One correction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Identity of the audio, hex.
    pub audio: String,
    /// For people: a file that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artist: Option<String>,
    /// Part of the track, from and to in milliseconds; none for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_ms: Option<[u64; 2]>,
    /// Genres by slug, with their weights.
    pub genres: BTreeMap<String, u32>,
    /// When it was said, milliseconds since 1970.
    pub at_ms: i64,
    /// Corrections made by one act share it.
    pub act: i64,
    /// `said` of the track, or of one it sounds `like`.
    pub origin: String,
    /// The track is locked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub locked: bool,
}

/// Why a file of corrections cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// It is something else.
    #[error("this is no file of corrections: {0}")]
    Format(String),
    /// Made by a newer program.
    #[error("these corrections were exported by a newer deepcuts (format {0}, this one knows {VERSION}); update it")]
    Newer(u32),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Every correction in force.
///
/// # Errors
/// What the database says.
pub fn export(store: &Store) -> Result<Document, StoreError> {
    let locks = store.locks()?;
    let names: HashMap<String, String> = store.genre_list()?.into_iter().map(|g| (g.slug, g.name)).collect();
    let mut genres = BTreeMap::new();
    let mut corrections = Vec::new();
    for c in store.corrections(None)?.into_iter().filter(|c| c.undone_ms.is_none()) {
        let Some(audio) = store.audio_of(c.track)? else { continue };
        let file = store.files_of(c.track)?.into_iter().next();
        for (slug, _) in &c.genres {
            genres.insert(slug.clone(), names.get(slug).unwrap_or(slug).clone());
        }
        corrections.push(Entry {
            audio: audio.to_string(),
            path: file.as_ref().map(|f| f.path.to_string_lossy().into_owned()),
            title: file.as_ref().and_then(|f| f.tags.title.clone()),
            artist: file.as_ref().and_then(|f| f.tags.artist.clone()),
            span_ms: c.span.map(|s| [s.start_ms, s.end_ms]),
            genres: c.genres.into_iter().collect(),
            at_ms: c.at_ms,
            act: c.batch,
            origin: c.origin.name().to_owned(),
            locked: locks.contains(&c.track),
        });
    }
    Ok(Document { deepcuts_corrections: VERSION, genres, genre_changes: store.genre_changes()?, corrections })
}

/// Read a file of corrections.
///
/// # Errors
/// What is wrong with it.
pub fn read(json: &[u8]) -> Result<Document, ExchangeError> {
    let format = |e: serde_json::Error| ExchangeError::Format(e.to_string());
    #[derive(Deserialize)]
    struct Head {
        deepcuts_corrections: u32,
    }
    let head: Head = serde_json::from_slice(json).map_err(format)?;
    if head.deepcuts_corrections > VERSION {
        return Err(ExchangeError::Newer(head.deepcuts_corrections));
    }
    serde_json::from_slice(json).map_err(format)
}

/// Take corrections over, and what was made of the genres that they name, all or none. Tracks that the library does not
/// hold yet are corrected too: they are known again when they are scanned.
///
/// # Errors
/// An entry that makes no sense, by number; what the database says.
pub fn import(store: &Store, document: &Document) -> Result<(Imported, TakenChanges), ExchangeError> {
    let mut news = Vec::new();
    for (i, entry) in document.corrections.iter().enumerate() {
        let wrong = |what: &str| ExchangeError::Format(format!("correction {}: {what}", i + 1));
        let audio = identity(&entry.audio).ok_or_else(|| wrong("audio is not 64 hexadecimal digits"))?;
        let span = match entry.span_ms {
            Some([from, to]) if from < to && i64::try_from(to).is_ok() => Some(Span { start_ms: from, end_ms: to }),
            Some(_) => return Err(wrong("span_ms does not rise")),
            None => None,
        };
        if entry.genres.is_empty() || entry.genres.values().any(|w| !(1..=1_000_000).contains(w)) {
            return Err(wrong("it needs genres with weights from 1 to 1000000"));
        }
        let mut genres = Vec::new();
        for (slug, weight) in &entry.genres {
            let name = document.genres.get(slug).unwrap_or(slug);
            crate::genre::Genre::new(name).ok_or_else(|| wrong("a genre has no name"))?;
            genres.push((name.clone(), *weight));
        }
        news.push(NewImport {
            audio,
            span,
            genres,
            at_ms: entry.at_ms,
            act: entry.act,
            origin: Origin::from_name(&entry.origin).ok_or_else(|| wrong("origin is neither said nor like"))?,
            locked: entry.locked,
        });
    }
    store.together(|| {
        let changes = store.take_genre_changes(&document.genre_changes)?;
        Ok((store.import_corrections(&news)?, changes))
    })
}

fn identity(hex: &str) -> Option<AudioId> {
    let digits = hex.as_bytes();
    let mut id = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(AudioId(id))
}
