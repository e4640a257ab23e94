//! Ears that follow a script, for tests of the desk: no libtorch, no decoding.
//!
//! What they hear in a file stands in its name: `jazz6-blues2.wav` is six chunks of jazz and two of blues
//! (a word that is no genre of the card counts as unsure). Other words in the name make trouble: `die` ends the
//! process, `stall` never answers, `garbage` breaks the protocol, `refuse` fails politely, `vanish` deletes the file
//! and then fails, `slow` takes a moment. Each chunk's embedding points along an axis, one a genre of the first card; the last axis is unsure.
//! `DEEPCUTS_SCRIPT_LOG` names a file that gets a line for each file they listen to. A name without any of these is four chunks of rock.
//!
//! `retrain` learns which genre each axis is called by most rows; `DEEPCUTS_SCRIPT_RETRAIN` makes it end otherwise
//! (`lose`, `poison`, `die`, `fatal`) or take ten seconds (`slow`); all of it (`--full`) makes a network that has heard
//! nothing yet. `DEEPCUTS_SCRIPT_LABEL_MS` makes each request for
//! labels take so long.

use std::{
    collections::BTreeMap,
    io::{BufRead, Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use deepcuts_protocol::{
    Answer, Base64, CurvePoint, Depth, Device, Doubt, Embeddings, GenreGain, Hearing, LabelTrack, Labelled, ModelCard,
    PROTOCOL_VERSION, Paired, Request, RetrainJob, RetrainReport, Stage, Timeline, TrainSay, UNSURE, WirePath,
};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

/// What a scripted model is: names along its axes, as they were first and as they are now. It is the weights file of a
/// retrained model; any other is what its card says.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Script {
    name: String,
    first: Vec<String>,
    now: Vec<String>,
}

impl Script {
    fn of(weights: &Path, card: &ModelCard) -> Self {
        let read = std::fs::read(weights).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        read.unwrap_or_else(|| Self { name: card.name.clone(), first: card.genres.clone(), now: card.genres.clone() })
    }

    /// The output for an axis.
    fn winner(&self, axis: usize, card: &ModelCard) -> u8 {
        let genre = self.now.get(axis).and_then(|now| card.genres.iter().position(|g| g == now));
        genre.map_or(UNSURE, |i| i as u8)
    }
}

fn say(answer: &Answer) {
    let mut out = std::io::stdout().lock();
    let _ = serde_json::to_writer(&mut out, answer);
    let _ = out.write_all(b"\n");
    let _ = out.flush();
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).is_some_and(|what| what == "retrain") {
        return retrain(Path::new(&args[3]));
    }
    let model = args.windows(2).find(|w| w[0] == "--model").map(|w| PathBuf::from(&w[1]));
    let card = match model.as_deref().map(ModelCard::read_for) {
        Some(Ok(card)) => card,
        Some(Err(error)) => return say(&Answer::Fatal { reason: error.to_string() }),
        None => return say(&Answer::Fatal { reason: "no --model".to_owned() }),
    };
    let device =
        Device { kind: "script".to_owned(), libtorch: "none".to_owned(), decode_workers: 1, network_threads: 1 };
    say(&Answer::Ready { protocol: PROTOCOL_VERSION, device, card: Box::new(card.clone()) });
    let script = Script::of(model.as_deref().unwrap_or(Path::new("")), &card);
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let (id, path) = match serde_json::from_str(&line) {
            Ok(Request::Listen { id, path }) => (id, path),
            Ok(Request::Label { id, tracks }) => {
                label(id, &tracks, &script, &card);
                continue;
            }
            _ => continue,
        };
        say(&Answer::Begun { id });
        if let Some(log) = std::env::var_os("DEEPCUTS_SCRIPT_LOG") {
            let line = format!("{}\n", path.0.display());
            let file = std::fs::OpenOptions::new().create(true).append(true).open(log);
            let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
        }
        listen(id, &path.0, &script, &card);
    }
}

