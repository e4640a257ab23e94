//! The front ends against librosa 0.11: `golden/mel.safetensors`, made by `golden/make.py`.
//!
//! librosa computes in f32 as we do, so equal input leaves rounding only. Behind a resampler the top bands differ
//! by the filter's edge; the bounds there are what a network was seen not to notice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{convert::Infallible, f64::consts::TAU};

use deepcuts_ears::mel::{self, Chunks, Resampler, Stream};
use deepcuts_protocol::FrontEnd;
use safetensors::SafeTensors;

fn golden(name: &str) -> Vec<f32> {
    let bytes = include_bytes!("golden/mel.safetensors");
    let arrays = SafeTensors::deserialize(bytes).unwrap();
    let data = arrays.tensor(name).unwrap().data().to_vec();
    data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

fn noise(i: u32) -> f64 {
    let mut h = i;
    h ^= h >> 16;
    h = h.wrapping_mul(0x7feb_352d);
    h ^= h >> 15;
    h = h.wrapping_mul(0x846c_a68b);
    h ^= h >> 16;
    f64::from(h) / 2.0_f64.powi(31) - 1.0
}

/// The twin of `signal` in make.py.
fn signal(rate: u32, seconds: f64) -> Vec<f32> {
    let n = (f64::from(rate) * seconds).round() as u32;
    (0..n)
        .map(|i| {
            let t = f64::from(i) / f64::from(rate);
            let base = 110.0 * 2.0_f64.powf(((t * 2.0).floor() * 5.0 % 12.0) / 12.0);
            let mut out = 0.1 * (TAU * (40.0 * t + 150.0 * t * t)).sin();
            for k in 1..9 {
                out += 0.25 / f64::from(k) * (TAU * base * f64::from(k) * t).sin();
            }
            let burst = (-8.0 * (t * 4.0 % 1.0)).exp();
            (out + (0.01 + 0.2 * burst) * noise(i)) as f32
        })
        .collect()
}

/// The twin of `rests` in make.py.
fn rests(mut samples: Vec<f32>, rate: u32) -> Vec<f32> {
    for (i, x) in samples.iter_mut().enumerate() {
        if (7.0..7.5).contains(&(i as f64 / f64::from(rate) % 10.0)) {
            *x = 0.0;
        }
    }
    samples
}

/// All rows of a front end, as one chunk of `frames`.
fn rows(front_end: FrontEnd, frames: usize, samples: &[f32], rate: u32) -> Vec<f32> {
    let mut stream = Stream::new(front_end, frames, rate);
    let mut out = Vec::new();
    let mut sink = |chunks: Chunks| {
        out.extend(chunks.data);
        Ok::<(), Infallible>(())
    };
    for window in samples.chunks(1152) {
        stream.push(window, rate, &mut sink).unwrap();
    }
    stream.finish(&mut sink).unwrap();
    out
}

struct Differences {
    mean: f32,
    most_of_1000: f32,
    max: f32,
}

fn differences(pairs: impl Iterator<Item = (f32, f32)>) -> Differences {
    let mut all: Vec<f32> = pairs.map(|(a, b)| (a - b).abs()).collect();
    all.sort_by(f32::total_cmp);
    let mean = all.iter().sum::<f32>() / all.len() as f32;
    Differences { mean, most_of_1000: all[all.len() * 999 / 1000], max: all[all.len() - 1] }
}

#[test]
fn the_papers_front_ends_are_librosas_on_equal_input() {
    for (front_end, name, every) in [(FrontEnd::Paper128, "paper128", 1), (FrontEnd::Paper256, "paper256", 4)] {
        let (bands, samples) = (mel::bands(front_end), signal(16_000, 4.0));
        let ours = rows(front_end, 126, &samples, 16_000);
        let golden = golden(name);
        let ours: Vec<f32> = ours.chunks(bands).step_by(every).flatten().copied().collect();
        assert_eq!(ours.len(), golden.len(), "{name}");
        let peak = golden.iter().copied().fold(f32::MIN, f32::max);
        let near = ours.iter().zip(&golden).map(|(&a, &b)| (a, b)).filter(|&(_, b)| b > peak - 60.0);
        let d = differences(near);
        println!("{name}: mean {:.6} max {:.6} dB", d.mean, d.max);
        assert!(d.max <= 0.001, "{name}: {}", d.max);
    }
}

#[test]
fn behind_our_resampler_the_bands_are_those_behind_soxr() {
    for rate in [22_050, 44_100, 48_000] {
        let ours = rows(FrontEnd::Paper128, 126, &signal(rate, 4.0), rate);
        let golden = golden(&format!("paper128_from_{rate}"));
        assert_eq!(ours.len(), golden.len(), "{rate}");
        let d = differences(ours.into_iter().zip(golden));
        println!("paper-128 from {rate} Hz: mean {:.5} p99.9 {:.4} max {:.4} dB", d.mean, d.most_of_1000, d.max);
        assert!(d.mean <= 0.01, "{rate}: {}", d.mean);
        assert!(d.most_of_1000 <= 0.35, "{rate}: {}", d.most_of_1000);
    }
}

/// In steps of the training data's 256 levels.
#[test]
fn cuts_are_the_columns_that_the_training_data_holds() {
    for rate in [22_050, 44_100, 48_000] {
        let ours = rows(FrontEnd::Cuts, 387, &rests(signal(rate, 30.0), rate), rate);
        let golden = golden(&format!("cuts_from_{rate}"));
        let ours: Vec<f32> = ours.chunks(128).step_by(4).flatten().copied().collect();
        assert_eq!(ours.len(), golden.len(), "{rate}");
        let d = differences(ours.into_iter().zip(golden).map(|(a, b)| (a * 255.0, b * 255.0)));
        println!("cuts from {rate} Hz: mean {:.4} p99.9 {:.4} max {:.4} of 255", d.mean, d.most_of_1000, d.max);
        assert!(d.mean <= 0.5, "{rate}: {}", d.mean);
        assert!(d.max <= 1.0, "{rate}: {}", d.max);
    }
}

#[test]
fn the_resamplers_samples_are_soxrs() {
    let mut resampler = Resampler::new(44_100, 22_050);
    let mut ours = Vec::new();
    resampler.push(&signal(44_100, 1.0), &mut ours);
    resampler.finish(&mut ours);
    let golden = golden("resampled_44100_22050");
    assert_eq!(ours.len(), golden.len());
    let power: f32 = golden.iter().map(|x| x * x).sum();
    let error: f32 = ours.iter().zip(&golden).map(|(a, b)| (a - b) * (a - b)).sum();
    let db = 10.0 * (error / power).log10();
    println!("44,100 -> 22,050 Hz: {db:.1} dB off soxr");
    assert!(db < -50.0, "{db}");
}
