//! Recipes: every hyper-parameter of a training run, in TOML, one built in for each architecture.

use std::collections::BTreeMap;

use deepcuts_protocol::FrontEnd;
use serde::{Deserialize, Serialize};

use super::TrainError;
use crate::model::{Arch, CutsShape};

/// Every hyper-parameter of a training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Architecture by name.
    pub arch: String,
    /// Front end for audio sources.
    pub front_end: FrontEnd,
    /// Widths of `cuts` and `deep`; the other architectures have the paper's.
    #[serde(default)]
    pub net: CutsShape,
    /// How the weights are fitted.
    pub fit: Fit,
    /// How chunks are varied.
    pub augment: Augment,
    /// What `deep` teaches, if it does.
    #[serde(default, skip_serializing_if = "Teach::is_nothing")]
    pub teacher: Teach,
}

/// What a network that knows more says of mixtures: `deep`, fitted to the same side of the split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Teach {
    /// Its share in what is learned; the rest say the labels. At 0 there is none.
    pub share: f64,
    /// Its logits are divided by this.
    pub temperature: f64,
    /// Mixtures that it hears, over the whole set.
    pub mixtures: u32,
}

impl Default for Teach {
    fn default() -> Self {
        Self { share: 0.0, temperature: 1.0, mixtures: 32_768 }
    }
}

impl Teach {
    fn is_nothing(&self) -> bool {
        self.share <= 0.0
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_zero(value: &f32) -> bool {
    *value == 0.0
}

/// How the weights are fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fit {
    /// What is minimised.
    pub loss: Loss,
    /// By which rule.
    pub optimiser: Optimiser,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Decoupled weight decay (AdamW).
    pub weight_decay: f64,
    /// How the learning rate moves.
    pub schedule: Schedule,
    /// Chunks in a minibatch.
    pub batch: u32,
    /// Minibatches in all; or `epochs`.
    #[serde(default)]
    pub steps: Option<u32>,
    /// Times the training set is seen; or `steps`.
    #[serde(default)]
    pub epochs: Option<u32>,
    /// Share of the target that is spread over all genres.
    pub label_smoothing: f64,
    /// Beta of the mixing weight; 0 for none.
    pub mixup: f64,
    /// Decay of the moving average of the weights; 0 for none.
    pub average: f64,
    /// Which weights are kept.
    pub keep: Keep,
    /// Minibatches between two points of the curve; 0 for one an epoch.
    pub report_every: u32,
}

/// What is minimised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Cross-entropy of the softmax.
    CrossEntropy,
    /// Binary cross-entropy of each softmax output, as in the authors' code.
    SoftmaxBce,
}

/// By which rule weights are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optimiser {
    /// Adam with decoupled weight decay.
    Adamw,
    /// RMSprop, smoothing .99.
    Rmsprop,
}

/// How the learning rate moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Up over the first quarter, then down to nothing, by half cosines.
    OneCycle,
    /// Halved when the best training loss is not among the last three epochs.
    Halving,
    /// As it is.
    Constant,
}

/// Which weights are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// The last: nothing is chosen by watching.
    Last,
    /// Those with the best chunk accuracy on watched clips, which are set apart from the training clips for it.
    Best,
}

