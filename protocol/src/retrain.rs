//! What the desk asks when the last layer, or the whole network, is to learn from corrections, and the report that
//! comes back.
//!
//! A job is one JSON file (`deepcuts-ears retrain --job FILE`), like a training job; on the way the ears say
//! [`crate::TrainSay`], and [`crate::TrainSay::Retrained`] before the end. The ears judge and measure; whether the
//! candidate is good enough is the desk's to say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::WirePath;

/// How much of the network learns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Depth {
    /// The last layer, from stored embeddings.
    #[default]
    Head,
    /// All that learns of a network over a frozen trunk, from the audio of the corrected tracks.
    Full,
}

/// The audio of a lesson's track.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LessonFile {
    /// A file that holds it; it need not be there any more.
    pub path: WirePath,
    /// What the audio is known by, letters and digits: the trunk's features of it are cached under that.
    pub identity: String,
}

/// A retraining job.
///
/// `lessons` is a safetensors file of what the user said: `embedding` (i8, row x value), `scale` (f32 a row), `track`
/// (u32 a row, an index into the tracks), `target` (f32, row x genre: weights that sum to 1; all zero for a row of which
/// nothing was said), and for each track `group` (u32: tracks of one artist or album share it) and `weights` (f32,
/// track x genre: what was said of the track as a whole). Genres are those of [`Self::genres`], in their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetrainJob {
    /// Weights of the model that is corrected, its card beside them.
    pub model: WirePath,
    /// Embeddings of the base training data on the same trunk; without them old genres are held in place only by
    /// staying near the old layer, and the base cannot be judged.
    #[serde(default)]
    pub replay: Option<WirePath>,
    /// The trunk's features of the same rows, for [`Depth::Full`].
    #[serde(default)]
    pub features: Option<WirePath>,
    /// What the user said.
    pub lessons: WirePath,
    /// Outputs of the new model, as slugs: those of the old one that stay, then the new ones.
    pub genres: Vec<String>,
    /// Genres of the old model that became another (renamed or merged), old slug to new.
    #[serde(default)]
    pub renamed: BTreeMap<String, String>,
    /// How much of the network learns.
    #[serde(default)]
    pub depth: Depth,
    /// Audio of the lessons' tracks, in their order ([`Depth::Full`] only).
    #[serde(default)]
    pub files: Vec<LessonFile>,
    /// The folder of cached features ([`Depth::Full`] only).
    #[serde(default)]
    pub cache: Option<WirePath>,
    /// Fewer of them that can be heard are too few ([`Depth::Full`] only).
    #[serde(default)]
    pub min_tracks: u32,
    /// The folder that receives `NAME.safetensors` and `NAME.json`.
    pub out: WirePath,
    /// Name of the new model.
    pub name: String,
    /// Grouped folds over the lessons.
    #[serde(default = "folds")]
    pub folds: u32,
    /// The same seed gives the same model on the same machine.
    #[serde(default)]
    pub seed: u64,
    /// `auto`, `cpu` or `cuda`.
    #[serde(default)]
    pub device: Option<String>,
    /// Torch threads, 0 for torch's own choice.
    #[serde(default)]
    pub threads: u32,
}

fn folds() -> u32 {
    10
}

/// The same tracks judged by the old model and by the new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// Tracks judged.
    pub tracks: u32,
    /// Artists or albums they come from.
    pub groups: u32,
    /// Share that the old model named right.
    pub before: f64,
    /// Share that the new one names right, on tracks that it did not learn from.
    pub after: f64,
    /// Mean gain over the groups' resamples, and its 95 % interval.
    pub gain: f64,
    /// Lower end.
    pub gain_low: f64,
    /// Upper end.
    pub gain_high: f64,
}

/// One genre, before and after, on held-out corrections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenreGain {
    /// Slug.
    pub genre: String,
    /// Corrected tracks of it (its weight is the largest).
    pub tracks: u32,
    /// Share of them named right before; none for a new genre is 0.
    pub before: f64,
    /// Share of them named right after, each by a model that did not learn from it or its group.
    pub after: f64,
    /// 95 % interval (Wilson) of `after`.
    pub after_low: f64,
    /// Upper end.
    pub after_high: f64,
    /// Clips of it in the base data's unseen fold.
    pub base_clips: u32,
    /// Share of them named right before.
    pub base_before: f64,
    /// And after.
    pub base_after: f64,
}

/// A corrected track whose label the other corrections and the base data contradict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Doubt {
    /// Index of the track in the lessons.
    pub track: u32,
    /// What the user said (the largest weight).
    pub said: String,
    /// What everything else says.
    pub heard: String,
    /// Score of `heard`, 0 to 1, by a model that did not learn from the track.
    pub score: f64,
}

/// What retraining came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetrainReport {
    /// Id of the model that was corrected.
    pub parent: String,
    /// Id of the candidate.
    pub candidate: String,
    /// Its weights.
    pub weights: WirePath,
    /// How much of it learned: the last layer, too, where more was asked for and gained nothing.
    pub depth: Depth,
    /// Genres that the parent does not know.
    pub new_genres: Vec<String>,
    /// Held-out corrections.
    pub mine: Paired,
    /// Base data of artists that the shipped network never saw; none without a replay set.
    pub base: Option<Paired>,
    /// By genre.
    pub genres: Vec<GenreGain>,
    /// Labels that the rest contradicts, most doubtful first.
    pub doubts: Vec<Doubt>,
    /// Why these labels must not be learned from, where they must not (too many contradict each other).
    pub poisoned: Option<String>,
    /// Seconds it took.
    pub seconds: f64,
}
