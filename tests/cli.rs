//! The command line itself: help, manual page, closed pipes, odd arguments.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, process::Stdio};

use clap::{CommandFactory, Parser};
use deepcuts::cli::Cli;
use support::{Machine, Ran};

/// Words as a shell has them, up to what is no more for the program: a pipe, another command, a remark.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut chars = line.trim().chars().peekable();
    let (mut quote, mut blanks) = (None, 0);
    while let Some(c) = chars.next() {
        let last = words.last_mut().unwrap();
        if c == ' ' && quote.is_none() {
            blanks += 1;
            if !last.is_empty() {
                words.push(String::new());
            }
            continue;
        }
        if blanks > 1 || (quote.is_none() && matches!(c, '|' | '&' | '>')) {
            break;
        }
        blanks = 0;
        match c {
            '\'' if quote.is_some() => quote = None,
            '\'' => quote = Some(c),
            '\\' if quote.is_none() => last.extend(chars.next()),
            c => last.push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn help_is_short_or_long_and_its_examples_are_understood() {
    let mut command = Cli::command();
    command.build();
    for sub in command.get_subcommands_mut().filter(|sub| sub.get_name() != "help") {
        let name = sub.get_name().to_owned();
        let (short, long) = (sub.render_help().to_string(), sub.render_long_help().to_string());
        assert!(!short.contains("Examples:") && short.lines().count() < long.lines().count(), "{name}");
        let examples = long.lines().skip_while(|line| *line != "Examples:").skip(1).take_while(|line| !line.is_empty());
        let examples: Vec<_> = examples.filter(|line| line.trim().starts_with("deepcuts")).collect();
        assert!(!examples.is_empty(), "{name} has no example");
        for line in examples {
            let parsed = Cli::try_parse_from(words(line));
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }
}

#[test]
fn the_manual_page_has_every_command_and_its_examples() {
    let machine = Machine::new();
    let page = machine.run(&["man"]).exits(0).out();
    for sub in Cli::command().get_subcommands() {
        let name = sub.get_name().to_uppercase();
        assert!(page.contains(&format!(".SH \"DEEPCUTS {name}\"")), "{name}");
        for below in sub.get_subcommands() {
            let below = below.get_name().to_uppercase();
            assert!(page.contains(&format!(".SH \"DEEPCUTS {name} {below}\"")), "{name} {below}");
        }
    }
    assert!(page.contains("deepcuts search mostly jazz with some blues"), "{page}");
    assert!(page.contains(r"deepcuts correct ~/Music/Fela\e Kuti afrobeat"), "{page}");
}

#[test]
fn who_closes_stderr_gets_the_answer_all_the_same() {
    let machine = Machine::new();
    machine.wav("jazz4.wav", 1);
    machine.scan().exits(0);
    let deaf = |args: &[&str]| {
        let mut child = machine.deepcuts(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stderr.take());
        Ran(child.wait_with_output().unwrap())
    };
    // 101 would be a panic.
    deaf(&["search", "jazz >"]).exits(2);
    deaf(&["show", "/nowhere/at/all.mp3"]).exits(1);
    deaf(&["tag", "--yes", "jazz"]).exits(0);
    assert!(deaf(&["search", "--explain", "--format", "paths", "jazz"]).exits(0).out().contains("jazz4.wav"));
    assert!(deaf(&["undo", "jazz"]).exits(0).out().contains("1 taken back"));
}

#[test]
fn a_path_that_is_no_text_can_be_tagged_and_one_that_is_not_there_is_named() {
    let machine = Machine::new();
    let path = machine.music.join(OsStr::from_bytes(b"jazz4 caf\xe9.wav"));
    support::wav(&path, 1);
    machine.scan().exits(0);
    let on = |args: &[&str]| Ran(machine.deepcuts(args).arg(&path).output().unwrap());
    assert!(on(&["audit"]).exits(0).out().contains("1 files"));
    assert!(on(&["tag", "--yes"]).exits(0).out().contains("1 changed"));
    assert!(on(&["undo"]).exits(0).out().contains("1 taken back"));
    // A path is no search, and nothing found is no empty library.
    let ran = machine.run(&["tag", "./typo.wav"]).exits(2);
    assert!(ran.err().contains("./typo.wav: there is no such file"), "{}", ran.err());
    let ran = machine.run(&["tag", "nothing of this kind"]).exits(1);
    assert!(!ran.err().contains("nothing in the library"), "{}", ran.err());
    machine.run(&["audit", "nothing of this kind"]).exits(1);
    let ran = machine.run(&["restore", "./typo.db"]).exits(2);
    assert!(ran.err().contains("typo.db: there is no such file"), "{}", ran.err());
}

#[test]
fn a_refusal_before_the_write_names_its_file() {
    let machine = Machine::new();
    let path = machine.wav("jazz4.wav", 1);
    machine.scan().exits(0);
    let mut mode = std::fs::metadata(&path).unwrap().permissions();
    mode.set_readonly(true);
    std::fs::set_permissions(&path, mode).unwrap();
    let ran = machine.run(&["tag", "--yes"]).exits(1);
    assert!(ran.err().contains("jazz4.wav: it is read-only"), "{}", ran.err());
}
