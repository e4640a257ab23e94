//! How long it takes at the size of a large library. Ignored: it writes a gigabyte. Run it with
//! `DEEPCUTS_SCALE=100000 cargo test --release --workspace --test scale -- --ignored --nocapture`; with `DEEPCUTS_EARS` and
//! `DEEPCUTS_MODEL` (weights) it is the real network that names the tracks.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    path::PathBuf,
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use deepcuts::{
    corrections::{like, preview::Preview, review},
    ears::Setup,
    relabel,
    store::{How, NewCorrection, NewFile, Store},
    track::{AudioId, FileStamp, FileTags, Format},
};
use deepcuts_protocol::{Base64, Embeddings, Hearing, ModelCard, Timeline};

/// Four minutes in chunks of five seconds.
const CHUNKS: usize = 48;

/// Seconds on the clock, and of processors: this process's, and those of its children that have ended.
struct Clock(Instant, f64);

impl Clock {
    fn start() -> Self {
        Self(Instant::now(), processors())
    }

    fn say(&mut self, what: &str) {
        println!("{:>8.2} s {:>8.2} s of CPU  {what}", self.0.elapsed().as_secs_f64(), processors() - self.1);
        *self = Self::start();
    }
}

fn processors() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name, which may hold anything: user, system, and both of the children, in hundredths of a second.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    fields.iter().skip(11).take(4).filter_map(|n| n.parse::<f64>().ok()).sum::<f64>() / 100.0
}

#[test]
#[ignore = "writes a gigabyte: DEEPCUTS_SCALE=100000 cargo test --release --workspace --test scale -- --ignored --nocapture"]
fn a_large_library_is_asked_about_and_named_again() {
    let count: i64 = std::env::var("DEEPCUTS_SCALE").map_or(2_000, |n| n.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let weights = std::env::var_os("DEEPCUTS_MODEL")
        .map_or_else(|| support::model(dir.path(), "scripted", "first"), PathBuf::from);
    let candidate = ModelCard::read_for(&weights).unwrap();
    let program = std::env::var_os("DEEPCUTS_EARS").map_or_else(support::scripted_ears, PathBuf::from);
    let mut clock = Clock::start();
    let store = Store::open(&dir.path().join("library.db")).unwrap();
    // What was heard before, by another head on the same trunk.
    let old = ModelCard {
        name: "old".into(),
        weights_blake3: "0ld".into(),
        trunk: Some(candidate.trunk_id().to_owned()),
        ..candidate.clone()
    };
    store.put_model(&weights, &old).unwrap();
    store.use_model(old.id()).unwrap();
    let dim = usize::from(old.embedding_dim);
    let mut state = 1_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as u8
    };
    store.begin().unwrap();
    for n in 0..count {
        let mut audio = [0; 32];
        audio[..8].copy_from_slice(&n.to_le_bytes());
        let new = NewFile {
            path: format!("/music/{:04}/{n}.flac", n / 12).into(),
            stamp: FileStamp { dev: 1, ino: n.cast_unsigned(), size: 1, mtime_ns: 0, ctime_ns: 0 },
            audio: AudioId(audio),
            format: Format::Flac,
            tags: FileTags { artist: Some(format!("artist {}", n / 12)), ..FileTags::default() },
        };
        let (_, track) = store.put_file(&new, &|_| false).unwrap();
        let axis = random();
        let hearing = Hearing {
            duration_ms: 240_000,
            sample_rate_hz: 44_100,
            channels: 2,
            codec: "flac".into(),
            start_ms: 0,
            chunk_ms: old.chunk_ms,
            timeline: Timeline {
                winners: Base64((0..CHUNKS).map(|_| random() % old.genres.len() as u8).collect()),
                scores: Base64((0..CHUNKS).map(|_| random()).collect()),
            },
            embeddings: Embeddings {
                dim: old.embedding_dim,
                stride: 1,
                scales: vec![0.02; CHUNKS],
                values: Base64(
                    (0..CHUNKS * dim)
                        .map(|i| if i % dim == usize::from(axis) % dim { 127 } else { random() % 64 })
                        .collect(),
                ),
            },
        };
        store.put_hearing(track, &old, &hearing).unwrap();
        if n % 1000 == 999 {
            store.commit().unwrap();
            store.begin().unwrap();
        }
    }
    store.commit().unwrap();
    clock.say(&format!("{count} tracks put"));
    review::queue(&store, 20).unwrap();
    clock.say("the first review queue, which works the means out");
    let queue = review::queue(&store, 20).unwrap();
    clock.say("the review queue");
    assert_eq!(queue.len(), 20);
    let track = queue[0].track;
    store.correct(&[NewCorrection { track, span: None, genres: vec![("zouk".into(), 1)] }]).unwrap();
    like::look_alikes(&store, &[track], "zouk", like::THRESHOLD).unwrap();
    clock.say("look-alikes of one track");

    store.put_candidate(&weights, &candidate).unwrap();
    let setup = Setup {
        program,
        model: weights.clone(),
        device: "cpu".into(),
        workers: 0,
        stall: Duration::from_secs(10),
        idle: Duration::from_secs(30),
    };
    let named = relabel::missing(&store, &setup, &candidate, &AtomicBool::new(false), &mut |_, _| {}).unwrap();
    assert_eq!(named, count.cast_unsigned());
    clock.say("named again from embeddings");
    let preview = Preview::of(&store, old.id(), candidate.id()).unwrap();
    assert_eq!(preview.tracks as i64, count - 1);
    clock.say("preview");
    store.promote(candidate.id(), &weights, "cuts", How::Retrained, &[]).unwrap();
    clock.say("put in force, with every mix");
    store.roll_back("cuts").unwrap().unwrap();
    clock.say("rolled back");
}
