//! The index answers what a walk over the rows of SQLite answers, track for track and in the same order: for
//! libraries and queries made at random, after changes, crashes and repairs.
//!
//! The walk shares the parser and the way text is split into words with the program, and nothing else: it
//! multiplies crosswise where the index compares integers, walks over chunks where the index has runs, and
//! sorts by tuples where the index has bytes.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::type_complexity)]

mod library;

use std::cmp::{Ordering, Reverse};

use deepcuts::{
    genre::Genre,
    search::{
        SearchOptions, Searcher,
        fold::{contains_phrase, fold, tokens},
        query::{Edge, Expr, Grammar, NumberField, Op, Query, SortKey, State, Test, TextField, Thresholds, Window},
        rank::Asked,
        share::{Bounds, WHOLE},
    },
    store::{IndexRow, NewCorrection, Span},
    track::{FileTags, Format},
};
use library::{Library, Track};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

/// won / chunks lies within: by multiplying crosswise.
fn within(bounds: &Bounds, won: u64, chunks: u64) -> bool {
    let side = |share: u32| (u128::from(won) * u128::from(WHOLE)).cmp(&(u128::from(share) * u128::from(chunks)));
    let low =
        bounds.low.is_none_or(|(s, with)| side(s.0) == Ordering::Greater || (with && side(s.0) == Ordering::Equal));
    let high =
        bounds.high.is_none_or(|(s, with)| side(s.0) == Ordering::Less || (with && side(s.0) == Ordering::Equal));
    low && high
}

fn won(row: &IndexRow, genre: &Genre) -> Option<(u64, u64)> {
    let mix = row.mix.as_ref()?;
    let won = if genre.slug() == "unsure" {
        mix.unsure
    } else {
        mix.won.iter().find(|(g, _)| g == genre).map_or(0, |(_, n)| *n)
    };
    Some((won.into(), mix.chunks.into()))
}

/// (won, chunks) of a part of the track, chunk by chunk.
fn won_within(row: &IndexRow, genre: &Genre, window: Window) -> Option<(u64, u64)> {
    let line = row.timeline.as_ref()?;
    let length = u64::from(window.length_ms);
    let chunk = u64::from(line.chunk_ms);
    let end = row.duration_ms.map_or(line.start_ms + chunk * line.winners.len() as u64, |ms| ms as u64);
    let inside = |i: usize| {
        let from = line.start_ms + chunk * i as u64;
        match window.edge {
            Edge::First => from < length,
            Edge::Last => from + chunk > end.saturating_sub(length),
        }
    };
    let mut part: Vec<&Option<Genre>> =
        line.winners.iter().enumerate().filter(|(i, _)| inside(*i)).map(|(_, w)| w).collect();
    if part.is_empty() {
        part = match window.edge {
            Edge::First => line.winners.first(),
            Edge::Last => line.winners.last(),
        }
        .into_iter()
        .collect();
    }
    let is = |w: &Option<Genre>| w.as_ref().map_or(genre.slug() == "unsure", |w| w == genre);
    Some((part.iter().filter(|w| is(w)).count() as u64, part.len() as u64))
}

fn texts(row: &IndexRow, field: TextField) -> Vec<Vec<u8>> {
    let some = |t: &Option<String>| t.clone().map(String::into_bytes);
    match field {
        TextField::Title => some(&row.title).into_iter().collect(),
        TextField::Artist => some(&row.artist).into_iter().chain(some(&row.album_artist)).collect(),
        TextField::Album => some(&row.album).into_iter().collect(),
        TextField::Path => vec![row.path.clone()],
        TextField::Genre => row.genres.iter().map(|g| g.clone().into_bytes()).collect(),
        TextField::Model => row.model.iter().flat_map(|(id, name)| [id.clone().into(), name.clone().into()]).collect(),
    }
}

fn has_words(row: &IndexRow, field: TextField, words: &[String], prefix: bool) -> bool {
    let mut all: Vec<String> = texts(row, field).iter().map(|t| String::from_utf8_lossy(t).into_owned()).collect();
    if field == TextField::Genre {
        all.extend(row.genres.iter().map(|g| deepcuts::genre::slug(g)));
    }
    all.iter().any(|text| contains_phrase(&tokens(text), words, prefix))
}

const BARE: [(TextField, u32); 4] =
    [(TextField::Title, 4), (TextField::Artist, 3), (TextField::Album, 2), (TextField::Path, 1)];

