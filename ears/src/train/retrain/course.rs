//! What is learned, and how it is proven: lessons and replay become one problem for the last layer; every fold of the
//! lessons is judged by a layer that learned from the other folds; where to stop is read off the same folds.
//!
//! It knows no files and no cards.

use std::sync::atomic::{AtomicBool, Ordering};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::Tensor;

use super::{
    body::{self, Body, Learner},
    known::Known,
    layer::{self, Layer, Problem, Still},
    music::{Music, Outputs, Replay, largest},
};
use crate::{
    model::arch::FROZEN_FEATURES,
    train::{TrainError, calibrate::softmax, folds},
};

/// How near the new layer stays to the old one (see [`Problem::near`]).
const NEAR: f64 = 1e-3;
/// An output that no lesson speaks of stays where it is: this many times nearer.
const UNSPOKEN: f64 = 1000.0;
/// How still the outputs of known genres stay on replayed music (see [`layer::Still`]).
const STILL: f64 = 0.1;
/// Share of the replay that is blends of two rows, with the old layer's answer to them. The base learned its own rows by
/// heart and is sure of them; between them is where new music lies, and where a new layer would move unseen.
const BLENDED: f64 = 0.5;
/// A blend has at least this much of either row.
const LEAST_OF_BLEND: f32 = 0.3;
/// Lessons that weigh half as much as all of the replay set, where they speak of every genre.
const HALF: f64 = 50.0;
/// Rare genres among the lessons count more: 0 not at all, 1 as much as frequent ones.
const BALANCE: f64 = 0.5;
/// Steps of the fit at which held-out lessons are judged; the last is the most that is ever made.
const LOOKS: [u32; 14] = [0, 1, 2, 3, 4, 6, 8, 11, 15, 20, 27, 36, 48, 64];
/// Weight of forgetting the base data against losing held-out lessons, where the stop is read off both.
const FORGETTING: f64 = 0.5;
/// The first look (see [`LOOKS`]) at which a new output has found its place.
const SETTLED: usize = 7;
/// Steps where there are no folds to read them off.
const BLIND: u32 = 15;

/// The old layer, and what its outputs became.
pub(super) struct Parent {
    pub genres: Vec<String>,
    pub layer: Layer,
    pub temperature: f64,
    /// By old output: the new one.
    pub became: Vec<Option<usize>>,
    /// What makes its embeddings, where that is to learn, too; lessons and replay have the trunk's features then.
    pub body: Option<Body>,
    pub known: Option<Known>,
}

/// Everything that there is to learn from.
pub(super) struct Course<'a> {
    pub lessons: &'a Music,
    pub replay: Option<&'a Replay>,
    pub outputs: &'a Outputs,
    pub parent: &'a Parent,
    pub folds: u32,
    pub seed: u64,
    pub cancel: &'a AtomicBool,
}

/// A look at a fit on its way, for people.
pub(super) struct Look {
    /// The fold that is held out; none in the last fit, which learns from everything.
    pub fold: Option<u32>,
    pub step: u32,
    pub train_loss: f64,
    pub train_accuracy: f64,
    pub held_loss: f64,
    pub held_accuracy: f64,
}

/// What came of it.
pub(super) struct Learned {
    pub learner: Learner,
    /// By track of the lessons.
    pub fold_of: Vec<u32>,
    pub folds: u32,
    /// By row of the lessons: logits of a layer that did not learn from its fold. Empty where there were no folds.
    pub held: Vec<Vec<f32>>,
    /// Of the last layer, and after them of all together.
    pub steps: (u32, u32),
}

/// A place on the way of a fit.
struct Place<'a> {
    step: u32,
    loss: f64,
    /// Logits of the problem's rows.
    logits: &'a [f32],
}

/// What a fold's fit said of the lessons it did not see, at every look.
struct Fold {
    rows: Vec<usize>,
    looks: Vec<(f64, Vec<f32>)>,
}

