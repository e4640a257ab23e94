//! Lines of JSON on both ends of the loop.

use std::io::{BufRead, Write};

use crossbeam_channel::{Receiver, Sender};
use deepcuts_protocol::{Answer, Request};

use super::{classify::Work, worker::Job};

/// Read requests until `input` ends or nobody takes them. `waiting` is the other end of `jobs`, for `Cancel`.
pub fn read(input: impl BufRead, jobs: &Sender<Job>, waiting: &Receiver<Job>, work: &Sender<Work>) {
    for line in input.split(b'\n') {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                tracing::warn!(%error, "the requests end");
                return;
            }
        };
        if line.trim_ascii().is_empty() {
            continue;
        }
        let taken = match serde_json::from_slice(&line) {
            Ok(Request::Listen { id, path }) => jobs.send(Job { id, path: path.0 }).is_ok(),
            Ok(Request::Label { id, tracks }) => work.send(Work::Label { id, tracks }).is_ok(),
            Ok(Request::Cancel) => {
                let dropped = waiting.try_iter().count();
                tracing::debug!(dropped, "cancelled");
                true
            }
            Err(error) => {
                tracing::warn!(%error, "a line that is no request");
                true
            }
        };
        if !taken {
            return;
        }
    }
}

/// Write answers until there are no more of them or nobody reads them.
pub fn write(mut output: impl Write, answers: &Receiver<Answer>) {
    for answer in answers {
        let written = serde_json::to_vec(&answer).map_err(std::io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            output.write_all(&line)?;
            output.flush()
        });
        if let Err(error) = written {
            tracing::warn!(%error, "nobody reads the answers any more");
            return;
        }
    }
}
