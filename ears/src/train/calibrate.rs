//! From logits to scores that mean something: temperature, calibration error, the unsure threshold, intervals.
//!
//! Plain numbers only, so that the report and the tests need no torch.

use deepcuts_protocol::UnsureScore;

/// A chunk that a network judged without having seen its artist.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Index of the clip in its set.
    pub clip: u32,
    /// Fold of the run that judged it.
    pub fold: u32,
    /// Its true genre.
    pub label: u8,
    /// Uncalibrated logits.
    pub logits: Vec<f32>,
}

impl Judged {
    /// Softmax of the logits over `temperature`.
    #[must_use]
    pub fn scores(&self, temperature: f64) -> Vec<f64> {
        softmax(&self.logits, temperature)
    }
}

/// Softmax of `logits / temperature`.
#[must_use]
pub fn softmax(logits: &[f32], temperature: f64) -> Vec<f64> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits.iter().map(|&l| (f64::from(l - top) / temperature).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|p| p / sum).collect()
}

/// Index and value of the largest.
#[must_use]
pub fn best(scores: &[f64]) -> (usize, f64) {
    scores.iter().copied().enumerate().fold((0, f64::NEG_INFINITY), |a, b| if b.1 > a.1 { b } else { a })
}

/// Mean negative log likelihood of the true genres.
#[must_use]
pub fn loss(chunks: &[&Judged], temperature: f64) -> f64 {
    let each = |c: &&Judged| -c.scores(temperature).get(usize::from(c.label)).copied().unwrap_or(0.0).max(1e-12).ln();
    chunks.iter().map(each).sum::<f64>() / chunks.len().max(1) as f64
}

/// The temperature with the least loss, by golden section over its logarithm.
#[must_use]
pub fn temperature(chunks: &[&Judged]) -> f64 {
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (0.1_f64.ln(), 10.0_f64.ln());
    for _ in 0..40 {
        let (a, b) = (high - ratio * (high - low), low + ratio * (high - low));
        if loss(chunks, a.exp()) < loss(chunks, b.exp()) {
            high = b;
        } else {
            low = a;
        }
    }
    f64::midpoint(low, high).exp()
}

/// A bar of the calibration curve.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bar {
    /// Chunks in it.
    pub chunks: u32,
    /// Their mean best score.
    pub score: f64,
    /// Share of them named right.
    pub right: f64,
}

/// The calibration curve in 15 bars of equal width, from (best score, right) pairs.
#[must_use]
pub fn curve(pairs: &[(f64, bool)]) -> Vec<Bar> {
    const BARS: usize = 15;
    let mut bars = vec![Bar::default(); BARS];
    for &(score, right) in pairs {
        let at = ((score * BARS as f64) as usize).min(BARS - 1);
        if let Some(bar) = bars.get_mut(at) {
            bar.chunks += 1;
            bar.score += score;
            bar.right += f64::from(u8::from(right));
        }
    }
    for bar in bars.iter_mut().filter(|b| b.chunks > 0) {
        bar.score /= f64::from(bar.chunks);
        bar.right /= f64::from(bar.chunks);
    }
    bars
}

/// Expected calibration error of a curve.
#[must_use]
pub fn error_of(bars: &[Bar]) -> f64 {
    let all: f64 = bars.iter().map(|b| f64::from(b.chunks)).sum();
    bars.iter().map(|b| f64::from(b.chunks) / all.max(1.0) * (b.score - b.right).abs()).sum()
}

/// (best score, right) of every chunk, each fold scaled by a temperature that was fitted on the others.
#[must_use]
pub fn cross_fitted(chunks: &[Judged]) -> Vec<(f64, bool)> {
    let mut folds: Vec<u32> = chunks.iter().map(|c| c.fold).collect();
    folds.sort_unstable();
    folds.dedup();
    let mut pairs = Vec::new();
    for &fold in &folds {
        let others: Vec<&Judged> = chunks.iter().filter(|c| c.fold != fold || folds.len() == 1).collect();
        let t = temperature(&others);
        pairs.extend(chunks.iter().filter(|c| c.fold == fold).map(|c| {
            let (name, score) = best(&c.scores(t));
            (score, name == usize::from(c.label))
        }));
    }
    pairs
}

/// The score below which a chunk is unsure: as high as possible while at most `lost` of the rightly named chunks
/// fall below it.
#[must_use]
pub fn unsure_below(pairs: &[(f64, bool)], lost: f64) -> f64 {
    let mut right: Vec<f64> = pairs.iter().filter(|p| p.1).map(|p| p.0).collect();
    right.sort_by(f64::total_cmp);
    right.get((right.len() as f64 * lost) as usize).copied().unwrap_or(0.0)
}

