//! What people type, what is understood, and which tracks of a fixed library answer.
//!
//! The expected tracks were worked out by hand from the shares below and the table of words in the help, not
//! by running the program.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod library;

use deepcuts::{
    search::{
        SearchOptions, Searcher,
        meaning::meaning,
        query::{Grammar, Thresholds},
    },
    track::{FileTags, Format},
};
use library::{Library, Track, spell};

/// (name, format, title, artist, album, year, genres in the tags, timeline). Twenty chunks of five seconds, so
/// a chunk is 5 %. B blues, C classical, Y country, H hip-hop, J jazz, M metal, N drum & bass, P pop, R rock.
#[rustfmt::skip]
#[allow(clippy::type_complexity)]
const TRACKS: &[(&str, Format, &str, &str, &str, i32, &str, &str)] = &[
    ("a", Format::Flac, "So What", "Miles Davis", "Kind of Blue", 1959, "", "J14B4.2"),
    ("b", Format::Flac, "Freddie Freeloader", "Miles Davis", "Kind of Blue", 1959, "", "J10B10"),
    ("c", Format::Mp3, "Enter Sandman", "Metallica", "Metallica", 1991, "Rock", "M18R2"),
    ("d", Format::Mp3, "Country Roads", "John Denver", "Poems", 1971, "", "Y16P4"),
    ("e", Format::Mp3, "One", "Metallica", "S&M Live", 1999, "", "C10M10"),
    ("f", Format::Mp4, "Lose Yourself", "Eminem", "8 Mile", 2002, "Hip-Hop", "H17P2.1"),
    ("g", Format::Flac, "Stairway", "Led Zeppelin", "IV", 1971, "", "R11B5P4"),
    ("h", Format::Opus, "Café Blue", "Björk", "Live Box", 2003, "", "P14J6"),
    ("i", Format::Wav, "", "", "", 0, "", ".20"),
    ("j", Format::Flac, "Brown Paper Bag", "Roni Size", "New Forms", 1997, "", "N13J7"),
    ("k", Format::Mp3, "Jazz Police", "Leonard Cohen", "I'm Your Man", 1988, "", ""),
    ("l", Format::Flac, "Lost", "Nobody", "Gone", 1959, "", "J20"),
];

