//! One vector a track, for "more like this": the mean of its embeddings, kept once it has been worked out.

use deepcuts_protocol::{Base64, Embeddings};

use super::{Result, Store};

/// Vectors of a trunk, one a track: (track, vector of length one).
pub type Vectors = Vec<(i64, Vec<f32>)>;

impl Store {
    /// The trunk that most tracks have embeddings of.
    ///
    /// # Errors
    /// What SQLite says.
    fn main_trunk(&self) -> Result<Option<String>> {
        use rusqlite::OptionalExtension;
        self.wrap(
            self.conn
                .prepare_cached(
                    "SELECT trunk_id FROM embeddings GROUP BY trunk_id ORDER BY COUNT(*) DESC, trunk_id LIMIT 1",
                )
                .and_then(|mut s| s.query_row([], |r| r.get(0)).optional()),
        )
    }

    /// The vectors of the trunk that most tracks have embeddings of: while a library is heard again by another network,
    /// the larger part can be compared.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn main_vectors(&self) -> Result<Vectors> {
        self.main_trunk()?.map_or_else(|| Ok(Vec::new()), |trunk| self.vectors(&trunk))
    }

    /// The vector of every track that has embeddings of `trunk`, by track. Those not kept yet are worked out,
    /// and kept where the library may be written.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn vectors(&self, trunk: &str) -> Result<Vectors> {
        let fresh = self.wrap(self.missing_vectors(trunk))?;
        let mut vectors: Vectors = self.wrap(
            self.conn
                .prepare_cached("SELECT track_id, vector FROM centroids WHERE trunk_id = ?1 ORDER BY track_id")
                .and_then(|mut s| {
                    s.query_map([trunk], |r| Ok((r.get(0)?, floats(r.get_ref(1)?.as_blob()?))))?.collect()
                }),
        )?;
        if !fresh.is_empty() {
            if !self.wrap(self.conn.is_readonly("main"))? {
                self.atomically(|conn| {
                    let mut insert = conn.prepare_cached("INSERT OR REPLACE INTO centroids VALUES (?1, ?2, ?3)")?;
                    for (track, vector) in &fresh {
                        let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
                        insert.execute(rusqlite::params![track, trunk, bytes])?;
                    }
                    Ok(())
                })?;
            }
            vectors.extend(fresh);
            vectors.sort_by_key(|(track, _)| *track);
        }
        Ok(vectors)
    }

    fn missing_vectors(&self, trunk: &str) -> rusqlite::Result<Vectors> {
        let mut statement = self.conn.prepare_cached(
            "SELECT e.track_id, e.dim, e.stride, e.scales, e.rows FROM embeddings e
             LEFT JOIN centroids c ON c.track_id = e.track_id AND c.trunk_id = e.trunk_id
             WHERE e.trunk_id = ?1 AND c.track_id IS NULL",
        )?;
        let mut rows = statement.query([trunk])?;
        let mut vectors = Vec::new();
        while let Some(row) = rows.next()? {
            let embeddings = Embeddings {
                dim: row.get(1)?,
                stride: row.get(2)?,
                scales: floats(row.get_ref(3)?.as_blob()?),
                values: Base64(row.get(4)?),
            };
            if let Some(mean) = mean(&embeddings) {
                vectors.push((row.get(0)?, mean));
            }
        }
        Ok(vectors)
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).filter_map(|b| b.try_into().ok().map(f32::from_le_bytes)).collect()
}

/// The mean row, of length one; `None` when it has no length or no number.
fn mean(embeddings: &Embeddings) -> Option<Vec<f32>> {
    let mut sum = vec![0.0_f32; usize::from(embeddings.dim)];
    for r in 0..embeddings.rows() {
        for (total, x) in sum.iter_mut().zip(embeddings.row(r)) {
            *total += x;
        }
    }
    let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
    (length.is_finite() && length > 0.0).then(|| sum.into_iter().map(|x| x / length).collect())
}
