//! The index is a cache: behind, ahead, foreign, old, damaged or killed, it ends up saying what SQLite says.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod library;
mod support;

use std::{path::Path, time::Duration};

use deepcuts::{
    search::{
        SearchOptions, Searcher,
        index::{IndexError, Indexer, Unusable},
        query::{Grammar, Thresholds},
    },
    store::{GenreAct, NewCorrection, Span},
};
use library::{Library, Track, spell};

fn library(tracks: u32) -> (Library, Vec<i64>) {
    let library = Library::new();
    let rows = (0..tracks).map(|n| library.put(&track(n)).1).collect();
    (library, rows)
}

fn track(n: u32) -> Track {
    Track {
        path: format!("/m/{n}.flac").into_bytes(),
        audio: n,
        size: 1_000,
        timeline: Some(spell("J8B2")),
        ..Track::default()
    }
}

fn correct(library: &Library, track: i64, genre: &str) {
    library.store.correct(&[NewCorrection { track, span: None, genres: vec![(genre.to_owned(), 1)] }]).unwrap();
}

fn count(library: &Library, text: &str) -> usize {
    let taxonomy = library.store.taxonomy().unwrap();
    let query = Grammar::new(&taxonomy, Thresholds::default()).parse(text).unwrap();
    let searcher = Searcher::open(&library.index(), &library.store).unwrap();
    searcher.run(&library.store, &taxonomy, &query, SearchOptions::default()).unwrap().count
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn why(library: &Library) -> Unusable {
    match Searcher::open(&library.index(), &library.store) {
        Err(IndexError::Unusable { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_crash_between_the_two_commits_is_made_good() {
    let (library, tracks) = library(5);
    library.indexer().close(&library.store).unwrap();
    let before = library.store.index_watermark().unwrap();
    correct(&library, tracks[0], "soul");
    library.indexer().close(&library.store).unwrap();
    // The index has committed, and SQLite has not heard of it.
    library.store.set_index_watermark(before).unwrap();
    correct(&library, tracks[1], "soul");
    library.indexer().close(&library.store).unwrap();
    assert_eq!((count(&library, "soul"), count(&library, "")), (2, 5));
}

#[test]
fn a_genre_that_only_a_timeline_has_is_found_by_its_new_name() {
    let (library, tracks) = library(2);
    // What the user says of the whole track is its mix; over time it still is what was heard.
    correct(&library, tracks[0], "soul");
    library.indexer().close(&library.store).unwrap();
    assert_eq!(count(&library, "starts with jazz"), 2);
    let merge = GenreAct::Merge { genre: "jazz".into(), into: "country".into() };
    library.store.change_genres(&merge).unwrap();
    library.indexer().close(&library.store).unwrap();
    assert_eq!(count(&library, "starts with country"), 2);
    library.store.undo_genre_act().unwrap();
    library.indexer().close(&library.store).unwrap();
    assert_eq!((count(&library, "starts with country"), count(&library, "starts with jazz")), (0, 2));
    let rename = GenreAct::Rename { genre: "jazz".into(), name: "Bop".into() };
    library.store.change_genres(&rename).unwrap();
    library.indexer().close(&library.store).unwrap();
    assert_eq!(count(&library, "starts with bop"), 2);
}

#[test]
fn what_is_said_of_a_new_genre_while_the_index_learns_is_found() {
    let (library, tracks) = library(4_000);
    let path = library.store.path().to_path_buf();
    library.indexer().close(&library.store).unwrap();
    let soul = |&track: &i64| NewCorrection { track, span: None, genres: vec![("soul".to_owned(), 1)] };
    library.store.correct(&tracks.iter().map(soul).collect::<Vec<_>>()).unwrap();
    let mut indexer = library.indexer();
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let store = deepcuts::store::Store::open(&path).unwrap();
            let span = Some(Span { start_ms: 0, end_ms: 50_000 });
            for (n, &track) in tracks.iter().take(40).enumerate() {
                let genres = vec![(format!("new{n}"), 1)];
                store.correct(&[NewCorrection { track, span, genres }]).unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        indexer.catch_up(&library.store).unwrap();
        indexer.flush(&library.store).unwrap();
    });
    indexer.close(&library.store).unwrap();
    let lost: Vec<usize> = (0..40).filter(|n| count(&library, &format!("starts with new{n}")) != 1).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn an_index_from_another_time_is_made_anew() {
    let (library, tracks) = library(5);
    library.indexer().close(&library.store).unwrap();
    let old = library.dir.path().join("old");
    copy(&library.index(), &old);
    correct(&library, tracks[0], "soul");
    library.indexer().close(&library.store).unwrap();
    std::fs::remove_dir_all(library.index()).unwrap();
    std::fs::rename(&old, library.index()).unwrap();
    assert_eq!(why(&library), Unusable::Astray);
    library.indexer().close(&library.store).unwrap();
    assert_eq!((count(&library, "soul"), count(&library, "")), (1, 5));
}

#[test]
fn another_library_s_index_is_not_used() {
    let (first, _) = library(5);
    let (second, _) = library(3);
    first.indexer().close(&first.store).unwrap();
    second.indexer().close(&second.store).unwrap();
    std::fs::remove_dir_all(second.index()).unwrap();
    copy(&first.index(), &second.index());
    assert_eq!(why(&second), Unusable::Foreign);
    second.indexer().close(&second.store).unwrap();
    assert_eq!(count(&second, ""), 3);
}

#[test]
fn an_old_layout_and_a_truncated_file_are_made_anew() {
    let (library, _) = library(5);
    library.indexer().close(&library.store).unwrap();
    let meta = library.index().join("meta.json");
    let text = std::fs::read_to_string(&meta).unwrap();
    std::fs::write(&meta, text.replace(r#"\"layout\":"#, r#"\"layout\":9"#)).unwrap();
    assert_eq!(why(&library), Unusable::Outdated);
    library.indexer().close(&library.store).unwrap();
    assert_eq!(count(&library, ""), 5);
    for ending in ["fast", "term", "idx", "store", "json"] {
        for entry in std::fs::read_dir(library.index()).unwrap().map(Result::unwrap) {
            if entry.path().extension().is_some_and(|e| e == ending) {
                let file = std::fs::OpenOptions::new().write(true).open(entry.path()).unwrap();
                file.set_len(entry.metadata().unwrap().len() / 2).unwrap();
            }
        }
        library.indexer().close(&library.store).unwrap();
        assert_eq!(count(&library, "mostly jazz"), 5, "{ending}");
    }
}

#[test]
fn one_writer_at_a_time_and_readers_see_commits() {
    let (library, tracks) = library(5);
    let mut indexer = library.indexer();
    assert!(matches!(Indexer::open(&library.index(), &library.store, &mut |_, _| {}), Err(IndexError::Busy { .. })));
    let taxonomy = library.store.taxonomy().unwrap();
    let query = Grammar::new(&taxonomy, Thresholds::default()).parse("source:user").unwrap();
    let searcher = Searcher::open(&library.index(), &library.store).unwrap();
    assert_eq!(searcher.count(&library.store, &query).unwrap(), 0);
    // A new genre needs no new schema.
    correct(&library, tracks[3], "Desert Blues");
    assert_eq!(indexer.catch_up(&library.store).unwrap(), 1);
    indexer.flush(&library.store).unwrap();
    assert!(searcher.reader().is_behind(&library.store).unwrap());
    searcher.reload().unwrap();
    assert!(!searcher.reader().is_behind(&library.store).unwrap());
    assert_eq!(searcher.count(&library.store, &query).unwrap(), 1);
    assert_eq!(count(&library, "pure desert blues"), 1);
    // What is forgotten is found no more.
    let file = library.store.files_of(tracks[3]).unwrap().remove(0);
    library.store.mark_missing(&[(file.id, file.path)]).unwrap();
    library.store.prune_missing(i64::MAX).unwrap();
    indexer.flush(&library.store).unwrap();
    assert_eq!((count(&library, "state:any"), count(&library, "desert blues state:any")), (4, 0));
}

#[test]
fn what_a_killed_writer_left_is_in_nobodys_way() {
    let (library, tracks) = library(5);
    Indexer::open(&library.index(), &library.store, &mut |_, _| {}).unwrap().close(&library.store).unwrap();
    // Killed between the list of deleted tracks and the commit that would name it: the next one has the same name.
    let json = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(library.index().join(name)).unwrap()).unwrap()
    };
    let (meta, mut managed) = (json("meta.json"), json(".managed.json"));
    for segment in meta["segments"].as_array().unwrap() {
        let id = segment["segment_id"].as_str().unwrap().replace('-', "");
        let stamp = meta["opstamp"].as_u64().unwrap();
        for name in (stamp..stamp + 20).map(|stamp| format!("{id}.{stamp}.del")) {
            std::fs::write(library.index().join(&name), b"half").unwrap();
            managed.as_array_mut().unwrap().push(name.into());
        }
    }
    std::fs::write(library.index().join(".managed.json"), managed.to_string()).unwrap();
    correct(&library, tracks[0], "soul");
    Indexer::open(&library.index(), &library.store, &mut |_, _| {}).unwrap().close(&library.store).unwrap();
    assert_eq!(count(&library, "pure soul"), 1);
}

#[test]
fn killed_while_it_writes_the_index_is_whole_at_the_next_search() {
    let machine = support::Machine::new();
    let paths: Vec<_> = (0..20).map(|n| machine.wav(&format!("{n:02}-jazz4.wav"), n)).collect();
    machine.scan().exits(0);
    for (round, path) in paths.iter().take(8).enumerate() {
        machine.run(&["correct", path.to_str().unwrap(), "soul"]).exits(0);
        if round % 3 == 2 {
            std::fs::remove_dir_all(machine.at("library-index")).unwrap();
        }
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_deepcuts"));
        for (key, value) in machine.environment() {
            command.env(key, value);
        }
        let mut child = command
            .args(["search", "soul", "--config"])
            .arg(machine.at("config.toml"))
            .arg("--db")
            .arg(machine.database())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(5 + 11 * round as u64));
        child.kill().unwrap();
        child.wait().unwrap();
        if round % 2 == 1 {
            let found = machine.run(&["search", "--format", "paths", "pure soul"]).exits(0).out();
            assert_eq!(found.lines().count(), round + 1, "round {round}");
        }
    }
    assert_eq!(machine.run(&["search", "--format", "paths"]).exits(0).out().lines().count(), 20);
}
