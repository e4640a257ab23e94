//! One short file a subcommand: read the arguments, call the room that does the work, print, and say how it
//! ended. stdout is data, stderr is talk.

mod audit;
mod correct;
mod doctor;
mod eval;
mod export;
mod genre;
mod history;
mod index;
mod manual;
mod models;
mod readers;
mod retrain;
mod review;
mod scan;
mod search;
mod select;
mod show;
mod similar;
mod status;
mod tag;
mod train;
mod tui;
mod undo;
mod upkeep;
mod watch;
mod write;

use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
};

use anyhow::Context as _;

use crate::{
    cli::{Cli, Command, Global, TuiArgs},
    config::Config,
    log::{self, Talk},
    paths::Paths,
    store::Store,
    text::with_path,
};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All good: 0.
    Good,
    /// None found, or some files failed: 1.
    Partly,
    /// Interrupted: 130.
    Interrupted,
}

impl Outcome {
    /// The exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Partly => 1,
            Self::Interrupted => 130,
        }
    }
}

/// Exit code when a command could not run.
pub const COULD_NOT_RUN: u8 = 2;

/// What a command works with: the settings and the places.
#[derive(Clone, Debug)]
pub struct Desk {
    /// The settings.
    pub config: Config,
    /// The places.
    pub paths: Paths,
}

impl Desk {
    fn new(global: &Global) -> anyhow::Result<Self> {
        let paths = Paths::new(global.config.clone(), global.db.clone())?;
        if let Some(named) = &global.config {
            anyhow::ensure!(named.exists(), "settings {}: there is no such file", named.display());
        }
        let mut config = Config::read(&paths.config)?;
        // One name for a folder, whoever names it: a root behind a link would be known under two.
        for path in config.library.roots.iter_mut().chain(&mut config.watch.poll) {
            *path = library_path(path).or_else(|_| std::path::absolute(&*path))?;
        }
        Ok(Self { config, paths })
    }

    /// The library, to read and write.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn store(&self) -> anyhow::Result<Store> {
        Ok(Store::open(&self.paths.database)?)
    }

    /// The library, to read.
    ///
    /// # Errors
    /// As [`Store::open_reader`].
    pub fn reader(&self) -> anyhow::Result<Store> {
        Ok(Store::open_reader(&self.paths.database)?)
    }
}

/// Run what the command line asks for.
///
/// # Errors
/// What kept the command from running at all.
pub fn run(cli: Cli) -> anyhow::Result<Outcome> {
    let command = match cli.command {
        Some(Command::Completions { shell }) => return manual::completions(shell),
        Some(Command::Man) => return manual::page(),
        other => other,
    };
    let desk = Desk::new(&cli.global)?;
    let (talk, file) = match command {
        None | Some(Command::Tui(TuiArgs { keys: false })) => (Talk::Silent, Some(&desk.paths.log)),
        Some(Command::Watch(_)) => (Talk::Stderr(cli.global.verbose), Some(&desk.paths.log)),
        Some(_) => (Talk::Stderr(cli.global.verbose), None),
    };
    log::start(talk, file.map(PathBuf::as_path)).with_context(|| format!("log {}", desk.paths.log.display()))?;
    match command {
        Some(Command::Scan(args)) => scan::run(&desk, &args),
        Some(Command::Watch(args)) => watch::run(&desk, &args),
        Some(Command::Search(args)) => search::run(&desk, &args),
        Some(Command::Similar(args)) => similar::run(&desk, &args),
        Some(Command::Export(args)) => export::run(&desk, &args),
        Some(Command::Show(args)) => show::run(&desk, &args),
        Some(Command::Correct(args)) => correct::run(&desk, &args),
        Some(Command::Review(args)) => review::run(&desk, &args),
        Some(Command::Genre(args)) => genre::run(&desk, &args),
        Some(Command::Retrain(args)) => retrain::run(&desk, &args),
        Some(Command::Train(args)) => train::run(&desk, &args),
        Some(Command::Eval(args)) => eval::run(&desk, &args),
        Some(Command::Models(args)) => models::run(&desk, &args),
        Some(Command::Status(args)) => status::run(&desk, &args),
        Some(Command::Prune(args)) => upkeep::prune(&desk, &args),
        Some(Command::Backup(args)) => upkeep::backup(&desk, &args),
        Some(Command::Restore(args)) => upkeep::restore(&desk, &args),
        Some(Command::Tag(args)) => tag::run(&desk, &args),
        Some(Command::Undo(args)) => undo::run(&desk, &args),
        Some(Command::Audit(args)) => audit::run(&desk, &args),
        Some(Command::History(args)) => history::run(&desk, &args),
        Some(Command::Doctor(args)) => doctor::run(&desk, &args),
        Some(Command::Completions { .. } | Command::Man) => Ok(Outcome::Good),
        Some(Command::Tui(args)) if args.keys => tui::keys(&desk),
        None | Some(Command::Tui(_)) => tui::run(&desk),
    }
}

/// A line on stderr. Whoever has closed it wants none: that ends no work.
fn talk(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Part of a line on stderr, as [`talk`].
fn talk_part(part: impl std::fmt::Display) {
    let _ = write!(std::io::stderr(), "{part}");
}

/// `path` as the library keeps it: absolute, links in the folders above resolved, its own name kept.
///
/// # Errors
/// When there is no such folder.
pub fn library_path(path: &std::path::Path) -> anyhow::Result<PathBuf> {
    let absolute = std::path::absolute(path).with_context(|| format!("{}", path.display()))?;
    if absolute.is_dir() {
        return absolute.canonicalize().with_context(|| format!("{}", path.display()));
    }
    match (absolute.parent(), absolute.file_name()) {
        (Some(dir), Some(name)) => Ok(dir.canonicalize().with_context(|| format!("{}", path.display()))?.join(name)),
        _ => Ok(absolute),
    }
}

/// Whether colours go to stdout.
#[must_use]
pub fn colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && std::io::stdout().is_terminal()
}
