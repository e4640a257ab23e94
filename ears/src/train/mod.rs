//! Learning to hear: labelled music in, weights with a card out, and a report on what they are worth.
//!
//! It knows the model room and the front ends, and speaks to people only through `TrainSay`. It knows no
//! database and no terminal.

pub mod batch;
pub mod calibrate;
mod checkpoint;
pub mod command;
pub mod data;
mod familiar;
mod finish;
mod fit;
pub mod folds;
mod job;
mod mixtures;
mod optimiser;
pub mod recipe;
mod report;
mod retrain;
mod source;
mod split;
pub mod taps;
mod teacher;

use std::path::PathBuf;

pub use job::train;
pub use report::eval;
pub use retrain::retrain;

use crate::model::ModelError;

/// Why training or judging cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The recipe.
    #[error("recipe: {0}")]
    Recipe(String),
    /// Something that was to be read.
    #[error("{}: {reason}", path.display())]
    Source {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Something that was to be written.
    #[error("cannot write {}: {reason}", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There is too little to learn from.
    #[error("too little to learn from: {0}")]
    TooLittle(String),
    /// There is more than a model can hold.
    #[error("too much for one model: {0}")]
    TooMany(String),
    /// The listener wished it to stop.
    #[error("stopped before it was done")]
    Stopped,
    /// The loss is not finite.
    #[error("the loss is not finite at step {step}: a smaller fit.learning_rate may help")]
    Diverged {
        /// Minibatches done.
        step: u32,
    },
    /// The network or its device.
    #[error(transparent)]
    Model(#[from] ModelError),
}
