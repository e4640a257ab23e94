//! Tracks that sound like others: the nearest by the mean of their embeddings.
//!
//! Every track is compared, exactly: a hundred thousand vectors of a few hundred numbers are a few milliseconds
//! of multiplying, so no approximate index is kept, and nothing has to be built or repaired.

use std::collections::HashSet;

use crate::store::{Store, StoreError};

/// The vectors of a library, side by side.
#[derive(Clone, Debug, Default)]
pub struct Neighbours {
    tracks: Vec<i64>,
    dim: usize,
    values: Vec<f32>,
}

/// A track and how near it is: the cosine, 1 for the same direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Near {
    /// The track's row.
    pub track: i64,
    /// Cosine of the angle to the seeds' mean.
    pub cosine: f32,
}

/// How alike a cosine is, for people: 100 for the same direction, 0 for none in common.
#[must_use]
pub fn percent(cosine: f32) -> u32 {
    (cosine.clamp(0.0, 1.0) * 100.0).round() as u32
}

impl Neighbours {
    /// Read the vectors of `store`; without embeddings there are none.
    ///
    /// # Errors
    /// What the database says.
    pub fn load(store: &Store) -> Result<Self, StoreError> {
        Ok(Self::new(store.main_vectors()?))
    }

    /// From (track, vector of length one) pairs; vectors of another length than the first are left out.
    #[must_use]
    pub fn new(vectors: Vec<(i64, Vec<f32>)>) -> Self {
        let dim = vectors.first().map_or(0, |(_, v)| v.len());
        let mut neighbours = Self { dim, ..Self::default() };
        for (track, vector) in vectors {
            if vector.len() == dim && dim > 0 {
                neighbours.tracks.push(track);
                neighbours.values.extend(vector);
            }
        }
        neighbours
    }

    /// Number of tracks that can be compared.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tracks.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tracks.is_empty()
    }

    /// All other tracks, nearest to the mean of `seeds` first; equally near ones by row. `None` when no seed
    /// has a vector.
    #[must_use]
    pub fn nearest(&self, seeds: &[i64]) -> Option<Vec<Near>> {
        let seeds: HashSet<i64> = seeds.iter().copied().collect();
        let mut wanted = vec![0.0_f32; self.dim];
        let mut found = false;
        for (track, vector) in self.rows().filter(|(track, _)| seeds.contains(track)) {
            debug_assert!(seeds.contains(&track));
            found = true;
            wanted.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
        }
        if !found {
            return None;
        }
        let length = wanted.iter().map(|x| x * x).sum::<f32>().sqrt();
        if length > 0.0 {
            wanted.iter_mut().for_each(|x| *x /= length);
        }
        let mut near: Vec<Near> = self
            .rows()
            .filter(|(track, _)| !seeds.contains(track))
            .map(|(track, vector)| Near { track, cosine: dot(vector, &wanted) })
            .collect();
        near.sort_unstable_by(|a, b| b.cosine.total_cmp(&a.cosine).then(a.track.cmp(&b.track)));
        Some(near)
    }

    fn rows(&self) -> impl Iterator<Item = (i64, &[f32])> {
        self.tracks.iter().copied().zip(self.values.chunks_exact(self.dim.max(1)))
    }
}

/// In lanes, so that the compiler keeps several sums at once.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0_f32; LANES];
    let (a_lanes, b_lanes) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a_lanes.remainder().iter().zip(b_lanes.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_lanes.zip(b_lanes) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += x * y;
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_nearest_come_first_and_seeds_are_left_out() {
        let n = Neighbours::new(vec![
            (1, vec![1.0, 0.0]),
            (2, vec![0.0, 1.0]),
            (3, vec![0.8, 0.6]),
            (4, vec![-1.0, 0.0]),
            (5, vec![1.0, 0.0, 0.0]),
        ]);
        assert_eq!(n.len(), 4);
        let order: Vec<i64> = n.nearest(&[1]).unwrap().iter().map(|near| near.track).collect();
        assert_eq!(order, [3, 2, 4]);
        // Between the two lies the third.
        let near = n.nearest(&[1, 2]).unwrap();
        assert_eq!(near[0].track, 3);
        assert!((near[0].cosine - 0.989_949).abs() < 1e-5);
        assert!(n.nearest(&[99]).is_none());
    }

    #[test]
    fn lanes_and_remainder_add_up() {
        let a: Vec<f32> = (0..37).map(|i| i as f32).collect();
        let expected: f32 = (0..37).map(|i| (i * i) as f32).sum();
        assert!((dot(&a, &a) - expected).abs() < 1e-3);
    }
}
