//! `status`: how much of the library is heard.

use std::io::Write;

use super::{Desk, Outcome, scan::span, with_path};
use crate::{
    cli::{Form, StatusArgs},
    pipeline::RATE,
    role::Role,
    text::clean_path,
};

pub(super) fn run(desk: &Desk, args: &StatusArgs) -> anyhow::Result<Outcome> {
    let store = desk.reader()?;
    let ((stats, genres), roots) = (store.overview()?, store.roots()?);
    let model = store.current_model()?;
    let backlog = stats.files.saturating_sub(stats.heard + stats.given_up);
    let rate: Option<f64> = store.meta(RATE)?.and_then(|text| text.parse().ok());
    let listener = Role::holder(&desk.paths.lock());
    let mut out = std::io::stdout().lock();
    if args.format == Form::Json {
        let roots: Vec<_> = roots
            .iter()
            .map(|(path, present, at)| with_path(path, serde_json::json!({"present": present, "reconciled_ms": at})))
            .collect();
        let genres: serde_json::Map<_, _> = genres.iter().map(|(slug, _, n)| (slug.clone(), (*n).into())).collect();
        let answer = serde_json::json!({
            "files": stats.files, "missing": stats.missing, "tracks": stats.tracks, "heard": stats.heard,
            "corrected": stats.corrected, "failures": stats.failures, "roots": roots, "genres": genres,
            "model": model.map(|m| m.card.name), "backlog": backlog, "tracks_per_second": rate, "listener": listener,
        });
        writeln!(out, "{answer:#}")?;
        return Ok(Outcome::Good);
    }
    let percent = if stats.files == 0 { 0.0 } else { 100.0 * stats.heard as f64 / stats.files as f64 };
    writeln!(out, "{} of {} files heard ({percent:.0} %), {} recordings", stats.heard, stats.files, stats.tracks)?;
    if backlog > 0 {
        let time =
            rate.filter(|r| *r > 0.0).map(|r| format!(", about {}", span(backlog as f64 / r))).unwrap_or_default();
        writeln!(out, "{backlog} to hear{time}")?;
    }
    match listener {
        Some(holder) => writeln!(out, "{holder} is listening")?,
        None => writeln!(out, "nobody is listening; `deepcuts watch` stays with the folders")?,
    }
    for (n, what) in [
        (stats.corrected, "corrected by you"),
        (stats.missing, "missing"),
        (stats.failures, "failed (`deepcuts scan --failed` lists them)"),
    ] {
        if n > 0 {
            writeln!(out, "{n} {what}")?;
        }
    }
    if let Some(model) = model {
        writeln!(out, "model {} ({})", model.card.name, &model.card.id()[..model.card.id().len().min(12)])?;
    }
    for (path, present, at) in roots {
        let state = match (present, at) {
            (false, _) => "not there".to_owned(),
            (true, None) => "not scanned yet".to_owned(),
            (true, Some(ms)) => format!("scanned {}", when(ms)),
        };
        writeln!(out, "  {}  {state}", clean_path(&path))?;
    }
    if !genres.is_empty() {
        writeln!(out, "Largest share:")?;
        let most = genres.iter().map(|(.., n)| *n).max().unwrap_or(1).max(1);
        for (_, name, n) in genres {
            let bar = "█".repeat(usize::try_from(n * 30 / most).unwrap_or(0).max(1));
            writeln!(out, "  {:<12} {n:>6}  {bar}", crate::text::clean(&name))?;
        }
    }
    Ok(Outcome::Good)
}

/// A time for people, in this machine's zone.
pub(crate) fn when(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map(|t| t.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string())
        .unwrap_or_else(|_| "at an unknown time".to_owned())
}
