//! How long a search takes, on synthetic libraries.
//!
//! `cargo bench --bench search` runs 10,000 and 100,000 tracks; name other sizes after `--`, such as
//! `cargo bench --bench search -- 1000000`. Each kind of query is asked through the whole of the desk (text,
//! grammar, index, ranking, the first fifty hits from SQLite); beside it stands what Tantivy alone needs, in
//! the same run, for a query of the same shape. Other words after `--` name the kinds to ask (`-- 100000 "or, not"`).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../tests/library/mod.rs"]
mod library;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use deepcuts::{
    search::{
        SearchOptions, Searcher,
        index::Indexer,
        query::{Grammar, TextField, Thresholds},
        similar::Neighbours,
    },
    track::FileTags,
};
use library::{Library, Track};
use tantivy::{
    Index, Term,
    collector::{Count, TopDocs},
    query::{AllQuery, BooleanQuery, Occur, Query, RangeQuery, TermQuery},
    schema::IndexRecordOption,
};

/// Hits that a screen shows.
const SCREEN: usize = 50;

/// (kind, query, which bare query it is compared with)
const KINDS: &[(&str, &str, Bare)] = &[
    ("two ranges", "mostly jazz with some blues", Bare::TwoRanges),
    ("one genre", "a lot of metal", Bare::OneRange),
    ("words", "amber river", Bare::Term),
    ("field, years, no", "artist:amber year:1970..1989 no pop", Bare::Term),
    ("or, not", "(mostly jazz or mostly blues) no rock -live", Bare::TwoRanges),
    ("time", "starts classical, ends metal", Bare::TwoRanges),
    ("compared", "more jazz than blues", Bare::TwoRanges),
    ("everything", "", Bare::All),
];

