//! What a track is made of, as search, tags and display see it.
//!
//! Derived, and kept in the transaction of its cause: the user's word where there is one, else what the
//! model heard, else the genres that the file names. The rule for corrections: a correction of the whole
//! track replaces everything said before it; a span corrected after that replaces its chunks. All of it is
//! counted in integers.

use std::collections::BTreeMap;

use deepcuts_protocol::UNSURE;
use rusqlite::{Connection, OptionalExtension};

use super::{
    Result, Store,
    analyses::analysis_in,
    corrections::active_in,
    files::list,
    taxonomy::{genre_in, genre_slugs_in, merged_in},
};
use crate::{
    genre::Genre,
    track::{Mix, Source},
};

/// (start, chunk length, (genre or unsure, score 0 to 255) a chunk).
type Line = (u64, u32, Vec<(Option<Genre>, u8)>);

/// A mix as it is stored: rows of genres.
struct Shares {
    won: BTreeMap<i64, u32>,
    chunks: u32,
    source: Source,
}

impl Store {
    /// Work out a track's mix again and note the change for the index.
    pub(super) fn refresh_mix_in(&self, conn: &Connection, track: i64) -> rusqlite::Result<()> {
        self.put_mix_in(conn, track)?;
        super::changes::note_track_in(conn, track)
    }

    /// The same when one of its files changed. Its copies are noted only where the mix became another: a folder may hold
    /// thousands of one recording, silence say.
    pub(super) fn refresh_file_in(&self, conn: &Connection, track: i64, file: i64) -> rusqlite::Result<()> {
        let before = kept_in(conn, track)?;
        self.put_mix_in(conn, track)?;
        if kept_in(conn, track)? == before {
            super::changes::note_in(conn, file)
        } else {
            super::changes::note_track_in(conn, track)
        }
    }

    fn put_mix_in(&self, conn: &Connection, track: i64) -> rusqlite::Result<()> {
        conn.prepare_cached("DELETE FROM shares WHERE track_id = ?1")?.execute([track])?;
        conn.prepare_cached("DELETE FROM mixes WHERE track_id = ?1")?.execute([track])?;
        if let Some(shares) = self.shares_in(conn, track)? {
            let unsure = shares.chunks - shares.won.values().sum::<u32>();
            conn.prepare_cached("INSERT INTO mixes (track_id, source, chunks, unsure) VALUES (?1, ?2, ?3, ?4)")?
                .execute(rusqlite::params![track, shares.source.name(), shares.chunks, unsure])?;
            let mut insert = conn.prepare_cached("INSERT INTO shares (track_id, genre_id, won) VALUES (?1, ?2, ?3)")?;
            for (genre, won) in shares.won.iter().filter(|(_, won)| **won > 0) {
                insert.execute(rusqlite::params![track, genre, won])?;
            }
        }
        Ok(())
    }

