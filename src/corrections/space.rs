//! Tracks as points: the mean of a track's embeddings, seen from the middle of the library.
//!
//! Means of embeddings all point more or less the same way, and a cosine between them says little. Seen from the
//! library's own middle it says much: 1 is the same sound, 0 is no more alike than any two tracks are.

use std::collections::HashMap;

use crate::{
    search::similar::dot,
    store::{Store, StoreError},
};

/// The points of a library.
#[derive(Clone, Debug, Default)]
pub struct Space {
    tracks: Vec<i64>,
    at: HashMap<i64, usize>,
    dim: usize,
    values: Vec<f32>,
}

impl Space {
    /// The points of `store`; without embeddings there are none.
    ///
    /// # Errors
    /// What the database says.
    pub fn load(store: &Store) -> Result<Self, StoreError> {
        Ok(Self::new(&store.main_vectors()?))
    }

    /// From (track, vector) pairs; vectors of another length than the first are left out.
    #[must_use]
    pub fn new(vectors: &[(i64, Vec<f32>)]) -> Self {
        let dim = vectors.first().map_or(0, |(_, v)| v.len());
        let mut space = Self { dim, ..Self::default() };
        let mut middle = vec![0.0_f32; dim];
        let same = || vectors.iter().filter(|(_, v)| v.len() == dim && dim > 0);
        for (_, vector) in same() {
            middle.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
        }
        let count = same().count().max(1) as f32;
        middle.iter_mut().for_each(|sum| *sum /= count);
        // One point alone is its own middle; it still is a point.
        if count < 2.0 {
            middle.fill(0.0);
        }
        for (track, vector) in same() {
            let start = space.values.len();
            space.values.extend(vector.iter().zip(&middle).map(|(x, m)| x - m));
            let own = &mut space.values[start..];
            let length = own.iter().map(|x| x * x).sum::<f32>().sqrt();
            if length > f32::EPSILON {
                own.iter_mut().for_each(|x| *x /= length);
            }
            space.at.insert(*track, space.tracks.len());
            space.tracks.push(*track);
        }
        space
    }

    /// Number of points.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tracks.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tracks.is_empty()
    }

    /// The point of a track, of length one.
    #[must_use]
    pub fn point(&self, track: i64) -> Option<&[f32]> {
        self.at.get(&track).and_then(|&i| self.values.get(i * self.dim..(i + 1) * self.dim))
    }

    /// How alike two points are: -1 to 1.
    #[must_use]
    pub fn alike(a: &[f32], b: &[f32]) -> f32 {
        dot(a, b)
    }
}
