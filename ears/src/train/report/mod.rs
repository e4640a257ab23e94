//! `eval`: what networks are worth, in one report: the paper's tables and figures, then ours.
//!
//! Wherever a network's own runs on this source are at hand, a clip is judged by the run that never saw its artist.
//! Otherwise the shipped weights judge everything, and the report says that this only counts if none of it was
//! trained on.

mod document;
mod figures;
mod judge;
mod paper;
mod sections;
mod tables;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::Instant,
};

use deepcuts_protocol::{EvalJob, LabelledFile, ModelCard, PROTOCOL_VERSION, Split, TrainSay, UNSURE, WirePath};
use document::Block;
use judge::Song;

use super::{
    TrainError, batch,
    calibrate::Judged,
    data::Set,
    job::{RunRecord, read_record},
    source,
};
use crate::model::{DeviceChoice, Network, weights};

/// Chunks that speed is measured on.
const SPEED_CHUNKS: usize = 32;
/// A track of four minutes, trimmed as tracks are.
const TRACK_MS: f64 = 200_000.0;

/// A network and all that is known of it.
struct Subject {
    card: ModelCard,
    bytes: u64,
    runs: Vec<RunRecord>,
    /// What the shipped weights say of every chunk of the source.
    direct: Vec<Judged>,
    /// Seconds a chunk takes, on this machine, in this process.
    seconds_a_chunk: f64,
    songs: Vec<Song>,
    songs_are_clips: bool,
}

impl Subject {
    /// Finished runs under a split.
    fn under(&self, split: Split) -> Vec<&RunRecord> {
        self.runs.iter().filter(|r| r.split == split).collect()
    }

    /// Chunks judged without having been seen: of the first seed's artist folds, or else of the shipped weights.
    fn honest(&self) -> (Vec<Judged>, bool) {
        let folds = self.under(Split::Artist);
        let seed = folds.iter().map(|r| r.score.seed).min();
        let chunks: Vec<Judged> =
            folds.iter().filter(|r| Some(r.score.seed) == seed).flat_map(|r| r.chunks()).collect();
        if chunks.is_empty() { (self.direct.clone(), false) } else { (chunks, true) }
    }
}

/// Judge and report.
///
/// # Errors
/// Names what cannot be read or written.
pub fn eval(job: &EvalJob, cancel: &AtomicBool, say: &mut dyn FnMut(TrainSay)) -> Result<(), TrainError> {
    if job.threads > 0 {
        tch::set_num_threads(i32::try_from(job.threads).unwrap_or(1));
    }
    let choice = DeviceChoice::of_name(job.device.as_deref().unwrap_or("auto"))
        .ok_or_else(|| TrainError::Recipe("device: auto, cpu or cuda".to_owned()))?;
    let songs = job.songs.as_ref().map(|p| source::in_genre_folders(&p.0)).transpose()?.unwrap_or_default();
    let mut subjects = Vec::new();
    let mut sets: Vec<Set> = Vec::new();
    for (i, WirePath(path)) in job.models.iter().enumerate() {
        let mut network = Network::load(path, choice)?;
        let card = network.card().clone();
        if i == 0 {
            say(TrainSay::Started {
                protocol: PROTOCOL_VERSION,
                device: network.device().kind,
                clips: 0,
                genres: card.genres.clone(),
                runs: job.models.len() as u32,
            });
        }
        let cache = job.cache.as_ref().map(|c| c.0.as_path());
        let known = sets.iter().position(|s| s.front_end == card.front_end && s.genres == card.genres);
        let at = match known {
            Some(at) => at,
            None => {
                let set = source::read(&job.source, card.front_end, cache, &card.genres, cancel, say)?;
                sets.push(set);
                sets.len() - 1
            }
        };
        let Some(set) = sets.get(at) else { continue };
        subjects.push(subject(path, &mut network, set, &songs, say)?);
    }
    let Some(set) = sets.first() else {
        return Err(TrainError::TooLittle("no model to judge".to_owned()));
    };
    let blocks = sections::all(&subjects, set, job.paper_logs.as_ref().map(|p| p.0.as_path()), say)?;
    let path = write(&job.out.0, &blocks, &sections::numbers(&subjects, set))?;
    // Clips that the shipped weights learned from are no held-out clips.
    let accuracy = subjects.first().filter(|s| s.honest().1).map(|s| sections::clip_accuracy(s).0);
    say(TrainSay::Done { path: Some(WirePath(path)), clip_accuracy: accuracy });
    Ok(())
}

