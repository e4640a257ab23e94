//! What a network is familiar with, from the embeddings of what it was trained on: a Gaussian, by which speech, noise
//! and strange music can be told from the genres; and the same embeddings as a replay set for retraining.
//!
//! Embeddings only: neither mels nor audio can be had back from them.

use std::{collections::HashMap, path::Path};

use deepcuts_protocol::Embeddings;
use half::f16;
use safetensors::{Dtype, tensor::TensorView};
use tch::{Kind, Tensor};

use super::{
    TrainError,
    batch::{self, Item},
    calibrate::Judged,
    data::Set,
    fit::{self, Model},
    job::{Job, RunRecord},
};
use crate::model::{arch, distance, weights};

/// This share of the chunks of held-out artists may be taken for strange.
pub(super) const STRANGE_SHARE: f64 = 0.02;
/// Added to the variances, as a share of their mean, so that values that hardly move do not decide.
const RIDGE: f64 = 0.05;

/// What a network is familiar with.
pub(super) struct Familiar {
    mean: Tensor,
    whiten: Tensor,
    /// Distance beyond which a chunk is strange.
    pub beyond: f32,
    chunks: Vec<Judged>,
    embeddings: Vec<f32>,
    /// What the frozen trunk made of the same chunks, as f16; empty where there is none.
    features: Vec<u8>,
    width: usize,
    learned: Vec<bool>,
}

/// Embed every clip, learn the Gaussian from those that were trained on, and set the bound by the others.
pub(super) fn measure(job: &Job<'_>, model: &Model, run: &RunRecord) -> Result<Familiar, TrainError> {
    let clips: Vec<u32> = (0..job.set.clips.len() as u32).collect();
    let items = batch::grid(&job.set, &clips, job.chunk_frames());
    let fold = run.score.fold;
    let (chunks, embeddings) = fit::judge_with_embeddings(model, &job.set, job.arch, &items, fold, job.device);
    let sides = job.sides(fold)?;
    let learned_clips: std::collections::HashSet<u32> = sides.learn.iter().map(|i| i.clip).collect();
    let learned: Vec<bool> = chunks.iter().map(|c| learned_clips.contains(&c.clip)).collect();
    let width = embeddings.len() / chunks.len().max(1);
    let all = Tensor::from_slice(&embeddings).view([-1, width as i64]);
    let rows = |wanted: bool| {
        let at: Vec<i64> = (0..learned.len()).filter(|&i| learned[i] == wanted).map(|i| i as i64).collect();
        all.index_select(0, &Tensor::from_slice(&at))
    };
    let (mean, whiten, beyond) = gaussian(&rows(true), &rows(false))?;
    let features = match job.set.taps {
        Some(_) => items.iter().flat_map(|i| features_of(&job.set, i)).flat_map(f16::to_le_bytes).collect(),
        None => Vec::new(),
    };
    Ok(Familiar { beyond, mean, whiten, chunks, embeddings, features, width, learned })
}

/// What the frozen trunk made of a chunk.
fn features_of(set: &Set, item: &Item) -> Vec<f16> {
    let mut values = vec![0.0; set.bands];
    if let Some(clip) = set.clips.get(item.clip as usize) {
        clip.frames.copy(item.start as usize * set.bands, &mut values);
    }
    values.into_iter().map(f16::from_f32).collect()
}

/// The Gaussian of rows that are `known`: mean, what whitens, and the distance beyond which a row is strange, by the
/// `others`, which it did not see (by themselves where there are none).
pub(super) fn gaussian(known: &Tensor, others: &Tensor) -> Result<(Tensor, Tensor, f32), TrainError> {
    let dims: &[i64] = &[0];
    let mean = known.mean_dim(dims, false, Kind::Float);
    let centred = known - &mean;
    let covariance = centred.transpose(0, 1).matmul(&centred) / (known.size()[0].max(2) - 1) as f64;
    let ridge = covariance.diagonal(0, 0, 1).mean(Kind::Float).double_value(&[]) * RIDGE + 1e-6;
    let covariance = covariance + Tensor::eye(mean.size()[0], (Kind::Float, tch::Device::Cpu)) * ridge;
    // With L L' = covariance, (x - mean) inv(L)' has unit variance.
    let whiten = Tensor::linalg_inv(&covariance.linalg_cholesky(false)).transpose(0, 1).contiguous();
    let judges = if others.size()[0] > 0 { others } else { known };
    let far: Vec<f32> = crate::model::to_vec(&distance(judges, &mean, &whiten))?;
    Ok((mean, whiten, quantile(far, 1.0 - STRANGE_SHARE)))
}

