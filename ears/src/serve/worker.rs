//! A decode worker: takes a file, hands its chunks to the network, piece by piece.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, SendTimeoutError, Sender};
use deepcuts_protocol::{Answer, FrontEnd};

use super::classify::{Meta, Work};
use crate::{
    decode::{self, DecodeError, Decoder},
    mel,
};

/// How often a busy file says that it lives.
const ALIVE_EVERY: Duration = Duration::from_secs(1);

/// A file to listen to.
#[derive(Clone, Debug)]
pub struct Job {
    /// The request.
    pub id: u64,
    /// The file.
    pub path: PathBuf,
}

/// What the network wants to be fed.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its front end.
    pub front_end: FrontEnd,
    /// Mel frames of a chunk.
    pub chunk_frames: usize,
}

/// One of the workers.
pub struct Worker {
    /// What the network wants.
    pub target: Target,
    /// Where files come from; shared by all workers.
    pub jobs: Receiver<Job>,
    /// Where pieces go.
    pub work: Sender<Work>,
    /// Where `Begun` and `Alive` go.
    pub say: Sender<Answer>,
}

/// Why a file ended early.
enum Stop {
    Failed(DecodeError),
    /// Nobody is there to take the result.
    Gone,
}

impl From<DecodeError> for Stop {
    fn from(error: DecodeError) -> Self {
        Self::Failed(error)
    }
}

impl Worker {
    /// Work until there are no more files, or nobody takes the results.
    pub fn run(self) {
        for job in &self.jobs {
            if self.say.send(Answer::Begun { id: job.id }).is_err() {
                return;
            }
            let begun = Instant::now();
            let end = match decode::guarded(|| self.listen(&job)) {
                Ok(meta) => {
                    tracing::debug!(id = job.id, ms = begun.elapsed().as_millis(), "decoded");
                    Work::End { id: job.id, meta }
                }
                Err(Stop::Failed(error)) => {
                    tracing::debug!(id = job.id, %error, "failed");
                    Work::Abandon { id: job.id, stage: error.stage(), reason: error.to_string() }
                }
                Err(Stop::Gone) => return,
            };
            if self.work.send(end).is_err() {
                return;
            }
        }
    }

    fn listen(&self, job: &Job) -> Result<Meta, Stop> {
        let mut decoder = Decoder::open(&job.path)?;
        let mut alive = Alive { id: job.id, say: &self.say, last: Instant::now() };
        let mut window = Vec::new();
        let mut stream = None;
        while decoder.next_window(&mut window)? {
            alive.tick(decoder.decoded_ms())?;
            let rate = decoder.format().sample_rate_hz;
            let stream =
                stream.get_or_insert_with(|| mel::Stream::new(self.target.front_end, self.target.chunk_frames, rate));
            let decoded_ms = decoder.decoded_ms();
            stream.push(&window, rate, &mut |chunks| self.hand_on(chunks, &mut alive, decoded_ms))?;
        }
        let decoded_ms = decoder.decoded_ms();
        let Some(stream) = stream else { return Err(DecodeError::NoSamples.into()) };
        let summary = stream.finish(&mut |chunks| self.hand_on(chunks, &mut alive, decoded_ms))?;
        let format = decoder.format();
        Ok(Meta {
            duration_ms: decoded_ms,
            sample_rate_hz: format.sample_rate_hz,
            channels: format.channels,
            codec: format.codec.clone(),
            start_ms: summary.start_ms,
        })
    }

    /// Queue chunks for the network; a full queue is waited for, and the file stays alive meanwhile.
    fn hand_on(&self, chunks: mel::Chunks, alive: &mut Alive<'_>, decoded_ms: u64) -> Result<(), Stop> {
        let mut piece = Work::Piece { id: alive.id, chunks };
        loop {
            match self.work.send_timeout(piece, ALIVE_EVERY) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Timeout(back)) => piece = back,
                Err(SendTimeoutError::Disconnected(_)) => return Err(Stop::Gone),
            }
            alive.tick(decoded_ms)?;
        }
    }
}

/// Says about once a second that a file is alive.
struct Alive<'a> {
    id: u64,
    say: &'a Sender<Answer>,
    last: Instant,
}

impl Alive<'_> {
    fn tick(&mut self, decoded_ms: u64) -> Result<(), Stop> {
        if self.last.elapsed() < ALIVE_EVERY {
            return Ok(());
        }
        self.last = Instant::now();
        self.say.send(Answer::Alive { id: self.id, decoded_ms }).map_err(|_| Stop::Gone)
    }
}
