//! The message loop as the desk sees it: lines in, lines out, with a network that is made up.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    collections::HashMap,
    io::{self, Cursor, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use deepcuts_ears::{
    mel,
    model::{ModelError, Verdicts},
    serve::{Judge, serve},
};
use deepcuts_protocol::{Answer, Device, Embeddings, LabelTrack, ModelCard, Request, Stage, UNSURE, WirePath};

/// Says the genre 0 of every chunk, remembers its batches, and fails where it is told to.
struct FakeNetwork {
    card: ModelCard,
    batches: Arc<Mutex<Vec<usize>>>,
    fails: bool,
}

impl Judge for FakeNetwork {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn device(&self) -> Device {
        Device { kind: "cpu".into(), libtorch: "none".into(), decode_workers: 0, network_threads: 1 }
    }

    fn classify(&mut self, chunks: &[f32], n: usize) -> Result<Verdicts, ModelError> {
        assert_eq!(chunks.len(), n * 64 * 128);
        assert!(chunks.iter().all(|x| (0.0..=1.0).contains(x)));
        self.batches.lock().unwrap().push(n);
        if self.fails {
            panic!("the network breaks down");
        }
        Ok(Verdicts { winners: vec![0; n], scores: vec![200; n], embeddings: vec![0.5; n * 4] })
    }

    fn label(&mut self, _: &[f32], n: usize) -> Result<Verdicts, ModelError> {
        Ok(Verdicts { winners: vec![1; n], scores: vec![100; n], embeddings: Vec::new() })
    }
}

fn card() -> ModelCard {
    serde_json::from_value(serde_json::json!({
        "name": "made-up", "arch": "none", "weights_blake3": "00", "front_end": "cuts",
        "feature_version": mel::FEATURE_VERSION, "genres": ["jazz", "blues"], "chunk_frames": 64, "chunk_ms": 4959,
        "embedding_dim": 4, "temperature": 1.0, "unsure_below": 0.3, "data": "", "licence": "", "protocol": "",
        "created": "",
    }))
    .unwrap()
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Session {
    answers: Vec<Answer>,
    batches: Vec<usize>,
}

fn session(requests: &[Request], workers: usize, fails: bool) -> Session {
    let lines: Vec<String> = requests.iter().map(|r| serde_json::to_string(r).unwrap()).collect();
    let (out, batches) = (Written::default(), Arc::new(Mutex::new(Vec::new())));
    let network = FakeNetwork { card: card(), batches: Arc::clone(&batches), fails };
    serve(Cursor::new(lines.join("\n")), out.clone(), move || Ok(network), workers).unwrap();
    let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
    let answers = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let batches = batches.lock().unwrap().clone();
    Session { answers, batches }
}

fn listen(id: u64, path: &Path) -> Request {
    Request::Listen { id, path: WirePath(path.to_path_buf()) }
}

/// Stage of the failure, or none where it was heard, by request.
fn outcomes(answers: &[Answer]) -> HashMap<u64, Option<Stage>> {
    let mut outcomes = HashMap::new();
    for answer in answers {
        let (id, outcome) = match answer {
            Answer::Heard { id, .. } => (*id, None),
            Answer::Failed { id, stage, .. } => (*id, Some(*stage)),
            _ => continue,
        };
        assert!(outcomes.insert(id, outcome).is_none(), "{id} was answered twice");
    }
    outcomes
}

fn sound(folder: &Path, name: &str, seconds: f64) -> PathBuf {
    let path = folder.join(name);
    support::write_wav(&path, 22_050, &support::stereo(22_050, seconds));
    path
}

#[test]
fn one_bad_file_never_stops_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let good = sound(folder.path(), "good.wav", 30.0);
    let bad = folder.path().join("bad.mp3");
    std::fs::write(&bad, "no music").unwrap();
    let requests: Vec<Request> = (0..9)
        .map(|i| listen(i, if i % 3 == 1 { &bad } else { &good }))
        .chain([listen(9, &folder.path().join("gone"))])
        .collect();
    let Session { answers, .. } = session(&requests, 2, false);
    assert!(matches!(&answers[0], Answer::Ready { device, .. } if device.decode_workers == 2));
    let outcomes = outcomes(&answers);
    assert_eq!(outcomes.len(), 10);
    for (id, outcome) in outcomes {
        assert_eq!(
            outcome,
            if id == 9 {
                Some(Stage::Read)
            } else if id % 3 == 1 {
                Some(Stage::Probe)
            } else {
                None
            }
        );
    }
    for answer in &answers {
        if let Answer::Heard { hearing, .. } = answer {
            hearing.check(2).unwrap();
            assert_eq!((hearing.chunks(), hearing.duration_ms, hearing.start_ms), (6, 30_000, 0));
            assert_eq!((hearing.sample_rate_hz, hearing.channels, hearing.codec.as_str()), (22_050, 2, "pcm"));
            assert_eq!(hearing.timeline.winners.0, [0; 6]);
        }
    }
}

#[test]
fn batches_fill_across_tracks() {
    let folder = tempfile::tempdir().unwrap();
    let short = sound(folder.path(), "short.wav", 3.0);
    let requests: Vec<Request> = (0..64).map(|i| listen(i, &short)).collect();
    let Session { answers, batches } = session(&requests, 2, false);
    assert_eq!(outcomes(&answers).len(), 64);
    assert_eq!(batches.iter().sum::<usize>(), 64, "a chunk each");
    assert!(batches.len() < 32, "{batches:?}");
    assert!(batches.iter().all(|&n| n <= 32));
}

#[test]
fn silence_is_unsure_whatever_the_network_says_and_stays_so_when_named_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half-silent.wav");
    let mut music = support::stereo(22_050, 4.5);
    music.resize(22_050 * 15, [0.0; 2]);
    support::write_wav(&path, 22_050, &music);
    let Session { answers, .. } = session(&[listen(0, &path)], 1, false);
    let hearing =
        answers.into_iter().find_map(|a| if let Answer::Heard { hearing, .. } = a { Some(hearing) } else { None });
    let hearing = hearing.unwrap();
    assert_eq!(hearing.timeline.winners.0, [0, UNSURE, UNSURE]);
    let track = LabelTrack { track: 7, embeddings: hearing.embeddings };
    let Session { answers, .. } = session(&[Request::Label { id: 1, tracks: vec![track] }], 1, false);
    assert!(
        matches!(&answers[1], Answer::Labelled { tracks, .. } if tracks[0].winners.0 == [1, UNSURE, UNSURE]),
        "{answers:?}"
    );
}

