//! What the listener asks for, as a tree.
//!
//! [`Grammar::parse`] turns text into a [`Query`]: clauses with their place in the text, a sort order, a limit,
//! the words that were passed over and the genres that a misspelt word may have meant. The same text always
//! gives the same tree. This folder is pure: it knows genres and shares, but no index, no database and no
//! terminal.

mod ast;
mod clauses;
mod duration;
mod error;
mod fields;
mod genres;
mod lex;
mod number;
mod parse;
mod phrases;
mod thresholds;

pub use ast::{
    Edge, Expr, Hint, Leaf, NumberField, NumberRange, Quantity, Query, SortBy, SortKey, Span, State, Test, TextField,
    Window,
};
pub use duration::show_ms;
pub use error::QueryError;
pub(super) use fields::{SORTS, compile};
pub use lex::Op;
pub(super) use parse::FIELDS;
pub use parse::Grammar;
pub(super) use phrases::QUANTIFIERS;
pub use thresholds::Thresholds;

/// The longest query that is read, in bytes: nobody types more, and a parser of strangers' text needs an end.
pub const QUERY_BYTES: usize = 4_096;

/// What no genre won; a query may ask for it like for a genre.
pub use crate::genre::UNSURE;