/// (what is typed, what is understood, which tracks answer)
#[rustfmt::skip]
const PHRASES: &[(&str, &str, &str)] = &[
    // Words for how much.
    ("mostly jazz with some blues", "jazz >= 50% and largest, blues 15-50%", "a"),
    ("pure hip hop", "hip-hop >= 85%", "f"),
    ("only rap", "hip-hop >= 85%", "f"),
    ("all metal", "metal >= 85%", "c"),
    ("mainly a country song", "country >= 50% and largest; ignored \"song\"", "d"),
    ("mostly jazz", "jazz >= 50% and largest", "a"),
    ("half jazz", "jazz 40..60%", "b"),
    ("half jazz and half blues", "jazz 40..60%, blues 40..60%", "b"),
    ("half jazz and blues", "jazz 40..60%, blues 40..60%", "b"),
    ("a lot of jazz", "jazz >= 35%", "abj"),
    ("plenty of pop", "pop >= 35%", "h"),
    ("some jazz", "jazz 15-50%", "hj"),
    ("partly blues", "blues 15-50%", "ag"),
    ("a bit of pop", "pop 5-25%", "dfg"),
    ("a touch of rock", "rock 5-25%", "c"),
    ("a hint of rock music", "rock 5-25%; ignored \"music\"", "c"),
    ("slightly unsure", "unsure 5-25%", "af"),
    ("mostly unsure", "unsure >= 50% and largest", "i"),
    ("jazz", "jazz >= 15%", "abhj"),
    ("any jazz", "jazz >= 15%", "abhj"),
    ("with jazz", "jazz >= 15%", "abhj"),
    // Joined.
    ("jazz with blues", "jazz >= 15%, blues 15-50%", "a"),
    ("jazz and blues", "jazz >= 15%, blues >= 15%", "ab"),
    ("jazz blues", "jazz >= 15%, blues >= 15%", "ab"),
    ("jazz plus blues", "jazz >= 15%, blues >= 15%", "ab"),
    ("jazz or blues", "jazz >= 15% or blues >= 15%", "abghj"),
    ("jazz, blues", "jazz >= 15% or blues >= 15%", "abghj"),
    ("jazz/metal", "jazz >= 15% or metal >= 15%", "abcehj"),
    ("(jazz or metal) year:1990..", "(jazz >= 15% or metal >= 15%), year >= 1990", "cehj"),
    ("jazz or metal year:1990..", "jazz >= 15% or (metal >= 15%, year >= 1990)", "abcehj"),
    ("some jazz or blues", "jazz 15-50% or blues 15-50%", "aghj"),
    ("jazz but no pop", "jazz >= 15%, pop < 5%", "abj"),
    ("jazz jazz", "jazz >= 15%, jazz >= 15%", "abhj"),
    // Not.
    ("no jazz or blues", "jazz < 5%, blues < 5%", "cdefi"),
    ("no jazz and blues", "jazz < 5%, blues < 5%", "cdefi"),
    ("no jazz, blues", "jazz < 5%, blues < 5%", "cdefi"),
    ("without pop", "pop < 5%", "abceij"),
    ("-pop jazz", "pop < 5%, jazz >= 15%", "abj"),
    ("not mostly jazz", "not (jazz >= 50% and largest)", "bcdefghij"),
    ("not not jazz", "not (jazz < 5%)", "abhj"),
    ("not (jazz or metal)", "not (jazz >= 15% or metal >= 15%)", "dfgi"),
    ("-\"kind of blue\" jazz", "no \"kind of blue\" in title, artist, album or path, jazz >= 15%", "hj"),
    ("no surprises", "no \"surprises\" in title, artist, album or path", "abcdefghijk"),
    ("metallica -live", "\"metallica\" in title, artist, album or path, no \"live\" in title, artist, album or path", "c"),
    // Numbers.
    ("about 30% jazz", "jazz 25..35%", "hj"),
    ("30 percent jazz", "jazz 25..35%", "hj"),
    ("jazz 70%", "jazz 65..75%", "a"),
    ("at least 50% jazz", "jazz >= 50%", "ab"),
    ("more than 50 % jazz", "jazz > 50%", "a"),
    ("at most 30% jazz", "jazz <= 30%", "cdefghi"),
    ("under 5% jazz", "jazz < 5%", "cdefgi"),
    ("exactly 35% jazz", "jazz = 35%", "j"),
    ("jazz>=50%", "jazz >= 50%", "ab"),
    ("jazz > 50", "jazz > 50%", "a"),
    ("jazz:30..50", "jazz 30..50%", "bhj"),
    ("jazz:..10%", "jazz <= 10%", "cdefgi"),
    ("hip hop:80..", "hip-hop >= 80%", "f"),
    ("jazz > 69.9999%", "jazz > 69.9999%", "a"),
    ("more jazz than blues", "jazz > blues", "ahj"),
    ("less jazz than blues", "jazz < blues", "g"),
    ("jazz > blues", "jazz > blues", "ahj"),
    ("jazz = blues", "jazz = blues", "bcdefi"),
    ("drum and bass", "drum & bass >= 15%", "j"),
    ("mostly d'n'b", "drum & bass >= 50% and largest", "j"),
    ("DRUM & BASS > 60%", "drum & bass > 60%", "j"),
    // Time. The first minute is twelve chunks, the last half of one six, start and end nine.
    ("jazz in the first minute", "jazz >= 15% of the first 1:00", "ab"),
    ("jazz in the last 30 seconds", "jazz >= 15% of the last 0:30", "hj"),
    ("mostly blues in the last minute", "blues >= 50% of the last 1:00", "b"),
    ("no jazz or blues in the first 30s", "jazz < 5% of the first 0:30, blues < 5% of the first 0:30", "cdefghij"),
    ("starts classical, ends metal", "classical >= 50% of the first 0:45, metal >= 50% of the last 0:45", "e"),
    ("starts with classical and ends in metal", "classical >= 50% of the first 0:45, metal >= 50% of the last 0:45", "e"),
    ("ends with jazz", "jazz >= 50% of the last 0:45", "hj"),
    // Words and fields.
    ("title:jazz", "title has \"jazz\"", "k"),
    ("\"jazz police\"", "\"jazz police\" in title, artist, album or path", "k"),
    ("jazz police", "jazz >= 15%, \"police\" in title, artist, album or path", ""),
    ("\"country roads\"", "\"country roads\" in title, artist, album or path", "d"),
    ("country roads", "country >= 15%, \"roads\" in title, artist, album or path", "d"),
    ("METALLICA", "\"METALLICA\" in title, artist, album or path", "ce"),
    ("bjork", "\"bjork\" in title, artist, album or path", "h"),
    ("BJÖRK café", "\"BJÖRK\" in title, artist, album or path, \"café\" in title, artist, album or path", "h"),
    ("im your man", "\"im\" in title, artist, album or path, \"your\" in title, artist, album or path, \"man\" in title, artist, album or path", "k"),
    ("kin*", "\"kin*\" in title, artist, album or path", "ab"),
    ("artist:\"miles davis\" year:1959", "artist has \"miles davis\", year 1959", "ab"),
    ("artist:davis title:so*", "artist has \"davis\", title has \"so*\"", "a"),
    ("year:1970s", "year 1970s", "dg"),
    ("year:1990..1999", "year 1990..1999", "cej"),
    ("year > 1999", "year > 1999", "fh"),
    ("year:1960..1950", "year 1960..1950", ""),
    ("format:flac", "format flac", "abgj"),
    ("format:ogg", "format vorbis or opus or ogg", "h"),
    ("length:1:40", "length 1:40", "abcdefghij"),
    ("length:..1m", "length <= 1m", ""),
    ("title::^so", "title matches /^so/", "a"),
    ("title::^(one|lost)$", "title matches /^(one|lost)$/", "e"),
    ("genre:rock", "file's genre has \"rock\"", "c"),
    ("genre:hiphop", "file's genre has \"hiphop\"", "f"),
    ("model:cuts year:1971", "model has \"cuts\", year 1971", "dg"),
    ("path:i.wav", "path has \"i.wav\"", "i"),
    ("source:model", "genres by model", "abcdefghij"),
    ("source:none", "no genres known", "k"),
    ("state:missing", "file missing", "l"),
    ("state:any jazz", "files present and missing, jazz >= 15%", "abhjl"),
    ("added:1d", "added 1d", "abcdefghijk"),
    ("added:2001", "added 2001", ""),
    // Order and number.
    ("jazz year- limit:2", "jazz >= 15%, by year descending, at most 2", "hj"),
    ("limit:1 jazz+", "everything, by jazz, at most 1", "f"),
    // Spaces, capitals, punctuation, nonsense.
    ("", "everything", "abcdefghijk"),
    (" \t ", "everything", "abcdefghijk"),
    ("give me something", "\"give\" in title, artist, album or path; ignored \"me\", \"something\"", ""),
    ("me something from the", "everything; ignored \"me\", \"something\", \"from\", \"the\"", "abcdefghijk"),
    ("  MOSTLY   Jazz !!", "jazz >= 50% and largest; ignored \"!!\"", "a"),
    ("jazz!", "jazz >= 15%", "abhj"),
    ("Jazzz", "\"Jazzz\" in title, artist, album or path; \"Jazzz\" is no genre, did you mean Jazz?", ""),
    ("metals", "metal >= 15%", "ce"),
    ("clasical", "\"clasical\" in title, artist, album or path; \"clasical\" is no genre, did you mean Classical?", ""),
    ("mostly harmless", "\"mostly\" in title, artist, album or path, \"harmless\" in title, artist, album or path", ""),
    ("'; DROP TABLE tracks; --", "\"DROP\" in title, artist, album or path, \"TABLE\" in title, artist, album or path, \"tracks;\" in title, artist, album or path; ignored \"';\", \"--\"", ""),
    ("../../etc/passwd", "\"../../etc/passwd\" in title, artist, album or path", ""),
    ("\u{1b}]0;x\u{7}", "\"\u{fffd}]0;x\u{fffd}\" in title, artist, album or path", ""),
    ("title:*:*", "everything; ignored \"title:*:*\"", "abcdefghijk"),
];

