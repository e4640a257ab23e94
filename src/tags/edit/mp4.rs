//! MP4: the `ilst`, free space to grow into, and the tables of offsets when the audio has to move.

use super::{Edit, Item, Refusal, SPARE_BYTES, Splice, Wanted};
use crate::{
    payload::{
        Source,
        mp4::{Atom, atoms, find, top},
    },
    tags::encode,
};

/// An item name is short; what is longer is no name of ours.
const MAX_NAME_BYTES: u64 = 256;

/// From `moov` down to the `ilst`, as far as there is one, with the children of each.
struct Place {
    levels: Vec<(Atom, Vec<Atom>)>,
    top: Vec<Atom>,
}

fn children(source: &Source<'_>, atom: &Atom) -> Result<Vec<Atom>, Refusal> {
    let mut range = atom.body.clone();
    // `meta` has a version in front of its children, except in QuickTime files.
    if &atom.id == b"meta" && !source.has(range.start + 4, b"hdlr")? {
        range.start = (range.start + 4).min(range.end);
    }
    Ok(atoms(source, range)?)
}

fn locate(source: &Source<'_>) -> Result<Place, Refusal> {
    let top = top(source)?;
    let mut moovs = top.iter().filter(|a| &a.id == b"moov");
    let moov = moovs.next().ok_or_else(|| Refusal::new("it has no moov atom"))?.clone();
    if moovs.next().is_some() || moov.to_end {
        return Err(Refusal::new("its moov atom is not alone or has no size"));
    }
    let inner = children(source, &moov)?;
    if top.iter().any(|a| [*b"moof", *b"sidx", *b"mfra"].contains(&a.id)) || find(&inner, b"mvex").is_some() {
        return Err(Refusal::new("it is a fragmented MP4"));
    }
    let mut levels = vec![(moov, inner)];
    for id in [b"udta", b"meta", b"ilst"] {
        let Some((_, siblings)) = levels.last() else { break };
        let Some(next) = find(siblings, id).cloned() else { break };
        if siblings.iter().filter(|a| &a.id == id).count() > 1 {
            return Err(Refusal::new(format!("it has two {} atoms", String::from_utf8_lossy(id))));
        }
        let inner = children(source, &next)?;
        if id == b"meta" {
            let handler = find(&inner, b"hdlr").ok_or_else(|| Refusal::new("its meta atom has no handler"))?;
            if !source.has(handler.body.start + 8, b"mdir")? {
                return Err(Refusal::new("its tags are QuickTime keys"));
            }
        }
        levels.push((next, inner));
    }
    Ok(Place { levels, top })
}

fn is_ours(source: &Source<'_>, atom: &Atom, wanted: &Wanted) -> Result<bool, Refusal> {
    match &atom.id {
        b"\xa9gen" | b"gnre" => Ok(true),
        b"----" => {
            let parts = atoms(source, atom.body.clone())?;
            let Some(name) = find(&parts, b"name") else { return Ok(false) };
            let size = (name.body.end - name.body.start).saturating_sub(4);
            if size > MAX_NAME_BYTES {
                return Ok(false);
            }
            let name = source.bytes(name.body.start + 4, size, MAX_NAME_BYTES, "MP4 tag")?;
            Ok(wanted.owns(&String::from_utf8_lossy(&name), "\0"))
        }
        _ => Ok(false),
    }
}

fn atom(id: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 8).to_be_bytes()[..], id, body].concat()
}

/// The splice of an atom's size when it grows by `delta`.
fn resize(atom: &Atom, delta: i64) -> Result<Splice, Refusal> {
    let size = (atom.body.end - atom.at).checked_add_signed(delta);
    let size = size.ok_or_else(|| Refusal::new("an atom shrinks below 0"))?;
    if atom.body.start - atom.at == 16 {
        return Ok(Splice::new(atom.at + 8, 8, size.to_be_bytes()));
    }
    let size = u32::try_from(size).map_err(|_| Refusal::new("an atom would grow beyond 4 GB"))?;
    Ok(Splice::new(atom.at, 4, size.to_be_bytes()))
}

