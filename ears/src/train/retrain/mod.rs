//! Learning from a listener: corrections in, a candidate and a report out. The last layer is fitted to stored embeddings
//! (`course`), judged by folds of the listener's own artists and by artists of the base data that the network never saw
//! (`gain`), and held against itself (`doubts`).
//!
//! It measures; whether the candidate is good enough is the desk's to say. It knows no database and no tags.

mod body;
mod course;
mod doubts;
mod gain;
mod hear;
mod known;
mod layer;
mod music;
mod newcomer;
mod ship;

use std::{sync::atomic::AtomicBool, time::Instant};

use deepcuts_protocol::{
    CurvePoint, Depth, FoldScore, PROTOCOL_VERSION, RetrainJob, RetrainReport, TrainSay, WirePath,
};

use self::{
    course::{Course, Learned, Look, Parent, mean_scores},
    gain::Verdict,
    layer::Layer,
    music::{Music, Outputs, Replay, largest},
    ship::{Below, Old, Worth},
};
use super::{
    TrainError,
    calibrate::{self, Judged},
};

/// At most this share of the rightly named rows falls below the unsure threshold.
const RIGHT_ROWS_LOST: f64 = 0.15;
/// Fewer held-out rows than this fit no temperature: the parent's stays.
const ROWS_TO_CALIBRATE: usize = 100;

/// Retrain.
///
/// # Errors
/// Names what is wrong with the job, the model, the replay set, the lessons or the output.
pub fn retrain(job: &RetrainJob, cancel: &AtomicBool, say: &mut dyn FnMut(TrainSay)) -> Result<(), TrainError> {
    match learn(job, cancel, say) {
        Ok(report) => {
            let (path, share) = (report.weights.clone(), report.mine.after);
            let judged = report.mine.tracks > 0;
            say(TrainSay::Retrained { report: Box::new(report) });
            say(TrainSay::Done { path: Some(path), clip_accuracy: judged.then_some(share) });
            Ok(())
        }
        Err(TrainError::Stopped) => {
            say(TrainSay::Stopping);
            say(TrainSay::Done { path: None, clip_accuracy: None });
            Ok(())
        }
        Err(e) => Err(e),
    }
}

fn learn(job: &RetrainJob, cancel: &AtomicBool, say: &mut dyn FnMut(TrainSay)) -> Result<RetrainReport, TrainError> {
    let began = Instant::now();
    check(job)?;
    crate::startup::lower_priority();
    if job.threads > 0 {
        tch::set_num_threads(i32::try_from(job.threads).unwrap_or(1));
    }
    let old = Old::read(&job.model.0)?;
    let outputs = Outputs::new(job.genres.clone(), job.renamed.clone());
    let width = usize::from(old.card.embedding_dim);
    let (weight, bias) = old.head()?;
    let full = match job.depth {
        Depth::Head => None,
        Depth::Full => Some(old.body()?),
    };
    let (arch, body) = full.unzip();
    let parent = Parent {
        genres: old.card.genres.clone(),
        layer: Layer::new(&weight, &bias, width),
        temperature: f64::from(old.card.temperature),
        became: old.card.genres.iter().map(|g| outputs.of(g)).collect(),
        body,
        known: known::Known::of(&old.tensors, old.card.unfamiliar_beyond),
    };
    let mut lessons = music::lessons(&job.lessons.0, width, job.genres.len())?;
    doubts::join_copies(&mut lessons);
    let mut replay = match &job.replay {
        Some(WirePath(path)) => Some(music::replay(path, width, old.card.trunk_id(), &outputs)?),
        None => None,
    };
    let mut features = Vec::new();
    if let Some(arch) = arch {
        let (Some(replay), Some(WirePath(path))) = (&mut replay, &job.features) else {
            return Err(TrainError::Source {
                path: old.path.clone(),
                reason: "what its trunk made of the music that it learned from is not here (a .features.safetensors \
                         beside its .replay.safetensors): nothing would hold the old genres in place. Leave out --full"
                    .to_owned(),
            });
        };
        features = music::features(path, old.card.trunk_id(), replay.all)?;
        replay.music.take_features(&features);
        hear::lessons(job, &old.card, arch, &mut lessons, cancel, say)?;
    }
    if lessons.targets.iter().all(|&t| t == 0.0) {
        return Err(TrainError::TooLittle("nothing was said of any track".to_owned()));
    }
    let course = Course {
        lessons: &lessons,
        replay: replay.as_ref(),
        outputs: &outputs,
        parent: &parent,
        folds: job.folds,
        seed: job.seed,
        cancel,
    };
    say(TrainSay::Started {
        protocol: PROTOCOL_VERSION,
        device: "cpu".to_owned(),
        clips: lessons.tracks.len() as u32,
        genres: job.genres.clone(),
        runs: job.folds + 1,
    });
    let learned = course.run(&mut |look| say(point(&look, job, &began)))?;
    let outcome = Outcome { job, course: &course, learned: &learned };
    let (worth, temperature) = outcome.worth(&old);
    let mine = outcome.mine(temperature);
    let base = replay.as_ref().map(|r| outcome.base(r, temperature)).unwrap_or_default();
    // Doubts are held against scores as sharp as the parent's: labels that contradict each other blur the new ones.
    let held: Vec<Vec<f64>> = lessons.tracks.iter().map(|t| outcome.held(t.rows.clone(), parent.temperature)).collect();
    let doubts = doubts::find(&lessons, &held, &job.genres);
    let known = outcome.known()?;
    let below = job.replay.as_ref().map(|r| Below { replay: &r.0, features: &features });
    let (path, id) = ship::write(job, &old, &learned.learner, known.as_ref(), worth, below.as_ref())?;
    Ok(RetrainReport {
        parent: old.card.id().to_owned(),
        candidate: id,
        weights: WirePath(path),
        depth: if learned.learner.body.is_some() { Depth::Full } else { Depth::Head },
        new_genres: (job.genres.iter().enumerate())
            .filter(|(i, _)| !parent.became.contains(&Some(*i)))
            .map(|(_, g)| g.clone())
            .collect(),
        genres: gain::by_genre(&job.genres, &mine, &base),
        mine: gain::paired(&mine, job.seed),
        base: (!base.is_empty()).then(|| gain::paired(&base, job.seed)),
        poisoned: doubts::verdict(&lessons, &doubts),
        doubts,
        seconds: began.elapsed().as_secs_f64(),
    })
}

