//! Which bytes of a file change when its genre does: one editor a container, none of which touches a disk.
//!
//! An editor walks the tag strictly, cuts out the items that are ours (the genre, and the fields of shares
//! when those are asked for), puts in the ones that `encode` made, and adjusts sizes around them.
//! Padding is used where there is some, so that the audio does not move. What an editor does not understand
//! it refuses. [`items`] lists everything else in the tags, for the proof that it stayed.

mod ape;
mod chunks;
mod flac;
mod flanked;
mod id3;
mod mp4;
mod ogg;
mod vorbis;

use super::{Refusal, splice::Splice};
use crate::{
    payload::{PayloadError, Source},
    track::Format,
};

/// What the file shall say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The genres, first the largest; none removes the item.
    pub genres: Vec<String>,
    /// Fields of shares: (name, value). `None` in `with_shares` terms: left as they are.
    pub shares: Vec<(String, String)>,
    /// Whether fields of shares are ours to replace.
    pub own_shares: bool,
    /// Joins several genres where a version has no list.
    pub joiner: String,
}

impl Wanted {
    /// Whether the item called `key` is ours.
    pub(super) fn owns(&self, key: &str, genre_key: &str) -> bool {
        key.eq_ignore_ascii_case(genre_key)
            || self.own_shares
                && key
                    .get(..super::encode::SHARE_PREFIX.len())
                    .is_some_and(|p| p.eq_ignore_ascii_case(super::encode::SHARE_PREFIX))
    }
}

/// A change of a file, before it is made.
#[derive(Clone, Debug, Default)]
pub struct Edit {
    /// The splices, unordered.
    pub splices: Vec<Splice>,
    /// What happens besides the genre of the main tag, for people.
    pub notes: Vec<String>,
    /// Items that are new because another tag's fields were lifted beside the genre.
    pub lifted: Vec<String>,
}

/// Something in a tag: enough to see that it stayed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// Tag and name.
    pub key: String,
    /// A hash of its bytes.
    pub value: [u8; 32],
}

impl Item {
    pub(super) fn new(key: impl Into<String>, value: &[u8]) -> Self {
        Self { key: key.into(), value: *blake3::hash(value).as_bytes() }
    }

    pub(super) fn of(
        source: &Source<'_>,
        key: impl Into<String>,
        range: std::ops::Range<u64>,
    ) -> Result<Self, PayloadError> {
        let mut hasher = blake3::Hasher::new();
        source.stream(range, "tag", |piece| {
            hasher.update(piece);
        })?;
        Ok(Self { key: key.into(), value: *hasher.finalize().as_bytes() })
    }
}

/// Zero bytes that are put behind a tag that had to grow, so that the next change moves nothing.
const SPARE_BYTES: usize = 1024;

/// Most of one tag that is held in memory.
const MAX_TAG_BYTES: u64 = 64 << 20;

/// That tags are written into this container at all.
///
/// # Errors
/// That they are not.
pub fn supported(format: Format) -> Result<(), Refusal> {
    match format {
        Format::Ogg => Err(Refusal::new("tags are not written into Ogg files of Speex or FLAC")),
        Format::Aac | Format::Caf | Format::Matroska => {
            Err(Refusal::new(format!("tags are not written into {} files", format.name())))
        }
        _ => Ok(()),
    }
}

/// The change that makes `source` say what is `wanted`.
///
/// # Errors
/// Why it is not safe.
pub fn edit(source: &Source<'_>, format: Format, wanted: &Wanted) -> Result<Edit, Refusal> {
    match format {
        Format::Mp3 | Format::Ape | Format::WavPack | Format::Musepack => flanked::edit(source, format, wanted),
        Format::Flac => flac::edit(source, wanted),
        Format::Vorbis | Format::Opus => ogg::edit(source, format, wanted),
        Format::Mp4 => mp4::edit(source, wanted),
        Format::Wav | Format::Aiff => chunks::edit(source, wanted),
        Format::Ogg | Format::Aac | Format::Caf | Format::Matroska => supported(format).map(|()| Edit::default()),
    }
}

/// Everything in the tags of `source` that is not ours.
///
/// # Errors
/// Why they cannot be walked.
pub fn items(source: &Source<'_>, format: Format, wanted: &Wanted) -> Result<Vec<Item>, Refusal> {
    match format {
        Format::Mp3 | Format::Ape | Format::WavPack | Format::Musepack => flanked::items(source, wanted),
        Format::Flac => flac::items(source, wanted),
        Format::Vorbis | Format::Opus => ogg::items(source, format, wanted),
        Format::Mp4 => mp4::items(source, wanted),
        Format::Wav | Format::Aiff => chunks::items(source, wanted),
        Format::Ogg | Format::Aac | Format::Caf | Format::Matroska => Ok(Vec::new()),
    }
}

/// Most genres that the file can hold as a list: RIFF INFO has room for one.
///
/// # Errors
/// Why its tags cannot be walked.
pub fn capacity(source: &Source<'_>, format: Format) -> Result<usize, Refusal> {
    if format == Format::Wav { chunks::capacity(source) } else { Ok(usize::MAX) }
}
