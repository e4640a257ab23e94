//! `completions` and `man`: made from the same clap types as the help.

use std::io::Write;

use clap::CommandFactory;

use super::Outcome;
use crate::cli::Cli;

pub(super) fn completions(shell: clap_complete::Shell) -> anyhow::Result<Outcome> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "deepcuts", &mut out);
    std::io::stdout().write_all(&out)?;
    Ok(Outcome::Good)
}

pub(super) fn page() -> anyhow::Result<Outcome> {
    let mut command = Cli::command();
    command.build();
    let mut out = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut out)?;
    for sub in command.get_subcommands().filter(|s| s.get_name() != "help") {
        let man = clap_mangen::Man::new(sub.clone());
        writeln!(out, ".SH \"DEEPCUTS {}\"", sub.get_name().to_uppercase())?;
        man.render_synopsis_section(&mut out)?;
        man.render_description_section(&mut out)?;
        man.render_options_section(&mut out)?;
    }
    std::io::stdout().write_all(&out)?;
    Ok(Outcome::Good)
}
