//! The gate: whether a candidate may be promoted. Pure; the numbers are the ears', the thresholds the settings'.

use deepcuts_protocol::RetrainReport;

use crate::config;

/// What the gate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// It may be promoted.
    pub passed: bool,
    /// Why not, or what should be known; for people.
    pub reasons: Vec<String>,
}

/// Judge a report. The candidate must gain on the held-out corrections, with the whole interval above the threshold,
/// and must not lose on the base data: neither more than is allowed, nor surely anything.
#[must_use]
pub fn judge(report: &RetrainReport, settings: &config::Retrain) -> Verdict {
    let mut against = Vec::new();
    let mut notes = Vec::new();
    if let Some(why) = &report.poisoned {
        against.push(format!("these corrections contradict each other: {why}"));
    }
    let mine = &report.mine;
    // Asked so that a figure that is no number does not pass.
    let gains = mine.gain_low > settings.min_gain;
    if !gains {
        against.push(format!(
            "on your own corrected tracks, each judged by a model that had not seen its artist, it gains {} points \
             [{}, {}]; the whole interval must lie above {}",
            points(mine.gain),
            points(mine.gain_low),
            points(mine.gain_high),
            points(settings.min_gain)
        ));
    }
    match &report.base {
        Some(base) if base.gain >= -settings.max_base_loss && base.gain_high >= 0.0 => {}
        Some(base) => against.push(format!(
            "on music of artists that the network never saw it loses {} points [{}, {}]; {} are allowed",
            points(-base.gain),
            points(base.gain_low),
            points(base.gain_high),
            points(settings.max_base_loss)
        )),
        None => notes.push("whether it forgets what the old model knew could not be judged: no replay set".to_owned()),
    }
    let passed = against.is_empty();
    against.extend(notes);
    Verdict { passed, reasons: against }
}

/// A share as points, with its sign where it is below zero.
#[must_use]
pub fn points(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    if text == "-0.0" { "0.0".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use deepcuts_protocol::{Depth, Paired, WirePath};

    use super::*;

    fn report(mine: (f64, f64), base: Option<(f64, f64, f64)>) -> RetrainReport {
        let paired = |gain, low, high| Paired {
            tracks: 40,
            groups: 8,
            before: 0.5,
            after: 0.5 + gain,
            gain,
            gain_low: low,
            gain_high: high,
        };
        RetrainReport {
            parent: "a".into(),
            candidate: "b".into(),
            weights: WirePath("/m/b.safetensors".into()),
            depth: Depth::Head,
            new_genres: Vec::new(),
            mine: paired(mine.0, mine.1, mine.0 + 0.1),
            base: base.map(|(gain, low, high)| paired(gain, low, high)),
            genres: Vec::new(),
            doubts: Vec::new(),
            poisoned: None,
            seconds: 1.0,
        }
    }

    #[test]
    fn it_must_surely_gain_and_not_lose() {
        let settings = config::Retrain::default();
        let passes = |r: &RetrainReport| judge(r, &settings).passed;
        assert!(passes(&report((0.10, 0.02), Some((0.0, -0.02, 0.02)))));
        // A gain that may be chance is none.
        assert!(!passes(&report((0.10, -0.01), Some((0.0, -0.02, 0.02)))));
        assert!(!passes(&report((0.10, 0.0), None)));
        assert!(passes(&report((0.10, 0.02), None)));
        // A point may be lost, two not; and nothing that is sure to be a loss.
        assert!(passes(&report((0.10, 0.02), Some((-0.009, -0.03, 0.01)))));
        assert!(!passes(&report((0.10, 0.02), Some((-0.02, -0.05, 0.01)))));
        assert!(!passes(&report((0.10, 0.02), Some((-0.005, -0.008, -0.001)))));
        assert!(!passes(&RetrainReport { poisoned: Some("too many".into()), ..report((0.2, 0.1), None) }));
        assert!(!passes(&report((f64::NAN, f64::NAN), None)));
    }
}
