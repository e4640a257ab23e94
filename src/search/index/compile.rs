//! A query's tree as a Tantivy query.
//!
//! What is not known is neither so nor not so: a track without a mix matches neither "jazz" nor "no jazz" nor
//! "not mostly jazz", for a clause about shares holds, and its opposite holds, only where there is a mix (for a
//! part of the track: where there is a timeline). Everything else is plain yes or no.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use tantivy::{
    SegmentReader, Term,
    columnar::Column,
    query::{AllQuery, BooleanQuery, ConstScoreQuery, EmptyQuery, Occur, PhraseQuery, Query, RangeQuery, TermQuery},
    schema::{Field, IndexRecordOption},
};

use super::{
    super::{
        fold::{contains_phrase, tokens},
        query::{Expr, NumberField, NumberRange, Op, State, Test, TextField, UNSURE, Window, compile},
        rank::text_of_key,
        share::{Bounds, WHOLE, level},
        window::{Timing, chunks_in},
    },
    document::ROW_BITS,
    filter::{Filter, MakeTest, Steady},
    schema::{Fields, key_column},
};
use crate::genre::Genre;

/// Turns trees into Tantivy queries.
pub(super) struct Compiler<'a> {
    pub fields: &'a Fields,
    /// Genre rows, for timelines.
    pub rows: &'a BTreeMap<Genre, i64>,
}

