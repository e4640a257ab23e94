//! Ogg: the comment packet, and the pages around it.
//!
//! Only the header pages are laid out anew, on as many pages as before wherever that is possible; then no
//! page behind them changes. Where their number changes, each later page gets its new sequence number and
//! checksum, and nothing else: audio is never cut into pages again.

use super::{Edit, Item, MAX_TAG_BYTES, Refusal, Splice, Wanted, vorbis};
use crate::{
    payload::{
        Source,
        ogg::{Page, each_page},
    },
    tags::splice::Splices,
    track::Format,
};

/// A page has at most so many segments.
const MAX_SEGMENTS: usize = 255;

const CRC: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = (i as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000_0000 == 0 { crc << 1 } else { crc << 1 ^ 0x04C1_1DB7 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
};

fn crc(page: &[u8]) -> u32 {
    // The checksum's own field counts as zeros.
    page.iter().enumerate().fold(0, |crc, (i, b)| {
        let b = if (22..26).contains(&i) { 0 } else { *b };
        crc << 8 ^ CRC[usize::from((crc >> 24) as u8 ^ b)]
    })
}

fn page_bytes(source: &Source<'_>, page: &Page) -> Result<Vec<u8>, Refusal> {
    let bytes = source.bytes(page.at, page.end() - page.at, 1 << 17, "Ogg page")?;
    if crc(&bytes) != page.crc {
        return Err(Refusal::new("an Ogg page with a wrong checksum"));
    }
    Ok(bytes)
}

/// The pages that hold the comment packet and what follows it up to the end of the headers.
struct Headers {
    first: Page,
    /// Sequence number of the first page of the run.
    sequence: u32,
    run: std::ops::Range<u64>,
    pages: usize,
    last: Page,
    comment: Vec<u8>,
    /// Packets behind the comment that are headers.
    others: Vec<Vec<u8>>,
    /// What begins on the last page behind them: lacing and bytes.
    rest: (Vec<u8>, Vec<u8>),
}

fn headers(source: &Source<'_>, format: Format) -> Result<Headers, Refusal> {
    let broken = || Refusal::new("its Ogg headers are not where they should be");
    if !source.has(0, b"OggS\0")? {
        return Err(Refusal::new("it has something in front of its first Ogg page"));
    }
    let first = Page::read(source, 0)?.ok_or_else(broken)?;
    page_bytes(source, &first)?;
    if first.lacing.iter().filter(|n| **n < 255).count() != 1 || first.lacing.last() == Some(&255) {
        return Err(broken());
    }
    let wanted = if format == Format::Vorbis { 2 } else { 1 };
    let mut packets: Vec<Vec<u8>> = Vec::new();
    let mut open = Vec::new();
    let mut rest = (Vec::new(), Vec::new());
    let (mut at, mut pages, mut bytes_held) = (first.end(), 0, 0);
    let mut sequence = 0;
    loop {
        let page = Page::read(source, at)?.filter(|page| page.serial == first.serial).ok_or_else(broken)?;
        let bytes = page_bytes(source, &page)?;
        if pages == 0 {
            sequence = page.sequence;
        }
        pages += 1;
        bytes_held += bytes.len() as u64;
        if bytes_held > MAX_TAG_BYTES {
            return Err(Refusal::new("its comments are too large"));
        }
        let mut from = usize::try_from(page.header_bytes()).unwrap_or_default();
        for lace in &page.lacing {
            let segment = &bytes[from..from + usize::from(*lace)];
            from += segment.len();
            if packets.len() == wanted {
                rest.0.push(*lace);
                rest.1.extend_from_slice(segment);
                continue;
            }
            open.extend_from_slice(segment);
            if *lace < 255 {
                packets.push(std::mem::take(&mut open));
            }
        }
        at = page.end();
        if packets.len() == wanted {
            let mut packets = packets.into_iter();
            let comment = packets.next().ok_or_else(broken)?;
            let run = first.end()..at;
            return Ok(Headers { first, sequence, run, pages, last: page, comment, others: packets.collect(), rest });
        }
    }
}

const fn prefix(format: Format) -> &'static [u8] {
    if matches!(format, Format::Vorbis) { b"\x03vorbis" } else { b"OpusTags" }
}

fn comments(headers: &Headers, format: Format) -> Result<&[u8], Refusal> {
    headers.comment.strip_prefix(prefix(format)).ok_or_else(|| Refusal::new("its Ogg comment packet is not one"))
}

fn new_comment(headers: &Headers, format: Format, wanted: &Wanted) -> Result<Vec<u8>, Refusal> {
    let old = comments(headers, format)?;
    let end = vorbis::walk(old, wanted)?.end;
    let splices = Splices::new(vorbis::edit(old, wanted)?).ok_or_else(|| Refusal::new("overlapping comments"))?;
    let mut new = old.to_vec();
    for splice in splices.list().iter().rev() {
        let at = usize::try_from(splice.at).unwrap_or_default();
        let stop = at + usize::try_from(splice.remove).unwrap_or_default();
        new.splice(at..stop, splice.insert.iter().copied());
    }
    // Opus allows padding behind the comments: zeros there are used up before anything moves.
    let padding = &old[end..];
    if format == Format::Opus && !padding.is_empty() && padding.iter().all(|b| *b == 0) {
        let size = padding.len().checked_add_signed(isize::try_from(-splices.delta()).unwrap_or_default());
        if let Some(size) = size.filter(|size| *size > 0) {
            new.truncate(new.len() - padding.len());
            new.resize(new.len() + size, 0);
        }
    }
    Ok([prefix(format), &new].concat())
}

