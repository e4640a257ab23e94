//! Correct, retrain, see what would change, accept or roll back: the whole story through the real commands.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;
use support::{Machine, Ran};

/// Correct every track of the first `artists` to zouk.
fn correct(machine: &Machine, artists: u32) {
    for artist in 0..artists {
        machine.run(&["correct", machine.music.join(format!("artist{artist}")).to_str().unwrap(), "zouk"]).exits(0);
    }
}

fn run_as(machine: &Machine, how: &str, args: &[&str]) -> Ran {
    Ran(machine.deepcuts(args).env("DEEPCUTS_SCRIPT_RETRAIN", how).output().unwrap())
}

fn everything(machine: &Machine) -> Value {
    let mut all = machine.run(&["export", "--format", "json"]).exits(0).json()["tracks"].clone();
    all.as_array_mut().unwrap().sort_by_key(|t| t["path"].to_string());
    all
}

fn mix(machine: &Machine, name: &str) -> Value {
    let path = machine.music.join(name);
    machine.run(&["show", "--format", "json", path.to_str().unwrap()]).exits(0).json()["files"][0]["mix"].clone()
}

fn found(machine: &Machine, query: &[&str]) -> usize {
    machine.run(&[&["search", "--format", "paths"], query].concat()).out().lines().count()
}

fn in_force(machine: &Machine) -> String {
    machine.run(&["status", "--format", "json"]).exits(0).json()["model"].as_str().unwrap().to_owned()
}

/// Nothing of a candidate is left: no row, no file.
fn clean(machine: &Machine) -> bool {
    let models = machine.at("library-models");
    let left = std::fs::read_dir(models).into_iter().flatten().flatten();
    left.map(|e| e.file_name().to_string_lossy().into_owned()).all(|name| name == "reports")
}

