//! The paper's convolutions for listening on a CPU, with fewer multiply-adds: 3 x 3, stride 1, padding 1, and the max
//! pooling and ReLU behind them.
//!
//! Winograd's minimal filtering F(4 x 4, 3 x 3), after Lavin and Gray, "Fast Algorithms for Convolutional Neural
//! Networks" (2015, arXiv:1509.09308): a tile of 4 x 4 outputs takes 36 products a pair of channels instead of 144,
//! `A' [(G g G') * (B' d B)] A` of a filter `g` and the tile's 6 x 6 inputs `d`. Summed over the channels, these are 36
//! matrix products. The transforms around them are matrix products too: `B'` over the rows, then over the columns; `A'`
//! over both at once, as a Kronecker product. One input channel has nothing to sum over: there one product of the
//! windows' patches with the filters themselves is faster.
//!
//! A tile is made of whole pooling windows, so their maxima are taken before anything is an image again.

use tch::{Device, Kind, Tensor};

/// Side of a tile of outputs, and of the inputs that it needs.
const TILE: i64 = 4;
const PATCH: i64 = TILE + 2;

/// `B'`, `G` and `A'`, as the article gives them.
const INPUT: [[f32; 6]; 6] = [
    [4.0, 0.0, -5.0, 0.0, 1.0, 0.0],
    [0.0, -4.0, -4.0, 1.0, 1.0, 0.0],
    [0.0, 4.0, -4.0, -1.0, 1.0, 0.0],
    [0.0, -2.0, -1.0, 2.0, 1.0, 0.0],
    [0.0, 2.0, -1.0, -2.0, 1.0, 0.0],
    [0.0, 4.0, 0.0, -5.0, 0.0, 1.0],
];
const FILTER: [[f32; 3]; 6] = [
    [1.0 / 4.0, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];
const OUTPUT: [[f32; 6]; 4] = [
    [1.0, 1.0, 1.0, 1.0, 1.0, 0.0],
    [0.0, 1.0, -1.0, 2.0, -2.0, 0.0],
    [0.0, 1.0, 1.0, 4.0, 4.0, 0.0],
    [0.0, 1.0, -1.0, 8.0, -8.0, 1.0],
];

/// Patches in one pass: fewer, and the matrix products lose their pace; more, and what is between the steps no longer
/// stays in the caches.
const TILES: i64 = 128;
const WINDOWS: i64 = 4096;

/// A convolution with its pooling and ReLU.
#[derive(Debug)]
pub(super) struct Pooled {
    form: Form,
    bias: Tensor,
    inputs: i64,
    outputs: i64,
    pool: i64,
}

#[derive(Debug)]
enum Form {
    /// `input[6, 6, 6]` (the same six times), `weight[36, inputs, outputs]`, and `output[16, 36]`, its rows sorted by
    /// pooling windows.
    Winograd { input: Tensor, weight: Tensor, output: Tensor },
    /// `weight[patch, place in the window * outputs]`.
    Windows { weight: Tensor },
}

impl Pooled {
    /// Whether maps of `size` are made of whole tiles, and tiles of whole windows.
    pub fn fits(kernel: [i64; 2], pool: i64, size: [i64; 2]) -> bool {
        kernel == [3, 3] && TILE % pool == 0 && size.iter().all(|s| s % TILE == 0)
    }

    /// From `weight[outputs, inputs, 3, 3]` and a bias.
    pub fn new(weight: &Tensor, bias: Tensor, pool: i64) -> Self {
        let (outputs, inputs) = (weight.size()[0], weight.size()[1]);
        let form = if inputs == 1 {
            Form::Windows { weight: window_weights(weight, pool) }
        } else {
            let filter = Tensor::from_slice2(&FILTER);
            let taps = weight.permute([2, 3, 1, 0]).reshape([9, inputs * outputs]);
            let output = Tensor::from_slice2(&OUTPUT);
            let windows = TILE / pool;
            let by_rows = output.kron(&output).view([windows, pool, windows, pool, PATCH * PATCH]);
            Form::Winograd {
                input: Tensor::from_slice2(&INPUT).expand([PATCH, PATCH, PATCH], false),
                weight: filter.kron(&filter).mm(&taps).view([PATCH * PATCH, inputs, outputs]),
                output: by_rows.permute([0, 2, 1, 3, 4]).reshape([TILE * TILE, PATCH * PATCH]),
            }
        };
        Self { form, bias, inputs, outputs, pool }
    }

    /// `[batch, inputs, height, width]` to `[batch, outputs, height / pool, width / pool]`, channels last.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let &[n, _, height, width] = &x.size()[..] else { return x.shallow_clone() };
        let (step, limit) = match self.form {
            Form::Winograd { .. } => (TILE, TILES),
            Form::Windows { .. } => (self.pool, WINDOWS),
        };
        let (down, across, side) = (height / step, width / step, step / self.pool);
        // Whole chunks at a time, or rows of patches of one.
        let chunks = (limit / (down * across)).clamp(1, n.max(1));
        let rows = (limit / across).clamp(1, down);
        let room = Room::new(self, step, chunks * rows * across);
        let padded = empty(&[chunks, height + 2, width + 2, self.inputs]).zero_();
        let y = empty(&[n, height / self.pool, width / self.pool, self.outputs]);
        for first in starts(n, chunks) {
            let m = chunks.min(n - first);
            let inside = padded.narrow(0, 0, m).narrow(1, 1, height).narrow(2, 1, width);
            inside.shallow_clone().copy_(&x.narrow(0, first, m).permute([0, 2, 3, 1]));
            let patches = padded.narrow(0, 0, m).unfold(1, step + 2, step).unfold(2, step + 2, step);
            let patches = patches.permute([4, 5, 0, 1, 2, 3]);
            // A tile's windows come one behind the other; in the image they lie side by side.
            let image = y.narrow(0, first, m).view([m, down, side, across, side, self.outputs]);
            let image = image.permute([2, 4, 0, 1, 3, 5]);
            for top in starts(down, rows) {
                let some = rows.min(down - top);
                let most = self.maxima(&patches.narrow(3, top, some), &room);
                let most = most.view([side, side, m, some, across, self.outputs]);
                let _ = most.add_out(&image.narrow(3, top, some), &self.bias);
            }
        }
        y.permute([0, 3, 1, 2]).relu_()
    }

    /// The largest value in each pooling window, `[window of the patch, patch, outputs]`, of
    /// `patches[row, column, chunk, down, across, inputs]`.
    fn maxima(&self, patches: &Tensor, room: &Room) -> Tensor {
        let size = patches.size();
        let (taps, count) = (size[0] * size[1], size[2..5].iter().product::<i64>());
        let window = self.pool * self.pool;
        let middle: &[i64] = &[1];
        take(&room.patches, &size).copy_(patches);
        match &self.form {
            Form::Winograd { input, weight, output } => {
                let patches = take(&room.patches, &[PATCH, PATCH, count * self.inputs]);
                let halfway = take(&room.halfway, &[PATCH, PATCH * count * self.inputs]);
                let _ = input.select(0, 0).mm_out(&halfway, &patches.view([PATCH, -1]));
                let _ = input.bmm_out(&patches, &halfway.view_as(&patches));
                let products = take(&room.products, &[taps, count, self.outputs]);
                let _ = patches.view([taps, count, self.inputs]).bmm_out(&products, weight);
                let values = take(&room.values, &[TILE * TILE, count * self.outputs]);
                let _ = output.mm_out(&values, &products.view([taps, -1]));
                values.view([-1, window, count * self.outputs]).amax(middle, false)
            }
            Form::Windows { weight } => {
                let values = take(&room.values, &[count, window * self.outputs]);
                let _ = take(&room.patches, &[taps, count]).tr().mm_out(&values, weight);
                values.view([count, window, self.outputs]).amax(middle, false)
            }
        }
    }
}

