//! A change of a file as a list of splices, a view of the file with them made, and the way back.
//!
//! A tag write is never "let a library rewrite the file": it is a short list of byte ranges, known before
//! anything is touched. The list can be verified on a view of the original, its inverse is the reverse patch
//! that undo needs, and what is not in it cannot change. It knows no format.

use std::io;

use crate::payload::{PayloadError, ReadAt, Source};

/// At byte `at` of the old file, `remove` bytes give way to `insert`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splice {
    /// Where, in the old file.
    pub at: u64,
    /// How many bytes go.
    pub remove: u64,
    /// What comes instead.
    pub insert: Vec<u8>,
}

impl Splice {
    /// A splice.
    #[must_use]
    pub fn new(at: u64, remove: u64, insert: impl Into<Vec<u8>>) -> Self {
        Self { at, remove, insert: insert.into() }
    }

    /// By how much the file grows.
    #[must_use]
    pub fn delta(&self) -> i64 {
        self.insert.len() as i64 - self.remove.cast_signed()
    }
}

/// Splices in order, none touching what another removes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Splices(Vec<Splice>);

impl Splices {
    /// Put in order; `None` when two overlap. Those that meet become one; those that change nothing go.
    #[must_use]
    pub fn new(mut list: Vec<Splice>) -> Option<Self> {
        list.retain(|s| s.remove > 0 || !s.insert.is_empty());
        // Stable: of two insertions at one place the first given comes first.
        list.sort_by_key(|s| (s.at, s.remove > 0));
        let mut joined: Vec<Splice> = Vec::new();
        for splice in list {
            match joined.last_mut() {
                Some(last) if last.at.checked_add(last.remove)? > splice.at => return None,
                Some(last) if last.at + last.remove == splice.at => {
                    last.remove += splice.remove;
                    last.insert.extend_from_slice(&splice.insert);
                }
                _ => joined.push(splice),
            }
        }
        Some(Self(joined))
    }

    /// The splices, in order.
    #[must_use]
    pub fn list(&self) -> &[Splice] {
        &self.0
    }

    /// By how much the file grows.
    #[must_use]
    pub fn delta(&self) -> i64 {
        self.0.iter().map(Splice::delta).sum()
    }

    /// Whether nothing moves, so that a clone of the file can be written in place.
    #[must_use]
    pub fn in_place(&self) -> bool {
        self.0.iter().all(|s| s.delta() == 0)
    }

    /// Bytes kept for the way back, about.
    #[must_use]
    pub fn patch_bytes(&self) -> u64 {
        self.0.iter().map(|s| s.remove + 24).sum()
    }

    /// Drop what a splice removes and inserts again at its two ends.
    ///
    /// # Errors
    /// When `old` cannot be read.
    pub fn trimmed(self, old: &Source<'_>) -> Result<Self, PayloadError> {
        let mut list = Vec::with_capacity(self.0.len());
        for Splice { at, remove, insert } in self.0 {
            // What is removed is read whole: editors only remove tags, and cap how much they load.
            let removed = old.bytes(at, remove, u64::MAX, "tag")?;
            let front = removed.iter().zip(&insert).take_while(|(a, b)| a == b).count();
            let back =
                removed[front..].iter().rev().zip(insert[front..].iter().rev()).take_while(|(a, b)| a == b).count();
            list.push(Splice {
                at: at + front as u64,
                remove: remove - (front + back) as u64,
                insert: insert[front..insert.len() - back].to_vec(),
            });
        }
        list.retain(|s| s.remove > 0 || !s.insert.is_empty());
        Ok(Self(list))
    }

    /// The splices that lead back from the new file to `old`.
    ///
    /// # Errors
    /// When `old` cannot be read.
    pub fn inverse(&self, old: &Source<'_>) -> Result<Self, PayloadError> {
        let mut shift = 0_i64;
        let mut list = Vec::with_capacity(self.0.len());
        for splice in &self.0 {
            let insert = old.bytes(splice.at, splice.remove, u64::MAX, "tag")?;
            let at = splice.at.checked_add_signed(shift).ok_or(PayloadError::malformed("patch", splice.at))?;
            list.push(Splice { at, remove: splice.insert.len() as u64, insert });
            shift += splice.delta();
        }
        Ok(Self(list))
    }

    /// As bytes for the journal: (gap since the end of the last, remove, length, content) as LEB128 and bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![1];
        let mut last = 0;
        for splice in &self.0 {
            for number in [splice.at - last, splice.remove, splice.insert.len() as u64] {
                leb(&mut out, number);
            }
            out.extend_from_slice(&splice.insert);
            last = splice.at + splice.remove;
        }
        out
    }

    /// Back from bytes; `None` when they are damaged.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&[1])?;
        let mut list = Vec::new();
        let mut last = 0_u64;
        while !rest.is_empty() {
            let at = last.checked_add(unleb(&mut rest)?)?;
            let remove = unleb(&mut rest)?;
            let size = usize::try_from(unleb(&mut rest)?).ok()?;
            let insert = rest.get(..size)?.to_vec();
            rest = &rest[size..];
            last = at.checked_add(remove)?;
            list.push(Splice { at, remove, insert });
        }
        Some(Self(list))
    }
}

