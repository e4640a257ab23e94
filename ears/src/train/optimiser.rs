//! The two rules that change weights. Our own, since torch's keep their state where a checkpoint cannot reach it.

use std::collections::HashMap;

use tch::{Kind, Tensor};

use super::recipe::Optimiser;

/// Parameters and what the rule remembers of each.
pub(super) struct Rule {
    kind: Optimiser,
    weight_decay: f64,
    parameters: Vec<(String, Tensor, State)>,
}

struct State {
    mean: Option<Tensor>,
    square: Tensor,
}

const ADAM_MEAN: f64 = 0.9;
const ADAM_SQUARE: f64 = 0.999;
const RMSPROP_SQUARE: f64 = 0.99;
const EPSILON: f64 = 1e-8;

impl Rule {
    pub fn new(kind: Optimiser, weight_decay: f64, variables: &HashMap<String, Tensor>) -> Self {
        let mut parameters: Vec<_> = variables
            .iter()
            .filter(|(_, t)| t.requires_grad())
            .map(|(name, t)| {
                let zeros = || t.zeros_like().detach();
                let state = State { mean: (kind == Optimiser::Adamw).then(zeros), square: zeros() };
                (name.clone(), t.shallow_clone(), state)
            })
            .collect();
        parameters.sort_by(|a, b| a.0.cmp(&b.0));
        Self { kind, weight_decay, parameters }
    }

    /// One step down the gradients of `loss`.
    pub fn step(&mut self, loss: &Tensor, learning_rate: f64, step: u32) {
        for (_, p, _) in &mut self.parameters {
            p.zero_grad();
        }
        loss.backward();
        tch::no_grad(|| {
            for (_, p, state) in &mut self.parameters {
                let g = p.grad();
                if !g.defined() {
                    continue;
                }
                match (self.kind, &mut state.mean) {
                    (Optimiser::Adamw, Some(mean)) => {
                        let t = f64::from(step) + 1.0;
                        // Biases and norms (one dimension) do not decay.
                        if p.dim() > 1 && self.weight_decay > 0.0 {
                            let _ = p.g_mul_scalar_(1.0 - learning_rate * self.weight_decay);
                        }
                        let _ = mean.lerp_(&g, 1.0 - ADAM_MEAN);
                        let _ = state.square.lerp_(&g.square(), 1.0 - ADAM_SQUARE);
                        let root = (&state.square / (1.0 - ADAM_SQUARE.powf(t))).sqrt_() + EPSILON;
                        let rate = learning_rate / (1.0 - ADAM_MEAN.powf(t));
                        let _ = p.g_sub_(&(&*mean / root * rate));
                    }
                    _ => {
                        let _ = state.square.lerp_(&g.square(), 1.0 - RMSPROP_SQUARE);
                        let _ = p.g_sub_(&(g / (state.square.sqrt() + EPSILON) * learning_rate));
                    }
                }
            }
        });
    }

    /// What a checkpoint keeps.
    pub fn save(&self, into: &mut HashMap<String, Tensor>) {
        for (name, _, state) in &self.parameters {
            if let Some(mean) = &state.mean {
                into.insert(format!("rule.mean.{name}"), mean.shallow_clone());
            }
            into.insert(format!("rule.square.{name}"), state.square.shallow_clone());
        }
    }

    /// Take up what a checkpoint kept.
    pub fn load(&mut self, from: &HashMap<String, Tensor>) -> Result<(), String> {
        let get = |name: String| from.get(&name).ok_or_else(|| format!("{name} is missing"));
        for (name, _, state) in &mut self.parameters {
            if let Some(mean) = &mut state.mean {
                mean.copy_(get(format!("rule.mean.{name}"))?);
            }
            state.square.copy_(get(format!("rule.square.{name}"))?);
        }
        Ok(())
    }
}

/// `-(target * log softmax)`, a mean over the batch.
pub(super) fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Tensor {
    let dims: &[i64] = &[-1];
    -(logits.log_softmax(-1, Kind::Float) * targets).sum_dim_intlist(dims, false, Kind::Float).mean(Kind::Float)
}

/// Binary cross-entropy of every softmax output: the authors' loss.
pub(super) fn softmax_bce(logits: &Tensor, targets: &Tensor) -> Tensor {
    let p = logits.softmax(-1, Kind::Float);
    p.binary_cross_entropy::<Tensor>(targets, None, tch::Reduction::Mean)
}
