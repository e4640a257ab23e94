//! Labelled tracks as rows of embeddings: the listener's lessons, and the replay set of the base training data. Both are
//! read here from safetensors, checked, thinned, and brought to the outputs of the new model.
//!
//! Plain numbers only: of networks it knows how many values a trunk gives, and of torch nothing.

use std::{collections::BTreeMap, fs, path::Path};

use half::f16;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::{
    model::arch::{FROZEN_FEATURES, frozen_id},
    train::TrainError,
};

/// Rows of a track that are learned from. More of the same track add hardly anything but time.
const ROWS_A_TRACK: usize = 16;
/// A file larger than this holds no lessons of one listener.
const MAX_BYTES: u64 = 4 << 30;

/// Labelled tracks as rows of embeddings.
#[derive(Clone, Debug, Default)]
pub(super) struct Music {
    pub width: usize,
    pub genres: usize,
    /// Row x value.
    pub values: Vec<f32>,
    /// Row x genre: sums to 1, or to 0 where nothing was said.
    pub targets: Vec<f32>,
    /// Row x what the trunk gives; empty where only embeddings are kept.
    pub features: Vec<f32>,
    /// By row: its place in the file it was read from, of a lesson among the rows of its track.
    pub places: Vec<usize>,
    pub tracks: Vec<Track>,
}

/// A track of some [`Music`].
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    /// Its place in the file it was read from.
    pub index: u32,
    /// Artist or album.
    pub group: u32,
    /// What was said of it as a whole: sums to 1, or to 0.
    pub weights: Vec<f32>,
    /// Its rows.
    pub rows: std::ops::Range<usize>,
    /// How many it has in the file.
    pub all: usize,
}

impl Track {
    /// The genre with the largest weight, none where nothing was said.
    pub fn said(&self) -> Option<usize> {
        largest(&self.weights)
    }
}

/// Where the largest is, none where all are 0.
pub(super) fn largest(weights: &[f32]) -> Option<usize> {
    let best = weights.iter().enumerate().fold((0, 0.0), |best, (i, &w)| if w > best.1 { (i, w) } else { best });
    (best.1 > 0.0).then_some(best.0)
}

impl Music {
    /// Values of a row.
    pub fn row(&self, row: usize) -> &[f32] {
        self.values.get(row * self.width..(row + 1) * self.width).unwrap_or_default()
    }

    /// What the trunk made of a row.
    pub fn features(&self, row: usize) -> &[f32] {
        self.features.get(row * FROZEN_FEATURES..(row + 1) * FROZEN_FEATURES).unwrap_or_default()
    }

    /// Take what the trunk made of every row of the file, for the rows that are kept.
    pub fn take_features(&mut self, all: &[f16]) {
        let row = |&at: &usize| all.get(at * FROZEN_FEATURES..(at + 1) * FROZEN_FEATURES).unwrap_or_default();
        self.features = self.places.iter().flat_map(row).map(|v| v.to_f32()).collect();
    }

    /// What was said of a row.
    pub fn target(&self, row: usize) -> &[f32] {
        self.targets.get(row * self.genres..(row + 1) * self.genres).unwrap_or_default()
    }

    /// Mean of a track's rows.
    pub fn mean(&self, track: &Track) -> Vec<f32> {
        let mut sum = vec![0.0_f32; self.width];
        for row in track.rows.clone() {
            sum.iter_mut().zip(self.row(row)).for_each(|(s, v)| *s += v);
        }
        sum.iter_mut().for_each(|s| *s /= track.rows.len().max(1) as f32);
        sum
    }
}

/// What the old model's genres became.
#[derive(Clone, Debug, Default)]
pub(super) struct Outputs {
    pub genres: Vec<String>,
    renamed: BTreeMap<String, String>,
}

impl Outputs {
    pub fn new(genres: Vec<String>, renamed: BTreeMap<String, String>) -> Self {
        Self { genres, renamed }
    }

    /// The output that an older genre lives on in, none where it was given up.
    pub fn of(&self, slug: &str) -> Option<usize> {
        let mut name = slug;
        // A name may have changed several times; a ring of names ends somewhere.
        for _ in 0..=self.renamed.len() {
            if let Some(at) = self.genres.iter().position(|g| g == name) {
                return Some(at);
            }
            name = self.renamed.get(name)?;
        }
        None
    }
}

