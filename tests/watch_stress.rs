//! Thousands of mixed events in a watched folder: in the end the library is what is on the disk, nothing is
//! missed, nothing is heard twice. `DEEPCUTS_EVENTS` sets how many (the soak run uses 100,000).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use support::Machine;

/// Seeded, so that a failure can be seen again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

/// A WAV of a few samples that no other number makes.
fn sound(n: u32) -> Vec<u8> {
    let samples: Vec<u8> =
        (0..64_u32).flat_map(|i| (n.wrapping_mul(2_654_435_761).rotate_left(i) as i16).to_le_bytes()).collect();
    let mut wav = Vec::from(*b"RIFF");
    wav.extend((36 + samples.len() as u32).to_le_bytes());
    wav.extend(*b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data");
    wav.extend((samples.len() as u32).to_le_bytes());
    wav.extend(samples);
    wav
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// One step of a busy life; returns how many events it is worth at least.
fn step(music: &Path, dice: &mut Dice, next: &mut u32) -> usize {
    let mut all = Vec::new();
    let folder = music.join(format!("d{}", dice.roll(12)));
    files(&folder, &mut all);
    let fresh = |next: &mut u32| {
        *next += 1;
        sound(*next)
    };
    match dice.roll(8) {
        // A file arrives whole, or slowly, or under a name of its own first.
        0 | 1 => {
            let deep = folder.join(format!("{}/{}", dice.roll(4), dice.roll(4)));
            fs::create_dir_all(&deep).unwrap();
            let bytes = fresh(next);
            let path = deep.join(format!("jazz2 {next}.wav"));
            let mut file = fs::File::create(&path).unwrap();
            for part in bytes.chunks(1 + dice.roll(bytes.len())) {
                file.write_all(part).unwrap();
            }
            2
        }
        2 => {
            fs::create_dir_all(&folder).unwrap();
            let part = folder.join(format!("{}.part", *next));
            fs::write(&part, fresh(next)).unwrap();
            fs::rename(part, folder.join(format!("rock2 {next}.wav"))).unwrap();
            3
        }
        3 if !all.is_empty() => {
            let to = music.join(format!("d{}", dice.roll(12)));
            fs::create_dir_all(&to).unwrap();
            *next += 1;
            fs::rename(&all[dice.roll(all.len())], to.join(format!("moved pop2 {next}.wav"))).unwrap();
            2
        }
        4 if !all.is_empty() => {
            fs::remove_file(&all[dice.roll(all.len())]).unwrap();
            1
        }
        5 if !all.is_empty() => {
            fs::write(&all[dice.roll(all.len())], fresh(next)).unwrap();
            2
        }
        6 if folder.is_dir() => {
            *next += 1;
            fs::rename(&folder, music.join(format!("d{} moved {next}", dice.roll(12)))).unwrap();
            2
        }
        7 if !all.is_empty() => {
            *next += 1;
            fs::copy(&all[dice.roll(all.len())], music.join(format!("copy blues2 {next}.wav"))).unwrap();
            2
        }
        _ => 0,
    }
}

#[test]
fn nothing_is_missed_and_nothing_is_heard_twice() {
    let events: usize = std::env::var("DEEPCUTS_EVENTS").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000);
    let machine = Machine::new();
    fs::write(machine.music.join("first jazz2.wav"), sound(0)).unwrap();
    let log = machine.at("listened");
    let (out, err) = (machine.at("out"), machine.at("err"));
    let watching = machine.watch(|command| {
        command.env("DEEPCUTS_SCRIPT_LOG", &log);
        command.stdout(fs::File::create(&out).unwrap()).stderr(fs::File::create(&err).unwrap());
    });
    let (mut dice, mut next, mut done) = (Dice(0x5eed), 0, 0);
    while done < events {
        done += step(&machine.music, &mut dice, &mut next);
    }
    let on_disk: BTreeSet<PathBuf> = {
        let mut all = Vec::new();
        files(&machine.music, &mut all);
        all.into_iter().collect()
    };
    // Settled: the library is what is on the disk, and all of it is heard.
    let since = Instant::now();
    let mut known = BTreeSet::new();
    let mut heard_files = 0;
    while since.elapsed() < Duration::from_secs(240) {
        std::thread::sleep(Duration::from_millis(500));
        let Ok(store) = deepcuts::store::Store::open_reader(&machine.database()) else { continue };
        known.clear();
        store.each_file(|file| known.extend(file.present.then_some(file.path))).unwrap();
        heard_files = store.stats().unwrap().heard;
        if known == on_disk && heard_files == on_disk.len() as u64 {
            break;
        }
    }
    drop(watching);
    let missed: Vec<_> = on_disk.difference(&known).take(5).collect();
    let ghosts: Vec<_> = known.difference(&on_disk).take(5).collect();
    assert!(missed.is_empty() && ghosts.is_empty(), "missed {missed:?}, ghosts {ghosts:?}");
    assert_eq!(heard_files, on_disk.len() as u64);
    // Every recording was listened to once; where a file changed under the ears, what they said was dropped.
    let count = |path: &Path, what: &str| fs::read_to_string(path).unwrap_or_default().matches(what).count();
    let listened = count(&log, "\n");
    let dropped = count(&err, "it is still changing");
    let recordings: usize = rusqlite::Connection::open(machine.database())
        .unwrap()
        .query_row("SELECT COUNT(*) FROM analyses", [], |r| r.get::<_, i64>(0))
        .unwrap() as usize;
    assert!((recordings..=recordings + dropped).contains(&listened), "{recordings} + {dropped} / {listened}");
    println!(
        "{done} events, {} files, {recordings} recordings, listened to {listened}, {dropped} dropped",
        on_disk.len()
    );
}