fn check(job: &RetrainJob) -> Result<(), TrainError> {
    let bad = |reason: &str| Err(TrainError::Recipe(reason.to_owned()));
    let mut names = job.genres.clone();
    names.sort();
    names.dedup();
    if job.genres.len() < 2 || job.genres.len() >= usize::from(deepcuts_protocol::UNSURE) {
        return bad("a model has 2 to 254 genres");
    }
    if names.len() < job.genres.len() {
        return bad("a genre is there twice");
    }
    if job.name.is_empty() || job.name.contains(['/', '\\', '\0']) || job.name.starts_with('.') {
        return bad("the name of a model is the name of a file");
    }
    Ok(())
}

fn point(look: &Look, job: &RetrainJob, began: &Instant) -> TrainSay {
    let done = f64::from(look.fold.unwrap_or(job.folds)) + 0.5;
    let left = f64::from(job.folds + 1) - done;
    TrainSay::Curve {
        fold: look.fold.unwrap_or(job.folds),
        seed: job.seed,
        point: CurvePoint {
            step: look.step,
            epoch: f64::from(look.step),
            train_loss: look.train_loss,
            train_accuracy: look.train_accuracy,
            valid_loss: look.held_loss,
            valid_accuracy: look.held_accuracy,
        },
        eta_s: (began.elapsed().as_secs_f64() / done * left) as u64,
    }
}

/// What was learned, and what it was learned from.
struct Outcome<'a> {
    job: &'a RetrainJob,
    course: &'a Course<'a>,
    learned: &'a Learned,
}

