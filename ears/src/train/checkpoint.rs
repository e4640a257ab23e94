//! Where a run stands, on disk: enough to go on as if it had never stopped.

use std::{collections::HashMap, fs, path::Path};

use deepcuts_protocol::CurvePoint;
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::{TrainError, fit::Tally, recipe::Schedule};
use crate::model::weights;

/// Where a run stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Hash of everything the run depends on.
    pub fingerprint: String,
    /// Minibatches done.
    pub step: u32,
    /// The curve so far.
    pub curve: Vec<CurvePoint>,
    /// Best watched accuracy.
    pub best: Option<f64>,
    /// Mean training loss of each epoch (the halving rule looks back at them).
    pub epoch_losses: Vec<f64>,
    /// What halving has made of the learning rate.
    pub rate_factor: f64,
}

const KEY: &str = "progress";

impl Progress {
    pub fn new(fingerprint: &str) -> Self {
        Self {
            fingerprint: fingerprint.to_owned(),
            step: 0,
            curve: Vec::new(),
            best: None,
            epoch_losses: Vec::new(),
            rate_factor: 1.0,
        }
    }

    /// Note an epoch's loss, and halve the rate when the best one is not among the last three.
    pub fn close_epoch(&mut self, tally: &Tally, schedule: Schedule) {
        self.epoch_losses.push(tally.epoch_loss.replace(0.0) / tally.epoch_batches.replace(0.0).max(1.0));
        if schedule == Schedule::Halving && is_stale(&self.epoch_losses) {
            self.rate_factor /= 2.0;
        }
    }
}

fn is_stale(losses: &[f64]) -> bool {
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    losses.len() > 3 && losses.iter().rev().take(3).all(|&l| l > least)
}

/// Put `tensors` among those of a checkpoint, with a prefix.
pub(super) fn put(into: &mut HashMap<String, Tensor>, prefix: &str, tensors: &HashMap<String, Tensor>) {
    into.extend(tensors.iter().map(|(name, t)| (format!("{prefix}{name}"), t.shallow_clone())));
}

/// Those of a checkpoint's tensors that have this prefix, without it.
pub(super) fn part(tensors: &HashMap<String, Tensor>, prefix: &str) -> HashMap<String, Tensor> {
    (tensors.iter()).filter_map(|(name, t)| Some((name.strip_prefix(prefix)?.to_owned(), t.shallow_clone()))).collect()
}

pub(super) fn write(path: &Path, progress: &Progress, tensors: &HashMap<String, Tensor>) -> Result<(), TrainError> {
    let fail = |reason: String| TrainError::Output { path: path.to_path_buf(), reason };
    let text = serde_json::to_string(progress).map_err(|e| fail(e.to_string()))?;
    let bytes = weights::to_bytes(tensors, HashMap::from([(KEY.to_owned(), text)])).map_err(|e| fail(e.to_string()))?;
    weights::write_whole(path, &bytes).map_err(|e| fail(e.to_string()))
}

pub(super) fn read(
    path: &Path,
    fingerprint: &str,
    device: Device,
) -> Result<(Progress, HashMap<String, Tensor>), TrainError> {
    let bad = |reason: String| TrainError::Source { path: path.to_path_buf(), reason };
    let bytes = fs::read(path).map_err(|e| bad(e.to_string()))?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| bad(e.to_string()))?;
    let text = header.metadata().as_ref().and_then(|m| m.get(KEY));
    let text = text.ok_or_else(|| bad("it is no checkpoint".to_owned()))?;
    let progress: Progress = serde_json::from_str(text).map_err(|e| bad(e.to_string()))?;
    if progress.fingerprint != fingerprint {
        return Err(bad("it belongs to a run with another recipe, split or data set; take another output folder, or \
                        leave out --resume to start anew"
            .to_owned()));
    }
    let file = SafeTensors::deserialize(&bytes).map_err(|e| bad(e.to_string()))?;
    let mut tensors = HashMap::new();
    for (name, view) in file.tensors() {
        let dims: Vec<i64> = view.shape().iter().map(|&d| d as i64).collect();
        let tensor = Tensor::f_from_data_size(view.data(), &dims, Kind::Float).map_err(|e| bad(e.to_string()))?;
        tensors.insert(name, tensor.to_device(device));
    }
    Ok((progress, tensors))
}

#[cfg(test)]
mod tests {
    use super::is_stale;

    #[test]
    fn the_halving_rule_looks_back_three_epochs() {
        assert!(!is_stale(&[3.0, 2.0, 1.0]));
        assert!(!is_stale(&[3.0, 1.0, 2.0, 2.0]));
        assert!(is_stale(&[3.0, 1.0, 2.0, 2.0, 2.0]));
    }
}
