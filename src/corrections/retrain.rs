//! Retraining, from the corrections to a proposal: collect the lessons, let the ears learn, let the candidate name the
//! library, say what would change. Nothing is changed until [`Proposal::accept`]; what is not accepted leaves no trace
//! but its report.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use deepcuts_protocol::{Depth, LessonFile, ModelCard, RetrainJob, RetrainReport, TrainSay, WirePath};

use super::{
    gate,
    lessons::{Lesson, Lessons},
    models::kept_for,
    preview::Preview,
    report::{Facts, Run},
};
use crate::{
    config::Config,
    ears::{self, Setup},
    paths::Paths,
    relabel::{self, RelabelError},
    store::{How, Store, StoreError},
};

/// Where a candidate lies until it is accepted, below the user's models.
const STAGING: &str = ".candidate";

/// What a retraining works with.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// The settings.
    pub config: &'a Config,
    /// The places.
    pub paths: &'a Paths,
    /// How the ears are started, with the model that is corrected.
    pub setup: Setup,
    /// Its card.
    pub card: ModelCard,
    /// How much of it learns.
    pub depth: Depth,
    /// Propose what the gate refuses, too, and learn from less than is asked for.
    pub force: bool,
}

/// How far it is.
#[derive(Debug)]
pub enum Step {
    /// What is learned from: tracks, artists, new genres.
    Lessons {
        /// Corrected tracks.
        tracks: usize,
        /// Artists (or albums) they come from.
        artists: usize,
        /// Genres that the model gets an output for.
        new_genres: Vec<String>,
        /// Genres that too few tracks are corrected to, and how many are.
        too_few: Vec<(String, usize)>,
    },
    /// The ears learn.
    Learning(TrainSay),
    /// The candidate names the library.
    Naming {
        /// Tracks done.
        done: u64,
        /// Of so many.
        total: u64,
    },
}

/// Why there is no proposal.
#[derive(Debug, thiserror::Error)]
pub enum RetrainError {
    /// Too little was corrected.
    #[error("{0}")]
    TooLittle(String),
    /// It was stopped.
    #[error("stopped; nothing was changed")]
    Stopped,
    /// Another one is at it.
    #[error("another deepcuts is retraining this library's model; wait for it, or stop it")]
    Busy,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ears.
    #[error("{0}")]
    Ears(String),
    /// A file.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl From<RelabelError> for RetrainError {
    fn from(error: RelabelError) -> Self {
        match error {
            RelabelError::Store(e) => Self::Store(e),
            RelabelError::Ears(reason) => Self::Ears(reason),
        }
    }
}

/// One retraining at a time; the system lets go of it however the process ends.
#[derive(Debug)]
struct Turn(#[allow(dead_code)] File);

impl Turn {
    fn take(paths: &Paths) -> Result<Self, RetrainError> {
        let mut name = paths.database.as_os_str().to_owned();
        name.push(".retrain");
        let path = PathBuf::from(name);
        let io = |source| RetrainError::Io { path: path.clone(), source };
        let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self(lock)),
            Err(TryLockError::WouldBlock) => Err(RetrainError::Busy),
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }
}

/// A candidate that may be accepted.
#[derive(Debug)]
pub struct Proposal {
    /// What the ears measured, what the gate says and what would change (nothing where the whole network learned and
    /// the library has to be heard again).
    pub facts: Facts,
    /// The report for people (Markdown); JSON beside it.
    pub document: PathBuf,
    /// The candidate's card.
    pub card: ModelCard,
    tracks: Vec<i64>,
    staged: PathBuf,
    settings: String,
    setup: Setup,
    user_models: PathBuf,
    _turn: Turn,
}

/// Learn from the corrections, and say what it would change.
///
/// # Errors
/// Too little to learn from; stopped; what the ears or the database said. Nothing is left of the candidate then.
pub fn retrain(
    store: &Store,
    plan: &Plan<'_>,
    cancel: &Arc<AtomicBool>,
    tell: &mut dyn FnMut(Step),
) -> Result<Proposal, RetrainError> {
    let turn = Turn::take(plan.paths)?;
    // What a killed retraining left.
    clean_up(store, plan.paths)?;
    store.put_model(&plan.setup.model, &plan.card)?;
    let lessons = Lessons::collect(store, &plan.card, &plan.config.retrain)?;
    if let Some(lack) = lessons.lacks(&plan.config.retrain).filter(|_| !plan.force || lessons.tracks.is_empty()) {
        return Err(RetrainError::TooLittle(lack));
    }
    let (tracks, artists) = lessons.count();
    tell(Step::Lessons { tracks, artists, new_genres: lessons.new_genres.clone(), too_few: lessons.too_few.clone() });
    let proposed = propose(store, plan, &lessons, cancel, tell, turn);
    if proposed.is_err() {
        clean_up(store, plan.paths)?;
    }
    proposed
}

