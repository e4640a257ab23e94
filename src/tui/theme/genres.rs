//! The genres of the library and how each is shown: a name, a letter, a colour.

use std::collections::BTreeMap;

use ratatui::style::Color;

use super::Theme;
use crate::{
    genre::{Genre, Taxonomy},
    text::clean,
};

/// The genres of the shipped models: slug, letter. The letters are the first free ones of each name; the colours
/// are those of a palette, in this order.
const KNOWN: &[(&str, char)] = &[
    ("blues", 'B'),
    ("classical", 'C'),
    ("country", 'O'),
    ("disco", 'D'),
    ("hiphop", 'H'),
    ("jazz", 'J'),
    ("metal", 'M'),
    ("pop", 'P'),
    ("reggae", 'R'),
    ("rock", 'K'),
];

/// How a genre is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// As people write it, fit for the terminal.
    pub name: String,
    /// Its letter; no other genre has it while there are letters left.
    pub letter: char,
    /// Left out of lists.
    pub hidden: bool,
    tone: usize,
}

/// The genres of the library and how each is shown.
#[derive(Clone, Debug, Default)]
pub struct Genres {
    looks: BTreeMap<Genre, Look>,
    taxonomy: Taxonomy,
}

impl Genres {
    /// The genres of a taxonomy. The shipped ten keep their letters and colours whatever else there is.
    #[must_use]
    pub fn of(taxonomy: &Taxonomy) -> Self {
        let mut used: Vec<char> = KNOWN.iter().map(|(_, letter)| *letter).collect();
        let mut looks = BTreeMap::new();
        let mut others = 0;
        for (genre, entry) in taxonomy.iter() {
            let known = KNOWN.iter().position(|(slug, _)| *slug == genre.slug());
            let (letter, tone) = match known {
                Some(i) => (KNOWN[i].1, i),
                None => {
                    let letter = free_letter(&entry.name, &used);
                    used.push(letter);
                    others += 1;
                    (letter, KNOWN.len() + others - 1)
                }
            };
            let name = clean(&entry.name).into_owned();
            looks.insert(genre.clone(), Look { name, letter, hidden: entry.hidden, tone });
        }
        Self { looks, taxonomy: taxonomy.clone() }
    }

    /// Genres that lists show: the shipped ten first, then the others by name.
    #[must_use]
    pub fn listed(&self) -> Vec<Genre> {
        let mut list: Vec<(&Genre, &Look)> = self.looks.iter().filter(|(_, look)| !look.hidden).collect();
        list.sort_by_key(|(genre, look)| (if look.tone < KNOWN.len() { look.tone } else { usize::MAX }, *genre));
        list.into_iter().map(|(genre, _)| genre.clone()).collect()
    }

    /// The name people read.
    #[must_use]
    pub fn name<'a>(&'a self, genre: &'a Genre) -> &'a str {
        self.looks.get(genre).map_or(genre.slug(), |look| &look.name)
    }

    /// Its letter.
    #[must_use]
    pub fn letter(&self, genre: &Genre) -> char {
        self.looks.get(genre).map_or('*', |look| look.letter)
    }

    /// Its colour.
    #[must_use]
    pub fn colour(&self, theme: Theme, genre: &Genre) -> Color {
        let tone = self.looks.get(genre).map_or(KNOWN.len(), |look| look.tone);
        theme.genre(tone)
    }

    /// The genre that `text` names: by its name, slug or another word for it, or the only one that begins so.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<Genre> {
        let slug = crate::genre::slug(text);
        if slug.is_empty() {
            return None;
        }
        let exact = Genre::new(&slug).filter(|g| self.looks.contains_key(g));
        exact.or_else(|| self.taxonomy.resolve(text)).or_else(|| {
            let mut starting = self.looks.keys().filter(|g| g.slug().starts_with(&slug));
            starting.next().filter(|_| starting.next().is_none()).cloned()
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.looks.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.looks.is_empty()
    }
}

fn free_letter(name: &str, used: &[char]) -> char {
    let own = name.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_uppercase());
    let lower = name.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase());
    own.chain(('A'..='Z').chain([])).chain(lower).chain('a'..='z').find(|c| !used.contains(c)).unwrap_or('*')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn letters_differ_and_the_ten_keep_theirs() {
        let mut taxonomy = Taxonomy::default();
        for name in ["Jazz", "Rock", "Reggae", "Country", "Classical", "Techno", "Trance", "Zydeco", "Ambient"] {
            taxonomy.add(name);
        }
        let genres = Genres::of(&taxonomy);
        let letters: std::collections::BTreeSet<char> = genres.listed().iter().map(|g| genres.letter(g)).collect();
        assert_eq!(letters.len(), 9);
        assert_eq!(genres.letter(&Genre::new("jazz").unwrap()), 'J');
        assert_eq!(genres.letter(&Genre::new("rock").unwrap()), 'K');
    }

    #[test]
    fn a_beginning_names_a_genre_when_it_is_the_only_one() {
        let mut taxonomy = Taxonomy::default();
        for name in ["Jazz", "Rock", "Reggae"] {
            taxonomy.add(name);
        }
        let genres = Genres::of(&taxonomy);
        assert_eq!(genres.find("ja").map(|g| g.to_string()), Some("jazz".into()));
        assert_eq!(genres.find("r"), None);
        assert_eq!(genres.find("JAZZ").map(|g| g.to_string()), Some("jazz".into()));
    }

    #[test]
    fn another_word_names_the_genre_that_it_means() {
        let mut taxonomy = Taxonomy::builtin();
        for name in ["Hip-Hop", "Pop", "Jazz", "Raga", "Rapcore"] {
            taxonomy.add(name);
        }
        taxonomy.alias("disco", "pop");
        let genres = Genres::of(&taxonomy);
        for (text, wanted) in [("rap", "hiphop"), ("Disco", "pop"), ("rapc", "rapcore"), ("ja", "jazz")] {
            assert_eq!(genres.find(text).map(|g| g.to_string()), Some(wanted.into()), "{text}");
        }
    }
}
