//! Each line knows which room it lives in: which crates and which rooms a room may name.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{fs, path::Path};

/// (crate, where it may be named).
const CRATES: &[(&str, &[&str])] = &[
    ("rusqlite", &["src/store/"]),
    ("tantivy", &["src/search/"]),
    ("lofty", &["src/tags/"]),
    ("walkdir", &["src/crawl.rs", "ears/src/train/"]),
    ("notify", &["src/watch.rs"]),
    ("clap", &["src/cli.rs", "src/cli/", "src/commands/", "src/main.rs", "ears/src/main.rs", "ears/src/serve/mod.rs"]),
    ("indicatif", &["src/commands/"]),
    ("ratatui", &["src/tui/"]),
    ("tch", &["ears/src/model/", "ears/src/train/"]),
    ("symphonia", &["ears/src/decode/"]),
];

/// (room, rooms it must not name): data flows one way.
const ROOMS: &[(&str, &[&str])] = &[
    ("src/genre.rs", &["track", "store", "search", "tags", "payload", "pipeline", "commands", "tui", "cli"]),
    ("src/track.rs", &["store", "search", "tags", "payload", "pipeline", "commands", "tui", "cli"]),
    ("src/crawl.rs", &["store", "search", "tags", "payload", "pipeline", "commands", "tui", "cli", "ears"]),
    ("src/watch.rs", &["store", "search", "tags", "payload", "pipeline", "commands", "tui", "cli", "ears"]),
    ("src/ears/", &["store", "search", "tags", "payload", "pipeline", "commands", "tui", "cli"]),
    ("src/hooks/", &["search", "tags", "payload", "pipeline", "commands", "tui", "cli", "ears", "crawl"]),
    ("src/store/", &["hooks", "search", "tags", "payload", "pipeline", "commands", "tui", "cli", "ears", "crawl"]),
    ("src/payload/", &["hooks", "store", "search", "tags", "pipeline", "commands", "tui", "cli", "ears"]),
    ("src/search/", &["hooks", "tags", "payload", "pipeline", "commands", "tui", "cli", "ears"]),
    ("src/corrections/", &["hooks", "tags", "payload", "pipeline", "commands", "tui", "cli", "crawl"]),
    ("src/tags/", &["search", "pipeline", "commands", "tui", "cli", "ears"]),
    ("src/pipeline/", &["commands", "tui", "cli", "search"]),
    ("src/commands/", &[]),
    ("src/tui/", &["cli"]),
];

fn each_file(dir: &Path, see: &mut dyn FnMut(&str, &str)) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            each_file(&path, see);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_str().unwrap().to_owned();
            see(&name, &fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn crates_and_rooms_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for dir in ["src", "ears/src"] {
        each_file(&Path::new(env!("CARGO_MANIFEST_DIR")).join(dir), &mut |file, text| {
            let code: String =
                text.lines().filter(|l| !l.trim_start().starts_with("//")).fold(String::new(), |s, l| s + l + "\n");
            let names = |what: &str| {
                code.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').any(|w| w.starts_with(what))
            };
            for (krate, places) in CRATES {
                if names(&format!("{krate}::")) && !places.iter().any(|p| file.starts_with(p)) {
                    wrong.push(format!("{file} names {krate}"));
                }
            }
            for (_, others) in ROOMS.iter().filter(|(room, _)| file.starts_with(room)) {
                wrong.extend(
                    others
                        .iter()
                        .filter(|o| names(&format!("crate::{o}::")) || code.contains(&format!("    {o}::")))
                        .map(|o| format!("{file} names {o}")),
                );
            }
        });
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
