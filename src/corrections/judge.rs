//! How well a model does on the user's own tracks, honestly: only corrections that it did not learn from judge it; for
//! those it learned from there is the held-out figure of its own report.
//!
//! The figure has a slant that no counting takes away: tracks are often corrected because they were wrong. Tracks that
//! were confirmed (`correct --lock`) or asked about by the review queue slant it less.

use std::{collections::BTreeMap, path::Path};

use deepcuts_protocol::{Paired, UNSURE};

use crate::store::{ModelRow, Origin, Store, StoreError};

/// Bins of scores for the calibration.
const BINS: usize = 10;

/// How a model did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mine {
    /// Name of the model.
    pub model: String,
    /// Corrected tracks that it did not learn from.
    pub tracks: usize,
    /// Of those, named as the user did by the largest share.
    pub right: usize,
    /// Of those, with no genre at all.
    pub unsure: usize,
    /// 95 % interval (Wilson) of the share that is right.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Corrected tracks that it learned from; they do not judge it.
    pub learned: usize,
    /// What its own report says of them, each held out.
    pub held_out: Option<Paired>,
    /// Expected calibration error over the chunks of the judged tracks.
    pub calibration_error: Option<f64>,
    /// Chunks by score: (from, to, chunks, mean score, share right).
    pub calibration: Vec<(f64, f64, usize, f64, f64)>,
    /// What is taken for what: (said, heard, tracks), most first.
    pub confusions: Vec<(String, String, usize)>,
}

/// Judge a model on the corrections in force. `reports` is where reports of retrainings are kept.
///
/// # Errors
/// What the database says.
pub fn mine(store: &Store, model: &ModelRow, reports: &Path) -> Result<Mine, StoreError> {
    let learned = store.learned_from(model.card.id())?;
    let outputs = store.genres_now(&model.card.genres)?;
    let mut said: BTreeMap<i64, String> = BTreeMap::new();
    for c in store.corrections(None)?.into_iter().filter(|c| c.undone_ms.is_none() && c.span.is_none()) {
        if c.origin == Origin::Said
            && let Some((genre, _)) = c.genres.first()
        {
            said.insert(c.track, genre.clone());
        }
    }
    let mut mine = Mine { model: model.card.name.clone(), ..Mine::default() };
    let mut bins = vec![(0_usize, 0.0_f64, 0_usize); BINS];
    let mut confusions: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (track, said) in said {
        if learned.contains(&track) {
            mine.learned += 1;
            continue;
        }
        let Some(heard) = store.analysis(track)?.filter(|a| a.model == model.card.id()) else { continue };
        let name = |w: u8| outputs.get(usize::from(w)).filter(|_| w != UNSURE);
        let mut won: BTreeMap<&str, usize> = BTreeMap::new();
        for (&winner, &score) in heard.winners.iter().zip(&heard.scores) {
            let Some(genre) = name(winner) else { continue };
            *won.entry(genre).or_default() += 1;
            let score = f64::from(score) / 255.0;
            let bin = ((score * BINS as f64) as usize).min(BINS - 1);
            bins[bin].0 += 1;
            bins[bin].1 += score;
            bins[bin].2 += usize::from(*genre == said);
        }
        mine.tracks += 1;
        let top = won.into_iter().max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(a.0))).map(|(genre, _)| genre);
        match top {
            Some(top) if top == said => mine.right += 1,
            Some(top) => *confusions.entry((said, top.to_owned())).or_default() += 1,
            None => mine.unsure += 1,
        }
    }
    (mine.low, mine.high) = wilson(mine.right, mine.tracks);
    let chunks: usize = bins.iter().map(|b| b.0).sum();
    for (i, (n, score, right)) in bins.into_iter().enumerate().filter(|(_, b)| b.0 > 0) {
        let (mean, share) = (score / n as f64, right as f64 / n as f64);
        let width = 1.0 / BINS as f64;
        mine.calibration.push((i as f64 * width, (i + 1) as f64 * width, n, mean, share));
        *mine.calibration_error.get_or_insert(0.0) += (mean - share).abs() * n as f64 / chunks as f64;
    }
    mine.confusions = confusions.into_iter().map(|((said, heard), n)| (said, heard, n)).collect();
    mine.confusions.sort_by_key(|c| std::cmp::Reverse(c.2));
    if mine.learned > 0 {
        mine.held_out = held_out(&reports.join(format!("{}.json", model.card.name)), model.card.id());
    }
    Ok(mine)
}

/// The held-out figure in the report of a retraining, if it is of this model.
fn held_out(report: &Path, id: &str) -> Option<Paired> {
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(report).ok()?).ok()?;
    if json["report"]["candidate"] != id {
        return None;
    }
    serde_json::from_value(json["report"]["mine"].clone()).ok()
}

/// 95 % interval of a share, as Wilson has it.
#[must_use]
pub fn wilson(right: usize, all: usize) -> (f64, f64) {
    if all == 0 {
        return (0.0, 1.0);
    }
    let (z, n) = (1.959_964_f64, all as f64);
    let p = right as f64 / n;
    let middle = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    (((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_as_tables_have_it() {
        // 8 of 10: 0.490 to 0.943 (Newcombe 1998, method 3).
        let (low, high) = wilson(8, 10);
        assert!((low - 0.490).abs() < 5e-4 && (high - 0.943).abs() < 5e-4, "{low} {high}");
        assert_eq!(wilson(0, 0), (0.0, 1.0));
        assert!(wilson(0, 10).0.abs() < 1e-12 && (wilson(10, 10).1 - 1.0).abs() < 1e-12);
    }
}
