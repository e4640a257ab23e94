//! The architectures by name, and what they have in common.
//!
//! A network is an embedding and a linear head over it; everything that is stored of a chunk is the embedding, so a
//! new head can label a library again without listening to it.

use deepcuts_protocol::FrontEnd;
use tch::{Tensor, nn};

use super::{
    cuts::{self, Cuts, CutsShape},
    paper::{Paper, PaperShape},
};

/// A network: chunks in, embeddings out, and a head that names them.
pub(crate) trait Net: Send {
    /// `[batch, frame, band]` to `[batch, embedding]`.
    fn embed(&self, x: &Tensor, train: bool) -> Tensor;
    /// `[batch, embedding]` to logits.
    fn head(&self, embedding: &Tensor, train: bool) -> Tensor;
    /// Give up training for speed: fold BatchNorm, prepack for batches of `batch`.
    fn fold(&mut self, batch: i64);
}

/// An architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// Our own.
    Cuts,
    /// The paper's CNN.
    Cnn,
    /// The paper's CRNN-I.
    Crnn,
    /// The paper's CRNN-II.
    CrnnLong,
    /// The GRU before the CNN, which the paper mentions.
    Rcnn,
}

impl Arch {
    /// All, in the order they are listed to people.
    pub const ALL: [Self; 5] = [Self::Cuts, Self::Cnn, Self::Crnn, Self::CrnnLong, Self::Rcnn];

    /// The name on the command line and in cards.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cuts => "cuts",
            Self::Cnn => "cnn",
            Self::Crnn => "crnn",
            Self::CrnnLong => "crnn-long",
            Self::Rcnn => "rcnn",
        }
    }

    /// The architecture of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name() == name)
    }

    /// Frames and bands of a chunk, as the network takes them.
    #[must_use]
    pub fn input(self) -> [i64; 2] {
        self.paper().map_or([cuts::FRAMES, cuts::BANDS], |p| p.input)
    }

    fn paper(self) -> Option<PaperShape> {
        match self {
            Self::Cuts => None,
            Self::Cnn => Some(PaperShape::cnn()),
            Self::Crnn => Some(PaperShape::crnn()),
            Self::CrnnLong => Some(PaperShape::crnn_long()),
            Self::Rcnn => Some(PaperShape::rcnn()),
        }
    }

    /// Values of an embedding.
    #[must_use]
    pub fn embedding(self, shape: &CutsShape) -> i64 {
        self.paper().map_or(shape.embedding, |p| p.embedding())
    }

    /// Multiply-adds of one chunk.
    #[must_use]
    pub fn macs(self, shape: &CutsShape, genres: usize) -> u64 {
        self.paper().map_or_else(|| shape.macs(genres as i64), |p| p.macs(genres as i64))
    }

    pub(crate) fn build(self, vs: &nn::Path<'_>, shape: &CutsShape, genres: usize) -> Box<dyn Net> {
        match self.paper() {
            None => Box::new(Cuts::new(vs, shape, genres as i64)),
            Some(paper) => Box::new(Paper::new(vs, paper, genres as i64)),
        }
    }
}

/// Bring what a front end gives (`[batch, frame, band]`) to what the network takes: the scaled mel of `cuts` is
/// centred, the paper's dB stay as they are, and missing bands are interpolated.
pub(crate) fn prepare(x: &Tensor, front_end: FrontEnd, bands: i64) -> Tensor {
    let x = match front_end {
        FrontEnd::Cuts => (x - 0.45) / 0.25,
        FrontEnd::Paper128 | FrontEnd::Paper256 => x.shallow_clone(),
    };
    if x.size().last() == Some(&bands) { x } else { x.upsample_linear1d([bands], false, None) }
}

/// Bands that a front end gives.
pub(crate) const fn bands_of(front_end: FrontEnd) -> usize {
    match front_end {
        FrontEnd::Paper128 | FrontEnd::Cuts => 128,
        FrontEnd::Paper256 => 256,
    }
}

/// Length of a chunk of `frames` frames.
pub(crate) fn chunk_ms(front_end: FrontEnd, frames: i64) -> u32 {
    let (hop_samples, sample_rate_hz) = match front_end {
        FrontEnd::Paper128 | FrontEnd::Paper256 => (512.0, 16_000.0),
        FrontEnd::Cuts => (1708.35, 22_050.0),
    };
    (frames as f64 * hop_samples * 1000.0 / sample_rate_hz).round() as u32
}
