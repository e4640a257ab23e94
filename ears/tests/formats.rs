//! Every format that is promised decodes to the samples that ffmpeg decodes it to.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::Path;

use deepcuts_ears::decode::{Decoder, Format};

fn decode(path: &Path) -> (Vec<f32>, Format) {
    let mut decoder = Decoder::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let (mut all, mut window) = (Vec::new(), Vec::new());
    while decoder.next_window(&mut window).unwrap_or_else(|e| panic!("{}: {e}", path.display())) {
        all.extend_from_slice(&window);
    }
    (all, decoder.format().clone())
}

/// Energy of the difference to that of `theirs`, dB, at the shift within `reach` that makes it least; and the shift.
fn difference(ours: &[f32], theirs: &[f32], reach: usize) -> (f64, i64) {
    let at = |shift: i64, step: usize| {
        let (mut error, mut power) = (0.0_f64, 1e-30_f64);
        for i in (theirs.len() / 3..theirs.len() * 2 / 3).step_by(step) {
            let Some(a) = ours.get((i as i64 + shift) as usize) else { return f64::MAX };
            error += f64::from(a - theirs[i]).powi(2);
            power += f64::from(theirs[i]).powi(2);
        }
        10.0 * (error / power).max(1e-30).log10()
    };
    let reach = reach as i64;
    let best = (-reach..=reach).min_by(|&a, &b| at(a, 53).total_cmp(&at(b, 53))).unwrap();
    (at(best, 1), best)
}

struct Case {
    name: &'static str,
    codec: &'static str,
    rate: u32,
    encode: &'static [&'static str],
    /// How ffmpeg is to decode it, where it has several decoders.
    decode: &'static [&'static str],
    /// Most that the samples may differ, dB.
    most_db: f64,
    /// Samples by which the start may differ: encoder delay is cut off by some and kept by others.
    reach: usize,
}

const fn case(
    name: &'static str,
    codec: &'static str,
    encode: &'static [&'static str],
    most_db: f64,
    reach: usize,
) -> Case {
    Case { name, codec, rate: 44_100, encode, decode: &[], most_db, reach }
}

const CASES: &[Case] = &[
    case("16.wav", "pcm", &["-c:a", "pcm_s16le"], -120.0, 0),
    case("24.wav", "pcm", &["-c:a", "pcm_s24le"], -120.0, 0),
    case("32f.wav", "pcm", &["-c:a", "pcm_f32le"], -120.0, 0),
    case("8.wav", "pcm", &["-c:a", "pcm_u8"], -120.0, 0),
    case("x.aiff", "pcm", &["-c:a", "pcm_s16be"], -120.0, 0),
    case("x.caf", "pcm", &["-c:a", "pcm_s24be"], -120.0, 0),
    case("x.flac", "flac", &["-c:a", "flac"], -120.0, 0),
    case("24.flac", "flac", &["-c:a", "flac", "-sample_fmt", "s32"], -120.0, 0),
    case("flac.ogg", "flac", &["-c:a", "flac"], -120.0, 0),
    case("alac.m4a", "alac", &["-c:a", "alac"], -120.0, 0),
    case("x.mp3", "mp3", &["-c:a", "libmp3lame", "-b:a", "192k"], -80.0, 1200),
    case("vbr.mp3", "mp3", &["-c:a", "libmp3lame", "-q:a", "4"], -80.0, 1200),
    case(
        "bare.mp3",
        "mp3",
        &["-c:a", "libmp3lame", "-b:a", "128k", "-write_xing", "0", "-id3v2_version", "0"],
        -80.0,
        1200,
    ),
    case("x.mp2", "mp2", &["-c:a", "mp2", "-b:a", "192k"], -60.0, 1200),
    case("x.ogg", "vorbis", &["-c:a", "libvorbis", "-q:a", "5"], -80.0, 1200),
    Case {
        rate: 48_000,
        decode: &["-c:a", "libopus"],
        ..case("x.opus", "opus", &["-c:a", "libopus", "-b:a", "128k"], -60.0, 1200)
    },
    case("x.m4a", "aac", &["-c:a", "aac", "-b:a", "160k", "-aac_pns", "0"], -80.0, 2200),
    case(
        "fragmented.m4a",
        "aac",
        &["-c:a", "aac", "-aac_pns", "0", "-movflags", "frag_keyframe+empty_moov"],
        -80.0,
        2200,
    ),
    case("x.aac", "aac", &["-c:a", "aac", "-aac_pns", "0"], -80.0, 2200),
    case("x.mka", "flac", &["-c:a", "flac"], -120.0, 0),
    case("vorbis.mka", "vorbis", &["-c:a", "libvorbis"], -80.0, 1200),
];

#[test]
fn every_format_decodes_to_what_ffmpeg_decodes_it_to() {
    let Some(ffmpeg) = support::ffmpeg("comparing decoders") else { return };
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source.wav");
    support::write_wav(&source, 44_100, &support::stereo(44_100, 5.0));
    let source = source.to_str().unwrap().to_owned();
    let mut failures = Vec::new();
    for case in CASES {
        let path = folder.path().join(case.name);
        let file = path.to_str().unwrap();
        support::run(&ffmpeg, &[&["-i", &source, "-ar", &case.rate.to_string()], case.encode, &[file]].concat());
        let raw = support::run(&ffmpeg, &[case.decode, &["-i", file, "-f", "f32le", "-ac", "2", "-"]].concat());
        let floats: Vec<f32> = raw.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let theirs: Vec<f32> = floats.as_chunks::<2>().0.iter().map(|[l, r]| (l + r) * 0.5).collect();
        let (ours, format) = decode(&path);
        let (db, shift) = difference(&ours, &theirs, case.reach);
        let seconds = ours.len() as f64 / f64::from(case.rate);
        println!(
            "{:16} {:7} {:6} Hz {} ch  {seconds:.3} s  {db:7.1} dB at {shift}",
            case.name, format.codec, format.sample_rate_hz, format.channels
        );
        if (format.codec.as_str(), format.sample_rate_hz, format.channels) != (case.codec, case.rate, 2) {
            failures.push(format!("{}: {format:?}", case.name));
        }
        if db > case.most_db || (seconds - 5.0).abs() > 0.1 {
            failures.push(format!("{}: {db:.1} dB, {seconds:.3} s", case.name));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn a_wav_needs_no_ffmpeg() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no extension at all");
    let samples = support::stereo(48_000, 1.0);
    support::write_wav(&path, 48_000, &samples);
    let (ours, format) = decode(&path);
    assert_eq!((format.sample_rate_hz, format.channels, ours.len()), (48_000, 2, 48_000));
    let worst = ours.iter().zip(&samples).map(|(x, [l, r])| (x - (l + r) / 2.0).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-4, "{worst}");
}
