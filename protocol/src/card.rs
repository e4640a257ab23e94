//! The model card: everything one must know of a network to use its weights.
//!
//! A model is two files beside each other: `NAME.safetensors` (weights) and `NAME.json` (this card).

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// The mel front end that a network was trained behind. Names are the contract; parameters live in the ears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FrontEnd {
    /// 16 kHz, n_fft 2048, hop 512, 128 Slaney bands, top_db 80 over the whole trimmed track.
    #[serde(rename = "paper-128")]
    Paper128,
    /// As `paper-128` with 256 bands.
    #[serde(rename = "paper-256")]
    Paper256,
    /// 22,050 Hz, n_fft 2048, effective hop 1708, 128 Slaney bands, min-max scaled over spans.
    Cuts,
}

impl FrontEnd {
    /// The name in cards and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Paper128 => "paper-128",
            Self::Paper256 => "paper-256",
            Self::Cuts => "cuts",
        }
    }
}

/// Accuracy of one held-out fold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoldScore {
    /// Which fold, from 0.
    pub fold: u32,
    /// Seed of the run.
    pub seed: u64,
    /// Clips in the fold.
    pub clips: u32,
    /// Share of the clips whose mean chunk score names the right genre.
    pub clip_accuracy: f64,
    /// Share of the chunks named right.
    pub chunk_accuracy: f64,
}

/// Everything one must know of a network to use its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCard {
    /// Name of the network as people type it: `cuts`, `cnn`, ...
    pub name: String,
    /// Architecture in the ears' model room.
    pub arch: String,
    /// blake3 of the weights file, hex. It is the model's id.
    pub weights_blake3: String,
    /// The front end the weights were trained behind.
    pub front_end: FrontEnd,
    /// Version of the front end's and chunker's output; results of another version are stale.
    pub feature_version: u32,
    /// Genres in the order of the network's outputs, as slugs (`hiphop`).
    pub genres: Vec<String>,
    /// Mel frames in a chunk.
    pub chunk_frames: u32,
    /// Length of a chunk, milliseconds.
    pub chunk_ms: u32,
    /// Values in an embedding: the input of the last layer.
    pub embedding_dim: u16,
    /// Logits are divided by this before the softmax (fitted on held-out folds).
    pub temperature: f32,
    /// A chunk whose best calibrated score is below this is unsure.
    pub unsure_below: f32,
    /// Where the training data came from, and under which terms.
    pub data: String,
    /// Licence of the weights.
    pub licence: String,
    /// How it was evaluated: split, chunks per clip, what the accuracies mean.
    pub protocol: String,
    /// Accuracies of held-out artist folds.
    #[serde(default)]
    pub folds: Vec<FoldScore>,
    /// Share of the held-out chunks that are unsure, and share of those whose winner was wrong.
    #[serde(default)]
    pub unsure: Option<UnsureScore>,
    /// Id of the model whose trunk made the embeddings, where a head was retrained on it; its own otherwise.
    #[serde(default)]
    pub trunk: Option<String>,
    /// The artist fold (an index into `folds`) that the shipped weights never saw. Retraining judges the base there.
    #[serde(default)]
    pub held_out_fold: Option<u32>,
    /// Expected calibration error of the chunk scores on held-out folds, temperature fitted on the other folds.
    #[serde(default)]
    pub calibration_error: Option<f64>,
    /// A chunk whose embedding lies farther than this from everything the network was trained on is unsure. The
    /// measure is the ears' (the `familiar.*` tensors of the weights).
    #[serde(default)]
    pub unfamiliar_beyond: Option<f32>,
    /// Trainable parameters.
    #[serde(default)]
    pub parameters: Option<u64>,
    /// Multiplications and additions a chunk costs.
    #[serde(default)]
    pub macs_per_chunk: Option<u64>,
    /// Id of the model this one was retrained from.
    #[serde(default)]
    pub parent: Option<String>,
    /// When it was made, RFC 3339.
    pub created: String,
}

/// What the unsure threshold costs and saves on held-out folds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnsureScore {
    /// Share of the chunks that are unsure.
    pub share: f64,
    /// Share of the unsure chunks whose best genre was wrong.
    pub wrong_among_unsure: f64,
    /// Share of the other chunks whose winner was wrong.
    pub wrong_among_sure: f64,
}

impl ModelCard {
    /// Id of the model: the hash of its weights.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.weights_blake3
    }

    /// Id of the trunk: models that share it share embeddings.
    #[must_use]
    pub fn trunk_id(&self) -> &str {
        self.trunk.as_deref().unwrap_or(&self.weights_blake3)
    }

    /// The card beside `weights` (`NAME.json` for `NAME.safetensors`).
    #[must_use]
    pub fn path_for(weights: &Path) -> PathBuf {
        weights.with_extension("json")
    }

    /// Read the card beside `weights`.
    ///
    /// # Errors
    /// Names the card's path and what is wrong: missing, not JSON, an unknown field, no genres, ...
    pub fn read_for(weights: &Path) -> Result<Self, CardError> {
        let path = Self::path_for(weights);
        let fail = |reason: String| CardError { path: path.clone(), reason };
        let text = std::fs::read_to_string(&path).map_err(|e| fail(e.to_string()))?;
        let card: Self = serde_json::from_str(&text).map_err(|e| fail(e.to_string()))?;
        card.check().map_err(|reason| fail(reason.to_owned()))?;
        Ok(card)
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.genres.is_empty() || self.genres.len() >= usize::from(crate::UNSURE) {
            return Err("it must list between 1 and 254 genres");
        }
        if self.chunk_frames == 0 || self.chunk_ms == 0 || self.embedding_dim == 0 {
            return Err("chunk length and embedding size must not be zero");
        }
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            return Err("the temperature must be a positive number");
        }
        if !(0.0..=1.0).contains(&self.unsure_below) {
            return Err("unsure_below must lie between 0 and 1");
        }
        Ok(())
    }
}

/// A model card that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardError {
    /// The card.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for CardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "model card {}: {}", self.path.display(), self.reason)
    }
}

impl std::error::Error for CardError {}
