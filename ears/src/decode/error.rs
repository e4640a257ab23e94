//! Why a file could not be decoded, in words for the listener.

use std::{io, time::Duration};

use deepcuts_protocol::Stage;

/// Why a file could not be decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The file could not be opened or read.
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    /// Nothing in it.
    #[error("the file is empty")]
    Empty,
    /// Known bytes that this program does not decode, or that hold no music.
    #[error("this is {0}")]
    Refused(&'static str),
    /// Nothing known was found in it.
    #[error("no audio format was recognised in it")]
    Unrecognised,
    /// A format is known by its mark, and the rest of its headers is not as that format has them.
    #[error("its headers cannot be read: {0}")]
    Headers(String),
    /// A size in the file cannot be true.
    #[error("{0}")]
    Implausible(String),
    /// A container without an audio track.
    #[error("it holds no audio track that can be decoded")]
    NoTrack,
    /// Copy protection.
    #[error("it is copy-protected (DRM)")]
    Protected,
    /// HE-AAC, of which only the lower half of the band would be decoded.
    #[error("HE-AAC (SBR) would be decoded at half its rate, so it is not judged; convert it to AAC-LC or Opus")]
    HalfRate,
    /// The container is known and the codec is not.
    #[error("its codec cannot be decoded: {0}")]
    Codec(String),
    /// Far less came out than was declared.
    #[error("truncated: {decoded_s:.1} s of the declared {declared_s:.1} s could be decoded{}", because(reason))]
    Truncated {
        /// Seconds that came out.
        decoded_s: f64,
        /// Seconds that the file declares.
        declared_s: f64,
        /// What ended the stream, where that is known.
        reason: Option<String>,
    },
    /// The stream broke, far from the end of the file.
    #[error("damaged: after {decoded_s:.1} s, with {read_percent} % of the file read, {reason}")]
    Broken {
        /// Seconds that came out.
        decoded_s: f64,
        /// How far the file had been read.
        read_percent: u64,
        /// What was wrong.
        reason: String,
    },
    /// Too many packets did not decode.
    #[error("damaged: {bad} of {packets} packets could not be decoded ({reason})")]
    Damaged {
        /// Packets that did not decode.
        bad: u64,
        /// Packets seen.
        packets: u64,
        /// The last failure.
        reason: String,
    },
    /// No packet for too long.
    #[error("stalled: no packet for {} s", .0.as_secs())]
    Stalled(Duration),
    /// The decoder ended without a sample.
    #[error("decoding gave no samples")]
    NoSamples,
    /// Less sound than one analysis window.
    #[error("only {0} ms of sound")]
    TooShort(u64),
    /// NaN or infinity instead of sound.
    #[error("{bad} of {samples} samples are no finite numbers")]
    NotFinite {
        /// Samples that were NaN or infinite.
        bad: u64,
        /// Samples in all.
        samples: u64,
    },
    /// A rate that no music has.
    #[error("a sample rate of {0} Hz is out of range")]
    Rate(u32),
    /// The decoder panicked.
    #[error("the decoder broke down: {0}")]
    Panicked(String),
}

/// A demuxer's or decoder's own words, without the class that it puts in front of them.
pub(super) fn words(error: &symphonia::core::errors::Error) -> String {
    use symphonia::core::errors::Error;
    match error {
        Error::DecodeError(what) | Error::Unsupported(what) | Error::LimitError(what) => (*what).to_owned(),
        other => other.to_string(),
    }
}

/// What an I/O error under a demuxer means: a seek to nowhere is the file's fault, the rest is the disk's.
pub(super) fn io_error(error: io::Error) -> DecodeError {
    match error.kind() {
        io::ErrorKind::InvalidInput => DecodeError::Headers("a size in them points out of the file".to_owned()),
        io::ErrorKind::UnexpectedEof => DecodeError::Headers("they end too early".to_owned()),
        _ => DecodeError::Read(error),
    }
}

fn because(reason: &Option<String>) -> String {
    reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default()
}

impl DecodeError {
    /// The stage that failed, as the desk keeps it.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        match self {
            Self::Read(_) => Stage::Read,
            Self::Empty
            | Self::Refused(_)
            | Self::Unrecognised
            | Self::Headers(_)
            | Self::Implausible(_)
            | Self::NoTrack => Stage::Probe,
            _ => Stage::Decode,
        }
    }
}
