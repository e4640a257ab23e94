//! What disks, mounts, rights and clocks do to a library, made here with namespaces and injected faults. A test that
//! this machine cannot run says so and passes.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use support::{Machine, Ran};

/// Run a shell script in mounts of its own, where `$M` is the music folder, `$L` the folder of the library, and
/// `deepcuts` the program with this machine's settings and database. None where this machine gives no such thing.
fn mounted(machine: &Machine, script: &str) -> Option<Ran> {
    mounted_by(&["-Urm"], machine, script)
}

/// The same with these options of `unshare`: what lies on a block device takes the rights of root.
fn mounted_by(options: &[&str], machine: &Machine, script: &str) -> Option<Ran> {
    let inside = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(options).args(["sh", "-c", script]).envs(machine.environment());
        command.env("PROGRAM", env!("CARGO_BIN_EXE_deepcuts")).env("M", &machine.music).env("L", machine.at(""));
        command
    };
    let can = inside("mount -t tmpfs none \"$M\"").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !can.is_ok_and(|status| status.success()) {
        println!("skipped: this machine gives no mounts of one's own");
        return None;
    }
    let program = r#"deepcuts() { "$PROGRAM" --config "$L/config.toml" --db "$L/library.db" "$@"; }"#;
    Some(Ran(inside(&format!("set -u\n{program}\n{script}")).output().unwrap()))
}

/// Run under `strace` with these options; none where it may not trace.
fn traced(machine: &Machine, options: &[&str], args: &[&str]) -> Option<Ran> {
    let can = Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    if !can.is_ok_and(|status| status.success()) {
        println!("skipped: strace may not trace here");
        return None;
    }
    let plain = machine.deepcuts(args);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null"]).args(options);
    strace.arg(plain.get_program()).args(plain.get_args()).envs(machine.environment());
    Some(Ran(strace.output().unwrap()))
}

fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    all.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn status(machine: &Machine) -> serde_json::Value {
    machine.run(&["status", "--format", "json"]).exits(0).json()
}

fn genres(machine: &Machine, path: &Path) -> serde_json::Value {
    let shown = machine.run(&["show", "--format", "json", path.to_str().unwrap()]).exits(0).json();
    shown["files"][0]["tags"]["genres"].clone()
}

#[test]
fn a_full_disk_keeps_every_file_as_it_is() {
    let machine = Machine::new();
    let songs = machine.at("songs");
    fs::create_dir(&songs).unwrap();
    (0..4).for_each(|n| support::wav(&songs.join(format!("jazz8-{n}.wav")), n));
    let script = r#"
        mount -t tmpfs -o size=120k none "$M" && cp "$L"/songs/* "$M" || exit 90
        deepcuts scan "$M" >&2 || exit 91
        cat /dev/zero >"$M/filler" 2>/dev/null
        deepcuts tag --yes; [ $? = 1 ] || exit 92
        for song in "$M"/*.wav; do cmp "$song" "$L/songs/${song##*/}" || exit 93; done
        [ "$(ls -A "$M" | grep -vc -e '^jazz8' -e '^filler$')" = 0 ] || exit 94
        rm "$M/filler"
        deepcuts tag --yes || exit 95
        deepcuts undo || exit 96
        for song in "$M"/*.wav; do cmp "$song" "$L/songs/${song##*/}" || exit 97; done
    "#;
    let Some(ran) = mounted(&machine, script) else { return };
    let ran = ran.exits(0);
    assert!(ran.out().contains("4 refused: ") && ran.out().contains("no space left on device"), "{}", ran.out());
    assert!(ran.out().contains("make room"), "{}", ran.out());
    assert!(ran.out().contains("4 changed, 0 equal, 0 refused"), "{}", ran.out());
}

