//! The grammar: tokens to a tree.
//!
//! ```text
//! any    := all (("or" | ",") all)*
//! all    := item (("and" | "with" | "but" | "plus" | nothing) item)*
//! item   := "(" any ")" | negated item | a clause (clauses.rs: genres and times; fields.rs: fields and sorts)
//! ```
//!
//! Every token ends up in a clause, in the list of words passed over, or in an error: nothing vanishes.

use std::collections::BTreeMap;

use jiff::Zoned;

use super::{
    QUERY_BYTES,
    ast::{Edge, Expr, Hint, Leaf, Query, Span, Test, Window},
    error::QueryError,
    lex::{Tok, Token, lex},
    phrases::{JOINS, NEGATIONS},
    thresholds::Thresholds,
};
use crate::{genre::Taxonomy, search::fold};

/// Words that carry no wish: passed over and reported.
const FILLERS: &[&str] = &[
    "songs",
    "song",
    "music",
    "tracks",
    "track",
    "tunes",
    "tune",
    "from",
    "the",
    "a",
    "an",
    "me",
    "something",
    "stuff",
    "please",
    "that",
    "which",
    "is",
    "are",
];

/// Names of the fields, for messages and completion.
pub(crate) const FIELDS: &[&str] = &[
    "artist", "album", "title", "year", "path", "format", "length", "bitrate", "added", "source", "model", "genre",
    "state", "limit", "like",
];

/// Brackets within brackets, at most.
const DEPTH: usize = 32;

/// Clauses, at most: more than anybody types, few enough for every stage behind.
const CLAUSES: usize = 128;

/// All that the meaning of a text depends on.
#[derive(Clone, Debug)]
pub struct Grammar<'a> {
    /// The genres that there are, and what else they are called.
    pub taxonomy: &'a Taxonomy,
    /// What the words for "how much" mean.
    pub thresholds: Thresholds,
    /// Queries kept by name; `@name` stands for one.
    pub saved: BTreeMap<String, String>,
    /// For `added:7d` and `added:today`.
    pub now: Zoned,
}

impl<'a> Grammar<'a> {
    /// A grammar without saved queries, now.
    #[must_use]
    pub fn new(taxonomy: &'a Taxonomy, thresholds: Thresholds) -> Self {
        Self { taxonomy, thresholds, saved: BTreeMap::new(), now: Zoned::now() }
    }

    /// Understand `text`.
    ///
    /// # Errors
    /// The first thing in it that makes no sense, with its place.
    pub fn parse(&self, text: &str) -> Result<Query, QueryError> {
        self.parse_within(text, &mut Vec::new())
    }

    fn parse_within(&self, text: &str, names: &mut Vec<String>) -> Result<Query, QueryError> {
        let error = |span, message: &str| Err(QueryError { message: message.to_owned(), span, text: text.to_owned() });
        if text.len() > QUERY_BYTES {
            return error(0..0, "this query is too long: at most 4,096 bytes are read");
        }
        let mut parser = Parser {
            grammar: self,
            text,
            tokens: lex(text)?,
            at: 0,
            depth: 0,
            query: Query { text: text.to_owned(), ..Query::everything() },
            names,
        };
        if let Some(root) = parser.any()? {
            parser.query.root = root;
        }
        if let Some(token) = parser.tokens.get(parser.at) {
            return error(token.span.clone(), "this bracket closes nothing");
        }
        let query = parser.query;
        let leaves = query.root.leaves();
        if leaves.len() > CLAUSES {
            let place = leaves.get(CLAUSES).map_or(0..0, |leaf| leaf.span.clone());
            return error(place, "too many clauses: at most 128 are read");
        }
        Ok(query)
    }
}

pub(super) struct Parser<'g, 'n> {
    pub grammar: &'g Grammar<'g>,
    pub text: &'g str,
    pub tokens: Vec<Token>,
    pub at: usize,
    depth: usize,
    pub query: Query,
    /// Saved queries being read, against loops.
    names: &'n mut Vec<String>,
}

pub(super) type Parsed<T> = Result<T, QueryError>;

