//! The pretrained trunk under `deep`: the front and middle of musicnn, as its package has them, or brought to another pace.
//!
//! Our mel has 12.9 columns a second and its input has 62.5 frames, so that what it would be given is our columns,
//! interpolated. A convolution over interpolated values, taken at one of them, is a convolution over the values
//! themselves: each tap is shared out among the two it falls between. So the kernels can be resampled once to a pace
//! that suits the columns. Only what is not linear in between (ReLU, the maxima) then differs.
//!
//! Four of five of its channels never answer anything but a constant: their pooled values had no variance on the 200,000
//! songs it was trained on (its last BatchNorm kept count). They are left out where the pace is ours.
//!
//! It knows tensors and numbers; where the file lies and what its features are good for is not its business.

use std::collections::HashMap;

use tch::{Device, Kind, Tensor};

/// Bands of its mel.
pub(crate) const BANDS: i64 = 96;
/// Its frames a second: hop 256 at 16 kHz.
pub(crate) const FRAMES_PER_S: f64 = 62.5;
const NORM_EPSILON: f64 = 1e-3;
/// Pooled values that deviated less than this on its training data are constants.
const DEAD_BELOW: f64 = 1e-3;

/// The file, as scripts/musicnn.py writes it from the pinned wheel.
pub(crate) const BLAKE3: &str = "1df973173b8c38bbdf98552a2d293037b34b64488f1a17c70b2e812f40200b32";

/// Frames before and after the middle of each kernel over time, as the package pads them.
const TIMBRAL: [(i64, i64); 2] = [(3, 3), (3, 3)];
const TEMPORAL: [(i64, i64); 3] = [(63, 64), (31, 32), (15, 16)];
const FRONT_WIDTHS: [i64; 5] = [204, 204, 51, 51, 51];
const MID_WIDTH: i64 = 64;

/// The trunk, ready to listen.
#[derive(Debug)]
pub(crate) struct Musicnn {
    scale: f64,
    shift: f64,
    fronts: Vec<Front>,
    mids: Vec<Mid>,
    /// At another pace: which of the computed channels are no constants.
    alive: Option<Tensor>,
    channels: i64,
    #[cfg_attr(not(test), allow(dead_code))]
    macs_per_step: u64,
}

/// A convolution over time and bands, ReLU, BatchNorm, and the maximum over bands. BatchNorm may turn a channel's sign, and then
/// it is the minimum that counts: the weights of such a channel are negated.
#[derive(Debug)]
struct Front {
    taps: i64,
    before: i64,
    bands: i64,
    /// `[bands * taps, channels]`, band by band
    weight: Tensor,
    sign: Tensor,
    bias: Tensor,
    after: Affine,
}

/// A convolution over time, ReLU, BatchNorm.
#[derive(Debug)]
struct Mid {
    taps: i64,
    before: i64,
    /// `[taps * inputs, channels]`
    weight: Tensor,
    bias: Tensor,
    after: Affine,
}

#[derive(Debug)]
struct Affine {
    scale: Tensor,
    shift: Tensor,
}

impl Affine {
    fn apply(&self, x: &Tensor) -> Tensor {
        x * &self.scale + &self.shift
    }
}

/// At which pace the trunk runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// The package's own, every channel.
    #[cfg_attr(not(test), allow(dead_code))]
    Own,
    /// Another, and channels that are constant are left out.
    Steps {
        /// Steps for each frame of its own.
        per_frame: f64,
    },
}

/// The tensors of the file by their names in the checkpoint.
struct Source<'a>(&'a HashMap<String, Tensor>);

