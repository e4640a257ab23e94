//! Container walkers: where a file's audio lies, and a hash of it that no tag layout changes.
//!
//! Two things stand on this room. A track is known by its audio, so a renamed or re-tagged file keeps what
//! was heard and what was corrected; and a tag write is only let through when the audio of the copy hashes
//! as the original's does. The walkers are our own, small and wary, and never the tag library: a fault in
//! the one must be caught by the other. They read each byte once, in order, in bounded memory, and check
//! each declared size against the size of the file. They know no tags but where they begin and end, no
//! store and no terminal.

pub mod caf;
pub mod chunks;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod flac;
mod flac_end;
pub mod flanks;
pub mod matroska;
pub mod mp4;
mod mp4_fragments;
pub mod ogg;
mod sniff;
mod source;
#[cfg(test)]
mod tests;

use std::{fs::File, io, path::Path};

pub use source::{ReadAt, Source};

use crate::track::{AudioId, Format};

/// Why a file's audio could not be found.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// The file could not be read.
    #[error("could not be read: {0}")]
    Io(#[from] io::Error),
    /// Nothing that we know.
    #[error("not an audio file that is known here")]
    Unknown,
    /// Ends before it should.
    #[error("truncated: {what} should end at byte {end}, the file has {len}")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where it should end.
        end: u64,
        /// Size of the file, bytes.
        len: u64,
    },
    /// Broken.
    #[error("malformed {what} at byte {at}")]
    Malformed {
        /// What was being read.
        what: &'static str,
        /// Where.
        at: u64,
    },
    /// Tags and headers, but no audio.
    #[error("no audio in it ({0})")]
    NoAudio(&'static str),
}

impl PayloadError {
    pub(crate) const fn malformed(what: &'static str, at: u64) -> Self {
        Self::Malformed { what, at }
    }
}

/// Something odd that does not hide the audio. Such a file is heard, but never written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Bytes between Ogg pages that belong to none.
    JunkBetweenPages,
    /// The audio is declared longer than the file.
    AudioCutShort,
    /// A chunk, its pad byte or the form around it ends where it should not.
    ChunkOutsideForm,
    /// An APEv2 tag without the header that its footer promises or that the format asks for.
    HeaderlessApe,
    /// Fragments instead of one sample table.
    Fragmented,
    /// More than one audio stream, or a chain of them.
    SeveralStreams,
    /// Bytes behind the last frame, page or box that belong to nothing.
    JunkAtEnd,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::JunkBetweenPages => "there are stray bytes between its Ogg pages",
            Self::AudioCutShort => "its audio is shorter than its header says (cut short, or still being copied)",
            Self::ChunkOutsideForm => "its last chunk reaches outside the form around it",
            Self::HeaderlessApe => "its APEv2 tag has no header",
            Self::Fragmented => "it is a fragmented MP4",
            Self::SeveralStreams => "it holds several streams",
            Self::JunkAtEnd => "there are stray bytes at its end",
        })
    }
}

/// What a file holds besides tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The container.
    pub format: Format,
    /// The hash of the encoded audio.
    pub id: AudioId,
    /// What is odd about it, each once.
    pub faults: Vec<Fault>,
}

/// Which container the file is, judged by its bytes and never by its name. Tags in front are skipped.
/// `None` when it is no audio that we know.
///
/// # Errors
/// When the file cannot be read.
pub fn sniff(file: &File) -> io::Result<Option<Format>> {
    match sniff::sniff(&Source::new(file)?) {
        Ok(format) => Ok(format),
        Err(PayloadError::Io(error)) => Err(error),
        Err(_) => Ok(None),
    }
}

/// The identity of the audio in the file at `path`.
///
/// # Errors
/// When it is no audio, or broken so that its audio cannot be told from the rest.
pub fn audio_id(path: &Path) -> Result<AudioId, PayloadError> {
    identify(&File::open(path)?).map(|payload| payload.id)
}

/// Container, identity and faults of `file`.
///
/// # Errors
/// As [`audio_id`].
pub fn identify(file: &File) -> Result<Payload, PayloadError> {
    identify_source(&Source::new(file)?)
}

/// What is odd about a file of this container, found without reading its audio where that is possible (an Ogg
/// file has to be read).
///
/// # Errors
/// As [`audio_id`].
pub fn faults(source: &Source<'_>, format: Format) -> Result<Vec<Fault>, PayloadError> {
    match format {
        Format::Mp3 | Format::Aac | Format::Ape | Format::WavPack | Format::Musepack => {
            flanks::find(source).map(|flanks| flanks.faults)
        }
        Format::Flac => flac::layout(source).map(|layout| layout.faults),
        Format::Wav | Format::Aiff => chunks::form(source).map(|form| form.faults),
        Format::Mp4 => mp4::top(source)
            .map(|top| if mp4::find(&top, b"moof").is_some() { vec![Fault::Fragmented] } else { Vec::new() }),
        _ => identify_source(source).map(|payload| payload.faults),
    }
}

/// As [`identify`], from anything that can be read at a position.
///
/// # Errors
/// As [`audio_id`].
pub fn identify_source(source: &Source<'_>) -> Result<Payload, PayloadError> {
    let format = sniff::sniff(source)?.ok_or(PayloadError::Unknown)?;
    let mut hasher = blake3::Hasher::new_derive_key("deepcuts 2026 encoded audio 1");
    hasher.update(format.name().as_bytes());
    let mut faults = match format {
        Format::Mp3 | Format::Aac | Format::Ape | Format::WavPack | Format::Musepack => {
            flanks::hash(source, format, &mut hasher)?
        }
        Format::Flac => flac::hash(source, &mut hasher)?,
        Format::Vorbis | Format::Opus | Format::Ogg => ogg::hash(source, &mut hasher)?,
        Format::Mp4 => mp4::hash(source, &mut hasher)?,
        Format::Wav | Format::Aiff => chunks::hash(source, &mut hasher)?,
        Format::Caf => caf::hash(source, &mut hasher)?,
        Format::Matroska => matroska::hash(source, &mut hasher)?,
    };
    faults.dedup();
    Ok(Payload { format, id: AudioId(*hasher.finalize().as_bytes()), faults })
}
