//! Core Audio Format: chunks with 64-bit sizes. Description, cookie, packet table and data are the audio.

use super::{Fault, PayloadError, Source};

/// More chunks than any program writes.
const MAX_CHUNKS: usize = 64 * 1024;

pub(super) fn hash(source: &Source<'_>, hasher: &mut blake3::Hasher) -> Result<Vec<Fault>, PayloadError> {
    let mut faults = Vec::new();
    let mut at = 8;
    let mut samples = 0;
    for _ in 0..MAX_CHUNKS {
        if at + 12 > source.len() {
            break;
        }
        let [i0, i1, i2, i3, size @ ..] = source.array::<12>(at, "CAF chunk header")?;
        let id = [i0, i1, i2, i3];
        let size = i64::from_be_bytes(size);
        let body = at + 12;
        let mut end = match u64::try_from(size) {
            Ok(size) => body.saturating_add(size),
            // Data of unknown size reaches to the end of the file.
            Err(_) if id == *b"data" && size == -1 => source.len(),
            Err(_) => return Err(PayloadError::malformed("CAF chunk", at)),
        };
        if end > source.len() {
            if id != *b"data" {
                source.within(body, end - body, "CAF chunk")?;
            }
            faults.push(Fault::AudioCutShort);
            end = source.len();
        }
        match &id {
            // The first four bytes count edits.
            b"data" => {
                let from = end.min(body + 4);
                source.hash(from..end, "CAF data", hasher)?;
                samples += end - from;
            }
            b"desc" | b"kuki" | b"pakt" => source.hash(body..end, "CAF chunk", hasher)?,
            _ => {}
        }
        at = end;
    }
    if samples == 0 {
        return Err(PayloadError::NoAudio("no data chunk"));
    }
    Ok(faults)
}
