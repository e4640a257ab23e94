//! What the user says wins, and is kept apart from what the model heard.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::Machine;

fn shown(machine: &Machine, path: &std::path::Path) -> serde_json::Value {
    machine.run(&["show", "--format", "json", path.to_str().unwrap()]).exits(0).json()["files"][0].clone()
}

#[test]
fn a_correction_wins_and_is_taken_back() {
    let machine = Machine::new();
    let path = machine.wav("jazz6-blues2.wav", 1);
    machine.scan().exits(0);
    machine.run(&["correct", path.to_str().unwrap(), "soul=60", "hip hop=40"]).exits(0);
    let said = shown(&machine, &path);
    assert_eq!((&said["mix"]["soul"], &said["mix"]["hiphop"]), (&0.6.into(), &0.4.into()));
    assert_eq!(said["source"], "user");
    // A new model's hearing does not touch it.
    let other = support::model(&machine.at(""), "other", "second");
    machine.settings(&format!("[ears]\nmodel = {:?}\n", other.to_str().unwrap()));
    assert!(machine.scan().exits(0).out().contains("1 heard"));
    assert_eq!(shown(&machine, &path)["mix"]["soul"], 0.6);
    machine.run(&["correct", "--undo"]).exits(0);
    let heard = shown(&machine, &path);
    assert_eq!((&heard["mix"]["jazz"], &heard["source"]), (&0.75.into(), &"model".into()));
    machine.run(&["correct", "--undo"]).exits(1);
}

#[test]
fn a_span_replaces_the_winners_of_its_chunks() {
    let machine = Machine::new();
    let path = machine.wav("jazz8.wav", 1);
    machine.scan().exits(0);
    // Chunks of five seconds: from 0:10 to 0:20 are the third and the fourth of eight.
    machine.run(&["correct", path.to_str().unwrap(), "--span", "0:10-0:20", "reggae"]).exits(0);
    let said = shown(&machine, &path);
    assert_eq!((&said["mix"]["jazz"], &said["mix"]["reggae"]), (&0.75.into(), &0.25.into()));
    let winners: Vec<_> =
        said["timeline"]["chunks"].as_array().unwrap().iter().map(|c| c[0].as_str().unwrap()).collect();
    assert_eq!(winners, ["jazz", "jazz", "reggae", "reggae", "jazz", "jazz", "jazz", "jazz"]);
}

#[test]
fn unsure_is_no_genre() {
    let machine = Machine::new();
    let path = machine.wav("rock3-unsure1.wav", 1);
    machine.scan().exits(0);
    let ran = machine.run(&["correct", path.to_str().unwrap(), "Unsure"]).exits(2);
    assert!(ran.err().contains("no genre won"), "{}", ran.err());
    machine.run(&["genre", "rename", "rock", "unsure"]).exits(2);
    machine.run(&["genre", "alias", "rock", "unsure"]).exits(2);
    let heard = shown(&machine, &path);
    assert_eq!(
        (&heard["mix"]["rock"], &heard["unsure"], &heard["source"]),
        (&0.75.into(), &0.25.into(), &"model".into())
    );
}

#[test]
fn a_part_that_lies_behind_the_end_is_refused() {
    let machine = Machine::new();
    let path = machine.wav("jazz8.wav", 1);
    machine.scan().exits(0);
    // It has forty seconds.
    let ran = machine.run(&["correct", path.to_str().unwrap(), "--span", "5:00-6:00", "reggae"]).exits(2);
    assert!(ran.err().contains("0:40"), "{}", ran.err());
    machine.run(&["correct", "--list"]).exits(1);
    machine.run(&["correct", path.to_str().unwrap(), "--span", "0:30-6:00", "reggae"]).exits(0);
}

#[test]
fn a_weight_beside_a_genre_without_one_is_refused() {
    let machine = Machine::new();
    let path = machine.wav("jazz8.wav", 1);
    machine.scan().exits(0);
    let ran = machine.run(&["correct", path.to_str().unwrap(), "jazz=60", "blues"]).exits(2);
    assert!(ran.err().contains("jazz=60 blues=40"), "{}", ran.err());
    machine.run(&["correct", "--list"]).exits(1);
}
