//! Tags: what files say, what we would write into them, the write itself, its journal, and the way back.
//!
//! ```text
//! read (lofty) -> plan (pure) -> edit (our walkers, bytes) -> copy -> prove (walkers, lofty) -> swap -> journal
//! ```
//!
//! lofty lives here and nowhere else. It reads tags with its concrete types, it encodes the items that are
//! ours, and it proofreads the copy; it never writes a file, because it loses what it does not model and
//! edits in place. Only the bytes of the genre, and the sizes and offsets around it, ever change. This room
//! knows no terminal and no SQL.

pub mod audit;
mod auto;
mod copy;
pub mod edit;
mod encode;
mod guard;
pub mod plan;
mod proof;
mod read;
pub mod readers;
mod recover;
mod run;
pub mod splice;
#[cfg(test)]
mod tests;
mod undo;
mod write;

pub use auto::TagKeeper;
pub use read::{TagError, read, read_joined};
pub use recover::{Recovered, recover};
pub use run::{Item, Outlook, Report, Writer, preview, preview_as};
pub use undo::{Back, Undo, Way, undo, ways_back};
pub use write::{Options, WriteError};

/// Why a file is not written: what it is or holds, as the end of the sentence "refused: ...".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// The reason, lower case.
    pub reason: String,
}

impl Refusal {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl From<crate::payload::PayloadError> for Refusal {
    fn from(error: crate::payload::PayloadError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        // "No such file or directory (os error 2)" in the middle of a sentence.
        let text = error.to_string();
        Self::new(text.split(" (os error").next().unwrap_or_default().to_lowercase())
    }
}
