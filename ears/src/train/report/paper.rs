//! What the paper and its authors published: the two tables, and the result files where they are given.

use std::{collections::BTreeMap, fs, path::Path};

use serde::de::DeserializeOwned;

use crate::train::TrainError;

/// A network's row in the paper's tables: chunk accuracy (validation, test) in %, loss (validation, test).
pub(super) struct Published {
    pub arch: &'static str,
    pub title: &'static str,
    pub accuracy: (f64, f64),
    pub loss: (f64, f64),
    curve_file: &'static str,
    matrix_file: &'static str,
    song_file: &'static str,
}

const PUBLISHED: [Published; 3] = [
    Published {
        arch: "cnn",
        title: "CNN",
        accuracy: (88.05, 86.89),
        loss: (0.0701, 0.0696),
        curve_file: "CnnModel.json",
        matrix_file: "CnnMatrix.json",
        song_file: "cnnTest.json",
    },
    Published {
        arch: "crnn",
        title: "CRNN-I",
        accuracy: (85.08, 83.05),
        loss: (0.0899, 0.0961),
        curve_file: "CrnnModel.json",
        matrix_file: "CrnnMatrix.json",
        song_file: "crnnTest.json",
    },
    Published {
        arch: "crnn-long",
        title: "CRNN-II",
        accuracy: (88.45, 82.67),
        loss: (0.0674, 0.0955),
        curve_file: "CrnnLongModel.json",
        matrix_file: "CrnnLongMatrix.json",
        song_file: "lcrnnTest.json",
    },
];

/// A network's row, by its architecture.
pub(super) fn published(arch: &str) -> Option<&'static Published> {
    PUBLISHED.iter().find(|p| p.arch == arch)
}

/// The authors' per-epoch curves.
#[derive(Clone, Debug, serde::Deserialize)]
pub(super) struct Curves {
    pub train_loss: Vec<f64>,
    pub train_accu: Vec<f64>,
    pub valid_loss: Vec<f64>,
    pub valid_accu: Vec<f64>,
}

impl Published {
    pub fn curves(&self, logs: &Path) -> Result<Curves, TrainError> {
        read(&logs.join(self.curve_file))
    }

    /// Counts of (true, predicted) from the published pairs [predicted, true].
    pub fn confusion(&self, logs: &Path, genres: usize) -> Result<Vec<Vec<u32>>, TrainError> {
        let pairs: Vec<(usize, usize)> = read(&logs.join(self.matrix_file))?;
        let mut counts = vec![vec![0; genres]; genres];
        for (predicted, truth) in pairs {
            if let Some(cell) = counts.get_mut(truth).and_then(|row| row.get_mut(predicted)) {
                *cell += 1;
            }
        }
        Ok(counts)
    }

    /// The full-song score of each genre.
    pub fn song_scores(&self, logs: &Path) -> Result<BTreeMap<String, f64>, TrainError> {
        read(&logs.join(self.song_file))
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, TrainError> {
    let bad = |reason: String| TrainError::Source { path: path.to_path_buf(), reason };
    let text = fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
    serde_json::from_str(&text).map_err(|e| bad(e.to_string()))
}