fn number(row: &IndexRow, field: NumberField) -> Option<i64> {
    match field {
        NumberField::Year => row.year,
        NumberField::Length => row.duration_ms,
        NumberField::Bitrate => row.bitrate_kbps,
        NumberField::Added => Some(row.added_ms),
    }
}

/// So, not so, or not known.
fn holds(expr: &Expr, row: &IndexRow) -> Option<bool> {
    match expr {
        Expr::Not(part) => holds(part, row).map(|b| !b),
        Expr::All(parts) => {
            let all: Vec<_> = parts.iter().map(|p| holds(p, row)).collect();
            if all.contains(&Some(false)) {
                Some(false)
            } else {
                all.into_iter().collect::<Option<Vec<_>>>().map(|_| true)
            }
        }
        Expr::Any(parts) => {
            let all: Vec<_> = parts.iter().map(|p| holds(p, row)).collect();
            if all.contains(&Some(true)) {
                Some(true)
            } else {
                all.into_iter().collect::<Option<Vec<_>>>().map(|_| false)
            }
        }
        Expr::Leaf(leaf) => match &leaf.test {
            Test::Share { genre, bounds, largest, window: None, .. } => {
                let (n, chunks) = won(row, genre)?;
                let mix = row.mix.as_ref()?;
                let beaten = mix.won.iter().filter(|(g, _)| g != genre).all(|(_, other)| u64::from(*other) < n);
                Some(within(bounds, n, chunks) && (!largest || (beaten && n > 0)))
            }
            Test::Share { genre, bounds, window: Some(window), .. } => {
                let (n, chunks) = won_within(row, genre, *window)?;
                Some(within(bounds, n, chunks))
            }
            Test::Versus { left, op, right } => {
                let (l, r) = (won(row, left)?.0, won(row, right)?.0);
                Some(match op {
                    Op::Above => l > r,
                    Op::AtLeast => l >= r,
                    Op::Below => l < r,
                    Op::AtMost => l <= r,
                    Op::Equal => l == r,
                })
            }
            Test::Words { field: Some(field), words, prefix, .. } => Some(has_words(row, *field, words, *prefix)),
            Test::Words { field: None, words, prefix, .. } => {
                Some(BARE.iter().any(|(field, _)| has_words(row, *field, words, *prefix)))
            }
            Test::Pattern { field, pattern } => {
                let regex = regex::RegexBuilder::new(pattern).case_insensitive(true).build().unwrap();
                Some(texts(row, *field).iter().any(|t| regex.is_match(&String::from_utf8_lossy(t))))
            }
            Test::Number { field, range, .. } => {
                Some(number(row, *field).is_some_and(|n| range.low <= n && n <= range.high))
            }
            Test::Format(names) => Some(names.contains(&row.format.as_str())),
            Test::Source(source) => Some(row.mix.as_ref().map(|m| m.source) == *source),
            Test::State(State::Any) => Some(true),
            Test::State(state) => Some(row.present == (*state == State::Present)),
        },
    }
}

/// Weights of the fields that match, over the clauses that are wanted (not under a "not") and hold.
fn weight(expr: &Expr, row: &IndexRow, wanted: bool) -> u32 {
    match expr {
        Expr::Not(part) => weight(part, row, !wanted),
        // The opposite of "any" is "all of the opposites", and the other way round; a part weighs where it holds.
        Expr::All(parts) | Expr::Any(parts) => {
            let met = |p: &&Expr| holds(p, row).is_some_and(|b| b == wanted);
            parts.iter().filter(met).map(|p| weight(p, row, wanted)).sum()
        }
        Expr::Leaf(leaf) => match &leaf.test {
            Test::Words { field: Some(field), words, prefix, .. } if wanted => {
                let weight = BARE.iter().find(|(f, _)| f == field).map_or(0, |(_, w)| *w);
                if has_words(row, *field, words, *prefix) { weight } else { 0 }
            }
            Test::Words { field: None, words, prefix, .. } if wanted => {
                BARE.iter().filter(|(f, _)| has_words(row, *f, words, *prefix)).map(|(_, w)| w).sum()
            }
            _ => 0,
        },
    }
}

fn distance(asked: &Asked, row: &IndexRow) -> u64 {
    let share = |genre: &Genre| won(row, genre).map_or(0, |(n, chunks)| n * u64::from(WHOLE) / chunks);
    asked
        .alternatives
        .iter()
        .map(|way| {
            let apart: u64 = way.iter().map(|(g, wanted)| share(g).abs_diff(u64::from(*wanted))).sum();
            let have: u64 = way.iter().map(|(g, _)| share(g)).sum();
            let want: u64 = way.iter().map(|(_, wanted)| u64::from(*wanted)).sum();
            apart + have.abs_diff(want)
        })
        .min()
        .unwrap_or(0)
}

