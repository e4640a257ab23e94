//! Corrections that come from a file: matched by the audio, taken once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rusqlite::OptionalExtension;

use super::{
    NewCorrection, Origin, Result, Span, Store,
    corrections::{batch_in, put_in},
    now_ms,
    taxonomy::{genre_in, merged_in},
};
use crate::track::AudioId;

/// A correction to take over.
#[derive(Clone, Debug)]
pub struct NewImport {
    /// The track, by its audio.
    pub audio: AudioId,
    /// Part of it, or none for all.
    pub span: Option<Span>,
    /// Genres by name, each with a positive weight.
    pub genres: Vec<(String, u32)>,
    /// When it was said.
    pub at_ms: i64,
    /// Corrections made by one act share it.
    pub act: i64,
    /// How the user came to say it.
    pub origin: Origin,
    /// The track is locked.
    pub locked: bool,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Corrections taken over.
    pub taken: usize,
    /// Known already, or taken back here.
    pub known: usize,
    /// Of tracks that are locked here.
    pub locked: usize,
    /// Of tracks that no file here holds, among those taken.
    pub unseen: usize,
}

impl Store {
    /// The identity of a track's audio.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn audio_of(&self, track: i64) -> Result<Option<AudioId>> {
        self.wrap(
            self.conn
                .prepare_cached("SELECT audio FROM tracks WHERE id = ?1")
                .and_then(|mut s| s.query_row([track], |r| r.get(0).map(AudioId)).optional()),
        )
    }

    /// Take corrections over in one transaction.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn import_corrections(&self, news: &[NewImport]) -> Result<Imported> {
        self.atomically(|conn| {
            let mut report = Imported::default();
            let mut batches: HashMap<i64, i64> = HashMap::new();
            let mut touched = BTreeSet::new();
            let mut to_lock = BTreeSet::new();
            for new in news {
                conn.prepare_cached("INSERT INTO tracks (audio, added_ms) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
                    .execute(rusqlite::params![new.audio.0, now_ms()])?;
                let track: i64 = conn
                    .prepare_cached("SELECT id FROM tracks WHERE audio = ?1")?
                    .query_row([new.audio.0], |r| r.get(0))?;
                if is_known(conn, track, new)? {
                    report.known += 1;
                    continue;
                }
                if conn.prepare_cached("SELECT 1 FROM locks WHERE track_id = ?1")?.exists([track])? {
                    report.locked += 1;
                    continue;
                }
                let batch = match batches.get(&new.act) {
                    Some(batch) => *batch,
                    None => {
                        let batch = batch_in(conn)?;
                        batches.insert(new.act, batch);
                        batch
                    }
                };
                let correction = NewCorrection { track, span: new.span, genres: new.genres.clone() };
                put_in(conn, &correction, new.origin, batch, Some(new.at_ms), None)?;
                report.taken += 1;
                let held = conn.prepare_cached("SELECT 1 FROM files WHERE track_id = ?1")?.exists([track])?;
                report.unseen += usize::from(!held);
                touched.insert(track);
                if new.locked {
                    to_lock.insert((track, batch));
                }
            }
            for (track, batch) in to_lock {
                conn.prepare_cached("INSERT INTO locks VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
                    .execute(rusqlite::params![track, batch, now_ms()])?;
            }
            touched.into_iter().try_for_each(|track| self.refresh_mix_in(conn, track))?;
            Ok(report)
        })
    }
}

/// Whether the same was said of the same part at the same time, in force or taken back.
fn is_known(conn: &rusqlite::Connection, track: i64, new: &NewImport) -> rusqlite::Result<bool> {
    let ids: Vec<i64> = conn
        .prepare_cached(
            "SELECT id FROM corrections
             WHERE track_id = ?1 AND at_ms = ?2 AND span_start_ms IS ?3 AND span_end_ms IS ?4",
        )?
        .query_map(
            rusqlite::params![
                track,
                new.at_ms,
                new.span.map(|s| s.start_ms.cast_signed()),
                new.span.map(|s| s.end_ms.cast_signed())
            ],
            |r| r.get(0),
        )?
        .collect::<rusqlite::Result<_>>()?;
    if ids.is_empty() {
        return Ok(false);
    }
    // Rows are compared, so that a genre that was renamed or merged here is still the same.
    let merged = merged_in(conn)?;
    let now = |row: i64| merged.get(&row).copied().unwrap_or(row);
    let mut wanted: BTreeMap<i64, u32> = BTreeMap::new();
    for (name, weight) in &new.genres {
        *wanted.entry(now(genre_in(conn, name)?)).or_default() += weight;
    }
    for id in ids {
        let mut found: BTreeMap<i64, u32> = BTreeMap::new();
        let mut statement =
            conn.prepare_cached("SELECT genre_id, weight FROM correction_genres WHERE correction_id = ?1")?;
        let mut rows = statement.query([id])?;
        while let Some(r) = rows.next()? {
            *found.entry(now(r.get(0)?)).or_default() += r.get::<_, u32>(1)?;
        }
        if found == wanted {
            return Ok(true);
        }
    }
    Ok(false)
}
