//! Starting, feeding, watching over and restarting the ears.
//!
//! [`listen`] takes files from a channel and says for each what was heard or why it failed. A file that kills
//! or stalls the ears costs the listener that file alone: the ears are started again, the files that were
//! begun are tried one by one, and the one on which the ears die alone is the one that fails. This room knows
//! neither database nor tags.

mod label;
mod probe;
mod work;

use std::{
    collections::{HashMap, VecDeque},
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded};
use deepcuts_protocol::{Answer, Device, Hearing, ModelCard, PROTOCOL_VERSION, Request, Stage, WirePath};

use crate::text::clean;

pub use label::label;
pub use probe::try_out;
pub use work::work;

/// Files given to the ears and not answered: enough that no decode worker waits for the desk, few enough that
/// little is lost when the ears die.
const OUTSTANDING: usize = 32;

/// Answers waiting for the desk. The ears block beyond it, and with them their memory.
const ANSWERS: usize = 64;

/// How long the ears may take to load libtorch and the model.
const START: Duration = Duration::from_secs(120);

/// What the ears allow a file themselves is given some grace before they are killed for it.
const GRACE: Duration = Duration::from_secs(5);

/// Starts without one answer, after which it is not tried again.
const FAILED_STARTS: u32 = 3;

/// How the ears are started.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The program.
    pub program: PathBuf,
    /// Weights of the model, its card beside them.
    pub model: PathBuf,
    /// `auto`, `cpu` or `cuda`.
    pub device: String,
    /// Decode workers, 0 for the number of cores.
    pub workers: u32,
    /// How long a file may go on without audio.
    pub stall: Duration,
    /// Without a file for so long the ears are let go; they start again when there is one.
    pub idle: Duration,
}

/// A file to listen to.
#[derive(Clone, Debug)]
pub struct Job {
    /// Chosen by the caller, unique.
    pub id: u64,
    /// The file.
    pub path: PathBuf,
}

/// What is said of a file, or of the ears.
#[derive(Debug)]
pub enum Said {
    /// The ears are ready.
    Ready {
        /// Where they run.
        device: Device,
        /// The model.
        card: Box<ModelCard>,
    },
    /// A file is being listened to.
    Begun(u64),
    /// A file was heard.
    Heard(u64, Box<Hearing>),
    /// A file failed.
    Failed(u64, Stage, String),
    /// The ears cannot be used at all; nothing more is said.
    Fatal(String),
}

/// Listen to every job until their channel closes, or `cancel` is set: then what was begun is dropped.
pub fn listen(setup: &Setup, jobs: &Receiver<Job>, said: &Sender<Said>, cancel: &AtomicBool) {
    let mut desk = Listener {
        setup,
        said,
        waiting: VecDeque::new(),
        alone: VecDeque::new(),
        outstanding: HashMap::new(),
        failed_starts: 0,
        announced: false,
    };
    if let Err(reason) = desk.run(jobs, cancel) {
        let _ = said.send(Said::Fatal(reason));
    }
}

struct Given {
    job: Job,
    /// When the ears last showed that they are busy with it; none before they began.
    alive: Option<Instant>,
}

struct Listener<'a> {
    setup: &'a Setup,
    said: &'a Sender<Said>,
    /// Accepted, not given to the ears yet.
    waiting: VecDeque<Job>,
    /// Files on which the ears may have died: given one at a time.
    alone: VecDeque<Job>,
    outstanding: HashMap<u64, Given>,
    failed_starts: u32,
    announced: bool,
}

/// How a session with one process of the ears ended.
enum End {
    /// No more jobs.
    Done,
    /// Nothing to do for a while.
    Idle,
    /// The process died or was killed.
    Died(String),
    /// Nobody is listening to us any more.
    Unheard,
}

