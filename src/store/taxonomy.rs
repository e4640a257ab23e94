//! The taxonomy: the genres of the library, how they are written, and what the user made of them.
//!
//! A genre is a row. Renamed it stays the same row under another slug, and the old slug becomes a word for it; merged
//! it keeps its row and says into which other it went. So corrections and models keep pointing at what they always
//! pointed at, mixes and shares follow in the same transaction, and every act can be taken back.

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use super::{Result, Store, StoreError, now_ms};
use crate::genre::{Genre, Taxonomy, display_name, slug};

static NAMES: LazyLock<Taxonomy> = LazyLock::new(Taxonomy::builtin);

/// A genre as `genre list` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenreRow {
    /// Slug.
    pub slug: String,
    /// As people write it.
    pub name: String,
    /// Left out of lists.
    pub hidden: bool,
    /// The slug of the genre that it was merged into.
    pub merged_into: Option<String>,
    /// The user's other words for it, and what it was called before.
    pub words: Vec<String>,
    /// Tracks that have a share of it.
    pub tracks: u64,
    /// Tracks that the user said it of.
    pub corrected: u64,
}

/// What is done to the taxonomy; genres by slug or name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum GenreAct {
    /// Give it another name, and with it another slug.
    Rename {
        /// The genre.
        genre: String,
        /// Its new name.
        name: String,
    },
    /// Let it be one with another.
    Merge {
        /// The genre that goes.
        genre: String,
        /// The one that it becomes.
        into: String,
    },
    /// Leave it out of lists.
    Hide {
        /// The genre.
        genre: String,
    },
    /// Show it again.
    Show {
        /// The genre.
        genre: String,
    },
    /// Let a word mean it.
    Alias {
        /// The genre.
        genre: String,
        /// The word.
        word: String,
    },
    /// Let a word mean nothing of its own again.
    Unalias {
        /// The word.
        word: String,
    },
}

/// The row of the genre called `name`, made when it is new. It may have been merged: see [`merged_in`].
pub(super) fn genre_in(conn: &Connection, name: &str) -> rusqlite::Result<i64> {
    let own = slug(name);
    if let Some(id) = known_in(conn, &own)? {
        return Ok(id);
    }
    let canonical = NAMES.canonical(name).map_or_else(|| "unknown".to_owned(), |g| g.slug().to_owned());
    if let Some(id) = known_in(conn, &canonical)? {
        return Ok(id);
    }
    let written = display_name(if canonical == own { name } else { &canonical });
    conn.prepare_cached("INSERT INTO genres (slug, name) VALUES (?1, ?2)")?.execute([&canonical, &written])?;
    Ok(conn.last_insert_rowid())
}

/// The row that a slug means, by its own or as a word.
fn known_in(conn: &Connection, slug: &str) -> rusqlite::Result<Option<i64>> {
    let own =
        conn.prepare_cached("SELECT id FROM genres WHERE slug = ?1")?.query_row([slug], |r| r.get(0)).optional()?;
    if own.is_some() {
        return Ok(own);
    }
    conn.prepare_cached("SELECT genre_id FROM genre_words WHERE slug = ?1")?.query_row([slug], |r| r.get(0)).optional()
}

/// Where merged genres went, by row, whole chains followed. Mostly empty.
pub(super) fn merged_in(conn: &Connection) -> rusqlite::Result<HashMap<i64, i64>> {
    let direct: HashMap<i64, i64> = conn
        .prepare_cached("SELECT id, merged_into FROM genres WHERE merged_into IS NOT NULL")?
        .query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let end = |from: i64| {
        let mut at = from;
        // No chain is longer than there are links: a damaged one that goes in circles ends too.
        for _ in 0..direct.len() {
            match direct.get(&at) {
                Some(next) => at = *next,
                None => break,
            }
        }
        at
    };
    Ok(direct.keys().map(|&from| (from, end(from))).collect())
}

pub(super) fn genre_slugs_in(conn: &Connection) -> rusqlite::Result<BTreeMap<i64, Genre>> {
    let rows: Vec<(i64, String)> = conn
        .prepare_cached("SELECT id, slug FROM genres")?
        .query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(rows.into_iter().filter_map(|(id, slug)| Genre::new(&slug).map(|g| (id, g))).collect())
}

/// A genre's row as an act needs it.
struct Row {
    id: i64,
    slug: String,
    name: String,
}

fn row_in(conn: &Connection, id: i64) -> rusqlite::Result<Row> {
    conn.prepare_cached("SELECT id, slug, name FROM genres WHERE id = ?1")?
        .query_row([id], |r| Ok(Row { id: r.get(0)?, slug: r.get(1)?, name: r.get(2)? }))
}

