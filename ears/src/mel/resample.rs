//! Samples at one rate to samples at another, streaming, with a filter that matches the training data's.
//!
//! The genres were learnt behind soxr's high-quality resampler: flat to 0.913 of the lower Nyquist rate,
//! gone (by 126 dB) at 1.0. A ready-made resampler with another edge puts other numbers into the top mel bands,
//! so the same edge is built here: a Kaiser-windowed sinc, applied by FFT (overlap-save). The spectrum of a
//! block is multiplied by the filter's, cut or padded to the output's length, and transformed back: a whole
//! 4-minute track costs some 40 ms, where the same 378 taps applied one by one cost three times that.

use std::sync::Arc;

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex, num_complex::Complex32};

/// Pass band's edge and stop band's begin, as shares of the lower Nyquist rate; and how far down it is then.
const PASS: f64 = 0.913;
const STOP: f64 = 1.0;
const STOP_DB: f64 = 126.0;

/// Input samples that a block aims at: the transform stays within the second-level cache.
const BLOCK_SAMPLES: usize = 8192;

/// A block is at least this many times the filter's overhang on one side.
const BLOCK_PER_OVERHANG: usize = 16;

/// Streams samples from one rate to another; a constant delay of zero: output n stands at time n / out.
pub struct Resampler {
    plan: Option<Plan>,
}

struct Plan {
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    /// The filter's response at the bins that survive; its phase is zero.
    response: Vec<f32>,
    /// Input and output samples of one unit: the rates divided by their common factor.
    unit_in: usize,
    unit_out: usize,
    /// Units of overhang on either side of a block.
    margin: usize,
    /// Units of a block that come out.
    step: usize,
    /// Input not yet consumed; begins `margin` units before the next output.
    pending: Vec<f32>,
    samples_in: u64,
    samples_out: u64,
    block: Vec<f32>,
    spectrum: Vec<Complex32>,
    short_spectrum: Vec<Complex32>,
    output: Vec<f32>,
    scratch: Vec<Complex32>,
}

impl Resampler {
    /// From `from_hz` to `to_hz`; neither may be zero.
    #[must_use]
    pub fn new(from_hz: u32, to_hz: u32) -> Self {
        if from_hz == to_hz {
            return Self { plan: None };
        }
        let common = gcd(from_hz, to_hz);
        let (unit_in, unit_out) = ((from_hz / common) as usize, (to_hz / common) as usize);
        let taps = taps(f64::from(from_hz), f64::from(to_hz));
        let margin = (taps.len() / 2).div_ceil(unit_in);
        let samples = BLOCK_SAMPLES.max(BLOCK_PER_OVERHANG * (taps.len() / 2));
        let units = samples.div_ceil(unit_in).max(4).next_power_of_two();
        let mut planner = RealFftPlanner::<f32>::new();
        let forward = planner.plan_fft_forward(units * unit_in);
        let inverse = planner.plan_fft_inverse(units * unit_out);
        let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        Self {
            plan: Some(Plan {
                response: response(&taps, units * unit_in, forward.complex_len().min(inverse.complex_len())),
                block: forward.make_input_vec(),
                spectrum: forward.make_output_vec(),
                short_spectrum: inverse.make_input_vec(),
                output: inverse.make_output_vec(),
                scratch: vec![Complex32::default(); scratch],
                forward,
                inverse,
                unit_in,
                unit_out,
                margin,
                step: units - 2 * margin,
                pending: vec![0.0; margin * unit_in],
                samples_in: 0,
                samples_out: 0,
            }),
        }
    }

    /// Append to `out` what `samples` complete.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        let Some(plan) = &mut self.plan else {
            out.extend_from_slice(samples);
            return;
        };
        plan.samples_in += samples.len() as u64;
        plan.pending.extend_from_slice(samples);
        while plan.pending.len() >= plan.block.len() {
            plan.run(usize::MAX, out);
        }
    }

    /// The end: append what is still inside. A whole of `ceil(samples * to / from)` has come then.
    pub fn finish(&mut self, out: &mut Vec<f32>) {
        let Some(plan) = &mut self.plan else { return };
        let whole = (plan.samples_in * plan.unit_out as u64).div_ceil(plan.unit_in as u64);
        while plan.samples_out < whole {
            plan.pending.resize(plan.pending.len().max(plan.block.len()), 0.0);
            plan.run((whole - plan.samples_out) as usize, out);
        }
    }
}

impl Plan {
    /// One block: at most `most` samples of it come out.
    fn run(&mut self, most: usize, out: &mut Vec<f32>) {
        let len = self.block.len();
        self.block.copy_from_slice(&self.pending[..len]);
        // Lengths are fixed when the plan is made, the only error a transform has.
        let _ = self.forward.process_with_scratch(&mut self.block, &mut self.spectrum, &mut self.scratch);
        let bins = self.response.len();
        for ((to, from), gain) in self.short_spectrum.iter_mut().zip(&self.spectrum).zip(&self.response) {
            *to = from * gain;
        }
        self.short_spectrum[bins..].fill(Complex32::default());
        self.short_spectrum[0].im = 0.0;
        if let Some(last) = self.short_spectrum.last_mut() {
            last.im = 0.0;
        }
        let _ = self.inverse.process_with_scratch(&mut self.short_spectrum, &mut self.output, &mut self.scratch);
        let from = self.margin * self.unit_out;
        let n = (self.step * self.unit_out).min(most);
        out.extend_from_slice(&self.output[from..from + n]);
        self.samples_out += n as u64;
        self.pending.drain(..self.step * self.unit_in);
    }
}

