//! Labels from stored embeddings: what is still to be named by a model, and what it said.

use std::collections::HashMap;

use deepcuts_protocol::{Base64, Embeddings, LabelTrack, ModelCard, UNSURE};

use super::{Result, Store, StoreError};
use crate::genre::Genre;

/// A track whose embeddings are there and which a model has not named yet.
#[derive(Clone, Debug)]
pub struct Unlabelled {
    /// The track and its embeddings.
    pub label: LabelTrack,
    /// Where the first chunk begins.
    pub start_ms: u64,
    /// Length of a chunk.
    pub chunk_ms: u32,
    /// Number of chunks.
    pub chunks: usize,
    /// When it was heard.
    pub heard_ms: i64,
}

/// What a model named, a winner and a score a chunk.
#[derive(Clone, Debug)]
pub struct NewLabels {
    /// The track.
    pub track: i64,
    /// Where the first chunk begins.
    pub start_ms: u64,
    /// Length of a chunk.
    pub chunk_ms: u32,
    /// Winner a chunk.
    pub winners: Vec<u8>,
    /// Score a chunk.
    pub scores: Vec<u8>,
    /// When it was heard; naming it again is no new hearing.
    pub heard_ms: i64,
}

/// A track as two models name it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shift {
    /// The track.
    pub track: i64,
    /// Largest share before.
    pub before: Option<Genre>,
    /// Largest share after.
    pub after: Option<Genre>,
    /// Share of the chunks that go from one genre (or unsure) to another, 0 to 1.
    pub moved: f32,
}

impl Store {
    /// Models on the same trunk, as a JSON list of ids.
    fn on_trunk(&self, card: &ModelCard) -> Result<String> {
        let ids: Vec<String> = self
            .models()?
            .into_iter()
            .filter(|m| m.card.trunk_id() == card.trunk_id() && m.card.id() != card.id())
            .map(|m| m.card.id().to_owned())
            .collect();
        Ok(super::files::json(&ids))
    }

