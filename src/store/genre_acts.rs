//! What the user made of the genres, as something that travels: the acts in force, and those of another library.

use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::{GenreAct, Result, Store, StoreError, taxonomy::genre_in};
use crate::genre::{Genre, slug};

/// An act on the taxonomy as it was made; genres by the name they had then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenreChange {
    /// What was done.
    #[serde(flatten)]
    pub act: GenreAct,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
}

/// What came of the acts of another library.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenChanges {
    /// How many were done here too.
    pub taken: usize,
    /// Why others were not: what they ask is not possible here.
    pub refused: Vec<String>,
}

impl Store {
    /// The acts on the taxonomy that are in force, oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn genre_changes(&self) -> Result<Vec<GenreChange>> {
        let read = || -> rusqlite::Result<Vec<GenreChange>> {
            let mut statement = self.conn.prepare_cached(
                "SELECT kind, before_name, after_name, word, at_ms FROM genre_acts WHERE undone_ms IS NULL ORDER BY id",
            )?;
            let mut rows = statement.query([])?;
            let mut changes = Vec::new();
            while let Some(r) = rows.next()? {
                let (kind, genre, after): (String, String, String) = (r.get(0)?, r.get(1)?, r.get(2)?);
                let word = || r.get::<_, Option<String>>(3).map(Option::unwrap_or_default);
                let act = match kind.as_str() {
                    "rename" => GenreAct::Rename { genre, name: after },
                    "merge" => GenreAct::Merge { genre, into: after },
                    "hide" => GenreAct::Hide { genre },
                    "show" => GenreAct::Show { genre },
                    "alias" => GenreAct::Alias { genre, word: word()? },
                    _ => GenreAct::Unalias { word: word()? },
                };
                changes.push(GenreChange { act, at_ms: r.get(4)? });
            }
            Ok(changes)
        };
        self.wrap(read())
    }

    /// Do here what was done in another library, in its order. What was done or taken back here stays so, and so does
    /// what cannot be done here; the genres that it names are made.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn take_genre_changes(&self, changes: &[GenreChange]) -> Result<TakenChanges> {
        let mut report = TakenChanges::default();
        for change in changes {
            if self.knows_act(change)? || self.is_so(&change.act)? {
                continue;
            }
            let named = match &change.act {
                GenreAct::Rename { genre, .. }
                | GenreAct::Hide { genre }
                | GenreAct::Show { genre }
                | GenreAct::Alias { genre, .. } => vec![genre],
                GenreAct::Merge { genre, into } => vec![genre, into],
                GenreAct::Unalias { .. } => Vec::new(),
            };
            if let Some(name) = named.iter().find(|name| Genre::named(name).is_none()) {
                report.refused.push(format!("{name:?} is no name of a genre"));
                continue;
            }
            self.atomically(|conn| named.into_iter().try_for_each(|name| genre_in(conn, name).map(|_| ())))?;
            match self.change_genres_at(&change.act, change.at_ms) {
                Ok(_) => report.taken += 1,
                Err(StoreError::Genre { what }) => report.refused.push(what),
                Err(other) => return Err(other),
            }
        }
        Ok(report)
    }

    /// Whether the taxonomy is as an act would make it.
    fn is_so(&self, act: &GenreAct) -> Result<bool> {
        let taxonomy = self.taxonomy()?;
        let meant = |text: &str| taxonomy.canonical(text);
        Ok(match act {
            GenreAct::Rename { genre, name } => meant(genre).is_some_and(|g| taxonomy.name(&g) == name.trim()),
            GenreAct::Merge { genre, into } => meant(genre) == meant(into),
            GenreAct::Hide { genre } => meant(genre).is_some_and(|g| taxonomy.is_hidden(&g)),
            GenreAct::Show { genre } => meant(genre).is_some_and(|g| !taxonomy.is_hidden(&g)),
            GenreAct::Alias { genre, word } => meant(word) == meant(genre),
            GenreAct::Unalias { word } => meant(word).is_none_or(|g| g.slug() == slug(word)),
        })
    }

    /// Whether an act was made here, by the same hand at the same moment: in force or taken back.
    fn knows_act(&self, change: &GenreChange) -> Result<bool> {
        let (kind, genre, word) = match &change.act {
            GenreAct::Rename { genre, .. } => ("rename", Some(genre), None),
            GenreAct::Merge { genre, .. } => ("merge", Some(genre), None),
            GenreAct::Hide { genre } => ("hide", Some(genre), None),
            GenreAct::Show { genre } => ("show", Some(genre), None),
            GenreAct::Alias { genre, word } => ("alias", Some(genre), Some(word)),
            GenreAct::Unalias { word } => ("unalias", None, Some(word)),
        };
        self.wrap(
            self.conn
                .prepare_cached(
                    "SELECT 1 FROM genre_acts WHERE kind = ?1 AND at_ms = ?2 AND before_name = COALESCE(?3, before_name)
                         AND word IS COALESCE(?4, word)",
                )
                .and_then(|mut s| s.exists(params![kind, change.at_ms, genre, word])),
        )
    }
}