impl Outcome<'_> {
    /// Mean held-out scores of some rows of the lessons, empty where there were no folds.
    fn held(&self, rows: std::ops::Range<usize>, temperature: f64) -> Vec<f64> {
        let logits: Vec<f32> = rows.filter_map(|r| self.learned.held.get(r)).flatten().copied().collect();
        if logits.is_empty() { Vec::new() } else { mean_scores(&logits, self.job.genres.len(), temperature) }
    }

    /// The new output that the old layer named, none where that genre was given up.
    fn before(&self, music: &Music, rows: std::ops::Range<usize>) -> Option<usize> {
        let parent = self.course.parent;
        // Outputs that were merged count together; those that were given up each stand alone.
        let genres = self.job.genres.len();
        let mut sums = vec![0.0; genres + parent.genres.len()];
        for (i, score) in self.course.heard_before(music, rows).into_iter().enumerate() {
            let at = parent.became.get(i).copied().flatten().unwrap_or(genres + i);
            if let Some(slot) = sums.get_mut(at) {
                *slot += score;
            }
        }
        Some(calibrate::best(&sums).0).filter(|&at| at < genres)
    }

    fn mine(&self, temperature: f64) -> Vec<Verdict> {
        let lessons = self.course.lessons;
        let verdict = |track: &music::Track| {
            let held = self.held(track.rows.clone(), temperature);
            Some(Verdict {
                group: track.group,
                said: track.said()?,
                before: self.before(lessons, track.rows.clone()),
                after: if held.is_empty() { return None } else { calibrate::best(&held).0 },
            })
        };
        lessons.tracks.iter().filter_map(verdict).collect()
    }

    /// Tracks of the base data that neither the base nor the candidate learned from.
    fn base(&self, replay: &Replay, temperature: f64) -> Vec<Verdict> {
        let unseen = replay.music.tracks.iter().zip(&replay.learned).filter(|(t, l)| !**l && !t.rows.is_empty());
        unseen
            .filter_map(|(track, _)| {
                let logits = self.after(&replay.music, track.rows.clone());
                Some(Verdict {
                    group: track.group,
                    said: track.said()?,
                    before: self.before(&replay.music, track.rows.clone()),
                    after: calibrate::best(&mean_scores(&logits, self.job.genres.len(), temperature)).0,
                })
            })
            .collect()
    }

    fn after(&self, music: &Music, rows: std::ops::Range<usize>) -> Vec<f32> {
        self.learned.learner.logits(music, rows)
    }

    /// What the new network is familiar with, where that is not what its parent was.
    fn known(&self) -> Result<Option<known::Known>, TrainError> {
        let (course, learner) = (self.course, &self.learned.learner);
        let Some(old) = &course.parent.known else { return Ok(None) };
        let lessons = learner.hears(course.lessons);
        let replay = course.replay.map(|r| Replay { music: learner.hears(&r.music), ..r.clone() });
        let anew = match &replay {
            Some(replay) if learner.body.is_some() => Some(known::Known::anew(replay)?),
            _ => None,
        };
        let widened = anew.as_ref().unwrap_or(old).widened(&lessons, replay.as_ref());
        Ok(widened.or(anew))
    }

    /// Temperature, threshold and scores, from rows that judged without having been learned.
    fn worth(&self, old: &Old) -> (Worth, f64) {
        let genres = self.job.genres.len();
        let lessons = self.course.lessons;
        let judged = |clip: usize, fold: u32, said: usize, logits: &[f32]| Judged {
            clip: clip as u32,
            fold,
            label: u8::try_from(said).unwrap_or(u8::MAX),
            logits: logits.to_vec(),
        };
        let mut mine = Vec::new();
        for (i, track) in lessons.tracks.iter().enumerate() {
            let fold = self.learned.fold_of.get(i).copied().unwrap_or(0);
            for row in track.rows.clone() {
                let logits = self.learned.held.get(row).filter(|l| !l.is_empty());
                if let (Some(said), Some(logits)) = (largest(lessons.target(row)), logits) {
                    mine.push(judged(i, fold, said, logits));
                }
            }
        }
        let mut chunks = mine.clone();
        if let Some(replay) = self.course.replay {
            for (i, (track, _)) in
                replay.music.tracks.iter().zip(&replay.learned).enumerate().filter(|(_, (_, l))| !**l)
            {
                let Some(said) = track.said() else { continue };
                let logits = self.after(&replay.music, track.rows.clone());
                // The unseen fold is one fold more.
                chunks.extend(logits.chunks_exact(genres).map(|l| judged(i, self.learned.folds, said, l)));
            }
        }
        let mut worth = Worth {
            temperature: old.card.temperature,
            unsure_below: old.card.unsure_below,
            unsure: None,
            calibration_error: None,
            folds: self.folds(&mine),
            tracks: lessons
                .tracks
                .iter()
                .filter(|t| t.rows.clone().any(|r| largest(lessons.target(r)).is_some()))
                .count(),
            groups: gain::paired(&self.mine(f64::from(old.card.temperature)), 0).groups,
            steps: self.learned.steps,
        };
        if chunks.len() >= ROWS_TO_CALIBRATE {
            let refs: Vec<&Judged> = chunks.iter().collect();
            let pairs = calibrate::cross_fitted(&chunks);
            let below = calibrate::unsure_below(&pairs, RIGHT_ROWS_LOST);
            worth.temperature = calibrate::temperature(&refs) as f32;
            worth.unsure_below = below as f32;
            worth.unsure = Some(calibrate::unsure_score(&pairs, below));
            worth.calibration_error = Some(calibrate::error_of(&calibrate::curve(&pairs)));
        }
        let temperature = f64::from(worth.temperature);
        (worth, temperature)
    }

    fn folds(&self, mine: &[Judged]) -> Vec<FoldScore> {
        let share = |right: usize, n: usize| right as f64 / n.max(1) as f64;
        (0..self.learned.folds)
            .map(|fold| {
                let rows: Vec<Judged> = mine.iter().filter(|j| j.fold == fold).cloned().collect();
                let clips = calibrate::clips(&rows);
                let right = rows.iter().filter(|j| calibrate::best(&j.scores(1.0)).0 == usize::from(j.label)).count();
                FoldScore {
                    fold,
                    seed: self.job.seed,
                    clips: clips.len() as u32,
                    clip_accuracy: share(clips.iter().filter(|c| c.right()).count(), clips.len()),
                    chunk_accuracy: share(right, rows.len()),
                }
            })
            .collect()
    }
}