/// A value to sort by: what is missing comes last whichever way up.
fn sort_value(key: &SortKey, down: bool, row: &IndexRow) -> (bool, Vec<u8>, Reverse<Vec<u8>>, i128) {
    let text = |value: Option<(String, Vec<u8>)>| match value {
        None => (true, Vec::new(), Reverse(Vec::new()), 0),
        Some((folded, raw)) => {
            let joined = [folded.as_bytes(), b"\0", &raw].concat();
            if down { (false, Vec::new(), Reverse(joined), 0) } else { (false, joined, Reverse(Vec::new()), 0) }
        }
    };
    let count = |value: Option<i128>| match value {
        None => (true, Vec::new(), Reverse(Vec::new()), 0),
        Some(n) => (false, Vec::new(), Reverse(Vec::new()), if down { -n } else { n }),
    };
    match key {
        SortKey::Text(field) => {
            text(texts(row, *field).first().map(|raw| (fold(String::from_utf8_lossy(raw).trim()), raw.clone())))
        }
        SortKey::Number(field) => count(number(row, *field).map(i128::from)),
        SortKey::Share(genre) => {
            // Fractions of different denominators, as one number fine enough to tell any two apart.
            count(Some(won(row, genre).map_or(0, |(n, c)| i128::from(n) * 1_000_000_000_000 / i128::from(c))))
        }
    }
}

fn brute(rows: &[IndexRow], query: &Query) -> Vec<i64> {
    let asked = Asked::of(&query.root);
    let mut hits: Vec<&IndexRow> = rows
        .iter()
        .filter(|row| row.present || query.asks_for_state())
        .filter(|row| holds(&query.root, row) == Some(true))
        .collect();
    let last = |t: Option<&str>| {
        let folded = t.map(|t| fold(t).trim().to_owned()).filter(|t| !t.is_empty());
        (folded.is_none(), folded)
    };
    hits.sort_by_cached_key(|row| {
        let sorts: Vec<_> = query.sort.iter().map(|s| sort_value(&s.key, s.descending, row)).collect();
        let artist = row.artist.as_deref().or(row.album_artist.as_deref());
        (
            sorts,
            distance(&asked, row),
            Reverse(weight(&query.root, row, true)),
            last(artist),
            last(row.album.as_deref()),
            row.disc_no.unwrap_or(u32::MAX),
            row.track_no.unwrap_or(u32::MAX),
            row.path.clone(),
        )
    });
    hits.truncate(query.limit.unwrap_or(usize::MAX));
    hits.into_iter().map(|row| row.file).collect()
}

fn rows(library: &Library) -> Vec<IndexRow> {
    let mut rows = Vec::new();
    library
        .store
        .each_index_row(|row| {
            rows.push(row);
            true
        })
        .unwrap();
    rows
}

fn compare(library: &Library, texts: &[String]) -> Result<usize, TestCaseError> {
    let taxonomy = library.store.taxonomy().unwrap();
    let grammar = Grammar::new(&taxonomy, Thresholds::default());
    let searcher = Searcher::open(&library.index(), &library.store).unwrap();
    let rows = rows(library);
    let mut answered = 0;
    for text in texts {
        let Ok(query) = grammar.parse(text) else { continue };
        let expected = brute(&rows, &query);
        let answer = searcher.run(&library.store, &taxonomy, &query, SearchOptions::default()).unwrap();
        let found: Vec<i64> = answer.hits.iter().map(|hit| hit.file_id).collect();
        prop_assert_eq!(&found, &expected, "{:?} -> {}", text, answer.meaning);
        prop_assert_eq!(answer.count, expected.len(), "{}", text);
        // The first of many are the first of all.
        let few = SearchOptions { limit: Some(3), advice: false };
        let first: Vec<i64> =
            searcher.run(&library.store, &taxonomy, &query, few).unwrap().hits.iter().map(|h| h.file_id).collect();
        prop_assert_eq!(&first[..], &expected[..expected.len().min(3)], "first of {}", text);
        answered += usize::from(!expected.is_empty());
    }
    Ok(answered)
}

const WORDS: [&str; 12] =
    ["so", "what", "Blue", "blues", "Café", "LIVE", "jazz", "Björk", "don't", "久石", "a", "stop"];

fn name() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        1 => Just(None),
        1 => Just(Some(" ".to_owned())),
        6 => prop::collection::vec(prop::sample::select(&WORDS[..]), 1..4).prop_map(|w| Some(w.join(" "))),
    ]
}

