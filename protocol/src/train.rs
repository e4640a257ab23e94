//! What the desk asks of the ears when a network is to be trained or judged, and what they tell on the way.
//!
//! A job is one JSON file (`deepcuts-ears train --job FILE`, `eval --job FILE`): it may list a whole library, too
//! long for a line on stdin. The ears say one [`TrainSay`] a line on stdout; they stop early, keeping the best so
//! far, when stdin closes or a line `"cancel"` arrives there.

use serde::{Deserialize, Serialize};

use crate::{FrontEnd, WirePath};

/// A file and the genre somebody gave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelledFile {
    /// The audio file.
    pub path: WirePath,
    /// Its genre, as a slug.
    pub genre: String,
    /// Artist, the group that never stands on both sides of a split; the file is its own group where unknown.
    #[serde(default)]
    pub artist: Option<String>,
    /// Identity of the audio where it is known; it keys the cache of features, so that a renamed or re-tagged file is
    /// not heard again. The hash of the file stands in for it.
    #[serde(default)]
    pub identity: Option<String>,
}

/// Where labelled music comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum TrainSource {
    /// Mel features: a safetensors file with `mel` (u8, clip x band x column), `label`, and metadata.
    Features {
        /// The features.
        path: WirePath,
        /// A CSV with a row a clip (`track`, `artist`, `sturm_filtered_split`), for splits that need it.
        #[serde(default)]
        tracks: Option<WirePath>,
    },
    /// A folder of audio in genre folders (`SOURCE/GENRE/*`).
    Folder {
        /// The folder.
        path: WirePath,
        /// As in `Features`: artists by track name.
        #[serde(default)]
        tracks: Option<WirePath>,
    },
    /// A CSV of `path,genre[,artist]`; relative paths are relative to the CSV.
    Csv {
        /// The CSV.
        path: WirePath,
    },
    /// Files that the desk chose (`--library`).
    List {
        /// The files.
        files: Vec<LabelledFile>,
    },
}

/// Which clips are learned from and which judge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// Folds by artist, stratified by genre: the only split whose accuracy is a claim.
    #[default]
    Artist,
    /// Sturm's fault-filtered split.
    Sturm,
    /// The paper's: chunks shuffled, so that chunks of one track stand on both sides. Leaky, and labelled so.
    Paper,
}

impl Split {
    /// One line that says what an accuracy under this split means.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Artist => "artist folds (no artist on both sides)",
            Self::Sturm => "Sturm's fault-filtered split",
            Self::Paper => "LEAKY: chunks shuffled as in the paper, chunks of one track on both sides",
        }
    }
}

/// A training job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainJob {
    /// What to learn from.
    pub source: TrainSource,
    /// `deep`, `cuts`, `cnn`, `crnn`, `crnn-long` or `rcnn`.
    pub arch: String,
    /// Front end for audio; that of the features where they are given.
    #[serde(default)]
    pub front_end: Option<FrontEnd>,
    /// Name of the built-in recipe, that of the architecture by default (`cnn-paper` is the authors' own).
    #[serde(default)]
    pub recipe: Option<String>,
    /// A recipe (TOML) in place of the built-in one.
    #[serde(default)]
    pub recipe_file: Option<WirePath>,
    /// Overrides, `key=value` with the recipe's keys (`fit.steps=200`).
    #[serde(default)]
    pub set: Vec<String>,
    /// How clips are split.
    #[serde(default)]
    pub split: Split,
    /// Number of artist folds.
    #[serde(default = "five")]
    pub folds: u32,
    /// The folds to run; all where empty.
    #[serde(default)]
    pub only_folds: Vec<u32>,
    /// One run a fold and seed.
    #[serde(default = "one_seed")]
    pub seeds: Vec<u64>,
    /// Name of the model, that of the architecture by default.
    #[serde(default)]
    pub name: Option<String>,
    /// The folder that receives `NAME.safetensors`, `NAME.json` and `NAME.runs/`.
    pub out: WirePath,
    /// The folder of cached features (audio sources).
    #[serde(default)]
    pub cache: Option<WirePath>,
    /// Go on from the checkpoints in `NAME.runs/`.
    #[serde(default)]
    pub resume: bool,
    /// `auto`, `cpu` or `cuda`.
    #[serde(default)]
    pub device: Option<String>,
    /// Torch threads, 0 for torch's own choice.
    #[serde(default)]
    pub threads: u32,
    /// For the card: where the data came from and under which terms.
    #[serde(default)]
    pub data: Option<String>,
    /// For the card: licence of the weights.
    #[serde(default)]
    pub licence: Option<String>,
}

