//! Broken and hostile files are named failures: never a panic, never a wait, never a wrong sound.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::Path;

use deepcuts_ears::decode::{DecodeError, Decoder, guarded};

/// Decode all of `path`: how many samples, or why not.
fn outcome(path: &Path) -> Result<usize, DecodeError> {
    guarded(|| {
        let mut decoder = Decoder::open(path)?;
        let (mut n, mut window) = (0, Vec::new());
        while decoder.next_window(&mut window)? {
            n += window.len();
        }
        Ok(n)
    })
}

fn reason(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    std::fs::write(&path, bytes).unwrap();
    match outcome(&path) {
        Ok(samples) => panic!("{samples} samples came of it"),
        Err(error) => error.to_string(),
    }
}

fn wav(seconds: f64) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.wav");
    support::write_wav(&path, 44_100, &support::stereo(44_100, seconds));
    std::fs::read(path).unwrap()
}

fn float_wav(samples: &[f32]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.wav");
    support::write_float_wav(&path, 44_100, samples);
    std::fs::read(path).unwrap()
}

/// A file that ffmpeg makes of five seconds of chords.
fn encoded(ffmpeg: &Path, name: &str, options: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source.wav");
    support::write_wav(&source, 44_100, &support::stereo(44_100, 5.0));
    let path = folder.path().join(name);
    support::run(ffmpeg, &[&["-i", source.to_str().unwrap()], options, &[path.to_str().unwrap()]].concat());
    std::fs::read(path).unwrap()
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    let at = bytes.windows(from.len()).position(|w| w == from).unwrap_or_else(|| panic!("no {from:x?} in it"));
    bytes[at..at + to.len()].copy_from_slice(to);
}

#[test]
fn files_that_hold_no_sound_say_so() {
    assert_eq!(reason(b""), "the file is empty");
    assert!(reason(b"Dear diary, this is no mp3.\n").starts_with("no audio format was recognised in it"));
    assert!(reason(&[0; 100_000]).starts_with("no audio format was recognised in it"));
    assert_eq!(reason(b"PK\x03\x04 and the rest of an archive"), "this is a zip archive, not audio");
    assert_eq!(reason(&wav(0.0)), "decoding gave no samples");
    assert_eq!(reason(&wav(0.01)), "only 10 ms of sound");
}

#[test]
fn a_riff_header_inside_another_format_is_not_played() {
    for (magic, name) in
        [(b"wvpk", "WavPack"), (b"MAC ", "Monkey's Audio"), (b"tBaK", "TAK"), (b"DSD ", "DSD"), (b"TTA1", "True Audio")]
    {
        let mut bytes = magic.to_vec();
        bytes.extend([0; 28]);
        bytes.extend(wav(1.0));
        let reason = reason(&bytes);
        assert!(reason.contains(name) && reason.contains("cannot be decoded"), "{reason}");
    }
}

#[test]
fn what_ends_far_too_early_is_truncated() {
    let mut bytes = wav(20.0);
    bytes.truncate(bytes.len() / 3);
    let reason = reason(&bytes);
    assert!(reason.starts_with("truncated: 6.7 s of the declared 20.0 s"), "{reason}");
}

#[test]
fn sizes_that_are_not_there_are_survived() {
    let mut riff = wav(0.02);
    riff[4..8].fill(0xff);
    replace(&mut riff, b"data", b"data");
    let at = riff.windows(4).position(|w| w == b"data").unwrap();
    riff[at + 4..at + 8].fill(0xff);
    assert_eq!(reason(&riff), "only 20 ms of sound");

    assert!(reason(b"ID3\x04\0\0\x7f\x7f\x7f\x7f").contains("claims 268435465 bytes, and the file has 10"));
    let mut atom = b"\0\0\0\x14ftypM4A \0\0\0\0M4A ".to_vec();
    atom.extend(b"\0\0\0\x01moov\x80\0\0\0\0\0\0\0");
    assert!(!reason(&atom).is_empty());
    let mut picture = b"fLaC\0\0\0\x22".to_vec();
    picture.extend([0x10, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0x0a, 0xc4, 0x42, 0xf0, 0, 0, 0, 0]);
    picture.extend([0; 16]);
    picture.extend(b"\x86\xff\xff\xff\0\0\0\x03\0\0\0\x09image/png");
    assert!(!reason(&picture).is_empty());
}