/// How chunks are varied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augment {
    /// Where chunks begin.
    pub crop: Crop,
    /// Chunks are cut from 1 - s to 1 + s times their length, and stretched to it.
    #[serde(default)]
    pub stretch: f32,
    /// Share of the chunks whose bands are moved towards the level and spread of another clip.
    #[serde(default)]
    pub style: f32,
    /// Artists are drawn by their number of clips to the power of 1 - b: 0 draws every clip alike, 1 every artist.
    #[serde(default)]
    pub balance: f32,
    /// Every genre is drawn as often as any other, however many clips it has.
    #[serde(default)]
    pub even_genres: bool,
    /// Genres (slugs) that are drawn so many times as often.
    #[serde(default)]
    pub genres: BTreeMap<String, f32>,
    /// The floor of a clip is taken to be lower, by up to this share of the range, as lossy coding makes it. A network
    /// over a trunk hears a clip as it is, and with a floor that is lower by all of it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub floor: f32,
    /// Most bands a chunk moves up or down.
    pub band_shift: u32,
    /// Factors from 1 - s to 1 + s.
    pub scale: f32,
    /// Deviation of a summand.
    pub offset: f32,
    /// Deviation of a slope over the bands.
    pub tilt: f32,
    /// Number of band masks.
    pub band_masks: u32,
    /// Most bands of a mask.
    pub band_mask_width: u32,
    /// Number of time masks.
    pub time_masks: u32,
    /// Most frames of a mask.
    pub time_mask_width: u32,
}

/// Where chunks begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Crop {
    /// Anywhere; one chunk a clip an epoch.
    Random,
    /// Side by side from the start, the ragged tail dropped; every chunk each epoch.
    Grid,
}

const BUILT_IN: [(&str, &str); 10] = [
    ("deep", include_str!("../../recipes/deep.toml")),
    ("cuts", include_str!("../../recipes/cuts.toml")),
    ("cnn", include_str!("../../recipes/cnn.toml")),
    ("crnn", include_str!("../../recipes/crnn.toml")),
    ("crnn-long", include_str!("../../recipes/crnn-long.toml")),
    ("rcnn", include_str!("../../recipes/rcnn.toml")),
    ("cnn-paper", include_str!("../../recipes/cnn-paper.toml")),
    ("crnn-paper", include_str!("../../recipes/crnn-paper.toml")),
    ("crnn-long-paper", include_str!("../../recipes/crnn-long-paper.toml")),
    ("rcnn-paper", include_str!("../../recipes/rcnn-paper.toml")),
];

impl Recipe {
    /// The built-in recipe of this name.
    ///
    /// # Errors
    /// When there is none; the error lists them.
    pub fn text_of(name: &str) -> Result<&'static str, TrainError> {
        BUILT_IN.iter().find(|(n, _)| *n == name).map(|(_, text)| *text).ok_or_else(|| {
            let names: Vec<&str> = BUILT_IN.iter().map(|(n, _)| *n).collect();
            TrainError::Recipe(format!("there is no recipe {name}; there are {}", names.join(", ")))
        })
    }

    /// Read a recipe and lay `key=value` overrides over it.
    ///
    /// # Errors
    /// Names the key that is wrong.
    pub fn read(text: &str, overrides: &[String]) -> Result<Self, TrainError> {
        let bad = |e: &dyn std::fmt::Display| TrainError::Recipe(e.to_string());
        let mut table: toml::Table = toml::from_str(text).map_err(|e| bad(&e))?;
        for line in overrides {
            let (key, value) = line.split_once('=').ok_or_else(|| bad(&format!("{line}: an override is KEY=VALUE")))?;
            set(&mut table, key.trim(), value.trim())?;
        }
        let recipe: Self = toml::Value::Table(table).try_into().map_err(|e| bad(&e))?;
        recipe.check()?;
        Ok(recipe)
    }

    fn check(&self) -> Result<(), TrainError> {
        let bad = |text: &str| Err(TrainError::Recipe(text.to_owned()));
        if Arch::of_name(&self.arch).is_none() {
            let names = Arch::ALL.map(Arch::name).join(", ");
            return bad(&format!("arch = {:?} is not known; there are {names}", self.arch));
        }
        if !self.net.is_sane() {
            return bad("net: widths out of bounds");
        }
        let f = &self.fit;
        if f.batch == 0 || !(f.learning_rate > 0.0 && f.learning_rate.is_finite()) {
            return bad("fit.batch and fit.learning_rate must be above 0");
        }
        if f.steps.is_some() == f.epochs.is_some() || f.steps == Some(0) || f.epochs == Some(0) {
            return bad("fit: give either steps or epochs, above 0");
        }
        if !(0.0..1.0).contains(&f.average) || !(0.0..1.0).contains(&f.label_smoothing) || f.mixup < 0.0 {
            return bad("fit: average and label_smoothing lie between 0 and 1, mixup is not negative");
        }
        let t = &self.teacher;
        if !(0.0..=1.0).contains(&t.share) || t.temperature <= 0.0 || !(1..=1_000_000).contains(&t.mixtures) {
            return bad("teacher: share lies between 0 and 1, temperature is above 0, mixtures 1 to 1,000,000");
        }
        if t.share > 0.0 && (self.fit.mixup <= 0.0 || self.arch != Arch::Cuts.name()) {
            return bad("teacher: it teaches cuts alone, and by mixtures: fit.mixup must be above 0");
        }
        if !(0.0..1.0).contains(&self.augment.floor) {
            return bad("augment.floor: from 0 to below 1");
        }
        if self.augment.genres.values().any(|w| !(0.0..=100.0).contains(w)) {
            return bad("augment.genres: a genre is drawn 0 to 100 times as often");
        }
        Ok(())
    }
}

