//! Before and after on the same tracks: shares, a bootstrap over artists, and Wilson's interval by genre.
//!
//! Plain numbers only.

use deepcuts_protocol::{GenreGain, Paired};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::train::calibrate::wilson;

/// Resamples of the groups.
const RESAMPLES: usize = 2000;

/// What was said of a track, and what the two models make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub group: u32,
    pub said: usize,
    pub before: Option<usize>,
    pub after: usize,
}

impl Verdict {
    fn right(self) -> (f64, f64) {
        let one = |yes: bool| f64::from(u8::from(yes));
        (one(self.before == Some(self.said)), one(self.after == self.said))
    }
}

/// Shares before and after, and the gain with its interval over resamples of the groups.
pub(super) fn paired(verdicts: &[Verdict], seed: u64) -> Paired {
    let n = verdicts.len() as f64;
    let mut groups: Vec<u32> = verdicts.iter().map(|v| v.group).collect();
    groups.sort_unstable();
    groups.dedup();
    if verdicts.is_empty() {
        return Paired::default();
    }
    // By group: tracks, and the tracks gained.
    let sums: Vec<(f64, f64)> = (groups.iter())
        .map(|g| {
            let mine = verdicts.iter().filter(|v| v.group == *g).map(|v| v.right());
            mine.fold((0.0, 0.0), |(n, gain), (before, after)| (n + 1.0, gain + after - before))
        })
        .collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut gains: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let drawn = (0..sums.len()).filter_map(|_| sums.get(rng.random_range(0..sums.len())));
            let (n, gain) = drawn.fold((0.0, 0.0), |(n, g), s| (n + s.0, g + s.1));
            gain / n
        })
        .collect();
    gains.sort_by(f64::total_cmp);
    let at = |share: f64| gains.get((RESAMPLES as f64 * share) as usize).copied().unwrap_or(0.0);
    Paired {
        tracks: verdicts.len() as u32,
        groups: groups.len() as u32,
        before: verdicts.iter().map(|v| v.right().0).sum::<f64>() / n,
        after: verdicts.iter().map(|v| v.right().1).sum::<f64>() / n,
        gain: gains.iter().sum::<f64>() / RESAMPLES as f64,
        gain_low: at(0.025),
        gain_high: at(0.975),
    }
}

/// By genre, in the order of the outputs.
pub(super) fn by_genre(genres: &[String], mine: &[Verdict], base: &[Verdict]) -> Vec<GenreGain> {
    let count = |all: &[Verdict], genre: usize| {
        let of: Vec<(f64, f64)> = all.iter().filter(|v| v.said == genre).map(|v| v.right()).collect();
        let (before, after) = of.iter().fold((0.0, 0.0), |(b, a), r| (b + r.0, a + r.1));
        (of.len(), before, after)
    };
    let share = |right: f64, n: usize| right / n.max(1) as f64;
    (genres.iter().enumerate())
        .map(|(i, genre)| {
            let (tracks, before, after) = count(mine, i);
            let (base_clips, base_before, base_after) = count(base, i);
            let (after_low, after_high) = wilson(after as usize, tracks);
            GenreGain {
                genre: genre.clone(),
                tracks: tracks as u32,
                before: share(before, tracks),
                after: share(after, tracks),
                after_low,
                after_high,
                base_clips: base_clips as u32,
                base_before: share(base_before, base_clips),
                base_after: share(base_after, base_clips),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(group: u32, before: bool, after: bool) -> Verdict {
        Verdict { group, said: 1, before: before.then_some(1), after: usize::from(after) }
    }

    #[test]
    fn the_interval_is_as_wide_as_the_artists_differ() {
        // 20 tracks gain by one artist, 20 lose by another: nobody can say which way it goes.
        let one: Vec<Verdict> = (0..40).map(|i| verdict(i / 20, i / 20 == 1, i / 20 == 0)).collect();
        let p = paired(&one, 0);
        assert_eq!((p.tracks, p.groups, p.before, p.after), (40, 2, 0.5, 0.5));
        assert!((p.gain_low + 1.0).abs() < 1e-9 && (p.gain_high - 1.0).abs() < 1e-9);
        // Half of 100 artists gain their one track: 0.5, with the binomial's interval of about +-0.098.
        let many: Vec<Verdict> = (0..100).map(|i| verdict(i, false, i % 2 == 0)).collect();
        let p = paired(&many, 0);
        assert!((p.gain - 0.5).abs() < 0.01, "{p:?}");
        assert!((p.gain_low - 0.402).abs() < 0.02 && (p.gain_high - 0.598).abs() < 0.02, "{p:?}");
    }

    #[test]
    fn a_genre_that_is_new_was_never_right_before() {
        let genres = ["pop".to_owned(), "new".to_owned()];
        let rows = by_genre(&genres, &[verdict(0, false, true), verdict(1, false, false)], &[]);
        assert_eq!((rows[1].tracks, rows[1].before, rows[1].after, rows[0].tracks), (2, 0.0, 0.5, 0));
    }
}