/// A recorder that cannot seek back leaves the largest size there is; the sound is whole all the same.
#[test]
fn a_wav_written_to_a_pipe_is_heard() {
    let mut bytes = wav(1.0);
    bytes[4..8].fill(0xff);
    let at = bytes.windows(4).position(|w| w == b"data").unwrap();
    bytes[at + 4..at + 8].copy_from_slice(&0x7fff_fff0_u32.to_le_bytes());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(outcome(&path).unwrap(), 44_100);
}

#[test]
fn nan_is_no_sound_and_a_few_of_them_are_silence() {
    let mut samples = vec![0.1_f32; 44_100];
    samples[100..110].fill(f32::NAN);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.wav");
    std::fs::write(&path, float_wav(&samples)).unwrap();
    assert_eq!(outcome(&path).unwrap(), 44_100);
    samples[..20_000].fill(f32::INFINITY);
    assert!(reason(&float_wav(&samples)).contains("20000 of 44100 samples are no finite numbers"));
}

#[test]
fn short_hostile_headers_never_get_out_as_a_panic() {
    let heads: [&[u8]; 12] = [
        b"fLaC\0\0\0\x22\x10\0\x10\0",
        b"OggS\0\x02\0\0\0\0\0\0\0\0",
        b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0",
        b"FORM\0\0\0\x10AIFFCOMM",
        b"caff\0\x01\0\0desc",
        b"\x1a\x45\xdf\xa3\x01\0\0\0",
        b"\0\0\0\x18ftypM4A ",
        b"\xff\xfb\x90\x64\0\0\0\0",
        b"\xff\xf1\x50\x80\x01\x7f\xfc",
        b"ID3\x03\0\0\0\0\0\x0a",
        b"APETAGEX\xd0\x07\0\0",
        b"TAG\0\0\0",
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let mut seed = 99_u32;
    for head in heads {
        for len in [1, 7, 33, 64, 129, 700] {
            let mut bytes = head.to_vec();
            while bytes.len() < len {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                bytes.push((seed >> 24) as u8 & (seed >> 16) as u8);
            }
            bytes.truncate(len);
            std::fs::write(&path, &bytes).unwrap();
            let _ = outcome(&path);
        }
    }
}

#[test]
fn a_folder_and_a_missing_file_are_read_errors() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(outcome(folder.path()), Err(DecodeError::Refused("no regular file") | DecodeError::Read(_))));
    let error = outcome(&folder.path().join("gone.mp3")).unwrap_err();
    assert_eq!(error.stage(), deepcuts_protocol::Stage::Read);
}

/// Opening a pipe without a writer would wait for ever.
#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe.mp3");
    if !std::process::Command::new("mkfifo").arg(&path).status().is_ok_and(|status| status.success()) {
        println!("skipped: there is no mkfifo");
        return;
    }
    assert!(matches!(outcome(&path), Err(DecodeError::Refused("no regular file"))));
}

#[test]
fn truncated_compressed_files_are_truncated() {
    let Some(ffmpeg) = support::ffmpeg("truncated files") else { return };
    for (name, options, expected) in [
        ("x.flac", &["-c:a", "flac"][..], "truncated"),
        ("x.mp3", &["-c:a", "libmp3lame"][..], "truncated"),
        ("x.m4a", &["-c:a", "aac", "-movflags", "+faststart"][..], "truncated"),
        ("x.m4a", &["-c:a", "aac"][..], "its headers cannot be read"),
    ] {
        let mut bytes = encoded(&ffmpeg, name, options);
        bytes.truncate(bytes.len() / 4);
        let reason = reason(&bytes);
        assert!(reason.starts_with(expected), "{name}: {reason}");
    }
}

