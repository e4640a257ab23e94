#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! Whole writes on small files made in code: what is wanted reads back, nothing else changes, and the way back
//! gives every byte back.

use std::{
    fs,
    path::{Path, PathBuf},
};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::{
    config::{Policy, Tags as Rules},
    payload::{self, fixtures as fx},
    store::{NewCorrection, NewFile, Store},
    track::{FileStamp, Format},
};

struct Library {
    dir: TempDir,
    store: Store,
    rules: Rules,
}

impl Library {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("library.db")).unwrap();
        Self { dir, store, rules: Rules { policy: Policy::Replace, ..Rules::default() } }
    }

    /// A file whose listener said that it is these genres.
    fn file(&self, name: &str, bytes: &[u8], genres: &[(&str, u32)]) -> PathBuf {
        let path = self.dir.path().canonicalize().unwrap().join(name);
        fs::write(&path, bytes).unwrap();
        self.keep(&path, genres);
        path
    }

    fn keep(&self, path: &Path, genres: &[(&str, u32)]) {
        let found = payload::identify(&fs::File::open(path).unwrap()).unwrap();
        let tags = read(path, found.format).unwrap_or_default();
        let stamp = FileStamp::read(path).unwrap();
        let new = NewFile { path: path.into(), stamp, audio: found.id, format: found.format, tags };
        let (_, track) = self.store.put_file(&new, &|_| false).unwrap();
        let genres = genres.iter().map(|(g, n)| ((*g).to_owned(), *n)).collect();
        self.store.correct(&[NewCorrection { track, span: None, genres }]).unwrap();
    }

    fn look(&self, path: &Path) -> Outlook {
        let file = self.store.file_at(path).unwrap().unwrap();
        preview(&self.store, &file, &self.rules, &self.store.taxonomy().unwrap(), false).unwrap()
    }

    fn options() -> Options {
        Options {
            keep_mtime: false,
            hard_links: false,
            no_undo: false,
            undo_max_bytes: 1 << 24,
            hooks: std::sync::Arc::default(),
        }
    }

    #[track_caller]
    fn item(&self, path: &Path) -> Item {
        match self.look(path) {
            Outlook::Change(item) => *item,
            other => panic!("{}: {other:?}", path.display()),
        }
    }

    fn try_write(&self, item: &Item) -> Result<(), Refusal> {
        let mut writer = Writer::begin(&self.store, "test", Self::options(), 1).unwrap();
        let result = writer.write(item).unwrap();
        writer.end().unwrap();
        result
    }

    #[track_caller]
    fn write(&self, path: &Path) {
        self.try_write(&self.item(path)).unwrap_or_else(|refusal| panic!("{}: {refusal}", path.display()));
    }

    fn undo(&self, which: &Undo) -> Report {
        let list = ways_back(&self.store, which, "; ").unwrap();
        undo(&self.store, &list, "test", "; ", Self::options(), &mut |_, _| true).unwrap()
    }

    fn genres(&self, path: &Path) -> Vec<String> {
        let format = payload::sniff(&fs::File::open(path).unwrap()).unwrap().unwrap();
        read(path, format).unwrap().genres
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| !name.starts_with("library")).collect();
        names.sort();
        names
    }
}

