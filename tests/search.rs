//! Searching, as a listener does it: the real program, on a library that scripted ears have heard.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::Machine;

/// Five recordings of eight chunks of five seconds each; their names are what the ears hear.
fn machine() -> Machine {
    let machine = Machine::new();
    for (i, name) in
        ["jazz6-blues2.wav", "jazz8.wav", "metal5-jazz3.wav", "classical4-metal4.wav", "blues3.wav"].iter().enumerate()
    {
        machine.wav(name, i as u32 + 1);
    }
    machine.scan().exits(0);
    machine
}

#[test]
fn mostly_jazz_with_some_blues() {
    let machine = machine();
    let ran = machine.run(&["search", "mostly jazz with some blues"]).exits(0);
    let out = ran.out();
    let mut lines = out.lines();
    assert_eq!(lines.next(), Some("jazz >= 50% and largest, blues 15-50% - 1 of 5 tracks"));
    assert_eq!(lines.next(), Some("jazz6-blues2   jazz 75  blues 25"));
    assert_eq!(lines.next(), None);
}

#[test]
fn each_form_of_an_answer() {
    let machine = machine();
    let json = machine.run(&["search", "--format", "json", "jazz > 30%"]).exits(0).json();
    assert_eq!(json["meaning"], "jazz > 30%");
    assert_eq!(json["coverage"], serde_json::json!({"heard": 5, "known": 5}));
    let names: Vec<_> = json["tracks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned())
        .collect();
    // The middle of 30 to 100 % is 65 %: 75, 37.5 and 100 % are 10, 27.5 and 35 points away.
    assert_eq!(names, ["jazz6-blues2.wav", "metal5-jazz3.wav", "jazz8.wav"]);
    assert_eq!(json["tracks"][1]["mix"], serde_json::json!({"metal": 0.625, "jazz": 0.375}));
    assert_eq!(json["tracks"][1]["unsure"], 0.0);
    assert_eq!(json["tracks"][1]["source"], "model");
    let paths = machine.run(&["search", "-0", "metal"]).exits(0);
    assert_eq!(paths.0.stdout.iter().filter(|b| **b == 0).count(), 2);
    let lines = machine.run(&["search", "--format", "ndjson"]).exits(0).out();
    assert_eq!(lines.lines().count(), 5);
    let playlist = machine.run(&["search", "--format", "m3u8", "starts classical, ends metal"]).exits(0).out();
    assert!(playlist.starts_with("#EXTM3U\n#EXTINF:"), "{playlist}");
    assert!(playlist.ends_with("classical4-metal4.wav\n"), "{playlist}");
    let tsv = machine.run(&["search", "--format", "tsv", "pure jazz"]).exits(0).out();
    assert!(tsv.lines().nth(1).unwrap().contains("\tjazz=1\t0\tmodel"), "{tsv}");
}

#[test]
fn exit_codes_and_carets() {
    let machine = machine();
    let none = machine.run(&["search", "mostly country"]).exits(1).out();
    assert!(none.contains("0 of 5"), "{none}");
    let bad = machine.run(&["search", "mostly jaz (blues"]).exits(2);
    assert_eq!(bad.out(), "");
    assert!(bad.err().contains("never closed\n  mostly jaz (blues\n             ^"), "{}", bad.err());
    machine.run(&["search"]).exits(0);
    machine.run(&["search", "jazz -blues"]).exits(0);
    machine.run(&["search", "--", "jazz", "-blues"]).exits(0);
}

#[test]
fn nothing_found_comes_with_advice() {
    let machine = machine();
    let out = machine.run(&["search", "mostly metal with some jazz year:1990"]).exits(1).out();
    assert!(out.contains("`year 1990` removed the most: 1 without it"), "{out}");
    assert!(out.contains("nearest looser: metal >= 50% and largest, jazz 15-50% - 1"), "{out}");
    let out = machine.run(&["search", "mostly jazz and blues"]).exits(1).out();
    assert!(out.contains("no track can be jazz >= 50% and largest and blues >= 50% and largest"), "{out}");
}

#[test]
fn what_the_user_says_is_what_is_found() {
    let machine = machine();
    let path = machine.at("Music/blues3.wav");
    machine.run(&["correct", path.to_str().unwrap(), "afrobeat=3", "funk=1"]).exits(0);
    let out = machine.run(&["search", "mostly afrobeat", "source:user"]).exits(0).out();
    assert!(out.contains("afrobeat 75  funk 25"), "{out}");
    machine.run(&["search", "mostly blues"]).exits(1);
    std::fs::remove_file(&path).unwrap();
    machine.scan();
    machine.run(&["search", "afrobeat"]).exits(1);
    let out = machine.run(&["search", "afrobeat state:missing"]).exits(0).out();
    assert!(out.contains("(missing)"), "{out}");
}

#[test]
fn searches_are_kept_by_name() {
    let machine = machine();
    machine.run(&["search", "--save", "dinner", "a lot of jazz or blues, no metal"]).exits(0);
    let direct = machine.run(&["search", "--format", "paths", "a lot of jazz or blues, no metal"]).exits(0).out();
    assert_eq!(machine.run(&["search", "--format", "paths", "@dinner"]).exits(0).out(), direct);
    let narrowed = machine.run(&["search", "--format", "paths", "@dinner no metal"]).exits(0).out();
    assert!(narrowed.lines().count() < direct.lines().count());
    assert!(machine.run(&["search", "--saved"]).exits(0).out().contains("@dinner  a lot of jazz"));
    let loops = machine.run(&["search", "--save", "loop", "jazz @loop"]).exits(2);
    assert!(loops.err().contains("contains itself"), "{}", loops.err());
    machine.run(&["search", "--forget", "dinner"]).exits(0);
    machine.run(&["search", "@dinner"]).exits(2);
}

#[test]
fn an_index_that_is_gone_or_damaged_is_made_anew() {
    let machine = machine();
    let index = machine.at("library-index");
    let expected = machine.run(&["search", "--format", "paths", "jazz"]).exits(0).out();
    let again = || assert_eq!(machine.run(&["search", "--format", "paths", "jazz"]).exits(0).out(), expected);
    std::fs::remove_dir_all(&index).unwrap();
    again();
    std::fs::write(index.join("meta.json"), "{").unwrap();
    again();
    for entry in std::fs::read_dir(&index).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|e| e == "fast" || e == "idx" || e == "term") {
            std::fs::write(entry.path(), "").unwrap();
        }
    }
    again();
    let kept = |name: &str| name.starts_with("library-index.aside-");
    let aside =
        std::fs::read_dir(machine.at("")).unwrap().filter(|e| kept(&e.as_ref().unwrap().file_name().to_string_lossy()));
    assert_eq!(aside.count(), 1, "the last damaged index is kept, and no more");
}