/// Few enough that discs and track numbers decide now and then.
fn shared_name() -> impl Strategy<Value = Option<String>> {
    prop_oneof![2 => name(), 3 => prop::sample::select(vec![None, Some("Blue"), Some("BLUE")]).prop_map(|n| n.map(str::to_owned))]
}

fn timeline() -> impl Strategy<Value = Option<String>> {
    let run = (prop::sample::select(vec!['J', 'J', 'B', 'M', 'P', 'N', '.']), 1_usize..9);
    prop_oneof![
        1 => Just(None),
        6 => prop::collection::vec(run, 1..6)
            .prop_map(|runs| Some(runs.into_iter().flat_map(|(c, n)| std::iter::repeat_n(c, n)).collect())),
    ]
}

fn track() -> impl Strategy<Value = Track> {
    (
        (name(), shared_name(), shared_name(), name()),
        (prop::option::of(1955_i32..1965), prop::option::of(1_u32..4), prop::option::of(1_u32..3)),
        prop::sample::select(vec![Format::Flac, Format::Mp3, Format::Opus]),
        prop::collection::vec(prop::sample::select(vec!["Jazz", "Hip-Hop", "Drum & Bass", "Sludge"]), 0..3),
        timeline(),
        (0_u64..5).prop_map(|n| n * 4_000),
        (0_u32..12, 1_000_u64..900_000),
    )
        .prop_map(
            |(
                (title, artist, album, album_artist),
                (year, track_no, disc_no),
                format,
                genres,
                timeline,
                start_ms,
                (audio, size),
            )| Track {
                path: Vec::new(),
                audio,
                tags: FileTags {
                    title,
                    artist,
                    album,
                    album_artist,
                    year,
                    track_no,
                    disc_no,
                    genres: genres.into_iter().map(str::to_owned).collect(),
                },
                format: Some(format),
                size,
                timeline,
                start_ms,
            },
        )
}

fn clause() -> impl Strategy<Value = String> {
    let genre = || {
        prop::sample::select(vec![
            "jazz",
            "blues",
            "metal",
            "pop",
            "drum and bass",
            "unsure",
            "hip hop",
            "sludge",
            "soul",
        ])
    };
    let quantity = prop::sample::select(vec![
        "",
        "mostly",
        "pure",
        "half",
        "some",
        "a bit of",
        "a lot of",
        "no",
        "about 30%",
        "at most 25%",
        "33.3333%",
    ]);
    let op = prop::sample::select(vec![">", ">=", "<", "<=", "="]);
    let part = prop::sample::select(vec!["first 10 seconds", "first minute", "last 30 seconds", "last 2 minutes"]);
    prop_oneof![
        4 => (quantity.clone(), genre()).prop_map(|(q, g)| format!("{q} {g}")),
        1 => (quantity, genre(), part).prop_map(|(q, g, p)| format!("{q} {g} in the {p}")),
        1 => (op.clone(), genre(), 0_u32..100).prop_map(|(op, g, n)| format!("{g} {op} {n}%")),
        1 => (op, genre(), genre()).prop_map(|(op, a, b)| format!("{a} {op} {b}")),
        1 => (genre(), genre()).prop_map(|(a, b)| format!("starts {a}, ends with {b}")),
        1 => (genre(), 0_u32..50, 0_u32..60).prop_map(|(g, lo, by)| format!("{g}:{lo}..{}", (lo + by).min(100))),
        2 => prop::sample::select(&WORDS[..]).prop_map(|w| format!("\"{w}\"")),
        1 => prop::sample::select(vec!["so what", "blue live", "a stop"]).prop_map(|w| format!("\"{w}\"")),
        1 => prop::sample::select(vec!["bl*", "caf*", "s*", "title:\"what bl*\"", "久*"]).prop_map(str::to_owned),
        1 => (prop::sample::select(vec!["title", "artist", "album", "path", "genre"]), prop::sample::select(&WORDS[..]))
            .prop_map(|(f, w)| format!("{f}:{w}")),
        1 => prop::sample::select(vec!["title::^so", "artist::(live|blue)$", "path::[0-4]", "genre::hop", "title::é"]).prop_map(str::to_owned),
        1 => (1955..1965, 0..5).prop_map(|(y, n)| format!("year:{y}..{}", y + n)),
        1 => prop::sample::select(vec![
            "format:flac", "source:user", "source:file", "source:none", "state:missing", "state:any", "length:..1m",
            "bitrate:..50", "added:1d", "year:..1960", "model:cuts",
        ]).prop_map(str::to_owned),
    ]
}