/// (what is typed, part of what is said, where the carets begin, how many there are)
const REFUSED: &[(&str, &str, usize, usize)] = &[
    ("jazz (blues", "never closed", 5, 1),
    ("jazz)", "closes nothing", 4, 1),
    ("jazz ()", "no clause", 5, 1),
    ("\"so what", "never closed", 0, 8),
    ("jazz or", "needs a clause after", 5, 2),
    ("or jazz", "needs a clause before", 0, 2),
    ("title:*:* OR 1", "needs a clause before", 10, 2),
    ("jazz -", "", 0, 0),
    ("jazz not", "needs something after", 5, 3),
    ("mostly jazs", "did you mean Jazz?", 7, 4),
    ("jazz >", "needs a share or a genre", 6, 1),
    ("jazz > 120%", "from 0 to 100", 7, 4),
    ("jazz > .5", "in percent, with the sign", 7, 2),
    ("jazz:20..x", "two numbers of percents", 5, 5),
    ("> 20%", "needs a genre or a number field before", 0, 1),
    ("jazs > 20%", "did you mean Jazz?", 0, 4),
    ("more jazz", "more jazz than blues", 0, 9),
    ("at least 30% of me", "a genre has to follow", 9, 3),
    ("jazz in the first while", "say how long", 18, 5),
    ("colour:red", "no field or genre is called colour", 0, 10),
    ("artits:davis", "did you mean artist?", 0, 12),
    ("year:19x0", "no value for year", 5, 4),
    ("source:me", "user, model, file, none", 7, 2),
    ("limit:none", "whole number", 6, 4),
    ("title::(a", "makes no sense", 7, 2),
    ("title:", "needs a value", 0, 6),
    ("@nowhere", "no saved search is called nowhere", 0, 8),
];

