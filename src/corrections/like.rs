//! Look-alikes: the tracks that a correction may be taken over to.
//!
//! A track is taken when it sounds like the corrected one, was heard as the same thing, and the user has said nothing
//! of it. One that is nearer to a track of which the user said something else is left alone: there the user's own
//! word is better evidence. What it would take is always shown first.

use super::space::Space;
use crate::store::{Correction, Heard, Store, StoreError};

/// How alike a track must be to be taken over, unless the user says otherwise. Stricter than for the queue: this
/// writes.
pub const THRESHOLD: f32 = 0.85;

/// A track that sounds like a corrected one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LookAlike {
    /// The track.
    pub track: i64,
    /// The corrected track that it sounds most like.
    pub seed: i64,
    /// How alike they are, up to 1.
    pub alike: f32,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LookAlikes {
    /// The tracks that would be taken, most alike first.
    pub tracks: Vec<LookAlike>,
    /// Alike, but the user has said what they are, or locked them.
    pub said: usize,
    /// Alike, but heard as something else than the seed.
    pub heard_otherwise: usize,
    /// Alike, but more like a track of which the user said something else.
    pub contradicted: usize,
}

/// The tracks that sound like `seeds`, of which the user says that they are mostly `genre` (a slug).
///
/// # Errors
/// What the database says.
pub fn look_alikes(store: &Store, seeds: &[i64], genre: &str, threshold: f32) -> Result<LookAlikes, StoreError> {
    let others = otherwise(&store.corrections(None)?, seeds, genre);
    Ok(find(&Space::load(store)?, &store.heard()?, seeds, &others, threshold))
}

/// Tracks of which the user says that they are mostly something else.
fn otherwise(corrections: &[Correction], seeds: &[i64], genre: &str) -> Vec<i64> {
    let mut last = std::collections::BTreeMap::new();
    for c in corrections.iter().filter(|c| c.undone_ms.is_none() && c.span.is_none()) {
        last.insert(c.track, c.genres.first().map(|(slug, _)| slug.as_str()));
    }
    last.into_iter().filter(|(t, top)| !seeds.contains(t) && *top != Some(genre)).map(|(t, _)| t).collect()
}

fn find(space: &Space, heard: &[Heard], seeds: &[i64], others: &[i64], threshold: f32) -> LookAlikes {
    let tops: std::collections::HashMap<i64, Option<u8>> = heard.iter().map(|h| (h.track, h.top)).collect();
    let seeds: Vec<(i64, &[f32], Option<u8>)> =
        seeds.iter().filter_map(|&s| Some((s, space.point(s)?, tops.get(&s).copied().flatten()))).collect();
    let others: Vec<&[f32]> = others.iter().filter_map(|&t| space.point(t)).collect();
    let mut found = LookAlikes::default();
    for h in heard {
        if seeds.iter().any(|(s, ..)| *s == h.track) {
            continue;
        }
        let Some(point) = space.point(h.track) else { continue };
        let near = seeds.iter().map(|(s, p, top)| (Space::alike(point, p), *s, *top));
        let Some((alike, seed, top)) = near.max_by(|a, b| a.0.total_cmp(&b.0)) else { continue };
        if alike < threshold {
            continue;
        }
        if h.said {
            found.said += 1;
        } else if h.top.is_some() && h.top != top {
            found.heard_otherwise += 1;
        } else if others.iter().any(|other| Space::alike(point, other) > alike) {
            found.contradicted += 1;
        } else {
            found.tracks.push(LookAlike { track: h.track, seed, alike });
        }
    }
    found.tracks.sort_by(|a, b| b.alike.total_cmp(&a.alike).then(a.track.cmp(&b.track)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_sounds_alike_was_heard_alike_and_is_uncontradicted() {
        let vectors = vec![
            (1, vec![1.0, 0.0, 0.0]),
            (2, vec![1.0, 0.05, 0.0]),
            (3, vec![1.0, 0.0, 0.05]),
            (4, vec![0.95, 0.0, 0.1]),
            (5, vec![1.0, 0.05, 0.01]),
            (6, vec![0.0, 1.0, 0.0]),
            (7, vec![0.0, 0.0, 1.0]),
            (8, vec![0.94, 0.0, 0.11]),
        ];
        let heard: Vec<Heard> = (1..=8)
            .map(|track| Heard {
                track,
                doubt: 0.5,
                unsure: 0.0,
                top: Some(u8::from(track == 3)),
                said: track == 5 || track == 8,
            })
            .collect();
        let found = find(&Space::new(&vectors), &heard, &[1], &[8], 0.85);
        assert_eq!(found.tracks.iter().map(|l| l.track).collect::<Vec<_>>(), [2]);
        assert_eq!((found.heard_otherwise, found.contradicted), (1, 1));
        assert!(found.said >= 1);
    }
}
