//! The few layers that the networks are made of.
//!
//! A convolution knows two forms: as it is trained (with BatchNorm), and folded for listening, where BatchNorm has
//! become part of the weights and, with a pooling behind it, the weights take the form of `winograd.rs` where they can.

use tch::{
    Device, Kind, Tensor,
    nn::{self, Init},
};

use super::winograd::Pooled;

/// Geometry of a convolution over (height, width).
#[derive(Clone, Copy, Debug)]
pub(super) struct ConvShape {
    pub inputs: i64,
    pub outputs: i64,
    pub kernel: [i64; 2],
    pub stride: [i64; 2],
    pub padding: [i64; 2],
    pub dilation: [i64; 2],
    pub bias: bool,
}

impl ConvShape {
    /// 3 x 3, stride 1, padding 1, with a bias: the paper's.
    pub const fn paper(inputs: i64, outputs: i64) -> Self {
        Self { inputs, outputs, kernel: [3, 3], stride: [1, 1], padding: [1, 1], dilation: [1, 1], bias: true }
    }

    /// Output size for an input of `size`.
    pub fn output(&self, size: [i64; 2]) -> [i64; 2] {
        std::array::from_fn(|d| {
            (size[d] + 2 * self.padding[d] - self.dilation[d] * (self.kernel[d] - 1) - 1) / self.stride[d] + 1
        })
    }

    /// Multiply-adds for an input of `size`.
    pub fn macs(&self, size: [i64; 2]) -> u64 {
        let out = self.output(size);
        (self.inputs * self.outputs * self.kernel[0] * self.kernel[1] * out[0] * out[1]).unsigned_abs()
    }
}

/// Convolution, BatchNorm, ReLU.
#[derive(Debug)]
pub(super) struct ConvBlock {
    shape: ConvShape,
    weight: Tensor,
    bias: Option<Tensor>,
    norm: Norm,
    folded: Option<Folded>,
    pooled: Option<Pooled>,
}

#[derive(Debug)]
struct Folded {
    weight: Tensor,
    bias: Tensor,
}

impl ConvBlock {
    pub fn new(vs: &nn::Path<'_>, shape: ConvShape, xavier: bool) -> Self {
        let dims = [shape.outputs, shape.inputs, shape.kernel[0], shape.kernel[1]];
        let taps = shape.kernel[0] * shape.kernel[1];
        let init = if xavier {
            let bound = (6.0 / (taps * (shape.inputs + shape.outputs)) as f64).sqrt();
            Init::Uniform { lo: -bound, up: bound }
        } else {
            Init::Randn { mean: 0.0, stdev: (2.0 / (taps * shape.inputs) as f64).sqrt() }
        };
        let weight = vs.var("weight", &dims, init);
        let bias = shape.bias.then(|| {
            let bound = 1.0 / ((taps * shape.inputs) as f64).sqrt();
            vs.var("bias", &[shape.outputs], Init::Uniform { lo: -bound, up: bound })
        });
        Self { shape, weight, bias, norm: Norm::new(&(vs / "norm"), shape.outputs), folded: None, pooled: None }
    }

    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        self.before_relu(x, train).relu_()
    }

    /// The block and a max pooling of `pool` x `pool` behind it. ReLU never falls, so it may follow the pooling, where
    /// there is less of it to do, forwards and backwards.
    pub fn forward_pooled(&self, x: &Tensor, pool: i64, train: bool) -> Tensor {
        if let (Some(pooled), false) = (&self.pooled, train) {
            return pooled.forward(x);
        }
        self.before_relu(x, train).max_pool2d([pool, pool], [pool, pool], [0, 0], [1, 1], false).relu_()
    }

    fn before_relu(&self, x: &Tensor, train: bool) -> Tensor {
        let s = &self.shape;
        match &self.folded {
            Some(f) if !train => x.conv2d(&f.weight, Some(&f.bias), s.stride, s.padding, s.dilation, 1),
            _ => {
                let y = x.conv2d(&self.weight, self.bias.as_ref(), s.stride, s.padding, s.dilation, 1);
                self.norm.forward(&y, train)
            }
        }
    }

    /// Make BatchNorm part of the weights.
    pub fn fold(&mut self) {
        let (scale, shift) = self.norm.affine();
        let weight = &self.weight * scale.view([-1, 1, 1, 1]);
        let bias = match &self.bias {
            Some(b) => b * &scale + shift,
            None => shift,
        };
        self.folded = Some(Folded { weight, bias });
    }

    /// As [`Self::fold`], for [`Self::forward_pooled`] on maps of `size`.
    pub fn fold_pooled(&mut self, pool: i64, size: [i64; 2]) {
        self.fold();
        if Pooled::fits(self.shape.kernel, pool, size) {
            self.pooled = self.folded.take().map(|f| Pooled::new(&f.weight, f.bias, pool));
        }
    }
}