#[test]
fn similar_tracks_come_nearest_first() {
    let machine = machine();
    let seed = machine.at("Music/jazz8.wav");
    let json = machine.run(&["similar", seed.to_str().unwrap(), "--format", "json"]).exits(0).json();
    let names: Vec<_> = json["tracks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned())
        .collect();
    assert_eq!(names.len(), 4);
    // The scripted ears give each genre an axis: most jazz is nearest.
    assert_eq!(names[..2], ["jazz6-blues2.wav", "metal5-jazz3.wav"]);
    let again = machine.run(&["similar", seed.to_str().unwrap(), "--format", "json"]).exits(0).json();
    assert_eq!(again["tracks"], json["tracks"]);
    // 6 and 2 of 8 chunks lie at a cosine of 6 / sqrt(40) from 8 of jazz; the screens say the same of it.
    let table = machine.run(&["similar", seed.to_str().unwrap()]).exits(0).out();
    assert!(table.lines().nth(1).unwrap().starts_with(" 95  "), "{table}");
    machine.run(&["similar", machine.at("config.toml").to_str().unwrap()]).exits(2);
}

#[test]
fn export_writes_playlists_for_any_player() {
    let machine = machine();
    let list = machine.at("list.m3u8");
    machine
        .run(&["export", "jazz", "--output", list.to_str().unwrap(), "--relative-to", machine.at("").to_str().unwrap()])
        .exits(0);
    let text = std::fs::read_to_string(&list).unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("Music/")).count(), 3, "{text}");
    let csv = machine.run(&["export", "--format", "csv"]).exits(0).out();
    assert_eq!(csv.matches("\r\n").count(), 6, "{csv}");
}

