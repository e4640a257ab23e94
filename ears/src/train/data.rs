//! A set of labelled clips as mel frames in memory, and features files that hold one.

use std::{collections::HashMap, fs, path::Path};

use deepcuts_protocol::FrontEnd;
use half::f16;
use safetensors::{Dtype, SafeTensors};

use super::{TrainError, folds};

/// A set of labelled clips.
#[derive(Debug)]
pub struct Set {
    /// Genres as slugs, in the order of the network's outputs.
    pub genres: Vec<String>,
    /// The front end that the frames come from.
    pub front_end: FrontEnd,
    /// Bands of a frame.
    pub bands: usize,
    /// The clips.
    pub clips: Vec<Clip>,
    /// The frames are no mel but what a frozen trunk made of chunks.
    pub taps: Option<Taps>,
}

/// How a clip lies in memory that a frozen trunk has heard: versions of it one after the other, of which the first is the
/// clip as it is, and in each as many beginnings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taps {
    /// Beginnings in a chunk.
    pub beginnings: usize,
    /// Versions of a clip.
    pub versions: usize,
}

/// A labelled clip.
#[derive(Debug)]
pub struct Clip {
    /// Its name: a track's id or path, for people.
    pub name: String,
    /// Artist, as far as known.
    pub artist: String,
    /// Index of its genre.
    pub label: u8,
    /// Its group: an artist.
    pub group: u32,
    /// Its part in Sturm's split, where known.
    pub sturm: Option<Part>,
    /// Its frames.
    pub frames: Frames,
}

/// A part of a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Learned from.
    Train,
    /// Watched while learning.
    Valid,
    /// Judges.
    Test,
}

/// Mel frames, frame after frame, stored small.
#[derive(Clone, Debug, PartialEq)]
pub enum Frames {
    /// 0 to 255 for 0 to 1.
    Bytes(Vec<u8>),
    /// dB, or features of a trunk.
    Halves(Vec<f16>),
}

impl Frames {
    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(v) => v.len(),
            Self::Halves(v) => v.len(),
        }
    }

    /// Not one value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copy values from `start` on into `out`; where the clip ends too soon it begins again.
    pub fn copy(&self, start: usize, out: &mut [f32]) {
        let len = self.len();
        if len == 0 {
            return out.fill(0.0);
        }
        for (i, slot) in out.iter_mut().enumerate() {
            let at = (start + i) % len;
            *slot = match self {
                Self::Bytes(v) => v.get(at).map_or(0.0, |&b| f32::from(b) / 255.0),
                Self::Halves(v) => v.get(at).map_or(0.0, |h| h.to_f32()),
            };
        }
    }
}

impl Set {
    /// Frames of a clip.
    #[must_use]
    pub fn frames_of(&self, clip: usize) -> usize {
        self.clips.get(clip).map_or(0, |c| c.frames.len() / self.bands)
    }

    /// Frames of a chunk, for a network that takes `frames` of mel.
    #[must_use]
    pub fn chunk(&self, frames: usize) -> usize {
        if self.taps.is_some() { 1 } else { frames }
    }

    /// Labels of all clips.
    #[must_use]
    pub fn labels(&self) -> Vec<u8> {
        self.clips.iter().map(|c| c.label).collect()
    }

    /// Groups of all clips.
    #[must_use]
    pub fn groups(&self) -> Vec<u32> {
        self.clips.iter().map(|c| c.group).collect()
    }

    /// A hash over which clips these are, whatever was made of them.
    #[must_use]
    pub fn roll(&self) -> String {
        let mut hash = blake3::Hasher::new();
        for clip in &self.clips {
            hash.update(clip.name.as_bytes()).update(&[0, clip.label]);
        }
        hash.finalize().to_hex().as_str().chars().take(16).collect()
    }

    /// A hash over everything a run depends on: checkpoints of another set are refused.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hash = blake3::Hasher::new();
        hash.update(self.front_end.name().as_bytes());
        for genre in &self.genres {
            hash.update(genre.as_bytes()).update(b"\n");
        }
        for clip in &self.clips {
            hash.update(&[clip.label]).update(&clip.group.to_le_bytes()).update(&clip.frames.len().to_le_bytes());
            match &clip.frames {
                Frames::Bytes(v) => hash.update(v),
                Frames::Halves(v) => hash.update(&v.iter().flat_map(|h| h.to_le_bytes()).collect::<Vec<u8>>()),
            };
        }
        hash.finalize().to_hex().as_str().chars().take(16).collect()
    }
}

