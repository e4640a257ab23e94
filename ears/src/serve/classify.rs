//! The thread that owns the network. It fills batches across tracks and puts each track together again.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use deepcuts_protocol::{
    Answer, Base64, Embeddings, Hearing, LabelTrack, Labelled, PROTOCOL_VERSION, Stage, Timeline, UNSURE,
};

use super::{Judge, ServeError, worker::Target};
use crate::{
    mel::{self, Chunks},
    model::{ModelError, Verdicts},
};

/// Chunks in a batch. On a CPU more than this gains nothing and costs memory; a GPU wants to be filled.
const CPU_BATCH: usize = 32;
const CUDA_BATCH: usize = 256;

/// A batch that does not fill is run after this long: what a listener would not notice.
const FLUSH_AFTER: Duration = Duration::from_millis(50);

/// What the workers, and the reader, want of the network.
pub enum Work {
    /// Chunks of a track, in order.
    Piece {
        /// The request.
        id: u64,
        /// The chunks.
        chunks: Chunks,
    },
    /// All pieces of a track have come.
    End {
        /// The request.
        id: u64,
        /// What is known of the track.
        meta: Meta,
    },
    /// A track failed; what came of it is dropped.
    Abandon {
        /// The request.
        id: u64,
        /// Where.
        stage: Stage,
        /// Why.
        reason: String,
    },
    /// Name stored embeddings again.
    Label {
        /// The request.
        id: u64,
        /// The tracks.
        tracks: Vec<LabelTrack>,
    },
}

/// What the decoder found out about a track.
#[derive(Clone, Debug)]
pub struct Meta {
    /// Whole decoded length.
    pub duration_ms: u64,
    /// Sample rate of the file.
    pub sample_rate_hz: u32,
    /// Channels of the file.
    pub channels: u16,
    /// Name of the codec.
    pub codec: String,
    /// Where the first chunk begins.
    pub start_ms: u64,
}

/// Load the network, say `Ready` (or `Fatal`), tell `ready` what to compute, then classify until `works` ends.
pub fn run<J: Judge>(
    load: impl FnOnce() -> Result<J, ModelError>,
    workers: usize,
    works: &Receiver<Work>,
    say: &Sender<Answer>,
    ready: &Sender<Target>,
) -> Result<(), ServeError> {
    let fatal = |reason: String| {
        let _ = say.send(Answer::Fatal { reason: reason.clone() });
        ServeError::Model(reason)
    };
    let judge = match catch_unwind(AssertUnwindSafe(load)) {
        Ok(Ok(judge)) => judge,
        Ok(Err(error)) => return Err(fatal(error.to_string())),
        Err(_) => return Err(fatal("the network broke down while it was loaded".to_owned())),
    };
    let card = judge.card().clone();
    if card.feature_version != mel::FEATURE_VERSION {
        return Err(fatal(format!(
            "model {} was trained behind version {} of the front ends, and this program has version {}: use a model \
             that came with it, or train again",
            card.name,
            card.feature_version,
            mel::FEATURE_VERSION
        )));
    }
    let mut device = judge.device();
    device.decode_workers = u32::try_from(workers).unwrap_or(u32::MAX);
    let full = if device.kind == "cuda" { CUDA_BATCH } else { CPU_BATCH };
    let target = Target { front_end: card.front_end, chunk_frames: card.chunk_frames as usize };
    let chunk_len = target.chunk_frames * mel::bands(target.front_end);
    let said = say.send(Answer::Ready { protocol: PROTOCOL_VERSION, device, card: Box::new(card) });
    if said.is_err() || ready.send(target).is_err() {
        return Ok(());
    }
    let mut batcher = Batcher { judge, say, full, chunk_len, tracks: HashMap::new(), batch: Batch::default() };
    // An error means that nobody takes the answers: that is the end, and no failure of ours.
    let _ = batcher.run(works);
    Ok(())
}

/// Every value of the embedding of a silent chunk: whoever reads stored embeddings again knows it by that.
const SILENCE: f32 = 0.0;