#[test]
fn a_full_disk_under_the_database_stops_before_any_file_is_touched() {
    let machine = Machine::new();
    (0..3).for_each(|n| drop(machine.wav(&format!("jazz8-{n}.wav"), n)));
    let before = contents(&machine.music);
    let script = r#"
        mkdir "$L/small" && mount -t tmpfs -o size=70m none "$L/small" || exit 90
        deepcuts() { "$PROGRAM" --config "$L/config.toml" --db "$L/small/library.db" "$@"; }
        deepcuts scan "$M" >&2 || exit 91
        cat /dev/zero >"$L/small/filler" 2>/dev/null
        deepcuts tag --yes; [ $? = 2 ] || exit 92
        deepcuts correct "$M/jazz8-0.wav" soul; [ $? = 2 ] || exit 93
        deepcuts scan "$M"; [ $? = 2 ] || exit 94
        ls -A "$M" >&2
        rm "$L/small/filler"
        deepcuts doctor | grep -i malformed && exit 95
        deepcuts tag --yes || exit 96
        deepcuts undo || exit 97
    "#;
    let Some(ran) = mounted(&machine, script) else { return };
    let ran = ran.exits(0);
    assert!(ran.err().contains("a quota is used up"), "{}", ran.err());
    assert!(!ran.err().contains(".deepcuts-"), "a copy was left: {}", ran.err());
    assert!(ran.out().contains("3 changed, 0 equal, 0 refused"), "{}", ran.out());
    assert!(contents(&machine.music) == before);
}

#[test]
fn where_blocks_are_shared_a_second_write_shares_them_and_is_undone() {
    for (kind, mib) in [("btrfs", 120), ("xfs", 320)] {
        let machine = Machine::new();
        let songs = machine.at("songs");
        fs::create_dir(&songs).unwrap();
        support::wav(&songs.join("jazz8.wav"), 1);
        let script = format!(
            r#"
            mkfs.{kind} -V >/dev/null 2>&1 || exit 80
            truncate -s {mib}M "$L/disk" && mkfs.{kind} -q "$L/disk" && mount -o loop "$L/disk" "$M" || exit 80
            cp "$L"/songs/* "$M" && deepcuts scan "$M" && deepcuts tag --yes || exit 90
            cp "$M/jazz8.wav" "$L/first.wav"
            deepcuts correct "$M/jazz8.wav" soul || exit 91
            shared() {{ strace -f -qq -e trace=ioctl -o "$L/calls" "$@"; }}
            shared true 2>/dev/null || shared() {{ echo FICLONE = 0 >"$L/calls"; "$@"; }}
            shared "$PROGRAM" --config "$L/config.toml" --db "$L/library.db" tag --yes || exit 92
            grep -q "FICLONE.* = 0" "$L/calls" || exit 93
            # The next one fails and is killed after the blocks were shared.
            deepcuts correct "$M/jazz8.wav" reggae; cp "$M/jazz8.wav" "$L/second.wav"
            for fault in pwrite64:error=ENOSPC fsync:signal=SIGKILL renameat2:signal=SIGKILL; do
                strace -f -qq -P "$M" -e inject=$fault -o /dev/null true 2>/dev/null || break
                strace -f -qq -e trace=${{fault%%:*}} -e inject=$fault:when=1 -o /dev/null \
                    "$PROGRAM" --config "$L/config.toml" --db "$L/library.db" tag --yes
                cmp "$M/jazz8.wav" "$L/second.wav" || exit 94
            done
            deepcuts tag --yes && deepcuts undo && cmp "$M/jazz8.wav" "$L/second.wav" || exit 95
            deepcuts undo && cmp "$M/jazz8.wav" "$L/first.wav" || exit 96
            deepcuts undo && cmp "$M/jazz8.wav" "$L/songs/jazz8.wav" || exit 97
            [ "$(ls -A "$M" | grep -c part)" = 0 ] || exit 98
            umount "$M"
        "#
        );
        let Some(ran) = mounted_by(&["-m"], &machine, &script) else { return };
        if ran.code() == 80 {
            println!("skipped: {kind} cannot be made and mounted here");
            continue;
        }
        ran.exits(0);
    }
}

#[test]
fn a_quota_that_is_used_up_keeps_every_file_as_it_is() {
    let machine = Machine::new();
    let songs = machine.at("songs");
    fs::create_dir(&songs).unwrap();
    (0..3).for_each(|n| support::wav(&songs.join(format!("jazz8-{n}.wav")), n));
    let script = r#"
        which btrfs >/dev/null && truncate -s 120M "$L/disk" && mkfs.btrfs -q "$L/disk" || exit 80
        mount -o loop "$L/disk" "$M" && btrfs quota enable "$M" || exit 80
        cp "$L"/songs/* "$M" && deepcuts scan "$M" && sync || exit 90
        btrfs qgroup limit 70k 0/5 "$M" || exit 80
        deepcuts tag --yes; [ $? = 1 ] || exit 92
        for song in "$M"/*.wav; do cmp "$song" "$L/songs/${song##*/}" || exit 93; done
        [ "$(ls -A "$M" | grep -c part)" = 0 ] || exit 94
        btrfs quota disable "$M"
        deepcuts tag --yes && deepcuts undo || exit 95
        for song in "$M"/*.wav; do cmp "$song" "$L/songs/${song##*/}" || exit 96; done
        umount "$M"
    "#;
    let Some(ran) = mounted_by(&["-m"], &machine, script) else { return };
    if ran.code() == 80 {
        println!("skipped: no disk with a quota can be made here");
        return;
    }
    let ran = ran.exits(0);
    assert!(ran.out().contains("quota exceeded") && ran.out().contains("make room"), "{}", ran.out());
}