impl Parser<'_, '_> {
    pub fn error<T>(&self, span: Span, message: impl Into<String>) -> Parsed<T> {
        Err(QueryError { message: message.into(), span, text: self.text.to_owned() })
    }

    pub fn rest(&self) -> &[Token] {
        self.tokens.get(self.at..).unwrap_or(&[])
    }

    pub fn peek(&self) -> Option<&Tok> {
        self.tokens.get(self.at).map(|token| &token.tok)
    }

    /// Place of the token here, or the end of the text.
    pub fn span(&self) -> Span {
        self.tokens.get(self.at).map_or(self.text.len()..self.text.len(), |token| token.span.clone())
    }

    /// From the start of token `first` to the end of the one before here.
    pub fn span_from(&self, first: usize) -> Span {
        let start = self.tokens.get(first).map_or(self.text.len(), |token| token.span.start);
        let end = self.at.checked_sub(1).and_then(|last| self.tokens.get(last)).map_or(start, |token| token.span.end);
        start..end.max(start)
    }

    /// The word here in lower case; quotes and fields are no words.
    pub fn word(&self) -> Option<String> {
        self.word_at(self.at)
    }

    pub fn word_at(&self, at: usize) -> Option<String> {
        match self.tokens.get(at).map(|token| &token.tok) {
            Some(Tok::Word(word)) => Some(word.to_lowercase()),
            _ => None,
        }
    }

    /// How many tokens say `phrase` at token `at`; 0 when they do not.
    pub fn phrase_at(&self, at: usize, phrase: &str) -> usize {
        let mut n = 0;
        for wanted in phrase.split(' ') {
            if self.word_at(at + n).is_none_or(|word| word.trim_end_matches(['.', '!', '?']) != wanted) {
                return 0;
            }
            n += 1;
        }
        n
    }

    pub fn leaf(&self, first: usize, test: Test) -> Expr {
        Expr::Leaf(Leaf { test, span: self.span_from(first) })
    }

    /// The source of the token here.
    fn ignore_token(&mut self) {
        let span = self.span();
        self.query.ignored.push(self.text.get(span).unwrap_or("").to_owned());
        self.at += 1;
    }

    fn any(&mut self) -> Parsed<Option<Expr>> {
        self.depth += 1;
        if self.depth > DEPTH {
            return self.error(self.span(), "too many brackets within brackets");
        }
        let mut parts: Vec<Expr> = Vec::new();
        // Whether the comma just read separates "starts ..." from "ends ...": one track can do both.
        let mut both = false;
        loop {
            let first = self.at;
            let liked = self.query.like.len();
            if let Some(part) = self.all()? {
                let previous = parts.pop_if(|previous| {
                    both && matches!((edge(last_leaf(previous)), edge(first_leaf(&part))), (Some(a), Some(b)) if a != b)
                });
                parts.push(match previous {
                    Some(previous) => Expr::all(vec![previous, part]),
                    None => part,
                });
            } else if first > 0 && self.is_or(first - 1) && self.at == first {
                return self.error(self.span_before(), "`or` needs a clause after it (quote it to look for the word)");
            } else if self.query.like.len() > liked && (self.is_or(self.at) || (first > 0 && self.is_or(first - 1))) {
                return self.error(
                    self.span_from(first),
                    "like: orders all that is found and is no choice of its own; put the choices in brackets before it",
                );
            }
            match self.peek() {
                Some(Tok::Comma) => {
                    both = true;
                    self.at += 1;
                }
                Some(Tok::Word(word)) if word.eq_ignore_ascii_case("or") => {
                    if parts.is_empty() {
                        return self
                            .error(self.span(), "`or` needs a clause before it (quote it to look for the word)");
                    }
                    both = false;
                    self.at += 1;
                }
                _ => break,
            }
        }
        self.depth -= 1;
        Ok((!parts.is_empty()).then(|| Expr::any(parts)))
    }

    fn is_or(&self, at: usize) -> bool {
        self.word_at(at).as_deref() == Some("or")
    }

    fn span_before(&self) -> Span {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(0..0, |token| token.span.clone())
    }

