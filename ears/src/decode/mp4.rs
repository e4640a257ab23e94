//! Just enough MP4 to say why a file has no playable track: the sample entries of its `stsd` boxes.

use std::io::{Read, Seek, SeekFrom};

/// Top-level boxes walked, and bytes of `moov` read: more is an attack.
const MAX_BOXES: usize = 4096;
const MAX_MOOV_BYTES: u64 = 32 << 20;

/// Whether a protected sample entry (`drms`, `enca`) stands in the movie's header.
pub fn is_protected<R: Read + Seek>(file: &mut R, len: u64) -> bool {
    moov(file, len)
        .is_some_and(|moov| moov.windows(20).any(|w| w.starts_with(b"stsd") && matches!(&w[16..20], b"drms" | b"enca")))
}

fn moov<R: Read + Seek>(file: &mut R, len: u64) -> Option<Vec<u8>> {
    let mut at = 0_u64;
    for _ in 0..MAX_BOXES {
        file.seek(SeekFrom::Start(at)).ok()?;
        let mut head = [0_u8; 16];
        file.read_exact(&mut head[..8]).ok()?;
        let short = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        let size = match short {
            0 => len - at,
            1 => {
                file.read_exact(&mut head[8..]).ok()?;
                u64::from_be_bytes(head[8..16].try_into().ok()?)
            }
            size => u64::from(size),
        };
        if &head[4..8] == b"moov" {
            let mut body = Vec::new();
            file.by_ref().take(size.min(MAX_MOOV_BYTES)).read_to_end(&mut body).ok()?;
            return Some(body);
        }
        at = at.checked_add(size.max(8)).filter(|&at| at < len)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn file(entry: &[u8; 4]) -> Vec<u8> {
        let mut bytes = b"\0\0\0\x10ftypM4A \0\0\0\0".to_vec();
        bytes.extend(b"\0\0\0\x24moov\0\0\0\x1cstsd\0\0\0\0\0\0\0\x01\0\0\0\x0c");
        bytes.extend(entry);
        bytes.extend([0; 4]);
        bytes
    }

    #[test]
    fn protected_entries_are_found() {
        for (entry, expected) in [(b"drms", true), (b"enca", true), (b"mp4a", false)] {
            let bytes = file(entry);
            assert_eq!(is_protected(&mut Cursor::new(&bytes), bytes.len() as u64), expected);
        }
    }

    #[test]
    fn sizes_that_lie_end_the_walk() {
        let bytes = b"\0\0\0\x01ftyp\x7f\xff\xff\xff\xff\xff\xff\xff";
        assert!(!is_protected(&mut Cursor::new(bytes), bytes.len() as u64));
    }
}
