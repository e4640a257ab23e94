//! The settings, with their defaults.
//!
//! `config.toml` at the root of the repository is the commented default and equals [`Config::default`]; a
//! test holds them together. A user's file names only what differs. A name that does not exist is an error
//! that says where. Parsed settings know no command line and no path of the machine.

pub mod edit;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::genre::Taxonomy;

/// All settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which files.
    pub library: Library,
    /// How they are heard.
    pub ears: Ears,
    /// What is written into them.
    pub tags: Tags,
    /// What the words of a search mean.
    pub search: Search,
    /// When a retrained model is good enough.
    pub retrain: Retrain,
    /// How the library is watched.
    pub watch: Watch,
    /// Programs that are told what happens.
    pub hooks: Hooks,
    /// The player that opens a track.
    pub player: Player,
    /// The terminal UI.
    pub ui: Ui,
}

/// Which files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Library {
    /// Folders to scan and watch when none is named.
    pub roots: Vec<PathBuf>,
    /// Globs, relative to a root, of what is left out.
    pub exclude: Vec<String>,
    /// Endings of file names that are looked at, without the dot.
    pub extensions: Vec<String>,
    /// Follow symbolic links that lead out of a root.
    pub follow_links: bool,
}

impl Default for Library {
    fn default() -> Self {
        let extensions =
            "mp3 flac ogg oga opus m4a m4b mp4 aac alac wav wave aif aiff aifc caf mka webm wv ape tak mpc dsf dff spx";
        Self {
            roots: Vec::new(),
            exclude: Vec::new(),
            extensions: extensions.split(' ').map(str::to_owned).collect(),
            follow_links: true,
        }
    }
}

/// How files are heard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ears {
    /// Name of a model, or path of its weights.
    pub model: String,
    /// `auto`, `cpu` or `cuda`.
    pub device: String,
    /// Decode workers, 0 for the number of cores.
    pub workers: u32,
    /// Seconds without audio after which a file is given up.
    pub stall_seconds: u32,
}

impl Default for Ears {
    fn default() -> Self {
        Self { model: "deep".into(), device: "auto".into(), workers: 0, stall_seconds: 10 }
    }
}

/// When a genre is written into a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Only where the file has no genre of its own.
    #[default]
    Fill,
    /// Beside what is there.
    Merge,
    /// In place of what is there.
    Replace,
}

/// What is written into files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tags {
    /// When a genre is written.
    pub policy: Policy,
    /// Write as tracks are heard.
    pub auto_write: bool,
    /// Smallest share that is written, 0 to 1.
    pub min_share: f64,
    /// Most genres of a file.
    pub max_genres: usize,
    /// Share of unsure chunks, 0 to 1, from which on nothing is written.
    pub unsure_limit: f64,
    /// Genres that may be written; empty means all.
    pub retain: Vec<String>,
    /// Joins several genres in ID3v2.3.
    pub joiner: String,
    /// Keep a file's modification time.
    pub keep_mtime: bool,
    /// Also write each share as a field of its own.
    pub write_shares: bool,
    /// Largest reverse patch of one write, bytes.
    pub undo_max_bytes: u64,
    /// Days that reverse patches are kept.
    pub undo_days: u32,
    /// How a genre is written, where it should differ.
    pub names: BTreeMap<String, String>,
}

impl Default for Tags {
    fn default() -> Self {
        Self {
            policy: Policy::Fill,
            auto_write: false,
            min_share: 0.20,
            max_genres: 3,
            unsure_limit: 0.50,
            retain: Vec::new(),
            joiner: "; ".into(),
            keep_mtime: false,
            write_shares: false,
            undo_max_bytes: 16 << 20,
            undo_days: 365,
            names: BTreeMap::new(),
        }
    }
}

/// Shares that the words of a search mean, in percent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Search {
    /// `pure`, `only`, `all`: at least.
    pub pure: u32,
    /// `mostly`, `mainly`: at least, and the largest.
    pub mostly: u32,
    /// `half`: from, to.
    pub half: [u32; 2],
    /// `a lot of`: at least.
    pub a_lot: u32,
    /// `some`: from, below.
    pub some: [u32; 2],
    /// `a bit of`: from, below.
    pub a_bit: [u32; 2],
    /// A bare genre: at least.
    pub any: u32,
    /// `no`: below.
    pub no: u32,
    /// `about N %`: within so many points.
    pub about: u32,
    /// Other words for genres.
    pub aliases: BTreeMap<String, String>,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            pure: 85,
            mostly: 50,
            half: [40, 60],
            a_lot: 35,
            some: [15, 50],
            a_bit: [5, 25],
            any: 15,
            no: 5,
            about: 5,
            aliases: BTreeMap::new(),
        }
    }
}

