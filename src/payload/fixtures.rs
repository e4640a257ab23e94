#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation, missing_docs)]
//! Small files of every container, made in code for the tests of this room and of `tags`. They hold
//! well-formed headers and noise for audio: walkers and tag libraries read them, decoders need not.

use crate::track::Format;

pub(crate) const FLAC_FRAMES_BYTES: usize = 3000;

fn noise(n: usize, seed: u32) -> Vec<u8> {
    let mut x = seed.wrapping_mul(2_654_435_761) | 1;
    std::iter::repeat_with(|| {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        (x >> 24) as u8 & 0x7F
    })
    .take(n)
    .collect()
}

/// MPEG-1 layer III at 128 kbit/s and 44.1 kHz: 417 bytes a frame.
pub(crate) fn mpeg_frames(n: u32, seed: u32) -> Vec<u8> {
    (0..n).flat_map(|i| [vec![0xFF, 0xFB, 0x90, 0x64], noise(413, seed * 1000 + i)].concat()).collect()
}

fn synchsafe(n: usize) -> [u8; 4] {
    [(n >> 21) as u8 & 0x7F, (n >> 14) as u8 & 0x7F, (n >> 7) as u8 & 0x7F, n as u8 & 0x7F]
}

pub(crate) fn id3v2(major: u8, frames: &[(&str, &[u8])], padding: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for (id, content) in frames {
        body.extend_from_slice(id.as_bytes());
        match major {
            2 => body.extend_from_slice(&(content.len() as u32).to_be_bytes()[1..]),
            3 => body.extend_from_slice(&(content.len() as u32).to_be_bytes()),
            _ => body.extend_from_slice(&synchsafe(content.len())),
        }
        if major > 2 {
            body.extend_from_slice(&[0, 0]);
        }
        body.extend_from_slice(content);
    }
    body.resize(body.len() + padding, 0);
    [b"ID3", &[major, 0, 0][..], &synchsafe(body.len()), &body].concat()
}

pub(crate) fn id3v1(genre: u8) -> Vec<u8> {
    let mut tag = vec![0; 128];
    tag[..3].copy_from_slice(b"TAG");
    tag[3..8].copy_from_slice(b"Title");
    tag[33..39].copy_from_slice(b"Artist");
    tag[127] = genre;
    tag
}

pub(crate) fn ape(items: &[(&str, &str)], header: bool) -> Vec<u8> {
    let mut body = Vec::new();
    for (key, value) in items {
        body.extend_from_slice(&(value.len() as u32).to_le_bytes());
        body.extend_from_slice(&0_u32.to_le_bytes());
        body.extend_from_slice(key.as_bytes());
        body.push(0);
        body.extend_from_slice(value.as_bytes());
    }
    let edge = |flags: u32| {
        [
            &b"APETAGEX"[..],
            &2000_u32.to_le_bytes(),
            &(body.len() as u32 + 32).to_le_bytes(),
            &(items.len() as u32).to_le_bytes(),
            &flags.to_le_bytes(),
            &[0; 8],
        ]
        .concat()
    };
    let mut tag = if header { edge(0xA000_0000) } else { Vec::new() };
    tag.extend_from_slice(&body);
    tag.extend_from_slice(&edge(0x8000_0000));
    tag
}

fn comments(items: &[(&str, &str)]) -> Vec<u8> {
    let vendor = b"someone's encoder 1.0";
    let mut out = [&(vendor.len() as u32).to_le_bytes()[..], vendor].concat();
    out.extend_from_slice(&(items.len() as u32).to_le_bytes());
    for (key, value) in items {
        out.extend_from_slice(&((key.len() + 1 + value.len()) as u32).to_le_bytes());
        out.extend_from_slice(format!("{key}={value}").as_bytes());
    }
    out
}

pub(crate) fn flac(items: &[(&str, &str)], padding: Option<usize>) -> Vec<u8> {
    let mut info = vec![0_u8; 34];
    info[..4].copy_from_slice(&[0x10, 0, 0x10, 0]);
    info[10..18].copy_from_slice(&[0x0A, 0xC4, 0x42, 0xF0, 0, 0, 0x40, 0]);
    let mut blocks = vec![(0_u8, info), (2, b"testapplication".to_vec())];
    if !items.is_empty() {
        blocks.push((4, comments(items)));
    }
    if let Some(n) = padding {
        blocks.push((1, vec![0; n]));
    }
    let last = blocks.len() - 1;
    let mut out = b"fLaC".to_vec();
    for (i, (kind, body)) in blocks.iter().enumerate() {
        out.push(kind | if i == last { 0x80 } else { 0 });
        out.extend_from_slice(&(body.len() as u32).to_be_bytes()[1..]);
        out.extend_from_slice(body);
    }
    out.extend_from_slice(&super::flac_end::made::frame(&noise(FLAC_FRAMES_BYTES - 8, 5)));
    out
}

