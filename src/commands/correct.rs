//! `correct`: say what a track really is. What the user says wins everywhere, and no scan or model touches it.

use std::io::Write;

use anyhow::Context;

use super::{Desk, Outcome, library_path, status::when};
use crate::{
    cli::CorrectArgs,
    genre::Genre,
    store::{NewCorrection, Span, Store},
    text::{clean, clean_path},
};

pub(super) fn run(desk: &Desk, args: &CorrectArgs) -> anyhow::Result<Outcome> {
    let store = desk.store()?;
    if args.list {
        return list(&store);
    }
    if args.undo {
        return undo(&store);
    }
    let Some(path) = &args.path else { anyhow::bail!("which file? `deepcuts correct FILE jazz=60 blues=40`") };
    let genres = args.genres.iter().map(|text| weighted(text)).collect::<anyhow::Result<Vec<_>>>()?;
    anyhow::ensure!(!genres.is_empty(), "which genre? `deepcuts correct FILE jazz=60 blues=40`");
    let span = args.span.as_deref().map(span).transpose()?;
    let path = library_path(path)?;
    let mut tracks: Vec<i64> =
        store.known_under(&path, None)?.into_iter().filter_map(|(_, known)| known.track).collect();
    tracks.sort_unstable();
    tracks.dedup();
    anyhow::ensure!(!tracks.is_empty(), "{}: not in the library; `deepcuts scan` it first", clean_path(&path));
    let taxonomy = store.taxonomy()?;
    for (name, _) in &genres {
        if taxonomy.resolve(name).is_none() {
            let meant =
                taxonomy.suggest(name).map(|g| format!("; did you mean {}?", taxonomy.name(g))).unwrap_or_default();
            eprintln!("deepcuts: {} is a new genre{meant}", clean(name));
        }
    }
    let corrections: Vec<_> =
        tracks.iter().map(|&track| NewCorrection { track, span, genres: genres.clone() }).collect();
    store.correct(&corrections)?;
    let tracks = if tracks.len() == 1 { "1 track".to_owned() } else { format!("{} tracks", tracks.len()) };
    writeln!(std::io::stdout(), "{tracks} corrected; `deepcuts correct --undo` takes it back")?;
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

/// `1:02:03`, `2:05` or `75` as milliseconds.
fn clock(text: &str) -> Option<u64> {
    let parts: Vec<u64> =
        text.trim().split(':').map(|p| p.parse().ok().filter(|n| *n < 100_000)).collect::<Option<_>>()?;
    (parts.len() <= 3).then(|| parts.iter().fold(0, |sum, n| sum * 60 + n) * 1000)
}

fn undo(store: &Store) -> anyhow::Result<Outcome> {
    let last = store.corrections(None)?.into_iter().filter(|c| c.undone_ms.is_none()).map(|c| c.batch).max();
    let Some(batch) = last else {
        eprintln!("deepcuts: there is no correction to take back");
        return Ok(Outcome::Partly);
    };
    let n = store.undo_corrections(batch)?;
    writeln!(std::io::stdout(), "{n} taken back")?;
    Ok(Outcome::Good)
}

fn list(store: &Store) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout().lock();
    let all = store.corrections(None)?;
    for c in &all {
        let genres: Vec<String> = c.genres.iter().map(|(g, w)| format!("{g}={w}")).collect();
        let path = store.files_of(c.track)?.first().map_or_else(|| "(no file)".to_owned(), |f| clean_path(&f.path));
        let span = c.span.map(|s| format!("  {}-{} s", s.start_ms / 1000, s.end_ms / 1000)).unwrap_or_default();
        let undone = if c.undone_ms.is_some() { "  (taken back)" } else { "" };
        writeln!(out, "{}  {path}  {}{span}{undone}", when(c.at_ms), clean(&genres.join(" ")))?;
    }
    Ok(if all.is_empty() { Outcome::Partly } else { Outcome::Good })
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
