//! The ends of a track are left out: intros, fade-outs, applause and the silence of a rip say little.
//!
//! Each end loses min(20 s, max(0, (duration - 60 s) / 2)). How long a track is may be known only at its end
//! (headers lie), so the last 20 s are always held back, and the first 100 s until the rule is certain.

/// The most that an end loses.
const MOST_S: u64 = 20;

/// What is never trimmed away.
const KEPT_S: u64 = 60;

/// Cuts the ends off a stream of samples.
pub struct Trimmer {
    rate_hz: u64,
    held: Vec<f32>,
    /// Samples of `held` that were handed on already.
    done: usize,
    seen: u64,
    started: bool,
}

impl Trimmer {
    /// For samples at `rate_hz`.
    #[must_use]
    pub fn new(rate_hz: u32) -> Self {
        Self { rate_hz: u64::from(rate_hz), held: Vec::new(), done: 0, seen: 0, started: false }
    }

    /// Take `samples`; `sink` gets what is certain to stay.
    pub fn push(&mut self, samples: &[f32], mut sink: impl FnMut(&[f32])) {
        self.held.extend_from_slice(samples);
        self.seen += samples.len() as u64;
        let most = (MOST_S * self.rate_hz) as usize;
        if !self.started && self.seen > (2 * MOST_S + KEPT_S) * self.rate_hz {
            self.started = true;
            self.done = most;
        }
        if self.started && self.held.len() - self.done > most {
            let end = self.held.len() - most;
            sink(&self.held[self.done..end]);
            self.done = end;
            if self.done > 2 * most {
                self.held.drain(..self.done);
                self.done = 0;
            }
        }
    }

    /// The end. `sink` gets the rest; returns how many samples each end lost.
    pub fn finish(&mut self, mut sink: impl FnMut(&[f32])) -> u64 {
        let cut = (self.seen.saturating_sub(KEPT_S * self.rate_hz) / 2).min(MOST_S * self.rate_hz);
        if !self.started {
            self.done = cut as usize;
        }
        let end = self.held.len() - cut as usize;
        if end > self.done {
            sink(&self.held[self.done..end]);
        }
        self.held = Vec::new();
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// First and last sample that stay, of a track of `seconds` at 10 Hz whose samples are their own numbers.
    fn kept(seconds: usize, piece: usize) -> (usize, usize, usize) {
        let samples: Vec<f32> = (0..seconds * 10).map(|i| i as f32).collect();
        let mut trimmer = Trimmer::new(10);
        let mut out: Vec<f32> = Vec::new();
        samples.chunks(piece).for_each(|piece| trimmer.push(piece, |kept| out.extend_from_slice(kept)));
        let cut = trimmer.finish(|kept| out.extend_from_slice(kept));
        assert_eq!(out, samples[cut as usize..samples.len() - cut as usize]);
        (cut as usize, out[0] as usize, out[out.len() - 1] as usize)
    }

    #[test]
    fn the_rule_of_the_ends() {
        for piece in [1, 7, 1000, 100_000] {
            assert_eq!(kept(30, piece), (0, 0, 299), "nothing under a minute");
            assert_eq!(kept(60, piece), (0, 0, 599));
            assert_eq!(kept(80, piece), (100, 100, 699), "10 s each at 80 s");
            assert_eq!(kept(100, piece), (200, 200, 799));
            assert_eq!(kept(243, piece), (200, 200, 2229), "20 s each");
            assert_eq!(kept(3600, piece), (200, 200, 35_799));
        }
    }
}
