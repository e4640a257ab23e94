//! `deepcuts-ears`: reads requests on stdin, answers on stdout.

use std::process::ExitCode;

use clap::Parser;
use deepcuts_ears::{serve, startup, train};

fn main() -> ExitCode {
    log();
    startup::prepare();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("serve") => serve::run(&serve::Options::parse_from(&arguments)),
        _ => train::command::run(&arguments),
    }
}

/// stdout carries messages only; whatever else there is to say goes to stderr.
fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("DEEPCUTS_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    std::panic::set_hook(Box::new(|panic| tracing::warn!("{panic}")));
}
