//! The review queue: which tracks teach most when they are corrected.
//!
//! Three things are multiplied. *Doubt*: how little the model is to be believed on the track. *Reach*: how many other
//! doubtful tracks sound like it, for they are learned with it. *Novelty*: how unlike it is to what was corrected
//! already and to what stands above it in the queue. Taken greedily, the best first. Nothing is random: the same
//! library gives the same queue. The simulated listener (docs/listener) finds more mistakes by it than in random order,
//! and learns as much from them.

use super::space::Space;
use crate::store::{Heard, Store, StoreError};

/// Tracks sound alike from here on.
pub const ALIKE: f32 = 0.80;

/// The most doubtful tracks, of which the queue is made. Enough to find unlike ones among them.
const POOL: usize = 1024;

/// Reach is estimated on so many tracks, evenly spread: with the pool some 300 million multiplications.
const SAMPLE: usize = 2048;

/// Corrected tracks that novelty is measured against, evenly spread.
const TAUGHT: usize = 1024;

/// Novelty of a track that is just like a corrected one: little, but the queue never runs dry.
const LEAST_NOVELTY: f32 = 0.02;

/// A track worth asking about.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The track.
    pub track: i64,
    /// How little the model is to be believed on it, 0 to 1.
    pub doubt: f32,
    /// Share of its chunks that no genre won, 0 to 1.
    pub unsure: f32,
    /// About how many tracks that nobody corrected sound like it.
    pub look_alikes: usize,
    /// How unlike it is to what was corrected and to what stands above it, 0 to 1.
    pub novelty: f32,
    /// Why it stands here, for people.
    pub reason: String,
}

/// The `limit` tracks that teach most, best first. Corrected and locked tracks are never in it.
///
/// # Errors
/// What the database says.
pub fn queue(store: &Store, limit: usize) -> Result<Vec<Asked>, StoreError> {
    Ok(rank(&Space::load(store)?, &store.heard()?, limit))
}

struct Candidate<'a> {
    heard: Heard,
    point: &'a [f32],
    reach: f32,
    look_alikes: usize,
    /// To what was corrected, or picked: the most alike.
    nearest: f32,
}

impl Candidate<'_> {
    fn novelty(&self) -> f32 {
        (1.0 - self.nearest.max(0.0)).clamp(LEAST_NOVELTY, 1.0)
    }

    /// What a correction of it is worth. Reach counts by its logarithm: a hundred look-alikes are not worth a hundred
    /// lessons. Doubt counts by its root: a listener with genres of their own disagrees where the model is sure, too.
    fn worth(&self) -> f32 {
        self.heard.doubt.max(0.0).sqrt() * (1.0 + self.reach.ln_1p()) * self.novelty()
    }
}

/// The queue of tracks heard so, at these points.
#[must_use]
pub fn rank(space: &Space, heard: &[Heard], limit: usize) -> Vec<Asked> {
    let mut open: Vec<(&Heard, &[f32])> =
        heard.iter().filter(|h| !h.said).filter_map(|h| Some((h, space.point(h.track)?))).collect();
    let taught: Vec<&[f32]> = heard.iter().filter(|h| h.said).filter_map(|h| space.point(h.track)).collect();
    let sample: Vec<(&Heard, &[f32])> = spread(&open, SAMPLE).copied().collect();
    let scale = open.len() as f32 / sample.len().max(1) as f32;
    open.sort_by(|a, b| b.0.doubt.total_cmp(&a.0.doubt).then(a.0.track.cmp(&b.0.track)));
    open.truncate(POOL.max(limit));
    let taught: Vec<&[f32]> = spread(&taught, TAUGHT).copied().collect();
    let mut pool: Vec<Candidate<'_>> = open
        .into_iter()
        .map(|(h, point)| {
            let like = sample.iter().filter(|(s, p)| s.track != h.track && Space::alike(point, p) >= ALIKE);
            let (count, doubt) = like.fold((0, 0.0), |(n, sum), (s, _)| (n + 1, sum + s.doubt));
            Candidate {
                heard: *h,
                point,
                reach: doubt * scale,
                look_alikes: (count as f32 * scale).round() as usize,
                nearest: taught.iter().map(|t| Space::alike(point, t)).fold(-1.0, f32::max),
            }
        })
        .collect();
    let mut queue = Vec::new();
    while queue.len() < limit {
        let best = (0..pool.len()).max_by(|&a, &b| {
            pool[a].worth().total_cmp(&pool[b].worth()).then(pool[b].heard.track.cmp(&pool[a].heard.track))
        });
        let Some(best) = best else { break };
        let picked = pool.swap_remove(best);
        for other in &mut pool {
            other.nearest = other.nearest.max(Space::alike(picked.point, other.point));
        }
        queue.push(asked(&picked, !taught.is_empty()));
    }
    queue
}