/// What goes into the deepest level that exists, where, and what goes out of it.
fn change(source: &Source<'_>, place: &Place, wanted: &Wanted) -> Result<Option<(u64, Vec<Splice>)>, Refusal> {
    let Some((deepest, inner)) = place.levels.last() else { return Ok(None) };
    let end = inner.last().map_or(deepest.body.end, |a| a.body.end);
    let new = encode::mp4(wanted)?;
    if place.levels.len() < 4 {
        if new.is_empty() {
            return Ok(None);
        }
        // The handler that makes a `meta` one of iTunes items.
        let hdlr = atom(b"hdlr", b"\0\0\0\0\0\0\0\0mdirappl\0\0\0\0\0\0\0\0\0");
        let ilst = atom(b"ilst", &new);
        let meta = || atom(b"meta", &[&[0; 4][..], &hdlr, &ilst].concat());
        let insert = match place.levels.len() {
            1 => atom(b"udta", &meta()),
            2 => meta(),
            _ => ilst.clone(),
        };
        return Ok(Some((end, vec![Splice::new(end, 0, insert)])));
    }
    let mut splices = Vec::new();
    let mut at = None;
    for item in inner {
        if is_ours(source, item, wanted)? {
            at.get_or_insert(item.at);
            splices.push(Splice::new(item.at, item.body.end - item.at, []));
        }
    }
    let at = at.unwrap_or(end);
    splices.push(Splice::new(at, 0, new));
    Ok(Some((at, splices)))
}

pub(super) fn edit(source: &Source<'_>, wanted: &Wanted) -> Result<Edit, Refusal> {
    let place = locate(source)?;
    let Some((at, mut splices)) = change(source, &place, wanted)? else { return Ok(Edit::default()) };
    let mut delta: i64 = splices.iter().map(Splice::delta).sum();
    // A new `meta` brings its handler.
    let lifted = if place.levels.len() < 3 { vec!["moov/udta/meta/hdlr".to_owned()] } else { Vec::new() };
    if delta == 0 {
        return Ok(Edit { splices, ..Edit::default() });
    }
    // Free space behind the change, from the nearest level outwards: whatever lies between may move.
    let outward = (0..place.levels.len()).rev().map(|i| (i + 1, &place.levels[i].1)).chain([(0, &place.top)]);
    for (inside, siblings) in outward {
        let behind = if inside == 0 {
            // At the top only what follows the moov at once.
            let moov = siblings.iter().position(|a| &a.id == b"moov");
            moov.and_then(|i| siblings.get(i + 1)).filter(|a| &a.id == b"free")
        } else {
            siblings.iter().find(|a| &a.id == b"free" && a.at >= at)
        };
        let Some(free) = behind.filter(|a| !a.to_end && a.body.start - a.at == 8) else { continue };
        let left = (free.body.end - free.at).checked_add_signed(-delta);
        let Some(left) = left.filter(|left| *left == 0 || *left >= 8) else { continue };
        if left == 0 {
            splices.push(Splice::new(free.at, free.body.end - free.at, []));
        } else {
            splices.push(resize(free, -delta)?);
            splices.push(match u64::try_from(delta) {
                Ok(grown) => Splice::new(free.body.end - grown, grown, []),
                Err(_) => Splice::new(free.body.end, 0, vec![0; usize::try_from(-delta).unwrap_or_default()]),
            });
        }
        for (level, _) in &place.levels[inside..] {
            splices.push(resize(level, delta)?);
        }
        return Ok(Edit { splices, lifted, ..Edit::default() });
    }
    // No room: what lies behind the moov moves. Where the tags exist, space is left for the next time.
    if place.levels.len() == 4 {
        let meta = &place.levels[2];
        let ilst_end = place.levels[3].0.body.end;
        let spare = if delta < -8 { usize::try_from(-delta - 8).unwrap_or_default() } else { SPARE_BYTES };
        let free = atom(b"free", &vec![0; spare]);
        let inner_delta = delta;
        delta += free.len() as i64;
        splices.push(Splice::new(ilst_end, 0, free));
        splices.push(resize(&place.levels[3].0, inner_delta)?);
        for level in [&place.levels[0], &place.levels[1], meta] {
            if delta != 0 {
                splices.push(resize(&level.0, delta)?);
            }
        }
    } else {
        for (level, _) in &place.levels {
            splices.push(resize(level, delta)?);
        }
    }
    if delta != 0 {
        move_offsets(source, &place, at, delta, &mut splices)?;
    }
    Ok(Edit { splices, lifted, ..Edit::default() })
}

/// The tables of chunk offsets: (atom, bytes of an entry).
fn offset_tables(source: &Source<'_>, place: &Place) -> Result<Vec<(Atom, u64)>, Refusal> {
    let mut tables = Vec::new();
    let Some((_, inner)) = place.levels.first() else { return Ok(tables) };
    for trak in inner.iter().filter(|a| &a.id == b"trak") {
        let mut range = trak.clone();
        let mut found = Vec::new();
        for id in [b"mdia", b"minf", b"stbl"] {
            found = children(source, &range)?;
            match find(&found, id) {
                Some(next) => range = next.clone(),
                None => break,
            }
        }
        if &range.id == b"stbl" {
            found = children(source, &range)?;
        }
        if find(&found, b"saio").is_some() {
            return Err(Refusal::new("it is encrypted"));
        }
        tables.extend(found.iter().filter(|a| &a.id == b"stco").map(|a| (a.clone(), 4)));
        tables.extend(found.iter().filter(|a| &a.id == b"co64").map(|a| (a.clone(), 8)));
    }
    Ok(tables)
}

