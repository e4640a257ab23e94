//! Native FLAC: metadata blocks, then frames.
//!
//! The audio is STREAMINFO and the frames; every other block, an ID3v2 in front and an ID3v1 or APEv2
//! behind are tags.

use std::ops::Range;

use super::{Fault, PayloadError, Source, flac_end, flanks};

/// A block that describes the stream.
pub const STREAMINFO: u8 = 0;
/// A block of zero bytes.
pub const PADDING: u8 = 1;
/// The block of Vorbis comments.
pub const VORBIS_COMMENT: u8 = 4;

/// A metadata block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its type, without the "last" bit.
    pub kind: u8,
    /// Whether it says that it is the last.
    pub last: bool,
    /// Its four-byte header starts here.
    pub at: u64,
    /// Its content.
    pub body: Range<u64>,
}

/// Where blocks and frames lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Tags in front of `fLaC` end here.
    pub start: u64,
    /// The blocks, in order.
    pub blocks: Vec<Block>,
    /// The frames.
    pub frames: Range<u64>,
    /// What is odd.
    pub faults: Vec<Fault>,
}

/// More blocks than any encoder writes; each costs four bytes, so a hostile file could hold millions.
const MAX_BLOCKS: usize = 16 * 1024;

/// Where the blocks and the frames of `source` lie.
///
/// # Errors
/// When the blocks are broken or no frame follows them.
pub fn layout(source: &Source<'_>) -> Result<Layout, PayloadError> {
    let mut start = flanks::head_end(source)?;
    while !source.has(start, b"fLaC")? {
        // The sniffer let only zeros pass.
        if start >= source.len() || source.array::<1>(start, "padding")? != [0] {
            return Err(PayloadError::malformed("FLAC marker", start));
        }
        start += 1;
    }
    let mut blocks: Vec<Block> = Vec::new();
    let mut at = start + 4;
    while !blocks.last().is_some_and(|block| block.last) {
        let [kind, size @ ..] = source.array::<4>(at, "FLAC block header")?;
        let size = size.iter().fold(0_u64, |sum, b| sum << 8 | u64::from(*b));
        let end = source.within(at + 4, size, "FLAC metadata block")?;
        let block = Block { kind: kind & 0x7F, last: kind & 0x80 != 0, at, body: at + 4..end };
        let first = blocks.is_empty();
        if block.kind == 0x7F || blocks.len() > MAX_BLOCKS || first != (block.kind == STREAMINFO) || first && size != 34
        {
            return Err(PayloadError::malformed("FLAC metadata block", at));
        }
        blocks.push(block);
        at = end;
    }
    let (_, end, mut faults) = flanks::tail_from(source, at)?;
    if end <= at {
        return Err(PayloadError::NoAudio("FLAC metadata without frames"));
    }
    match source.array::<2>(at, "FLAC frame") {
        Ok([0xFF, 0xF8 | 0xF9]) => {
            if !flac_end::ends_with_a_frame(source, at, end)? {
                faults.push(Fault::AudioCutShort);
            }
            Ok(Layout { start, blocks, frames: at..end, faults })
        }
        Ok(_) => Err(PayloadError::malformed("first FLAC frame", at)),
        Err(error) => Err(error),
    }
}

pub(super) fn hash(source: &Source<'_>, hasher: &mut blake3::Hasher) -> Result<Vec<Fault>, PayloadError> {
    let layout = layout(source)?;
    if let Some(info) = layout.blocks.first() {
        source.hash(info.body.clone(), "STREAMINFO", hasher)?;
    }
    source.hash(layout.frames, "FLAC frames", hasher)?;
    Ok(layout.faults)
}