/// When a retrained model is good enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retrain {
    /// Corrected tracks that it takes.
    pub min_tracks: u32,
    /// Artists (or albums) that they must come from.
    pub min_artists: u32,
    /// Corrected tracks that make a new genre an output of the model.
    pub new_genre_tracks: u32,
    /// The gain on held-out corrections that it must surely exceed, as a share.
    pub min_gain: f64,
    /// How surely, 0 to 1.
    pub confidence: f64,
    /// What may be lost on base music that the network never saw, as a share.
    pub max_base_loss: f64,
    /// Folds by artist over the corrections.
    pub folds: u32,
    /// The same seed makes the same model on the same machine.
    pub seed: u32,
}

impl Default for Retrain {
    fn default() -> Self {
        Self {
            min_tracks: 20,
            min_artists: 5,
            new_genre_tracks: 3,
            min_gain: 0.0,
            confidence: 0.90,
            max_base_loss: 0.02,
            folds: 10,
            seed: 0,
        }
    }
}

/// How the library is watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Watch {
    /// Seconds without a change before a file is heard.
    pub settle_seconds: u32,
    /// Minutes between two looks through the whole library, 0 for never.
    pub reconcile_minutes: u32,
    /// Roots that are polled.
    pub poll: Vec<PathBuf>,
    /// Seconds between two polls.
    pub poll_seconds: u32,
}

impl Default for Watch {
    fn default() -> Self {
        Self { settle_seconds: 2, reconcile_minutes: 60, poll: Vec::new(), poll_seconds: 30 }
    }
}

/// Programs that are told what happens: a list of words each, empty for none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hooks {
    /// A file was heard.
    pub on_heard: Vec<String>,
    /// Genres were written into a file, or taken back.
    pub on_tagged: Vec<String>,
    /// A file could not be heard.
    pub on_failed: Vec<String>,
    /// A file is gone.
    pub on_missing: Vec<String>,
    /// A scan ended that found something new.
    pub on_scanned: Vec<String>,
    /// Seconds after which a hook is ended.
    pub timeout_seconds: u32,
}

impl Default for Hooks {
    fn default() -> Self {
        let none = Vec::new;
        Self {
            on_heard: none(),
            on_tagged: none(),
            on_failed: none(),
            on_missing: none(),
            on_scanned: none(),
            timeout_seconds: 10,
        }
    }
}

/// The player that opens a track.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Player {
    /// Program and arguments; the path is appended.
    pub command: Vec<String>,
}

/// The terminal UI.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ui {
    /// `auto`, or the name of a theme ([`THEMES`]).
    pub theme: String,
    /// Whether the mouse is used.
    pub mouse: bool,
    /// Other keys than those of the help: by action, or by place and action.
    pub keys: BTreeMap<String, KeySetting>,
}

/// The themes, by name.
pub const THEMES: [&str; 7] = ["auto", "dark", "light", "ocean", "ember", "contrast", "mono"];

/// Keys of an action, or of the actions of a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum KeySetting {
    /// One key.
    One(String),
    /// Several, or none.
    Many(Vec<String>),
    /// By action.
    In(BTreeMap<String, KeySetting>),
}

impl KeySetting {
    /// The keys.
    #[must_use]
    pub const fn as_slice(&self) -> &[String] {
        match self {
            Self::One(key) => std::slice::from_ref(key),
            Self::Many(keys) => keys.as_slice(),
            Self::In(_) => &[],
        }
    }
}

impl Default for Ui {
    fn default() -> Self {
        Self { theme: "auto".into(), mouse: true, keys: BTreeMap::new() }
    }
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It could not be read.
    #[error("settings {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It does not parse, or names a setting that does not exist.
    #[error("settings {path}: {key}: {reason}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where in it.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// A value is out of range.
    #[error("settings {path}: {what}")]
    Value {
        /// The file.
        path: PathBuf,
        /// What is wrong, naming its key.
        what: String,
    },
}

