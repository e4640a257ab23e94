//! A query that cannot be understood, shown with a caret under the place.

use std::fmt;

use unicode_width::UnicodeWidthStr;

use super::ast::Span;
use crate::text::clean;

/// A query that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// What is wrong and what to do.
    pub message: String,
    /// Where.
    pub span: Span,
    /// The whole text.
    pub text: String,
}

impl std::error::Error for QueryError {}

impl fmt::Display for QueryError {
    /// The message, the text, and a caret under the place; all of it fit for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Columns shown on each side of the place.
        const AROUND: usize = 60;
        let part = |range: Span| self.text.get(range).unwrap_or("");
        let start = self.span.start.min(self.text.len());
        let end = self.span.end.clamp(start, self.text.len());
        let mut from = start.saturating_sub(AROUND);
        while !self.text.is_char_boundary(from) {
            from += 1;
        }
        let mut to = (end + AROUND).min(self.text.len());
        while !self.text.is_char_boundary(to) {
            to -= 1;
        }
        let before = clean(part(from..start)).into_owned();
        let at = clean(part(start..end)).into_owned();
        let after = clean(part(end..to)).into_owned();
        let carets = "^".repeat(at.width().clamp(1, AROUND));
        write!(f, "{}\n  {before}{at}{after}\n  {}{carets}", clean(&self.message), " ".repeat(before.width()))
    }
}
