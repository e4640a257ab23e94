//! From a split's name to the chunks that are learned from, watched, and judged.

use deepcuts_protocol::Split;
use rand::seq::SliceRandom;

use super::{
    TrainError,
    batch::{self, Item},
    data::{Part, Set},
    folds,
    recipe::{Crop, Keep, Recipe},
};

/// Folds are dealt with this seed, so that every network and every seed is judged on the same folds.
pub const FOLD_SEED: u64 = 0;

/// The three sides of one run.
#[derive(Clone, Debug, Default)]
pub struct Sides {
    /// Learned from.
    pub learn: Vec<Item>,
    /// Watched while learning (and, with `keep = "best"`, chosen by).
    pub watch: Vec<Item>,
    /// Judges. The same as `watch` where nothing is chosen by watching.
    pub judge: Vec<Item>,
}

/// Folds that a split has: one but for artist folds.
#[must_use]
pub const fn count(split: Split, folds: u32) -> u32 {
    match split {
        Split::Artist => folds,
        Split::Sturm | Split::Paper => 1,
    }
}

/// The sides of `fold`.
///
/// # Errors
/// Says what the set lacks for this split.
pub fn sides(
    set: &Set,
    recipe: &Recipe,
    chunk: usize,
    split: Split,
    folds: u32,
    fold: u32,
) -> Result<Sides, TrainError> {
    let best = recipe.fit.keep == Keep::Best;
    let learn_items = |clips: &[u32]| match recipe.augment.crop {
        Crop::Random => batch::whole(set, clips),
        Crop::Grid => batch::grid(set, clips, chunk),
    };
    let all = 0..set.clips.len() as u32;
    let (learn, watch, judge): (Vec<u32>, Vec<u32>, Vec<u32>) = match split {
        Split::Paper => return Ok(shuffled_chunks(set, chunk)),
        Split::Artist => {
            let of = folds::by_group(&set.labels(), &set.groups(), folds, FOLD_SEED);
            let at = |clip: &u32| of.get(*clip as usize).copied().unwrap_or(0);
            let watched = (fold + 1) % folds;
            let judge: Vec<u32> = all.clone().filter(|c| at(c) == fold).collect();
            let watch = all.clone().filter(|c| best && at(c) == watched).collect();
            (all.filter(|c| at(c) != fold && !(best && at(c) == watched)).collect(), watch, judge)
        }
        Split::Sturm => {
            let part = |clip: &u32| set.clips.get(*clip as usize).and_then(|c| c.sturm);
            let of = |wanted: Part| all.clone().filter(|c| part(c) == Some(wanted)).collect::<Vec<u32>>();
            let (mut train, valid) = (of(Part::Train), of(Part::Valid));
            if !best {
                train.extend(&valid);
            }
            (train, if best { valid } else { Vec::new() }, of(Part::Test))
        }
    };
    if learn.is_empty() || judge.is_empty() {
        return Err(TrainError::TooLittle(match split {
            Split::Sturm => "no clip has a place in Sturm's split; give the tracks CSV that says it".to_owned(),
            _ => format!("fold {fold} of {folds} leaves a side empty; there must be at least {folds} artists"),
        }));
    }
    let judge = batch::grid(set, &judge, chunk);
    let watch = if watch.is_empty() { judge.clone() } else { batch::grid(set, &watch, chunk) };
    Ok(Sides { learn: learn_items(&learn), watch, judge })
}

/// The paper's: 80, 10 and 10 % of the shuffled chunks, whatever track they come from.
fn shuffled_chunks(set: &Set, chunk: usize) -> Sides {
    let clips: Vec<u32> = (0..set.clips.len() as u32).collect();
    let mut items = batch::grid(set, &clips, chunk);
    items.shuffle(&mut batch::rng(FOLD_SEED, 0, 3));
    let tenth = items.len() / 10;
    let judge = items.split_off(items.len() - tenth);
    let watch = items.split_off(items.len() - tenth);
    Sides { learn: items, watch, judge }
}
