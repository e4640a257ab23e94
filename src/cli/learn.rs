//! The commands by which it learns: corrections, genres, models and their training. Clap types and help text, nothing
//! else.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Form;

/// `correct`
#[derive(Debug, Args)]
pub struct CorrectArgs {
    /// A file or folder of the library
    pub path: Option<PathBuf>,
    /// Genres with their weights: jazz=60 blues=40, or jazz alone; a new name makes a new genre
    #[arg(value_name = "GENRE[=WEIGHT]")]
    pub genres: Vec<String>,
    /// Only this part of the track, as 1:20-2:05
    #[arg(long, value_name = "FROM-TO")]
    pub span: Option<String>,
    /// Also correct what sounds like it and was heard alike; shows which, and asks
    #[arg(long, conflicts_with = "span")]
    pub like: bool,
    /// How alike a track must be for --like, up to 1 [default: 0.85]
    #[arg(long, value_name = "N", requires = "like")]
    pub threshold: Option<f32>,
    /// Settle it: no correction of its folder or look-alikes, and no import, touches it. Without genres: it is right
    /// as it is
    #[arg(long, conflicts_with = "unlock")]
    pub lock: bool,
    /// Let it be corrected again
    #[arg(long)]
    pub unlock: bool,
    /// Show what would be corrected, and correct nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Take the last correction back
    #[arg(long, conflicts_with_all = ["path", "list"])]
    pub undo: bool,
    /// List every correction
    #[arg(long, conflicts_with = "path")]
    pub list: bool,
    /// Write all corrections, and what `genre` changed, to a file (JSON; - is stdout), keyed by the audio itself
    #[arg(long, value_name = "FILE", conflicts_with_all = ["path", "list", "undo", "import"])]
    pub export: Option<PathBuf>,
    /// Take both from such a file; what is known already is left
    #[arg(long, value_name = "FILE", conflicts_with_all = ["path", "list", "undo"])]
    pub import: Option<PathBuf>,
    /// How `--list` is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Form,
}

/// `review`
#[derive(Debug, Args)]
pub struct ReviewArgs {
    /// At most so many
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N")]
    pub limit: usize,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Form,
}

/// `retrain`
#[derive(Debug, Args)]
pub struct RetrainArgs {
    /// The last layer, from what is kept of the tracks: seconds (the default)
    #[arg(long, conflicts_with = "full")]
    pub head: bool,
    /// All of deep above its frozen trunk, from the audio of the corrected tracks: minutes, and if you accept it, the
    /// next scan hears the library again
    #[arg(long)]
    pub full: bool,
    /// Propose it whatever the gate says, and learn from fewer corrections than it takes
    #[arg(long)]
    pub force: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Show what would change, and change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Form,
}

/// `genre`
#[derive(Debug, Args)]
pub struct GenreArgs {
    /// What of them
    #[command(subcommand)]
    pub command: GenreCommand,
}

/// What of the genres
#[derive(Debug, Subcommand)]
pub enum GenreCommand {
    /// All of them, with their other words, and how many tracks have a share of each
    List {
        /// How it is written
        #[arg(long, value_enum, default_value_t)]
        format: Form,
    },
    /// Give one another name; corrections, mixes and models follow
    Rename {
        /// The genre
        genre: String,
        /// Its new name
        name: String,
    },
    /// Let one be part of another; corrections, mixes and models follow
    Merge {
        /// The genre that goes
        genre: String,
        /// The genre that it becomes
        into: String,
    },
    /// Leave one out of lists, completion and what is written into files
    Hide {
        /// The genre
        genre: String,
    },
    /// Show a hidden one again
    Show {
        /// The genre
        genre: String,
    },
    /// Let a word mean a genre
    Alias {
        /// The genre
        genre: String,
        /// The word
        word: String,
    },
    /// Let a word mean nothing of its own again
    Unalias {
        /// The word
        word: String,
    },
    /// Take the last change of the genres back
    Undo,
}

