//! Naming stored embeddings again, after a new head: no decoding, the network's last layer only.

use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::RecvTimeoutError;
use deepcuts_protocol::{Answer, LabelTrack, Labelled, PROTOCOL_VERSION, Request};

use super::{Process, START, Setup};

/// Requests on their way: while one is answered the next is read from the database, and no more than that is held.
const OUTSTANDING: usize = 3;

/// Why a batch of embeddings may take long: nothing, so a silence of this length is an end.
const SILENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// Label every batch that `next` gives until it gives an empty one, and hand what was labelled to `keep`. Returns
/// false when it was cancelled.
///
/// # Errors
/// Why the ears cannot, or what `next` or `keep` said.
pub fn label<E: From<String>>(
    setup: &Setup,
    cancel: &AtomicBool,
    mut next: impl FnMut() -> Result<Vec<LabelTrack>, E>,
    mut keep: impl FnMut(Vec<Labelled>) -> Result<(), E>,
) -> Result<bool, E> {
    let mut process = Process::start(setup).map_err(E::from)?;
    let mut run = || -> Result<bool, E> {
        match process.answers.recv_timeout(START) {
            Ok(Ok(Answer::Ready { protocol: PROTOCOL_VERSION, .. })) => {}
            Ok(Ok(Answer::Fatal { reason })) => return Err(E::from(reason)),
            Ok(Ok(_)) => return Err(E::from("these ears are of another version; run `make build`".to_owned())),
            Ok(Err(reason)) => return Err(E::from(reason)),
            Err(_) => return Err(E::from("the ears ended before they were ready".to_owned())),
        }
        let (mut id, mut waiting, mut more) = (0, 0, true);
        while more || waiting > 0 {
            if cancel.load(Ordering::Relaxed) {
                return Ok(false);
            }
            if more && waiting < OUTSTANDING {
                let tracks = next()?;
                more = !tracks.is_empty();
                if more {
                    process.ask(&Request::Label { id, tracks }).map_err(|e| E::from(format!("the ears: {e}")))?;
                    id += 1;
                    waiting += 1;
                }
                continue;
            }
            match process.answers.recv_timeout(SILENCE) {
                Ok(Ok(Answer::Labelled { tracks, .. })) => {
                    waiting -= 1;
                    keep(tracks)?;
                }
                Ok(Ok(Answer::Failed { reason, .. } | Answer::Fatal { reason })) => return Err(E::from(reason)),
                Ok(Ok(_)) => {}
                Ok(Err(reason)) => return Err(E::from(reason)),
                Err(RecvTimeoutError::Timeout) => return Err(E::from("the ears fell silent".to_owned())),
                Err(RecvTimeoutError::Disconnected) => return Err(E::from("the ears ended".to_owned())),
            }
        }
        Ok(true)
    };
    let done = run();
    process.let_go();
    done
}
