//! Killed at any system call, a command leaves the library as it was or as it was to be, and run again it gets there.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;
use support::Machine;

/// What changes something on a disk.
const CALLS: &str = "pwrite64,write,fsync,fdatasync,ftruncate,rename,renameat2,unlink,mkdir";

/// Kills tried for each of these calls and command; `DEEPCUTS_KILLS` sets another number.
const TRIED: usize = 3;

fn traces() -> bool {
    let can = Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    let can = can.is_ok_and(|status| status.success());
    if !can {
        println!("skipped: strace may not trace here");
    }
    can
}

fn traced(machine: &Machine, log: &Path, options: &[&str], args: &[&str]) -> std::process::Output {
    let plain = machine.deepcuts(args);
    let mut strace = Command::new("strace");
    // The ears are a process of their own, and may die without the desk.
    strace
        .args(["-f", "-b", "execve", "-qq", "-o"])
        .arg(log)
        .args(options)
        .arg(plain.get_program())
        .args(plain.get_args());
    strace.envs(machine.environment()).output().unwrap()
}

/// How often the busiest thread makes each call: injection counts by thread.
fn counted(log: &Path) -> BTreeMap<String, usize> {
    let mut by_thread: BTreeMap<(String, String), usize> = BTreeMap::new();
    for line in fs::read_to_string(log).unwrap().lines() {
        let Some((thread, rest)) = line.split_once(char::is_whitespace) else { continue };
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        if CALLS.split(',').any(|name| name == call) {
            *by_thread.entry((thread.to_owned(), call.to_owned())).or_default() += 1;
        }
    }
    let mut most = BTreeMap::new();
    for ((_, call), n) in by_thread {
        let slot: &mut usize = most.entry(call).or_default();
        *slot = n.max(*slot);
    }
    most
}

/// All that a listener sees: every mix, the model, and what searches find.
fn seen(machine: &Machine) -> Value {
    let mut tracks = machine.run(&["export", "--format", "json"]).exits(0).json()["tracks"].clone();
    tracks.as_array_mut().unwrap().sort_by_key(|track| track["path"].to_string());
    let found = |query: &str| machine.run(&["search", "--format", "paths", query]).out().lines().count();
    let counts: Vec<usize> = ["zouk", "rock", "jazz", "swing", "state:any"].iter().map(|query| found(query)).collect();
    let corrections = machine.run(&["correct", "--export", "-"]).exits(0).json()["corrections"].clone();
    let status = machine.run(&["status", "--format", "json"]).exits(0).json();
    let said: BTreeSet<String> = corrections
        .as_array()
        .unwrap()
        .iter()
        .map(|c| format!("{} {} {}", c["audio"], c["genres"], c["locked"]))
        .collect();
    serde_json::json!({"tracks": tracks, "found": counts, "said": said, "model": status["model"], "files": status["files"]})
}

/// The database, its models and its index, kept beside and put back.
struct Kept<'a>(&'a Machine);

impl<'a> Kept<'a> {
    fn of(machine: &'a Machine) -> Self {
        sh(machine, "rm -rf kept && mkdir kept && cp -a library* kept/");
        Self(machine)
    }

    fn put_back(&self) {
        sh(self.0, "rm -rf library* && cp -a kept/* .");
    }
}

fn sh(machine: &Machine, script: &str) {
    assert!(Command::new("sh").current_dir(machine.at("")).args(["-c", script]).status().unwrap().success());
}

