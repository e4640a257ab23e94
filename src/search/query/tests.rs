#![allow(clippy::unwrap_used)]
use super::*;
use crate::{genre::Taxonomy, search::meaning::meaning};
#[test]
fn dump() {
    let mut t = Taxonomy::builtin();
    for n in ["blues","classical","country","disco","hiphop","jazz","metal","pop","reggae","rock","R&B","Drum & Bass"] { t.add(n); }
    let g = Grammar::new(&t, Thresholds::default());
    for line in std::fs::read_to_string("/tmp/w/phr.txt").unwrap().lines() {
        match g.parse(line) { Ok(q) => println!("{line}\n      -> {}", meaning(&q, &t)), Err(e) => println!("{line}\n  !! {e}") }
    }
}
