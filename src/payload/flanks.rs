//! Files that are a run of audio with tags before and after: MPEG audio, ADTS, Monkey's Audio, WavPack,
//! Musepack.
//!
//! The audio is what lies between ID3v2 and APEv2 in front and APEv2, Lyrics3 and ID3v1 behind. What is
//! stray between a front tag and the first frame does not count for the identity (taggers drop and add such
//! padding), but a tag write must keep it: [`Flanks::between`] is all of it.

use std::ops::Range;

use super::{Fault, PayloadError, Source};
use crate::track::Format;

/// A tag before or after the audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flank {
    /// ID3v2, with header and footer.
    Id3v2,
    /// APEv2 (or APEv1), with header and footer where it has them.
    Ape,
    /// ID3v1.
    Id3v1,
    /// ID3v1's rare extension ("TAG+").
    Id3v1Extended,
    /// Lyrics3.
    Lyrics3,
}

/// Where tags and audio lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flanks {
    /// Tags in front, in order.
    pub head: Vec<(Flank, Range<u64>)>,
    /// All bytes between the tags.
    pub between: Range<u64>,
    /// Tags behind, in order.
    pub tail: Vec<(Flank, Range<u64>)>,
    /// What is odd.
    pub faults: Vec<Fault>,
}

/// A front tag more than these is no file that anybody made.
const MAX_TAGS: usize = 64;

/// Where the first frame is looked for, from the end of the front tags on.
const MAX_FRAME_SEARCH_BYTES: u64 = 128 * 1024;

/// A number in four bytes of seven bits.
#[must_use]
pub fn synchsafe(bytes: [u8; 4]) -> Option<u32> {
    bytes.iter().try_fold(0, |sum, b| (*b < 0x80).then_some(sum << 7 | u32::from(*b)))
}

fn le32(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |sum, b| sum << 8 | u32::from(*b))
}

/// The end of the ID3v2 tag at `at`, or `None` when there is none.
fn id3v2_end(source: &Source<'_>, at: u64) -> Result<Option<u64>, PayloadError> {
    if !source.has(at, b"ID3")? || source.len() - at < 10 {
        return Ok(None);
    }
    let [_, _, _, major, revision, flags, size @ ..] = source.array::<10>(at, "ID3v2 header")?;
    let Some(size) = synchsafe(size).filter(|_| major < 0xFF && revision < 0xFF) else { return Ok(None) };
    let footer = if major >= 4 && flags & 0x10 != 0 { 10 } else { 0 };
    source.within(at, 10 + u64::from(size) + footer, "ID3v2 tag").map(Some)
}

/// The end of the tags in front.
pub(super) fn head_end(source: &Source<'_>) -> Result<u64, PayloadError> {
    Ok(head(source)?.last().map_or(0, |(_, range)| range.end))
}

fn head(source: &Source<'_>) -> Result<Vec<(Flank, Range<u64>)>, PayloadError> {
    let mut tags = Vec::new();
    let mut at = 0;
    while tags.len() < MAX_TAGS {
        let (kind, end) = if let Some(end) = id3v2_end(source, at)? {
            (Flank::Id3v2, end)
        } else if source.has(at, b"APETAGEX")? {
            let header = source.array::<32>(at, "APEv2 header")?;
            (Flank::Ape, source.within(at, 32 + u64::from(le32(&header[12..16])), "APEv2 tag")?)
        } else {
            break;
        };
        tags.push((kind, at..end));
        at = end;
    }
    Ok(tags)
}

