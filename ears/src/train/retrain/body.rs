//! The part of the network between its frozen trunk and its last layer, and how it learns: by gradients, all rows at
//! once, with the last layer, from what the trunk made of lessons and replay. It stays near what it was (Li et al.,
//! "Explicit inductive bias for transfer learning", 2018), and the statistics of its norms stand.
//!
//! It knows nothing of listeners, folds or files.

use std::collections::HashMap;

use tch::{Device, Kind, Tensor, nn::VarStore};

use super::{
    layer::{self, Layer, Problem, flat},
    music::Music,
};
use crate::{
    model::{
        Arch, CutsShape, ModelError,
        arch::{self, Net},
        weights,
    },
    train::{TrainError, optimiser::Rule, recipe::Optimiser},
};

/// How fast it learns.
const RATE: f64 = 3e-4;
/// How near it stays to what it was: a factor of the squared distance.
const NEAR: f64 = 1e-2;
/// Steps of the fit at which held-out lessons are judged; the last is the most that is ever made.
pub(super) const LOOKS: [u32; 4] = [5, 10, 20, 40];

/// What makes an embedding of what the trunk gives.
pub(super) struct Body {
    vs: VarStore,
    net: Box<dyn Net>,
    arch: Arch,
    shape: CutsShape,
    genres: usize,
}

impl Body {
    /// Of a network's weights.
    ///
    /// # Errors
    /// Says which tensor does not fit.
    pub fn of(arch: Arch, shape: &CutsShape, genres: usize, tensors: &HashMap<String, Tensor>) -> Result<Self, String> {
        let vs = VarStore::new(Device::Cpu);
        let net = arch.build(&vs.root(), shape, genres);
        weights::fill(&vs, tensors)?;
        Ok(Self { vs, net, arch, shape: shape.clone(), genres })
    }

    /// Another one with the same values.
    fn twin(&self) -> Result<Self, TrainError> {
        let twin = Self::of(self.arch, &self.shape, self.genres, &self.vs.variables());
        twin.map_err(|reason| TrainError::Model(ModelError::Network(reason)))
    }

    /// What learns, by name.
    pub fn learns(&self) -> HashMap<String, Tensor> {
        let stays = |name: &str| name.starts_with("head.") || name.starts_with("calm.");
        self.vs.variables().into_iter().filter(|(name, t)| t.requires_grad() && !stays(name)).collect()
    }

    /// As far as it stays what it is: rows as [`fit`] takes them.
    pub fn calm(&self, features: &Tensor) -> Tensor {
        tch::no_grad(|| self.net.calm(features, false))
    }

    /// Embeddings (row x value) of rows of the trunk's features (row x feature).
    pub fn embed(&self, features: &Tensor) -> Tensor {
        tch::no_grad(|| self.net.learn(features, false))
    }
}

/// Rows of the trunk's features.
pub(super) fn features(values: &[f32]) -> Tensor {
    Tensor::from_slice(values).view([-1, arch::FROZEN_FEATURES as i64])
}

/// All that learned: a last layer, and what is below it where that learned, too.
pub(super) struct Learner {
    pub body: Option<Body>,
    pub layer: Layer,
}

impl Learner {
    /// Logits of some rows, row-major.
    pub fn logits(&self, music: &Music, rows: impl Iterator<Item = usize>) -> Vec<f32> {
        self.layer.logits(&self.rows(music, rows))
    }

    /// Embeddings of some rows, with a one behind each.
    fn rows(&self, music: &Music, rows: impl Iterator<Item = usize>) -> Tensor {
        match &self.body {
            None => layer::rows(&rows.flat_map(|r| music.row(r)).copied().collect::<Vec<f32>>(), music.width),
            Some(body) => {
                let values: Vec<f32> = rows.flat_map(|r| music.features(r)).copied().collect();
                layer::with_ones(&body.embed(&features(&values)))
            }
        }
    }

    /// Music as what is below the last layer hears it now.
    pub fn hears(&self, music: &Music) -> Music {
        let Some(body) = &self.body else { return music.clone() };
        Music { values: flat(&body.embed(&features(&music.features))), ..music.clone() }
    }
}

/// A place on the way.
pub(super) struct Step<'a> {
    pub number: u32,
    pub loss: f64,
    /// Logits of the problem's rows.
    pub logits: Vec<f32>,
    pub learner: &'a Learner,
}

/// Let body and layer learn together, from what the trunk gave of the problem's rows. `visit` hears of every step of
/// [`LOOKS`] up to `steps`, and says whether to go on.
///
/// # Errors
/// When the loss is not finite.
pub(super) fn fit(
    problem: &Problem,
    (body, layer): (&Body, &Layer),
    steps: u32,
    visit: &mut dyn FnMut(&Step<'_>) -> bool,
) -> Result<Learner, TrainError> {
    let learner = Learner { body: Some(body.twin()?), layer: Layer(layer.0.detach().copy().set_requires_grad(true)) };
    let mut variables = learner.body.as_ref().map(Body::learns).unwrap_or_default();
    let were: Vec<(Tensor, Tensor)> = variables.values().map(|t| (t.shallow_clone(), t.detach().copy())).collect();
    variables.insert("layer".to_owned(), learner.layer.0.shallow_clone());
    let mut rule = Rule::new(Optimiser::Adamw, 0.0, &variables);
    for number in 1..=steps {
        let (Some(body), Some(given)) = (&learner.body, &problem.given) else { break };
        let rows = layer::with_ones(&body.net.raise(given, false));
        let mut loss = problem.loss(&rows, &learner.layer.0);
        for (now, was) in &were {
            loss += (now - was).square().sum(Kind::Float) * (0.5 * NEAR);
        }
        let value = loss.double_value(&[]);
        if !value.is_finite() {
            return Err(TrainError::Diverged { step: number });
        }
        rule.step(&loss, RATE, number - 1);
        let look = || {
            let logits = learner.layer.logits(&layer::with_ones(&body.net.raise(given, false)));
            visit(&Step { number, loss: value, logits, learner: &learner })
        };
        if LOOKS.contains(&number) && !tch::no_grad(look) {
            break;
        }
    }
    let layer = Layer(learner.layer.0.detach().copy());
    Ok(Learner { layer, ..learner })
}
