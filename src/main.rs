//! `deepcuts`: parse, log, run, exit.

use std::{io::Write, process::ExitCode};

use clap::Parser;
use deepcuts::{
    cli::Cli,
    commands::{self, COULD_NOT_RUN},
    search::query::QueryError,
    text::told,
};

fn main() -> ExitCode {
    match commands::run(Cli::parse()) {
        Ok(outcome) => ExitCode::from(outcome.code()),
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Where nobody reads stderr any more, the exit code still says it.
            let _ = match error.downcast_ref::<QueryError>() {
                // Clean already, and its caret needs its line breaks.
                Some(error) => writeln!(std::io::stderr(), "deepcuts: {error}"),
                None => writeln!(std::io::stderr(), "deepcuts: {}", told(error.as_ref())),
            };
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

/// `deepcuts search jazz | head` is no error.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|e| e.downcast_ref::<std::io::Error>()).any(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}