    fn all(&mut self) -> Parsed<Option<Expr>> {
        let mut items = Vec::new();
        let mut with = false;
        loop {
            match self.peek() {
                None | Some(Tok::Close | Tok::Comma) => break,
                Some(Tok::Word(_)) => {
                    let word = self.word().unwrap_or_default();
                    if word == "or" {
                        break;
                    }
                    if JOINS.contains(&word.as_str()) || (word == "with" && self.with_joins()) {
                        with = word == "with";
                        self.at += 1;
                        continue;
                    }
                }
                Some(_) => {}
            }
            let after_genre = with && items.iter().any(wants_genre);
            if let Some(item) = self.item(after_genre)? {
                items.push(item);
            }
            with = false;
        }
        Ok((!items.is_empty()).then(|| Expr::all(items)))
    }

    /// "with" joins, unless nothing follows it.
    fn with_joins(&self) -> bool {
        self.rest().len() > 1
    }

    /// One clause, group or negation; `None` when the words were passed over. `after_genre`: a "with" stands
    /// before it and a wanted genre before that.
    fn item(&mut self, after_genre: bool) -> Parsed<Option<Expr>> {
        match self.peek() {
            Some(Tok::Open) => self.group().map(Some),
            Some(Tok::Minus) => {
                let first = self.at;
                self.at += 1;
                self.negated(first, false)
            }
            Some(Tok::Quoted(text)) => {
                let text = text.clone();
                self.at += 1;
                Ok(self.words(self.at - 1, None, &text))
            }
            Some(Tok::Compare(_)) => self.error(
                self.span(),
                "a comparison needs a genre or a number field before it, such as `jazz > 20%` or `year > 1960`",
            ),
            _ => self.clause(after_genre),
        }
    }

    fn group(&mut self) -> Parsed<Expr> {
        let open = self.span();
        self.at += 1;
        let inner = self.any()?;
        if self.peek() != Some(&Tok::Close) {
            return self.error(open, "this bracket is never closed");
        }
        self.at += 1;
        match inner {
            Some(inner) => Ok(inner),
            None => self.error(open, "these brackets hold no clause"),
        }
    }

    fn clause(&mut self, after_genre: bool) -> Parsed<Option<Expr>> {
        let first = self.at;
        if let Some(expr) = self.sort_or_field()? {
            return Ok(expr);
        }
        if let Some(expr) = self.amount()? {
            return Ok(Some(expr));
        }
        if let Some(expr) = self.versus_in_words()? {
            return Ok(Some(expr));
        }
        if let Some(expr) = self.starts_or_ends()? {
            return Ok(Some(expr));
        }
        if let Some(expr) = self.quantified(after_genre)? {
            return Ok(Some(expr));
        }
        if let Some(expr) = self.bare_genre()? {
            return Ok(Some(expr));
        }
        let Some(word) = self.word() else {
            // Only a word can be left: every other token has been dealt with.
            self.ignore_token();
            return Ok(None);
        };
        if NEGATIONS.contains(&word.as_str()) {
            self.at += 1;
            return self.negated(first, true);
        }
        if let Some(name) = word.strip_prefix('@').filter(|name| !name.is_empty()) {
            return self.saved(first, name);
        }
        if self.compared_field()?.is_some() {
            // Reported by the call: a word before a comparison that is neither genre nor number field.
        }
        if let Some(parts) = self.joined_genres() {
            return Ok(Some(parts));
        }
        if FILLERS.contains(&word.trim_end_matches(['.', '!', '?'])) {
            self.ignore_token();
            return Ok(None);
        }
        let Some(Tok::Word(text)) = self.peek().cloned() else { return Ok(None) };
        self.at += 1;
        if let Some(genre) = self.grammar.taxonomy.suggest(&text) {
            let genre = self.grammar.taxonomy.name(genre).to_owned();
            self.query.hints.push(Hint { word: text.clone(), genre, span: self.span_from(first) });
        }
        Ok(self.words(first, None, &text))
    }

