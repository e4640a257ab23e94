//! Splits: which clips are learned from and which judge.
//!
//! A group (an artist) never stands on both sides. Groups are dealt so that every fold has its share of each genre.

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

/// The fold of each clip, `folds` of them, from labels and groups.
///
/// Large groups are dealt first, each to the fold where it leaves the genres most evenly spread; ties are broken by
/// the smaller fold. Seeded.
#[must_use]
pub fn by_group(labels: &[u8], groups: &[u32], folds: u32, seed: u64) -> Vec<u32> {
    let genres = labels.iter().max().map_or(0, |&m| usize::from(m) + 1);
    let group_count = groups.iter().max().map_or(0, |&m| m as usize + 1);
    let mut counts = vec![vec![0.0_f64; genres]; group_count];
    let mut totals = vec![0.0_f64; genres];
    for (&label, &group) in labels.iter().zip(groups) {
        if let (Some(of_group), Some(total)) = (
            counts.get_mut(group as usize).and_then(|g| g.get_mut(usize::from(label))),
            totals.get_mut(usize::from(label)),
        ) {
            *of_group += 1.0;
            *total += 1.0;
        }
    }
    let mut order: Vec<usize> = (0..group_count).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let size = |g: usize| counts.get(g).map_or(0.0, |c| c.iter().sum::<f64>());
    order.sort_by(|&a, &b| size(b).total_cmp(&size(a)));

    let mut dealt = vec![vec![0.0_f64; genres]; folds as usize];
    let mut fold_of = vec![0_u32; group_count];
    for group in order {
        let Some(mine) = counts.get(group) else { continue };
        let cost = |fold: &[f64]| -> f64 {
            // How far the genres of this group would stand above an even share in this fold.
            (mine.iter().zip(fold).zip(&totals))
                .filter(|((m, _), _)| **m > 0.0)
                .map(|((m, f), t)| m * (f + m) / t.max(1.0))
                .sum()
        };
        let best = (dealt.iter().enumerate())
            .map(|(i, fold)| (i, cost(fold), fold.iter().sum::<f64>()))
            .min_by(|a, b| a.1.total_cmp(&b.1).then(a.2.total_cmp(&b.2)))
            .map_or(0, |(i, ..)| i);
        if let Some(fold) = dealt.get_mut(best) {
            fold.iter_mut().zip(mine).for_each(|(f, m)| *f += m);
        }
        if let Some(slot) = fold_of.get_mut(group) {
            *slot = best as u32;
        }
    }
    groups.iter().map(|&g| fold_of.get(g as usize).copied().unwrap_or(0)).collect()
}

/// Number the groups of `names` from 0; an empty name is a group of its own.
#[must_use]
pub fn number_groups(names: &[String]) -> Vec<u32> {
    let mut known = std::collections::HashMap::new();
    let mut next = 0;
    let mut new = || {
        next += 1;
        next - 1
    };
    names
        .iter()
        .map(|name| {
            let name = name.trim().to_lowercase();
            if name.is_empty() { new() } else { *known.entry(name).or_insert_with(&mut new) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_group_stands_on_both_sides(rows in prop::collection::vec((0u8..5, 0u32..40), 1..300), seed in 0u64..5) {
            // A group belongs to one genre here, as an artist mostly does.
            let labels: Vec<u8> = rows.iter().map(|r| (r.1 % 5) as u8).collect();
            let groups: Vec<u32> = rows.iter().map(|r| r.1).collect();
            let folds = by_group(&labels, &groups, 5, seed);
            for (i, g) in groups.iter().enumerate() {
                for (j, h) in groups.iter().enumerate() {
                    prop_assert!(g != h || folds[i] == folds[j]);
                }
            }
        }
    }

    #[test]
    fn genres_are_spread_evenly() {
        let groups: Vec<u32> = (0..200).map(|i| i / 2).collect();
        let labels: Vec<u8> = groups.iter().map(|g| (g % 4) as u8).collect();
        let folds = by_group(&labels, &groups, 5, 0);
        for fold in 0..5 {
            for genre in 0..4 {
                let n = folds.iter().zip(&labels).filter(|(f, l)| **f == fold && **l == genre).count();
                assert_eq!(n, 10, "fold {fold}, genre {genre}");
            }
        }
    }

    #[test]
    fn unnamed_clips_are_groups_of_their_own() {
        let names = ["A", "", "a ", "", "b"].map(String::from);
        assert_eq!(number_groups(&names), [0, 1, 0, 2, 3]);
    }
}
