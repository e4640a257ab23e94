//! One run: weights from one seed, fitted to one side of a split, watched, checkpointed and stopped.

use std::{collections::HashMap, path::PathBuf, sync::atomic::AtomicBool, sync::atomic::Ordering};

use deepcuts_protocol::CurvePoint;
use tch::{Device, Kind, Tensor, nn::VarStore};

use super::{
    TrainError,
    batch::{Batch, Item, Sampler},
    calibrate::Judged,
    checkpoint::{self, Progress},
    data::Set,
    mixtures::Taught,
    optimiser::{self, Rule},
    recipe::{Keep, Loss, Recipe, Schedule},
};
use crate::model::{
    Arch,
    arch::{self, Net},
    weights,
};

/// Chunks that are judged in one pass.
const JUDGE_BATCH: usize = 32;

/// Everything a run depends on.
pub(super) struct Run<'a> {
    pub set: &'a Set,
    pub arch: Arch,
    pub recipe: &'a Recipe,
    pub learn: Vec<Item>,
    pub watch: Vec<Item>,
    pub fold: u32,
    pub seed: u64,
    pub device: Device,
    /// Where it is kept while it runs, if it takes long.
    pub checkpoint: Option<PathBuf>,
    pub fingerprint: String,
    pub resume: bool,
    /// Learned from instead of the labels of `learn`.
    pub taught: Option<Taught>,
}

/// A network with its variables.
pub(super) struct Model {
    pub vs: VarStore,
    pub net: Box<dyn Net>,
}

impl Model {
    pub fn new(arch: Arch, recipe: &Recipe, genres: usize, device: Device) -> Self {
        let vs = VarStore::new(device);
        let net = arch.build(&vs.root(), &recipe.net, genres);
        Self { vs, net }
    }

    fn copy_from(&mut self, from: &HashMap<String, Tensor>) {
        tch::no_grad(|| {
            for (name, mut variable) in self.vs.variables() {
                if let Some(value) = from.get(&name) {
                    variable.copy_(value);
                }
            }
        });
    }
}

/// What a run leaves.
pub(super) struct Fitted {
    pub model: Model,
    pub curve: Vec<CurvePoint>,
    /// Minibatches done.
    pub steps: u32,
    pub stopped: bool,
}

