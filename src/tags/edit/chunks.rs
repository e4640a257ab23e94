//! WAV and AIFF: an ID3 chunk, and the genre of a RIFF INFO list.
//!
//! Both are written where both exist. A WAV file with nothing but INFO keeps to INFO: an ID3 tag with only a
//! genre would hide its title from the players that prefer ID3.

use std::ops::Range;

use super::{Edit, Item, Refusal, Splice, Wanted, id3};
use crate::{
    payload::{
        Source,
        chunks::{Chunk, Form, form},
        flanks::synchsafe,
    },
    tags::encode,
};

struct Tags<'a> {
    id3: Option<(&'a Chunk, Range<u64>)>,
    info: Option<&'a Chunk>,
}

/// Part of an INFO list: name, and range with header and pad byte.
type Part = ([u8; 4], Range<u64>);

fn tags<'a>(source: &Source<'_>, form: &'a Form) -> Result<Tags<'a>, Refusal> {
    if form.wide || source.has(form.start, b"RIFX")? {
        return Err(Refusal::new("tags are not written into RF64, BW64 and RIFX files"));
    }
    let mut found = form.chunks.iter().filter(|c| c.id.eq_ignore_ascii_case(b"id3 "));
    let id3 = found.next();
    let mut infos = Vec::new();
    for chunk in form.chunks.iter().filter(|c| &c.id == b"LIST") {
        if source.has(chunk.body.start, b"INFO")? {
            infos.push(chunk);
        }
    }
    if found.next().is_some() || infos.len() > 1 {
        return Err(Refusal::new("it has two tags of one kind, and players differ in which one they read"));
    }
    let id3 = match id3 {
        None => None,
        Some(chunk) => {
            let [a, b, c, major, _, flags, size @ ..] = source.array::<10>(chunk.body.start, "ID3 chunk")?;
            let footer = if major == 4 && flags & 0x10 != 0 { 10 } else { 0 };
            let end = synchsafe(size).map(|size| chunk.body.start + 10 + u64::from(size) + footer);
            let end = end.filter(|end| [a, b, c] == *b"ID3" && *end <= chunk.body.end);
            Some((chunk, chunk.body.start..end.ok_or_else(|| Refusal::new("unreadable ID3 chunk"))?))
        }
    };
    Ok(Tags { id3, info: infos.first().copied() })
}

fn parts(source: &Source<'_>, list: &Chunk) -> Result<Vec<Part>, Refusal> {
    let mut parts = Vec::new();
    let mut at = list.body.start + 4;
    while at + 8 <= list.body.end {
        let [a, b, c, d, size @ ..] = source.array::<8>(at, "INFO list")?;
        let size = u64::from(u32::from_le_bytes(size));
        let end = at + 8 + size;
        if end > list.body.end {
            return Err(Refusal::new("unreadable INFO list"));
        }
        let end = (end + size % 2).min(list.body.end);
        parts.push(([a, b, c, d], at..end));
        at = end;
    }
    if at != list.body.end {
        return Err(Refusal::new("unreadable INFO list"));
    }
    Ok(parts)
}

fn number(form: &Form, size: u64) -> Result<[u8; 4], Refusal> {
    let size = u32::try_from(size).map_err(|_| Refusal::new("it would grow beyond 4 GB"))?;
    Ok(if form.big_endian { size.to_be_bytes() } else { size.to_le_bytes() })
}

/// Splices for a chunk that grows by `delta`: its size and pad byte. Returns by how much the form grows.
fn resize(form: &Form, chunk: &Chunk, delta: i64, file: u64, splices: &mut Vec<Splice>) -> Result<i64, Refusal> {
    if delta == 0 {
        return Ok(0);
    }
    let size = chunk.body.end - chunk.body.start;
    let new = size.checked_add_signed(delta).ok_or_else(|| Refusal::new("a chunk shrinks below 0"))?;
    splices.push(Splice::new(chunk.at + 4, 4, number(form, new)?));
    let padded = size % 2 == 1 && chunk.body.end < file.min(form.end);
    match (padded, new % 2 == 1) {
        (true, false) => splices.push(Splice::new(chunk.body.end, 1, [])),
        (false, true) => splices.push(Splice::new(chunk.body.end, 0, [0])),
        _ => return Ok(delta),
    }
    Ok(delta + if padded { -1 } else { 1 })
}

