//! Reading at a position, with every size checked against the file's.

use std::{cell::RefCell, fs::File, io, ops::Range, os::unix::fs::FileExt};

use super::PayloadError;

/// Bytes that can be read at a position: a file, a slice, or an edited view of another.
pub trait ReadAt {
    /// Read some bytes from `at` on; 0 at the end.
    ///
    /// # Errors
    /// Whatever reading says.
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize>;

    /// All bytes.
    ///
    /// # Errors
    /// Whatever `stat` says.
    fn size(&self) -> io::Result<u64>;
}

impl ReadAt for File {
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        FileExt::read_at(self, buf, at)
    }

    fn size(&self) -> io::Result<u64> {
        self.metadata().map(|m| m.len())
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        let rest = usize::try_from(at).ok().and_then(|at| self.get(at..)).unwrap_or_default();
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        ReadAt::read_at(self.as_slice(), buf, at)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

/// Bytes read ahead: large enough that a disk reads in order, small enough for a thousand of them.
const WINDOW_BYTES: usize = 128 * 1024;

struct Window {
    at: u64,
    filled: usize,
    bytes: Vec<u8>,
}

/// A buffered view of something that can be read at a position. Its length is fixed when it is opened.
pub struct Source<'a> {
    inner: &'a dyn ReadAt,
    len: u64,
    window: RefCell<Window>,
}

impl<'a> Source<'a> {
    /// A view of `inner`.
    ///
    /// # Errors
    /// When its size cannot be told.
    pub fn new(inner: &'a dyn ReadAt) -> io::Result<Self> {
        let len = inner.size()?;
        Ok(Self { inner, len, window: RefCell::new(Window { at: 0, filled: 0, bytes: Vec::new() }) })
    }

    /// Size in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn read_direct(&self, mut at: u64, mut buf: &mut [u8]) -> Result<(), PayloadError> {
        while !buf.is_empty() {
            match self.inner.read_at(buf, at) {
                Ok(0) => return Err(PayloadError::Truncated { what: "the file", end: at + buf.len() as u64, len: at }),
                Ok(n) => {
                    buf = &mut buf[n..];
                    at += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// That `at..at + size` lies in the file; its end.
    ///
    /// # Errors
    /// [`PayloadError::Truncated`], naming `what`.
    pub fn within(&self, at: u64, size: u64, what: &'static str) -> Result<u64, PayloadError> {
        match at.checked_add(size) {
            Some(end) if end <= self.len => Ok(end),
            end => Err(PayloadError::Truncated { what, end: end.unwrap_or(u64::MAX), len: self.len }),
        }
    }

    /// Fill `buf` from `at` on.
    ///
    /// # Errors
    /// When the file ends before, or cannot be read.
    pub fn fill(&self, at: u64, buf: &mut [u8], what: &'static str) -> Result<(), PayloadError> {
        let end = self.within(at, buf.len() as u64, what)?;
        if buf.len() > WINDOW_BYTES / 2 {
            return self.read_direct(at, buf);
        }
        let mut window = self.window.borrow_mut();
        if at < window.at || end > window.at + window.filled as u64 {
            let size = usize::try_from(self.len - at).map_or(WINDOW_BYTES, |rest| rest.min(WINDOW_BYTES));
            window.filled = 0;
            window.bytes.resize(WINDOW_BYTES, 0);
            self.read_direct(at, &mut window.bytes[..size])?;
            (window.at, window.filled) = (at, size);
        }
        let from = usize::try_from(at - window.at).unwrap_or_default();
        buf.copy_from_slice(&window.bytes[from..from + buf.len()]);
        Ok(())
    }

    /// `N` bytes at `at`.
    ///
    /// # Errors
    /// As [`Self::fill`].
    pub fn array<const N: usize>(&self, at: u64, what: &'static str) -> Result<[u8; N], PayloadError> {
        let mut bytes = [0; N];
        self.fill(at, &mut bytes, what)?;
        Ok(bytes)
    }

    /// `size` bytes at `at`, refused beyond `limit`.
    ///
    /// # Errors
    /// As [`Self::fill`]; [`PayloadError::Malformed`] beyond the limit.
    pub fn bytes(&self, at: u64, size: u64, limit: u64, what: &'static str) -> Result<Vec<u8>, PayloadError> {
        self.within(at, size, what)?;
        if size > limit {
            return Err(PayloadError::malformed(what, at));
        }
        let size = usize::try_from(size).map_err(|_| PayloadError::malformed(what, at))?;
        let mut bytes = vec![0; size];
        self.fill(at, &mut bytes, what)?;
        Ok(bytes)
    }

    /// Whether `magic` stands at `at`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn has(&self, at: u64, magic: &[u8]) -> Result<bool, PayloadError> {
        if self.within(at, magic.len() as u64, "").is_err() {
            return Ok(false);
        }
        let mut bytes = vec![0; magic.len()];
        self.fill(at, &mut bytes, "")?;
        Ok(bytes == magic)
    }

    /// Feed `range` to `eat`, piece by piece.
    ///
    /// # Errors
    /// When the range is not in the file, or it cannot be read.
    pub fn stream(
        &self,
        range: Range<u64>,
        what: &'static str,
        mut eat: impl FnMut(&[u8]),
    ) -> Result<(), PayloadError> {
        self.within(range.start, range.end.saturating_sub(range.start), what)?;
        let mut piece = vec![0; WINDOW_BYTES.min(usize::try_from(range.end - range.start).unwrap_or(WINDOW_BYTES))];
        let mut at = range.start;
        while at < range.end {
            let n = usize::try_from(range.end - at).map_or(piece.len(), |rest| rest.min(piece.len()));
            self.read_direct(at, &mut piece[..n])?;
            eat(&piece[..n]);
            at += n as u64;
        }
        Ok(())
    }

    /// Hash `range`, and how long it is.
    ///
    /// # Errors
    /// As [`Self::stream`].
    pub fn hash(&self, range: Range<u64>, what: &'static str, hasher: &mut blake3::Hasher) -> Result<(), PayloadError> {
        let size = range.end.saturating_sub(range.start);
        self.stream(range, what, |piece| {
            hasher.update(piece);
        })?;
        hasher.update(&size.to_le_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reading_is_exact_and_never_beyond_the_end() {
        let bytes: Vec<u8> = (0..300_000_u32).map(|i| (i % 251) as u8).collect();
        let source = Source::new(&bytes).unwrap();
        for at in [0, 1, 131_071, 131_072, 150_000, 299_996, 7] {
            assert_eq!(source.array::<4>(at, "x").unwrap(), bytes[at as usize..at as usize + 4]);
        }
        assert!(source.array::<4>(299_997, "x").is_err());
        assert!(source.array::<4>(u64::MAX - 1, "x").is_err());
        assert!(source.bytes(0, u64::MAX, u64::MAX, "x").is_err());
        let mut seen = Vec::new();
        source.stream(3..299_999, "x", |piece| seen.extend_from_slice(piece)).unwrap();
        assert_eq!(seen, bytes[3..299_999]);
    }
}