/// The winners of chunks with these embeddings. A network names silence as well as anything; nobody would call it music.
fn named<'a>(winners: &'a [u8], embeddings: &'a [f32], dim: usize) -> impl Iterator<Item = u8> + 'a {
    let silent = |row: &[f32]| row.iter().all(|&x| x == SILENCE);
    winners.iter().zip(embeddings.chunks_exact(dim)).map(move |(&w, row)| if silent(row) { UNSURE } else { w })
}

/// Nobody takes the answers any more.
struct Gone;

#[derive(Default)]
struct Batch {
    data: Vec<f32>,
    /// Whose chunks they are, and which of them are silent, in order.
    owners: Vec<(u64, Vec<bool>)>,
    chunks: usize,
    since: Option<Instant>,
}

/// A track that is not whole yet.
#[derive(Default)]
struct Track {
    winners: Vec<u8>,
    scores: Vec<u8>,
    embeddings: Vec<f32>,
    /// Chunks that wait in the batch.
    waiting: usize,
    end: Option<Meta>,
    /// It was answered already; what still comes is dropped.
    failed: bool,
}

struct Batcher<'a, J> {
    judge: J,
    say: &'a Sender<Answer>,
    full: usize,
    chunk_len: usize,
    tracks: HashMap<u64, Track>,
    batch: Batch,
}