/// The filter: odd length, symmetric, sum 1, at the input's rate.
fn taps(from_hz: f64, to_hz: f64) -> Vec<f64> {
    let nyquist = from_hz.min(to_hz) / 2.0;
    let width = (STOP - PASS) * nyquist / from_hz;
    let centre = (STOP + PASS) / 2.0 * nyquist / from_hz;
    let half = ((STOP_DB - 7.95) / (14.36 * width) / 2.0).ceil();
    let beta = 0.1102 * (STOP_DB - 8.7);
    let at = |i: f64| {
        let window = bessel_i0(beta * (1.0 - (i / half).powi(2)).max(0.0).sqrt()) / bessel_i0(beta);
        let x = std::f64::consts::TAU * centre * i;
        window * if i == 0.0 { 2.0 * centre } else { x.sin() / (std::f64::consts::PI * i) }
    };
    let mut taps: Vec<f64> = (-(half as i64)..=half as i64).map(|i| at(i as f64)).collect();
    let sum: f64 = taps.iter().sum();
    taps.iter_mut().for_each(|tap| *tap /= sum);
    taps
}

/// The filter's response at the first `bins` of a transform of `len`, with the transforms' own gain taken out.
fn response(taps: &[f64], len: usize, bins: usize) -> Vec<f32> {
    let mut planner = RealFftPlanner::<f64>::new();
    let forward = planner.plan_fft_forward(len);
    let mut wrapped = forward.make_input_vec();
    let half = taps.len() / 2;
    for (i, tap) in taps.iter().enumerate() {
        wrapped[(len + i - half) % len] += tap;
    }
    let mut spectrum = forward.make_output_vec();
    let _ = forward.process(&mut wrapped, &mut spectrum);
    spectrum[..bins].iter().map(|bin| (bin.re / len as f64) as f32).collect()
}

/// Modified Bessel function of the first kind, order 0, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..200 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
        if term < sum * 1e-17 {
            break;
        }
    }
    sum
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn tone(hz: f64, rate: f64, n: usize) -> Vec<f32> {
        (0..n).map(|i| (TAU * hz * i as f64 / rate).sin() as f32).collect()
    }

    fn all(samples: &[f32], from_hz: u32, to_hz: u32, piece: usize) -> Vec<f32> {
        let mut resampler = Resampler::new(from_hz, to_hz);
        let mut out = Vec::new();
        samples.chunks(piece).for_each(|piece| resampler.push(piece, &mut out));
        resampler.finish(&mut out);
        out
    }

    #[test]
    fn a_tone_comes_out_as_the_same_tone_in_time_and_height() {
        for (from, to) in
            [(44_100, 22_050), (44_100, 16_000), (48_000, 22_050), (8_000, 22_050), (96_000, 16_000), (44_056, 16_000)]
        {
            let out = all(&tone(1000.0, f64::from(from), from as usize), from, to, 1152);
            assert_eq!(out.len(), to as usize, "{from} -> {to}");
            let expected = tone(1000.0, f64::from(to), to as usize);
            let edge = to as usize / 10;
            let worst = (edge..out.len() - edge).map(|i| (out[i] - expected[i]).abs()).fold(0.0, f32::max);
            assert!(worst < 2e-5, "{from} -> {to}: {worst}");
        }
    }

    #[test]
    fn what_lies_above_the_new_nyquist_rate_is_gone() {
        let out = all(&tone(11_100.0, 44_100.0, 44_100), 44_100, 22_050, 4096);
        let worst = out[2000..20_000].iter().fold(0.0_f32, |worst, x| worst.max(x.abs()));
        assert!(worst < 1e-5, "{worst}");
    }

    #[test]
    fn the_pieces_it_comes_in_do_not_matter() {
        let samples: Vec<f32> = (0..30_011_i64).map(|i| ((i * 7919 % 2003) as f32) / 1001.5 - 1.0).collect();
        let whole = all(&samples, 48_000, 22_050, usize::MAX);
        assert_eq!(whole, all(&samples, 48_000, 22_050, 577));
        assert_eq!(whole.len(), (30_011_usize * 147).div_ceil(320));
    }

    /// A header may claim any rate: a block of one that has no factor in common with ours was 12 million samples.
    #[test]
    fn no_rate_makes_a_block_of_hundreds_of_megabytes() {
        for rate in [4_001, 44_101, 191_999, 767_999, 768_000] {
            let plan = Resampler::new(rate, 22_050).plan;
            assert!(plan.is_some_and(|plan| plan.block.len() <= 1 << 22), "{rate}");
        }
    }

    #[test]
    fn equal_rates_pass_through() {
        assert_eq!(all(&[0.5, -0.25], 16_000, 16_000, 1), [0.5, -0.25]);
    }
}
