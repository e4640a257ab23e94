//! What to ask about, what sounds alike, what is settled, what genres are called, and corrections as a file.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::Path;

use serde_json::Value;
use support::Machine;

fn shown(machine: &Machine, path: &Path) -> Value {
    machine.run(&["show", "--format", "json", path.to_str().unwrap()]).exits(0).json()["files"][0].clone()
}

fn mix(machine: &Machine, path: &Path) -> Value {
    shown(machine, path)["mix"].clone()
}

fn name(row: &Value) -> String {
    Path::new(row["path"].as_str().unwrap()).file_name().unwrap().to_string_lossy().into_owned()
}

/// Twelve tracks: six sure of jazz, four half unsure of rock, two of pop.
fn library() -> Machine {
    let machine = Machine::new();
    for n in 0..6 {
        machine.wav(&format!("a/jazz8-{n}.wav"), n);
    }
    for n in 0..4 {
        machine.wav(&format!("b/rock4-unsure4-{n}.wav"), 100 + n);
    }
    for n in 0..2 {
        machine.wav(&format!("c/pop6-unsure2-{n}.wav"), 200 + n);
    }
    machine.scan().exits(0);
    machine
}

#[test]
fn the_queue_asks_about_what_is_doubtful_and_each_sound_once_before_twice() {
    let machine = library();
    let queue = machine.run(&["review", "--format", "json"]).exits(0).json();
    let rows = queue["review"].as_array().unwrap();
    assert_eq!(rows.len(), 12);
    assert!(name(&rows[0]).starts_with("rock4-unsure4"), "{rows:#?}");
    let firsts: Vec<String> = rows.iter().take(3).map(|r| name(r)[..3].to_owned()).collect();
    assert_eq!(firsts.iter().collect::<std::collections::BTreeSet<_>>().len(), 3, "{firsts:?}");
    assert_eq!(rows[0]["look_alikes"], 3);
    assert!(rows[0]["reason"].as_str().unwrap().contains("unsure of 50 % of it"));
    // Corrected, it is not asked about again, and its like come later.
    let first = rows[0]["path"].as_str().unwrap();
    machine.run(&["correct", first, "metal"]).exits(0);
    let rows = machine.run(&["review", "--format", "json"]).exits(0).json()["review"].clone();
    let rows = rows.as_array().unwrap();
    assert!(rows.len() == 11 && rows.iter().all(|r| r["path"] != first));
    assert!(!name(&rows[0]).starts_with("rock4"), "{rows:#?}");
    assert_eq!(
        machine.run(&["review", "-n", "3", "--format", "json"]).exits(0).json()["review"].as_array().unwrap().len(),
        3
    );
}

#[test]
fn a_correction_is_taken_over_by_what_sounds_alike_and_never_over_a_word() {
    let machine = library();
    let path = |n: u32| machine.music.join(format!("b/rock4-unsure4-{n}.wav"));
    let file = |n: u32| path(n).to_str().unwrap().to_owned();
    machine.run(&["correct", &file(3), "blues"]).exits(0);
    // Shown, not done: there is nobody to ask.
    let asked = machine.run(&["correct", &file(0), "metal", "--like"]).exits(2);
    assert!(asked.err().contains("--yes"), "{}", asked.err());
    assert_eq!(shown(&machine, &path(0))["source"], "model");
    machine.run(&["correct", &file(0), "metal", "--like", "--dry-run"]).exits(0);
    assert_eq!(shown(&machine, &path(1))["source"], "model");
    let done = machine.run(&["correct", &file(0), "metal", "--like", "--yes", "--threshold", "0.5"]).exits(0);
    assert!(done.err().contains("1 you have spoken of"), "{}", done.err());
    let tops = |n: u32| (mix(&machine, &path(n))["metal"].clone(), shown(&machine, &path(n))["source"].clone());
    assert_eq!(tops(0), (1.0.into(), "user".into()));
    assert_eq!(mix(&machine, &path(3))["blues"], 1.0);
    assert_eq!(shown(&machine, &machine.music.join("a/jazz8-0.wav"))["source"], "model");
    // One act, taken back as one.
    machine.run(&["correct", "--undo"]).exits(0);
    for n in 0..3 {
        assert_eq!(shown(&machine, &path(n))["source"], "model");
    }
}