    /// How many tracks [`Self::unlabelled`] would give.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn count_unlabelled(&self, card: &ModelCard) -> Result<u64> {
        let ids = self.on_trunk(card)?;
        self.wrap(self.conn.query_row(
            "SELECT COUNT(*) FROM embeddings e
             WHERE e.trunk_id = ?1 AND e.feature_version = ?2
                 AND NOT EXISTS (SELECT 1 FROM analyses a WHERE a.track_id = e.track_id AND a.model_id = ?3
                     AND a.feature_version = ?2)
                 AND EXISTS (SELECT 1 FROM analyses b WHERE b.track_id = e.track_id AND b.feature_version = ?2
                     AND b.model_id IN (SELECT value FROM json_each(?4)))",
            rusqlite::params![card.trunk_id(), card.feature_version, card.id(), ids],
            |r| r.get::<_, i64>(0).map(i64::cast_unsigned),
        ))
    }

    /// Tracks after row `after` that a model on the same trunk has heard and the model of `card` has not named, with
    /// their embeddings, at most `limit`, by row.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn unlabelled(&self, card: &ModelCard, after: i64, limit: usize) -> Result<Vec<Unlabelled>> {
        let ids = self.on_trunk(card)?;
        let read = || -> rusqlite::Result<Vec<Unlabelled>> {
            let mut statement = self.conn.prepare_cached(
                "SELECT e.track_id, e.dim, e.stride, e.scales, e.rows, b.start_ms, b.chunk_ms, length(b.winners),
                     b.heard_ms
                 FROM embeddings e JOIN analyses b ON b.id = (
                     SELECT id FROM analyses WHERE track_id = e.track_id AND feature_version = ?2
                         AND model_id IN (SELECT value FROM json_each(?4)) ORDER BY heard_ms DESC LIMIT 1)
                 WHERE e.trunk_id = ?1 AND e.feature_version = ?2 AND e.track_id > ?5
                     AND NOT EXISTS (SELECT 1 FROM analyses a WHERE a.track_id = e.track_id AND a.model_id = ?3
                         AND a.feature_version = ?2)
                 ORDER BY e.track_id LIMIT ?6",
            )?;
            let mut rows = statement.query(rusqlite::params![
                card.trunk_id(),
                card.feature_version,
                card.id(),
                ids,
                after,
                limit as i64
            ])?;
            let mut found = Vec::new();
            while let Some(r) = rows.next()? {
                let scales = r.get_ref(3)?.as_blob()?.chunks_exact(4);
                found.push(Unlabelled {
                    label: LabelTrack {
                        track: r.get(0)?,
                        embeddings: Embeddings {
                            dim: r.get(1)?,
                            stride: r.get(2)?,
                            scales: scales.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
                            values: Base64(r.get(4)?),
                        },
                    },
                    start_ms: r.get::<_, i64>(5)?.cast_unsigned(),
                    chunk_ms: r.get(6)?,
                    chunks: r.get::<_, i64>(7)?.cast_unsigned() as usize,
                    heard_ms: r.get(8)?,
                });
            }
            Ok(found)
        };
        self.wrap(read())
    }

    /// Keep what a model named. Mixes follow where it is the one in force.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn put_labels(&self, card: &ModelCard, labels: &[NewLabels]) -> Result<()> {
        self.atomically(|conn| {
            let current: bool = conn
                .prepare_cached("SELECT 1 FROM meta WHERE key = 'current_model' AND value = ?1")?
                .exists([card.id()])?;
            let mut insert = conn.prepare_cached(
                "INSERT INTO analyses (track_id, model_id, feature_version, start_ms, chunk_ms, winners, scores, heard_ms)
                 SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE EXISTS (SELECT 1 FROM tracks WHERE id = ?1)
                 ON CONFLICT (track_id, model_id) DO UPDATE SET feature_version = ?3, start_ms = ?4, chunk_ms = ?5,
                     winners = ?6, scores = ?7, heard_ms = ?8",
            )?;
            for new in labels {
                insert.execute(rusqlite::params![
                    new.track,
                    card.id(),
                    card.feature_version,
                    new.start_ms.cast_signed(),
                    new.chunk_ms,
                    new.winners,
                    new.scores,
                    new.heard_ms
                ])?;
                if current {
                    self.refresh_mix_in(conn, new.track)?;
                }
            }
            Ok(())
        })
    }

    /// Call `each` with every track that two models have named and the user has said nothing of, by row.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn compare(&self, before: &str, after: &str, mut each: impl FnMut(Shift)) -> Result<()> {
        let mut read = || -> rusqlite::Result<()> {
            let (old, new) = (self.genre_rows_in(&self.conn, before)?, self.genre_rows_in(&self.conn, after)?);
            let slugs = super::taxonomy::genre_slugs_in(&self.conn)?;
            let mut statement = self.conn.prepare_cached(
                "SELECT a.track_id, a.winners, b.winners FROM analyses a
                 JOIN analyses b ON b.track_id = a.track_id AND b.model_id = ?2
                 WHERE a.model_id = ?1 AND NOT EXISTS (
                     SELECT 1 FROM corrections c WHERE c.track_id = a.track_id AND c.undone_ms IS NULL)
                 ORDER BY a.track_id",
            )?;
            let mut rows = statement.query([before, after])?;
            while let Some(r) = rows.next()? {
                let (was, is) = (tally(r.get_ref(1)?.as_blob()?, &old), tally(r.get_ref(2)?.as_blob()?, &new));
                let top = |t: &Tally| t.top().and_then(|row| slugs.get(&row).cloned());
                each(Shift { track: r.get(0)?, before: top(&was), after: top(&is), moved: was.distance(&is) });
            }
            Ok(())
        };
        self.wrap(read())
    }

    /// A model's card by its id.
    ///
    /// # Errors
    /// What SQLite says; no such model.
    pub fn model(&self, id: &str) -> Result<super::ModelRow> {
        let found = self.models()?.into_iter().find(|m| m.card.id() == id);
        found.ok_or_else(|| StoreError::Value { path: self.path.clone(), what: format!("there is no model {id}") })
    }
}

/// Chunks won, by genre row; none is unsure.
struct Tally {
    won: HashMap<Option<i64>, u32>,
    chunks: u32,
}

fn tally(winners: &[u8], rows: &[i64]) -> Tally {
    let mut won = HashMap::new();
    for &winner in winners {
        let row = if winner == UNSURE { None } else { rows.get(usize::from(winner)).copied() };
        *won.entry(row).or_default() += 1;
    }
    Tally { won, chunks: winners.len().max(1) as u32 }
}

impl Tally {
    fn top(&self) -> Option<i64> {
        self.won.iter().filter_map(|(row, n)| row.map(|row| (*n, -row))).max().map(|(_, row)| -row)
    }

    /// Half the sum of the differences: the share that changes hands.
    fn distance(&self, other: &Self) -> f32 {
        let share = |t: &Self, row: &Option<i64>| t.won.get(row).copied().unwrap_or(0) as f32 / t.chunks as f32;
        let rows: std::collections::HashSet<&Option<i64>> = self.won.keys().chain(other.won.keys()).collect();
        rows.into_iter().map(|row| (share(self, row) - share(other, row)).abs()).sum::<f32>() / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_hands() {
        // Outputs of two models in another order: the rows count.
        let (a, b) = (tally(&[0, 0, 1, UNSURE], &[10, 20]), tally(&[1, 1, 1, 1], &[20, 10]));
        assert_eq!((a.top(), b.top()), (Some(10), Some(10)));
        assert!((a.distance(&b) - 0.5).abs() < 1e-6);
        assert!(a.distance(&a).abs() < 1e-6);
    }
}
