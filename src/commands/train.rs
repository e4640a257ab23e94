//! `train`: write the job, start the ears on it, and show how it goes.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

use anyhow::Context as _;
use deepcuts_protocol::{CurvePoint, FrontEnd, LabelledFile, Split, TrainJob, TrainSay, TrainSource, WirePath};

use super::{Desk, Outcome, scan::cancel_on_signal, talk, talk_part};
use crate::{
    cli::{SplitBy, TrainArgs},
    ears, paths,
    text::{clean, clean_path},
};

pub(super) fn run(desk: &Desk, args: &TrainArgs) -> anyhow::Result<Outcome> {
    let source = match &args.source {
        Some(path) => source_at(path, args.tracks.as_deref())?,
        None => TrainSource::List { files: library(desk)? },
    };
    let recipe_file = args.recipe.as_ref().map(PathBuf::from).filter(|p| p.extension().is_some_and(|e| e == "toml"));
    let front_end = args.front_end.as_deref().map(front_end_of).transpose()?;
    let job = TrainJob {
        source,
        arch: args.arch.clone(),
        front_end,
        recipe: args.recipe.clone().filter(|_| recipe_file.is_none()),
        recipe_file: recipe_file.map(absolute).transpose()?,
        set: args.set.clone(),
        split: match args.protocol {
            SplitBy::Artist => Split::Artist,
            SplitBy::Sturm => Split::Sturm,
            SplitBy::Paper => Split::Paper,
        },
        folds: args.folds,
        only_folds: args.fold.clone(),
        seeds: args.seeds.clone(),
        name: args.name.clone(),
        out: absolute(args.out.clone().unwrap_or_else(|| desk.paths.user_models.clone()))?,
        cache: Some(cache(desk)),
        resume: args.resume,
        device: Some(desk.config.ears.device.clone()),
        threads: 0,
        data: args.data.clone(),
        licence: args.licence.clone(),
    };
    follow("train", &job)
}

/// Features of labelled audio are kept beside the search index: both can be made again.
pub(super) fn cache(desk: &Desk) -> WirePath {
    WirePath(desk.paths.index.with_file_name("features"))
}

fn absolute(path: PathBuf) -> anyhow::Result<WirePath> {
    Ok(WirePath(std::path::absolute(&path).with_context(|| clean_path(&path))?))
}

fn front_end_of(name: &str) -> anyhow::Result<FrontEnd> {
    [FrontEnd::Cuts, FrontEnd::Paper128, FrontEnd::Paper256]
        .into_iter()
        .find(|f| f.name() == name)
        .with_context(|| format!("--front-end {}: there are cuts, paper-128 and paper-256", clean(name)))
}

/// What lies at `path`, by its kind.
pub(super) fn source_at(path: &Path, tracks: Option<&Path>) -> anyhow::Result<TrainSource> {
    let whole = absolute(path.to_path_buf())?;
    let tracks = tracks.map(|t| absolute(t.to_path_buf())).transpose()?;
    anyhow::ensure!(path.exists(), "{}: there is no such file or folder", clean_path(path));
    if path.is_dir() {
        return Ok(TrainSource::Folder { path: whole, tracks });
    }
    match path.extension().and_then(|e| e.to_str()) {
        Some("csv") => Ok(TrainSource::Csv { path: whole }),
        Some("safetensors") => Ok(TrainSource::Features { path: whole, tracks }),
        _ => anyhow::bail!(
            "{}: a folder of genre folders, a .csv of path,genre, or features (.safetensors) can be learned from",
            clean_path(path)
        ),
    }
}

/// The library's own files: by what the user said of the whole track, else by the first known genre in the file
/// that we did not write ourselves.
fn library(desk: &Desk) -> anyhow::Result<Vec<LabelledFile>> {
    let store = desk.reader()?;
    let taxonomy = store.taxonomy()?;
    let mut said: BTreeMap<i64, String> = BTreeMap::new();
    for c in store.corrections(None)?.into_iter().filter(|c| c.undone_ms.is_none() && c.span.is_none()) {
        if let Some((genre, _)) = c.genres.iter().max_by_key(|(_, weight)| *weight) {
            said.insert(c.track, genre.clone());
        }
    }
    let mut files = Vec::new();
    store.each_file(|file| {
        let ours = file.written_genres.as_ref() == Some(&file.tags.genres);
        let tagged = || file.tags.genres.iter().filter(|_| !ours).find_map(|g| taxonomy.resolve(g));
        let genre = said.get(&file.track).cloned().or_else(|| tagged().map(|g| g.slug().to_owned()));
        if let Some(genre) = genre.filter(|_| file.present) {
            let artist = file.tags.album_artist.clone().or_else(|| file.tags.artist.clone());
            let path = WirePath(file.path);
            files.push(LabelledFile { path, genre, artist, identity: None });
        }
    })?;
    anyhow::ensure!(
        !files.is_empty(),
        "nothing in the library is labelled: correct some tracks (`deepcuts correct`), or tag the files with genres"
    );
    Ok(files)
}

