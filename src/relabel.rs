//! Names from stored embeddings: what another head on the same trunk heard is named again without decoding.
//!
//! A candidate names the library so for its preview; a model that comes into force names what is missing. It knows
//! store and ears, and neither corrections nor scans.

use std::{collections::HashMap, sync::atomic::AtomicBool};

use deepcuts_protocol::{Labelled, ModelCard};

use crate::{
    ears::{self, Setup},
    store::{NewLabels, Store, StoreError, Unlabelled},
};

/// Tracks in one request: under a megabyte of JSON, and some thousand rows for the network at once.
const BATCH: usize = 128;

/// Tracks in one transaction: others that write wait a few dozen milliseconds at most.
const KEEP: usize = 1024;

/// Why it did not work.
#[derive(Debug, thiserror::Error)]
pub enum RelabelError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ears.
    #[error("{0}")]
    Ears(String),
}

impl From<String> for RelabelError {
    fn from(reason: String) -> Self {
        Self::Ears(reason)
    }
}

/// Let the model of `card` (the one that `setup` starts) name every track that it has not named and whose embeddings
/// are there. `tell` hears (done, all). Returns how many were named; what was named before a cancellation is kept.
///
/// # Errors
/// The database, or why the ears cannot.
pub fn missing(
    store: &Store,
    setup: &Setup,
    card: &ModelCard,
    cancel: &AtomicBool,
    tell: &mut dyn FnMut(u64, u64),
) -> Result<u64, RelabelError> {
    let total = store.count_unlabelled(card)?;
    if total == 0 {
        return Ok(0);
    }
    let mut after = i64::MIN;
    let waiting = std::cell::RefCell::new(HashMap::<i64, Unlabelled>::new());
    let mut ready: Vec<NewLabels> = Vec::new();
    let mut done = 0;
    tell(0, total);
    let next = || -> Result<Vec<_>, RelabelError> {
        let batch = store.unlabelled(card, after, BATCH)?;
        after = batch.last().map_or(after, |last| last.label.track);
        let mut waiting = waiting.borrow_mut();
        Ok(batch
            .into_iter()
            .map(|mut track| {
                let label = deepcuts_protocol::LabelTrack {
                    track: track.label.track,
                    embeddings: std::mem::replace(
                        &mut track.label.embeddings,
                        deepcuts_protocol::Embeddings::quantise(&[], 1),
                    ),
                };
                track.label.embeddings.stride = label.embeddings.stride;
                waiting.insert(label.track, track);
                label
            })
            .collect())
    };
    let keep = |tracks: Vec<Labelled>| -> Result<(), RelabelError> {
        for labelled in tracks {
            let Some(asked) = waiting.borrow_mut().remove(&labelled.track) else { continue };
            ready.push(spread(&asked, labelled, card)?);
        }
        if ready.len() >= KEEP {
            store.put_labels(card, &ready)?;
            done += ready.len() as u64;
            ready.clear();
            tell(done, total);
        }
        Ok(())
    };
    ears::label(setup, cancel, next, keep)?;
    store.put_labels(card, &ready)?;
    done += ready.len() as u64;
    tell(done, total);
    Ok(done)
}

/// A winner and a score a chunk, where several chunks share a row.
fn spread(asked: &Unlabelled, labelled: Labelled, card: &ModelCard) -> Result<NewLabels, RelabelError> {
    let stride = (asked.label.embeddings.stride as usize).max(1);
    let rows = asked.chunks.div_ceil(stride);
    let (winners, scores) = (labelled.winners.0, labelled.scores.0);
    let known = |w: &u8| *w == deepcuts_protocol::UNSURE || usize::from(*w) < card.genres.len();
    if winners.len() != rows || scores.len() != rows || !winners.iter().all(known) {
        return Err(RelabelError::Ears(format!("the ears named {} rows of a track that has {rows}", winners.len())));
    }
    let each = |of: &[u8]| (0..asked.chunks).filter_map(|c| of.get(c / stride).copied()).collect();
    Ok(NewLabels {
        track: asked.label.track,
        start_ms: asked.start_ms,
        chunk_ms: asked.chunk_ms,
        winners: each(&winners),
        scores: each(&scores),
        heard_ms: asked.heard_ms,
    })
}
