//! MP4: boxes, and samples where the tables say.
//!
//! The audio is the sample description and the samples of each sound track, in the order of the tables.
//! Where they lie in the file does not count: a tag that grows in front of them moves them. Other tracks
//! (chapter titles, cover art) are not audio.

use std::ops::Range;

use super::{Fault, PayloadError, Source, mp4_fragments};

/// A box (atom).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Atom {
    /// Its name.
    pub id: [u8; 4],
    /// Its header starts here.
    pub at: u64,
    /// Its content.
    pub body: Range<u64>,
    /// Whether its size says "to the end of the file" (0) instead of a number.
    pub to_end: bool,
}

/// More boxes in one box than any program writes.
const MAX_ATOMS: usize = 64 * 1024;
/// A table of sample sizes or offsets, bytes: ten million samples, or 60 hours.
pub(super) const MAX_TABLE_BYTES: u64 = 40 << 20;

/// The boxes in `range`.
///
/// # Errors
/// When one reaches beyond the range.
pub fn atoms(source: &Source<'_>, range: Range<u64>) -> Result<Vec<Atom>, PayloadError> {
    let mut atoms = Vec::new();
    let mut at = range.start;
    while range.end.saturating_sub(at) >= 8 {
        let [s0, s1, s2, s3, id @ ..] = source.array::<8>(at, "MP4 atom")?;
        let short = u32::from_be_bytes([s0, s1, s2, s3]);
        let (header, size, to_end) = match short {
            0 if range.end == source.len() => (8, range.end - at, true),
            // A zero ends a list of QuickTime user data.
            0 => break,
            1 => (16, u64::from_be_bytes(source.array::<8>(at + 8, "MP4 atom")?), false),
            n => (8, u64::from(n), false),
        };
        if size < header || atoms.len() >= MAX_ATOMS {
            return Err(PayloadError::malformed("MP4 atom", at));
        }
        let end = source.within(at, size, "MP4 atom")?;
        if end > range.end {
            return Err(PayloadError::malformed("MP4 atom", at));
        }
        atoms.push(Atom { id, at, body: at + header..end, to_end });
        at = end;
    }
    Ok(atoms)
}

/// The boxes of the file.
///
/// # Errors
/// As [`atoms`]; a tail of less than a box is let be.
pub fn top(source: &Source<'_>) -> Result<Vec<Atom>, PayloadError> {
    atoms(source, super::flanks::head_end(source)?..source.len())
}

/// The first box called `id`.
#[must_use]
pub fn find<'a>(atoms: &'a [Atom], id: &[u8; 4]) -> Option<&'a Atom> {
    atoms.iter().find(|atom| &atom.id == id)
}

/// A sound track: where its tables are.
pub(super) struct Sound {
    pub(super) track_id: u32,
    pub(super) description: Range<u64>,
    pub(super) table: Vec<Atom>,
}

fn be32(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |sum, b| sum << 8 | u32::from(*b))
}

fn sound_tracks(source: &Source<'_>, moov: &Atom) -> Result<Vec<Sound>, PayloadError> {
    let mut sounds = Vec::new();
    for trak in atoms(source, moov.body.clone())?.iter().filter(|atom| &atom.id == b"trak") {
        let parts = atoms(source, trak.body.clone())?;
        let Some(mdia) = find(&parts, b"mdia") else { continue };
        let media = atoms(source, mdia.body.clone())?;
        let Some(handler) = find(&media, b"hdlr") else { continue };
        if !source.has(handler.body.start + 8, b"soun")? {
            continue;
        }
        let Some(minf) = find(&media, b"minf") else { continue };
        let minf = atoms(source, minf.body.clone())?;
        let Some(stbl) = find(&minf, b"stbl") else { continue };
        let table = atoms(source, stbl.body.clone())?;
        let description = find(&table, b"stsd").ok_or(PayloadError::malformed("MP4 sound track", trak.at))?;
        let track_id = match find(&parts, b"tkhd") {
            Some(tkhd) => {
                let [version] = source.array::<1>(tkhd.body.start, "tkhd")?;
                let at = tkhd.body.start + if version == 1 { 20 } else { 12 };
                u32::from_be_bytes(source.array(at, "tkhd")?)
            }
            None => 0,
        };
        sounds.push(Sound { track_id, description: description.body.clone(), table });
    }
    Ok(sounds)
}