fn entries(source: &Source<'_>, table: &Atom, width: u64) -> Result<Vec<u64>, Refusal> {
    let count = u64::from(u32::from_be_bytes(source.array::<4>(table.body.start + 4, "MP4 offsets")?));
    let size = count * width;
    if table.body.start + 8 + size > table.body.end {
        return Err(Refusal::new("unreadable MP4 table of offsets"));
    }
    let bytes = source.bytes(table.body.start + 8, size, super::MAX_TAG_BYTES, "MP4 offsets")?;
    let width = usize::try_from(width).unwrap_or(4);
    Ok(bytes.chunks_exact(width).map(|b| b.iter().fold(0, |sum, b| sum << 8 | u64::from(*b))).collect())
}

fn move_offsets(
    source: &Source<'_>,
    place: &Place,
    at: u64,
    delta: i64,
    splices: &mut Vec<Splice>,
) -> Result<(), Refusal> {
    for (table, width) in offset_tables(source, place)? {
        let old = entries(source, &table, width)?;
        if old.iter().all(|offset| *offset < at) {
            continue;
        }
        let mut bytes = Vec::with_capacity(old.len() * 8);
        for offset in old {
            let new = if offset < at { Some(offset) } else { offset.checked_add_signed(delta) };
            let new = new.filter(|new| width == 8 || u32::try_from(*new).is_ok());
            let new = new.ok_or_else(|| Refusal::new("its audio would move beyond 4 GB"))?;
            bytes.extend_from_slice(&new.to_be_bytes()[if width == 8 { 0 } else { 4 }..]);
        }
        splices.push(Splice::new(table.body.start + 8, bytes.len() as u64, bytes));
    }
    Ok(())
}

pub(super) fn items(source: &Source<'_>, wanted: &Wanted) -> Result<Vec<Item>, Refusal> {
    let place = locate(source)?;
    let mut items = Vec::new();
    for atom in &place.top {
        if ![*b"moov", *b"free", *b"skip", *b"wide"].contains(&atom.id) {
            items.push(Item::of(source, name(&atom.id), atom.body.clone())?);
        }
    }
    if let Some((moov, _)) = place.levels.first() {
        leaves(source, moov, "moov", wanted, &mut items)?;
    }
    // Offsets count from the media data they point into: that must stay, wherever it moves.
    let media: Vec<&Atom> = place.top.iter().filter(|a| &a.id == b"mdat").collect();
    for (table, width) in offset_tables(source, &place)? {
        let mut bytes = Vec::new();
        for offset in entries(source, &table, width)? {
            let inside = media.iter().position(|m| m.body.contains(&offset));
            let relative = inside.and_then(|i| media.get(i)).map_or(offset, |m| offset - m.body.start);
            bytes.extend_from_slice(&(inside.map_or(u64::MAX, |i| i as u64)).to_le_bytes());
            bytes.extend_from_slice(&relative.to_le_bytes());
        }
        items.push(Item::new("offsets", &bytes));
    }
    Ok(items)
}

fn name(id: &[u8; 4]) -> String {
    id.iter().map(|b| char::from(*b)).collect()
}

fn leaves(
    source: &Source<'_>,
    parent: &Atom,
    path: &str,
    wanted: &Wanted,
    items: &mut Vec<Item>,
) -> Result<(), Refusal> {
    const PARENTS: [&[u8; 4]; 8] = [b"trak", b"mdia", b"minf", b"stbl", b"udta", b"meta", b"ilst", b"edts"];
    for atom in children(source, parent)? {
        let path = format!("{path}/{}", name(&atom.id));
        let in_list = path.starts_with("moov/udta/meta/ilst/");
        let is_parent = PARENTS.contains(&&atom.id) && !in_list;
        if is_parent {
            leaves(source, &atom, &path, wanted, items)?;
            continue;
        }
        let moves = !in_list && matches!(&atom.id, b"free" | b"stco" | b"co64");
        let ours = in_list && is_ours(source, &atom, wanted)?;
        if !moves && !ours {
            items.push(Item::of(source, path, atom.body.clone())?);
        }
    }
    Ok(())
}