/// BatchNorm.
#[derive(Debug)]
pub(super) struct Norm {
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
}

const NORM_EPSILON: f64 = 1e-5;

impl Norm {
    pub fn new(vs: &nn::Path<'_>, width: i64) -> Self {
        Self {
            weight: vs.ones("weight", &[width]),
            bias: vs.zeros("bias", &[width]),
            running_mean: vs.zeros_no_train("running_mean", &[width]),
            running_var: vs.ones_no_train("running_var", &[width]),
        }
    }

    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let (mean, var) = (Some(&self.running_mean), Some(&self.running_var));
        x.batch_norm(Some(&self.weight), Some(&self.bias), mean, var, train, 0.1, NORM_EPSILON, true)
    }

    /// The same as one factor and one summand a channel, once the statistics stand.
    fn affine(&self) -> (Tensor, Tensor) {
        let scale = &self.weight / (&self.running_var + NORM_EPSILON).sqrt();
        let shift = &self.bias - &self.running_mean * &scale;
        (scale, shift)
    }
}

/// A fully connected layer.
#[derive(Debug)]
pub(super) struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    pub fn new(vs: &nn::Path<'_>, inputs: i64, outputs: i64) -> Self {
        let bound = 1.0 / (inputs as f64).sqrt();
        let init = Init::Uniform { lo: -bound, up: bound };
        Self { weight: vs.var("weight", &[outputs, inputs], init), bias: vs.var("bias", &[outputs], init) }
    }

    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, Some(&self.bias))
    }
}

/// Gated recurrent units, batch first, one direction.
#[derive(Debug)]
pub(super) struct Gru {
    weights: Vec<Tensor>,
    layers: i64,
    hidden: i64,
    device: Device,
}

impl Gru {
    pub fn new(vs: &nn::Path<'_>, inputs: i64, hidden: i64, layers: i64) -> Self {
        let bound = 1.0 / (hidden as f64).sqrt();
        let init = Init::Uniform { lo: -bound, up: bound };
        let mut weights = Vec::new();
        for layer in 0..layers {
            let width = if layer == 0 { inputs } else { hidden };
            weights.push(vs.var(&format!("weight_ih_l{layer}"), &[3 * hidden, width], init));
            weights.push(vs.var(&format!("weight_hh_l{layer}"), &[3 * hidden, hidden], init));
            weights.push(vs.var(&format!("bias_ih_l{layer}"), &[3 * hidden], init));
            weights.push(vs.var(&format!("bias_hh_l{layer}"), &[3 * hidden], init));
        }
        Self { weights, layers, hidden, device: vs.device() }
    }

    /// `[batch, step, inputs]` to `[batch, step, hidden]`.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let batch = x.size().first().copied().unwrap_or(0);
        let start = Tensor::zeros([self.layers, batch, self.hidden], (Kind::Float, self.device));
        x.gru(&start, &self.weights, true, self.layers, 0.0, train, false, true).0
    }

    /// Multiply-adds for `steps` steps.
    pub fn macs(inputs: i64, hidden: i64, layers: i64, steps: i64) -> u64 {
        let first = 3 * hidden * (inputs + hidden);
        let others = (layers - 1) * 3 * hidden * (hidden + hidden);
        (steps * (first + others)).unsigned_abs()
    }
}
