//! What the user said: weighted genres for a track, or for a span of it. Kept for ever; undone, not deleted.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::{Result, Store, mix::genre_in, now_ms};

/// A part of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// From.
    pub start_ms: u64,
    /// To, not included.
    pub end_ms: u64,
}

/// A correction to keep.
#[derive(Clone, Debug)]
pub struct NewCorrection {
    /// The track.
    pub track: i64,
    /// Part of it, or none for all.
    pub span: Option<Span>,
    /// Genres by name, each with a positive weight.
    pub genres: Vec<(String, u32)>,
}

/// A correction in force; genres are rows of the genre table.
#[derive(Clone, Debug)]
pub(super) struct Active {
    pub span: Option<Span>,
    pub genres: Vec<(i64, u32)>,
}

/// A correction as history shows it.
#[derive(Clone, Debug)]
pub struct Correction {
    /// Row.
    pub id: i64,
    /// Corrections made by one act share it.
    pub batch: i64,
    /// The track.
    pub track: i64,
    /// Part of it, or none for all.
    pub span: Option<Span>,
    /// Genres by slug, with their weights.
    pub genres: Vec<(String, u32)>,
    /// When.
    pub at_ms: i64,
    /// When it was taken back.
    pub undone_ms: Option<i64>,
}

/// The corrections in force of a track, oldest first.
pub(super) fn active_in(conn: &Connection, track: i64) -> rusqlite::Result<Vec<Active>> {
    type Row = (i64, Option<u64>, Option<u64>, i64, u32);
    let rows: Vec<Row> = conn
        .prepare_cached(
            "SELECT c.id, c.span_start_ms, c.span_end_ms, g.genre_id, g.weight
             FROM corrections c JOIN correction_genres g ON g.correction_id = c.id
             WHERE c.track_id = ?1 AND c.undone_ms IS NULL ORDER BY c.id, g.genre_id",
        )?
        .query_map([track], |r| {
            let ms = |i| r.get::<_, Option<i64>>(i).map(|v| v.map(i64::cast_unsigned));
            Ok((r.get(0)?, ms(1)?, ms(2)?, r.get(3)?, r.get(4)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut active: BTreeMap<i64, Active> = BTreeMap::new();
    for (id, start, end, genre, weight) in rows {
        let span = start.zip(end).map(|(start_ms, end_ms)| Span { start_ms, end_ms });
        active.entry(id).or_insert(Active { span, genres: Vec::new() }).genres.push((genre, weight));
    }
    Ok(active.into_values().collect())
}

impl Store {
    /// Keep corrections made by one act. Returns the act's number, for [`Store::undo_corrections`].
    ///
    /// # Errors
    /// What SQLite says.
    pub fn correct(&self, corrections: &[NewCorrection]) -> Result<i64> {
        self.atomically(|conn| {
            let batch: i64 = conn.query_row("SELECT COALESCE(MAX(batch), 0) + 1 FROM corrections", [], |r| r.get(0))?;
            for new in corrections {
                let ms = |v: Option<u64>| v.map(u64::cast_signed);
                conn.prepare_cached(
                    "INSERT INTO corrections (track_id, span_start_ms, span_end_ms, batch, at_ms)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(rusqlite::params![
                    new.track,
                    ms(new.span.map(|s| s.start_ms)),
                    ms(new.span.map(|s| s.end_ms)),
                    batch,
                    now_ms()
                ])?;
                let id = conn.last_insert_rowid();
                for (name, weight) in &new.genres {
                    let genre = genre_in(conn, name)?;
                    conn.prepare_cached(
                        "INSERT INTO correction_genres VALUES (?1, ?2, ?3)
                         ON CONFLICT DO UPDATE SET weight = weight + excluded.weight",
                    )?
                    .execute(rusqlite::params![id, genre, weight])?;
                }
                self.refresh_mix_in(conn, new.track)?;
            }
            Ok(batch)
        })
    }

    /// Take back all corrections of one act; returns how many.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn undo_corrections(&self, batch: i64) -> Result<usize> {
        self.atomically(|conn| {
            let tracks: Vec<i64> = conn
                .prepare_cached("SELECT track_id FROM corrections WHERE batch = ?1 AND undone_ms IS NULL")?
                .query_map([batch], |r| r.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            conn.prepare_cached("UPDATE corrections SET undone_ms = ?2 WHERE batch = ?1 AND undone_ms IS NULL")?
                .execute([batch, now_ms()])?;
            for track in &tracks {
                self.refresh_mix_in(conn, *track)?;
            }
            Ok(tracks.len())
        })
    }

    /// Every correction, oldest first; of one track, or of all.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn corrections(&self, track: Option<i64>) -> Result<Vec<Correction>> {
        let read = || -> rusqlite::Result<Vec<Correction>> {
            let mut statement = self.conn.prepare_cached(
                "SELECT c.id, c.batch, c.track_id, c.span_start_ms, c.span_end_ms, c.at_ms, c.undone_ms, g.slug, cg.weight
                 FROM corrections c JOIN correction_genres cg ON cg.correction_id = c.id JOIN genres g ON g.id = cg.genre_id
                 WHERE ?1 IS NULL OR c.track_id = ?1 ORDER BY c.id, cg.weight DESC, g.slug",
            )?;
            let mut rows = statement.query([track])?;
            let mut all: Vec<Correction> = Vec::new();
            while let Some(r) = rows.next()? {
                let id: i64 = r.get(0)?;
                if all.last().is_none_or(|last| last.id != id) {
                    let ms = |i| r.get::<_, Option<i64>>(i).map(|v| v.map(i64::cast_unsigned));
                    all.push(Correction {
                        id,
                        batch: r.get(1)?,
                        track: r.get(2)?,
                        span: ms(3)?.zip(ms(4)?).map(|(start_ms, end_ms)| Span { start_ms, end_ms }),
                        at_ms: r.get(5)?,
                        undone_ms: r.get(6)?,
                        genres: Vec::new(),
                    });
                }
                if let Some(last) = all.last_mut() {
                    last.genres.push((r.get(7)?, r.get(8)?));
                }
            }
            Ok(all)
        };
        self.wrap(read())
    }
}
