//! Two processes on one library: nothing is written twice, and whoever spoke last is heard.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use support::{Machine, Ran};

fn contents(machine: &Machine) -> BTreeMap<PathBuf, Vec<u8>> {
    let all = fs::read_dir(&machine.music).unwrap().map(|entry| entry.unwrap().path());
    all.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn mix(machine: &Machine, name: &str) -> serde_json::Value {
    let path = machine.music.join(name);
    let shown = machine.run(&["show", "--format", "json", path.to_str().unwrap()]);
    if shown.code() == 0 { shown.json()["files"][0]["mix"].clone() } else { serde_json::Value::Null }
}

fn found(machine: &Machine, query: &str) -> usize {
    machine.run(&["search", "--format", "paths", query]).out().lines().count()
}

fn in_force(machine: &Machine) -> String {
    machine.run(&["status", "--format", "json"]).exits(0).json()["model"].as_str().unwrap().to_owned()
}

#[track_caller]
fn eventually(what: &str, is: impl Fn() -> bool) {
    let since = Instant::now();
    while !is() {
        assert!(since.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn two_runs_at_once_write_each_file_once() {
    let machine = Machine::new();
    (0..60).for_each(|n| drop(machine.wav(&format!("jazz8-{n:02}.wav"), n)));
    machine.scan().exits(0);
    let before = contents(&machine);
    let runs: Vec<_> = (0..3)
        .map(|_| {
            let mut tag = machine.deepcuts(&["tag", "--yes", "--format", "json"]);
            tag.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let runs: Vec<_> = runs.into_iter().map(|run| Ran(run.wait_with_output().unwrap())).collect();
    let written: usize = runs.iter().map(|ran| ran.json()["changes"].as_array().unwrap().len()).sum();
    let equal: u64 = runs.iter().map(|ran| ran.json()["equal"].as_u64().unwrap()).sum();
    assert!(written + equal as usize >= 60, "{written} written, {equal} equal");
    let journal = rusqlite::Connection::open(machine.database()).unwrap();
    let count = |sql: &str| journal.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT COUNT(*) FROM tag_writes WHERE state = 'done'"), 60);
    assert_eq!(count("SELECT COUNT(DISTINCT path) FROM tag_writes WHERE state = 'done'"), 60);
    assert_eq!(count("SELECT COUNT(*) FROM tag_writes WHERE state IN ('intent', 'ready')"), 0);
    assert!(machine.scan().exits(0).out().contains("60 unchanged"));
    machine.run(&["undo", "--since", "1d"]).exits(0);
    assert!(contents(&machine) == before, "not the same bytes, or something is left");
}

#[test]
fn a_correction_holds_while_a_retraining_names_the_library() {
    let machine = Machine::with_rock_and_jazz();
    for artist in 0..6 {
        machine.run(&["correct", machine.music.join(format!("artist{artist}")).to_str().unwrap(), "zouk"]).exits(0);
    }
    let mut retrain = machine.deepcuts(&["retrain", "--yes"]);
    retrain.env("DEEPCUTS_SCRIPT_LABEL_MS", "1500").stdout(Stdio::null()).stderr(Stdio::null());
    let mut retrain = retrain.spawn().unwrap();
    let candidate = machine.at("library-models/.candidate/scripted-1.json");
    eventually("there is no candidate", || candidate.exists());
    let said = machine.music.join("artist9/rock8-0.wav");
    machine.run(&["correct", said.to_str().unwrap(), "ska"]).exits(0);
    assert_eq!(mix(&machine, "artist9/rock8-1.wav"), serde_json::json!({"rock": 1.0}), "not accepted yet");
    assert!(retrain.wait().unwrap().success());
    assert_eq!(in_force(&machine), "scripted-1");
    assert_eq!(mix(&machine, "artist9/rock8-0.wav"), serde_json::json!({"ska": 1.0}));
    assert_eq!(mix(&machine, "artist9/rock8-1.wav"), serde_json::json!({"zouk": 1.0}));
    assert_eq!((found(&machine, "mostly ska"), found(&machine, "mostly zouk")), (1, 39));
}

#[test]
fn a_model_that_is_chosen_while_a_scan_writes_stays_chosen() {
    let machine = Machine::with_rock_and_jazz();
    for artist in 0..6 {
        machine.run(&["correct", machine.music.join(format!("artist{artist}")).to_str().unwrap(), "zouk"]).exits(0);
    }
    machine.run(&["retrain", "--yes"]).exits(0);
    machine.run(&["models", "rollback"]).exits(0);
    (0..40).for_each(|n| drop(machine.wav(&format!("new/rock8 slow {n}.wav"), 3000 + n)));
    let mut scan = machine.deepcuts(&["scan", machine.music.to_str().unwrap()]);
    let mut scan = scan.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let heard = || machine.run(&["status", "--format", "json"]).json()["heard"].as_u64().unwrap();
    eventually("nothing new was heard", || heard() > 46);
    machine.run(&["models", "use", "scripted-1"]).exits(0);
    assert!(scan.wait().unwrap().success());
    assert_eq!(in_force(&machine), "scripted-1");
    // What the scan still heard by the other is named, and not decoded again.
    assert!(machine.scan().exits(0).out().contains(" 0 heard"));
    for n in 0..40 {
        assert_eq!(mix(&machine, &format!("new/rock8 slow {n}.wav")), serde_json::json!({"zouk": 1.0}), "{n}");
    }
    assert_eq!((found(&machine, "mostly zouk"), found(&machine, "rock")), (80, 0));
}

#[test]
fn genres_are_merged_and_renamed_while_a_watch_writes() {
    let machine = Machine::new();
    let settings = fs::read_to_string(machine.at("config.toml")).unwrap();
    fs::write(machine.at("config.toml"), format!("{settings}\n[tags]\nauto_write = true\n")).unwrap();
    machine.wav("rock8 first.wav", 1);
    machine.scan().exits(0);
    let _watching = machine.watch(|command| {
        command.stderr(Stdio::null());
    });
    for n in 0..40 {
        machine.wav(&format!("{}8 {n}.wav", ["rock", "jazz"][n as usize % 2]), 100 + n);
        match n {
            12 => drop(machine.run(&["genre", "merge", "rock", "pop"]).exits(0)),
            20 => drop(machine.run(&["genre", "rename", "jazz", "swing"]).exits(0)),
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    }
    machine.wav("rock8 last.wav", 999);
    let heard = || machine.run(&["status", "--format", "json"]).json()["heard"].as_u64().unwrap();
    eventually("not all was heard", || heard() == 42);
    eventually("the index has not learned it", || {
        (found(&machine, "pure pop"), found(&machine, "pure swing")) == (22, 20)
    });
    for n in 0..40 {
        let (name, genre) = [("rock", "pop"), ("jazz", "swing")][n % 2];
        assert_eq!(mix(&machine, &format!("{name}8 {n}.wav")), serde_json::json!({genre: 1.0}), "{n}");
    }
    let last = machine.music.join("rock8 last.wav");
    let genres = || {
        let shown = machine.run(&["show", "--format", "json", last.to_str().unwrap()]).exits(0).json();
        shown["files"][0]["tags"]["genres"].clone()
    };
    eventually("the last file is not tagged by the new name", || genres() == serde_json::json!(["Pop"]));
    machine.run(&["genre", "undo"]).exits(0);
    machine.run(&["genre", "undo"]).exits(0);
    eventually("the index has not unlearned it", || {
        (found(&machine, "pure rock"), found(&machine, "pure jazz")) == (22, 20)
    });
}
