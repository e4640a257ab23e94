//! A run: what would be written into which files, and writing it, file after file.
//!
//! The command line, the terminal UI and the scan all come here: [`preview`] touches nothing, a [`Writer`]
//! writes what was previewed, one file at a time, so that whoever drives it can stop between two files.

use std::{fs::File, path::Path};

use super::{
    Refusal,
    edit::{self, Wanted},
    plan::{self, Kept, Verdict},
    read,
    write::{self, Change, Options, Target, WriteError},
};
use crate::{
    config::Tags as Rules,
    genre::Taxonomy,
    payload::{self, Source},
    store::{FileRow, Store, StoreError},
    track::{AudioId, FileStamp, Format},
};

/// A file that would change.
#[derive(Clone, Debug)]
pub struct Item {
    /// The library's row.
    pub file: FileRow,
    /// Its container.
    pub format: Format,
    /// What it says now.
    pub from: Vec<String>,
    /// What it would say.
    pub to: Vec<String>,
    /// Fields of shares that would be written: (name, value).
    pub shares: Vec<(String, String)>,
    /// What else happens to it, for people.
    pub notes: Vec<String>,
    /// Size of the file that is written anew, bytes; what a sync program may have to send.
    pub bytes: u64,
    /// Which of the new genres count as ours.
    ours: Vec<String>,
    wanted: Wanted,
    audio: AudioId,
    stamp: FileStamp,
}

/// What would happen to a file.
#[derive(Clone, Debug)]
pub enum Outlook {
    /// It would change.
    Change(Box<Item>),
    /// It says the same already.
    Equal,
    /// It is let be.
    Kept(Kept),
    /// It cannot be written safely.
    Refused(String),
}

/// What would happen to `file`; with `hard_links`, also where it has several.
///
/// # Errors
/// What the store says; all that is wrong with the file is an [`Outlook::Refused`].
pub fn preview(
    store: &Store,
    file: &FileRow,
    rules: &Rules,
    taxonomy: &Taxonomy,
    hard_links: bool,
) -> Result<Outlook, StoreError> {
    let Some(mix) = store.mix(file.track)? else { return Ok(Outlook::Kept(Kept::NotHeard)) };
    let written = file.written_genres.as_deref();
    let shares = if rules.write_shares { plan::shares(&mix) } else { Vec::new() };
    look(store, file, rules, hard_links, &|current, capacity| {
        let to = match plan::decide(current, written, Some(&mix), capacity, taxonomy, rules) {
            Verdict::Keep(kept) => return Plan::Stop(Outlook::Kept(kept)),
            Verdict::Equal if shares.is_empty() => return Plan::Stop(Outlook::Equal),
            Verdict::Equal => current.to_vec(),
            Verdict::Write(genres) => genres,
        };
        let theirs: Vec<&String> = current.iter().filter(|g| !written.unwrap_or_default().contains(g)).collect();
        let ours = match rules.policy {
            crate::config::Policy::Merge => to.iter().filter(|g| !theirs.contains(g)).cloned().collect(),
            _ if to == current => written.unwrap_or_default().to_vec(),
            _ => to.clone(),
        };
        let shares = rules.write_shares.then(|| shares.clone());
        Plan::Write { to, ours, shares }
    })
}

/// What would happen to `file` if it were to say `to`, whatever was heard; `ours` of that counts as ours afterwards.
///
/// # Errors
/// As [`preview`].
pub fn preview_as(
    store: &Store,
    file: &FileRow,
    rules: &Rules,
    to: &[String],
    ours: &[String],
    hard_links: bool,
) -> Result<Outlook, StoreError> {
    look(store, file, rules, hard_links, &|_, capacity| {
        let to = to.iter().take(capacity).cloned().collect();
        Plan::Write { to, ours: ours.to_vec(), shares: None }
    })
}

/// What is to become of a file that says something now.
enum Plan {
    Stop(Outlook),
    /// `shares`: which fields of shares it gets, none if those are left as they are.
    Write {
        to: Vec<String>,
        ours: Vec<String>,
        shares: Option<Vec<(String, String)>>,
    },
}

