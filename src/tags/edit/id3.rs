//! ID3v2: frames, then padding.

use std::ops::Range;

use super::{Edit, Item, MAX_TAG_BYTES, Refusal, SPARE_BYTES, Splice, Wanted};
use crate::{
    payload::{Source, flanks::synchsafe},
    tags::encode,
};

/// A frame of a tag, where it lies in the file.
struct Frame {
    id: String,
    /// Header and content.
    range: Range<u64>,
    ours: bool,
}

/// A tag, walked.
struct Tag {
    major: u8,
    /// The whole of it, header to footer.
    range: Range<u64>,
    frames: Vec<Frame>,
    /// Where the last frame ends and padding begins.
    frames_end: u64,
    /// Where padding ends.
    padding_end: u64,
    footer: bool,
    /// Version 3 and older hide `FF Ex` as `FF 00 Ex` throughout the tag.
    unsynchronised: bool,
    /// Sizes of version 4 that some programs write as plain numbers.
    plain_sizes: bool,
}

fn refuse(what: &str) -> Refusal {
    Refusal::new(format!("unreadable ID3v2 tag ({what})"))
}

/// Bytes as they are written where `FF Ex` and `FF 00` may not stand.
fn unsynchronise(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for (i, b) in bytes.iter().enumerate() {
        out.push(*b);
        if *b == 0xFF && bytes.get(i + 1).is_none_or(|next| *next == 0 || *next >= 0xE0) {
            out.push(0);
        }
    }
    out
}

/// A view of a tag's body in which unsynchronisation is undone, with the way back to positions in the file.
struct Body {
    bytes: Vec<u8>,
    /// Offset in the file of each byte, only where it was unsynchronised.
    positions: Option<Vec<u64>>,
    start: u64,
    end: u64,
}

impl Body {
    fn position(&self, offset: usize) -> u64 {
        match &self.positions {
            Some(positions) => positions.get(offset).copied().unwrap_or(self.end),
            None => self.start + offset as u64,
        }
    }
}

fn body(source: &Source<'_>, range: Range<u64>, unsynchronised: bool) -> Result<Body, Refusal> {
    let bytes = source.bytes(range.start, range.end - range.start, MAX_TAG_BYTES, "ID3v2 tag")?;
    if !unsynchronised {
        return Ok(Body { bytes, positions: None, start: range.start, end: range.end });
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut positions = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while let Some(b) = bytes.get(i) {
        decoded.push(*b);
        positions.push(range.start + i as u64);
        i += if *b == 0xFF && bytes.get(i + 1) == Some(&0) { 2 } else { 1 };
    }
    Ok(Body { bytes: decoded, positions: Some(positions), start: range.start, end: range.end })
}

fn text(bytes: &[u8], encoding: u8) -> String {
    let wide = |big: bool, bytes: &[u8]| {
        let units: Vec<u16> = bytes
            .chunks_exact(2)
            .map(|b| if big { u16::from_be_bytes([b[0], b[1]]) } else { u16::from_le_bytes([b[0], b[1]]) })
            .take_while(|unit| *unit != 0)
            .collect();
        String::from_utf16_lossy(&units)
    };
    match (encoding, bytes) {
        (1, [0xFF, 0xFE, rest @ ..]) => wide(false, rest),
        (1, [0xFE, 0xFF, rest @ ..]) | (2, rest) => wide(true, rest),
        _ => bytes.iter().take_while(|b| **b != 0).map(|b| char::from(*b)).collect(),
    }
}

/// Frames by name and place, and where the last ends.
type Walked = (Vec<(String, Range<usize>)>, usize);

fn walk(bytes: &[u8], from: usize, major: u8, plain_sizes: bool) -> Result<Walked, Refusal> {
    let header = if major == 2 { 6 } else { 10 };
    let mut frames = Vec::new();
    let mut at = from;
    while let Some(head) = bytes.get(at..at + header) {
        if head.iter().all(|b| *b == 0) {
            break;
        }
        let name = &head[..if major == 2 { 3 } else { 4 }];
        // Some programs fill a name of three letters up with a space or a zero.
        let (letters, fill) = name.split_at(name.len() - 1);
        let named = letters.iter().chain(fill.iter().filter(|b| major == 2 || !matches!(b, 0 | b' ')));
        if !named.clone().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
            return Err(refuse("unreadable ID3 frame"));
        }
        let size = match (major, plain_sizes, head) {
            (2, _, [_, _, _, a, b, c, ..]) => u32::from_be_bytes([0, *a, *b, *c]),
            (4, false, [_, _, _, _, a, b, c, d, ..]) => {
                synchsafe([*a, *b, *c, *d]).ok_or_else(|| refuse("unreadable ID3 frame"))?
            }
            (_, _, [_, _, _, _, a, b, c, d, ..]) => u32::from_be_bytes([*a, *b, *c, *d]),
            _ => return Err(refuse("unreadable ID3 frame")),
        };
        let end = at + header + size as usize;
        if end > bytes.len() {
            return Err(refuse("a frame reaches beyond it"));
        }
        frames.push((String::from_utf8_lossy(name).into_owned(), at..end));
        at = end;
    }
    if bytes[at.min(bytes.len())..].iter().any(|b| *b != 0) {
        return Err(refuse("something that is no frame"));
    }
    Ok((frames, at))
}

