//! What the desk and the ears say to each other.
//!
//! The ears are a filter: one JSON message a line on stdin, one JSON message a line on stdout. The
//! desk asks ([`Request`]), the ears answer ([`Answer`]); an answer carries the `id` of the request
//! it belongs to. Both sides share this crate and nothing else. Paths travel as bytes (base64), since
//! a path need not be UTF-8; arrays of more than a track travel as safetensors files, by path.
//!
//! The ears end when stdin closes.

mod bytes;
mod card;
mod hearing;
mod message;
mod retrain;
mod slug;
mod train;
mod trunk;

pub use bytes::{Base64, WirePath};
pub use card::{CardError, FoldScore, FrontEnd, ModelCard, UnsureScore};
pub use hearing::{Embeddings, Hearing, HearingError, Stage, Timeline, UNSURE};
pub use message::{Answer, Device, LabelTrack, Labelled, Request};
pub use retrain::{Depth, Doubt, GenreGain, LessonFile, Paired, RetrainJob, RetrainReport};
pub use slug::slug;
pub use train::{CurvePoint, EvalJob, LabelledFile, RunScore, Split, TrainJob, TrainSay, TrainSource};
pub use trunk::{TRUNK_FILE, find_trunk};

/// Version of the messages. Desk and ears refuse each other when it differs.
pub const PROTOCOL_VERSION: u32 = 1;
