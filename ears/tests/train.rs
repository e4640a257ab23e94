//! Training, stopping, going on, judging: through the real program, on features that the tests make.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use deepcuts_protocol::{EvalJob, ModelCard, Split, TrainJob, TrainSay, TrainSource};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use support::{Then, ears};

const BANDS: usize = 128;
const COLUMNS: usize = 140;

/// Three genres that differ in the bands that sound; 24 clips by 12 artists.
fn features(path: &Path, track: &str) {
    let clips = 24;
    let mut mel = vec![0_u8; clips * BANDS * COLUMNS];
    let mut state = 1_u32;
    for clip in 0..clips {
        for band in 0..BANDS {
            for column in 0..COLUMNS {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let loud = band / 40 == clip % 3;
                mel[(clip * BANDS + band) * COLUMNS + column] = (state >> 26) as u8 + if loud { 160 } else { 40 };
            }
        }
    }
    let label: Vec<u8> = (0..clips).map(|c| (c % 3) as u8).collect();
    let tracks: Vec<String> = (0..clips).map(|c| format!("{track} {c}")).collect();
    let artists: Vec<String> = (0..clips).map(|c| format!("artist {}", c % 12)).collect();
    let text = |list: &[String]| serde_json::to_string(list).unwrap();
    let genres = ["jazz", "metal", "pop"].map(String::from);
    let metadata = HashMap::from([
        ("genres".to_owned(), text(&genres)),
        ("tracks".to_owned(), text(&tracks)),
        ("artists".to_owned(), text(&artists)),
    ]);
    let views = [
        ("mel", TensorView::new(Dtype::U8, vec![clips, BANDS, COLUMNS], &mel).unwrap()),
        ("label", TensorView::new(Dtype::U8, vec![clips], &label).unwrap()),
    ];
    fs::write(path, safetensors::serialize(views, Some(metadata)).unwrap()).unwrap();
}

fn job(dir: &Path, set: &[&str]) -> TrainJob {
    let features_file = dir.join("features.safetensors");
    if !features_file.exists() {
        features(&features_file, "track");
    }
    let minimal = serde_json::json!({
        "source": TrainSource::Features { path: features_file.as_path().into(), tracks: None },
        "arch": "cuts", "out": deepcuts_protocol::WirePath(dir.join("out")), "folds": 2, "threads": 1, "device": "cpu",
    });
    let mut job: TrainJob = serde_json::from_value(minimal).unwrap();
    job.set = set.iter().map(|s| (*s).to_owned()).collect();
    job
}

fn weights(dir: &Path) -> PathBuf {
    dir.join("out/cuts.safetensors")
}

const SHORT: [&str; 5] = ["fit.steps=30", "fit.report_every=10", "fit.batch=8", "net.trunk=32", "teacher.share=0"];

#[test]
fn it_learns_ships_a_card_and_a_replay_set_and_reports() {
    let dir = tempfile::tempdir().unwrap();
    let said = ears("train", &job(dir.path(), &SHORT), dir.path(), Then::GoOn);
    assert!(matches!(said.last(), Some(TrainSay::Done { path: Some(_), .. })), "{said:?}");
    assert_eq!(said.iter().filter(|s| matches!(s, TrainSay::Ran { .. })).count(), 2);

    let card = ModelCard::read_for(&weights(dir.path())).unwrap();
    assert_eq!(
        (card.genres.as_slice(), card.held_out_fold),
        (&["jazz", "metal", "pop"].map(String::from)[..], Some(0))
    );
    let mean = card.folds.iter().map(|f| f.clip_accuracy).sum::<f64>() / 2.0;
    assert!(mean > 0.9, "three loud bands are not hard to tell: {mean}");
    assert_eq!(card.weights_blake3, blake3::hash(&fs::read(weights(dir.path())).unwrap()).to_hex().as_str());

    let replay = fs::read(dir.path().join("out/cuts.replay.safetensors")).unwrap();
    let replay = SafeTensors::deserialize(&replay).unwrap();
    assert_eq!(replay.tensor("embedding").unwrap().shape(), [48, usize::from(card.embedding_dim)]);
    let learned = replay.tensor("learned").unwrap();
    assert!(learned.data().contains(&0) && learned.data().contains(&1));

    let eval = EvalJob {
        models: vec![weights(dir.path()).as_path().into()],
        source: job(dir.path(), &SHORT).source,
        out: dir.path().join("report").as_path().into(),
        cache: None,
        paper_logs: None,
        songs: None,
        device: Some("cpu".to_owned()),
        threads: 1,
    };
    let said = ears("eval", &eval, dir.path(), Then::GoOn);
    assert!(matches!(said.last(), Some(TrainSay::Done { path: Some(_), .. })), "{said:?}");
    let numbers: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(dir.path().join("report/report.json")).unwrap()).unwrap();
    assert_eq!(numbers["networks"][0]["clips"], 24);
    assert_eq!(numbers["networks"][0]["held_out"], true);
    let page = fs::read_to_string(dir.path().join("report/report.html")).unwrap();
    for part in ["Table I", "Table II", "Fig. 5", "Fig. 7", "Fig. 8", "Fig. 9", "Calibration", "<svg"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(dir.path().join("report/figures/fig9-cuts.svg").exists());
}

