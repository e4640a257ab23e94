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
    // The acts of this session that can be taken back, latest last. Kept here, where they are done one after the other:
    // what is taken back is what was said last, even when it had to wait for the database.
    let mut acts: Vec<i64> = Vec::new();
    loop {
        let ask = match mail.take(None) {
            Mail::Closed => return,
            Mail::Quiet => continue,
            Mail::One(ask) => ask,
        };
        players.retain_mut(|player| matches!(player.try_wait(), Ok(None)));
        let answered = match ask {
            Ask::Play(path) => play(&context.config.player.command, &path).map(|player| players.push(player)),
            Ask::Export(to, files) => export(&to, &files).map(|written| {
                let said = format!("{} tracks written to {}", thousands(written), clean_path(&to));
                out.done(Done::Said(match files.len() - written {
                    0 => Said::good(said),
                    n => Said::note(format!("{said}, {n} left out: no playlist holds a line break")),
                }));
            }),
            other => {
                if opened.is_none() {
                    match Store::open(&context.paths.database) {
                        Ok(store) => opened = Some(store),
                        Err(error) => out.bad(&error),
                    }
                }
                opened.as_ref().map_or(Ok(()), |store| write(store, other, out, &mut acts))
            }
        };
        if let Err(error) = answered {
            out.bad(error);
        }
        nudge.look();
    }
}

fn write(store: &Store, ask: Ask, out: &Out, acts: &mut Vec<i64>) -> anyhow::Result<()> {
    match ask {
        Ask::Correct(new) => {
            let kept = store.correct_as(&new, false)?;
            if kept.kept > 0 {
                acts.push(kept.batch);
            }
            let mut of: Vec<i64> = new.iter().map(|(new, _)| new.track).collect();
            of.sort_unstable();
            out.done(Done::Corrected { of, tracks: kept.kept, locked: kept.locked.len() });
        }
        Ask::UndoCorrection => match acts.last() {
            Some(batch) => {
                let tracks = store.undo_corrections(*batch)?;
                acts.pop();
                out.done(Done::Uncorrected { tracks });
            }
            None => out.done(Done::Said(Said::note("nothing to take back"))),
        },
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

/// Write a playlist, all of it or nothing; an existing one is not replaced. Returns how many files it names.
fn export(to: &Path, files: &[PathBuf]) -> anyhow::Result<usize> {
    anyhow::ensure!(!to.exists(), "{} is there already; nothing was written", clean_path(to));
    let folder = to.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // As any new file of the user's: a server of another user's reads it, too.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    let mut copy = tempfile::Builder::new().permissions(mode).tempfile_in(folder)?;
    copy.write_all(b"#EXTM3U\n")?;
    let mut written = 0;
    for file in files {
        // A line break in a name would be two entries; no playlist can say such a name.
        if path_bytes(file).iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
            continue;
        }
        copy.write_all(path_bytes(file))?;
        copy.write_all(b"\n")?;
        written += 1;
    }
    copy.persist_noclobber(to)?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn a_playlist_is_a_file_like_any_other() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("list.m3u8");
        let written = export(&to, &["/m/a.flac".into(), "/m/b\rc.flac".into(), "/m/d\ne.flac".into()]).unwrap();
        assert_eq!(written, 1);
        assert_eq!(fs::read_to_string(&to).unwrap(), "#EXTM3U\n/m/a.flac\n");
        // A server that runs as somebody else reads it where it could read what the listener writes.
        let other = dir.path().join("other");
        fs::write(&other, "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&to), mode(&other));
    }
}
