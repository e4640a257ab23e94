//! Why one file answers a query, clause by clause: what was asked, whether it holds, and what the file has.
//!
//! Whether a clause holds is asked of the index, which found the file; the facts beside it come from the database.
//! So the explanation cannot disagree with the answer.

use super::{
    fold::{contains_phrase, tokens},
    index::{IndexError, Reader, words_of},
    meaning::{expr_alone, spoken, test},
    query::{Expr, NumberField, Query, Test, TextField, UNSURE},
    window::{Timing, chunks_in},
};
use crate::{
    genre::{Genre, Taxonomy},
    store::{IndexRow, Store},
    text::clean,
};

/// One clause and how a file stands to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// How deep it stands within "any of" and "not".
    pub depth: usize,
    /// What is asked, as the meaning of a query says it.
    pub asked: String,
    /// Whether it holds; none for a heading (`any of`).
    pub holds: Option<bool>,
    /// What the file has: `71% (next: blues 19%)`; empty where there is nothing to say.
    pub has: String,
}

/// Why the file answers, or does not: every clause of `query`. Fit for a terminal. Empty when the query asks for
/// nothing, or there is no such file.
///
/// # Errors
/// What the index or the database says.
pub fn why(
    reader: &Reader,
    store: &Store,
    taxonomy: &Taxonomy,
    query: &Query,
    file: i64,
) -> Result<Vec<Clause>, IndexError> {
    let Some(row) = store.index_row(file)? else { return Ok(Vec::new()) };
    let rows = store.genre_rows()?;
    let holds = |expr: &Expr| reader.holds(file, expr, &rows);
    let mut clauses = Vec::new();
    walk(&query.root, &Teller { row: &row, taxonomy, holds: &holds }, 0, &mut clauses)?;
    Ok(clauses)
}

struct Teller<'a> {
    row: &'a IndexRow,
    taxonomy: &'a Taxonomy,
    holds: &'a dyn Fn(&Expr) -> Result<bool, IndexError>,
}

fn walk(expr: &Expr, of: &Teller<'_>, depth: usize, out: &mut Vec<Clause>) -> Result<(), IndexError> {
    match expr {
        Expr::All(parts) => {
            // A list of clauses that all have to hold needs no heading at the top.
            let inner = depth + usize::from(depth > 0);
            if depth > 0 {
                out.push(Clause { depth, asked: "all of".into(), holds: Some((of.holds)(expr)?), has: String::new() });
            }
            parts.iter().try_for_each(|part| walk(part, of, inner, out))
        }
        Expr::Any(parts) => {
            out.push(Clause { depth, asked: "any of".into(), holds: Some((of.holds)(expr)?), has: String::new() });
            parts.iter().try_for_each(|part| walk(part, of, depth + 1, out))
        }
        Expr::Not(part) => match part.as_ref() {
            Expr::Leaf(leaf) => {
                out.push(Clause {
                    depth,
                    asked: expr_alone(expr, of.taxonomy),
                    holds: Some((of.holds)(expr)?),
                    has: has(&leaf.test, of.row, of.taxonomy),
                });
                Ok(())
            }
            part => {
                out.push(Clause { depth, asked: "not".into(), holds: Some((of.holds)(expr)?), has: String::new() });
                walk(part, of, depth + 1, out)
            }
        },
        Expr::Leaf(leaf) => {
            out.push(Clause {
                depth,
                asked: test(&leaf.test, of.taxonomy),
                holds: Some((of.holds)(expr)?),
                has: has(&leaf.test, of.row, of.taxonomy),
            });
            Ok(())
        }
    }
}

/// What the file has where a clause asks.
fn has(test: &Test, row: &IndexRow, taxonomy: &Taxonomy) -> String {
    let unheard = || "nothing known of its sound".to_owned();
    match test {
        Test::Share { genre, largest, window: None, .. } => {
            let Some(mix) = &row.mix else { return unheard() };
            let mut out = percent(won(row, genre), mix.chunks);
            if *largest {
                let other = mix.won.iter().filter(|(g, _)| g != genre).max_by_key(|(_, n)| *n);
                if let Some((other, n)) = other {
                    out.push_str(&format!(", next {} {}", spoken(other, taxonomy), percent(*n, mix.chunks)));
                }
            }
            out
        }
        Test::Share { genre, window: Some(window), .. } => {
            let Some(line) = row.timeline.as_ref().filter(|line| !line.winners.is_empty()) else { return unheard() };
            let timing = Timing {
                start_ms: line.start_ms,
                chunk_ms: line.chunk_ms.into(),
                chunks: line.winners.len() as u64,
                duration_ms: row.duration_ms.map(|ms| ms.max(0).cast_unsigned()),
            };
            let part = chunks_in(*window, timing);
            let part = &line.winners[part.start as usize..part.end as usize];
            let is = |w: &Option<Genre>| w.as_ref().map_or(genre.slug() == UNSURE, |w| w == genre);
            let won = part.iter().filter(|w| is(w)).count();
            format!("{} there", percent(won as u32, part.len() as u32))
        }
        Test::Versus { left, right, .. } => {
            let Some(mix) = &row.mix else { return unheard() };
            let one = |g: &Genre| format!("{} {}", spoken(g, taxonomy), percent(won(row, g), mix.chunks));
            format!("{}, {}", one(left), one(right))
        }
        Test::Words { field, words, prefix, .. } => {
            let fields: Vec<TextField> =
                field.map_or_else(|| TextField::WEIGHTED.iter().map(|(f, _)| *f).collect(), |f| vec![f]);
            let found: Vec<&str> = fields
                .into_iter()
                .filter(|f| words_of(row, *f).iter().any(|text| contains_phrase(&tokens(text), words, *prefix)))
                .map(TextField::name)
                .collect();
            if found.is_empty() { String::new() } else { format!("in its {}", found.join(", ")) }
        }
        Test::Pattern { field, .. } => clean(&words_of(row, *field).join("; ")).into_owned(),
        Test::Number { field, .. } => number(row, *field),
        Test::Format(_) => clean(&row.format).into_owned(),
        Test::Source(_) => row.mix.as_ref().map_or_else(unheard, |mix| format!("genres by {}", mix.source.name())),
        Test::State(_) => if row.present { "present" } else { "missing" }.to_owned(),
    }
}

fn won(row: &IndexRow, genre: &Genre) -> u32 {
    let Some(mix) = &row.mix else { return 0 };
    if genre.slug() == UNSURE {
        return mix.unsure;
    }
    mix.won.iter().find(|(g, _)| g == genre).map_or(0, |(_, n)| *n)
}

/// With a decimal where whole percents would hide on which side of a bound it lies.
fn percent(won: u32, chunks: u32) -> String {
    if chunks == 0 {
        return "0%".to_owned();
    }
    let exact = f64::from(won) * 100.0 / f64::from(chunks);
    if (exact - exact.round()).abs() < 0.05 { format!("{exact:.0}%") } else { format!("{exact:.1}%") }
}

fn number(row: &IndexRow, field: NumberField) -> String {
    let value = match field {
        NumberField::Year => row.year.map(|y| y.to_string()),
        NumberField::Length => row.duration_ms.map(|ms| format!("{}:{:02}", ms / 60_000, ms / 1000 % 60)),
        NumberField::Bitrate => row.bitrate_kbps.map(|k| format!("{k} kbit/s")),
        NumberField::Added => day(row.added_ms),
    };
    value.unwrap_or_else(|| "not known".to_owned())
}

fn day(ms: i64) -> Option<String> {
    let time = jiff::Timestamp::from_millisecond(ms).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d").to_string())
}
