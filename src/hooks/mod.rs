//! Hooks: programs of the listener's own that are told when something happens.
//!
//! An event is a line of JSON on a program's stdin (docs/hooks.md). Whoever tells one never waits: events go
//! into a bounded queue, one thread starts the programs, one after the other, and what does not fit is left out
//! and counted. A hook that takes too long is ended with all it started; one that fails is logged; nothing else
//! comes of it. No shell is between: a command is a list of words, and nothing out of a file is ever one of them.
//! This room knows the library's rows, and neither who tells it what nor why.

mod run;

use std::{
    path::Path,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use deepcuts_protocol::Base64;
use serde_json::{Map, Value, json};

use crate::{
    config,
    store::Store,
    track::{Mix, path_bytes},
};

/// Events that wait for their hook. A kilobyte each; a scan of more tracks than this with a slow hook loses some.
const QUEUE: usize = 1024;

/// What is left to hooks when the program is asked to stop.
const GRACE: Duration = Duration::from_secs(2);

/// So many failures of a hook are logged one by one; after that only powers of two.
const ALOUD: u64 = 3;

/// The version of what hooks are told, raised when a field changes its meaning or goes.
const VERSION: u32 = 1;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file was heard.
    Heard,
    /// Genres were written into a file, or taken back.
    Tagged,
    /// A file could not be heard.
    Failed,
    /// A file is gone.
    Missing,
    /// A scan ended that found something new.
    Scanned,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Heard, Self::Tagged, Self::Failed, Self::Missing, Self::Scanned];

    /// The event's name; its setting is this after `on_`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Heard => "heard",
            Self::Tagged => "tagged",
            Self::Failed => "failed",
            Self::Missing => "missing",
            Self::Scanned => "scanned",
        }
    }

    fn command(self, settings: &config::Hooks) -> &[String] {
        match self {
            Self::Heard => &settings.on_heard,
            Self::Tagged => &settings.on_tagged,
            Self::Failed => &settings.on_failed,
            Self::Missing => &settings.on_missing,
            Self::Scanned => &settings.on_scanned,
        }
    }
}

/// What a scan found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scanned {
    /// Files that were there.
    pub seen: u64,
    /// Files heard now.
    pub heard: u64,
    /// Files whose track was known already, under another name or tag.
    pub known: u64,
    /// Files that failed now.
    pub failed: u64,
    /// Files that are gone.
    pub gone: u64,
    /// How long it took.
    pub seconds: f64,
}

struct Event {
    kind: Kind,
    json: Vec<u8>,
}

/// What the thread and those who tell it share.
#[derive(Debug, Default)]
struct Shared {
    /// Nothing more will come: what waits is worked off.
    closing: AtomicBool,
    /// Since when there is a hurry.
    hurry: OnceLock<Instant>,
    left_out: AtomicU64,
}

impl Shared {
    fn out_of_time(&self) -> bool {
        self.hurry.get().is_some_and(|since| since.elapsed() >= GRACE)
    }
}

/// The listener's hooks. [`Hooks::default`] has none, and costs nothing.
#[derive(Debug, Default)]
pub struct Hooks {
    wanted: Vec<Kind>,
    shared: Arc<Shared>,
    queue: Mutex<Option<Sender<Event>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind.name())
    }
}

