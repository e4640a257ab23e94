//! A training job from its source to the weights: every fold and seed, then what they say together.

use std::{
    cell::{Cell, RefCell},
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use deepcuts_protocol::{CurvePoint, FrontEnd, PROTOCOL_VERSION, RunScore, Split, TrainJob, TrainSay, WirePath};
use serde::{Deserialize, Serialize};

use super::{
    TrainError,
    batch::{Item, Sampler},
    calibrate::{self, Judged},
    data::Set,
    finish,
    fit::{self, Run},
    recipe::Recipe,
    source, split, taps,
    teacher::School,
};
use crate::model::{Arch, DeviceChoice, kind_name, weights};

/// What a finished run leaves in `NAME.runs/`, beside its weights.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RunRecord {
    pub fingerprint: String,
    pub split: Split,
    pub recipe: Recipe,
    pub genres: Vec<String>,
    /// Which clips there were; empty where an older version did not write it down.
    #[serde(default)]
    pub roll: String,
    pub score: RunScore,
    pub curve: Vec<CurvePoint>,
    pub parameters: u64,
    pub steps: u32,
    pub stopped_early: bool,
    /// Wall seconds of this process's part of the run.
    pub seconds: f64,
    /// (clip, genre, logits) of every judged chunk.
    pub judged: Vec<(u32, u8, Vec<f32>)>,
    /// The same of the watched chunks, where they are others (the paper's validation set).
    #[serde(default)]
    pub watched: Vec<(u32, u8, Vec<f32>)>,
}

impl RunRecord {
    pub fn chunks(&self) -> Vec<Judged> {
        let chunk = |(clip, label, logits): &(u32, u8, Vec<f32>)| Judged {
            clip: *clip,
            fold: self.score.fold,
            label: *label,
            logits: logits.clone(),
        };
        self.judged.iter().map(chunk).collect()
    }
}

/// Everything that the runs of a job share.
pub(super) struct Job<'a> {
    pub job: &'a TrainJob,
    pub name: String,
    pub arch: Arch,
    pub recipe: Recipe,
    pub set: Set,
    pub device: tch::Device,
    pub runs: PathBuf,
    school: Option<School>,
}

/// Train.
///
/// # Errors
/// Names what is wrong with the job, its source, or its output.
pub fn train(job: &TrainJob, cancel: &AtomicBool, say: &mut dyn FnMut(TrainSay)) -> Result<(), TrainError> {
    let job = Job::new(job, cancel, say)?;
    let folds: Vec<u32> = if job.job.only_folds.is_empty() {
        (0..split::count(job.job.split, job.job.folds)).collect()
    } else {
        job.job.only_folds.clone()
    };
    let todo: Vec<(u64, u32)> = job.job.seeds.iter().flat_map(|&s| folds.iter().map(move |&f| (s, f))).collect();
    say(TrainSay::Started {
        protocol: PROTOCOL_VERSION,
        device: kind_name(job.device).to_owned(),
        clips: job.set.clips.len() as u32,
        genres: job.set.genres.clone(),
        runs: todo.len() as u32,
    });
    if job.job.split == Split::Paper {
        say(TrainSay::Note { text: format!("split: {}", Split::Paper.meaning()) });
    }
    let mut records = Vec::new();
    for (i, &(seed, fold)) in todo.iter().enumerate() {
        let Some(record) = job.run(seed, fold, todo.len() - i - 1, cancel, say)? else {
            if records.is_empty() {
                say(TrainSay::Note { text: "stopped before anything was learned: there is no model".to_owned() });
                say(TrainSay::Done { path: None, clip_accuracy: None });
                return Ok(());
            }
            say(TrainSay::Stopping);
            break;
        };
        say(TrainSay::Ran { score: record.score.clone() });
        let stopped = record.stopped_early;
        // Beside a run that is whole, one that was stopped would only spoil the temperature and the accuracies.
        if !stopped || records.is_empty() {
            records.push(record);
        }
        if stopped || cancel.load(Ordering::Relaxed) {
            say(TrainSay::Stopping);
            break;
        }
    }
    let path = finish::ship(&job, &records)?;
    let mean = records.iter().map(|r| r.score.clip_accuracy).sum::<f64>() / records.len().max(1) as f64;
    say(TrainSay::Done { path: Some(WirePath(path)), clip_accuracy: Some(mean) });
    Ok(())
}

