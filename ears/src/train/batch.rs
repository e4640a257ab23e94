//! Minibatches: which chunks, and how they are varied. Everything follows from (seed, step), so that a run that is
//! resumed sees what it would have seen.

use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::{
    data::Set,
    recipe::{Augment, Crop, Recipe},
};
use crate::model::Arch;

/// A stretch of a clip that a chunk may be taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// Index of the clip.
    pub clip: u32,
    /// First frame.
    pub start: u32,
    /// Frames; more than a chunk leaves room for a random crop.
    pub frames: u32,
}

/// Every chunk of `clips`, side by side, the ragged tail dropped; a clip shorter than a chunk gives one.
#[must_use]
pub fn grid(set: &Set, clips: &[u32], chunk: usize) -> Vec<Item> {
    let mut items = Vec::new();
    for &clip in clips {
        let frames = set.frames_of(clip as usize);
        let (chunks, step) = match set.taps {
            // The clip as it is.
            Some(taps) => ((frames / taps.versions).saturating_sub(1) / taps.beginnings + 1, taps.beginnings),
            None => ((frames / chunk).max(1), chunk),
        };
        items.extend((0..chunks).map(|c| Item { clip, start: (c * step) as u32, frames: chunk as u32 }));
    }
    items
}

/// One item a clip: all of it.
#[must_use]
pub fn whole(set: &Set, clips: &[u32]) -> Vec<Item> {
    clips.iter().map(|&clip| Item { clip, start: 0, frames: set.frames_of(clip as usize) as u32 }).collect()
}

/// A minibatch on its way to torch.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// `[chunk][frame][band]`.
    pub chunks: Vec<f32>,
    /// `[chunk][genre]`, rows sum to 1.
    pub targets: Vec<f32>,
    /// The (heavier) genre of each chunk.
    pub labels: Vec<u8>,
}

/// Draws minibatches.
#[derive(Debug)]
pub struct Sampler<'a> {
    /// The clips.
    pub set: &'a Set,
    /// What is drawn from.
    pub items: Vec<Item>,
    /// Frames of a chunk.
    pub chunk: usize,
    /// Chunks in a batch.
    pub batch: usize,
    /// How chunks are varied.
    pub augment: &'a Augment,
    /// Beta of the mixing weight.
    pub mixup: f64,
    /// Share of the target that goes to all genres.
    pub smoothing: f64,
    /// Seed of the run.
    pub seed: u64,
}

impl<'a> Sampler<'a> {
    /// What a recipe draws from `items`.
    #[must_use]
    pub fn of(set: &'a Set, arch: Arch, recipe: &'a Recipe, items: Vec<Item>, seed: u64) -> Self {
        let fit = &recipe.fit;
        Self {
            set,
            items,
            chunk: set.chunk(arch.input()[0].unsigned_abs() as usize),
            batch: fit.batch as usize,
            augment: &recipe.augment,
            mixup: fit.mixup,
            smoothing: fit.label_smoothing,
            seed,
        }
    }
}

impl Sampler<'_> {
    /// Minibatches an epoch.
    #[must_use]
    pub fn steps_an_epoch(&self) -> usize {
        self.items.len().div_ceil(self.batch).max(1)
    }

    /// The minibatch of `step`.
    #[must_use]
    pub fn draw(&self, step: usize) -> Batch {
        let per_epoch = self.steps_an_epoch();
        let order = self.order((step / per_epoch) as u64);
        let first = (step % per_epoch) * self.batch;
        // The last minibatch of an epoch is filled from the epoch's start: BatchNorm needs more than one chunk.
        let chosen: Vec<usize> =
            (first..first + self.batch).filter_map(|i| order.get(i % order.len().max(1)).copied()).collect();

        let mut rng = rng(self.seed, step as u64, 2);
        let genres = self.set.genres.len();
        let size = self.chunk * self.set.bands;
        let mut batch = Batch { chunks: vec![0.0; chosen.len() * size], ..Batch::default() };
        for (&index, out) in chosen.iter().zip(batch.chunks.chunks_exact_mut(size)) {
            let Some(item) = self.items.get(index) else { continue };
            let Some(clip) = self.set.clips.get(item.clip as usize) else { continue };
            self.cut(item, out, &mut rng);
            if self.augment.style > 0.0 && rng.random::<f32>() < self.augment.style {
                self.restyle(out, &mut rng);
            }
            self.vary(out, &mut rng);
            batch.labels.push(clip.label);
        }
        batch.targets = vec![(self.smoothing / genres as f64) as f32; batch.labels.len() * genres];
        for (row, &label) in batch.targets.chunks_exact_mut(genres).zip(&batch.labels) {
            if let Some(t) = row.get_mut(usize::from(label)) {
                *t += (1.0 - self.smoothing) as f32;
            }
        }
        if self.mixup > 0.0 {
            mix(&mut batch, size, genres, self.mixup, &mut rng);
        }
        batch
    }
}

