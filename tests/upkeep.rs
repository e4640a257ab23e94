//! Forgetting, keeping and taking back a library.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;

use support::Machine;

#[test]
fn a_backup_brings_corrections_back() {
    let machine = Machine::new();
    let path = machine.wav("jazz4.wav", 1);
    let path = path.to_str().unwrap();
    machine.scan().exits(0);
    machine.run(&["correct", path, "soul"]).exits(0);
    let copy = machine.at("copy.db");
    machine.run(&["backup", copy.to_str().unwrap()]).exits(0);
    machine.run(&["backup", copy.to_str().unwrap()]).exits(2);
    machine.run(&["correct", "--undo"]).exits(0);
    machine.run(&["restore", copy.to_str().unwrap()]).exits(0);
    let shown = machine.run(&["show", "--format", "json", path]).exits(0).json();
    assert_eq!(shown["files"][0]["mix"]["soul"], 1.0);
    let text = machine.at("no.db");
    fs::write(&text, "no database").unwrap();
    machine.run(&["restore", text.to_str().unwrap()]).exits(2);
    machine.run(&["status"]).exits(0);
}

#[test]
fn a_backup_stays_as_it_is_and_may_lie_where_nothing_is_written() {
    let machine = Machine::new();
    machine.wav("jazz4.wav", 1);
    machine.scan().exits(0);
    let folder = machine.at("old backups #1?");
    fs::create_dir(&folder).unwrap();
    let copy = folder.join("copy.db");
    machine.run(&["backup", copy.to_str().unwrap()]).exits(0);
    // Made by an older program.
    let last_migration_undone = "DROP INDEX tag_writes_by_audio; ALTER TABLE tag_writes DROP COLUMN audio;
        ALTER TABLE tag_writes DROP COLUMN written; PRAGMA user_version = 5";
    rusqlite::Connection::open(&copy).unwrap().execute_batch(last_migration_undone).unwrap();
    let before = fs::read(&copy).unwrap();
    machine.run(&["restore", copy.to_str().unwrap()]).exits(0);
    assert_eq!(machine.run(&["status", "--format", "json"]).exits(0).json()["heard"], 1);
    assert!(fs::read(&copy).unwrap() == before, "the backup was changed");
    let restore = machine.deepcuts(&["restore", copy.to_str().unwrap()]);
    let read_only = r#"mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@""#;
    let mut inside = std::process::Command::new("unshare");
    inside.args(["-Urm", "sh", "-c", read_only]).arg(&folder);
    if !inside.arg("true").stderr(std::process::Stdio::null()).status().is_ok_and(|s| s.success()) {
        println!("skipped: this machine gives no mounts of one's own");
        return;
    }
    let mut inside = std::process::Command::new("unshare");
    inside.args(["-Urm", "sh", "-c", read_only]).arg(&folder).arg(restore.get_program()).args(restore.get_args());
    support::Ran(inside.envs(machine.environment()).output().unwrap()).exits(0);
    assert_eq!(machine.run(&["status", "--format", "json"]).exits(0).json()["heard"], 1);
}

#[test]
fn only_what_is_missing_is_forgotten() {
    let machine = Machine::new();
    let path = machine.wav("jazz4.wav", 1);
    machine.wav("rock4.wav", 2);
    machine.scan().exits(0);
    fs::remove_file(path).unwrap();
    machine.scan().exits(0);
    assert!(machine.run(&["prune"]).exits(0).out().starts_with("0 forgotten"));
    assert!(machine.run(&["prune", "--days", "0", "--dry-run"]).exits(0).out().contains("jazz4.wav"));
    assert!(machine.run(&["prune", "--days", "0"]).exits(0).out().contains("1 forgotten"));
    let status = machine.run(&["status", "--format", "json"]).json();
    assert_eq!((&status["files"], &status["missing"], &status["tracks"]), (&1.into(), &0.into(), &1.into()));
}

#[test]
fn a_damaged_database_is_kept_aside_and_named() {
    let machine = Machine::new();
    machine.wav("jazz4.wav", 1);
    fs::write(machine.database(), "this is no database at all, and long enough to be looked at by anyone").unwrap();
    let ran = machine.scan().exits(2);
    assert!(ran.err().contains("damaged") && ran.err().contains("kept as"), "{}", ran.err());
    machine.scan().exits(0);
    assert!(
        fs::read_dir(machine.at("")).unwrap().any(|e| e.unwrap().file_name().to_string_lossy().contains(".damaged-"))
    );
}

