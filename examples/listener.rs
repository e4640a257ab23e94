//! What the simulated listener (`scripts/listener.py`) asks the desk: a JSON line in, a JSON line out, until stdin ends.
//!
//! `{"queue": {"limit": 50, "tracks": [{"track", "doubt", "unsure", "said", "vector"}]}}` answers the review queue as
//! track numbers; `{"gate": REPORT}` answers whether the default settings propose that candidate, and why not.

use std::io::{BufRead, Write};

use anyhow::Context;
use deepcuts::{
    config,
    corrections::{Space, gate, review},
    store::Heard,
};
use deepcuts_protocol::RetrainReport;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Ask {
    Queue(Queue),
    Gate(Box<RetrainReport>),
}

#[derive(Deserialize)]
struct Queue {
    limit: usize,
    tracks: Vec<Track>,
}

#[derive(Deserialize)]
struct Track {
    track: i64,
    doubt: f32,
    unsure: f32,
    said: bool,
    top: Option<u8>,
    vector: Vec<f32>,
}

fn main() -> anyhow::Result<()> {
    for line in std::io::stdin().lock().lines() {
        let answer = match serde_json::from_str(&line?).context("a question that is none")? {
            Ask::Queue(Queue { limit, tracks }) => {
                let heard: Vec<Heard> = (tracks.iter())
                    .map(|t| Heard { track: t.track, doubt: t.doubt, unsure: t.unsure, top: t.top, said: t.said })
                    .collect();
                let points: Vec<(i64, Vec<f32>)> = tracks.into_iter().map(|t| (t.track, t.vector)).collect();
                let queue = review::rank(&Space::new(&points), &heard, limit);
                serde_json::json!(queue.iter().map(|a| a.track).collect::<Vec<_>>())
            }
            Ask::Gate(report) => {
                let verdict = gate::judge(&report, &config::Retrain::default());
                serde_json::json!({"passed": verdict.passed, "reasons": verdict.reasons})
            }
        };
        writeln!(std::io::stdout().lock(), "{answer}")?;
    }
    Ok(())
}
