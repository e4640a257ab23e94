//! Ogg: packets in pages.
//!
//! The audio is the packets of the logical streams, without the comment packet; how they are cut into pages
//! does not count, because taggers re-page. Stray bytes between pages are stepped over and reported: a file
//! with them plays, and no tag library writes it safely.

use super::{Fault, PayloadError, Source};
use crate::track::Format;

/// A page's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where it stands.
    pub at: u64,
    /// 1: continues a packet, 2: first of its stream, 4: last.
    pub flags: u8,
    /// Granule position, as it stands.
    pub granule: [u8; 8],
    /// The logical stream.
    pub serial: [u8; 4],
    /// Number of the page in its stream.
    pub sequence: u32,
    /// The checksum as it stands.
    pub crc: u32,
    /// Lengths of the segments.
    pub lacing: Vec<u8>,
}

impl Page {
    /// Bytes of the header.
    #[must_use]
    pub fn header_bytes(&self) -> u64 {
        27 + self.lacing.len() as u64
    }

    /// Bytes of the body.
    #[must_use]
    pub fn body_bytes(&self) -> u64 {
        self.lacing.iter().map(|n| u64::from(*n)).sum()
    }

    /// Where the next page should stand.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.at + self.header_bytes() + self.body_bytes()
    }

    /// The page at `at`, or `None` when there is none, or not all of it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(source: &Source<'_>, at: u64) -> Result<Option<Self>, PayloadError> {
        if source.within(at, 27, "Ogg page").is_err() || !source.has(at, b"OggS\0")? {
            return Ok(None);
        }
        let head = source.array::<27>(at, "Ogg page")?;
        let le32 = |from: usize| u32::from_le_bytes([head[from], head[from + 1], head[from + 2], head[from + 3]]);
        let mut lacing = vec![0; usize::from(head[26])];
        if source.within(at + 27, lacing.len() as u64, "Ogg page").is_err() {
            return Ok(None);
        }
        source.fill(at + 27, &mut lacing, "Ogg page")?;
        let mut granule = [0; 8];
        granule.copy_from_slice(&head[6..14]);
        let serial = le32(14).to_le_bytes();
        let page = Self { at, flags: head[5], granule, serial, sequence: le32(18), crc: le32(22), lacing };
        Ok((page.end() <= source.len()).then_some(page))
    }
}

/// What a logical stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Vorbis.
    Vorbis,
    /// Opus.
    Opus,
    /// Speex.
    Speex,
    /// FLAC in Ogg.
    Flac,
    /// Ogg Skeleton: no audio.
    Skeleton,
    /// Something else.
    Other,
}

impl Codec {
    /// By the first packet.
    #[must_use]
    pub fn of(first_packet: &[u8]) -> Self {
        match first_packet {
            [1, b'v', b'o', b'r', b'b', b'i', b's', ..] => Self::Vorbis,
            [b'O', b'p', b'u', b's', b'H', b'e', b'a', b'd', ..] => Self::Opus,
            [b'S', b'p', b'e', b'e', b'x', b' ', ..] => Self::Speex,
            [0x7F, b'F', b'L', b'A', b'C', ..] => Self::Flac,
            [b'f', b'i', b's', b'h', b'e', b'a', b'd', ..] => Self::Skeleton,
            _ => Self::Other,
        }
    }

    /// Whether the packet is a comment or a picture: no audio.
    fn is_tag(self, packet: u64, first_byte: Option<u8>) -> bool {
        match self {
            Self::Vorbis | Self::Opus | Self::Speex => packet == 1,
            Self::Flac => packet >= 1 && first_byte != Some(0xFF),
            Self::Skeleton => true,
            Self::Other => false,
        }
    }
}

/// More streams than any file has; each costs memory.
const MAX_STREAMS: usize = 256;

/// Call `eat` with each page and its body, in order. What lies between pages is skipped and reported.
///
/// # Errors
/// When the file cannot be read, or `eat` says so.
pub fn each_page(
    source: &Source<'_>,
    start: u64,
    mut eat: impl FnMut(&Page, &[u8]) -> Result<(), PayloadError>,
) -> Result<Vec<Fault>, PayloadError> {
    let mut faults = Vec::new();
    let mut at = start;
    let mut body = Vec::new();
    while at < source.len() {
        let Some(page) = Page::read(source, at)? else {
            match next_capture(source, at + 1)? {
                Some(next) => {
                    faults.push(Fault::JunkBetweenPages);
                    at = next;
                }
                None => {
                    let cut = source.has(at, b"OggS")? || source.len() - at < 4;
                    faults.push(if cut { Fault::AudioCutShort } else { Fault::JunkAtEnd });
                    at = source.len();
                }
            }
            continue;
        };
        body.resize(usize::try_from(page.body_bytes()).unwrap_or_default(), 0);
        source.fill(page.at + page.header_bytes(), &mut body, "Ogg page")?;
        eat(&page, &body)?;
        at = page.end();
    }
    faults.dedup();
    Ok(faults)
}