impl Run<'_> {
    fn sampler(&self) -> Sampler<'_> {
        Sampler::of(self.set, self.arch, self.recipe, self.learn.clone(), self.seed)
    }

    /// Minibatches in all.
    pub fn steps(&self) -> u32 {
        let fit = &self.recipe.fit;
        let epoch = self.sampler().steps_an_epoch() as u32;
        fit.steps.unwrap_or_else(|| fit.epochs.unwrap_or(1) * epoch).max(1)
    }

    /// Fit. `tell` hears of the start (step, steps) through `begun` and of every point of the curve.
    pub fn fit(
        &self,
        cancel: &AtomicBool,
        begun: &mut dyn FnMut(u32),
        tell: &mut dyn FnMut(CurvePoint),
    ) -> Result<Fitted, TrainError> {
        let fit = &self.recipe.fit;
        let genres = self.set.genres.len();
        let sampler = self.sampler();
        let (steps, epoch) = (self.steps(), sampler.steps_an_epoch() as u32);
        let every = if fit.report_every == 0 { epoch } else { fit.report_every };

        tch::manual_seed(self.seed as i64);
        let mut model = Model::new(self.arch, self.recipe, genres, self.device);
        let mut average = (fit.average > 0.0).then(|| {
            let mut average = Model::new(self.arch, self.recipe, genres, self.device);
            average.copy_from(&model.vs.variables());
            average.vs.freeze();
            average
        });
        let mut rule = Rule::new(fit.optimiser, fit.weight_decay, &model.vs.variables());
        let mut progress = Progress::new(&self.fingerprint);
        let mut best: Option<HashMap<String, Tensor>> = None;
        if let Some(path) = self.checkpoint.as_deref().filter(|p| self.resume && p.exists()) {
            let (kept, tensors) = checkpoint::read(path, &self.fingerprint, self.device)?;
            let part = |prefix: &str| checkpoint::part(&tensors, prefix);
            model.copy_from(&part("net."));
            if let Some(average) = &mut average {
                average.copy_from(&part("average."));
            }
            best = Some(part("best.")).filter(|b| !b.is_empty());
            rule.load(&tensors).map_err(|reason| TrainError::Source { path: path.to_path_buf(), reason })?;
            progress = kept;
        }
        begun(progress.step);

        let mut tally = Tally::default();
        let mut stopped = false;
        while progress.step < steps {
            if cancel.load(Ordering::Relaxed) {
                stopped = true;
                break;
            }
            let step = progress.step;
            let batch = match &self.taught {
                Some(taught) => taught.draw(&sampler, step as usize),
                None => sampler.draw(step as usize),
            };
            // Dropout draws from torch's generator: seeded by the step, a resumed run goes on as it would have.
            tch::manual_seed((self.seed.wrapping_mul(1_000_003) ^ u64::from(step)) as i64);
            let rate = fit.learning_rate * self.rate(step, steps) * progress.rate_factor;
            self.step(&model, &mut rule, &batch, rate, step, &mut tally);
            if let Some(average) = &average {
                follow(&average.vs, &model.vs, fit.average.min(f64::from(step + 1) / f64::from(step + 10)));
            }
            progress.step += 1;
            if progress.step.is_multiple_of(epoch) {
                progress.close_epoch(&tally, fit.schedule);
            }
            if progress.step.is_multiple_of(every) || progress.step == steps {
                let judge = average.as_ref().unwrap_or(&model);
                let point = self.point(judge, &tally, progress.step, epoch)?;
                tally.close_point();
                progress.curve.push(point);
                tell(point);
                if fit.keep == Keep::Best && progress.best.is_none_or(|b| point.valid_accuracy > b) {
                    progress.best = Some(point.valid_accuracy);
                    best = Some(copy(&judge.vs));
                }
                let Some(path) = &self.checkpoint else { continue };
                let mut tensors = HashMap::new();
                checkpoint::put(&mut tensors, "net.", &model.vs.variables());
                if let Some(average) = &average {
                    checkpoint::put(&mut tensors, "average.", &average.vs.variables());
                }
                if let Some(best) = &best {
                    checkpoint::put(&mut tensors, "best.", best);
                }
                rule.save(&mut tensors);
                checkpoint::write(path, &progress, &tensors)?;
            }
        }
        let mut model = average.unwrap_or(model);
        if let (Keep::Best, Some(best)) = (fit.keep, &best) {
            model.copy_from(best);
        }
        Ok(Fitted { model, curve: progress.curve, steps: progress.step, stopped })
    }

    fn rate(&self, step: u32, steps: u32) -> f64 {
        match self.recipe.fit.schedule {
            Schedule::Constant | Schedule::Halving => 1.0,
            Schedule::OneCycle => one_cycle(f64::from(step) / f64::from(steps.max(2) - 1)),
        }
    }

    fn step(&self, model: &Model, rule: &mut Rule, batch: &Batch, rate: f64, step: u32, tally: &mut Tally) {
        let genres = self.set.genres.len() as i64;
        let targets = Tensor::from_slice(&batch.targets).view([-1, genres]).to_device(self.device);
        let embedding = embed(model, self.set, self.arch, &batch.chunks, self.device, true);
        let logits = model.net.head(&embedding, true);
        let loss = match self.recipe.fit.loss {
            Loss::CrossEntropy => optimiser::cross_entropy(&logits, &targets),
            Loss::SoftmaxBce => optimiser::softmax_bce(&logits, &targets),
        };
        rule.step(&loss, rate, step);
        let labels: Vec<i64> = batch.labels.iter().map(|&l| i64::from(l)).collect();
        let right = logits.argmax(-1, false).eq_tensor(&Tensor::from_slice(&labels).to_device(self.device));
        tally.add(loss.double_value(&[]), right.sum(Kind::Int64).int64_value(&[]) as f64, labels.len() as f64);
    }

    fn point(&self, model: &Model, tally: &Tally, step: u32, epoch: u32) -> Result<CurvePoint, TrainError> {
        let judged = judge(model, self.set, self.arch, &self.watch, self.fold, self.device);
        let (valid_loss, valid_accuracy) = losses(&judged, self.recipe.fit.loss);
        let point = CurvePoint {
            step,
            epoch: f64::from(step) / f64::from(epoch),
            train_loss: tally.point_loss / tally.point_batches.max(1.0),
            train_accuracy: tally.point_right / tally.point_chunks.max(1.0),
            valid_loss,
            valid_accuracy,
        };
        if point.train_loss.is_finite() { Ok(point) } else { Err(TrainError::Diverged { step }) }
    }
}

