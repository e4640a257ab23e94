//! What the review queue and look-alikes need of all tracks at once: one pass over what the model in force heard.

use deepcuts_protocol::UNSURE;

use super::{Result, Store};

/// How a track was heard by the model in force.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// The track.
    pub track: i64,
    /// How little the model is to be believed here, 0 to 1: the mean over the chunks of what the best score lacks.
    pub doubt: f32,
    /// Share of chunks that no genre won, 0 to 1.
    pub unsure: f32,
    /// The output that won most chunks, none where no genre won any.
    pub top: Option<u8>,
    /// The user has said what it is, or locked it.
    pub said: bool,
}

/// A chunk that lies beyond what the network knows is doubtful however sure the score.
const UNFAMILIAR_DOUBT: f32 = 0.7;

impl Store {
    /// Every track with a file that is there, as the model in force heard it, by row.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn heard(&self) -> Result<Vec<Heard>> {
        let read = || -> rusqlite::Result<Vec<Heard>> {
            let mut statement = self.conn.prepare_cached(
                "SELECT a.track_id, a.winners, a.scores,
                     EXISTS (SELECT 1 FROM corrections c WHERE c.track_id = a.track_id AND c.undone_ms IS NULL)
                     OR EXISTS (SELECT 1 FROM locks l WHERE l.track_id = a.track_id)
                 FROM analyses a
                 WHERE a.model_id = (SELECT value FROM meta WHERE key = 'current_model')
                     AND EXISTS (SELECT 1 FROM files f WHERE f.track_id = a.track_id AND f.state = 'present')
                 ORDER BY a.track_id",
            )?;
            let mut rows = statement.query([])?;
            let mut heard = Vec::new();
            while let Some(r) = rows.next()? {
                let (winners, scores) = (r.get_ref(1)?.as_blob()?, r.get_ref(2)?.as_blob()?);
                heard.push(weigh(r.get(0)?, winners, scores, r.get(3)?));
            }
            Ok(heard)
        };
        self.wrap(read())
    }
}

fn weigh(track: i64, winners: &[u8], scores: &[u8], said: bool) -> Heard {
    let mut counts = [0_u32; 256];
    let mut doubt = 0.0;
    for (&winner, &score) in winners.iter().zip(scores) {
        counts[usize::from(winner)] += 1;
        let lacks = 1.0 - f32::from(score) / 255.0;
        doubt += if winner == UNSURE { lacks.max(UNFAMILIAR_DOUBT) } else { lacks };
    }
    let chunks = winners.len().max(1) as f32;
    // Of equals the first output, as everywhere.
    let top = (0..UNSURE).rev().filter(|w| counts[usize::from(*w)] > 0).max_by_key(|w| counts[usize::from(*w)]);
    Heard { track, doubt: doubt / chunks, unsure: counts[usize::from(UNSURE)] as f32 / chunks, top, said }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubt_is_what_the_scores_lack() {
        let sure = weigh(1, &[3, 3, 5], &[255, 255, 255], false);
        assert_eq!((sure.doubt, sure.unsure, sure.top), (0.0, 0.0, Some(3)));
        let half = weigh(1, &[3, UNSURE], &[255, 51], false);
        assert!((half.doubt - 0.4).abs() < 1e-6 && (half.unsure - 0.5).abs() < 1e-6);
        // Unfamiliar, however sure it is.
        assert!((weigh(1, &[UNSURE], &[255], false).doubt - UNFAMILIAR_DOUBT).abs() < 1e-6);
        assert_eq!(weigh(1, &[5, 3], &[9, 9], false).top, Some(3));
    }
}
