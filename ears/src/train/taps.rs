//! What a frozen trunk makes of a set, once: then the part that learns is trained on that, and a fold takes seconds.
//!
//! A clip's frames become the trunk's features of chunks that begin every quarter of a chunk, kept in the cache under
//! what they were made of. It knows the model room and sets, and nothing of recipes.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use deepcuts_protocol::TrainSay;
use half::f16;
use tch::{Device, Tensor, nn::VarStore};

use super::{
    TrainError,
    batch::lower_floor,
    data::{Clip, Frames, Set, Taps},
    source::{keep, read_kept},
};
use crate::model::{Arch, CutsShape, ModelError, arch, arch::Net, to_vec};

/// Beginnings in a chunk: where a random crop may begin.
const BEGINNINGS: usize = 4;

/// The set as the part of `arch` that learns is given it. With a `floor` above 0 the trunk hears every clip once more, with
/// a floor that is lower by so much of the range.
///
/// # Errors
/// When there is no trunk, when what it gives cannot be kept, or when it was cancelled.
pub fn tap(
    set: &Set,
    arch: Arch,
    floor: f32,
    device: Device,
    cache: Option<&Path>,
    cancel: &AtomicBool,
    say: &mut dyn FnMut(TrainSay),
) -> Result<Set, TrainError> {
    let trunk = deepcuts_protocol::find_trunk(None).map_err(|e| TrainError::Model(ModelError::Network(e)))?;
    let net = frozen(arch, &trunk, device)?;
    let width = arch::FROZEN_FEATURES;
    let floors = if floor > 0.0 { vec![0.0, floor] } else { vec![0.0] };
    let mut listening = false;
    let mut clips = Vec::with_capacity(set.clips.len());
    for clip in &set.clips {
        let mut frames = Vec::new();
        for &floor in &floors {
            if cancel.load(Ordering::Relaxed) {
                return Err(TrainError::TooLittle("it was stopped before training began".to_owned()));
            }
            let kept = cache.map(|c| place(c, clip, set, floor));
            if let Some(Frames::Halves(known)) = kept.as_deref().and_then(read_kept) {
                frames.extend(known);
                continue;
            }
            if !listening {
                let what = format!("listening to {} clips through {}", set.clips.len() - clips.len(), trunk.display());
                say(TrainSay::Note { text: what });
                listening = true;
            }
            let heard = Frames::Halves(listen(net.as_ref(), clip, set, arch, floor, device)?);
            if let Some(kept) = kept {
                let fail = |reason| TrainError::Output { path: kept.clone(), reason };
                keep(&kept, &heard, width).map_err(fail)?;
            }
            if let Frames::Halves(heard) = heard {
                frames.extend(heard);
            }
        }
        clips.push(Clip {
            frames: Frames::Halves(frames),
            name: clip.name.clone(),
            artist: clip.artist.clone(),
            ..*clip
        });
    }
    let taps = Some(Taps { beginnings: BEGINNINGS, versions: floors.len() });
    Ok(Set { genres: set.genres.clone(), front_end: set.front_end, bands: width, clips, taps })
}

/// A network of which only the part that never learns is of use.
///
/// # Errors
/// Names the trunk's file and what is wrong with it.
pub(super) fn frozen(arch: Arch, trunk: &Path, device: Device) -> Result<Box<dyn Net>, TrainError> {
    let mut net = arch.build(&VarStore::new(device).root(), &CutsShape::default(), 2);
    net.take_trunk(&arch::read_trunk(trunk)?);
    Ok(net)
}

/// Where the cache keeps what the trunk made of a clip.
fn place(cache: &Path, clip: &Clip, set: &Set, floor: f32) -> PathBuf {
    let mut hash = blake3::Hasher::new();
    hash.update(set.front_end.name().as_bytes());
    match &clip.frames {
        Frames::Bytes(v) => hash.update(v),
        Frames::Halves(v) => hash.update(&v.iter().flat_map(|h| h.to_le_bytes()).collect::<Vec<u8>>()),
    };
    if floor > 0.0 {
        hash.update(b"floor").update(&floor.to_le_bytes());
    }
    cache.join(format!("trunk-{}", arch::frozen_id())).join(hash.finalize().to_hex().to_string() + ".safetensors")
}

/// The trunk's features at every beginning.
fn listen(
    net: &dyn Net,
    clip: &Clip,
    set: &Set,
    arch: Arch,
    floor: f32,
    device: Device,
) -> Result<Vec<f16>, TrainError> {
    let [frames, bands] = arch.input();
    let chunk = frames.unsigned_abs() as usize;
    let last = (clip.frames.len() / set.bands).saturating_sub(chunk);
    let mut raw = Vec::new();
    for start in (0..=last).step_by(chunk / BEGINNINGS) {
        let at = raw.len();
        raw.resize(at + chunk * set.bands, 0.0);
        clip.frames.copy(start * set.bands, &mut raw[at..]);
    }
    if floor > 0.0 {
        lower_floor(&mut raw, floor);
    }
    let features = tch::no_grad(|| {
        let x = Tensor::from_slice(&raw).view([-1, frames, set.bands as i64]).to_device(device);
        net.frozen(&arch::prepare_for(arch, &x, set.front_end, bands))
    });
    Ok(to_vec(&features)?.into_iter().map(f16::from_f32).collect())
}
