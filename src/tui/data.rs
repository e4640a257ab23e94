//! What the screens show: rows of the library, views of them, all that is known of one track.
//!
//! Made by the workers, read by the screens; every text in here has been through [`clean`] already, but for
//! paths, which stay bytes and are cleaned where they are shown. Nothing here knows the store or the terminal.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    genre::{Genre, slug},
    store::{Correction, FileRow},
    text::{clean, clean_path},
    track::Mix,
};

/// A file of the library, as a list shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// File.
    pub file: i64,
    /// Track.
    pub track: i64,
    /// Where.
    pub path: PathBuf,
    /// Title, or the file's name where it has none.
    pub title: String,
    /// Artist, or empty.
    pub artist: String,
    /// Album, or empty.
    pub album: String,
    /// The folder it lies in.
    pub folder: String,
    /// Year, if known.
    pub year: Option<i32>,
    /// Length, if known.
    pub duration_ms: Option<u64>,
    /// What it is made of, if known.
    pub mix: Option<Mix>,
    /// Whether the file is there.
    pub present: bool,
    /// Artist, album, disc, number and path, folded, so that sorting compares one text.
    order: Box<str>,
    title_order: Box<str>,
}

fn cleaned(text: Option<&str>) -> String {
    text.map(|t| clean(t).trim().to_owned()).unwrap_or_default()
}

impl Row {
    /// The row of a file.
    #[must_use]
    pub fn of(file: FileRow, mix: Option<Mix>) -> Self {
        let stem = || file.path.file_stem().map(|s| clean_path(Path::new(s))).unwrap_or_default();
        let title = Some(cleaned(file.tags.title.as_deref())).filter(|t| !t.is_empty()).unwrap_or_else(stem);
        let artist = cleaned(file.tags.artist.as_deref().or(file.tags.album_artist.as_deref()));
        let album = cleaned(file.tags.album.as_deref());
        // What has no artist comes last.
        let order = format!(
            "{}\0{}\0{:04}{:06}\0{}",
            if artist.is_empty() { "\u{10ffff}".to_owned() } else { slug(&artist) },
            slug(&album),
            file.tags.disc_no.unwrap_or(0),
            file.tags.track_no.unwrap_or(0),
            file.path.to_string_lossy()
        );
        Self {
            file: file.id,
            track: file.track,
            folder: file.path.parent().map(clean_path).unwrap_or_default(),
            title_order: slug(&title).into(),
            title,
            artist,
            album,
            year: file.tags.year,
            duration_ms: file.duration_ms.and_then(|ms| u64::try_from(ms).ok()),
            mix,
            present: file.present,
            path: file.path,
            order: order.into(),
        }
    }

    /// Title and artist, in one line.
    #[must_use]
    pub fn name(&self) -> String {
        if self.artist.is_empty() { self.title.clone() } else { format!("{} · {}", self.title, self.artist) }
    }

    /// The genre with the largest share.
    #[must_use]
    pub fn top(&self) -> Option<&Genre> {
        self.mix.as_ref().and_then(|mix| mix.won().first()).map(|(genre, _)| genre)
    }

    /// The text that orders by artist and album.
    #[must_use]
    pub fn order(&self) -> &str {
        &self.order
    }

    /// The text that orders by title.
    #[must_use]
    pub fn title_order(&self) -> &str {
        &self.title_order
    }
}

/// How a list is ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// By artist, album, disc and number.
    #[default]
    Artist,
    /// By title.
    Title,
    /// By the largest genre, then its share.
    Genre,
    /// What the model is least sure of first.
    Unsure,
    /// By length.
    Length,
    /// Latest first.
    Added,
    /// By closeness to the search, as the search gave them.
    Closeness,
}

impl Sort {
    /// All that a list without a search offers.
    pub const ALL: [Self; 6] = [Self::Artist, Self::Title, Self::Genre, Self::Unsure, Self::Length, Self::Added];

    /// As the heading says it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Artist => "artist",
            Self::Title => "title",
            Self::Genre => "genre",
            Self::Unsure => "unsure",
            Self::Length => "length",
            Self::Added => "added",
            Self::Closeness => "closeness",
        }
    }
}