    fn shares_in(&self, conn: &Connection, track: i64) -> rusqlite::Result<Option<Shares>> {
        let said = active_in(conn, track)?;
        let winners = self.winners_in(conn, track)?;
        let whole = said.iter().rposition(|c| c.span.is_none());
        let after = whole.map_or(&said[..], |i| &said[i + 1..]);
        let Some((start_ms, chunk_ms, winners)) = winners else {
            return match whole.and_then(|i| said.get(i)) {
                Some(c) => Ok(weights(&c.genres, u32::MAX)),
                None => file_shares_in(conn, track),
            };
        };
        // Each chunk: the genre of the last span that covers its middle, else its winner.
        let mut covered = vec![None; winners.len()];
        for correction in after {
            let Some(span) = correction.span else { continue };
            let Some((genre, _)) = correction.genres.iter().max_by_key(|(g, w)| (*w, -*g)) else { continue };
            for (i, slot) in covered.iter_mut().enumerate() {
                let middle = start_ms + (i as u64) * u64::from(chunk_ms) + u64::from(chunk_ms) / 2;
                if (span.start_ms..span.end_ms).contains(&middle) {
                    *slot = Some(*genre);
                }
            }
        }
        let chunks = winners.len() as u32;
        let mut won: BTreeMap<i64, u32> = BTreeMap::new();
        match whole.and_then(|i| said.get(i)).and_then(|c| weights(&c.genres, u32::MAX / chunks.max(1))) {
            // Every count is multiplied by the sum of the weights, so that the weighted part stays whole.
            Some(base) => {
                let free = covered.iter().filter(|c| c.is_none()).count() as u32;
                for (genre, weight) in base.won {
                    *won.entry(genre).or_default() += free * weight;
                }
                for genre in covered.into_iter().flatten() {
                    *won.entry(genre).or_default() += base.chunks;
                }
                Ok(Some(Shares { won, chunks: chunks * base.chunks, source: Source::User }))
            }
            None => {
                let source = if covered.iter().any(Option::is_some) { Source::User } else { Source::Model };
                for genre in covered.into_iter().zip(winners).filter_map(|(said, heard)| said.or(heard)) {
                    *won.entry(genre).or_default() += 1;
                }
                Ok(Some(Shares { won, chunks, source }))
            }
        }
    }

    /// (start, chunk length, the genre row of each chunk's winner) of the analysis in force.
    #[allow(clippy::type_complexity)]
    fn winners_in(&self, conn: &Connection, track: i64) -> rusqlite::Result<Option<(u64, u32, Vec<Option<i64>>)>> {
        let Some(analysis) = analysis_in(conn, track)? else { return Ok(None) };
        let genres = self.genre_rows_in(conn, &analysis.model)?;
        let winners =
            analysis.winners.iter().map(|&w| if w == UNSURE { None } else { genres.get(usize::from(w)).copied() });
        Ok(Some((analysis.start_ms, analysis.chunk_ms, winners.collect())))
    }

    /// The genre row of each output of a model, merged ones followed.
    pub(super) fn genre_rows_in(&self, conn: &Connection, model: &str) -> rusqlite::Result<Vec<i64>> {
        let merged = merged_in(conn)?;
        let now = |rows: &[i64]| rows.iter().map(|row| merged.get(row).copied().unwrap_or(*row)).collect();
        if let Some(rows) = self.outputs.borrow().get(model) {
            return Ok(now(rows));
        }
        let names: String = conn
            .prepare_cached("SELECT card ->> '$.genres' FROM models WHERE id = ?1")?
            .query_row([model], |r| r.get(0))?;
        let rows: Vec<i64> = list(&names).iter().map(|name| genre_in(conn, name)).collect::<rusqlite::Result<_>>()?;
        let rows_now = now(&rows);
        self.outputs.borrow_mut().insert(model.to_owned(), rows);
        Ok(rows_now)
    }