impl Listener<'_> {
    fn run(&mut self, jobs: &Receiver<Job>, cancel: &AtomicBool) -> Result<(), String> {
        loop {
            // The ears are started when there is something to hear.
            if self.waiting.is_empty() && self.alone.is_empty() {
                match jobs.recv_timeout(Duration::from_millis(200)) {
                    Ok(job) => self.waiting.push_back(job),
                    Err(RecvTimeoutError::Timeout) if cancel.load(Ordering::Relaxed) => return Ok(()),
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => return Ok(()),
                }
            }
            let mut process = Process::start(self.setup)?;
            let end = self.session(&mut process, jobs, cancel)?;
            let reason = match end {
                End::Done | End::Idle | End::Unheard => {
                    process.let_go();
                    match end {
                        End::Idle => continue,
                        _ => return Ok(()),
                    }
                }
                End::Died(reason) => process.bury(&reason),
            };
            self.blame(&reason)?;
        }
    }

    /// Feed one process until it has nothing to do, dies, or stalls.
    fn session(&mut self, process: &mut Process, jobs: &Receiver<Job>, cancel: &AtomicBool) -> Result<End, String> {
        let started = Instant::now();
        let mut ready = false;
        let mut open = true;
        let mut busy = Instant::now();
        loop {
            if cancel.load(Ordering::Relaxed) {
                return Ok(End::Done);
            }
            let limit = if self.alone.is_empty() { OUTSTANDING } else { 1 };
            while open && self.alone.is_empty() && self.waiting.len() + self.outstanding.len() < limit {
                match jobs.try_recv() {
                    Ok(job) => self.waiting.push_back(job),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => open = false,
                }
            }
            while ready && self.outstanding.len() < limit {
                let Some(job) = self.alone.pop_front().or_else(|| self.waiting.pop_front()) else { break };
                let ask = Request::Listen { id: job.id, path: WirePath(job.path.clone()) };
                self.outstanding.insert(job.id, Given { job, alive: None });
                if let Err(error) = process.ask(&ask) {
                    return Ok(End::Died(error.to_string()));
                }
            }
            let nothing = self.outstanding.is_empty() && self.waiting.is_empty() && self.alone.is_empty();
            if nothing && !open {
                return Ok(End::Done);
            }
            if !nothing {
                busy = Instant::now();
            } else if busy.elapsed() >= self.setup.idle {
                return Ok(End::Idle);
            }
            let patience = if nothing { Duration::from_millis(20) } else { Duration::from_millis(100) };
            match process.answers.recv_timeout(patience) {
                Ok(Ok(Answer::Ready { protocol, device, card })) => {
                    if protocol != PROTOCOL_VERSION {
                        return Err(format!(
                            "{} speaks version {protocol}, this program {PROTOCOL_VERSION}: install both from one build",
                            self.setup.program.display()
                        ));
                    }
                    ready = true;
                    if !self.announced {
                        self.announced = true;
                        if self.said.send(Said::Ready { device, card }).is_err() {
                            return Ok(End::Unheard);
                        }
                    }
                }
                Ok(Ok(Answer::Fatal { reason })) => return Err(reason),
                Ok(Ok(answer)) => {
                    if !self.hear(answer) {
                        return Ok(End::Unheard);
                    }
                }
                Ok(Err(line)) => return Ok(End::Died(line)),
                Err(RecvTimeoutError::Disconnected) => return Ok(End::Died("the ears ended".to_owned())),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if !ready && started.elapsed() > START {
                return Ok(End::Died(format!("the ears were not ready after {} s", START.as_secs())));
            }
            let limit = self.setup.stall + GRACE;
            if self.outstanding.values().any(|g| g.alive.is_some_and(|at| at.elapsed() > limit)) {
                return Ok(End::Died(format!("no audio for {} s", limit.as_secs())));
            }
        }
    }

    /// Pass an answer on; false when nobody listens.
    fn hear(&mut self, answer: Answer) -> bool {
        let said = match answer {
            Answer::Begun { id } => {
                if let Some(given) = self.outstanding.get_mut(&id) {
                    given.alive = Some(Instant::now());
                }
                Said::Begun(id)
            }
            Answer::Alive { id, .. } => {
                if let Some(given) = self.outstanding.get_mut(&id) {
                    given.alive = Some(Instant::now());
                }
                return true;
            }
            Answer::Heard { id, hearing } => {
                if self.outstanding.remove(&id).is_none() {
                    return true;
                }
                Said::Heard(id, hearing)
            }
            Answer::Failed { id, stage, reason } => {
                if self.outstanding.remove(&id).is_none() {
                    return true;
                }
                Said::Failed(id, stage, reason)
            }
            _ => return true,
        };
        self.failed_starts = 0;
        self.said.send(said).is_ok()
    }

    /// The ears died: find out on which file.
    fn blame(&mut self, reason: &str) -> Result<(), String> {
        let mut given: Vec<Given> = self.outstanding.drain().map(|(_, g)| g).collect();
        given.sort_by_key(|g| g.job.id);
        let stalled = |g: &Given| g.alive.is_some_and(|at| at.elapsed() > self.setup.stall + GRACE);
        let begun = given.iter().filter(|g| g.alive.is_some()).count();
        if begun == 0 {
            self.failed_starts += 1;
            if self.failed_starts >= FAILED_STARTS {
                return Err(format!("the ears do not stay up: {reason}"));
            }
        }
        tracing::warn!(reason, begun, "the ears are started again");
        for g in given {
            if stalled(&g) || (begun == 1 && g.alive.is_some()) {
                let why = if stalled(&g) { reason.to_owned() } else { format!("the ears died on it: {reason}") };
                if self.said.send(Said::Failed(g.job.id, Stage::Ears, why)).is_err() {
                    return Ok(());
                }
            } else if g.alive.is_some() {
                self.alone.push_back(g.job);
            } else {
                self.waiting.push_back(g.job);
            }
        }
        Ok(())
    }
}