#[test]
fn what_may_not_be_written_is_heard_and_refused() {
    let machine = Machine::new();
    let path = machine.wav("jazz8.wav", 1);
    let before = fs::read(&path).unwrap();
    let script = r#"
        mount --bind "$M" "$M" && mount -o remount,ro,bind "$M" || exit 90
        deepcuts scan --write-tags "$M"; [ $? = 1 ] || exit 91
        deepcuts tag --yes; [ $? = 1 ] || exit 92
    "#;
    let Some(ran) = mounted(&machine, script) else { return };
    let ran = ran.exits(0);
    assert!(ran.out().contains("1 heard") && ran.out().contains("0 tagged, 1 refused"), "{}", ran.out());
    assert!(ran.out().contains("0 changed, 0 equal, 1 refused: its file system is read-only"), "{}", ran.out());
    assert!(fs::read(&path).unwrap() == before && contents(&machine.music).len() == 1);
}

#[test]
fn a_disk_that_is_not_mounted_is_not_a_disk_whose_music_was_deleted() {
    let machine = Machine::new();
    let songs = machine.at("songs");
    fs::create_dir(&songs).unwrap();
    support::wav(&songs.join("jazz8.wav"), 1);
    machine.wav("here/rock8.wav", 2);
    let link = machine.music.join("linked");
    fs::create_dir(machine.at("disk")).unwrap();
    std::os::unix::fs::symlink(machine.at("disk/music"), &link).unwrap();
    fs::create_dir(machine.music.join("within")).unwrap();
    // A disk behind a link, and one that is mounted on a folder of the library.
    let script = r#"
        mount -t tmpfs none "$L/disk" && mkdir "$L/disk/music" && cp "$L"/songs/* "$L/disk/music" || exit 90
        mount -t tmpfs none "$M/within" && cp "$L/songs/jazz8.wav" "$M/within/copy.wav" || exit 91
        deepcuts scan "$M" || exit 92
        umount "$L/disk" "$M/within"
        rm "$M/here/rock8.wav"
        deepcuts scan "$M"
        deepcuts status --format json >"$L/status"
    "#;
    let Some(ran) = mounted(&machine, script) else { return };
    let ran = ran.exits(0);
    assert!(ran.out().contains("3 files") && ran.out().contains("1 gone"), "{}{}", ran.out(), ran.err());
    let status: serde_json::Value = serde_json::from_slice(&fs::read(machine.at("status")).unwrap()).unwrap();
    assert_eq!((&status["files"], &status["missing"]), (&2.into(), &1.into()), "{status}");
}

/// As somebody whom the system refuses something: root is refused nothing.
fn unprivileged(machine: &Machine, args: &[&str]) -> Option<Ran> {
    let plain = machine.deepcuts(args);
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    if !command.arg("true").stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        println!("skipped: nobody else's rights can be taken here");
        return None;
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.arg(plain.get_program()).args(plain.get_args()).envs(machine.environment());
    Some(Ran(command.output().unwrap()))
}

fn give_away(machine: &Machine) {
    let _ = Command::new("chown").args(["-R", "65534:65534"]).arg(machine.at("")).status();
}

#[test]
fn a_folder_that_may_not_be_read_is_warned_of_and_nothing_in_it_is_gone() {
    let machine = Machine::new();
    machine.wav("jazz8.wav", 1);
    machine.wav("shut/rock8.wav", 2);
    give_away(&machine);
    let music = machine.music.to_str().unwrap();
    let Some(first) = unprivileged(&machine, &["scan", music]) else { return };
    assert!(first.exits(0).out().contains("2 heard"));
    let shut = machine.music.join("shut");
    fs::set_permissions(&shut, fs::Permissions::from_mode(0o000)).unwrap();
    machine.wav("pop8.wav", 3);
    give_away(&machine);
    let again = unprivileged(&machine, &["scan", music]).unwrap();
    assert!(again.out().contains("1 heard") && !again.out().contains("gone"), "{}", again.out());
    assert!(again.err().contains("shut") && again.err().contains("ermission denied"), "{}", again.err());
    assert_eq!(status(&machine)["missing"], 0);
    // A file that may be read and not written, and a folder in which no copy can be made.
    fs::set_permissions(&shut, fs::Permissions::from_mode(0o555)).unwrap();
    let told = unprivileged(&machine, &["tag", "--yes"]).unwrap().exits(1);
    assert!(told.out().contains("2 changed") && told.out().contains("1 refused"), "{}", told.out());
    assert!(told.err().contains("deepcuts may not write there"), "{}", told.err());
    fs::set_permissions(&shut, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn owner_group_and_mode_stay_in_a_folder_that_gives_its_own_group() {
    let machine = Machine::new();
    let path = machine.wav("shared/jazz8.wav", 1);
    give_away(&machine);
    let Some(ran) = unprivileged(&machine, &["scan", machine.music.to_str().unwrap()]) else { return };
    ran.exits(0);
    let folder = path.parent().unwrap();
    std::os::unix::fs::chown(folder, None, Some(4242)).unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o2775)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    unprivileged(&machine, &["tag", "--yes"]).unwrap().exits(0);
    let now = fs::metadata(&path).unwrap();
    assert_eq!((now.mode() & 0o7777, now.uid(), now.gid()), (0o640, 65534, 65534));
    assert_eq!(genres(&machine, &path), serde_json::json!(["Jazz"]));
    // Another's file, by the group's right: its owner cannot be kept, so it is not written.
    unprivileged(&machine, &["undo"]).unwrap().exits(0);
    let before = fs::read(&path).unwrap();
    std::os::unix::fs::chown(&path, Some(1234), Some(65534)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).unwrap();
    let refused = unprivileged(&machine, &["tag", "--yes"]).unwrap().exits(1);
    assert!(refused.out().contains("its owner or group cannot be kept"), "{}", refused.out());
    assert!(fs::read(&path).unwrap() == before && contents(folder).len() == 1);
}

#[test]
fn a_disk_that_fails_to_read_takes_nothing_out_of_the_library() {
    let machine = Machine::new();
    machine.wav("jazz8.wav", 1);
    let file = machine.wav("bad/rock8.wav", 2);
    machine.scan().exits(0);
    let music = machine.music.to_str().unwrap();
    let (bad, odd) = (file.parent().unwrap().to_str().unwrap(), file.to_str().unwrap());
    for (what, path) in [("getdents64", bad), ("openat", bad), ("statx,newfstatat,fstat", odd)] {
        machine.wav("pop8.wav", 3);
        let inject = format!("inject={what}:error=EIO");
        let Some(ran) = traced(&machine, &["-P", path, "-e", &inject], &["scan", music]) else { return };
        assert!(!ran.out().contains("gone"), "{what}: {}", ran.out());
        assert_eq!(status(&machine)["missing"], 0, "{what}");
        assert!(ran.err().contains("nput/output error"), "{what}: {}", ran.err());
        assert!(ran.out().contains("1 heard") || ran.out().contains("known"), "{what}: {}", ran.out());
        fs::remove_file(machine.music.join("pop8.wav")).unwrap();
        assert!(machine.scan().exits(0).out().contains("1 gone"), "{what}");
        machine.run(&["prune", "--days", "0"]).exits(0);
    }
    // The content cannot be read: the file is listed as failed, and what was known of it stays.
    let touched = fs::File::options().write(true).open(&file).unwrap();
    touched.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1_500_000_000)).unwrap();
    let failing = ["-P", odd, "-e", "inject=read,pread64,mmap:error=EIO"];
    let Some(ran) = traced(&machine, &failing, &["scan", music]) else { return };
    assert!(ran.exits(1).out().contains("1 failed"));
    let failed = machine.run(&["scan", "--failed"]).exits(1).out();
    assert!(failed.contains("rock8.wav: read: ") && failed.contains("nput/output error"), "{failed}");
    assert_eq!(machine.run(&["search", "mostly rock"]).code(), 0);
    machine.run(&["scan", "--retry-failed", music]).exits(0);
    machine.run(&["scan", "--failed"]).exits(0);
}

#[test]
fn a_file_system_that_cannot_exchange_names_is_written_by_renaming_and_says_so() {
    let machine = Machine::new();
    let path = machine.wav("jazz8.wav", 1);
    let before = fs::read(&path).unwrap();
    machine.scan().exits(0);
    for errno in ["EINVAL", "ENOSYS", "EOPNOTSUPP"] {
        let inject = format!("inject=renameat2:error={errno}");
        let Some(ran) = traced(&machine, &["-e", &inject], &["tag", "--yes"]) else { return };
        let ran = ran.exits(0);
        assert!(ran.err().contains("1 files were replaced by renaming"), "{errno}: {}", ran.err());
        assert_eq!(genres(&machine, &path), serde_json::json!(["Jazz"]));
        assert!(machine.scan().exits(0).out().contains("1 unchanged"), "{errno}");
        traced(&machine, &["-e", &inject], &["undo"]).unwrap().exits(0);
        assert!(fs::read(&path).unwrap() == before && contents(&machine.music).len() == 1, "{errno}");
    }
    // Killed before and after the renaming.
    for (call, nth) in [("rename", 1), ("fsync", 2), ("fsync", 3)] {
        let kill = format!("inject={call}:signal=SIGKILL:when={nth}");
        let options = ["-e", "inject=renameat2:error=EINVAL", "-e", &kill, "-P", path.to_str().unwrap()];
        let options = if call == "rename" { &options[..] } else { &options[..4] };
        traced(&machine, options, &["tag", "--yes"]).unwrap();
        let now = fs::read(&path).unwrap();
        machine.run(&["tag", "--yes"]).exits(0);
        assert_eq!(genres(&machine, &path), serde_json::json!(["Jazz"]), "{call} {nth}");
        assert!(now == before || now == fs::read(&path).unwrap(), "{call} {nth}: neither old nor new");
        assert_eq!(contents(&machine.music).len(), 1, "{call} {nth}");
        machine.run(&["undo"]).exits(0);
        assert!(fs::read(&path).unwrap() == before, "{call} {nth}");
    }
}

#[test]
fn an_edit_that_keeps_time_and_size_is_noticed_whatever_the_clock_says() {
    let machine = Machine::new();
    let path = machine.wav("jazz4.wav", 1);
    let other = machine.wav("rock4.wav", 2);
    machine.scan().exits(0);
    let then = fs::metadata(&path).unwrap().modified().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() - 100;
    bytes[at] ^= 0x55;
    fs::write(&path, &bytes).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
    assert!(machine.scan().exits(0).out().contains("1 heard, 1 unchanged"));
    // The same while the program believes itself in other years; the disk's own times stay true.
    let can = Command::new("faketime").args(["2001-01-01", "true"]).stderr(Stdio::null()).status();
    if !can.is_ok_and(|status| status.success()) {
        println!("skipped: faketime is not installed");
        return;
    }
    let at = |when: &str, args: &[&str]| {
        let plain = machine.deepcuts(args);
        let mut command = Command::new("faketime");
        command.arg(when).arg(plain.get_program()).args(plain.get_args()).envs(machine.environment());
        Ran(command.envs([("NO_FAKE_STAT", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]).output().unwrap())
    };
    let music = machine.music.to_str().unwrap().to_owned();
    for (n, when) in ["2001-01-01", "2061-01-01", "1971-06-01"].into_iter().enumerate() {
        bytes[300] ^= 1 << n;
        fs::write(&path, &bytes).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
        let ran = at(when, &["scan", "--write-tags", &music]).exits(0);
        assert!(ran.out().contains("1 heard"), "{when}: {}{}", ran.out(), ran.err());
        assert!(ran.out().contains("0 refused"), "{when}: {}", ran.out());
        // What is said last holds, and is taken back first.
        let genre = format!("zouk{n}");
        at(when, &["correct", other.to_str().unwrap(), &genre]).exits(0);
        assert_eq!(
            machine.run(&["search", "--format", "paths", &format!("mostly {genre}")]).exits(0).out().lines().count(),
            1
        );
    }
    machine.run(&["correct", "--undo"]).exits(0);
    machine.run(&["search", "mostly zouk1"]).exits(0);
    assert!(machine.scan().exits(0).out().contains("2 unchanged"));
}

#[test]
fn ten_thousand_files_in_a_folder_and_folders_deeper_than_a_path() {
    let machine = Machine::new();
    let sound = machine.at("sound.wav");
    support::wav(&sound, 1);
    let bytes = fs::read(&sound).unwrap();
    let put = |n: usize| {
        // Half of them are copies of one recording.
        let mut own = bytes[..800].to_vec();
        own[4..8].copy_from_slice(&(792_u32.to_le_bytes()));
        own[40..44].copy_from_slice(&(756_u32.to_le_bytes()));
        own[100..108].copy_from_slice(&(n.max(5_000) as u64).to_le_bytes());
        fs::write(machine.music.join(format!("jazz1 {n}.wav")), own).unwrap();
    };
    (0..10_000).for_each(put);
    // A folder whose path is longer than the system takes, made step by step.
    let deeper = "import os\nfor n in range(60): name = '%0100d' % n; os.mkdir(name); os.chdir(name)";
    let deep = Command::new("python3").current_dir(&machine.music).args(["-c", deeper]).status();
    assert!(deep.unwrap().success());
    let began = Instant::now();
    let ran = machine.scan();
    println!("{:?}: {}", began.elapsed(), ran.out());
    assert!(
        ran.out().contains("10000 files, 5000 heard, 5000 known") && ran.out().contains(" 0 failed"),
        "{}{}",
        ran.out(),
        ran.err()
    );
    assert!(ran.err().contains("ame too long"), "{}", ran.err());
    assert!(began.elapsed() < Duration::from_secs(120), "{:?}", began.elapsed());
    let began = Instant::now();
    assert!(machine.scan().out().contains("10000 unchanged"));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn nothing_opens_a_socket() {
    let machine = Machine::new();
    let path = machine.wav("jazz8.wav", 1);
    let log = machine.at("network");
    let song = path.to_str().unwrap();
    for args in [
        &["scan", machine.music.to_str().unwrap()][..],
        &["search", "jazz"],
        &["tag", "--yes"],
        &["correct", song, "soul"],
        &["doctor"],
        &["undo"],
    ] {
        let log = log.to_str().unwrap();
        let Some(ran) = traced(&machine, &["-o", log, "-e", "trace=socket,connect,bind,sendto"], args) else { return };
        assert!(ran.code() < 2, "{args:?}: {}", ran.err());
        let calls = fs::read_to_string(log).unwrap();
        assert!(!calls.contains("AF_INET") && !calls.contains("connect("), "{args:?}: {calls}");
    }
}
