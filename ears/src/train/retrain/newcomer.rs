//! Genres that the old layer has no output for: where a new output begins, which of them are what an old genre became, and
//! how much room a really new one gets among those that were there.

use tch::Tensor;

use super::{
    body::{self, Learner},
    course::{Course, mean_scores},
    layer::{self, Layer},
};
use crate::{model::arch::FROZEN_FEATURES, train::calibrate};

/// How far the output of a new genre is turned at the start.
const TURN: f64 = 0.3;
/// Held-out tracks of a new genre that are to be found: its output gets the least room in which they are.
const FOUND: f64 = 0.9;
/// Share of the music between what was known, none of it of a new genre, that all of them together may take for that.
const TAKEN: f64 = 0.045;
/// The most that a logit gains or loses, and the steps that are tried.
const ROOM: i8 = 40;
const ROOM_STEP: f32 = 0.1;
/// Fewer tracks of a new genre than this say nothing of how many are found.
const FINDS: usize = 5;
/// Turns a seed into another.
const OTHERS: u64 = 0x9e37_79b9_7f4a_7c15;
/// Share of the lessons of one given-up genre that a new name needs to be taken for what became of it.
const HEIR: f32 = 0.15;

impl Course<'_> {
    /// No output of the old layer lives on in it.
    pub fn is_new(&self, genre: usize) -> bool {
        !self.parent.became.contains(&Some(genre))
    }

    /// Some output is new.
    pub fn newcomers(&self) -> bool {
        (0..self.genres()).any(|g| self.is_new(g))
    }

    /// The old layer on the new outputs: as it was, the mean of what was merged, and for a new genre the mean of all,
    /// turned towards where its lessons lie.
    pub fn start(&self, learn: &[bool]) -> Layer {
        let old = &self.parent.layer.0;
        let dims: &[i64] = &[0];
        let rows: Vec<Tensor> = (0..self.genres())
            .map(|genre| {
                let from: Vec<i64> = (self.parent.became.iter().enumerate())
                    .filter(|(_, b)| **b == Some(genre))
                    .map(|(i, _)| i as i64)
                    .collect();
                if from.is_empty() {
                    let mean = old.mean_dim(dims, false, tch::Kind::Float);
                    return self.towards(genre, learn).map_or_else(|| mean.shallow_clone(), |turn| &mean + turn);
                }
                old.index_select(0, &Tensor::from_slice(&from)).mean_dim(dims, false, tch::Kind::Float)
            })
            .collect();
        Layer(Tensor::stack(&rows, 0))
    }

    /// What tells a new genre from all that was known: Fisher's direction, by the Gaussian of what was known.
    fn towards(&self, genre: usize, learn: &[bool]) -> Option<Tensor> {
        let known = self.parent.known.as_ref()?;
        let tracks = self.lessons.tracks.iter().zip(learn).filter(|(t, l)| **l && t.said() == Some(genre));
        let means: Vec<f32> = tracks.flat_map(|(t, _)| self.lessons.mean(t)).collect();
        (!means.is_empty())
            .then(|| known.towards(&Tensor::from_slice(&means).view([-1, self.lessons.width as i64]), TURN))
    }

    /// What became of genres that were given up, as the lessons tell it: which names the listener gives to what the old
    /// layer heard as one of them.
    pub fn heirs(&self, learn: &[bool]) -> Vec<(String, Vec<f32>)> {
        let mut counts: Vec<(String, Vec<f32>)> = Vec::new();
        for (track, _) in self.lessons.tracks.iter().zip(learn).filter(|(_, l)| **l) {
            let scores = self.heard_before(self.lessons, track.rows.clone());
            let heard = calibrate::best(&scores).0;
            if self.parent.became.get(heard).is_none_or(Option::is_some) {
                continue;
            }
            let (Some(slug), Some(said)) = (self.parent.genres.get(heard), track.said()) else { continue };
            let at = counts.iter().position(|(s, _)| s == slug).unwrap_or_else(|| {
                counts.push((slug.clone(), vec![0.0; self.genres()]));
                counts.len() - 1
            });
            if let Some(slot) = counts.get_mut(at).and_then(|(_, c)| c.get_mut(said)) {
                *slot += 1.0;
            }
        }
        for (_, counts) in &mut counts {
            let sum: f32 = counts.iter().sum();
            counts.iter_mut().for_each(|c| *c = f32::from(u8::from(*c >= 2.0 && *c >= HEIR * sum)));
        }
        counts.retain(|(_, c)| c.contains(&1.0));
        counts
    }

    /// By output, what its logits gain. A new genre that has no lessons beside it but its own would take whatever looks a
    /// little like it, or be found in nothing that its lessons do not name. Its held-out tracks say how much room it
    /// needs; the other lessons and the music between what was known, how much of it is to be had.
    pub fn room(&self, learner: &Learner, held: &[Vec<f32>]) -> Vec<f32> {
        let mut room = vec![0.0_f32; self.genres()];
        // What an old genre became has the whole base behind it: it is not new but in name.
        let heirs = self.heirs(&vec![true; self.lessons.tracks.len()]);
        let inherits = |genre: usize| heirs.iter().any(|(_, of)| of.get(genre) == Some(&1.0));
        let between = self.between(learner);
        // What was said of each track, and the logits of its rows by a layer that did not learn from it.
        let judged: Vec<(usize, Vec<f32>)> = (self.lessons.tracks.iter())
            .filter_map(|t| Some((t.said()?, t.rows.clone().filter_map(|r| held.get(r)).flatten().copied().collect())))
            .filter(|(_, logits): &(usize, Vec<f32>)| !logits.is_empty())
            .collect();
        let new: Vec<usize> = (0..self.genres()).filter(|&g| self.is_new(g) && !inherits(g)).collect();
        let most = TAKEN / new.len().max(1) as f64;
        for genre in new {
            let own = judged.iter().filter(|(said, _)| *said == genre).count();
            if own < FINDS {
                continue;
            }
            let mut before = f64::NEG_INFINITY;
            for by in (-ROOM..=ROOM).map(|i| f32::from(i) * ROOM_STEP) {
                let scores = judged.iter().map(|(said, logits)| (*said, self.scores(logits, genre, by)));
                let (found, told) = scores.fold((0, 0.0), |(found, told), (said, scores)| {
                    let here = said == genre && calibrate::best(&scores).0 == genre;
                    (found + usize::from(here), told + scores.get(said).copied().unwrap_or(0.0))
                });
                // Room that costs the other lessons more than it gives, or that nobody can measure, is not given.
                let taken = || self.scores(&between, genre, by).get(genre).copied().unwrap_or(0.0);
                if by > 0.0 && (told <= before || between.is_empty() || taken() > most) {
                    break;
                }
                before = told;
                if let Some(slot) = room.get_mut(genre) {
                    *slot = by;
                }
                if found as f64 >= FOUND * own as f64 {
                    break;
                }
            }
        }
        room
    }

    /// Mean scores of rows of logits of which one output gains something.
    fn scores(&self, logits: &[f32], genre: usize, by: f32) -> Vec<f64> {
        let mut logits = logits.to_vec();
        logits.iter_mut().skip(genre).step_by(self.genres()).for_each(|l| *l += by);
        mean_scores(&logits, self.genres(), self.parent.temperature)
    }

    /// What is said of the music between what the base learned from (see [`Course::blends`]).
    fn between(&self, learner: &Learner) -> Vec<f32> {
        let Some(replay) = self.replay else { return Vec::new() };
        let tracks = replay.music.tracks.iter().zip(&replay.learned).zip(&replay.retired);
        let rows: Vec<usize> = tracks
            .filter(|((_, learned), retired)| **learned && retired.is_none())
            .flat_map(|((track, _), _)| track.rows.clone())
            .collect();
        if rows.is_empty() {
            return Vec::new();
        }
        let width = self.lessons.width;
        learner.layer.logits(&match &learner.body {
            None => {
                let values: Vec<f32> = rows.iter().flat_map(|&r| replay.music.row(r)).copied().collect();
                layer::rows(&Self::blends(&values, width, self.seed), width)
            }
            // Others than it learned from: a body knows those by heart.
            Some(body) => {
                let values: Vec<f32> = rows.iter().flat_map(|&r| replay.music.features(r)).copied().collect();
                let blends = Self::blends(&values, FROZEN_FEATURES, self.seed ^ OTHERS);
                layer::with_ones(&body.embed(&body::features(&blends)))
            }
        })
    }
}