#[test]
fn a_network_that_breaks_down_fails_its_files_and_nothing_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let good = sound(folder.path(), "good.wav", 120.0);
    let Session { answers, .. } = session(&[listen(0, &good), listen(1, &good)], 2, true);
    let outcomes = outcomes(&answers);
    assert_eq!(outcomes, HashMap::from([(0, Some(Stage::Classify)), (1, Some(Stage::Classify))]));
}

#[test]
fn what_was_begun_is_answered_after_a_cancel_and_the_rest_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let long = sound(folder.path(), "long.wav", 300.0);
    let mut requests: Vec<Request> = (0..100).map(|i| listen(i, &long)).collect();
    requests.push(Request::Cancel);
    let Session { answers, .. } = session(&requests, 1, false);
    let begun: Vec<u64> =
        answers.iter().filter_map(|a| if let Answer::Begun { id } = a { Some(*id) } else { None }).collect();
    let outcomes = outcomes(&answers);
    assert!(begun.len() < 100, "{}", begun.len());
    assert_eq!(begun.len(), outcomes.len());
    assert!(begun.iter().all(|id| outcomes.contains_key(id)));
}

#[test]
fn stored_embeddings_are_named_again() {
    let track = LabelTrack { track: 7, embeddings: Embeddings::quantise(&[0.5; 12], 4) };
    let foreign = LabelTrack { track: 8, embeddings: Embeddings::quantise(&[0.5; 6], 3) };
    let requests = [Request::Label { id: 1, tracks: vec![track] }, Request::Label { id: 2, tracks: vec![foreign] }];
    let Session { answers, .. } = session(&requests, 1, false);
    assert!(
        matches!(&answers[1], Answer::Labelled { id: 1, tracks } if tracks[0].track == 7 && tracks[0].winners.0 == [1; 3])
    );
    assert!(matches!(&answers[2], Answer::Failed { id: 2, reason, .. } if reason.contains("3 values a row")));
}

#[test]
fn without_a_model_there_is_one_fatal_answer() {
    let out = Written::default();
    let load = || Err::<FakeNetwork, _>(ModelError::Weights { path: "m.safetensors".into(), reason: "gone".into() });
    assert!(serve(Cursor::new(""), out.clone(), load, 2).is_err());
    let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
    assert!(
        matches!(serde_json::from_str(&text).unwrap(), Answer::Fatal { reason } if reason == "model m.safetensors: gone")
    );
}

#[test]
fn a_model_of_other_features_is_refused() {
    let out = Written::default();
    let mut card = card();
    card.feature_version += 1;
    let network = FakeNetwork { card, batches: Arc::default(), fails: false };
    assert!(serve(Cursor::new(""), out.clone(), move || Ok(network), 1).is_err());
    assert!(String::from_utf8(out.0.lock().unwrap().clone()).unwrap().contains("front ends"));
}

#[test]
fn lines_that_are_no_requests_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let good = sound(folder.path(), "good.wav", 1.0);
    let out = Written::default();
    let lines = format!("nonsense\n\n{}\n{{\"ask\":\"dance\"}}", serde_json::to_string(&listen(5, &good)).unwrap());
    let network = FakeNetwork { card: card(), batches: Arc::default(), fails: false };
    serve(Cursor::new(lines), out.clone(), move || Ok(network), 1).unwrap();
    assert!(String::from_utf8(out.0.lock().unwrap().clone()).unwrap().contains("\"heard\""));
}

/// The desk is gone: no answer can be written, and the ears end instead of hearing to nobody.
#[test]
fn when_nobody_reads_everything_ends() {
    struct Broken;
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let good = sound(folder.path(), "good.wav", 30.0);
    let lines: Vec<String> = (0..200).map(|i| serde_json::to_string(&listen(i, &good)).unwrap()).collect();
    let batches = Arc::new(Mutex::new(Vec::new()));
    let network = FakeNetwork { card: card(), batches: Arc::clone(&batches), fails: false };
    serve(Cursor::new(lines.join("\n")), Broken, move || Ok(network), 2).unwrap();
    assert!(batches.lock().unwrap().iter().sum::<usize>() < 200 * 6);
}

#[cfg(unix)]
#[test]
fn a_name_that_is_not_utf8_is_heard() {
    use std::os::unix::ffi::OsStringExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(std::ffi::OsString::from_vec(b"-\xff\n.wav".to_vec()));
    support::write_wav(&path, 22_050, &support::stereo(22_050, 1.0));
    let Session { answers, .. } = session(&[listen(0, &path)], 1, false);
    assert_eq!(outcomes(&answers), HashMap::from([(0, None)]));
}