impl Compiler<'_> {
    /// The documents that `query` wants; files that are missing are left out unless it speaks of them.
    pub fn query(&self, root: &Expr, asks_for_state: bool) -> Box<dyn Query> {
        let wanted = self.expr(root, true);
        if asks_for_state { wanted } else { but_not(wanted, self.flag("state=missing")) }
    }

    /// `expr`, or its opposite.
    fn expr(&self, expr: &Expr, so: bool) -> Box<dyn Query> {
        match (expr, so) {
            (Expr::Not(part), so) => self.expr(part, !so),
            (Expr::All(parts), true) | (Expr::Any(parts), false) => {
                all(parts.iter().map(|p| self.expr(p, so)).collect())
            }
            (Expr::Any(parts), true) | (Expr::All(parts), false) => {
                any(parts.iter().map(|p| self.expr(p, so)).collect())
            }
            (Expr::Leaf(leaf), so) => self.leaf(&leaf.test, so),
        }
    }

    fn leaf(&self, test: &Test, so: bool) -> Box<dyn Query> {
        let (wanted, known) = match test {
            Test::Share { genre, bounds, largest, window: None, .. } => {
                (self.share(genre, bounds, *largest), Some("mix"))
            }
            Test::Share { genre, bounds, window: Some(window), .. } => {
                (self.share_within(genre, *bounds, *window), Some("heard"))
            }
            Test::Versus { left, op, right } => (self.versus(left, *op, right), Some("mix")),
            Test::Words { field, words, prefix, .. } => (self.words(*field, words, *prefix), None),
            Test::Pattern { field, pattern } => (pattern_query(*field, pattern), None),
            Test::Number { field, range, .. } => (self.number(*field, *range), None),
            Test::Format(names) => (any(names.iter().map(|name| self.flag(&format!("format={name}"))).collect()), None),
            Test::Source(Some(source)) => (self.flag(&format!("source={}", source.name())), None),
            Test::Source(None) => (but_not(Box::new(AllQuery), self.flag("mix")), None),
            Test::State(State::Present) => (self.flag("state=present"), None),
            Test::State(State::Missing) => (self.flag("state=missing"), None),
            Test::State(State::Any) => (weightless(AllQuery), None),
        };
        match (so, known) {
            (true, _) => wanted,
            (false, None) => but_not(Box::new(AllQuery), wanted),
            (false, Some(flag)) => but_not(self.flag(flag), wanted),
        }
    }

    fn flag(&self, text: &str) -> Box<dyn Query> {
        // No weight: only words have one.
        let term = TermQuery::new(Term::from_field_text(self.fields.flag, text), IndexRecordOption::Basic);
        Box::new(ConstScoreQuery::new(Box::new(term), 0.0))
    }

    /// Documents whose level of `genre` lies above 0 and within.
    fn levels(&self, genre: &Genre, low: u32, high: u32) -> Box<dyn Query> {
        let term = |level: u32| {
            let mut term = Term::from_field_json_path(self.fields.share, genre.slug(), false);
            term.append_type_and_fast_value(i64::from(level));
            term
        };
        weightless(RangeQuery::new(Bound::Included(term(low)), Bound::Included(term(high))))
    }

    fn share(&self, genre: &Genre, bounds: &Bounds, largest: bool) -> Box<dyn Query> {
        let Some(levels) = bounds.levels() else { return Box::new(EmptyQuery) };
        let (low, high) = (*levels.start(), *levels.end());
        let within = match (low, high) {
            (0, high) if high >= 2 * WHOLE => self.flag("mix"),
            // A share of nothing is not in the column.
            (0, high) => but_not(self.flag("mix"), self.levels(genre, high + 1, 2 * WHOLE)),
            (low, high) => self.levels(genre, low, high),
        };
        if largest { all(vec![within, self.flag(&format!("top={genre}"))]) } else { within }
    }

    fn versus(&self, left: &Genre, op: Op, right: &Genre) -> Box<dyn Query> {
        // The larger of two shares is more than nothing.
        let among = match op {
            Op::Above => self.levels(left, 1, 2 * WHOLE),
            Op::Below => self.levels(right, 1, 2 * WHOLE),
            Op::AtLeast | Op::AtMost | Op::Equal => self.flag("mix"),
        };
        let (left, right) = (share_column(left), share_column(right));
        Box::new(Filter {
            among,
            test: Arc::new(move |segment| {
                let (left, right) = (Levels::open(segment, &left)?, Levels::open(segment, &right)?);
                Ok(Box::new(move |doc| op.holds(left.get(doc).cmp(&right.get(doc)))))
            }),
        })
    }

    fn share_within(&self, genre: &Genre, bounds: Bounds, window: Window) -> Box<dyn Query> {
        let row = self.rows.get(genre).copied();
        if row.is_none() && genre.slug() != UNSURE && !bounds.contain(0) {
            return Box::new(EmptyQuery);
        }
        let row = row.unwrap_or(if genre.slug() == UNSURE { 0 } else { -1 });
        let among = if bounds.contain(0) { self.flag("heard") } else { self.flag(&format!("in={genre}")) };
        Box::new(Filter {
            among,
            test: Arc::new(move |segment| {
                let columns = segment.fast_fields();
                let runs: Column<u64> = columns.u64("runs")?;
                let timing: Column<u64> = columns.u64("timing")?;
                let length: Column<i64> = columns.i64("length")?;
                Ok(Box::new(move |doc| {
                    let Some(packed) = timing.first(doc) else { return false };
                    let places = runs.index.value_row_ids(doc);
                    let run = |place| runs.values.get_val(place);
                    let Some(chunks) = places.end.checked_sub(1).map(|last| run(last) >> ROW_BITS) else {
                        return false;
                    };
                    let part = chunks_in(
                        window,
                        Timing {
                            start_ms: packed >> 32,
                            chunk_ms: packed & u64::from(u32::MAX),
                            chunks,
                            duration_ms: length.first(doc).map(|ms| ms.max(0).cast_unsigned()),
                        },
                    );
                    // Each run ends where the next begins; the last one only marks the end.
                    let mut won = 0;
                    for place in places.start..places.end.saturating_sub(1) {
                        let (from, to) = (run(place), run(place + 1) >> ROW_BITS);
                        if (from & ((1 << ROW_BITS) - 1)).cast_signed() == row {
                            won += to.min(part.end).saturating_sub((from >> ROW_BITS).max(part.start));
                        }
                    }
                    bounds.contain(level(won as u32, (part.end - part.start) as u32))
                }))
            }),
        })
    }

    fn words(&self, field: Option<TextField>, words: &[String], prefix: bool) -> Box<dyn Query> {
        let of = |field: TextField, weight: u32| -> Box<dyn Query> {
            let found = match words {
                [_, _, ..] if prefix => self.phrase_begun(field, words),
                words => phrase(self.fields.words(field), words, prefix),
            };
            Box::new(ConstScoreQuery::new(found, weight as f32))
        };
        match field {
            Some(field) => of(field, field.weight()),
            None => any(TextField::WEIGHTED.iter().map(|(field, weight)| of(*field, *weight)).collect()),
        }
    }

    /// Words side by side of which the last is only begun: the words by their postings, then the values
    /// themselves. (Tantivy's own phrase with a prefix gives up after so many words that begin so.)
    fn phrase_begun(&self, field: TextField, words: &[String]) -> Box<dyn Query> {
        let Some((last, front)) = words.split_last() else { return Box::new(EmptyQuery) };
        let of = self.fields.words(field);
        let mut parts: Vec<Box<dyn Query>> =
            front.iter().map(|word| phrase(of, std::slice::from_ref(word), false)).collect();
        parts.push(phrase(of, std::slice::from_ref(last), true));
        let (column, words) = (key_column(field), words.to_vec());
        Box::new(Filter {
            among: all(parts),
            test: Arc::new(move |segment| {
                let Some(values) = segment.fast_fields().bytes(&column)? else { return Ok(Box::new(|_| false)) };
                let words = words.clone();
                Ok(Box::new(move |doc| {
                    values.term_ords(doc).any(|ord| {
                        let mut key = Vec::new();
                        values.ord_to_bytes(ord, &mut key).is_ok()
                            && contains_phrase(&tokens(&String::from_utf8_lossy(text_of_key(&key))), &words, true)
                    })
                }))
            }),
        })
    }

    fn number(&self, field: NumberField, range: NumberRange) -> Box<dyn Query> {
        if range.low > range.high {
            return Box::new(EmptyQuery);
        }
        let field = match field {
            NumberField::Year => self.fields.year,
            NumberField::Length => self.fields.length,
            NumberField::Bitrate => self.fields.bitrate,
            NumberField::Added => self.fields.added,
        };
        let term = |value| Bound::Included(Term::from_field_i64(field, value));
        weightless(RangeQuery::new(term(range.low), term(range.high)))
    }
}