/// `train`
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// A folder of audio in genre folders, a CSV of path, genre and (if known) artist, or a features file (safetensors)
    #[arg(required_unless_present = "library", conflicts_with = "library")]
    pub source: Option<PathBuf>,
    /// Learn from the library: what you corrected, else the genres in the files
    #[arg(long)]
    pub library: bool,
    /// Network: deep (over a pretrained one), cuts, cnn, crnn, crnn-long or rcnn
    #[arg(long, default_value = "cuts")]
    pub arch: String,
    /// Front end for audio: cuts, paper-128 or paper-256 [default: the recipe's]
    #[arg(long, value_name = "NAME")]
    pub front_end: Option<String>,
    /// Recipe: a built-in one (cnn-paper is the authors' own) or a TOML file [default: the network's]
    #[arg(long, value_name = "NAME|FILE")]
    pub recipe: Option<String>,
    /// Change one value of the recipe, as fit.steps=400 (may be repeated)
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// How clips are split: artist, sturm, or the paper's (leaky)
    #[arg(long, value_enum, default_value_t)]
    pub protocol: SplitBy,
    /// Number of artist folds
    #[arg(long, default_value_t = 5)]
    pub folds: u32,
    /// Run only these folds (may be repeated)
    #[arg(long, value_name = "N")]
    pub fold: Vec<u32>,
    /// Seeds: one run each, and fold
    #[arg(long, value_name = "N", default_value = "0", value_delimiter = ',')]
    pub seeds: Vec<u64>,
    /// A CSV with artists by track (track, artist, sturm_filtered_split)
    #[arg(long, value_name = "CSV")]
    pub tracks: Option<PathBuf>,
    /// Name of the model [default: the network's]
    #[arg(long)]
    pub name: Option<String>,
    /// Where the model goes [default: your models, beside the database]
    #[arg(short, long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on from the last checkpoints
    #[arg(long)]
    pub resume: bool,
    /// For the model's card: where the data came from
    #[arg(long, value_name = "TEXT")]
    pub data: Option<String>,
    /// For the model's card: licence of the weights
    #[arg(long, value_name = "TEXT")]
    pub licence: Option<String>,
}

/// How clips are split into those learned from and those that judge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SplitBy {
    /// Folds by artist: nobody on both sides
    #[default]
    Artist,
    /// Sturm's fault-filtered split (needs --tracks)
    Sturm,
    /// The paper's: chunks shuffled, which leaks
    Paper,
}

/// `eval`
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// Models by name or path, separated by commas
    #[arg(value_delimiter = ',', num_args = 1, required = true)]
    pub models: Vec<String>,
    /// What to judge on: as for `train`
    pub source: PathBuf,
    /// Where the report goes
    #[arg(short, long, value_name = "DIR")]
    pub out: PathBuf,
    /// A CSV with artists by track (track, artist, sturm_filtered_split)
    #[arg(long, value_name = "CSV")]
    pub tracks: Option<PathBuf>,
    /// The paper's published result files, to stand beside ours
    #[arg(long, value_name = "DIR")]
    pub paper_logs: Option<PathBuf>,
    /// Full songs in genre folders, for the proportions and the full-song score
    #[arg(long, value_name = "DIR")]
    pub songs: Option<PathBuf>,
}

/// `models`
#[derive(Debug, Args)]
pub struct ModelsArgs {
    /// What of them
    #[command(subcommand)]
    pub command: ModelsCommand,
}

/// What of the models
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// All of them, yours and those that came along; * marks the one that listens
    List {
        /// How it is written
        #[arg(long, value_enum, default_value_t)]
        format: Form,
    },
    /// Put one in force; the library is named again from what is kept of it
    Use {
        /// Name, path, or the beginning of its id
        model: String,
    },
    /// Take the last change of model back, whole
    Rollback,
    /// What was put in force, and when
    History {
        /// How it is written
        #[arg(long, value_enum, default_value_t)]
        format: Form,
    },
    /// Delete one of yours, with all that it heard
    Rm {
        /// Its name
        model: String,
    },
    /// How well the one in force does on your own music
    Eval {
        /// On the tracks that you corrected and it did not learn from
        #[arg(long, required = true)]
        mine: bool,
        /// How it is written
        #[arg(long, value_enum, default_value_t)]
        format: Form,
    },
    /// The card of one: what it was trained on, how well it does, what it costs
    Show {
        /// Name or path
        model: String,
        /// How it is written
        #[arg(long, value_enum, default_value_t)]
        format: Form,
    },
}
