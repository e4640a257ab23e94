//! Matroska: elements in elements. The audio is the description of the tracks and the blocks of the
//! clusters; tags, cues, attachments and chapters are not.

use super::{Fault, PayloadError, Source};

const SEGMENT: u64 = 0x1853_8067;
const CLUSTER: u64 = 0x1F43_B675;
const BLOCK_GROUP: u64 = 0xA0;
const BLOCK: u64 = 0xA1;
const SIMPLE_BLOCK: u64 = 0xA3;
const TRACKS: u64 = 0x1654_AE6B;
const TRACK_ENTRY: u64 = 0xAE;
const CODEC_ID: u64 = 0x86;
const CODEC_PRIVATE: u64 = 0x63A2;
/// What may follow a cluster of unknown size.
const LEVEL_ONE: [u64; 8] =
    [CLUSTER, TRACKS, 0x114D_9B74, 0x1549_A966, 0x1C53_BB6B, 0x1941_A469, 0x1043_A770, 0x1254_C367];

/// A number of one to eight bytes: the value with or without its length bit, and how long it is.
fn number(source: &Source<'_>, at: u64, keep_marker: bool) -> Result<(u64, u64), PayloadError> {
    let [first] = source.array::<1>(at, "EBML number")?;
    let length = u64::from(first.leading_zeros()) + 1;
    if length > 8 {
        return Err(PayloadError::malformed("EBML number", at));
    }
    let bytes = source.bytes(at, length, 8, "EBML number")?;
    let value = bytes.iter().fold(0_u64, |sum, b| sum << 8 | u64::from(*b));
    Ok((if keep_marker { value } else { value & ((1 << (7 * length)) - 1) }, length))
}

struct Element {
    id: u64,
    body: u64,
    /// `None`: unknown, to the end of its parent.
    size: Option<u64>,
}

fn element(source: &Source<'_>, at: u64) -> Result<Element, PayloadError> {
    let (id, id_bytes) = number(source, at, true)?;
    let (size, size_bytes) = number(source, at + id_bytes, false)?;
    let unknown = size == (1 << (7 * size_bytes)) - 1;
    Ok(Element { id, body: at + id_bytes + size_bytes, size: (!unknown).then_some(size) })
}

pub(super) fn hash(source: &Source<'_>, hasher: &mut blake3::Hasher) -> Result<Vec<Fault>, PayloadError> {
    let mut faults = Vec::new();
    let mut blocks = 0_u64;
    let mut at = 0;
    // A stack would only be needed for sizes that are checked: masters are entered, all else is stepped
    // over, so walking the flat list of elements visits each once.
    while at < source.len() {
        let Ok(element) = element(source, at) else {
            faults.push(Fault::AudioCutShort);
            break;
        };
        let enters = matches!(element.id, SEGMENT | CLUSTER | BLOCK_GROUP | TRACKS | TRACK_ENTRY);
        if enters {
            at = element.body;
            continue;
        }
        let Some(size) = element.size else {
            if LEVEL_ONE.contains(&element.id) {
                at = element.body;
                continue;
            }
            return Err(PayloadError::malformed("Matroska element", at));
        };
        let mut end = element.body.saturating_add(size);
        if end > source.len() {
            faults.push(Fault::AudioCutShort);
            end = source.len();
        }
        match element.id {
            BLOCK | SIMPLE_BLOCK => {
                source.hash(element.body..end, "Matroska block", hasher)?;
                blocks += 1;
            }
            CODEC_ID | CODEC_PRIVATE => source.hash(element.body..end, "Matroska track", hasher)?,
            _ => {}
        }
        at = end.max(at + 1);
    }
    if blocks == 0 {
        return Err(PayloadError::NoAudio("Matroska without blocks"));
    }
    Ok(faults)
}