pub(crate) fn ogg_crc(page: &[u8]) -> u32 {
    page.iter().fold(0_u32, |mut crc, byte| {
        crc ^= u32::from(*byte) << 24;
        for _ in 0..8 {
            crc = if crc & 0x8000_0000 == 0 { crc << 1 } else { crc << 1 ^ 0x04C1_1DB7 };
        }
        crc
    })
}

pub(crate) struct Ogg {
    pub(crate) bytes: Vec<u8>,
    sequence: u32,
}

impl Ogg {
    fn page(&mut self, flags: u8, granule: u64, lacing: &[u8], body: &[u8]) {
        let mut page = b"OggS\0".to_vec();
        page.push(flags);
        page.extend_from_slice(&granule.to_le_bytes());
        page.extend_from_slice(&77_u32.to_le_bytes());
        page.extend_from_slice(&self.sequence.to_le_bytes());
        page.extend_from_slice(&[0; 4]);
        page.push(lacing.len() as u8);
        page.extend_from_slice(lacing);
        page.extend_from_slice(body);
        let crc = ogg_crc(&page);
        page[22..26].copy_from_slice(&crc.to_le_bytes());
        self.bytes.extend_from_slice(&page);
        self.sequence += 1;
    }

    /// Packets that start on a new page and fill it, and as many more as it takes.
    fn packets(&mut self, flags: u8, granule: u64, packets: &[&[u8]]) {
        let lacing: Vec<u8> = packets
            .iter()
            .flat_map(|p| std::iter::repeat_n(255, p.len() / 255).chain([(p.len() % 255) as u8]))
            .collect();
        let body = packets.concat();
        let mut at = 0;
        let mut continued = false;
        for piece in lacing.chunks(255) {
            let size: usize = piece.iter().map(|n| usize::from(*n)).sum();
            let ends = piece.iter().any(|n| *n < 255);
            let granule = if ends { granule } else { u64::MAX };
            self.page(flags | u8::from(continued), granule, piece, &body[at..at + size]);
            at += size;
            continued = piece.last() == Some(&255);
        }
    }
}

pub(crate) fn vorbis(items: &[(&str, &str)], audio_packets: u32) -> Vec<u8> {
    let mut ogg = Ogg { bytes: Vec::new(), sequence: 0 };
    let mut head = b"\x01vorbis\0\0\0\0\x02\x44\xAC\0\0\0\0\0\0\0\xF4\x01\0\0\0\0\0\xB8\x01".to_vec();
    head.truncate(30);
    ogg.packets(2, 0, &[&head]);
    let comment = [&b"\x03vorbis"[..], &comments(items), &[1]].concat();
    let setup = [&b"\x05vorbis"[..], &noise(3000, 9)].concat();
    ogg.packets(0, 0, &[&comment, &setup]);
    for i in 0..audio_packets {
        let flags = if i + 1 == audio_packets { 4 } else { 0 };
        ogg.packets(flags, u64::from(i + 1) * 1024, &[&noise(400, i), &noise(300, i + 100)]);
    }
    ogg.bytes
}

pub(crate) fn opus(items: &[(&str, &str)], padding: &[u8]) -> Vec<u8> {
    let mut ogg = Ogg { bytes: Vec::new(), sequence: 0 };
    ogg.packets(2, 0, &[b"OpusHead\x01\x02\x38\x01\x80\xBB\0\0\0\0\0"]);
    ogg.packets(0, 0, &[&[&b"OpusTags"[..], &comments(items), padding].concat()]);
    for i in 0..8 {
        let flags = if i == 7 { 4 } else { 0 };
        ogg.packets(flags, u64::from(i + 1) * 960, &[&noise(200, i), &noise(250, i + 50)]);
    }
    ogg.bytes
}

pub(crate) fn atom(id: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 8).to_be_bytes()[..], id, body].concat()
}

fn text_atom(id: &[u8; 4], text: &str) -> Vec<u8> {
    atom(id, &atom(b"data", &[&[0, 0, 0, 1, 0, 0, 0, 0][..], text.as_bytes()].concat()))
}

fn mdhd() -> Vec<u8> {
    atom(b"mdhd", &[&[0; 12][..], &44_100_u32.to_be_bytes(), &44_100_u32.to_be_bytes(), &[0x55, 0xC4, 0, 0]].concat())
}

fn stsd() -> Vec<u8> {
    let entry =
        [&[0; 6][..], &[0, 1], &[0; 8], &[0, 2, 0, 16, 0, 0, 0, 0], &44_100_u32.to_be_bytes()[2..], &[0, 0]].concat();
    atom(b"stsd", &[&[0, 0, 0, 0, 0, 0, 0, 1][..], &atom(b"mp4a", &entry)].concat())
}