/// Layouts of tags in every container that is written: (name, bytes, most genres it holds).
fn layouts() -> Vec<(&'static str, Vec<u8>, usize)> {
    let audio = fx::mpeg_frames(12, 1);
    let frames: &[(&str, &[u8])] =
        &[("TIT2", b"\x03Title"), ("TCON", b"\x03Rock\0Polka"), ("PRIV", b"me\0\xff\xfe\x00")];
    let v4 = fx::id3v2(4, frames, 300);
    let v4_full = fx::id3v2(4, frames, 0);
    let v3 = fx::id3v2(3, &[("TCON", b"\0(17)"), ("TYER", b"\x001999"), ("TIT2", b"\x01\xff\xfeA\0")], 10);
    let v2 = fx::id3v2(2, &[("TT2", b"\0Old"), ("TCO", b"\0(12)")], 20);
    let none = fx::id3v2(4, &[("TIT2", b"\x03Title")], 2);
    // Version 3 with FF Ex hidden throughout: the frame is 12 bytes, and 14 in the file.
    let hidden: &[u8] = b"PRIV\0\0\0\x0c\0\0me\0\xff\0\xe0x\xff\0\x00abcdTCON\0\0\0\x05\0\0\0(17)\0\0\0";
    let unsynchronised = [b"ID3\x03\0\x80\0\0\0", &[hidden.len() as u8][..], hidden].concat();
    let mut footed = fx::id3v2(4, &[("TIT2", b"\x03Title"), ("TCON", b"\x03Rock")], 0);
    footed[5] = 0x10;
    footed.extend_from_within(..10);
    let foot = footed.len() - 10;
    footed[foot..foot + 3].copy_from_slice(b"3DI");
    let mut extended = fx::id3v2(4, &[("TIT2", b"\x03Title")], 30);
    extended[5] = 0x40;
    extended[9] += 6;
    extended.splice(10..10, *b"\0\0\0\x06\x01\0");
    let ape = fx::ape(&[("Title", "x"), ("GENRE", "Rock"), ("Track", "02/10")], true);
    let v1 = fx::id3v1(17);
    let info = |items: &[(&[u8; 4], &str)]| (b"LIST", fx::info(items));
    let big = "x".repeat(70_000);
    let odd = fx::id3v2(4, &[("TIT2", b"\x03Odd")], 0);
    vec![
        ("v4.mp3", [&v4[..], &audio].concat(), 9),
        ("v4-full.mp3", [&v4_full[..], &audio].concat(), 9),
        ("v4-none.mp3", [&none[..], &[0; 50], &audio].concat(), 9),
        ("v3.mp3", [&v3[..], &audio].concat(), 9),
        ("v2.mp3", [&v2[..], &audio].concat(), 9),
        ("unsynchronised.mp3", [&unsynchronised[..], &audio].concat(), 9),
        ("footed.mp3", [&footed[..], &audio].concat(), 9),
        ("extended.mp3", [&extended[..], &audio].concat(), 9),
        ("v4-ape-v1.mp3", [&v4[..], &audio, &ape, &v1].concat(), 9),
        ("v1.mp3", [&audio[..], &v1].concat(), 9),
        ("ape.mp3", [&audio[..], &ape].concat(), 9),
        ("bare.mp3", audio.clone(), 9),
        (
            "padded.flac",
            fx::flac(&[("TITLE", "a"), ("genre", "Rock"), ("DISCOGS_LABEL", "b"), ("GENRE", "x")], Some(900)),
            9,
        ),
        ("tight.flac", fx::flac(&[("TITLE", "a")], None), 9),
        ("small-padding.flac", fx::flac(&[("TITLE", "a")], Some(3)), 9),
        ("no-comments.flac", fx::flac(&[], None), 9),
        ("no-comments-padded.flac", fx::flac(&[], Some(500)), 9),
        ("flanked.flac", [&v3[..], &fx::flac(&[("GENRE", "Rock")], Some(99)), &v1].concat(), 9),
        ("a.ogg", fx::vorbis(&[("TITLE", "a"), ("GENRE", "Rock"), ("TRACKNUMBER", "02/10")], 10), 9),
        ("big.ogg", fx::vorbis(&[("COMMENT", &big), ("TITLE", "a")], 10), 9),
        ("a.opus", fx::opus(&[("TITLE", "a"), ("GENRE", "Rock")], &[]), 9),
        ("padded.opus", fx::opus(&[("TITLE", "a")], &[0; 300]), 9),
        ("kept.opus", fx::opus(&[("TITLE", "a")], b"\x01kept"), 9),
        ("front.m4a", fx::mp4(true, &[("Rock", 1)], 0), 9),
        ("front-free.m4a", fx::mp4(true, &[("Rock", 2)], 200), 9),
        ("back.m4a", fx::mp4(false, &[], 0), 9),
        ("untagged.m4a", fx::mp4_untagged(), 9),
        ("id3.wav", fx::wav(100, &[(b"id3 ", v4.clone())]), 9),
        ("both.wav", fx::wav(101, &[info(&[(b"INAM", "Title"), (b"IGNR", "Rock")]), (b"id3 ", odd.clone())]), 9),
        ("info.wav", fx::wav(102, &[info(&[(b"INAM", "Title"), (b"IART", "me")])]), 1),
        ("bare.wav", fx::wav(103, &[]), 9),
        ("a.aiff", fx::aiff(&[(b"NAME", b"odd".to_vec()), (b"ID3 ", v4)]), 9),
        ("bare.aiff", fx::aiff(&[]), 9),
        ("a.ape", [fx::monkeys(), ape, v1].concat(), 9),
        ("bare.ape", fx::monkeys(), 9),
    ]
}

