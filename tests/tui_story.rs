//! A listener's session in the real program in a real terminal: tmux types and reads the screen.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    fs,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use support::Machine;

/// Longer than any answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// A terminal with the UI in it, a shell behind it.
struct Tmux {
    socket: String,
}

impl Tmux {
    /// None, with the reason printed, where there is no tmux.
    fn open(machine: &Machine, extra: &[(&str, &str)]) -> Option<Self> {
        static N: AtomicU32 = AtomicU32::new(0);
        if Command::new("tmux").arg("-V").stdout(Stdio::null()).status().is_err() {
            eprintln!("skipped: there is no tmux on this machine");
            return None;
        }
        let socket = format!("deepcuts-test-{}-{}", std::process::id(), N.fetch_add(1, Ordering::Relaxed));
        let tmux = Self { socket };
        let mut words = vec!["env".to_owned()];
        words.extend(machine.environment().iter().map(|(k, v)| format!("'{k}={}'", v.display())));
        words.extend(extra.iter().map(|(k, v)| format!("{k}={v}")));
        words.push(format!("'{}'", env!("CARGO_BIN_EXE_deepcuts")));
        words.push(format!("--config '{}'", machine.at("config.toml").display()));
        words.push(format!("--db '{}'", machine.database().display()));
        let script = format!("{}; S=$?; T=$(stty -a | grep -o ' echo '); echo ENDED $S $T; sleep 600", words.join(" "));
        tmux.run(&["-f", "/dev/null", "new-session", "-d", "-s", "s", "-x", "110", "-y", "32", "sh", "-c", &script]);
        Some(tmux)
    }

