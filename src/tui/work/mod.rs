//! The workers: everything of the UI that reads, writes or waits.
//!
//! Seven threads, each with its own connection and a mailbox in which a newer wish replaces an older one of the
//! same kind: `library` (rows, views, search), `detail` (one track, models, failures), `study` (what needs all tracks
//! at once: the review queue, look-alikes, the map), `writer` (what the user says, the player, playlists), `tags`
//! (previews, writes, the way back), `jobs` (listening) and `learn` (retraining, and which model is in force). They
//! answer with [`Done`] events and know no screen.

mod detail;
mod jobs;
mod learn;
mod library;
mod mailbox;
mod report;
mod search;
mod study;
mod tags;
mod writer;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use crossbeam_channel::Sender;
use deepcuts_protocol::ModelCard;

use self::mailbox::Mailbox;
use super::event::{Ask, Done, Event, Said};
use crate::{config::Config, ears, hooks::Hooks, paths::Paths, store::Store};

/// Finds the ears and the model when there is something to hear.
pub type EarsSetup = dyn Fn() -> anyhow::Result<(ears::Setup, ModelCard)> + Send + Sync;

/// What the workers work with.
#[derive(Clone)]
pub struct Context {
    /// The settings.
    pub config: Config,
    /// The places.
    pub paths: Paths,
    /// How the ears are started.
    pub ears: Arc<EarsSetup>,
    /// Whether genres are written as tracks are heard; the user may say so while the UI is open.
    pub auto_write: Arc<AtomicBool>,
}

impl Context {
    /// A connection that reads; without one the thread that asked has said why, and is over.
    fn reader(&self, out: &Out) -> Option<Store> {
        Store::open_reader(&self.paths.database).map_err(|error| out.bad(&error)).ok()
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("paths", &self.paths).finish_non_exhaustive()
    }
}

/// Where workers say what they have.
#[derive(Clone, Debug)]
struct Out {
    events: Sender<Event>,
}

impl Out {
    /// Tell the UI. When it is gone there is nobody to tell.
    fn done(&self, done: Done) {
        let _ = self.events.send(Event::Done(done));
    }

    fn bad(&self, what: impl std::fmt::Display) {
        self.done(Done::Said(Said::bad(format!("{what:#}"))));
    }
}

/// The workers.
#[derive(Debug)]
pub struct Workers {
    library: Arc<Mailbox<library::Wish>>,
    detail: Arc<Mailbox<Ask>>,
    study: Arc<Mailbox<Ask>>,
    writer: Arc<Mailbox<Ask>>,
    jobs: Arc<Mailbox<Ask>>,
    tags: Arc<Mailbox<Ask>>,
    learn: Arc<Mailbox<Ask>>,
    cancel: Arc<Cancel>,
    hooks: Arc<Hooks>,
    threads: Vec<JoinHandle<()>>,
}

/// What tells a worker to stop what it is at.
#[derive(Debug, Default)]
struct Cancel {
    jobs: Arc<AtomicBool>,
    tags: AtomicBool,
    learn: Arc<AtomicBool>,
}