/// Sums since the last point, and since the last epoch.
#[derive(Debug, Default)]
pub(super) struct Tally {
    point_loss: f64,
    point_right: f64,
    point_chunks: f64,
    point_batches: f64,
    pub epoch_loss: std::cell::Cell<f64>,
    pub epoch_batches: std::cell::Cell<f64>,
}

impl Tally {
    fn add(&mut self, loss: f64, right: f64, chunks: f64) {
        self.point_loss += loss;
        self.point_right += right;
        self.point_chunks += chunks;
        self.point_batches += 1.0;
        self.epoch_loss.set(self.epoch_loss.get() + loss);
        self.epoch_batches.set(self.epoch_batches.get() + 1.0);
    }

    fn close_point(&mut self) {
        (self.point_loss, self.point_right, self.point_chunks, self.point_batches) = (0.0, 0.0, 0.0, 0.0);
    }
}

/// Up over the first quarter from a 25th, then down to nothing, by half cosines.
fn one_cycle(place: f64) -> f64 {
    let half_cosine =
        |from: f64, to: f64, at: f64| to + (from - to) * f64::midpoint((std::f64::consts::PI * at).cos(), 1.0);
    if place < 0.25 { half_cosine(0.04, 1.0, place / 0.25) } else { half_cosine(1.0, 1e-5, (place - 0.25) / 0.75) }
}

fn follow(average: &VarStore, of: &VarStore, decay: f64) {
    let new = of.variables();
    tch::no_grad(|| {
        for (name, mut variable) in average.variables() {
            if let Some(value) = new.get(&name) {
                let _ = variable.lerp_(value, 1.0 - decay);
            }
        }
    });
}

fn copy(vs: &VarStore) -> HashMap<String, Tensor> {
    vs.variables().into_iter().map(|(name, t)| (name, t.detach().copy())).collect()
}

impl Model {
    /// Weights of a finished run.
    pub fn read(
        path: &std::path::Path,
        arch: Arch,
        recipe: &Recipe,
        genres: usize,
        device: Device,
    ) -> Result<Self, TrainError> {
        let bad = |reason: String| TrainError::Source { path: path.to_path_buf(), reason };
        let bytes = std::fs::read(path).map_err(|e| bad(e.to_string()))?;
        let read = weights::parse(&bytes).map_err(bad)?;
        let model = Self::new(arch, recipe, genres, device);
        weights::fill(&model.vs, &read.tensors).map_err(bad)?;
        Ok(model)
    }
}

