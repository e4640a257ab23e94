//! What Tab offers: the ways to go on with the word at the cursor. Pure; names of artists and the like are
//! the caller's to add.

use std::ops::Range;

use super::query::{FIELDS, QUANTIFIERS, UNSURE};
use crate::genre::{Taxonomy, slug};

/// What Tab offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The bytes of the text that a choice replaces.
    pub replaces: Range<usize>,
    /// The choices, likeliest first.
    pub choices: Vec<String>,
}

/// Choices, at most.
const MOST: usize = 20;

/// Ways to go on with the word that ends at byte `cursor` of `text`: genres first, then words for how much,
/// then fields. Nothing before a word is begun, but genres after a word for how much.
#[must_use]
pub fn complete(text: &str, cursor: usize, taxonomy: &Taxonomy) -> Completion {
    let mut cursor = cursor.min(text.len());
    while !text.is_char_boundary(cursor) {
        cursor -= 1;
    }
    let before = text.get(..cursor).unwrap_or("");
    let start = before
        .char_indices()
        .rev()
        .find(|(_, c)| c.is_whitespace() || matches!(c, '(' | ')' | ',' | '"' | '>' | '<' | '='))
        .map_or(0, |(at, c)| at + c.len_utf8());
    let dash = usize::from(before.get(start..).is_some_and(|word| word.starts_with('-')));
    let start = start + dash;
    let word = before.get(start..).unwrap_or("");
    let nothing = Completion { replaces: start..cursor, choices: Vec::new() };
    // Inside quotes everything is text.
    if before.matches('"').count() % 2 == 1 {
        return nothing;
    }
    let mut choices: Vec<String> = Vec::new();
    if let Some((field, value)) = word.split_once(':') {
        let values: &[&str] = match field.to_lowercase().as_str() {
            "source" => &["user", "model", "file", "none"],
            "state" => &["present", "missing", "any"],
            "format" => &["mp3", "flac", "ogg", "opus", "m4a", "wav", "aiff"],
            _ => &[],
        };
        let value_start = start + field.len() + 1;
        let begins = |v: &&&str| v.starts_with(&value.to_lowercase());
        return Completion {
            replaces: value_start..cursor,
            choices: values.iter().filter(begins).map(|v| (*v).to_owned()).collect(),
        };
    }
    let front = before.get(..start - dash).unwrap_or("").trim_end().to_lowercase();
    let after_quantifier = QUANTIFIERS
        .iter()
        .map(|(phrase, _)| *phrase)
        .chain(["no", "not", "without", "with", "starts with", "ends with", "than", ">", ">=", "<", "<="])
        .any(|phrase| front == phrase || front.strip_suffix(phrase).is_some_and(|rest| rest.ends_with([' ', '('])));
    if word.is_empty() && !after_quantifier {
        return nothing;
    }
    let wanted = slug(word);
    let mut genres: Vec<String> = taxonomy
        .iter()
        .filter(|(genre, entry)| !entry.hidden && genre.slug().starts_with(&wanted))
        .map(|(_, entry)| entry.name.to_lowercase())
        .collect();
    if UNSURE.starts_with(&wanted) && !wanted.is_empty() {
        genres.push(UNSURE.to_owned());
    }
    choices.append(&mut genres);
    if !after_quantifier && !word.is_empty() {
        let lower = word.to_lowercase();
        let phrases = QUANTIFIERS.iter().map(|(phrase, _)| *phrase);
        let more = ["no", "without", "starts with", "ends with", "more", "about", "at least", "at most"];
        choices.extend(phrases.chain(more).filter(|p| p.starts_with(&lower)).map(str::to_owned));
        choices.extend(FIELDS.iter().filter(|f| f.starts_with(&lower)).map(|f| format!("{f}:")));
    }
    choices.retain(|choice| choice != word);
    choices.truncate(MOST);
    Completion { replaces: start..cursor, choices }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices(text: &str) -> Vec<String> {
        let mut taxonomy = Taxonomy::builtin();
        for name in ["jazz", "blues", "hiphop", "metal"] {
            taxonomy.add(name);
        }
        complete(text, text.len(), &taxonomy).choices
    }

    #[test]
    fn tab_goes_on_with_the_word() {
        assert_eq!(choices("mostly ja"), ["jazz"]);
        assert_eq!(choices("mos"), ["mostly"]);
        assert_eq!(choices("jazz -bl"), ["blues"]);
        assert_eq!(choices("source:u"), ["user"]);
        assert_eq!(choices("jazz ye"), ["year:"]);
        assert_eq!(choices("m"), ["metal", "mostly", "mainly", "more", "model:"]);
        assert_eq!(choices("no "), ["blues", "hip-hop", "jazz", "metal"]);
        assert_eq!(choices("jazz "), Vec::<String>::new());
        assert_eq!(choices("title:\"ja"), Vec::<String>::new());
        assert_eq!(complete("é ja", 1, &Taxonomy::builtin()).replaces, 0..0);
    }
}
