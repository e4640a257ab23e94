//! Where in a row of tokens a genre is named. The longest name wins: "drum and bass" is one genre, and so is
//! "hip hop".

use super::{
    UNSURE,
    lex::{Tok, Token},
};
use crate::genre::{Genre, Taxonomy};

/// Words in the longest name that is looked for.
const WORDS: usize = 5;

/// A genre and how many tokens name it.
pub(super) fn at_start(tokens: &[Token], taxonomy: &Taxonomy) -> Option<(Genre, usize)> {
    let words: Vec<&str> = tokens
        .iter()
        .take(WORDS)
        .map_while(|token| match &token.tok {
            Tok::Word(word) => Some(word.as_str()),
            _ => None,
        })
        .collect();
    (1..=words.len()).rev().find_map(|n| {
        let name = words.get(..n)?.join(" ");
        // A separator at either end belongs to what stands beyond it, not to the name.
        let ends = [words.first()?, words.get(n - 1)?];
        if ends.iter().any(|word| !word.chars().any(char::is_alphanumeric)) {
            return None;
        }
        named(&name, taxonomy).map(|genre| (genre, n))
    })
}

/// A genre whose last word is the name of a `name:value` token: "hip hop:20..40".
pub(super) fn before_value(tokens: &[Token], taxonomy: &Taxonomy) -> Option<(Genre, usize)> {
    let mut words = Vec::new();
    for (n, token) in tokens.iter().take(WORDS).enumerate() {
        match &token.tok {
            Tok::Word(word) => words.push(word.as_str()),
            Tok::Field { name, regex: false, .. } => {
                words.push(name);
                return named(&words.join(" "), taxonomy).map(|genre| (genre, n + 1));
            }
            _ => return None,
        }
    }
    None
}

/// The genre that `text` names, "unsure" included.
pub(super) fn named(text: &str, taxonomy: &Taxonomy) -> Option<Genre> {
    taxonomy.resolve(text).or_else(|| Genre::new(text).filter(|genre| genre.slug() == UNSURE))
}