/// The base training data on the same trunk.
#[derive(Clone, Debug, Default)]
pub(super) struct Replay {
    pub music: Music,
    /// By track: the base learned from it.
    pub learned: Vec<bool>,
    /// By track: its genre was given up, and this was its slug.
    pub retired: Vec<Option<String>>,
    /// Rows in the file.
    pub all: usize,
}

/// Read what the user said.
pub(super) fn lessons(path: &Path, width: usize, genres: usize) -> Result<Music, TrainError> {
    let bad = |reason: String| TrainError::Source { path: path.to_path_buf(), reason };
    let bytes = read(path)?;
    let file = open(&bytes).map_err(&bad)?;
    let groups = whole(&file, "group", &[None]).map_err(&bad)?;
    let tracks = groups.len();
    let weights = shares(&file, "weights", tracks, genres).map_err(&bad)?;
    let track_of = whole(&file, "track", &[None]).map_err(&bad)?;
    let targets = shares(&file, "target", track_of.len(), genres).map_err(&bad)?;
    let values = embeddings(&file, track_of.len(), width).map_err(&bad)?;
    if let Some(at) = track_of.iter().find(|&&t| t as usize >= tracks) {
        return Err(bad(format!("a row belongs to track {at}, and there are {tracks}")));
    }
    let tracks = (groups.iter().zip(weights.chunks_exact(genres)).enumerate())
        .map(|(i, (&group, w))| Track { index: i as u32, group, weights: w.to_vec(), ..Track::default() })
        .collect();
    let mut music = gather(tracks, &track_of, &values, &targets, width, genres);
    let mut counts = vec![0; groups.len()];
    let nth: Vec<usize> = (track_of.iter())
        .map(|&t| {
            let count = counts.get_mut(t as usize);
            count.map_or(0, |c: &mut usize| std::mem::replace(c, *c + 1))
        })
        .collect();
    music.places.iter_mut().for_each(|p| *p = nth.get(*p).copied().unwrap_or(0));
    music.tracks.iter_mut().zip(counts).for_each(|(track, all)| track.all = all);
    Ok(music)
}

/// Read a replay set.
pub(super) fn replay(path: &Path, width: usize, trunk: &str, outputs: &Outputs) -> Result<Replay, TrainError> {
    let bad = |reason: String| TrainError::Source { path: path.to_path_buf(), reason };
    let bytes = read(path)?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| bad(e.to_string()))?;
    let file = open(&bytes).map_err(&bad)?;
    let said = |key: &str| header.metadata().as_ref().and_then(|m| m.get(key)).cloned().unwrap_or_default();
    if said("model") != trunk {
        let reason = "it holds embeddings of another network than the model's; take the replay set that came with it";
        return Err(bad(reason.to_owned()));
    }
    let slugs: Vec<String> = serde_json::from_str(&said("genres")).map_err(|e| bad(format!("its genres: {e}")))?;
    let clip_of = whole(&file, "clip", &[None]).map_err(&bad)?;
    let groups = whole(&file, "group", &[None]).map_err(&bad)?;
    let labels = small(&file, "label", groups.len()).map_err(&bad)?;
    let learned = small(&file, "learned", groups.len()).map_err(&bad)?;
    let values = embeddings(&file, clip_of.len(), width).map_err(&bad)?;
    let genres = outputs.genres.len();
    if clip_of.iter().any(|&c| c as usize >= groups.len()) || labels.iter().any(|&l| usize::from(l) >= slugs.len()) {
        return Err(bad("a row belongs to no clip, or a clip to no genre".to_owned()));
    }
    let slug = |label: &u8| slugs.get(usize::from(*label)).map_or("", String::as_str);
    let tracks: Vec<Track> = (groups.iter().zip(&labels).enumerate())
        .map(|(i, (&group, label))| {
            let mut weights = vec![0.0; genres];
            if let Some(slot) = outputs.of(slug(label)).and_then(|at| weights.get_mut(at)) {
                *slot = 1.0;
            }
            Track { index: i as u32, group, weights, ..Track::default() }
        })
        .collect();
    let retired = labels.iter().map(|l| outputs.of(slug(l)).is_none().then(|| slug(l).to_owned())).collect();
    let targets: Vec<f32> =
        (clip_of.iter()).flat_map(|&c| tracks.get(c as usize).map(|t| t.weights.clone()).unwrap_or_default()).collect();
    let music = gather(tracks, &clip_of, &values, &targets, width, genres);
    Ok(Replay { music, learned: learned.iter().map(|&l| l != 0).collect(), retired, all: clip_of.len() })
}