/// Embeddings of chunks as the set has them: mel, or what a frozen trunk made of it.
fn embed(model: &Model, set: &Set, arch: Arch, chunks: &[f32], device: Device, train: bool) -> Tensor {
    let x = Tensor::from_slice(chunks).to_device(device);
    if set.taps.is_some() {
        return model.net.learn(&x.view([-1, set.bands as i64]), train);
    }
    let [frames, bands] = arch.input();
    let x = x.view([-1, frames, set.bands as i64]);
    model.net.embed(&arch::prepare_for(arch, &x, set.front_end, bands), train)
}

/// Logits of `items`.
pub(super) fn judge(model: &Model, set: &Set, arch: Arch, items: &[Item], fold: u32, device: Device) -> Vec<Judged> {
    judge_with_embeddings(model, set, arch, items, fold, device).0
}

/// Logits and embeddings of `items`.
pub(super) fn judge_with_embeddings(
    model: &Model,
    set: &Set,
    arch: Arch,
    items: &[Item],
    fold: u32,
    device: Device,
) -> (Vec<Judged>, Vec<f32>) {
    let size = set.chunk(arch.input()[0].unsigned_abs() as usize) * set.bands;
    let genres = set.genres.len();
    let mut judged = Vec::with_capacity(items.len());
    let mut all = Vec::new();
    for group in items.chunks(JUDGE_BATCH) {
        let mut chunks = vec![0.0_f32; group.len() * size];
        for (item, out) in group.iter().zip(chunks.chunks_exact_mut(size)) {
            if let Some(clip) = set.clips.get(item.clip as usize) {
                clip.frames.copy(item.start as usize * set.bands, out);
            }
        }
        let (logits, embeddings) = tch::no_grad(|| {
            let embedding = embed(model, set, arch, &chunks, device, false);
            (model.net.head(&embedding, false).to_device(Device::Cpu), embedding.to_device(Device::Cpu))
        });
        let mut values = vec![0.0_f32; group.len() * genres];
        logits.to_kind(Kind::Float).contiguous().copy_data(&mut values, group.len() * genres);
        let mut rows = vec![0.0_f32; embeddings.numel()];
        let count = rows.len();
        embeddings.contiguous().copy_data(&mut rows, count);
        all.extend(rows);
        for (item, row) in group.iter().zip(values.chunks_exact(genres)) {
            let label = set.clips.get(item.clip as usize).map_or(0, |c| c.label);
            judged.push(Judged { clip: item.clip, fold, label, logits: row.to_vec() });
        }
    }
    (judged, all)
}

/// Mean loss and accuracy of chunks.
fn losses(judged: &[Judged], loss: Loss) -> (f64, f64) {
    let n = judged.len().max(1) as f64;
    let mut sum = 0.0;
    let mut right = 0.0;
    for chunk in judged {
        let scores = chunk.scores(1.0);
        let truth = usize::from(chunk.label);
        right += f64::from(u8::from(super::calibrate::best(&scores).0 == truth));
        sum += match loss {
            Loss::CrossEntropy => -scores.get(truth).copied().unwrap_or(0.0).max(1e-12).ln(),
            Loss::SoftmaxBce => bce(&scores, truth),
        };
    }
    (sum / n, right / n)
}

/// Binary cross-entropy of one chunk's scores, a mean over the genres: the paper's loss.
pub(super) fn bce(scores: &[f64], truth: usize) -> f64 {
    let each = |(i, &p): (usize, &f64)| -(if i == truth { p } else { 1.0 - p }).max(1e-12).ln();
    scores.iter().enumerate().map(each).sum::<f64>() / scores.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cycle_rises_and_falls() {
        assert!((one_cycle(0.0) - 0.04).abs() < 1e-9);
        assert!((one_cycle(0.25) - 1.0).abs() < 1e-9);
        assert!(one_cycle(1.0) < 1e-4);
    }

    #[test]
    fn the_papers_loss_of_a_sure_right_answer_is_nothing() {
        assert!(bce(&[1.0, 0.0], 0) < 1e-9);
        assert!((bce(&[0.5, 0.5], 0) - 2.0_f64.ln()).abs() < 1e-9);
    }
}
