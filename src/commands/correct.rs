//! `correct`: say what a track really is. What the user says wins everywhere, and no scan or model touches it.

use std::{
    io::{IsTerminal, Write},
    path::Path,
};

use anyhow::Context;
use serde_json::json;

use super::{Desk, Outcome, library_path, status::when, talk, with_path, write::ask};
use crate::{
    cli::{CorrectArgs, Form},
    corrections::{exchange, like},
    genre::Genre,
    search::{Hit, formats},
    store::{Correction, NewCorrection, Origin, Span, Store},
    text::{clean, clean_path},
    track::Source,
};

pub(super) fn run(desk: &Desk, args: &CorrectArgs) -> anyhow::Result<Outcome> {
    let store = desk.store()?;
    if let Some(to) = &args.export {
        return export(&store, to);
    }
    if let Some(from) = &args.import {
        return import(&store, from);
    }
    if args.list {
        return list(&store, args.format);
    }
    if args.undo {
        return undo(&store);
    }
    let Some(path) = &args.path else { anyhow::bail!("which file? `deepcuts correct FILE jazz=60 blues=40`") };
    let genres = args.genres.iter().map(|text| weighted(text)).collect::<anyhow::Result<Vec<_>>>()?;
    let weighed = args.genres.iter().filter(|text| text.contains('=')).count();
    // The others would weigh one each: next to nothing beside a 60.
    anyhow::ensure!(
        weighed == 0 || weighed == args.genres.len(),
        "give every genre a weight, or none: jazz=60 blues=40"
    );
    let settle_only = genres.is_empty() && (args.lock || args.unlock);
    anyhow::ensure!(!genres.is_empty() || settle_only, "which genre? `deepcuts correct FILE jazz=60 blues=40`");
    let span = args.span.as_deref().map(span).transpose()?;
    let path = library_path(path)?;
    let mut tracks: Vec<i64> =
        store.known_under(&path, None)?.into_iter().filter_map(|(_, known)| known.track).collect();
    tracks.sort_unstable();
    tracks.dedup();
    anyhow::ensure!(!tracks.is_empty(), "{}: not in the library; `deepcuts scan` it first", clean_path(&path));
    if let (Some(span), Some(said)) = (span, &args.span) {
        within(&store, &tracks, span, said)?;
    }
    if args.unlock && !args.dry_run {
        let n = store.set_locked(&tracks, false)?;
        if settle_only {
            writeln!(std::io::stdout(), "{} unlocked", counted(n))?;
            return Ok(if n > 0 { Outcome::Good } else { Outcome::Partly });
        }
    }
    let said = if settle_only { as_it_is(&store, &tracks)? } else { said(&store, &tracks, span, &genres)? };
    let mut all: Vec<(NewCorrection, Origin)> = said.into_iter().map(|new| (new, Origin::Said)).collect();
    if args.like {
        all.extend(alike(desk, &store, &tracks, &genres, args)?);
    }
    if args.dry_run {
        writeln!(std::io::stdout(), "{} would be corrected", counted(all.len()))?;
        return Ok(Outcome::Good);
    }
    if all.len() > tracks.len() && !args.yes {
        anyhow::ensure!(
            std::io::stdin().is_terminal(),
            "{} would be corrected with it: look at them with --dry-run, then say --yes",
            counted(all.len() - tracks.len())
        );
        if !ask(&format!("Correct all {}? `deepcuts correct --undo` takes it back. [y/N] ", all.len()))? {
            talk("nothing was corrected");
            return Ok(Outcome::Good);
        }
    }
    let kept = store.correct_as(&all, args.lock)?;
    if args.lock && settle_only {
        // What the user had said already only needs the lock.
        store.set_locked(&tracks, true)?;
        writeln!(std::io::stdout(), "{} locked as heard or said; --unlock lets go", counted(tracks.len()))?;
        return Ok(Outcome::Good);
    }
    if !kept.locked.is_empty() {
        let whose = store.files_of(kept.locked[0])?.first().map(|f| clean_path(&f.path)).unwrap_or_default();
        if kept.kept == 0 && kept.locked.len() == 1 {
            anyhow::bail!("{whose}: locked; say --unlock with it to correct it all the same");
        }
        talk(format_args!("deepcuts: {} locked, and left as they are ({whose})", counted(kept.locked.len())));
    }
    writeln!(std::io::stdout(), "{} corrected; `deepcuts correct --undo` takes it back", counted(kept.kept))?;
    Ok(Outcome::Good)
}