impl Source<'_> {
    fn get(&self, name: &str, size: &[i64]) -> Result<Tensor, String> {
        let tensor = self.0.get(name).ok_or_else(|| format!("tensor {name} is missing"))?;
        if tensor.size() == size {
            Ok(tensor.shallow_clone())
        } else {
            Err(format!("tensor {name} is {:?}; {size:?} was expected", tensor.size()))
        }
    }

    /// BatchNorm `i` as one factor and one summand a channel.
    fn norm(&self, i: usize, width: i64) -> Result<Affine, String> {
        let get = |what: &str| self.get(&format!("{}/{what}", numbered("batch_normalization", i)), &[width]);
        let scale = get("gamma")? / (get("moving_variance")? + NORM_EPSILON).sqrt();
        let shift = get("beta")? - get("moving_mean")? * &scale;
        Ok(Affine { scale, shift })
    }

    /// Kernel (`[taps, bands or inputs, channels]`) and bias of convolution `i`.
    fn conv(&self, i: usize, taps: i64, across: i64, width: i64) -> Result<(Tensor, Tensor), String> {
        let name = numbered("conv2d", i);
        let kernel = self.get(&format!("{name}/kernel"), &[taps, across, 1, width])?.squeeze_dim(2);
        Ok((kernel, self.get(&format!("{name}/bias"), &[width])?))
    }
}

fn numbered(name: &str, i: usize) -> String {
    if i == 0 { name.to_owned() } else { format!("{name}_{i}") }
}

impl Musicnn {
    /// Build from the tensors of the file.
    pub fn new(tensors: &HashMap<String, Tensor>, pace: Pace) -> Result<Self, String> {
        tch::no_grad(|| Self::build(&Source(tensors), pace))
    }

    fn build(source: &Source<'_>, pace: Pace) -> Result<Self, String> {
        let input = source.norm(0, 1)?;
        let front_channels: i64 = FRONT_WIDTHS.iter().sum();
        let all_channels = front_channels + 3 * MID_WIDTH;
        let all_live = match pace {
            Pace::Own => Tensor::arange(all_channels, (Kind::Int64, Device::Cpu)),
            Pace::Steps { .. } => live_channels(source, all_channels)?,
        };
        let live = all_live.masked_select(&all_live.lt(front_channels));
        let mut found = Vec::new();
        let mut constants = Vec::new();
        let mut first = 0;
        for (i, (&width, padding)) in FRONT_WIDTHS.iter().zip(TIMBRAL.iter().chain(&TEMPORAL)).enumerate() {
            let bands = match i {
                0 => BANDS * 4 / 10,
                1 => BANDS * 7 / 10,
                _ => 1,
            };
            let (kernel, bias) = source.conv(i, padding.0 + padding.1 + 1, bands, width)?;
            let after = source.norm(i + 1, width)?;
            // What a channel that never wakes answers: BatchNorm's summand.
            constants.push(after.shift.shallow_clone());
            let mine = live.ge(first).logical_and(&live.lt(first + width));
            let mine = live.masked_select(&mine) - first;
            first += width;
            let pick = |t: &Tensor| t.index_select(-1, &mine);
            let after = Affine { scale: pick(&after.scale), shift: pick(&after.shift) };
            let (kernel, before, taps) = pace.kernel(&pick(&kernel), padding.0);
            let sign = after.scale.sign();
            found.push(Front { taps, before, bands, weight: kernel * &sign, sign, bias: pick(&bias), after });
        }
        let temporal = Front::together(&found.split_off(2));
        let fronts: Vec<Front> = found.into_iter().chain([temporal]).map(Front::flattened).collect();
        let mut macs: u64 =
            fronts.iter().map(|f| (f.weight.numel() as i64 * (BANDS - f.bands + 1)).unsigned_abs()).sum();
        let constant = matches!(pace, Pace::Steps { .. });
        let mut mids = Vec::new();
        for i in 0..3 {
            let inputs = if i == 0 { front_channels } else { MID_WIDTH };
            let (mut kernel, bias) = source.conv(i + 5, 7, inputs, MID_WIDTH)?;
            if i == 0 && constant {
                kernel = with_constant(&kernel, &live, &Tensor::cat(&constants, 0));
            }
            let (kernel, before, taps) = pace.kernel(&kernel, 3);
            let weight = kernel.flatten(0, 1).contiguous();
            macs += weight.numel() as u64;
            mids.push(Mid { taps, before, weight, bias, after: source.norm(i + 6, MID_WIDTH)? });
        }
        // The live channels of the front were computed alone, those of the middle stand among all of it.
        let alive = constant.then(|| {
            let middle = all_live.masked_select(&all_live.ge(front_channels)) - front_channels;
            let front = live.numel() as i64;
            Tensor::cat(&[Tensor::arange(front, (Kind::Int64, Device::Cpu)), middle + front], 0)
        });
        let channels = all_live.numel() as i64;
        let (scale, shift) = (input.scale.double_value(&[0]), input.shift.double_value(&[0]));
        Ok(Self { scale, shift, fronts, mids, alive, channels, macs_per_step: macs })
    }