/// Look at a file, ask `plan` (of what it says, and of how many genres it has room for), and try that on a view of it.
fn look(
    store: &Store,
    file: &FileRow,
    rules: &Rules,
    hard_links: bool,
    plan: &dyn Fn(&[String], usize) -> Plan,
) -> Result<Outlook, StoreError> {
    let Some(audio) = store.audio(file.track)? else { return Ok(Outlook::Kept(Kept::NotHeard)) };
    let look = || -> Result<Outlook, Refusal> {
        let open = File::open(&file.path)?;
        let metadata = open.metadata()?;
        let stamp = FileStamp::of(&metadata);
        let format = payload::sniff(&open)?.ok_or_else(|| Refusal::new("it is no audio file any more"))?;
        if stamp != file.stamp && payload::identify(&open)?.id != audio {
            return Err(Refusal::new("its audio is not what was heard; scan it again"));
        }
        edit::supported(format)?;
        let current = current(&file.path, format, &rules.joiner)?;
        let capacity = edit::capacity(&Source::new(&open)?, format)?;
        let (to, ours, shares) = match plan(&current, capacity) {
            Plan::Stop(outlook) => return Ok(outlook),
            Plan::Write { to, ours, shares } => (to, ours, shares),
        };
        let wanted = Wanted {
            genres: to.clone(),
            own_shares: shares.is_some(),
            shares: shares.clone().unwrap_or_default(),
            joiner: rules.joiner.clone(),
        };
        write::look(&file.path, &open, format, hard_links)?;
        let (splices, notes) = write::preview(&open, format, &wanted)?;
        if splices.list().is_empty() {
            return Ok(Outlook::Equal);
        }
        let bytes = metadata.len().saturating_add_signed(splices.delta());
        let (file, shares) = (file.clone(), shares.unwrap_or_default());
        let item = Item { file, format, from: current, to, shares, notes, bytes, ours, wanted, audio, stamp };
        Ok(Outlook::Change(Box::new(item)))
    };
    Ok(look().unwrap_or_else(|refusal| Outlook::Refused(refusal.reason)))
}

fn current(path: &Path, format: Format, joiner: &str) -> Result<Vec<String>, Refusal> {
    read::parse(path, format, false)
        .map(|tags| tags.file_tags(joiner).genres)
        .map_err(|error| Refusal::new(error.to_string()))
}

/// How many files a run has written, and not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Written.
    pub written: u64,
    /// Found to say the same already.
    pub equal: u64,
    /// Refused: (path, reason).
    pub refused: Vec<(std::path::PathBuf, String)>,
    /// Written by plain renaming, because the file system cannot exchange names.
    pub renamed: u64,
}

/// A run in progress.
pub struct Writer<'a> {
    store: &'a Store,
    run: i64,
    options: Options,
    report: Report,
}

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 3600 * 1000;

impl<'a> Writer<'a> {
    /// Begin a run that is called `what` in the history.
    ///
    /// # Errors
    /// What the store says.
    pub fn begin(store: &'a Store, what: &str, options: Options, undo_days: u32) -> Result<Self, StoreError> {
        store.prune_patches(i64::from(undo_days) * DAY_MS)?;
        Ok(Self { store, run: store.begin_run("tag", what)?, options, report: Report::default() })
    }

    /// Begin a run that takes writes back. It forgets no way back: it may be about to need the oldest.
    pub(super) fn begin_undo(store: &'a Store, what: &str, options: Options) -> Result<Self, StoreError> {
        Ok(Self { store, run: store.begin_run("undo", what)?, options, report: Report::default() })
    }

    /// Go on with a run that was paused.
    #[must_use]
    pub fn go_on(store: &'a Store, run: i64, options: Options) -> Self {
        Self { store, run, options, report: Report::default() }
    }

    /// Leave the run open, to go on later.
    pub fn pause(self) -> Report {
        self.report
    }

    /// The run's number in the history.
    #[must_use]
    pub fn run(&self) -> i64 {
        self.run
    }

    /// Write one file. The inner error is why it was not written, and nothing is harmed.
    ///
    /// # Errors
    /// When the journal cannot be kept: then nothing more may be written.
    pub fn write(&mut self, item: &Item) -> Result<Result<(), Refusal>, StoreError> {
        let target = Target {
            run: self.run,
            file: Some(item.file.id),
            path: &item.file.path,
            format: item.format,
            audio: Some(item.audio),
            stamp: Some(item.stamp),
            old_genres: &item.from,
            new_genres: &item.to,
            written: Some(&item.ours),
            undoes: None,
        };
        self.one(&target, &Change::Items(&item.wanted))
    }

    pub(super) fn one(&mut self, target: &Target<'_>, change: &Change<'_>) -> Result<Result<(), Refusal>, StoreError> {
        match write::write(self.store, target, change, &self.options) {
            Ok(Some(swapped)) => {
                self.report.written += 1;
                self.options.hooks.tagged(target.path, target.old_genres, target.new_genres, self.run);
                self.report.renamed += u64::from(!swapped.exchanged);
                Ok(Ok(()))
            }
            Ok(None) => {
                self.report.equal += 1;
                Ok(Ok(()))
            }
            Err(WriteError::Refused(refusal) | WriteError::Open(refusal)) => {
                self.report.refused.push((target.path.to_path_buf(), refusal.reason.clone()));
                Ok(Err(refusal))
            }
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    /// End the run.
    ///
    /// # Errors
    /// What the store says.
    pub fn end(self) -> Result<Report, StoreError> {
        self.store.end_run(self.run)?;
        Ok(self.report)
    }
}
