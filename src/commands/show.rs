//! `show`: everything that is known of a file, with what the file said, what the model heard and what the user
//! said kept apart.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use super::{Desk, Outcome, library_path, status::when, talk, with_path};
use crate::{
    cli::{Form, ShowArgs},
    genre::Taxonomy,
    search::formats,
    store::{FileRow, Store},
    text::{clean, clean_path},
    track::Mix,
};

/// Columns of a share's bar.
const BAR: usize = 40;

pub(super) fn run(desk: &Desk, args: &ShowArgs) -> anyhow::Result<Outcome> {
    let store = desk.reader()?;
    let taxonomy = store.taxonomy()?;
    let mut out = std::io::stdout().lock();
    let mut outcome = Outcome::Good;
    let mut documents = Vec::new();
    for named in &args.paths {
        let files = files_at(&store, named)?;
        if files.is_empty() {
            outcome = Outcome::Partly;
            let reason = store.failures()?.into_iter().find(|f| library_path(named).is_ok_and(|p| p == f.path));
            match reason {
                Some(f) => talk(format_args!("deepcuts: {}: {}: {}", clean_path(named), f.stage, clean(&f.reason))),
                None => {
                    talk(format_args!("deepcuts: {}: not in the library; `deepcuts scan` it first", clean_path(named)))
                }
            }
        }
        for file in files {
            if args.format == Form::Json {
                documents.push(document(&store, &file)?);
            } else {
                print(&mut out, &store, &taxonomy, &file)?;
            }
        }
    }
    if args.format == Form::Json {
        writeln!(out, "{:#}", serde_json::json!({ "files": documents }))?;
    }
    Ok(outcome)
}

fn files_at(store: &Store, named: &Path) -> anyhow::Result<Vec<FileRow>> {
    // A file may be gone from disk, and still be known.
    let path = library_path(named).or_else(|_| std::path::absolute(named).map_err(anyhow::Error::from))?;
    if let Some(file) = store.file_at(&path)? {
        return Ok(vec![file]);
    }
    let mut below: Vec<PathBuf> = store.known_under(&path, None)?.into_iter().map(|(path, _)| path).collect();
    below.sort();
    // A file that failed is known twice: as a file, and as a failure.
    below.dedup();
    let mut files = Vec::new();
    for path in below {
        files.extend(store.file_at(&path)?);
    }
    Ok(files)
}

fn print(out: &mut impl Write, store: &Store, taxonomy: &Taxonomy, file: &FileRow) -> anyhow::Result<()> {
    let tags = &file.tags;
    let title =
        tags.title.clone().unwrap_or_else(|| file.path.file_stem().unwrap_or_default().to_string_lossy().into());
    let artist = tags.artist.as_ref().map(|a| format!(" - {a}")).unwrap_or_default();
    writeln!(out, "{}", clean(&format!("{title}{artist}")))?;
    let missing = if file.present { "" } else { "  (missing)" };
    writeln!(out, "  {}{missing}", clean_path(&file.path))?;
    let length = file.duration_ms.map(|ms| format!(", {}", clock(ms.unsigned_abs()))).unwrap_or_default();
    writeln!(
        out,
        "  {}{length}{}",
        file.format,
        tags.album.as_ref().map(|a| format!(", {}", clean(a))).unwrap_or_default()
    )?;
    match store.mix(file.track)? {
        None => writeln!(out, "  not heard yet")?,
        Some(mix) => {
            bars(out, taxonomy, &mix)?;
            let source = match mix.source() {
                crate::track::Source::User => "as you corrected it",
                crate::track::Source::Model => "as the model heard it",
                crate::track::Source::File => "as the file's tags say; not heard yet",
            };
            writeln!(out, "  {source}")?;
        }
    }
    if let Some((start_ms, chunk_ms, line)) = store.timeline(file.track)? {
        writeln!(out, "  timeline, a letter for {:.1} s from {}:", f64::from(chunk_ms) / 1000.0, clock(start_ms))?;
        let letters: String =
            line.iter().map(|(genre, _)| genre.as_ref().map_or('.', |g| letter(taxonomy, g))).collect();
        for row in letters.as_bytes().chunks(60) {
            writeln!(out, "    {}", String::from_utf8_lossy(row))?;
        }
    }
    let said = |list: &[String]| if list.is_empty() { "none".to_owned() } else { clean(&list.join(", ")).into_owned() };
    match &file.written_genres {
        Some(ours) if *ours == tags.genres => writeln!(out, "  genre tag  {} (written by deepcuts)", said(ours))?,
        _ => writeln!(out, "  genre tag  {}", said(&tags.genres))?,
    }
    for c in store.corrections(Some(file.track))? {
        let genres: Vec<String> = c.genres.iter().map(|(g, w)| format!("{g}={w}")).collect();
        let span = c.span.map(|s| format!(" {}-{}", clock(s.start_ms), clock(s.end_ms))).unwrap_or_default();
        let undone = if c.undone_ms.is_some() { " (taken back)" } else { "" };
        writeln!(out, "  corrected  {}{span}, {}{undone}", genres.join(" "), when(c.at_ms))?;
    }
    if let Some(analysis) = store.analysis(file.track)? {
        let name = store.models()?.into_iter().find(|m| m.card.id() == analysis.model).map(|m| m.card.name);
        writeln!(
            out,
            "  heard      by {} ({}), features v{}, {}",
            name.unwrap_or_default(),
            &analysis.model[..analysis.model.len().min(12)],
            analysis.feature_version,
            when(analysis.heard_ms)
        )?;
    }
    let copies = store.files_of(file.track)?;
    for copy in copies.iter().filter(|c| c.id != file.id) {
        writeln!(out, "  same audio {}", clean_path(&copy.path))?;
    }
    writeln!(out)?;
    Ok(())
}