fn read(source: &Source<'_>, range: Range<u64>, wanted: &Wanted) -> Result<(Tag, Body), Refusal> {
    let [_, _, _, major, _, flags, ..] = source.array::<10>(range.start, "ID3v2 header")?;
    if !(2..=4).contains(&major) {
        return Err(refuse("an unknown version"));
    }
    let footer = major == 4 && flags & 0x10 != 0;
    let end = range.end - if footer { 10 } else { 0 };
    let unsynchronised = major < 4 && flags & 0x80 != 0;
    let body = body(source, range.start + 10..end, unsynchronised)?;
    let mut from = 0;
    if flags & 0x40 != 0 {
        match (major, body.bytes.first_chunk::<6>()) {
            (4, Some([a, b, c, d, _, extended])) if extended & 0x20 == 0 => {
                from = synchsafe([*a, *b, *c, *d]).ok_or_else(|| refuse("its extended header"))? as usize;
            }
            (2, _) => return Err(Refusal::new("a compressed ID3v2.2 tag")),
            _ => return Err(Refusal::new("an ID3v2 tag with an extended header, whose checksum cannot be kept")),
        }
    }
    if from > body.bytes.len() {
        return Err(refuse("its extended header reaches beyond it"));
    }
    let (walked, plain_sizes) = match walk(&body.bytes, from, major, false) {
        Ok(walked) => (walked, false),
        // iTunes wrote version 4 with the sizes of version 3.
        Err(error) if major == 4 => (walk(&body.bytes, from, major, true).map_err(|_| error)?, true),
        Err(error) => return Err(error),
    };
    let (list, frames_end) = walked;
    let header = if major == 2 { 6 } else { 10 };
    let frames = list
        .into_iter()
        .map(|(id, range)| {
            let content = body.bytes.get(range.start + header..range.end).unwrap_or_default();
            let share = matches!(id.as_str(), "TXXX" | "TXX")
                && content.split_first().is_some_and(|(e, rest)| wanted.owns(&text(rest, *e), "\0"));
            let ours = matches!(id.as_str(), "TCON" | "TCO") || share;
            Frame { id, range: body.position(range.start)..body.position(range.end), ours }
        })
        .collect();
    let tag = Tag {
        major,
        frames,
        frames_end: body.position(frames_end),
        padding_end: end,
        footer,
        unsynchronised,
        plain_sizes,
        range,
    };
    Ok((tag, body))
}

