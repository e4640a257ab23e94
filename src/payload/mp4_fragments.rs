//! Fragmented MP4: samples listed fragment by fragment.

use super::{
    PayloadError, Source,
    mp4::{self, Atom, MAX_TABLE_BYTES, Sound},
};

/// Default sample sizes by track, from `mvex`.
fn defaults(source: &Source<'_>, moov: &Atom) -> Result<Vec<(u32, u32)>, PayloadError> {
    let mut defaults = Vec::new();
    let parts = mp4::atoms(source, moov.body.clone())?;
    let Some(mvex) = mp4::find(&parts, b"mvex") else { return Ok(defaults) };
    for trex in mp4::atoms(source, mvex.body.clone())?.iter().filter(|atom| &atom.id == b"trex") {
        let id = u32::from_be_bytes(source.array(trex.body.start + 4, "trex")?);
        let size = u32::from_be_bytes(source.array(trex.body.start + 16, "trex")?);
        defaults.push((id, size));
    }
    Ok(defaults)
}

/// Hash the samples of all fragments of the sound tracks; bytes hashed.
pub(super) fn hash(
    source: &Source<'_>,
    top: &[Atom],
    moov: &Atom,
    sounds: &[Sound],
    hasher: &mut blake3::Hasher,
) -> Result<u64, PayloadError> {
    let defaults = defaults(source, moov)?;
    let mut budget = source.len();
    for moof in top.iter().filter(|atom| &atom.id == b"moof") {
        let mut implied = moof.at;
        for traf in mp4::atoms(source, moof.body.clone())?.iter().filter(|atom| &atom.id == b"traf") {
            let parts = mp4::atoms(source, traf.body.clone())?;
            let tfhd = mp4::find(&parts, b"tfhd").ok_or(PayloadError::malformed("MP4 fragment", traf.at))?;
            let flags = u32::from_be_bytes(source.array(tfhd.body.start, "tfhd")?) & 0x00FF_FFFF;
            let track_id = u32::from_be_bytes(source.array(tfhd.body.start + 4, "tfhd")?);
            let mut at = tfhd.body.start + 8;
            let mut base = if flags & 0x02_0000 != 0 { moof.at } else { implied };
            if flags & 1 != 0 {
                base = u64::from_be_bytes(source.array(at, "tfhd")?);
                at += 8;
            }
            at += if flags & 2 != 0 { 4 } else { 0 } + if flags & 8 != 0 { 4 } else { 0 };
            let default_size = if flags & 0x10 != 0 {
                u32::from_be_bytes(source.array(at, "tfhd")?)
            } else {
                defaults.iter().find(|(id, _)| *id == track_id).map_or(0, |(_, size)| *size)
            };
            let ours = sounds.iter().any(|sound| sound.track_id == track_id);
            let mut position = base;
            for trun in parts.iter().filter(|atom| &atom.id == b"trun") {
                let run = Run::read(source, trun, default_size)?;
                if let Some(offset) = run.data_offset {
                    position = base
                        .checked_add_signed(i64::from(offset))
                        .ok_or(PayloadError::malformed("MP4 fragment", trun.at))?;
                }
                let end = source.within(position, run.bytes, "MP4 sample")?;
                if ours {
                    budget = budget.checked_sub(run.bytes).ok_or(PayloadError::malformed("MP4 fragment", trun.at))?;
                    hasher.update(&run.sizes);
                    source.hash(position..end, "MP4 sample", hasher)?;
                }
                position = end;
            }
            implied = position;
        }
    }
    Ok(source.len() - budget)
}

struct Run {
    data_offset: Option<i32>,
    bytes: u64,
    sizes: Vec<u8>,
}

impl Run {
    fn read(source: &Source<'_>, trun: &Atom, default_size: u32) -> Result<Self, PayloadError> {
        let malformed = || PayloadError::malformed("MP4 fragment", trun.at);
        let flags = u32::from_be_bytes(source.array(trun.body.start, "trun")?) & 0x00FF_FFFF;
        let count = u32::from_be_bytes(source.array(trun.body.start + 4, "trun")?);
        let mut at = trun.body.start + 8;
        let mut data_offset = None;
        if flags & 1 != 0 {
            data_offset = Some(i32::from_be_bytes(source.array(at, "trun")?));
            at += 4;
        }
        at += if flags & 4 != 0 { 4 } else { 0 };
        let field = |bit: u32| u64::from(flags & bit != 0) * 4;
        let width = field(0x100) + field(0x200) + field(0x400) + field(0x800);
        if flags & 0x200 == 0 {
            let bytes = u64::from(default_size) * u64::from(count);
            let sizes = [default_size.to_le_bytes(), count.to_le_bytes()].concat();
            return Ok(Self { data_offset, bytes, sizes });
        }
        let size = width.saturating_mul(u64::from(count));
        if at.saturating_add(size) > trun.body.end {
            return Err(malformed());
        }
        let rows = source.bytes(at, size, MAX_TABLE_BYTES, "trun")?;
        let skip = usize::try_from(field(0x100)).unwrap_or_default();
        let mut sizes = Vec::new();
        let mut bytes = 0_u64;
        for row in rows.chunks_exact(usize::try_from(width).unwrap_or(4)) {
            let [a, b, c, d] = row.get(skip..skip + 4).and_then(|b| b.try_into().ok()).ok_or_else(malformed)?;
            sizes.extend_from_slice(&[a, b, c, d]);
            bytes += u64::from(u32::from_be_bytes([a, b, c, d]));
        }
        Ok(Self { data_offset, bytes, sizes })
    }
}