impl Sampler<'_> {
    /// The items of an epoch, in the order they are drawn. With `balance` an artist with many clips is drawn less
    /// often than its clips would be, and one with few more often; genres as `genres` and `even_genres` say.
    fn order(&self, epoch: u64) -> Vec<usize> {
        let mut rng = rng(self.seed, epoch, 1);
        if self.augment.balance <= 0.0 && self.augment.genres.is_empty() && !self.augment.even_genres {
            let mut order: Vec<usize> = (0..self.items.len()).collect();
            order.shuffle(&mut rng);
            return order;
        }
        let group = |item: &Item| self.set.clips.get(item.clip as usize).map_or(0, |c| c.group);
        let mut sizes = std::collections::HashMap::new();
        self.items.iter().for_each(|i| *sizes.entry(group(i)).or_insert(0_u32) += 1);
        let genre = |item: &Item| self.set.clips.get(item.clip as usize).map_or(0, |c| usize::from(c.label));
        let mut of_genre = vec![0_u32; self.set.genres.len()];
        self.items.iter().for_each(|i| of_genre.iter_mut().skip(genre(i)).take(1).for_each(|n| *n += 1));
        let weight = |genre: usize| {
            let n = f64::from(of_genre.get(genre).copied().unwrap_or(1).max(1));
            let asked = self.set.genres.get(genre).and_then(|name| self.augment.genres.get(name));
            f64::from(asked.copied().unwrap_or(1.0)) / if self.augment.even_genres { n } else { 1.0 }
        };
        let mut sum = 0.0;
        let bounds: Vec<f64> = (self.items.iter())
            .map(|i| {
                let size = f64::from(sizes.get(&group(i)).copied().unwrap_or(1));
                sum += size.powf(-f64::from(self.augment.balance)) * weight(genre(i));
                sum
            })
            .collect();
        let last = self.items.len().saturating_sub(1);
        let mut draw = || {
            let place = rng.random::<f64>() * sum;
            bounds.partition_point(|&b| b <= place).min(last)
        };
        (0..self.items.len()).map(|_| draw()).collect()
    }

    /// Vary one chunk in place.
    pub(super) fn vary(&self, chunk: &mut [f32], rng: &mut ChaCha8Rng) {
        // What a trunk made of a clip has its lower floors beside it.
        if self.augment.floor > 0.0 && self.set.taps.is_none() {
            lower_floor(chunk, rng.random_range(0.0..=self.augment.floor));
        }
        vary(chunk, self.set.bands, self.augment, rng);
    }

    /// Cut a chunk out of an item: somewhere in it, and a little faster or slower, as the recipe has it.
    fn cut(&self, item: &Item, out: &mut [f32], rng: &mut ChaCha8Rng) {
        let Some(clip) = self.set.clips.get(item.clip as usize) else { return };
        let bands = self.set.bands;
        let stretch = self.augment.stretch;
        let factor = if stretch > 0.0 { 1.0 + rng.random_range(-stretch..=stretch) } else { 1.0 };
        let wanted = ((self.chunk as f32 * factor).round() as usize).clamp(1, (item.frames as usize).max(self.chunk));
        let room = (item.frames as usize).saturating_sub(wanted);
        let shift = if self.augment.crop == Crop::Random && room > 0 { rng.random_range(0..=room) } else { 0 };
        let start = (item.start as usize + shift) * bands;
        if wanted == self.chunk {
            return clip.frames.copy(start, out);
        }
        let mut raw = vec![0.0; wanted * bands];
        clip.frames.copy(start, &mut raw);
        let step = (wanted - 1) as f32 / (self.chunk - 1).max(1) as f32;
        for (f, frame) in out.chunks_exact_mut(bands).enumerate() {
            let place = f as f32 * step;
            let (low, part) = ((place as usize).min(wanted - 1), place.fract());
            let high = (low + 1).min(wanted - 1);
            let rows = (raw.get(low * bands..(low + 1) * bands), raw.get(high * bands..(high + 1) * bands));
            if let (Some(a), Some(b)) = rows {
                frame.iter_mut().zip(a.iter().zip(b)).for_each(|(v, (a, b))| *v = a + (b - a) * part);
            }
        }
    }

    /// Move the level and spread of every band towards those of any other clip: the production of another record, so
    /// that less is learned from the sound of the records at hand.
    fn restyle(&self, chunk: &mut [f32], rng: &mut ChaCha8Rng) {
        let Some(other) = self.items.get(rng.random_range(0..self.items.len().max(1))) else { return };
        let mut theirs = vec![0.0; chunk.len()];
        self.cut(other, &mut theirs, rng);
        let bands = self.set.bands;
        let towards = rng.random::<f32>() * STYLE_REACH;
        for band in 0..bands {
            let (mean, spread) = moments(chunk, bands, band);
            let (their_mean, their_spread) = moments(&theirs, bands, band);
            // A band that hardly moves is not blown up to one that does.
            let factor = 1.0 + towards * ((their_spread + 0.02) / (spread + 0.02) - 1.0);
            let new_mean = mean + towards * (their_mean - mean);
            chunk.iter_mut().skip(band).step_by(bands).for_each(|v| *v = (*v - mean) * factor + new_mean);
        }
    }
}