fn library() -> Library {
    let library = Library::new();
    for (n, (name, format, title, artist, album, year, genre, timeline)) in TRACKS.iter().enumerate() {
        let text = |s: &str| (!s.is_empty()).then(|| s.to_owned());
        let path = format!("/m/{name}.{}", format.name());
        let (file, _) = library.put(&Track {
            path: path.clone().into_bytes(),
            audio: n as u32,
            tags: FileTags {
                title: text(title),
                artist: text(artist),
                album: text(album),
                year: (*year > 0).then_some(*year),
                genres: text(genre).into_iter().collect(),
                ..FileTags::default()
            },
            format: Some(*format),
            size: 1_000_000,
            timeline: text(timeline).map(|runs| spell(&runs)),
            start_ms: 0,
        });
        if *name == "l" {
            library.store.mark_missing(&[(file, path.into())]).unwrap();
        }
    }
    library.indexer().close(&library.store).unwrap();
    library
}

#[test]
fn phrases() {
    let library = library();
    let taxonomy = library.store.taxonomy().unwrap();
    let searcher = Searcher::open(&library.index(), &library.store).unwrap();
    let mut wrong = Vec::new();
    for (text, understood, expected) in PHRASES {
        let query = match Grammar::new(&taxonomy, Thresholds::default()).parse(text) {
            Ok(query) => query,
            Err(error) => {
                wrong.push(format!("{text:?}: {error}"));
                continue;
            }
        };
        let answer = searcher.run(&library.store, &taxonomy, &query, SearchOptions::default()).unwrap();
        let mut found: Vec<String> =
            answer.hits.iter().map(|hit| hit.path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
        found.sort();
        if meaning(&query, &taxonomy) != *understood || found.concat() != *expected || answer.count != found.len() {
            wrong.push(format!(
                "{text:?}\n    {}\n    {understood}\n    {} for {expected}",
                answer.meaning,
                found.concat()
            ));
        }
    }
    assert!(PHRASES.len() >= 80, "{}", PHRASES.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn refusals_point_at_the_place() {
    let library = library();
    let taxonomy = library.store.taxonomy().unwrap();
    let mut wrong = Vec::new();
    for (text, said, at, carets) in REFUSED {
        match Grammar::new(&taxonomy, Thresholds::default()).parse(text) {
            Ok(_) if *carets == 0 => {}
            Ok(query) => wrong.push(format!("{text:?} is {}", meaning(&query, &taxonomy))),
            Err(error) => {
                let shown = error.to_string();
                let last = shown.lines().last().unwrap();
                let expected = format!("{}{}", " ".repeat(at + 2), "^".repeat(*carets));
                if !error.message.contains(said) || last != expected {
                    wrong.push(shown);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_byte_of_nonsense_gets_an_answer_or_a_reason() {
    let library = library();
    let taxonomy = library.store.taxonomy().unwrap();
    let grammar = Grammar::new(&taxonomy, Thresholds::default());
    let long = "(".repeat(5_000);
    let deep = format!("{}jazz{}", "(".repeat(200), ")".repeat(200));
    let nots = "not ".repeat(1_000);
    let many = "jazz ".repeat(700);
    for text in [
        long.as_str(),
        &deep,
        &nots,
        &many,
        "title::(a{1000}){1000}",
        "\u{0}",
        "\u{202e}jazz",
        "(((((",
        "-\"",
        "a:b:c::d",
    ] {
        if let Err(error) = grammar.parse(text) {
            assert!(error.to_string().lines().count() == 3, "{error}");
        }
    }
    // Pieces of the grammar in any order.
    let pieces = [
        "jazz",
        "no",
        "mostly",
        "or",
        ",",
        "(",
        ")",
        "-",
        "\"",
        "year:",
        "1950..",
        "> 20%",
        "starts",
        "with",
        "in the",
        "first",
        "minute",
        "30%",
        "about",
        "more",
        "than",
        "@",
        "title::",
        "é",
        "limit:",
        "+",
        "hip hop:20",
    ];
    let mut state = 1_u32;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..6 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text.push_str(pieces[(state >> 16) as usize % pieces.len()]);
            text.push_str(if state >> 31 == 0 { " " } else { "" });
        }
        match grammar.parse(&text) {
            Ok(query) => assert!(!meaning(&query, &taxonomy).is_empty()),
            Err(error) => assert!(!error.message.is_empty() && error.span.end <= text.len(), "{text}"),
        }
    }
}
