//! `--explain`: how a query was read, and why the first hits come first.

use super::{
    answer::{Answer, Hit},
    meaning::{expr_alone, test},
    query::{Expr, Query, TextField},
    rank::Asked,
};
use crate::{
    genre::{Genre, Taxonomy},
    text::{clean, clean_path},
};

/// Hits that are explained, at most.
const HITS: usize = 20;

/// The tree, the mix asked for, and what ranked the first hits. Fit for a terminal.
#[must_use]
pub fn explain(query: &Query, answer: &Answer, taxonomy: &Taxonomy) -> String {
    let mut out = String::from("read as\n");
    tree(&query.root, taxonomy, 1, &mut out);
    let asked = Asked::of(&query.root);
    if asked.alternatives.is_empty() {
        out.push_str("no share of a whole track is asked for: all lie equally close\n");
    }
    for way in &asked.alternatives {
        let mix: Vec<String> =
            way.iter().map(|(genre, wanted)| format!("{} {}", spoken(genre, taxonomy), percent(*wanted))).collect();
        out.push_str(&format!("mix asked for: {} (the rest may be anything)\n", mix.join(", ")));
    }
    let weights: Vec<String> = TextField::WEIGHTED.iter().map(|(f, w)| format!("{} {w}", f.name())).collect();
    out.push_str(&format!(
        "order: {}distance from that mix, then weights of the fields that match ({}), then artist, album, disc, track, path\n",
        if query.sort.is_empty() { "" } else { "as asked, then " },
        weights.join(", ")
    ));
    for (place, hit) in answer.hits.iter().take(HITS).enumerate() {
        out.push_str(&format!("{:>4}. {}\n", place + 1, line(hit)));
    }
    if answer.count > HITS.min(answer.hits.len()) {
        out.push_str(&format!("      and {} more\n", answer.count - HITS.min(answer.hits.len())));
    }
    out
}

fn line(hit: &Hit) -> String {
    format!("distance {}, weight {}: {}", percent(hit.distance), hit.weight, clean_path(&hit.path))
}

fn percent(millionths: u32) -> String {
    format!("{}.{:02}", millionths / 10_000, millionths % 10_000 / 100)
}

fn spoken(genre: &Genre, taxonomy: &Taxonomy) -> String {
    clean(&taxonomy.name(genre).to_lowercase()).into_owned()
}

fn tree(root: &Expr, taxonomy: &Taxonomy, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match root {
        Expr::All(parts) if parts.is_empty() => out.push_str(&format!("{indent}everything\n")),
        Expr::All(parts) | Expr::Any(parts) => {
            out.push_str(&format!("{indent}{}\n", if matches!(root, Expr::All(_)) { "all of" } else { "any of" }));
            for part in parts {
                tree(part, taxonomy, depth + 1, out);
            }
        }
        Expr::Not(part) => match part.as_ref() {
            Expr::Leaf(_) => out.push_str(&format!("{indent}{}\n", expr_alone(root, taxonomy))),
            part => {
                out.push_str(&format!("{indent}not\n"));
                tree(part, taxonomy, depth + 1, out);
            }
        },
        Expr::Leaf(leaf) => out.push_str(&format!("{indent}{}\n", test(&leaf.test, taxonomy))),
    }
}