/// Read a features file: `mel` (u8, clip x band x column, band 0 the lowest), `label` (u8), and in the metadata
/// `genres`, `tracks` and `artists` as JSON lists. Instead of `mel` it may hold what a frozen trunk made of the clips:
/// `frozen` (f16, clip x beginning x feature), and in the metadata `beginnings`, how many of them a chunk has.
///
/// # Errors
/// Names the file and what is missing in it.
pub fn read_features(path: &Path, tracks_csv: Option<&Path>) -> Result<Set, TrainError> {
    let bad = |reason: String| TrainError::Source { path: path.to_path_buf(), reason };
    let bytes = fs::read(path).map_err(|e| bad(e.to_string()))?;
    let no_file = |e: safetensors::SafeTensorError| bad(format!("it is no whole safetensors file: {e}"));
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(no_file)?;
    let file = SafeTensors::deserialize(&bytes).map_err(no_file)?;
    let list = |key: &str| -> Result<Vec<String>, TrainError> {
        let text = header.metadata().as_ref().and_then(|m| m.get(key));
        let text = text.ok_or_else(|| bad(format!("its metadata has no {key}")))?;
        serde_json::from_str(text).map_err(|e| bad(format!("{key} in its metadata: {e}")))
    };
    let (genres, tracks, artists) = (list("genres")?, list("tracks")?, list("artists")?);
    let tensor = |name: &str| file.tensor(name).map_err(|_| bad(format!("it has no tensor {name}")));
    let label = tensor("label")?;
    let taps = match header.metadata().as_ref().and_then(|m| m.get("beginnings")) {
        Some(text) => {
            let beginnings = text.parse().ok().filter(|b| *b > 0);
            let beginnings = beginnings.ok_or_else(|| bad("beginnings is no number".into()))?;
            Some(Taps { beginnings, versions: 1 })
        }
        None => None,
    };
    let (name, kind) = if taps.is_some() { ("frozen", Dtype::F16) } else { ("mel", Dtype::U8) };
    let frames = tensor(name)?;
    let &[clips, one, other] = frames.shape() else { return Err(bad(format!("{name} must have three dimensions"))) };
    if frames.dtype() != kind || label.dtype() != Dtype::U8 || label.shape() != [clips] || one * other == 0 {
        return Err(bad(format!("{name} must be {kind:?} and label U8, one label a clip")));
    }
    let bands = if taps.is_some() { other } else { one };
    if tracks.len() != clips || artists.len() != clips {
        return Err(bad(format!("{clips} clips, but {} tracks and {} artists", tracks.len(), artists.len())));
    }
    if let Some(l) = label.data().iter().find(|&&l| usize::from(l) >= genres.len()) {
        return Err(bad(format!("label {l} is none of the {} genres", genres.len())));
    }
    let groups = folds::number_groups(&artists);
    let parts = tracks_csv.map(read_tracks).transpose()?.unwrap_or_default();
    let size = one * other * if taps.is_some() { size_of::<f16>() } else { 1 };
    let clips = (frames.data().chunks_exact(size).enumerate())
        .map(|(i, rows)| {
            let name = tracks.get(i).cloned().unwrap_or_default();
            Clip {
                artist: artists.get(i).cloned().unwrap_or_default(),
                label: label.data().get(i).copied().unwrap_or(0),
                group: groups.get(i).copied().unwrap_or(0),
                sturm: parts.get(&name).and_then(|t| t.sturm),
                frames: match taps {
                    Some(_) => Frames::Halves(rows.chunks_exact(2).map(half).collect()),
                    None => Frames::Bytes(transpose(rows, one, other)),
                },
                name,
            }
        })
        .collect();
    Ok(Set { genres, front_end: FrontEnd::Cuts, bands, clips, taps })
}

fn half(bytes: &[u8]) -> f16 {
    bytes.try_into().map_or(f16::ZERO, f16::from_le_bytes)
}

fn transpose(rows: &[u8], bands: usize, columns: usize) -> Vec<u8> {
    (0..columns)
        .flat_map(|c| (0..bands).map(move |b| b * columns + c))
        .map(|at| rows.get(at).copied().unwrap_or(0))
        .collect()
}

/// What a tracks CSV says of a track.
#[derive(Clone, Debug, Default)]
pub struct TrackRow {
    /// Artist.
    pub artist: String,
    /// Part in Sturm's filtered split.
    pub sturm: Option<Part>,
}

/// Read a CSV with the columns `track`, `artist` and `sturm_filtered_split`.
///
/// # Errors
/// Names the file and the column that is missing.
pub fn read_tracks(path: &Path) -> Result<HashMap<String, TrackRow>, TrainError> {
    let bad = |reason: String| TrainError::Source { path: path.to_path_buf(), reason };
    let mut reader = csv::Reader::from_path(path).map_err(|e| bad(e.to_string()))?;
    let header = reader.headers().map_err(|e| bad(e.to_string()))?.clone();
    let column = |name: &str| header.iter().position(|h| h == name);
    let track = column("track").ok_or_else(|| bad("it has no column track".to_owned()))?;
    let (artist, sturm) = (column("artist"), column("sturm_filtered_split"));
    let mut rows = HashMap::new();
    for row in reader.records() {
        let row = row.map_err(|e| bad(e.to_string()))?;
        let get = |at: Option<usize>| at.and_then(|a| row.get(a)).unwrap_or_default();
        let sturm = match get(sturm) {
            "train" => Some(Part::Train),
            "valid" => Some(Part::Valid),
            "test" => Some(Part::Test),
            _ => None,
        };
        rows.insert(get(Some(track)).to_owned(), TrackRow { artist: get(artist).to_owned(), sturm });
    }
    Ok(rows)
}
