//! The messages themselves.

use serde::{Deserialize, Serialize};

use crate::{Base64, Embeddings, Hearing, ModelCard, Stage, WirePath};

/// What the desk asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Request {
    /// Listen to one file; answered by `Heard` or `Failed`.
    Listen {
        /// Chosen by the desk, unique in a session.
        id: u64,
        /// The file.
        path: WirePath,
    },
    /// Name the genres of stored embeddings again (after a new head); answered by `Labelled`.
    Label {
        /// Chosen by the desk.
        id: u64,
        /// Tracks to label.
        tracks: Vec<LabelTrack>,
    },
    /// Drop everything that is queued and not begun; what was begun is still answered.
    Cancel,
}

/// A track to label from its stored embeddings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelTrack {
    /// The desk's name for it.
    pub track: i64,
    /// Its embeddings.
    pub embeddings: Embeddings,
}

/// Winners and scores for each embedding row of a track.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Labelled {
    /// The desk's name for the track.
    pub track: i64,
    /// Winner a row.
    pub winners: Base64,
    /// Score a row.
    pub scores: Base64,
}

/// Where the network runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// `cpu` or `cuda`.
    pub kind: String,
    /// libtorch's version.
    pub libtorch: String,
    /// Decode workers and torch threads.
    pub decode_workers: u32,
    /// Threads of the network.
    pub network_threads: u32,
}

/// What the ears answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum Answer {
    /// First message: the model is loaded.
    Ready {
        /// [`crate::PROTOCOL_VERSION`] of the ears.
        protocol: u32,
        /// Where the network runs.
        device: Device,
        /// The model's card.
        card: Box<ModelCard>,
    },
    /// A worker begins with a file. From here on the desk's watchdog counts.
    Begun {
        /// The request.
        id: u64,
    },
    /// Still alive on this file: packets are arriving.
    Alive {
        /// The request.
        id: u64,
        /// Audio decoded so far.
        decoded_ms: u64,
    },
    /// The file was heard.
    Heard {
        /// The request.
        id: u64,
        /// What was heard.
        hearing: Box<Hearing>,
    },
    /// The file could not be heard.
    Failed {
        /// The request.
        id: u64,
        /// Where.
        stage: Stage,
        /// Why, for people.
        reason: String,
    },
    /// Answer to `Label`.
    Labelled {
        /// The request.
        id: u64,
        /// A track each.
        tracks: Vec<Labelled>,
    },
    /// The ears cannot go on at all (no model, say); they exit after it.
    Fatal {
        /// Why, for people.
        reason: String,
    },
}