/// What the trunk made of every row of a replay set, from the file that came with it.
pub(super) fn features(path: &Path, model: &str, rows: usize) -> Result<Vec<f16>, TrainError> {
    let bad = |reason: String| TrainError::Source { path: path.to_path_buf(), reason };
    let bytes = read(path)?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| bad(e.to_string()))?;
    let said = |key: &str| header.metadata().as_ref().and_then(|m| m.get(key)).cloned().unwrap_or_default();
    if said("model") != model || said("frozen") != frozen_id() {
        let reason = "it holds what another trunk made of another replay set; take the file that came with the model's";
        return Err(bad(reason.to_owned()));
    }
    let file = open(&bytes).map_err(&bad)?;
    let view = tensor(&file, "features", Dtype::F16, &[Some(rows), Some(FROZEN_FEATURES)]).map_err(&bad)?;
    let values: Vec<f16> =
        view.data().chunks_exact(2).filter_map(|b| b.try_into().ok()).map(f16::from_le_bytes).collect();
    if values.iter().all(|v| v.is_finite()) {
        Ok(values)
    } else {
        Err(bad("features holds NaN or infinite values".to_owned()))
    }
}

/// Rows by track, at most [`ROWS_A_TRACK`] of which something was said and as many of which nothing was.
fn gather(
    mut tracks: Vec<Track>,
    track_of: &[u32],
    values: &[f32],
    targets: &[f32],
    width: usize,
    genres: usize,
) -> Music {
    let mut rows_of = vec![(Vec::new(), Vec::new()); tracks.len()];
    for (row, &track) in track_of.iter().enumerate() {
        // Nothing is to be learned from silence, whose embedding is 0.
        if values.iter().skip(row * width).take(width).all(|&v| v == 0.0) {
            continue;
        }
        let said = targets.get(row * genres..(row + 1) * genres).is_some_and(|t| t.iter().any(|&w| w > 0.0));
        if let Some((yes, no)) = rows_of.get_mut(track as usize) {
            if said { yes.push(row) } else { no.push(row) }
        }
    }
    let mut music = Music { width, genres, ..Music::default() };
    let mut at = 0;
    for (track, (yes, no)) in tracks.iter_mut().zip(rows_of) {
        let begin = at;
        for row in thinned(&yes).chain(thinned(&no)) {
            music.values.extend_from_slice(values.get(row * width..(row + 1) * width).unwrap_or_default());
            music.targets.extend_from_slice(targets.get(row * genres..(row + 1) * genres).unwrap_or_default());
            music.places.push(row);
            at += 1;
        }
        track.rows = begin..at;
    }
    music.tracks = tracks;
    music
}

/// At most [`ROWS_A_TRACK`] of `rows`, evenly spread.
fn thinned(rows: &[usize]) -> impl Iterator<Item = usize> {
    let take = rows.len().min(ROWS_A_TRACK);
    (0..take).filter_map(move |i| rows.get((2 * i + 1) * rows.len() / (2 * take)).copied())
}

fn read(path: &Path) -> Result<Vec<u8>, TrainError> {
    let bad = |reason: String| TrainError::Source { path: path.to_path_buf(), reason };
    let size = fs::metadata(path).map_err(|e| bad(e.to_string()))?.len();
    if size > MAX_BYTES {
        return Err(bad(format!("{size} bytes are too many")));
    }
    fs::read(path).map_err(|e| bad(e.to_string()))
}

fn open(bytes: &[u8]) -> Result<SafeTensors<'_>, String> {
    SafeTensors::deserialize(bytes).map_err(|e| format!("it is no whole safetensors file: {e}"))
}

