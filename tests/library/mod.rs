//! A library put straight into a database: tracks with tags and timelines, no files on disk.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use deepcuts::store::NewFile;
use deepcuts::{
    search::index::Indexer,
    store::Store,
    track::{AudioId, FileStamp, FileTags, Format},
};
use deepcuts_protocol::{Base64, Embeddings, FrontEnd, Hearing, ModelCard, Timeline, UNSURE};
use tempfile::TempDir;

pub const GENRES: [&str; 11] =
    ["blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock", "Drum & Bass"];

/// Letters of a timeline, in the order of [`GENRES`]; anything else is unsure.
const LETTERS: &str = "BCYDHJMPGRN";

pub const CHUNK_MS: u32 = 5_000;

pub struct Library {
    pub dir: TempDir,
    pub store: Store,
    pub card: ModelCard,
}

#[derive(Clone, Debug, Default)]
pub struct Track {
    pub path: Vec<u8>,
    /// Copies of one recording share it.
    pub audio: u32,
    pub tags: FileTags,
    pub format: Option<Format>,
    pub size: u64,
    /// Letters, or nothing when it has not been heard.
    pub timeline: Option<String>,
    pub start_ms: u64,
}

pub fn card() -> ModelCard {
    ModelCard {
        name: "cuts".into(),
        arch: "script".into(),
        weights_blake3: "00ff".into(),
        front_end: FrontEnd::Cuts,
        feature_version: 1,
        genres: GENRES.map(str::to_owned).to_vec(),
        chunk_frames: 64,
        chunk_ms: CHUNK_MS,
        embedding_dim: 2,
        temperature: 1.0,
        unsure_below: 0.3,
        data: "none".into(),
        licence: "none".into(),
        protocol: "none".into(),
        folds: Vec::new(),
        unsure: None,
        trunk: None,
        held_out_fold: None,
        calibration_error: None,
        unfamiliar_beyond: None,
        parameters: None,
        macs_per_chunk: None,
        parent: None,
        created: "2026-01-01T00:00:00Z".into(),
    }
}

pub fn hearing(timeline: &str, start_ms: u64) -> Hearing {
    let winners: Vec<u8> =
        timeline.chars().map(|c| LETTERS.find(c).map_or(UNSURE, |i| u8::try_from(i).unwrap())).collect();
    Hearing {
        duration_ms: 2 * start_ms + winners.len() as u64 * u64::from(CHUNK_MS),
        sample_rate_hz: 44_100,
        channels: 2,
        codec: "pcm".into(),
        start_ms,
        chunk_ms: CHUNK_MS,
        timeline: Timeline { scores: Base64(vec![200; winners.len()]), winners: Base64(winners) },
        embeddings: Embeddings { dim: 2, stride: 1_000, scales: vec![1.0], values: Base64(vec![100, 50]) },
    }
}

/// `J3B1` is three chunks of jazz and one of blues.
pub fn spell(runs: &str) -> String {
    let mut out = String::new();
    let mut chars = runs.chars().peekable();
    while let Some(letter) = chars.next() {
        let mut digits = String::new();
        while let Some(digit) = chars.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        out.extend(std::iter::repeat_n(letter, digits.parse().unwrap_or(1)));
    }
    out
}

impl Library {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("library.db")).unwrap();
        let card = card();
        store.put_model(&dir.path().join("cuts.safetensors"), &card).unwrap();
        store.use_model(card.id()).unwrap();
        Self { dir, store, card }
    }

    pub fn index(&self) -> std::path::PathBuf {
        self.dir.path().join("index")
    }

    pub fn indexer(&self) -> Indexer {
        Indexer::open(&self.index(), &self.store, &mut |_, _| {}).unwrap()
    }

    /// (file, track)
    pub fn put(&self, track: &Track) -> (i64, i64) {
        let mut audio = [0; 32];
        audio[..4].copy_from_slice(&track.audio.to_le_bytes());
        let new = NewFile {
            path: deepcuts::track::path_from_bytes(&track.path).to_path_buf(),
            stamp: FileStamp { dev: 1, ino: u64::from(track.audio), size: track.size, mtime_ns: 0, ctime_ns: 0 },
            audio: AudioId(audio),
            format: track.format.unwrap_or(Format::Flac),
            tags: track.tags.clone(),
        };
        let (file, row) = self.store.put_file(&new, &|_: &Path| false).unwrap();
        if let Some(timeline) = &track.timeline {
            self.store.put_hearing(row, &self.card, &hearing(timeline, track.start_ms)).unwrap();
        }
        (file, row)
    }
}
