//! What a file is, by its first bytes: the door in front of the demuxers.
//!
//! The prober scans a megabyte for anything it knows. WavPack, Monkey's Audio and TAK keep the RIFF header
//! of their source, so it finds one and plays the compressed bytes as noise, without an error; pictures
//! and archives hold bytes that look like an MPEG frame. Whatever is known not to be decodable is refused
//! here by name; whatever is not known goes on to the prober.

use std::io::{self, Read, Seek, SeekFrom};

use super::DecodeError;

/// Leading bytes that are refused, and what to call them.
const REFUSED: &[(&[u8], &str)] = &[
    (b"wvpk", "WavPack, which cannot be decoded here"),
    (b"MAC ", "Monkey's Audio (APE), which cannot be decoded here"),
    (b"MACF", "Monkey's Audio (APE), which cannot be decoded here"),
    (b"tBaK", "TAK, which cannot be decoded here"),
    (b"TTA1", "True Audio (TTA), which cannot be decoded here"),
    (b"TTA2", "True Audio (TTA), which cannot be decoded here"),
    (b"OFR ", "OptimFROG, which cannot be decoded here"),
    (b"DSD ", "DSD (DSF), which cannot be decoded here"),
    (b"FRM8", "DSD (DSDIFF), which cannot be decoded here"),
    (b"MPCK", "Musepack, which cannot be decoded here"),
    (b"MP+", "Musepack, which cannot be decoded here"),
    (b"ajkg", "Shorten, which cannot be decoded here"),
    (b"LA02", "Lossless Audio (LA), which cannot be decoded here"),
    (b"LA03", "Lossless Audio (LA), which cannot be decoded here"),
    (b"LA04", "Lossless Audio (LA), which cannot be decoded here"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media (WMA, ASF), which cannot be decoded here"),
    (b".RMF", "RealMedia, which cannot be decoded here"),
    (b".ra\xfd", "RealAudio, which cannot be decoded here"),
    (b".snd", "a Sun/NeXT sound (AU), which cannot be decoded here"),
    (b"RF64", "a 64-bit WAV (RF64), which cannot be decoded here"),
    (b"BW64", "a 64-bit WAV (BW64), which cannot be decoded here"),
    (b"RIFX", "a big-endian WAV (RIFX), which cannot be decoded here"),
    (b"riff\x2e\x91\xcf\x11", "a Wave64, which cannot be decoded here"),
    (b"#!AMR", "AMR speech, which cannot be decoded here"),
    (b"MThd", "MIDI notes, not recorded sound"),
    (b"\x7f\xfe\x80\x01", "a DTS stream, which cannot be decoded here"),
    (b"\x0b\x77", "an AC-3 stream, which cannot be decoded here"),
    (b"PK\x03\x04", "a zip archive, not audio"),
    (b"Rar!", "a rar archive, not audio"),
    (b"7z\xbc\xaf", "a 7z archive, not audio"),
    (b"\x1f\x8b", "a gzip archive, not audio"),
    (b"%PDF", "a PDF document, not audio"),
    (b"\x89PNG", "a picture (PNG), not audio"),
    (b"\xff\xd8\xff", "a picture (JPEG), not audio"),
    (b"GIF8", "a picture (GIF), not audio"),
    (b"BM6", "a picture (BMP), not audio"),
    (b"\x7fELF", "a program, not audio"),
    (b"SQLite format 3\0", "a database, not audio"),
    (b"#EXTM3U", "a playlist, not audio"),
    (b"[playlist]", "a playlist, not audio"),
    (b"<?xml", "a text file (XML), not audio"),
    (b"<!DOCTYPE", "a text file (HTML), not audio"),
    (b"<html", "a text file (HTML), not audio"),
];

/// Tags that may stand in front of each other; more is an attack.
const MAX_LEADING_TAGS: usize = 16;

/// Bytes looked at behind the leading tags.
const HEAD_BYTES: usize = 64;

/// Look at the first bytes behind any leading ID3v2 and APEv2 tags and refuse what must not be probed.
pub fn check<R: Read + Seek>(file: &mut R, len: u64) -> Result<(), DecodeError> {
    if len == 0 {
        return Err(DecodeError::Empty);
    }
    let mut at = 0_u64;
    for _ in 0..MAX_LEADING_TAGS {
        let head = read_at(file, at)?;
        let Some(size) = leading_tag(&head) else { return judge(&head) };
        at += size;
        if at >= len {
            return Err(DecodeError::Implausible(format!(
                "a tag at its start claims {at} bytes, and the file has {len}"
            )));
        }
    }
    Err(DecodeError::Implausible(format!("more than {MAX_LEADING_TAGS} tags stand in front of the audio")))
}

fn read_at<R: Read + Seek>(file: &mut R, at: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at))?;
    let mut head = Vec::with_capacity(HEAD_BYTES);
    file.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Whole size of the ID3v2 or APEv2 tag that `head` begins with.