#[test]
fn every_layout_is_written_read_back_and_undone_byte_for_byte() {
    let library = Library::new();
    for (name, bytes, capacity) in layouts() {
        let path = library.file(name, &bytes, &[("jazz", 5), ("hip hop", 3), ("R&B", 2)]);
        library.write(&path);
        assert_ne!(fs::read(&path).unwrap(), bytes, "{name}");
        let expected: Vec<&str> = ["Jazz", "Hip-Hop", "R&B"].into_iter().take(capacity).collect();
        assert_eq!(library.genres(&path), expected, "{name}");
        // Our own write is known: the library says what the file says, and there is nothing more to write.
        let file = library.store.file_at(&path).unwrap().unwrap();
        assert_eq!(file.stamp, FileStamp::read(&path).unwrap(), "{name}");
        assert_eq!(file.tags.genres, expected, "{name}");
        assert!(matches!(library.look(&path), Outlook::Equal), "{name}");
        let report = library.undo(&Undo::Files(vec![file.id]));
        assert_eq!((report.written, report.refused), (1, vec![]), "{name}");
        assert!(fs::read(&path).unwrap() == bytes, "{name}: not the same bytes");
        let file = library.store.file_at(&path).unwrap().unwrap();
        assert_eq!(file.written_genres, None, "{name}");
        fs::remove_file(&path).unwrap();
    }
    assert_eq!(library.names(), Vec::<String>::new());
}

#[test]
fn three_genres_and_none_and_very_long_ones_come_and_go() {
    let library = Library::new();
    for (name, bytes, _) in layouts() {
        let path = library.file(name, &bytes, &[("jazz", 1)]);
        library.write(&path);
        for genres in
            [vec![("a".repeat(900), 1)], vec![("x".to_owned(), 1)], vec![("soul".to_owned(), 2), ("x".to_owned(), 1)]]
        {
            let list: Vec<(&str, u32)> = genres.iter().map(|(g, n)| (g.as_str(), *n)).collect();
            library.keep(&path, &list);
            library.write(&path);
        }
        // The writes are taken back one after the other, the newest first.
        let file = library.store.file_at(&path).unwrap().unwrap();
        let report = library.undo(&Undo::Files(vec![file.id]));
        assert_eq!((report.written, report.refused.len()), (4, 0), "{name}: {:?}", report.refused);
        assert!(fs::read(&path).unwrap() == bytes, "{name}: not the same bytes");
    }
}

#[test]
fn an_undo_after_another_edit_takes_back_the_genre_only() {
    let library = Library::new();
    let tight = fx::flac(&[("TITLE", "a"), ("GENRE", "Rock")], Some(200));
    let path = library.file("a.flac", &tight, &[("jazz", 1)]);
    library.write(&path);
    // Somebody retitles it.
    let bytes = fs::read(&path).unwrap();
    let at = bytes.windows(8).position(|w| w == b"TITLE=a\x0a" || w.starts_with(b"TITLE=a")).unwrap();
    let mut edited = bytes.clone();
    edited[at + 6] = b'b';
    fs::write(&path, &edited).unwrap();
    let list = ways_back(&library.store, &Undo::Last, "; ").unwrap();
    assert_eq!(list[0].way, Way::Genre);
    assert_eq!(library.undo(&Undo::Last).written, 1);
    let tags = read(&path, Format::Flac).unwrap();
    assert_eq!((tags.title.as_deref(), tags.genres), (Some("b"), vec!["Rock".to_owned()]));

    // Somebody changes the genre: it is theirs.
    let path = library.file("b.flac", &fx::flac(&[("GENRE", "Rock")], Some(201)), &[("jazz", 1)]);
    library.write(&path);
    let bytes = fs::read(&path).unwrap();
    let at = bytes.windows(4).position(|w| w == b"Jazz").unwrap();
    let mut edited = bytes;
    edited[at..at + 4].copy_from_slice(b"Folk");
    fs::write(&path, &edited).unwrap();
    let report = library.undo(&Undo::Last);
    assert_eq!((report.written, report.refused[0].1.as_str()), (0, "its genre was changed since"));
    assert_eq!(fs::read(&path).unwrap(), edited);
}