impl Config {
    /// Read the settings in `path`; a file that does not exist means the defaults.
    ///
    /// # Errors
    /// The file, the key and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(ConfigError::Read { path: path.into(), source }),
        }
    }

    /// Read settings from `text`; `path` is for the error.
    ///
    /// # Errors
    /// The key and what is wrong with it.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let fail = |key: String, reason: String| ConfigError::Parse { path: path.into(), key, reason };
        let document = toml::Deserializer::parse(text).map_err(|e| fail("syntax".into(), e.to_string()))?;
        let config: Self = serde_path_to_error::deserialize(document)
            .map_err(|e| fail(e.path().to_string(), e.inner().message().to_owned()))?;
        config.check().map_err(|what| ConfigError::Value { path: path.into(), what })?;
        Ok(config)
    }

    /// Where the settings name a genre that `taxonomy` does not list: a line each, for people. It may be one that is
    /// still to come, so it is no error; of a taxonomy that lists none yet nothing is said.
    #[must_use]
    pub fn unknown_genres(&self, taxonomy: &Taxonomy) -> Vec<String> {
        if taxonomy.iter().next().is_none() {
            return Vec::new();
        }
        let retain = self.tags.retain.iter().map(|name| ("tags.retain", name));
        let names = self.tags.names.keys().map(|name| ("tags.names", name));
        let aliases = self.search.aliases.values().map(|name| ("search.aliases", name));
        let unknown = retain.chain(names).chain(aliases).filter(|(_, name)| taxonomy.resolve(name).is_none());
        unknown
            .map(|(key, name)| match taxonomy.suggest(name) {
                Some(near) => format!("{key}: no genre {name:?} here; is it {}?", taxonomy.name(near)),
                None => format!("{key}: no genre {name:?} here; `deepcuts genre list` has them"),
            })
            .collect()
    }

    fn check(&self) -> Result<(), String> {
        let share = |key: &str, v: f64| {
            if (0.0..=1.0).contains(&v) { Ok(()) } else { Err(format!("{key} = {v}: it must lie between 0 and 1")) }
        };
        share("tags.min_share", self.tags.min_share)?;
        share("tags.unsure_limit", self.tags.unsure_limit)?;
        share("retrain.confidence", self.retrain.confidence)?;
        share("retrain.max_base_loss", self.retrain.max_base_loss)?;
        if !(-1.0..=1.0).contains(&self.retrain.min_gain) {
            return Err(format!("retrain.min_gain = {}: it must lie between -1 and 1", self.retrain.min_gain));
        }
        if self.retrain.folds < 2 {
            return Err(format!("retrain.folds = {}: it takes at least 2", self.retrain.folds));
        }
        if self.tags.joiner.contains('\0') {
            return Err("tags.joiner: it must not hold a NUL character".into());
        }
        let hooks = &self.hooks;
        for (key, command) in [
            ("on_heard", &hooks.on_heard),
            ("on_tagged", &hooks.on_tagged),
            ("on_failed", &hooks.on_failed),
            ("on_missing", &hooks.on_missing),
            ("on_scanned", &hooks.on_scanned),
        ] {
            if command.iter().any(|word| word.contains('\0')) || command.first().is_some_and(String::is_empty) {
                return Err(format!("hooks.{key}: the first word must be a program, and no word may hold a NUL"));
            }
        }
        if hooks.timeout_seconds == 0 {
            return Err("hooks.timeout_seconds = 0: a hook needs a second at least".into());
        }
        if !["auto", "cpu", "cuda"].contains(&self.ears.device.as_str()) {
            return Err(format!("ears.device = {:?}: it must be \"auto\", \"cpu\" or \"cuda\"", self.ears.device));
        }
        if !THEMES.contains(&self.ui.theme.as_str()) {
            return Err(format!("ui.theme = {:?}: it must be one of {}", self.ui.theme, THEMES.join(", ")));
        }
        let s = &self.search;
        for (key, percent) in [
            ("pure", s.pure),
            ("mostly", s.mostly),
            ("a_lot", s.a_lot),
            ("any", s.any),
            ("no", s.no),
            ("about", s.about),
        ] {
            if percent > 100 {
                return Err(format!("search.{key} = {percent}: it must lie between 0 and 100"));
            }
        }
        for (key, [from, to]) in [("half", s.half), ("some", s.some), ("a_bit", s.a_bit)] {
            if from > to || to > 100 {
                return Err(format!("search.{key} = [{from}, {to}]: it must rise, within 0 and 100"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_commented_file_is_the_default() {
        let path = Path::new("config.toml");
        assert_eq!(Config::parse(path, include_str!("../config.toml")).unwrap(), Config::default());
    }

    #[test]
    fn the_commented_file_names_every_setting() {
        let shown: toml::Table = include_str!("../config.toml").parse().unwrap();
        let known = toml::Table::try_from(Config::default()).unwrap();
        for (section, keys) in &known {
            for key in keys.as_table().unwrap().keys() {
                assert!(shown[section].as_table().unwrap().contains_key(key), "{section}.{key}");
            }
        }
    }

    #[test]
    fn a_typing_error_names_its_key() {
        let error = Config::parse(Path::new("c.toml"), "[tags]\npolcy = \"fill\"\n").unwrap_err().to_string();
        assert!(error.contains("tags") && error.contains("polcy") && error.contains("policy"), "{error}");
        let error = Config::parse(Path::new("c.toml"), "[tags]\nmin_share = 20\n").unwrap_err().to_string();
        assert!(error.contains("tags.min_share"), "{error}");
    }
}