/// A table of `width`-byte big-endian numbers behind `skip` bytes of `atom`, of which the last four count them.
fn table(source: &Source<'_>, atom: &Atom, skip: u64, width: u64) -> Result<Vec<u8>, PayloadError> {
    let count = source.array::<4>(atom.body.start + skip - 4, "MP4 sample table")?;
    let size = u64::from(u32::from_be_bytes(count)).saturating_mul(width);
    if atom.body.start.saturating_add(skip).saturating_add(size) > atom.body.end {
        return Err(PayloadError::malformed("MP4 sample table", atom.at));
    }
    source.bytes(atom.body.start + skip, size, MAX_TABLE_BYTES, "MP4 sample table")
}

/// Hash the samples of one track by its tables; bytes hashed.
fn hash_samples(source: &Source<'_>, sound: &Sound, hasher: &mut blake3::Hasher) -> Result<u64, PayloadError> {
    let missing = || PayloadError::malformed("MP4 sample table", sound.description.start);
    let (Some(stsz), Some(stsc)) = (find(&sound.table, b"stsz"), find(&sound.table, b"stsc")) else {
        // stz2 is for tiny samples and unheard of for music.
        return if find(&sound.table, b"stz2").is_some() { Err(missing()) } else { Ok(0) };
    };
    let [.., a, b, c, d] = source.array::<8>(stsz.body.start, "stsz")?;
    let fixed = u32::from_be_bytes([a, b, c, d]);
    let samples = u32::from_be_bytes(source.array(stsz.body.start + 8, "stsz")?);
    let sizes = if fixed == 0 { table(source, stsz, 12, 4)? } else { Vec::new() };
    let offsets: Vec<u64> = if let Some(stco) = find(&sound.table, b"stco") {
        table(source, stco, 8, 4)?.chunks_exact(4).map(|b| u64::from(be32(b))).collect()
    } else if let Some(co64) = find(&sound.table, b"co64") {
        table(source, co64, 8, 8)?
            .chunks_exact(8)
            .map(|b| u64::from(be32(b)) << 32 | u64::from(be32(&b[4..])))
            .collect()
    } else {
        return Err(missing());
    };
    let runs = table(source, stsc, 8, 12)?;
    let runs: Vec<(u32, u32)> = runs.chunks_exact(12).map(|b| (be32(b), be32(&b[4..]))).collect();

    let mut budget = source.len();
    let (mut sample, mut run) = (0_u32, 0);
    for (index, offset) in offsets.iter().enumerate() {
        while runs.get(run + 1).is_some_and(|(first, _)| index as u64 + 1 >= u64::from(*first)) {
            run += 1;
        }
        let per_chunk = runs.get(run).map_or(0, |(_, n)| *n).min(samples - sample);
        let size = if fixed == 0 {
            (sample..sample + per_chunk).try_fold(0_u64, |sum, i| {
                let from = usize::try_from(i).ok()? * 4;
                sizes.get(from..from + 4).map(|b| sum + u64::from(be32(b)))
            })
        } else {
            Some(u64::from(fixed) * u64::from(per_chunk))
        };
        let size = size.ok_or_else(missing)?;
        // Chunks that overlap could make a small file endless.
        budget = budget.checked_sub(size).ok_or_else(missing)?;
        let end = source.within(*offset, size, "MP4 sample")?;
        source.stream(*offset..end, "MP4 sample", |piece| {
            hasher.update(piece);
        })?;
        sample += per_chunk;
        if sample == samples {
            break;
        }
    }
    hasher.update(&fixed.to_le_bytes());
    hasher.update(&u64::from(sample).to_le_bytes());
    hasher.update(&sizes);
    Ok(source.len() - budget)
}

pub(super) fn hash(source: &Source<'_>, hasher: &mut blake3::Hasher) -> Result<Vec<Fault>, PayloadError> {
    let top = top(source)?;
    let moov = find(&top, b"moov").ok_or(PayloadError::NoAudio("no moov atom; cut short, or still being written"))?;
    let sounds = sound_tracks(source, moov)?;
    if sounds.is_empty() {
        return Err(PayloadError::NoAudio("no sound track"));
    }
    let mut audio_bytes = 0;
    for sound in &sounds {
        source.hash(sound.description.clone(), "stsd", hasher)?;
        audio_bytes += hash_samples(source, sound, hasher)?;
    }
    let mut faults = Vec::new();
    if top.iter().any(|atom| &atom.id == b"moof") {
        faults.push(Fault::Fragmented);
        audio_bytes += mp4_fragments::hash(source, &top, moov, &sounds, hasher)?;
    }
    if audio_bytes == 0 {
        return Err(PayloadError::NoAudio("a sound track without samples"));
    }
    Ok(faults)
}