#[derive(Clone, Copy, PartialEq)]
enum Bare {
    TwoRanges,
    OneRange,
    Term,
    All,
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// Words that names are made of; the first are common.
fn word(random: &mut Random) -> String {
    const COMMON: [&str; 12] =
        ["amber", "river", "night", "blue", "love", "live", "dance", "heart", "rain", "city", "dream", "light"];
    const PARTS: [&str; 20] = [
        "ka", "lo", "mi", "ren", "su", "ta", "vo", "zi", "bel", "dor", "fen", "gri", "hul", "jas", "nor", "pel", "qua",
        "sil", "tor", "wyn",
    ];
    if random.below(4) == 0 {
        return COMMON[random.below(12) as usize].to_owned();
    }
    (0..3).map(|_| PARTS[random.below(20) as usize]).collect()
}

fn track(n: u32, random: &mut Random) -> Track {
    let mut timeline = String::new();
    for _ in 0..1 + random.below(4) {
        let letter = b"BCYDHJMPGRN."[random.below(12) as usize] as char;
        timeline.extend(std::iter::repeat_n(letter, 4 + random.below(12) as usize));
    }
    let mut name = |words: u64| (0..words).map(|_| word(random)).collect::<Vec<_>>().join(" ");
    let (title, artist, album) = (name(3), name(2), name(2));
    Track {
        path: format!("/music/{artist}/{album}/{n:07} {title}.flac").into_bytes(),
        audio: n,
        tags: FileTags {
            title: Some(title),
            artist: Some(artist),
            album: Some(album),
            year: Some(1950 + random.below(76) as i32),
            track_no: Some(1 + random.below(12) as u32),
            ..FileTags::default()
        },
        size: 30_000_000,
        timeline: Some(timeline),
        start_ms: 20_000,
        ..Track::default()
    }
}

fn quantile(times: &mut [Duration], q: f64) -> f64 {
    times.sort_unstable();
    let at = ((times.len() - 1) as f64 * q).round() as usize;
    times[at].as_secs_f64() * 1e3
}

fn timed(runs: usize, mut work: impl FnMut()) -> (f64, f64) {
    work();
    let mut times: Vec<Duration> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    (quantile(&mut times, 0.5), quantile(&mut times, 0.99))
}

fn bare(index: &Index, shape: Bare) -> Box<dyn Query> {
    let share = index.schema().get_field("share").unwrap();
    let title = index.schema().get_field("title").unwrap();
    let range = |genre: &str, low: i64, high: i64| -> Box<dyn Query> {
        let term = |level: i64| {
            let mut term = Term::from_field_json_path(share, genre, false);
            term.append_type_and_fast_value(level);
            term
        };
        Box::new(RangeQuery::new(
            std::ops::Bound::Included(term(low * 20_000)),
            std::ops::Bound::Included(term(high * 20_000)),
        ))
    };
    match shape {
        Bare::TwoRanges => Box::new(BooleanQuery::new(vec![
            (Occur::Must, range("jazz", 50, 100)),
            (Occur::Must, range("blues", 15, 50)),
        ])),
        Bare::OneRange => range("metal", 35, 100),
        Bare::Term => Box::new(TermQuery::new(Term::from_field_text(title, "amber"), IndexRecordOption::Basic)),
        Bare::All => Box::new(AllQuery),
    }
}

fn run(tracks: u32, only: &[String]) {
    let library = Library::new();
    let mut random = Random(0x5EED);
    let start = Instant::now();
    for n in 0..tracks {
        if n % 5_000 == 0 {
            library.store.commit().unwrap();
            library.store.begin().unwrap();
        }
        library.put(&track(n, &mut random));
    }
    library.store.commit().unwrap();
    println!("\n{tracks} tracks (SQLite filled in {:.1} s)", start.elapsed().as_secs_f64());
    let start = Instant::now();
    Indexer::open(&library.index(), &library.store, &mut |_, _| {}).unwrap().close(&library.store).unwrap();
    let bytes: u64 = std::fs::read_dir(library.index()).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
    println!("index made in {:.1} s, {} MB", start.elapsed().as_secs_f64(), bytes / 1_000_000);

    let taxonomy = library.store.taxonomy().unwrap();
    let searcher = Searcher::open(&library.index(), &library.store).unwrap();
    let index = Index::open_in_dir(library.index()).unwrap();
    let reader = index.reader().unwrap();
    let runs = if tracks >= 1_000_000 { 100 } else { 300 };
    println!(
        "{:<18}{:>9}{:>10}{:>10}{:>12}{:>10}{:>8}",
        "kind", "hits", "p50 ms", "p99 ms", "bare p50", "bare p99", "ratio"
    );
    for (kind, text, shape) in KINDS.iter().filter(|(kind, ..)| only.is_empty() || only.iter().any(|o| o == kind)) {
        let mut count = 0;
        let (p50, p99) = timed(runs, || {
            let query = Grammar::new(&taxonomy, Thresholds::default()).parse(text).unwrap();
            let options = SearchOptions { limit: Some(SCREEN), advice: false };
            count = searcher.run(&library.store, &taxonomy, &query, options).unwrap().count;
        });
        let plain = bare(&index, *shape);
        let (bare50, bare99) = timed(runs, || {
            let collector = (TopDocs::with_limit(SCREEN).order_by_score(), Count);
            reader.searcher().search(&plain, &collector).unwrap();
        });
        println!("{kind:<18}{count:>9}{p50:>10.2}{p99:>10.2}{bare50:>12.2}{bare99:>10.2}{:>8.1}", p50 / bare50);
    }

    let (p50, p99) = timed(runs, || {
        let values = searcher.reader().values(TextField::Artist, "a", 20).unwrap();
        assert!(!values.is_empty());
    });
    println!("artists that begin so, for Tab: p50 {p50:.2} ms, p99 {p99:.2} ms");

    let database = library.store.path().to_owned();
    let config = library.dir.path().join("config.toml");
    std::fs::write(&config, "").unwrap();
    std::fs::rename(library.index(), library.dir.path().join("library-index")).unwrap();
    // Cargo names the program where it has built it for the bench.
    let program = option_env!("CARGO_BIN_EXE_deepcuts")
        .map(str::to_owned)
        .or_else(|| std::env::var("DEEPCUTS").ok())
        .expect("which deepcuts? Set DEEPCUTS");
    let (p50, p99) = timed(20, || {
        let out = Command::new(&program)
            .args(["search", "mostly jazz with some blues", "-n", "50", "--config"])
            .arg(&config)
            .arg("--db")
            .arg(&database)
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    });
    println!("`deepcuts search`, from start to answer: p50 {p50:.1} ms, p99 {p99:.1} ms");
}

fn similar(tracks: usize, dim: usize) {
    let mut random = Random(7);
    let vectors = (0..tracks as i64)
        .map(|t| (t, (0..dim).map(|_| random.below(2_000) as f32 / 1_000.0 - 1.0).collect()))
        .collect();
    let neighbours = Neighbours::new(vectors);
    let (p50, p99) = timed(30, || {
        assert_eq!(neighbours.nearest(&[5, 6]).unwrap().len(), tracks - 2);
    });
    println!("\nsimilar, exact, {tracks} tracks of {dim} values, all in order: p50 {p50:.1} ms, p99 {p99:.1} ms");
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let sizes: Vec<u32> = args.iter().filter_map(|a| a.parse().ok()).collect();
    let only: Vec<String> = args.into_iter().filter(|a| a.parse::<u32>().is_err()).collect();
    let sizes = if sizes.is_empty() { vec![10_000, 100_000] } else { sizes };
    for tracks in sizes {
        run(tracks, &only);
    }
    similar(100_000, 128);
}
