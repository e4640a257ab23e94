//! The last layer, and how a new one is fitted: a softmax over rows of embeddings that stays near the old layer, by
//! L-BFGS over all rows at once. It knows nothing of listeners, folds or files.

use std::collections::VecDeque;

use tch::{Kind, Tensor};

use crate::train::TrainError;

/// Pairs of steps that L-BFGS remembers.
const MEMORY: usize = 8;
/// A step that lowers the loss by less than this share of it is the last.
const ENOUGH: f64 = 1e-7;

/// A last layer: genre x (value, and the bias last).
#[derive(Debug)]
pub(super) struct Layer(pub Tensor);

impl Layer {
    pub fn new(weight: &[f32], bias: &[f32], width: usize) -> Self {
        let rows = bias.len() as i64;
        let weight = Tensor::from_slice(weight).view([rows, width as i64]);
        Self(Tensor::cat(&[weight, Tensor::from_slice(bias).view([rows, 1])], 1))
    }

    /// Logits of rows (as [`rows`] makes them), row-major.
    pub fn logits(&self, rows: &Tensor) -> Vec<f32> {
        flat(&rows.matmul(&self.0.transpose(0, 1)))
    }

    /// Every output's bias and its share of `by`.
    pub fn shifted(&self, by: &[f32]) -> Self {
        let layer = self.0.copy();
        let width = layer.size().get(1).copied().unwrap_or(1) - 1;
        let mut bias = layer.narrow(1, width, 1);
        let _ = tch::no_grad(|| bias.f_add_(&Tensor::from_slice(by).view([-1, 1])));
        Self(layer)
    }

    /// Weights (genre x value) and biases.
    pub fn parts(&self) -> (Vec<f32>, Vec<f32>) {
        let width = self.0.size().get(1).copied().unwrap_or(1) - 1;
        (flat(&self.0.narrow(1, 0, width)), flat(&self.0.narrow(1, width, 1)))
    }
}

impl Clone for Layer {
    fn clone(&self) -> Self {
        Self(self.0.copy())
    }
}

/// Rows of embeddings with a one behind each, for the bias.
pub(super) fn rows(values: &[f32], width: usize) -> Tensor {
    with_ones(&Tensor::from_slice(values).view([-1, width as i64]))
}

/// As [`rows`].
pub(super) fn with_ones(x: &Tensor) -> Tensor {
    let ones = Tensor::ones([x.size().first().copied().unwrap_or(0), 1], (Kind::Float, tch::Device::Cpu));
    Tensor::cat(&[x, &ones], 1)
}

pub(super) fn flat(tensor: &Tensor) -> Vec<f32> {
    let tensor = tensor.detach().contiguous().to_kind(Kind::Float);
    let mut values = vec![0.0_f32; tensor.numel()];
    let len = values.len();
    tensor.copy_data(&mut values, len);
    values
}

/// What is to be learned.
pub(super) struct Problem {
    /// Row x (value, one).
    pub rows: Tensor,
    /// Row x what the body is given (see [`super::body::Body::calm`]), where more than the layer is to learn.
    pub given: Option<Tensor>,
    /// Row x genre; all zero where `among` speaks.
    pub targets: Tensor,
    /// Row x genre: one of these is right, nobody knows which.
    pub among: Option<Tensor>,
    /// Row x 1; sums to 1.
    pub weights: Tensor,
    /// The first rows are lessons, this many; the others are replayed.
    pub lessons: usize,
    /// The layer that the fit begins with and stays near.
    pub start: Layer,
    /// How near, by output: a factor of the squared distance, in units of the mean squared length of a row.
    pub near: Vec<f64>,
    /// How much the outputs may answer otherwise on music that is to stay as it is.
    pub still: Option<Still>,
}

/// Music on which outputs stay near what they answered: unlike a label, which a sure answer satisfies however far it
/// moves, this speaks everywhere that such music is.
pub(super) struct Still {
    /// The rows of the problem that it is.
    pub rows: std::ops::Range<i64>,
    /// Mean outer product of its rows.
    pub spread: Tensor,
    /// By output: a factor of the mean squared change of its logit.
    pub hold: Vec<f64>,
}

/// The leashes as tensors, ready to be multiplied.
struct Leash {
    near: Tensor,
    still: Option<(Tensor, Tensor)>,
}

impl Leash {
    /// What the distance `away` costs, and its slope.
    fn pull(&self, away: &Tensor) -> (Tensor, Tensor) {
        let mut slope = away * &self.near;
        if let Some((spread, hold)) = &self.still {
            slope += away.matmul(spread) * hold;
        }
        ((away * &slope).sum(Kind::Double) * 0.5, slope)
    }
}