    /// Values that [`Self::pooled`] gives.
    pub fn features(&self) -> i64 {
        2 * self.channels
    }

    /// `[batch, time, band]` to `[batch, features]`: the maximum over time of every channel, then the mean.
    pub fn pooled(&self, x: &Tensor) -> Tensor {
        let maps = self.maps(x);
        let most = maps.amax([1], false);
        Tensor::cat(&[most, maps.mean_dim(&[1_i64][..], false, Kind::Float)], 1)
    }

    /// `[batch, time, band]` to `[batch, time, channel]`.
    fn maps(&self, x: &Tensor) -> Tensor {
        let x = x * self.scale + self.shift;
        let mut front: Vec<Tensor> = self.fronts.iter().map(|f| f.forward(&x)).collect();
        let mut maps = vec![Tensor::cat(&front, 2)];
        if self.alive.is_some() {
            front.push(x.narrow(2, 0, 1).ones_like());
        }
        let mut y = Tensor::cat(&front, 2);
        for (i, mid) in self.mids.iter().enumerate() {
            let z = mid.forward(&y);
            // The second and third layer are added to what they were given.
            y = if i == 0 { z } else { z + y };
            maps.push(y.shallow_clone());
        }
        let maps = Tensor::cat(&maps, 2);
        match &self.alive {
            Some(alive) => maps.index_select(2, alive),
            None => maps,
        }
    }

    /// The same on another device.
    pub fn to_device(&self, device: Device) -> Self {
        let there = |t: &Tensor| t.to_device(device);
        let affine = |a: &Affine| Affine { scale: there(&a.scale), shift: there(&a.shift) };
        let front = |f: &Front| Front {
            weight: there(&f.weight),
            sign: there(&f.sign),
            bias: there(&f.bias),
            after: affine(&f.after),
            ..*f
        };
        let mid = |m: &Mid| Mid { weight: there(&m.weight), bias: there(&m.bias), after: affine(&m.after), ..*m };
        Self {
            fronts: self.fronts.iter().map(front).collect(),
            mids: self.mids.iter().map(mid).collect(),
            alive: self.alive.as_ref().map(there),
            ..*self
        }
    }
}

impl Front {
    /// Several over as many bands each, as one: the shorter kernels are silent at the ends.
    fn together(these: &[Self]) -> Self {
        let before = these.iter().map(|f| f.before).max().unwrap_or(0);
        let after = these.iter().map(|f| f.taps - 1 - f.before).max().unwrap_or(0);
        let padded =
            |f: &Self| f.weight.constant_pad_nd([0, 0, 0, 0, before - f.before, after - (f.taps - 1 - f.before)]);
        let cat = |of: &dyn Fn(&Self) -> Tensor| Tensor::cat(&these.iter().map(of).collect::<Vec<_>>(), -1);
        Self {
            taps: before + after + 1,
            before,
            bands: these.first().map_or(1, |f| f.bands),
            weight: cat(&padded),
            sign: cat(&|f| f.sign.shallow_clone()),
            bias: cat(&|f| f.bias.shallow_clone()),
            after: Affine {
                scale: cat(&|f| f.after.scale.shallow_clone()),
                shift: cat(&|f| f.after.shift.shallow_clone()),
            },
        }
    }

    /// The kernel (`[taps, bands, channels]`) as the matrix that is multiplied by.
    fn flattened(self) -> Self {
        let weight = self.weight.transpose(0, 1).reshape([self.bands * self.taps, -1]);
        Self { weight, ..self }
    }