fn trak(tables: &[Vec<u8>]) -> Vec<u8> {
    let hdlr = atom(b"hdlr", b"\0\0\0\0\0\0\0\0soun\0\0\0\0\0\0\0\0\0\0\0\0\0");
    let stbl = atom(b"stbl", &[vec![stsd()], tables.to_vec()].concat().concat());
    let minf = atom(b"minf", &stbl);
    let tkhd = atom(b"tkhd", &[&[0, 0, 0, 7][..], &[0; 8], &[0, 0, 0, 1], &[0; 68]].concat());
    atom(b"trak", &[tkhd, atom(b"mdia", &[mdhd(), hdlr, minf].concat())].concat())
}

fn mvhd() -> Vec<u8> {
    let mut body = vec![0; 100];
    body[12..16].copy_from_slice(&1000_u32.to_be_bytes());
    body[16..20].copy_from_slice(&1000_u32.to_be_bytes());
    atom(b"mvhd", &body)
}

/// Genres as `(c)gen` atoms with so many data atoms; the moov in front of or behind the audio.
pub(crate) fn mp4(moov_first: bool, genres: &[(&str, usize)], free: usize) -> Vec<u8> {
    const SIZES: [u32; 4] = [300, 200, 100, 50];
    let ftyp = atom(b"ftyp", b"M4A \0\0\0\0M4A mp42");
    let samples = noise(650, 3);
    let mdat = atom(b"mdat", &samples);
    let build = |first: u32| {
        let stsz = [&[0; 8][..], &4_u32.to_be_bytes(), &SIZES.map(u32::to_be_bytes).concat()].concat();
        let stsc = [&[0, 0, 0, 0][..], &[1_u32, 1, 2, 1].map(u32::to_be_bytes).concat()].concat();
        let stco = [&[0, 0, 0, 0][..], &[2, first, first + 500].map(u32::to_be_bytes).concat()].concat();
        let stts = [&[0, 0, 0, 0][..], &[1_u32, 4, 1024].map(u32::to_be_bytes).concat()].concat();
        let trak = trak(&[atom(b"stts", &stts), atom(b"stsc", &stsc), atom(b"stsz", &stsz), atom(b"stco", &stco)]);
        let mut items = vec![text_atom(b"\xa9nam", "A title"), text_atom(b"\xa9ART", "An artist")];
        for (genre, n) in genres {
            let data = atom(b"data", &[&[0, 0, 0, 1, 0, 0, 0, 0][..], genre.as_bytes()].concat());
            items.push(atom(b"\xa9gen", &data.repeat(*n)));
        }
        items.push(text_atom(b"xyzw", "an atom that nobody knows"));
        let mut meta = vec![0, 0, 0, 0];
        meta.extend_from_slice(&atom(b"hdlr", b"\0\0\0\0\0\0\0\0mdirappl\0\0\0\0\0\0\0\0\0"));
        meta.extend_from_slice(&atom(b"ilst", &items.concat()));
        if free >= 8 {
            meta.extend_from_slice(&atom(b"free", &vec![0; free - 8]));
        }
        atom(b"moov", &[mvhd(), trak, atom(b"udta", &atom(b"meta", &meta))].concat())
    };
    if moov_first {
        let moov = build((ftyp.len() + build(0).len() + 8) as u32);
        [ftyp, moov, mdat].concat()
    } else {
        let moov = build(ftyp.len() as u32 + 8);
        [ftyp, mdat, moov].concat()
    }
}

/// As an encoder leaves it that writes no tags: the moov ends behind its tracks.
pub(crate) fn mp4_untagged() -> Vec<u8> {
    let mut bytes = mp4(false, &[], 0);
    let at = |bytes: &[u8], id: &[u8]| bytes.windows(4).rposition(|w| w == id).unwrap() - 4;
    bytes.truncate(at(&bytes, b"udta"));
    let moov = at(&bytes, b"moov");
    let size = (bytes.len() - moov) as u32;
    bytes[moov..moov + 4].copy_from_slice(&size.to_be_bytes());
    bytes
}

pub(crate) fn mp4_fragmented() -> Vec<u8> {
    let empty = |id| atom(id, &[0; 8]);
    let stsz = atom(b"stsz", &[0; 12]);
    let trak = trak(&[empty(b"stts"), empty(b"stsc"), stsz, empty(b"stco")]);
    let trex = atom(b"trex", &[0_u32, 1, 1, 1024, 100, 0].map(u32::to_be_bytes).concat());
    let moov = atom(b"moov", &[mvhd(), trak, atom(b"mvex", &trex)].concat());
    let tfhd = atom(b"tfhd", &[0x02_0000_u32, 1].map(u32::to_be_bytes).concat());
    let moof = |offset: u32| {
        let trun = atom(b"trun", &[0x201_u32, 2, offset, 60, 40].map(u32::to_be_bytes).concat());
        atom(b"moof", &[atom(b"mfhd", &[0; 8]), atom(b"traf", &[tfhd.clone(), trun].concat())].concat())
    };
    let moof = moof(moof(0).len() as u32 + 8);
    let ftyp = atom(b"ftyp", b"iso5\0\0\0\0iso5");
    [ftyp, moov, moof, atom(b"mdat", &noise(100, 4))].concat()
}

