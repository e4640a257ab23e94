//! The command line: clap types and help text, nothing else.

mod examples;
mod learn;

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use learn::{
    CorrectArgs, EvalArgs, GenreArgs, GenreCommand, ModelsArgs, ModelsCommand, RetrainArgs, ReviewArgs, SplitBy,
    TrainArgs,
};

/// Hears what your music is made of, and lets you search, correct and tag by it.
#[derive(Debug, Parser)]
#[command(name = "deepcuts", version, about, long_about = LONG, after_help = "`deepcuts` alone opens the terminal UI. `deepcuts help COMMAND` has examples.")]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do; the terminal UI when there is none.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const LONG: &str = "\
Hears what your music is made of, and lets you search, correct and tag by it.

A deep network listens to the chunks of every track in your folders and counts which genre wins each: 62 % jazz, \
24 % blues, the rest unsure. All of it stays on this machine; no network is ever used.

  deepcuts scan ~/Music                             listen to everything; stop and go on as you like
  deepcuts search mostly jazz with some blues       ask for what you want to hear
  deepcuts tag --dry-run                            see what would be written into the files";

/// What holds for every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Settings file [default: ~/.config/deepcuts/config.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Database [default: ~/.local/share/deepcuts/library.db]
    #[arg(long, global = true, value_name = "FILE")]
    pub db: Option<PathBuf>,
    /// Say more on stderr (-vv: most)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// Options of `tui`.
#[derive(Debug, clap::Args)]
pub struct TuiArgs {
    /// List the keys in force with the names that `[ui.keys]` of the settings changes them by
    #[arg(long)]
    pub keys: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Open the terminal UI, as no command at all does
    #[command(after_long_help = examples::TUI)]
    Tui(TuiArgs),
    /// Listen to the tracks in folders, and index them
    #[command(after_long_help = examples::SCAN)]
    Scan(ScanArgs),
    /// Scan, then stay and hear what arrives
    #[command(after_long_help = examples::WATCH)]
    Watch(WatchArgs),
    /// Ask for what you want to hear
    #[command(after_long_help = examples::SEARCH)]
    Search(SearchArgs),
    /// Tracks that sound like these
    #[command(after_long_help = examples::SIMILAR)]
    Similar(SimilarArgs),
    /// Write what a query finds as a playlist or a table
    #[command(after_long_help = examples::EXPORT)]
    Export(ExportArgs),
    /// Everything that is known of a file or folder
    #[command(after_long_help = examples::SHOW)]
    Show(ShowArgs),
    /// Say what a track, or every track in a folder, really is
    #[command(after_long_help = examples::CORRECT)]
    Correct(CorrectArgs),
    /// The tracks whose correction teaches most, best first
    #[command(after_long_help = examples::REVIEW)]
    Review(ReviewArgs),
    /// The genres: list them, rename, merge or hide them, give them other words
    #[command(after_long_help = examples::GENRE)]
    Genre(GenreArgs),
    /// Let the model learn from your corrections; shows what would change, and asks
    #[command(after_long_help = examples::RETRAIN)]
    Retrain(RetrainArgs),
    /// Train a network on labelled music
    #[command(after_long_help = examples::TRAIN)]
    Train(TrainArgs),
    /// Judge networks on labelled music, and write a report
    #[command(after_long_help = examples::EVAL)]
    Eval(EvalArgs),
    /// The models there are, and what they are worth
    #[command(after_long_help = examples::MODELS)]
    Models(ModelsArgs),
    /// How much of the library is heard, and what failed
    #[command(after_long_help = examples::STATUS)]
    Status(StatusArgs),
    /// Forget files that have been missing for long
    #[command(after_long_help = examples::PRUNE)]
    Prune(PruneArgs),
    /// Copy the library, corrections and all, to a file
    #[command(after_long_help = examples::BACKUP)]
    Backup(BackupArgs),
    /// Take the library back from a backup; what is there now is kept aside
    #[command(after_long_help = examples::RESTORE)]
    Restore(RestoreArgs),
    /// Write what was heard into the files' genre tags
    #[command(after_long_help = examples::TAG)]
    Tag(TagArgs),
    /// Take tag writes back
    #[command(after_long_help = examples::UNDO)]
    Undo(UndoArgs),
    /// Genre tags that contradict the audio, are numbers, joined or misspelt, or differ between copies
    #[command(after_long_help = examples::AUDIT)]
    Audit(AuditArgs),
    /// What was written into files, and taken back
    #[command(after_long_help = examples::HISTORY)]
    History(HistoryArgs),
    /// Check the installation: versions, device, model, codecs, paths, counts
    #[command(after_long_help = examples::DOCTOR)]
    Doctor(DoctorArgs),
    /// Print the completions of a shell
    #[command(after_long_help = examples::COMPLETIONS)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(after_long_help = examples::MAN)]
    Man,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people
    #[default]
    Table,
    /// One JSON document
    Json,
}

