//! The paper's networks, by the names of the command line: `cnn`, `crnn`, `crnn-long` and `rcnn`.
//!
//! Layers, widths and order are those of the authors' own code; input is (time, band).

use tch::{Tensor, nn};

use super::{
    arch::Net,
    layers::{ConvBlock, ConvShape, Gru, Linear, Norm},
};

/// One of the paper's networks, as a list of stages.
#[derive(Clone, Debug)]
pub(super) struct PaperShape {
    /// Frames and bands of a chunk.
    pub input: [i64; 2],
    /// Units and layers of a GRU in front of the convolutions.
    gru_first: Option<(i64, i64)>,
    /// Output channels, kernel and pool of each convolution.
    convs: &'static [(i64, i64, i64)],
    /// Units of a GRU behind the convolutions, with the BatchNorm and dropout that follow it.
    gru_last: Option<(i64, f64)>,
    /// Widths between the fully connected layers; the last is the embedding.
    dense: &'static [i64],
    /// Dropout after the first two fully connected layers.
    dense_dropout: f64,
}

impl PaperShape {
    pub fn cnn() -> Self {
        Self {
            input: [128, 128],
            gru_first: None,
            convs: &[(64, 3, 2), (128, 3, 2), (256, 3, 4), (512, 3, 4)],
            gru_last: None,
            dense: &[1024, 256],
            dense_dropout: 0.5,
        }
    }

    pub fn crnn() -> Self {
        Self {
            input: [128, 128],
            gru_first: None,
            convs: &[(64, 3, 2), (128, 3, 2), (256, 3, 4)],
            gru_last: Some((256, 0.6)),
            dense: &[512, 256],
            dense_dropout: 0.0,
        }
    }

    pub fn crnn_long() -> Self {
        Self {
            input: [256, 256],
            gru_first: None,
            convs: &[(64, 3, 2), (128, 3, 2), (256, 3, 4), (512, 3, 4)],
            gru_last: Some((256, 0.5)),
            dense: &[512, 256],
            dense_dropout: 0.0,
        }
    }

    pub fn rcnn() -> Self {
        Self {
            input: [256, 256],
            gru_first: Some((1024, 2)),
            convs: &[(32, 3, 2), (64, 3, 2), (128, 5, 4), (256, 3, 4)],
            gru_last: None,
            dense: &[4096, 2048, 1024, 256],
            dense_dropout: 0.5,
        }
    }

    pub fn embedding(&self) -> i64 {
        self.dense.last().copied().unwrap_or(0)
    }

    fn conv_shapes(&self) -> Vec<(ConvShape, [i64; 2], i64)> {
        let mut size = [self.input[0], self.gru_first.map_or(self.input[1], |(units, _)| units)];
        let mut inputs = 1;
        let mut shapes = Vec::new();
        for &(outputs, kernel, pool) in self.convs {
            let shape = ConvShape { kernel: [kernel, kernel], ..ConvShape::paper(inputs, outputs) };
            shapes.push((shape, size, pool));
            size = shape.output(size).map(|s| s / pool);
            inputs = outputs;
        }
        shapes
    }

    /// Channels, time steps and bands behind the convolutions.
    fn after_convs(&self) -> [i64; 3] {
        self.conv_shapes().last().map_or([1, self.input[0], self.input[1]], |(shape, size, pool)| {
            let [time, bands] = shape.output(*size).map(|s| s / pool);
            [shape.outputs, time, bands]
        })
    }

    fn flat(&self) -> i64 {
        let [channels, time, bands] = self.after_convs();
        self.gru_last.map_or(channels * time * bands, |(units, _)| time * units)
    }

    /// Multiply-adds of one chunk.
    pub fn macs(&self, genres: i64) -> u64 {
        let [channels, time, bands] = self.after_convs();
        let mut sum = self.gru_first.map_or(0, |(units, n)| Gru::macs(self.input[1], units, n, self.input[0]));
        sum += self.conv_shapes().iter().map(|(shape, size, _)| shape.macs(*size)).sum::<u64>();
        sum += self.gru_last.map_or(0, |(units, _)| Gru::macs(channels * bands, units, 1, time));
        let mut width = self.flat();
        for &next in self.dense.iter().chain([&genres]) {
            sum += (width * next).unsigned_abs();
            width = next;
        }
        sum
    }
}

/// A network of the paper.
#[derive(Debug)]
pub(super) struct Paper {
    shape: PaperShape,
    gru_first: Option<Gru>,
    convs: Vec<(ConvBlock, i64)>,
    gru_last: Option<(Gru, Norm, f64)>,
    dense: Vec<Linear>,
    head: Linear,
}

impl Paper {
    pub fn new(vs: &nn::Path<'_>, shape: PaperShape, genres: i64) -> Self {
        let [channels, _, bands] = shape.after_convs();
        let flat = shape.flat();
        let widths: Vec<i64> = [flat].into_iter().chain(shape.dense.iter().copied()).collect();
        Self {
            gru_first: shape.gru_first.map(|(units, n)| Gru::new(&(vs / "gru"), shape.input[1], units, n)),
            convs: (shape.conv_shapes().into_iter().enumerate())
                .map(|(i, (conv, _, pool))| (ConvBlock::new(&(vs / format!("conv{}", i + 1)), conv, true), pool))
                .collect(),
            gru_last: shape.gru_last.map(|(units, dropout)| {
                let gru = Gru::new(&(vs / "gru"), channels * bands, units, 1);
                (gru, Norm::new(&(vs / "gru_norm"), flat), dropout)
            }),
            dense: (widths.windows(2).enumerate())
                .map(|(i, w)| Linear::new(&(vs / format!("dense{}", i + 1)), w[0], w[1]))
                .collect(),
            head: Linear::new(&(vs / "head"), shape.embedding(), genres),
            shape,
        }
    }
}

impl Net for Paper {
    fn embed(&self, x: &Tensor, train: bool) -> Tensor {
        let mut x = match &self.gru_first {
            Some(gru) => gru.forward(x, train),
            None => x.shallow_clone(),
        };
        // One channel, laid out channels-last: what follows stays so, which learns a third faster on a CPU.
        x = x.unsqueeze(-1).permute([0, 3, 1, 2]);
        for (conv, pool) in &self.convs {
            x = conv.forward_pooled(&x, *pool, train);
        }
        let mut x = match &self.gru_last {
            Some((gru, norm, dropout)) => {
                let steps = x.permute([0, 2, 1, 3]).flatten(2, 3);
                norm.forward(&gru.forward(&steps, train).flatten(1, 2), train).dropout(*dropout, train)
            }
            None => x.flatten(1, 3),
        };
        for (i, dense) in self.dense.iter().enumerate() {
            // "0.5 after the first two" fully connected layers; the last one's is applied by `head`.
            let dropout = if i < 2 && i + 1 < self.dense.len() { self.shape.dense_dropout } else { 0.0 };
            x = dense.forward(&x).relu().dropout(dropout, train);
        }
        x
    }

    fn head(&self, embedding: &Tensor, train: bool) -> Tensor {
        let dropout = if self.dense.len() <= 2 { self.shape.dense_dropout } else { 0.0 };
        self.head.forward(&embedding.dropout(dropout, train))
    }

    fn fold(&mut self) {
        for ((conv, pool), (_, size, _)) in self.convs.iter_mut().zip(self.shape.conv_shapes()) {
            conv.fold_pooled(*pool, size);
        }
    }
}