/// What lies between the steps, taken once for all passes.
struct Room {
    patches: Tensor,
    halfway: Tensor,
    products: Tensor,
    values: Tensor,
}

impl Room {
    fn new(conv: &Pooled, step: i64, count: i64) -> Self {
        let taps = (step + 2) * (step + 2) * count;
        let winograd = i64::from(matches!(conv.form, Form::Winograd { .. }));
        Self {
            patches: empty(&[taps * conv.inputs]),
            halfway: empty(&[winograd * taps * conv.inputs]),
            products: empty(&[winograd * taps * conv.outputs]),
            values: empty(&[step * step * count * conv.outputs]),
        }
    }
}

/// The beginning of a room, in this shape.
fn take(room: &Tensor, size: &[i64]) -> Tensor {
    room.narrow(0, 0, size.iter().product()).view(size)
}

fn empty(size: &[i64]) -> Tensor {
    Tensor::empty(size, (Kind::Float, Device::Cpu))
}

fn starts(end: i64, step: i64) -> impl Iterator<Item = i64> {
    (0..end).step_by(step.unsigned_abs() as usize)
}

/// Weights that give a whole pooling window from its patch: the filter, once at each place of the window.
fn window_weights(weight: &Tensor, pool: i64) -> Tensor {
    let outputs = weight.size()[0];
    let all = empty(&[pool + 2, pool + 2, pool, pool, outputs]).zero_();
    let filter = weight.select(1, 0).permute([1, 2, 0]);
    for (row, column) in (0..pool).flat_map(|row| (0..pool).map(move |column| (row, column))) {
        all.select(2, row).select(2, column).narrow(0, row, 3).narrow(1, column, 3).copy_(&filter);
    }
    all.view([-1, pool * pool * outputs])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn farthest(inputs: i64, outputs: i64, pool: i64, size: [i64; 2], n: i64) -> f64 {
        let random = |size: &[i64]| Tensor::randn(size, (Kind::Float, Device::Cpu));
        let weight = random(&[outputs, inputs, 3, 3]) / ((9 * inputs) as f64).sqrt();
        let (bias, x) = (random(&[outputs]), random(&[n, inputs, size[0], size[1]]));
        let one: &[i64] = &[1, 1];
        let plain = x.conv2d(&weight, Some(&bias), one, one, one, 1);
        let plain = plain.max_pool2d([pool, pool], [pool, pool], [0, 0], [1, 1], false).relu();
        assert!(Pooled::fits([3, 3], pool, size));
        let ours = Pooled::new(&weight, bias, pool).forward(&x);
        assert_eq!(ours.size(), plain.size());
        (ours - plain).abs().max().double_value(&[])
    }

    #[test]
    fn it_is_torchs_convolution_pooling_and_relu() {
        tch::manual_seed(3);
        // The layers of `cnn` and `crnn`, of `crnn-long`, of `rcnn`; then sides that differ, rows and chunks that are
        // left over, no pooling.
        for (inputs, outputs, pool, size, n) in [
            (1, 64, 2, [128, 128], 2),
            (64, 128, 2, [64, 64], 2),
            (128, 256, 4, [32, 32], 3),
            (256, 512, 4, [8, 8], 33),
            (1, 64, 2, [256, 256], 1),
            (64, 128, 2, [128, 128], 1),
            (128, 256, 4, [64, 64], 1),
            (256, 512, 4, [16, 16], 9),
            (1, 32, 2, [256, 1024], 1),
            (32, 64, 2, [128, 512], 1),
            (3, 5, 2, [36, 100], 2),
            (2, 3, 4, [12, 20], 20),
            (2, 3, 1, [8, 4], 5),
            (1, 3, 4, [8, 4], 5),
        ] {
            let farthest = farthest(inputs, outputs, pool, size, n);
            assert!(farthest < 1e-4, "{inputs} -> {outputs}, {size:?}: {farthest}");
        }
    }

    #[test]
    fn other_kernels_and_broken_tiles_are_left_to_torch() {
        assert!(!Pooled::fits([5, 5], 4, [64, 64]));
        assert!(!Pooled::fits([3, 3], 3, [64, 64]));
        assert!(!Pooled::fits([3, 3], 2, [62, 64]));
    }
}