fn counted(n: usize) -> String {
    if n == 1 { "1 track".to_owned() } else { format!("{n} tracks") }
}

fn said(
    store: &Store,
    tracks: &[i64],
    span: Option<Span>,
    genres: &[(String, u32)],
) -> anyhow::Result<Vec<NewCorrection>> {
    let taxonomy = store.taxonomy()?;
    for (name, _) in genres {
        if taxonomy.resolve(name).is_none() {
            let meant =
                taxonomy.suggest(name).map(|g| format!("; did you mean {}?", taxonomy.name(g))).unwrap_or_default();
            talk(format_args!("deepcuts: {} is a new genre{meant}", clean(name)));
        }
    }
    Ok(tracks.iter().map(|&track| NewCorrection { track, span, genres: genres.to_vec() }).collect())
}

/// The mix that tracks have now as the user's word: it is right as it is. What the user said already stays.
fn as_it_is(store: &Store, tracks: &[i64]) -> anyhow::Result<Vec<NewCorrection>> {
    let mut right = Vec::new();
    for &track in tracks {
        let Some(mix) = store.mix(track)?.filter(|mix| mix.source() == Source::Model) else { continue };
        let genres: Vec<(String, u32)> = mix
            .won()
            .iter()
            .map(|(genre, _)| (genre.slug().to_owned(), ((mix.share(genre) * 1000.0).round() as u32).max(1)))
            .collect();
        anyhow::ensure!(!genres.is_empty() || tracks.len() > 1, "no genre was heard in it; say which it is");
        if !genres.is_empty() {
            right.push(NewCorrection { track, span: None, genres });
        }
    }
    Ok(right)
}

/// Corrections of what sounds like `tracks`, listed.
fn alike(
    desk: &Desk,
    store: &Store,
    tracks: &[i64],
    genres: &[(String, u32)],
    args: &CorrectArgs,
) -> anyhow::Result<Vec<(NewCorrection, Origin)>> {
    let threshold = args.threshold.unwrap_or(like::THRESHOLD);
    anyhow::ensure!((0.0..=1.0).contains(&threshold), "--threshold must lie between 0 and 1");
    let top = genres.iter().max_by_key(|(_, weight)| *weight).map(|(name, _)| name.clone()).unwrap_or_default();
    let slug = store.genres_now(&[top])?.into_iter().next().unwrap_or_default();
    let found = like::look_alikes(store, tracks, &slug, threshold)?;
    let taxonomy = desk.taxonomy(store)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for near in &found.tracks {
        let Some(file) = store.files_of(near.track)?.into_iter().next() else { continue };
        let (name, mix) = formats::cells(&Hit::new(file, store.mix(near.track)?, 0, 0), &taxonomy);
        writeln!(out, "{:>3}  {name}   {mix}", (near.alike * 100.0) as u32)?;
    }
    out.flush()?;
    let left: Vec<String> = [
        (found.said, "you have spoken of"),
        (found.heard_otherwise, "heard as something else"),
        (found.contradicted, "more like something you called otherwise"),
    ]
    .iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, why)| format!("{n} {why}"))
    .collect();
    let left = if left.is_empty() { String::new() } else { format!("; left alone: {}", left.join(", ")) };
    talk(format_args!("deepcuts: {} alike{left}", found.tracks.len()));
    let new = |track| NewCorrection { track, span: None, genres: genres.to_vec() };
    Ok(found.tracks.iter().map(|near| (new(near.track), Origin::Like)).collect())
}

