//! FLAC: the block of Vorbis comments, and padding to grow into.

use super::{Edit, Item, MAX_TAG_BYTES, Refusal, SPARE_BYTES, Splice, Wanted, vorbis};
use crate::payload::{
    Source,
    flac::{Block, Layout, PADDING, VORBIS_COMMENT, layout},
};

/// A block's size has 24 bits.
const MAX_BLOCK_BYTES: u64 = (1 << 24) - 1;

fn size_field(size: u64) -> Result<[u8; 3], Refusal> {
    if size > MAX_BLOCK_BYTES {
        return Err(Refusal::new("its block of comments is full"));
    }
    Ok([(size >> 16) as u8, (size >> 8) as u8, size as u8])
}

fn comments(layout: &Layout) -> Result<Option<&Block>, Refusal> {
    let mut found = layout.blocks.iter().filter(|b| b.kind == VORBIS_COMMENT);
    let first = found.next();
    if found.next().is_some() {
        return Err(Refusal::new("it has two blocks of comments"));
    }
    Ok(first)
}

pub(super) fn edit(source: &Source<'_>, wanted: &Wanted) -> Result<Edit, Refusal> {
    let layout = layout(source)?;
    let mut splices = Vec::new();
    let mut lifted = Vec::new();
    let (delta, behind) = match comments(&layout)? {
        Some(block) => {
            let size = block.body.end - block.body.start;
            let bytes = source.bytes(block.body.start, size, MAX_TAG_BYTES, "Vorbis comments")?;
            let inner = vorbis::edit(&bytes, wanted)?;
            let delta: i64 = inner.iter().map(Splice::delta).sum();
            let new_size = size.checked_add_signed(delta).ok_or_else(|| Refusal::new("its comments shrink below 0"))?;
            splices.extend(inner.into_iter().map(|s| Splice { at: s.at + block.body.start, ..s }));
            if delta != 0 {
                splices.push(Splice::new(block.at + 1, 3, size_field(new_size)?));
            }
            (delta, block)
        }
        None if wanted.genres.is_empty() && wanted.shares.is_empty() => return Ok(Edit::default()),
        None => {
            let info = layout.blocks.first().ok_or_else(|| Refusal::new("it has no STREAMINFO"))?;
            let body = vorbis::create(wanted)?;
            lifted.extend(["vendor", "behind comments"].map(str::to_owned));
            let head = [VORBIS_COMMENT | if info.last { 0x80 } else { 0 }];
            let block = [&head[..], &size_field(body.len() as u64)?, &body].concat();
            let delta = block.len() as i64;
            if info.last {
                splices.push(Splice::new(info.at, 1, [info.kind]));
            }
            splices.push(Splice::new(info.body.end, 0, block));
            (delta, info)
        }
    };
    if delta != 0 {
        make_room(&layout, behind, delta, &mut splices)?;
    }
    Ok(Edit { splices, lifted, ..Edit::default() })
}

/// Take `delta` bytes from padding (or give them back), so that the frames do not move; else let them.
fn make_room(layout: &Layout, behind: &Block, delta: i64, splices: &mut Vec<Splice>) -> Result<(), Refusal> {
    let fits = |block: &&Block| {
        let size = (block.body.end - block.body.start).checked_add_signed(-delta);
        block.kind == PADDING && size.is_some_and(|size| size <= MAX_BLOCK_BYTES)
    };
    if let Some(padding) = layout.blocks.iter().find(fits) {
        let size = (padding.body.end - padding.body.start).checked_add_signed(-delta).unwrap_or_default();
        splices.push(Splice::new(padding.at + 1, 3, size_field(size)?));
        splices.push(match u64::try_from(delta) {
            Ok(grown) => Splice::new(padding.body.end - grown, grown, []),
            Err(_) => Splice::new(padding.body.end, 0, vec![0; usize::try_from(-delta).unwrap_or_default()]),
        });
        return Ok(());
    }
    if delta > 0 && behind.kind == VORBIS_COMMENT && !layout.blocks.iter().any(|b| b.kind == PADDING) {
        let head = [PADDING | if behind.last { 0x80 } else { 0 }];
        if behind.last {
            splices.push(Splice::new(behind.at, 1, [behind.kind]));
        }
        let block = [&head[..], &size_field(SPARE_BYTES as u64)?, &[0; SPARE_BYTES]].concat();
        splices.push(Splice::new(behind.body.end, 0, block));
    }
    Ok(())
}

pub(super) fn items(source: &Source<'_>, wanted: &Wanted) -> Result<Vec<Item>, Refusal> {
    let layout = layout(source)?;
    let mut items = Vec::new();
    if layout.start > 0 {
        items.push(Item::of(source, "before FLAC", 0..layout.start)?);
    }
    for block in layout.blocks.iter().filter(|b| b.kind != PADDING) {
        if block.kind == VORBIS_COMMENT {
            let size = block.body.end - block.body.start;
            let bytes = source.bytes(block.body.start, size, MAX_TAG_BYTES, "Vorbis comments")?;
            items.extend(vorbis::items(&bytes, wanted)?);
            let end = vorbis::walk(&bytes, wanted)?.end;
            items.push(Item::new("behind comments", &bytes[end..]));
        } else {
            items.push(Item::of(source, format!("FLAC block {}", block.kind), block.body.clone())?);
        }
    }
    if layout.frames.end < source.len() {
        items.push(Item::of(source, "behind FLAC", layout.frames.end..source.len())?);
    }
    Ok(items)
}
