//! `deepcuts-ears`: reads requests on stdin, answers on stdout.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    deepcuts_ears::train::command::run(&arguments)
}