/// A tensor of this kind and shape; `None` stands for any length.
fn tensor<'a>(
    file: &SafeTensors<'a>,
    name: &str,
    kind: Dtype,
    shape: &[Option<usize>],
) -> Result<TensorView<'a>, String> {
    let view = file.tensor(name).map_err(|_| format!("it has no tensor {name}"))?;
    let fits = view.shape().len() == shape.len()
        && view.shape().iter().zip(shape).all(|(have, want)| want.is_none_or(|w| w == *have));
    if view.dtype() != kind || !fits {
        let wanted: Vec<String> = shape.iter().map(|d| d.map_or("any".to_owned(), |d| d.to_string())).collect();
        let wanted = wanted.join(" x ");
        return Err(format!("{name} is {:?} {:?}; {kind:?} {wanted} was expected", view.dtype(), view.shape()));
    }
    Ok(view)
}

fn whole(file: &SafeTensors<'_>, name: &str, shape: &[Option<usize>]) -> Result<Vec<u32>, String> {
    let view = tensor(file, name, Dtype::U32, shape)?;
    Ok(view.data().chunks_exact(4).filter_map(|b| b.try_into().ok()).map(u32::from_le_bytes).collect())
}

fn small(file: &SafeTensors<'_>, name: &str, len: usize) -> Result<Vec<u8>, String> {
    Ok(tensor(file, name, Dtype::U8, &[Some(len)])?.data().to_vec())
}

fn floats(file: &SafeTensors<'_>, name: &str, shape: &[Option<usize>]) -> Result<Vec<f32>, String> {
    let view = tensor(file, name, Dtype::F32, shape)?;
    let values: Vec<f32> =
        view.data().chunks_exact(4).filter_map(|b| b.try_into().ok()).map(f32::from_le_bytes).collect();
    if values.iter().all(|v| v.is_finite()) { Ok(values) } else { Err(format!("{name} holds NaN or infinite values")) }
}

/// Rows of weights that sum to 1, or to 0.
fn shares(file: &SafeTensors<'_>, name: &str, rows: usize, genres: usize) -> Result<Vec<f32>, String> {
    let mut values = floats(file, name, &[Some(rows), Some(genres)])?;
    if values.iter().any(|&v| v < 0.0) {
        return Err(format!("{name} holds weights below 0"));
    }
    for row in values.chunks_exact_mut(genres.max(1)) {
        let sum: f32 = row.iter().sum();
        if sum > 0.0 {
            row.iter_mut().for_each(|v| *v /= sum);
        }
    }
    Ok(values)
}

fn embeddings(file: &SafeTensors<'_>, rows: usize, width: usize) -> Result<Vec<f32>, String> {
    let view = tensor(file, "embedding", Dtype::I8, &[Some(rows), Some(width)])?;
    let scales = floats(file, "scale", &[Some(rows)])?;
    let of_row =
        |(row, &scale): (&[u8], &f32)| -> Vec<f32> { row.iter().map(|b| f32::from(b.cast_signed()) * scale).collect() };
    Ok(view.data().chunks_exact(width.max(1)).zip(&scales).flat_map(of_row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_genre_that_was_renamed_twice_is_found_and_a_ring_of_names_ends() {
        let renamed = [("a", "b"), ("b", "c"), ("x", "y"), ("y", "x")].map(|(o, n)| (o.to_owned(), n.to_owned()));
        let outputs = Outputs::new(vec!["c".to_owned()], renamed.into());
        assert_eq!(outputs.of("a"), Some(0));
        assert_eq!(outputs.of("x"), None);
        assert_eq!(outputs.of("gone"), None);
    }

    #[test]
    fn a_long_track_keeps_rows_from_all_over() {
        let rows: Vec<usize> = (0..100).collect();
        let kept: Vec<usize> = thinned(&rows).collect();
        assert_eq!(kept.len(), ROWS_A_TRACK);
        assert!(kept[0] < 7 && kept[15] > 92, "{kept:?}");
        assert_eq!(thinned(&rows[..3]).collect::<Vec<_>>(), [0, 1, 2]);
    }
}
