//! Trying the ears out: where the network runs, and what a minute of sound costs here.

use std::{
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use deepcuts_protocol::{Answer, Device, Request, WirePath};

use super::{Process, START, Setup};

/// Longest wait for the sample: it is a minute of plain PCM.
const LONGEST: Duration = Duration::from_secs(30);
const RATE_HZ: u32 = 22_050;
const SECONDS: u32 = 60;

/// Where the network runs, and how long a minute of sound took, decoded and named, once the ears were ready (none when
/// they did not manage it).
///
/// # Errors
/// When the ears do not start, or the model cannot be used.
pub fn try_out(setup: &Setup) -> Result<(Device, Option<Duration>), String> {
    let mut process = Process::start(setup)?;
    let device = match process.answers.recv_timeout(START) {
        Ok(Ok(Answer::Ready { device, .. })) => device,
        Ok(Ok(Answer::Fatal { reason })) => {
            process.let_go();
            return Err(reason);
        }
        Ok(Ok(other)) => return Err(process.bury(&format!("the ears began with {other:?}"))),
        Ok(Err(reason)) => return Err(process.bury(&reason)),
        Err(_) => return Err(process.bury("the ears ended before they were ready")),
    };
    let took = sample().ok().and_then(|file| time(&mut process, file.path()));
    process.let_go();
    Ok((device, took))
}

fn time(process: &mut Process, sample: &Path) -> Option<Duration> {
    let begun = Instant::now();
    process.ask(&Request::Listen { id: 1, path: WirePath(sample.to_path_buf()) }).ok()?;
    loop {
        match process.answers.recv_timeout(LONGEST.saturating_sub(begun.elapsed())) {
            Ok(Ok(Answer::Heard { .. })) => return Some(begun.elapsed()),
            Ok(Ok(Answer::Begun { .. } | Answer::Alive { .. })) => {}
            _ => return None,
        }
    }
}

/// A minute of noise as a WAV file, gone when it is dropped.
fn sample() -> std::io::Result<tempfile::NamedTempFile> {
    let samples = RATE_HZ * SECONDS;
    let bytes = samples * 2;
    let mut wav = Vec::with_capacity(44 + bytes as usize);
    for part in [&b"RIFF"[..], &(36 + bytes).to_le_bytes(), b"WAVEfmt ", &16_u32.to_le_bytes()] {
        wav.extend_from_slice(part);
    }
    // PCM, one channel, 16 bits.
    for number in [1_u16, 1] {
        wav.extend_from_slice(&number.to_le_bytes());
    }
    for number in [RATE_HZ, RATE_HZ * 2] {
        wav.extend_from_slice(&number.to_le_bytes());
    }
    for number in [2_u16, 16] {
        wav.extend_from_slice(&number.to_le_bytes());
    }
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&bytes.to_le_bytes());
    let mut state = 7_u32;
    for _ in 0..samples {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        wav.extend_from_slice(&((state >> 16) as u16).to_le_bytes());
    }
    let mut file = tempfile::Builder::new().prefix("deepcuts-").suffix(".wav").tempfile()?;
    file.write_all(&wav)?;
    Ok(file)
}
