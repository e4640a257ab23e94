//! Why nothing was found, and what would be: which clause removed the most, and the nearest query that some
//! track answers.

use super::{
    index::IndexError,
    meaning::{expr_alone, test},
    query::{Expr, Leaf, Quantity, Query, Test},
    share::{Bounds, Share, WHOLE},
};
use crate::genre::Taxonomy;

/// Why nothing was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The clause without which most would be found, and how many those are.
    pub removed_most: Option<(String, usize)>,
    /// The nearest query that finds anything, as its meaning, and how many it finds.
    pub looser: Option<(String, usize)>,
    /// Clauses that no track can ever meet together.
    pub impossible: Option<String>,
}

/// Find out. `count` says how many files answer a tree.
pub(super) fn advise(
    query: &Query,
    taxonomy: &Taxonomy,
    count: &dyn Fn(&Expr) -> Result<usize, IndexError>,
) -> Result<Option<Advice>, IndexError> {
    let parts: Vec<Expr> = match &query.root {
        Expr::All(parts) => parts.clone(),
        other => vec![other.clone()],
    };
    if parts.is_empty() {
        return Ok(None);
    }
    let mut removed_most: Option<(String, usize)> = None;
    // The looser query that loses least: a clause relaxed before a clause left out; then the fewer hits, the
    // nearer.
    let mut looser: Option<((usize, usize), Expr)> = None;
    let mut consider = |cost: usize, n: usize, tree: Expr| {
        if n > 0 && looser.as_ref().is_none_or(|(best, _)| (cost, n) < *best) {
            looser = Some(((cost, n), tree));
        }
    };
    for (i, part) in parts.iter().enumerate() {
        let others: Vec<Expr> =
            parts.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, other)| other.clone()).collect();
        let n = if others.is_empty() { count(&Expr::All(Vec::new()))? } else { count(&Expr::all(others.clone()))? };
        if n > removed_most.as_ref().map_or(0, |(_, most)| *most) {
            removed_most = Some((expr_alone(part, taxonomy), n));
        }
        for (step, relaxed) in relaxations(part).into_iter().enumerate() {
            let mut tree = parts.clone();
            if let Some(slot) = tree.get_mut(i) {
                *slot = relaxed;
            }
            let tree = Expr::all(tree);
            let n = count(&tree)?;
            consider(step, n, tree);
            if n > 0 {
                break;
            }
        }
        if !others.is_empty() {
            consider(LEFT_OUT, n, Expr::all(others));
        }
    }
    // No single clause is to blame: leave them out from the last one on.
    let mut front = parts.clone();
    while looser.is_none() && front.len() > 2 {
        front.truncate(front.len() - 1);
        let shorter = front.get(..front.len() - 1).unwrap_or(&[]).to_vec();
        let tree = Expr::all(shorter);
        let n = count(&tree)?;
        if n > 0 {
            looser = Some(((LEFT_OUT + 1, n), tree));
        }
    }
    Ok(Some(Advice {
        removed_most: removed_most.filter(|_| parts.len() > 1),
        looser: looser.map(|((_, n), tree)| (expr_alone(&tree, taxonomy), n)),
        impossible: impossible(&parts, taxonomy),
    }))
}

/// A clause left out is farther away than any clause relaxed.
const LEFT_OUT: usize = 100;

/// `part` asked for less and less strictly.
fn relaxations(part: &Expr) -> Vec<Expr> {
    let Expr::Leaf(Leaf { test: Test::Share { genre, bounds, largest, window, .. }, span }) = part else {
        return Vec::new();
    };
    let relaxed = |bounds: Bounds, largest: bool| {
        Expr::Leaf(Leaf {
            test: Test::Share { genre: genre.clone(), quantity: Quantity::Given, bounds, largest, window: *window },
            span: span.clone(),
        })
    };
    let mut steps = Vec::new();
    if *largest {
        steps.push(relaxed(*bounds, false));
    }
    // Ten points wider each time, on both sides, while that says something.
    for step in 1..=9 {
        let by = step * (WHOLE / 10);
        let low = bounds.low.map(|(Share(m), _)| m.saturating_sub(by)).filter(|m| *m > 0);
        let high = bounds.high.map(|(Share(m), _)| m.saturating_add(by)).filter(|m| *m < WHOLE);
        if low.is_none() && high.is_none() {
            break;
        }
        steps.push(relaxed(Bounds { low: low.map(|m| (Share(m), true)), high: high.map(|m| (Share(m), true)) }, false));
    }
    steps
}

/// Shares of the whole track that add up to more than a whole.
fn impossible(parts: &[Expr], taxonomy: &Taxonomy) -> Option<String> {
    let mut sum = 0_u64;
    let mut said = Vec::new();
    let mut genres = Vec::new();
    for part in parts {
        if let Expr::Leaf(Leaf { test: t @ Test::Share { genre, bounds, largest, window: None, .. }, .. }) = part
            && let Some((Share(low), _)) = bounds.low
            && low > 0
            && !genres.contains(&genre)
        {
            // Two genres cannot both be the largest.
            sum += u64::from(low) + u64::from(*largest);
            said.push(test(t, taxonomy));
            genres.push(genre);
        }
    }
    (sum > u64::from(WHOLE)).then(|| said.join(" and "))
}