/// Kill `args` at a sample of its calls: each time the library is old or new, sound, and run again it is new.
fn killed(machine: &Machine, args: &[&str]) {
    let log = machine.at("calls");
    let kept = Kept::of(machine);
    let old = seen(machine);
    let ran = traced(machine, &log, &["-e", &format!("trace={CALLS}")], args);
    assert!(ran.status.success(), "{args:?}: {}", String::from_utf8_lossy(&ran.stderr));
    let new = seen(machine);
    assert_ne!(old, new, "{args:?} changes nothing");
    let tried = std::env::var("DEEPCUTS_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(TRIED);
    let (mut olds, mut news) = (0, 0);
    for (call, n) in counted(&log) {
        let step = n.div_ceil(tried).max(1);
        // The last ones, too: that is where what is new comes into force.
        let points: BTreeSet<usize> = (1..=n).step_by(step).chain(n.saturating_sub(1).max(1)..=n).collect();
        for nth in points {
            kept.put_back();
            let inject = format!("inject={call}:signal=SIGKILL:when={nth}");
            let trace = format!("trace={call}");
            traced(machine, Path::new("/dev/null"), &["-e", &trace, "-e", &inject], args);
            let what = format!("{args:?} killed at {call} {nth} of {n}");
            let damage: String = rusqlite::Connection::open(machine.database())
                .and_then(|db| db.query_row("PRAGMA integrity_check", [], |row| row.get(0)))
                .unwrap();
            assert_eq!(damage, "ok", "{what}");
            let now = seen(machine);
            assert!(now == old || now == new, "{what}: neither old nor new:\n{now:#}\nold: {old:#}");
            if now == old {
                olds += 1;
                machine.run(args).exits(0);
                assert_eq!(seen(machine), new, "{what}, and run again");
            } else {
                news += 1;
            }
            nothing_is_half(machine, &what);
        }
    }
    println!("{args:?}: {olds} old, {news} new");
    kept.put_back();
}

/// Every model's file belongs to a model that the library knows, and nothing lies about.
fn nothing_is_half(machine: &Machine, what: &str) {
    let known = machine.run(&["models", "history", "--format", "json"]).json().to_string();
    let files = fs::read_dir(machine.at("library-models")).into_iter().flatten().flatten();
    for name in files.map(|entry| entry.file_name().to_string_lossy().into_owned()) {
        let model = name.split('.').next().unwrap();
        assert!(
            name == "reports" || model.is_empty() || known.contains(&format!("\"{model}\"")),
            "{what}: {name} is left"
        );
    }
}

fn correct(machine: &Machine, artists: u32) {
    for artist in 0..artists {
        machine.run(&["correct", machine.music.join(format!("artist{artist}")).to_str().unwrap(), "zouk"]).exits(0);
    }
}

#[test]
fn models_come_and_go_whole() {
    if !traces() {
        return;
    }
    let machine = Machine::with_rock_and_jazz();
    correct(&machine, 6);
    killed(&machine, &["retrain", "--yes"]);
    machine.run(&["retrain", "--yes"]).exits(0);
    killed(&machine, &["models", "rollback"]);
    machine.run(&["models", "rollback"]).exits(0);
    killed(&machine, &["models", "use", "scripted-1"]);
}

#[test]
fn what_is_said_and_what_genres_are_called_changes_whole() {
    if !traces() {
        return;
    }
    let machine = Machine::with_rock_and_jazz();
    correct(&machine, 2);
    let kept = machine.at("kept.json");
    machine.run(&["correct", "--export", kept.to_str().unwrap()]).exits(0);
    for _ in 0..2 {
        machine.run(&["correct", "--undo"]).exits(0);
    }
    let mut json: Value = serde_json::from_slice(&fs::read(&kept).unwrap()).unwrap();
    for entry in json["corrections"].as_array_mut().unwrap() {
        entry["at_ms"] = (entry["at_ms"].as_i64().unwrap() + 1).into();
        entry["locked"] = true.into();
    }
    fs::write(&kept, json.to_string()).unwrap();
    killed(&machine, &["correct", "--import", kept.to_str().unwrap()]);
    killed(&machine, &["correct", machine.music.join("artist3").to_str().unwrap(), "zouk"]);
    killed(&machine, &["genre", "merge", "jazz", "rock"]);
    killed(&machine, &["genre", "rename", "jazz", "swing"]);
    machine.run(&["genre", "rename", "jazz", "swing"]).exits(0);
    killed(&machine, &["genre", "undo"]);
}

#[test]
fn a_backup_comes_back_whole() {
    if !traces() {
        return;
    }
    let machine = Machine::with_rock_and_jazz();
    let backup = machine.at("backup.db");
    machine.run(&["backup", backup.to_str().unwrap()]).exits(0);
    correct(&machine, 4);
    killed(&machine, &["restore", backup.to_str().unwrap()]);
}

#[test]
fn a_scan_that_is_killed_anywhere_ends_as_if_it_had_not_been() {
    if !traces() {
        return;
    }
    let machine = Machine::with_rock_and_jazz();
    let kept = Kept::of(&machine);
    for n in 0..30 {
        machine.wav(&format!("new{}/jazz4-rock2-{n}.wav", n % 3), 2000 + n);
    }
    fs::rename(machine.music.join("artist0"), machine.music.join("moved")).unwrap();
    fs::remove_dir_all(machine.music.join("artist1")).unwrap();
    let args = ["scan", machine.music.to_str().unwrap()];
    let log = machine.at("calls");
    assert!(traced(&machine, &log, &["-e", &format!("trace={CALLS}")], &args).status.success());
    let whole = seen(&machine);
    for (call, n) in counted(&log) {
        for nth in (1..=n).step_by(n.div_ceil(TRIED).max(1)) {
            kept.put_back();
            let inject = format!("inject={call}:signal=SIGKILL:when={nth}");
            traced(&machine, Path::new("/dev/null"), &["-e", &format!("trace={call}"), "-e", &inject], &args);
            machine.run(&args).exits(0);
            assert_eq!(seen(&machine), whole, "killed at {call} {nth} of {n}, and run again");
        }
    }
}

#[test]
fn a_migration_that_is_killed_anywhere_is_done_by_the_next_start() {
    if !traces() {
        return;
    }
    let machine = Machine::with_rock_and_jazz();
    correct(&machine, 3);
    let new = seen(&machine);
    let older = "DROP INDEX tag_writes_by_audio; ALTER TABLE tag_writes DROP COLUMN audio;
        ALTER TABLE tag_writes DROP COLUMN written; PRAGMA user_version = 5; PRAGMA wal_checkpoint(TRUNCATE)";
    rusqlite::Connection::open(machine.database()).unwrap().execute_batch(older).unwrap();
    let kept = Kept::of(&machine);
    let log = machine.at("calls");
    assert!(traced(&machine, &log, &["-e", &format!("trace={CALLS}")], &["status"]).status.success());
    for (call, n) in counted(&log) {
        for nth in (1..=n).step_by(n.div_ceil(2 * TRIED).max(1)) {
            kept.put_back();
            let inject = format!("inject={call}:signal=SIGKILL:when={nth}");
            traced(&machine, Path::new("/dev/null"), &["-e", &format!("trace={call}"), "-e", &inject], &["status"]);
            assert_eq!(seen(&machine), new, "killed at {call} {nth} of {n}");
            // Whatever backup there is brings the library back, or says that it is none.
            for entry in fs::read_dir(machine.at("")).unwrap().map(Result::unwrap) {
                if entry.file_name().to_string_lossy().ends_with(".bak") {
                    let restored = machine.run(&["restore", entry.path().to_str().unwrap()]);
                    assert!([0, 2].contains(&restored.code()), "{}", restored.err());
                    assert_eq!(
                        seen(&machine),
                        new,
                        "killed at {call} {nth} of {n}, and {:?} restored",
                        entry.file_name()
                    );
                }
            }
        }
    }
}
