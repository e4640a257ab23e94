//! How a genre is written, as lofty writes it: one item at a time, with its concrete types.
//!
//! lofty knows the encodings; it is never given a whole tag to write again, because that loses what it does
//! not model. Each function makes a tag that holds nothing but what is ours, lets lofty write it into
//! memory, and takes the items out of it.

use lofty::{
    TextEncoding,
    ape::{ApeItem, ApeTag},
    config::WriteOptions,
    id3::v2::{ExtendedTextFrame, Frame, FrameId, Id3v2Tag, TextInformationFrame},
    iff::wav::RiffInfoList,
    mp4::{Atom, AtomData, AtomIdent, Ilst},
    ogg::tag::VorbisComments,
    tag::{Accessor, ItemValue, TagExt},
};

use super::{Refusal, edit::Wanted};

/// What starts the name of a field that holds a share.
pub const SHARE_PREFIX: &str = "GENRE_SHARE_";

fn failed(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(format!("the genre cannot be written in its format: {error}"))
}

/// ID3v2 frames, with their headers, for version 2, 3 or 4.
pub(super) fn id3v2(wanted: &Wanted, major: u8, joiner: &str, more: &Id3v2Tag) -> Result<Vec<u8>, Refusal> {
    let mut tag = more.clone();
    let text = wanted.genres.join(if major == 4 { "\0" } else { joiner });
    let encoding = |text: &str| match major {
        4 => TextEncoding::UTF8,
        _ if text.is_ascii() => TextEncoding::Latin1,
        _ => TextEncoding::UTF16,
    };
    if !text.is_empty() {
        let id = FrameId::new("TCON").map_err(failed)?;
        tag.insert(Frame::Text(TextInformationFrame::new(id, encoding(&text), text.clone())));
    }
    for (key, value) in &wanted.shares {
        let frame = ExtendedTextFrame::new(encoding(key), key.clone(), value.clone());
        tag.insert(Frame::UserText(frame));
    }
    if tag.is_empty() {
        return Ok(Vec::new());
    }
    let mut options = WriteOptions::new().preferred_padding(0);
    options.use_id3v23(major != 4);
    let mut bytes = Vec::new();
    tag.dump_to(&mut bytes, options).map_err(failed)?;
    let frames = bytes.get(10..).ok_or_else(|| failed("nothing came out"))?;
    if major == 2 { as_v22(frames) } else { Ok(frames.to_vec()) }
}

/// Frames of version 3 under the names and with the headers of version 2.
fn as_v22(mut frames: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::new();
    while let [a, b, c, d, s0, s1, s2, s3, _, _, rest @ ..] = frames {
        let size = u32::from_be_bytes([*s0, *s1, *s2, *s3]) as usize;
        let name = match &[*a, *b, *c, *d] {
            b"TCON" => b"TCO",
            b"TXXX" => b"TXX",
            _ => return Err(failed("no ID3v2.2 frame for it")),
        };
        let content = rest.get(..size).ok_or_else(|| failed("a frame is cut"))?;
        out.extend_from_slice(name);
        out.extend_from_slice(&[*s1, *s2, *s3]);
        out.extend_from_slice(content);
        frames = &rest[size..];
    }
    Ok(out)
}

/// `KEY=value` entries of Vorbis comments.
pub(super) fn vorbis(wanted: &Wanted) -> Vec<String> {
    let mut tag = VorbisComments::default();
    for genre in &wanted.genres {
        tag.push("GENRE".to_owned(), genre.clone());
    }
    for (key, value) in &wanted.shares {
        tag.push(key.clone(), value.clone());
    }
    tag.items().map(|(key, value)| format!("{key}={value}")).collect()
}

