//! What the network is familiar with, widened by the listener's music: a genre that the base never heard must not be
//! unsure for ever because it lies outside of what was known.

use std::collections::HashMap;

use tch::{Kind, Tensor};

use super::{
    layer::flat,
    music::{Music, Replay},
};
use crate::{
    model::distance,
    train::{
        TrainError,
        familiar::{self, STRANGE_SHARE},
    },
};

/// The lessons widen nothing while no more of their rows than this are strange.
const USUAL: f64 = 3.0 * STRANGE_SHARE;
/// A corrected track weighs as much as this many clips of the base data.
const EMPHASIS: f64 = 4.0;
/// Clips of the base data where no replay set says how many there were.
const CLIPS: f64 = 600.0;
/// This share of the lessons' rows may stay strange.
const LEFT_OUT: f64 = 0.1;
/// The bound grows by no more than this factor: speech and noise stay outside.
const MOST: f32 = 1.25;

/// The Gaussian over embeddings, and the distance beyond which a chunk is strange.
pub(super) struct Known {
    pub mean: Tensor,
    pub whiten: Tensor,
    pub beyond: f32,
}

impl Known {
    /// Of a model's tensors and card; none where it judges no strangeness.
    pub fn of(tensors: &HashMap<String, Tensor>, beyond: Option<f32>) -> Option<Self> {
        let get = |name: &str| tensors.get(&format!("{}{name}", crate::model::weights::FAMILIAR)).map(Tensor::copy);
        Some(Self { mean: get("mean")?, whiten: get("whiten")?, beyond: beyond? })
    }

    /// Of music that the network learned from, as it hears it now; the bound is set by the rest of the replay set.
    pub fn anew(replay: &Replay) -> Result<Self, TrainError> {
        let rows = |wanted: bool| rows_of(&replay.music, &|i| replay.learned.get(i) == Some(&wanted));
        let (mean, whiten, beyond) = familiar::gaussian(&rows(true), &rows(false))?;
        Ok(Self { mean, whiten, beyond })
    }

    fn far(&self, values: &Tensor) -> Vec<f32> {
        flat(&distance(values, &self.mean, &self.whiten))
    }

    /// A linear output (values, then the bias) that grows from what was known towards the mean of these rows.
    pub fn towards(&self, rows: &Tensor, length: f64) -> Tensor {
        let dims: &[i64] = &[0];
        let inside = (rows.mean_dim(dims, false, Kind::Float) - &self.mean).unsqueeze(0).matmul(&self.whiten);
        let half = 0.5 * inside.square().sum(Kind::Double).double_value(&[]);
        let values = self.whiten.matmul(&inside.transpose(0, 1)).squeeze_dim(1) * length;
        let bias = -(&values * &self.mean).sum(Kind::Double).double_value(&[]) - half * length;
        Tensor::cat(&[values, Tensor::from_slice(&[bias as f32])], 0)
    }

    /// Widened by the lessons, where they lie outside; none where all is well.
    pub fn widened(&self, lessons: &Music, replay: Option<&Replay>) -> Option<Self> {
        let told = |i: usize| lessons.tracks.get(i).is_some_and(|t| t.said().is_some());
        let all = rows_of(lessons, &told);
        let strange = self.far(&all).iter().filter(|d| **d > self.beyond).count();
        if (strange as f64) < USUAL * all.size()[0].max(1) as f64 {
            return None;
        }
        let clips = replay.map_or(CLIPS, |r| r.learned.iter().filter(|l| **l).count() as f64);
        let with = |rows: &Tensor, tracks: f64| self.with(rows, EMPHASIS * tracks / (EMPHASIS * tracks + clips));
        let tracks = (0..lessons.tracks.len()).filter(|&i| told(i)).count() as f64;
        let mut wide = with(&all, tracks)?;
        // The bound is set by music that the Gaussian did not see: the base's unseen artists, and each half of the
        // lessons' groups by the other half.
        if let Some(replay) = replay {
            let unseen = rows_of(&replay.music, &|i| replay.learned.get(i) == Some(&false));
            if unseen.size()[0] > 0 {
                wide.beyond = quantile(wide.far(&unseen), 1.0 - STRANGE_SHARE).max(wide.beyond.min(self.beyond) * 0.8);
            }
        }
        let mut far = Vec::new();
        for half in 0..2 {
            let side =
                |i: usize, mine: bool| told(i) && lessons.tracks.get(i).is_some_and(|t| (t.group % 2 == half) == mine);
            let (known, judged) = (rows_of(lessons, &|i| side(i, false)), rows_of(lessons, &|i| side(i, true)));
            if known.size()[0] > 0 && judged.size()[0] > 0 {
                far.extend(with(&known, tracks / 2.0)?.far(&judged));
            }
        }
        if !far.is_empty() {
            let bound = wide.beyond;
            wide.beyond = quantile(far, 1.0 - LEFT_OUT).clamp(bound, bound * MOST);
        }
        Some(wide)
    }

    /// The Gaussian of a mixture: what was known, and `share` of these rows.
    fn with(&self, rows: &Tensor, share: f64) -> Option<Self> {
        let dims: &[i64] = &[0];
        let width = self.mean.size().first().copied()?;
        // In whitened coordinates what was known is a ball of radius one.
        let inside = (rows - &self.mean).matmul(&self.whiten).to_kind(Kind::Double);
        let count = inside.size().first().copied()?.max(1);
        let mean = inside.mean_dim(dims, false, Kind::Double) * share;
        let spread = inside.transpose(0, 1).matmul(&inside) * (share / count as f64);
        let outer = mean.unsqueeze(1).matmul(&mean.unsqueeze(0));
        let ball = Tensor::eye(width, (Kind::Double, tch::Device::Cpu)) * (1.0 - share);
        let lower = (ball + spread - outer).f_linalg_cholesky(false).ok()?;
        let turn = Tensor::f_linalg_inv(&lower).ok()?.transpose(0, 1).to_kind(Kind::Float);
        let shift = Tensor::f_linalg_inv(&self.whiten.transpose(0, 1)).ok()?.matmul(&mean.to_kind(Kind::Float));
        Some(Self { mean: &self.mean + shift, whiten: self.whiten.matmul(&turn).contiguous(), beyond: self.beyond })
    }
}

/// Rows of the tracks that are wanted.
fn rows_of(music: &Music, wanted: &dyn Fn(usize) -> bool) -> Tensor {
    let tracks = music.tracks.iter().enumerate().filter(|(i, _)| wanted(*i));
    let values: Vec<f32> = tracks.flat_map(|(_, t)| t.rows.clone()).flat_map(|r| music.row(r)).copied().collect();
    Tensor::from_slice(&values).view([-1, music.width as i64])
}

fn quantile(mut values: Vec<f32>, share: f64) -> f32 {
    values.sort_by(f32::total_cmp);
    let at = (values.len() as f64 * share) as usize;
    values.get(at.min(values.len().saturating_sub(1))).copied().unwrap_or(0.0)
}
