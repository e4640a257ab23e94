//! Which container a file is, by its leading bytes.
//!
//! Tags and zero bytes in front are skipped. The magic comes before any guess, because the decoder takes
//! Monkey's Audio and WavPack for the RIFF file stored inside them. MPEG audio has no magic: it is believed
//! when frame follows frame.

use super::{PayloadError, Source, flanks, ogg};
use crate::track::Format;

/// Zero bytes between a tag and the audio that are skipped; some taggers leave a cluster of them.
const MAX_ZEROS_BYTES: u64 = 64 * 1024;

pub(super) fn sniff(source: &Source<'_>) -> Result<Option<Format>, PayloadError> {
    let start = match flanks::head_end(source) {
        Ok(start) => start,
        // A tag that claims more than the file has: whatever it was, it was MPEG audio to its maker.
        Err(PayloadError::Truncated { .. }) if source.has(0, b"ID3")? => return Ok(Some(Format::Mp3)),
        Err(error) => return Err(error),
    };
    for at in [start, skip_zeros(source, start)?] {
        if let Some(format) = by_magic(source, at)? {
            return Ok(Some(format));
        }
    }
    if let Some((at, kind)) = flanks::first_frame(source, start..source.len())? {
        tracing::trace!(at, "mpeg frames");
        return Ok(Some(kind));
    }
    // Nothing behind a tag that is certainly one of an MPEG file: a file of audio, without audio.
    Ok((start > 0 && start == source.len()).then_some(Format::Mp3))
}

fn skip_zeros(source: &Source<'_>, start: u64) -> Result<u64, PayloadError> {
    let end = source.len().min(start.saturating_add(MAX_ZEROS_BYTES));
    let mut at = start;
    while at < end && source.array::<1>(at, "padding")? == [0] {
        at += 1;
    }
    Ok(at)
}

fn by_magic(source: &Source<'_>, at: u64) -> Result<Option<Format>, PayloadError> {
    let mut head = [0_u8; 12];
    let n = usize::try_from(source.len().saturating_sub(at)).map_or(12, |rest| rest.min(12));
    source.fill(at, &mut head[..n], "first bytes")?;
    Ok(Some(match &head {
        [b'f', b'L', b'a', b'C', ..] => Format::Flac,
        [b'O', b'g', b'g', b'S', ..] => match ogg::sniff(source, at) {
            Ok(format) => format,
            Err(PayloadError::Io(error)) => return Err(error.into()),
            Err(_) => Format::Ogg,
        },
        [b'R', b'I', b'F' | b'X', b'F' | b'4', _, _, _, _, b'W', b'A', b'V', b'E']
        | [b'R', b'F', b'6', b'4', _, _, _, _, b'W', b'A', b'V', b'E']
        | [b'B', b'W', b'6', b'4', _, _, _, _, b'W', b'A', b'V', b'E'] => Format::Wav,
        [b'F', b'O', b'R', b'M', _, _, _, _, b'A', b'I', b'F', b'F' | b'C'] => Format::Aiff,
        [b'c', b'a', b'f', b'f', ..] => Format::Caf,
        [0x1A, 0x45, 0xDF, 0xA3, ..] => Format::Matroska,
        [b'M', b'A', b'C', b' ' | b'F', ..] => Format::Ape,
        [b'w', b'v', b'p', b'k', ..] => Format::WavPack,
        [b'M', b'P', b'+', ..] | [b'M', b'P', b'C', b'K', ..] => Format::Musepack,
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => {
            let image = matches!(brand, b"heic" | b"heix" | b"mif1" | b"avif" | b"avis" | b"crx ");
            return Ok((!image).then_some(Format::Mp4));
        }
        [_, _, _, _, b'm', b'o', b'o', b'v' | b'f', ..]
        | [_, _, _, _, b'm', b'd', b'a', b't', ..]
        | [_, _, _, _, b'w', b'i', b'd', b'e', ..]
            if at == 0 =>
        {
            Format::Mp4
        }
        _ => return Ok(None),
    }))
}
