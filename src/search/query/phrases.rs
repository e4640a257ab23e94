//! The words for "how much", as people say them.

use super::ast::Quantity;

/// Phrases and what they mean; a longer phrase stands before the shorter that it begins with.
pub(crate) const QUANTIFIERS: &[(&str, Quantity)] = &[
    ("a little bit of", Quantity::Bit),
    ("a bit of", Quantity::Bit),
    ("a touch of", Quantity::Bit),
    ("a hint of", Quantity::Bit),
    ("a little", Quantity::Bit),
    ("bit of", Quantity::Bit),
    ("touch of", Quantity::Bit),
    ("hint of", Quantity::Bit),
    ("slightly", Quantity::Bit),
    ("a lot of", Quantity::Lots),
    ("lots of", Quantity::Lots),
    ("plenty of", Quantity::Lots),
    ("mostly", Quantity::Mostly),
    ("mainly", Quantity::Mostly),
    ("pure", Quantity::Pure),
    ("purely", Quantity::Pure),
    ("only", Quantity::Pure),
    ("all", Quantity::Pure),
    ("half", Quantity::Half),
    ("some", Quantity::Some),
    ("partly", Quantity::Some),
    ("any", Quantity::Any),
];

/// Words that may stand between a quantifier and its genre.
pub(super) const ARTICLES: &[&str] = &["a", "an", "the", "of"];

/// Negations. After one, a genre is wanted below the threshold for "no", anything else is wanted not at all.
pub(super) const NEGATIONS: &[&str] = &["no", "not", "without"];

/// Words that only join clauses. "with" is one, too, but has a meaning of its own before a genre.
pub(super) const JOINS: &[&str] = &["and", "but", "plus", "&", "+"];

/// Words before a number of percents: (phrase, what the share is).
pub(super) const AMOUNTS: &[(&str, Amount)] = &[
    ("about", Amount::About),
    ("around", Amount::About),
    ("roughly", Amount::About),
    ("at least", Amount::AtLeast),
    ("no less than", Amount::AtLeast),
    ("at most", Amount::AtMost),
    ("no more than", Amount::AtMost),
    ("more than", Amount::Above),
    ("over", Amount::Above),
    ("less than", Amount::Below),
    ("under", Amount::Below),
    ("exactly", Amount::Exactly),
];

/// How a share lies to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    About,
    AtLeast,
    AtMost,
    Above,
    Below,
    Exactly,
}

/// Verbs for the beginning of a track, and for its end.
pub(super) const STARTS: &[&str] = &["starts", "start", "starting", "begins", "begin", "beginning", "opens", "opening"];
pub(super) const ENDS: &[&str] = &["ends", "end", "ending", "finishes", "finish", "closes", "closing"];