fn chunk(id: &[u8; 4], body: &[u8], big: bool) -> Vec<u8> {
    let size = body.len() as u32;
    let mut out = [&id[..], &if big { size.to_be_bytes() } else { size.to_le_bytes() }, body].concat();
    out.resize(out.len() + body.len() % 2, 0);
    out
}

/// 16-bit mono at 8 kHz, with more chunks behind the samples.
pub(crate) fn wav(samples: usize, more: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut body = b"WAVE".to_vec();
    body.extend(chunk(b"fmt ", b"\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0", false));
    body.extend(chunk(b"data", &noise(samples * 2, 8), false));
    more.iter().for_each(|(id, content)| body.extend(chunk(id, content, false)));
    chunk(b"RIFF", &body, false)
}

/// `LIST`/`INFO` content.
pub(crate) fn info(items: &[(&[u8; 4], &str)]) -> Vec<u8> {
    let mut body = b"INFO".to_vec();
    items.iter().for_each(|(id, text)| body.extend(chunk(id, &[text.as_bytes(), &[0]].concat(), false)));
    body
}

pub(crate) fn aiff(more: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut body = b"AIFF".to_vec();
    body.extend(chunk(b"COMM", b"\0\x01\0\0\0\x64\0\x10\x40\x0b\xfa\0\0\0\0\0\0\0", true));
    body.extend(chunk(b"SSND", &[vec![0; 8], noise(200, 6)].concat(), true));
    more.iter().for_each(|(id, content)| body.extend(chunk(id, content, true)));
    chunk(b"FORM", &body, true)
}

pub(crate) fn monkeys() -> Vec<u8> {
    [&b"MAC \x96\x0f"[..], &noise(900, 12)].concat()
}

pub(crate) fn one_of_each() -> Vec<(Format, Vec<u8>)> {
    let tcon = id3v2(4, &[("TIT2", b"\x03Title"), ("TCON", b"\x03Jazz")], 64);
    let caf_chunk = |id: &[u8; 4], body: &[u8]| [&id[..], &(body.len() as u64).to_be_bytes(), body].concat();
    let adts: Vec<u8> =
        (0..8).flat_map(|i| [vec![0xFF, 0xF1, 0x50, 0x80, 0x0D, 0x1F, 0xFC], noise(97, i)].concat()).collect();
    let mkv_size = |n: usize| (0x4000 | n as u16).to_be_bytes();
    let block = [&[0xA3][..], &mkv_size(50), &noise(50, 1)].concat();
    let cluster = [&[0x1F, 0x43, 0xB6, 0x75][..], &mkv_size(block.len()), &block].concat();
    vec![
        (Format::Mp3, [&tcon[..], &mpeg_frames(12, 1), &id3v1(17)].concat()),
        (Format::Flac, flac(&[("TITLE", "a"), ("GENRE", "Jazz")], Some(200))),
        (Format::Vorbis, vorbis(&[("TITLE", "a"), ("GENRE", "Jazz")], 6)),
        (Format::Opus, opus(&[("TITLE", "a")], &[])),
        (Format::Mp4, mp4(true, &[("Jazz", 1)], 64)),
        (Format::Wav, wav(100, &[(b"LIST", info(&[(b"INAM", "Title")])), (b"id3 ", tcon.clone())])),
        (Format::Aiff, aiff(&[(b"ID3 ", tcon)])),
        (Format::Ape, [monkeys(), ape(&[("Title", "x")], true)].concat()),
        (Format::WavPack, [&b"wvpk"[..], &noise(500, 2), &ape(&[("Title", "x")], true)].concat()),
        (Format::Musepack, [&b"MPCK"[..], &noise(500, 2)].concat()),
        (Format::Aac, adts),
        (
            Format::Caf,
            [&b"caff\0\x01\0\0"[..], &caf_chunk(b"desc", &[1; 32]), &caf_chunk(b"data", &noise(90, 4))].concat(),
        ),
        (
            Format::Matroska,
            [
                &[0x1A, 0x45, 0xDF, 0xA3, 0x80, 0x18, 0x53, 0x80, 0x67, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]
                    [..],
                &cluster,
            ]
            .concat(),
        ),
    ]
}