fn query() -> impl Strategy<Value = String> {
    let negated =
        (clause(), prop::bool::weighted(0.15)).prop_map(|(c, not)| if not { format!("not ({c})") } else { c });
    let group =
        (prop::collection::vec(negated, 1..4), prop::sample::select(vec![" ", " and ", " or ", " with ", ", "]))
            .prop_map(|(parts, join)| parts.join(join));
    let sort = prop::sample::select(vec![
        "",
        "",
        "",
        "",
        "year-",
        "year+",
        "artist+",
        "artist-",
        "title-",
        "jazz-",
        "jazz+",
        "path-",
        "length- album+",
        "limit:2",
    ]);
    (prop::collection::vec(group, 0..3), prop::bool::ANY, sort).prop_map(|(groups, or, sort)| {
        let groups: Vec<String> = groups.into_iter().map(|g| format!("({g})")).collect();
        format!("{} {sort}", groups.join(if or { " or " } else { " " }))
    })
}

#[derive(Clone, Debug)]
enum Change {
    Correct(usize, String, u32),
    Span(usize, String),
    Missing(usize),
    New(Track),
}

fn change() -> impl Strategy<Value = Change> {
    let genre = || prop::sample::select(vec!["jazz", "soul", "blues"]).prop_map(str::to_owned);
    prop_oneof![
        (0_usize..40, genre(), 1_u32..5).prop_map(|(n, g, w)| Change::Correct(n, g, w)),
        (0_usize..40, genre()).prop_map(|(n, g)| Change::Span(n, g)),
        (0_usize..40).prop_map(Change::Missing),
        track().prop_map(Change::New),
    ]
}

fn put(library: &Library, track: &Track, n: usize) -> (i64, i64, Vec<u8>) {
    // Some names are no UTF-8, and some need care.
    let path: Vec<u8> = match n % 4 {
        0 => format!("/m/{n:03} Blue.flac").into_bytes(),
        1 => [format!("/m/{n:03}-").as_bytes(), b"\xff\xfe.flac"].concat(),
        2 => format!("/m/Live/{n:03}\n.mp3").into_bytes(),
        _ => format!("/m/{n:03}.opus").into_bytes(),
    };
    let (file, row) = library.put(&Track { path: path.clone(), ..track.clone() });
    (file, row, path)
}

fn apply(library: &Library, files: &mut Vec<(i64, i64, Vec<u8>)>, change: &Change) {
    let pick = |files: &[(i64, i64, Vec<u8>)], n: usize| files[n % files.len()].clone();
    match change {
        Change::Correct(n, genre, weight) => {
            let (_, track, _) = pick(files, *n);
            let genres = vec![(genre.clone(), *weight), ("jazz".to_owned(), 2)];
            library.store.correct(&[NewCorrection { track, span: None, genres }]).unwrap();
        }
        Change::Span(n, genre) => {
            let (_, track, _) = pick(files, *n);
            let span = Some(Span { start_ms: 0, end_ms: 30_000 });
            library.store.correct(&[NewCorrection { track, span, genres: vec![(genre.clone(), 1)] }]).unwrap();
        }
        Change::Missing(n) => {
            let (file, _, path) = pick(files, *n);
            library.store.mark_missing(&[(file, deepcuts::track::path_from_bytes(&path).to_path_buf())]).unwrap();
        }
        Change::New(track) => {
            let n = files.len();
            files.push(put(library, track, n));
        }
    }
}

#[test]
fn the_index_finds_what_a_walk_over_the_rows_finds() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let strategy = (
        prop::collection::vec(track(), 1..40),
        prop::collection::vec(query(), 60),
        prop::collection::vec(change(), 1..6),
    );
    let answered = std::cell::Cell::new(0);
    runner
        .run(&strategy, |(tracks, queries, changes)| {
            let library = Library::new();
            let mut files: Vec<_> = tracks.iter().enumerate().map(|(n, track)| put(&library, track, n)).collect();
            library.indexer().close(&library.store).unwrap();
            answered.set(answered.get() + compare(&library, &queries)?);
            // What changes is learned, in several commits, without making the index anew.
            let mut indexer = library.indexer();
            for change in &changes {
                apply(&library, &mut files, change);
                indexer.flush(&library.store).unwrap();
            }
            indexer.close(&library.store).unwrap();
            answered.set(answered.get() + compare(&library, &queries)?);
            Ok(())
        })
        .unwrap();
    assert!(answered.get() > cases as usize * 10, "too few queries found anything: {}", answered.get());
}
