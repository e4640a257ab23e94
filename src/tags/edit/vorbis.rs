//! A list of Vorbis comments, as it lies in a FLAC block or in the comment packet of an Ogg stream.

use super::{Item, Refusal, Splice, Wanted};
use crate::tags::encode;

/// A list, walked: offsets into its bytes.
pub(super) struct Comments {
    /// Where the number of entries stands.
    count_at: usize,
    count: u32,
    /// (name, range with its length field, ours).
    entries: Vec<(String, std::ops::Range<usize>, bool)>,
    /// Where the last entry ends.
    pub(super) end: usize,
}

fn refuse(what: &str) -> Refusal {
    Refusal::new(format!("unreadable Vorbis comments ({what})"))
}

fn le32(bytes: &[u8], at: usize) -> Result<u32, Refusal> {
    bytes
        .get(at..at + 4)
        .and_then(|b| b.try_into().ok())
        .map(u32::from_le_bytes)
        .ok_or_else(|| refuse("they end too early"))
}

pub(super) fn walk(bytes: &[u8], wanted: &Wanted) -> Result<Comments, Refusal> {
    let vendor = le32(bytes, 0)? as usize;
    let count_at = vendor.checked_add(4).filter(|at| *at <= bytes.len()).ok_or_else(|| refuse("the vendor"))?;
    let count = le32(bytes, count_at)?;
    let mut at = count_at + 4;
    let mut entries = Vec::new();
    for _ in 0..count {
        let size = le32(bytes, at)? as usize;
        let end = (at + 4).checked_add(size).filter(|end| *end <= bytes.len()).ok_or_else(|| refuse("an entry"))?;
        let text = &bytes[at + 4..end];
        let name = text.split(|b| *b == b'=').next().unwrap_or_default();
        let name = String::from_utf8_lossy(name).into_owned();
        let ours = text.contains(&b'=') && wanted.owns(&name, "GENRE");
        entries.push((name, at..end, ours));
        at = end;
    }
    Ok(Comments { count_at, count, entries, end: at })
}

/// The splices of the list, by offset.
pub(super) fn edit(bytes: &[u8], wanted: &Wanted) -> Result<Vec<Splice>, Refusal> {
    let list = walk(bytes, wanted)?;
    let new = encode::vorbis(wanted);
    let gone = list.entries.iter().filter(|(_, _, ours)| *ours).count();
    let count = u32::try_from(list.entries.len() - gone + new.len()).map_err(|_| refuse("too many"))?;
    let mut insert = Vec::new();
    for entry in &new {
        insert.extend_from_slice(&u32::try_from(entry.len()).map_err(|_| refuse("too long"))?.to_le_bytes());
        insert.extend_from_slice(entry.as_bytes());
    }
    let place = list.entries.iter().find(|(_, _, ours)| *ours).map_or(list.end, |(_, range, _)| range.start);
    let mut splices = vec![Splice::new(place as u64, 0, insert)];
    if count != list.count {
        splices.push(Splice::new(list.count_at as u64, 4, count.to_le_bytes()));
    }
    for (_, range, _) in list.entries.iter().filter(|(_, _, ours)| *ours) {
        splices.push(Splice::new(range.start as u64, range.len() as u64, []));
    }
    Ok(splices)
}

/// A new list with nothing else in it.
pub(super) fn create(wanted: &Wanted) -> Result<Vec<u8>, Refusal> {
    let vendor = b"deepcuts";
    let mut bytes = [&(vendor.len() as u32).to_le_bytes()[..], vendor, &[0; 4]].concat();
    let splices = super::super::splice::Splices::new(edit(&bytes, wanted)?).ok_or_else(|| refuse("overlap"))?;
    for splice in splices.list().iter().rev() {
        let at = usize::try_from(splice.at).unwrap_or_default();
        let end = at + usize::try_from(splice.remove).unwrap_or_default();
        bytes.splice(at..end, splice.insert.iter().copied());
    }
    Ok(bytes)
}

/// Vendor and every entry that is not ours.
pub(super) fn items(bytes: &[u8], wanted: &Wanted) -> Result<Vec<Item>, Refusal> {
    let list = walk(bytes, wanted)?;
    let mut items = vec![Item::new("vendor", &bytes[4..list.count_at])];
    for (name, range, ours) in &list.entries {
        if !ours {
            items.push(Item::new(format!("comment {name}"), &bytes[range.clone()]));
        }
    }
    Ok(items)
}
