//! What a pretrained trunk hears, as a second task for a small network: from its embedding it is to tell the trunk's
//! features of the chunk (the "hints" of FitNets, Romero et al. 2015). Only training needs it; what is shipped does not
//! hold it.

use std::collections::HashMap;

use deepcuts_protocol::FrontEnd;
use half::f16;
use tch::{Device, Kind, Tensor, nn::Init, nn::VarStore};

use super::{data::Set, recipe::Recipe};
use crate::model::Arch;

/// Features no further than this from their mean, in deviations: a few outliers are not worth a network's effort.
const FARTHEST: f32 = 3.0;

/// Whether `arch` can learn from hints by this recipe, or why not.
pub(super) fn fits(recipe: &Recipe, arch: Arch, front_end: FrontEnd) -> Result<(), String> {
    if arch.has_trunk() {
        return Err("it listens through it".to_owned());
    }
    if front_end != FrontEnd::Cuts || arch.input() != Arch::Deep.input() || recipe.augment.stretch > 0.0 {
        return Err("its chunks are not the trunk's".to_owned());
    }
    deepcuts_protocol::find_trunk(None).map(drop)
}

/// The trunk's features of every clip, standardised, at beginnings a fixed number of frames apart.
#[derive(Debug)]
pub struct Hints {
    width: usize,
    frames_apart: usize,
    clips: Vec<Vec<f16>>,
}

impl Hints {
    /// From `heard`, what the trunk made of a set; `frames` of mel are a chunk.
    pub(super) fn new(heard: &Set, frames: usize) -> Self {
        let width = heard.bands;
        let mut rows: Vec<Vec<f32>> = (heard.clips.iter())
            .map(|clip| {
                let mut values = vec![0.0; clip.frames.len()];
                clip.frames.copy(0, &mut values);
                values
            })
            .collect();
        for feature in 0..width {
            let values = || rows.iter().flat_map(|r| r.iter().skip(feature).step_by(width));
            let n = values().count().max(1) as f32;
            let mean = values().sum::<f32>() / n;
            let spread = (values().map(|v| (v - mean).powi(2)).sum::<f32>() / n).sqrt().max(1e-6);
            for value in rows.iter_mut().flat_map(|r| r.iter_mut().skip(feature).step_by(width)) {
                *value = ((*value - mean) / spread).clamp(-FARTHEST, FARTHEST);
            }
        }
        let clips = rows.into_iter().map(|r| r.into_iter().map(f16::from_f32).collect()).collect();
        Self { width, frames_apart: frames / heard.taps.unwrap_or(1), clips }
    }

    /// Features of a chunk.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Append what the trunk hears in the chunk of `clip` that begins at frame `start`: between two beginnings, what
    /// is between them.
    pub fn push(&self, clip: usize, start: usize, onto: &mut Vec<f32>) {
        let rows = self.clips.get(clip).map_or(&[][..], Vec::as_slice);
        let last = (rows.len() / self.width).saturating_sub(1);
        let low = (start / self.frames_apart).min(last);
        let high = (low + 1).min(last);
        let part = (start - low * self.frames_apart) as f32 / self.frames_apart as f32;
        for feature in 0..self.width {
            let at = |row: usize| rows.get(row * self.width + feature).map_or(0.0, |h| h.to_f32());
            onto.push(at(low) + (at(high) - at(low)) * part.min(1.0));
        }
    }
}

/// The layer that tells the hints from an embedding. It is thrown away when training ends.
pub(super) struct Pupil {
    vs: VarStore,
    weight: Tensor,
    bias: Tensor,
}

impl Pupil {
    pub fn new(embedding: i64, hints: &Hints, device: Device) -> Self {
        let vs = VarStore::new(device);
        let width = hints.width as i64;
        let init = Init::Randn { mean: 0.0, stdev: (1.0 / embedding as f64).sqrt() };
        let (weight, bias) = (vs.root().var("weight", &[width, embedding], init), vs.root().zeros("bias", &[width]));
        Self { vs, weight, bias }
    }

    /// Its variables, under names of their own.
    pub fn variables(&self) -> HashMap<String, Tensor> {
        self.vs.variables().into_iter().map(|(name, t)| (format!("hint.{name}"), t)).collect()
    }

    /// Take up what a checkpoint kept.
    pub fn copy_from(&self, tensors: &HashMap<String, Tensor>) {
        tch::no_grad(|| {
            for (name, mut variable) in self.variables() {
                if let Some(value) = tensors.get(&name) {
                    variable.copy_(value);
                }
            }
        });
    }

    /// Mean squared error, a mean over batch and features.
    pub fn loss(&self, embedding: &Tensor, hints: &[f32]) -> Tensor {
        let told = embedding.linear(&self.weight, Some(&self.bias));
        let hints = Tensor::from_slice(hints).view([-1, self.weight.size()[0]]).to_device(embedding.device());
        (told - hints).square().mean(Kind::Float)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::train::data::{Clip, Frames};

    #[test]
    fn a_hint_is_standardised_and_lies_between_its_neighbours() {
        let frames = [1.0, 10.0, 3.0, 20.0, 5.0, 60.0].map(f16::from_f32).to_vec();
        let clip = Clip {
            name: String::new(),
            artist: String::new(),
            label: 0,
            group: 0,
            sturm: None,
            frames: Frames::Halves(frames),
        };
        let heard =
            Set { genres: vec!["a".into()], front_end: FrontEnd::Cuts, bands: 2, clips: vec![clip], taps: Some(4) };
        let hints = Hints::new(&heard, 64);
        let at = |start: usize| {
            let mut row = Vec::new();
            hints.push(0, start, &mut row);
            row
        };
        // Means 3 and 30, deviations 1.633 and 21.602.
        let near = |row: Vec<f32>, a: f32, b: f32| assert!((row[0] - a).abs() < 2e-3 && (row[1] - b).abs() < 2e-3);
        near(at(0), -1.2247, -0.9258);
        near(at(8), -0.6124, -0.6944);
        near(at(24), 0.6124, 0.4629);
        near(at(400), 1.2247, 1.3887);
    }
}