/// The atoms of an `ilst`.
pub(super) fn mp4(wanted: &Wanted) -> Result<Vec<u8>, Refusal> {
    let mut tag = Ilst::default();
    let data: Vec<AtomData> = wanted.genres.iter().map(|genre| AtomData::UTF8(genre.clone())).collect();
    if let Some(atom) = Atom::from_collection(AtomIdent::Fourcc(*b"\xa9gen"), data) {
        tag.insert(atom);
    }
    for (key, value) in &wanted.shares {
        let ident = AtomIdent::Freeform { mean: "com.apple.iTunes".into(), name: key.clone().into() };
        tag.insert(Atom::new(ident, AtomData::UTF8(value.clone())));
    }
    let mut bytes = Vec::new();
    tag.dump_to(&mut bytes, WriteOptions::new().preferred_padding(0)).map_err(failed)?;
    // The atoms lie in an `ilst`, which may lie in a `udta` and a `meta`.
    let at = bytes.windows(4).position(|w| w == b"ilst").ok_or_else(|| failed("no ilst came out"))?;
    let size = bytes.get(at - 4..at).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
    let end = size.map_or(0, |size| at - 4 + size as usize);
    bytes.get(at + 4..end).map(<[u8]>::to_vec).ok_or_else(|| failed("the ilst is cut"))
}

/// A whole APEv2 tag that holds nothing else.
pub(super) fn ape(wanted: &Wanted) -> Result<Vec<u8>, Refusal> {
    let mut tag = ApeTag::default();
    if !wanted.genres.is_empty() {
        let value = ItemValue::Text(wanted.genres.join("\0"));
        tag.insert(ApeItem::new("Genre".to_owned(), value).map_err(failed)?);
    }
    for (key, value) in &wanted.shares {
        tag.insert(ApeItem::new(key.clone(), ItemValue::Text(value.clone())).map_err(failed)?);
    }
    let mut bytes = Vec::new();
    tag.dump_to(&mut bytes, WriteOptions::new()).map_err(failed)?;
    Ok(bytes)
}

/// The `IGNR` chunk of a RIFF INFO list, padded.
pub(super) fn info(genre: &str) -> Result<Vec<u8>, Refusal> {
    let mut tag = RiffInfoList::default();
    tag.set_genre(genre.to_owned());
    let mut bytes = Vec::new();
    tag.dump_to(&mut bytes, WriteOptions::new()).map_err(failed)?;
    let at = bytes.windows(4).position(|w| w == b"IGNR").ok_or_else(|| failed("no IGNR came out"))?;
    let size = bytes.get(at + 4..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes) as usize;
    let end = at + 8 + size;
    let mut chunk = bytes.get(at..end).ok_or_else(|| failed("the chunk is cut"))?.to_vec();
    chunk.resize(8 + size + size % 2, 0);
    Ok(chunk)
}

/// The number of an ID3v1 genre; 255 for one that the list has not.
pub(super) fn id3v1(genre: Option<&str>) -> u8 {
    let genre = genre.map(crate::genre::slug);
    lofty::id3::v1::GENRES
        .iter()
        .position(|name| genre.as_ref().is_some_and(|g| *g == crate::genre::slug(name)))
        .and_then(|n| u8::try_from(n).ok())
        .unwrap_or(255)
}

/// The fields of an ID3v1 tag as ID3v2 frames, without its genre.
pub(super) fn from_id3v1(tag: &[u8; 128]) -> Id3v2Tag {
    let text = |range: std::ops::Range<usize>| {
        let text: String = tag[range].iter().take_while(|b| **b != 0).map(|b| char::from(*b)).collect();
        Some(text.trim_end().to_owned()).filter(|text| !text.is_empty())
    };
    let mut out = Id3v2Tag::default();
    let has_track = tag[125] == 0 && tag[126] != 0;
    let fields = [("TIT2", text(3..33)), ("TPE1", text(33..63)), ("TALB", text(63..93))];
    for (id, value) in fields.into_iter().filter_map(|(id, value)| Some((id, value?))) {
        if let Ok(id) = FrameId::new(id) {
            out.insert(Frame::Text(TextInformationFrame::new(id, TextEncoding::UTF8, value)));
        }
    }
    if let Some(date) = text(93..97).and_then(|year| year.parse().ok()) {
        out.set_date(date);
    }
    if let Some(comment) = text(97..if has_track { 125 } else { 127 }) {
        out.set_comment(comment);
    }
    if has_track {
        out.set_track(u32::from(tag[126]));
    }
    out
}