/// Hand a job to the ears, and tell what they say until they end. Ctrl-C asks them to stop and keep the best so far.
pub(super) fn follow(what: &str, job: &impl serde::Serialize) -> anyhow::Result<Outcome> {
    let program = paths::ears().map_err(anyhow::Error::msg)?;
    let cancel = cancel_on_signal()?;
    let mut show = Show::default();
    ears::work(&program, what, job, false, &cancel, &mut |say| show.say(say)).map_err(anyhow::Error::msg)?;
    Ok(if cancel.load(Ordering::Relaxed) { Outcome::Interrupted } else { Outcome::Good })
}

/// What is shown on stderr while the ears work; the path of what they made goes to stdout.
#[derive(Debug, Default)]
pub(super) struct Show {
    /// The path of what was made is not for stdout.
    pub(super) quiet_end: bool,
    /// One line that moves, and none where there is no terminal.
    pub(super) short: bool,
    terminal: Option<bool>,
    runs: u32,
    run: u32,
    steps: u32,
    curve: Vec<CurvePoint>,
    scores: Vec<f64>,
}

impl Show {
    fn terminal(&mut self) -> bool {
        *self.terminal.get_or_insert_with(|| std::io::stderr().is_terminal())
    }

    pub(super) fn say(&mut self, say: TrainSay) {
        match say {
            TrainSay::Started { device, clips, genres, runs, .. } => {
                self.runs = runs;
                let genres: Vec<String> = genres.iter().map(|g| clean(g).into_owned()).collect();
                talk(format_args!(
                    "deepcuts: {clips} clips, {} genres ({}), {runs} runs, on {device}",
                    genres.len(),
                    genres.join(" ")
                ));
            }
            TrainSay::Hearing { done, total, failed } => {
                if self.terminal() {
                    talk_part(format_args!("\rdeepcuts: heard {done} of {total} files, {failed} failed "));
                    if done == total {
                        talk("");
                    }
                } else if done == total || done % 100 == 0 {
                    talk(format_args!("deepcuts: heard {done} of {total} files, {failed} failed"));
                }
            }
            TrainSay::Skipped { path, reason } => {
                talk(format_args!("deepcuts: {}: {}", clean_path(&path.0), clean(&reason)))
            }
            TrainSay::Run { fold, seed, from_step, steps } => {
                self.run += 1;
                self.steps = steps;
                self.curve.clear();
                let from = if from_step > 0 { format!(", going on from step {from_step}") } else { String::new() };
                talk(format_args!("deepcuts: run {} of {}: fold {fold}, seed {seed}{from}", self.run, self.runs));
            }
            TrainSay::Curve { point, eta_s, .. } => {
                self.curve.push(point);
                let line = self.line(point, eta_s);
                if !self.short {
                    talk(format_args!("{line}"));
                } else if self.terminal() {
                    talk_part(format_args!("\r{line}\u{1b}[K"));
                }
            }
            TrainSay::Ran { score } => {
                self.scores.push(score.clip_accuracy);
                talk(format_args!(
                    "deepcuts: fold {} seed {}: {:.1} % of {} clips right, {:.1} % of the chunks",
                    score.fold,
                    score.seed,
                    score.clip_accuracy * 100.0,
                    score.clips,
                    score.chunk_accuracy * 100.0
                ));
            }
            TrainSay::Stopping => talk("deepcuts: stopped; the best so far is kept, `--resume` goes on"),
            TrainSay::Note { text } => talk(format_args!("deepcuts: {}", clean(&text))),
            TrainSay::Retrained { .. } => {}
            TrainSay::Done { path, clip_accuracy } => {
                if self.short && !self.curve.is_empty() && self.terminal() {
                    talk("");
                }
                if let Some(a) = clip_accuracy {
                    talk(format_args!("deepcuts: {:.1} % of the held-out clips right", a * 100.0));
                }
                if let Some(path) = path.filter(|_| !self.quiet_end) {
                    let _ = writeln!(std::io::stdout(), "{}", clean_path(&path.0));
                }
            }
            // An error of the whole, not a remark.
            TrainSay::Fatal { .. } => {}
        }
    }

    /// One point of the curve, and the watched accuracy so far as a line of blocks.
    fn line(&self, p: CurvePoint, eta_s: u64) -> String {
        const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let block = |a: f64| BLOCKS.get((a * 8.0) as usize).copied().unwrap_or('█');
        let curve: String = self.curve.iter().rev().take(24).rev().map(|p| block(p.valid_accuracy)).collect();
        format!(
            "  step {:>5}{} loss {:.3} / {:.3}  right {:>4.1} / {:>4.1} %  {curve}  {} left",
            p.step,
            if self.steps > 0 { format!("/{}", self.steps) } else { String::new() },
            p.train_loss,
            p.valid_loss,
            p.train_accuracy * 100.0,
            p.valid_accuracy * 100.0,
            super::scan::span(eta_s as f64)
        )
    }
}