fn asked(c: &Candidate<'_>, any_taught: bool) -> Asked {
    let doubt = match c.heard.unsure {
        unsure if unsure >= 0.2 => format!("unsure of {:.0} % of it", unsure * 100.0),
        _ if c.heard.doubt >= 0.5 => format!("hardly believes itself ({:.0} %)", (1.0 - c.heard.doubt) * 100.0),
        _ => format!("{:.0} % sure", (1.0 - c.heard.doubt) * 100.0),
    };
    let reach = match c.look_alikes {
        0 => "nothing sounds like it".to_owned(),
        1 => "1 track sounds like it".to_owned(),
        n => format!("{n} tracks sound like it"),
    };
    let novelty = match c.novelty() {
        n if n >= 0.5 && any_taught => "; unlike anything corrected",
        n if n < 0.2 => "; close to one that was corrected or stands above",
        _ => "",
    };
    Asked {
        track: c.heard.track,
        doubt: c.heard.doubt,
        unsure: c.heard.unsure,
        look_alikes: c.look_alikes,
        novelty: c.novelty(),
        reason: format!("{doubt}; {reach}{novelty}"),
    }
}

/// At most `most` of `all`, evenly spread.
fn spread<T>(all: &[T], most: usize) -> impl Iterator<Item = &T> {
    let step = all.len().div_ceil(most.max(1)).max(1);
    all.iter().step_by(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(track: i64, doubt: f32) -> Heard {
        Heard { track, doubt, unsure: 0.0, top: Some(0), said: false }
    }

    /// Three heaps of sound: tracks 0 to 9, 10 to 19, and 20 alone.
    fn space() -> Space {
        let vectors: Vec<(i64, Vec<f32>)> = (0..21_i64)
            .map(|t| {
                let heap = (t / 10) as usize;
                let mut v = vec![0.0, 0.0, 0.0, 0.01 * t as f32];
                v[heap] = 1.0;
                (t, v)
            })
            .collect();
        Space::new(&vectors)
    }

    #[test]
    fn the_doubtful_come_first_and_each_heap_is_asked_about_before_any_twice() {
        let all: Vec<Heard> = (0..21).map(|t| heard(t, if t < 10 { 0.5 } else { 0.4 })).collect();
        let queue = rank(&space(), &all, 21);
        assert_eq!(queue.len(), 21);
        let heaps: Vec<i64> = queue.iter().take(3).map(|a| a.track / 10).collect();
        assert_eq!(heaps, [0, 1, 2]);
        assert_eq!(queue[0].look_alikes, 9);
        assert!(queue[0].reason.contains("9 tracks sound like it"), "{}", queue[0].reason);
    }

    #[test]
    fn what_was_corrected_is_not_asked_again_and_makes_its_like_worth_less() {
        let mut all: Vec<Heard> = (0..21).map(|t| heard(t, 0.5)).collect();
        all[3].said = true;
        let queue = rank(&space(), &all, 30);
        assert!(queue.iter().all(|a| a.track != 3));
        assert_eq!(queue[0].track / 10, 1, "{queue:?}");
        let first_like = queue.iter().position(|a| a.track < 10);
        assert!(first_like >= Some(2), "{queue:?}");
    }
}