#[test]
fn what_the_trunk_heard_is_kept_and_a_fold_alone_is_said_to_be() {
    if deepcuts_protocol::find_trunk(None).is_err() {
        return eprintln!("skipped: no pretrained trunk in vendor/");
    }
    let dir = tempfile::tempdir().unwrap();
    let mut job = job(dir.path(), &["fit.steps=4", "fit.batch=8"]);
    (job.arch, job.cache, job.only_folds) =
        ("deep".to_owned(), Some(dir.path().join("cache").as_path().into()), vec![1]);
    let listens = |said: &[TrainSay]| {
        said.iter().filter(|s| matches!(s, TrainSay::Note { text } if text.contains("listening"))).count()
    };
    let said = ears("train", &job, dir.path(), Then::GoOn);
    assert!(matches!(said.last(), Some(TrainSay::Done { path: Some(_), .. })), "{said:?}");
    assert_eq!(listens(&said), 1);
    let shipped = dir.path().join("out/deep.safetensors");
    let first = fs::read(&shipped).unwrap();
    let protocol = ModelCard::read_for(&shipped).unwrap().protocol;
    assert!(protocol.contains("Fold 1 alone was run") && !protocol.contains("the other folds"), "{protocol}");

    // A second time from the cache: nobody listens, and the weights are the same.
    let said = ears("train", &job, dir.path(), Then::GoOn);
    assert_eq!(listens(&said), 0, "{said:?}");
    assert_eq!(fs::read(&shipped).unwrap(), first);
}

#[test]
fn a_taught_run_hears_its_mixtures_once_and_says_by_whom_it_was_taught() {
    if deepcuts_protocol::find_trunk(None).is_err() {
        return eprintln!("skipped: no pretrained trunk in vendor/");
    }
    let dir = tempfile::tempdir().unwrap();
    let taught = ["teacher.share=0.7", "teacher.mixtures=200"];
    let mut job = job(dir.path(), &SHORT.into_iter().chain(taught).collect::<Vec<_>>());
    (job.cache, job.only_folds) = (Some(dir.path().join("cache").as_path().into()), vec![0]);
    let mixtures = |said: &[TrainSay]| {
        said.iter().filter(|s| matches!(s, TrainSay::Note { text } if text.contains("200 mixtures"))).count()
    };
    let said = ears("train", &job, dir.path(), Then::GoOn);
    assert!(matches!(said.last(), Some(TrainSay::Done { path: Some(_), .. })), "{said:?}");
    assert_eq!(mixtures(&said), 1);
    let card = ModelCard::read_for(&weights(dir.path())).unwrap();
    assert!(card.protocol.contains("taught by deep") && card.folds[0].clip_accuracy > 0.9, "{card:?}");

    // Stopped, and gone on with what was heard: the same weights.
    let whole = fs::read(weights(dir.path())).unwrap();
    fs::remove_dir_all(dir.path().join("out")).unwrap();
    assert!(ears("train", &job, dir.path(), Then::Cancel).contains(&TrainSay::Stopping));
    job.resume = true;
    let said = ears("train", &job, dir.path(), Then::GoOn);
    assert_eq!(mixtures(&said), 0, "{said:?}");
    assert_eq!(fs::read(weights(dir.path())).unwrap(), whole);
}

