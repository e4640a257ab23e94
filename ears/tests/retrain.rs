//! Learning from a listener, through the real program, on the shipped model: the clips that it never saw are the
//! listener's library.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
};

use deepcuts_ears::model::{DeviceChoice, Network};
use deepcuts_protocol::{Depth, Embeddings, LessonFile, ModelCard, RetrainJob, RetrainReport, TrainSay, UNSURE};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use support::{Then, ears};

/// The default, whose replay set is `replay.safetensors`.
const MODEL: &str = "deep.safetensors";
const WIDTH: usize = 128;
/// Values of the trunk.
const FEATURES: usize = 422;

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("models")
}

/// A track of the library: rows of embeddings, who it is by, what it is.
#[derive(Clone)]
struct Track {
    rows: Vec<Vec<f32>>,
    /// What the trunk made of them, as f16.
    below: Vec<u8>,
    group: u32,
    genre: String,
}

fn whole(file: &SafeTensors<'_>, name: &str) -> Vec<u32> {
    let bytes = file.tensor(name).unwrap().data().to_vec();
    bytes.chunks_exact(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect()
}

/// What the trunk made of every row of the shipped replay set, as f16.
fn features() -> Vec<u8> {
    let bytes = fs::read(models().join("replay.features.safetensors")).unwrap();
    SafeTensors::deserialize(&bytes).unwrap().tensor("features").unwrap().data().to_vec()
}

/// The clips of the shipped replay set that the shipped network never saw.
fn library() -> Vec<Track> {
    let bytes = fs::read(models().join("replay.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let genres = ModelCard::read_for(&models().join(MODEL)).unwrap().genres;
    let (clip, group) = (whole(&file, "clip"), whole(&file, "group"));
    let values = file.tensor("embedding").unwrap().data().to_vec();
    let scale: Vec<f32> = whole(&file, "scale").into_iter().map(f32::from_bits).collect();
    let label = file.tensor("label").unwrap().data().to_vec();
    let learned = file.tensor("learned").unwrap().data().to_vec();
    let features = features();
    let mut tracks: BTreeMap<u32, Track> = BTreeMap::new();
    for (row, &c) in clip.iter().enumerate().filter(|(_, c)| learned[**c as usize] == 0) {
        let embedding =
            values[row * WIDTH..(row + 1) * WIDTH].iter().map(|b| f32::from(b.cast_signed()) * scale[row]).collect();
        let genre = genres[usize::from(label[c as usize])].clone();
        let new = || Track { rows: Vec::new(), below: Vec::new(), group: group[c as usize], genre };
        let track = tracks.entry(c).or_insert_with(new);
        track.rows.push(embedding);
        track.below.extend(&features[row * 2 * FEATURES..(row + 1) * 2 * FEATURES]);
    }
    tracks.into_values().collect()
}

/// Half of the artists for the listener's corrections, half to judge by.
fn halves() -> (Vec<Track>, Vec<Track>) {
    library().into_iter().partition(|t| t.group % 2 == 0)
}

/// A replay set without the artists whom the listener has, and what the trunk made of it.
fn replay_without(lessons: &[Track], path: &Path) {
    let all = features();
    let bytes = fs::read(models().join("replay.safetensors")).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let (clip, group) = (whole(&file, "clip"), whole(&file, "group"));
    let theirs: Vec<u32> = lessons.iter().map(|t| t.group).collect();
    let kept: Vec<usize> = (0..clip.len()).filter(|&r| !theirs.contains(&group[clip[r] as usize])).collect();
    let take = |name: &str, each: usize| -> Vec<u8> {
        let data = file.tensor(name).unwrap().data().to_vec();
        kept.iter().flat_map(|&r| data[r * each..(r + 1) * each].to_vec()).collect()
    };
    let (embedding, scale, clip) = (take("embedding", WIDTH), take("scale", 4), take("clip", 4));
    let mut views = vec![
        ("embedding", TensorView::new(Dtype::I8, vec![kept.len(), WIDTH], &embedding).unwrap()),
        ("scale", TensorView::new(Dtype::F32, vec![kept.len()], &scale).unwrap()),
        ("clip", TensorView::new(Dtype::U32, vec![kept.len()], &clip).unwrap()),
    ];
    for name in ["label", "group", "learned"] {
        views.push((name, file.tensor(name).unwrap()));
    }
    fs::write(path, safetensors::serialize(views, header.metadata().clone()).unwrap()).unwrap();
    let rows = kept.iter().flat_map(|&r| all[r * 2 * FEATURES..(r + 1) * 2 * FEATURES].to_vec());
    let rows: Vec<u8> = rows.collect();
    let bytes = fs::read(models().join("replay.features.safetensors")).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let view = TensorView::new(Dtype::F16, vec![kept.len(), FEATURES], &rows).unwrap();
    let bytes = safetensors::serialize([("features", view)], header.metadata().clone()).unwrap();
    fs::write(path.with_extension("features.safetensors"), bytes).unwrap();
}

/// The same job, for all above the trunk. Nobody has the lessons' files; the cache knows what they sound like.
fn full(mut job: RetrainJob, lessons: &[Track]) -> RetrainJob {
    let cache = job.out.0.with_file_name("cache");
    let (_, header) = {
        let bytes = fs::read(models().join("replay.features.safetensors")).unwrap();
        SafeTensors::read_metadata(&bytes).unwrap()
    };
    let trunk = header.metadata().as_ref().unwrap()["frozen"].clone();
    let folder = cache.join(format!("heard-cuts-v1-{trunk}"));
    fs::create_dir_all(&folder).unwrap();
    for (i, track) in lessons.iter().enumerate() {
        let view = TensorView::new(Dtype::F16, vec![track.rows.len(), FEATURES], &track.below).unwrap();
        let bytes = safetensors::serialize([("mel", view)], None::<HashMap<String, String>>).unwrap();
        fs::write(folder.join(format!("track{i}.safetensors")), bytes).unwrap();
        let path = deepcuts_protocol::WirePath(PathBuf::from(format!("/nowhere/track{i}.flac")));
        job.files.push(LessonFile { path, identity: format!("track{i}") });
    }
    job.depth = Depth::Full;
    job.features =
        Some(deepcuts_protocol::WirePath(job.replay.as_ref().unwrap().0.with_extension("features.safetensors")));
    job.cache = Some(deepcuts_protocol::WirePath(cache));
    job
}

fn shipped() -> Vec<String> {
    ModelCard::read_for(&models().join(MODEL)).unwrap().genres
}

/// A job that learns `lessons` (their `genre` is what the listener says) in `dir`.
fn job(dir: &Path, lessons: &[Track], genres: &[String]) -> RetrainJob {
    let (mut values, mut scales, mut track, mut target, mut weights) = (vec![], vec![], vec![], vec![], vec![]);
    for (i, t) in lessons.iter().enumerate() {
        let said: Vec<u8> = genres.iter().flat_map(|g| f32::from(u8::from(*g == t.genre)).to_le_bytes()).collect();
        for row in &t.rows {
            let row = Embeddings::quantise(row, WIDTH);
            scales.extend(row.scales[0].to_le_bytes());
            values.extend(row.values.0);
            track.extend((i as u32).to_le_bytes());
            target.extend(&said);
        }
        weights.extend(said);
    }
    let rows = scales.len() / 4;
    let group: Vec<u8> = lessons.iter().flat_map(|t| t.group.to_le_bytes()).collect();
    let views = [
        ("embedding", TensorView::new(Dtype::I8, vec![rows, WIDTH], &values).unwrap()),
        ("scale", TensorView::new(Dtype::F32, vec![rows], &scales).unwrap()),
        ("track", TensorView::new(Dtype::U32, vec![rows], &track).unwrap()),
        ("target", TensorView::new(Dtype::F32, vec![rows, genres.len()], &target).unwrap()),
        ("group", TensorView::new(Dtype::U32, vec![lessons.len()], &group).unwrap()),
        ("weights", TensorView::new(Dtype::F32, vec![lessons.len(), genres.len()], &weights).unwrap()),
    ];
    let path = dir.join("lessons.safetensors");
    fs::write(&path, safetensors::serialize(views, None::<HashMap<String, String>>).unwrap()).unwrap();
    replay_without(lessons, &dir.join("replay.safetensors"));
    let wire = |p: PathBuf| deepcuts_protocol::WirePath(p);
    serde_json::from_value(serde_json::json!({
        "model": wire(models().join(MODEL)), "replay": wire(dir.join("replay.safetensors")),
        "lessons": wire(path), "genres": genres, "out": wire(dir.join("out")), "name": "mine", "threads": 1,
        "folds": 5,
    }))
    .unwrap()
}

fn report(job: &RetrainJob, dir: &Path) -> RetrainReport {
    let said = ears("retrain", job, dir, Then::GoOn);
    assert!(matches!(said.last(), Some(TrainSay::Done { path: Some(_), .. })), "{said:?}");
    assert!(said.iter().any(|s| matches!(s, TrainSay::Curve { .. })), "a curve is told");
    let found =
        said.into_iter().find_map(|s| if let TrainSay::Retrained { report } = s { Some(*report) } else { None });
    found.unwrap()
}

/// Share of the tracks whose most frequent winner is what the listener says, as the desk reads a timeline.
fn right(weights: &Path, tracks: &[Track]) -> f64 {
    let mut network = Network::load(weights, DeviceChoice::Cpu).unwrap();
    let genres = network.card().genres.clone();
    let named = |t: &&Track| {
        let values: Vec<f32> = t.rows.concat();
        let winners = network.label(&values, t.rows.len()).unwrap().winners;
        let votes = |g: usize| winners.iter().filter(|w| **w != UNSURE && usize::from(**w) == g).count();
        let best = (0..genres.len()).max_by_key(|g| votes(*g)).unwrap();
        votes(best) > 0 && genres[best] == t.genre
    };
    tracks.iter().filter(named).count() as f64 / tracks.len() as f64
}

/// Names of the listener's own for two genres that several of the artists play.
fn genre_of_their_own(tracks: &mut [Track]) {
    for t in tracks {
        t.genre = match t.genre.as_str() {
            "metal" => "heavy".to_owned(),
            "hiphop" => "rap".to_owned(),
            other => other.to_owned(),
        };
    }
}

#[test]
fn a_taxonomy_of_the_listeners_own_is_learned_and_is_no_poison() {
    let dir = tempfile::tempdir().unwrap();
    let (mut mine, mut judges) = halves();
    genre_of_their_own(&mut mine);
    genre_of_their_own(&mut judges);
    let mut genres: Vec<String> = shipped().into_iter().filter(|g| g != "metal" && g != "hiphop").collect();
    genres.extend(["heavy".to_owned(), "rap".to_owned()]);
    let report = report(&job(dir.path(), &mine, &genres), dir.path());
    assert_eq!(report.new_genres, ["heavy", "rap"]);
    assert_eq!(report.poisoned, None, "{:?}", report.doubts);
    assert!(report.mine.gain > 0.05 && report.mine.gain_low > 0.0, "{:?}", report.mine);
    let shipped = models().join(MODEL);
    let (before, after) = (right(&shipped, &judges), right(&report.weights.0, &judges));
    assert!(after >= before + 0.05, "artists that no correction names: {before} to {after}");

    let card = ModelCard::read_for(&report.weights.0).unwrap();
    let parent = ModelCard::read_for(&shipped).unwrap();
    assert_eq!((card.parent.as_deref(), card.trunk_id()), (Some(parent.id()), parent.id()));
    assert_eq!((card.id(), card.genres.as_slice()), (report.candidate.as_str(), genres.as_slice()));
    assert_eq!(card.folds.len(), 5);
}

/// What is shipped for `--full` is what the shipped replay set was made of.
#[test]
fn the_shipped_features_are_those_of_the_shipped_embeddings() {
    let bytes = fs::read(models().join(MODEL)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let floats = |name: &str| -> Vec<f32> { whole(&file, name).into_iter().map(f32::from_bits).collect() };
    let norm = |name: &str| -> (Vec<f32>, Vec<f32>) {
        let get = |part: &str| floats(&format!("{name}.{part}"));
        let scale: Vec<f32> =
            get("weight").iter().zip(get("running_var")).map(|(w, v)| w / (v + 1e-5).sqrt()).collect();
        let shift = get("bias").iter().zip(get("running_mean")).zip(&scale).map(|((b, m), s)| b - m * s).collect();
        (scale, shift)
    };
    let ((calm, calm_shift), (scale, shift), hidden) = (norm("calm"), norm("norm"), floats("hidden.weight"));
    for track in library().iter().step_by(5) {
        let halves = track.below.chunks_exact(2).map(|b| half::f16::from_le_bytes(b.try_into().unwrap()).to_f32());
        let halves: Vec<f32> = halves.collect();
        for (below, kept) in halves.chunks_exact(FEATURES).zip(&track.rows) {
            let x: Vec<f32> =
                (below.iter().zip(&calm).zip(&calm_shift)).map(|((v, c), s)| (v * c + s).clamp(-4.0, 4.0)).collect();
            let most = kept.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
            for (i, row) in hidden.chunks_exact(FEATURES).enumerate() {
                let sum: f32 = row.iter().zip(&x).map(|(w, v)| w * v).sum();
                let embedding = (sum * scale[i] + shift[i]).max(0.0);
                // What is kept was rounded to a 127th of the largest.
                assert!((embedding - kept[i]).abs() <= most / 127.0 * 0.5 + 0.01, "{embedding} and {}", kept[i]);
            }
        }
    }
}

/// Learned from what the trunk made of the corrected tracks, the network is another one, and what it replays is as it
/// hears it: its last layer can learn on from that.
#[test]
fn all_above_the_trunk_learns_and_can_be_built_on() {
    let Ok(_) = deepcuts_protocol::find_trunk(Some(&models().join(MODEL))) else {
        return eprintln!("skipped: no pretrained trunk in vendor/");
    };
    let dir = tempfile::tempdir().unwrap();
    let (mut mine, _) = halves();
    genre_of_their_own(&mut mine);
    let mut genres: Vec<String> = shipped().into_iter().filter(|g| g != "metal" && g != "hiphop").collect();
    genres.extend(["heavy".to_owned(), "rap".to_owned()]);
    let mut asked = full(job(dir.path(), &mine, &genres), &mine);
    (asked.folds, asked.min_tracks) = (2, mine.len() as u32);
    // One that is neither there nor in the cache is named, and is one too few.
    asked.files[3].identity = "unknown".to_owned();
    let said = ears("retrain", &asked, dir.path(), Then::GoOn);
    let named = |s: &TrainSay| matches!(s, TrainSay::Skipped { path, .. } if path.0.ends_with("track3.flac"));
    assert!(said.iter().any(named), "{said:?}");
    assert!(
        matches!(said.last(), Some(TrainSay::Fatal { reason }) if reason.contains("1 could not be heard")),
        "{said:?}"
    );

    asked.min_tracks = 20;
    let report = report(&asked, dir.path());
    assert_eq!(report.depth, Depth::Full);
    assert!(report.mine.gain > 0.05 && report.mine.gain_low > 0.0, "{:?}", report.mine);
    let parent = ModelCard::read_for(&models().join(MODEL)).unwrap();
    let card = ModelCard::read_for(&report.weights.0).unwrap();
    assert_eq!((card.parent.as_deref(), card.trunk_id()), (Some(parent.id()), card.id()));
    Network::load(&report.weights.0, DeviceChoice::Cpu).unwrap();

    // Another network's replay set does not fit any more, its own does.
    let mut next = job(dir.path(), &mine, &genres);
    (next.model, next.name) = (report.weights.clone(), "next".to_owned());
    assert!(matches!(ears("retrain", &next, dir.path(), Then::GoOn).last(), Some(TrainSay::Fatal { .. })));
    next.replay = Some(deepcuts_protocol::WirePath(report.weights.0.with_extension("replay.safetensors")));
    next.folds = 2;
    let after = ears("retrain", &next, dir.path(), Then::GoOn);
    assert!(matches!(after.last(), Some(TrainSay::Done { path: Some(_), .. })), "{after:?}");
    let mut deeper = full(next, &mine);
    (deeper.model.0, deeper.name) = (deeper.out.0.join("next.safetensors"), "deeper".to_owned());
    deeper.features = Some(deepcuts_protocol::WirePath(report.weights.0.with_extension("features.safetensors")));
    let after = ears("retrain", &deeper, dir.path(), Then::GoOn);
    assert!(matches!(after.last(), Some(TrainSay::Done { path: Some(_), .. })), "{after:?}");
}

/// Without a trunk there is nothing to replay from.
#[test]
fn a_network_without_a_trunk_learns_in_its_last_layer_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (mine, _) = halves();
    let mut asked = job(dir.path(), &mine[..20], &shipped());
    (asked.model, asked.depth) = (deepcuts_protocol::WirePath(models().join("cuts.safetensors")), Depth::Full);
    match ears("retrain", &asked, dir.path(), Then::GoOn).last() {
        Some(TrainSay::Fatal { reason }) => assert!(reason.contains("cuts") && reason.contains("--full"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_genre_that_the_base_never_heard_is_found_and_the_others_stay() {
    let dir = tempfile::tempdir().unwrap();
    // Music from elsewhere: rows of real clips, moved by one and the same vector far outside of what is known.
    let mut state = 7_u32;
    let mut draw = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 16_777_216.0
    };
    let away: Vec<f32> = (0..WIDTH).map(|i| if i % 3 == 0 { 1.5 * draw() } else { 0.0 }).collect();
    let (some, _) = halves();
    let mut strange: Vec<Track> = some.into_iter().take(40).collect();
    for (i, t) in strange.iter_mut().enumerate() {
        t.rows.iter_mut().for_each(|row| row.iter_mut().zip(&away).for_each(|(v, a)| *v += a + 0.3 * draw()));
        (t.group, t.genre) = (10_000 + i as u32 / 2, "gamelan".to_owned());
    }
    let test = strange.split_off(20);
    let mut genres = shipped();
    genres.push("gamelan".to_owned());
    let report = report(&job(dir.path(), &strange, &genres), dir.path());
    let recall = right(&report.weights.0, &test);
    assert!(recall >= 0.7, "found, and not unsure for being strange: {recall}");
    let base = report.base.unwrap();
    assert!(base.tracks > 100 && base.after >= base.before - 0.01, "{base:?}");
}

#[test]
fn poison_is_named_and_refused_or_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let (mut mine, judges) = halves();
    let genres = shipped();
    let mut wrong = Vec::new();
    for (i, t) in mine.iter_mut().enumerate().filter(|(i, _)| i % 10 < 3) {
        let at = genres.iter().position(|g| *g == t.genre).unwrap();
        t.genre = genres[(at + 3 + i % 5) % genres.len()].clone();
        wrong.push(i as u32);
    }
    // One recording with two names.
    let mut twice = mine[4].clone();
    twice.genre = genres.iter().find(|g| **g != twice.genre).unwrap().clone();
    twice.group = 20_000;
    mine.push(twice);
    let report = report(&job(dir.path(), &mine, &genres), dir.path());
    let doubted: Vec<u32> = report.doubts.iter().map(|d| d.track).collect();
    assert!(doubted.contains(&4) && doubted.contains(&(mine.len() as u32 - 1)), "{:?}", report.doubts);
    let caught = doubted.iter().filter(|t| wrong.contains(t)).count();
    assert!(caught >= 3 && caught as f64 > 0.3 * doubted.len() as f64, "{caught} of {:?}", report.doubts);
    let (before, after) = (right(&models().join(MODEL), &judges), right(&report.weights.0, &judges));
    assert!(report.poisoned.is_some() || after >= before - 0.01, "{before} to {after}");
}

#[test]
fn the_same_seed_is_the_same_model_and_a_model_is_never_changed() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mine, _) = halves();
    let (mine, genres) = (&mine[..30], shipped());
    let first = report(&job(a.path(), mine, &genres), a.path());
    let again = report(&job(b.path(), mine, &genres), b.path());
    assert_eq!(first.candidate, again.candidate);
    assert_eq!(fs::read(&first.weights.0).unwrap(), fs::read(&again.weights.0).unwrap());
    match ears("retrain", &job(a.path(), mine, &genres), a.path(), Then::GoOn).last() {
        Some(TrainSay::Fatal { reason }) => assert!(reason.contains("never changed"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn stopped_or_killed_it_leaves_nothing() {
    for then in [Then::Cancel, Then::Kill] {
        let dir = tempfile::tempdir().unwrap();
        let (mine, _) = halves();
        let said = ears("retrain", &job(dir.path(), &mine, &shipped()), dir.path(), then);
        assert!(!said.iter().any(|s| matches!(s, TrainSay::Retrained { .. })), "{said:?}");
        if then == Then::Cancel {
            assert!(said.contains(&TrainSay::Stopping));
            assert!(matches!(said.last(), Some(TrainSay::Done { path: None, .. })), "{said:?}");
        }
        let left = fs::read_dir(dir.path().join("out")).map_or(0, Iterator::count);
        assert_eq!(left, 0);
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (mine, _) = halves();
    let good = job(dir.path(), &mine[..20], &shipped());
    let refused = |job: &RetrainJob, file: &str, why: &str| match ears("retrain", job, dir.path(), Then::GoOn).last() {
        Some(TrainSay::Fatal { reason }) => assert!(reason.contains(file) && reason.contains(why), "{reason}"),
        other => panic!("{other:?}"),
    };
    let mut other = good.clone();
    other.genres.push("one more".to_owned());
    refused(&other, "lessons.safetensors", "11 was expected");
    let mut other = good.clone();
    other.genres[1] = other.genres[0].clone();
    refused(&other, "", "twice");
    let mut other = good.clone();
    other.name = "../elsewhere".to_owned();
    refused(&other, "", "name");
    let mut bytes = fs::read(dir.path().join("replay.safetensors")).unwrap();
    let id = ModelCard::read_for(&models().join(MODEL)).unwrap().weights_blake3;
    let at = bytes.windows(id.len()).position(|w| w == id.as_bytes()).unwrap();
    bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
    fs::write(dir.path().join("replay.safetensors"), bytes).unwrap();
    refused(&good, "replay.safetensors", "another network");
}
