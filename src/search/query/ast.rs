//! The tree that a query becomes.

use std::ops::Range;

use super::{super::share::Bounds, lex::Op};
use crate::{genre::Genre, track::Source};

/// A place in the text of a query, in bytes.
pub type Span = Range<usize>;

/// A query, understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The text it was.
    pub text: String,
    /// What has to hold; `All` of nothing holds for every track.
    pub root: Expr,
    /// Orders asked for, the first counts most; ties fall to the order by closeness.
    pub sort: Vec<SortBy>,
    /// At most so many hits.
    pub limit: Option<usize>,
    /// Tracks that hits should sound like, as they were named: the nearest come first.
    pub like: Vec<String>,
    /// Words that mean nothing here and were passed over.
    pub ignored: Vec<String>,
    /// Words that are no genre but look like one.
    pub hints: Vec<Hint>,
}

/// Clauses, joined.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// Every one of them.
    All(Vec<Expr>),
    /// At least one of them.
    Any(Vec<Expr>),
    /// The opposite.
    Not(Box<Expr>),
    /// One clause.
    Leaf(Leaf),
}

/// One clause and its place in the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// What has to hold.
    pub test: Test,
    /// Where it was said.
    pub span: Span,
}

/// What a clause asks of a track.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// A genre's share of the track, or of a window of it, lies within bounds.
    Share {
        /// The genre; [`super::UNSURE`] for what no genre won.
        genre: Genre,
        /// The word that was used.
        quantity: Quantity,
        /// The shares that it stands for.
        bounds: Bounds,
        /// No other genre has as large a share.
        largest: bool,
        /// Not of the whole track, but of its beginning or end.
        window: Option<Window>,
    },
    /// A genre's share compared with another's.
    Versus {
        /// This genre's share
        left: Genre,
        /// is greater, ...
        op: Op,
        /// than this one's.
        right: Genre,
    },
    /// Words side by side in one field.
    Words {
        /// The field, or title, artist, album and path alike.
        field: Option<TextField>,
        /// The words, folded.
        words: Vec<String>,
        /// The last word may be only the beginning of one.
        prefix: bool,
        /// As typed.
        shown: String,
    },
    /// A regular expression found in a field, case not counting.
    Pattern {
        /// The field.
        field: TextField,
        /// The expression, known to compile.
        pattern: String,
    },
    /// A number within a range.
    Number {
        /// Which number.
        field: NumberField,
        /// The range.
        range: NumberRange,
        /// As people read it.
        shown: String,
    },
    /// The container's name.
    Format(Vec<&'static str>),
    /// Where the mix comes from; `None`: there is no mix.
    Source(Option<Source>),
    /// Whether the file is there.
    State(State),
}

/// The word that set a share's bounds. It also says which share is meant when closeness is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quantity {
    /// pure, only, all
    Pure,
    /// mostly, mainly
    Mostly,
    /// half
    Half,
    /// a lot of, plenty of
    Lots,
    /// some, partly, with
    Some,
    /// a bit of, a touch of, a hint of, slightly
    Bit,
    /// the genre alone
    Any,
    /// no, not, without
    No,
    /// about N %
    About,
    /// a comparison or a range
    Given,
    /// starts with, ends with
    Edge,
}

/// A part of a track, measured from its beginning or its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// From which end.
    pub edge: Edge,
    /// How long, ms.
    pub length_ms: u32,
    /// Said as "starts" or "ends" rather than with a duration.
    pub implied: bool,
}

/// An end of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edge {
    /// The beginning.
    First,
    /// The end.
    Last,
}

/// Fields of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TextField {
    /// Title.
    Title,
    /// Artist of the track or the album.
    Artist,
    /// Album.
    Album,
    /// Path of the file.
    Path,
    /// Genres that the file's tags name.
    Genre,
    /// Name or id of the model that heard the track.
    Model,
}

impl TextField {
    /// The fields that a bare word is looked for in, with the weight of a match.
    pub const WEIGHTED: [(Self, u32); 4] = [(Self::Title, 4), (Self::Artist, 3), (Self::Album, 2), (Self::Path, 1)];

    /// The name that queries use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Artist => "artist",
            Self::Album => "album",
            Self::Path => "path",
            Self::Genre => "genre",
            Self::Model => "model",
        }
    }

    /// What a match in it weighs in the ranking.
    #[must_use]
    pub fn weight(self) -> u32 {
        Self::WEIGHTED.iter().find(|(field, _)| *field == self).map_or(0, |(_, weight)| *weight)
    }
}

/// Fields that are numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NumberField {
    /// Year of the recording.
    Year,
    /// Length, ms.
    Length,
    /// Bit rate, kbit/s.
    Bitrate,
    /// When the file was first seen, ms since 1970.
    Added,
}

impl NumberField {
    /// The name that queries use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Length => "length",
            Self::Bitrate => "bitrate",
            Self::Added => "added",
        }
    }
}

/// A range of numbers, both ends included. It may be empty (`year:1960..1950`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NumberRange {
    /// Lower end.
    pub low: i64,
    /// Upper end.
    pub high: i64,
}

impl NumberRange {
    /// Whether `value` lies within.
    #[must_use]
    pub const fn contains(&self, value: i64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// Whether a file is where it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// It is.
    Present,
    /// It is not.
    Missing,
    /// Either.
    Any,
}

/// An order asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortBy {
    /// By what.
    pub key: SortKey,
    /// Largest first.
    pub descending: bool,
}

/// What hits can be ordered by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SortKey {
    /// Title, artist, album or path, folded.
    Text(TextField),
    /// A number; tracks without one come last.
    Number(NumberField),
    /// A genre's share.
    Share(Genre),
}

/// A word that is no genre but looks like one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The word.
    pub word: String,
    /// The genre it may have meant, as people write it.
    pub genre: String,
    /// Where it was said.
    pub span: Span,
}

impl Query {
    /// The query that every track answers.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            text: String::new(),
            root: Expr::All(Vec::new()),
            sort: Vec::new(),
            limit: None,
            like: Vec::new(),
            ignored: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// Whether it says which files it wants by their state. Otherwise missing ones are left out.
    #[must_use]
    pub fn asks_for_state(&self) -> bool {
        self.root.leaves().iter().any(|leaf| matches!(leaf.test, Test::State(_)))
    }
}

impl Expr {
    /// All its clauses, in the order of the text.
    #[must_use]
    pub fn leaves(&self) -> Vec<&Leaf> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::leaves).collect(),
            Self::Not(part) => part.leaves(),
            Self::Leaf(leaf) => vec![leaf],
        }
    }

    /// `parts` joined by "and": one part stands for itself, nested joins are flattened.
    #[must_use]
    pub fn all(parts: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::All(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        if flat.len() == 1 { flat.swap_remove(0) } else { Self::All(flat) }
    }

    /// `parts` joined by "or".
    #[must_use]
    pub fn any(parts: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::Any(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        if flat.len() == 1 { flat.swap_remove(0) } else { Self::Any(flat) }
    }
}
