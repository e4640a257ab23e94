//! The tag worker: previews, writes and takes back, file after file, so that it can stop between two.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::{Context, Mailbox, Out, library::Wish, mailbox::Mail};
use crate::{
    hooks::Hooks,
    store::Store,
    tags::{self, Item, Options, Outlook, Undo, Way, Writer},
    text::{clean, clean_path},
    tui::{
        data::thousands,
        event::{Ask, Done, Said},
        screens::{
            history::{Run, Written},
            tags::{Change, Preview},
        },
    },
};

/// Files of a run that the history shows.
const SHOWN: usize = 200;

/// Progress is told no more often than this.
const TELL: Duration = Duration::from_millis(100);

/// In the store's small settings: the listener has seen a preview and said yes.
const CONFIRMED: &str = "tags_confirmed";

/// In the store's small settings: writing as tracks are heard was offered.
const OFFERED: &str = "auto_write_offered";

/// Files that the offer looks at: enough to see what would be written, few enough to be there at once.
const OFFER_LOOKS_AT: usize = 60;

/// Run until the mailbox is closed.
pub fn run(
    mail: &Mailbox<Ask>,
    out: &Out,
    context: &Context,
    nudge: &Mailbox<Wish>,
    cancel: &AtomicBool,
    hooks: &Arc<Hooks>,
) {
    let mut worker = Worker { out, context, nudge, cancel, hooks, store: None, items: HashMap::new() };
    loop {
        let Mail::One(ask) = mail.take(None) else { return };
        cancel.store(false, Ordering::Relaxed);
        if mail.is_closed() {
            return;
        }
        let answered = match ask {
            Ask::PreviewTags(files) => worker.preview(&files),
            Ask::WriteTags(files) => worker.write(&files),
            Ask::History => worker.history(),
            Ask::UndoRun(run) => worker.undo(run),
            Ask::Offer => worker.offer(),
            Ask::Offered => worker.offered(),
            Ask::AutoWrite => worker.auto_write(),
            _ => Ok(()),
        };
        if let Err(error) = answered {
            out.bad(error);
            out.done(Done::TagsEnded);
        }
    }
}

struct Worker<'a> {
    out: &'a Out,
    context: &'a Context,
    nudge: &'a Mailbox<Wish>,
    cancel: &'a AtomicBool,
    hooks: &'a Arc<Hooks>,
    store: Option<Store>,
    /// What was previewed last, by file.
    items: HashMap<i64, Item>,
}