/// A chunk goes at most so far towards the other's band levels.
const STYLE_REACH: f32 = 0.5;

/// Mean and deviation of a band.
fn moments(chunk: &[f32], bands: usize, band: usize) -> (f32, f32) {
    let n = (chunk.len() / bands).max(1) as f32;
    let values = || chunk.iter().skip(band).step_by(bands);
    let mean = values().sum::<f32>() / n;
    (mean, (values().map(|v| (v - mean).powi(2)).sum::<f32>() / n).sqrt())
}

/// A generator that depends on all three numbers.
pub(super) fn rng(seed: u64, counter: u64, purpose: u64) -> ChaCha8Rng {
    let mut key = [0_u8; 32];
    for (slot, value) in key.chunks_exact_mut(8).zip([seed, counter, purpose, 0x64_65_65_70]) {
        slot.copy_from_slice(&value.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// Each chunk is mixed with the one before it in the batch, by one weight a chunk.
fn mix(batch: &mut Batch, size: usize, genres: usize, beta: f64, rng: &mut ChaCha8Rng) {
    let n = batch.labels.len();
    let (chunks, targets) = (batch.chunks.clone(), batch.targets.clone());
    for i in 0..n {
        let weight = symmetric_beta(beta, rng);
        // The chunk itself stays the heavier one, so that its label stays the one to name.
        let own = weight.max(1.0 - weight) as f32;
        let j = (i + n - 1) % n;
        let blend = |mine: &mut [f32], others: &[f32], width: usize| {
            if let (Some(mine), Some(other)) =
                (mine.get_mut(i * width..(i + 1) * width), others.get(j * width..(j + 1) * width))
            {
                mine.iter_mut().zip(other).for_each(|(a, b)| *a = own * *a + (1.0 - own) * b);
            }
        };
        blend(&mut batch.chunks, &chunks, size);
        blend(&mut batch.targets, &targets, genres);
    }
}

/// Beta(b, b) by Johnk's method, which is quick for b below 1.
pub(super) fn symmetric_beta(b: f64, rng: &mut ChaCha8Rng) -> f64 {
    for _ in 0..100 {
        let (x, y) = (rng.random::<f64>().powf(1.0 / b), rng.random::<f64>().powf(1.0 / b));
        if x + y > 0.0 && x + y <= 1.0 {
            return x / (x + y);
        }
    }
    0.5
}

fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let (u, v) = (rng.random::<f32>().max(1e-9), rng.random::<f32>());
    (-2.0 * u.ln()).sqrt() * (std::f32::consts::TAU * v).cos()
}

fn vary(chunk: &mut [f32], bands: usize, how: &Augment, rng: &mut ChaCha8Rng) {
    if how.band_shift > 0 {
        let most = how.band_shift as i64;
        let shift = rng.random_range(-most..=most);
        for frame in chunk.chunks_exact_mut(bands) {
            shift_frame(frame, shift);
        }
    }
    let factor = if how.scale > 0.0 { 1.0 + rng.random_range(-how.scale..=how.scale) } else { 1.0 };
    let summand = if how.offset > 0.0 { how.offset * normal(rng) } else { 0.0 };
    let slope = if how.tilt > 0.0 { how.tilt * normal(rng) } else { 0.0 };
    if factor != 1.0 || summand != 0.0 || slope != 0.0 {
        for frame in chunk.chunks_exact_mut(bands) {
            for (band, value) in frame.iter_mut().enumerate() {
                let place = band as f32 / bands as f32 * 2.0 - 1.0;
                *value = *value * factor + summand + slope * place;
            }
        }
    }
    let mean = if how.band_masks + how.time_masks > 0 { chunk.iter().sum::<f32>() / chunk.len() as f32 } else { 0.0 };
    for _ in 0..how.band_masks {
        let width = rng.random_range(0..=how.band_mask_width as usize).min(bands);
        let first = rng.random_range(0..=bands - width);
        for frame in chunk.chunks_exact_mut(bands) {
            frame.iter_mut().skip(first).take(width).for_each(|v| *v = mean);
        }
    }
    let frames = chunk.len() / bands;
    for _ in 0..how.time_masks {
        let width = rng.random_range(0..=how.time_mask_width as usize).min(frames);
        let first = rng.random_range(0..=frames - width);
        chunk.iter_mut().skip(first * bands).take(width * bands).for_each(|v| *v = mean);
    }
}

/// A scaled mel below this lies on the clip's floor.
const ON_THE_FLOOR: f32 = 6.5 / 255.0;

/// The clip as if its quietest values were lower by this share of the range, and those on the floor had gone down with
/// it: a lossy coder digs such holes, and the scale from a clip's quietest to its loudest then moves all that is between.
pub(super) fn lower_floor(chunk: &mut [f32], by: f32) {
    chunk.iter_mut().for_each(|v| *v = if *v < ON_THE_FLOOR { 0.0 } else { 1.0 - (1.0 - *v) * (1.0 - by) });
}

/// Move a frame by `shift` bands; the edge band fills the gap.
fn shift_frame(frame: &mut [f32], shift: i64) {
    let by = shift.unsigned_abs() as usize;
    if by == 0 || by >= frame.len() {
        return;
    }
    let last = frame.len() - 1;
    if shift > 0 {
        let edge = frame[0];
        frame.copy_within(..frame.len() - by, by);
        frame[..by].fill(edge);
    } else {
        let edge = frame[last];
        frame.copy_within(by.., 0);
        frame[last + 1 - by..].fill(edge);
    }
}

#[cfg(test)]
mod tests {
    use deepcuts_protocol::FrontEnd;

    use super::*;
    use crate::train::data::{Clip, Frames};

    fn set() -> Set {
        let clips = (0..6)
            .map(|i| Clip {
                name: i.to_string(),
                artist: String::new(),
                label: (i % 3) as u8,
                group: i,
                sturm: None,
                frames: Frames::Bytes((0..40 * 8).map(|v| (v % 256) as u8).collect()),
            })
            .collect();
        Set { genres: vec!["a".into(), "b".into(), "c".into()], front_end: FrontEnd::Cuts, bands: 8, clips, taps: None }
    }

    fn plain() -> Augment {
        let text = super::super::recipe::Recipe::text_of("cnn-paper").unwrap_or_default();
        super::super::recipe::Recipe::read(text, &[]).map(|r| r.augment).unwrap_or_else(|_| unreachable!())
    }

    #[test]
    fn a_step_always_draws_the_same_and_an_epoch_draws_everything() {
        let set = set();
        let augment = plain();
        let items = grid(&set, &[0, 1, 2, 3, 4, 5], 16);
        assert_eq!(items.len(), 12);
        let sampler =
            Sampler { set: &set, items, chunk: 16, batch: 4, augment: &augment, mixup: 0.3, smoothing: 0.1, seed: 3 };
        let (a, b) = (sampler.draw(5), sampler.draw(5));
        assert_eq!((a.chunks, a.targets), (b.chunks, b.targets));
        let mut seen = [0; 3];
        for step in 0..sampler.steps_an_epoch() {
            let batch = sampler.draw(step);
            batch.labels.iter().for_each(|&l| seen[usize::from(l)] += 1);
            for row in batch.targets.chunks(3) {
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            }
        }
        assert_eq!(seen, [4, 4, 4]);
    }

    #[test]
    fn balance_draws_small_artists_more_often_than_their_clips() {
        let mut set = set();
        // Clips 0 to 4 are one artist's, clip 5 another's.
        set.clips.iter_mut().take(5).for_each(|c| c.group = 9);
        let augment = Augment { balance: 1.0, ..plain() };
        let items = whole(&set, &[0, 1, 2, 3, 4, 5]);
        let sampler =
            Sampler { set: &set, items, chunk: 16, batch: 4, augment: &augment, mixup: 0.0, smoothing: 0.0, seed: 3 };
        let mut drawn = [0; 6];
        (0..1000).for_each(|epoch| sampler.order(epoch).into_iter().for_each(|i| drawn[i] += 1));
        assert!((2700..3300).contains(&drawn[5]), "half of 6000 for the artist with one clip: {drawn:?}");
        assert!(drawn[..5].iter().all(|n| (450..750).contains(n)), "{drawn:?}");
    }

    #[test]
    fn a_stretched_chunk_still_begins_and_ends_with_its_own_frames() {
        let set = set();
        let augment = Augment { stretch: 0.2, ..plain() };
        let sampler = Sampler {
            set: &set,
            items: whole(&set, &[0]),
            chunk: 16,
            batch: 1,
            augment: &augment,
            mixup: 0.0,
            smoothing: 0.0,
            seed: 0,
        };
        for step in 0..20 {
            let batch = sampler.draw(step);
            let mut first = [0.0; 8];
            set.clips[0].frames.copy(0, &mut first);
            assert_eq!(batch.chunks[..8], first);
            assert!(batch.chunks.iter().all(|v| (0.0..=1.0).contains(v)));
        }
    }

    #[test]
    fn a_lower_floor_presses_what_is_above_it_towards_the_top() {
        let mut chunk = [0.0, 0.02, 0.2, 0.6, 1.0];
        lower_floor(&mut chunk, 0.25);
        let expected = [0.0, 0.0, 0.4, 0.7, 1.0];
        assert!(chunk.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{chunk:?}");
    }

    #[test]
    fn a_heard_clip_is_judged_as_it_is_and_learned_from_in_every_version() {
        let taps = Some(super::super::data::Taps { beginnings: 4, versions: 3 });
        let set = Set { taps, ..set() };
        // 40 frames: 13 a version, and one that is left over.
        let judged: Vec<u32> = grid(&set, &[0], 1).iter().map(|i| i.start).collect();
        assert_eq!(judged, [0, 4, 8, 12]);
        assert_eq!(whole(&set, &[0])[0].frames, 40);
    }

    #[test]
    fn a_shift_moves_bands_and_keeps_the_edge() {
        let mut frame = [1.0, 2.0, 3.0, 4.0];
        shift_frame(&mut frame, 2);
        assert_eq!(frame, [1.0, 1.0, 1.0, 2.0]);
        shift_frame(&mut frame, -1);
        assert_eq!(frame, [1.0, 1.0, 2.0, 2.0]);
    }
}