/// What a library can be divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Facet {
    /// The largest genre.
    #[default]
    Genre,
    /// Artist.
    Artist,
    /// Album.
    Album,
    /// Folder.
    Folder,
}

impl Facet {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Genre, Self::Artist, Self::Album, Self::Folder];

    /// As the heading says it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Genre => "Genres",
            Self::Artist => "Artists",
            Self::Album => "Albums",
            Self::Folder => "Folders",
        }
    }
}

/// One entry of a facet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacetItem {
    /// What rows are compared with: a slug for genres, the text otherwise. Empty: what has none.
    pub key: String,
    /// As it is shown.
    pub label: String,
    /// Rows.
    pub count: usize,
}

/// Which rows a list wants, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    /// Text of the search; empty for everything.
    pub query: String,
    /// What the rows are divided by.
    pub facet: Facet,
    /// Only this entry of the facet.
    pub only: Option<String>,
    /// Order.
    pub sort: Sort,
    /// The other way round.
    pub reversed: bool,
}

/// The rows of a list, ready to be drawn.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// What was asked for.
    pub spec: Spec,
    /// Rows, in order.
    pub rows: Vec<Arc<Row>>,
    /// The file of each row, side by side, so that one is found without touching the rows.
    pub files: Vec<i64>,
    /// Entries of the facet, over all rows of the search.
    pub facets: Vec<FacetItem>,
    /// Rows before the facet's entry was chosen.
    pub total: usize,
    /// What the search answered.
    pub answer: Option<Answer>,
}

impl View {
    /// The place of a file, if it is here.
    #[must_use]
    pub fn position(&self, file: i64) -> Option<usize> {
        self.files.iter().position(|f| *f == file)
    }
}

/// What a search says beside its hits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// What was understood.
    pub meaning: String,
    /// Remarks: words passed over, suggestions, why there is no hit.
    pub notes: Vec<String>,
    /// What is wrong with the query, if it could not be understood, and where (bytes from, to).
    pub error: Option<(String, usize, usize)>,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Files that are there.
    pub files: usize,
    /// Files with a mix that a model heard or the user said.
    pub heard: usize,
    /// Files whose mix the user said.
    pub corrected: usize,
    /// Files that could not be heard.
    pub failed: usize,
    /// Whether the rows are still being read for the first time.
    pub loading: bool,
}

/// A genre over time: what won each chunk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// Where the first chunk begins.
    pub start_ms: u64,
    /// Length of a chunk.
    pub chunk_ms: u64,
    /// Winner (none: unsure) and score of each.
    pub chunks: Vec<(Option<Genre>, u8)>,
}

impl Timeline {
    /// The end of the last chunk.
    #[must_use]
    pub fn end_ms(&self) -> u64 {
        self.start_ms + self.chunk_ms * self.chunks.len() as u64
    }

    /// What won between two times: the genre of most chunks (unsure where that wins), their mean score from 0 to
    /// 1. None where nothing was listened to.
    #[must_use]
    pub fn between(&self, from_ms: u64, to_ms: u64) -> Option<(Option<&Genre>, f64)> {
        if self.chunks.is_empty() || self.chunk_ms == 0 || to_ms <= self.start_ms || from_ms >= self.end_ms() {
            return None;
        }
        let index = |ms: u64| (ms.saturating_sub(self.start_ms) / self.chunk_ms) as usize;
        let first = index(from_ms).min(self.chunks.len() - 1);
        let last = index(to_ms.saturating_sub(1)).clamp(first, self.chunks.len() - 1);
        let part = &self.chunks[first..=last];
        let mut votes: BTreeMap<Option<&Genre>, (usize, u32)> = BTreeMap::new();
        for (genre, score) in part {
            let vote = votes.entry(genre.as_ref()).or_default();
            vote.0 += 1;
            vote.1 += u32::from(*score);
        }
        let (genre, (n, sum)) = votes.into_iter().max_by_key(|(genre, (n, sum))| (*n, *sum, genre.is_some()))?;
        Some((genre, f64::from(sum) / (n as f64 * 255.0)))
    }
}

