//! CPU seconds of each stage for a track of 243 s, against the bare decode of the same file; networks also against
//! themselves as plain modules.
//!
//! `cargo bench -p deepcuts-ears --bench stages [-- FILE...]`. Without files an MP3 of 320 kbit/s is made by the
//! ffmpeg in `vendor/`, or a WAV where there is none. Files that end in `.safetensors` are the networks, instead of
//! those in `models/`. Each figure is the least of five runs on one thread.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
};

use deepcuts_ears::{
    decode::Decoder,
    mel::{Chunks, Resampler, Stream, sample_rate_hz},
    model::{DeviceChoice, Network, use_threads},
    startup,
};
use deepcuts_protocol::FrontEnd;

const RUNS: usize = 5;

/// CPU time of this thread, seconds.
fn cpu_s() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // Sound: the clock exists and the structure is ours.
    #[allow(unsafe_code)]
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn least(mut work: impl FnMut()) -> f64 {
    (0..RUNS)
        .map(|_| {
            let begun = cpu_s();
            work();
            cpu_s() - begun
        })
        .fold(f64::MAX, f64::min)
}

fn decoded(path: &Path, mut each: impl FnMut(&[f32], u32)) {
    let mut decoder = Decoder::open(path).unwrap();
    let mut window = Vec::new();
    while decoder.next_window(&mut window).unwrap() {
        each(&window, decoder.format().sample_rate_hz);
    }
}

fn chunks(windows: &[Vec<f32>], rate: u32, front_end: FrontEnd, frames: usize, mut each: impl FnMut(Chunks)) {
    let mut sink = |chunks: Chunks| {
        each(chunks);
        Ok::<(), Infallible>(())
    };
    let mut stream = Stream::new(front_end, frames, rate);
    windows.iter().for_each(|window| stream.push(window, rate, &mut sink).unwrap());
    stream.finish(&mut sink).unwrap();
}

/// A network over all chunks of the track: as it listens, and in the form it was trained in.
fn network(model: &Path, windows: &[Vec<f32>], rate: u32, row: &dyn Fn(&str, f64)) {
    let mut fast = Network::load(model, DeviceChoice::Cpu).unwrap();
    let mut plain = Network::load_plain(model, DeviceChoice::Cpu).unwrap();
    let card = fast.card().clone();
    let (mut data, mut n) = (Vec::new(), 0);
    chunks(windows, rate, card.front_end, card.chunk_frames as usize, |chunks| {
        n += chunks.count();
        data.extend(chunks.data);
    });
    let cpu = |network: &mut Network| least(|| assert_eq!(network.classify(&data, n).unwrap().winners.len(), n));
    let (fast, plain) = (cpu(&mut fast), cpu(&mut plain));
    row(&format!("network {}, {n} chunks", card.name), fast);
    row(&format!("network {} as a plain module", card.name), plain);
    println!("  {:34} {:7.2} x its plain module, {:.0} chunks a second", "", plain / fast, n as f64 / fast);
}

fn measure(path: &Path, models: &[PathBuf]) {
    let decode = least(|| decoded(path, |window, _| assert!(!std::hint::black_box(window).is_empty())));
    let (mut windows, mut rate) = (Vec::new(), 0);
    decoded(path, |window, at| {
        windows.push(window.to_vec());
        rate = at;
    });
    let seconds = windows.iter().map(Vec::len).sum::<usize>() as f64 / f64::from(rate);
    println!("{}: {seconds:.1} s at {rate} Hz", path.file_name().unwrap_or_default().display());
    let row = |name: &str, cpu: f64| {
        println!("  {name:34} {cpu:7.4} s  {:5.2} x decode  {:6.0} x real time", cpu / decode, seconds / cpu)
    };
    row("decode", decode);
    for front_end in [FrontEnd::Cuts, FrontEnd::Paper128, FrontEnd::Paper256] {
        let frames = match front_end {
            FrontEnd::Cuts => 64,
            FrontEnd::Paper128 => 128,
            FrontEnd::Paper256 => 256,
        };
        let mut out = Vec::new();
        let resample = least(|| {
            let mut resampler = Resampler::new(rate, sample_rate_hz(front_end));
            for window in &windows {
                out.clear();
                resampler.push(window, &mut out);
            }
            resampler.finish(&mut out);
        });
        let all = least(|| {
            let mut n = 0;
            chunks(&windows, rate, front_end, frames, |chunks| n += chunks.count());
            assert!(n > 0);
        });
        row(&format!("{}: resample", front_end.name()), resample);
        row(&format!("{}: mel, scale and chunks", front_end.name()), all - resample);
    }
    models.iter().for_each(|model| network(model, &windows, rate, &row));
}

fn main() {
    startup::prepare();
    use_threads(1);
    let files = std::env::args_os().skip(1).map(PathBuf::from).filter(|path| path.is_file());
    let (mut models, files): (Vec<PathBuf>, Vec<PathBuf>) =
        files.partition(|path| path.extension().is_some_and(|e| e == "safetensors"));
    if models.is_empty() {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
        models.extend(["cuts", "deep"].map(|name| shipped.join(name).with_extension("safetensors")));
        // Without its trunk `deep` cannot be loaded.
        models.retain(|model| Network::load(model, DeviceChoice::Cpu).is_ok());
    }
    if !files.is_empty() {
        files.iter().for_each(|file| measure(file, &models));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let wav = folder.path().join("243s.wav");
    support::write_wav(&wav, 44_100, &support::stereo(44_100, 243.0));
    match support::ffmpeg("the reference MP3") {
        Some(ffmpeg) => {
            let mp3 = folder.path().join("243s-320k.mp3");
            support::run(
                &ffmpeg,
                &["-i", wav.to_str().unwrap(), "-c:a", "libmp3lame", "-b:a", "320k", mp3.to_str().unwrap()],
            );
            measure(&mp3, &models);
        }
        None => measure(&wav, &models),
    }
}