#[test]
fn an_undo_can_be_undone() {
    let library = Library::new();
    let path = library.file("a.mp3", &fx::mpeg_frames(9, 3), &[("jazz", 1)]);
    library.write(&path);
    let written = fs::read(&path).unwrap();
    library.undo(&Undo::Last);
    let run = library.store.runs().unwrap()[0].clone();
    assert_eq!((run.kind.as_str(), run.done), ("undo", 1));
    assert_eq!(library.undo(&Undo::Run(run.id)).written, 1);
    assert_eq!(fs::read(&path).unwrap(), written);
}

#[test]
fn a_file_that_changed_since_the_preview_is_left_alone() {
    let library = Library::new();
    let path = library.file("a.mp3", &fx::mpeg_frames(9, 3), &[("jazz", 1)]);
    let item = library.item(&path);
    let other = fx::mpeg_frames(9, 4);
    fs::write(&path, &other).unwrap();
    assert!(library.try_write(&item).unwrap_err().reason.contains("changed"));
    assert_eq!(fs::read(&path).unwrap(), other);
    // Another recording under a known name: its genre is somebody else's.
    assert!(matches!(library.look(&path), Outlook::Refused(reason) if reason.contains("not what was heard")));
    assert_eq!(library.names(), ["a.mp3"]);
}

