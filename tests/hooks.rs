//! Hooks, through the real program: who is told what, and what a bad hook can do (nothing).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::Value;
use support::Machine;

const ALL: [&str; 5] = ["on_heard", "on_tagged", "on_failed", "on_missing", "on_scanned"];

/// Settings with these hooks, and other lines for their section.
fn hooks(machine: &Machine, hooks: &[(&str, &[&str])], more: &str) {
    let mut text = fs::read_to_string(machine.at("config.toml")).unwrap();
    text += "\n[hooks]\n";
    for (name, words) in hooks {
        text += &format!("{name} = {words:?}\n");
    }
    fs::write(machine.at("config.toml"), text + more).unwrap();
}

/// Every event goes to a line of the file `events`.
fn notebook(machine: &Machine) {
    let path = machine.at("events");
    let words = ["sh", "-c", "cat >>\"$0\"", path.to_str().unwrap()];
    hooks(machine, &ALL.map(|name| (name, &words[..])), "");
}

fn events(machine: &Machine) -> Vec<Value> {
    let text = fs::read_to_string(machine.at("events")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of(events: &[Value], kind: &str) -> Vec<Value> {
    events.iter().filter(|event| event["event"] == kind).cloned().collect()
}

#[track_caller]
fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is() {
        assert!(since.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn alive(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_scan_tells_what_it_hears_writes_fails_at_and_misses() {
    let machine = Machine::new();
    notebook(&machine);
    let jazz = machine.wav("jazz6-blues2.wav", 1);
    machine.wav("x refuse.wav", 2);
    let gone = machine.wav("rock4.wav", 3);
    machine.run(&["scan", "--write-tags", machine.music.to_str().unwrap()]).exits(1);
    let told = events(&machine);
    let heard = of(&told, "heard");
    assert_eq!(heard.len(), 2);
    let first = heard.iter().find(|e| e["path"] == jazz.to_str().unwrap()).unwrap();
    assert_eq!(first["mix"], serde_json::json!({"jazz": 0.75, "blues": 0.25}));
    assert_eq!((&first["unsure"], &first["source"], &first["version"]), (&0.0.into(), &"model".into(), &1.into()));
    assert!(first["time"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    let tagged = of(&told, "tagged");
    let first = tagged.iter().find(|e| e["path"] == jazz.to_str().unwrap()).unwrap();
    assert_eq!((&first["from"], &first["to"]), (&serde_json::json!([]), &serde_json::json!(["Jazz", "Blues"])));
    assert_eq!(tagged.len(), 2);
    let failed = of(&told, "failed");
    assert_eq!((failed.len(), &failed[0]["reason"]), (1, &"the script says no".into()));
    let scanned = of(&told, "scanned");
    assert_eq!((&scanned[0]["seen"], &scanned[0]["heard"], &scanned[0]["failed"]), (&3.into(), &2.into(), &1.into()));

    // A scan that finds nothing new tells nothing; one file moves, which is no loss, and one goes.
    machine.scan().exits(1);
    assert_eq!(events(&machine).len(), told.len());
    fs::remove_file(&gone).unwrap();
    fs::rename(&jazz, machine.music.join("moved.wav")).unwrap();
    machine.scan().exits(1);
    let missing = of(&events(&machine), "missing");
    assert_eq!((missing.len(), &missing[0]["path"]), (1, &gone.to_str().unwrap().into()));

    // The way back is told as well.
    machine.run(&["undo", machine.music.join("moved.wav").to_str().unwrap()]).exits(0);
    let tagged = of(&events(&machine), "tagged");
    assert_eq!((tagged.len(), &tagged[2]["to"]), (3, &serde_json::json!([])));
}

#[test]
fn nothing_out_of_a_file_is_a_word_of_the_command() {
    let machine = Machine::new();
    notebook(&machine);
    let name = "jazz4 $(touch owned) `touch owned` ; touch owned #\n\u{1b}]0;x\u{7}'\".wav";
    let path = machine.wav(name, 1);
    machine.deepcuts(&["scan", machine.music.to_str().unwrap()]).current_dir(machine.at("")).output().unwrap();
    let heard = of(&events(&machine), "heard");
    assert_eq!(heard[0]["path"], path.to_str().unwrap());
    assert!(!machine.at("owned").exists() && !machine.music.join("owned").exists());
}

#[test]
fn a_name_that_is_no_text_comes_as_bytes_too() {
    use std::os::unix::ffi::OsStrExt;
    let machine = Machine::new();
    notebook(&machine);
    let path = machine.music.join(std::ffi::OsStr::from_bytes(b"jazz4 \xff.wav"));
    support::wav(&path, 1);
    machine.scan().exits(0);
    let heard = of(&events(&machine), "heard");
    let bytes: deepcuts_protocol::Base64 = serde_json::from_value(heard[0]["path_bytes"].clone()).unwrap();
    assert_eq!(bytes.0, path.as_os_str().as_bytes());
}

#[test]
fn a_hook_that_never_ends_is_ended_with_all_it_started() {
    let machine = Machine::new();
    let pids = machine.at("pids");
    let script = format!("trap '' TERM; sleep 600 & echo $! >>'{0}'; echo $$ >>'{0}'; wait; sleep 600", pids.display());
    hooks(&machine, &[("on_heard", &["sh", "-c", &script])], "timeout_seconds = 1\n");
    for n in 0..30 {
        machine.wav(&format!("jazz4 {n}.wav"), n);
    }
    let since = Instant::now();
    let ran = machine.scan().exits(0);
    assert!(ran.out().starts_with("30 files, 30 heard"), "{}", ran.out());
    // Thirty hooks of ten minutes each.
    assert!(since.elapsed() < Duration::from_secs(120), "{:?}", since.elapsed());
    assert!(ran.err().contains("on_heard: ended after 1."), "{}", ran.err());
    let pids = fs::read_to_string(pids).unwrap();
    assert!(pids.lines().count() >= 2);
    assert!(!pids.lines().any(alive), "{pids}");
}

#[test]
fn a_hook_that_is_not_there_or_fails_harms_nothing() {
    let machine = Machine::new();
    let failing: &[&str] = &["sh", "-c", "printf 'no such \\033[31mserver' >&2; exit 3"];
    hooks(&machine, &[("on_heard", &["/no/such/program"]), ("on_scanned", failing)], "");
    machine.wav("jazz4.wav", 1);
    machine.wav("rock4.wav", 2);
    let ran = machine.scan().exits(0);
    assert_eq!(ran.err().matches("/no/such/program does not start").count(), 1, "{}", ran.err());
    assert!(ran.err().contains("on_scanned: exit status: 3: no such"), "{}", ran.err());
    assert!(!ran.err().contains('\u{1b}'));
}

#[test]
fn a_watch_tells_what_arrives_and_leaves_no_dead_children() {
    let machine = Machine::new();
    notebook(&machine);
    machine.wav("jazz4.wav", 1);
    let mut watching = machine.watch(|_| {});
    eventually("the first", || of(&events(&machine), "heard").len() == 1);
    machine.wav("later/rock4.wav", 2);
    eventually("the second", || of(&events(&machine), "heard").len() == 2);
    fs::remove_file(machine.music.join("jazz4.wav")).unwrap();
    eventually("the loss", || of(&events(&machine), "missing").len() == 1);
    let pid = watching.0.id();
    let dead = || {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
        let lists = tasks.map(|task| fs::read_to_string(task.path().join("children")).unwrap_or_default());
        let children: Vec<String> =
            lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
        let stat = |pid: &String| fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        children.iter().any(|pid| stat(pid).contains(") Z "))
    };
    eventually("all of them reaped", || !dead());
    // Asked to end, it ends.
    let killed = std::process::Command::new("kill").arg(pid.to_string()).status().unwrap();
    assert!(killed.success());
    eventually("its end", || watching.0.try_wait().unwrap().is_some());
}