    fn run(&self, words: &[&str]) -> String {
        let out = Command::new("tmux").args(["-L", &self.socket]).args(words).output().unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    fn keys(&self, keys: &str) -> &Self {
        for key in keys.split(' ') {
            self.run(&["send-keys", "-t", "s", key]);
            // An Escape and a key in one breath are that key with Alt.
            if key == "Escape" {
                std::thread::sleep(Duration::from_millis(150));
            }
        }
        self
    }

    fn text(&self, text: &str) -> &Self {
        self.run(&["send-keys", "-t", "s", "-l", text]);
        self
    }

    fn screen(&self) -> String {
        self.run(&["capture-pane", "-t", "s", "-p"])
    }

    /// Wait until the screen is as `is` says.
    #[track_caller]
    fn until(&self, what: &str, is: impl Fn(&str) -> bool) -> String {
        let started = Instant::now();
        loop {
            let screen = self.screen();
            if is(&screen) {
                return screen;
            }
            assert!(started.elapsed() < PATIENCE, "never {what}:\n{screen}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The first opening over a library that was heard offers to write genres as they are heard. No, thank you.
    #[track_caller]
    fn declines(&self) -> &Self {
        self.sees("as they are heard?");
        self.keys("n").until("without the offer", |screen| !screen.contains("as they are heard?"));
        self
    }

    #[track_caller]
    fn sees(&self, what: &str) -> String {
        self.until(what, |screen| screen.contains(what))
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}

/// The line of the screen that holds `what`.
fn line<'a>(screen: &'a str, what: &str) -> &'a str {
    screen.lines().find(|l| l.contains(what)).unwrap_or_default()
}

#[test]
fn scan_search_correct_undo_tag_undo() {
    let machine = Machine::new();
    let tagged = machine.wav("a/jazz6-blues2.wav", 1);
    machine.wav("b/rock3-unsure1.wav", 2);
    machine.wav("c/metal4.wav", 3);
    machine.wav("d/refuse.wav", 4);
    let before = fs::read(&tagged).unwrap();
    let Some(ui) = Tmux::open(&machine, &[]) else { return };

    ui.sees("there is no music here yet");
    ui.keys(":").text(&format!("scan {}", machine.music.display())).keys("Enter");
    ui.sees("the script says no");
    ui.keys("1").sees("jazz 75");

    // Words mean shares; the list follows them as they are typed.
    ui.keys("/").text("mostly jazz").sees("1 hit ·");
    let found = ui.sees("jazz >= 50% and largest");
    assert!(found.contains("jazz6-blues2") && !found.contains("metal4"), "{found}");

    // This one is reggae and rock.
    ui.keys("Enter e 9 0 Enter");
    ui.sees("corrected 1 track");
    ui.sees("0 hits");
    ui.keys("1").until("the correction in the list", |s| line(s, "jazz6-blues2").contains("✓reggae 50"));
    ui.keys("u");
    ui.until("the model's word again", |s| line(s, "jazz6-blues2").contains("jazz 75"));

    // Nothing is written before two yeses; then it is, and every byte can come back.
    ui.keys("W").sees("3 would change");
    assert_eq!(fs::read(&tagged).unwrap(), before);
    ui.keys("a").sees("0 taken");
    ui.keys("g g Space").sees("1 taken");
    ui.keys("w").sees("write into 1 files?");
    assert_eq!(fs::read(&tagged).unwrap(), before);
    ui.keys("w").sees("1 files written");
    assert_ne!(fs::read(&tagged).unwrap(), before);
    ui.keys("H").sees("1 written");
    ui.keys("z").sees("take 1 files back?");
    ui.keys("z").sees("1 files taken back, 1 byte for byte");
    assert_eq!(fs::read(&tagged).unwrap(), before);

    ui.keys("Escape q");
    let after = ui.sees("ENDED 0 echo");
    assert!(!after.contains("Library"), "the terminal is not as it was:\n{after}");
}

#[test]
fn search_correct_retrain_accept_tag_undo_and_roll_back() {
    let machine = Machine::with_rock_and_jazz();
    let tagged = machine.music.join("artist9/rock8-0.wav");
    let before = fs::read(&tagged).unwrap();
    let Some(ui) = Tmux::open(&machine, &[]) else { return };
    ui.declines().sees("46 tracks");

    // Two artists are too few: it says how many more of what, and nothing has begun.
    ui.keys("/").text("path:artist0 or path:artist1").sees("8 hits");
    ui.keys("Enter a e").sees("the 8 marked tracks");
    ui.text("zouk").sees("a new genre: Zouk");
    ui.keys("Enter Enter").sees("corrected 8 tracks");
    ui.keys("T").sees("12 more tracks");
    ui.keys("Escape");
    // The review knows, too, and asks for what nobody spoke of.
    ui.keys("r").sees("8 of 20 tracks, 2 of 5 artists said");
    let asked = ui.sees("what teaches most first");
    assert!(asked.contains("Worth your word") && asked.contains("why "), "{asked}");

    // Four more artists: it learns, and shows what would change before anything does.
    ui.keys("/ C-u").text("path:artist2 or path:artist3 or path:artist4 or path:artist5").sees("16 hits");
    ui.keys("Enter a .").sees("corrected 16 tracks");
    ui.keys("T").sees("It may be used");
    let report = ui.sees("16 of 22 tracks would have another main genre");
    assert!(report.contains("rock → zouk"), "{report}");
    ui.keys("Escape 1").sees("corrected");
    ui.keys("/ C-u").text("mostly zouk").sees("24 hits");
    ui.keys("Enter");
    ui.keys("T").sees("It may be used");
    ui.keys("w").sees("the new model is in force: 16 tracks");
    ui.keys("Escape / C-u").text("mostly zouk").sees("40 hits");
    ui.keys("Enter").sees("Why rock8");
    ui.keys("6").until("the new model in force", |s| line(s, "● scripted-1").contains("scripted-1"));

    // What it says now is what would be written; and every byte comes back.
    ui.keys("/ C-u").text("path:artist9 mostly zouk").sees("4 hits");
    ui.keys("Enter W").sees("4 would change");
    ui.keys("w w").sees("4 files written");
    assert_ne!(fs::read(&tagged).unwrap(), before);
    ui.keys("H").sees("4 written");
    ui.keys("z z").sees("4 files taken back, 4 byte for byte");
    assert_eq!(fs::read(&tagged).unwrap(), before);

    // And the model, too.
    ui.keys("Escape 6 b").sees("back to the model before?");
    ui.keys("b").sees("scripted is in force");
    ui.keys("/ C-u").text("mostly zouk").sees("24 hits");
    ui.keys("Enter u u").sees("0 hits");
    ui.keys("Escape Escape q");
    ui.sees("ENDED 0 echo");
}

#[test]
fn a_correction_is_taken_over_to_look_alikes_and_the_review_takes_a_word() {
    let machine = Machine::with_rock_and_jazz();
    let Some(ui) = Tmux::open(&machine, &[]) else { return };
    ui.declines().sees("46 tracks");
    ui.keys("/").text("path:artist0").sees("4 hits");
    ui.keys("Enter e").text("zouk").keys("Enter Tab");
    ui.sees("and 39 look-alikes");
    ui.keys("Enter").sees("corrected 40 tracks");
    ui.keys("1").until("all of them", |s| line(s, "Zouk").contains("40"));
    ui.keys("u").sees("taken back: 40 tracks");
    // What is worth a word goes once the word is given.
    ui.keys("r").sees("46 · what teaches most first");
    ui.keys("a").sees("corrected 1 track");
    ui.sees("45 · what teaches most first");
    ui.keys("s").sees("44 · what teaches most first");
    ui.keys("e 6 Enter").sees("43 · what teaches most first");
    // Near is alike; the cross chooses.
    ui.keys("7").sees("46 tracks · near is alike");
    ui.keys("n l + Enter").sees("Who says what");
    ui.keys("q").sees("ENDED 0 echo");
}

#[test]
fn retraining_can_be_left_alone_stopped_and_refused() {
    let machine = Machine::with_rock_and_jazz();
    for artist in 0..6 {
        machine.run(&["correct", machine.music.join(format!("artist{artist}")).to_str().unwrap(), "zouk"]).exits(0);
    }
    {
        let Some(ui) = Tmux::open(&machine, &[("DEEPCUTS_SCRIPT_RETRAIN", "slow")]) else { return };
        ui.declines().sees("46 tracks");
        ui.keys("T").sees("held out");
        ui.keys("Escape").sees("learning ");
        // Keys are obeyed meanwhile.
        ui.keys("6").sees("scripted");
        ui.keys("T X").sees("stopped; nothing was changed");
        ui.keys("Escape q").sees("ENDED 0 echo");
    }
    let Some(ui) = Tmux::open(&machine, &[("DEEPCUTS_SCRIPT_RETRAIN", "lose")]) else { return };
    ui.sees("46 tracks");
    ui.keys("T").sees("Better not used");
    ui.keys("x").sees("thrown away; nothing was changed");
    ui.keys("Escape q").sees("ENDED 0 echo");
    let models = fs::read_dir(machine.at("library-models")).unwrap().flatten();
    let left: Vec<_> = models.map(|e| e.file_name().into_string().unwrap()).filter(|n| n != "reports").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn writing_as_heard_is_offered_once_and_begins_at_a_yes() {
    let machine = Machine::new();
    let tagged = machine.wav("a/jazz4.wav", 1);
    machine.scan().exits(0);
    let before = fs::read(&tagged).unwrap();
    {
        let Some(ui) = Tmux::open(&machine, &[]) else { return };
        ui.sees("as they are heard?");
        let offer = ui.sees("→ Jazz");
        assert!(offer.contains("Of the first 1 files that were heard, 1 would"), "{offer}");
        ui.keys("n").sees("nothing is written");
        assert_eq!(fs::read(&tagged).unwrap(), before);
        ui.keys("q");
        ui.sees("ENDED 0 echo");
    }
    let Some(ui) = Tmux::open(&machine, &[]) else { return };
    ui.sees("jazz 100");
    std::thread::sleep(Duration::from_secs(1));
    assert!(!ui.screen().contains("as they are heard?"), "asked twice");
    ui.keys(":").text("autowrite").keys("Enter").sees("1 tagged as heard");
    assert_ne!(fs::read(&tagged).unwrap(), before);
    assert!(fs::read_to_string(machine.at("config.toml")).unwrap().contains("auto_write = true"));
    // And back, byte for byte.
    ui.keys("H").sees("1 written");
    ui.keys("z z").sees("1 files taken back, 1 byte for byte");
    assert_eq!(fs::read(&tagged).unwrap(), before);
}

#[test]
fn what_arrives_appears_and_the_selection_stays() {
    let machine = Machine::new();
    machine.wav("m/jazz4.wav", 1);
    machine.wav("n/rock4.wav", 2);
    machine.scan().exits(0);
    let Some(ui) = Tmux::open(&machine, &[]) else { return };
    ui.declines().sees("2 tracks");
    ui.keys("G").until("the last track", |s| line(s, "rock4").contains('▌'));
    machine.wav("a/blues4.wav", 3);
    let screen = ui.sees("3 tracks");
    assert!(line(&screen, "rock4").contains('▌'), "{screen}");
}

#[test]
fn a_kill_restores_the_terminal() {
    let machine = Machine::new();
    machine.wav("a/jazz4.wav", 1);
    machine.scan().exits(0);
    let Some(ui) = Tmux::open(&machine, &[]) else { return };
    ui.declines().sees("jazz 100");
    let pane = ui.run(&["list-panes", "-t", "s", "-F", "#{pane_pid}"]);
    let killed = Command::new("pkill").args(["-TERM", "-P", pane.trim()]).status();
    if killed.is_err() {
        eprintln!("skipped: there is no pkill on this machine");
        return;
    }
    let after = ui.sees("ENDED 0 echo");
    assert!(!after.contains("Library"), "the terminal is not as it was:\n{after}");
}

#[test]
fn a_hostile_name_is_inert() {
    let machine = Machine::new();
    machine.wav("a/jazz4 \u{1b}]0;owned\u{7}\u{202e}.wav", 1);
    machine.scan().exits(0);
    let Some(ui) = Tmux::open(&machine, &[]) else { return };
    ui.declines().sees("jazz 100");
    ui.keys("l").sees("Who says what");
    assert_ne!(ui.run(&["display-message", "-p", "-t", "s", "#{pane_title}"]).trim(), "owned");
    assert!(!ui.screen().contains('\u{202e}'));
}

#[test]
fn an_idle_ui_costs_nothing() {
    let machine = Machine::new();
    machine.wav("a/jazz4.wav", 1);
    machine.scan().exits(0);
    let Some(ui) = Tmux::open(&machine, &[]) else { return };
    ui.declines().sees("jazz 100");
    std::thread::sleep(Duration::from_secs(3));
    let pane = ui.run(&["list-panes", "-t", "s", "-F", "#{pane_pid}"]);
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", pane.trim())).unwrap_or_default();
    let Some(pid) = children.split_whitespace().next() else {
        eprintln!("skipped: /proc does not list children here");
        return;
    };
    let ticks = || -> u64 {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let before = ticks();
    std::thread::sleep(Duration::from_secs(5));
    let used = ticks() - before;
    // Hundredths of a second: below 1 % of a core, in a debug build.
    assert!(used <= 5, "{used} ticks in 5 s");
}

#[test]
fn the_listener_in_the_ui_runs_the_hooks() {
    let machine = Machine::new();
    let told = machine.at("told");
    let settings = fs::read_to_string(machine.at("config.toml")).unwrap();
    let hooks = format!("\n[hooks]\non_heard = [\"sh\", \"-c\", \"cat >>'{}'\"]\n", told.display());
    fs::write(machine.at("config.toml"), settings + &hooks).unwrap();
    machine.wav("a/jazz4.wav", 1);
    machine.scan().exits(0);
    let Some(ui) = Tmux::open(&machine, &[]) else { return };
    ui.declines().sees("jazz 100");
    let path = machine.wav("b/blues4.wav", 2);
    ui.sees("blues 100");
    let started = Instant::now();
    while fs::read_to_string(&told).unwrap_or_default().lines().count() < 2 {
        assert!(started.elapsed() < PATIENCE, "the hook was not told");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(fs::read_to_string(&told).unwrap().contains(path.to_str().unwrap()));
    ui.keys("q").sees("ENDED 0 echo");
}

#[test]
fn what_sounds_alike_is_a_search_and_a_kept_search_is_the_command_lines() {
    let machine = Machine::new();
    machine.wav("a/jazz4.wav", 1);
    machine.wav("b/jazz3-blues1.wav", 2);
    machine.wav("c/metal4.wav", 3);
    machine.scan().exits(0);
    machine.run(&["search", "--save", "calm", "no metal"]).exits(0);
    let Some(ui) = Tmux::open(&machine, &[]) else { return };
    ui.declines().sees("3 tracks");
    ui.keys("g g M");
    let found = ui.sees("sounding like jazz4");
    assert!(found.contains("2 hits"), "{found}");
    // More words narrow it; a saved search is completed and counts as its words.
    ui.keys("/").text(" @ca").keys("Tab");
    let found = ui.sees("1 hit ");
    assert!(found.contains("@calm") && found.contains("jazz3-blues1") && !found.contains("metal4"), "{found}");
    ui.keys("Enter +").sees("kept: ");
    let saved = machine.run(&["search", "--saved"]).exits(0).out();
    let name = saved.lines().find(|line| line.starts_with("@like-")).unwrap().split(' ').next().unwrap().to_owned();
    let found = machine.run(&["search", "--format", "paths", &name]).exits(0).out();
    assert!(found.trim().ends_with("b/jazz3-blues1.wav"), "{found}");
    // What the command line keeps meanwhile is there too.
    machine.run(&["search", "--save", "later", "metal"]).exits(0);
    ui.keys("Escape").sees("@later");
}

#[test]
fn u_takes_back_what_was_said_last_even_while_it_is_not_kept_yet() {
    let machine = Machine::new();
    machine.wav("a/jazz4.wav", 1);
    machine.wav("b/metal4.wav", 2);
    machine.scan().exits(0);
    let Some(ui) = Tmux::open(&machine, &[]) else { return };
    ui.declines().sees("2 tracks");
    ui.keys("g g e 9 Enter").until("the first correction", |s| line(s, "jazz4").contains("✓reggae 100"));
    // A scan, say, has the database for a while: what is said now waits.
    let busy = rusqlite::Connection::open(machine.database()).unwrap();
    busy.execute_batch("BEGIN IMMEDIATE").unwrap();
    ui.keys("j e 0 Enter").until("no editor", |screen| !screen.contains("Enter keeps"));
    ui.keys("u");
    std::thread::sleep(Duration::from_millis(500));
    busy.execute_batch("ROLLBACK").unwrap();
    drop(busy);
    ui.sees("taken back: 1 track");
    let screen = ui.until("the second as it was heard", |s| line(s, "metal4").contains("metal 100"));
    assert!(line(&screen, "jazz4").contains("✓reggae 100"), "{screen}");
    // And again: the one before.
    ui.keys("u").until("the first as it was heard", |s| line(s, "jazz4").contains("jazz 100"));
    ui.keys("u").sees("nothing to take back");
}

#[test]
fn marks_outlive_a_correction_of_another_track() {
    let machine = Machine::new();
    for (i, name) in ["a/jazz4.wav", "b/metal4.wav", "c/rock4.wav"].iter().enumerate() {
        machine.wav(name, i as u32);
    }
    machine.scan().exits(0);
    let Some(ui) = Tmux::open(&machine, &[]) else { return };
    ui.declines().sees("3 tracks");
    ui.keys("g g Space Space").sees("2 marked");
    ui.keys("Enter").sees("Who says what");
    ui.keys("e 9 Enter").sees("corrected 1 track");
    ui.keys("1 g g").sees("2 marked");
    // Corrected themselves, they are done with.
    ui.keys("e 0 Enter").sees("corrected 2 tracks");
    ui.keys("j").until("no marks", |s| !s.contains("marked") && s.contains("3 corrected"));
}

#[test]
fn another_word_for_a_genre_is_known_at_once() {
    let machine = Machine::new();
    machine.wav("a/jazz4.wav", 1);
    machine.scan().exits(0);
    let Some(ui) = Tmux::open(&machine, &[]) else { return };
    ui.declines().sees("1 track");
    ui.keys("e").text("swing").sees("a new genre: Swing");
    machine.run(&["genre", "alias", "jazz", "swing"]).exits(0);
    ui.until("jazz", |screen| !screen.contains("a new genre"));
    ui.keys("Enter Enter").sees("corrected 1 track");
    ui.until("the correction", |s| line(s, "jazz4").contains("✓jazz 100"));
}

#[test]
fn a_folder_that_is_not_there_is_said() {
    let machine = Machine::new();
    machine.wav("jazz4.wav", 1);
    machine.scan().exits(0);
    fs::rename(&machine.music, machine.at("elsewhere")).unwrap();
    let Some(ui) = Tmux::open(&machine, &[]) else { return };
    ui.until("the folder", |screen| screen.contains("as they are heard?") || screen.contains("not there"));
    ui.keys("n 5");
    ui.sees("folders not there");
}
