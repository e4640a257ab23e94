//! APEv2: items between a header and a footer.

use std::ops::Range;

use super::{Item, MAX_TAG_BYTES, Refusal, Splice, Wanted};
use crate::{payload::Source, tags::encode};

struct Tag {
    header: bool,
    count: u32,
    /// (key, range in the file, ours).
    items: Vec<(String, Range<u64>, bool)>,
    items_end: u64,
}

fn refuse(what: &str) -> Refusal {
    Refusal::new(format!("unreadable APEv2 tag ({what})"))
}

fn le32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn read(source: &Source<'_>, range: Range<u64>, wanted: &Wanted) -> Result<Tag, Refusal> {
    let bytes = source.bytes(range.start, range.end - range.start, MAX_TAG_BYTES, "APEv2 tag")?;
    let header = bytes.starts_with(b"APETAGEX");
    let from = if header { 32 } else { 0 };
    let end = bytes.len().checked_sub(32).filter(|end| *end >= from).ok_or_else(|| refuse("too short"))?;
    let count = le32(&bytes, end + 16);
    if le32(&bytes, end + 8) != 2000 || header && le32(&bytes, 16) != count {
        return Err(refuse("its header or version"));
    }
    let mut items = Vec::new();
    let mut at = from;
    for _ in 0..count {
        let size = le32(&bytes, at) as usize;
        let rest = bytes.get(at + 8..end).ok_or_else(|| refuse("an item reaches beyond it"))?;
        let key = rest.iter().position(|b| *b == 0).filter(|n| *n <= 255).ok_or_else(|| refuse("a key"))?;
        let stop = (at + 8 + key + 1).checked_add(size).filter(|stop| *stop <= end);
        let stop = stop.ok_or_else(|| refuse("an item reaches beyond it"))?;
        let name = String::from_utf8_lossy(&rest[..key]).into_owned();
        let ours = wanted.owns(&name, "Genre");
        items.push((name, range.start + at as u64..range.start + stop as u64, ours));
        at = stop;
    }
    if at != end {
        return Err(refuse("bytes between its items and its footer"));
    }
    Ok(Tag { header, count, items, items_end: range.start + end as u64 })
}

/// Whether the tag has a genre.
pub(super) fn has_genre(source: &Source<'_>, range: Range<u64>, wanted: &Wanted) -> Result<bool, Refusal> {
    Ok(read(source, range, wanted)?.items.iter().any(|(key, _, _)| key.eq_ignore_ascii_case("Genre")))
}

pub(super) fn edit(source: &Source<'_>, range: Range<u64>, wanted: &Wanted) -> Result<Vec<Splice>, Refusal> {
    let tag = read(source, range.clone(), wanted)?;
    if !tag.header {
        return Err(Refusal::new("its APEv2 tag has no header"));
    }
    let made = encode::ape(wanted)?;
    let new = made.get(32..made.len().saturating_sub(32)).unwrap_or_default();
    let new_count = made.get(16..20).map_or(0, |_| le32(&made, 16));
    let gone: Vec<_> = tag.items.iter().filter(|(_, _, ours)| *ours).collect();
    let place = gone.first().map_or(tag.items_end, |(_, range, _)| range.start);
    let mut splices = vec![Splice::new(place, 0, new)];
    splices.extend(gone.iter().map(|(_, range, _)| Splice::new(range.start, range.end - range.start, [])));
    let delta: i64 = splices.iter().map(Splice::delta).sum();
    let size = (tag.items_end + 32 - range.start - 32)
        .checked_add_signed(delta)
        .and_then(|size| u32::try_from(size).ok())
        .ok_or_else(|| refuse("it is full"))?;
    let count = tag.count - u32::try_from(gone.len()).unwrap_or_default() + new_count;
    let numbers = [size.to_le_bytes(), count.to_le_bytes()].concat();
    splices.push(Splice::new(range.start + 12, 8, numbers.clone()));
    splices.push(Splice::new(tag.items_end + 12, 8, numbers));
    Ok(splices)
}

pub(super) fn items(source: &Source<'_>, range: Range<u64>, wanted: &Wanted) -> Result<Vec<Item>, Refusal> {
    let tag = read(source, range, wanted)?;
    let others = tag.items.into_iter().filter(|(_, _, ours)| !ours);
    others.map(|(key, range, _)| Ok(Item::of(source, format!("APE {key}"), range)?)).collect()
}
