//! What a query was understood as, in one line. The listener reads it to see whether the search heard them.

use super::{
    query::{Edge, Expr, Leaf, Query, SortKey, State, Test, TextField, Window, show_ms},
    share::Bounds,
};
use crate::{
    genre::{Genre, Taxonomy},
    text::clean,
};

/// `jazz >= 50% and largest, blues 15-50%`, then the order, the limit, and the words that were passed over.
/// Fit for a terminal.
#[must_use]
pub fn meaning(query: &Query, taxonomy: &Taxonomy) -> String {
    let mut out = wanted(query, taxonomy);
    if !query.like.is_empty() {
        let tracks: Vec<_> = query.like.iter().map(|track| clean(track)).collect();
        out.push_str(&format!(", sounding like {}", tracks.join(" and ")));
    }
    for sort in &query.sort {
        let by = match &sort.key {
            SortKey::Text(field) => field.name().to_owned(),
            SortKey::Number(field) => field.name().to_owned(),
            SortKey::Share(genre) => spoken(genre, taxonomy),
        };
        out.push_str(&format!(", by {by}{}", if sort.descending { " descending" } else { "" }));
    }
    if let Some(limit) = query.limit {
        out.push_str(&format!(", at most {limit}"));
    }
    if !query.ignored.is_empty() {
        let words: Vec<String> = query.ignored.iter().map(|word| quoted(word)).collect();
        out.push_str(&format!("; ignored {}", words.join(", ")));
    }
    for hint in &query.hints {
        out.push_str(&format!("; {} is no genre, did you mean {}?", quoted(&hint.word), clean(&hint.genre)));
    }
    out
}

/// The clauses alone.
#[must_use]
pub fn wanted(query: &Query, taxonomy: &Taxonomy) -> String {
    match &query.root {
        Expr::All(parts) if parts.is_empty() => "everything".to_owned(),
        root => expr(root, taxonomy, Around::Nothing),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Around {
    Nothing,
    All,
    Any,
    Not,
}

/// "and" is a comma; brackets stand where the tree needs them.
pub(super) fn expr_alone(root: &Expr, taxonomy: &Taxonomy) -> String {
    expr(root, taxonomy, Around::Nothing)
}

fn expr(root: &Expr, taxonomy: &Taxonomy, around: Around) -> String {
    let join = |parts: &[Expr], sign: &str, inner: Around| {
        parts.iter().map(|part| expr(part, taxonomy, inner)).collect::<Vec<_>>().join(sign)
    };
    let bracketed = |text: String, yes: bool| if yes { format!("({text})") } else { text };
    match root {
        Expr::All(parts) => bracketed(join(parts, ", ", Around::All), matches!(around, Around::Any | Around::Not)),
        Expr::Any(parts) => bracketed(join(parts, " or ", Around::Any), matches!(around, Around::All | Around::Not)),
        Expr::Not(part) => match part.as_ref() {
            Expr::Leaf(Leaf { test: Test::Words { field, shown, .. }, .. }) => words(*field, shown, true),
            part @ Expr::Leaf(_) => format!("not ({})", expr(part, taxonomy, Around::Nothing)),
            part => format!("not {}", expr(part, taxonomy, Around::Not)),
        },
        Expr::Leaf(leaf) => test(&leaf.test, taxonomy),
    }
}

/// One clause.
pub(super) fn test(test: &Test, taxonomy: &Taxonomy) -> String {
    match test {
        Test::Share { genre, bounds, largest, window, .. } => {
            let mut out = format!("{} {}", spoken(genre, taxonomy), shares(bounds));
            if *largest {
                out.push_str(" and largest");
            }
            if let Some(window) = window {
                out.push_str(&part(window));
            }
            out
        }
        Test::Versus { left, op, right } => {
            format!("{} {} {}", spoken(left, taxonomy), op.sign(), spoken(right, taxonomy))
        }
        Test::Words { field, shown, .. } => words(*field, shown, false),
        Test::Pattern { field, pattern } => format!("{} matches /{}/", field.name(), clean(pattern)),
        Test::Number { field, shown, .. } => format!("{} {}", field.name(), clean(shown)),
        Test::Format(names) => format!("format {}", names.join(" or ")),
        Test::Source(Some(source)) => format!("genres by {}", source.name()),
        Test::Source(None) => "no genres known".to_owned(),
        Test::State(State::Present) => "file present".to_owned(),
        Test::State(State::Missing) => "file missing".to_owned(),
        Test::State(State::Any) => "files present and missing".to_owned(),
    }
}

fn words(field: Option<TextField>, shown: &str, no: bool) -> String {
    let text = quoted(shown);
    match (field, no) {
        (None, false) => format!("{text} in title, artist, album or path"),
        (None, true) => format!("no {text} in title, artist, album or path"),
        (Some(TextField::Genre), false) => format!("file's genre has {text}"),
        (Some(TextField::Genre), true) => format!("file's genre has no {text}"),
        (Some(field), false) => format!("{} has {text}", field.name()),
        (Some(field), true) => format!("{} has no {text}", field.name()),
    }
}

/// `>= 50%`, `< 5%`, `15-50%` (the upper end left out), `20..40%` (both ends in), `= 50%`.
pub(super) fn shares(bounds: &Bounds) -> String {
    match (bounds.low, bounds.high) {
        (None, None) => ">= 0%".to_owned(),
        (Some((low, true)), None) => format!(">= {low}%"),
        (Some((low, false)), None) => format!("> {low}%"),
        (None, Some((high, true))) => format!("<= {high}%"),
        (None, Some((high, false))) => format!("< {high}%"),
        (Some((low, true)), Some((high, true))) if low == high => format!("= {low}%"),
        (Some((low, true)), Some((high, false))) => format!("{low}-{high}%"),
        (Some((low, _)), Some((high, _))) => format!("{low}..{high}%"),
    }
}

fn part(window: &Window) -> String {
    let end = match window.edge {
        Edge::First => "first",
        Edge::Last => "last",
    };
    format!(" of the {end} {}", show_ms(i64::from(window.length_ms)))
}

/// A genre in running text: its name in lower case.
pub(super) fn spoken(genre: &Genre, taxonomy: &Taxonomy) -> String {
    clean(&taxonomy.name(genre).to_lowercase()).into_owned()
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", clean(text))
}