/// A file of a track, as the track view shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct DetailFile {
    /// Where.
    pub path: PathBuf,
    /// Container.
    pub format: String,
    /// Whether it is there.
    pub present: bool,
    /// Bytes.
    pub size: u64,
    /// Genres in its tags.
    pub genres: Vec<String>,
    /// Genres that we wrote.
    pub written: Option<Vec<String>>,
}

/// All that is known of one track.
#[derive(Clone, Debug)]
pub struct Detail {
    /// Its row.
    pub row: Arc<Row>,
    /// Its files.
    pub files: Vec<DetailFile>,
    /// What won over time, corrections put in.
    pub timeline: Option<Timeline>,
    /// What the model heard, whatever the user said.
    pub heard: Option<Mix>,
    /// The model: name and id.
    pub model: Option<(String, String)>,
    /// When it was heard, ms since 1970.
    pub heard_ms: Option<i64>,
    /// What the user said, oldest first.
    pub corrections: Vec<Correction>,
    /// Tracks that sound alike: likeness in percent, row.
    pub similar: Vec<(u32, Arc<Row>)>,
}

/// A file that could not be heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureRow {
    /// Where.
    pub path: PathBuf,
    /// In which stage.
    pub stage: String,
    /// Why.
    pub reason: String,
}

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It goes on.
    Running,
    /// It was stopped to go on later.
    Paused,
    /// It is done.
    Ended,
    /// It could not be done.
    Failed,
}

/// A long job.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// What it is.
    pub title: String,
    /// How it stands.
    pub state: JobState,
    /// Things done.
    pub done: u64,
    /// Things to do, as far as is known; 0 when it is not.
    pub total: u64,
    /// Whether more may be found.
    pub looking: bool,
    /// Things a second.
    pub rate: f64,
    /// Things that failed.
    pub failed: u64,
    /// What it is at.
    pub current: String,
    /// What it said at its end.
    pub said: String,
}

impl Job {
    /// The numbers in a line: done, rate, time left.
    #[must_use]
    pub fn numbers(&self) -> String {
        let mut parts = vec![format!("{} of {}", thousands(self.done as usize), thousands(self.total as usize))];
        if self.rate > 0.0 {
            parts.push(format!("{:.1} tracks/s", self.rate));
        }
        if self.looking {
            parts.push("still looking".to_owned());
        } else if self.rate > 0.0 {
            parts.push(format!(
                "{} left",
                clock((self.total.saturating_sub(self.done) as f64 / self.rate * 1000.0) as u64)
            ));
        }
        if self.failed > 0 {
            parts.push(format!("{} failed", thousands(self.failed as usize)));
        }
        parts.join(" · ")
    }
}

/// A time as people read it: `3:05`, `1:02:03`.
#[must_use]
pub fn clock(ms: u64) -> String {
    let s = ms / 1000;
    if s >= 3600 {
        format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    } else {
        format!("{}:{:02}", s / 60, s % 60)
    }
}

/// A number with its thousands apart.
#[must_use]
pub fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_stretch_of_time_is_the_genre_of_most_of_its_chunks() {
        let g = |s| Genre::new(s);
        let line = Timeline {
            start_ms: 1000,
            chunk_ms: 1000,
            chunks: vec![(g("jazz"), 255), (g("jazz"), 255), (None, 0), (g("rock"), 51)],
        };
        assert_eq!(line.between(0, 1000), None);
        assert_eq!(line.between(0, 5000).unwrap().0, g("jazz").as_ref());
        assert_eq!(line.between(3000, 4000).unwrap(), (None, 0.0));
        assert_eq!(line.between(4500, 4600).unwrap(), (g("rock").as_ref(), 0.2));
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            (thousands(7), thousands(1234), thousands(1_234_567)),
            ("7".into(), "1,234".into(), "1,234,567".into())
        );
        assert_eq!((clock(65_000), clock(3_723_000)), ("1:05".into(), "1:02:03".into()));
    }
}
