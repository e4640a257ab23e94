//! The models that the library knows, and which one is current.

use std::path::{Path, PathBuf};

use deepcuts_protocol::ModelCard;
use rusqlite::Connection;

use super::{Result, Store, now_ms, taxonomy::genre_in};
use crate::track::{path_bytes, path_from_bytes};

/// Key of the current model in `meta`.
const CURRENT: &str = "current_model";

/// A known model.
#[derive(Clone, Debug)]
pub struct ModelRow {
    /// Its weights.
    pub path: PathBuf,
    /// Its card.
    pub card: ModelCard,
    /// When it became known.
    pub added_ms: i64,
    /// Whether it is the current one.
    pub current: bool,
}

impl Store {
    /// Make a model known (its genres get rows). A known one only changes its place on disk, and is no candidate any
    /// more: one that a stopped `models use` left may be what the settings name now.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn put_model(&self, weights: &Path, card: &ModelCard) -> Result<()> {
        self.atomically(|conn| self.put_model_in(conn, weights, card))
    }

    pub(super) fn put_model_in(&self, conn: &Connection, weights: &Path, card: &ModelCard) -> rusqlite::Result<()> {
        let json = serde_json::to_string(card).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
        conn.prepare_cached(
            "INSERT INTO models (id, name, path, card, parent, added_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE SET path = ?3, candidate = 0",
        )?
        .execute(rusqlite::params![card.id(), card.name, path_bytes(weights), json, card.parent, now_ms()])?;
        card.genres.iter().try_for_each(|name| genre_in(conn, name).map(|_| ()))
    }

    /// Make a known model the current one, and work out every mix again that it has heard.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn use_model(&self, id: &str) -> Result<()> {
        self.atomically(|conn| self.use_model_in(conn, id))
    }

    pub(super) fn use_model_in(&self, conn: &Connection, id: &str) -> rusqlite::Result<()> {
        let current = conn.prepare_cached("SELECT 1 FROM meta WHERE key = ?1 AND value = ?2")?.exists([CURRENT, id])?;
        if current {
            return Ok(());
        }
        conn.prepare_cached("INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2")?
            .execute([CURRENT, id])?;
        let tracks: Vec<i64> = conn
            .prepare_cached("SELECT DISTINCT track_id FROM analyses")?
            .query_map([], |r| r.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        tracks.into_iter().try_for_each(|track| self.refresh_mix_in(conn, track))
    }

    /// Every known model, newest first; candidates are none.
    ///
    /// # Errors
    /// What SQLite says; a card that cannot be read.
    pub fn models(&self) -> Result<Vec<ModelRow>> {
        let current = self.meta(CURRENT)?;
        let read = || -> rusqlite::Result<Vec<(String, PathBuf, String, i64)>> {
            self.conn
                .prepare_cached(
                    "SELECT id, path, card, added_ms FROM models WHERE NOT candidate ORDER BY added_ms DESC, id",
                )?
                .query_map([], |r| {
                    Ok((r.get(0)?, path_from_bytes(r.get_ref(1)?.as_blob()?).to_path_buf(), r.get(2)?, r.get(3)?))
                })?
                .collect()
        };
        self.wrap(read())?
            .into_iter()
            .map(|(id, path, card, added_ms)| {
                let card: ModelCard =
                    serde_json::from_str(&card).map_err(|e| self.value(format!("the card of model {id}: {e}")))?;
                let current = current.as_deref() == Some(&id);
                Ok(ModelRow { path, card, added_ms, current })
            })
            .collect()
    }

    /// The current model.
    ///
    /// # Errors
    /// What SQLite says; a card that cannot be read.
    pub fn current_model(&self) -> Result<Option<ModelRow>> {
        Ok(self.models()?.into_iter().find(|m| m.current))
    }
}
