//! `doctor`: what there is to work with, and what is wrong with it.

use std::io::Write;

use super::{Desk, Outcome, scan::ears_setup};
use crate::{
    cli::{DoctorArgs, Form},
    ears, paths,
    search::Searcher,
    text::told,
};

/// Checks in order: (what, finding, whether it is all right).
type Findings = Vec<(&'static str, String, bool)>;

pub(super) fn run(desk: &Desk, args: &DoctorArgs) -> anyhow::Result<Outcome> {
    let findings = examine(desk);
    let mut out = std::io::stdout().lock();
    if args.format == Form::Json {
        let all: Vec<_> = findings
            .iter()
            .map(|(what, finding, ok)| serde_json::json!({"check": what, "finding": finding, "ok": ok}))
            .collect();
        writeln!(out, "{:#}", serde_json::json!({ "checks": all }))?;
    } else {
        for (what, finding, ok) in &findings {
            writeln!(out, "{} {what:<10} {}", if *ok { " " } else { "!" }, crate::text::clean(finding))?;
        }
    }
    Ok(if findings.iter().all(|(.., ok)| *ok) { Outcome::Good } else { Outcome::Partly })
}

fn examine(desk: &Desk) -> Findings {
    let mut all: Findings = vec![("deepcuts", env!("CARGO_PKG_VERSION").to_owned(), true)];
    let p = &desk.paths;
    let there = |path: &std::path::Path| if path.exists() { "" } else { " (not there: defaults)" };
    all.push(("settings", format!("{}{}", p.config.display(), there(&p.config)), true));
    all.push(("log", p.log.display().to_string(), true));
    match paths::ears() {
        Ok(path) => all.push(("ears", path.display().to_string(), true)),
        Err(reason) => all.push(("ears", reason, false)),
    }
    match ears_setup(desk) {
        Ok((setup, card)) => {
            let id = &card.id()[..card.id().len().min(12)];
            let text = format!(
                "{} ({id}), {} genres, chunks of {:.1} s, from {}",
                card.name,
                card.genres.len(),
                f64::from(card.chunk_ms) / 1000.0,
                setup.model.display()
            );
            all.push(("model", text, true));
            if let Some(why) = paths::stood_in(&desk.config.ears.model, &setup.model) {
                all.push(("model", why, false));
            }
            if card.arch == "deep" {
                let trunk = deepcuts_protocol::find_trunk(Some(&setup.model));
                all.push((
                    "trunk",
                    trunk.as_ref().map_or_else(Clone::clone, |p| p.display().to_string()),
                    trunk.is_ok(),
                ));
            }
            match ears::try_out(&setup) {
                Ok((device, took)) => {
                    let text = format!(
                        "{} (libtorch {}, {} decode workers, {} network threads)",
                        device.kind, device.libtorch, device.decode_workers, device.network_threads
                    );
                    all.push(("device", text, true));
                    let cost = took.map_or_else(
                        || "a minute of sound was not heard in time".to_owned(),
                        |t| format!("{:.2} s for a minute of sound, a file at a time, now", t.as_secs_f64()),
                    );
                    all.push(("cost", cost, took.is_some()));
                }
                Err(reason) => all.push(("device", reason, false)),
            }
        }
        Err(error) => all.push(("model", told(error.as_ref()), false)),
    }
    all.push((
        "codecs",
        "mp3, flac, vorbis, opus, aac, alac, pcm; in mp3, flac, ogg, mp4, wav, aiff, caf and matroska files".to_owned(),
        true,
    ));
    let limit = |name: &str| {
        std::fs::read_to_string(format!("/proc/sys/fs/inotify/{name}")).map_or("?".to_owned(), |t| t.trim().to_owned())
    };
    all.push((
        "watching",
        format!("{} folders at most, {} events in a queue", limit("max_user_watches"), limit("max_queued_events")),
        true,
    ));
    if !p.database.exists() {
        all.push(("index", format!("{} (none yet)", p.index.display()), true));
        all.push(("database", format!("{} (none yet: `deepcuts scan DIR`)", p.database.display()), true));
        return all;
    }
    match desk.reader().and_then(|s| Ok((s.stats()?, s.integrity()?, s.taxonomy()?))) {
        Ok((stats, damage, taxonomy)) => {
            let text = format!(
                "{}: {} files, {} heard, {} failed, {} models",
                p.database.display(),
                stats.files,
                stats.heard,
                stats.failures,
                stats.models
            );
            all.push(("database", text, true));
            all.extend(desk.config.unknown_genres(&taxonomy).into_iter().map(|line| ("settings", line, false)));
            all.extend(damage.into_iter().map(|line| ("database", line, false)));
            all.push(("index", index(desk), true));
        }
        Err(error) => all.push(("database", told(error.as_ref()), false)),
    }
    all
}

/// What the search index knows. It is a cache: one that is behind or cannot be used is no fault, and made good by the
/// next search.
fn index(desk: &Desk) -> String {
    let path = desk.paths.index.display();
    let known = || -> anyhow::Result<String> {
        let store = desk.reader()?;
        let searcher = Searcher::open(&desk.paths.index, &store)?;
        let (heard, known) = searcher.reader().coverage()?;
        let behind = if searcher.reader().is_behind(&store)? { "; behind, the next search brings it up" } else { "" };
        Ok(format!("{path}: {known} files, {heard} heard{behind}"))
    };
    known().unwrap_or_else(|error| format!("{}; the next search makes it anew", told(error.as_ref())))
}
