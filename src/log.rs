//! The log: warnings go to stderr, made fit for a terminal; `-v` says more.
//!
//! Long-running commands add a file (see [`to_file`]); nothing is ever sent anywhere.

use std::{io::Write, path::Path};

use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use crate::text::clean;

/// Start logging to stderr: warnings, with `-v` information, with `-vv` all.
pub fn start(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "deepcuts=info,warn",
        _ => "deepcuts=trace,info",
    };
    let filter = EnvFilter::try_from_env("DEEPCUTS_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(CleanStderr)
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .try_init();
}

/// Log to a file in `folder`, a new one a day, of which ten are kept.
///
/// # Errors
/// When the folder cannot be made.
pub fn to_file(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let file = tracing_appender::rolling::Builder::new()
        .rotation(tracing_appender::rolling::Rotation::DAILY)
        .filename_prefix("deepcuts")
        .filename_suffix("log")
        .max_log_files(10)
        .build(folder)
        .map_err(std::io::Error::other)?;
    let filter = EnvFilter::try_from_env("DEEPCUTS_LOG").unwrap_or_else(|_| EnvFilter::new("deepcuts=info,warn"));
    let _ =
        tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::sync::Mutex::new(file)).try_init();
    Ok(())
}

struct CleanStderr;

impl Write for CleanStderr {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let line = text.trim_end_matches('\n');
        writeln!(std::io::stderr(), "deepcuts: {}", clean(line))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

impl<'a> MakeWriter<'a> for CleanStderr {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}