impl<J: Judge> Batcher<'_, J> {
    fn run(&mut self, works: &Receiver<Work>) -> Result<(), Gone> {
        loop {
            let work = match self.batch.since {
                Some(since) => works.recv_deadline(since + FLUSH_AFTER),
                None => works.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match work {
                Ok(Work::Piece { id, chunks }) => self.add(id, chunks)?,
                Ok(Work::End { id, meta }) => {
                    self.tracks.entry(id).or_default().end = Some(meta);
                    self.complete(id)?;
                }
                Ok(Work::Abandon { id, stage, reason }) => self.abandon(id, stage, reason)?,
                Ok(Work::Label { id, tracks }) => self.label(id, &tracks)?,
                Err(RecvTimeoutError::Timeout) => self.flush()?,
                Err(RecvTimeoutError::Disconnected) => return self.flush(),
            }
        }
    }

    fn add(&mut self, id: u64, chunks: Chunks) -> Result<(), Gone> {
        let track = self.tracks.entry(id).or_default();
        if track.failed {
            return Ok(());
        }
        track.waiting += chunks.count();
        self.batch.chunks += chunks.count();
        self.batch.data.extend_from_slice(&chunks.data);
        self.batch.owners.push((id, chunks.silent));
        self.batch.since.get_or_insert_with(Instant::now);
        if self.batch.chunks >= self.full { self.flush() } else { Ok(()) }
    }

    /// Run all that waits, in batches.
    fn flush(&mut self) -> Result<(), Gone> {
        let batch = std::mem::take(&mut self.batch);
        if batch.chunks == 0 {
            return Ok(());
        }
        let mut all = Verdicts::default();
        let mut failure = None;
        for data in batch.data.chunks(self.full * self.chunk_len) {
            match self.classify(data, data.len() / self.chunk_len) {
                Ok(verdicts) => {
                    all.winners.extend(verdicts.winners);
                    all.scores.extend(verdicts.scores);
                    all.embeddings.extend(verdicts.embeddings);
                }
                Err(error) => {
                    failure = Some(error.to_string());
                    break;
                }
            }
        }
        if let Some(reason) = failure {
            for (id, _) in batch.owners {
                self.fail(id, Stage::Classify, reason.clone())?;
            }
            return Ok(());
        }
        let dim = usize::from(self.judge.card().embedding_dim);
        let mut at = 0;
        for (id, silent) in batch.owners {
            let span = at..at + silent.len();
            at = span.end;
            let Some(track) = self.tracks.get_mut(&id).filter(|track| !track.failed) else { continue };
            track.waiting -= silent.len();
            let embeddings = &mut all.embeddings[span.start * dim..span.end * dim];
            for (row, _) in embeddings.chunks_exact_mut(dim).zip(&silent).filter(|(_, silent)| **silent) {
                row.fill(SILENCE);
            }
            track.winners.extend(named(&all.winners[span.clone()], embeddings, dim));
            track.embeddings.extend_from_slice(embeddings);
            track.scores.extend_from_slice(&all.scores[span]);
            self.complete(id)?;
        }
        Ok(())
    }

    fn classify(&mut self, data: &[f32], n: usize) -> Result<Verdicts, ModelError> {
        let dim = usize::from(self.judge.card().embedding_dim);
        let verdicts = catch_unwind(AssertUnwindSafe(|| self.judge.classify(data, n)))
            .unwrap_or_else(|_| Err(ModelError::Network("it broke down".to_owned())))?;
        let lengths = (verdicts.winners.len(), verdicts.scores.len(), verdicts.embeddings.len());
        if lengths != (n, n, n * dim) {
            return Err(ModelError::Network(format!("{lengths:?} values came for {n} chunks")));
        }
        if verdicts.embeddings.iter().any(|x| !x.is_finite()) {
            return Err(ModelError::Network("an embedding is not finite".to_owned()));
        }
        Ok(verdicts)
    }

    /// Answer for a track of which everything has come.
    fn complete(&mut self, id: u64) -> Result<(), Gone> {
        let Some(track) = self.tracks.get_mut(&id) else { return Ok(()) };
        if track.waiting > 0 {
            return Ok(());
        }
        let Some(meta) = track.end.take() else { return Ok(()) };
        let Some(track) = self.tracks.remove(&id).filter(|track| !track.failed) else { return Ok(()) };
        let card = self.judge.card();
        let hearing = Hearing {
            duration_ms: meta.duration_ms,
            sample_rate_hz: meta.sample_rate_hz,
            channels: meta.channels,
            codec: meta.codec,
            start_ms: meta.start_ms,
            chunk_ms: card.chunk_ms,
            timeline: Timeline { winners: Base64(track.winners), scores: Base64(track.scores) },
            embeddings: Embeddings::quantise(&track.embeddings, usize::from(card.embedding_dim)),
        };
        match hearing.check(card.genres.len()) {
            Ok(()) => self.answer(Answer::Heard { id, hearing: Box::new(hearing) }),
            Err(error) => self.answer(Answer::Failed { id, stage: Stage::Classify, reason: error.to_string() }),
        }
    }

    /// The network failed on a track that still goes on.
    fn fail(&mut self, id: u64, stage: Stage, reason: String) -> Result<(), Gone> {
        let Some(track) = self.tracks.get_mut(&id) else { return Ok(()) };
        if std::mem::replace(&mut track.failed, true) {
            return Ok(());
        }
        let ended = track.end.is_some();
        *track = Track { failed: true, ..Track::default() };
        if ended {
            self.tracks.remove(&id);
        }
        self.answer(Answer::Failed { id, stage, reason })
    }

    /// The worker gave a track up: nothing more comes of it.
    fn abandon(&mut self, id: u64, stage: Stage, reason: String) -> Result<(), Gone> {
        match self.tracks.remove(&id) {
            Some(track) if track.failed => Ok(()),
            _ => self.answer(Answer::Failed { id, stage, reason }),
        }
    }

    fn label(&mut self, id: u64, tracks: &[LabelTrack]) -> Result<(), Gone> {
        let dim = usize::from(self.judge.card().embedding_dim);
        let mut labelled = Vec::with_capacity(tracks.len());
        for track in tracks {
            let n = track.embeddings.rows();
            let rows: Vec<f32> = (0..n).flat_map(|r| track.embeddings.row(r)).collect();
            let verdicts = if rows.len() == n * dim {
                catch_unwind(AssertUnwindSafe(|| self.judge.label(&rows, n)))
                    .unwrap_or_else(|_| Err(ModelError::Network("it broke down".to_owned())))
            } else {
                Err(ModelError::Network(format!(
                    "the stored embeddings of track {} have {} values a row, and the model wants {dim}",
                    track.track, track.embeddings.dim
                )))
            };
            match verdicts {
                Ok(v) => {
                    let winners = Base64(named(&v.winners, &rows, dim).collect());
                    labelled.push(Labelled { track: track.track, winners, scores: Base64(v.scores) });
                }
                Err(error) => {
                    return self.answer(Answer::Failed { id, stage: Stage::Classify, reason: error.to_string() });
                }
            }
        }
        self.answer(Answer::Labelled { id, tracks: labelled })
    }

    fn answer(&self, answer: Answer) -> Result<(), Gone> {
        self.say.send(answer).map_err(|_| Gone)
    }
}
