//! Counts for `status`, `doctor` and the coverage line.

use std::collections::HashMap;

use rusqlite::Connection;

use super::{Result, Store};

/// How much there is of everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Files that are there.
    pub files: u64,
    /// Files that were there, and are not now.
    pub missing: u64,
    /// Recordings of files that are there.
    pub tracks: u64,
    /// Files that are there whose track the current model has heard.
    pub heard: u64,
    /// Files that are there whose mix the user has said.
    pub corrected: u64,
    /// Files that could not be heard.
    pub failures: u64,
    /// Files that are there, not heard, and will not be before they change: they failed.
    pub given_up: u64,
    /// Models known.
    pub models: u64,
}

/// Files of each track that are there, and how many are not.
struct Here {
    files: HashMap<i64, u64>,
    missing: u64,
}

/// Files of each genre's largest share: (slug, name, files), most first.
pub type GenreCounts = Vec<(String, String, u64)>;

impl Store {
    /// Count everything.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn stats(&self) -> Result<Stats> {
        self.at_once(|| self.wrap(here_in(&self.conn).and_then(|here| stats_in(&self.conn, &here))))?
    }

    /// Count everything, and the files of each genre.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn overview(&self) -> Result<(Stats, GenreCounts)> {
        self.at_once(|| {
            let read = || {
                let here = here_in(&self.conn)?;
                Ok((stats_in(&self.conn, &here)?, genre_counts_in(&self.conn, &here)?))
            };
            self.wrap(read())
        })?
    }
}

/// The table is read once, in its own order: to join it to another means a jump for every row.
fn here_in(conn: &Connection) -> rusqlite::Result<Here> {
    let mut here = Here { files: HashMap::new(), missing: 0 };
    let mut statement = conn.prepare_cached("SELECT track_id, state = 'present' FROM files")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if row.get(1)? {
            *here.files.entry(row.get(0)?).or_default() += 1;
        } else {
            here.missing += 1;
        }
    }
    Ok(here)
}

fn stats_in(conn: &Connection, here: &Here) -> rusqlite::Result<Stats> {
    let files_of = |sql: &str| -> rusqlite::Result<u64> {
        let mut statement = conn.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        let mut files = 0;
        while let Some(row) = rows.next()? {
            files += here.files.get(&row.get(0)?).copied().unwrap_or(0);
        }
        Ok(files)
    };
    let rows_in = |sql| conn.prepare_cached(sql)?.query_row([], |r| r.get::<_, i64>(0)).map(i64::cast_unsigned);
    Ok(Stats {
        files: here.files.values().sum(),
        missing: here.missing,
        tracks: here.files.len() as u64,
        // The plus keeps SQLite on the index that holds both columns.
        heard: files_of(
            "SELECT track_id FROM analyses WHERE +model_id = (SELECT value FROM meta WHERE key = 'current_model')",
        )?,
        corrected: files_of("SELECT track_id FROM mixes WHERE source = 'user'")?,
        failures: rows_in("SELECT COUNT(*) FROM failures")?,
        given_up: rows_in(
            "SELECT COUNT(*) FROM failures JOIN files USING (path) WHERE state = 'present' AND NOT EXISTS
             (SELECT 1 FROM analyses WHERE analyses.track_id = files.track_id
              AND model_id = (SELECT value FROM meta WHERE key = 'current_model'))",
        )?,
        models: rows_in("SELECT COUNT(*) FROM models")?,
    })
}

fn genre_counts_in(conn: &Connection, here: &Here) -> rusqlite::Result<GenreCounts> {
    // Of equal shares the first genre's row is the largest.
    let mut largest: HashMap<i64, (i64, i64)> = HashMap::with_capacity(here.files.len());
    let mut statement =
        conn.prepare_cached("SELECT track_id, genre_id, won FROM shares ORDER BY track_id, genre_id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (genre, won) = (row.get(1)?, row.get(2)?);
        let best = largest.entry(row.get(0)?).or_insert((genre, won));
        if won > best.1 {
            *best = (genre, won);
        }
    }
    let mut files: HashMap<i64, u64> = HashMap::new();
    for (track, (genre, _)) in largest {
        *files.entry(genre).or_default() += here.files.get(&track).copied().unwrap_or(0);
    }
    let mut counts: GenreCounts = conn
        .prepare_cached("SELECT id, slug, name FROM genres")?
        .query_map([], |r| Ok((r.get(1)?, r.get(2)?, files.get(&r.get(0)?).copied().unwrap_or(0))))?
        .collect::<rusqlite::Result<_>>()?;
    counts.retain(|(.., files)| *files > 0);
    counts.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.0.cmp(&b.0)));
    Ok(counts)
}
