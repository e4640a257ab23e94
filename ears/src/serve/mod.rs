//! The message loop: requests in, answers out, and the threads between.
//!
//! stdin -> reader -> bounded queue -> N decode workers, all pulling from that one queue -> one classify
//! thread, which owns the network and fills its batches across tracks -> writer -> stdout. All queues are
//! bounded, so a slow stage holds the ones before it and memory stays flat. A file that fails is an answer
//! like any other. When stdin closes, what was asked is still answered; when nobody reads the answers any
//! more, everything ends. stdout carries nothing but messages.

mod classify;
mod messages;
mod worker;

use std::{
    io::{BufRead, Write},
    path::PathBuf,
    process::ExitCode,
    thread::{self, JoinHandle},
};

use crossbeam_channel::bounded;
use deepcuts_protocol::{Answer, Device, ModelCard};

use crate::model::{DeviceChoice, ModelError, Network, Verdicts, use_threads};

/// Files asked for and not begun. Beyond it the reader waits; a desk keeps far fewer open.
const QUEUED_FILES: usize = 1024;

/// Pieces of tracks that wait for the network, each of at most a few dozen chunks: two a worker keep it fed.
const PIECES_PER_WORKER: usize = 2;

/// Answers that wait for stdout.
const QUEUED_ANSWERS: usize = 64;

/// `deepcuts-ears serve`.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "deepcuts-ears serve", about = "Listen to the files that are asked for on stdin, answer on stdout")]
pub struct Options {
    /// Weights of the model (safetensors), its card beside them
    #[arg(long, value_name = "FILE")]
    pub model: PathBuf,
    /// Decode workers [default: the number of cores]
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
    /// Where the network runs: auto, cpu or cuda
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = device)]
    pub device: DeviceChoice,
}

fn device(name: &str) -> Result<DeviceChoice, String> {
    DeviceChoice::of_name(name).ok_or_else(|| "it is one of auto, cpu, cuda".to_owned())
}

/// Why nothing was served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The model cannot be used; a `Fatal` said so.
    #[error("{0}")]
    Model(String),
    /// The system gave no thread.
    #[error("a thread does not start: {0}")]
    Thread(#[from] std::io::Error),
    /// The classify thread broke down.
    #[error("the thread of the network broke down")]
    Classify,
}

/// What the loop needs of a network; tests bring their own.
pub trait Judge {
    /// Its card.
    fn card(&self) -> &ModelCard;
    /// Where it runs.
    fn device(&self) -> Device;
    /// Name `n` chunks.
    ///
    /// # Errors
    /// When the network fails.
    fn classify(&mut self, chunks: &[f32], n: usize) -> Result<Verdicts, ModelError>;
    /// Name `n` embeddings.
    ///
    /// # Errors
    /// When the network fails.
    fn label(&mut self, embeddings: &[f32], n: usize) -> Result<Verdicts, ModelError>;
}

impl Judge for Network {
    fn card(&self) -> &ModelCard {
        self.card()
    }

    fn device(&self) -> Device {
        self.device()
    }

    fn classify(&mut self, chunks: &[f32], n: usize) -> Result<Verdicts, ModelError> {
        self.classify(chunks, n)
    }

    fn label(&mut self, embeddings: &[f32], n: usize) -> Result<Verdicts, ModelError> {
        self.label(embeddings, n)
    }
}

/// Serve on stdin and stdout with the network of `options`.
#[must_use]
pub fn run(options: &Options) -> ExitCode {
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = options.workers.unwrap_or(cores).max(1);
    let (model, device) = (options.model.clone(), options.device);
    let load = move || {
        // Before it loads: threads that were started once wait in a loop for more. A card that cannot be read is
        // the loader's to report.
        use_threads(if ModelCard::read_for(&model).is_ok_and(|card| is_light(&card)) { 1 } else { cores });
        Network::load(&model, device)
    };
    match serve(std::io::BufReader::new(std::io::stdin()), std::io::stdout(), load, workers) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the ears end");
            ExitCode::from(2)
        }
    }
}

/// Multiply-adds for a second of sound below which a network is light.
const LIGHT_MACS_PER_S: u64 = 50_000_000;

/// Whether the network costs less than decoding what it hears. Then it has one thread, and the cores are the
/// decoders': measured on two cores with `cuts`, two threads of the network's wait for each other in a loop and
/// cost 1.2 s of CPU a track instead of 0.5.
fn is_light(card: &ModelCard) -> bool {
    card.macs_per_chunk
        .is_some_and(|macs| macs.saturating_mul(1000) / u64::from(card.chunk_ms.max(1)) < LIGHT_MACS_PER_S)
}

/// The loop itself, on any streams and any network. It is over when `input` ends and all is answered, when
/// `output` breaks, or when the network does not load (`Err`, after a `Fatal`).
///
/// # Errors
/// The network did not load, or a thread could not be started.
pub fn serve<J: Judge + 'static>(
    input: impl BufRead + Send + 'static,
    output: impl Write + Send + 'static,
    load: impl FnOnce() -> Result<J, ModelError> + Send + 'static,
    workers: usize,
) -> Result<(), ServeError> {
    let (say, answers) = bounded::<Answer>(QUEUED_ANSWERS);
    let (job, jobs) = bounded(QUEUED_FILES);
    let (work, works) = bounded(PIECES_PER_WORKER * workers);
    let (ready, loaded) = bounded(1);

    let writer = start("writer", move || messages::write(output, &answers))?;
    let classify_say = say.clone();
    let classify = start("classify", move || classify::run(load, workers, &works, &classify_say, &ready))?;
    // The workers begin once the model is there: its card says what they are to compute, and the first answer
    // is `Ready`. The reader is not waited for: it may stand in a read for ever.
    if let Ok(target) = loaded.recv() {
        let (reader_jobs, reader_work) = (jobs.clone(), work.clone());
        start("reader", move || messages::read(input, &job, &reader_jobs, &reader_work))?;
        let mut threads = Vec::with_capacity(workers);
        for n in 0..workers {
            let worker = worker::Worker { target, jobs: jobs.clone(), work: work.clone(), say: say.clone() };
            threads.push(start(&format!("decode-{n}"), move || worker.run())?);
        }
        drop((jobs, work, say));
        for thread in threads {
            let _ = thread.join();
        }
    } else {
        drop((job, jobs, work, say));
    }
    let served = classify.join().unwrap_or(Err(ServeError::Classify));
    let _ = writer.join();
    served
}

fn start<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, std::io::Error> {
    thread::Builder::new().name(name.to_owned()).spawn(work)
}
