//! What the frozen trunk makes of the corrected tracks: their files are decoded again, as a scan decodes them, and what
//! came of it is kept in the cache under what the audio is known by.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use crossbeam_channel::bounded;
use deepcuts_protocol::{LessonFile, ModelCard, RetrainJob, TrainSay};
use half::f16;
use tch::{Device, Tensor};

use super::music::Music;
use crate::{
    decode::DecodeError,
    mel,
    model::{
        Arch, ModelError,
        arch::{self, FROZEN_FEATURES, Net},
        to_vec,
    },
    train::{
        TrainError,
        data::Frames,
        source::{keep, mel_of, read_kept},
        taps,
    },
};

/// Chunks that the trunk hears at once.
const BATCH: usize = 32;

/// What there is of a file.
enum Heard {
    /// The trunk's features, chunk x value, from the cache.
    Known(Vec<f16>),
    /// Mel chunks, for the trunk.
    New(Vec<f32>),
}

/// Hear the lessons' tracks, and keep of every row what the trunk made of it. A track that cannot be heard is named and
/// left out.
///
/// # Errors
/// There is no trunk; too few could be heard; it was stopped.
pub(super) fn lessons(
    job: &RetrainJob,
    card: &ModelCard,
    arch: Arch,
    lessons: &mut Music,
    cancel: &AtomicBool,
    say: &mut dyn FnMut(TrainSay),
) -> Result<(), TrainError> {
    if job.files.len() != lessons.tracks.len() {
        let reason = format!("it names {} files for {} tracks", job.files.len(), lessons.tracks.len());
        return Err(TrainError::Source { path: job.lessons.0.clone(), reason });
    }
    let missing = |e| TrainError::Model(ModelError::Network(e));
    let trunk = deepcuts_protocol::find_trunk(Some(&job.model.0)).map_err(missing)?;
    let net = taps::frozen(arch, &trunk, Device::Cpu)?;
    lessons.features = vec![0.0; lessons.places.len() * FROZEN_FEATURES];
    let (next, total) = (AtomicUsize::new(0), job.files.len() as u32);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    // One track a worker may wait while the trunk listens.
    let (results, heard) = bounded(workers);
    let mut failed = 0;
    thread::scope(|scope| {
        for _ in 0..workers {
            let (results, next) = (results.clone(), &next);
            scope.spawn(move || {
                while !cancel.load(Ordering::Relaxed) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = job.files.get(at) else { break };
                    if results.send((at, heard_of(file, job, card))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(results);
        for (done, (at, what)) in heard.iter().enumerate() {
            let Some(file) = job.files.get(at) else { continue };
            let taken = what.and_then(|what| through(net.as_ref(), arch, card, what, file, job));
            if let Err(reason) = taken.and_then(|features| take(lessons, at, &features)) {
                failed += 1;
                say(TrainSay::Skipped { path: file.path.clone(), reason });
                leave_out(lessons, at);
            }
            say(TrainSay::Hearing { done: done as u32 + 1, total, failed });
        }
    });
    if cancel.load(Ordering::Relaxed) {
        return Err(TrainError::Stopped);
    }
    if total - failed < job.min_tracks.max(1) {
        let asked = job.min_tracks;
        return Err(TrainError::TooLittle(format!(
            "of {total} corrected tracks {failed} could not be heard, and {asked} are asked for: see to their files, or \
             `--head`, which needs none"
        )));
    }
    Ok(())
}

/// Where the cache keeps what the trunk made of a track.
fn place(file: &LessonFile, job: &RetrainJob, card: &ModelCard) -> Option<PathBuf> {
    let folder = format!("heard-{}-v{}-{}", card.front_end.name(), card.feature_version, arch::frozen_id());
    let named = !file.identity.is_empty() && file.identity.bytes().all(|b| b.is_ascii_alphanumeric());
    let cache = job.cache.as_ref().filter(|_| named)?;
    Some(cache.0.join(folder).join(format!("{}.safetensors", file.identity)))
}

fn heard_of(file: &LessonFile, job: &RetrainJob, card: &ModelCard) -> Result<Heard, String> {
    let known = place(file, job, card).and_then(|path| read_kept(&path));
    if let Some(Frames::Halves(features)) = known.filter(|f| !f.is_empty() && f.len() % FROZEN_FEATURES == 0) {
        return Ok(Heard::Known(features));
    }
    let values = mel_of(&file.path.0, card.front_end, card.chunk_frames as usize).map_err(|e| e.to_string())?;
    if values.is_empty() { Err(DecodeError::NoSamples.to_string()) } else { Ok(Heard::New(values)) }
}

/// The trunk's features of a track, chunk x value.
fn through(
    net: &dyn Net,
    arch: Arch,
    card: &ModelCard,
    what: Heard,
    file: &LessonFile,
    job: &RetrainJob,
) -> Result<Vec<f16>, String> {
    let values = match what {
        Heard::Known(features) => return Ok(features),
        Heard::New(values) => values,
    };
    let [frames, wanted] = arch.input();
    let bands = mel::bands(card.front_end);
    let mut features = Vec::new();
    for some in values.chunks(BATCH * frames.unsigned_abs() as usize * bands) {
        let heard = tch::no_grad(|| {
            let x = Tensor::from_slice(some).view([-1, frames, bands as i64]);
            net.frozen(&arch::prepare_for(arch, &x, card.front_end, wanted))
        });
        features.extend(to_vec(&heard).map_err(|e| e.to_string())?.into_iter().map(f16::from_f32));
    }
    let frames = Frames::Halves(features);
    if let Some(path) = place(file, job, card) {
        keep(&path, &frames, FROZEN_FEATURES).map_err(|e| format!("cannot cache it in {}: {e}", path.display()))?;
    }
    match frames {
        Frames::Halves(features) => Ok(features),
        Frames::Bytes(_) => Ok(Vec::new()),
    }
}

/// Keep of a track's rows what the trunk made of them: a row is the mean of as many chunks as it stands for.
fn take(lessons: &mut Music, at: usize, features: &[f16]) -> Result<(), String> {
    let Some(track) = lessons.tracks.get(at) else { return Ok(()) };
    let chunks = features.len() / FROZEN_FEATURES;
    let stride = chunks.div_ceil(track.all.max(1)).max(1);
    if chunks.div_ceil(stride) != track.all {
        return Err("it sounds otherwise than when it was heard: `deepcuts scan`".to_owned());
    }
    for row in track.rows.clone() {
        let Some(&place) = lessons.places.get(row) else { continue };
        let from = place * stride * FROZEN_FEATURES;
        let to = (from + stride * FROZEN_FEATURES).min(features.len());
        let own = features.get(from..to).unwrap_or_default();
        let count = (own.len() / FROZEN_FEATURES).max(1) as f32;
        let slots = lessons.features.iter_mut().skip(row * FROZEN_FEATURES).take(FROZEN_FEATURES);
        for (i, slot) in slots.enumerate() {
            *slot = own.iter().skip(i).step_by(FROZEN_FEATURES).map(|v| v.to_f32()).sum::<f32>() / count;
        }
    }
    Ok(())
}

/// Nothing was said of this track.
fn leave_out(lessons: &mut Music, at: usize) {
    if let Some(track) = lessons.tracks.get_mut(at) {
        track.rows = 0..0;
        track.weights.fill(0.0);
    }
}
