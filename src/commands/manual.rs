//! `completions` and `man`: made from the same clap types as the help.

use std::io::Write;

use clap::{Command, CommandFactory};

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
    chapters(&mut out, &command)?;
    std::io::stdout().write_all(&out)?;
    Ok(Outcome::Good)
}

/// A chapter for each command below `command`, and for theirs.
fn chapters(out: &mut Vec<u8>, command: &Command) -> anyhow::Result<()> {
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let man = clap_mangen::Man::new(sub.clone());
        writeln!(out, ".SH \"{}\"", sub.get_bin_name().unwrap_or_else(|| sub.get_name()).to_uppercase())?;
        man.render_synopsis_section(out)?;
        man.render_description_section(out)?;
        man.render_options_section(out)?;
        if let Some(more) = sub.get_after_long_help() {
            as_it_stands(out, &more.to_string())?;
        }
        chapters(out, sub)?;
    }
    Ok(())
}

/// Text line by line, as the help has it: the columns of an example mean something.
fn as_it_stands(out: &mut Vec<u8>, text: &str) -> std::io::Result<()> {
    let mut literal = false;
    for line in text.lines() {
        let example = line.starts_with(' ');
        if example != literal {
            writeln!(out, "{}", if example { ".nf" } else { ".fi" })?;
            literal = example;
        }
        if line.is_empty() {
            writeln!(out, ".PP")?;
        } else {
            // What begins with a dot or a quote would be an order to the formatter.
            writeln!(out, "\\&{}", line.replace('\\', "\\e").replace('-', "\\-"))?;
        }
    }
    if literal { writeln!(out, ".fi") } else { Ok(()) }
}
