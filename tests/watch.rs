//! A watched folder, through the real program and scripted ears.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use support::{Machine, Watching};

/// Wait until the status says so; what it said last otherwise.
#[track_caller]
fn eventually(machine: &Machine, wanted: &[(&str, u64)]) {
    let since = Instant::now();
    let mut last = serde_json::Value::Null;
    while since.elapsed() < Duration::from_secs(20) {
        let ran = machine.run(&["status", "--format", "json"]);
        if ran.code() == 0 {
            last = ran.json();
            if wanted.iter().all(|(key, n)| last[*key] == *n) {
                return;
            }
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{wanted:?} never came; last: {last}");
}

#[test]
fn what_arrives_moves_and_goes_is_followed() {
    let machine = Machine::new();
    machine.wav("old/jazz4.wav", 1);
    let _watching = machine.watch(|_| {});
    eventually(&machine, &[("files", 1), ("heard", 1)]);
    machine.wav("a/b/c/rock4.wav", 2);
    eventually(&machine, &[("files", 2), ("heard", 2), ("missing", 0)]);
    // A whole folder moves: nothing is heard again, nothing is missing.
    fs::rename(machine.music.join("a"), machine.music.join("moved")).unwrap();
    eventually_at(&machine, &machine.music.join("moved/b/c/rock4.wav"));
    eventually(&machine, &[("files", 2), ("tracks", 2), ("missing", 0)]);
    fs::remove_dir_all(machine.music.join("moved")).unwrap();
    eventually(&machine, &[("files", 1), ("missing", 1)]);
    // It returns under another name.
    machine.wav("back/again rock4.wav", 2);
    eventually(&machine, &[("files", 2), ("heard", 2), ("missing", 0)]);
    // Other content at the same path.
    machine.wav("old/jazz4.wav", 7);
    eventually(&machine, &[("files", 2), ("heard", 2), ("tracks", 2)]);
}

#[test]
fn a_file_that_grows_is_heard_when_it_is_whole() {
    let machine = Machine::new();
    machine.wav("jazz4.wav", 1);
    let _watching = machine.watch(|_| {});
    eventually(&machine, &[("heard", 1)]);
    let whole = machine.at("whole.wav");
    support::wav(&whole, 5);
    let bytes = fs::read(&whole).unwrap();
    let path = machine.music.join("pop4 growing.wav");
    for end in [bytes.len() / 3, bytes.len() / 2, bytes.len()] {
        fs::write(&path, &bytes[..end]).unwrap();
        std::thread::sleep(Duration::from_millis(400));
    }
    eventually(&machine, &[("files", 2), ("heard", 2), ("failures", 0)]);
}

#[test]
fn a_file_that_never_keeps_still_holds_nobody_up() {
    let machine = Machine::new();
    let settings = fs::read_to_string(machine.at("config.toml")).unwrap();
    fs::write(machine.at("config.toml"), settings.replace("settle_seconds = 0", "settle_seconds = 1")).unwrap();
    let jazz = machine.wav("jazz4.wav", 1);
    let _watching = machine.watch(|_| {});
    eventually(&machine, &[("heard", 1)]);
    let since = Instant::now();
    let patient = || since.elapsed() < Duration::from_secs(20);
    let found = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            // A recording that goes on, a few bytes and a close at a time.
            while patient() && !found.load(Ordering::Relaxed) {
                let path = machine.music.join("recording.wav");
                let mut file = fs::File::options().create(true).append(true).open(path).unwrap();
                file.write_all(&[0; 64]).unwrap();
                drop(file);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        std::thread::sleep(Duration::from_millis(500));
        machine.run(&["correct", jazz.to_str().unwrap(), "zouk"]).exits(0);
        while patient() && !found.load(Ordering::Relaxed) {
            let hits = machine.run(&["search", "--format", "paths", "mostly", "zouk"]).out();
            found.store(hits.contains("jazz4.wav"), Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    assert!(found.load(Ordering::Relaxed), "what was corrected was never found");
}

#[test]
fn what_comes_and_goes_at_once_leaves_no_ghost() {
    let machine = Machine::new();
    machine.wav("jazz4.wav", 1);
    let _watching = machine.watch(|_| {});
    eventually(&machine, &[("files", 1), ("heard", 1)]);
    // A folder whose rules change is looked through whole, once, while others come and go.
    fs::write(machine.music.join(".deepcutsignore"), "no such folder/\n").unwrap();
    for n in 0..50 {
        if n < 40 {
            machine.wav(&format!("rock4 {n}.wav"), 100 + n);
        }
        std::thread::sleep(Duration::from_millis(20));
        if n >= 10 {
            fs::remove_file(machine.music.join(format!("rock4 {}.wav", n - 10))).unwrap();
        }
    }
    std::thread::sleep(Duration::from_secs(2));
    eventually(&machine, &[("files", 1), ("heard", 1)]);
}

#[test]
fn a_root_that_is_put_away_and_put_back_is_watched_again() {
    let machine = Machine::new();
    machine.wav("jazz4.wav", 1);
    let _watching = machine.watch(|_| {});
    eventually(&machine, &[("files", 1), ("heard", 1)]);
    // As a disk does that is unmounted and mounted again: another folder under the same name.
    fs::rename(&machine.music, machine.at("away")).unwrap();
    fs::create_dir(&machine.music).unwrap();
    machine.wav("jazz4.wav", 1);
    machine.wav("rock4.wav", 2);
    eventually(&machine, &[("files", 2), ("heard", 2), ("missing", 0)]);
    machine.wav("deep/er/pop4.wav", 3);
    eventually(&machine, &[("files", 3), ("heard", 3), ("missing", 0)]);
}

#[test]
fn an_index_that_is_deleted_under_a_watch_is_made_anew() {
    let machine = Machine::new();
    machine.wav("jazz4.wav", 1);
    let _watching = machine.watch(|_| {});
    let found = |hits: usize| {
        let since = Instant::now();
        while since.elapsed() < Duration::from_secs(40) {
            let ran = machine.run(&["search", "--format", "paths", "mostly", "jazz"]);
            if ran.out().lines().count() == hits {
                return;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        panic!("{}", machine.run(&["search", "mostly", "jazz"]).err());
    };
    found(1);
    fs::remove_dir_all(machine.at("library-index")).unwrap();
    found(1);
    fs::remove_dir_all(machine.at("library-index")).unwrap();
    machine.wav("jazz4 again.wav", 2);
    found(2);
}

#[test]
fn a_flood_that_the_system_could_not_queue_is_made_good() {
    let queue = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap_or_default();
    let Some(queue) = queue.trim().parse::<u32>().ok().filter(|n| *n <= 100_000) else {
        println!("skipped: the system's queue is too long to be filled");
        return;
    };
    let machine = Machine::new();
    let jazz = machine.wav("jazz4.wav", 1);
    machine.wav("pop4.wav", 2);
    let said = machine.at("said");
    let watching = machine.watch(|command| {
        command.stderr(fs::File::create(&said).unwrap());
    });
    eventually(&machine, &[("files", 2), ("heard", 2)]);
    let signal = |what: &str| {
        let pid = watching.0.id().to_string();
        assert!(Command::new("kill").args([what, &pid]).status().unwrap().success());
    };
    signal("-STOP");
    // Each is three events at least: made, written, deleted.
    for n in 0..queue / 3 + 1000 {
        let path = machine.music.join(format!("{n}.wav"));
        fs::write(&path, "x").unwrap();
        fs::remove_file(path).unwrap();
    }
    fs::remove_file(jazz).unwrap();
    machine.wav("a/b/c/rock4.wav", 3);
    signal("-CONT");
    eventually(&machine, &[("files", 2), ("heard", 2), ("missing", 1)]);
    drop(watching);
    let said = fs::read_to_string(said).unwrap();
    assert!(said.contains("changes were lost"), "{said}");
}

#[test]
fn a_file_is_tagged_once_it_is_whole_and_let_go_and_never_before() {
    let machine = Machine::new();
    let settings = fs::read_to_string(machine.at("config.toml")).unwrap();
    fs::write(machine.at("config.toml"), format!("{settings}\n[tags]\nauto_write = true\n")).unwrap();
    let whole = machine.at("whole.wav");
    support::wav(&whole, 5);
    let bytes = fs::read(&whole).unwrap();
    machine.wav("jazz4.wav", 1);
    let _watching = machine.watch(|_| {});
    eventually(&machine, &[("heard", 1)]);
    let path = machine.music.join("pop4 growing.wav");
    let mut file = fs::File::create(&path).unwrap();
    for part in bytes.chunks(bytes.len() / 2) {
        file.write_all(part).unwrap();
        let so_far = fs::read(&path).unwrap();
        std::thread::sleep(Duration::from_millis(1500));
        assert!(fs::read(&path).unwrap() == so_far, "it was tagged while it was being written");
    }
    drop(file);
    let genres = || {
        let shown = machine.run(&["show", "--format", "json", path.to_str().unwrap()]);
        if shown.code() == 0 { shown.json()["files"][0]["tags"]["genres"].clone() } else { serde_json::Value::Null }
    };
    let since = Instant::now();
    while genres() != serde_json::json!(["Pop"]) {
        assert!(since.elapsed() < Duration::from_secs(40), "never tagged: {}", genres());
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn at_the_limit_of_watched_folders_it_says_so_and_polls() {
    let machine = Machine::new();
    for n in 0..60 {
        machine.wav(&format!("{n}/jazz4.wav"), n);
    }
    // A user namespace has a limit of its own.
    let limited = |command: &str| {
        let mut unshare = Command::new("unshare");
        unshare.args(["-Ur", "sh", "-c", &format!("echo 20 >/proc/sys/user/max_inotify_watches && {command}")]);
        unshare
    };
    if !limited("true").stderr(Stdio::null()).status().is_ok_and(|s| s.success()) {
        println!("skipped: this machine gives no user namespace");
        return;
    }
    let settings = fs::read_to_string(machine.at("config.toml")).unwrap();
    fs::write(machine.at("config.toml"), format!("{settings}poll_seconds = 1\n")).unwrap();
    let mut command = limited("exec \"$0\" \"$@\"");
    command.arg(env!("CARGO_BIN_EXE_deepcuts"));
    command.arg("--config").arg(machine.at("config.toml")).arg("--db").arg(machine.database());
    command.arg("watch").arg(&machine.music).envs(machine.environment()).stdout(Stdio::null());
    let said = machine.at("said");
    let watching = Watching(command.stderr(fs::File::create(&said).unwrap()).spawn().unwrap());
    eventually(&machine, &[("heard", 60)]);
    machine.wav("59/deep/later rock4.wav", 99);
    eventually(&machine, &[("heard", 61)]);
    drop(watching);
    let said = fs::read_to_string(said).unwrap();
    assert!(said.contains("sudo sysctl fs.inotify.max_user_watches="), "{said}");
}

#[track_caller]
fn eventually_at(machine: &Machine, path: &Path) {
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(20) {
        let ran = machine.run(&["show", "--format", "json", path.to_str().unwrap()]);
        if ran.code() == 0 && ran.json()["files"][0]["present"] == true {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{} never came", path.display());
}