#[test]
fn correct_retrain_accept_and_roll_back() {
    let machine = Machine::with_rock_and_jazz();
    let heard = everything(&machine);
    correct(&machine, 6);
    let before = everything(&machine);
    assert_eq!(found(&machine, &["mostly", "zouk"]), 24);

    // A dry run learns and tells, and changes nothing.
    let dry = machine.run(&["retrain", "--dry-run", "--format", "json"]).exits(0).json();
    assert_eq!((&dry["passed"], &dry["accepted"]), (&true.into(), &false.into()));
    assert_eq!(dry["report"]["new_genres"], serde_json::json!(["zouk"]));
    assert_eq!((&dry["report"]["mine"]["tracks"], &dry["report"]["mine"]["groups"]), (&24.into(), &6.into()));
    // Sixteen tracks that nobody spoke of are heard as rock; the six of jazz stay.
    assert_eq!((&dry["changes"]["tracks"], &dry["changes"]["changed"]), (&22.into(), &16.into()));
    assert_eq!(dry["changes"]["flows"], serde_json::json!([{"from": "rock", "to": "zouk", "tracks": 16}]));
    assert_eq!(everything(&machine), before);
    assert!(clean(&machine));

    let done = machine.run(&["retrain", "--yes"]).exits(0);
    assert!(done.out().contains("scripted-1 is in force"), "{}", done.out());
    assert!(done.out().contains("16 from rock to zouk"), "{}", done.out());
    let report = std::fs::read_to_string(machine.at("library-models/reports/scripted-1.md")).unwrap();
    assert!(report.contains("artist9/rock8-3.wav: rock to zouk, 100 % of it"), "{report}");
    // How learning went stays beside it, for the curves of the UI; the last fit held nothing out and is no curve.
    let kept = std::fs::read_to_string(machine.at("library-models/reports/scripted-1.json")).unwrap();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    let held: Vec<Vec<f64>> = (kept["runs"].as_array().unwrap().iter())
        .map(|r| r["curve"].as_array().unwrap().iter().map(|p| p["valid_accuracy"].as_f64().unwrap()).collect())
        .collect();
    assert_eq!(held, [[0.5, 0.75], [0.25, 0.5]]);
    assert_eq!(in_force(&machine), "scripted-1");
    assert_eq!(mix(&machine, "artist9/rock8-0.wav"), serde_json::json!({"zouk": 1.0}));
    assert_eq!(found(&machine, &["mostly", "zouk"]), 40);
    assert_eq!(found(&machine, &["rock"]), 0);
    let tags = machine.run(&["tag", "--dry-run", machine.music.join("artist9").to_str().unwrap()]).exits(0).out();
    assert!(tags.contains("Zouk") && !tags.contains("Rock"), "{tags}");
    let listed = machine.run(&["models", "list"]).exits(0).out();
    assert!(listed.lines().any(|l| l.starts_with("* scripted-1")), "{listed}");

    // A scan hears with the new model: nothing again, and a new track with it.
    let scan = machine.scan().exits(0).out();
    assert!(scan.contains(" 0 heard"), "{scan}");
    machine.wav("artist9/rock8-new.wav", 999);
    assert!(machine.scan().exits(0).out().contains(" 1 heard"));
    assert_eq!(mix(&machine, "artist9/rock8-new.wav"), serde_json::json!({"zouk": 1.0}));

    // And back, whole.
    std::fs::remove_file(machine.music.join("artist9/rock8-new.wav")).unwrap();
    machine.scan().exits(0);
    let back = machine.run(&["models", "rollback"]).exits(0).out();
    assert!(back.contains("scripted is in force"), "{back}");
    assert_eq!(everything(&machine), before);
    assert_eq!(found(&machine, &["mostly", "zouk"]), 24);
    assert_eq!(in_force(&machine), "scripted");
    assert!(machine.scan().exits(0).out().contains(" 0 heard"));
    machine.run(&["models", "rollback"]).exits(1);
    // A track that only the new model has heard is named by the old one, and not decoded for it.
    let new = machine.wav("artist9/rock8-new.wav", 999);
    assert!(machine.scan().exits(0).out().contains(" 0 heard"));
    assert_eq!(mix(&machine, "artist9/rock8-new.wav"), serde_json::json!({"rock": 1.0}));
    std::fs::remove_file(new).unwrap();
    machine.scan().exits(0);
    // By hand, too; and undone corrections leave the library as it was heard.
    machine.run(&["models", "use", "scripted-1"]).exits(0);
    assert_eq!(found(&machine, &["mostly", "zouk"]), 40);
    assert!(machine.run(&["models", "rm", "scripted-1"]).exits(2).err().contains("in force"));
    machine.run(&["models", "rollback"]).exits(0);
    machine.run(&["models", "rm", "scripted-1"]).exits(0);
    assert!(clean(&machine));
    for _ in 0..6 {
        machine.run(&["correct", "--undo"]).exits(0);
    }
    assert_eq!(everything(&machine), heard);
}

#[test]
fn too_little_is_refused_politely() {
    let machine = Machine::with_rock_and_jazz();
    correct(&machine, 3);
    let refused = machine.run(&["retrain", "--yes"]).exits(1);
    assert!(
        refused.err().contains("12 corrected tracks of 3 artists")
            && refused.err().contains("8 more tracks")
            && refused.err().contains("2 more artists"),
        "{}",
        refused.err()
    );
    assert_eq!(in_force(&machine), "scripted");
    // The settings say how much it takes.
    let settings = std::fs::read_to_string(machine.at("config.toml")).unwrap();
    machine.settings(&format!(
        "{}\n[retrain]\nmin_tracks = 12\nmin_artists = 3\n",
        settings.replace("[watch]\nsettle_seconds = 0\n", "")
    ));
    machine.run(&["retrain", "--dry-run"]).exits(0);
}

