//! The library as points of a plane: what sounds alike lies near.
//!
//! The two directions in which the tracks' vectors differ most (principal components), found by multiplying a
//! vector with their covariance again and again. Nothing is random: the same vectors give the same map.

/// Vectors that the directions are worked out from, evenly spread; all are laid out.
const SAMPLE: usize = 8_192;

/// Multiplications until a direction stands. The two largest differ enough for far fewer.
const TURNS: usize = 60;

/// So much of each end may lie on the rim, so that a few odd tracks do not press the others together.
const RIM: f64 = 0.005;

/// A laid out library.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    /// Track, and its place: both within -1 and 1.
    pub points: Vec<(i64, f32, f32)>,
    /// How much of all differences the two directions show, 0 to 1.
    pub shown: f32,
}

/// Lay out (track, vector) pairs; vectors of another length than the first are left out.
#[must_use]
pub fn lay_out(vectors: &[(i64, Vec<f32>)]) -> Layout {
    let dim = vectors.first().map_or(0, |(_, v)| v.len());
    let all: Vec<&(i64, Vec<f32>)> = vectors.iter().filter(|(_, v)| v.len() == dim).collect();
    if dim == 0 {
        return Layout::default();
    }
    let step = all.len().div_ceil(SAMPLE).max(1);
    let sample: Vec<&[f32]> = all.iter().step_by(step).map(|(_, v)| v.as_slice()).collect();
    let mean: Vec<f64> =
        (0..dim).map(|d| sample.iter().map(|v| f64::from(v[d])).sum::<f64>() / sample.len() as f64).collect();
    let mut covariance = covariance(&sample, &mean);
    let total: f64 = (0..dim).map(|d| covariance[d * dim + d]).sum();
    let (first, strength) = direction(&covariance, dim);
    for i in 0..dim {
        for j in 0..dim {
            covariance[i * dim + j] -= strength * first[i] * first[j];
        }
    }
    let (second, weaker) = direction(&covariance, dim);
    let along = |axis: &[f64]| -> Vec<f64> {
        let place = |v: &[f32]| v.iter().zip(&mean).zip(axis).map(|((x, m), a)| (f64::from(*x) - m) * a).sum();
        let places: Vec<f64> = all.iter().map(|(_, v)| place(v)).collect();
        scaled(places)
    };
    let (xs, ys) = (along(&first), along(&second));
    let points = all.iter().zip(xs.iter().zip(&ys)).map(|((track, _), (x, y))| (*track, *x as f32, *y as f32));
    let shown = if total > 0.0 { ((strength + weaker) / total) as f32 } else { 0.0 };
    Layout { points: points.collect(), shown }
}

fn covariance(sample: &[&[f32]], mean: &[f64]) -> Vec<f64> {
    let dim = mean.len();
    let mut sums = vec![0.0; dim * dim];
    let mut centred = vec![0.0; dim];
    for vector in sample {
        centred.iter_mut().zip(vector.iter().zip(mean)).for_each(|(c, (x, m))| *c = f64::from(*x) - m);
        for (i, row) in sums.chunks_exact_mut(dim).enumerate() {
            let x = centred[i];
            row.iter_mut().zip(&centred).for_each(|(sum, y)| *sum += x * y);
        }
    }
    let n = sample.len().max(1) as f64;
    sums.iter_mut().for_each(|sum| *sum /= n);
    sums
}

/// The direction of most difference, of length one, and the variance along it. Its largest part is positive.
fn direction(covariance: &[f64], dim: usize) -> (Vec<f64>, f64) {
    // Not along any axis, so that it is orthogonal to no direction that matters.
    let mut axis: Vec<f64> = (0..dim).map(|d| 1.0 + (d as f64 * 0.618).fract()).collect();
    let mut strength = 0.0;
    for _ in 0..TURNS {
        let next: Vec<f64> =
            covariance.chunks_exact(dim).map(|row| row.iter().zip(&axis).map(|(c, a)| c * a).sum()).collect();
        let length = next.iter().map(|x| x * x).sum::<f64>().sqrt();
        if length <= f64::EPSILON {
            return (vec![0.0; dim], 0.0);
        }
        axis = next.into_iter().map(|x| x / length).collect();
        strength = length;
    }
    let largest = axis.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(1.0);
    if largest < 0.0 {
        axis.iter_mut().for_each(|x| *x = -*x);
    }
    (axis, strength)
}

/// Places within -1 and 1, the outermost on the rim.
fn scaled(places: Vec<f64>) -> Vec<f64> {
    let mut sorted = places.clone();
    sorted.sort_by(f64::total_cmp);
    let at = |part: f64| sorted.get(((sorted.len().max(1) - 1) as f64 * part).round() as usize).copied().unwrap_or(0.0);
    let (low, high) = (at(RIM), at(1.0 - RIM));
    let half = (high - low) / 2.0;
    if half <= f64::EPSILON {
        return vec![0.0; places.len()];
    }
    places.into_iter().map(|p| ((p - low) / half - 1.0).clamp(-1.0, 1.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three heaps: two far apart along one direction, the third off them along another.
    fn heaps() -> Vec<(i64, Vec<f32>)> {
        let centres = [[0.9, 0.0, 0.1, 0.0], [-0.9, 0.0, 0.1, 0.0], [0.0, 0.6, 0.1, 0.0]];
        (0..90_i64)
            .map(|t| {
                let wobble = |k: i64| ((t * k) % 7) as f32 * 0.004;
                let mut v = centres[(t % 3) as usize].to_vec();
                v.iter_mut().zip([3, 5, 11, 13]).for_each(|(x, k)| *x += wobble(k));
                (t, v)
            })
            .collect()
    }

    #[test]
    fn what_is_alike_lies_near() {
        let layout = lay_out(&heaps());
        assert_eq!(layout.points.len(), 90);
        assert!(layout.shown > 0.95, "{}", layout.shown);
        let far = |a: usize, b: usize| {
            let ((_, x, y), (_, u, v)) = (layout.points[a], layout.points[b]);
            (x - u).hypot(y - v)
        };
        let within =
            (0..30).flat_map(|i| (0..3).map(move |h| (h, i * 3 + h))).map(|(h, i)| far(h, i)).fold(0.0, f32::max);
        let between = far(0, 1).min(far(0, 2)).min(far(1, 2));
        assert!(within * 5.0 < between, "{within} within, {between} between");
        assert!(layout.points.iter().all(|(_, x, y)| x.abs() <= 1.0 && y.abs() <= 1.0));
    }

    #[test]
    fn nothing_and_one_track_are_no_trouble() {
        assert_eq!(lay_out(&[]), Layout::default());
        assert_eq!(lay_out(&[(7, vec![0.5, 0.5])]).points, [(7, 0.0, 0.0)]);
        assert_eq!(lay_out(&[(7, vec![1.0, 0.0]), (8, vec![1.0])]).points.len(), 1);
    }
}