impl Hooks {
    /// The hooks of these settings. A thread is started where there is one.
    #[must_use]
    pub fn start(settings: &config::Hooks) -> Self {
        let wanted: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| !kind.command(settings).is_empty()).collect();
        if wanted.is_empty() {
            return Self::default();
        }
        let shared = Arc::new(Shared::default());
        let (queue, events) = bounded(QUEUE);
        let worker =
            Worker { settings: settings.clone(), shared: Arc::clone(&shared), failures: [0; 5], off: Vec::new() };
        match std::thread::Builder::new().name("hooks".into()).spawn(move || worker.run(&events)) {
            Ok(thread) => Self { wanted, shared, queue: Mutex::new(Some(queue)), thread: Mutex::new(Some(thread)) },
            Err(error) => {
                tracing::warn!("no hook is run: no thread: {error}");
                Self::default()
            }
        }
    }

    /// Whether anybody wants to know.
    #[must_use]
    pub fn wants(&self, kind: Kind) -> bool {
        self.wanted.contains(&kind)
    }

    /// A file was heard, and that is in the database.
    pub fn heard(&self, store: &Store, file: i64) {
        if !self.wants(Kind::Heard) {
            return;
        }
        let look = || -> Result<Option<Value>, crate::store::StoreError> {
            let Some(row) = store.file(file)? else { return Ok(None) };
            let mix = store.mix(row.track)?;
            let model = store.analysis(row.track)?.map(|analysis| analysis.model);
            let shares: Map<String, Value> = mix
                .iter()
                .flat_map(|mix| mix.won().iter().map(|(genre, won)| (genre.slug().to_owned(), share(*won, mix))))
                .collect();
            Ok(Some(with_path(
                &row.path,
                json!({
                    "title": row.tags.title, "artist": row.tags.artist, "album": row.tags.album,
                    "duration_ms": row.duration_ms, "mix": shares,
                    "unsure": mix.as_ref().map(|mix| share(mix.unsure(), mix)),
                    "source": mix.as_ref().map(Mix::source), "model": model,
                }),
            )))
        };
        match look() {
            Ok(Some(what)) => self.tell(Kind::Heard, what),
            Ok(None) => {}
            Err(error) => tracing::warn!("on_heard: {error}"),
        }
    }

    /// Genres were written into a file by a run of the history.
    pub fn tagged(&self, path: &Path, from: &[String], to: &[String], run: i64) {
        if self.wants(Kind::Tagged) {
            self.tell(Kind::Tagged, with_path(path, json!({"from": from, "to": to, "run": run})));
        }
    }

    /// A file could not be heard.
    pub fn failed(&self, path: &Path, stage: &str, reason: &str) {
        if self.wants(Kind::Failed) {
            self.tell(Kind::Failed, with_path(path, json!({"stage": stage, "reason": reason})));
        }
    }

    /// A file is gone.
    pub fn missing(&self, path: &Path) {
        if self.wants(Kind::Missing) {
            self.tell(Kind::Missing, with_path(path, json!({})));
        }
    }

    /// A scan ended; told on when it found something.
    pub fn scanned(&self, what: Scanned) {
        let Scanned { seen, heard, known, failed, gone, seconds } = what;
        if self.wants(Kind::Scanned) && heard + known + failed + gone > 0 {
            let counts = json!({
                "seen": seen, "heard": heard, "known": known, "failed": failed, "gone": gone, "seconds": seconds,
            });
            self.tell(Kind::Scanned, counts);
        }
    }

    fn tell(&self, kind: Kind, what: Value) {
        let mut event = Map::new();
        event.insert("event".to_owned(), kind.name().into());
        event.insert("version".to_owned(), VERSION.into());
        event.insert("time".to_owned(), jiff::Timestamp::now().to_string().into());
        if let Value::Object(what) = what {
            event.extend(what);
        }
        let mut json = Value::Object(event).to_string().into_bytes();
        json.push(b'\n');
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = queue.as_ref() else { return };
        if let Err(TrySendError::Full(_)) = queue.try_send(Event { kind, json })
            && self.shared.left_out.fetch_add(1, Ordering::Relaxed) == 0
        {
            tracing::warn!("the hooks are slower than what happens: some events are left out");
        }
    }

    /// Let the hooks that wait be run, then end. Once `cancel` is set they have two seconds left; a hook that had
    /// to be ended for its time ends the waiting as well.
    pub fn close(&self, cancel: &AtomicBool) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.shared.closing.store(true, Ordering::Relaxed);
        let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let since = Instant::now();
        let mut said = false;
        while !thread.is_finished() {
            if cancel.load(Ordering::Relaxed) {
                self.shared.hurry.get_or_init(Instant::now);
            } else if !said && since.elapsed() > GRACE {
                said = true;
                tracing::warn!("waiting for hooks; Ctrl-C ends them");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // It has said itself why it ended.
        let _ = thread.join();
        let left_out = self.shared.left_out.load(Ordering::Relaxed);
        if left_out > 0 {
            tracing::warn!("{left_out} events reached no hook");
        }
    }
}

impl Drop for Hooks {
    fn drop(&mut self) {
        self.close(&AtomicBool::new(true));
    }
}

struct Worker {
    settings: config::Hooks,
    shared: Arc<Shared>,
    failures: [u64; 5],
    /// Those that cannot be started at all.
    off: Vec<Kind>,
}

impl Worker {
    fn run(mut self, events: &Receiver<Event>) {
        for event in events {
            if self.shared.out_of_time() {
                self.shared.left_out.fetch_add(1, Ordering::Relaxed);
            } else if !self.off.contains(&event.kind) {
                self.one(&event);
            }
        }
    }

    fn one(&mut self, event: &Event) {
        let limit = Duration::from_secs(u64::from(self.settings.timeout_seconds));
        let started = Instant::now();
        let shared = &self.shared;
        let late = || started.elapsed() >= limit || shared.out_of_time();
        let name = format!("on_{}", event.kind.name());
        match run::run(event.kind.command(&self.settings), event.kind.name(), &event.json, &late) {
            Ok(said) => tracing::debug!("{name}: {said}"),
            Err(run::Fault::NoStart(error)) => {
                self.off.push(event.kind);
                let program = event.kind.command(&self.settings).first().map_or("", String::as_str);
                tracing::warn!("{name}: {program} does not start: {error}; it is not tried again");
            }
            Err(run::Fault::Late(said)) => {
                self.say(event.kind, &format!("{name}: ended after {:.1} s{said}", started.elapsed().as_secs_f64()));
                if self.shared.closing.load(Ordering::Relaxed) {
                    // It would be the same with the next, and somebody waits.
                    let _ = self.shared.hurry.set(started.checked_sub(GRACE).unwrap_or(started));
                }
            }
            Err(run::Fault::Failed(how)) => self.say(event.kind, &format!("{name}: {how}")),
        }
    }

    fn say(&mut self, kind: Kind, what: &str) {
        let failures = &mut self.failures[kind as usize];
        *failures += 1;
        if *failures <= ALOUD || failures.is_power_of_two() {
            tracing::warn!("{what}");
        }
    }
}

fn share(won: u32, mix: &Mix) -> Value {
    ((f64::from(won) / f64::from(mix.chunks()) * 10_000.0).round() / 10_000.0).into()
}

/// `object` with a path in front: as text, and as bytes where it is not UTF-8.
fn with_path(path: &Path, object: Value) -> Value {
    let mut with = Map::new();
    with.insert("path".to_owned(), path.to_string_lossy().into());
    if path.to_str().is_none()
        && let Ok(bytes) = serde_json::to_value(Base64(path_bytes(path).to_vec()))
    {
        with.insert("path_bytes".to_owned(), bytes);
    }
    if let Value::Object(object) = object {
        with.extend(object);
    }
    with.into()
}
