//! Tags written as tracks are heard, and a day's life: music arrives in a watched folder while tags are written
//! and searches run.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use support::Machine;

fn contents(machine: &Machine) -> BTreeMap<PathBuf, Vec<u8>> {
    let all = fs::read_dir(&machine.music).unwrap().map(|e| e.unwrap().path());
    all.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn written(machine: &Machine) -> BTreeMap<String, Vec<String>> {
    let shown = machine.run(&["show", "--format", "json", machine.music.to_str().unwrap()]).json();
    let files = shown["files"].as_array().unwrap();
    let list = |value: &serde_json::Value| -> Vec<String> { serde_json::from_value(value.clone()).unwrap_or_default() };
    files
        .iter()
        .map(|f| {
            let name = f["path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            (name, list(&f["written_genres"]))
        })
        .collect()
}

#[test]
fn a_scan_writes_when_it_is_asked_to_and_undo_takes_it_back() {
    let machine = Machine::new();
    machine.wav("jazz6-blues2.wav", 1);
    machine.wav("unsure4.wav", 2);
    machine.scan().exits(0);
    let before = contents(&machine);
    let music = machine.music.to_str().unwrap().to_owned();
    assert!(machine.run(&["history"]).out().trim().is_empty() || contents(&machine) == before);
    // What an earlier scan has heard is written too.
    machine.wav("rock4.wav", 3);
    let before = contents(&machine);
    let ran = machine.run(&["scan", "--write-tags", &music]).exits(0);
    assert!(ran.out().contains("2 tagged, 0 refused"), "{}\n{}", ran.out(), ran.err());
    let tags = written(&machine);
    assert_eq!(tags["jazz6-blues2.wav"], ["Jazz", "Blues"]);
    assert_eq!(tags["rock4.wav"], ["Rock"]);
    assert!(tags["unsure4.wav"].is_empty());
    // Our own writes are no news.
    let again = machine.run(&["scan", "--write-tags", &music]).exits(0);
    assert!(again.out().starts_with("3 files, 0 heard, 3 unchanged"), "{}", again.out());
    assert!(again.out().contains("0 tagged, 0 refused"), "{}", again.out());
    machine.run(&["undo"]).exits(0);
    assert!(contents(&machine) == before, "undo is byte-identical");
}

#[test]
fn a_clock_that_was_ahead_does_not_end_the_writing() {
    let machine = Machine::new();
    let music = machine.music.to_str().unwrap().to_owned();
    machine.wav("jazz4.wav", 1);
    machine.run(&["scan", "--write-tags", &music]).exits(0);
    machine.run(&["undo"]).exits(0);
    // That scan ran while the clock stood in another century.
    let sql = "UPDATE meta SET value = '7000000000000' WHERE key = 'auto_write_looked_ms'";
    assert_eq!(rusqlite::Connection::open(machine.database()).unwrap().execute(sql, []).unwrap(), 1);
    machine.wav("rock4.wav", 2);
    let ran = machine.run(&["scan", "--write-tags", &music]).exits(0);
    assert!(ran.out().contains("1 tagged, 0 refused"), "{}", ran.out());
    assert!(written(&machine)["jazz4.wav"].is_empty(), "what was taken back stays so");
}

#[test]
fn a_day_in_the_life() {
    let machine = Machine::new();
    let settings = fs::read_to_string(machine.at("config.toml")).unwrap();
    fs::write(machine.at("config.toml"), format!("{settings}\n[tags]\nauto_write = true\n")).unwrap();
    machine.wav("jazz4 0.wav", 0);
    let log = machine.at("listened");
    let watching = machine.watch(|command| {
        command.env("DEEPCUTS_SCRIPT_LOG", &log);
    });
    for n in 1..40 {
        machine.wav(&format!("{}4 {n}.wav", support::GENRES[n as usize % 10]), n);
        if n % 8 == 0 {
            let found = machine.run(&["search", "jazz or rock"]);
            // Before the first scan has begun there is no library: that, too, is said and no crash.
            assert!([0, 1, 2].contains(&found.code()) && found.err().len() < 500, "{}", found.err());
        }
    }
    // A correction by another process, while the watch listens.
    let since = Instant::now();
    let mut counts = (0, 0);
    while since.elapsed() < Duration::from_secs(40) && counts != (40, 40) {
        std::thread::sleep(Duration::from_millis(200));
        let status = machine.run(&["status", "--format", "json"]);
        if status.code() == 0 {
            let tagged = written(&machine).values().filter(|genres| !genres.is_empty()).count();
            counts = (status.json()["heard"].as_u64().unwrap(), tagged);
        }
    }
    let corrected = machine.music.join("blues4 10.wav");
    machine.run(&["correct", corrected.to_str().unwrap(), "soul"]).exits(0);
    let soul = Instant::now();
    while machine.run(&["search", "pure soul"]).code() != 0 && soul.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(200));
    }
    let found = machine.run(&["search", "--format", "paths", "pure soul"]);
    let quiet = contents(&machine);
    std::thread::sleep(Duration::from_secs(2));
    let later = contents(&machine);
    drop(watching);
    assert_eq!(counts, (40, 40));
    assert_eq!(found.out().trim(), corrected.to_str().unwrap());
    // One tag write is no further analysis and no further write.
    assert!(quiet == later);
    assert_eq!(fs::read_to_string(&log).unwrap().lines().count(), 40);
    let history = machine.run(&["history", "--format", "json"]).json().to_string();
    let runs: Vec<_> = history.match_indices("\"as heard\"").collect();
    assert!(!runs.is_empty(), "{history}");
}

#[test]
fn a_scan_that_is_interrupted_writes_no_further_file() {
    let machine = Machine::new();
    for n in 0..600 {
        machine.wav(&format!("jazz8-{n}.wav"), n);
    }
    machine.scan().exits(0);
    let music = machine.music.to_str().unwrap().to_owned();
    let mut scan =
        machine.deepcuts(&["scan", "--write-tags", &music]).stdout(std::process::Stdio::null()).spawn().unwrap();
    let written = || -> i64 {
        let journal = rusqlite::Connection::open(machine.database()).unwrap();
        journal.query_row("SELECT COUNT(*) FROM tag_writes WHERE state = 'done'", [], |r| r.get(0)).unwrap()
    };
    while written() == 0 && scan.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    Command::new("kill").args(["-INT", &scan.id().to_string()]).status().unwrap();
    assert_eq!(scan.wait().unwrap().code(), Some(130));
    let n = written();
    assert!(n < 600, "all {n} files were written after the interruption");
    // What was left is written by the next.
    let again = machine.run(&["scan", "--write-tags", &music]).exits(0).out();
    assert!(again.contains(&format!("{} tagged, 0 refused", 600 - n)), "{again}");
}
