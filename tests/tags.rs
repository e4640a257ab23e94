//! Tags on real files: made by a pinned ffmpeg, tagged and read by mutagen, which shares no code with us.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use support::Machine;

/// The project's own Python tools, where `make setup` has put them: (folder of packages, ffmpeg).
fn tools() -> Option<(PathBuf, PathBuf)> {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("vendor/python");
    let ffmpeg = fs::read_dir(packages.join("imageio_ffmpeg/binaries"))
        .ok()?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ffmpeg-")))?;
    packages.join("mutagen").is_dir().then_some((packages, ffmpeg))
}

fn python(packages: &Path, args: &[&str]) -> Vec<u8> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/tag_corpus.py");
    let output = Command::new("python3")
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(script)
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())).collect()
}

/// What ffmpeg copies out of each file: every packet's time, size and md5.
fn packets(ffmpeg: &Path, folder: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for name in contents(folder).into_keys() {
        let output = Command::new(ffmpeg)
            .args(["-v", "error", "-i"])
            .arg(folder.join(&name))
            .args(["-map", "0:a", "-c", "copy", "-f", "framemd5", "-"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        // Side data behind "S=" carries the comments of Ogg files.
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = text.lines().map(|line| line.split(", S=").next().unwrap()).collect();
        assert!(lines.len() > 10, "{name}: {text}");
        all.insert(name, lines.join("\n"));
    }
    all
}

#[test]
fn another_reader_sees_only_the_genre_change_and_undo_gives_every_byte_back() {
    let Some((packages, ffmpeg)) = tools() else {
        println!("skipped: ffmpeg and mutagen are not in vendor/python; `make setup` brings them");
        return;
    };
    let machine = Machine::new();
    let music = machine.music.clone();
    let folder = music.to_str().unwrap();
    python(&packages, &["make", folder, ffmpeg.to_str().unwrap()]);
    let dump = || -> serde_json::Value { serde_json::from_slice(&python(&packages, &["dump", folder])).unwrap() };
    let before = (contents(&music), packets(&ffmpeg, &music), dump());
    machine.scan().exits(0);

    let preview = machine.run(&["tag", "--dry-run", "--policy", "replace"]).exits(1).out();
    let last = preview.lines().last().unwrap();
    assert!(last.starts_with("29 would change, 0 equal, 5 refused: "), "{preview}");
    // How others will see it, to be compared with what they do see.
    let seen = machine.run(&["tag", "--as", "all", "--policy", "replace", "--format", "json"]).exits(0).json();
    let seen: BTreeMap<String, serde_json::Value> = seen["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned(), c["seen"].clone()))
        .collect();
    assert_eq!(seen.len(), 29);
    assert!(contents(&music) == before.0, "a preview writes nothing");

    let ran = machine.run(&["tag", "--policy", "replace", "--yes"]).exits(1);
    assert!(
        ran.out().lines().last().unwrap().starts_with("29 changed, 0 equal, 5 refused"),
        "{}{}",
        ran.out(),
        ran.err()
    );
    let after = (contents(&music), packets(&ffmpeg, &music), dump());
    for (name, packets) in &before.1 {
        assert!(*packets == after.1[name], "{name}: other packets");
    }
    for (name, then) in before.2.as_object().unwrap() {
        let now = &after.2[name];
        let refused = name.contains("refused");
        assert_eq!(refused, before.0[name] == after.0[name], "{name}");
        let genres = now["genres"].as_array().unwrap();
        if refused {
            continue;
        }
        if name.contains("v1-only") {
            // mutagen shows an ID3v1 tag as frames: the same frames as after, in another encoding.
            let keys = |v: &serde_json::Value| v["others"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(then), keys(now), "{name}");
        } else {
            assert_eq!(then["others"], now["others"], "{name}");
        }
        if name.contains("info") {
            continue; // mutagen does not read INFO lists; ffmpeg does, below.
        }
        assert!(!genres.is_empty(), "{name}: no genre");
        for genre in genres {
            let list = &genre[1];
            let expected = if name.contains("v23") {
                serde_json::json!(["Jazz; Blues"])
            } else {
                serde_json::json!(["Jazz", "Blues"])
            };
            assert_eq!(*list, expected, "{name}: {genre}");
            // Picard reads with mutagen.
            assert_eq!(seen[name]["picard"]["genres"], *list, "{name}");
        }
    }
    let info = Command::new(&ffmpeg).arg("-i").arg(music.join("jazz6-blues2-s16-info.wav")).output().unwrap();
    assert!(String::from_utf8_lossy(&info.stderr).contains("genre           : Jazz"), "INFO");
    // MPD reads MP4 with FFmpeg.
    let m4a = "jazz6-blues2-faststart.m4a";
    let mp4 = Command::new(&ffmpeg).arg("-i").arg(music.join(m4a)).output().unwrap();
    let genre = seen[m4a]["mpd"]["genres"][0].as_str().unwrap().to_owned();
    assert!(String::from_utf8_lossy(&mp4.stderr).contains(&format!("genre           : {genre}\n")), "{genre}");

    // Nothing of this is a change to the next scan, and there is nothing more to write.
    let again = machine.scan().exits(0).out();
    assert!(again.contains("0 heard") && again.contains("34 unchanged"), "{again}");
    let preview = machine.run(&["tag", "--dry-run", "--policy", "replace"]).exits(1).out();
    assert!(preview.lines().last().unwrap().starts_with("0 would change, 29 equal"), "{preview}");

    machine.run(&["undo"]).exits(0);
    let restored = contents(&music);
    for (name, bytes) in &before.0 {
        assert!(restored[name] == *bytes, "{name}: not the same bytes after undo");
    }
    assert_eq!(restored.len(), before.0.len(), "nothing is left behind");
}

#[test]
fn a_write_killed_or_failed_at_any_step_leaves_the_file_whole() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("python3")
        .arg(root.join("scripts/faults.py"))
        .args([env!("CARGO_BIN_EXE_deepcuts"), env!("CARGO_BIN_EXE_scripted-ears"), "--short"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    assert!(said.starts_with("skipped: ") || said.contains(" 0 failed"), "{said}");
}

fn show(machine: &Machine, path: &Path) -> serde_json::Value {
    machine.run(&["show", "--format", "json", path.to_str().unwrap()]).exits(0).json()["files"][0].clone()
}

#[test]
fn the_first_write_is_asked_for_and_the_next_is_not() {
    let machine = Machine::new();
    let path = machine.wav("jazz6-blues2.wav", 1);
    machine.scan().exits(0);
    let before = fs::read(&path).unwrap();
    let preview = machine.run(&["tag", "-n"]).exits(0).out();
    assert_eq!(preview.lines().last(), Some("1 would change, 0 equal, 0 refused"));
    assert!(preview.contains("- (no genre)\n+ Jazz; Blues\n"), "{preview}");
    // Nobody is there to answer.
    let asked = machine.run(&["tag"]).exits(2);
    assert!(asked.err().contains("--yes"), "{}", asked.err());
    assert_eq!(fs::read(&path).unwrap(), before);
    assert!(machine.run(&["tag", "--yes", "--max-bytes", "100"]).exits(2).err().contains("--max-bytes"));
    assert_eq!(fs::read(&path).unwrap(), before);
    machine.run(&["tag", "--yes"]).exits(0);
    let other = machine.wav("pop8.wav", 2);
    machine.scan().exits(0);
    let second = machine.run(&["tag"]).exits(0);
    assert_eq!(second.out().lines().last(), Some("1 changed, 1 equal, 0 refused"));
    assert_eq!(show(&machine, &other)["tags"]["genres"], serde_json::json!(["Pop"]));
    assert_eq!(show(&machine, &other)["written_genres"], serde_json::json!(["Pop"]));
}

#[test]
fn ours_is_renewed_and_theirs_is_kept() {
    let machine = Machine::new();
    let path = machine.wav("jazz8.wav", 1);
    let name = path.to_str().unwrap();
    machine.scan().exits(0);
    machine.run(&["tag", "--yes"]).exits(0);
    // A correction changes what we wrote.
    machine.run(&["correct", name, "soul=60", "hip hop=40"]).exits(0);
    machine.run(&["tag"]).exits(0);
    assert_eq!(show(&machine, &path)["tags"]["genres"], serde_json::json!(["Soul", "Hip-Hop"]));
    // Not what somebody else wrote: here, by undoing in a copy that the library does not know as ours.
    let theirs = machine.music.join("rock8.wav");
    fs::copy(&path, &theirs).unwrap();
    let mut bytes = fs::read(&theirs).unwrap();
    let data = bytes.windows(4).position(|w| w == b"data").unwrap() + 200;
    bytes[data] ^= 1; // another recording
    fs::write(&theirs, bytes).unwrap();
    machine.scan().exits(0);
    let kept = machine.run(&["tag", "--dry-run", "--format", "json"]).exits(0).json();
    assert_eq!(kept["left_alone"]["it has a genre of its own"], 1, "{kept}");
    assert_eq!(kept["changes"], serde_json::json!([]));
    let merged = machine.run(&["tag", "--dry-run", "--policy", "merge", "--format", "json"]).exits(0).json();
    assert_eq!(merged["changes"][0]["to"], serde_json::json!(["Soul", "Hip-Hop", "Rock"]), "{merged}");

    let history = machine.run(&["history", "--format", "json"]).exits(0).json();
    assert_eq!(history["runs"].as_array().unwrap().len(), 2);
    // Two writes into one file are two steps back.
    machine.run(&["undo"]).exits(0);
    assert_eq!(show(&machine, &path)["tags"]["genres"], serde_json::json!(["Jazz"]));
    machine.run(&["undo", "--since", "1d"]).exits(0);
    assert_eq!(show(&machine, &path)["tags"]["genres"], serde_json::json!([]));
    machine.run(&["undo"]).exits(1);
}

#[test]
fn what_was_written_into_a_file_is_not_ours_in_the_recording_that_replaces_it() {
    let machine = Machine::new();
    let path = machine.wav("jazz4.wav", 1);
    machine.scan().exits(0);
    machine.run(&["tag", "--yes"]).exits(0);
    // Another recording under the same name, whose listener called it jazz.
    let mut bytes = fs::read(&path).unwrap();
    let data = bytes.windows(4).position(|name| name == b"data").unwrap();
    bytes[data + 100] ^= 0x55;
    fs::write(&path, &bytes).unwrap();
    machine.scan().exits(0);
    machine.run(&["correct", path.to_str().unwrap(), "reggae"]).exits(0);
    machine.run(&["tag", "--yes"]);
    assert_eq!(fs::read(&path).unwrap(), bytes, "a genre that the listener wrote was replaced");
}

#[test]
fn a_renamed_file_is_undone_under_its_new_name() {
    let machine = Machine::new();
    let path = machine.wav("jazz8.wav", 1);
    let before = fs::read(&path).unwrap();
    machine.scan().exits(0);
    machine.run(&["tag", "--yes"]).exits(0);
    let moved = machine.music.join("\u{202e}-- moved\n.wav");
    fs::rename(&path, &moved).unwrap();
    machine.scan().exits(0);
    let preview = machine.run(&["undo", "--dry-run"]).exits(0).out();
    assert!(!preview.contains('\u{202e}') && preview.contains("1 would be taken back (1 byte for byte)"), "{preview}");
    machine.run(&["undo"]).exits(0);
    assert_eq!(fs::read(&moved).unwrap(), before);
}

#[test]
fn a_preview_shows_how_others_will_split_it_and_writes_nothing() {
    let machine = Machine::new();
    let path = machine.wav("jazz6-blues2.wav", 1);
    machine.scan().exits(0);
    let before = fs::read(&path).unwrap();
    let shown = machine.run(&["tag", "--as", "navidrome,mpd"]).exits(0).out();
    assert!(
        shown.contains("+ Jazz; Blues  (ID3v2.4)\n  navidrome  Jazz | Blues\n  mpd        Jazz | Blues\n"),
        "{shown}"
    );
    assert!(shown.ends_with("1 would change; as meant in navidrome 1, mpd 1; nothing was written\n"), "{shown}");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert!(machine.run(&["tag", "--as", "winamp"]).exits(2).err().contains("navidrome"));
}

#[test]
fn a_tidy_fix_stays_the_listeners_own_word() {
    let Some((packages, _)) = tools() else { return };
    let machine = Machine::new();
    let path = machine.wav("rock8.wav", 1);
    let tag = "import sys; from mutagen import wave, id3; f = wave.WAVE(sys.argv[1]); f.add_tags(); \
               f.tags.add(id3.TCON(encoding=3, text=['Rock/blues'])); f.save()";
    let tagged =
        Command::new("python3").env("PYTHONPATH", &packages).args(["-c", tag]).arg(&path).status().unwrap().success();
    assert!(tagged);
    machine.scan().exits(0);
    let fixed = machine.run(&["audit", "--fix", "joined", "--yes"]).exits(0);
    assert!(fixed.out().contains("1 fixed"), "{}{}{}", fixed.out(), fixed.err(), machine.run(&["audit"]).out());
    assert_eq!(show(&machine, &path)["tags"]["genres"], serde_json::json!(["Rock", "Blues"]));
    // `fill` leaves it alone: it is not ours.
    assert_eq!(show(&machine, &path)["written_genres"], serde_json::json!([]));
    let kept = machine.run(&["tag", "--dry-run", "--format", "json"]).exits(0).json();
    assert_eq!(kept["left_alone"]["it has a genre of its own"], 1, "{kept}");
}

#[test]
fn an_audit_names_the_fault_and_the_fix() {
    let machine = Machine::new();
    let path = machine.wav("jazz8.wav", 1);
    machine.scan().exits(0);
    machine.run(&["tag", "--yes"]).exits(0);
    assert_eq!(machine.run(&["audit"]).exits(0).out(), "0 findings in 1 files\n");
    // The same tag on another recording is somebody's own word.
    let other = machine.music.join("rock8.wav");
    fs::copy(&path, &other).unwrap();
    let mut bytes = fs::read(&other).unwrap();
    let data = bytes.windows(4).position(|w| w == b"data").unwrap() + 200;
    bytes[data] ^= 1;
    fs::write(&other, bytes).unwrap();
    machine.scan().exits(0);
    let found = machine.run(&["audit", "--format", "json"]).exits(1).json();
    assert_eq!(found["findings"][0]["fault"], "contradicts the audio");
    assert_eq!(found["findings"][0]["fix"], serde_json::json!(["Rock"]));

    // Written when it is asked for, as every write is; undone as every write is.
    let before = fs::read(&other).unwrap();
    let shown = machine.run(&["audit", "--fix", "audio", "--dry-run"]).exits(0).out();
    assert!(shown.contains("Jazz -> Rock") && shown.contains("1 would be fixed"), "{shown}");
    machine.run(&["audit", "--fix", "joined,spelling"]).exits(0);
    assert_eq!(fs::read(&other).unwrap(), before);
    let fixed = machine.run(&["audit", "--fix", "all"]).exits(0).out();
    assert!(fixed.contains("1 fixed, 0 refused"), "{fixed}");
    assert_eq!(show(&machine, &other)["tags"]["genres"], serde_json::json!(["Rock"]));
    assert_eq!(show(&machine, &other)["written_genres"], serde_json::json!(["Rock"]));
    assert_eq!(machine.run(&["audit"]).exits(0).out(), "0 findings in 2 files\n");
    machine.run(&["undo"]).exits(0);
    assert_eq!(fs::read(&other).unwrap(), before);
}

/// Give a WAV a genre, as its listener does.
fn named(packages: &Path, path: &Path, genres: &[&str]) {
    let tag = "import sys; from mutagen import wave, id3; f = wave.WAVE(sys.argv[1]); f.tags or f.add_tags(); \
               f.tags.setall('TCON', [id3.TCON(encoding=3, text=sys.argv[2:])]); f.save()";
    let ran = Command::new("python3").env("PYTHONPATH", packages).args(["-c", tag]).arg(path).args(genres).status();
    assert!(ran.unwrap().success());
}

#[test]
fn an_undo_never_writes_one_recordings_genre_into_another() {
    let Some((packages, _)) = tools() else { return };
    for scanned in [false, true] {
        let machine = Machine::new();
        let (a, b) = (machine.wav("jazz8-a.wav", 1), machine.wav("jazz8-b.wav", 2));
        named(&packages, &a, &["Rock"]);
        named(&packages, &b, &["Polka"]);
        let before = (fs::read(&a).unwrap(), fs::read(&b).unwrap());
        machine.scan().exits(0);
        machine.run(&["tag", "--policy", "replace", "--yes"]).exits(0);
        let written = (fs::read(&a).unwrap(), fs::read(&b).unwrap());
        // Their listener renumbers them.
        let aside = machine.music.join("aside");
        fs::rename(&a, &aside).unwrap();
        fs::rename(&b, &a).unwrap();
        fs::rename(&aside, &b).unwrap();
        if scanned {
            machine.scan().exits(0);
            machine.run(&["undo"]).exits(0);
            assert!(fs::read(&b).unwrap() == before.0 && fs::read(&a).unwrap() == before.1);
            assert_eq!(show(&machine, &b)["tags"]["genres"], serde_json::json!(["Rock"]));
        } else {
            let said = machine.run(&["undo"]).exits(1);
            assert!(said.err().contains("another recording"), "{}", said.err());
            assert!(fs::read(&b).unwrap() == written.0 && fs::read(&a).unwrap() == written.1);
        }
    }
}

#[test]
fn a_listeners_word_stays_theirs_when_the_write_beside_it_was_interrupted() {
    let Some((packages, _)) = tools() else { return };
    let machine = Machine::new();
    let path = machine.wav("rock8.wav", 1);
    named(&packages, &path, &["Live"]);
    machine.scan().exits(0);
    machine.run(&["tag", "--policy", "merge", "--yes"]).exits(0);
    assert_eq!(show(&machine, &path)["written_genres"], serde_json::json!(["Rock"]));
    // As a kill between the swap and the last row of the journal leaves it.
    let journal = rusqlite::Connection::open(machine.database()).unwrap();
    journal.execute("UPDATE tag_writes SET state = 'ready', owner = '1:then'", []).unwrap();
    journal.execute("UPDATE files SET written_genres = NULL, genres = '[\"Live\"]', ctime_ns = 0", []).unwrap();
    drop(journal);
    let said = machine.run(&["tag"]).exits(0);
    assert!(said.err().contains("its write was finished"), "{}", said.err());
    assert_eq!(show(&machine, &path)["tags"]["genres"], serde_json::json!(["Live", "Rock"]));
    assert_eq!(show(&machine, &path)["written_genres"], serde_json::json!(["Rock"]));
}

#[test]
fn an_undo_keeps_to_its_preview_however_old_the_write_is() {
    let machine = Machine::new();
    let path = machine.wav("jazz8.wav", 1);
    let before = fs::read(&path).unwrap();
    machine.scan().exits(0);
    machine.run(&["tag", "--yes"]).exits(0);
    let old = rusqlite::Connection::open(machine.database()).unwrap();
    old.execute("UPDATE tag_writes SET at_ms = at_ms - 1000 * 86400000", []).unwrap();
    drop(old);
    let preview = machine.run(&["undo", "--dry-run"]).exits(0).out();
    assert!(preview.contains("(1 byte for byte)"), "{preview}");
    machine.run(&["undo"]).exits(0);
    assert!(fs::read(&path).unwrap() == before);
}

#[test]
fn a_recording_that_takes_anothers_place_brings_its_listeners_genre() {
    let Some((packages, _)) = tools() else { return };
    let machine = Machine::new();
    let path = machine.wav("rock8.wav", 1);
    machine.scan().exits(0);
    machine.run(&["correct", path.to_str().unwrap(), "jazz"]).exits(0);
    machine.run(&["tag", "--yes"]).exits(0);
    let ours = fs::read(&path).unwrap();
    // Another recording under the same name; its listener calls it what we called the first.
    machine.wav("rock8.wav", 2);
    named(&packages, &path, &["Jazz"]);
    machine.scan().exits(0);
    let kept = machine.run(&["tag", "--dry-run", "--format", "json"]).exits(0).json();
    assert_eq!(kept["left_alone"]["it has a genre of its own"], 1, "{kept}");
    assert_eq!(show(&machine, &path)["written_genres"], serde_json::Value::Null);
    // The first recording comes back, with what we wrote into it.
    fs::write(&path, ours).unwrap();
    machine.scan().exits(0);
    assert_eq!(show(&machine, &path)["written_genres"], serde_json::json!(["Jazz"]));
}

#[test]
fn an_audit_says_each_genre_once() {
    let Some((packages, _)) = tools() else { return };
    let machine = Machine::new();
    for (sound, genres) in [&["Rock", "Jazz", "rock"], &["Rock", "Jazz/Rock", "Jazz"]].into_iter().enumerate() {
        let path = machine.wav(&format!("rock8-{sound}.wav"), sound as u32);
        named(&packages, &path, genres);
        machine.scan().exits(0);
        let fixed = machine.run(&["audit", "--fix", "all", "--yes"]).exits(0);
        assert!(fixed.out().contains("1 fixed, 0 refused"), "{}{}", fixed.out(), fixed.err());
        assert_eq!(show(&machine, &path)["tags"]["genres"], serde_json::json!(["Rock", "Jazz"]));
    }
}

#[test]
fn an_audit_writes_only_what_its_query_finds() {
    let Some((packages, _)) = tools() else { return };
    let machine = Machine::new();
    let (one, two) = (machine.wav("new/rock8.wav", 1), machine.wav("archive/rock8.wav", 1));
    named(&packages, &one, &["Blues"]);
    named(&packages, &two, &["Jazz"]);
    machine.scan().exits(0);
    let before = fs::read(&two).unwrap();
    let found = machine.run(&["audit", "--format", "json", "path:new"]).exits(1).json();
    let paths: Vec<&str> = found["findings"].as_array().unwrap().iter().map(|f| f["path"].as_str().unwrap()).collect();
    assert!(!paths.is_empty() && paths.iter().all(|path| path.contains("/new/")), "{paths:?}");
    machine.run(&["audit", "--fix", "copies", "--yes", "path:new"]).exits(0);
    assert!(fs::read(&two).unwrap() == before, "a file that was not asked for was written");
    assert_eq!(show(&machine, &one)["tags"]["genres"], serde_json::json!(["Rock"]));
}

#[test]
fn two_genres_that_are_called_the_same_are_written_once() {
    let machine = Machine::new();
    let settings = fs::read_to_string(machine.at("config.toml")).unwrap();
    fs::write(machine.at("config.toml"), format!("{settings}\n[tags.names]\nmetal = \"Rock\"\n")).unwrap();
    let path = machine.wav("rock4-metal3-jazz3.wav", 1);
    machine.scan().exits(0);
    machine.run(&["tag", "--yes"]).exits(0);
    assert_eq!(show(&machine, &path)["tags"]["genres"], serde_json::json!(["Rock", "Jazz"]));
}

#[test]
fn ways_back_are_kept_for_their_days_whatever_the_clock_says_once() {
    let machine = Machine::new();
    let run = |name: &str, seed| {
        let path = machine.wav(name, seed);
        let before = fs::read(&path).unwrap();
        machine.scan().exits(0);
        machine.run(&["tag", "--yes"]).exits(0);
        (path, before)
    };
    let (one, before) = run("jazz8-1.wav", 1);
    run("jazz8-2.wav", 2);
    // To a clock that jumped two years ahead, all that was written before is two years old.
    let two_years = 730_i64 * 24 * 3600 * 1000;
    let journal = rusqlite::Connection::open(machine.database()).unwrap();
    for sql in ["UPDATE tag_runs SET started_ms = started_ms - ?1", "UPDATE tag_writes SET at_ms = at_ms - ?1"] {
        journal.execute(sql, [two_years]).unwrap();
    }
    let way = |run: &str| machine.run(&["undo", "--run", run, "--dry-run"]).exits(0).out();
    run("jazz8-3.wav", 3);
    assert!(way("1").contains("(1 byte for byte)"), "{}", way("1"));
    machine.run(&["undo", "--run", "1"]).exits(0);
    assert!(fs::read(&one).unwrap() == before);
    // The run after it was begun at that clock, too.
    run("jazz8-4.wav", 4);
    assert!(way("2").contains("(0 byte for byte)"), "{}", way("2"));
}

#[test]
fn a_genre_of_the_settings_that_nobody_knows_is_named() {
    let machine = Machine::new();
    let settings = fs::read_to_string(machine.at("config.toml")).unwrap();
    let more = "[tags]\nretain = [\"jaz\", \"rock\"]\n[search.aliases]\n\"trip hop\" = \"Elektro\"\n";
    fs::write(machine.at("config.toml"), format!("{settings}\n{more}")).unwrap();
    machine.wav("jazz8.wav", 1);
    machine.wav("rock8.wav", 2);
    machine.scan().exits(0);
    let said = machine.run(&["tag", "--dry-run"]).exits(0).err();
    assert!(said.contains("tags.retain: no genre \"jaz\" here; is it Jazz?"), "{said}");
    assert!(said.contains("search.aliases: no genre \"Elektro\"") && !said.contains("\"rock\""), "{said}");
    assert!(machine.run(&["doctor"]).out().contains("! settings   tags.retain"));
}

#[test]
fn a_huge_cover_keeps_nobody_from_the_title() {
    let Some((packages, ffmpeg)) = tools() else { return };
    let machine = Machine::new();
    let path = machine.music.join("jazz8.m4a");
    let sound = ["-v", "error", "-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac"];
    assert!(Command::new(&ffmpeg).args(sound).arg(&path).status().unwrap().success());
    let tag = "import sys; from mutagen import mp4; f = mp4.MP4(sys.argv[1]); f['\\xa9nam'] = ['T']; \
               f['covr'] = [mp4.MP4Cover(b'x' * 17000000, 13)]; f.save()";
    let tagged = Command::new("python3").env("PYTHONPATH", &packages).args(["-c", tag]).arg(&path).status();
    assert!(tagged.unwrap().success());
    machine.scan().exits(0);
    assert_eq!(show(&machine, &path)["tags"]["title"], "T");
    machine.run(&["tag", "--yes"]).exits(0);
    assert_eq!(show(&machine, &path)["tags"]["genres"], serde_json::json!(["Jazz"]));
}

/// Tag a file under `strace`, put `theirs` in its place as soon as its log says `when`, and hand over what came of it;
/// none where this machine cannot trace.
fn raced(machine: &Machine, path: &Path, theirs: &Path, trace: &[&str], when: &str) -> Option<Vec<u8>> {
    let traces = Command::new("strace").args(["-o", "/dev/null", "true"]).status();
    if !traces.is_ok_and(|status| status.success()) {
        println!("skipped: strace may not trace here");
        return None;
    }
    let log = machine.at("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o"]).arg(&log).args(trace).arg(env!("CARGO_BIN_EXE_deepcuts"));
    strace.arg("--config").arg(machine.at("config.toml")).arg("--db").arg(machine.database());
    strace.args(["tag", "--yes"]).arg(path).envs(machine.environment());
    let mut tagging = strace.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let bytes = fs::read(theirs).unwrap();
    while !fs::read_to_string(&log).is_ok_and(|text| text.contains(when)) && tagging.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    fs::rename(theirs, path).unwrap();
    tagging.wait().unwrap();
    Some(bytes)
}

/// The file under a name of its own, as somebody would save it anew: another genre.
fn saved_anew(machine: &Machine, packages: &Path, path: &Path) -> PathBuf {
    let theirs = machine.at("theirs.wav");
    fs::copy(path, &theirs).unwrap();
    named(packages, &theirs, &["Polka"]);
    theirs
}

#[test]
fn what_could_not_be_put_back_is_put_back_by_the_next_start() {
    let Some((packages, _)) = tools() else { return };
    let machine = Machine::new();
    let path = machine.wav("jazz8.wav", 1);
    machine.scan().exits(0);
    let theirs = saved_anew(&machine, &packages, &path);
    // Somebody saves it between the last look and the exchange, and the disk fails when that is to be put back.
    let failing = ["-e", "trace=renameat2,fcntl", "-e", "inject=renameat2:error=EIO:when=2"];
    let failing = [&failing[..], &["-e", "inject=fcntl:delay_exit=50000"]].concat();
    let Some(theirs) = raced(&machine, &path, &theirs, &failing, "F_SETSIG") else { return };
    machine.run(&["tag", "--yes"]);
    assert!(fs::read(&path).unwrap() == theirs, "what they saved is not under its name");
    assert_eq!(contents(&machine.music).len(), 1, "nothing is left behind");
}

#[test]
fn what_somebody_saves_just_after_a_write_is_noticed() {
    let Some((packages, _)) = tools() else { return };
    let machine = Machine::new();
    let path = machine.wav("jazz8.wav", 1);
    machine.scan().exits(0);
    let theirs = saved_anew(&machine, &packages, &path);
    // The names have been exchanged, and nothing else has been done yet.
    let slowly = ["-e", "trace=renameat2,unlink", "-e", "inject=unlink:delay_exit=1000000"];
    let Some(theirs) = raced(&machine, &path, &theirs, &slowly, "renameat2(") else { return };
    machine.scan().exits(0);
    assert!(fs::read(&path).unwrap() == theirs);
    assert_eq!(show(&machine, &path)["tags"]["genres"], serde_json::json!(["Polka"]));
}