/// `scan`
#[derive(Debug, Args)]
pub struct ScanArgs {
    /// Folders or files [default: the library's roots]
    pub paths: Vec<PathBuf>,
    /// List the files that failed, with the reason, and do nothing else
    #[arg(long)]
    pub failed: bool,
    /// Try again what failed before
    #[arg(long)]
    pub retry_failed: bool,
    /// Write genre tags as tracks are heard (as `[tags] auto_write`)
    #[arg(long)]
    pub write_tags: bool,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Form,
}

/// `watch`
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Folders [default: the library's roots]
    pub paths: Vec<PathBuf>,
}

/// How the answer to a search is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SearchForm {
    /// For people
    #[default]
    Table,
    /// One JSON document
    Json,
    /// One JSON object a line
    Ndjson,
    /// Tab-separated values
    Tsv,
    /// One path a line
    Paths,
    /// A playlist
    M3u8,
}

/// `search`
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// What you want to hear; nothing means everything, @NAME a saved search
    #[arg(value_name = "QUERY")]
    pub query: Vec<String>,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    pub format: SearchForm,
    /// Paths, each ended by a NUL byte
    #[arg(short = '0', long = "null")]
    pub null: bool,
    /// Show at most so many
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<usize>,
    /// Say how the query was read and why the first hits come first
    #[arg(long)]
    pub explain: bool,
    /// Keep the query under this name
    #[arg(long, value_name = "NAME", conflicts_with_all = ["forget", "saved"])]
    pub save: Option<String>,
    /// Forget the saved search of this name
    #[arg(long, value_name = "NAME", conflicts_with = "saved")]
    pub forget: Option<String>,
    /// List the saved searches
    #[arg(long)]
    pub saved: bool,
}

/// `similar`
#[derive(Debug, Args)]
pub struct SimilarArgs {
    /// Tracks of the library
    #[arg(required = true, value_name = "FILE")]
    pub paths: Vec<PathBuf>,
    /// At most so many
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N")]
    pub limit: usize,
    /// Let an artist come up more than once
    #[arg(long)]
    pub same_artist: bool,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    pub format: SearchForm,
}

/// What `export` writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ExportForm {
    /// A playlist, UTF-8
    #[default]
    M3u8,
    /// Comma-separated values
    Csv,
    /// As `search --format json`
    Json,
    /// A smart playlist of Navidrome, by the shares in the files' tags (`write_shares`); it keeps itself up to date
    Nsp,
    /// A shell script that gives beets the shares as flexible fields
    Beets,
    /// Commands for MPD that set the shares as stickers; --relative-to is its music directory
    MpdStickers,
}

/// `export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// A query, as for `search`
    #[arg(value_name = "QUERY")]
    pub query: Vec<String>,
    /// What is written
    #[arg(long, value_enum, default_value_t)]
    pub format: ExportForm,
    /// Paths of a playlist are relative to this folder
    #[arg(long, value_name = "DIR")]
    pub relative_to: Option<PathBuf>,
    /// The file; stdout when there is none
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `show`
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Files or folders of the library
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Form,
}

