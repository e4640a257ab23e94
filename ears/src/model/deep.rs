//! `deep`: our mel, through an adapter, into a pretrained trunk, and a small network of our own over what it hears.
//!
//! The adapter is one linear map from our bands to the trunk's; it and the trunk never learn here. What learns is a
//! layer over the trunk's features, whose output is the embedding, and the head. Every chunk is heard by itself and
//! scored by that one rule, so shares, the timeline, a new head over stored embeddings, all work as with any network.

use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor, nn};

use super::{
    arch::Net,
    layers::{Linear, Norm},
    musicnn::{self, Musicnn},
    weights,
};

/// Mel columns of a chunk, as those of `cuts`: 5 s.
pub(super) const FRAMES: i64 = super::cuts::FRAMES;
/// Mel bands.
pub(super) const BANDS: i64 = super::cuts::BANDS;
/// Values that the trunk gives of a chunk.
pub(super) const FEATURES: i64 = 422;
/// What the trunk costs; a test holds it against the trunk itself.
pub(super) const TRUNK_MACS_PER_STEP: u64 = 597_250;
/// Steps of the trunk a column, what is between columns interpolated (its own pace would be 4.8). At 1 a head named
/// 73.2 % of the clips of held-out artists, at 2 75.2 %: what it answers at the kinks is not what it answers between
/// them.
pub(super) const STEPS_PER_COLUMN: i64 = 2;
/// A feature so many deviations from its mean says no more than that it is far.
const FARTHEST: f64 = 4.0;
const DROPOUT: f64 = 0.5;

/// The map from our bands to the trunk's, as scripts/adapter.py fits it.
const ADAPTER: &[u8] = include_bytes!("../../assets/adapter.safetensors");

/// Widths of the part that learns. They travel in the metadata of the weights file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeepShape {
    /// Values of an embedding.
    pub embedding: i64,
}

impl Default for DeepShape {
    fn default() -> Self {
        Self { embedding: 128 }
    }
}

impl DeepShape {
    pub(super) fn is_sane(&self) -> bool {
        (2..=1024).contains(&self.embedding)
    }

    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Multiply-adds of one chunk.
    pub(super) fn macs(&self, genres: i64) -> u64 {
        let adapter = FRAMES * BANDS * musicnn::BANDS;
        let ours = self.embedding * (FEATURES + genres);
        (adapter + ours).unsigned_abs() + TRUNK_MACS_PER_STEP * (FRAMES * STEPS_PER_COLUMN).unsigned_abs()
    }
}

/// The network.
#[derive(Debug)]
pub(super) struct Deep {
    weight: Tensor,
    bias: Tensor,
    trunk: Option<Musicnn>,
    calm: Norm,
    hidden: Tensor,
    norm: Norm,
    head: Linear,
}

impl Deep {
    pub fn new(vs: &nn::Path<'_>, shape: &DeepShape, genres: i64) -> Self {
        let adapter = vs / "adapter";
        let mut weight = adapter.zeros_no_train("weight", &[musicnn::BANDS, BANDS]);
        let mut bias = adapter.zeros_no_train("bias", &[musicnn::BANDS]);
        tch::no_grad(|| {
            for (name, variable) in [("weight", &mut weight), ("bias", &mut bias)] {
                if let Some(values) = adapter_tensor(name) {
                    variable.copy_(&values);
                }
            }
        });
        let deviation = (2.0 / FEATURES as f64).sqrt();
        let init = nn::Init::Randn { mean: 0.0, stdev: deviation };
        Self {
            weight,
            bias,
            trunk: None,
            calm: Norm::new(&(vs / "calm"), FEATURES),
            hidden: (vs / "hidden").var("weight", &[shape.embedding, FEATURES], init),
            norm: Norm::new(&(vs / "norm"), shape.embedding),
            head: Linear::new(&(vs / "head"), shape.embedding, genres),
        }
    }
}

/// Names what [`Net::frozen`] gives.
pub(super) fn frozen_id() -> String {
    let mut hash = blake3::Hasher::new();
    hash.update(ADAPTER).update(musicnn::BLAKE3.as_bytes()).update(&STEPS_PER_COLUMN.to_le_bytes());
    hash.finalize().to_hex().as_str().chars().take(16).collect()
}

fn adapter_tensor(name: &str) -> Option<Tensor> {
    let file = SafeTensors::deserialize(ADAPTER).ok()?;
    weights::to_tensor(&file.tensor(name).ok()?).ok()
}

impl Net for Deep {
    fn embed(&self, x: &Tensor, train: bool) -> Tensor {
        self.learn(&self.frozen(x), train)
    }

    fn frozen(&self, x: &Tensor) -> Tensor {
        let Some(trunk) = &self.trunk else {
            // Loading gives it one. Without, what comes is no number, and is refused as such.
            return Tensor::full([x.size()[0], FEATURES], f64::NAN, (Kind::Float, x.device()));
        };
        let columns = x.linear(&self.weight, Some(&self.bias)).relu_().transpose(1, 2);
        let steps = (x.size()[1] - 1) * STEPS_PER_COLUMN + 1;
        trunk.pooled(&columns.upsample_linear1d([steps], true, None).transpose(1, 2))
    }

    fn learn(&self, frozen: &Tensor, train: bool) -> Tensor {
        self.raise(&self.calm(frozen, train), train)
    }

    fn calm(&self, frozen: &Tensor, train: bool) -> Tensor {
        self.calm.forward(frozen, train).clamp(-FARTHEST, FARTHEST)
    }

    fn raise(&self, calm: &Tensor, train: bool) -> Tensor {
        self.norm.forward(&calm.linear(&self.hidden, None::<&Tensor>), train).relu_()
    }

    fn head(&self, embedding: &Tensor, train: bool) -> Tensor {
        self.head.forward(&embedding.dropout(DROPOUT, train))
    }

    /// The trunk comes folded.
    fn fold(&mut self) {}

    fn take_trunk(&mut self, trunk: &Musicnn) {
        self.trunk = Some(trunk.to_device(self.hidden.device()));
    }
}
