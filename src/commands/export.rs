//! `export`: what a query finds, as a file for other programs.

use std::{
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::Context as _;

use super::{Desk, Outcome, search::playlist, talk};
use crate::{
    cli::{ExportArgs, ExportForm},
    genre::Taxonomy,
    search::{
        Answer, SearchOptions,
        export::{self, nsp},
        formats,
        query::Query,
    },
    text::{clean, clean_path},
};

pub(super) fn run(desk: &Desk, args: &ExportArgs) -> anyhow::Result<Outcome> {
    let store = desk.reader()?;
    let taxonomy = desk.taxonomy(&store)?;
    let query = desk.grammar(&store, &taxonomy)?.parse(&args.query.join(" "))?;
    if args.format == ExportForm::Nsp {
        return smart(args, &query, &taxonomy);
    }
    let answer = desk.searcher(&store)?.run(&store, &taxonomy, &query, SearchOptions::default())?;
    save(args, &|out| write(out, args, &answer))?;
    if let Some(path) = &args.output {
        talk(format_args!("{} of {} tracks: {}", answer.hits.len(), answer.coverage.known, clean_path(path)));
    }
    Ok(if answer.count > 0 { Outcome::Good } else { Outcome::Partly })
}

/// A query that Navidrome asks by itself.
fn smart(args: &ExportArgs, query: &Query, taxonomy: &Taxonomy) -> anyhow::Result<Outcome> {
    let text = args.query.join(" ");
    let name = if text.trim().is_empty() { "Everything" } else { text.trim() };
    let list = nsp::playlist(query, taxonomy, name).map_err(|clauses| {
        let clauses: Vec<_> = clauses.iter().map(|clause| clean(clause)).collect();
        anyhow::anyhow!("a smart playlist of Navidrome cannot say: {}", clauses.join("; "))
    })?;
    save(args, &|out| Ok(writeln!(out, "{list:#}")?))?;
    talk("it asks the shares in the files' tags: [tags] write_shares, and docs/tags.md for Navidrome's settings");
    Ok(Outcome::Good)
}

/// To stdout, or to the file that was named, all of it or nothing.
fn save(args: &ExportArgs, write: &dyn Fn(&mut dyn Write) -> anyhow::Result<()>) -> anyhow::Result<()> {
    match &args.output {
        None => {
            let mut out = BufWriter::new(std::io::stdout().lock());
            write(&mut out)?;
            out.flush()?;
        }
        Some(path) => {
            // Written beside and renamed, so that a player never reads half a list; readable as any file of the user's.
            anyhow::ensure!(path.file_name().is_some(), "--output names no file");
            let folder = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
            let mut part =
                tempfile::Builder::new().permissions(mode).tempfile_in(folder).with_context(|| clean_path(path))?;
            let mut out = BufWriter::new(&mut part);
            write(&mut out)?;
            out.flush()?;
            drop(out);
            part.as_file().sync_all().with_context(|| clean_path(path))?;
            part.persist(path).with_context(|| clean_path(path))?;
        }
    }
    Ok(())
}

fn write(mut out: &mut dyn Write, args: &ExportArgs, answer: &Answer) -> anyhow::Result<()> {
    match args.format {
        ExportForm::M3u8 => {
            let dir = args.relative_to.as_deref().map(super::library_path).transpose()?;
            playlist(&mut out, &answer.hits, dir.as_deref())?;
        }
        ExportForm::Csv => formats::csv(&mut out, &answer.hits)?,
        ExportForm::Json => writeln!(out, "{:#}", formats::document(answer))?,
        ExportForm::Nsp => {}
        ExportForm::Beets => export::beets(&mut out, &answer.hits)?,
        ExportForm::MpdStickers => {
            let music =
                args.relative_to.as_deref().context("which folder is MPD's music_directory? --relative-to DIR")?;
            let music = super::library_path(music)?;
            for path in export::mpd_stickers(&mut out, &answer.hits, &music)? {
                talk(format_args!(
                    "deepcuts: {}: left out: not in the music directory, or its name has a line break",
                    clean_path(path)
                ));
            }
        }
    }
    Ok(())
}