fn listen(id: u64, path: &Path, script: &Script, card: &ModelCard) {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    if words.contains(&"die") {
        std::process::abort();
    }
    if words.contains(&"stall") {
        std::thread::sleep(Duration::from_secs(3600));
    }
    if words.contains(&"garbage") {
        println!("this is no answer");
        return;
    }
    if words.contains(&"refuse") {
        return say(&Answer::Failed { id, stage: Stage::Decode, reason: "the script says no".to_owned() });
    }
    if words.contains(&"vanish") {
        let _ = std::fs::remove_file(path);
        return say(&Answer::Failed { id, stage: Stage::Read, reason: "there is no such file".to_owned() });
    }
    if words.contains(&"slow") {
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut axes = Vec::new();
    let unsure = usize::from(card.embedding_dim) - 1;
    for word in &words {
        let genre = word.trim_end_matches(|c: char| c.is_ascii_digit());
        let Ok(n) = word[genre.len()..].parse::<usize>() else { continue };
        let known = script.first.iter().position(|g| g == genre);
        if known.is_some() || genre == "unsure" {
            axes.extend(std::iter::repeat_n(known.unwrap_or(unsure), n));
        }
    }
    if axes.is_empty() {
        axes = vec![script.first.iter().position(|g| g == "rock").unwrap_or(0); 4];
    }
    say(&Answer::Heard { id, hearing: Box::new(hearing(&axes, script, card)) });
}

fn score(winner: u8) -> u8 {
    if winner == UNSURE { 60 } else { 200 }
}

/// One embedding a chunk: mostly its axis.
fn hearing(axes: &[usize], script: &Script, card: &ModelCard) -> Hearing {
    let dim = usize::from(card.embedding_dim);
    let mut rows = Vec::new();
    for (i, axis) in axes.iter().enumerate() {
        rows.extend((0..dim).map(|d| if d == axis % dim { 1.0 } else { ((d * 7 + i * 3) % 5) as f32 / 50.0 }));
    }
    let winners: Vec<u8> = axes.iter().map(|axis| script.winner(*axis, card)).collect();
    Hearing {
        duration_ms: winners.len() as u64 * u64::from(card.chunk_ms),
        sample_rate_hz: 44_100,
        channels: 2,
        codec: "script".to_owned(),
        start_ms: 0,
        chunk_ms: card.chunk_ms,
        timeline: Timeline { scores: Base64(winners.iter().map(|&w| score(w)).collect()), winners: Base64(winners) },
        embeddings: Embeddings::quantise(&rows, dim),
    }
}

fn axis(row: &[f32]) -> usize {
    (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap_or(0)
}

fn label(id: u64, tracks: &[LabelTrack], script: &Script, card: &ModelCard) {
    if let Some(ms) = std::env::var("DEEPCUTS_SCRIPT_LABEL_MS").ok().and_then(|ms| ms.parse().ok()) {
        std::thread::sleep(Duration::from_millis(ms));
    }
    let labelled = tracks.iter().map(|track| {
        let e = &track.embeddings;
        let winners: Vec<u8> = (0..e.rows()).map(|r| script.winner(axis(&e.row(r)), card)).collect();
        Labelled {
            track: track.track,
            scores: Base64(winners.iter().map(|&w| score(w)).collect()),
            winners: Base64(winners),
        }
    });
    say(&Answer::Labelled { id, tracks: labelled.collect() });
}

fn tell(say: &TrainSay) {
    println!("{}", serde_json::to_string(say).unwrap_or_default());
}

fn numbers<T>(tensors: &SafeTensors<'_>, name: &str, from: impl Fn([u8; 4]) -> T) -> Vec<T> {
    let data = tensors.tensor(name).map(|t| t.data().to_vec()).unwrap_or_default();
    data.chunks_exact(4).map(|b| from([b[0], b[1], b[2], b[3]])).collect()
}

#[allow(clippy::expect_used)]
fn retrain(job: &Path) {
    let job: RetrainJob = serde_json::from_slice(&std::fs::read(job).expect("a job")).expect("a job");
    let how = std::env::var("DEEPCUTS_SCRIPT_RETRAIN").unwrap_or_default();
    let card = ModelCard::read_for(&job.model.0).expect("a card");
    let mut script = Script::of(&job.model.0, &card);
    let bytes = std::fs::read(&job.lessons.0).expect("lessons");
    let tensors = SafeTensors::deserialize(&bytes).expect("lessons");
    let dim = usize::from(card.embedding_dim);
    let embedding = tensors.tensor("embedding").expect("embedding").data().to_vec();
    let target = numbers(&tensors, "target", f32::from_le_bytes);
    let track_of = numbers(&tensors, "track", u32::from_le_bytes);
    let group = numbers(&tensors, "group", u32::from_le_bytes);
    let tracks = group.len();
    let groups = group.iter().collect::<std::collections::BTreeSet<_>>().len() as u32;
    tell(&TrainSay::Started {
        protocol: PROTOCOL_VERSION,
        device: "script".to_owned(),
        clips: tracks as u32,
        genres: job.genres.clone(),
        runs: 1,
    });
    if how == "die" {
        std::process::abort();
    }
    if how == "fatal" {
        return tell(&TrainSay::Fatal { reason: "the script says no".to_owned() });
    }
    if how == "slow" {
        let stopped = std::thread::spawn(|| std::io::stdin().read_to_end(&mut Vec::new()).is_ok());
        for step in 0..100 {
            let point = CurvePoint { step, valid_accuracy: f64::from(step) / 100.0, ..CurvePoint::default() };
            tell(&TrainSay::Curve { fold: 0, seed: 0, point, eta_s: 1 });
            std::thread::sleep(Duration::from_millis(100));
            if stopped.is_finished() {
                tell(&TrainSay::Stopping);
                return tell(&TrainSay::Done { path: None, clip_accuracy: None });
            }
        }
    }
    let gone: Vec<_> = job.files.iter().filter(|file| !file.path.0.exists()).collect();
    for file in &gone {
        tell(&TrainSay::Skipped { path: file.path.clone(), reason: "there is no such file".to_owned() });
    }
    if job.depth == Depth::Full {
        let (total, failed) = (job.files.len() as u32, gone.len() as u32);
        tell(&TrainSay::Hearing { done: total, total, failed });
        for ending in ["replay", "features"] {
            let path = job.out.0.join(format!("{}.{ending}.safetensors", job.name));
            std::fs::write(path, ending).expect("what it replays");
        }
    }
    // Two folds, and the last fit, which holds nothing out.
    for (fold, step, held) in [(0, 0, 0.5), (0, 8, 0.75), (1, 0, 0.25), (1, 8, 0.5), (job.folds, 8, 0.0)] {
        let point = CurvePoint { step, train_accuracy: 0.9, valid_accuracy: held, ..CurvePoint::default() };
        tell(&TrainSay::Curve { fold, seed: job.seed, point, eta_s: 0 });
    }
    for now in &mut script.now {
        if let Some(new) = job.renamed.get(now) {
            now.clone_from(new);
        }
    }
    let old = script.now.clone();
    // Which genre most rows of an axis are called.
    let width = job.genres.len();
    let mut votes: BTreeMap<usize, BTreeMap<usize, usize>> = BTreeMap::new();
    let mut said: Vec<(u32, usize, usize)> = Vec::new();
    for (row, (values, target)) in embedding.chunks_exact(dim).zip(target.chunks_exact(width)).enumerate() {
        if target.iter().all(|t| *t == 0.0) {
            continue;
        }
        let floats: Vec<f32> = values.iter().map(|b| f32::from(b.cast_signed())).collect();
        let (along, genre) = (axis(&floats), axis(target));
        *votes.entry(along).or_default().entry(genre).or_default() += 1;
        said.push((track_of[row], along, genre));
    }
    for (along, genres) in &votes {
        let most = genres.iter().max_by_key(|(_, n)| **n).map(|(g, _)| *g);
        if let (Some(slot), Some(genre)) = (script.now.get_mut(*along), most) {
            slot.clone_from(&job.genres[genre]);
        }
    }
    script.name.clone_from(&job.name);
    let right = |names: &[String]| {
        let n = said.iter().filter(|(_, along, genre)| names.get(*along) == job.genres.get(*genre)).count();
        n as f64 / said.len().max(1) as f64
    };
    let (was, is) = (right(&old), right(&script.now));
    let gain = if how == "lose" { -0.02 } else { is - was };
    let paired = |before: f64, gain: f64| Paired {
        tracks: tracks as u32,
        groups,
        before,
        after: before + gain,
        gain,
        gain_low: gain - 0.05,
        gain_high: gain + 0.05,
    };
    let weights = job.out.0.join(format!("{}.safetensors", job.name));
    let text = serde_json::to_vec(&script).expect("a script");
    std::fs::write(&weights, &text).expect("weights");
    let candidate = ModelCard {
        name: job.name.clone(),
        weights_blake3: blake3::hash(&text).to_hex().to_string(),
        genres: job.genres.clone(),
        trunk: (job.depth == Depth::Head).then(|| card.trunk_id().to_owned()),
        parent: Some(card.id().to_owned()),
        ..card.clone()
    };
    let json = serde_json::to_vec(&candidate).expect("a card");
    std::fs::write(ModelCard::path_for(&weights), json).expect("a card");
    let mut doubted: BTreeMap<u32, Doubt> = BTreeMap::new();
    for (track, along, genre) in &said {
        let heard = script.now.get(*along).cloned().unwrap_or_default();
        if heard != job.genres[*genre] {
            let said = job.genres[*genre].clone();
            doubted.entry(*track).or_insert(Doubt { track: *track, said, heard, score: 0.9 });
        }
    }
    let report = RetrainReport {
        parent: card.id().to_owned(),
        candidate: candidate.id().to_owned(),
        weights: WirePath(weights.clone()),
        depth: job.depth,
        new_genres: job.genres.iter().filter(|g| !old.contains(g)).cloned().collect(),
        mine: paired(was, gain),
        base: Some(paired(0.6, 0.0)),
        genres: vec![GenreGain {
            genre: job.genres[0].clone(),
            tracks: 0,
            before: 0.0,
            after: 0.0,
            after_low: 0.0,
            after_high: 1.0,
            base_clips: 10,
            base_before: 0.6,
            base_after: 0.6,
        }],
        doubts: doubted.into_values().collect(),
        poisoned: (how == "poison").then(|| "half of them".to_owned()),
        seconds: 0.1,
    };
    tell(&TrainSay::Retrained { report: Box::new(report) });
    tell(&TrainSay::Done { path: Some(WirePath(weights)), clip_accuracy: Some(was + gain) });
}