/// `status`
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Form,
}

/// `prune`
#[derive(Debug, Args)]
pub struct PruneArgs {
    /// Missing for at least so many days
    #[arg(long, default_value_t = 30)]
    pub days: u32,
    /// Only list them
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Form,
}

/// `backup`
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// A file that is not there yet
    #[arg(value_name = "FILE")]
    pub to: PathBuf,
}

/// `restore`
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// A backup
    #[arg(value_name = "FILE")]
    pub from: PathBuf,
}

/// `doctor`
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Form,
}

/// `tag`
#[derive(Debug, Args)]
pub struct TagArgs {
    /// Which tracks: files and folders, or a search [default: all]
    pub query: Vec<OsString>,
    /// Show what would be written, and write nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Show how other programs will split and show what would be written, and write nothing
    #[arg(long = "as", value_enum, value_delimiter = ',', value_name = "READER")]
    pub readers: Vec<ReaderName>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// When a genre is written [default: that of the settings]
    #[arg(long, value_enum)]
    pub policy: Option<PolicyName>,
    /// Write nothing if more than this would have to be written anew, such as 500M or 2G
    #[arg(long, value_name = "SIZE")]
    pub max_bytes: Option<String>,
    /// Keep no way back for these writes
    #[arg(long)]
    pub no_undo: bool,
    /// Also write files that have several hard links; the other links keep the old content
    #[arg(long)]
    pub hard_links: bool,
    /// Keep the files' modification times; servers and backups then may not notice
    #[arg(long)]
    pub keep_mtime: bool,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Form,
}

/// When a genre is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PolicyName {
    /// Only where the file has no genre of its own
    Fill,
    /// Beside what is there
    Merge,
    /// In place of what is there
    Replace,
}

/// A program that reads tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReaderName {
    /// Navidrome
    Navidrome,
    /// Jellyfin
    Jellyfin,
    /// The Music Player Daemon
    Mpd,
    /// MusicBrainz Picard
    Picard,
    /// All of these
    All,
}

/// `undo`
#[derive(Debug, Args)]
pub struct UndoArgs {
    /// Which tracks: files and folders, or a search [default: those of the last run]
    pub query: Vec<OsString>,
    /// What this run wrote; `deepcuts history` has the numbers
    #[arg(long, value_name = "ID", conflicts_with_all = ["since", "query"])]
    pub run: Option<i64>,
    /// What was written within this time, such as 2d, 12h or 30m
    #[arg(long, value_name = "TIME", conflicts_with = "query")]
    pub since: Option<String>,
    /// Show what would be taken back, and write nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Also write files that have several hard links
    #[arg(long)]
    pub hard_links: bool,
    /// Keep the files' modification times
    #[arg(long)]
    pub keep_mtime: bool,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Form,
}

/// `audit`
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Which tracks: files and folders, or a search [default: all]
    pub query: Vec<OsString>,
    /// Write what would be right for these faults, verified and with a way back as `tag` does
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FAULT")]
    pub fix: Vec<FaultName>,
    /// With --fix: show what would be written, and write nothing
    #[arg(short = 'n', long, requires = "fix")]
    pub dry_run: bool,
    /// With --fix: do not ask
    #[arg(short, long, requires = "fix")]
    pub yes: bool,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Form,
}

/// What is wrong with a genre.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FaultName {
    /// A number where a name should be
    Number,
    /// Several genres in one text
    Joined,
    /// Another case or punctuation than its name has
    Spelling,
    /// Copies of one recording that differ
    Copies,
    /// The audio says otherwise
    Audio,
    /// All of these
    All,
}

/// `history`
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// The files of one run
    pub run: Option<i64>,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Form,
}