fn propose(
    store: &Store,
    plan: &Plan<'_>,
    lessons: &Lessons,
    cancel: &Arc<AtomicBool>,
    tell: &mut dyn FnMut(Step),
    turn: Turn,
) -> Result<Proposal, RetrainError> {
    let staging = plan.paths.user_models.join(STAGING);
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| RetrainError::Io { path, source }
    };
    std::fs::create_dir_all(&staging).map_err(io(&staging))?;
    let lesson_file = staging.join("lessons.st");
    lessons.write(&lesson_file).map_err(io(&lesson_file))?;
    let full = plan.depth == Depth::Full;
    let kept = |what| kept_for(&plan.setup.model, &plan.card, plan.paths, what).map(WirePath);
    let file = |t: &Lesson| LessonFile { path: WirePath(t.path.clone()), identity: t.audio.clone() };
    let job = RetrainJob {
        model: WirePath(plan.setup.model.clone()),
        replay: kept("replay"),
        features: full.then(|| kept("features")).flatten(),
        lessons: WirePath(lesson_file.clone()),
        genres: lessons.genres.clone(),
        renamed: lessons.renamed.clone(),
        depth: plan.depth,
        files: lessons.tracks.iter().filter(|_| full).map(file).collect(),
        cache: full.then(|| WirePath(plan.paths.index.with_file_name("features"))),
        min_tracks: if plan.force { 0 } else { plan.config.retrain.min_tracks },
        out: WirePath(staging.clone()),
        name: next_name(store, plan.paths, &plan.card.name)?,
        folds: plan.config.retrain.folds,
        seed: u64::from(plan.config.retrain.seed),
        device: Some(plan.setup.device.clone()),
        threads: 0,
    };
    let mut report: Option<RetrainReport> = None;
    let mut runs = Vec::new();
    let mut unheard = Vec::new();
    ears::work(&plan.setup.program, "retrain", &job, true, cancel, &mut |say| {
        match &say {
            TrainSay::Curve { fold, seed, point, .. } => Run::note(&mut runs, *fold, *seed, *point),
            TrainSay::Skipped { path, reason } => unheard.push((path.0.clone(), reason.clone())),
            _ => {}
        }
        match say {
            TrainSay::Retrained { report: said } => report = Some(*said),
            other => tell(Step::Learning(other)),
        }
    })
    .map_err(RetrainError::Ears)?;
    let _ = std::fs::remove_file(&lesson_file);
    if cancel.load(Ordering::Relaxed) {
        return Err(RetrainError::Stopped);
    }
    let report = report.ok_or_else(|| RetrainError::Ears("the ears learned and reported nothing".to_owned()))?;
    let staged = report.weights.0.clone();
    let card = ModelCard::read_for(&staged).map_err(|e| RetrainError::Ears(e.to_string()))?;
    if card.id() != report.candidate || card.id() == plan.card.id() || !staged.starts_with(&staging) {
        return Err(RetrainError::Ears("the ears reported another model than they made".to_owned()));
    }
    let verdict = gate::judge(&report, &plan.config.retrain);
    let setup = Setup { model: staged.clone(), ..plan.setup.clone() };
    let preview = if verdict.passed || plan.force {
        store.put_candidate(&staged, &card)?;
        relabel::missing(store, &setup, &card, cancel, &mut |done, total| tell(Step::Naming { done, total }))?;
        if cancel.load(Ordering::Relaxed) {
            return Err(RetrainError::Stopped);
        }
        Preview::of(store, plan.card.id(), card.id())?
    } else {
        Preview::default()
    };
    let to_hear = if report.depth == Depth::Full { store.stats()?.files } else { 0 };
    let names = (card.name.as_str(), plan.card.name.as_str());
    let mut facts = Facts::new(store, names, &report, &verdict, &preview, lessons);
    (facts.runs, facts.to_hear, facts.asked) = (runs, to_hear, plan.depth);
    facts.left_out.extend(unheard.iter().map(|(path, reason)| format!("{}: {reason}", path.display())));
    let document = facts.save(&plan.paths.user_models).map_err(|(path, source)| RetrainError::Io { path, source })?;
    Ok(Proposal {
        facts,
        document,
        card,
        tracks: lessons.tracks.iter().map(|t| t.track).collect(),
        staged,
        settings: plan.config.ears.model.clone(),
        setup,
        user_models: plan.paths.user_models.clone(),
        _turn: turn,
    })
}