/// The tag that ends at `end` and starts no earlier than `floor`.
fn tail_tag(
    source: &Source<'_>,
    floor: u64,
    end: u64,
    faults: &mut Vec<Fault>,
) -> Result<Option<(Flank, u64)>, PayloadError> {
    let back = |n: u64| end.checked_sub(n).filter(|at| *at >= floor);
    // Tags that end in a mark of their own come before ID3v1, which has none: its three letters also stand in
    // "APETAGEX", or in a text of another tag, 128 bytes before that one's end.
    if let Some(at) = back(32)
        && source.has(at, b"APETAGEX")?
        && let footer = source.array::<32>(at, "APEv2 footer")?
        && matches!(le32(&footer[8..12]), 1000 | 2000)
    {
        let size = u64::from(le32(&footer[12..16]));
        let promised = footer[23] & 0x80 != 0;
        let Some(start) = back(size).filter(|_| size >= 32) else {
            return Err(PayloadError::malformed("APEv2 footer", at));
        };
        let header = start.checked_sub(32).filter(|at| *at >= floor);
        if let Some(header) = header
            && source.has(header, b"APETAGEX")?
        {
            return Ok(Some((Flank::Ape, header)));
        }
        if promised || le32(&footer[8..12]) >= 2000 {
            faults.push(Fault::HeaderlessApe);
        }
        return Ok(Some((Flank::Ape, start)));
    }
    if let Some(at) = back(15)
        && source.has(at + 6, b"LYRICS200")?
    {
        let digits = source.array::<6>(at, "Lyrics3 size")?;
        let size = digits.iter().try_fold(0, |sum, b| b.is_ascii_digit().then(|| sum * 10 + u64::from(b - b'0')));
        if let Some(start) = size.and_then(|size| at.checked_sub(size)).filter(|start| *start >= floor)
            && source.has(start, b"LYRICSBEGIN")?
        {
            return Ok(Some((Flank::Lyrics3, start)));
        }
    }
    if let Some(at) = back(9)
        && source.has(at, b"LYRICSEND")?
    {
        let from = end.saturating_sub(9 + 5100 + 11).max(floor);
        let text = source.bytes(from, end - from, 8192, "Lyrics3")?;
        if let Some(offset) = text.windows(11).rposition(|w| w == b"LYRICSBEGIN") {
            return Ok(Some((Flank::Lyrics3, from + offset as u64)));
        }
    }
    if let Some(at) = back(10)
        && source.has(at, b"3DI")?
    {
        let [_, _, _, _, _, _, size @ ..] = source.array::<10>(at, "ID3v2 footer")?;
        if let Some(start) = synchsafe(size).and_then(|size| back(20 + u64::from(size)))
            && source.has(start, b"ID3")?
        {
            return Ok(Some((Flank::Id3v2, start)));
        }
    }
    if let Some(at) = back(128)
        && source.has(at, b"TAG")?
        && !source.has(at, b"TAG+")?
    {
        return Ok(Some((Flank::Id3v1, at)));
    }
    if let Some(at) = back(227)
        && source.has(at, b"TAG+")?
    {
        return Ok(Some((Flank::Id3v1Extended, at)));
    }
    Ok(None)
}

/// Where the tags and the audio of `source` lie.
///
/// # Errors
/// When a tag claims more than the file has.
pub fn find(source: &Source<'_>) -> Result<Flanks, PayloadError> {
    let head = head(source)?;
    let start = head.last().map_or(0, |(_, range)| range.end);
    let (tail, end, faults) = tail_from(source, start)?;
    Ok(Flanks { head, between: start..end, tail, faults })
}

/// Whether an ID3v2 tag stands behind stray bytes in front of the first frame, where other programs still find it.
///
/// # Errors
/// When the file cannot be read.
pub fn has_stray_id3v2(source: &Source<'_>, flanks: &Flanks) -> Result<bool, PayloadError> {
    let start = flanks.between.start;
    let end = flanks.between.end.min(start.saturating_add(MAX_FRAME_SEARCH_BYTES));
    let end = first_frame(source, flanks.between.clone())?.map_or(end, |(at, _)| at.min(end));
    let bytes = source.bytes(start, end - start, MAX_FRAME_SEARCH_BYTES, "stray bytes")?;
    let is_header = |w: &[u8]| {
        w.starts_with(b"ID3") && matches!(w[3], 2..=4) && w[4] < 0xFF && w[6..].iter().all(|byte| *byte < 0x80)
    };
    Ok(bytes.windows(10).any(is_header))
}

type Tail = (Vec<(Flank, Range<u64>)>, u64, Vec<Fault>);

/// The tags behind, none of which starts before `floor`, and where they begin.
pub(super) fn tail_from(source: &Source<'_>, floor: u64) -> Result<Tail, PayloadError> {
    let mut faults = Vec::new();
    let mut end = source.len();
    let mut tail = Vec::new();
    while tail.len() < MAX_TAGS
        && let Some((kind, at)) = tail_tag(source, floor, end, &mut faults)?
    {
        tail.insert(0, (kind, at..end));
        end = at;
    }
    Ok((tail, end, faults))
}

