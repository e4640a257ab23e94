//! Counts for `status`, `doctor` and the coverage line.

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
    /// Models known.
    pub models: u64,
}

impl Store {
    /// Count everything.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn stats(&self) -> Result<Stats> {
        self.wrap(self.conn.query_row(
            "SELECT (SELECT COUNT(*) FROM files WHERE state = 'present'),
                    (SELECT COUNT(*) FROM files WHERE state = 'missing'),
                    (SELECT COUNT(DISTINCT track_id) FROM files WHERE state = 'present'),
                    (SELECT COUNT(*) FROM files f JOIN analyses a ON a.track_id = f.track_id
                        AND a.model_id = (SELECT value FROM meta WHERE key = 'current_model') WHERE f.state = 'present'),
                    (SELECT COUNT(*) FROM files f JOIN mixes m ON m.track_id = f.track_id AND m.source = 'user'
                        WHERE f.state = 'present'),
                    (SELECT COUNT(*) FROM failures),
                    (SELECT COUNT(*) FROM models)",
            [],
            |r| {
                let n = |i| r.get::<_, i64>(i).map(i64::cast_unsigned);
                Ok(Stats {
                    files: n(0)?,
                    missing: n(1)?,
                    tracks: n(2)?,
                    heard: n(3)?,
                    corrected: n(4)?,
                    failures: n(5)?,
                    models: n(6)?,
                })
            },
        ))
    }

    /// Number of files of each genre's largest share: (slug, name, files), most first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn genre_counts(&self) -> Result<Vec<(String, String, u64)>> {
        self.wrap(
            self.conn
                .prepare_cached(
                    "SELECT g.slug, g.name, COUNT(*) FROM files f
                     JOIN (SELECT s.track_id, s.genre_id, MAX(s.won * 100000 - s.genre_id) FROM shares s GROUP BY s.track_id) top
                       ON top.track_id = f.track_id
                     JOIN genres g ON g.id = top.genre_id
                     WHERE f.state = 'present' GROUP BY g.id ORDER BY 3 DESC, g.slug",
                )
                .and_then(|mut s| {
                    s.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get::<_, i64>(2)?.cast_unsigned())))
                        .and_then(Iterator::collect)
                }),
        )
    }
}