impl<'a> Job<'a> {
    fn new(job: &'a TrainJob, cancel: &AtomicBool, say: &mut dyn FnMut(TrainSay)) -> Result<Self, TrainError> {
        let mut recipe = match &job.recipe_file {
            Some(WirePath(path)) => {
                let fail = |reason: String| TrainError::Source { path: path.clone(), reason };
                let text = fs::read_to_string(path).map_err(|e| fail(e.to_string()))?;
                Recipe::read(&text, &job.set).map_err(|e| fail(e.to_string()))?
            }
            None => Recipe::read(Recipe::text_of(job.recipe.as_deref().unwrap_or(&job.arch))?, &job.set)?,
        };
        let arch = Arch::of_name(&job.arch).filter(|a| a.name() == recipe.arch).ok_or_else(|| {
            TrainError::Recipe(format!("the recipe is for {}, the job asks for {}", recipe.arch, job.arch))
        })?;
        if job.folds < 2 {
            return Err(TrainError::Recipe("there must be at least 2 folds".to_owned()));
        }
        let device = DeviceChoice::of_name(job.device.as_deref().unwrap_or("auto"))
            .ok_or_else(|| TrainError::Recipe("device: auto, cpu or cuda".to_owned()))?
            .device()?;
        if job.threads > 0 {
            tch::set_num_threads(i32::try_from(job.threads).unwrap_or(1));
        }
        let front_end = job.front_end.unwrap_or(recipe.front_end);
        let cache = job.cache.as_ref().map(|c| c.0.as_path());
        let set = source::read(&job.source, front_end, cache, &[], cancel, say)?;
        if set.taps.is_some() && !(arch.has_trunk() && set.bands == crate::model::arch::FROZEN_FEATURES) {
            let reason = format!("these features are of another trunk than {} listens through", arch.name());
            return Err(TrainError::Recipe(reason));
        }
        let listens = arch.has_trunk() && set.taps.is_none();
        let set = if listens { taps::tap(&set, arch, recipe.augment.floor, device, cache, cancel, say)? } else { set };
        let name = job.name.clone().unwrap_or_else(|| job.arch.clone());
        let runs = job.out.0.join(format!("{name}.runs"));
        if recipe.teacher.share > 0.0 && (job.split == Split::Paper || set.front_end != FrontEnd::Cuts) {
            // It hears whole clips, through the mel of `cuts`.
            let text = "without its teacher, which knows neither single chunks nor another front end".to_owned();
            say(TrainSay::Note { text });
            recipe.teacher.share = 0.0;
        }
        let sampler = Sampler::of(&set, arch, &recipe, Vec::new(), 0);
        let school = (recipe.teacher.share > 0.0)
            .then(|| School::open(&recipe.teacher, &sampler, device, cache, cancel, say))
            .transpose()?;
        Ok(Self { job, name, arch, recipe, set, device, runs, school })
    }

    /// Frames of a chunk, as the set has them.
    pub fn chunk_frames(&self) -> usize {
        self.set.chunk(self.arch.input()[0].unsigned_abs() as usize)
    }

    pub fn stem(&self, seed: u64, fold: u32) -> PathBuf {
        let split = match self.job.split {
            Split::Artist => "artist",
            Split::Sturm => "sturm",
            Split::Paper => "paper",
        };
        self.runs.join(format!("{split}-fold{fold}-seed{seed}"))
    }

    fn fingerprint(&self, seed: u64, fold: u32) -> String {
        let text = format!(
            "{:?} {:?} {} {fold} {seed} {}",
            self.recipe,
            self.job.split,
            self.job.folds,
            self.set.fingerprint()
        );
        blake3::hash(text.as_bytes()).to_hex().as_str().chars().take(16).collect()
    }

    pub fn sides(&self, fold: u32) -> Result<split::Sides, TrainError> {
        split::sides(&self.set, &self.recipe, self.chunk_frames(), self.job.split, self.job.folds, fold)
    }