fn lacing(packet: &[u8]) -> impl Iterator<Item = u8> {
    std::iter::repeat_n(255, packet.len() / 255).chain([(packet.len() % 255) as u8])
}

fn page(like: &Page, flags: u8, granule: [u8; 8], sequence: u32, lacing: &[u8], body: &[u8]) -> Vec<u8> {
    let mut page = [&b"OggS\0"[..], &[flags], &granule, &like.serial, &sequence.to_le_bytes(), &[0; 4]].concat();
    page.push(lacing.len() as u8);
    page.extend_from_slice(lacing);
    page.extend_from_slice(body);
    let crc = crc(&page);
    page[22..26].copy_from_slice(&crc.to_le_bytes());
    page
}

/// The run of header pages with `packets` on it, and how many pages it is now.
fn lay_out(headers: &Headers, packets: &[Vec<u8>]) -> (Vec<u8>, usize) {
    let lacing: Vec<u8> = packets.iter().flat_map(|packet| lacing(packet)).collect();
    let body = packets.concat();
    let split = !headers.rest.0.is_empty();
    let want = headers.pages - usize::from(split);
    let pages = want.clamp(1, lacing.len()).max(lacing.len().div_ceil(MAX_SEGMENTS));
    let mut run = Vec::new();
    let (mut segment, mut byte) = (0, 0);
    let mut continued = false;
    for i in 0..pages {
        let rest = lacing.len() - segment;
        let take = if i + 1 == pages { rest } else { (rest - (pages - i - 1)).min(MAX_SEGMENTS) };
        let piece = &lacing[segment..segment + take];
        let size: usize = piece.iter().map(|n| usize::from(*n)).sum();
        let last = i + 1 == pages && !split;
        let ends = piece.iter().any(|n| *n < 255);
        let granule = if last {
            headers.last.granule
        } else if ends {
            [0; 8]
        } else {
            [0xFF; 8]
        };
        let flags = u8::from(continued) | if last { headers.last.flags & 4 } else { 0 };
        let sequence = headers.sequence.wrapping_add(i as u32);
        run.extend(page(&headers.first, flags, granule, sequence, piece, &body[byte..byte + size]));
        continued = piece.last() == Some(&255);
        segment += take;
        byte += size;
    }
    if split {
        let (lacing, body) = &headers.rest;
        let granule = if lacing.iter().any(|n| *n < 255) { headers.last.granule } else { [0xFF; 8] };
        let sequence = headers.sequence.wrapping_add(pages as u32);
        run.extend(page(&headers.first, headers.last.flags & 4, granule, sequence, lacing, body));
    }
    (run, pages + usize::from(split))
}

pub(super) fn edit(source: &Source<'_>, format: Format, wanted: &Wanted) -> Result<Edit, Refusal> {
    let headers = headers(source, format)?;
    let mut packets = vec![new_comment(&headers, format, wanted)?];
    packets.extend(headers.others.iter().cloned());
    let (run, pages) = lay_out(&headers, &packets);
    let size = headers.run.end - headers.run.start;
    let mut splices = vec![Splice::new(headers.run.start, size, run)];
    let mut at = headers.run.end;
    let shift = (pages as u32).wrapping_sub(headers.pages as u32);
    while shift != 0 && at < source.len() {
        let page = Page::read(source, at)?.filter(|page| page.serial == headers.first.serial);
        let page = page.ok_or_else(|| Refusal::new("its Ogg pages cannot be numbered anew"))?;
        let mut bytes = page_bytes(source, &page)?;
        bytes[18..22].copy_from_slice(&page.sequence.wrapping_add(shift).to_le_bytes());
        let crc = crc(&bytes);
        bytes[22..26].copy_from_slice(&crc.to_le_bytes());
        splices.push(Splice::new(page.at + 18, 8, &bytes[18..26]));
        at = page.end();
    }
    Ok(Edit { splices, ..Edit::default() })
}

pub(super) fn items(source: &Source<'_>, format: Format, wanted: &Wanted) -> Result<Vec<Item>, Refusal> {
    let headers = headers(source, format)?;
    let comments = comments(&headers, format)?;
    let mut items = vorbis::items(comments, wanted)?;
    let behind = &comments[vorbis::walk(comments, wanted)?.end..];
    let kept = if behind.iter().all(|b| *b == 0) { &[][..] } else { behind };
    items.push(Item::new("behind comments", kept));
    // The positions in time of all audio pages, and where the stream ends.
    let mut hasher = blake3::Hasher::new();
    each_page(source, headers.first.at, |page, _| {
        if page.granule != [0; 8] && page.granule != [0xFF; 8] {
            hasher.update(&page.granule);
            hasher.update(&[page.flags & 4]);
        }
        Ok(())
    })?;
    items.push(Item { key: "granule positions".to_owned(), value: *hasher.finalize().as_bytes() });
    Ok(items)
}
