//! What Tab offers: the ways to go on with the word at the cursor. Pure; names of artists, albums and titles, and of
//! saved searches, are asked of the caller.

use std::ops::Range;

use super::query::{FIELDS, QUANTIFIERS, TextField, UNSURE};
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

/// Letters from which on a word may be the beginning of an artist or an album.
const BEGUN: usize = 2;

/// What the library offers.
pub trait Offers {
    /// Values of a field that begin so; at most so many.
    fn values(&self, field: TextField, prefix: &str, most: usize) -> Vec<String>;
    /// Names of saved searches.
    fn saved(&self) -> Vec<String>;
}

/// A library that offers nothing.
impl Offers for () {
    fn values(&self, _: TextField, _: &str, _: usize) -> Vec<String> {
        Vec::new()
    }

    fn saved(&self) -> Vec<String> {
        Vec::new()
    }
}

fn named(field: &str) -> Option<TextField> {
    let fields = [TextField::Artist, TextField::Album, TextField::Title];
    fields.into_iter().find(|known| known.name().eq_ignore_ascii_case(field))
}

/// A value as a query holds it. A quote within it is no letter, so a space says the same.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('"', " ").trim())
}

/// Ways to go on with the word that ends at byte `cursor` of `text`: genres first, then words for how much,
/// then fields. Nothing before a word is begun, but genres after a word for how much.
#[must_use]
pub fn complete(text: &str, cursor: usize, taxonomy: &Taxonomy, offers: &dyn Offers) -> Completion {
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
        // But for the value of a field of the library.
        let open = before.rfind('"').unwrap_or(0);
        let front = before.get(..open).unwrap_or("");
        let field = front.strip_suffix(':').and_then(|f| f.rsplit([' ', '(', ')', ',', '-']).next()).and_then(named);
        let Some(field) = field else { return nothing };
        let values = offers.values(field, before.get(open + 1..).unwrap_or(""), MOST);
        return Completion { replaces: open..cursor, choices: values.iter().map(|value| quoted(value)).collect() };
    }
    if let Some(name) = word.strip_prefix('@') {
        let mut choices = offers.saved();
        choices.retain(|saved| saved.starts_with(&name.to_lowercase()) && saved != name);
        choices.truncate(MOST);
        return Completion { replaces: start + 1..cursor, choices };
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
        if let Some(field) = named(field) {
            let values = offers.values(field, value, MOST);
            let choices = values.iter().map(|value| quoted(value)).collect();
            return Completion { replaces: value_start..cursor, choices };
        }
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
    if !after_quantifier && word.chars().count() >= BEGUN {
        for field in [TextField::Artist, TextField::Album] {
            let values = offers.values(field, word, MOST / 4);
            choices.extend(values.iter().map(|value| format!("{}:{}", field.name(), quoted(value))));
        }
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
        complete(text, text.len(), &taxonomy, &()).choices
    }

    struct Library;

    impl Offers for Library {
        fn values(&self, field: TextField, prefix: &str, most: usize) -> Vec<String> {
            let all: &[&str] = match field {
                TextField::Artist => &["Miles Davis", "Mild High Club", "The \"Duke\""],
                TextField::Album => &["Milestones"],
                _ => &[],
            };
            let begins = |v: &&&str| v.to_lowercase().starts_with(&prefix.to_lowercase());
            all.iter().filter(begins).take(most).map(|v| (*v).to_owned()).collect()
        }

        fn saved(&self) -> Vec<String> {
            vec!["dinner".to_owned(), "drive".to_owned()]
        }
    }

    fn completed(text: &str) -> Vec<String> {
        let completion = complete(text, text.len(), &Taxonomy::builtin(), &Library);
        let before = &text[..completion.replaces.start];
        completion.choices.iter().map(|choice| format!("{before}{choice}")).collect()
    }

    #[test]
    fn artists_albums_and_saved_searches_are_offered() {
        assert_eq!(completed("jazz artist:mil"), ["jazz artist:\"Miles Davis\"", "jazz artist:\"Mild High Club\""]);
        assert_eq!(completed("artist:\"miles d"), ["artist:\"Miles Davis\""]);
        assert_eq!(completed("-album:m"), ["-album:\"Milestones\""]);
        assert_eq!(completed("artist:the"), ["artist:\"The  Duke\""]);
        assert_eq!(completed("\"mil"), Vec::<String>::new());
        assert_eq!(completed("@d"), ["@dinner", "@drive"]);
        let bare = completed("mil");
        assert_eq!(bare, ["artist:\"Miles Davis\"", "artist:\"Mild High Club\"", "album:\"Milestones\""]);
        assert_eq!(completed("m").len(), complete("m", 1, &Taxonomy::builtin(), &()).choices.len());
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
        assert_eq!(complete("é ja", 1, &Taxonomy::builtin(), &()).replaces, 0..0);
    }
}
