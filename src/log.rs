//! The log: warnings go to stderr, made fit for a terminal; `-v` says more. What runs for long also writes a
//! file of JSON lines, a new one a day. Nothing is ever sent anywhere.

use std::{io::Write, path::Path, sync::Mutex};

use tracing_appender::rolling::{Builder, RollingFileAppender, Rotation};
use tracing_subscriber::{EnvFilter, Layer, fmt::MakeWriter, layer::SubscriberExt, util::SubscriberInitExt};

use crate::text::clean;

/// Days of log files that are kept.
const DAYS: usize = 10;

/// Where the log goes besides the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Talk {
    /// To stderr, with so many `-v`.
    Stderr(u8),
    /// Nowhere: a terminal UI has the screen.
    Silent,
}

/// Start logging; with `folder`, to a file there as well.
///
/// # Errors
/// When the folder of the log cannot be used.
pub fn start(talk: Talk, folder: Option<&Path>) -> std::io::Result<()> {
    let stderr = match talk {
        Talk::Silent => None,
        Talk::Stderr(verbose) => {
            let level = match verbose {
                0 => "warn",
                1 => "deepcuts=info,warn",
                _ => "deepcuts=trace,info",
            };
            let layer = tracing_subscriber::fmt::layer()
                .with_writer(CleanStderr)
                .with_ansi(false)
                .with_target(false)
                .without_time();
            Some(layer.with_filter(filter(level)))
        }
    };
    let file = folder.map(open).transpose()?.map(|file| {
        tracing_subscriber::fmt::layer().json().with_writer(Mutex::new(file)).with_filter(filter("deepcuts=info,warn"))
    });
    // A second start (in a test) changes nothing.
    let _ = tracing_subscriber::registry().with(stderr).with(file).try_init();
    Ok(())
}

fn filter(level: &str) -> EnvFilter {
    EnvFilter::try_from_env("DEEPCUTS_LOG").unwrap_or_else(|_| EnvFilter::new(level))
}

fn open(folder: &Path) -> std::io::Result<RollingFileAppender> {
    std::fs::create_dir_all(folder)?;
    Builder::new()
        .rotation(Rotation::DAILY)
        .filename_prefix("deepcuts")
        .filename_suffix("log")
        .max_log_files(DAYS)
        .build(folder)
        .map_err(std::io::Error::other)
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
