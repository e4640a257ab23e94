//! The workers: everything of the UI that reads, writes or waits.
//!
//! Five threads, each with its own connection and a mailbox in which a newer wish replaces an older one of the
//! same kind: `library` (rows, views, search), `detail` (one track, models, failures), `writer` (what the user
//! says, the player, playlists), `tags` (previews, writes, the way back) and `jobs` (listening). They answer with [`Done`] events and know no screen.

mod detail;
mod jobs;
mod library;
mod mailbox;
mod search;
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
use crate::{config::Config, ears, hooks::Hooks, paths::Paths};

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
    writer: Arc<Mailbox<Ask>>,
    jobs: Arc<Mailbox<Ask>>,
    tags: Arc<Mailbox<Ask>>,
    cancel_tags: Arc<AtomicBool>,
    cancel: Arc<AtomicBool>,
    hooks: Arc<Hooks>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Start them; they answer on `events`.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(context: &Context, events: Sender<Event>) -> std::io::Result<Self> {
        let out = Out { events };
        let cancel = Arc::new(AtomicBool::new(false));
        let (library, detail) = (Arc::new(Mailbox::default()), Arc::new(Mailbox::default()));
        let (writer, jobs) = (Arc::new(Mailbox::default()), Arc::new(Mailbox::default()));
        let hooks = Arc::new(Hooks::start(&context.config.hooks));
        let mut threads = Vec::new();
        let mut spawn = |name: &str, work: Box<dyn FnOnce() + Send>| -> std::io::Result<()> {
            let out = out.clone();
            let named = name.to_owned();
            let guarded = move || {
                if catch_unwind(AssertUnwindSafe(work)).is_err() {
                    out.bad(format!("the {named} worker has failed; the log says why. Quit and start again"));
                }
            };
            threads.push(std::thread::Builder::new().name(format!("ui-{name}")).spawn(guarded)?);
            Ok(())
        };
        {
            let (mail, out, context) = (Arc::clone(&library), out.clone(), context.clone());
            spawn("library", Box::new(move || library::run(&mail, &out, &context)))?;
        }
        {
            let (mail, out, context) = (Arc::clone(&detail), out.clone(), context.clone());
            spawn("detail", Box::new(move || detail::run(&mail, &out, &context)))?;
        }
        {
            let (mail, out, context, nudge) = (Arc::clone(&writer), out.clone(), context.clone(), Arc::clone(&library));
            spawn("writer", Box::new(move || writer::run(&mail, &out, &context, &nudge)))?;
        }
        {
            let (mail, out, context, nudge) = (Arc::clone(&jobs), out.clone(), context.clone(), Arc::clone(&library));
            let (cancel, hooks) = (Arc::clone(&cancel), Arc::clone(&hooks));
            spawn("jobs", Box::new(move || jobs::run(&mail, &out, &context, &nudge, &cancel, &hooks)))?;
        }
        let (tags, cancel_tags) = (Arc::new(Mailbox::default()), Arc::new(AtomicBool::new(false)));
        {
            let (mail, out, context, nudge) = (Arc::clone(&tags), out.clone(), context.clone(), Arc::clone(&library));
            let (cancel, hooks) = (Arc::clone(&cancel_tags), Arc::clone(&hooks));
            spawn("tags", Box::new(move || tags::run(&mail, &out, &context, &nudge, &cancel, &hooks)))?;
        }
        Ok(Self { library, detail, writer, jobs, tags, cancel_tags, cancel, hooks, threads })
    }

    /// Hand a wish to the worker that can fulfil it. Never waits.
    pub fn ask(&self, ask: Ask) {
        match ask {
            Ask::View(..) | Ask::Discard(_) | Ask::Complete(_) => {
                self.library.put(library::Wish::Ask(ask), |old, new| match (old, new) {
                    (library::Wish::Ask(old), library::Wish::Ask(new)) => replaces(old, new),
                    _ => false,
                });
            }
            Ask::Detail(_) | Ask::Similar(_) | Ask::Failures | Ask::Models => self.detail.put(ask, replaces),
            Ask::Correct(_) | Ask::UndoCorrection(_) | Ask::Play(_) | Ask::Export(..) | Ask::Keep(..) => {
                self.writer.put(ask, |_, _| false);
            }
            Ask::LeaveTags => self.cancel_tags.store(true, Ordering::Relaxed),
            Ask::PreviewTags(_) | Ask::WriteTags(_) | Ask::History | Ask::UndoRun(_) => {
                self.tags.put(ask, |_, _| false);
            }
            Ask::Pause | Ask::Stop => self.cancel.store(true, Ordering::Relaxed),
            Ask::Scan { .. } | Ask::Stay => {
                // What goes on makes room first.
                self.cancel.store(true, Ordering::Relaxed);
                self.jobs.put(ask, |_, _| false);
            }
        }
    }

    /// Let them finish what they are at and end.
    pub fn stop(self) {
        self.library.close();
        self.detail.close();
        self.writer.close();
        self.jobs.close();
        self.tags.close();
        self.cancel_tags.store(true, Ordering::Relaxed);
        self.cancel.store(true, Ordering::Relaxed);
        for thread in self.threads {
            // A worker that panicked has said so already.
            let _ = thread.join();
        }
        self.hooks.close(&self.cancel);
    }
}

/// Whether a newer wish makes an older one needless.
fn replaces(old: &Ask, new: &Ask) -> bool {
    match (old, new) {
        (Ask::View(a, _), Ask::View(b, _)) => a == b,
        (Ask::Detail(_), Ask::Detail(_))
        | (Ask::Complete(_), Ask::Complete(_))
        | (Ask::Similar(_), Ask::Similar(_))
        | (Ask::Failures, Ask::Failures)
        | (Ask::Models, Ask::Models) => true,
        _ => false,
    }
}