    /// What follows a "no" (which covers a list of genres) or a "-" (which does not).
    fn negated(&mut self, first: usize, list: bool) -> Parsed<Option<Expr>> {
        if let Some(expr) = self.without_genres(first, list)? {
            return Ok(Some(expr));
        }
        if matches!(self.peek(), None | Some(Tok::Close | Tok::Comma)) {
            let sign = self.text.get(self.span_from(first)).unwrap_or("").to_owned();
            return self.error(
                self.span_from(first),
                format!("`{sign}` needs something after it (quote it to look for the word)"),
            );
        }
        // Fillers between the negation and its clause: "not the blues" is dealt with above, "no songs with" here.
        while list && self.word().is_some_and(|word| FILLERS.contains(&word.as_str())) && self.rest().len() > 1 {
            self.ignore_token();
        }
        if let Some(expr) = self.without_genres(first, list)? {
            return Ok(Some(expr));
        }
        self.depth += 1;
        if self.depth > DEPTH {
            return self.error(self.span(), "too many negations within negations");
        }
        let liked = self.query.like.len();
        let inner = self.item(false)?;
        self.depth -= 1;
        if self.query.like.len() > liked {
            return self.error(self.span_from(first), "like names tracks to be near to; there is no opposite of it");
        }
        Ok(inner.map(|inner| Expr::Not(Box::new(inner))))
    }

    /// `text` as words of a field, or of any; `None`, and reported, when there is no letter or digit in it.
    pub fn words(&mut self, first: usize, field: Option<super::TextField>, text: &str) -> Option<Expr> {
        let words = fold::tokens(text);
        if words.is_empty() {
            let span = self.span_from(first);
            self.query.ignored.push(self.text.get(span).unwrap_or("").to_owned());
            return None;
        }
        let prefix = text.ends_with('*');
        Some(self.leaf(first, Test::Words { field, words, prefix, shown: text.to_owned() }))
    }

    /// `@name`: the saved query of that name, in its place.
    fn saved(&mut self, first: usize, name: &str) -> Parsed<Option<Expr>> {
        self.at += 1;
        let span = self.span_from(first);
        let Some(text) = self.grammar.saved.get(name) else {
            return self.error(span, format!("no saved search is called {name}; `deepcuts search --saved` lists them"));
        };
        if self.names.iter().any(|n| n == name) || self.names.len() >= DEPTH {
            return self.error(span, format!("the saved search {name} contains itself"));
        }
        self.names.push(name.to_owned());
        let inner = self.grammar.parse_within(text, self.names);
        self.names.pop();
        let inner = match inner {
            Ok(inner) => inner,
            Err(e) => return self.error(span, format!("in the saved search {name}: {}", e.message)),
        };
        self.query.sort.extend(inner.sort);
        self.query.limit = self.query.limit.or(inner.limit);
        self.query.like.extend(inner.like);
        self.query.ignored.extend(inner.ignored);
        Ok(Some(moved(inner.root, &span)))
    }
}

/// `expr` with every clause placed at `span`.
fn moved(expr: Expr, span: &Span) -> Expr {
    let each = |parts: Vec<Expr>| parts.into_iter().map(|part| moved(part, span)).collect();
    match expr {
        Expr::All(parts) => Expr::All(each(parts)),
        Expr::Any(parts) => Expr::Any(each(parts)),
        Expr::Not(part) => Expr::Not(Box::new(moved(*part, span))),
        Expr::Leaf(leaf) => Expr::Leaf(Leaf { span: span.clone(), ..leaf }),
    }
}

/// Whether a clause wants some of a genre.
fn wants_genre(expr: &Expr) -> bool {
    match expr {
        Expr::All(parts) | Expr::Any(parts) => parts.iter().any(wants_genre),
        Expr::Not(_) => false,
        Expr::Leaf(leaf) => match &leaf.test {
            Test::Share { quantity, .. } => *quantity != super::Quantity::No,
            Test::Versus { .. } => true,
            _ => false,
        },
    }
}

fn last_leaf(expr: &Expr) -> Option<&Leaf> {
    expr.leaves().last().copied()
}

fn first_leaf(expr: &Expr) -> Option<&Leaf> {
    expr.leaves().first().copied()
}

/// The end of the track that a "starts" or "ends" clause speaks of.
fn edge(leaf: Option<&Leaf>) -> Option<Edge> {
    match leaf.map(|leaf| &leaf.test) {
        Some(Test::Share { window: Some(Window { edge, implied: true, .. }), .. }) => Some(*edge),
        _ => None,
    }
}
