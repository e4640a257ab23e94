//! Networks, their weights and cards, and the device they run on.
//!
//! The only room but `train` that knows torch. It takes plain `f32` chunks and gives plain numbers back, so
//! that no tensor ever crosses a thread.

use std::path::{Path, PathBuf};

use deepcuts_protocol::{Device, ModelCard};

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

/// A network that is ready to listen.
pub struct Network {
    card: ModelCard,
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

impl Network {
    /// Load the weights (safetensors) and the card beside them, and put the network on a device.
    ///
    /// # Errors
    /// Names the file and what is wrong with it: missing, truncated, of another shape, not finite.
    pub fn load(weights: &Path, device: DeviceChoice) -> Result<Self, ModelError> {
        let _ = device;
        let card = ModelCard::read_for(weights)?;
        Err(ModelError::Weights {
            path: weights.to_path_buf(),
            reason: format!("architecture {} is not known", card.arch),
        })
    }

    /// The card of the loaded model.
    #[must_use]
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// Where it runs; `decode_workers` is the caller's to fill in.
    #[must_use]
    pub fn device(&self) -> Device {
        Device { kind: "cpu".to_owned(), libtorch: String::new(), decode_workers: 0, network_threads: 1 }
    }

    /// Name `n` chunks: `chunks` is `[n][frame][band]`, as `mel::Chunks` lays them out.
    ///
    /// # Errors
    /// When the network fails or answers with values that are not finite.
    pub fn classify(&mut self, chunks: &[f32], n: usize) -> Result<Verdicts, ModelError> {
        Err(ModelError::Network(format!("no architecture for {} values in {n} chunks", chunks.len())))
    }

    /// Name `n` embeddings again: `embeddings` is `[n][card.embedding_dim]`. The verdicts hold no embeddings.
    ///
    /// # Errors
    /// As [`Self::classify`].
    pub fn label(&mut self, embeddings: &[f32], n: usize) -> Result<Verdicts, ModelError> {
        Err(ModelError::Network(format!("no head for {} values in {n} embeddings", embeddings.len())))
    }
}