#[test]
fn the_gate_holds_and_what_it_refuses_leaves_no_trace() {
    let machine = Machine::with_rock_and_jazz();
    correct(&machine, 6);
    // One of them contradicts the rest.
    machine.run(&["correct", machine.music.join("artist0/rock8-0.wav").to_str().unwrap(), "pop"]).exits(0);
    let before = everything(&machine);
    for (how, why) in [("lose", "it gains -2.0 points"), ("poison", "contradict each other: half of them")] {
        let ran = run_as(&machine, how, &["retrain", "--yes"]).exits(1);
        assert!(ran.out().contains(why), "{}", ran.out());
        assert!(ran.out().contains("artist0/rock8-0.wav: you said pop, the rest says zouk"), "{}", ran.out());
        assert_eq!((everything(&machine), in_force(&machine).as_str()), (before.clone(), "scripted"));
        assert!(clean(&machine), "{how}");
    }
    assert_eq!(
        run_as(&machine, "fatal", &["retrain", "--yes"]).exits(2).err().matches("the script says no").count(),
        1
    );
    run_as(&machine, "die", &["retrain", "--yes"]).exits(2);
    assert!(clean(&machine));
    // Nobody to ask: told, and left.
    let told = machine.run(&["retrain"]).exits(0);
    assert!(told.err().contains("--yes"), "{}", told.err());
    assert_eq!(everything(&machine), before);
    // The user may know better.
    run_as(&machine, "lose", &["retrain", "--yes", "--force"]).exits(0);
    assert_eq!(in_force(&machine), "scripted-1");
}

#[test]
fn settings_that_change_after_it_win_over_a_promotion() {
    let machine = Machine::with_rock_and_jazz();
    correct(&machine, 6);
    machine.run(&["retrain", "--yes"]).exits(0);
    let other = support::model(&machine.at(""), "other", "second");
    machine.settings(&format!("[ears]\nmodel = {:?}\n", other.to_str().unwrap()));
    assert!(machine.scan().exits(0).out().contains("46 heard"));
    assert_eq!(in_force(&machine), "other");
    machine.run(&["models", "rollback"]).exits(1);
}

#[test]
fn settings_that_name_a_model_whose_choice_broke_off_are_heeded() {
    let machine = Machine::with_rock_and_jazz();
    let other = support::model(&machine.at(""), "other", "second");
    let card = deepcuts_protocol::ModelCard::path_for(&other);
    let mut json: Value = serde_json::from_slice(&std::fs::read(&card).unwrap()).unwrap();
    json["trunk"] = blake3::hash(b"first").to_hex().as_str().into();
    std::fs::write(&card, json.to_string()).unwrap();
    let broken = machine.deepcuts(&["models", "use", other.to_str().unwrap()]).env("DEEPCUTS_EARS", "false").output();
    assert!(!broken.unwrap().status.success());
    machine.settings(&format!("[ears]\nmodel = {:?}\n", other.to_str().unwrap()));
    machine.scan().exits(0);
    assert_eq!(in_force(&machine), "other");
    // A retraining throws away what others left of theirs, but not the model that listens.
    machine.run(&["retrain", "--yes"]).exits(1);
    assert_eq!(in_force(&machine), "other");
    assert_eq!(machine.run(&["status", "--format", "json"]).json()["heard"], 46);
}

#[test]
fn a_scan_that_began_before_a_rollback_does_not_overturn_it() {
    let machine = Machine::with_rock_and_jazz();
    correct(&machine, 6);
    let before = everything(&machine);
    machine.run(&["retrain", "--yes"]).exits(0);
    // A listener looks up what holds; before it hears anything, the user takes that back.
    let store = deepcuts::store::Store::open(&machine.database()).unwrap();
    let promoted = store.promotions().unwrap().remove(0);
    let since = store.promotion(&promoted.settings).unwrap();
    assert_eq!(since, Some(promoted.id));
    machine.run(&["models", "rollback"]).exits(0);
    assert!(!store.listen_with(&promoted.model, &promoted.settings, since).unwrap());
    assert_eq!((everything(&machine), in_force(&machine).as_str()), (before, "scripted"));
}

