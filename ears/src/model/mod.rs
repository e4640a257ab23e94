//! Networks, their weights and cards, and the device they run on.
//!
//! The only room but `train` that knows torch. It takes plain `f32` chunks and gives plain numbers back, so
//! that no tensor ever crosses a thread.

pub mod arch;
mod cuts;
mod deep;
mod device;
mod layers;
mod musicnn;
mod network;
mod paper;
pub(crate) mod weights;
mod winograd;

use std::path::PathBuf;

pub use arch::Arch;
pub use cuts::CutsShape;
pub use deep::DeepShape;
pub(crate) use device::kind_name;
pub use device::use_threads;
pub use network::Network;
pub(crate) use network::{distance, to_vec};

/// Where the network should run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// CUDA where there is a device, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// CUDA, or an error.
    Cuda,
}

/// What a network says of some chunks: one entry (one row of `embeddings`) a chunk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdicts {
    /// Index of the winning genre in the card's list, or [`deepcuts_protocol::UNSURE`].
    pub winners: Vec<u8>,
    /// Best calibrated score, 0 to 255 for 0 to 1.
    pub scores: Vec<u8>,
    /// Chunk embeddings, row-major, `card.embedding_dim` values a row.
    pub embeddings: Vec<f32>,
}

/// A model that cannot be used, or a network that failed.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The card beside the weights.
    #[error(transparent)]
    Card(#[from] deepcuts_protocol::CardError),
    /// The weights file.
    #[error("model {}: {reason}", path.display())]
    Weights {
        /// The weights.
        path: PathBuf,
        /// What is wrong with them.
        reason: String,
    },
    /// The network answered with something that cannot be used.
    #[error("the network failed: {0}")]
    Network(String),
}

#[cfg(test)]
mod tests;
