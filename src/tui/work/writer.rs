//! The writer: keeps what the user says, opens the player, writes playlists. Short transactions, one at a time.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::{Context, Mailbox, Out, library::Wish, mailbox::Mail};
use crate::{
    store::Store,
    text::clean_path,
    track::path_bytes,
    tui::{
        data::thousands,
        event::{Ask, Done, Said},
    },
};

/// Run until the mailbox is closed.
pub fn run(mail: &Mailbox<Ask>, out: &Out, context: &Context, nudge: &Mailbox<Wish>) {
    // Opened at the first write: looking needs none.
    let mut opened: Option<Store> = None;
    let mut players: Vec<Child> = Vec::new();
    loop {
        let ask = match mail.take(None) {
            Mail::Closed => return,
            Mail::Quiet => continue,
            Mail::One(ask) => ask,
        };
        players.retain_mut(|player| matches!(player.try_wait(), Ok(None)));
        let answered = match ask {
            Ask::Play(path) => play(&context.config.player.command, &path).map(|player| players.push(player)),
            Ask::Export(to, files) => export(&to, &files).map(|()| {
                let said = format!("{} tracks written to {}", thousands(files.len()), clean_path(&to));
                out.done(Done::Said(Said::good(said)));
            }),
            other => {
                if opened.is_none() {
                    match Store::open(&context.paths.database) {
                        Ok(store) => opened = Some(store),
                        Err(error) => out.bad(&error),
                    }
                }
                opened.as_ref().map_or(Ok(()), |store| write(store, other, out))
            }
        };
        if let Err(error) = answered {
            out.bad(error);
        }
        nudge.look();
    }
}

fn write(store: &Store, ask: Ask, out: &Out) -> anyhow::Result<()> {
    match ask {
        Ask::Correct(new) => {
            let kept = store.correct_as(&new, false)?;
            out.done(Done::Corrected { batch: kept.batch, tracks: kept.kept, locked: kept.locked.len() });
        }
        Ask::UndoCorrection(batch) => {
            let tracks = store.undo_corrections(batch)?;
            out.done(Done::Uncorrected { tracks });
        }
        Ask::Keep(key, json) => store.set_meta(key, &json)?,
        Ask::SaveSearch(name, query) => {
            store.save_search(&name, &query)?;
            out.done(Done::Saved(store.searches()?.into_iter().collect()));
        }
        Ask::ForgetSearch(name) => {
            store.forget_search(&name)?;
            out.done(Done::Saved(store.searches()?.into_iter().collect()));
        }
        _ => {}
    }
    Ok(())
}

/// Start the player on a file, on its own: it outlives the UI and never gets its terminal.
fn play(command: &[String], path: &Path) -> anyhow::Result<Child> {
    use std::os::unix::process::CommandExt;
    let programs: Vec<Vec<String>> = match command {
        [] => vec![vec!["xdg-open".into()], vec!["mpv".into(), "--force-window=yes".into()]],
        command => vec![command.to_vec()],
    };
    let mut missing = Vec::new();
    for program in &programs {
        let started = Command::new(&program[0])
            .args(&program[1..])
            .arg(path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        match started {
            Ok(child) => return Ok(child),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => missing.push(program[0].clone()),
            Err(error) => anyhow::bail!("{}: {error}", program[0]),
        }
    }
    anyhow::bail!("{} is not here; set [player] command in the settings", missing.join(" nor "))
}

/// Write a playlist, all of it or nothing; an existing one is not replaced.
fn export(to: &Path, files: &[PathBuf]) -> anyhow::Result<()> {
    anyhow::ensure!(!to.exists(), "{} is there already; nothing was written", clean_path(to));
    let folder = to.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut copy = tempfile::NamedTempFile::new_in(folder)?;
    copy.write_all(b"#EXTM3U\n")?;
    for file in files {
        // A line break in a name would be two entries; no playlist can say such a name.
        if path_bytes(file).contains(&b'\n') {
            continue;
        }
        copy.write_all(path_bytes(file))?;
        copy.write_all(b"\n")?;
    }
    copy.persist_noclobber(to)?;
    Ok(())
}
