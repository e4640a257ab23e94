//! What a genre is called.
//!
//! A [`Genre`] is a slug, the same for every way people write it (`Hip-Hop`, `hip hop` and `HIPHOP` are
//! `hiphop`). The [`Taxonomy`] knows the names people read, and which words mean which genre. It knows
//! no model and no database: both hand their genres to it.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
};

pub use deepcuts_protocol::slug;

/// The name of what no genre won, as if it were a genre: in searches and answers. People cannot call a genre so.
pub const UNSURE: &str = "unsure";

/// A genre: a slug of lower-case letters and digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Genre(Arc<str>);

impl Genre {
    /// The genre that `text` spells, or `None` when nothing but punctuation is left of it.
    /// Case, accents, spaces and punctuation do not count; `&` reads as `n`.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let slug = slug(text);
        (!slug.is_empty()).then(|| Self(slug.into()))
    }

    /// The genre that `text` spells, if people may call one so.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::new(text).filter(|genre| genre.slug() != UNSURE)
    }

    /// The slug.
    #[must_use]
    pub fn slug(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Genre {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The ten genres of the shipped models and others that people tag by: slug words are derived, these are
/// the names they read.
const NAMES: &[&str] = &[
    "Blues",
    "Classical",
    "Country",
    "Disco",
    "Hip-Hop",
    "Jazz",
    "Metal",
    "Pop",
    "Reggae",
    "Rock",
    "Ambient",
    "Bluegrass",
    "Drum & Bass",
    "Dub",
    "Dubstep",
    "Electronic",
    "Folk",
    "Funk",
    "Gospel",
    "House",
    "Indie",
    "Latin",
    "Opera",
    "Punk",
    "R&B",
    "Ska",
    "Soul",
    "Soundtrack",
    "Techno",
    "Trance",
    "World",
];

/// Other spellings, as (what people write, the genre's name).
const ALIASES: &[(&str, &str)] = &[
    ("rap", "Hip-Hop"),
    ("hip hop", "Hip-Hop"),
    ("rhythm and blues", "R&B"),
    ("rhythm & blues", "R&B"),
    ("r and b", "R&B"),
    ("d'n'b", "Drum & Bass"),
    ("dnb", "Drum & Bass"),
    ("drum and bass", "Drum & Bass"),
    ("drum'n'bass", "Drum & Bass"),
    ("heavy metal", "Metal"),
    ("classic", "Classical"),
    ("classical music", "Classical"),
    ("rock and roll", "Rock"),
    ("rock'n'roll", "Rock"),
    ("rock n roll", "Rock"),
    ("electronica", "Electronic"),
    ("edm", "Electronic"),
    ("country music", "Country"),
    ("pop music", "Pop"),
];

/// Aliases that lead to aliases are followed so far.
const ALIAS_STEPS: usize = 8;

/// What is known of one genre.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As people write it.
    pub name: String,
    /// Left out of lists and completion.
    pub hidden: bool,
}

/// Which genres there are, how they are written, and which words mean them.
#[derive(Clone, Debug, Default)]
pub struct Taxonomy {
    entries: BTreeMap<Genre, Entry>,
    aliases: HashMap<String, Genre>,
}

impl Taxonomy {
    /// Names and aliases that come with the program. Its entries are only names; [`Self::add`] the genres
    /// that the library really uses.
    #[must_use]
    pub fn builtin() -> Self {
        let mut taxonomy = Self::default();
        for (alias, name) in ALIASES {
            taxonomy.alias(alias, name);
        }
        taxonomy
    }

    /// Add a genre by the name people read. A known slug keeps its present name.
    pub fn add(&mut self, name: &str) -> Option<Genre> {
        let genre = Genre::new(name)?;
        self.entries.entry(genre.clone()).or_insert_with(|| Entry { name: display_name(name), hidden: false });
        Some(genre)
    }

    /// Set how a genre is written, and whether lists leave it out.
    pub fn set(&mut self, genre: &Genre, name: &str, hidden: bool) {
        self.entries.insert(genre.clone(), Entry { name: name.to_owned(), hidden });
    }

    /// Let `alias` mean the genre called `name`.
    pub fn alias(&mut self, alias: &str, name: &str) {
        if let Some(genre) = Genre::new(name) {
            self.aliases.insert(slug(alias), genre);
        }
    }

    /// The genre that `text` means, if it is one of the taxonomy's (by slug or alias; a plural `s` is
    /// forgiven where the singular is known).
    #[must_use]
    pub fn resolve(&self, text: &str) -> Option<Genre> {
        let slug = slug(text);
        self.resolve_slug(&slug).or_else(|| slug.strip_suffix('s').and_then(|s| self.resolve_slug(s)))
    }

    fn resolve_slug(&self, slug: &str) -> Option<Genre> {
        let genre = self.follow(slug);
        self.entries.contains_key(&genre).then_some(genre)
    }

    /// Where aliases lead from `slug`: to a listed genre, or as far as they go. A word may mean a genre that was
    /// renamed or merged since, and so on.
    fn follow(&self, slug: &str) -> Genre {
        let mut genre = Genre(slug.into());
        for _ in 0..ALIAS_STEPS {
            match self.aliases.get(genre.slug()).filter(|_| !self.entries.contains_key(&genre)) {
                Some(next) => genre = next.clone(),
                None => break,
            }
        }
        genre
    }

    /// The genre that `text` means whether or not the taxonomy lists it: aliases apply, else its slug.
    #[must_use]
    pub fn canonical(&self, text: &str) -> Option<Genre> {
        Genre::new(text).map(|genre| self.follow(genre.slug()))
    }

    /// Whether lists leave it out.
    #[must_use]
    pub fn is_hidden(&self, genre: &Genre) -> bool {
        self.entries.get(genre).is_some_and(|entry| entry.hidden)
    }

    /// As people write it.
    #[must_use]
    pub fn name<'a>(&'a self, genre: &'a Genre) -> &'a str {
        self.entries.get(genre).map_or(genre.slug(), |entry| &entry.name)
    }

    /// All genres, in the order of their slugs.
    pub fn iter(&self) -> impl Iterator<Item = (&Genre, &Entry)> {
        self.entries.iter()
    }

    /// Whether the taxonomy lists `genre`.
    #[must_use]
    pub fn contains(&self, genre: &Genre) -> bool {
        self.entries.contains_key(genre)
    }

    /// The listed genre whose name is nearest to `text`, when it is near enough for a typing error.
    #[must_use]
    pub fn suggest(&self, text: &str) -> Option<&Genre> {
        let slug = slug(text);
        let letters = slug.chars().count();
        let limit = match letters {
            0..=2 => return None,
            3..=6 => 1,
            _ => 2,
        };
        self.entries
            .keys()
            // Three letters are near to too many words: only one that was left out counts ("jaz", not "top").
            .filter(|genre| letters > 3 || genre.slug().chars().count() > letters)
            .map(|genre| (strsim::damerau_levenshtein(genre.slug(), &slug), genre))
            .filter(|(distance, _)| (1..=limit).contains(distance))
            .min()
            .map(|(_, genre)| genre)
    }
}

/// The name people read: the known one, else the text as given with its first letter raised.
#[must_use]
pub fn display_name(text: &str) -> String {
    let wanted = slug(text);
    if let Some(name) = NAMES.iter().find(|name| slug(name) == wanted) {
        return (*name).to_owned();
    }
    let text = text.trim();
    if text.chars().any(char::is_uppercase) {
        return text.to_owned();
    }
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn taxonomy() -> Taxonomy {
        let mut t = Taxonomy::builtin();
        for name in ["jazz", "blues", "hiphop", "R&B", "drum & bass", "classical"] {
            t.add(name);
        }
        t
    }

    #[test]
    fn every_spelling_is_one_genre() {
        let t = taxonomy();
        for text in ["hip hop", "Hip-Hop", "HIPHOP", "rap", "hip-hop"] {
            assert_eq!(t.resolve(text).unwrap().slug(), "hiphop", "{text}");
        }
        for text in ["r&b", "RnB", "R & B", "rhythm and blues"] {
            assert_eq!(t.name(&t.resolve(text).unwrap()), "R&B", "{text}");
        }
        assert_eq!(t.name(&t.resolve("d'n'b").unwrap()), "Drum & Bass");
        assert_eq!(t.resolve("blue").map(|g| g.to_string()), None);
    }

    #[test]
    fn names_are_written_as_people_write_them() {
        assert_eq!(display_name("hiphop"), "Hip-Hop");
        assert_eq!(display_name("shoegaze"), "Shoegaze");
        assert_eq!(display_name("Nu Jazz"), "Nu Jazz");
    }

    #[test]
    fn a_typing_error_gets_a_suggestion() {
        let t = taxonomy();
        assert_eq!(t.suggest("jaz").map(Genre::slug), Some("jazz"));
        assert_eq!(t.suggest("rnd").map(Genre::slug), None);
        assert_eq!(t.suggest("ja").map(Genre::slug), None);
        assert_eq!(t.suggest("jazs").map(Genre::slug), Some("jazz"));
        assert_eq!(t.suggest("clasical").map(Genre::slug), Some("classical"));
        assert_eq!(t.suggest("banana").map(Genre::slug), None);
    }
}