/// A demuxer that looks at the end of a file first has seen all of it, and still lost its way near the start.
#[test]
fn a_matroska_that_breaks_early_is_not_judged_by_its_beginning() {
    let Some(ffmpeg) = support::ffmpeg("a damaged file") else { return };
    let mut bytes = encoded(&ffmpeg, "x.mka", &["-c:a", "flac"]);
    let at = bytes.len() / 4;
    bytes[at..at + 60_000].fill(0);
    let reason = reason(&bytes);
    assert!(reason.starts_with("truncated: 1.2 s of the declared 5.0 s"), "{reason}");
    // With pictures beside it, which may be longer, nothing says how long the sound is.
    let video = ["-f", "lavfi", "-i", "testsrc=s=64x64:r=5:d=5", "-c:v", "mpeg4", "-c:a", "flac"];
    let mut bytes = encoded(&ffmpeg, "x.mkv", &video);
    let at = bytes.len() / 4;
    bytes[at..at + 60_000].fill(0);
    let reason = self::reason(&bytes);
    assert!(reason.starts_with("damaged: after 1."), "{reason}");
}

/// Joined files, and a frame of something else before the music.
#[test]
fn an_mp3_that_changes_its_rate_and_channels_is_heard_whole() {
    let Some(ffmpeg) = support::ffmpeg("an mp3") else { return };
    let bare = |options: &[&str]| {
        let plain = ["-c:a", "libmp3lame", "-write_xing", "0", "-id3v2_version", "0"];
        encoded(&ffmpeg, "x.mp3", &[&plain, options].concat())
    };
    let (stereo, mono) = (bare(&["-b:a", "128k"]), bare(&["-ac", "1", "-ar", "22050", "-b:a", "64k"]));
    let heard = |parts: &[&[u8]]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.mp3");
        std::fs::write(&path, parts.concat()).unwrap();
        outcome(&path).unwrap()
    };
    // Five seconds at 44,100 Hz and five at 22,050; two frames may be lost where they meet.
    for parts in [[&stereo[..], &mono[..]], [&mono[..], &stereo[..]]] {
        let samples = heard(&parts);
        assert!((326_000..336_000).contains(&samples), "{samples}");
    }
    // 64 kbit/s at 22,050 Hz: 208 bytes a frame, and now and then one more.
    let samples = heard(&[&mono[..209 * 2], &stereo]);
    assert!((217_000..226_000).contains(&samples), "{samples}");
}

#[test]
fn of_two_audio_tracks_the_one_that_can_be_decoded_is_heard() {
    let Some(ffmpeg) = support::ffmpeg("two tracks") else { return };
    let two = ["-map", "0:a", "-map", "0:a", "-c:a:0", "ac3", "-c:a:1", "aac"];
    for name in ["x.mkv", "x.mp4"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, encoded(&ffmpeg, name, &two)).unwrap();
        assert!(outcome(&path).unwrap() > 200_000, "{name}");
    }
}

#[test]
fn noise_in_the_middle_of_an_mp3_is_survived() {
    let Some(ffmpeg) = support::ffmpeg("a damaged file") else { return };
    let mut bytes = encoded(&ffmpeg, "x.mp3", &["-c:a", "libmp3lame", "-b:a", "128k"]);
    let middle = bytes.len() / 2;
    bytes[middle..middle + 300].fill(0x55);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    std::fs::write(&path, bytes).unwrap();
    assert!(outcome(&path).unwrap() > 200_000);
}

#[test]
fn what_is_copy_protected_is_named() {
    let Some(ffmpeg) = support::ffmpeg("a protected file") else { return };
    for entry in [b"drms", b"enca"] {
        let mut bytes = encoded(&ffmpeg, "x.m4a", &["-c:a", "aac"]);
        replace(&mut bytes, b"mp4a", entry);
        assert_eq!(reason(&bytes), "it is copy-protected (DRM)");
    }
}

