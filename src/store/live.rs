//! For who shows the library while it changes: has anybody written, and which files does it concern?

use super::{Result, Store, taxonomy::genre_slugs_in};
use crate::track::{Mix, Source};

/// What changed since a point of the change log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// These files, each once.
    Files(Vec<i64>),
    /// The log does not reach back so far: anything may have.
    Anything,
}

impl Store {
    /// A number that changes whenever another connection, of this process or not, has written.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn data_version(&self) -> Result<i64> {
        self.wrap(self.conn.query_row("PRAGMA data_version", [], |r| r.get(0)))
    }

    /// The newest number in the change log, kept even when its row is not.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn last_change(&self) -> Result<i64> {
        use rusqlite::OptionalExtension;
        self.wrap(
            self.conn
                .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'changes'")
                .and_then(|mut s| s.query_row([], |r| r.get(0)).optional())
                .map(Option::unwrap_or_default),
        )
    }

    /// The newest number in the change log, and what changed after `after`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn changed_after(&self, after: i64) -> Result<(i64, Changed)> {
        let last = self.last_change()?;
        let read = || -> rusqlite::Result<(i64, Vec<i64>)> {
            let kept = self
                .conn
                .prepare_cached("SELECT COUNT(*) FROM changes WHERE seq > ?1 AND seq <= ?2")?
                .query_row([after, last], |r| r.get(0))?;
            let files = self
                .conn
                .prepare_cached("SELECT DISTINCT file_id FROM changes WHERE seq > ?1 AND seq <= ?2 ORDER BY file_id")?
                .query_map([after, last], |r| r.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            Ok((kept, files))
        };
        let (kept, files) = self.wrap(read())?;
        Ok((last, if kept == last - after { Changed::Files(files) } else { Changed::Anything }))
    }

    /// Call `each` with every track that has a mix, in the order of row ids.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn each_mix(&self, mut each: impl FnMut(i64, Mix)) -> Result<()> {
        let mut read = || -> rusqlite::Result<()> {
            let slugs = genre_slugs_in(&self.conn)?;
            let mut statement = self.conn.prepare_cached(
                "SELECT m.track_id, m.source, m.chunks, s.genre_id, s.won
                 FROM mixes m LEFT JOIN shares s ON s.track_id = m.track_id ORDER BY m.track_id",
            )?;
            let mut rows = statement.query([])?;
            let mut open: Option<(i64, Option<Source>, u32, Vec<_>)> = None;
            let mut close = |open: Option<(i64, Option<Source>, u32, Vec<_>)>| {
                if let Some((track, Some(source), chunks, won)) = open
                    && let Some(mix) = Mix::new(won, chunks, source)
                {
                    each(track, mix);
                }
            };
            while let Some(r) = rows.next()? {
                let track: i64 = r.get(0)?;
                if open.as_ref().is_none_or(|(id, ..)| *id != track) {
                    let source = Source::from_name(r.get_ref(1)?.as_str()?);
                    close(open.replace((track, source, r.get(2)?, Vec::new())));
                }
                let genre: Option<i64> = r.get(3)?;
                if let (Some((.., won)), Some(genre)) = (&mut open, genre.and_then(|id| slugs.get(&id))) {
                    won.push((genre.clone(), r.get(4)?));
                }
            }
            close(open);
            Ok(())
        };
        self.wrap(read())
    }
}