impl Store {
    /// The taxonomy: what comes with the program, and every genre that the library has.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn taxonomy(&self) -> Result<Taxonomy> {
        let mut taxonomy = Taxonomy::builtin();
        let rows = self.genre_list_rows()?;
        for (_, slug, name, hidden, merged) in &rows {
            if let Some(genre) = Genre::new(slug).filter(|_| merged.is_none()) {
                taxonomy.set(&genre, name, *hidden);
            }
        }
        let slugs: HashMap<i64, &str> = rows.iter().map(|(id, slug, ..)| (*id, slug.as_str())).collect();
        let merged = self.wrap(merged_in(&self.conn))?;
        for (from, to) in &merged {
            if let (Some(from), Some(to)) = (slugs.get(from), slugs.get(to)) {
                taxonomy.alias(from, to);
            }
        }
        for (word, genre) in self.words()? {
            if let Some(to) = slugs.get(merged.get(&genre).unwrap_or(&genre)) {
                taxonomy.alias(&word, to);
            }
        }
        Ok(taxonomy)
    }

    #[allow(clippy::type_complexity)]
    fn genre_list_rows(&self) -> Result<Vec<(i64, String, String, bool, Option<i64>)>> {
        self.wrap(
            self.conn.prepare_cached("SELECT id, slug, name, hidden, merged_into FROM genres ORDER BY slug").and_then(
                |mut s| s.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?)))?.collect(),
            ),
        )
    }

    fn words(&self) -> Result<Vec<(String, i64)>> {
        self.wrap(
            self.conn
                .prepare_cached("SELECT slug, genre_id FROM genre_words ORDER BY slug")
                .and_then(|mut s| s.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect()),
        )
    }

    /// Every genre, by slug, merged ones included.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn genre_list(&self) -> Result<Vec<GenreRow>> {
        let rows = self.genre_list_rows()?;
        let words = self.words()?;
        let slugs: HashMap<i64, String> = rows.iter().map(|(id, slug, ..)| (*id, slug.clone())).collect();
        let count = |sql: &str| -> Result<HashMap<i64, i64>> {
            self.wrap(
                self.conn
                    .prepare_cached(sql)
                    .and_then(|mut s| s.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect()),
            )
        };
        let tracks = count("SELECT genre_id, COUNT(*) FROM shares GROUP BY genre_id")?;
        let said = count(
            "SELECT g.genre_id, COUNT(DISTINCT c.track_id) FROM corrections c
             JOIN correction_genres g ON g.correction_id = c.id WHERE c.undone_ms IS NULL GROUP BY g.genre_id",
        )?;
        let number = |of: &HashMap<i64, i64>, id: i64| of.get(&id).copied().unwrap_or(0).cast_unsigned();
        Ok(rows
            .into_iter()
            .map(|(id, slug, name, hidden, merged)| GenreRow {
                words: words.iter().filter(|(_, genre)| *genre == id).map(|(word, _)| word.clone()).collect(),
                merged_into: merged.and_then(|to| slugs.get(&to).cloned()),
                tracks: number(&tracks, id),
                corrected: number(&said, id),
                slug,
                name,
                hidden,
            })
            .collect())
    }

    /// Make sure that the genres called `names` have rows.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn put_genres(&self, names: &[String]) -> Result<()> {
        self.atomically(|conn| names.iter().try_for_each(|name| genre_in(conn, name).map(|_| ())))
    }

    /// The slug that each of `names` (of a model's outputs, say) goes by now; nothing is made.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn genres_now(&self, names: &[String]) -> Result<Vec<String>> {
        let read = || -> rusqlite::Result<Vec<String>> {
            let merged = merged_in(&self.conn)?;
            names
                .iter()
                .map(|name| {
                    let canonical = NAMES.canonical(name).map_or_else(|| slug(name), |g| g.slug().to_owned());
                    let known = match known_in(&self.conn, &slug(name))? {
                        Some(id) => Some(id),
                        None => known_in(&self.conn, &canonical)?,
                    };
                    match known {
                        Some(id) => row_in(&self.conn, merged.get(&id).copied().unwrap_or(id)).map(|row| row.slug),
                        None => Ok(canonical),
                    }
                })
                .collect()
        };
        self.wrap(read())
    }

    /// Change the taxonomy: one transaction, with the mixes that follow. Returns what was done, for people.
    ///
    /// # Errors
    /// A genre that is not there, a name that is taken, what SQLite says.
    pub fn change_genres(&self, act: &GenreAct) -> Result<String> {
        self.change_genres_at(act, now_ms())
    }

    /// As [`Self::change_genres`], of an act that was made at `at_ms`.
    pub(super) fn change_genres_at(&self, act: &GenreAct, at_ms: i64) -> Result<String> {
        let find = |text: &str| -> Result<Row> {
            let now = self.genres_now(&[text.to_owned()])?;
            let slug = now.first().map_or("", String::as_str);
            let id = self.wrap(known_in(&self.conn, slug))?;
            let id = id.ok_or_else(|| StoreError::Genre { what: format!("{text}: there is no such genre") })?;
            self.wrap(row_in(&self.conn, id))
        };
        let refuse = |what: String| Err(StoreError::Genre { what });
        match act {
            GenreAct::Rename { genre, name } => {
                let row = find(genre)?;
                let wanted = slug(name);
                if Genre::named(name).is_none() {
                    return refuse(format!("{name:?} is no name of a genre"));
                }
                let taken = self.wrap(known_in(&self.conn, &wanted))?;
                if taken.is_some_and(|id| id != row.id) {
                    return refuse(format!(
                        "{name} is there already; `deepcuts genre merge {} {wanted}` makes them one",
                        row.slug
                    ));
                }
                let name = name.trim();
                self.atomically(|conn| {
                    if wanted != row.slug {
                        conn.execute("DELETE FROM genre_words WHERE slug = ?1", [&wanted])?;
                        conn.execute("INSERT INTO genre_words VALUES (?1, ?2)", rusqlite::params![row.slug, row.id])?;
                    }
                    conn.execute(
                        "UPDATE genres SET slug = ?2, name = ?3 WHERE id = ?1",
                        rusqlite::params![row.id, wanted, name],
                    )?;
                    note_act_in(conn, "rename", &row, None, None, name, at_ms)?;
                    note_genre_in(conn, row.id)
                })?;
                Ok(format!("{} is now {name}", row.name))
            }
            GenreAct::Merge { genre, into } => {
                let (row, into) = (find(genre)?, find(into)?);
                if row.id == into.id {
                    return refuse(format!("{genre} and {} are one genre already", into.name));
                }
                self.atomically(|conn| {
                    conn.execute("UPDATE genres SET merged_into = ?2 WHERE id = ?1", [row.id, into.id])?;
                    note_act_in(conn, "merge", &row, Some(into.id), None, &into.name, at_ms)?;
                    self.refresh_genre_in(conn, row.id)
                })?;
                Ok(format!("{} is now part of {}", row.name, into.name))
            }
            GenreAct::Hide { genre } | GenreAct::Show { genre } => {
                let row = find(genre)?;
                let hide = matches!(act, GenreAct::Hide { .. });
                self.atomically(|conn| {
                    conn.execute("UPDATE genres SET hidden = ?2 WHERE id = ?1", rusqlite::params![row.id, hide])?;
                    note_act_in(conn, if hide { "hide" } else { "show" }, &row, None, None, &row.name, at_ms)
                })?;
                Ok(format!("{} is {}", row.name, if hide { "left out of lists" } else { "shown in lists" }))
            }
            GenreAct::Alias { genre, word } => {
                let row = find(genre)?;
                let word_slug = slug(word);
                if Genre::named(word).is_none() {
                    return refuse(format!("{word:?} is no word for a genre"));
                }
                if let Some(id) = self.wrap(known_in(&self.conn, &word_slug))? {
                    let other = self.wrap(row_in(&self.conn, id))?;
                    return refuse(format!("{word} means {} already", other.name));
                }
                self.atomically(|conn| {
                    conn.execute("INSERT INTO genre_words VALUES (?1, ?2)", rusqlite::params![word_slug, row.id])?;
                    note_act_in(conn, "alias", &row, None, Some(&word_slug), &row.name, at_ms)
                })?;
                Ok(format!("{} means {}", word.trim(), row.name))
            }
            GenreAct::Unalias { word } => {
                let word_slug = slug(word);
                let owner: Option<i64> = self.wrap(
                    self.conn
                        .prepare_cached("SELECT genre_id FROM genre_words WHERE slug = ?1")
                        .and_then(|mut s| s.query_row([&word_slug], |r| r.get(0)).optional()),
                )?;
                let Some(owner) = owner else { return refuse(format!("{word} is no alias of yours")) };
                let row = self.wrap(row_in(&self.conn, owner))?;
                if self.is_output(&word_slug)? {
                    return refuse(format!(
                        "{word} is what a model calls {}; `deepcuts genre undo` takes the renaming back",
                        row.name
                    ));
                }
                self.atomically(|conn| {
                    conn.execute("DELETE FROM genre_words WHERE slug = ?1", [&word_slug])?;
                    note_act_in(conn, "unalias", &row, None, Some(&word_slug), &row.name, at_ms)
                })?;
                Ok(format!("{} no longer means {}", word.trim(), row.name))
            }
        }
    }

    /// Whether a known model has an output of this slug.
    fn is_output(&self, slug: &str) -> Result<bool> {
        self.wrap(
            self.conn
                .prepare_cached("SELECT 1 FROM models m, json_each(m.card, '$.genres') g WHERE g.value = ?1")
                .and_then(|mut s| s.exists([slug])),
        )
    }

    /// Take the last change of the taxonomy back; `None` when there is none. Returns what was taken back, for people.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn undo_genre_act(&self) -> Result<Option<String>> {
        self.atomically(|conn| {
            type Act = (i64, String, i64, Option<String>, String, String, String);
            let last: Option<Act> = conn
                .prepare_cached(
                    "SELECT id, kind, genre_id, word, before_slug, before_name, after_name FROM genre_acts
                     WHERE undone_ms IS NULL ORDER BY id DESC LIMIT 1",
                )?
                .query_row([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?, r.get(6)?)))
                .optional()?;
            let Some((id, kind, genre, word, slug, name, after)) = last else { return Ok(None) };
            let said = match kind.as_str() {
                "rename" => {
                    let now = row_in(conn, genre)?;
                    conn.execute("DELETE FROM genre_words WHERE slug = ?1", [&slug])?;
                    conn.execute(
                        "UPDATE genres SET slug = ?2, name = ?3 WHERE id = ?1",
                        rusqlite::params![genre, slug, name],
                    )?;
                    // A model that was trained meanwhile may call it by the name it had.
                    if now.slug != slug {
                        conn.execute(
                            "INSERT INTO genre_words VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                            rusqlite::params![now.slug, genre],
                        )?;
                    }
                    note_genre_in(conn, genre)?;
                    format!("{after} is {name} again")
                }
                "merge" => {
                    let into: Option<i64> =
                        conn.query_row("SELECT merged_into FROM genres WHERE id = ?1", [genre], |r| r.get(0))?;
                    conn.execute("UPDATE genres SET merged_into = NULL WHERE id = ?1", [genre])?;
                    if let Some(into) = into {
                        // Chains: whatever its shares are kept under now.
                        let end = merged_in(conn)?.get(&into).copied().unwrap_or(into);
                        self.refresh_genre_in(conn, end)?;
                    }
                    format!("{name} is a genre of its own again")
                }
                "hide" | "show" => {
                    conn.execute(
                        "UPDATE genres SET hidden = ?2 WHERE id = ?1",
                        rusqlite::params![genre, kind == "show"],
                    )?;
                    format!("{name} is {} again", if kind == "hide" { "shown" } else { "hidden" })
                }
                "alias" => {
                    conn.execute("DELETE FROM genre_words WHERE slug = ?1", [&word])?;
                    format!("{} no longer means {name}", word.unwrap_or_default())
                }
                _ => {
                    conn.execute(
                        "INSERT INTO genre_words VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                        rusqlite::params![word, genre],
                    )?;
                    format!("{} means {name} again", word.unwrap_or_default())
                }
            };
            conn.execute("UPDATE genre_acts SET undone_ms = ?2 WHERE id = ?1", [id, now_ms()])?;
            Ok(Some(said))
        })
    }

    /// Work out every mix again that has a share of a genre.
    fn refresh_genre_in(&self, conn: &Connection, genre: i64) -> rusqlite::Result<()> {
        let tracks: Vec<i64> =
            conn.prepare_cached(TRACKS_OF)?.query_map([genre], |r| r.get(0))?.collect::<rusqlite::Result<_>>()?;
        tracks.into_iter().try_for_each(|track| self.refresh_mix_in(conn, track))
    }
}

/// Tracks that a genre concerns: those with a share of it, and what the user spoke of, where it may be in the timeline
/// and not in the mix.
const TRACKS_OF: &str =
    "SELECT track_id FROM shares WHERE genre_id = ?1 UNION SELECT track_id FROM mixes WHERE source = 'user'";

/// Note every file that a genre concerns.
fn note_genre_in(conn: &Connection, genre: i64) -> rusqlite::Result<()> {
    conn.prepare_cached(&format!(
        "INSERT INTO changes (file_id) SELECT id FROM files WHERE track_id IN ({TRACKS_OF})"
    ))?
    .execute([genre])?;
    Ok(())
}

fn note_act_in(
    conn: &Connection,
    kind: &str,
    row: &Row,
    other: Option<i64>,
    word: Option<&str>,
    after: &str,
    at_ms: i64,
) -> rusqlite::Result<()> {
    conn.prepare_cached(
        "INSERT INTO genre_acts (kind, genre_id, other_id, word, before_slug, before_name, after_name, at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(rusqlite::params![kind, row.id, other, word, row.slug, row.name, after, at_ms])?;
    Ok(())
}