#[test]
fn a_codec_that_is_not_there_is_named() {
    let Some(ffmpeg) = support::ffmpeg("a foreign codec") else { return };
    let wavpack = encoded(&ffmpeg, "x.wv", &["-c:a", "wavpack"]);
    assert!(reason(&wavpack).starts_with("this is WavPack"));
    let ac3 = encoded(&ffmpeg, "x.mka", &["-c:a", "ac3"]);
    assert!(reason(&ac3).contains("codec"), "{}", reason(&ac3));
}

#[test]
fn he_aac_is_never_judged_by_half_of_its_band() {
    let Some(ffmpeg) = support::ffmpeg("HE-AAC") else { return };
    let half_rate = "HE-AAC (SBR) would be decoded at half its rate";

    // Announced behind the LC configuration, as most encoders do.
    let mut announced = encoded(&ffmpeg, "x.m4a", &["-c:a", "aac", "-ar", "22050"]);
    replace(&mut announced, &[0x13, 0x90, 0x56, 0xe5, 0x00], &[0x13, 0x90, 0x56, 0xe5, 0x80]);
    assert!(reason(&announced).starts_with(half_rate), "{}", reason(&announced));

    // Not announced: SBR data in the packets of an ADTS stream, which has no place to say so.
    let plain = encoded(&ffmpeg, "x.aac", &["-c:a", "aac", "-ar", "22050"]);
    assert!(reason(&with_sbr(&plain)).starts_with(half_rate), "{}", reason(&with_sbr(&plain)));

    // The same stream without it is plain AAC-LC at 22,050 Hz.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.aac");
    std::fs::write(&path, &plain).unwrap();
    assert!(outcome(&path).unwrap() > 100_000);
}

/// An ADTS stream with a fill element of 20 bytes of SBR data before the end marker of every packet.
fn with_sbr(adts: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), adts);
    while rest.len() > 7 {
        let len = usize::from(rest[3] & 3) << 11 | usize::from(rest[4]) << 3 | usize::from(rest[5]) >> 5;
        let head_len = if rest[1] & 1 == 1 { 7 } else { 9 };
        let packet = &rest[head_len..len];
        let mut bits: Vec<bool> = packet.iter().flat_map(|b| (0..8).map(move |i| b >> (7 - i) & 1 == 1)).collect();
        bits.truncate(bits.iter().rposition(|&bit| bit).unwrap() - 2);
        let mut put = |value: u32, n: u32| bits.extend((0..n).rev().map(|i| value >> i & 1 == 1));
        put(6, 3);
        put(15, 4);
        put(20 - 14, 8);
        put(0xd, 4);
        (0..39).for_each(|i| put(i % 13, 4));
        put(7, 3);
        let packet: Vec<u8> =
            bits.chunks(8).map(|c| c.iter().enumerate().fold(0, |b, (i, &bit)| b | u8::from(bit) << (7 - i))).collect();
        let mut head = rest[..head_len].to_vec();
        let whole = head_len + packet.len();
        head[3] = head[3] & !3 | (whole >> 11) as u8;
        head[4] = (whole >> 3) as u8;
        head[5] = head[5] & 0x1f | ((whole & 7) << 5) as u8;
        out.extend(head);
        out.extend(packet);
        rest = &rest[len..];
    }
    out
}

#[test]
fn dts_in_a_wav_is_not_played_as_noise() {
    let mut bytes = wav(1.0);
    let at = bytes.windows(4).position(|w| w == b"data").unwrap() + 8;
    for frame in bytes[at..].chunks_mut(1024) {
        frame[..4].copy_from_slice(&[0xfe, 0x7f, 0x01, 0x80]);
    }
    assert!(reason(&bytes).contains("DTS"));
}
