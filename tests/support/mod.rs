//! A listener's machine for a test: a music folder of sounds made here, a database, settings, scripted ears.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use deepcuts_protocol::ModelCard;
use tempfile::TempDir;

pub const GENRES: [&str; 10] =
    ["blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"];

/// A machine; all of it vanishes with the value.
pub struct Machine {
    pub dir: TempDir,
    pub music: PathBuf,
}

impl Machine {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let music = root.join("Music");
        fs::create_dir(&music).unwrap();
        let model = model(&root, "scripted", "first");
        let machine = Self { dir, music };
        machine.settings(&format!("[ears]\nmodel = {:?}\nstall_seconds = 1\n", model.to_str().unwrap()));
        machine
    }

    /// Ten artists' folders with four tracks each that the model hears as rock, and six tracks of jazz; heard.
    pub fn with_rock_and_jazz() -> Self {
        let machine = Self::new();
        for artist in 0..10 {
            for n in 0..4 {
                machine.wav(&format!("artist{artist}/rock8-{n}.wav"), 10 * artist + n);
            }
        }
        for n in 0..6 {
            machine.wav(&format!("other/jazz8-{n}.wav"), 1000 + n);
        }
        machine.scan().exits(0);
        machine
    }

    /// Settings beside the database; files are heard without waiting for them to settle.
    pub fn settings(&self, text: &str) {
        fs::write(self.at("config.toml"), format!("{text}\n[watch]\nsettle_seconds = 0\n")).unwrap();
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    pub fn database(&self) -> PathBuf {
        self.at("library.db")
    }

    /// A short WAV in the music folder; `sound` makes it one recording and not another.
    pub fn wav(&self, name: &str, sound: u32) -> PathBuf {
        let path = self.music.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        wav(&path, sound);
        path
    }

    /// `deepcuts` with this machine's settings and database.
    pub fn deepcuts(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deepcuts"));
        self.dress(&mut command);
        command.args(args);
        command
    }

    /// Run to the end and hand over what it printed.
    pub fn run(&self, args: &[&str]) -> Ran {
        Ran(self.deepcuts(args).output().unwrap())
    }

    /// Scan the music folder.
    pub fn scan(&self) -> Ran {
        self.run(&["scan", self.music.to_str().unwrap()])
    }

    fn dress(&self, command: &mut Command) {
        for (key, value) in self.environment() {
            command.env(key, value);
        }
        command.arg("--config").arg(self.at("config.toml")).arg("--db").arg(self.database());
    }

    /// `deepcuts watch` of the music folder, ended when the value is dropped.
    pub fn watch(&self, dress: impl FnOnce(&mut Command)) -> Watching {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deepcuts"));
        command.arg("--config").arg(self.at("config.toml")).arg("--db").arg(self.database());
        command.arg("watch").arg(&self.music).envs(self.environment());
        command.stdout(std::process::Stdio::null());
        dress(&mut command);
        Watching(command.spawn().unwrap())
    }

    /// What every process of this machine sees.
    pub fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        vec![("DEEPCUTS_EARS", scripted_ears()), ("HOME", self.at("home")), ("NO_COLOR", "1".into())]
    }
}

/// A watch that ends with the value, however the test ends.
pub struct Watching(pub std::process::Child);

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a command printed and how it ended.
pub struct Ran(pub Output);

impl Ran {
    pub fn code(&self) -> i32 {
        self.0.status.code().unwrap_or(-1)
    }

    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    /// It ended with `code`; otherwise everything it said.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "\nstdout:\n{}\nstderr:\n{}", self.out(), self.err());
        self
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.0.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.out()))
    }
}

/// The ears that follow a script.
pub fn scripted_ears() -> PathBuf {
    env!("CARGO_BIN_EXE_scripted-ears").into()
}

/// A model for the scripted ears: only its card counts. `weights` makes it one model and not another.
pub fn model(dir: &Path, name: &str, weights: &str) -> PathBuf {
    let path = dir.join(format!("{name}.safetensors"));
    fs::write(&path, weights).unwrap();
    let card = serde_json::json!({
        "name": name, "arch": "script", "weights_blake3": blake3::hash(weights.as_bytes()).to_hex().as_str(),
        "front_end": "cuts", "feature_version": 1, "genres": GENRES, "chunk_frames": 64, "chunk_ms": 5000,
        "embedding_dim": 16, "temperature": 1.0, "unsure_below": 0.3, "data": "none",
        "licence": "MIT OR Apache-2.0", "protocol": "a script", "created": "2026-01-01T00:00:00Z",
    });
    fs::write(ModelCard::path_for(&path), serde_json::to_vec_pretty(&card).unwrap()).unwrap();
    path
}

/// A second of sound that no other `sound` makes.
pub fn wav(path: &Path, sound: u32) {
    let spec =
        hound::WavSpec { channels: 1, sample_rate: 8000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    let hz = 200.0 + f64::from(sound);
    for i in 0..8000 {
        let t = f64::from(i) / 8000.0;
        writer.write_sample(((t * hz * std::f64::consts::TAU).sin() * 12000.0) as i16).unwrap();
    }
    writer.finalize().unwrap();
}