    /// The mix of a track in force.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn mix(&self, track: i64) -> Result<Option<Mix>> {
        let read = || -> rusqlite::Result<Option<Mix>> {
            let head: Option<(String, u32)> = self
                .conn
                .prepare_cached("SELECT source, chunks FROM mixes WHERE track_id = ?1")?
                .query_row([track], |r| Ok((r.get(0)?, r.get(1)?)))
                .optional()?;
            let Some((source, chunks)) = head else { return Ok(None) };
            let won: Vec<(String, u32)> = self
                .conn
                .prepare_cached(
                    "SELECT g.slug, s.won FROM shares s JOIN genres g ON g.id = s.genre_id WHERE s.track_id = ?1",
                )?
                .query_map([track], |r| Ok((r.get(0)?, r.get(1)?)))?
                .collect::<rusqlite::Result<_>>()?;
            let won = won.into_iter().filter_map(|(slug, n)| Genre::new(&slug).map(|g| (g, n)));
            Ok(Source::from_name(&source).and_then(|source| Mix::new(won, chunks, source)))
        };
        self.wrap(read())
    }

    /// The timeline in force: (start, chunk length, (genre or unsure, score 0 to 255) a chunk), spans that the
    /// user corrected put in.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn timeline(&self, track: i64) -> Result<Option<Line>> {
        self.wrap(genre_slugs_in(&self.conn).and_then(|slugs| self.timeline_in(track, &slugs)))
    }

    /// The same by genres that were read before.
    pub(super) fn timeline_in(&self, track: i64, slugs: &BTreeMap<i64, Genre>) -> rusqlite::Result<Option<Line>> {
        let Some(analysis) = analysis_in(&self.conn, track)? else { return Ok(None) };
        let rows = self.genre_rows_in(&self.conn, &analysis.model)?;
        let genre = |row: i64| slugs.get(&row).cloned();
        let mut line: Vec<(Option<Genre>, u8)> = analysis
            .winners
            .iter()
            .zip(&analysis.scores)
            .map(|(&w, &score)| (rows.get(usize::from(w)).and_then(|row| genre(*row)), score))
            .collect();
        let said = active_in(&self.conn, track)?;
        let after = said.iter().rposition(|c| c.span.is_none()).map_or(0, |i| i + 1);
        for correction in &said[after..] {
            let (Some(span), Some((row, _))) =
                (correction.span, correction.genres.iter().max_by_key(|(g, w)| (*w, -*g)))
            else {
                continue;
            };
            for (i, slot) in line.iter_mut().enumerate() {
                let chunk = u64::from(analysis.chunk_ms);
                let middle = analysis.start_ms + (i as u64) * chunk + chunk / 2;
                if (span.start_ms..span.end_ms).contains(&middle) {
                    *slot = (genre(*row), u8::MAX);
                }
            }
        }
        Ok(Some((analysis.start_ms, analysis.chunk_ms, line)))
    }
}

/// (source, chunks, genre, chunks it won) of a track's mix as it is kept; one row of no genre where all is unsure.
#[allow(clippy::type_complexity)]
fn kept_in(conn: &Connection, track: i64) -> rusqlite::Result<Vec<(String, u32, Option<i64>, Option<u32>)>> {
    conn.prepare_cached(
        "SELECT m.source, m.chunks, s.genre_id, s.won FROM mixes m LEFT JOIN shares s ON s.track_id = m.track_id
         WHERE m.track_id = ?1 ORDER BY s.genre_id",
    )?
    .query_map([track], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))?
    .collect()
}

/// What was said of a whole track, in counts that sum to `most` at the most: an import may weigh in millions, and a
/// recording of hours has thousands of chunks.
fn weights(genres: &[(i64, u32)], most: u32) -> Option<Shares> {
    let sum: u64 = genres.iter().map(|(_, w)| u64::from(*w)).sum();
    let scaled = |w: u32| match u64::from(most) {
        most if sum > most => (u64::from(w) * most / sum) as u32,
        _ => w,
    };
    let won: BTreeMap<i64, u32> = genres.iter().map(|&(g, w)| (g, scaled(w))).collect();
    let chunks = won.values().sum();
    (chunks > 0).then_some(Shares { won, chunks, source: Source::User })
}

/// The genres that the files of a track name, in equal shares; what we wrote ourselves does not count.
fn file_shares_in(conn: &Connection, track: i64) -> rusqlite::Result<Option<Shares>> {
    let lists: Vec<(String, Option<String>)> = conn
        .prepare_cached("SELECT genres, written_genres FROM files WHERE track_id = ?1 ORDER BY id")?
        .query_map([track], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut won = BTreeMap::new();
    let merged = merged_in(conn)?;
    for (genres, written) in lists {
        if Some(&genres) == written.as_ref() {
            continue;
        }
        for name in list(&genres).iter().filter(|name| Genre::new(name).is_some()) {
            let genre = genre_in(conn, name)?;
            won.insert(merged.get(&genre).copied().unwrap_or(genre), 1);
        }
    }
    let chunks = won.len() as u32;
    Ok((chunks > 0).then_some(Shares { won, chunks, source: Source::File }))
}
