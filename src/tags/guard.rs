//! lofty behind a fence: a panic of its is an error, and so is taking too long.
//!
//! It has panicked on a channel count of zero and on an assertion while it wrote MP4. A thread that never
//! returns cannot be ended from here; it is left behind, and its file with it.

use std::{panic::AssertUnwindSafe, sync::mpsc, thread, time::Duration};

/// No tag takes so long: an MP4 with a 40 MB table of offsets takes a tenth of a second.
const DEADLINE: Duration = Duration::from_secs(20);

/// The name of the thread.
const THREAD: &str = "tag-library";

/// Run `job` behind the fence.
pub(super) fn guarded<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Result<T, &'static str> {
    let (tell, told) = mpsc::sync_channel(1);
    let fenced = move || {
        let _ = tell.send(std::panic::catch_unwind(AssertUnwindSafe(job)));
    };
    let Ok(thread) = thread::Builder::new().name(THREAD.to_owned()).spawn(fenced) else {
        return Err("no thread could be started");
    };
    match told.recv_timeout(DEADLINE) {
        Ok(Ok(value)) => {
            let _ = thread.join();
            Ok(value)
        }
        Ok(Err(_)) => Err("the tag library gave up on it"),
        Err(_) => Err("the tag library takes too long over it"),
    }
}