#[test]
fn odd_files_are_refused_with_the_reason() {
    let library = Library::new();
    let mut junk = fx::vorbis(&[("TITLE", "a")], 10);
    let page = junk.windows(4).rposition(|w| w == b"OggS").unwrap();
    junk.splice(page..page, *b"stray bytes");
    let mut aiff = fx::aiff(&[(b"ID3 ", fx::id3v2(4, &[("TIT2", b"\x03Od")], 0))]);
    let size = u32::from_be_bytes(aiff[4..8].try_into().unwrap());
    aiff[4..8].copy_from_slice(&(size - 1).to_be_bytes());
    let broken = [fx::id3v2(4, &[("TIT2", b"\x03Title"), ("T!!N", b"x")], 5), fx::mpeg_frames(9, 1)].concat();
    for (name, bytes, reason) in [
        ("junk.ogg", junk, "stray bytes between its Ogg pages"),
        ("fragmented.mp4", fx::mp4_fragmented(), "fragmented"),
        ("headerless.ape", [fx::monkeys(), fx::ape(&[("Title", "x")], false)].concat(), "no header"),
        ("odd.aiff", aiff, "outside the form"),
        ("broken.mp3", broken, "unreadable ID3 frame"),
        (
            "extended.mp3",
            [&b"ID3\x04\0\x40\0\0\0\x0a\0\0\x01\0\x01\0\0\0\0\0"[..], &fx::mpeg_frames(9, 3)].concat(),
            "extended header",
        ),
        ("two.mp3", [fx::id3v2(4, &[], 9), fx::id3v2(4, &[], 9), fx::mpeg_frames(9, 2)].concat(), "two ID3v2"),
        // Of two frames only one is read: a merge would drop the other's genre.
        (
            "genres.mp3",
            [fx::id3v2(4, &[("TCON", b"\x03Rock"), ("TCON", b"\x03Polka")], 9), fx::mpeg_frames(9, 6)].concat(),
            "two genre frames",
        ),
        // A new tag in front of it would hide the title from whoever reads the first one.
        (
            "behind.mp3",
            [vec![0; 64], fx::id3v2(4, &[("TIT2", b"\x03Title")], 9), fx::mpeg_frames(9, 5)].concat(),
            "ID3v2 tag behind",
        ),
    ] {
        let path = library.file(name, &bytes, &[("jazz", 1)]);
        match library.look(&path) {
            Outlook::Refused(why) => assert!(why.contains(reason), "{name}: {why}"),
            other => panic!("{name}: {other:?}"),
        }
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn every_genre_of_a_list_in_atoms_of_their_own_is_read() {
    let library = Library::new();
    let path = library.file("a.m4a", &fx::mp4(true, &[("Rock", 1), ("Polka", 1)], 0), &[("jazz", 1)]);
    assert_eq!(library.genres(&path), ["Rock", "Polka"]);
}

#[test]
fn shares_are_written_beside_the_genre_and_replaced() {
    let mut library = Library::new();
    library.rules.write_shares = true;
    for (name, bytes, capacity) in layouts().into_iter().filter(|(_, _, capacity)| *capacity > 1) {
        let path = library.file(name, &bytes, &[("jazz", 62), ("blues", 38)]);
        library.write(&path);
        assert!(matches!(library.look(&path), Outlook::Equal), "{name}");
        library.keep(&path, &[("jazz", 1)]);
        library.write(&path);
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        assert!(text.contains("GENRE_SHARE_JAZZ") && !text.contains("GENRE_SHARE_BLUES"), "{name} {capacity}");
        let file = library.store.file_at(&path).unwrap().unwrap();
        library.undo(&Undo::Files(vec![file.id]));
        assert!(fs::read(&path).unwrap() == bytes, "{name}: not the same bytes");
    }
}

#[test]
fn what_a_crash_left_is_resolved() {
    let library = Library::new();
    let bytes = fx::mpeg_frames(9, 3);
    let path = library.file("a.mp3", &bytes, &[("jazz", 1)]);
    let copy = copy::sibling(&path);
    let run = library.store.begin_run("tag", "test").unwrap();
    let new = crate::store::NewWrite {
        run,
        file: None,
        path: &path,
        audio: payload::audio_id(&path).unwrap(),
        copy: &copy,
        owner: "1:not-the-start-of-1",
        old_genres: &[],
        new_genres: &[],
        written: None,
        undoes: None,
    };
    // Killed before the swap: the file stays, the copy goes; somebody else's hidden file stays.
    fs::write(&copy, b"half a copy").unwrap();
    fs::write(path.with_file_name(".deepcuts-0123456789abcdef.part"), b"not in the journal").unwrap();
    library.store.intend(&new).unwrap().unwrap();
    assert_eq!(library.store.intend(&new).unwrap(), None, "one write of a file at a time");
    assert_eq!(recover(&library.store).unwrap().len(), 1);
    assert_eq!(library.names(), [".deepcuts-0123456789abcdef.part", "a.mp3"]);

    // Killed after the swap: the old content is in the copy's place.
    let id = library.store.intend(&new).unwrap().unwrap();
    let hash = |b: &[u8]| *blake3::hash(b).as_bytes();
    library.store.ready(id, hash(&bytes), hash(b"new"), None).unwrap();
    fs::write(&copy, &bytes).unwrap();
    fs::write(&path, b"new").unwrap();
    recover(&library.store).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(library.names(), [".deepcuts-0123456789abcdef.part", "a.mp3"]);

    // Killed after a swap that took out what somebody had just put there: it goes back.
    let id = library.store.intend(&new).unwrap().unwrap();
    library.store.ready(id, hash(b"new"), hash(b"newer"), None).unwrap();
    fs::write(&copy, b"somebody's").unwrap();
    fs::write(&path, b"newer").unwrap();
    recover(&library.store).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"somebody's");
    assert_eq!(library.names(), [".deepcuts-0123456789abcdef.part", "a.mp3"]);
    assert!(library.store.open_writes().unwrap().is_empty());
}

#[test]
fn links_and_modes_have_an_answer() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    let library = Library::new();
    let bytes = fx::flac(&[("TITLE", "a")], None);
    let path = library.file("a.flac", &bytes, &[("jazz", 1)]);
    fs::hard_link(&path, path.with_file_name("other.flac")).unwrap();
    assert!(matches!(library.look(&path), Outlook::Refused(reason) if reason.contains("2 hard links")));
    fs::remove_file(path.with_file_name("other.flac")).unwrap();

    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    assert!(matches!(library.look(&path), Outlook::Refused(reason) if reason.contains("read-only (mode 0444)")));

    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let has_attributes = xattr::set(&path, "user.rating", b"5").is_ok();
    // An ACL: u::rw-, u:65534:r--, g::r--, m::r--, o::---.
    let entry =
        |tag: u16, perm: u16, id: u32| [&tag.to_le_bytes()[..], &perm.to_le_bytes(), &id.to_le_bytes()].concat();
    let none = u32::MAX;
    let entries = [(1, 6, none), (2, 4, 65534), (4, 4, none), (0x10, 4, none), (0x20, 0, none)];
    let acl = [vec![2, 0, 0, 0], entries.map(|(tag, perm, id)| entry(tag, perm, id)).concat()].concat();
    let has_acl = xattr::set(&path, "system.posix_acl_access", &acl).is_ok();
    let link = path.with_file_name("link.flac");
    symlink("a.flac", &link).unwrap();
    library.keep(&link, &[("jazz", 1)]);
    library.write(&link);
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
    assert_eq!(library.genres(&path), ["Jazz"]);
    if has_acl {
        assert_eq!(xattr::get(&path, "system.posix_acl_access").unwrap(), Some(acl));
    } else {
        println!("skipped: no ACLs on this file system");
    }
    if has_attributes {
        assert_eq!(xattr::get(&path, "user.rating").unwrap().unwrap(), b"5");
    } else {
        println!("skipped: no extended attributes on this file system");
    }
}