impl Workers {
    /// Start them; they answer on `events`.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(context: &Context, events: Sender<Event>) -> std::io::Result<Self> {
        let out = Out { events };
        let mut workers = Self {
            library: Arc::default(),
            detail: Arc::default(),
            study: Arc::default(),
            writer: Arc::default(),
            jobs: Arc::default(),
            tags: Arc::default(),
            learn: Arc::default(),
            cancel: Arc::default(),
            hooks: Arc::new(Hooks::start(&context.config.hooks)),
            threads: Vec::new(),
        };
        let library = Arc::clone(&workers.library);
        workers.spawn(&out, context, "library", move |out, context| library::run(&library, out, context))?;
        let mail = Arc::clone(&workers.detail);
        workers.spawn(&out, context, "detail", move |out, context| detail::run(&mail, out, context))?;
        let mail = Arc::clone(&workers.study);
        workers.spawn(&out, context, "study", move |out, context| study::run(&mail, out, context))?;
        let (mail, nudge) = (Arc::clone(&workers.writer), Arc::clone(&workers.library));
        workers.spawn(&out, context, "writer", move |out, context| writer::run(&mail, out, context, &nudge))?;
        let (mail, nudge) = (Arc::clone(&workers.jobs), Arc::clone(&workers.library));
        let (cancel, hooks) = (Arc::clone(&workers.cancel.jobs), Arc::clone(&workers.hooks));
        workers.spawn(&out, context, "jobs", move |out, context| {
            jobs::run(&mail, out, context, &nudge, &cancel, &hooks);
        })?;
        let (mail, nudge) = (Arc::clone(&workers.tags), Arc::clone(&workers.library));
        let (cancel, hooks) = (Arc::clone(&workers.cancel), Arc::clone(&workers.hooks));
        workers.spawn(&out, context, "tags", move |out, context| {
            tags::run(&mail, out, context, &nudge, &cancel.tags, &hooks);
        })?;
        let (mail, nudge) = (Arc::clone(&workers.learn), Arc::clone(&workers.library));
        let cancel = Arc::clone(&workers.cancel.learn);
        workers.spawn(&out, context, "learn", move |out, context| learn::run(&mail, out, context, &nudge, &cancel))?;
        Ok(workers)
    }

    fn spawn(
        &mut self,
        out: &Out,
        context: &Context,
        name: &'static str,
        work: impl FnOnce(&Out, &Context) + Send + 'static,
    ) -> std::io::Result<()> {
        let (out, context) = (out.clone(), context.clone());
        let guarded = move || {
            if catch_unwind(AssertUnwindSafe(|| work(&out, &context))).is_err() {
                out.bad(format!("the {name} worker has failed; the log says why. Quit and start again"));
            }
        };
        self.threads.push(std::thread::Builder::new().name(format!("ui-{name}")).spawn(guarded)?);
        Ok(())
    }

    /// Hand a wish to the worker that can fulfil it. Never waits.
    pub fn ask(&self, ask: Ask) {
        match ask {
            Ask::View(..) | Ask::Discard(_) | Ask::Complete(_) | Ask::Why(..) => {
                self.library.put(library::Wish::Ask(ask), |old, new| match (old, new) {
                    (library::Wish::Ask(old), library::Wish::Ask(new)) => replaces(old, new),
                    _ => false,
                });
            }
            Ask::Detail(_) | Ask::Similar(_) | Ask::Failures | Ask::Models | Ask::Report(_) | Ask::Saved => {
                self.detail.put(ask, replaces);
            }
            Ask::Review | Ask::LookAlikes(..) | Ask::Map => self.study.put(ask, replaces),
            Ask::Correct(_)
            | Ask::UndoCorrection
            | Ask::Play(_)
            | Ask::Export(..)
            | Ask::Keep(..)
            | Ask::SaveSearch(..)
            | Ask::ForgetSearch(_) => {
                self.writer.put(ask, |_, _| false);
            }
            Ask::LeaveTags => self.cancel.tags.store(true, Ordering::Relaxed),
            Ask::PreviewTags(_)
            | Ask::WriteTags(_)
            | Ask::History
            | Ask::UndoRun(_)
            | Ask::Offer
            | Ask::Offered
            | Ask::AutoWrite => self.tags.put(ask, |_, _| false),
            Ask::Pause | Ask::Stop => self.cancel.jobs.store(true, Ordering::Relaxed),
            Ask::Scan { .. } | Ask::Stay => {
                // What goes on makes room first.
                self.cancel.jobs.store(true, Ordering::Relaxed);
                self.jobs.put(ask, |_, _| false);
            }
            Ask::StopRetrain => self.cancel.learn.store(true, Ordering::Relaxed),
            Ask::Retrain | Ask::AcceptRetrained | Ask::RejectRetrained | Ask::UseModel(_) | Ask::Rollback => {
                self.learn.put(ask, |_, _| false);
            }
        }
    }

    /// Let them finish what they are at and end.
    pub fn stop(self) {
        self.library.close();
        for mail in [&self.detail, &self.study, &self.writer, &self.jobs, &self.tags, &self.learn] {
            mail.close();
        }
        for cancel in [&*self.cancel.jobs, &self.cancel.tags, &*self.cancel.learn] {
            cancel.store(true, Ordering::Relaxed);
        }
        for thread in self.threads {
            // A worker that panicked has said so already.
            let _ = thread.join();
        }
        self.hooks.close(&self.cancel.jobs);
    }
}

/// Whether a newer wish makes an older one needless.
fn replaces(old: &Ask, new: &Ask) -> bool {
    match (old, new) {
        (Ask::View(a, _), Ask::View(b, _)) => a == b,
        (Ask::Detail(_), Ask::Detail(_))
        | (Ask::Complete(_), Ask::Complete(_))
        | (Ask::Similar(_), Ask::Similar(_))
        | (Ask::Why(..), Ask::Why(..))
        | (Ask::Review, Ask::Review)
        | (Ask::LookAlikes(..), Ask::LookAlikes(..))
        | (Ask::Map, Ask::Map)
        | (Ask::Report(_), Ask::Report(_))
        | (Ask::Failures, Ask::Failures)
        | (Ask::Models, Ask::Models)
        | (Ask::Saved, Ask::Saved) => true,
        _ => false,
    }
}
