//! How far a long job is: counters that the job raises and whoever shows them reads, at their own pace.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

/// Counters of a scan.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    /// Files seen by the crawl.
    pub seen: AtomicU64,
    /// Files that need no work.
    pub unchanged: AtomicU64,
    /// Files that need work, as far as is known yet.
    pub planned: AtomicU64,
    /// Files whose track was heard now.
    pub heard: AtomicU64,
    /// Files whose track was known already under another name or with other tags.
    pub known: AtomicU64,
    /// Files that failed.
    pub failed: AtomicU64,
    /// Whether the crawl is still finding files.
    pub crawling: AtomicBool,
    current: Mutex<String>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            seen: AtomicU64::new(0),
            unchanged: AtomicU64::new(0),
            planned: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            known: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            crawling: AtomicBool::new(true),
            current: Mutex::default(),
        }
    }
}

impl Progress {
    /// Count one.
    pub fn one(&self, counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Name the file that is being worked on.
    pub fn now_at(&self, file: String) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = file;
    }

    /// The file that is being worked on.
    #[must_use]
    pub fn current(&self) -> String {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Files done of those planned.
    #[must_use]
    pub fn done(&self) -> u64 {
        [&self.heard, &self.known, &self.failed].into_iter().map(|c| c.load(Ordering::Relaxed)).sum()
    }

    /// Seconds since the start.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Tracks done a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.done() as f64 / self.seconds().max(1e-3)
    }
}