fn bars(out: &mut impl Write, taxonomy: &Taxonomy, mix: &Mix) -> std::io::Result<()> {
    let rows =
        mix.won().iter().map(|(g, n)| (taxonomy.name(g).to_owned(), *n)).chain([("unsure".to_owned(), mix.unsure())]);
    for (name, n) in rows.filter(|(_, n)| *n > 0) {
        let share = f64::from(n) / f64::from(mix.chunks());
        let bar = "█".repeat((share * BAR as f64).round() as usize);
        writeln!(out, "  {:<12} {:>3.0} %  {bar}", clean(&name), share * 100.0)?;
    }
    Ok(())
}

/// The letter of a genre in a timeline: its first, upper case.
fn letter(taxonomy: &Taxonomy, genre: &crate::genre::Genre) -> char {
    taxonomy.name(genre).chars().next().filter(char::is_ascii).map_or('?', |c| c.to_ascii_uppercase())
}

fn document(store: &Store, file: &FileRow) -> anyhow::Result<serde_json::Value> {
    let mix = store.mix(file.track)?;
    let timeline = store.timeline(file.track)?.map(|(start_ms, chunk_ms, line)| {
        let chunks: Vec<_> = line
            .iter()
            .map(|(g, score)| serde_json::json!([g.as_ref().map(ToString::to_string), f64::from(*score) / 255.0]))
            .collect();
        serde_json::json!({"start_ms": start_ms, "chunk_ms": chunk_ms, "chunks": chunks})
    });
    let analysis = store.analysis(file.track)?;
    let said: Vec<_> = store.corrections(Some(file.track))?.iter().map(super::correct::document).collect();
    let known = serde_json::json!({
        "present": file.present, "format": file.format,
        "duration_ms": file.duration_ms, "tags": file.tags, "written_genres": file.written_genres,
        "mix": mix.as_ref().map(formats::shares), "unsure": mix.as_ref().map(formats::unsure), "source": mix.as_ref().map(Mix::source),
        "timeline": timeline, "corrections": said,
        "model": analysis.as_ref().map(|a| &a.model), "feature_version": analysis.as_ref().map(|a| a.feature_version),
    });
    Ok(with_path(&file.path, known))
}

/// 75,000 ms as 1:15.
pub(super) fn clock(ms: u64) -> String {
    let s = ms / 1000;
    if s >= 3600 {
        format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    } else {
        format!("{}:{:02}", s / 60, s % 60)
    }
}