fn subject(
    path: &Path,
    network: &mut Network,
    set: &Set,
    songs: &[LabelledFile],
    say: &mut dyn FnMut(TrainSay),
) -> Result<Subject, TrainError> {
    let card = network.card().clone();
    if card.genres != set.genres {
        return Err(TrainError::Source {
            path: path.to_path_buf(),
            reason: format!("its genres ({}) are not those of the source", card.genres.join(", ")),
        });
    }
    let runs = runs_of(path, set)?;
    let direct = judge_set(network, set)?;
    let seconds_a_chunk = speed(network)?;
    let mut heard = Vec::new();
    for song in songs {
        match source::whole_song(song, card.front_end) {
            Ok(frames) => heard.push(judge_song(network, set, song, &frames)?),
            Err(reason) => say(TrainSay::Skipped { path: song.path.clone(), reason }),
        }
    }
    let songs_are_clips = heard.is_empty();
    let mut subject = Subject {
        bytes: fs::metadata(path).map_or(0, |m| m.len()),
        runs,
        direct,
        seconds_a_chunk,
        songs: heard,
        songs_are_clips,
        card,
    };
    if songs_are_clips {
        subject.songs = clips_as_songs(&subject, set);
    }
    Ok(subject)
}

/// The finished runs beside the weights, as far as they were made on this very set.
fn runs_of(weights: &Path, set: &Set) -> Result<Vec<RunRecord>, TrainError> {
    let folder = weights.with_extension("runs");
    let mut files: Vec<PathBuf> = match fs::read_dir(&folder) {
        Ok(entries) => {
            entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "json")).collect()
        }
        Err(_) => Vec::new(),
    };
    files.sort();
    let (mut runs, roll) = (Vec::new(), set.roll());
    for file in files {
        let Some(run) = read_record(&file)? else { continue };
        let same =
            |&(clip, label, _): &(u32, u8, Vec<f32>)| set.clips.get(clip as usize).is_some_and(|c| c.label == label);
        let of_this_set = run.roll.is_empty() || run.roll == roll;
        if of_this_set && run.genres == set.genres && !run.stopped_early && run.judged.iter().all(same) {
            runs.push(run);
        }
    }
    Ok(runs)
}

fn judge_set(network: &mut Network, set: &Set) -> Result<Vec<Judged>, TrainError> {
    let frames = network.card().chunk_frames as usize;
    let clips: Vec<u32> = (0..set.clips.len() as u32).collect();
    let items = batch::grid(set, &clips, frames);
    let size = frames * set.bands;
    let mut judged = Vec::with_capacity(items.len());
    for group in items.chunks(256) {
        let mut chunks = vec![0.0; group.len() * size];
        for (item, out) in group.iter().zip(chunks.chunks_exact_mut(size)) {
            if let Some(clip) = set.clips.get(item.clip as usize) {
                clip.frames.copy(item.start as usize * set.bands, out);
            }
        }
        let logits = network.logits(&chunks, group.len())?;
        for (item, row) in group.iter().zip(logits.chunks_exact(set.genres.len())) {
            let label = set.clips.get(item.clip as usize).map_or(0, |c| c.label);
            judged.push(Judged { clip: item.clip, fold: 0, label, logits: row.to_vec() });
        }
    }
    Ok(judged)
}

