//! Ears that follow a script, for tests of the desk: no libtorch, no decoding.
//!
//! What they hear in a file stands in its name: `jazz6-blues2.wav` is six chunks of jazz and two of blues
//! (a word that is no genre of the card counts as unsure). Other words in the name make trouble: `die` ends the
//! process, `stall` never answers, `garbage` breaks the protocol, `refuse` fails politely, `slow` takes a
//! moment. `DEEPCUTS_SCRIPT_LOG` names a file that gets a line for each file they listen to. A name without any of these is four chunks of rock.

use std::{
    io::{BufRead, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use deepcuts_protocol::{
    Answer, Base64, Device, Embeddings, Hearing, ModelCard, PROTOCOL_VERSION, Request, Stage, Timeline, UNSURE,
};

fn say(answer: &Answer) {
    let mut out = std::io::stdout().lock();
    let _ = serde_json::to_writer(&mut out, answer);
    let _ = out.write_all(b"\n");
    let _ = out.flush();
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let model = args.windows(2).find(|w| w[0] == "--model").map(|w| PathBuf::from(&w[1]));
    let card = match model.as_deref().map(ModelCard::read_for) {
        Some(Ok(card)) => card,
        Some(Err(error)) => return say(&Answer::Fatal { reason: error.to_string() }),
        None => return say(&Answer::Fatal { reason: "no --model".to_owned() }),
    };
    let device =
        Device { kind: "script".to_owned(), libtorch: "none".to_owned(), decode_workers: 1, network_threads: 1 };
    say(&Answer::Ready { protocol: PROTOCOL_VERSION, device, card: Box::new(card.clone()) });
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let Ok(Request::Listen { id, path }) = serde_json::from_str(&line) else { continue };
        say(&Answer::Begun { id });
        if let Some(log) = std::env::var_os("DEEPCUTS_SCRIPT_LOG") {
            let line = format!("{}\n", path.0.display());
            let file = std::fs::OpenOptions::new().create(true).append(true).open(log);
            let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
        }
        listen(id, &path.0, &card);
    }
}

fn listen(id: u64, path: &Path, card: &ModelCard) {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    if words.contains(&"die") {
        std::process::abort();
    }
    if words.contains(&"stall") {
        std::thread::sleep(Duration::from_secs(3600));
    }
    if words.contains(&"garbage") {
        println!("this is no answer");
        return;
    }
    if words.contains(&"refuse") {
        return say(&Answer::Failed { id, stage: Stage::Decode, reason: "the script says no".to_owned() });
    }
    if words.contains(&"slow") {
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut winners = Vec::new();
    for word in &words {
        let genre = word.trim_end_matches(|c: char| c.is_ascii_digit());
        let Ok(n) = word[genre.len()..].parse::<usize>() else { continue };
        let known = card.genres.iter().position(|g| g == genre);
        if known.is_some() || genre == "unsure" {
            winners.extend(std::iter::repeat_n(known.map_or(UNSURE, |i| i as u8), n));
        }
    }
    if winners.is_empty() {
        winners = vec![card.genres.iter().position(|g| g == "rock").unwrap_or(0) as u8; 4];
    }
    say(&Answer::Heard { id, hearing: Box::new(hearing(&winners, card)) });
}

/// One embedding a chunk: mostly the axis of its winner.
fn hearing(winners: &[u8], card: &ModelCard) -> Hearing {
    let dim = usize::from(card.embedding_dim);
    let mut rows = Vec::new();
    for (i, &winner) in winners.iter().enumerate() {
        let axis = if winner == UNSURE { dim - 1 } else { usize::from(winner) % dim };
        rows.extend((0..dim).map(|d| if d == axis { 1.0 } else { ((d * 7 + i * 3) % 5) as f32 / 50.0 }));
    }
    Hearing {
        duration_ms: winners.len() as u64 * u64::from(card.chunk_ms),
        sample_rate_hz: 44_100,
        channels: 2,
        codec: "script".to_owned(),
        start_ms: 0,
        chunk_ms: card.chunk_ms,
        timeline: Timeline {
            winners: Base64(winners.to_vec()),
            scores: Base64(winners.iter().map(|&w| if w == UNSURE { 60 } else { 200 }).collect()),
        },
        embeddings: Embeddings::quantise(&rows, dim),
    }
}
