//! What the search index is made from: everything searchable of a file in one row, and the list of what
//! changed since the index last looked.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row};

use super::{Result, Store, files::list, taxonomy::genre_slugs_in};
use crate::{genre::Genre, track::Source};

/// Everything searchable of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexRow {
    /// The file.
    pub file: i64,
    /// Its track.
    pub track: i64,
    /// Path, bytes.
    pub path: Vec<u8>,
    /// Container.
    pub format: String,
    /// Whether it is there.
    pub present: bool,
    /// Title.
    pub title: Option<String>,
    /// Artist.
    pub artist: Option<String>,
    /// Album.
    pub album: Option<String>,
    /// Artist of the album.
    pub album_artist: Option<String>,
    /// Year.
    pub year: Option<i64>,
    /// Number on the disc.
    pub track_no: Option<u32>,
    /// Number of the disc.
    pub disc_no: Option<u32>,
    /// Genres that the tags name.
    pub genres: Vec<String>,
    /// Length, ms.
    pub duration_ms: Option<i64>,
    /// Average bit rate, kbit/s: size over length.
    pub bitrate_kbps: Option<i64>,
    /// When first seen, ms since 1970.
    pub added_ms: i64,
    /// The mix in force.
    pub mix: Option<IndexMix>,
    /// The timeline in force.
    pub timeline: Option<IndexTimeline>,
    /// Id and name of the model that made the timeline.
    pub model: Option<(String, String)>,
}

/// A mix by genre rows.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexMix {
    /// Whose word it is.
    pub source: Source,
    /// All chunks.
    pub chunks: u32,
    /// Chunks that no genre won.
    pub unsure: u32,
    /// Chunks won by each genre.
    pub won: Vec<(Genre, u32)>,
}

/// Winners over time.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexTimeline {
    /// Where the first chunk begins, ms.
    pub start_ms: u64,
    /// Length of a chunk, ms.
    pub chunk_ms: u32,
    /// Winner of each chunk.
    pub winners: Vec<Option<Genre>>,
}

/// Notes that are kept after the index has learned them: whoever shows the library reads them, too.
const KEPT: i64 = 10_000;

const COLUMNS: &str = "SELECT f.id, f.track_id, f.path, f.format, f.state = 'present', f.title, f.artist, f.album, \
     f.album_artist, f.year, f.track_no, f.disc_no, f.genres, t.duration_ms, f.size, f.added_ms, m.source, m.chunks, \
     m.unsure FROM files f JOIN tracks t ON t.id = f.track_id LEFT JOIN mixes m ON m.track_id = f.track_id";

fn head(row: &Row<'_>) -> rusqlite::Result<IndexRow> {
    let duration_ms: Option<i64> = row.get(13)?;
    let size: i64 = row.get(14)?;
    let mix = match (row.get::<_, Option<String>>(16)?, row.get(17)?, row.get(18)?) {
        (Some(source), Some(chunks), Some(unsure)) => {
            Source::from_name(&source).map(|source| IndexMix { source, chunks, unsure, won: Vec::new() })
        }
        _ => None,
    };
    Ok(IndexRow {
        file: row.get(0)?,
        track: row.get(1)?,
        path: row.get(2)?,
        format: row.get(3)?,
        present: row.get(4)?,
        title: row.get(5)?,
        artist: row.get(6)?,
        album: row.get(7)?,
        album_artist: row.get(8)?,
        year: row.get(9)?,
        track_no: row.get(10)?,
        disc_no: row.get(11)?,
        genres: list(&row.get::<_, String>(12)?),
        duration_ms,
        bitrate_kbps: duration_ms.filter(|ms| *ms > 0).map(|ms| size.saturating_mul(8) / ms),
        added_ms: row.get(15)?,
        mix,
        timeline: None,
        model: None,
    })
}

