//! Which model is in force, and the history of it.
//!
//! The current model is one row. A promotion changes it together with everything that follows from it, the mixes and
//! the notes for the index, in one transaction: a process that is killed leaves the old model or the new one. A
//! candidate is known, and may have named the whole library, without counting for anything.

use rusqlite::{Connection, OptionalExtension};

use super::{ModelRow, Result, Store, now_ms};

/// How a model came into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It was retrained and accepted.
    Retrained,
    /// The user chose it.
    Chosen,
}

impl How {
    /// The name that is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Retrained => "retrained",
            Self::Chosen => "chosen",
        }
    }
}

/// A model that was put in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promotion {
    /// Row.
    pub id: i64,
    /// The model's id.
    pub model: String,
    /// Its name.
    pub name: String,
    /// The model that was in force before it.
    pub before: Option<String>,
    /// `[ears] model` of the settings then.
    pub settings: String,
    /// `retrained` or `chosen`.
    pub how: String,
    /// When.
    pub at_ms: i64,
    /// When it was rolled back.
    pub undone_ms: Option<i64>,
}

const COLUMNS: &str = "SELECT p.id, p.model_id, m.name, p.before_id, p.settings, p.how, p.at_ms, p.undone_ms
     FROM promotions p JOIN models m ON m.id = p.model_id";

fn promotion(r: &rusqlite::Row<'_>) -> rusqlite::Result<Promotion> {
    Ok(Promotion {
        id: r.get(0)?,
        model: r.get(1)?,
        name: r.get(2)?,
        before: r.get(3)?,
        settings: r.get(4)?,
        how: r.get(5)?,
        at_ms: r.get(6)?,
        undone_ms: r.get(7)?,
    })
}

/// The promotion that holds under `settings`: the last that was not rolled back, if it was made under them. Settings
/// that were changed since win over it.
fn in_force_in(conn: &Connection, settings: &str) -> rusqlite::Result<Option<Promotion>> {
    let last = conn
        .prepare_cached(&format!("{COLUMNS} WHERE p.undone_ms IS NULL ORDER BY p.id DESC LIMIT 1"))?
        .query_row([], promotion)
        .optional()?;
    Ok(last.filter(|p| p.settings == settings))
}

fn current_in(conn: &Connection) -> rusqlite::Result<Option<String>> {
    conn.prepare_cached("SELECT value FROM meta WHERE key = 'current_model'")?.query_row([], |r| r.get(0)).optional()
}

