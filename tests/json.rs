//! `docs/json.md` is what other programs are promised: each command's answer has the keys that its example there has.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{collections::BTreeMap, fs};

use serde_json::Value;
use support::Machine;

/// Keys whose value is a table by genre, reason, name or reader, or a document that is described elsewhere.
const OPEN: [&str; 8] = ["mix", "genres", "left_alone", "searches", "seen", "card", "report", "shares"];

/// The examples of the page, by the words of their headings.
fn examples() -> BTreeMap<String, Value> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    let mut heading = String::new();
    for line in include_str!("../docs/json.md").lines() {
        if let Some(text) = line.strip_prefix("## ") {
            heading = text.replace('`', "");
        } else if let Some(json) = line.strip_prefix("    ") {
            all.entry(heading.clone()).or_default().push_str(json);
        }
    }
    all.into_iter()
        .map(|(heading, json)| {
            let value = serde_json::from_str(&json).unwrap_or_else(|e| panic!("{heading}: {e}: {json}"));
            (heading, value)
        })
        .collect()
}

/// `real` has the keys of `example`, and no others, at every level that both have.
#[track_caller]
fn alike(at: &str, example: &Value, real: &Value) {
    match (example, real) {
        (Value::Object(example), Value::Object(real)) => {
            let keys = |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(real), keys(example), "{at}");
            for (key, value) in example {
                // A list of genres is a list like others.
                if !OPEN.contains(&key.as_str()) || value.is_array() {
                    alike(&format!("{at}.{key}"), value, &real[key]);
                }
            }
        }
        (Value::Array(example), Value::Array(real)) => {
            if let (Some(example), Some(real)) = (example.first(), real.first()) {
                alike(&format!("{at}[]"), example, real);
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        (example, real) => {
            let kind = |v: &Value| (v.is_string(), v.is_number(), v.is_boolean(), v.is_array());
            assert_eq!(kind(real), kind(example), "{at}: {real} and {example}");
        }
    }
}

#[test]
fn every_answer_is_as_the_page_says() {
    let mut examples = examples();
    let machine = Machine::with_rock_and_jazz();
    let refused = machine.wav("refuse.wav", 5000);
    let path = |name: &str| machine.music.join(name).to_str().unwrap().to_owned();
    let mut check = |heading: &str, args: &[&str], key: &str| {
        let example = examples.remove(heading).unwrap_or_else(|| panic!("{heading} is not on the page"));
        let ran = machine.run(&[args, &["--format", "json"]].concat());
        let real = ran.json();
        // Something has to be in it, or nothing was compared.
        let filled = key.is_empty() || real[key].as_array().is_some_and(|list| !list.is_empty());
        assert!(filled, "{heading}: {real:#}");
        alike(heading, &example, &real);
    };
    check("scan", &["scan", machine.music.to_str().unwrap()], "");
    check("scan --failed", &["scan", "--failed"], "failures");
    machine.run(&["search", "--save", "dinner", "a lot of jazz"]).exits(0);
    check("search --saved", &["search", "--saved"], "");
    let one = path("other/jazz8-0.wav");
    machine.run(&["correct", &one, "--span", "0:05-0:10", "reggae"]).exits(0);
    check("show", &["show", &one], "files");
    check("correct --list", &["correct", "--list"], "corrections");
    check("status", &["status"], "roots");
    check("genre list", &["genre", "list"], "genres");
    check("review", &["review"], "review");
    check("doctor", &["doctor"], "checks");
    check("tag --as", &["tag", "--as", "mpd", &one], "changes");
    check("tag", &["tag", "--yes", &one], "changes");
    // The same tag on another recording is somebody's own word, and the audio says otherwise.
    let mut bytes = fs::read(path("other/jazz8-0.wav")).unwrap();
    let data = bytes.windows(4).position(|w| w == b"data").unwrap() + 200;
    bytes[data] ^= 1;
    fs::write(path("other/rock8-9.wav"), bytes).unwrap();
    check("undo --dry-run", &["undo", "--dry-run", &one], "files");
    check("history", &["history"], "runs");
    check("history RUN", &["history", "1"], "writes");
    check("undo", &["undo", &one], "");
    machine.scan().exits(1);
    check("audit", &["audit"], "findings");
    check("audit --fix", &["audit", "--fix", "all", "--yes"], "changes");
    check("models list", &["models", "list"], "models");
    for artist in 0..6 {
        machine.run(&["correct", &path(&format!("artist{artist}")), "zouk"]).exits(0);
    }
    check("retrain", &["retrain", "--yes"], "");
    check("models history", &["models", "history"], "promotions");
    check("models eval --mine", &["models", "eval", "--mine"], "");
    fs::remove_file(refused).unwrap();
    fs::remove_file(path("other/rock8-9.wav")).unwrap();
    machine.scan().exits(0);
    check("prune", &["prune", "--days", "0"], "files");
    assert!(examples.is_empty(), "on the page and never asked: {:?}", examples.keys());
}
