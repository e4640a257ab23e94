//! The gate: whether a candidate may be promoted. Pure; the numbers are the ears', the thresholds the settings'.

use deepcuts_protocol::{GenreGain, Paired, RetrainReport};

use crate::config;

/// What the gate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// It may be promoted.
    pub passed: bool,
    /// Why not, or what should be known; for people.
    pub reasons: Vec<String>,
}

/// Judge a report. The candidate must gain on the held-out corrections, as surely as the settings ask, and must not
/// lose on the base data: neither more than is allowed, nor surely anything.
#[must_use]
pub fn judge(report: &RetrainReport, settings: &config::Retrain) -> Verdict {
    let mut against = Vec::new();
    let mut notes = Vec::new();
    if let Some(why) = &report.poisoned {
        against.push(format!("these corrections contradict each other: {why}"));
    }
    let mine = &report.mine;
    let sure = confidence(mine, settings.min_gain);
    // Asked so that a figure that is no number does not pass.
    let gains = sure >= settings.confidence;
    if !gains {
        against.push(format!(
            "on your own corrected tracks, each judged by a model that had not seen its artist, it gains {} points \
             [{}, {}]: that is {:.0} % sure to be more than {}, and {:.0} % are asked for. More corrections make it \
             surer",
            points(mine.gain),
            points(mine.gain_low),
            points(mine.gain_high),
            sure * 100.0,
            points(settings.min_gain),
            settings.confidence * 100.0
        ));
    }
    match &report.base {
        Some(base) if base.gain >= -settings.max_base_loss && base.gain_high >= 0.0 => {}
        Some(base) => {
            let loss = |g: &GenreGain| f64::from(g.base_clips) * (g.base_before - g.base_after);
            let worst = report.genres.iter().max_by(|a, b| loss(a).total_cmp(&loss(b))).filter(|g| loss(g) > 0.0);
            let most = worst.map_or_else(String::new, |g| {
                format!(
                    ". Most of it is {} ({:.0} % right before, {:.0} % after): lock tracks that are it (`deepcuts \
                     correct FILE --lock`), so that it is not forgotten",
                    g.genre,
                    g.base_before * 100.0,
                    g.base_after * 100.0
                )
            });
            against.push(format!(
                "on music of artists that the network never saw it loses {} points [{}, {}]; {} are allowed{most}",
                points(-base.gain),
                points(base.gain_low),
                points(base.gain_high),
                points(settings.max_base_loss)
            ));
        }
        None => notes.push("whether it forgets what the old model knew could not be judged: no replay set".to_owned()),
    }
    let passed = against.is_empty();
    against.extend(notes);
    Verdict { passed, reasons: against }
}

/// How sure the gain is to be more than `least`, 0 to 1, from its 95 % interval.
fn confidence(p: &Paired, least: f64) -> f64 {
    // The interval is 1.96 standard errors to either side.
    let error = (p.gain_high - p.gain_low) / (2.0 * 1.959_964);
    let above = p.gain - least;
    if error > 0.0 { normal(above / error) } else { f64::from(u8::from(above > 0.0)) }
}

/// Share of a normal distribution that lies below `z` (Abramowitz and Stegun 26.2.17, good to 1e-7).
fn normal(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let terms = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let sum = terms.iter().rev().fold(0.0, |sum, term| (sum + term) * t);
    let tail = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * sum;
    if z >= 0.0 { 1.0 - tail } else { tail }
}

/// A share as points, with its sign where it is below zero.
#[must_use]
pub fn points(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    if text == "-0.0" { "0.0".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use deepcuts_protocol::{Depth, WirePath};

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
            mine: paired(mine.0, mine.1, 2.0 * mine.0 - mine.1),
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
        let fine = Some((0.0, -0.02, 0.02));
        // 10 points with a standard error of 5 are 97.7 % sure, of 8 are 89.4 %.
        assert!(passes(&report((0.10, 0.10 - 1.96 * 0.05), fine)));
        assert!(!passes(&report((0.10, 0.10 - 1.96 * 0.08), fine)));
        assert!(!passes(&report((-0.02, -0.03), fine)) && !passes(&report((0.0, -0.1), None)));
        assert!(passes(&report((0.10, 0.02), None)));
        // Two points may be lost, three not; and nothing that is sure to be a loss.
        assert!(passes(&report((0.10, 0.02), Some((-0.019, -0.05, 0.01)))));
        assert!(!passes(&report((0.10, 0.02), Some((-0.03, -0.07, 0.01)))));
        assert!(!passes(&report((0.10, 0.02), Some((-0.005, -0.008, -0.001)))));
        assert!(!passes(&RetrainReport { poisoned: Some("too many".into()), ..report((0.2, 0.1), None) }));
        assert!(
            !passes(&report((f64::NAN, f64::NAN), None)) && !passes(&report((0.1, 0.0), Some((f64::NAN, 0.0, 0.0))))
        );
    }

    #[test]
    fn the_normal_distribution_as_tables_have_it() {
        for (z, p) in [(0.0, 0.5), (1.0, 0.841_345), (1.281_552, 0.9), (1.959_964, 0.975), (-1.0, 0.158_655)] {
            assert!((normal(z) - p).abs() < 1e-5, "{z}: {}", normal(z));
        }
    }
}
