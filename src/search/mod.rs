//! Search: from what the listener says to the tracks that answer.
//!
//! ```text
//! text -> query (grammar, pure) -> meaning, explain, complete (pure)
//!                  |
//!                  v
//! SQLite -> index (tantivy) -> found, ranked (rank) -> answer (rows from SQLite) -> formats
//! ```
//!
//! The index is a cache. What it finds and in which order is what a walk over the rows of SQLite would find:
//! shares are compared as exact integers (`share`), text is folded in one place (`fold`), and every order is
//! total (`rank`). This room writes no file but its index and prints nothing.

mod advice;
mod answer;
pub mod complete;
pub mod explain;
pub mod export;
pub mod fold;
pub mod formats;
pub mod index;
mod like;
pub mod map;
pub mod meaning;
pub mod query;
pub mod rank;
pub mod share;
pub mod similar;
pub mod why;
pub mod window;

pub use advice::Advice;
pub use answer::{Answer, Coverage, Hit, Ordered, SearchOptions, Searcher, percents};
pub use complete::{Completion, Offers, complete};