#[test]
fn an_undo_passes_over_what_was_locked_since() {
    let machine = Machine::with_rock_and_jazz();
    let [first, second] = ["artist0/rock8-0.wav", "artist1/rock8-0.wav"].map(|name| machine.music.join(name));
    for file in [&first, &second] {
        machine.run(&["correct", file.to_str().unwrap(), "zouk"]).exits(0);
    }
    machine.run(&["correct", second.to_str().unwrap(), "--lock"]).exits(0);
    assert_eq!(machine.run(&["correct", "--undo"]).exits(0).out(), "1 taken back\n");
    assert_eq!((&mix(&machine, &first)["rock"], &mix(&machine, &second)["zouk"]), (&1.0.into(), &1.0.into()));
    assert!(machine.run(&["correct", "--undo"]).exits(1).err().contains("--unlock"));
    machine.run(&["correct", second.to_str().unwrap(), "--unlock"]).exits(0);
    machine.run(&["correct", "--undo"]).exits(0);
    assert_eq!(mix(&machine, &second)["rock"], 1.0);
}

#[test]
fn nothing_overrides_a_lock() {
    let machine = library();
    let folder = machine.music.join("a");
    let settled = folder.join("jazz8-0.wav");
    let (folder, file) = (folder.to_str().unwrap(), settled.to_str().unwrap());
    machine.run(&["correct", file, "--lock"]).exits(0);
    assert_eq!((&mix(&machine, &settled)["jazz"], &shown(&machine, &settled)["source"]), (&1.0.into(), &"user".into()));
    let folder_wide = machine.run(&["correct", folder, "soul"]).exits(0);
    assert!(
        folder_wide.out().contains("5 tracks") && folder_wide.err().contains("1 track locked"),
        "{}",
        folder_wide.err()
    );
    assert_eq!(mix(&machine, &settled)["jazz"], 1.0);
    assert!(machine.run(&["correct", file, "pop"]).exits(2).err().contains("--unlock"));
    machine.run(&["correct", file, "pop", "--unlock"]).exits(0);
    assert_eq!(mix(&machine, &settled)["pop"], 1.0);
}

#[test]
fn corrections_survive_a_lost_database() {
    let machine = library();
    let whole = machine.music.join("a/jazz8-0.wav");
    let part = machine.music.join("a/jazz8-1.wav");
    machine.run(&["correct", whole.to_str().unwrap(), "zouk=60", "jazz=40"]).exits(0);
    machine.run(&["correct", part.to_str().unwrap(), "--span", "0:10-0:20", "reggae", "--lock"]).exits(0);
    machine.run(&["correct", machine.music.join("c").to_str().unwrap(), "disco"]).exits(0);
    machine.run(&["correct", "--undo"]).exits(0);
    let kept = machine.at("kept.json");
    let kept = kept.to_str().unwrap();
    assert!(machine.run(&["correct", "--export", kept]).exits(0).out().starts_with("2 corrections"));
    // Another machine: the same audio under other names, taken over before it was ever scanned.
    let other = Machine::new();
    other.wav("elsewhere/jazz8-zero.wav", 0);
    other.wav("elsewhere/jazz8-one.wav", 1);
    let first = other.run(&["correct", "--import", kept]).exits(0).out();
    assert!(first.starts_with("2 taken over"), "{first}");
    other.scan().exits(0);
    let zero = shown(&other, &other.music.join("elsewhere/jazz8-zero.wav"));
    assert_eq!(
        (&zero["mix"]["zouk"], &zero["mix"]["jazz"], &zero["source"]),
        (&0.6.into(), &0.4.into(), &"user".into())
    );
    assert_eq!(mix(&other, &other.music.join("elsewhere/jazz8-one.wav"))["reggae"], 0.25);
    // Twice is once, there and back; and a lock travels with it.
    assert!(other.run(&["correct", "--import", kept]).exits(0).out().contains("0 taken over, 2 known already"));
    assert!(machine.run(&["correct", "--import", kept]).exits(0).out().contains("0 taken over"));
    assert!(
        other
            .run(&["correct", other.music.join("elsewhere/jazz8-one.wav").to_str().unwrap(), "pop"])
            .exits(2)
            .err()
            .contains("locked")
    );
    let again = other.run(&["correct", "--export", "-"]).exits(0).json();
    assert_eq!(again["corrections"].as_array().unwrap().len(), 2);
    // What is no such file is refused, and not overwritten.
    let song = whole.to_str().unwrap();
    assert_eq!(machine.run(&["correct", "--export", song]).code(), 2);
    assert_eq!(machine.run(&["correct", "--import", song]).code(), 2);
}