/// The splices that change the tag in `range`, and by how much it grows.
pub(super) fn edit(source: &Source<'_>, range: Range<u64>, wanted: &Wanted) -> Result<(Edit, i64), Refusal> {
    let (tag, _) = read(source, range, wanted)?;
    if tag.frames.iter().filter(|f| is_genre(f)).count() > 1 {
        return Err(Refusal::new("it has two genre frames, and players differ in which one they read"));
    }
    let mut new = encode::id3v2(wanted, tag.major, &wanted.joiner, &lofty::id3::v2::Id3v2Tag::default())?;
    if tag.unsynchronised {
        new = unsynchronise(&new);
    }
    if tag.plain_sizes && new.len() > 127 {
        return Err(Refusal::new("its ID3v2.4 frames have sizes that other programs misread"));
    }
    let mut splices = Vec::new();
    let place = tag.frames.iter().find(|f| f.ours).map_or(tag.frames_end, |f| f.range.start);
    let mut delta = new.len() as i64;
    splices.push(Splice::new(place, 0, new));
    for frame in tag.frames.iter().filter(|f| f.ours) {
        let size = frame.range.end - frame.range.start;
        splices.push(Splice::new(frame.range.start, size, []));
        delta -= size.cast_signed();
    }
    let padding = tag.padding_end.checked_sub(tag.frames_end).ok_or_else(|| refuse("its padding"))?;
    if !tag.footer && delta <= padding.cast_signed() {
        splices.push(match u64::try_from(delta) {
            Ok(grown) => Splice::new(tag.padding_end - grown, grown, []),
            Err(_) => Splice::new(tag.padding_end, 0, vec![0; usize::try_from(-delta).unwrap_or_default()]),
        });
        return Ok((Edit { splices, ..Edit::default() }, 0));
    }
    let spare = if tag.footer { 0 } else { SPARE_BYTES };
    splices.push(Splice::new(tag.padding_end, 0, vec![0; spare]));
    delta += spare as i64;
    let around = if tag.footer { 20 } else { 10 };
    let size = (tag.range.end - tag.range.start - around)
        .checked_add_signed(delta)
        .and_then(|size| u32::try_from(size).ok())
        .filter(|size| *size < 1 << 28)
        .ok_or_else(|| Refusal::new("its ID3v2 tag is full"))?;
    let size = [21, 14, 7, 0].map(|shift| (size >> shift) as u8 & 0x7F);
    splices.push(Splice::new(tag.range.start + 6, 4, size));
    if tag.footer {
        splices.push(Splice::new(tag.range.end - 4, 4, size));
    }
    Ok((Edit { splices, ..Edit::default() }, delta))
}

/// A new tag of version 4 with what is wanted and `more`.
pub(super) fn create(wanted: &Wanted, more: &lofty::id3::v2::Id3v2Tag) -> Result<Vec<u8>, Refusal> {
    let frames = encode::id3v2(wanted, 4, &wanted.joiner, more)?;
    let size = u32::try_from(frames.len() + SPARE_BYTES).map_err(|_| Refusal::new("too large a tag"))?;
    let size = [21, 14, 7, 0].map(|shift| (size >> shift) as u8 & 0x7F);
    let mut tag = [b"ID3\x04\0\0", &size[..], &frames].concat();
    tag.resize(tag.len() + SPARE_BYTES, 0);
    Ok(tag)
}

/// Every frame that is not ours, and the version.
pub(super) fn items(source: &Source<'_>, range: Range<u64>, wanted: &Wanted) -> Result<Vec<Item>, Refusal> {
    let (tag, body) = read(source, range, wanted)?;
    let [_, _, _, major, revision, flags, ..] = source.array::<10>(tag.range.start, "ID3v2 header")?;
    let mut items = vec![Item::new("ID3v2", &[major, revision, flags])];
    for frame in tag.frames.iter().filter(|f| !f.ours) {
        let content = match &body.positions {
            None => Item::of(source, format!("ID3v2 {}", frame.id), frame.range.clone())?,
            Some(positions) => {
                let from = positions.partition_point(|p| *p < frame.range.start);
                let to = positions.partition_point(|p| *p < frame.range.end);
                Item::new(format!("ID3v2 {}", frame.id), &body.bytes[from..to])
            }
        };
        items.push(content);
    }
    Ok(items)
}

/// Whether the tag in `range` has a genre.
pub(super) fn has_genre(source: &Source<'_>, range: Range<u64>, wanted: &Wanted) -> Result<bool, Refusal> {
    Ok(read(source, range, wanted)?.0.frames.iter().any(is_genre))
}

fn is_genre(frame: &Frame) -> bool {
    matches!(frame.id.as_str(), "TCON" | "TCO")
}