fn five() -> u32 {
    5
}

fn one_seed() -> Vec<u64> {
    vec![0]
}

/// An evaluation job: one report over one or several models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvalJob {
    /// Weights (safetensors), each with its card; their `NAME.runs/` beside them are read where they exist.
    pub models: Vec<WirePath>,
    /// What to judge on.
    pub source: TrainSource,
    /// The folder that receives the report.
    pub out: WirePath,
    /// The folder of cached features (audio sources).
    #[serde(default)]
    pub cache: Option<WirePath>,
    /// The paper's published result files, to stand beside ours.
    #[serde(default)]
    pub paper_logs: Option<WirePath>,
    /// A folder of full songs in genre folders, for the proportions and the full-song score.
    #[serde(default)]
    pub songs: Option<WirePath>,
    /// `auto`, `cpu` or `cuda`.
    #[serde(default)]
    pub device: Option<String>,
    /// Torch threads, 0 for torch's own choice.
    #[serde(default)]
    pub threads: u32,
}

/// One point of a training curve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Steps (minibatches) so far.
    pub step: u32,
    /// Times the training set was seen.
    pub epoch: f64,
    /// Mean training loss since the last point.
    pub train_loss: f64,
    /// Share of training chunks named right since the last point.
    pub train_accuracy: f64,
    /// Loss on the watched clips, as the recipe defines it.
    pub valid_loss: f64,
    /// Chunk accuracy on the watched clips.
    pub valid_accuracy: f64,
}

/// How one finished run did on the clips it never saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunScore {
    /// Fold.
    pub fold: u32,
    /// Seed.
    pub seed: u64,
    /// Clips judged.
    pub clips: u32,
    /// Clip accuracy.
    pub clip_accuracy: f64,
    /// Chunk accuracy.
    pub chunk_accuracy: f64,
}

/// What the ears say while they train or judge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum TrainSay {
    /// The work begins.
    Started {
        /// Protocol version of the ears.
        protocol: u32,
        /// `cpu` or `cuda`.
        device: String,
        /// Clips in the set.
        clips: u32,
        /// Genres, in the order of the network's outputs.
        genres: Vec<String>,
        /// Runs that this job makes.
        runs: u32,
    },
    /// Audio is being turned into features.
    Hearing {
        /// Files done.
        done: u32,
        /// Files in all.
        total: u32,
        /// Files that failed so far.
        failed: u32,
    },
    /// A file that could not be used.
    Skipped {
        /// The file.
        path: WirePath,
        /// Why.
        reason: String,
    },
    /// A run begins or goes on.
    Run {
        /// Fold.
        fold: u32,
        /// Seed.
        seed: u64,
        /// Step it starts from.
        from_step: u32,
        /// Steps in all.
        steps: u32,
    },
    /// A point of the curve.
    Curve {
        /// Fold.
        fold: u32,
        /// Seed.
        seed: u64,
        /// The point.
        point: CurvePoint,
        /// Seconds until the whole job ends, at this pace.
        eta_s: u64,
    },
    /// A run ended.
    Ran {
        /// How it did.
        score: RunScore,
    },
    /// The work was stopped early; what follows is the best so far.
    Stopping,
    /// A remark for people.
    Note {
        /// The remark.
        text: String,
    },
    /// All done.
    Done {
        /// The weights, or the report's Markdown file. None when there was nothing worth keeping.
        path: Option<WirePath>,
        /// Mean clip accuracy over the runs.
        clip_accuracy: Option<f64>,
    },
    /// What retraining came to; `Done` follows.
    Retrained {
        /// The report.
        report: Box<crate::RetrainReport>,
    },
    /// It could not be done.
    Fatal {
        /// Why, for people.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_job_needs_little_and_refuses_what_it_does_not_know() {
        let job: TrainJob =
            serde_json::from_str(r#"{"source":{"kind":"folder","path":"L211c2lj"},"arch":"cuts","out":"L291dA=="}"#)
                .unwrap();
        assert_eq!((job.folds, job.seeds.as_slice(), job.split), (5, &[0][..], Split::Artist));
        assert!(
            serde_json::from_str::<TrainJob>(
                r#"{"source":{"kind":"folder","path":"L211c2lj"},"arch":"cuts","out":"L291dA==","fold":3}"#
            )
            .is_err()
        );
    }
}