/// A place on the way.
pub(super) struct Step {
    pub number: u32,
    pub loss: f64,
    pub layer: Layer,
}

struct Slope {
    loss: f64,
    gradient: Tensor,
}

/// By row.
fn sums(of: &Tensor) -> Tensor {
    let dims: &[i64] = &[1];
    of.sum_dim_intlist(dims, true, Kind::Float)
}

impl Problem {
    fn leash(&self) -> Leash {
        let dims: &[i64] = &[1];
        let size = self.rows.square().sum_dim_intlist(dims, false, Kind::Float).mean(Kind::Double).double_value(&[]);
        let column = |values: &[f64], by: f64| {
            Tensor::from_slice(&values.iter().map(|v| (v * by) as f32).collect::<Vec<_>>()).view([-1, 1])
        };
        Leash {
            near: column(&self.near, size.max(1e-9)),
            still: self.still.as_ref().map(|s| (s.spread.shallow_clone(), column(&s.hold, 1.0))),
        }
    }

    fn slope(&self, layer: &Tensor, leash: &Leash) -> Slope {
        let log = self.rows.matmul(&layer.transpose(0, 1)).log_softmax(-1, Kind::Float);
        let scores = log.exp();
        let mut pull = &scores * sums(&self.targets) - &self.targets;
        if let Some(among) = &self.among {
            let inside = &scores * among;
            let sum = sums(&inside).clamp_min(1e-9);
            pull += sums(among).clamp_max(1.0) * (&scores - inside / sum);
        }
        let (cost, slope) = leash.pull(&(layer - &self.start.0));
        let loss = self.misses(&log).double_value(&[]) + cost.double_value(&[]);
        Slope { loss, gradient: (pull * &self.weights).transpose(0, 1).matmul(&self.rows) + slope }
    }

    /// What the rows cost that are named otherwise than they should be.
    fn misses(&self, log: &Tensor) -> Tensor {
        let mut each = -sums(&(&self.targets * log));
        if let Some(among) = &self.among {
            let inside = sums(&(log.exp() * among)).clamp_min(1e-9);
            each -= sums(among).clamp_max(1.0) * inside.log();
        }
        (each * &self.weights).sum(Kind::Double)
    }

    /// What a layer costs over `rows`, which are this problem's as another body hears them. As [`Self::fit`] has it, but
    /// that what is to stay as it is may move together with what hears it.
    pub fn loss(&self, rows: &Tensor, layer: &Tensor) -> Tensor {
        let logits = rows.matmul(&layer.transpose(0, 1));
        let away = layer - &self.start.0;
        let leash = Leash { still: None, ..self.leash() };
        let mut loss = self.misses(&logits.log_softmax(-1, Kind::Float)) + leash.pull(&away).0;
        if let Some(still) = &self.still {
            let at = |t: &Tensor| t.narrow(0, still.rows.start, still.rows.end - still.rows.start);
            let moved = at(&logits) - at(&self.rows).matmul(&self.start.0.transpose(0, 1));
            let hold = Tensor::from_slice(&still.hold.iter().map(|h| *h as f32).collect::<Vec<_>>());
            loss += (moved.square() * hold).sum(Kind::Double) * (0.5 / (still.rows.end - still.rows.start) as f64);
        }
        loss
    }

    /// Fit. `visit` hears of every step, the start included, and says whether to go on.
    ///
    /// # Errors
    /// When the loss is not finite.
    pub fn fit(&self, steps: u32, visit: &mut dyn FnMut(&Step) -> bool) -> Result<Layer, TrainError> {
        let _no_grad = tch::no_grad_guard();
        let leash = self.leash();
        let mut layer = self.start.0.copy();
        let mut at = self.slope(&layer, &leash);
        let mut past: VecDeque<(Tensor, Tensor, f64)> = VecDeque::new();
        for number in 0..=steps {
            if !at.loss.is_finite() {
                return Err(TrainError::Diverged { step: number });
            }
            if !visit(&Step { number, loss: at.loss, layer: Layer(layer.copy()) }) || number == steps {
                break;
            }
            let direction = direction(&at.gradient, &past);
            let slope = dot(&direction, &at.gradient);
            let Some((next, new)) = self.search(&layer, &direction, at.loss, slope, &leash) else { break };
            let (moved, turned) = (&next - &layer, &new.gradient - &at.gradient);
            let curve = dot(&moved, &turned);
            if curve > 1e-12 {
                past.push_back((moved, turned, curve));
                if past.len() > MEMORY {
                    past.pop_front();
                }
            }
            let gained = at.loss - new.loss;
            (layer, at) = (next, new);
            if gained < ENOUGH * at.loss.abs() {
                visit(&Step { number: number + 1, loss: at.loss, layer: Layer(layer.copy()) });
                break;
            }
        }
        Ok(Layer(layer))
    }