impl Worker<'_> {
    fn open(&mut self) -> anyhow::Result<()> {
        if self.store.is_none() {
            let store = Store::open(&self.context.paths.database)?;
            for recovered in tags::recover(&store)? {
                let said = format!("{}: {}", clean_path(&recovered.path), recovered.what);
                self.out.done(Done::Said(Said::note(said)));
            }
            self.store = Some(store);
        }
        Ok(())
    }

    fn store(&self) -> anyhow::Result<&Store> {
        self.store.as_ref().ok_or_else(|| anyhow::anyhow!("the database is not open"))
    }

    fn options(&self) -> Options {
        let rules = &self.context.config.tags;
        Options {
            keep_mtime: rules.keep_mtime,
            hard_links: false,
            no_undo: false,
            undo_max_bytes: rules.undo_max_bytes,
            hooks: Arc::clone(self.hooks),
        }
    }

    /// Whether writing as tracks are heard is to be offered: once, when something was heard and nothing decided.
    fn offer(&mut self) -> anyhow::Result<()> {
        let store = Store::open_reader(&self.context.paths.database)?;
        if self.context.auto_write.load(Ordering::Relaxed)
            || store.meta(OFFERED)?.is_some()
            || store.meta(CONFIRMED)?.is_some()
        {
            return Ok(());
        }
        let files: Vec<i64> = store.heard_since(0)?.into_iter().take(OFFER_LOOKS_AT).map(|file| file.id).collect();
        if files.is_empty() {
            return Ok(());
        }
        if let Some(preview) = self.look(&files)? {
            self.out.done(Done::Offer(Box::new(preview)));
        }
        Ok(())
    }

    fn offered(&mut self) -> anyhow::Result<()> {
        self.open()?;
        Ok(self.store()?.set_meta(OFFERED, "yes")?)
    }

    /// The user wants genres written as tracks are heard: from now on, and at every start.
    fn auto_write(&self) -> anyhow::Result<()> {
        let path = &self.context.paths.config;
        crate::config::edit::set(path, "tags", "auto_write", "true")?;
        self.context.auto_write.store(true, Ordering::Relaxed);
        self.out.done(Done::AutoWrite);
        let said = format!("[tags] auto_write = true in {}; H shows every write and takes it back", clean_path(path));
        self.out.done(Done::Said(Said::good(said)));
        Ok(())
    }

    fn preview(&mut self, files: &[i64]) -> anyhow::Result<()> {
        if let Some(preview) = self.look(files)? {
            self.out.done(Done::TagPreview(Box::new(preview)));
        }
        Ok(())
    }

    /// What would be written into these files; none when it was given up.
    fn look(&mut self, files: &[i64]) -> anyhow::Result<Option<Preview>> {
        self.open()?;
        let store = self.store()?;
        let rules = &self.context.config.tags;
        let taxonomy = store.taxonomy()?;
        let mut items = HashMap::new();
        let mut preview = Preview { policy: format!("{:?}", rules.policy).to_lowercase(), ..Preview::default() };
        let mut kept: BTreeMap<&'static str, usize> = BTreeMap::new();
        let mut told = Instant::now();
        for (i, file) in files.iter().enumerate() {
            if self.cancel.load(Ordering::Relaxed) {
                return Ok(None);
            }
            if told.elapsed() >= TELL {
                told = Instant::now();
                self.out.done(Done::TagProgress(i, files.len()));
            }
            let Some(row) = store.file(*file)? else { continue };
            let path = row.path.clone();
            match tags::preview(store, &row, rules, &taxonomy, false)? {
                Outlook::Change(item) => {
                    preview.changes.push(Change {
                        file: *file,
                        path,
                        from: item.from.clone(),
                        to: item.to.clone(),
                        notes: item.notes.clone(),
                        bytes: item.bytes,
                    });
                    items.insert(*file, *item);
                }
                Outlook::Equal => preview.equal += 1,
                Outlook::Kept(why) => *kept.entry(why.reason()).or_default() += 1,
                Outlook::Refused(reason) => preview.refused.push((path, reason)),
            }
        }
        preview.kept = kept.into_iter().map(|(why, n)| (why.to_owned(), n)).collect();
        self.items = items;
        Ok(Some(preview))
    }

    fn write(&mut self, files: &[i64]) -> anyhow::Result<()> {
        self.open()?;
        let store = self.store()?;
        store.set_meta(CONFIRMED, "yes")?;
        let mut writer =
            Writer::begin(store, "from the terminal UI", self.options(), self.context.config.tags.undo_days)?;
        let run = writer.run();
        let mut refused = None;
        let mut told = Instant::now();
        for (i, item) in files.iter().filter_map(|file| self.items.get(file)).enumerate() {
            if self.cancel.load(Ordering::Relaxed) {
                break;
            }
            if told.elapsed() >= TELL {
                told = Instant::now();
                self.out.done(Done::TagProgress(i, files.len()));
            }
            if let Err(refusal) = writer.write(item)? {
                refused.get_or_insert_with(|| format!("{}: {}", clean_path(&item.file.path), clean(&refusal.reason)));
            }
        }
        let report = writer.end()?;
        let mut said = format!("{} files written (run {run})", thousands(report.written as usize));
        if report.equal > 0 {
            said += &format!(", {} equal already", report.equal);
        }
        self.out.done(Done::TagsEnded);
        self.out.done(Done::Said(match refused {
            Some(first) => Said::bad(format!("{said}, {} refused, the first {first}", report.refused.len())),
            None => Said::good(format!("{said}   H shows it and takes it back")),
        }));
        self.nudge.look();
        Ok(())
    }

    fn history(&mut self) -> anyhow::Result<()> {
        self.open()?;
        let store = self.store()?;
        let mut runs = Vec::new();
        for row in store.runs()? {
            let writes = store
                .writes_of_run(row.id)?
                .into_iter()
                .take(SHOWN)
                .map(|w| Written { path: w.path, from: w.old_genres, to: w.new_genres, state: w.state.name() })
                .collect();
            runs.push(Run {
                id: row.id,
                kind: row.kind,
                what: row.what,
                started_ms: row.started_ms,
                done: row.done,
                refused: row.refused,
                undone: row.undone,
                writes,
            });
        }
        runs.sort_by_key(|run| std::cmp::Reverse(run.id));
        self.out.done(Done::History(runs));
        Ok(())
    }

    fn undo(&mut self, run: i64) -> anyhow::Result<()> {
        self.open()?;
        let store = self.store()?;
        let rules = &self.context.config.tags;
        let list = tags::ways_back(store, &Undo::Run(run), &rules.joiner)?;
        let bytes = list.iter().filter(|back| back.way == Way::Bytes).count();
        let what = format!("run {run}");
        let report = tags::undo(store, &list, &what, &rules.joiner, self.options(), &mut |_, _| {
            !self.cancel.load(Ordering::Relaxed)
        })?;
        let mut said = format!("{} files taken back, {bytes} byte for byte", thousands(report.written as usize));
        if let Some((path, reason)) = report.refused.first() {
            said += &format!("; {} skipped, the first {}: {reason}", report.refused.len(), clean_path(path));
        }
        self.out.done(Done::Said(Said::good(said)));
        self.nudge.look();
        self.history()
    }
}