/// The next page from `at` on.
fn next_capture(source: &Source<'_>, mut at: u64) -> Result<Option<u64>, PayloadError> {
    const STEP: u64 = 64 * 1024;
    while at < source.len() {
        let n = STEP.min(source.len() - at);
        let bytes = source.bytes(at, n, STEP, "Ogg page")?;
        for offset in bytes.windows(5).enumerate().filter(|(_, w)| w == b"OggS\0").map(|(i, _)| i as u64) {
            if Page::read(source, at + offset)?.is_some() {
                return Ok(Some(at + offset));
            }
        }
        if at + n >= source.len() {
            break;
        }
        at += n.saturating_sub(4).max(1);
    }
    Ok(None)
}

pub(super) fn sniff(source: &Source<'_>, start: u64) -> Result<Format, PayloadError> {
    let mut at = start;
    let mut best = Format::Ogg;
    while let Some(page) = Page::read(source, at)?.filter(|page| page.flags & 2 != 0) {
        let head = source.bytes(at + page.header_bytes(), page.body_bytes().min(16), 16, "Ogg page")?;
        match Codec::of(&head) {
            Codec::Vorbis => return Ok(Format::Vorbis),
            Codec::Opus => return Ok(Format::Opus),
            _ => best = Format::Ogg,
        }
        at = page.end();
    }
    Ok(best)
}

struct Stream {
    serial: [u8; 4],
    codec: Codec,
    packet: u64,
    packet_bytes: u64,
    is_tag: bool,
    first_byte: bool,
    hasher: blake3::Hasher,
    hashed_bytes: u64,
    headers_bytes: u64,
    ended: bool,
}

impl Stream {
    fn new(serial: [u8; 4], codec: Codec) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[codec as u8]);
        Self {
            serial,
            codec,
            packet: 0,
            packet_bytes: 0,
            is_tag: false,
            first_byte: true,
            hasher,
            hashed_bytes: 0,
            headers_bytes: 0,
            ended: false,
        }
    }

    fn eat(&mut self, page: &Page, body: &[u8]) {
        let mut at = 0;
        for lace in &page.lacing {
            let segment = &body[at..at + usize::from(*lace)];
            at += segment.len();
            if self.first_byte {
                self.is_tag = self.codec.is_tag(self.packet, segment.first().copied());
                self.first_byte = false;
            }
            if !self.is_tag {
                self.hasher.update(segment);
                self.packet_bytes += segment.len() as u64;
            }
            if *lace < 255 {
                self.end_packet();
            }
        }
        self.ended |= page.flags & 4 != 0;
    }

    fn end_packet(&mut self) {
        if !self.is_tag {
            self.hasher.update(&self.packet_bytes.to_le_bytes());
            self.hashed_bytes += self.packet_bytes;
        }
        let headers = if self.codec == Codec::Vorbis { 3 } else { 1 };
        self.packet += 1;
        if self.packet <= headers {
            self.headers_bytes = self.hashed_bytes;
        }
        self.packet_bytes = 0;
        self.first_byte = true;
    }
}

pub(super) fn hash(source: &Source<'_>, hasher: &mut blake3::Hasher) -> Result<Vec<Fault>, PayloadError> {
    let start = super::flanks::head_end(source)?;
    let mut streams: Vec<Stream> = Vec::new();
    let mut several = false;
    let mut faults = each_page(source, start, |page, body| {
        let known = streams.iter().rposition(|stream| stream.serial == page.serial && !stream.ended);
        let index = match known {
            Some(index) => index,
            None => {
                let first = body.get(..page.lacing.first().map_or(0, |n| usize::from(*n))).unwrap_or_default();
                if streams.len() >= MAX_STREAMS {
                    return Err(PayloadError::malformed("Ogg stream", page.at));
                }
                several |= streams.iter().any(|stream| stream.codec != Codec::Skeleton);
                streams.push(Stream::new(page.serial, Codec::of(first)));
                streams.len() - 1
            }
        };
        if let Some(stream) = streams.get_mut(index) {
            stream.eat(page, body);
        }
        Ok(())
    })?;
    if several {
        faults.push(Fault::SeveralStreams);
    }
    let mut audio_bytes = 0;
    for stream in streams.iter_mut().filter(|stream| stream.codec != Codec::Skeleton) {
        if !stream.first_byte {
            stream.end_packet();
            faults.push(Fault::AudioCutShort);
        }
        audio_bytes += stream.hashed_bytes - stream.headers_bytes;
        hasher.update(stream.hasher.finalize().as_bytes());
    }
    if audio_bytes == 0 {
        return Err(PayloadError::NoAudio("Ogg headers without packets"));
    }
    Ok(faults)
}
