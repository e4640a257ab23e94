//! Whether a FLAC file ends where a frame ends. Its header does not say how long it should be in bytes, so a file that
//! was cut short, or is still being copied, is told by the checksum of its last frame.

use super::{PayloadError, Source};

/// No frame of music is longer, whatever the header says or does not say.
const MAX_FRAME_BYTES: u64 = 1 << 20;

fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc: u8, _| if crc & 0x80 == 0 { crc << 1 } else { crc << 1 ^ 0x07 })
    })
}

const CRC16: [u16; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = (i as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x8005 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
};

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| crc << 8 ^ CRC16[usize::from((crc >> 8) as u8 ^ byte)])
}

/// Whether `bytes` begin with a frame's header.
fn is_header(bytes: &[u8]) -> bool {
    let [0xFF, 0xF8 | 0xF9, sizes, channels, number, ..] = bytes else { return false };
    let number_bytes = match number.leading_ones() {
        0 => 1,
        n @ 2..=7 => n as usize,
        _ => return false,
    };
    let block_bytes = match sizes >> 4 {
        0 => return false,
        6 => 1,
        7 => 2,
        _ => 0,
    };
    let rate_bytes = match sizes & 15 {
        15 => return false,
        12 => 1,
        13 | 14 => 2,
        _ => 0,
    };
    let size = 4 + number_bytes + block_bytes + rate_bytes;
    channels & 1 == 0 && bytes.get(size).is_some_and(|crc| *crc == crc8(&bytes[..size]))
}

/// Whether a whole frame ends at `end`, the frames having begun at `start`.
pub(super) fn ends_with_a_frame(source: &Source<'_>, start: u64, end: u64) -> Result<bool, PayloadError> {
    let from = end.saturating_sub(MAX_FRAME_BYTES).max(start);
    let tail = source.bytes(from, end - from, MAX_FRAME_BYTES, "last FLAC frame")?;
    // A frame's checksum stands behind it: over both, it comes to zero.
    Ok((0..tail.len()).rev().any(|at| is_header(&tail[at..]) && crc16(&tail[at..]) == 0))
}

#[cfg(test)]
pub(crate) mod made {
    /// A frame with valid checksums around noise.
    pub(crate) fn frame(noise: &[u8]) -> Vec<u8> {
        let mut frame = vec![0xFF, 0xF8, 0xC9, 0x18, 0];
        frame.push(super::crc8(&frame));
        frame.extend_from_slice(noise);
        let crc = super::crc16(&frame);
        frame.extend_from_slice(&crc.to_be_bytes());
        frame
    }
}