impl Course<'_> {
    /// Learn.
    pub fn run(&self, tell: &mut dyn FnMut(Look)) -> Result<Learned, TrainError> {
        let (fold_of, count) = self.deal();
        let mut folds = Vec::new();
        for fold in 0..count {
            folds.push(self.fold(fold, &fold_of, tell)?);
        }
        let loss_at = |look: usize, but: Option<usize>| -> f64 {
            folds
                .iter()
                .enumerate()
                .filter(|(i, _)| Some(*i) != but)
                .map(|(_, f)| f.looks.get(look).map_or(0.0, |l| l.0))
                .sum()
        };
        // A new output knows nothing at the start, and the first steps overshoot: neither is a choice then.
        let first = if self.newcomers() { SETTLED } else { 0 };
        // Where an earlier stop is no surely better one, the last is taken: which of a few dozen tracks fell just so at
        // some step is chance.
        let last = LOOKS.len() - 1;
        let least = |but: Option<usize>| {
            let best = (first..=last).min_by(|&a, &b| loss_at(a, but).total_cmp(&loss_at(b, but))).unwrap_or(last);
            let better: Vec<f64> = (folds.iter().enumerate())
                .filter(|(i, _)| Some(*i) != but)
                .filter_map(|(_, f)| Some(f.looks.get(last)?.0 - f.looks.get(best)?.0))
                .collect();
            let chance = better.iter().map(|b| b * b).sum::<f64>().sqrt();
            let last = if better.iter().sum::<f64>() > chance { best } else { last };
            // What is below the last layer learns where that is better still, and not else: it costs a library that is
            // heard again.
            let looks = folds.iter().map(|f| f.looks.len()).max().unwrap_or(0);
            let deeper = (LOOKS.len()..looks).min_by(|&a, &b| loss_at(a, but).total_cmp(&loss_at(b, but)));
            deeper.filter(|&d| loss_at(d, but) < loss_at(last, but)).unwrap_or(last)
        };
        let mut held = if folds.is_empty() {
            Vec::new()
        } else {
            vec![Vec::new(); self.lessons.values.len() / self.lessons.width.max(1)]
        };
        for (i, fold) in folds.iter().enumerate() {
            // The stop is read off the other folds: this one judges it.
            let Some((_, logits)) = fold.looks.get(least(Some(i))) else { continue };
            for (&row, logits) in fold.rows.iter().zip(logits.chunks_exact(self.genres())) {
                if let Some(slot) = held.get_mut(row) {
                    *slot = logits.to_vec();
                }
            }
        }
        let at = if folds.is_empty() { None } else { Some(least(None)) };
        let deeper = at.and_then(|at| body::LOOKS.get(at.checked_sub(LOOKS.len())?).copied()).unwrap_or(0);
        let steps = at.map_or(BLIND, |at| LOOKS.get(at.min(last)).copied().unwrap_or(BLIND));
        let mut learner = self.last(steps, deeper, tell)?;
        let room = self.room(&learner, &held);
        for (logit, room) in held.iter_mut().flat_map(|row| row.iter_mut().zip(&room)) {
            *logit += room;
        }
        learner.layer = learner.layer.shifted(&room);
        Ok(Learned { learner, fold_of, folds: count, held, steps: (steps, deeper) })
    }

    /// The last fit, from everything: so many steps of the last layer, and so many of all together.
    fn last(&self, steps: u32, deeper: u32, tell: &mut dyn FnMut(Look)) -> Result<Learner, TrainError> {
        let problem = self.problem(&vec![true; self.lessons.tracks.len()]);
        let layer = problem.fit(steps, &mut |step| {
            if LOOKS.contains(&step.number) {
                let place = Place { step: step.number, loss: step.loss, logits: &step.layer.logits(&problem.rows) };
                tell(self.look(None, &place, &problem, (0.0, 0.0)).0);
            }
            !self.cancel.load(Ordering::Relaxed)
        })?;
        let mut learner = Learner { body: None, layer };
        if let Some(body) = self.parent.body.as_ref().filter(|_| deeper > 0) {
            learner = body::fit(&problem, (body, &learner.layer), deeper, &mut |step| {
                let place = Place { step: steps + step.number, loss: step.loss, logits: &step.logits };
                tell(self.look(None, &place, &problem, (0.0, 0.0)).0);
                !self.cancel.load(Ordering::Relaxed)
            })?;
        }
        self.stopped()?;
        Ok(learner)
    }

    pub fn genres(&self) -> usize {
        self.outputs.genres.len()
    }

    fn stopped(&self) -> Result<(), TrainError> {
        if self.cancel.load(Ordering::Relaxed) { Err(TrainError::Stopped) } else { Ok(()) }
    }

    /// A fold for each track, and how many there are: none where there is one group only.
    fn deal(&self) -> (Vec<u32>, u32) {
        let labels: Vec<u8> =
            self.lessons.tracks.iter().map(|t| t.said().and_then(|g| u8::try_from(g).ok()).unwrap_or(0)).collect();
        let groups: Vec<u32> = self.lessons.tracks.iter().map(|t| t.group).collect();
        let mut known = groups.clone();
        known.sort_unstable();
        known.dedup();
        let dense: Vec<u32> = groups.iter().map(|g| known.binary_search(g).unwrap_or(0) as u32).collect();
        let count = self.folds.min(known.len() as u32);
        if count < 2 {
            return (vec![0; groups.len()], 0);
        }
        (folds::by_group(&labels, &dense, count, self.seed), count)
    }

    fn fold(&self, fold: u32, fold_of: &[u32], tell: &mut dyn FnMut(Look)) -> Result<Fold, TrainError> {
        let learn: Vec<bool> = fold_of.iter().map(|&f| f != fold).collect();
        let problem = self.problem(&learn);
        let tracks = || self.lessons.tracks.iter().zip(&learn).filter(|(_, l)| !**l).map(|(t, _)| t);
        let rows: Vec<usize> = tracks().flat_map(|t| t.rows.clone()).collect();
        let values: Vec<f32> = rows.iter().flat_map(|&r| self.lessons.row(r)).copied().collect();
        let judged = layer::rows(&values, self.lessons.width);
        let mut looks = Vec::new();
        let mut at_first = None;
        let mut see = |place: &Place<'_>, logits: Vec<f32>| {
            let score = self.judge(&rows, &logits);
            let (look, forgotten) = self.look(Some(fold), place, &problem, score);
            tell(look);
            let forgotten = (forgotten - *at_first.get_or_insert(forgotten)).max(0.0);
            (score.0 + FORGETTING / f64::from(self.folds) * forgotten, logits)
        };
        let last = LOOKS.last().copied().unwrap_or(BLIND);
        let layer = problem.fit(last, &mut |step| {
            if LOOKS.contains(&step.number) {
                let place = Place { step: step.number, loss: step.loss, logits: &step.layer.logits(&problem.rows) };
                looks.push(see(&place, step.layer.logits(&judged)));
            }
            !self.cancel.load(Ordering::Relaxed)
        })?;
        self.stopped()?;
        // A fit that was done early says the same ever after.
        if let Some((loss, logits)) = looks.last().map(|(l, v)| (*l, v.clone())) {
            looks.resize(LOOKS.len(), (loss, logits));
        }
        if let Some(body) = &self.parent.body {
            body::fit(&problem, (body, &layer), body::LOOKS.last().copied().unwrap_or(0), &mut |step| {
                let place = Place { step: last + step.number, loss: step.loss, logits: &step.logits };
                looks.push(see(&place, step.learner.logits(self.lessons, rows.iter().copied())));
                !self.cancel.load(Ordering::Relaxed)
            })?;
            self.stopped()?;
        }
        Ok(Fold { rows, looks })
    }

    /// A look, and the share of what is replayed that is named wrong: a layer that knows the listener and forgot the
    /// rest is no good.
    fn look(&self, fold: Option<u32>, place: &Place<'_>, problem: &Problem, held: (f64, f64)) -> (Look, f64) {
        let (targets, weights) = (layer::flat(&problem.targets), layer::flat(&problem.weights));
        let (mut right, mut all, mut forgotten, mut replayed) = (0.0, 0.0, 0.0, 0.0);
        let rows = place.logits.chunks_exact(self.genres()).zip(targets.chunks_exact(self.genres())).zip(&weights);
        for (row, ((logits, target), &weight)) in rows.enumerate() {
            let Some(said) = largest(target) else { continue };
            let named = f64::from(u8::from(said == best(logits)));
            right += named;
            all += 1.0;
            if row >= problem.lessons {
                forgotten += f64::from(weight) * (1.0 - named);
                replayed += f64::from(weight);
            }
        }
        let look = Look {
            fold,
            step: place.step,
            train_loss: place.loss,
            train_accuracy: right / f64::max(all, 1.0),
            held_loss: held.0,
            held_accuracy: held.1,
        };
        (look, forgotten / f64::max(replayed, 1e-9))
    }

    /// Summed loss and mean accuracy of held-out rows; a track counts once, however long it is. The loss is the score
    /// that what was said did not get: the likelihood would stop a fit for growing sure of itself, which the temperature
    /// mends afterwards.
    fn judge(&self, rows: &[usize], logits: &[f32]) -> (f64, f64) {
        let weights = self.weights(&vec![true; self.lessons.tracks.len()]);
        let (mut loss, mut right, mut all) = (0.0, 0.0, 0.0);
        for (&row, logits) in rows.iter().zip(logits.chunks_exact(self.genres())) {
            let weight = weights.get(row).copied().unwrap_or(0.0);
            let target = self.lessons.target(row);
            let scores = softmax(logits, self.parent.temperature);
            loss += weight * target.iter().zip(&scores).map(|(t, s)| f64::from(*t) * (1.0 - s)).sum::<f64>();
            if let Some(said) = largest(target) {
                right += weight * f64::from(u8::from(said == best(logits)));
                all += weight;
            }
        }
        (loss, if all > 0.0 { right / all } else { 0.0 })
    }

    /// By row of the lessons: its weight, 0 where nothing was said or it is not learned from; they sum to 1.
    fn weights(&self, learn: &[bool]) -> Vec<f64> {
        let genres = self.genres();
        let mut weights = vec![0.0; self.lessons.values.len() / self.lessons.width.max(1)];
        let mut counts = vec![0.0_f64; genres];
        let told: Vec<(usize, Vec<usize>, Vec<f64>)> = (self.lessons.tracks.iter().zip(learn).enumerate())
            .filter(|(_, (_, l))| **l)
            .map(|(i, (track, _))| {
                let rows: Vec<usize> =
                    track.rows.clone().filter(|&r| self.lessons.target(r).iter().any(|&w| w > 0.0)).collect();
                let mut shares = vec![0.0; genres];
                for &row in &rows {
                    shares
                        .iter_mut()
                        .zip(self.lessons.target(row))
                        .for_each(|(s, &t)| *s += f64::from(t) / rows.len() as f64);
                }
                counts.iter_mut().zip(&shares).for_each(|(c, s)| *c += s);
                (i, rows, shares)
            })
            .collect();
        for (_, rows, shares) in &told {
            let rare: f64 = shares.iter().zip(&counts).map(|(s, c)| s * c.max(1e-9).powf(-BALANCE)).sum();
            for &row in rows {
                if let Some(slot) = weights.get_mut(row) {
                    *slot = rare / rows.len() as f64;
                }
            }
        }
        let sum: f64 = weights.iter().sum();
        if sum > 0.0 {
            weights.iter_mut().for_each(|w| *w /= sum);
        }
        weights
    }

    /// Share of the lessons in all that is learned. It grows with their number, and with how much of the taxonomy they
    /// speak of: twenty tracks of one genre are no reason to hear it everywhere.
    fn share(&self, learn: &[bool]) -> f64 {
        let mut counts = vec![0.0_f64; self.genres()];
        for (track, _) in self.lessons.tracks.iter().zip(learn).filter(|(_, l)| **l) {
            counts.iter_mut().zip(&track.weights).for_each(|(c, w)| *c += f64::from(*w));
        }
        let tracks: f64 = counts.iter().sum();
        let shares = counts.iter().map(|c| c / tracks.max(1e-9)).filter(|s| *s > 0.0);
        let spoken_of = shares.map(|s| -s * s.ln()).sum::<f64>().exp() / self.genres() as f64;
        let against = tracks / (tracks + HALF) * spoken_of;
        against / (1.0 + against)
    }

    /// What is to be learned from the lessons named by `learn` and from what the base learned.
    fn problem(&self, learn: &[bool]) -> Problem {
        let genres = self.genres();
        let mut weights = Vec::new();
        let (mut values, mut given, mut targets, mut among) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (row, weight) in self.weights(learn).into_iter().enumerate().filter(|(_, w)| *w > 0.0) {
            values.extend_from_slice(self.lessons.row(row));
            given.extend_from_slice(self.lessons.features(row));
            targets.extend_from_slice(self.lessons.target(row));
            among.extend(std::iter::repeat_n(0.0_f32, genres));
            weights.push(weight);
        }
        let told = weights.len();
        let mut still = None;
        let share = if self.replay.is_some() { self.share(learn) } else { 1.0 };
        weights.iter_mut().for_each(|w| *w *= share);
        if let Some(replay) = self.replay {
            let heirs = self.heirs(learn);
            let music = &replay.music;
            let before = weights.len();
            for ((track, learned), retired) in music.tracks.iter().zip(&replay.learned).zip(&replay.retired) {
                let open = retired.as_ref().and_then(|slug| heirs.iter().find(|(s, _)| s == slug)).map(|(_, h)| h);
                if !learned || (retired.is_some() && open.is_none()) {
                    continue;
                }
                for row in track.rows.clone() {
                    values.extend_from_slice(music.row(row));
                    given.extend_from_slice(music.features(row));
                    targets.extend_from_slice(music.target(row));
                    match open {
                        Some(heirs) => among.extend_from_slice(heirs),
                        None => among.extend(std::iter::repeat_n(0.0_f32, genres)),
                    }
                    weights.push(1.0 / track.rows.len() as f64);
                }
            }
            let sum: f64 = weights.iter().skip(before).sum();
            weights.iter_mut().skip(before).for_each(|w| *w *= (1.0 - BLENDED) * (1.0 - share) / sum.max(1e-9));
            let replayed = values.get(told * self.lessons.width..).unwrap_or_default().to_vec();
            let blends = match &self.parent.body {
                None => Self::blends(&replayed, self.lessons.width, self.seed),
                Some(body) => {
                    let replayed = given.get(told * FROZEN_FEATURES..).unwrap_or_default();
                    let blends = Self::blends(replayed, FROZEN_FEATURES, self.seed);
                    let heard = layer::flat(&body.embed(&body::features(&blends)));
                    given.extend(blends);
                    heard
                }
            };
            let each = BLENDED * (1.0 - share) / (blends.len() / self.lessons.width.max(1)).max(1) as f64;
            targets.extend(self.answers(&blends, &heirs));
            among.extend(std::iter::repeat_n(0.0_f32, targets.len() - among.len()));
            weights.extend(std::iter::repeat_n(each, blends.len() / self.lessons.width.max(1)));
            values.extend(blends);
            if !replayed.is_empty() {
                let rows = layer::rows(&replayed, self.lessons.width);
                let count = rows.size().first().copied().unwrap_or(1).max(1) as f64;
                let hold = (0..genres).map(|g| if self.is_new(g) { 0.0 } else { STILL }).collect();
                let spread = rows.transpose(0, 1).matmul(&rows) / count;
                still = Some(Still { rows: told as i64..told as i64 + count as i64, spread, hold });
            }
        }
        let spoken_of = self.spoken_of(learn);
        let near = |g: usize| if spoken_of.get(g) == Some(&true) { NEAR } else { NEAR * UNSPOKEN };
        let weights: Vec<f32> = weights.into_iter().map(|w| w as f32).collect();
        let size = [-1, genres as i64];
        Problem {
            rows: layer::rows(&values, self.lessons.width),
            given: self.parent.body.as_ref().map(|body| body.calm(&body::features(&given))),
            targets: Tensor::from_slice(&targets).view(size),
            among: among.iter().any(|&a| a > 0.0).then(|| Tensor::from_slice(&among).view(size)),
            weights: Tensor::from_slice(&weights).view([-1, 1]),
            lessons: told,
            start: self.start(learn),
            near: (0..genres).map(near).collect(),
            still,
        }
    }

    /// By output: some lesson names it.
    fn spoken_of(&self, learn: &[bool]) -> Vec<bool> {
        let mut spoken_of = vec![false; self.genres()];
        for (track, _) in self.lessons.tracks.iter().zip(learn).filter(|(_, l)| **l) {
            for row in track.rows.clone() {
                spoken_of.iter_mut().zip(self.lessons.target(row)).for_each(|(s, &t)| *s |= t > 0.0);
            }
        }
        spoken_of
    }

    /// As many blends of two of these rows as there are rows, the same for the same seed.
    pub fn blends(rows: &[f32], width: usize, seed: u64) -> Vec<f32> {
        let count = rows.len() / width.max(1);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut blends = Vec::with_capacity(rows.len());
        for _ in 0..count {
            let (a, b) = (rng.random_range(0..count) * width, rng.random_range(0..count) * width);
            let of_a = rng.random_range(LEAST_OF_BLEND..1.0 - LEAST_OF_BLEND);
            let pair =
                rows.get(a..a + width).unwrap_or_default().iter().zip(rows.get(b..b + width).unwrap_or_default());
            blends.extend(pair.map(|(a, b)| of_a * a + (1.0 - of_a) * b));
        }
        blends
    }

    /// What the old layer says of rows, by the new outputs. What it gave to a genre that was given up goes to what became
    /// of it in equal parts, and where nothing did, to the others in proportion.
    fn answers(&self, rows: &[f32], heirs: &[(String, Vec<f32>)]) -> Vec<f32> {
        let logits = self.parent.layer.logits(&layer::rows(rows, self.lessons.width));
        let mut targets = Vec::new();
        for row in logits.chunks_exact(self.parent.genres.len().max(1)) {
            let mut target = vec![0.0_f64; self.genres()];
            for ((slug, became), score) in self.parent.genres.iter().zip(&self.parent.became).zip(softmax(row, 1.0)) {
                let heir = heirs.iter().find(|(s, _)| s == slug).map(|(_, of)| of);
                match (became, heir) {
                    (Some(at), _) => target.iter_mut().skip(*at).take(1).for_each(|t| *t += score),
                    (None, Some(of)) => {
                        let sum: f32 = of.iter().sum();
                        target.iter_mut().zip(of).for_each(|(t, o)| *t += score * f64::from(*o / sum.max(1.0)));
                    }
                    (None, None) => {}
                }
            }
            let sum: f64 = target.iter().sum();
            targets.extend(target.iter().map(|t| (t / sum.max(1e-9)) as f32));
        }
        targets
    }

    /// Mean scores of the old layer over some rows, by its own outputs.
    pub fn heard_before(&self, music: &Music, rows: std::ops::Range<usize>) -> Vec<f64> {
        let values: Vec<f32> = rows.flat_map(|r| music.row(r)).copied().collect();
        mean_scores(
            &self.parent.layer.logits(&layer::rows(&values, music.width)),
            self.parent.genres.len(),
            self.parent.temperature,
        )
    }
}

/// Mean of the scores of rows of logits.
pub(super) fn mean_scores(logits: &[f32], genres: usize, temperature: f64) -> Vec<f64> {
    let mut sum = vec![0.0; genres];
    let rows = logits.len() / genres.max(1);
    for row in logits.chunks_exact(genres.max(1)) {
        sum.iter_mut().zip(softmax(row, temperature)).for_each(|(s, p)| *s += p / rows as f64);
    }
    sum
}

/// Where the largest logit is.
fn best(logits: &[f32]) -> usize {
    logits.iter().enumerate().fold((0, f32::NEG_INFINITY), |b, (i, &l)| if l > b.1 { (i, l) } else { b }).0
}
