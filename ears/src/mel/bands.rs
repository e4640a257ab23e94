//! Slaney's mel bands: linear to 1 kHz, logarithmic above, triangles of equal area.

/// A bank of triangular filters over the bins of a power spectrum.
pub struct Bands {
    /// First bin of each band, and where its weights begin and end.
    spans: Vec<(usize, std::ops::Range<usize>)>,
    weights: Vec<f32>,
}

impl Bands {
    /// `count` bands from 0 to half of `rate_hz`, for spectra of `n_fft` samples.
    #[must_use]
    pub fn new(rate_hz: u32, n_fft: usize, count: usize) -> Self {
        let top = mel(f64::from(rate_hz) / 2.0);
        let edges: Vec<f64> = (0..count + 2).map(|i| hz(top * i as f64 / (count + 1) as f64)).collect();
        let bin_hz = f64::from(rate_hz) / n_fft as f64;
        let mut bands = Self { spans: Vec::with_capacity(count), weights: Vec::new() };
        for edge in edges.windows(3) {
            let (low, centre, high) = (edge[0], edge[1], edge[2]);
            let at = |bin: usize| {
                let f = bin as f64 * bin_hz;
                let height = ((f - low) / (centre - low)).min((high - f) / (high - centre)).max(0.0);
                height * 2.0 / (high - low)
            };
            let inside: Vec<usize> = (0..=n_fft / 2).filter(|&bin| at(bin) > 0.0).collect();
            let begin = bands.weights.len();
            bands.weights.extend(inside.iter().map(|&bin| at(bin) as f32));
            bands.spans.push((inside.first().copied().unwrap_or(0), begin..bands.weights.len()));
        }
        bands
    }

    /// Append the energy of each band of `power`.
    pub fn apply(&self, power: &[f32], out: &mut Vec<f32>) {
        out.extend(self.spans.iter().map(|(first, span)| {
            let weights = &self.weights[span.clone()];
            dot(weights, &power[*first..*first + weights.len()])
        }));
    }
}

/// Four partial sums, so that the compiler may use a vector for them.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a4, a1) = a.as_chunks::<4>();
    let (b4, b1) = b.as_chunks::<4>();
    let mut sums = [0.0_f32; 4];
    for (a, b) in a4.iter().zip(b4) {
        for i in 0..4 {
            sums[i] += a[i] * b[i];
        }
    }
    let rest: f32 = a1.iter().zip(b1).map(|(a, b)| a * b).sum();
    (sums[0] + sums[2]) + (sums[1] + sums[3]) + rest
}

const LINEAR_HZ_PER_MEL: f64 = 200.0 / 3.0;
const BREAK_HZ: f64 = 1000.0;
const BREAK_MEL: f64 = BREAK_HZ / LINEAR_HZ_PER_MEL;

/// 27 steps above the break are a factor of 6.4.
fn log_step() -> f64 {
    6.4_f64.ln() / 27.0
}

fn mel(hz: f64) -> f64 {
    if hz < BREAK_HZ { hz / LINEAR_HZ_PER_MEL } else { BREAK_MEL + (hz / BREAK_HZ).ln() / log_step() }
}

fn hz(mel: f64) -> f64 {
    if mel < BREAK_MEL { mel * LINEAR_HZ_PER_MEL } else { BREAK_HZ * (log_step() * (mel - BREAK_MEL)).exp() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_goes_both_ways() {
        for f in [0.0, 440.0, 999.9, 1000.0, 6400.0, 11_025.0] {
            assert!((hz(mel(f)) - f).abs() < 1e-9);
        }
        assert!((mel(6400.0) - 42.0).abs() < 1e-12, "27 steps above 15");
    }

    #[test]
    fn every_band_holds_at_least_one_bin_at_the_rates_in_use() {
        for (rate, count) in [(16_000, 128), (22_050, 128)] {
            assert!(Bands::new(rate, 2048, count).spans.iter().all(|(_, span)| !span.is_empty()));
        }
    }
}
