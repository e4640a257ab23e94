//! `export`: what a query finds, as a file for other programs.

use std::{
    fs::File,
    io::{BufWriter, Write},
};

use anyhow::Context as _;

use super::{Desk, Outcome, search::playlist};
use crate::{
    cli::{ExportArgs, ExportForm},
    search::{Answer, SearchOptions, formats},
    text::clean_path,
};

pub(super) fn run(desk: &Desk, args: &ExportArgs) -> anyhow::Result<Outcome> {
    let store = desk.reader()?;
    let taxonomy = desk.taxonomy(&store)?;
    let query = desk.grammar(&store, &taxonomy)?.parse(&args.query.join(" "))?;
    let answer = desk.searcher(&store)?.run(&store, &taxonomy, &query, SearchOptions::default())?;
    match &args.output {
        None => write(&mut BufWriter::new(std::io::stdout().lock()), args, &answer)?,
        Some(path) => {
            // Written beside and renamed, so that a player never reads half a list.
            let mut name = path.file_name().context("--output names no file")?.to_owned();
            name.push(".part");
            let part = path.with_file_name(name);
            let file = File::create(&part).with_context(|| clean_path(&part))?;
            write(&mut BufWriter::new(&file), args, &answer)?;
            file.sync_all().and_then(|()| std::fs::rename(&part, path)).with_context(|| clean_path(path))?;
            eprintln!("{} of {} tracks: {}", answer.hits.len(), answer.coverage.known, clean_path(path));
        }
    }
    Ok(if answer.count > 0 { Outcome::Good } else { Outcome::Partly })
}

fn write(out: &mut impl Write, args: &ExportArgs, answer: &Answer) -> anyhow::Result<()> {
    match args.format {
        ExportForm::M3u8 => {
            let dir = args.relative_to.as_deref().map(super::library_path).transpose()?;
            playlist(out, &answer.hits, dir.as_deref())?;
        }
        ExportForm::Csv => formats::csv(out, &answer.hits)?,
        ExportForm::Json => writeln!(out, "{:#}", formats::document(answer))?,
    }
    Ok(out.flush()?)
}