pub(super) fn edit(source: &Source<'_>, wanted: &Wanted) -> Result<Edit, Refusal> {
    let form = form(source)?;
    let tags = tags(source, &form)?;
    let mut splices = Vec::new();
    let mut notes = Vec::new();
    let mut lifted = Vec::new();
    let mut grown = 0;
    if let Some((chunk, range)) = &tags.id3 {
        let (edit, delta) = id3::edit(source, range.clone(), wanted)?;
        splices.extend(edit.splices);
        grown += resize(&form, chunk, delta, source.len(), &mut splices)?;
    }
    if let Some(list) = tags.info {
        let mut delta = 0;
        let ours = parts(source, list)?.into_iter().filter(|(id, _)| id == b"IGNR").map(|(_, range)| range);
        let mut place = list.body.start + 4;
        for (i, range) in ours.enumerate() {
            if i == 0 {
                place = range.start;
            }
            splices.push(Splice::new(range.start, range.end - range.start, []));
            delta -= (range.end - range.start).cast_signed();
        }
        if let Some(genre) = wanted.genres.first() {
            let chunk = encode::info(genre)?;
            delta += chunk.len() as i64;
            splices.push(Splice::new(place, 0, chunk));
        }
        grown += resize(&form, list, delta, source.len(), &mut splices)?;
        if wanted.genres.len() > 1 {
            notes.push("its INFO list has room for the first genre only".to_owned());
        }
    }
    if tags.id3.is_none() && tags.info.is_none() && !(wanted.genres.is_empty() && wanted.shares.is_empty()) {
        let tag = id3::create(wanted, &lofty::id3::v2::Id3v2Tag::default())?;
        lifted.push("ID3v2".to_owned());
        let mut insert = if (form.end - form.start) % 2 == 1 { vec![0] } else { Vec::new() };
        insert.extend_from_slice(if form.big_endian { b"ID3 " } else { b"id3 " });
        insert.extend_from_slice(&number(&form, tag.len() as u64)?);
        insert.extend_from_slice(&tag);
        insert.resize(insert.len() + tag.len() % 2, 0);
        grown += insert.len() as i64;
        splices.push(Splice::new(form.end, 0, insert));
    }
    if grown != 0 {
        let size = (form.end - form.start - 8).checked_add_signed(grown);
        let size = size.ok_or_else(|| Refusal::new("the form shrinks below 0"))?;
        splices.push(Splice::new(form.start + 4, 4, number(&form, size)?));
    }
    Ok(Edit { splices, notes, lifted })
}

pub(super) fn items(source: &Source<'_>, wanted: &Wanted) -> Result<Vec<Item>, Refusal> {
    let form = form(source)?;
    let tags = tags(source, &form)?;
    let mut items = Vec::new();
    for chunk in &form.chunks {
        let name = String::from_utf8_lossy(&chunk.id).into_owned();
        if let Some((id3, range)) = &tags.id3
            && *id3 == chunk
        {
            items.extend(id3::items(source, range.clone(), wanted)?);
        } else if tags.info == Some(chunk) {
            for (id, range) in parts(source, chunk)?.into_iter().filter(|(id, _)| id != b"IGNR") {
                items.push(Item::of(source, format!("INFO {}", String::from_utf8_lossy(&id)), range)?);
            }
        } else {
            items.push(Item::of(source, format!("chunk {name}"), chunk.body.clone())?);
        }
    }
    if form.start > 0 {
        items.push(Item::of(source, "before the form", 0..form.start)?);
    }
    if form.end < source.len() {
        items.push(Item::of(source, "behind the form", form.end..source.len())?);
    }
    Ok(items)
}

pub(super) fn capacity(source: &Source<'_>) -> Result<usize, Refusal> {
    let form = form(source)?;
    let tags = tags(source, &form)?;
    Ok(if tags.id3.is_none() && tags.info.is_some() { 1 } else { usize::MAX })
}
