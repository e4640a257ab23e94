//! The architectures by name, and what they have in common.
//!
//! A network is an embedding and a linear head over it; everything that is stored of a chunk is the embedding, so a
//! new head can label a library again without listening to it.

use std::path::Path;

use deepcuts_protocol::FrontEnd;
use tch::{Tensor, nn};

use super::{
    ModelError,
    cuts::{self, Cuts, CutsShape},
    deep::{self, Deep},
    musicnn::{self, FRAMES_PER_S, Musicnn, Pace},
    paper::{Paper, PaperShape},
    weights,
};

/// A network: chunks in, embeddings out, and a head that names them.
pub(crate) trait Net: Send {
    /// `[batch, frame, band]` to `[batch, embedding]`.
    fn embed(&self, x: &Tensor, train: bool) -> Tensor;
    /// The part of `embed` that never learns: what it gives can be kept while the rest is trained.
    fn frozen(&self, x: &Tensor) -> Tensor {
        x.shallow_clone()
    }
    /// The rest of `embed`, from what `frozen` gave.
    fn learn(&self, frozen: &Tensor, train: bool) -> Tensor {
        self.embed(frozen, train)
    }
    /// The first part of `learn`, which a retraining leaves as it is.
    fn calm(&self, frozen: &Tensor, _train: bool) -> Tensor {
        frozen.shallow_clone()
    }
    /// The rest of `learn`, from what `calm` gave.
    fn raise(&self, calm: &Tensor, train: bool) -> Tensor {
        self.learn(calm, train)
    }
    /// Listen through this trunk, where the architecture has one.
    fn take_trunk(&mut self, _trunk: &Musicnn) {}
    /// `[batch, embedding]` to logits.
    fn head(&self, embedding: &Tensor, train: bool) -> Tensor;
    /// Give up training for speed on a CPU: fold BatchNorm, bring the weights into the form that listens fastest.
    fn fold(&mut self);
}

/// An architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// Our own.
    Cuts,
    /// Our own over a pretrained trunk.
    Deep,
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
    pub const ALL: [Self; 6] = [Self::Cuts, Self::Deep, Self::Cnn, Self::Crnn, Self::CrnnLong, Self::Rcnn];

    /// The name on the command line and in cards.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cuts => "cuts",
            Self::Deep => "deep",
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
        match (self, self.paper()) {
            (_, Some(paper)) => paper.input,
            (Self::Deep, None) => [deep::FRAMES, deep::BANDS],
            (_, None) => [cuts::FRAMES, cuts::BANDS],
        }
    }

    /// Whether it listens through the pretrained trunk.
    #[must_use]
    pub const fn has_trunk(self) -> bool {
        matches!(self, Self::Deep)
    }

    fn paper(self) -> Option<PaperShape> {
        match self {
            Self::Cuts | Self::Deep => None,
            Self::Cnn => Some(PaperShape::cnn()),
            Self::Crnn => Some(PaperShape::crnn()),
            Self::CrnnLong => Some(PaperShape::crnn_long()),
            Self::Rcnn => Some(PaperShape::rcnn()),
        }
    }

    /// Values of an embedding.
    #[must_use]
    pub fn embedding(self, shape: &CutsShape) -> i64 {
        match (self, self.paper()) {
            (_, Some(paper)) => paper.embedding(),
            (Self::Deep, None) => shape.deep.embedding,
            (_, None) => shape.embedding,
        }
    }

    /// Multiply-adds of one chunk.
    #[must_use]
    pub fn macs(self, shape: &CutsShape, genres: usize) -> u64 {
        match (self, self.paper()) {
            (_, Some(paper)) => paper.macs(genres as i64),
            (Self::Deep, None) => shape.deep.macs(genres as i64),
            (_, None) => shape.macs(genres as i64),
        }
    }

    pub(crate) fn build(self, vs: &nn::Path<'_>, shape: &CutsShape, genres: usize) -> Box<dyn Net> {
        match (self, self.paper()) {
            (_, Some(paper)) => Box::new(Paper::new(vs, paper, genres as i64)),
            (Self::Deep, None) => Box::new(Deep::new(vs, &shape.deep, genres as i64)),
            (_, None) => Box::new(Cuts::new(vs, shape, genres as i64)),
        }
    }
}

/// As [`prepare`], but for `deep`, whose adapter was fitted to the mel as it comes.
pub(crate) fn prepare_for(arch: Arch, x: &Tensor, front_end: FrontEnd, bands: i64) -> Tensor {
    match (arch, front_end) {
        (Arch::Deep, FrontEnd::Cuts) => x.shallow_clone(),
        _ => prepare(x, front_end, bands),
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

/// Values that the trunk gives of a chunk.
pub(crate) const FROZEN_FEATURES: usize = deep::FEATURES.unsigned_abs() as usize;

/// Names what comes out of the part of `deep` that never learns: the trunk, the adapter and the trunk's pace.
pub(crate) fn frozen_id() -> String {
    deep::frozen_id()
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
    (frames as f64 * 1000.0 / frames_per_s(front_end)).round() as u32
}

/// Frames (columns) a second.
fn frames_per_s(front_end: FrontEnd) -> f64 {
    match front_end {
        FrontEnd::Paper128 | FrontEnd::Paper256 => 16_000.0 / 512.0,
        FrontEnd::Cuts => 22_050.0 / 1708.35,
    }
}

/// The pace of the trunk over our own mel.
pub(super) fn trunk_pace() -> Pace {
    let steps_per_s = frames_per_s(FrontEnd::Cuts) * deep::STEPS_PER_COLUMN as f64;
    Pace::Steps { per_frame: steps_per_s / FRAMES_PER_S }
}

/// Read the pretrained trunk, at a pace that suits our own mel.
pub(crate) fn read_trunk(path: &Path) -> Result<Musicnn, ModelError> {
    let fail = |reason: String| ModelError::Weights { path: path.to_path_buf(), reason };
    let bytes = std::fs::read(path).map_err(|e| fail(e.to_string()))?;
    if weights::id_of(&bytes) != musicnn::BLAKE3 {
        return Err(fail("it is not the file that scripts/setup makes: run `scripts/setup --force`".to_owned()));
    }
    let tensors = weights::parse(&bytes).map_err(fail)?.tensors;
    let trunk = Musicnn::new(&tensors, trunk_pace()).map_err(fail)?;
    if trunk.features() == deep::FEATURES {
        Ok(trunk)
    } else {
        Err(fail(format!("it gives {} features; {} were expected", trunk.features(), deep::FEATURES)))
    }
}