#[test]
fn a_search_can_ask_for_what_sounds_like_a_track() {
    let machine = machine();
    let seed = machine.at("Music/jazz8.wav");
    let seed = seed.to_str().unwrap();
    let names = |query: &[&str]| -> Vec<String> {
        let words = [&["search", "--format", "paths"][..], query].concat();
        let out = machine.run(&words).exits(0).out();
        out.lines().map(|line| line.rsplit('/').next().unwrap().to_owned()).collect()
    };
    // As `similar` has it: nearest first, the track itself left out.
    let similar = machine.run(&["similar", seed, "--same-artist", "--format", "paths"]).exits(0).out();
    let similar: Vec<&str> = similar.lines().map(|line| line.rsplit('/').next().unwrap()).collect();
    assert_eq!(names(&[&format!("like:{seed}")]), similar);
    assert_eq!(names(&["like:jazz8"]), similar);
    // It is one clause among others: they narrow it, a limit cuts it, an order arranges it, a playlist takes it.
    assert_eq!(names(&["like:jazz8 no metal"]), ["jazz6-blues2.wav", "blues3.wav"]);
    assert_eq!(names(&["like:jazz8 limit:1"]), similar[..1]);
    assert_eq!(names(&["like:jazz8 limit:2 path-"]), ["metal5-jazz3.wav", "jazz6-blues2.wav"]);
    machine.run(&["search", "--save", "near", "like:jazz8"]).exits(0);
    assert_eq!(names(&["@near blues"]), ["jazz6-blues2.wav", "blues3.wav"]);
    assert!(machine.run(&["export", "like:jazz8"]).exits(0).out().starts_with("#EXTM3U"));
    let said = machine.run(&["search", "like:jazz8"]).exits(0).out();
    assert!(said.starts_with("everything, sounding like jazz8 - 4 of 5 tracks"), "{said}");
    assert!(machine.run(&["search", "jazz -like:jazz8"]).exits(2).err().contains("no opposite"));
    assert!(machine.run(&["search", "like:nothing"]).exits(2).err().contains("no track of the library"));
}

#[test]
fn shares_go_to_other_programs() {
    let machine = machine();
    let smart = machine.run(&["export", "mostly jazz, no", "metal", "--format", "nsp"]);
    let smart = smart.exits(0).json();
    assert_eq!(smart["any"][0], serde_json::json!({"gt": {"genre_share_jazz": 0.495}}));
    let unsayable = machine.run(&["export", "starts with jazz", "--format", "nsp"]).exits(2).err();
    assert!(unsayable.contains("cannot say: jazz >= 50% of the first"), "{unsayable}");
    let script = machine.run(&["export", "pure jazz", "--format", "beets"]).exits(0).out();
    let path = machine.at("Music/jazz8.wav");
    let line =
        format!("beet modify -y -W -M genre_share_jazz=1.0000 genre_share_unsure=0.0000 'path:{}'", path.display());
    assert_eq!(script.lines().last(), Some(&line[..]));
    let music = machine.music.to_str().unwrap();
    let stickers = machine.run(&["export", "pure jazz", "--format", "mpd-stickers", "--relative-to", music]).exits(0);
    assert!(
        stickers.out().starts_with("sticker set song \"jazz8.wav\" genre_share_jazz \"100\"\n"),
        "{}",
        stickers.out()
    );
    assert!(machine.run(&["export", "--format", "mpd-stickers"]).exits(2).err().contains("--relative-to"));
}

#[test]
fn what_sounds_alike_is_no_choice_of_an_or() {
    let machine = machine();
    for query in ["metal or like:blues3", "like:blues3 or metal", "jazz (metal or like:blues3)"] {
        let ran = machine.run(&["search", query]).exits(2);
        assert!(ran.err().contains("like: orders all that is found"), "{query}: {}", ran.err());
    }
    for query in ["(metal or jazz) like:blues3", "like:blues3 metal or jazz"] {
        machine.run(&["search", query]).exits(0);
    }
}

#[test]
fn a_saved_search_is_forgotten_by_the_name_it_was_given() {
    let machine = machine();
    machine.run(&["search", "--save", "Dinner", "jazz"]).exits(0);
    machine.run(&["search", "@Dinner"]).exits(0);
    machine.run(&["search", "--forget", "Dinner"]).exits(0);
    machine.run(&["search", "--saved"]).exits(1);
}

#[test]
fn an_export_that_fails_leaves_nothing_behind() {
    let machine = machine();
    let list = machine.at("stickers");
    machine.run(&["export", "--format", "mpd-stickers", "--output", list.to_str().unwrap()]).exits(2);
    let left: Vec<_> = std::fs::read_dir(machine.at("")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with("stickers")), "{left:?}");
}
