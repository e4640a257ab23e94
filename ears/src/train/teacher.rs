//! A network that knows more tells the one that learns what it hears in mixtures.
//!
//! A label says one genre of a whole recording. A teacher says of this chunk, mixed with another, how much of every
//! genre is in it; over enough such chunks the two come to agree as functions of what they hear (Beyer et al. 2022, "Knowledge distillation: a good teacher is patient and consistent"). The teacher is `deep`,
//! fitted to the same side of the same split: it has met none of the artists that judge.
//!
//! What is costly, its frozen trunk, depends on no fold and no seed. So the mixtures are numbered, the trunk hears each
//! once, and a run takes those of which it may know both halves. The teacher hears them as they are, the pupil varied.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use deepcuts_protocol::{TrainJob, TrainSay};
use half::f16;
use tch::{Device, Kind, Tensor};

use super::{
    TrainError,
    batch::Sampler,
    data::{Frames, Set},
    fit::Run,
    mixtures::{Mixture, Taught},
    recipe::{Recipe, Teach},
    source::{keep, read_kept},
    split, taps,
};
use crate::model::{Arch, arch, to_vec};

/// Mixtures that the trunk hears in one pass.
const PASS: usize = 64;
/// Mixtures that begin with the same clip: a small set has no more to say.
const MOST_OF_A_CLIP: usize = 64;

/// What all teachers of a job have in common.
pub(super) struct School {
    teach: Teach,
    recipe: Recipe,
    /// The job's clips as the trunk hears them, to fit teachers to.
    heard: Set,
    /// `[mixture][feature]`
    features: Vec<f32>,
    device: Device,
}

impl School {
    /// Let the trunk hear the clips and the mixtures of them.
    ///
    /// # Errors
    /// When there is no trunk, when what it hears cannot be kept, or when it was cancelled.
    pub fn open(
        teach: &Teach,
        sampler: &Sampler<'_>,
        device: Device,
        cache: Option<&Path>,
        cancel: &AtomicBool,
        say: &mut dyn FnMut(TrainSay),
    ) -> Result<Self, TrainError> {
        let most = MOST_OF_A_CLIP * sampler.set.clips.len();
        let mixtures = teach.mixtures.min(u32::try_from(most).unwrap_or(u32::MAX));
        trunk()?;
        // Of mixtures as they are, so that is what its teacher is fitted to.
        let heard = taps::tap(sampler.set, Arch::Deep, 0.0, device, cache, cancel, say)?;
        let kept = cache.map(|c| {
            let of = format!("{} {} {}", sampler.set.fingerprint(), sampler.mixup, mixtures);
            c.join(format!("mixtures-{}", arch::frozen_id()))
                .join(blake3::hash(of.as_bytes()).to_hex().to_string() + ".safetensors")
        });
        // Of another size it is no file of ours, and heard anew.
        let whole = |frames: &Frames| frames.len() == mixtures as usize * arch::FROZEN_FEATURES;
        let frames = match kept.as_deref().and_then(read_kept).filter(whole) {
            Some(frames) => frames,
            None => {
                let text = format!("listening to {mixtures} mixtures through the trunk of deep");
                say(TrainSay::Note { text });
                let frames = listen(sampler, mixtures, device, cancel)?;
                if let Some(path) = kept {
                    let fail = |reason| TrainError::Output { path: path.clone(), reason };
                    keep(&path, &frames, arch::FROZEN_FEATURES).map_err(fail)?;
                }
                frames
            }
        };
        let mut features = vec![0.0; frames.len()];
        frames.copy(0, &mut features);
        let recipe = Recipe::read(Recipe::text_of(Arch::Deep.name())?, &[])?;
        Ok(Self { teach: teach.clone(), recipe, heard, features, device })
    }

    /// What a run may learn: the mixtures of clips that it learns from, and what is in them.
    ///
    /// # Errors
    /// When the teacher cannot be fitted.
    pub fn taught(
        &self,
        job: &TrainJob,
        sampler: &Sampler<'_>,
        fold: u32,
        seed: u64,
        cancel: &AtomicBool,
    ) -> Result<Taught, TrainError> {
        let arch = Arch::Deep;
        let chunk = self.heard.chunk(arch.input()[0].unsigned_abs() as usize);
        let sides = split::sides(&self.heard, &self.recipe, chunk, job.split, job.folds, fold)?;
        let run = Run {
            set: &self.heard,
            arch,
            recipe: &self.recipe,
            learn: sides.learn,
            watch: sides.watch,
            fold,
            seed,
            device: self.device,
            checkpoint: None,
            fingerprint: String::new(),
            resume: false,
            taught: None,
        };
        let model = run.fit(cancel, &mut |_| {}, &mut |_| {})?.model;
        let said = tch::no_grad(|| {
            let x = Tensor::from_slice(&self.features).view([-1, arch::FROZEN_FEATURES as i64]).to_device(self.device);
            let logits = model.net.head(&model.net.learn(&x, false), false);
            (logits / self.teach.temperature).softmax(-1, Kind::Float)
        });
        let said = to_vec(&said)?;
        let known: HashSet<u32> = sampler.items.iter().map(|i| i.clip).collect();
        let genres = sampler.set.genres.len();
        let mut taught = Taught::default();
        for (number, said) in (0_u64..).zip(said.chunks_exact(genres)) {
            let mixture = Mixture::of(sampler, number);
            if mixture.items.iter().all(|i| known.contains(&i.clip)) {
                let share = self.teach.share as f32;
                let labels = mixture.labels(sampler);
                taught.mixtures.push(mixture);
                taught.targets.extend(said.iter().zip(labels).map(|(s, l)| share * s + (1.0 - share) * l));
            }
        }
        if taught.mixtures.len() < sampler.batch {
            let reason =
                "too few mixtures of clips that are learned from; --set teacher.share=0 learns from labels alone";
            return Err(TrainError::TooLittle(reason.to_owned()));
        }
        Ok(taught)
    }
}

/// Where the trunk is, or what to do without.
fn trunk() -> Result<PathBuf, TrainError> {
    let advice = |e: String| TrainError::Recipe(format!("its teacher: {e}; or learn without: --set teacher.share=0"));
    deepcuts_protocol::find_trunk(None).map_err(advice)
}

/// The trunk's features of every mixture.
fn listen(sampler: &Sampler<'_>, mixtures: u32, device: Device, cancel: &AtomicBool) -> Result<Frames, TrainError> {
    let set = sampler.set;
    let arch = Arch::Deep;
    let net = taps::frozen(arch, &trunk()?, device)?;
    let [frames, bands] = arch.input();
    let size = sampler.chunk * set.bands;
    let mut all = Vec::with_capacity(mixtures as usize * arch::FROZEN_FEATURES);
    let numbers: Vec<u64> = (0..u64::from(mixtures)).collect();
    for group in numbers.chunks(PASS) {
        if cancel.load(Ordering::Relaxed) {
            return Err(TrainError::TooLittle("it was stopped before training began".to_owned()));
        }
        let mut chunks = vec![0.0; group.len() * size];
        for (&number, out) in group.iter().zip(chunks.chunks_exact_mut(size)) {
            Mixture::of(sampler, number).lay_out(sampler, out, None);
        }
        let features = tch::no_grad(|| {
            let x = Tensor::from_slice(&chunks).view([-1, frames, set.bands as i64]).to_device(device);
            net.frozen(&arch::prepare_for(arch, &x, set.front_end, bands))
        });
        all.extend(to_vec(&features)?.into_iter().map(f16::from_f32));
    }
    Ok(Frames::Halves(all))
}