fn quantile(mut values: Vec<f32>, share: f64) -> f32 {
    values.sort_by(f32::total_cmp);
    let at = (values.len() as f64 * share) as usize;
    values.get(at.min(values.len().saturating_sub(1))).copied().unwrap_or(f32::MAX)
}

impl Familiar {
    /// The tensors that travel with the weights.
    pub fn tensors(&self) -> HashMap<String, Tensor> {
        let named = |name: &str, t: &Tensor| (format!("{}{name}", weights::FAMILIAR), t.shallow_clone());
        HashMap::from([named("mean", &self.mean), named("whiten", &self.whiten)])
    }

    /// Write the replay set: `embedding` (i8, chunk x value), `scale` (f32 a chunk), `clip` (u32 a chunk), and for
    /// each clip `label` (u8), `group` (u32, the artist) and `learned` (u8, 0 for clips of the fold that the network
    /// never saw). The metadata holds `genres` (JSON) and `model` (the id of the network).
    pub fn write_replay(&self, job: &Job<'_>, id: &str, path: &Path) -> Result<(), TrainError> {
        let fail = |reason: String| TrainError::Output { path: path.to_path_buf(), reason };
        let mut scales = Vec::new();
        let mut values = Vec::new();
        for row in self.embeddings.chunks_exact(self.width.max(1)) {
            let row = Embeddings::quantise(row, self.width);
            scales.extend(row.scales.iter().flat_map(|s| s.to_le_bytes()));
            values.extend(row.values.0);
        }
        let clip: Vec<u8> = self.chunks.iter().flat_map(|c| c.clip.to_le_bytes()).collect();
        let label: Vec<u8> = job.set.clips.iter().map(|c| c.label).collect();
        let group: Vec<u8> = job.set.clips.iter().flat_map(|c| c.group.to_le_bytes()).collect();
        let mut learned = vec![0_u8; label.len()];
        for (chunk, &yes) in self.chunks.iter().zip(&self.learned) {
            if let Some(slot) = learned.get_mut(chunk.clip as usize) {
                *slot = u8::from(yes);
            }
        }
        let (rows, clips) = (self.chunks.len(), label.len());
        let views = [
            ("embedding", Dtype::I8, vec![rows, self.width], &values),
            ("scale", Dtype::F32, vec![rows], &scales),
            ("clip", Dtype::U32, vec![rows], &clip),
            ("label", Dtype::U8, vec![clips], &label),
            ("group", Dtype::U32, vec![clips], &group),
            ("learned", Dtype::U8, vec![clips], &learned),
        ];
        let views: Vec<(&str, TensorView<'_>)> = views
            .into_iter()
            .map(|(name, kind, shape, bytes)| Ok((name, TensorView::new(kind, shape, bytes)?)))
            .collect::<Result<_, safetensors::SafeTensorError>>()
            .map_err(|e| fail(e.to_string()))?;
        let genres = serde_json::to_string(&job.set.genres).map_err(|e| fail(e.to_string()))?;
        let metadata = HashMap::from([("genres".to_owned(), genres), ("model".to_owned(), id.to_owned())]);
        let bytes = safetensors::serialize(views, Some(metadata)).map_err(|e| fail(e.to_string()))?;
        weights::write_whole(path, &bytes).map_err(|e| fail(e.to_string()))
    }

    /// Write what the frozen trunk made of the rows of the replay set, for a retraining of more than the last layer:
    /// `features` (f16, row x value). The metadata holds `model` (as in the replay set) and `frozen` (what names the
    /// trunk). Nothing where there is no trunk.
    pub fn write_features(&self, id: &str, path: &Path) -> Result<(), TrainError> {
        if self.features.is_empty() {
            return Ok(());
        }
        let fail = |reason: String| TrainError::Output { path: path.to_path_buf(), reason };
        let shape = vec![self.chunks.len(), arch::FROZEN_FEATURES];
        let view = TensorView::new(Dtype::F16, shape, &self.features).map_err(|e| fail(e.to_string()))?;
        let metadata = HashMap::from([("model".to_owned(), id.to_owned()), ("frozen".to_owned(), arch::frozen_id())]);
        let bytes = safetensors::serialize([("features", view)], Some(metadata)).map_err(|e| fail(e.to_string()))?;
        weights::write_whole(path, &bytes).map_err(|e| fail(e.to_string()))
    }
}