fn leb(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 & 0x7F | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn unleb(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        number |= u64::from(byte & 0x7F).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

enum Piece<'a> {
    Old { from: u64 },
    New(&'a [u8]),
}

/// What a file would be with splices made.
pub struct Spliced<'a> {
    old: &'a dyn ReadAt,
    /// (start in the new file, length, what).
    pieces: Vec<(u64, u64, Piece<'a>)>,
    size: u64,
}

impl<'a> Spliced<'a> {
    /// `old` with `splices`; `None` when they reach beyond its end.
    ///
    /// # Errors
    /// When the size of `old` cannot be told.
    pub fn new(old: &'a dyn ReadAt, splices: &'a Splices) -> io::Result<Option<Self>> {
        let old_size = old.size()?;
        let mut pieces = Vec::new();
        let (mut from, mut at) = (0, 0);
        for splice in &splices.0 {
            if splice.at < from || splice.at.checked_add(splice.remove).is_none_or(|end| end > old_size) {
                return Ok(None);
            }
            pieces.push((at, splice.at - from, Piece::Old { from }));
            at += splice.at - from;
            pieces.push((at, splice.insert.len() as u64, Piece::New(&splice.insert)));
            at += splice.insert.len() as u64;
            from = splice.at + splice.remove;
        }
        pieces.push((at, old_size - from, Piece::Old { from }));
        let size = at + (old_size - from);
        pieces.retain(|(_, size, _)| *size > 0);
        Ok(Some(Self { old, pieces, size }))
    }
}

impl ReadAt for Spliced<'_> {
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        let index = self.pieces.partition_point(|(start, size, _)| start + size <= at);
        let Some((start, size, piece)) = self.pieces.get(index) else { return Ok(0) };
        let skip = at - start;
        let n = usize::try_from(size - skip).map_or(buf.len(), |rest| rest.min(buf.len()));
        match piece {
            Piece::Old { from } => self.old.read_at(&mut buf[..n], from + skip),
            Piece::New(bytes) => {
                let skip = usize::try_from(skip).unwrap_or(usize::MAX);
                buf[..n].copy_from_slice(&bytes[skip..skip + n]);
                Ok(n)
            }
        }
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn all(source: &dyn ReadAt) -> Vec<u8> {
        let source = Source::new(source).unwrap();
        source.bytes(0, source.len(), u64::MAX, "").unwrap()
    }

    #[test]
    fn a_splice_is_what_slices_do() {
        let old = b"0123456789".to_vec();
        let splices = Splices::new(vec![Splice::new(8, 2, *b"X"), Splice::new(0, 0, *b"ab"), Splice::new(3, 2, *b"")]);
        let splices = splices.unwrap();
        assert_eq!(all(&Spliced::new(&old, &splices).unwrap().unwrap()), b"ab012567X");
        assert!(Splices::new(vec![Splice::new(0, 4, *b""), Splice::new(3, 1, *b"")]).is_none());
        assert!(Spliced::new(&old, &Splices::new(vec![Splice::new(9, 2, *b"")]).unwrap()).unwrap().is_none());
    }

    proptest! {
        #[test]
        fn the_way_back_gives_every_byte_back(
            old in prop::collection::vec(any::<u8>(), 0..400),
            edits in prop::collection::vec((0_u64..500, 0_u64..40, prop::collection::vec(0_u8..3, 0..40)), 0..6),
        ) {
            let edits = edits.into_iter().filter(|(at, n, _)| at + n <= old.len() as u64).map(|(at, n, i)| Splice::new(at, n, i));
            if let Some(splices) = Splices::new(edits.collect()) {
                let source = Source::new(&old).unwrap();
                let new = all(&Spliced::new(&old, &splices).unwrap().unwrap());
                let trimmed = splices.clone().trimmed(&source).unwrap();
                prop_assert_eq!(&all(&Spliced::new(&old, &trimmed).unwrap().unwrap()), &new);
                let back = trimmed.inverse(&source).unwrap();
                let back = Splices::from_bytes(&back.to_bytes()).unwrap();
                prop_assert_eq!(all(&Spliced::new(&new, &back).unwrap().unwrap()), old);
            }
        }

        #[test]
        fn damaged_patches_are_no_patches(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Splices::from_bytes(&bytes);
        }
    }
}
