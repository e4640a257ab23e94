#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use safetensors::{Dtype, SafeTensors};

use super::*;
use crate::model::weights;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn file() -> HashMap<String, Tensor> {
    let path = root().join("../vendor/musicnn/musicnn.safetensors");
    let bytes = std::fs::read(path).expect("run scripts/setup: it fetches musicnn");
    assert_eq!(blake3::hash(&bytes).to_hex().as_str(), BLAKE3);
    weights::parse(&bytes).unwrap().tensors
}

/// What the package itself answered (`make_trunk.py`).
fn golden() -> HashMap<String, Tensor> {
    let bytes = std::fs::read(root().join("tests/golden/trunk.safetensors")).unwrap();
    let read = SafeTensors::deserialize(&bytes).unwrap();
    (read.tensors().into_iter())
        .map(|(name, view)| {
            let kind = if view.dtype() == Dtype::F16 { Kind::Half } else { Kind::Float };
            let dims: Vec<i64> = view.shape().iter().map(|&d| d as i64).collect();
            (name, Tensor::from_data_size(view.data(), &dims, kind).to_kind(Kind::Float))
        })
        .collect()
}

fn farthest(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    (a - b).abs().max().double_value(&[])
}

#[test]
fn the_trunk_answers_what_the_package_answers() {
    let (tensors, golden) = (file(), golden());
    let trunk = Musicnn::new(&tensors, Pace::Own).unwrap();
    let pooled = trunk.pooled(&golden["patches"]);
    let (most, mean) = (pooled.narrow(1, 0, 753), pooled.narrow(1, 753, 753));
    assert!(farthest(&most, &golden["max_pool"]) < 1e-3);
    assert!(farthest(&mean, &golden["mean_pool"]) < 1e-3);

    // And behind it the package's own last layers, to its 50 tags.
    let source = Source(&tensors);
    let dense =
        |name: &str, x: &Tensor| x.matmul(&tensors[&format!("{name}/kernel")]) + &tensors[&format!("{name}/bias")];
    let flat = Tensor::stack(&[most, mean], 2).flatten(1, 2);
    let hidden = dense("dense", &source.norm(9, 1506).unwrap().apply(&flat)).relu();
    let hidden = source.norm(10, 200).unwrap().apply(&hidden);
    assert!(farthest(&hidden, &golden["penultimate"]) < 1e-3);
    assert!(farthest(&dense("dense_1", &hidden), &golden["logits"]) < 1e-3);
}

const PER_FRAME: f64 = 0.2;

/// Columns that were given, and its own frames between them, five to each.
fn both_paces(golden: &HashMap<String, Tensor>) -> (Tensor, Tensor) {
    let columns = golden["patches"].slice(1, 0, None, 5);
    let n = columns.size()[1];
    let frames = columns.transpose(1, 2).upsample_linear1d([5 * (n - 1) + 1], true, None).transpose(1, 2);
    (columns, frames)
}

#[test]
fn at_a_column_a_resampled_kernel_answers_what_the_whole_one_answers() {
    let tensors = file();
    let (columns, frames) = both_paces(&golden());
    let source = Source(&tensors);
    for (i, (before, after)) in TIMBRAL.iter().chain(&TEMPORAL).enumerate().skip(2) {
        let (kernel, _) = source.conv(i, before + after + 1, 1, 51).unwrap();
        let at = |pace: Pace, x: &Tensor| {
            let (kernel, before, taps) = pace.kernel(&kernel, *before);
            let rows = unfolded(x, taps, before);
            rows.matmul(&kernel.squeeze_dim(1))
        };
        let whole = at(Pace::Own, &frames).slice(1, 0, None, 5);
        let resampled = at(Pace::Steps { per_frame: PER_FRAME }, &columns);
        // Away from the ends, beyond which there is nothing at either pace.
        let (n, reach) = (columns.size()[1], 14);
        let middle = |t: &Tensor| t.narrow(1, reach, n - 2 * reach);
        assert!(farthest(&middle(&whole), &middle(&resampled)) < 1e-3, "front {i}");
    }
}

/// A channel that was constant on 200,000 songs may stir on a made-up patch; nothing behind it moves by much.
#[test]
fn what_is_left_out_hardly_matters() {
    let (tensors, golden) = (file(), golden());
    let pruned = Musicnn::new(&tensors, Pace::Steps { per_frame: 1.0 }).unwrap().pooled(&golden["patches"]);
    let live = live_channels(&Source(&tensors), 753).unwrap();
    assert!(live.numel() * 3 < 753, "{}", live.numel());
    let both =
        |most: &Tensor, mean: &Tensor| Tensor::cat(&[most.index_select(-1, &live), mean.index_select(-1, &live)], -1);
    let whole = both(&golden["max_pool"], &golden["mean_pool"]);
    // In units of how much each value moves on the music it was trained on.
    let spread = tensors["batch_normalization_9/moving_variance"].sqrt().view([753, 2]);
    let spread = both(&spread.select(1, 0), &spread.select(1, 1));
    let apart = farthest(&(whole / &spread), &(pruned / &spread));
    assert!(apart < 0.05, "{apart}");
}

#[test]
fn the_cost_that_cards_name_is_the_trunks() {
    let trunk = Musicnn::new(&file(), crate::model::arch::trunk_pace()).unwrap();
    assert_eq!(trunk.features(), crate::model::deep::FEATURES);
    assert_eq!(trunk.macs_per_step, crate::model::deep::TRUNK_MACS_PER_STEP);
}
