//! Mixtures of two chunks that are known by their numbers, whatever the fold and the seed: what is said of one is said
//! once, and a run draws from those of which it may know both halves.

use rand::{Rng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::batch::{Batch, Item, Sampler, rng, symmetric_beta};

/// The seed of all mixtures.
const SEED: u64 = 0;

/// Two chunks and how much of the mixture the first is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mixture {
    /// Where they lie.
    pub items: [Item; 2],
    /// Weight of the first, which is the heavier one.
    pub own: f32,
}

/// Mixtures, and what a teacher says is in them.
#[derive(Clone, Debug, Default)]
pub struct Taught {
    /// What is drawn from.
    pub mixtures: Vec<Mixture>,
    /// `[mixture][genre]`, rows sum to 1.
    pub targets: Vec<f32>,
}

impl Mixture {
    /// Mixture `number` of the sampler's set.
    pub fn of(sampler: &Sampler<'_>, number: u64) -> Self {
        let clips = sampler.set.clips.len().max(1) as u64;
        let mut rng = rng(SEED, number, 4);
        let somewhere = |clip: u64, rng: &mut ChaCha8Rng| {
            let room = sampler.set.frames_of(clip as usize).saturating_sub(sampler.chunk);
            Item { clip: clip as u32, start: rng.random_range(0..=room) as u32, frames: sampler.chunk as u32 }
        };
        let one = somewhere(number % clips, &mut rng);
        let other = rng.random_range(0..clips);
        let other = somewhere(other, &mut rng);
        let weight = symmetric_beta(sampler.mixup, &mut rng);
        Self { items: [one, other], own: weight.max(1.0 - weight) as f32 }
    }

    /// Lay it out (`[frame][band]`), each half varied if there is a `rng`.
    pub fn lay_out(&self, sampler: &Sampler<'_>, out: &mut [f32], mut rng: Option<&mut ChaCha8Rng>) {
        let bands = sampler.set.bands;
        let mut other = vec![0.0; out.len()];
        for (item, half) in self.items.iter().zip([&mut *out, &mut other]) {
            let Some(clip) = sampler.set.clips.get(item.clip as usize) else { continue };
            clip.frames.copy(item.start as usize * bands, half);
            if let Some(rng) = &mut rng {
                sampler.vary(half, rng);
            }
        }
        out.iter_mut().zip(&other).for_each(|(a, b)| *a = self.own * *a + (1.0 - self.own) * b);
    }

    /// What the labels say is in it, a value a genre.
    pub fn labels(&self, sampler: &Sampler<'_>) -> Vec<f32> {
        let genres = sampler.set.genres.len();
        let mut said = vec![(sampler.smoothing / genres as f64) as f32; genres];
        for (item, weight) in self.items.iter().zip([self.own, 1.0 - self.own]) {
            if let Some(share) = said.get_mut(usize::from(label(sampler, item))) {
                *share += (1.0 - sampler.smoothing) as f32 * weight;
            }
        }
        said
    }
}

impl Taught {
    /// The minibatch of `step`: every mixture once before any twice, varied anew each time.
    pub fn draw(&self, sampler: &Sampler<'_>, step: usize) -> Batch {
        let n = self.mixtures.len().max(1);
        let genres = sampler.set.genres.len();
        let size = sampler.chunk * sampler.set.bands;
        let mut batch = Batch { chunks: vec![0.0; sampler.batch * size], ..Batch::default() };
        let order = |round: usize| {
            let mut order: Vec<usize> = (0..n).collect();
            order.shuffle(&mut rng(sampler.seed, round as u64, 1));
            order
        };
        let first = step * sampler.batch;
        let (mut round, mut places) = (first / n, order(first / n));
        let mut vary = rng(sampler.seed, step as u64, 2);
        for (drawn, out) in (first..).zip(batch.chunks.chunks_exact_mut(size)) {
            if drawn / n != round {
                (round, places) = (drawn / n, order(drawn / n));
            }
            let Some(&at) = places.get(drawn % n) else { continue };
            let target = self.targets.get(at * genres..(at + 1) * genres);
            let (Some(mixture), Some(target)) = (self.mixtures.get(at), target) else { continue };
            mixture.lay_out(sampler, out, Some(&mut vary));
            batch.targets.extend_from_slice(target);
            batch.labels.push(label(sampler, &mixture.items[0]));
        }
        batch
    }
}

fn label(sampler: &Sampler<'_>, item: &Item) -> u8 {
    sampler.set.clips.get(item.clip as usize).map_or(0, |c| c.label)
}

#[cfg(test)]
mod tests {
    use deepcuts_protocol::FrontEnd;

    use super::*;
    use crate::{
        model::Arch,
        train::{
            batch,
            data::{Clip, Frames, Set},
            recipe::Recipe,
        },
    };

    /// Six clips of three genres, of constant levels: what is in a mixture can be read from it.
    fn set() -> Set {
        let clips = (0..6)
            .map(|i| Clip {
                name: i.to_string(),
                artist: String::new(),
                label: (i % 3) as u8,
                group: i,
                sturm: None,
                frames: Frames::Bytes(vec![(i * 40) as u8; 100 * 8]),
            })
            .collect();
        Set { genres: vec!["a".into(), "b".into(), "c".into()], front_end: FrontEnd::Cuts, bands: 8, clips, taps: None }
    }

    fn recipe() -> Recipe {
        Recipe::text_of("cuts").and_then(|text| Recipe::read(text, &[])).unwrap_or_else(|_| unreachable!())
    }

    #[test]
    fn a_mixture_is_the_same_for_every_fold_and_seed_and_holds_what_it_says() {
        let (set, recipe) = (set(), recipe());
        let one = Sampler::of(&set, Arch::Cuts, &recipe, Vec::new(), 0);
        let other = Sampler::of(&set, Arch::Cuts, &recipe, batch::whole(&set, &[1, 2]), 9);
        for number in 0..200 {
            let mixture = Mixture::of(&one, number);
            assert_eq!(mixture, Mixture::of(&other, number));
            assert!((0.5..=1.0).contains(&mixture.own));
            let mut out = vec![0.0; one.chunk * set.bands];
            mixture.lay_out(&one, &mut out, None);
            let level = |i: usize| (mixture.items[i].clip * 40) as f32 / 255.0;
            let wanted = mixture.own * level(0) + (1.0 - mixture.own) * level(1);
            assert!(out.iter().all(|v| (v - wanted).abs() < 1e-5));
            let labels = mixture.labels(&one);
            assert!((labels.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            let heavier = (mixture.items[0].clip % 3) as usize;
            assert!(labels.iter().all(|&l| l <= labels[heavier]));
        }
    }

    #[test]
    fn every_mixture_is_drawn_once_before_any_twice_with_what_was_said_of_it() {
        let (set, recipe) = (set(), recipe());
        let sampler = Sampler { batch: 4, ..Sampler::of(&set, Arch::Cuts, &recipe, Vec::new(), 3) };
        let mixtures: Vec<Mixture> = (0..10).map(|n| Mixture::of(&sampler, n)).collect();
        let targets = (0..10).flat_map(|n| [n as f32, 0.0, 0.0]).collect();
        let taught = Taught { mixtures, targets };
        let said: Vec<f32> = (0..5).flat_map(|s| taught.draw(&sampler, s).targets).step_by(3).collect();
        for round in said.chunks(10) {
            let mut round = round.to_vec();
            round.sort_by(f32::total_cmp);
            assert_eq!(round, (0..10).map(|n| n as f32).collect::<Vec<_>>());
        }
        assert_ne!(said[..10], said[10..]);
    }
}
