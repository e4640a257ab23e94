//! `cuts`, our own small network: two convolutions that shrink the bands, then a residual stack over time.
//!
//! The bands are folded into channels early, so nearly all of the work is one-dimensional, which costs about a
//! twentieth of the paper's CNN for a second of audio.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor, nn};

use super::{
    DeepShape,
    arch::Net,
    layers::{ConvBlock, ConvShape, Linear},
};

/// Mel frames in a chunk: 5 s at 12.9 columns a second.
pub(super) const FRAMES: i64 = 64;
/// Mel bands.
pub(super) const BANDS: i64 = 128;
const POOL_EPSILON: f64 = 1e-5;

/// Widths of the network. They travel in the metadata of the weights file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CutsShape {
    /// Channels of the two convolutions over bands and time.
    pub front: [i64; 2],
    /// Channels of the stack over time.
    pub trunk: i64,
    /// Dilation of each residual block, in columns.
    pub dilations: Vec<i64>,
    /// Values of an embedding: half of them means over time, half deviations.
    pub embedding: i64,
    /// Widths of `deep`, which has its own.
    #[serde(skip_serializing_if = "DeepShape::is_default")]
    pub deep: DeepShape,
}

impl Default for CutsShape {
    fn default() -> Self {
        Self { front: [12, 24], trunk: 128, dilations: vec![1, 2, 4], embedding: 128, deep: DeepShape::default() }
    }
}

impl CutsShape {
    /// Refuse widths that no machine could mean.
    pub(crate) fn is_sane(&self) -> bool {
        let wide = |x: i64| (1..=1024).contains(&x);
        self.front.iter().all(|&x| wide(x))
            && wide(self.trunk)
            && self.dilations.len() <= 16
            && self.dilations.iter().all(|d| (1..=32).contains(d))
            && (2..=1024).contains(&self.embedding)
            && self.embedding % 2 == 0
            && self.deep.is_sane()
    }

    fn convs(&self) -> (ConvShape, ConvShape, ConvShape, Vec<ConvShape>, ConvShape) {
        let conv = |inputs, outputs, kernel: [i64; 2], stride, padding, dilation| ConvShape {
            inputs,
            outputs,
            kernel,
            stride,
            padding,
            dilation,
            bias: false,
        };
        let [a, b] = self.front;
        let first = conv(1, a, [7, 3], [2, 1], [3, 1], [1, 1]);
        let second = conv(a, b, [5, 3], [4, 1], [2, 1], [1, 1]);
        let folded_bands = b * second.output(first.output([BANDS, FRAMES]))[0];
        let mix = conv(folded_bands, self.trunk, [1, 1], [1, 1], [0, 0], [1, 1]);
        let blocks =
            self.dilations.iter().map(|&d| conv(self.trunk, self.trunk, [1, 3], [1, 1], [0, d], [1, d])).collect();
        let last = conv(self.trunk, self.embedding / 2, [1, 1], [1, 1], [0, 0], [1, 1]);
        (first, second, mix, blocks, last)
    }

    /// Multiply-adds of one chunk.
    pub(super) fn macs(&self, genres: i64) -> u64 {
        let (first, second, mix, blocks, last) = self.convs();
        let mut size = [BANDS, FRAMES];
        let mut sum = 0;
        for conv in [first, second] {
            sum += conv.macs(size);
            size = conv.output(size);
        }
        let line = [1, size[1]];
        sum += mix.macs(line) + last.macs(line) + blocks.iter().map(|b| b.macs(line)).sum::<u64>();
        sum + (self.embedding * genres).unsigned_abs()
    }
}

/// The network.
#[derive(Debug)]
pub(super) struct Cuts {
    first: ConvBlock,
    second: ConvBlock,
    mix: ConvBlock,
    blocks: Vec<ConvBlock>,
    last: ConvBlock,
    head: Linear,
}

impl Cuts {
    pub fn new(vs: &nn::Path<'_>, shape: &CutsShape, genres: i64) -> Self {
        let (first, second, mix, blocks, last) = shape.convs();
        Self {
            first: ConvBlock::new(&(vs / "first"), first, false),
            second: ConvBlock::new(&(vs / "second"), second, false),
            mix: ConvBlock::new(&(vs / "mix"), mix, false),
            blocks: (blocks.into_iter().enumerate())
                .map(|(i, b)| ConvBlock::new(&(vs / format!("block{i}")), b, false))
                .collect(),
            last: ConvBlock::new(&(vs / "last"), last, false),
            head: Linear::new(&(vs / "head"), shape.embedding, genres),
        }
    }
}

impl Net for Cuts {
    fn embed(&self, x: &Tensor, train: bool) -> Tensor {
        let x = x.transpose(1, 2).unsqueeze(1);
        let x = self.second.forward(&self.first.forward(&x, train), train);
        let mut x = self.mix.forward(&x.flatten(1, 2).unsqueeze(2), train);
        for block in &self.blocks {
            x = &x + block.forward(&x, train).dropout(0.1, train);
        }
        let x = self.last.forward(&x, train).squeeze_dim(2);
        let mean = x.mean_dim(&[2i64][..], true, Kind::Float);
        let spread = ((&x - &mean).square().mean_dim(&[2i64][..], false, Kind::Float) + POOL_EPSILON).sqrt();
        Tensor::cat(&[mean.squeeze_dim(2), spread], 1)
    }

    fn head(&self, embedding: &Tensor, train: bool) -> Tensor {
        self.head.forward(&embedding.dropout(0.4, train))
    }

    fn fold(&mut self) {
        for conv in [&mut self.first, &mut self.second, &mut self.mix, &mut self.last] {
            conv.fold();
        }
        self.blocks.iter_mut().for_each(|b| b.fold());
    }
}