/// Seconds a chunk takes.
fn speed(network: &mut Network) -> Result<f64, TrainError> {
    let frames = network.card().chunk_frames as usize;
    let bands = crate::mel::bands(network.card().front_end);
    let chunks: Vec<f32> = (0..SPEED_CHUNKS * frames * bands).map(|i| (i % 97) as f32 / 97.0).collect();
    network.classify(&chunks, SPEED_CHUNKS)?;
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let began = Instant::now();
        network.classify(&chunks, SPEED_CHUNKS)?;
        best = best.min(began.elapsed().as_secs_f64());
    }
    Ok(best / SPEED_CHUNKS as f64)
}

fn judge_song(
    network: &mut Network,
    set: &Set,
    song: &LabelledFile,
    frames: &super::data::Frames,
) -> Result<Song, TrainError> {
    let chunk = network.card().chunk_frames as usize * set.bands;
    let count = (frames.len() / chunk).max(1);
    let mut values = vec![0.0; count * chunk];
    frames.copy(0, &mut values);
    let verdicts = network.classify(&values, count)?;
    let logits = network.logits(&values, count)?;
    let genres = set.genres.len();
    let mut heard = Song {
        name: document::plain(&song.path.0.file_stem().unwrap_or_default().to_string_lossy()),
        label: set.genres.iter().position(|g| *g == song.genre).unwrap_or(usize::MAX),
        won: vec![0; genres],
        kept: vec![0; genres],
        unsure: 0,
    };
    for row in logits.chunks_exact(genres) {
        let scores: Vec<f64> = row.iter().map(|&l| f64::from(l)).collect();
        if let Some(n) = heard.won.get_mut(super::calibrate::best(&scores).0) {
            *n += 1;
        }
    }
    for &winner in &verdicts.winners {
        match heard.kept.get_mut(usize::from(winner)) {
            Some(n) if winner != UNSURE => *n += 1,
            _ => heard.unsure += 1,
        }
    }
    Ok(heard)
}

/// Where no full songs were given, the held-out clips stand in for them, and the report says so.
fn clips_as_songs(subject: &Subject, set: &Set) -> Vec<Song> {
    let genres = set.genres.len();
    let mut songs: std::collections::BTreeMap<u32, Song> = std::collections::BTreeMap::new();
    let (temperature, below) = (f64::from(subject.card.temperature), f64::from(subject.card.unsure_below));
    for chunk in subject.honest().0 {
        let name = set.clips.get(chunk.clip as usize).map(|c| document::plain(&c.name)).unwrap_or_default();
        let song = songs.entry(chunk.clip).or_insert_with(|| Song {
            name,
            label: usize::from(chunk.label),
            won: vec![0; genres],
            kept: vec![0; genres],
            unsure: 0,
        });
        let (winner, score) = super::calibrate::best(&chunk.scores(temperature));
        if let Some(n) = song.won.get_mut(winner) {
            *n += 1;
        }
        match song.kept.get_mut(winner) {
            Some(n) if score >= below => *n += 1,
            _ => song.unsure += 1,
        }
    }
    songs.into_values().collect()
}

/// Write `report.md`, `report.html`, `report.json` and `figures/*.svg`.
fn write(folder: &Path, blocks: &[Block], numbers: &serde_json::Value) -> Result<PathBuf, TrainError> {
    let put = |name: &str, text: &str| {
        let path = folder.join(name);
        let fail = |reason: String| TrainError::Output { path: path.clone(), reason };
        weights::write_whole(&path, text.as_bytes()).map_err(|e| fail(e.to_string()))?;
        Ok::<PathBuf, TrainError>(path)
    };
    for block in blocks {
        if let Block::Figure(file, svg, _) = block {
            put(&format!("figures/{file}"), svg)?;
        }
    }
    put("report.json", &format!("{numbers:#}\n"))?;
    put("report.html", &document::html("What the networks of deepcuts are worth", blocks))?;
    put("report.md", &document::markdown(blocks))
}