    /// `[batch, time, band]` to `[batch, time, channel]`: a matrix product at every place among the bands, with a running
    /// maximum, so that what is between stays small.
    fn forward(&self, x: &Tensor) -> Tensor {
        let (batch, time, bands) = (x.size()[0], x.size()[1], x.size()[2]);
        // A kernel over many bands has few taps, and all bands are laid out at once; one over a single band has many.
        let all = (self.bands > 1).then(|| unfolded(x, self.taps, self.before).view([batch * time, bands * self.taps]));
        let mut most: Option<Tensor> = None;
        for place in 0..=bands - self.bands {
            let rows = match &all {
                Some(all) => all.narrow(1, place * self.taps, self.bands * self.taps),
                None => unfolded(&x.narrow(2, place, 1), self.taps, self.before).view([batch * time, self.taps]),
            };
            let here = rows.mm(&self.weight);
            most = Some(match most {
                Some(most) => most.maximum(&here),
                None => here,
            });
        }
        let most = most.unwrap_or_else(|| x.zeros_like()).view([batch, time, -1]);
        self.after.apply(&(most * &self.sign + &self.bias).relu_())
    }
}

impl Mid {
    fn forward(&self, x: &Tensor) -> Tensor {
        let (batch, time, inputs) = (x.size()[0], x.size()[1], x.size()[2]);
        let rows = unfolded(x, self.taps, self.before).transpose(2, 3).reshape([batch * time, self.taps * inputs]);
        let y = (rows.mm(&self.weight) + &self.bias).relu_().view([batch, time, -1]);
        self.after.apply(&y)
    }
}

/// `[batch, time, x]` to `[batch, time, x, taps]`, nothing beyond the ends.
fn unfolded(x: &Tensor, taps: i64, before: i64) -> Tensor {
    x.constant_pad_nd([0, 0, before, taps - 1 - before]).unfold(1, taps, 1).contiguous()
}

impl Pace {
    /// A kernel at this pace, its taps before the middle, and all its taps.
    fn kernel(self, kernel: &Tensor, before: i64) -> (Tensor, i64, i64) {
        let taps = kernel.size()[0];
        let Self::Steps { per_frame } = self else { return (kernel.shallow_clone(), before, taps) };
        let reach = (before.max(taps - 1 - before) as f64 * per_frame).ceil() as i64;
        let mut size = kernel.size();
        size[0] = 2 * reach + 1;
        let resampled = Tensor::zeros(&size[..], (Kind::Float, kernel.device()));
        for tap in 0..taps {
            let place = (tap - before) as f64 * per_frame + reach as f64;
            let (low, part) = (place.floor(), place.fract());
            let row = kernel.get(tap);
            let _ = resampled.get(low as i64).g_add_(&(&row * (1.0 - part)));
            if part > 0.0 {
                let _ = resampled.get(low as i64 + 1).g_add_(&(row * part));
            }
        }
        (resampled, reach, 2 * reach + 1)
    }
}

/// Channels (of all) whose pooled values ever moved.
fn live_channels(source: &Source<'_>, channels: i64) -> Result<Tensor, String> {
    // Pooled values are laid out channel by channel, maximum and mean beside each other.
    let variance = source.get("batch_normalization_9/moving_variance", &[2 * channels])?.view([channels, 2]);
    Ok(variance.sqrt().gt(DEAD_BELOW).all_dim(1, false).nonzero().squeeze_dim(1))
}

/// The kernel over the live inputs alone, and over one more that is always 1 and stands for all the others.
fn with_constant(kernel: &Tensor, live: &Tensor, constants: &Tensor) -> Tensor {
    let dead = constants.index_fill(0, live, 0.0);
    let sum = (kernel * dead.view([1, -1, 1])).sum_dim_intlist(&[1_i64][..], true, Kind::Float);
    Tensor::cat(&[kernel.index_select(1, live), sum], 1)
}

#[cfg(test)]
#[path = "musicnn_tests.rs"]
mod tests;