    /// Half the step until the loss falls as it should.
    fn search(
        &self,
        from: &Tensor,
        direction: &Tensor,
        loss: f64,
        slope: f64,
        leash: &Leash,
    ) -> Option<(Tensor, Slope)> {
        let mut length = 1.0;
        for _ in 0..20 {
            let next = from + direction * length;
            let new = self.slope(&next, leash);
            if new.loss <= loss + 1e-4 * length * slope {
                return Some((next, new));
            }
            length /= 2.0;
        }
        None
    }
}

fn dot(a: &Tensor, b: &Tensor) -> f64 {
    (a * b).sum(Kind::Double).double_value(&[])
}

/// The two loops of L-BFGS: downhill, bent by what the past steps say of the curvature.
fn direction(gradient: &Tensor, past: &VecDeque<(Tensor, Tensor, f64)>) -> Tensor {
    let mut d = -gradient;
    let mut shares = Vec::new();
    for (moved, turned, curve) in past.iter().rev() {
        let share = dot(moved, &d) / curve;
        d -= turned * share;
        shares.push(share);
    }
    d = match past.back() {
        Some((_, turned, curve)) => d * (curve / dot(turned, turned).max(1e-30)),
        // Nothing is known yet: a step of length one at most.
        None => {
            let length = dot(&d, &d).sqrt();
            d / length.max(1.0)
        }
    };
    for ((moved, turned, curve), share) in past.iter().zip(shares.iter().rev()) {
        let back = dot(turned, &d) / curve;
        d += moved * (share - back);
    }
    d
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn problem(among: Option<Tensor>, targets: &[f32]) -> Problem {
        let start = Layer::new(&[0.0, 0.0, 0.0], &[0.0, 0.0, 0.0], 1);
        Problem {
            rows: rows(&[-1.0, 1.0, 1.0, 1.0], 1),
            given: None,
            targets: Tensor::from_slice(targets).view([4, 3]),
            among,
            weights: Tensor::full([4, 1], 0.25, (Kind::Float, tch::Device::Cpu)),
            lessons: 4,
            start,
            near: vec![1e-9; 3],
            still: None,
        }
    }

    fn scores(layer: &Layer, x: f32) -> Vec<f32> {
        flat(&Tensor::from_slice(&layer.logits(&rows(&[x], 1))).softmax(0, Kind::Float))
    }

    #[test]
    fn a_fit_without_a_leash_gives_the_shares_of_the_labels() {
        // At x = 1 two of three rows say the second genre, one the third: that is the maximum of the likelihood.
        let targets = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        let layer = problem(None, &targets).fit(200, &mut |_| true).unwrap();
        let at = scores(&layer, 1.0);
        assert!((at[1] - 2.0 / 3.0).abs() < 0.02 && (at[2] - 1.0 / 3.0).abs() < 0.02, "{at:?}");
    }

    #[test]
    fn one_of_several_leaves_the_choice_to_the_others() {
        let targets = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let open = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0];
        let among = Tensor::from_slice(&open.map(|v: f64| v as f32)).view([4, 3]);
        let layer = problem(Some(among), &targets).fit(200, &mut |_| true).unwrap();
        let at = scores(&layer, 1.0);
        assert!(at[0] < 0.02 && at[1] > at[2], "{at:?}");
    }

    #[test]
    fn a_short_leash_holds() {
        let targets = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0];
        let held = Problem { near: vec![100.0; 3], ..problem(None, &targets) }.fit(50, &mut |_| true).unwrap();
        assert!(scores(&held, 1.0).iter().all(|s| (s - 1.0 / 3.0).abs() < 0.01));
    }

    #[test]
    fn where_it_is_to_stay_as_it_is_it_does_and_elsewhere_it_learns() {
        // Rows of (x, one): what lies at x = -1 is held still, and all say the first genre there and at x = 1.
        let targets = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0];
        let spread = Tensor::from_slice(&[1.0_f32, -1.0, -1.0, 1.0]).view([2, 2]);
        let still = Some(Still { rows: 0..2, spread, hold: vec![100.0; 3] });
        let layer = Problem { still, ..problem(None, &targets) }.fit(100, &mut |_| true).unwrap();
        assert!(scores(&layer, -1.0).iter().all(|s| (s - 1.0 / 3.0).abs() < 0.02));
        assert!(scores(&layer, 1.0)[0] > 0.8);
    }
}