/// Length of the frame whose header is `bytes`, and what kind of file it makes.
fn frame(bytes: [u8; 7]) -> Option<(u64, Format, u32)> {
    const KBPS: [[u32; 15]; 5] = [
        [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
        [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
        [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
        [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
        [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    ];
    let [a, b, c, d, e, f, _] = bytes;
    if a != 0xFF || b & 0xE0 != 0xE0 {
        return None;
    }
    // Version, layer and rate stay the same from frame to frame.
    let constant = u32::from(b & 0xFE) << 8 | u32::from(c & 0x0C);
    let layer = 4 - (b >> 1 & 3);
    if layer == 4 {
        // ADTS: twelve bits of sync, layer 0.
        let length = u64::from(d & 3) << 11 | u64::from(e) << 3 | u64::from(f >> 5);
        let rate_index = c >> 2 & 15;
        let ok = b & 0xF0 == 0xF0 && rate_index < 13 && length >= 8;
        let constant = u32::from(b & 0xFE) << 8 | u32::from(c & 0xFC);
        return ok.then_some((length, Format::Aac, constant));
    }
    let version = b >> 3 & 3; // 0: 2.5, 2: 2, 3: 1
    let (rate_index, kbps_index) = (c >> 2 & 3, usize::from(c >> 4));
    if version == 1 || rate_index == 3 || kbps_index == 0 || kbps_index == 15 {
        return None;
    }
    let rate_hz = [44_100_u32, 48_000, 32_000][usize::from(rate_index)] >> [2, 0, 1, 0][usize::from(version)];
    let table = match (version, layer) {
        (3, layer) => usize::from(layer) - 1,
        (_, 1) => 3,
        _ => 4,
    };
    let bits_per_second = KBPS[table][kbps_index] * 1000;
    let padding = u32::from(c >> 1 & 1);
    let length = match (layer, version) {
        (1, _) => (12 * bits_per_second / rate_hz + padding) * 4,
        (3, 0 | 2) => 72 * bits_per_second / rate_hz + padding,
        _ => 144 * bits_per_second / rate_hz + padding,
    };
    Some((u64::from(length), Format::Mp3, constant))
}

/// The first frame in `range` that another follows (or that ends the range), and its kind.
pub(super) fn first_frame(source: &Source<'_>, range: Range<u64>) -> Result<Option<(u64, Format)>, PayloadError> {
    let header = |at: u64| -> Result<Option<(u64, Format, u32)>, PayloadError> {
        if at.checked_add(7).is_none_or(|end| end > range.end) {
            return Ok(None);
        }
        Ok(frame(source.array::<7>(at, "frame header")?))
    };
    let stop = range.end.min(range.start.saturating_add(MAX_FRAME_SEARCH_BYTES));
    let size = stop.saturating_sub(range.start);
    let haystack = source.bytes(range.start, size, MAX_FRAME_SEARCH_BYTES, "audio")?;
    for (offset, byte) in haystack.iter().enumerate() {
        if *byte != 0xFF || haystack.get(offset + 1).is_none_or(|b| b & 0xE0 != 0xE0) {
            continue;
        }
        let at = range.start + offset as u64;
        let Some((length, kind, constant)) = header(at)? else { continue };
        let next = at.saturating_add(length);
        if next == range.end && offset == 0 {
            return Ok(Some((at, kind)));
        }
        if let Some((second, next_kind, next_constant)) = header(next)?
            && (kind, constant) == (next_kind, next_constant)
        {
            // Two may be chance in a large file of something else; three in a row, or the end, are not.
            let third = next.saturating_add(second);
            let believed = third >= range.end
                || header(third)?.is_some_and(|(_, third_kind, c)| (third_kind, c) == (kind, constant));
            if believed {
                return Ok(Some((at, kind)));
            }
        }
    }
    Ok(None)
}

pub(super) fn hash(
    source: &Source<'_>,
    format: Format,
    hasher: &mut blake3::Hasher,
) -> Result<Vec<Fault>, PayloadError> {
    let flanks = find(source)?;
    let start = if matches!(format, Format::Mp3 | Format::Aac) {
        first_frame(source, flanks.between.clone())?.ok_or(PayloadError::NoAudio("no frame follows the tags"))?.0
    } else {
        let zeros_end = flanks.between.end.min(flanks.between.start.saturating_add(64 * 1024));
        let mut at = flanks.between.start;
        while at < zeros_end && source.array::<1>(at, "padding")? == [0] {
            at += 1;
        }
        at
    };
    if start >= flanks.between.end {
        return Err(PayloadError::NoAudio("tags only"));
    }
    source.hash(start..flanks.between.end, "audio", hasher)?;
    Ok(flanks.faults)
}