fn set(table: &mut toml::Table, key: &str, value: &str) -> Result<(), TrainError> {
    let bad = |reason: String| TrainError::Recipe(format!("{key}: {reason}"));
    // A bare word is a string: `fit.keep=best`.
    let parsed: toml::Table = toml::from_str(&format!("v = {value}"))
        .or_else(|_| toml::from_str(&format!("v = {value:?}")))
        .map_err(|e| bad(e.to_string()))?;
    let value = parsed.get("v").cloned().ok_or_else(|| bad("no value".to_owned()))?;
    let mut at = table;
    let mut parts = key.split('.').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            // Steps and epochs exclude each other; an override of one replaces the other.
            match part {
                "steps" => drop(at.remove("epochs")),
                "epochs" => drop(at.remove("steps")),
                _ => {}
            }
            at.insert(part.to_owned(), value);
            return Ok(());
        }
        at = (at.entry(part).or_insert_with(|| toml::Value::Table(toml::Table::new())))
            .as_table_mut()
            .ok_or_else(|| bad("no such table".to_owned()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_built_in_recipe_reads_and_names_its_architecture() {
        for (name, text) in BUILT_IN {
            let recipe = Recipe::read(text, &[]).unwrap();
            assert_eq!(recipe.arch, name.trim_end_matches("-paper"));
        }
    }

    #[test]
    fn the_papers_recipe_is_the_authors() {
        let r = Recipe::read(Recipe::text_of("cnn-paper").unwrap(), &[]).unwrap();
        assert_eq!((r.fit.optimiser, r.fit.learning_rate, r.fit.batch), (Optimiser::Rmsprop, 1e-5, 20));
        assert_eq!((r.fit.loss, r.fit.schedule, r.fit.epochs), (Loss::SoftmaxBce, Schedule::Halving, Some(50)));
        let r = Recipe::read(Recipe::text_of("crnn-long-paper").unwrap(), &[]).unwrap();
        assert_eq!((r.fit.epochs, r.front_end, r.fit.keep), (Some(60), FrontEnd::Paper256, Keep::Best));
    }

    #[test]
    fn overrides_reach_their_key_and_a_typo_is_named() {
        let text = Recipe::text_of("cuts").unwrap();
        let r = Recipe::read(text, &["fit.epochs=3".into(), "fit.keep=best".into(), "net.trunk=64".into()]).unwrap();
        assert_eq!((r.fit.epochs, r.fit.steps, r.fit.keep, r.net.trunk), (Some(3), None, Keep::Best, 64));
        let error = Recipe::read(text, &["fit.stepz=3".into()]).unwrap_err().to_string();
        assert!(error.contains("stepz"), "{error}");
    }
}
