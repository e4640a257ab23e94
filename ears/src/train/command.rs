//! `deepcuts-ears train|eval|retrain --job FILE`: the job comes as a file, what is to be said goes to stdout as JSON
//! lines, and the end of stdin, or a line on it, is the wish to stop.

use std::{
    io::{self, BufRead, Write},
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use deepcuts_protocol::TrainSay;
use serde::de::DeserializeOwned;

use super::{TrainError, eval, retrain, train};

/// Run `train|eval|retrain --job FILE [--deaf]`. With `--deaf` stdin is not listened to (for runs in the background).
pub fn run(arguments: &[String]) -> ExitCode {
    let mut say = |message: TrainSay| {
        if let Ok(line) = serde_json::to_string(&message) {
            let mut out = io::stdout().lock();
            // Nobody listens any more: the stop follows from stdin.
            let _ = writeln!(out, "{line}").and_then(|()| out.flush());
        }
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (what, file, deaf) = match words[..] {
        [what, "--job", file] => (what, file, false),
        [what, "--job", file, "--deaf"] => (what, file, true),
        _ => {
            say(TrainSay::Fatal { reason: "usage: deepcuts-ears train|eval|retrain --job FILE [--deaf]".to_owned() });
            return ExitCode::from(2);
        }
    };
    let cancel = Arc::new(AtomicBool::new(false));
    if !deaf {
        stop_with_stdin(&cancel);
    }
    let done = match what {
        "train" => read(Path::new(file)).and_then(|job| train(&job, &cancel, &mut say)),
        "eval" => read(Path::new(file)).and_then(|job| eval(&job, &cancel, &mut say)),
        "retrain" => read(Path::new(file)).and_then(|job| retrain(&job, &cancel, &mut say)),
        other => Err(TrainError::Recipe(format!("{other} is no command of these ears"))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            say(TrainSay::Fatal { reason: e.to_string() });
            ExitCode::from(2)
        }
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, TrainError> {
    let bad = |reason: String| TrainError::Source { path: path.to_path_buf(), reason };
    let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
    serde_json::from_str(&text).map_err(|e| bad(e.to_string()))
}

/// A line on stdin, or its end, is the wish to stop.
fn stop_with_stdin(cancel: &Arc<AtomicBool>) {
    let cancel = Arc::clone(cancel);
    let listen = move || {
        let _ = io::stdin().lock().read_line(&mut String::new());
        cancel.store(true, Ordering::Relaxed);
    };
    // Not joined: it may wait for stdin until the process ends.
    let _ = thread::Builder::new().name("stdin".to_owned()).spawn(listen);
}