#[test]
fn what_is_learned_follows_a_renamed_genre() {
    let machine = Machine::with_rock_and_jazz();
    correct(&machine, 6);
    machine.run(&["genre", "rename", "jazz", "swing"]).exits(0);
    let told = machine.run(&["retrain", "--yes", "--format", "json"]).exits(0).json();
    assert_eq!(told["report"]["new_genres"], serde_json::json!(["zouk"]));
    let card = machine.run(&["models", "show", "scripted-1", "--format", "json"]).exits(0).json();
    let genres: Vec<&str> = card["card"]["genres"].as_array().unwrap().iter().map(|g| g.as_str().unwrap()).collect();
    assert!(genres.contains(&"swing") && !genres.contains(&"jazz") && genres.contains(&"zouk"), "{genres:?}");
    assert_eq!(mix(&machine, "other/jazz8-0.wav"), serde_json::json!({"swing": 1.0}));
    machine.run(&["genre", "undo"]).exits(0);
    assert_eq!(mix(&machine, "other/jazz8-0.wav"), serde_json::json!({"jazz": 1.0}));
}

#[test]
fn a_hidden_genre_that_nobody_says_has_no_output_any_more() {
    let machine = Machine::with_rock_and_jazz();
    correct(&machine, 6);
    for genre in ["jazz", "zouk"] {
        machine.run(&["genre", "hide", genre]).exits(0);
    }
    machine.run(&["retrain", "--yes"]).exits(0);
    let card = machine.run(&["models", "show", "scripted-1", "--format", "json"]).exits(0).json();
    let genres: Vec<&str> = card["card"]["genres"].as_array().unwrap().iter().map(|g| g.as_str().unwrap()).collect();
    // What was said stays, hidden or not.
    assert!(!genres.contains(&"jazz") && genres.contains(&"zouk") && genres.contains(&"rock"), "{genres:?}");
    machine.run(&["models", "rollback"]).exits(0);
    assert_eq!(mix(&machine, "other/jazz8-0.wav"), serde_json::json!({"jazz": 1.0}));
}

/// All of the network learns: the report says that the library is to be heard again, and until it is, nothing moves.
#[test]
fn the_whole_network_learns_and_the_library_is_heard_again() {
    let machine = Machine::with_rock_and_jazz();
    correct(&machine, 6);
    std::fs::remove_file(machine.music.join("artist0/rock8-0.wav")).unwrap();
    let before = everything(&machine);
    let dry = machine.run(&["retrain", "--full", "--dry-run"]).exits(0);
    assert!(dry.out().contains("hears 46 files again") && dry.out().contains("stays what it is"), "{}", dry.out());
    assert!(dry.out().contains("artist0/rock8-0.wav: there is no such file"), "{}", dry.out());
    assert!(clean(&machine));
    assert_eq!(everything(&machine), before);

    let done = machine.run(&["retrain", "--full", "--yes"]).exits(0);
    assert!(done.err().contains("46 files were heard by another network"), "{}", done.err());
    assert_eq!(in_force(&machine), "scripted-1");
    assert_eq!(mix(&machine, "artist9/rock8-0.wav"), serde_json::json!({"rock": 1.0}), "not heard again yet");
    assert!(machine.scan().exits(0).out().contains("45 heard"));
    assert_eq!(mix(&machine, "artist9/rock8-0.wav"), serde_json::json!({"zouk": 1.0}));

    // Its last layer learns on; and what that listens through stays as long as it does.
    machine.run(&["retrain", "--yes", "--force"]).exits(0);
    assert_eq!(in_force(&machine), "scripted-2");
    for _ in 0..2 {
        machine.run(&["models", "rollback"]).exits(0);
    }
    assert!(machine.run(&["models", "rm", "scripted-1"]).exits(2).err().contains("scripted-2 listens through"));
    assert_eq!(mix(&machine, "artist9/rock8-0.wav"), serde_json::json!({"rock": 1.0}));
    for model in ["scripted-2", "scripted-1"] {
        machine.run(&["models", "rm", model]).exits(0);
    }
    assert!(clean(&machine), "with what it replayed");
}

