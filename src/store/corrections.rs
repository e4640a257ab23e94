//! What the user said: weighted genres for a track, or for a span of it. Kept for ever; undone, not deleted.
//!
//! A lock settles a track: no correction of its folder or of its look-alikes, and no import, touches it until it is
//! unlocked.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::{
    Result, Store, now_ms,
    taxonomy::{genre_in, genre_slugs_in, merged_in},
};

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

/// How the user came to say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Of this track.
    #[default]
    Said,
    /// Of a track that sounds like it.
    Like,
}

impl Origin {
    /// The name that is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Said => "said",
            Self::Like => "like",
        }
    }

    /// The origin called `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Said, Self::Like].into_iter().find(|o| o.name() == name)
    }
}

/// What came of an act of correction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Number of the act, for [`Store::undo_corrections`].
    pub batch: i64,
    /// Corrections kept.
    pub kept: usize,
    /// Tracks that are locked, and left as they are.
    pub locked: Vec<i64>,
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
    /// How the user came to say it.
    pub origin: Origin,
}

/// The corrections in force of a track, oldest first.
pub(super) fn active_in(conn: &Connection, track: i64) -> rusqlite::Result<Vec<Active>> {
    type Row = (i64, Option<u64>, Option<u64>, i64, u32);
    let rows: Vec<Row> = conn
        .prepare_cached(
            "SELECT c.id, c.span_start_ms, c.span_end_ms, g.genre_id, g.weight
             FROM corrections c JOIN correction_genres g ON g.correction_id = c.id
             WHERE c.track_id = ?1 AND c.undone_ms IS NULL ORDER BY c.at_ms, c.id, g.genre_id",
        )?
        .query_map([track], |r| {
            let ms = |i| r.get::<_, Option<i64>>(i).map(|v| v.map(i64::cast_unsigned));
            Ok((r.get(0)?, ms(1)?, ms(2)?, r.get(3)?, r.get(4)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut active: Vec<(i64, Active)> = Vec::new();
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let merged = merged_in(conn)?;
    for (id, start, end, genre, weight) in rows {
        if active.last().is_none_or(|(last, _)| *last != id) {
            let span = start.zip(end).map(|(start_ms, end_ms)| Span { start_ms, end_ms });
            active.push((id, Active { span, genres: Vec::new() }));
        }
        let genre = merged.get(&genre).copied().unwrap_or(genre);
        if let Some((_, last)) = active.last_mut() {
            match last.genres.iter_mut().find(|(g, _)| *g == genre) {
                Some((_, sum)) => *sum += weight,
                None => last.genres.push((genre, weight)),
            }
        }
    }
    Ok(active.into_iter().map(|(_, active)| active).collect())
}

/// The locked ones among `tracks`.
fn locked_in(conn: &Connection, tracks: impl IntoIterator<Item = i64>) -> rusqlite::Result<BTreeSet<i64>> {
    let mut look = conn.prepare_cached("SELECT 1 FROM locks WHERE track_id = ?1")?;
    let mut locked = BTreeSet::new();
    for track in tracks {
        if look.exists([track])? {
            locked.insert(track);
        }
    }
    Ok(locked)
}

/// The next number of an act.
pub(super) fn batch_in(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row("SELECT COALESCE(MAX(batch), 0) + 1 FROM corrections", [], |r| r.get(0))
}

/// Write a correction; `at_ms` and `undone_ms` are those of an import. What is said now is never older than what was
/// said before of the same track, whatever the clock says.
pub(super) fn put_in(
    conn: &Connection,
    new: &NewCorrection,
    origin: Origin,
    batch: i64,
    at_ms: Option<i64>,
    undone_ms: Option<i64>,
) -> rusqlite::Result<()> {
    let ms = |v: Option<u64>| v.map(u64::cast_signed);
    conn.prepare_cached(
        "INSERT INTO corrections (track_id, span_start_ms, span_end_ms, batch, origin, undone_ms, at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6,
             COALESCE(?7, MAX(?8, COALESCE((SELECT MAX(at_ms) FROM corrections WHERE track_id = ?1), 0))))",
    )?
    .execute(rusqlite::params![
        new.track,
        ms(new.span.map(|s| s.start_ms)),
        ms(new.span.map(|s| s.end_ms)),
        batch,
        origin.name(),
        undone_ms,
        at_ms,
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
    Ok(())
}

impl Store {
    /// Keep corrections made by one act; locked tracks are left as they are. Returns the act's number, for
    /// [`Store::undo_corrections`].
    ///
    /// # Errors
    /// What SQLite says.
    pub fn correct(&self, corrections: &[NewCorrection]) -> Result<i64> {
        let said: Vec<_> = corrections.iter().map(|new| (new.clone(), Origin::Said)).collect();
        Ok(self.correct_as(&said, false)?.batch)
    }

    /// Keep corrections made by one act, each with its origin; locked tracks are left as they are. `lock` settles the
    /// tracks it keeps something of.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn correct_as(&self, corrections: &[(NewCorrection, Origin)], lock: bool) -> Result<Kept> {
        self.atomically(|conn| {
            let batch = batch_in(conn)?;
            let locked = locked_in(conn, corrections.iter().map(|(new, _)| new.track))?;
            let mut kept = 0;
            for (new, origin) in corrections.iter().filter(|(new, _)| !locked.contains(&new.track)) {
                put_in(conn, new, *origin, batch, None, None)?;
                kept += 1;
                if lock {
                    conn.prepare_cached("INSERT INTO locks VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
                        .execute(rusqlite::params![new.track, batch, now_ms()])?;
                }
                self.refresh_mix_in(conn, new.track)?;
            }
            Ok(Kept { batch, kept, locked: locked.into_iter().collect() })
        })
    }

    /// Settle tracks, or let them be corrected again. Returns how many changed.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_locked(&self, tracks: &[i64], locked: bool) -> Result<usize> {
        self.atomically(|conn| {
            let mut n = 0;
            for track in tracks {
                n += if locked {
                    conn.prepare_cached("INSERT INTO locks VALUES (?1, NULL, ?2) ON CONFLICT DO NOTHING")?
                        .execute(rusqlite::params![track, now_ms()])?
                } else {
                    conn.prepare_cached("DELETE FROM locks WHERE track_id = ?1")?.execute([track])?
                };
            }
            Ok(n)
        })
    }

    /// Every locked track.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn locks(&self) -> Result<BTreeSet<i64>> {
        self.wrap(
            self.conn
                .prepare_cached("SELECT track_id FROM locks")
                .and_then(|mut s| s.query_map([], |r| r.get(0)).and_then(Iterator::collect)),
        )
    }

    /// Take back all corrections of one act, and the locks it set; tracks that were locked since are left as they
    /// are. Returns how many were taken back.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn undo_corrections(&self, batch: i64) -> Result<usize> {
        self.atomically(|conn| {
            conn.prepare_cached("DELETE FROM locks WHERE batch = ?1")?.execute([batch])?;
            let tracks: Vec<i64> = conn
                .prepare_cached(
                    "SELECT track_id FROM corrections WHERE batch = ?1 AND undone_ms IS NULL
                     AND track_id NOT IN (SELECT track_id FROM locks)",
                )?
                .query_map([batch], |r| r.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            conn.prepare_cached(
                "UPDATE corrections SET undone_ms = ?2 WHERE batch = ?1 AND undone_ms IS NULL
                 AND track_id NOT IN (SELECT track_id FROM locks)",
            )?
            .execute([batch, now_ms()])?;
            for track in &tracks {
                self.refresh_mix_in(conn, *track)?;
            }
            Ok(tracks.len())
        })
    }

    /// The latest act that can be taken back: one of whose tracks was not locked since.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn last_act(&self) -> Result<Option<i64>> {
        self.wrap(self.conn.query_row(
            "SELECT MAX(c.batch) FROM corrections c WHERE c.undone_ms IS NULL AND NOT EXISTS (
                 SELECT 1 FROM locks l WHERE l.track_id = c.track_id AND l.batch IS NOT c.batch)",
            [],
            |r| r.get(0),
        ))
    }

    /// Every correction, oldest first; of one track, or of all.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn corrections(&self, track: Option<i64>) -> Result<Vec<Correction>> {
        let read = || -> rusqlite::Result<Vec<Correction>> {
            let merged = merged_in(&self.conn)?;
            let slugs = genre_slugs_in(&self.conn)?;
            let mut statement = self.conn.prepare_cached(
                "SELECT c.id, c.batch, c.track_id, c.span_start_ms, c.span_end_ms, c.at_ms, c.undone_ms, cg.genre_id, cg.weight,
                     c.origin
                 FROM corrections c JOIN correction_genres cg ON cg.correction_id = c.id
                 WHERE ?1 IS NULL OR c.track_id = ?1 ORDER BY c.at_ms, c.id, cg.weight DESC, cg.genre_id",
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
                        origin: Origin::from_name(&r.get::<_, String>(9)?).unwrap_or_default(),
                    });
                }
                let (genre, weight): (i64, u32) = (r.get(7)?, r.get(8)?);
                let Some(slug) = slugs.get(merged.get(&genre).unwrap_or(&genre)) else { continue };
                if let Some(last) = all.last_mut() {
                    match last.genres.iter_mut().find(|(g, _)| g == slug.slug()) {
                        Some((_, sum)) => *sum += weight,
                        None => last.genres.push((slug.slug().to_owned(), weight)),
                    }
                }
            }
            for correction in &mut all {
                correction.genres.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            }
            Ok(all)
        };
        self.wrap(read())
    }
}