fn weightless(query: impl Query) -> Box<dyn Query> {
    Box::new(ConstScoreQuery::new(Box::new(query), 0.0))
}

/// Every part. Nested joins become one, and tests of single documents come last: only what all else lets
/// through is tested.
fn all(mut parts: Vec<Box<dyn Query>>) -> Box<dyn Query> {
    if parts.len() == 1 {
        return parts.swap_remove(0);
    }
    let mut clauses = Vec::new();
    let mut tests = Vec::new();
    for part in parts {
        spread(part.as_ref(), &mut clauses, &mut tests);
    }
    let joined: Box<dyn Query> = match clauses.as_slice() {
        [] => weightless(AllQuery),
        [(Occur::Must, only)] => only.box_clone(),
        _ => Box::new(BooleanQuery::new(clauses)),
    };
    tests.into_iter().fold(joined, |among, test| Box::new(Filter { among, test }))
}

/// `part` as clauses of a join, and tests.
fn spread(part: &dyn Query, clauses: &mut Vec<(Occur, Box<dyn Query>)>, tests: &mut Vec<Arc<MakeTest>>) {
    if let Some(filter) = part.downcast_ref::<Filter>() {
        tests.push(Arc::clone(&filter.test));
        return spread(filter.among.as_ref(), clauses, tests);
    }
    match part.downcast_ref::<BooleanQuery>() {
        Some(joined) if joined.clauses().iter().all(|(occur, _)| *occur != Occur::Should) => {
            for (occur, clause) in joined.clauses() {
                match occur {
                    Occur::Must => spread(clause.as_ref(), clauses, tests),
                    _ => clauses.push((*occur, clause.box_clone())),
                }
            }
        }
        _ => clauses.push((Occur::Must, part.box_clone())),
    }
}