impl Proposal {
    /// Promote the candidate: its files go to the user's models, and in one transaction it is in force with every mix.
    /// Returns where its weights are.
    ///
    /// # Errors
    /// A file, the ears (tracks that were heard meanwhile are named first), the database.
    pub fn accept(self, store: &Store, tell: &mut dyn FnMut(Step)) -> Result<PathBuf, RetrainError> {
        let go_on = AtomicBool::new(false);
        store.put_candidate(&self.staged, &self.card)?;
        // There is nothing to name where the whole network learned: no track was heard by it yet.
        let tell = &mut |done, total| tell(Step::Naming { done, total });
        relabel::missing(store, &self.setup, &self.card, &go_on, tell)?;
        let name = self.staged.file_name().unwrap_or_default();
        let weights = self.user_models.join(name);
        // The weights last: without a card they are no model, and a card without weights is none either.
        for ending in files_of_a_model() {
            let (from, to) = (self.staged.with_extension(ending), weights.with_extension(ending));
            let io = |source| RetrainError::Io { path: to.clone(), source };
            match File::open(&from) {
                // A last layer listens through its parent's network, and replays what that does.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound && ending.contains('.') => continue,
                file => file.and_then(|file| file.sync_all()).map_err(io)?,
            }
            std::fs::rename(&from, &to).map_err(io)?;
        }
        let folder = File::open(&self.user_models).and_then(|dir| dir.sync_all());
        folder.map_err(|source| RetrainError::Io { path: self.user_models.clone(), source })?;
        store.promote(self.card.id(), &weights, &self.settings, How::Retrained, &self.tracks)?;
        let _ = std::fs::remove_dir_all(self.user_models.join(STAGING));
        Ok(weights)
    }

    /// Leave everything as it is: the candidate and all that it named are forgotten. Its report stays.
    ///
    /// # Errors
    /// The database.
    pub fn refuse(self, store: &Store) -> Result<(), RetrainError> {
        store.drop_candidates(Some(self.card.id()))?;
        let _ = std::fs::remove_dir_all(self.user_models.join(STAGING));
        Ok(())
    }
}

/// Endings of a model's files, the weights last: what it replays is there where more than its last layer learned.
#[must_use]
pub fn files_of_a_model() -> [&'static str; 4] {
    ["features.safetensors", "replay.safetensors", "json", "safetensors"]
}

/// Forget candidates and their files; those, too, that a killed acceptance had moved and not put in force.
fn clean_up(store: &Store, paths: &Paths) -> Result<(), RetrainError> {
    let staging = paths.user_models.join(STAGING);
    for (id, staged) in store.candidates()? {
        let Some(name) = staged.file_name().filter(|_| staged.parent() == Some(&staging)) else { continue };
        let weights = paths.user_models.join(name);
        if weights.exists() && !ModelCard::read_for(&weights).is_ok_and(|card| card.id() == id) {
            continue;
        }
        for ending in files_of_a_model() {
            let path = weights.with_extension(ending);
            is_gone(std::fs::remove_file(&path), path)?;
        }
    }
    store.drop_candidates(None)?;
    is_gone(std::fs::remove_dir_all(&staging), staging)
}

/// What was to be removed and is not there is removed.
fn is_gone(removed: std::io::Result<()>, path: PathBuf) -> Result<(), RetrainError> {
    match removed {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(RetrainError::Io { path, source }),
        _ => Ok(()),
    }
}

/// `cuts-1` after `cuts`, `cuts-2` after that: the first number that nobody has.
fn next_name(store: &Store, paths: &Paths, parent: &str) -> Result<String, StoreError> {
    let stem = match parent.rsplit_once('-') {
        Some((stem, n)) if !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()) => stem,
        _ => parent,
    };
    // A name is a file's name here.
    let stem: String = stem.chars().map(|c| if c.is_alphanumeric() || c == '-' { c } else { '-' }).collect();
    let taken: std::collections::HashSet<String> = store.models()?.into_iter().map(|m| m.card.name).collect();
    let free = |name: &String| !taken.contains(name) && !paths.user_models.join(format!("{name}.safetensors")).exists();
    Ok((1_u32..).map(|n| format!("{stem}-{n}")).find(free).unwrap_or(stem))
}
