//! Audio that the tests make themselves, ffmpeg where the set-up brought it, and jobs for the real program.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    f64::consts::TAU,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use deepcuts_protocol::TrainSay;

/// The ffmpeg in `vendor/`, or a line that says what is skipped.
pub fn ffmpeg(what: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vendor/python/imageio_ffmpeg/binaries");
    let found = std::fs::read_dir(&folder).ok().and_then(|entries| {
        entries
            .flatten()
            .map(|e| e.path())
            .find(|p| p.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"ffmpeg-")))
    });
    if found.is_none() {
        println!("skipped: {what} needs ffmpeg, and there is none in {} (scripts/setup brings it)", folder.display());
    }
    found
}

/// Run ffmpeg; its output is what it wrote to stdout.
pub fn run(ffmpeg: &Path, arguments: &[&str]) -> Vec<u8> {
    let out = Command::new(ffmpeg)
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(out.status.success(), "ffmpeg {arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

/// Two different chords with a beat, left and right, in -0.7..0.7.
pub fn stereo(rate: u32, seconds: f64) -> Vec<[f32; 2]> {
    (0..(f64::from(rate) * seconds) as u32)
        .map(|i| {
            let t = f64::from(i) / f64::from(rate);
            let beat = 0.4 + 0.3 * (-6.0 * (t * 2.0 % 1.0)).exp();
            let chord = |tones: [f64; 3]| tones.iter().map(|f| (TAU * f * t).sin()).sum::<f64>() / 3.0 * beat;
            [chord([220.0, 277.18, 329.63]) as f32, chord([110.0, 660.0, 1760.0 + 40.0 * t]) as f32]
        })
        .collect()
}

/// A 16-bit stereo WAV.
pub fn write_wav(path: &Path, rate: u32, samples: &[[f32; 2]]) {
    let spec =
        hound::WavSpec { channels: 2, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for x in samples.iter().flatten() {
        writer.write_sample((x * 32767.0).round() as i16).unwrap();
    }
    writer.finalize().unwrap();
}

/// A 32-bit float mono WAV.
pub fn write_float_wav(path: &Path, rate: u32, samples: &[f32]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for &x in samples {
        writer.write_sample(x).unwrap();
    }
    writer.finalize().unwrap();
}

/// At the first point of the curve: go on, ask it to stop, or kill it; or ask it to stop at once, or in a later fold.
#[derive(Clone, Copy, PartialEq)]
pub enum Then {
    GoOn,
    Cancel,
    CancelAtOnce,
    CancelInFold(u32),
    Kill,
}

/// Run a job; what the ears say.
pub fn ears(what: &str, job: &impl serde::Serialize, dir: &Path, then: Then) -> Vec<TrainSay> {
    let file = dir.join("job.json");
    fs::write(&file, serde_json::to_string(job).unwrap()).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_deepcuts-ears"))
        .args([what, "--job"])
        .arg(&file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().filter(|_| then != Then::CancelAtOnce);
    let mut said = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let say: TrainSay = serde_json::from_str(&line.unwrap()).unwrap();
        if let TrainSay::Curve { fold: at, .. } = say {
            match then {
                Then::Kill => child.kill().unwrap(),
                Then::Cancel => drop(stdin.take().map(|mut s| writeln!(s, "cancel"))),
                Then::CancelInFold(fold) if fold == at => drop(stdin.take().map(|mut s| writeln!(s, "cancel"))),
                _ => {}
            }
        }
        said.push(say);
    }
    child.wait().unwrap();
    said
}
