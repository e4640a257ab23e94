//! A long job of the ears: train, judge, retrain. One process, a job in a file, one line said at a time.
//!
//! The end of stdin is the wish to stop, so the ears also stop when the desk is killed. What they say goes to a
//! callback; nothing is printed here.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use deepcuts_protocol::{PROTOCOL_VERSION, TrainSay};

use crate::text::clean;

/// How often the wish to stop is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// Priority of gentle work: what the listener does goes first.
const GENTLE: i32 = 15;

/// Let the ears do `what` (`train`, `eval`, `retrain`) as `job` says, and pass on what they say, until they end.
/// `gentle` work gives way to everything else on the machine. `cancel` asks them to stop and keep the best so far.
///
/// # Errors
/// Why it could not be done, for people.
pub fn work(
    program: &Path,
    what: &str,
    job: &impl serde::Serialize,
    gentle: bool,
    cancel: &Arc<AtomicBool>,
    say: &mut dyn FnMut(TrainSay),
) -> Result<(), String> {
    let job_file = |e: &dyn std::fmt::Display| format!("the job file: {e}");
    let mut file = tempfile::NamedTempFile::new().map_err(|e| job_file(&e))?;
    serde_json::to_writer(&mut file, job).map_err(|e| job_file(&e))?;
    file.flush().map_err(|e| job_file(&e))?;
    let mut child = super::command(program)
        .arg(what)
        .arg("--job")
        .arg(file.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // Not ours: the UI draws there, and what a library prints may hold a file's name.
        .stderr(Stdio::piped())
        // A group of its own: Ctrl-C is ours to pass on, as a wish.
        .process_group(0)
        .spawn()
        .map_err(|e| format!("the ears {} do not start: {e}", program.display()))?;
    if gentle {
        let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Err(error) = rustix::process::setpriority_process(pid, GENTLE) {
            tracing::warn!(%error, "the ears work at the usual priority");
        }
    }
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let log = std::thread::Builder::new().name("ears-stderr".into()).spawn(move || {
        for line in stderr.into_iter().flat_map(|err| BufReader::new(err).split(b'\n')).map_while(Result::ok) {
            tracing::warn!("ears: {}", clean(&String::from_utf8_lossy(&line)));
        }
    });
    let ended = Arc::new(AtomicBool::new(false));
    let stopper = {
        let (cancel, ended) = (Arc::clone(cancel), Arc::clone(&ended));
        std::thread::Builder::new().name("stopper".into()).spawn(move || {
            let mut stdin = stdin;
            while !ended.load(Ordering::Relaxed) {
                if cancel.load(Ordering::Relaxed) {
                    drop(stdin.take());
                }
                std::thread::park_timeout(LOOK);
            }
        })
    };
    let mut result = None;
    for line in stdout.into_iter().flat_map(|out| BufReader::new(out).lines()) {
        let read = line.map_err(|e| format!("the ears: {e}")).and_then(|line| {
            serde_json::from_str::<TrainSay>(&line).map_err(|e| format!("the ears said {}: {e}", clean(&line)))
        });
        match read {
            Ok(TrainSay::Started { protocol, .. }) if protocol != PROTOCOL_VERSION => {
                result = Some(Err("these ears are of another version; run `make build`, or `make install`".to_owned()));
            }
            Ok(TrainSay::Fatal { reason }) => result = Some(Err(clean(&reason).into_owned())),
            Ok(done @ TrainSay::Done { .. }) => {
                result.get_or_insert(Ok(()));
                say(done);
                continue;
            }
            Ok(other) => {
                say(other);
                continue;
            }
            Err(reason) => result = Some(Err(reason)),
        }
        // It makes no sense to listen on.
        let _ = child.kill();
        break;
    }
    let status = child.wait().map_err(|e| format!("the ears: {e}"))?;
    ended.store(true, Ordering::Relaxed);
    if let Ok(stopper) = stopper {
        stopper.thread().unpark();
        let _ = stopper.join();
    }
    if let Ok(log) = log {
        let _ = log.join();
    }
    result.unwrap_or_else(|| Err(format!("the ears ended without a word ({status})")))
}
