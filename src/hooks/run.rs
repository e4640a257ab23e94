//! One hook: start it, hand it its event, watch the clock, and leave nothing behind. Knows no event and no queue.

use std::{
    io::{PipeReader, Read, Seek, Write},
    os::unix::process::CommandExt,
    process::{Child, Command},
    time::{Duration, Instant},
};

use rustix::{
    fs::{OFlags, fcntl_setfl},
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid},
};

/// Of what a hook prints so much is kept for the log, bytes.
const KEPT: usize = 1024;

/// Between being asked to end and being killed.
const GRACE: Duration = Duration::from_millis(300);

/// How a hook went wrong.
pub(super) enum Fault {
    /// There is no such program, or it may not be run.
    NoStart(std::io::Error),
    /// It took too long; what it said.
    Late(String),
    /// It ended badly.
    Failed(String),
}

/// Run `command` with `json` on its stdin until it ends or is `late`. Answers with what it said, for the log.
pub(super) fn run(command: &[String], event: &str, json: &[u8], late: &dyn Fn() -> bool) -> Result<String, Fault> {
    let failed = |error: std::io::Error| Fault::Failed(error.to_string());
    // A file, so that a hook that reads nothing blocks nobody.
    let mut stdin = tempfile::tempfile().map_err(failed)?;
    stdin.write_all(json).and_then(|()| stdin.rewind()).map_err(failed)?;
    let (mut said, ours) = std::io::pipe().map_err(failed)?;
    fcntl_setfl(&said, OFlags::NONBLOCK).map_err(|error| failed(error.into()))?;
    let also = ours.try_clone().map_err(failed)?;
    let [program, arguments @ ..] = command else { return Ok(String::new()) };
    // A process group of its own: Ctrl-C is not for it, and whatever it starts can be ended with it.
    let mut start = Command::new(program);
    start.args(arguments).env("DEEPCUTS_EVENT", event).process_group(0);
    let mut child = start.stdin(stdin).stdout(ours).stderr(also).spawn().map_err(Fault::NoStart)?;
    // With it go our copies of the pipe's other end.
    drop(start);
    let mut text = Vec::new();
    let mut pause = Duration::from_millis(1);
    let in_time = loop {
        read(&mut said, &mut text);
        if has_ended(&child) {
            break true;
        }
        if late() {
            break false;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    };
    if !in_time {
        end(&child);
    }
    read(&mut said, &mut text);
    let status = child.wait().map_err(failed)?;
    let text = String::from_utf8_lossy(&text);
    let text = match text.trim() {
        "" => String::new(),
        text => format!(": {}", crate::text::clean(text)),
    };
    match (in_time, status.success()) {
        (false, _) => Err(Fault::Late(text)),
        (true, true) => Ok(text),
        (true, false) => Err(Fault::Failed(format!("{status}{text}"))),
    }
}

/// Take what is there, and keep the beginning.
fn read(from: &mut PipeReader, text: &mut Vec<u8>) {
    let mut block = [0; 4096];
    // A program that never stops talking must not keep us here.
    for _ in 0..64 {
        match from.read(&mut block) {
            Ok(0) | Err(_) => return,
            Ok(n) => text.extend(&block[..n.min(KEPT.saturating_sub(text.len()))]),
        }
    }
}

/// Whether it has ended. It is not reaped by this, so its number stays its own.
fn has_ended(child: &Child) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(pid(child)), options).is_ok_and(|status| status.is_some())
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// End it and all that it started in its group: asked, then killed.
fn end(child: &Child) {
    let group = pid(child);
    let _ = kill_process_group(group, Signal::TERM);
    let since = Instant::now();
    while since.elapsed() < GRACE && !has_ended(child) {
        std::thread::sleep(Duration::from_millis(5));
    }
    // Not reaped yet, so the group is still ours whoever of it is left.
    let _ = kill_process_group(group, Signal::KILL);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn it_is_handed_the_event_and_its_words_are_logged() {
        let Ok(said) = run(&words(&["sh", "-c", "cat; echo $DEEPCUTS_EVENT >&2"]), "heard", b"{}\n", &|| false) else {
            panic!("it failed")
        };
        assert_eq!(said, ": {} heard");
    }

    #[test]
    fn a_flood_of_words_and_an_event_that_nobody_reads_block_nothing() {
        let big = vec![b'x'; 1 << 20];
        assert!(run(&words(&["sh", "-c", "head -c 3000000 /dev/zero"]), "heard", &big, &|| false).is_ok());
    }

    #[test]
    fn a_bad_end_is_told_with_its_words() {
        let Err(Fault::Failed(how)) = run(&words(&["sh", "-c", "echo no such server; exit 3"]), "x", b"", &|| false)
        else {
            panic!("it did not fail")
        };
        assert!(how.contains('3') && how.contains("no such server"), "{how}");
        assert!(matches!(run(&words(&["/no/such/program"]), "x", b"", &|| false), Err(Fault::NoStart(_))));
    }
}
