//! Why a file answers a query: every clause with what the file has, and never at odds with the answer.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod library;

use deepcuts::{
    search::{
        SearchOptions, Searcher,
        query::{Grammar, Thresholds},
        why::{Clause, why},
    },
    track::FileTags,
};
use library::{Library, Track, spell};

fn library() -> (Library, Vec<i64>) {
    let library = Library::new();
    let tracks = [
        ("So What", "Miles Davis", 1959, "J14B4.2"),
        ("Freddie Freeloader", "Miles Davis", 1959, "J11B9"),
        ("Boogie Chillen", "John Lee Hooker", 1948, "B18J2"),
        ("Stay Clean", "Motörhead", 1979, "M18K2"),
    ];
    let files = tracks.iter().enumerate().map(|(n, (title, artist, year, runs))| {
        let tags = FileTags {
            title: Some((*title).into()),
            artist: Some((*artist).into()),
            year: Some(*year),
            ..FileTags::default()
        };
        let n = u32::try_from(n).unwrap();
        let path = format!("/m/{n}.flac").into_bytes();
        let track = Track { path, audio: n, tags, size: 1_000, timeline: Some(spell(runs)), ..Track::default() };
        library.put(&track).0
    });
    let files = files.collect();
    library.indexer().close(&library.store).unwrap();
    (library, files)
}

fn explained(library: &Library, text: &str, file: i64) -> (bool, Vec<Clause>) {
    let taxonomy = library.store.taxonomy().unwrap();
    let query = Grammar::new(&taxonomy, Thresholds::default()).parse(text).unwrap();
    let searcher = Searcher::open(&library.index(), &library.store).unwrap();
    let answer = searcher.run(&library.store, &taxonomy, &query, SearchOptions::default()).unwrap();
    let clauses = why(searcher.reader(), &library.store, &taxonomy, &query, file).unwrap();
    (answer.hits.iter().any(|hit| hit.file_id == file), clauses)
}

#[test]
fn each_clause_says_what_the_file_has() {
    let (library, files) = library();
    let (hit, clauses) = explained(&library, "mostly jazz with some blues, davis year:1950..1960", files[1]);
    assert!(hit);
    let said: Vec<(&str, &str)> = clauses.iter().map(|c| (c.asked.as_str(), c.has.as_str())).collect();
    assert!(said.contains(&("jazz >= 50% and largest", "55%, next blues 45%")), "{said:?}");
    assert!(said.contains(&("blues 15-50%", "45%")), "{said:?}");
}

#[test]
fn the_clauses_agree_with_the_answer() {
    let (library, files) = library();
    let queries = [
        "mostly jazz",
        "no blues",
        "not mostly jazz",
        "jazz > blues",
        "davis",
        "davis year:1950..1955",
        "jazz or metal",
        "(mostly jazz or mostly metal) -davis",
        "starts with jazz",
        "ends with blues",
        "format:flac title:boogie",
        "not (jazz or metal)",
        "some blues, pure metal",
        "source:file",
    ];
    for text in queries {
        for file in &files {
            let (hit, clauses) = explained(&library, text, *file);
            // At the top all clauses have to hold; where a query is one "any of", that is the one at the top.
            let holds = clauses.iter().filter(|c| c.depth == 0).all(|c| c.holds == Some(true));
            assert_eq!(holds, hit, "{text} and file {file}: {clauses:#?}");
        }
    }
}