/// The program of the ears, to be told what to do.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    // Torch's idle threads would spin on cores that others want: a step of learning took ten times as long.
    if std::env::var_os("OMP_WAIT_POLICY").is_none() {
        command.env("OMP_WAIT_POLICY", "passive");
    }
    command
}

/// One process of the ears.
struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    answers: Receiver<Result<Answer, String>>,
    threads: Vec<JoinHandle<()>>,
}

impl Process {
    fn start(setup: &Setup) -> Result<Self, String> {
        let mut command = command(&setup.program);
        command.arg("serve").arg("--model").arg(&setup.model).args(["--device", &setup.device]);
        if setup.workers > 0 {
            command.args(["--workers", &setup.workers.to_string()]);
        }
        // Ctrl-C on a terminal is for the desk, which lets them finish what they have begun: in a group of their own they
        // do not hear of it. They end when the desk does, for it is then that their stdin closes.
        command.process_group(0);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("the ears {} do not start: {e}", setup.program.display()))?;
        let stdin = child.stdin.take();
        let (sender, answers) = bounded(ANSWERS);
        let mut threads = Vec::new();
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.into()).spawn(work).map_err(|e| format!("no thread: {e}"))
        };
        if let Some(stdout) = child.stdout.take() {
            threads.push(spawn(
                "ears-stdout",
                Box::new(move || {
                    for line in BufReader::new(stdout).lines() {
                        let answer = line
                            .map_err(|e| e.to_string())
                            .and_then(|l| serde_json::from_str(&l).map_err(|e| format!("not an answer: {e}")));
                        if sender.send(answer).is_err() {
                            break;
                        }
                    }
                }),
            )?);
        }
        if let Some(stderr) = child.stderr.take() {
            threads.push(spawn(
                "ears-stderr",
                Box::new(move || {
                    for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                        tracing::info!("ears: {}", clean(&String::from_utf8_lossy(&line)));
                    }
                }),
            )?);
        }
        Ok(Self { child, stdin, answers, threads })
    }

    fn ask(&mut self, request: &Request) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        match &mut self.stdin {
            Some(stdin) => stdin.write_all(&line).and_then(|()| stdin.flush()),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Close stdin and wait a moment; kill what does not end.
    fn let_go(mut self) {
        drop(self.stdin.take());
        let since = Instant::now();
        while since.elapsed() < Duration::from_secs(2) {
            // Answers of what was begun are of no use any more, but must not block the ears.
            while self.answers.try_recv().is_ok() {}
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.reap();
    }

    /// Kill, reap, and say how it ended.
    fn bury(mut self, reason: &str) -> String {
        let ended = self.child.try_wait().ok().flatten();
        self.reap();
        match ended.or_else(|| self.child.try_wait().ok().flatten()) {
            Some(status) if ended.is_some() => format!("{reason} ({status})"),
            _ => reason.to_owned(),
        }
    }

    fn reap(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The threads end with the pipes; answers must flow until then.
        while !self.threads.iter().all(JoinHandle::is_finished) {
            let _ = self.answers.recv_timeout(Duration::from_millis(5));
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