fn export(store: &Store, to: &Path) -> anyhow::Result<Outcome> {
    let document = exchange::export(store)?;
    let json = serde_json::to_vec_pretty(&document)?;
    if to.as_os_str() == "-" {
        std::io::stdout().write_all(&json)?;
        writeln!(std::io::stdout())?;
        return Ok(Outcome::Good);
    }
    // An older export may be replaced; anything else is not ours to replace.
    let ours = !to.exists() || std::fs::read(to).is_ok_and(|old| exchange::read(&old).is_ok());
    anyhow::ensure!(ours, "{}: there is something else; nothing was written", clean_path(to));
    let folder = to.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut copy = tempfile::NamedTempFile::new_in(folder).with_context(|| clean_path(to))?;
    copy.write_all(&json).and_then(|()| copy.as_file().sync_all()).with_context(|| clean_path(to))?;
    copy.persist(to).with_context(|| clean_path(to))?;
    let mut what = format!("{} corrections", document.corrections.len());
    if !document.genre_changes.is_empty() {
        what += &format!(" and {}", of_genres(document.genre_changes.len()));
    }
    writeln!(std::io::stdout(), "{what} written to {}", clean_path(to))?;
    Ok(Outcome::Good)
}

fn of_genres(changes: usize) -> String {
    format!("{changes} {} of the genres", if changes == 1 { "change" } else { "changes" })
}

fn import(store: &Store, from: &Path) -> anyhow::Result<Outcome> {
    let json = if from.as_os_str() == "-" {
        let mut json = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin(), &mut json)?;
        json
    } else {
        std::fs::read(from).with_context(|| clean_path(from))?
    };
    let (imported, changes) = exchange::read(&json)
        .and_then(|document| exchange::import(store, &document))
        .with_context(|| clean_path(from))?;
    let mut parts = vec![format!("{} taken over", imported.taken)];
    for (n, what) in [
        (imported.known, "known already"),
        (imported.locked, "of tracks that are locked here"),
        (imported.unseen, "of the new ones wait for a track that was not scanned yet"),
    ] {
        if n > 0 {
            parts.push(format!("{n} {what}"));
        }
    }
    if changes.taken > 0 {
        parts.push(format!("{} done here too", of_genres(changes.taken)));
    }
    for why in &changes.refused {
        talk(format_args!("deepcuts: a change of the genres was left out: {}", clean(why)));
    }
    writeln!(std::io::stdout(), "{}", parts.join(", "))?;
    Ok(Outcome::Good)
}

/// `jazz=60`, or `jazz` for all of it.
fn weighted(text: &str) -> anyhow::Result<(String, u32)> {
    let (name, weight) = match text.rsplit_once('=') {
        None => (text, 1),
        Some((name, weight)) => {
            let weight = weight.trim_end_matches('%');
            (
                name,
                weight.parse().ok().filter(|w| (1..=1000).contains(w)).with_context(|| {
                    format!("{}: the weight must be a whole number from 1 to 1000, as in jazz=60", clean(text))
                })?,
            )
        }
    };
    anyhow::ensure!(Genre::new(name).is_some(), "{:?} is no name of a genre", clean(name));
    anyhow::ensure!(Genre::named(name).is_some(), "{} is what no genre won; say which genre it is", clean(name));
    Ok((name.to_owned(), weight))
}

/// `1:20-2:05`
fn span(text: &str) -> anyhow::Result<Span> {
    let bad = || format!("{}: a span looks like 1:20-2:05", clean(text));
    let (from, to) = text.split_once('-').with_context(bad)?;
    let (start_ms, end_ms) = (clock(from).with_context(bad)?, clock(to).with_context(bad)?);
    anyhow::ensure!(start_ms < end_ms, "{}: it ends before it begins", clean(text));
    Ok(Span { start_ms, end_ms })
}

