//! The file under a demuxer, with a watch on it.
//!
//! A demuxer that loops on crafted bytes never comes back to its caller, but nearly all such loops read.
//! So the deadline stands here, where every read and seek passes by. (A loop that does not even read is
//! ended by the desk, which kills the process and marks that one file.)

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use symphonia::core::io::MediaSource;

/// When the last packet came, and where the file is being read.
#[derive(Debug)]
pub struct Watch {
    begun: Instant,
    limit: Duration,
    progress_ms: AtomicU64,
    place: AtomicU64,
}

impl Watch {
    /// A watch that bites after `limit` without progress.
    pub fn new(limit: Duration) -> Arc<Self> {
        Arc::new(Self { begun: Instant::now(), limit, progress_ms: AtomicU64::new(0), place: AtomicU64::new(0) })
    }

    /// A packet came, or one is asked for.
    pub fn progress(&self) {
        self.progress_ms.store(self.now_ms(), Relaxed);
    }

    /// No packet for too long.
    pub fn stalled(&self) -> bool {
        self.now_ms().saturating_sub(self.progress_ms.load(Relaxed)) > self.limit.as_millis() as u64
    }

    /// How long it waits.
    pub const fn limit(&self) -> Duration {
        self.limit
    }

    /// Where the next byte would be read. Not the furthest that ever was: many demuxers look at the end of a file first.
    pub fn place(&self) -> u64 {
        self.place.load(Relaxed)
    }

    fn now_ms(&self) -> u64 {
        self.begun.elapsed().as_millis() as u64
    }
}

/// A regular file whose reads fail once its watch has bitten.
#[derive(Debug)]
pub struct WatchedFile {
    file: File,
    len: u64,
    at: u64,
    watch: Arc<Watch>,
}

impl WatchedFile {
    /// Watch `file`, of `len` bytes, from its start.
    pub fn new(mut file: File, len: u64, watch: Arc<Watch>) -> io::Result<Self> {
        file.rewind()?;
        Ok(Self { file, len, at: 0, watch })
    }

    fn check(&self) -> io::Result<()> {
        if self.watch.stalled() {
            Err(io::Error::new(io::ErrorKind::TimedOut, "no packet for too long"))
        } else {
            Ok(())
        }
    }
}

impl Read for WatchedFile {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        let n = self.file.read(buf)?;
        self.at += n as u64;
        self.watch.place.store(self.at, Relaxed);
        Ok(n)
    }
}

impl Seek for WatchedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.check()?;
        self.at = self.file.seek(to)?;
        self.watch.place.store(self.at, Relaxed);
        Ok(self.at)
    }
}

impl MediaSource for WatchedFile {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.len)
    }
}