impl Store {
    /// The model that was promoted and holds under `[ears] model` of the settings; none where the settings' own does.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn promoted(&self, settings: &str) -> Result<Option<ModelRow>> {
        match self.wrap(in_force_in(&self.conn, settings))? {
            Some(promotion) => self.model(&promotion.model).map(Some),
            None => Ok(None),
        }
    }

    /// The promotion that holds under `[ears] model` of the settings, by its row.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn promotion(&self, settings: &str) -> Result<Option<i64>> {
        Ok(self.wrap(in_force_in(&self.conn, settings))?.map(|p| p.id))
    }

    /// Every promotion, newest first, those rolled back included.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn promotions(&self) -> Result<Vec<Promotion>> {
        self.wrap(
            self.conn
                .prepare_cached(&format!("{COLUMNS} ORDER BY p.id DESC"))
                .and_then(|mut s| s.query_map([], promotion)?.collect()),
        )
    }

    /// Make a model known that counts for nothing until it is promoted. One that is known already stays as it is.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn put_candidate(&self, weights: &std::path::Path, card: &deepcuts_protocol::ModelCard) -> Result<()> {
        self.atomically(|conn| {
            // The same corrections make the same weights: a model that was rolled back may come again.
            let known =
                conn.prepare_cached("SELECT 1 FROM models WHERE id = ?1 AND NOT candidate")?.exists([card.id()])?;
            if known {
                return Ok(());
            }
            self.put_model_in(conn, weights, card)?;
            conn.prepare_cached("UPDATE models SET candidate = 1 WHERE id = ?1")?.execute([card.id()])?;
            Ok(())
        })
    }

    /// Every candidate: (id, its weights).
    ///
    /// # Errors
    /// What SQLite says.
    pub fn candidates(&self) -> Result<Vec<(String, std::path::PathBuf)>> {
        let row = |r: &rusqlite::Row<'_>| Ok((r.get(0)?, super::files::path_at(r, 1)?));
        self.wrap(
            self.conn
                .prepare_cached("SELECT id, path FROM models WHERE candidate ORDER BY id")
                .and_then(|mut s| s.query_map([], row)?.collect()),
        )
    }

    /// Forget candidates, with all that they named: every one, or the one with this id.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn drop_candidates(&self, id: Option<&str>) -> Result<usize> {
        self.atomically(|conn| {
            conn.prepare_cached(
                "DELETE FROM analyses WHERE model_id IN (SELECT id FROM models WHERE candidate AND (?1 IS NULL OR id = ?1))",
            )?
            .execute([id])?;
            conn.prepare_cached("DELETE FROM models WHERE candidate AND (?1 IS NULL OR id = ?1)")?.execute([id])
        })
    }

    /// Put a known model in force, with every mix that follows, in one transaction. `settings` is `[ears] model` of
    /// the settings; `lessons` are the tracks whose corrections it learned from.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn promote(
        &self,
        id: &str,
        weights: &std::path::Path,
        settings: &str,
        how: How,
        lessons: &[i64],
    ) -> Result<()> {
        self.atomically(|conn| {
            let before = current_in(conn)?;
            conn.prepare_cached("UPDATE models SET candidate = 0, path = ?2 WHERE id = ?1")?
                .execute(rusqlite::params![id, crate::track::path_bytes(weights)])?;
            conn.prepare_cached(
                "INSERT INTO promotions (model_id, before_id, settings, how, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(rusqlite::params![id, before, settings, how.name(), now_ms()])?;
            for track in lessons {
                conn.prepare_cached("INSERT INTO lessons VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
                    .execute(rusqlite::params![id, track])?;
            }
            self.use_model_in(conn, id)
        })
    }

    /// Take the promotion in force back: the model before it is in force again, with every mix. Returns what was
    /// taken back, and the model in force now; `None` when there is nothing to take back under these settings.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn roll_back(&self, settings: &str) -> Result<Option<(Promotion, Option<String>)>> {
        self.atomically(|conn| {
            let Some(promotion) = in_force_in(conn, settings)? else { return Ok(None) };
            conn.prepare_cached("UPDATE promotions SET undone_ms = ?2 WHERE id = ?1")?
                .execute(rusqlite::params![promotion.id, now_ms()])?;
            let now = match in_force_in(conn, settings)? {
                Some(earlier) => Some(earlier.model),
                None => promotion.before.clone(),
            };
            if let Some(now) = &now {
                self.use_model_in(conn, now)?;
            }
            Ok(Some((promotion, now)))
        })
    }

    /// Let a scan hear with a known model: it becomes the current one, unless one was promoted or taken back under the
    /// same settings since the scan looked up which holds; `since` is the [`Self::promotion`] then. Says whether it is
    /// the current one now.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn listen_with(&self, id: &str, settings: &str, since: Option<i64>) -> Result<bool> {
        self.atomically(|conn| {
            if in_force_in(conn, settings)?.map(|p| p.id) != since {
                return Ok(false);
            }
            self.use_model_in(conn, id).map(|()| true)
        })
    }

    /// The tracks whose corrections a model, or one that it came of, learned from.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn learned_from(&self, id: &str) -> Result<std::collections::BTreeSet<i64>> {
        let mut all = std::collections::BTreeSet::new();
        let models = self.models()?;
        let mut at = Some(id.to_owned());
        // Parents of parents; a chain that goes in circles ends with the models.
        for _ in 0..=models.len() {
            let Some(id) = at else { break };
            let own: Vec<i64> = self.wrap(
                self.conn
                    .prepare_cached("SELECT track_id FROM lessons WHERE model_id = ?1")
                    .and_then(|mut s| s.query_map([&id], |r| r.get(0))?.collect()),
            )?;
            all.extend(own);
            at = models.iter().find(|m| m.card.id() == id).and_then(|m| m.card.parent.clone());
        }
        Ok(all)
    }

    /// Forget a model, with all that it heard. One that is in force, or would be after a rollback, is not forgotten.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn forget_model(&self, id: &str) -> Result<bool> {
        self.atomically(|conn| {
            let needed: bool = conn
                .prepare_cached(
                    "SELECT 1 FROM meta WHERE key = 'current_model' AND value = ?1
                     UNION ALL SELECT 1 FROM promotions WHERE undone_ms IS NULL AND (model_id = ?1 OR before_id = ?1)",
                )?
                .exists([id])?;
            if needed {
                return Ok(false);
            }
            let tracks: Vec<i64> = conn
                .prepare_cached("SELECT track_id FROM analyses WHERE model_id = ?1")?
                .query_map([id], |r| r.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            for sql in [
                "DELETE FROM analyses WHERE model_id = ?1",
                "DELETE FROM promotions WHERE model_id = ?1 OR before_id = ?1",
                "DELETE FROM models WHERE id = ?1",
            ] {
                conn.prepare_cached(sql)?.execute([id])?;
            }
            tracks.into_iter().try_for_each(|track| self.refresh_mix_in(conn, track))?;
            Ok(true)
        })
    }
}