#[test]
fn the_modification_time_is_new_unless_asked_otherwise() {
    let library = Library::new();
    let path = library.file("a.mp3", &fx::mpeg_frames(9, 5), &[("jazz", 1)]);
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    library.keep(&path, &[("jazz", 1)]);
    let mut writer = Writer::begin(&library.store, "x", Options { keep_mtime: true, ..Library::options() }, 1).unwrap();
    writer.write(&library.item(&path)).unwrap().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), old);
    library.keep(&path, &[("blues", 1)]);
    library.write(&path);
    assert!(fs::metadata(&path).unwrap().modified().unwrap() > old);
}

#[test]
fn a_way_back_that_is_too_large_is_not_given_up_silently() {
    let library = Library::new();
    let path = library.file("a.mp3", &fx::mpeg_frames(9, 5), &[("jazz", 1)]);
    let options = Options { undo_max_bytes: 3, ..Library::options() };
    let mut writer = Writer::begin(&library.store, "x", options, 1).unwrap();
    assert!(writer.write(&library.item(&path)).unwrap().unwrap_err().reason.contains("--no-undo"));
    assert_eq!(fs::read(&path).unwrap(), fx::mpeg_frames(9, 5));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_name_reads_back_or_is_refused(which in 0..layouts().len(), genre in "\\PC{1,40}", second in "\\PC{1,40}") {
        let (name, bytes, _) = layouts().swap_remove(which);
        let source = payload::Source::new(&bytes).unwrap();
        let format = payload::identify_source(&source).unwrap().format;
        let wanted = edit::Wanted { genres: vec![genre, second], joiner: "; ".to_owned(), ..edit::Wanted::default() };
        let edit = edit::edit(&source, format, &wanted).unwrap();
        let splices = splice::Splices::new(edit.splices).unwrap();
        let view = splice::Spliced::new(&bytes, &splices).unwrap().unwrap();
        let after = payload::Source::new(&view).unwrap();
        prop_assert_eq!(
            payload::identify_source(&after).unwrap().id, payload::identify_source(&source).unwrap().id, "{}", name
        );
        let before = edit::items(&source, format, &wanted).unwrap();
        let mut items = edit::items(&after, format, &wanted).unwrap();
        items.retain(|item| !edit.lifted.contains(&item.key));
        prop_assert_eq!(before, items, "{}", name);
    }

    #[test]
    fn mutated_tags_are_edited_or_refused_and_never_panic(
        which in 0..layouts().len(),
        edits in prop::collection::vec((any::<u16>(), any::<u8>()), 1..10),
    ) {
        let (_, mut bytes, _) = layouts().swap_remove(which);
        let size = bytes.len();
        for (at, value) in edits {
            bytes[usize::from(at) % size.min(900)] = value;
        }
        let source = payload::Source::new(&bytes).unwrap();
        let wanted = edit::Wanted { genres: vec!["Jazz".to_owned()], joiner: "; ".to_owned(), ..edit::Wanted::default() };
        if let Ok(found) = payload::identify_source(&source)
            && let Ok(edit) = edit::edit(&source, found.format, &wanted)
            && let Some(splices) = splice::Splices::new(edit.splices)
        {
            let view = splice::Spliced::new(&bytes, &splices).unwrap().unwrap();
            let after = payload::Source::new(&view).unwrap();
            let _ = edit::items(&after, found.format, &wanted);
        }
    }
}