#[test]
fn what_was_made_of_the_genres_comes_with_the_corrections() {
    let machine = library();
    let song = machine.music.join("a/jazz8-0.wav");
    machine.run(&["genre", "rename", "jazz", "Bop"]).exits(0);
    machine.run(&["correct", song.to_str().unwrap(), "bop=60", "zouk=40"]).exits(0);
    for act in [
        &["merge", "rock", "pop"][..],
        &["rename", "pop", "Radio"],
        &["hide", "country"],
        &["alias", "bop", "be-bop"],
        &["hide", "disco"],
    ] {
        machine.run(&[&["genre"], act].concat()).exits(0);
    }
    machine.run(&["genre", "undo"]).exits(0);
    let kept = machine.at("kept.json");
    let kept = kept.to_str().unwrap();
    let told = machine.run(&["correct", "--export", kept]).exits(0).out();
    assert!(told.starts_with("1 corrections and 5 changes of the genres"), "{told}");

    // A library that has heard nothing yet, and one that has: both end up with the genres of the first.
    for heard_before in [false, true] {
        let other = Machine::new();
        let same = other.wav("elsewhere/jazz8-zero.wav", 0);
        let rock = other.wav("elsewhere/rock8.wav", 9);
        if heard_before {
            other.scan().exits(0);
        }
        let told = other.run(&["correct", "--import", kept]).exits(0).out();
        assert!(told.contains("1 taken over") && told.contains("5 changes of the genres done here too"), "{told}");
        other.scan();
        assert_eq!(mix(&other, &same), serde_json::json!({"bop": 0.6, "zouk": 0.4}));
        assert_eq!(mix(&other, &rock), serde_json::json!({"radio": 1.0}));
        assert_eq!(other.run(&["search", "mostly be-bop", "--format", "paths"]).exits(0).out().lines().count(), 1);
        let listed = other.run(&["genre", "list", "--format", "json"]).exits(0).json();
        let row =
            |slug: &str| listed["genres"].as_array().unwrap().iter().find(|g| g["genre"] == slug).unwrap().clone();
        assert_eq!((&row("country")["hidden"], &row("rock")["merged_into"]), (&true.into(), &"radio".into()));
        // Twice is once; what is taken back here stays so; and it goes on to the next.
        let changes = |m: &Machine| m.run(&["correct", "--export", "-"]).exits(0).json()["genre_changes"].clone();
        assert_eq!(changes(&other), changes(&machine));
        other.run(&["genre", "undo"]).exits(0);
        assert!(!other.run(&["correct", "--import", kept]).exits(0).out().contains("of the genres"));
        assert_eq!(changes(&other).as_array().unwrap().len(), 4);
    }
    // A file that somebody has edited: what is no genre is said, and makes none.
    let mut edited = machine.run(&["correct", "--export", "-"]).exits(0).json();
    edited["genre_changes"][0] = serde_json::json!({"change": "rename", "genre": "unsure", "name": "Sure", "at_ms": 7});
    let by_hand = machine.at("edited.json");
    std::fs::write(&by_hand, edited.to_string()).unwrap();
    let ran = machine.run(&["correct", "--import", by_hand.to_str().unwrap()]).exits(0);
    assert!(ran.err().contains("\"unsure\" is no name of a genre"), "{}", ran.err());
    // Where the name is taken, the rest is done and this is said.
    let third = Machine::new();
    third.wav("jazz8.wav", 0);
    third.scan().exits(0);
    third.run(&["genre", "rename", "metal", "Bop"]).exits(0);
    let ran = third.run(&["correct", "--import", kept]).exits(0);
    assert!(
        ran.out().contains("4 changes") && ran.err().contains("Bop is there already"),
        "{} {}",
        ran.out(),
        ran.err()
    );
}

#[test]
fn a_recording_of_hours_takes_any_weights_that_an_import_may_have() {
    let machine = Machine::new();
    let file = machine.wav("jazz3000.wav", 1);
    machine.run(&["scan", machine.music.to_str().unwrap()]).exits(0);
    machine.run(&["correct", file.to_str().unwrap(), "zouk=2", "jazz=1"]).exits(0);
    let mut json = machine.run(&["correct", "--export", "-"]).exits(0).json();
    json["corrections"][0]["genres"] = serde_json::json!({"zouk": 1_000_000, "jazz": 500_000});
    json["corrections"][0]["at_ms"] = 1_900_000_000_000_i64.into();
    let edited = machine.at("edited.json");
    std::fs::write(&edited, json.to_string()).unwrap();
    machine.run(&["correct", "--import", edited.to_str().unwrap()]).exits(0);
    let zouk = mix(&machine, &file)["zouk"].as_f64().unwrap();
    assert!((zouk - 2.0 / 3.0).abs() < 0.001, "{zouk}");
}