#[test]
fn a_model_is_judged_by_what_it_has_not_learned() {
    let machine = Machine::with_rock_and_jazz();
    correct(&machine, 6);
    let before = machine.run(&["models", "eval", "--mine", "--format", "json"]).exits(0).json();
    assert_eq!((&before["tracks"], &before["right"], &before["learned"]), (&24.into(), &0.into(), &0.into()));
    assert_eq!(before["confusions"][0], serde_json::json!({"said": "zouk", "heard": "rock", "tracks": 24}));
    machine.run(&["retrain", "--yes"]).exits(0);
    machine.run(&["correct", machine.music.join("artist9").to_str().unwrap(), "zouk"]).exits(0);
    machine.run(&["correct", machine.music.join("artist8/rock8-0.wav").to_str().unwrap(), "ska"]).exits(0);
    let after = machine.run(&["models", "eval", "--mine", "--format", "json"]).exits(0).json();
    assert_eq!((&after["tracks"], &after["right"], &after["learned"]), (&5.into(), &4.into(), &24.into()));
    assert_eq!(after["held_out"]["tracks"], 24);
    let text = machine.run(&["models", "eval", "--mine"]).exits(0).out();
    assert!(text.contains("4 of 5 corrected tracks right"), "{text}");
}

/// A retraining that is killed at any moment leaves the old model or the new one, whole.
#[test]
fn killed_anywhere_it_is_the_old_model_or_the_new_one() {
    let machine = Machine::with_rock_and_jazz();
    correct(&machine, 6);
    let old = everything(&machine);
    let kill_after = |delay: Duration, how: &str| -> bool {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_deepcuts"));
        command.args(["--config", machine.at("config.toml").to_str().unwrap()]);
        command.args(["--db", machine.database().to_str().unwrap(), "retrain", "--yes"]);
        command.envs(machine.environment()).env("DEEPCUTS_SCRIPT_RETRAIN", how);
        command.env("DEEPCUTS_SCRIPT_LABEL_MS", "50").stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let began = Instant::now();
        while began.elapsed() < delay {
            if child.try_wait().unwrap().is_some() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        false
    };
    // In the midst of learning.
    assert!(!kill_after(Duration::from_millis(900), "slow"));
    assert_eq!((everything(&machine), in_force(&machine).as_str()), (old.clone(), "scripted"));
    let mut delay = Duration::from_millis(20);
    loop {
        let ended = kill_after(delay, "");
        let zouk = found(&machine, &["mostly", "zouk"]);
        match in_force(&machine).as_str() {
            "scripted" => assert_eq!((everything(&machine), zouk), (old.clone(), 24), "killed after {delay:?}"),
            name => {
                assert!(name.starts_with("scripted-"), "{name}");
                assert_eq!((mix(&machine, "artist9/rock8-0.wav"), zouk), (serde_json::json!({"zouk": 1.0}), 40));
                assert!(machine.scan().exits(0).out().contains(" 0 heard"));
                machine.run(&["models", "rollback"]).exits(0);
                assert_eq!(everything(&machine), old, "killed after {delay:?}, then taken back");
            }
        }
        if ended {
            break;
        }
        delay += Duration::from_millis(60) + delay / 5;
    }
}

#[test]
fn one_retraining_at_a_time_and_a_signal_stops_it() {
    let machine = Machine::with_rock_and_jazz();
    correct(&machine, 6);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_deepcuts"));
    command.args(["--config", machine.at("config.toml").to_str().unwrap()]);
    command.args(["--db", machine.database().to_str().unwrap(), "retrain", "--yes"]);
    command.envs(machine.environment()).env("DEEPCUTS_SCRIPT_RETRAIN", "slow");
    let mut slow = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while !machine.at("library-models/.candidate/lessons.st").exists() && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(machine.run(&["retrain", "--yes"]).exits(2).err().contains("another deepcuts is retraining"));
    let stopped = std::process::Command::new("kill").args(["-INT", &slow.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    assert_eq!(slow.wait().unwrap().code(), Some(130));
    assert!(clean(&machine));
    assert_eq!(in_force(&machine), "scripted");
}

/// A watch that runs while a model is promoted takes it up, and does not bring the old one back.
#[test]
fn what_the_ears_print_while_they_learn_never_reaches_the_terminal_as_it_is() {
    use std::os::unix::fs::PermissionsExt;
    let machine = Machine::with_rock_and_jazz();
    correct(&machine, 6);
    let ears = machine.at("ears");
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = retrain ] && printf '\\033[2Ja library said this\\n' >&2\nexec {:?} \"$@\"\n",
        support::scripted_ears()
    );
    std::fs::write(&ears, script).unwrap();
    std::fs::set_permissions(&ears, PermissionsExt::from_mode(0o755)).unwrap();
    let ran = Ran(machine.deepcuts(&["retrain", "--yes"]).env("DEEPCUTS_EARS", &ears).output().unwrap()).exits(0);
    assert!(ran.err().contains("a library said this") && !ran.err().contains('\u{1b}'), "{}", ran.err());
}

#[test]
fn a_watch_takes_up_a_promotion() {
    let machine = Machine::with_rock_and_jazz();
    correct(&machine, 6);
    let _watch = machine.watch(|command| {
        command.stderr(Stdio::null());
    });
    std::thread::sleep(Duration::from_millis(1500));
    machine.run(&["retrain", "--yes"]).exits(0);
    machine.wav("artist9/rock8-new.wav", 999);
    let began = Instant::now();
    let new = || {
        let path = machine.music.join("artist9/rock8-new.wav");
        let ran = machine.run(&["show", "--format", "json", path.to_str().unwrap()]);
        if ran.code() == 0 { ran.json()["files"][0]["mix"].clone() } else { Value::Null }
    };
    while new() != serde_json::json!({"zouk": 1.0}) {
        assert!(began.elapsed() < Duration::from_secs(60), "{}", new());
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(in_force(&machine), "scripted-1");
    assert_eq!(mix(&machine, "artist9/rock8-0.wav"), serde_json::json!({"zouk": 1.0}));
}

#[test]
fn a_watch_that_is_busy_never_overturns_what_the_user_chose() {
    let machine = Machine::with_rock_and_jazz();
    correct(&machine, 6);
    machine.run(&["retrain", "--yes"]).exits(0);
    let _watch = machine.watch(|command| {
        command.stderr(Stdio::null());
    });
    std::thread::sleep(Duration::from_millis(1500));
    let began = Instant::now();
    let busy = || began.elapsed() < Duration::from_secs(12);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for n in (0..).take_while(|_| busy()) {
                let path = machine.music.join(format!("artist{}/rock8-0.wav", n % 10));
                let file = std::fs::File::options().write(true).open(path).unwrap();
                file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1_600_000_000 + n)).unwrap();
                std::thread::sleep(Duration::from_millis(40));
            }
        });
        while busy() {
            for (how, is) in [(&["rollback"][..], "scripted"), (&["use", "scripted-1"], "scripted-1")] {
                machine.run(&[&["models"], how].concat()).exits(0);
                std::thread::sleep(Duration::from_millis(120));
                assert_eq!(in_force(&machine), is);
            }
        }
    });
}

#[test]
fn a_missing_promoted_model_is_named() {
    let machine = Machine::with_rock_and_jazz();
    correct(&machine, 6);
    machine.run(&["retrain", "--yes"]).exits(0);
    let weights = machine.at("library-models/scripted-1.safetensors");
    std::fs::rename(&weights, machine.at("away")).unwrap();
    let lost = machine.scan().exits(2);
    assert!(lost.err().contains("rollback") && lost.err().contains("scripted-1"), "{}", lost.err());
    machine.run(&["models", "rollback"]).exits(0);
    machine.scan().exits(0);
    assert!(Path::new(&machine.at("away")).exists());
}