fn leading_tag(head: &[u8]) -> Option<u64> {
    if head.len() >= 10 && head.starts_with(b"ID3") && head[3] < 0xff && head[6..10].iter().all(|b| b & 0x80 == 0) {
        let body = head[6..10].iter().fold(0_u64, |size, &b| size << 7 | u64::from(b));
        let footer = if head[5] & 0x10 != 0 { 10 } else { 0 };
        return Some(10 + body + footer);
    }
    if head.len() >= 32 && head.starts_with(b"APETAGEX") {
        let body = u32::from_le_bytes([head[12], head[13], head[14], head[15]]);
        return Some(32 + u64::from(body));
    }
    None
}

fn judge(head: &[u8]) -> Result<(), DecodeError> {
    if let Some((_, name)) = REFUSED.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(DecodeError::Refused(name));
    }
    let form = head.get(8..12).unwrap_or_default();
    if head.starts_with(b"RIFF") && form != b"WAVE" {
        return Err(DecodeError::Refused("a RIFF file that is no WAV"));
    }
    if head.starts_with(b"FORM") && form != b"AIFF" && form != b"AIFC" {
        return Err(DecodeError::Refused("an IFF file that is no AIFF"));
    }
    if head.starts_with(b"OggS") && head.get(28..33) == Some(b"Speex") {
        return Err(DecodeError::Refused("Ogg Speex, which cannot be decoded here"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Cursor;

    use super::*;

    fn verdict(bytes: &[u8]) -> Result<(), DecodeError> {
        check(&mut Cursor::new(bytes), bytes.len() as u64)
    }

    #[test]
    fn wavpack_is_refused_also_behind_id3v2_and_with_a_riff_header_inside() {
        let mut wavpack = b"wvpk\x1a\0\0\0RIFF\x24\0\0\0WAVEfmt ".to_vec();
        assert!(matches!(verdict(&wavpack), Err(DecodeError::Refused(what)) if what.starts_with("WavPack")));
        let mut tagged = b"ID3\x04\0\0\0\0\0\x05abcde".to_vec();
        tagged.append(&mut wavpack);
        assert!(matches!(verdict(&tagged), Err(DecodeError::Refused(what)) if what.starts_with("WavPack")));
    }

    #[test]
    fn a_tag_longer_than_the_file_is_named() {
        let reason = verdict(b"ID3\x04\0\0\x7f\x7f\x7f\x7f").unwrap_err().to_string();
        assert!(reason.contains("268435465 bytes"), "{reason}");
        assert!(reason.contains("the file has 10"), "{reason}");
    }

    #[test]
    fn what_may_be_music_passes() {
        for head in
            [&b"fLaC\0\0\0\x22"[..], b"OggS\0\x02", b"RIFF\x24\0\0\0WAVE", b"\xff\xfb\x90\x64", b"\0\0\0\x20ftypM4A "]
        {
            assert!(verdict(head).is_ok());
        }
    }

    #[test]
    fn nothing_is_an_error() {
        assert!(matches!(verdict(b""), Err(DecodeError::Empty)));
    }
}