/// A part that begins behind the end of a track would change nothing, and nobody would know.
fn within(store: &Store, tracks: &[i64], span: Span, said: &str) -> anyhow::Result<()> {
    for &track in tracks {
        let Some(file) = store.files_of(track)?.into_iter().next() else { continue };
        let Some(length) = file.duration_ms.and_then(|ms| u64::try_from(ms).ok()) else { continue };
        let path = clean_path(&file.path);
        anyhow::ensure!(span.start_ms < length, "{}: {path} ends at {}", clean(said), super::show::clock(length));
    }
    Ok(())
}

/// `1:02:03`, `2:05` or `75` as milliseconds.
fn clock(text: &str) -> Option<u64> {
    let parts: Vec<u64> =
        text.trim().split(':').map(|p| p.parse().ok().filter(|n| *n < 100_000)).collect::<Option<_>>()?;
    (parts.len() <= 3).then(|| parts.iter().fold(0, |sum, n| sum * 60 + n) * 1000)
}

fn undo(store: &Store) -> anyhow::Result<Outcome> {
    let Some(batch) = store.last_act()? else {
        let stands = store.corrections(None)?.iter().any(|c| c.undone_ms.is_none());
        talk(format_args!(
            "deepcuts: {}",
            if stands {
                "all that was said is locked; `deepcuts correct FILE --unlock` lets go"
            } else {
                "there is no correction to take back"
            }
        ));
        return Ok(Outcome::Partly);
    };
    let n = store.undo_corrections(batch)?;
    writeln!(std::io::stdout(), "{n} taken back")?;
    Ok(Outcome::Good)
}

fn list(store: &Store, format: Form) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout().lock();
    let all = store.corrections(None)?;
    if format == Form::Json {
        let row = |c: &Correction| -> anyhow::Result<serde_json::Value> {
            // No path where no file is known to hold the track any more.
            Ok(match store.files_of(c.track)?.first() {
                Some(file) => with_path(&file.path, document(c)),
                None => document(c),
            })
        };
        let rows = all.iter().map(row).collect::<anyhow::Result<Vec<_>>>()?;
        writeln!(out, "{:#}", json!({ "corrections": rows }))?;
        return Ok(if all.is_empty() { Outcome::Partly } else { Outcome::Good });
    }
    for c in &all {
        let genres: Vec<String> = c.genres.iter().map(|(g, w)| format!("{g}={w}")).collect();
        let path = store.files_of(c.track)?.first().map_or_else(|| "(no file)".to_owned(), |f| clean_path(&f.path));
        let span = c.span.map(|s| format!("  {}-{} s", s.start_ms / 1000, s.end_ms / 1000)).unwrap_or_default();
        let undone = if c.undone_ms.is_some() { "  (taken back)" } else { "" };
        writeln!(out, "{}  {path}  {}{span}{undone}", when(c.at_ms), clean(&genres.join(" ")))?;
    }
    Ok(if all.is_empty() { Outcome::Partly } else { Outcome::Good })
}

/// What the listener said, for JSON.
pub(super) fn document(c: &Correction) -> serde_json::Value {
    let genres: serde_json::Map<_, _> = c.genres.iter().map(|(g, w)| (g.clone(), (*w).into())).collect();
    json!({
        "genres": genres, "span_ms": c.span.map(|s| [s.start_ms, s.end_ms]), "origin": c.origin.name(), "act": c.batch,
        "at_ms": c.at_ms, "undone_ms": c.undone_ms,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn spans_and_weights() {
        assert_eq!(span("1:20-2:05").unwrap(), Span { start_ms: 80_000, end_ms: 125_000 });
        assert!(span("2:05-1:20").is_err() && span("1:20").is_err() && span("a-b").is_err());
        assert_eq!(weighted("hip hop=60%").unwrap(), ("hip hop".to_owned(), 60));
        assert_eq!(weighted("jazz").unwrap().1, 1);
        assert!(weighted("jazz=0").is_err() && weighted("=3").is_err());
    }
}
