//! RIFF WAVE and AIFF: a form of chunks, in little or big endian.
//!
//! The audio is the format chunk and the samples; every other chunk is a tag or a note. A RIFF file whose
//! sizes are unknown (0 or all ones, from a pipe) or too large is heard up to its end, and never written.

use std::ops::Range;

use super::{Fault, PayloadError, Source, flanks};

/// A chunk of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its name.
    pub id: [u8; 4],
    /// Its eight-byte header starts here.
    pub at: u64,
    /// Its content, without the pad byte.
    pub body: Range<u64>,
}

/// A form and its chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// Whether numbers are big endian (AIFF, RIFX).
    pub big_endian: bool,
    /// Whether sizes are 64 bits, in another chunk (RF64, BW64).
    pub wide: bool,
    /// Where `RIFF` or `FORM` stands.
    pub start: u64,
    /// Where the form ends by its own size.
    pub end: u64,
    /// The chunks, in order.
    pub chunks: Vec<Chunk>,
    /// What is odd.
    pub faults: Vec<Fault>,
}

impl Form {
    /// The first chunk called `id`.
    #[must_use]
    pub fn chunk(&self, id: &[u8; 4]) -> Option<&Chunk> {
        self.chunks.iter().find(|chunk| &chunk.id == id)
    }
}

/// More chunks than any program writes.
const MAX_CHUNKS: usize = 64 * 1024;

/// The form in `source`.
///
/// # Errors
/// When it is no form, or the file ends in the middle of a chunk that is not the audio.
pub fn form(source: &Source<'_>) -> Result<Form, PayloadError> {
    let start = flanks::head_end(source)?;
    let [a, b, c, d, size @ .., k0, k1, k2, k3] = source.array::<12>(start, "form header")?;
    let (big_endian, wide, audio) = match [a, b, c, d] {
        [b'R', b'I', b'F', b'F'] => (false, false, *b"data"),
        [b'R', b'F', b'6', b'4'] | [b'B', b'W', b'6', b'4'] => (false, true, *b"data"),
        [b'R', b'I', b'F', b'X'] => (true, false, *b"data"),
        [b'F', b'O', b'R', b'M'] => (true, false, *b"SSND"),
        _ => return Err(PayloadError::malformed("form header", start)),
    };
    if ![*b"WAVE", *b"AIFF", *b"AIFC"].contains(&[k0, k1, k2, k3]) {
        return Err(PayloadError::malformed("form type", start + 8));
    }
    let number =
        |bytes: [u8; 4]| u64::from(if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) });
    let mut faults = Vec::new();
    let declared = number(size);
    let mut end = start.saturating_add(8).saturating_add(declared);
    if wide || end > source.len() || declared < 4 {
        if !wide {
            faults.push(Fault::AudioCutShort);
        }
        end = source.len();
    }
    let mut chunks = Vec::new();
    let mut wide_audio_bytes = None;
    let mut at = start + 12;
    while at + 8 <= source.len() && chunks.len() < MAX_CHUNKS {
        // Chunks behind the form belong to nothing, unless the form's size is simply wrong.
        if at >= end {
            break;
        }
        let [i0, i1, i2, i3, size @ ..] = source.array::<8>(at, "chunk header")?;
        let id = [i0, i1, i2, i3];
        let mut size = number(size);
        if id == audio && size == 0xFFFF_FFFF {
            size = wide_audio_bytes.unwrap_or(size);
        }
        let body = at + 8;
        let mut stop = body.saturating_add(size);
        if stop > source.len() {
            if id != audio {
                source.within(body, size, "chunk")?;
            }
            faults.push(Fault::AudioCutShort);
            stop = source.len();
        } else if stop > end {
            faults.push(Fault::ChunkOutsideForm);
        }
        if id == *b"ds64" && size >= 16 {
            wide_audio_bytes = Some(u64::from_le_bytes(source.array::<8>(body + 8, "ds64 chunk")?));
        }
        chunks.push(Chunk { id, at, body: body..stop });
        let padded = stop + size % 2;
        if size % 2 == 1 && stop < source.len() && padded > end {
            faults.push(Fault::ChunkOutsideForm);
        }
        at = padded;
    }
    if source.len() > end.max(at) + 1 {
        faults.push(Fault::JunkAtEnd);
    }
    Ok(Form { big_endian, wide, start, end, chunks, faults })
}

pub(super) fn hash(source: &Source<'_>, hasher: &mut blake3::Hasher) -> Result<Vec<Fault>, PayloadError> {
    let form = form(source)?;
    let mut samples = 0;
    for chunk in &form.chunks {
        if [*b"fmt ", *b"data", *b"COMM", *b"SSND"].contains(&chunk.id) {
            hasher.update(&chunk.id);
            source.hash(chunk.body.clone(), "samples", hasher)?;
            if [*b"data", *b"SSND"].contains(&chunk.id) {
                samples += chunk.body.end - chunk.body.start;
            }
        }
    }
    if samples == 0 {
        return Err(PayloadError::NoAudio("no samples"));
    }
    Ok(form.faults)
}
