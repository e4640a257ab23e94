//! Identification: which audio a file holds, and what its tags say. Never the ears, never the database.

use std::{fs::File, panic::AssertUnwindSafe, path::PathBuf};

use crossbeam_channel::{Receiver, Sender};
use deepcuts_protocol::Stage;

use super::Event;
use crate::{
    payload::{self, PayloadError},
    store::NewFile,
    tags,
    track::{FileStamp, FileTags},
};

pub(super) fn run(planned: &Receiver<(PathBuf, FileStamp)>, tell: &Sender<Event>, stopped: &dyn Fn() -> bool) {
    for (path, stamp) in planned {
        if stopped() {
            continue;
        }
        let event = std::panic::catch_unwind(AssertUnwindSafe(|| identify(path.clone(), stamp))).unwrap_or_else(|_| {
            let reason = "its structure could not be read".to_owned();
            Event::Failed { path: path.clone(), stamp, stage: Stage::Probe, reason }
        });
        // What changed or went while it was read has not failed, and is not to be known by what was read.
        let event = if FileStamp::read(&path).ok() == Some(stamp) { event } else { Event::Changing(path) };
        if tell.send(event).is_err() {
            return;
        }
    }
}

fn identify(path: PathBuf, stamp: FileStamp) -> Event {
    let failed = |stage, reason: String, path| Event::Failed { path, stamp, stage, reason };
    if stamp.size == 0 {
        return failed(Stage::Probe, "it is empty".to_owned(), path);
    }
    let payload = match File::open(&path).map_err(PayloadError::from).and_then(|file| payload::identify(&file)) {
        Ok(payload) => payload,
        Err(PayloadError::Io(error)) => return failed(Stage::Read, error.to_string(), path),
        Err(error) => return failed(Stage::Probe, error.to_string(), path),
    };
    // Tags that cannot be read are no reason not to listen.
    let tags = tags::read(&path, payload.format).unwrap_or_else(|error| {
        tracing::info!("{}: {error}", path.display());
        FileTags::default()
    });
    Event::Identified(Box::new(NewFile { path, stamp, audio: payload.id, format: payload.format, tags }))
}