fn any(mut parts: Vec<Box<dyn Query>>) -> Box<dyn Query> {
    match parts.len() {
        0 => Box::new(EmptyQuery),
        1 => parts.swap_remove(0),
        _ => Box::new(BooleanQuery::new(parts.into_iter().map(|part| (Occur::Should, part)).collect())),
    }
}

fn but_not(wanted: Box<dyn Query>, not: Box<dyn Query>) -> Box<dyn Query> {
    let mut clauses = Vec::new();
    let mut tests = Vec::new();
    spread(weighed(wanted).as_ref(), &mut clauses, &mut tests);
    // Neither of two is not one and not the other: to ask each costs less than to make their union.
    match not.downcast_ref::<BooleanQuery>() {
        Some(any) if any.clauses().iter().all(|(occur, _)| *occur == Occur::Should) => {
            clauses.extend(any.clauses().iter().map(|(_, part)| (Occur::MustNot, part.box_clone())));
        }
        _ => clauses.push((Occur::MustNot, not)),
    }
    let joined: Box<dyn Query> = Box::new(BooleanQuery::new(clauses));
    tests.into_iter().fold(joined, |among, test| Box::new(Filter { among, test }))
}

/// An [`AllQuery`] scores 1; here only words weigh.
fn weighed(query: Box<dyn Query>) -> Box<dyn Query> {
    if query.is::<AllQuery>() { weightless(AllQuery) } else { query }
}

fn phrase(field: Field, words: &[String], prefix: bool) -> Box<dyn Query> {
    let terms: Vec<Term> = words.iter().map(|word| Term::from_field_text(field, word)).collect();
    match (words, prefix) {
        ([word], true) => Box::new(starting_with(field, word)),
        ([_], false) => match terms.into_iter().next() {
            Some(term) => Box::new(TermQuery::new(term, IndexRecordOption::Basic)),
            None => Box::new(EmptyQuery),
        },
        _ => Box::new(Steady(Box::new(PhraseQuery::new(terms)))),
    }
}

/// Documents with a word that begins with `word`.
fn starting_with(field: Field, word: &str) -> RangeQuery {
    let mut after = word.to_owned();
    // The next string of the same length or less: the last character raised, skipping the surrogates.
    let mut end = Bound::Unbounded;
    while let Some(last) = after.pop() {
        if let Some(next) = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32) {
            after.push(next);
            end = Bound::Excluded(Term::from_field_text(field, &after));
            break;
        }
    }
    RangeQuery::new(Bound::Included(Term::from_field_text(field, word)), end)
}

/// Documents one of whose values matches: the expression runs once over each different value.
fn pattern_query(field: TextField, pattern: &str) -> Box<dyn Query> {
    // The grammar has compiled it before; what does not compile matches nothing.
    let Ok(regex) = compile(pattern) else { return Box::new(EmptyQuery) };
    let column = key_column(field);
    Box::new(Filter {
        among: weightless(AllQuery),
        test: Arc::new(move |segment| {
            let Some(values) = segment.fast_fields().bytes(&column)? else { return Ok(Box::new(|_| false)) };
            let mut matching = Vec::with_capacity(values.num_terms());
            let mut stream = values.dictionary().stream()?;
            while stream.advance() {
                matching.push(regex.is_match(&String::from_utf8_lossy(text_of_key(stream.key()))));
            }
            Ok(Box::new(move |doc| {
                values.term_ords(doc).any(|ord| matching.get(ord as usize).copied().unwrap_or(false))
            }))
        }),
    })
}

/// Name of the column that holds the levels of `genre`.
pub(super) fn share_column(genre: &Genre) -> String {
    format!("share.{genre}")
}

/// The levels of a genre in one segment; 0 where it has none.
pub(super) struct Levels(Option<Column<i64>>);

impl Levels {
    pub fn open(segment: &SegmentReader, column: &str) -> tantivy::Result<Self> {
        Ok(Self(segment.fast_fields().column_opt(column)?))
    }

    #[inline]
    pub fn get(&self, doc: u32) -> u32 {
        self.0.as_ref().and_then(|column| column.first(doc)).map_or(0, |level| level as u32)
    }
}
