//! Searches kept by name.

use std::collections::BTreeMap;

use super::{Result, Store, now_ms};

impl Store {
    /// Keep `query` as `name`; an older one of that name is replaced.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn save_search(&self, name: &str, query: &str) -> Result<()> {
        self.wrap(
            self.conn
                .execute(
                    "INSERT INTO searches VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE SET query = ?2, saved_ms = ?3",
                    rusqlite::params![name, query, now_ms()],
                )
                .map(|_| ()),
        )
    }

    /// Forget the search called `name`; whether there was one.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn forget_search(&self, name: &str) -> Result<bool> {
        self.wrap(self.conn.execute("DELETE FROM searches WHERE name = ?1", [name])).map(|n| n > 0)
    }

    /// All searches, by name.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn searches(&self) -> Result<BTreeMap<String, String>> {
        self.wrap(
            self.conn
                .prepare_cached("SELECT name, query FROM searches")
                .and_then(|mut s| s.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect()),
        )
    }
}