    /// One run; none where it was stopped before it had learned anything.
    fn run(
        &self,
        seed: u64,
        fold: u32,
        runs_left: usize,
        cancel: &AtomicBool,
        say: &mut dyn FnMut(TrainSay),
    ) -> Result<Option<RunRecord>, TrainError> {
        let stem = self.stem(seed, fold);
        let fingerprint = self.fingerprint(seed, fold);
        if self.job.resume
            && let Some(record) = read_record(&stem.with_extension("json"))?
        {
            if record.fingerprint == fingerprint && !record.stopped_early {
                return Ok(Some(record));
            }
            if record.fingerprint != fingerprint {
                let reason = "it is of a run with another recipe, split or data set; take another output folder, or \
                              leave out --resume to start anew"
                    .to_owned();
                return Err(TrainError::Source { path: stem.with_extension("json"), reason });
            }
        }
        let sides = self.sides(fold)?;
        let sampler = Sampler::of(&self.set, self.arch, &self.recipe, sides.learn.clone(), seed);
        let taught =
            (self.school.as_ref()).map(|school| school.taught(self.job, &sampler, fold, seed, cancel)).transpose()?;
        let run = Run {
            set: &self.set,
            arch: self.arch,
            recipe: &self.recipe,
            learn: sides.learn,
            watch: sides.watch.clone(),
            fold,
            seed,
            device: self.device,
            checkpoint: Some(stem.with_extension("checkpoint")),
            fingerprint: fingerprint.clone(),
            resume: self.job.resume,
            taught,
        };
        let steps = run.steps();
        let began = Instant::now();
        let first = Cell::new(0);
        // Both callbacks speak, so the voice is shared through a cell.
        let voice = RefCell::new(&mut *say);
        let fitted = run.fit(
            cancel,
            &mut |from_step| {
                first.set(from_step);
                (voice.borrow_mut())(TrainSay::Run { fold, seed, from_step, steps });
            },
            &mut |point| {
                let pace = began.elapsed().as_secs_f64() / f64::from((point.step - first.get()).max(1));
                let left = f64::from(steps - point.step) + runs_left as f64 * f64::from(steps);
                (voice.borrow_mut())(TrainSay::Curve { fold, seed, point, eta_s: (pace * left) as u64 });
            },
        )?;
        if fitted.stopped && fitted.steps == 0 {
            return Ok(None);
        }
        let judged = |items: &[Item]| fit::judge(&fitted.model, &self.set, self.arch, items, fold, self.device);
        let chunks = judged(&sides.judge);
        let watched = if sides.watch == sides.judge { Vec::new() } else { judged(&sides.watch) };
        let flat = |rows: Vec<Judged>| rows.into_iter().map(|j| (j.clip, j.label, j.logits)).collect();
        let record = RunRecord {
            fingerprint,
            split: self.job.split,
            recipe: self.recipe.clone(),
            genres: self.set.genres.clone(),
            roll: self.set.roll(),
            score: score(&chunks, fold, seed),
            curve: fitted.curve,
            parameters: fitted.model.vs.trainable_variables().iter().map(|t| t.numel() as u64).sum(),
            steps,
            stopped_early: fitted.stopped,
            seconds: began.elapsed().as_secs_f64(),
            judged: flat(chunks),
            watched: flat(watched),
        };
        let fail = |reason: String| TrainError::Output { path: stem.clone(), reason };
        let bytes = weights::to_bytes(&fitted.model.vs.variables(), weights::metadata(&self.recipe.net))
            .map_err(|e| fail(e.to_string()))?;
        weights::write_whole(&stem.with_extension("safetensors"), &bytes).map_err(|e| fail(e.to_string()))?;
        let text = serde_json::to_string(&record).map_err(|e| fail(e.to_string()))?;
        weights::write_whole(&stem.with_extension("json"), text.as_bytes()).map_err(|e| fail(e.to_string()))?;
        if !fitted.stopped {
            let _ = fs::remove_file(stem.with_extension("checkpoint"));
        }
        Ok(Some(record))
    }
}

/// How judged chunks did.
pub(super) fn score(chunks: &[Judged], fold: u32, seed: u64) -> RunScore {
    let right = chunks.iter().filter(|c| calibrate::best(&c.scores(1.0)).0 == usize::from(c.label)).count();
    let clips = calibrate::clips(chunks);
    let share = |n: usize, of: usize| n as f64 / of.max(1) as f64;
    RunScore {
        fold,
        seed,
        clips: clips.len() as u32,
        clip_accuracy: share(clips.iter().filter(|c| c.right()).count(), clips.len()),
        chunk_accuracy: share(right, chunks.len()),
    }
}

/// The record of a finished run, if there is one.
pub(super) fn read_record(path: &Path) -> Result<Option<RunRecord>, TrainError> {
    let bad = |reason: String| TrainError::Source { path: path.to_path_buf(), reason };
    match fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text).map(Some).map_err(|e| bad(e.to_string())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(bad(e.to_string())),
    }
}