#[test]
fn an_older_word_that_is_imported_does_not_replace_a_newer_one() {
    let machine = library();
    let path = machine.music.join("a/jazz8-0.wav");
    machine.run(&["correct", path.to_str().unwrap(), "soul"]).exits(0);
    let old = machine.at("old.json");
    machine.run(&["correct", "--export", old.to_str().unwrap()]).exits(0);
    let other = Machine::new();
    let same = other.wav("x/jazz8.wav", 0);
    other.scan().exits(0);
    other.run(&["correct", same.to_str().unwrap(), "funk"]).exits(0);
    other.run(&["correct", "--import", old.to_str().unwrap()]).exits(0);
    assert_eq!(mix(&other, &same)["funk"], 1.0);
}

#[test]
fn a_genre_is_renamed_with_all_that_hangs_on_it_and_back() {
    let machine = library();
    let heard = machine.music.join("a/jazz8-0.wav");
    let said = machine.music.join("b/rock4-unsure4-0.wav");
    machine.run(&["correct", said.to_str().unwrap(), "jazz"]).exits(0);
    machine.run(&["genre", "rename", "jazz", "Swing & Bop"]).exits(0);
    for path in [&heard, &said] {
        assert_eq!(mix(&machine, path), serde_json::json!({"swingnbop": 1.0}));
    }
    let found = machine.run(&["search", "mostly", "swing & bop", "--format", "paths"]).exits(0);
    assert_eq!(found.out().lines().count(), 7);
    // The old name still means it, to the user and to the model.
    assert_eq!(machine.run(&["search", "mostly jazz", "--format", "paths"]).exits(0).out().lines().count(), 7);
    let new = machine.wav("a/jazz8-new.wav", 77);
    machine.scan().exits(0);
    assert_eq!(mix(&machine, &new)["swingnbop"], 1.0);
    machine.run(&["correct", new.to_str().unwrap(), "jazz"]).exits(0);
    assert_eq!(mix(&machine, &new)["swingnbop"], 1.0);
    let tag = machine.run(&["tag", "--dry-run", heard.to_str().unwrap()]).exits(0).out();
    assert!(tag.contains("Swing & Bop"), "{tag}");
    assert!(machine.run(&["genre", "rename", "swing & bop", "rock"]).exits(2).err().contains("merge"));
    machine.run(&["genre", "undo"]).exits(0);
    assert_eq!(mix(&machine, &heard), serde_json::json!({"jazz": 1.0}));
    assert_eq!(machine.run(&["search", "mostly jazz", "--format", "paths"]).exits(0).out().lines().count(), 8);
}

#[test]
fn genres_are_merged_hidden_and_given_words_and_all_of_it_is_taken_back() {
    let machine = library();
    let rock = machine.music.join("b/rock4-unsure4-0.wav");
    let both = machine.music.join("a/jazz8-0.wav");
    machine.run(&["correct", both.to_str().unwrap(), "rock=30", "pop=30", "jazz=40"]).exits(0);
    let before = machine.run(&["export", "--format", "json"]).exits(0).json();
    machine.run(&["genre", "merge", "rock", "pop"]).exits(0);
    assert_eq!(mix(&machine, &rock), serde_json::json!({"pop": 0.5}));
    assert_eq!(mix(&machine, &both), serde_json::json!({"pop": 0.6, "jazz": 0.4}));
    // What is heard from now on follows, too.
    let new = machine.wav("d/rock8.wav", 300);
    machine.scan().exits(0);
    assert_eq!(mix(&machine, &new)["pop"], 1.0);
    machine.run(&["genre", "alias", "jazz", "be bop"]).exits(0);
    assert_eq!(machine.run(&["search", "mostly be-bop", "--format", "paths"]).exits(0).out().lines().count(), 5);
    machine.run(&["genre", "hide", "jazz"]).exits(0);
    let listed = machine.run(&["genre", "list", "--format", "json"]).exits(0).json();
    let row = |slug: &str| listed["genres"].as_array().unwrap().iter().find(|g| g["genre"] == slug).unwrap().clone();
    assert_eq!((&row("rock")["merged_into"], &row("jazz")["hidden"]), (&"pop".into(), &true.into()));
    assert_eq!(row("jazz")["words"], serde_json::json!(["bebop"]));
    for _ in 0..3 {
        machine.run(&["genre", "undo"]).exits(0);
    }
    machine.run(&["genre", "undo"]).exits(1);
    assert_eq!(mix(&machine, &new)["rock"], 1.0);
    std::fs::remove_file(&new).unwrap();
    machine.scan().exits(0);
    assert_eq!(machine.run(&["export", "--format", "json"]).exits(0).json()["tracks"], before["tracks"]);
}