#[test]
fn a_stopped_run_keeps_the_best_so_far_and_goes_on_as_if_it_had_not_stopped() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut whole = job(a.path(), &SHORT);
    whole.only_folds = vec![0];
    ears("train", &whole, a.path(), Then::GoOn);

    let mut first = job(b.path(), &SHORT);
    first.only_folds = vec![0];
    let said = ears("train", &first, b.path(), Then::Cancel);
    assert!(said.contains(&TrainSay::Stopping), "{said:?}");
    assert!(weights(b.path()).exists());
    first.resume = true;
    let said = ears("train", &first, b.path(), Then::GoOn);
    assert!(said.iter().any(|s| matches!(s, TrainSay::Run { from_step: 10..30, .. })), "{said:?}");
    let bytes = |dir: &Path| fs::read(dir.join("out/cuts.runs/artist-fold0-seed0.safetensors")).unwrap();
    assert_eq!(bytes(a.path()), bytes(b.path()), "seeded and repeatable");
}

/// Its network is hardly better than chance, and would spoil what is said of the one that is whole.
#[test]
fn a_fold_that_was_stopped_counts_for_nothing_beside_one_that_is_whole() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let set: Vec<&str> = SHORT.into_iter().chain(["fit.steps=100"]).collect();
    let mut whole = job(a.path(), &set);
    whole.only_folds = vec![0];
    let first = ears("train", &whole, a.path(), Then::GoOn);
    let said = ears("train", &job(b.path(), &set), b.path(), Then::CancelInFold(1));
    assert!(said.contains(&TrainSay::Stopping), "{said:?}");
    let (one, other) =
        (ModelCard::read_for(&weights(a.path())).unwrap(), ModelCard::read_for(&weights(b.path())).unwrap());
    assert_eq!((one.folds, one.temperature, one.unsure_below), (other.folds, other.temperature, other.unsure_below));
    let accuracy = |said: &[TrainSay]| match said.last() {
        Some(TrainSay::Done { clip_accuracy, .. }) => *clip_accuracy,
        other => panic!("{other:?}"),
    };
    assert_eq!(accuracy(&first), accuracy(&said));
}

#[test]
fn what_was_stopped_before_it_learned_anything_leaves_no_model() {
    let dir = tempfile::tempdir().unwrap();
    let said = ears("train", &job(dir.path(), &SHORT), dir.path(), Then::CancelAtOnce);
    let nothing = |s: &TrainSay| matches!(s, TrainSay::Note { text } if text.contains("there is no model"));
    assert!(said.iter().any(nothing) && !said.contains(&TrainSay::Stopping), "{said:?}");
    assert!(matches!(said.last(), Some(TrainSay::Done { path: None, clip_accuracy: None })), "{said:?}");
    assert!(!weights(dir.path()).exists());
}

/// Another set may have as many clips of each genre, in the same order.
#[test]
fn runs_on_other_music_do_not_judge_in_place_of_the_music_at_hand() {
    let dir = tempfile::tempdir().unwrap();
    ears("train", &job(dir.path(), &SHORT), dir.path(), Then::GoOn);
    let other = dir.path().join("other.safetensors");
    features(&other, "other");
    let eval = EvalJob {
        models: vec![weights(dir.path()).as_path().into()],
        source: TrainSource::Features { path: other.as_path().into(), tracks: None },
        out: dir.path().join("report").as_path().into(),
        cache: None,
        paper_logs: None,
        songs: None,
        device: Some("cpu".to_owned()),
        threads: 1,
    };
    ears("eval", &eval, dir.path(), Then::GoOn);
    let numbers: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(dir.path().join("report/report.json")).unwrap()).unwrap();
    assert_eq!(numbers["networks"][0]["held_out"], false);
}

#[test]
fn a_checkpoint_of_another_recipe_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let mut job = job(dir.path(), &SHORT);
    job.only_folds = vec![0];
    ears("train", &job, dir.path(), Then::GoOn);
    job.set.push("fit.mixup=0".to_owned());
    job.resume = true;
    match ears("train", &job, dir.path(), Then::GoOn).last() {
        Some(TrainSay::Fatal { reason }) => {
            assert!(reason.contains("another recipe") && reason.contains("fold0"), "{reason}")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_papers_protocol_is_called_leaky_wherever_it_shows() {
    let dir = tempfile::tempdir().unwrap();
    let job = TrainJob { split: Split::Paper, ..job(dir.path(), &SHORT) };
    let said = ears("train", &job, dir.path(), Then::GoOn);
    assert!(said.iter().any(|s| matches!(s, TrainSay::Note { text } if text.contains("LEAKY"))));
    let card = ModelCard::read_for(&weights(dir.path())).unwrap();
    assert!(card.protocol.contains("LEAKY") && card.held_out_fold.is_none());
}
