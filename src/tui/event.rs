//! All traffic of the UI: what comes in, what is asked of the workers, what they answer.

use std::{path::PathBuf, sync::Arc};

use ratatui::crossterm::event::{KeyEvent, MouseEvent};

use super::{
    data::{Counts, Detail, FailureRow, Job, Row, Spec, View},
    screens::{editor::Found, history::Run, map::Points, models::Report, retrain::News, review::Queue, tags::Preview},
    theme::Genres,
};
use crate::{
    search::why::Clause,
    store::{ModelRow, NewCorrection, Origin},
};

/// What comes in.
#[derive(Debug)]
pub enum Event {
    /// A key.
    Key(KeyEvent),
    /// The mouse.
    Mouse(MouseEvent),
    /// Text that was pasted.
    Paste(String),
    /// The terminal has another size.
    Resize,
    /// The system wants the program to end.
    End,
    /// A worker has an answer.
    Done(Done),
}

/// Which list a view is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// The library.
    Library,
    /// The search.
    Search,
}

/// What the UI wants done.
#[derive(Debug)]
pub enum Effect {
    /// End.
    Quit,
    /// Go back to the shell until it calls again.
    Suspend,
    /// Clear the terminal and draw everything.
    Redraw,
    /// Put text on the clipboard of the terminal.
    Copy(String),
    /// Say something in the status line.
    Say(Said),
    /// Work for the workers.
    Ask(Ask),
}

/// What the workers are asked for.
#[derive(Debug)]
pub enum Ask {
    /// The rows of a list. The latest of each slot wins.
    View(Slot, Spec),
    /// Let go of rows that are no longer shown.
    Discard(Box<View>),
    /// What a word at the end of a query could become.
    Complete(String),
    /// All about a file's track. The latest wins.
    Detail(i64),
    /// Tracks that sound like a track. The latest wins.
    Similar(i64),
    /// Why a file is a hit of a search. The latest wins.
    Why(i64, String),
    /// Whether writing as tracks are heard should be offered, with a preview.
    Offer,
    /// The offer was seen: it is not made again.
    Offered,
    /// Write genres as tracks are heard, from now on.
    AutoWrite,
    /// What is worth the user's word. The latest wins.
    Review,
    /// Tracks that a correction of these to mostly this genre (a slug) may be meant for, too. The latest wins.
    LookAlikes(Vec<i64>, String),
    /// The library as points.
    Map,
    /// What is known of how a model (by id) was trained and judged. The latest wins.
    Report(String),
    /// Use a model, by id.
    UseModel(String),
    /// Back to the model that was in force before.
    Rollback,
    /// Learn from the corrections.
    Retrain,
    /// Stop learning.
    StopRetrain,
    /// Use what was learned.
    AcceptRetrained,
    /// Throw it away.
    RejectRetrained,
    /// Files that could not be heard.
    Failures,
    /// The models known.
    Models,
    /// Keep what the user said, of these tracks or of what sounds like them.
    Correct(Vec<(NewCorrection, Origin)>),
    /// Take back the last act of this session that was not taken back yet.
    UndoCorrection,
    /// Open a file in the player.
    Play(PathBuf),
    /// Keep a small list of the user's (the history of searches) under a name.
    Keep(&'static str, String),
    /// Keep a search by name, as `deepcuts search --save` does.
    SaveSearch(String, String),
    /// Forget the search of this name.
    ForgetSearch(String),
    /// The searches that are kept.
    Saved,
    /// Scan folders, or the whole library when none is named.
    Scan {
        /// The folders.
        roots: Vec<PathBuf>,
        /// Try again what failed.
        retry_failed: bool,
    },
    /// What would be written into these files.
    PreviewTags(Vec<i64>),
    /// Write what was previewed of these files.
    WriteTags(Vec<i64>),
    /// Give a preview or a write up, between two files.
    LeaveTags,
    /// The runs of tag writes.
    History,
    /// Take a run back.
    UndoRun(i64),
    /// Scan the library and stay with it.
    Stay,
    /// Stop the job to go on later.
    Pause,
    /// Stop the job.
    Stop,
    /// Write a playlist of these files.
    Export(PathBuf, Vec<PathBuf>),
}

/// What the workers answer.
#[derive(Debug)]
pub enum Done {
    /// The rows of a list.
    View(Slot, Box<View>),
    /// What the word could become: the queries as they would read.
    Completions(String, Vec<String>),
    /// All about a track.
    Detail(Box<Detail>),
    /// Tracks that sound like a track: likeness in percent, row.
    Similar(i64, Vec<(u32, Arc<Row>)>),
    /// Why a file is a hit of a search.
    Why(i64, String, Vec<Clause>),
    /// Writing as tracks are heard is to be offered: what would be written.
    Offer(Box<Preview>),
    /// Genres are written as tracks are heard from now on.
    AutoWrite,
    /// What is worth the user's word.
    Review(Box<Queue>),
    /// Tracks that a correction to mostly this genre may be meant for, too.
    LookAlikes(String, Box<Found>),
    /// The library as points.
    Map(Box<Points>),
    /// How a model was trained and judged.
    Report(Box<Report>),
    /// How retraining stands.
    Retrain(Box<News>),
    /// How much there is.
    Counts(Counts),
    /// The genres of the library.
    Genres(Arc<Genres>),
    /// Files that could not be heard.
    Failures(Vec<FailureRow>),
    /// The models known.
    Models(Vec<ModelRow>),
    /// How the job stands.
    Job(Job),
    /// The searches made before, and those that the user keeps.
    Searches {
        /// Latest last.
        history: Vec<String>,
        /// Kept: (name, query).
        kept: Vec<(String, String)>,
    },
    /// The searches that are kept: (name, query).
    Saved(Vec<(String, String)>),
    /// Files looked at or written, of so many.
    TagProgress(usize, usize),
    /// What would be written.
    TagPreview(Box<Preview>),
    /// A write has ended, or could not begin.
    TagsEnded,
    /// The runs of tag writes.
    History(Vec<Run>),
    /// A correction is kept.
    Corrected {
        /// The tracks that were spoken of.
        of: Vec<i64>,
        /// Tracks that were corrected.
        tracks: usize,
        /// Tracks that are locked, and left as they are.
        locked: usize,
    },
    /// A correction is taken back.
    Uncorrected {
        /// Tracks.
        tracks: usize,
    },
    /// Rows changed: what is shown of single tracks should be asked for again.
    Changed,
    /// Something to say.
    Said(Said),
}

/// A message for the status line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// How it should look.
    pub tone: Tone,
    /// The text, clean.
    pub text: String,
}

/// How a message looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// It went well.
    Good,
    /// Something to know.
    Note,
    /// It went wrong.
    Bad,
}

impl Said {
    /// It went well.
    #[must_use]
    pub fn good(text: impl AsRef<str>) -> Self {
        Self::new(Tone::Good, text.as_ref())
    }

    /// Something to know.
    #[must_use]
    pub fn note(text: impl AsRef<str>) -> Self {
        Self::new(Tone::Note, text.as_ref())
    }

    /// It went wrong.
    #[must_use]
    pub fn bad(text: impl AsRef<str>) -> Self {
        Self::new(Tone::Bad, text.as_ref())
    }

    fn new(tone: Tone, text: &str) -> Self {
        Self { tone, text: crate::text::clean(text).into_owned() }
    }
}
