//! What models heard: timelines and embeddings.

use deepcuts_protocol::{Base64, Embeddings, Hearing, ModelCard};
use rusqlite::OptionalExtension;

use super::{Result, Store, now_ms};

/// What a model heard in a track.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// The model.
    pub model: String,
    /// Version of the front end's output.
    pub feature_version: u32,
    /// Where the first chunk begins.
    pub start_ms: u64,
    /// Length of a chunk.
    pub chunk_ms: u32,
    /// Winner a chunk: an index into the genres of the model's card, or [`deepcuts_protocol::UNSURE`].
    pub winners: Vec<u8>,
    /// Score a chunk, 0 to 255.
    pub scores: Vec<u8>,
    /// When.
    pub heard_ms: i64,
}

impl Store {
    /// Keep what the model of `card` heard in a track, and what follows for its mix.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn put_hearing(&self, track: i64, card: &ModelCard, hearing: &Hearing) -> Result<()> {
        let e = &hearing.embeddings;
        let scales: Vec<u8> = e.scales.iter().flat_map(|s| s.to_le_bytes()).collect();
        self.atomically(|conn| {
            conn.prepare_cached(
                "UPDATE tracks SET duration_ms = ?2, sample_rate_hz = ?3, channels = ?4, codec = ?5 WHERE id = ?1",
            )?
            .execute(rusqlite::params![
                track,
                i64::try_from(hearing.duration_ms).unwrap_or(i64::MAX),
                hearing.sample_rate_hz,
                hearing.channels,
                hearing.codec
            ])?;
            conn.prepare_cached(
                "INSERT INTO embeddings (track_id, trunk_id, feature_version, dim, stride, scales, rows)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT DO UPDATE SET feature_version = ?3, dim = ?4, stride = ?5, scales = ?6, rows = ?7",
            )?
            .execute(rusqlite::params![
                track,
                card.trunk_id(),
                card.feature_version,
                e.dim,
                e.stride,
                scales,
                e.values.0
            ])?;
            conn.prepare_cached(
                "INSERT INTO analyses (track_id, model_id, feature_version, start_ms, chunk_ms, winners, scores, heard_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT (track_id, model_id) DO UPDATE SET feature_version = ?3, start_ms = ?4, chunk_ms = ?5,
                     winners = ?6, scores = ?7, heard_ms = ?8",
            )?
            .execute(rusqlite::params![
                track,
                card.id(),
                card.feature_version,
                i64::try_from(hearing.start_ms).unwrap_or(i64::MAX),
                hearing.chunk_ms,
                hearing.timeline.winners.0,
                hearing.timeline.scores.0,
                now_ms()
            ])?;
            self.refresh_mix_in(conn, track)
        })
    }

    /// What the current model heard in a track, else what the last one did.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn analysis(&self, track: i64) -> Result<Option<Analysis>> {
        self.wrap(analysis_in(&self.conn, track))
    }

    /// Whether `model` at `feature_version` has heard a track.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn is_heard(&self, track: i64, model: &str, feature_version: u32) -> Result<bool> {
        self.wrap(
            self.conn
                .prepare_cached("SELECT 1 FROM analyses WHERE track_id = ?1 AND model_id = ?2 AND feature_version = ?3")
                .and_then(|mut s| s.exists(rusqlite::params![track, model, feature_version])),
        )
    }

    /// A track's embeddings on a trunk.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn embeddings(&self, track: i64, trunk: &str) -> Result<Option<Embeddings>> {
        let read = || {
            self.conn
                .prepare_cached(
                    "SELECT dim, stride, scales, rows FROM embeddings WHERE track_id = ?1 AND trunk_id = ?2",
                )?
                .query_row(rusqlite::params![track, trunk], |r| {
                    let scales: Vec<u8> = r.get(2)?;
                    Ok(Embeddings {
                        dim: r.get(0)?,
                        stride: r.get(1)?,
                        scales: scales.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
                        values: Base64(r.get(3)?),
                    })
                })
                .optional()
        };
        self.wrap(read())
    }
}

pub(super) fn analysis_in(conn: &rusqlite::Connection, track: i64) -> rusqlite::Result<Option<Analysis>> {
    conn.prepare_cached(
        "SELECT a.model_id, a.feature_version, a.start_ms, a.chunk_ms, a.winners, a.scores, a.heard_ms
         FROM analyses a JOIN models m ON m.id = a.model_id WHERE a.track_id = ?1 AND NOT m.candidate
         ORDER BY a.model_id = (SELECT value FROM meta WHERE key = 'current_model') DESC,
             a.model_id = (SELECT before_id FROM promotions WHERE undone_ms IS NULL ORDER BY id DESC LIMIT 1) DESC,
             a.heard_ms DESC LIMIT 1",
    )?
    .query_row([track], |r| {
        Ok(Analysis {
            model: r.get(0)?,
            feature_version: r.get(1)?,
            start_ms: r.get::<_, i64>(2)?.cast_unsigned(),
            chunk_ms: r.get(3)?,
            winners: r.get(4)?,
            scores: r.get(5)?,
            heard_ms: r.get(6)?,
        })
    })
    .optional()
}