impl Store {
    /// Everything searchable of a file; `None` when there is no such file.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn index_row(&self, file: i64) -> Result<Option<IndexRow>> {
        Ok(self.index_rows(&[file])?.pop().flatten())
    }

    /// Everything searchable of some files, in their order.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn index_rows(&self, files: &[i64]) -> Result<Vec<Option<IndexRow>>> {
        let sql = format!("{COLUMNS} WHERE f.id = ?1");
        self.at_once(|| {
            let slugs = self.wrap(genre_slugs_in(&self.conn))?;
            let read = |file: &i64| {
                let found = self.conn.prepare_cached(&sql).and_then(|mut s| s.query_row([file], head).optional());
                self.wrap(found)?.map(|row| self.filled(row, &slugs)).transpose()
            };
            files.iter().map(read).collect()
        })?
    }

    /// Call `each` with every file, in the order of row ids, until it answers false.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn each_index_row(&self, mut each: impl FnMut(IndexRow) -> bool) -> Result<()> {
        const PAGE: i64 = 2_000;
        let mut after = i64::MIN;
        loop {
            // In pages, so that no read transaction stays open for minutes and keeps the log from being emptied.
            let rows: Vec<IndexRow> = self.at_once(|| {
                let slugs = self.wrap(genre_slugs_in(&self.conn))?;
                let heads: Vec<IndexRow> = self.wrap(
                    self.conn
                        .prepare_cached(&format!("{COLUMNS} WHERE f.id > ?1 ORDER BY f.id LIMIT ?2"))
                        .and_then(|mut s| s.query_map([after, PAGE], head)?.collect()),
                )?;
                heads.into_iter().map(|row| self.filled(row, &slugs)).collect::<Result<_>>()
            })??;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.file;
            for row in rows {
                if !each(row) {
                    return Ok(());
                }
            }
        }
    }

    /// `row` with its shares, timeline and model.
    fn filled(&self, mut row: IndexRow, slugs: &BTreeMap<i64, Genre>) -> Result<IndexRow> {
        if let Some(mix) = &mut row.mix {
            mix.won = self.wrap(self.won_in(row.track))?;
        }
        if let Some((start_ms, chunk_ms, line)) = self.wrap(self.timeline_in(row.track, slugs))? {
            let winners = line.into_iter().map(|(genre, _)| genre).collect();
            row.timeline = Some(IndexTimeline { start_ms, chunk_ms, winners });
            row.model = self.wrap(
                self.conn
                    .prepare_cached(
                        "SELECT m.id, m.name FROM analyses a JOIN models m ON m.id = a.model_id WHERE a.track_id = ?1 AND NOT m.candidate
                         ORDER BY a.model_id = (SELECT value FROM meta WHERE key = 'current_model') DESC,
                             a.heard_ms DESC LIMIT 1",
                    )
                    .and_then(|mut s| s.query_row([row.track], |r| Ok((r.get(0)?, r.get(1)?))).optional()),
            )?;
        }
        Ok(row)
    }

    fn won_in(&self, track: i64) -> rusqlite::Result<Vec<(Genre, u32)>> {
        let slugs: Vec<(String, u32)> = self
            .conn
            .prepare_cached(
                "SELECT g.slug, s.won FROM shares s JOIN genres g ON g.id = s.genre_id WHERE s.track_id = ?1",
            )?
            .query_map([track], |r| Ok((r.get(0)?, r.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        Ok(slugs.into_iter().filter_map(|(slug, won)| Genre::new(&slug).map(|g| (g, won))).collect())
    }

    /// Files noted after change `after`, at most `limit` notes: (the last note's number, the files, each once).
    ///
    /// # Errors
    /// What SQLite says.
    pub fn changes_after(&self, after: i64, limit: usize) -> Result<Option<(i64, Vec<i64>)>> {
        let rows: Vec<(i64, i64)> = self.wrap(
            self.conn.prepare_cached("SELECT seq, file_id FROM changes WHERE seq > ?1 ORDER BY seq LIMIT ?2").and_then(
                |mut s| s.query_map(rusqlite::params![after, limit as i64], |r| Ok((r.get(0)?, r.get(1)?)))?.collect(),
            ),
        )?;
        let Some((last, _)) = rows.last() else { return Ok(None) };
        let last = *last;
        let mut files: Vec<i64> = rows.into_iter().map(|(_, file)| file).collect();
        files.sort_unstable();
        files.dedup();
        Ok(Some((last, files)))
    }

    /// Up to which change the index has learned everything: 0 before its first commit.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn index_watermark(&self) -> Result<i64> {
        Ok(self.meta("index_watermark")?.and_then(|text| text.parse().ok()).unwrap_or(0))
    }

    /// Note that the index has learned everything up to change `seq`; notes long before it are dropped.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_index_watermark(&self, seq: i64) -> Result<()> {
        self.atomically(|conn| {
            conn.prepare_cached(
                "INSERT INTO meta VALUES ('index_watermark', ?1) ON CONFLICT (key) DO UPDATE SET value = ?1",
            )?
            .execute([seq.to_string()])?;
            conn.prepare_cached("DELETE FROM changes WHERE seq <= ?1")?.execute([seq - KEPT])?;
            Ok(())
        })
    }

    /// The name that this library gave itself, by which an index knows whose it is.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn library_id(&self) -> Result<Option<String>> {
        self.meta("library_id")
    }

    /// The same, made now when there is none.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn make_library_id(&self) -> Result<String> {
        self.wrap(
            self.conn.execute(
                "INSERT INTO meta VALUES ('library_id', lower(hex(randomblob(16)))) ON CONFLICT DO NOTHING",
                [],
            ),
        )?;
        self.library_id()?.ok_or_else(|| self.value("the library has no id"))
    }

    /// Number of files, missing ones included.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn file_count(&self) -> Result<u64> {
        self.wrap(self.conn.query_row("SELECT COUNT(*) FROM files", [], |r| r.get::<_, i64>(0))).map(i64::cast_unsigned)
    }

    /// The row of each genre: timelines in the index are made of them.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn genre_rows(&self) -> Result<BTreeMap<Genre, i64>> {
        let slugs = self.wrap(genre_slugs_in(self.connection()))?;
        Ok(slugs.into_iter().map(|(row, genre)| (genre, row)).collect())
    }

    const fn connection(&self) -> &Connection {
        &self.conn
    }
}