/// What a threshold costs and saves.
#[must_use]
pub fn unsure_score(pairs: &[(f64, bool)], below: f64) -> UnsureScore {
    let share = |n: usize, of: usize| n as f64 / of.max(1) as f64;
    let (unsure, sure): (Vec<_>, Vec<_>) = pairs.iter().partition(|p| p.0 < below);
    let wrong = |rows: &[&(f64, bool)]| share(rows.iter().filter(|p| !p.1).count(), rows.len());
    UnsureScore {
        share: share(unsure.len(), pairs.len()),
        wrong_among_unsure: wrong(&unsure),
        wrong_among_sure: wrong(&sure),
    }
}

/// A clip's verdict: the mean of its chunks' scores.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipVerdict {
    /// Index of the clip.
    pub clip: u32,
    /// Fold of the run.
    pub fold: u32,
    /// Its true genre.
    pub label: u8,
    /// Mean scores.
    pub scores: Vec<f64>,
}

impl ClipVerdict {
    /// The genre with the best mean score.
    #[must_use]
    pub fn winner(&self) -> usize {
        best(&self.scores).0
    }

    /// The winner is the true genre.
    #[must_use]
    pub fn right(&self) -> bool {
        self.winner() == usize::from(self.label)
    }
}

/// Clips from their chunks, by the mean of their scores before any temperature: one of the folds together would name
/// clips otherwise than each fold did.
#[must_use]
pub fn clips(chunks: &[Judged]) -> Vec<ClipVerdict> {
    let mut sums: std::collections::BTreeMap<u32, (ClipVerdict, u32)> = std::collections::BTreeMap::new();
    for c in chunks {
        let scores = c.scores(1.0);
        let zero = || (ClipVerdict { clip: c.clip, fold: c.fold, label: c.label, scores: vec![0.0; scores.len()] }, 0);
        let (sum, n) = sums.entry(c.clip).or_insert_with(zero);
        sum.scores.iter_mut().zip(&scores).for_each(|(a, b)| *a += b);
        *n += 1;
    }
    sums.into_values()
        .map(|(mut v, n)| {
            v.scores.iter_mut().for_each(|s| *s /= f64::from(n));
            v
        })
        .collect()
}

/// Wilson's 95 % interval of a share.
#[must_use]
pub fn wilson(right: usize, n: usize) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let (n, z) = (n as f64, 1.959_964);
    let p = right as f64 / n;
    let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    (middle - half, middle + half)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(label: u8, logits: &[f32], fold: u32) -> Judged {
        Judged { clip: 0, fold, label, logits: logits.to_vec() }
    }

    #[test]
    fn overconfidence_is_cooled() {
        // Three of four right at logits that claim almost certainty: the fitted score must be near 3/4.
        let rows: Vec<Judged> = (0..40).map(|i| chunk(u8::from(i % 4 == 0), &[8.0, 0.0], i % 5)).collect();
        let refs: Vec<&Judged> = rows.iter().collect();
        let t = temperature(&refs);
        assert!((rows[0].scores(t)[0] - 0.75).abs() < 1e-3);
        assert!(error_of(&curve(&cross_fitted(&rows))) < 0.01);
    }

    #[test]
    fn wilson_matches_the_published_table() {
        // 54 of 100: 0.4426 to 0.6345 (Wilson 1927 without continuity correction).
        let (low, high) = wilson(54, 100);
        assert!((low - 0.4426).abs() < 5e-4 && (high - 0.6345).abs() < 5e-4, "{low} {high}");
    }

    #[test]
    fn the_threshold_loses_no_more_right_chunks_than_asked() {
        let pairs: Vec<(f64, bool)> = (0..100).map(|i| (f64::from(i) / 100.0, i >= 50 || i % 2 == 0)).collect();
        let below = unsure_below(&pairs, 0.2);
        let right = pairs.iter().filter(|p| p.1).count() as f64;
        let lost = pairs.iter().filter(|p| p.1 && p.0 < below).count() as f64;
        assert!(lost / right <= 0.2);
        assert!(unsure_score(&pairs, below).wrong_among_unsure > unsure_score(&pairs, below).wrong_among_sure);
    }

    #[test]
    fn a_clip_is_the_mean_of_its_chunks() {
        let rows = [chunk(1, &[0.0, 9.0], 0), chunk(1, &[0.1, 0.0], 0)];
        let clip = &clips(&rows)[0];
        assert!(clip.right());
        assert!((clip.scores.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }
}
