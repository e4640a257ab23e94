//! `prune`, `backup` and `restore`: what the library remembers is people's work.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde_json::json;

use super::{Desk, Outcome, with_path};
use crate::{
    cli::{BackupArgs, Form, PruneArgs, RestoreArgs},
    role::Role,
    store::{Store, StoreError, now_ms},
    text::clean_path,
};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

pub(super) fn prune(desk: &Desk, args: &PruneArgs) -> anyhow::Result<Outcome> {
    let store = desk.store()?;
    let before = now_ms() - i64::from(args.days) * DAY_MS;
    let gone = store.missing_since(before)?;
    let mut out = std::io::stdout().lock();
    if args.format == Form::Table {
        for path in &gone {
            writeln!(out, "{}", clean_path(path))?;
        }
    }
    let forgotten = if args.dry_run {
        0
    } else {
        let _role = Role::take(&desk.paths.lock())?;
        store.prune_missing(before)?
    };
    match (args.format, args.dry_run) {
        (Form::Json, _) => {
            let files: Vec<_> = gone.iter().map(|path| with_path(path, json!({}))).collect();
            writeln!(out, "{:#}", json!({"files": files, "forgotten": forgotten}))?;
        }
        (Form::Table, true) => writeln!(out, "{} would be forgotten", gone.len())?,
        (Form::Table, false) => {
            writeln!(out, "{forgotten} forgotten; corrections are kept, should the audio come back")?;
        }
    }
    Ok(Outcome::Good)
}

pub(super) fn backup(desk: &Desk, args: &BackupArgs) -> anyhow::Result<Outcome> {
    let store = desk.reader()?;
    store.backup_to(&args.to).with_context(|| "the backup was not made")?;
    let size = fs::metadata(&args.to).map(|m| m.len()).unwrap_or_default();
    writeln!(std::io::stdout(), "{}  {:.1} MB", clean_path(&args.to), size as f64 / 1e6)?;
    Ok(Outcome::Good)
}

pub(super) fn restore(desk: &Desk, args: &RestoreArgs) -> anyhow::Result<Outcome> {
    anyhow::ensure!(args.from.exists(), "{}: there is no such file", clean_path(&args.from));
    let _role = Role::take(&desk.paths.lock())?;
    // It must be a library that this program reads, and whole, before anything is moved.
    let backup = Store::open_backup(&args.from)?;
    let damage = backup.integrity()?;
    anyhow::ensure!(damage.is_empty(), "{}: damaged: {}", clean_path(&args.from), damage.join("; "));
    let database = &desk.paths.database;
    let arriving = beside(database, ".restoring");
    let _ = fs::remove_file(&arriving);
    backup.backup_to(&arriving)?;
    let mut kept = None;
    if database.exists() {
        // Its log is worked into it first, so that what is kept aside is whole.
        let aside = beside(database, &format!(".before-restore-{}", now_ms()));
        match Store::open_reader(database).and_then(|now| now.backup_to(&aside)) {
            // It is damaged: as it is, it is all that there is.
            Err(StoreError::Malformed { .. }) => drop(fs::copy(database, &aside).with_context(|| clean_path(&aside))?),
            copied => {
                copied?;
                // What its log holds is worked into it before the log goes: killed in between, it is whole.
                drop(Store::open(database)?);
            }
        }
        kept = Some(aside);
    }
    for log in ["-wal", "-shm"] {
        let _ = fs::remove_file(beside(database, log));
    }
    fs::rename(&arriving, database).with_context(|| clean_path(database))?;
    let _ = fs::remove_dir_all(&desk.paths.index);
    let mut out = std::io::stdout().lock();
    writeln!(out, "restored {}", clean_path(&args.from))?;
    if let Some(kept) = kept {
        writeln!(out, "what was there before is kept as {}", clean_path(&kept))?;
    }
    Ok(Outcome::Good)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