#[test]
fn damage_in_the_middle_of_the_database_is_named_and_a_backup_helps() {
    let machine = Machine::with_rock_and_jazz();
    let backup = machine.at("backup.db");
    machine.run(&["backup", backup.to_str().unwrap()]).exits(0);
    let store = rusqlite::Connection::open(machine.database()).unwrap();
    store.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let sql = "SELECT rootpage FROM sqlite_master WHERE name = 'files'";
    let page: u32 = store.query_row(sql, [], |row| row.get(0)).unwrap();
    let page = page as usize;
    drop(store);
    let mut bytes = fs::read(machine.database()).unwrap();
    bytes[(page - 1) * 4096..page * 4096].fill(0xAA);
    fs::write(machine.database(), &bytes).unwrap();
    for args in [&["search", "jazz"][..], &["tag", "--yes"], &["scan", machine.music.to_str().unwrap()], &["status"]] {
        let ran = machine.run(args).exits(2);
        assert!(ran.err().contains("is damaged") && ran.err().contains("deepcuts restore"), "{args:?}: {}", ran.err());
        assert!(!ran.err().contains("panicked"), "{}", ran.err());
    }
    assert!(machine.run(&["doctor"]).exits(1).out().contains("! database"));
    let told = machine.run(&["restore", backup.to_str().unwrap()]).exits(0).out();
    assert!(told.contains("is kept as"), "{told}");
    assert_eq!(machine.run(&["status", "--format", "json"]).exits(0).json()["heard"], 46);
    assert_eq!(machine.run(&["search", "--format", "paths", "mostly jazz"]).exits(0).out().lines().count(), 6);
}

#[test]
fn without_its_pretrained_half_deep_is_said_to_be_cuts() {
    let machine = Machine::new();
    let models = machine.at("library-models");
    fs::create_dir(&models).unwrap();
    ["deep", "cuts"].iter().for_each(|name| drop(support::model(&models, name, name)));
    machine.settings("");
    machine.wav("a.wav", 1);
    let trunk = machine.at("musicnn.safetensors");
    let scan = || {
        let music = machine.music.to_str().unwrap();
        let mut command = machine.deepcuts(&["scan", music]);
        support::Ran(command.env("DEEPCUTS_TRUNK", &trunk).output().unwrap())
    };
    let told = scan().exits(0).err();
    assert!(told.contains("deep cannot be used") && told.contains("make setup"), "{told}");
    machine.run(&["search", "model:cuts"]).exits(0);

    fs::write(&trunk, "here").unwrap();
    let told = scan().exits(0).err();
    assert!(!told.contains("deep cannot be used"), "{told}");
    machine.run(&["search", "model:cuts"]).exits(1);
    machine.run(&["search", "model:deep"]).exits(0);
}

#[test]
fn a_library_in_a_folder_that_is_not_ours_can_be_read() {
    let machine = Machine::new();
    machine.wav("jazz4.wav", 1);
    machine.scan().exits(0);
    // As a user who may write nothing there.
    let as_nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
    let nobody = |args: &[&str]| {
        let command = machine.deepcuts(args);
        let mut outer = std::process::Command::new(as_nobody[0]);
        outer.args(&as_nobody[1..]).arg(command.get_program()).args(command.get_args()).envs(machine.environment());
        outer
    };
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(machine.dir.path(), open).unwrap();
    if !nobody(&["--version"]).output().is_ok_and(|ran| ran.status.success()) {
        println!("skipped: nobody else can be played here");
        return;
    }
    let run = |args: &[&str]| support::Ran(nobody(args).output().unwrap());
    assert_eq!(run(&["status", "--format", "json"]).exits(0).json()["heard"], 1);
    assert!(run(&["show", machine.music.to_str().unwrap()]).exits(0).out().contains("Jazz"));
    let ran = run(&["correct", machine.music.to_str().unwrap(), "blues"]).exits(2);
    assert_eq!(ran.err().matches("readonly").count(), 1, "{}", ran.err());
}

#[test]
fn a_file_that_failed_is_no_work_that_waits() {
    let machine = Machine::new();
    machine.wav("jazz4.wav", 1);
    machine.wav("refuse.wav", 2);
    machine.scan().exits(1);
    let status = machine.run(&["status", "--format", "json"]).exits(0).json();
    assert_eq!((&status["files"], &status["heard"], &status["backlog"]), (&2.into(), &1.into(), &0.into()));
    // The last line of a scan says how to list what failed, also when it failed before.
    assert!(machine.scan().exits(1).out().contains("`deepcuts scan --failed` lists them"));
}
