//! `models`: which models there are, and what their cards say.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use deepcuts_protocol::ModelCard;

use super::{Desk, Outcome};
use crate::{
    cli::{Form, ModelsArgs, ModelsCommand},
    paths,
    text::{clean, clean_path},
};

pub(super) fn run(desk: &Desk, args: &ModelsArgs) -> anyhow::Result<Outcome> {
    match &args.command {
        ModelsCommand::List { format } => list(desk, *format),
        ModelsCommand::Show { model, format } => show(desk, model, *format),
    }
}

/// Weights in the folders of models, the user's first.
fn all(desk: &Desk) -> Vec<PathBuf> {
    let folders = [Some(desk.paths.user_models.clone()), paths::shipped_models()];
    let mut found = Vec::new();
    for folder in folders.into_iter().flatten() {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        // What has no card (a replay set, say) is no model.
        let mut weights: Vec<PathBuf> = entries
            .map(|e| e.path())
            .filter(|p| p.extension().is_some_and(|e| e == "safetensors") && ModelCard::path_for(p).exists())
            .collect();
        weights.sort();
        found.extend(weights);
    }
    found
}

fn list(desk: &Desk, format: Form) -> anyhow::Result<Outcome> {
    let used = desk.paths.model(&desk.config.ears.model).ok();
    let mut out = std::io::stdout().lock();
    let mut outcome = Outcome::Partly;
    let mut documents = Vec::new();
    for path in all(desk) {
        let card = match ModelCard::read_for(&path) {
            Ok(card) => card,
            Err(e) => {
                eprintln!("deepcuts: {}", clean(&e.to_string()));
                continue;
            }
        };
        outcome = Outcome::Good;
        let here = used.as_ref() == Some(&path);
        if format == Form::Json {
            documents.push(document(&path, &card, here));
        } else {
            writeln!(
                out,
                "{} {:<12} {:<10} {:<9} {:>2} genres  {}  {}",
                if here { '*' } else { ' ' },
                clean(&card.name),
                clean(&card.arch),
                card.front_end.name(),
                card.genres.len(),
                accuracy(&card).map_or_else(|| "not judged".to_owned(), |a| format!("{:.1} % of clips", a * 100.0)),
                clean_path(&path)
            )?;
        }
    }
    if format == Form::Json {
        writeln!(out, "{:#}", serde_json::json!({ "models": documents }))?;
    }
    Ok(outcome)
}

/// Mean clip accuracy over the held-out folds and seeds.
fn accuracy(card: &ModelCard) -> Option<f64> {
    let n = card.folds.len();
    (n > 0).then(|| card.folds.iter().map(|f| f.clip_accuracy).sum::<f64>() / n as f64)
}

fn document(path: &Path, card: &ModelCard, used: bool) -> serde_json::Value {
    serde_json::json!({
        "path": path.to_string_lossy(), "used": used, "clip_accuracy": accuracy(card), "card": card,
    })
}

fn show(desk: &Desk, model: &str, format: Form) -> anyhow::Result<Outcome> {
    let path = desk.paths.model(model).map_err(anyhow::Error::msg)?;
    let card = ModelCard::read_for(&path)?;
    let mut out = std::io::stdout().lock();
    if format == Form::Json {
        let used = desk.paths.model(&desk.config.ears.model).is_ok_and(|p| p == path);
        writeln!(out, "{:#}", document(&path, &card, used))?;
        return Ok(Outcome::Good);
    }
    let genres: Vec<String> = card.genres.iter().map(|g| clean(g).into_owned()).collect();
    writeln!(out, "{} ({}), {}", clean(&card.name), clean(&card.arch), clean_path(&path))?;
    writeln!(out, "id          {}", clean(card.id()))?;
    writeln!(out, "made        {}", clean(&card.created))?;
    writeln!(out, "genres      {}", genres.join(" "))?;
    writeln!(
        out,
        "hears       {} frames of {} at a time, {:.2} s",
        card.chunk_frames,
        card.front_end.name(),
        f64::from(card.chunk_ms) / 1000.0
    )?;
    if let (Some(parameters), Some(macs)) = (card.parameters, card.macs_per_chunk) {
        let per_second = macs as f64 / 1e6 / (f64::from(card.chunk_ms) / 1000.0);
        writeln!(
            out,
            "size        {:.3} M parameters, {per_second:.1} MMAC a second of audio",
            parameters as f64 / 1e6
        )?;
    }
    for f in &card.folds {
        let (clips, chunks) = (f.clip_accuracy * 100.0, f.chunk_accuracy * 100.0);
        let unseen = if card.held_out_fold == Some(f.fold) { "  (never seen by these weights)" } else { "" };
        writeln!(
            out,
            "fold {} seed {}  {clips:.1} % of {} clips, {chunks:.1} % of chunks{unseen}",
            f.fold, f.seed, f.clips
        )?;
    }
    if let Some(mean) = accuracy(&card) {
        writeln!(out, "mean        {:.1} % of clips", mean * 100.0)?;
    }
    if let Some(u) = &card.unsure {
        writeln!(
            out,
            "unsure      {:.0} % of chunks (score below {:.2}); wrong {:.0} % of those, {:.0} % of the others",
            u.share * 100.0,
            card.unsure_below,
            u.wrong_among_unsure * 100.0,
            u.wrong_among_sure * 100.0
        )?;
    }
    if let Some(e) = card.calibration_error {
        writeln!(out, "calibration {e:.3} expected error")?;
    }
    writeln!(out, "\n{}\n\ndata: {}\nlicence: {}", clean(&card.protocol), clean(&card.data), clean(&card.licence))?;
    Ok(Outcome::Good)
}
