//! What a frozen trunk makes of a set, once: then the part that learns is trained on that, and a fold takes seconds.
//!
//! A clip's frames become the trunk's features of chunks that begin every quarter of a chunk. It knows the model room
//! and sets, and nothing of recipes.

use std::sync::atomic::{AtomicBool, Ordering};

use deepcuts_protocol::TrainSay;
use half::f16;
use tch::{Device, Tensor, nn::VarStore};

use super::{
    TrainError,
    data::{Clip, Frames, Set},
};
use crate::model::{Arch, CutsShape, ModelError, arch, to_vec};

/// Beginnings in a chunk: where a random crop may begin.
const BEGINNINGS: usize = 4;

/// The set as the part of `arch` that learns is given it; the set itself where all of `arch` learns.
pub(super) fn tap(
    set: Set,
    arch: Arch,
    device: Device,
    cancel: &AtomicBool,
    say: &mut dyn FnMut(TrainSay),
) -> Result<Set, TrainError> {
    if !arch.has_trunk() || set.taps.is_some() {
        return Ok(set);
    }
    let trunk = deepcuts_protocol::find_trunk(None).map_err(|e| TrainError::Model(ModelError::Network(e)))?;
    say(TrainSay::Note { text: format!("listening to {} clips through {}", set.clips.len(), trunk.display()) });
    let vs = VarStore::new(device);
    let mut net = arch.build(&vs.root(), &CutsShape::default(), set.genres.len());
    net.take_trunk(&arch::read_trunk(&trunk)?);
    let [frames, bands] = arch.input();
    let (chunk, front_end) = (frames.unsigned_abs() as usize, set.front_end);
    let mut clips = Vec::with_capacity(set.clips.len());
    let mut width = 0;
    for (i, clip) in set.clips.iter().enumerate() {
        if cancel.load(Ordering::Relaxed) {
            return Err(TrainError::TooLittle("it was stopped before training began".to_owned()));
        }
        let last = set.frames_of(i).saturating_sub(chunk);
        let mut raw = Vec::new();
        for start in (0..=last).step_by(chunk / BEGINNINGS) {
            let at = raw.len();
            raw.resize(at + chunk * set.bands, 0.0);
            clip.frames.copy(start * set.bands, &mut raw[at..]);
        }
        let features = tch::no_grad(|| {
            let x = Tensor::from_slice(&raw).view([-1, frames, set.bands as i64]).to_device(device);
            net.frozen(&arch::prepare_for(arch, &x, front_end, bands))
        });
        width = features.size().last().map_or(0, |w| w.unsigned_abs() as usize);
        let frames = to_vec(&features)?.into_iter().map(f16::from_f32).collect();
        clips.push(Clip {
            frames: Frames::Halves(frames),
            name: clip.name.clone(),
            artist: clip.artist.clone(),
            ..*clip
        });
    }
    Ok(Set { bands: width, clips, taps: Some(BEGINNINGS), ..set })
}
