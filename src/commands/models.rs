//! `models`: which models there are, and what their cards say.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use deepcuts_protocol::ModelCard;

use super::{
    Desk, Outcome,
    retrain::follow,
    scan::{cancel_on_signal, ears_setup_for},
    status::when,
    talk, with_path,
};
use crate::{
    cli::{Form, ModelsArgs, ModelsCommand},
    corrections::{
        judge::{self, Mine},
        models,
        retrain::files_of_a_model,
    },
    paths,
    text::{clean, clean_path},
};

pub(super) fn run(desk: &Desk, args: &ModelsArgs) -> anyhow::Result<Outcome> {
    match &args.command {
        ModelsCommand::List { format } => list(desk, *format),
        ModelsCommand::Show { model, format } => show(desk, model, *format),
        ModelsCommand::Use { model } => choose(desk, model),
        ModelsCommand::Rollback => rollback(desk),
        ModelsCommand::History { format } => history(desk, *format),
        ModelsCommand::Rm { model } => remove(desk, model),
        ModelsCommand::Eval { format, .. } => mine(desk, *format),
    }
}

fn choose(desk: &Desk, wanted: &str) -> anyhow::Result<Outcome> {
    let store = desk.store()?;
    let (path, card) = models::find(&store, &desk.paths, wanted)?;
    let path = std::path::absolute(&path).with_context(|| clean_path(&path))?;
    if store.current_model()?.is_some_and(|m| m.card.id() == card.id()) {
        talk(format_args!("deepcuts: {} is in force already", clean(&card.name)));
        return Ok(Outcome::Partly);
    }
    let setup = ears_setup_for(desk, path)?;
    let cancel = cancel_on_signal()?;
    let settings = &desk.config.ears.model;
    let chosen = models::choose(&store, &setup, &card, settings, &cancel, &mut |done, total| {
        if done == total {
            talk(format_args!("deepcuts: named {total} tracks"));
        }
    })?;
    let Some(chosen) = chosen else { return Ok(Outcome::Interrupted) };
    follow(desk, &store);
    writeln!(std::io::stdout(), "{} is in force; `deepcuts models rollback` takes it back", clean(&card.name))?;
    if chosen.to_hear > 0 {
        let n = chosen.to_hear;
        talk(format_args!(
            "deepcuts: {n} files were heard by another network; the next `deepcuts scan` hears them again"
        ));
    }
    Ok(Outcome::Good)
}

fn rollback(desk: &Desk) -> anyhow::Result<Outcome> {
    let store = desk.store()?;
    let Some(back) = models::roll_back(&store, &desk.config.ears.model)? else {
        talk("deepcuts: there is nothing to take back: the settings choose the model");
        return Ok(Outcome::Partly);
    };
    follow(desk, &store);
    let to = back.to.unwrap_or_else(|| desk.config.ears.model.clone());
    writeln!(std::io::stdout(), "{} was taken back; {} is in force", clean(&back.from.name), clean(&to))?;
    Ok(Outcome::Good)
}

fn history(desk: &Desk, format: Form) -> anyhow::Result<Outcome> {
    let all = desk.reader()?.promotions()?;
    let mut out = std::io::stdout().lock();
    if format == Form::Json {
        let rows: Vec<_> = all
            .iter()
            .map(|p| {
                serde_json::json!({
                    "model": p.name, "id": p.model, "before": p.before, "how": p.how, "settings": p.settings,
                    "at_ms": p.at_ms, "undone_ms": p.undone_ms,
                })
            })
            .collect();
        writeln!(out, "{:#}", serde_json::json!({ "promotions": rows }))?;
    } else {
        for p in &all {
            let undone = p.undone_ms.map(|ms| format!("  (taken back {})", when(ms))).unwrap_or_default();
            writeln!(out, "{}  {:<12} {}{undone}", when(p.at_ms), clean(&p.name), p.how)?;
        }
    }
    Ok(if all.is_empty() { Outcome::Partly } else { Outcome::Good })
}

fn remove(desk: &Desk, wanted: &str) -> anyhow::Result<Outcome> {
    let store = desk.store()?;
    let (path, card) = models::find(&store, &desk.paths, wanted)?;
    anyhow::ensure!(
        path.starts_with(&desk.paths.user_models),
        "{}: only your own models can be deleted",
        clean_path(&path)
    );
    let through = store.models()?.into_iter().find(|m| m.card.id() != card.id() && m.card.trunk_id() == card.id());
    if let Some(other) = through {
        anyhow::bail!("{} listens through {}; delete it first", clean(&other.card.name), clean(&card.name));
    }
    let listens = models::in_force(Some(&store), &desk.paths, &desk.config.ears.model)?.1;
    anyhow::ensure!(
        listens.id() != card.id() && store.forget_model(card.id())?,
        "{} is in force, or a rollback would bring it back; it was not deleted",
        clean(&card.name)
    );
    for ending in files_of_a_model() {
        let file = path.with_extension(ending);
        match fs::remove_file(&file) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && ending.contains('.') => {}
            removed => removed.with_context(|| clean_path(&file))?,
        }
    }
    writeln!(std::io::stdout(), "{} was deleted", clean(&card.name))?;
    Ok(Outcome::Good)
}

fn mine(desk: &Desk, format: Form) -> anyhow::Result<Outcome> {
    let store = desk.reader()?;
    let model = store.current_model()?.context("nothing was heard yet; `deepcuts scan DIR` listens to a folder")?;
    let mine = judge::mine(&store, &model, &desk.paths.user_models.join("reports"))?;
    let mut out = std::io::stdout().lock();
    if format == Form::Json {
        let bins: Vec<_> = mine
            .calibration
            .iter()
            .map(|(from, to, n, score, right)| {
                serde_json::json!({"from": from, "to": to, "chunks": n, "score": score, "right": right})
            })
            .collect();
        let wrong: Vec<_> = mine
            .confusions
            .iter()
            .map(|(said, heard, n)| serde_json::json!({"said": said, "heard": heard, "tracks": n}))
            .collect();
        let answer = serde_json::json!({
            "model": mine.model, "tracks": mine.tracks, "right": mine.right, "unsure": mine.unsure, "low": mine.low,
            "high": mine.high, "learned": mine.learned, "held_out": mine.held_out,
            "calibration_error": mine.calibration_error, "calibration": bins, "confusions": wrong,
        });
        writeln!(out, "{answer:#}")?;
    } else {
        print_mine(&mut out, &mine)?;
    }
    Ok(if mine.tracks + mine.learned > 0 { Outcome::Good } else { Outcome::Partly })
}

fn print_mine(out: &mut impl Write, mine: &Mine) -> anyhow::Result<()> {
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    if mine.tracks + mine.learned == 0 {
        talk("deepcuts: no track was corrected yet; `deepcuts review` lists those worth asking about");
        return Ok(());
    }
    if mine.tracks > 0 {
        writeln!(
            out,
            "{}: {} of {} corrected tracks right, {} [{}, {}]; {} without any genre",
            clean(&mine.model),
            mine.right,
            mine.tracks,
            percent(mine.right as f64 / mine.tracks as f64),
            percent(mine.low),
            percent(mine.high),
            mine.unsure
        )?;
        writeln!(out, "  (tracks are corrected because they are wrong: confirmed ones, `--lock`, make this fairer)")?;
    }
    if mine.learned > 0 {
        let held = mine.held_out.map_or_else(String::new, |p| {
            format!(
                "; held out in its report: {} of {} tracks, before {}",
                percent(p.after),
                p.tracks,
                percent(p.before)
            )
        });
        writeln!(out, "{} it learned from, and they do not judge it{held}", mine.learned)?;
    }
    for (said, heard, n) in mine.confusions.iter().filter(|c| c.2 > 1) {
        writeln!(out, "usually wrong on {}: heard as {} ({n} tracks)", clean(said), clean(heard))?;
    }
    if let Some(error) = mine.calibration_error {
        writeln!(out, "scores are off by {:.0} points on the mean", error * 100.0)?;
        for (from, to, n, score, right) in &mine.calibration {
            writeln!(
                out,
                "  {:>3.0}-{:<3.0} % sure: {} right of {n} chunks (said {})",
                from * 100.0,
                to * 100.0,
                percent(*right),
                percent(*score)
            )?;
        }
    }
    Ok(())
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

/// The weights of the model that listens.
fn used(desk: &Desk) -> Option<PathBuf> {
    models::in_force(desk.reader().ok().as_ref(), &desk.paths, &desk.config.ears.model).ok().map(|(path, _)| path)
}

fn list(desk: &Desk, format: Form) -> anyhow::Result<Outcome> {
    let used = used(desk);
    let mut out = std::io::stdout().lock();
    let mut outcome = Outcome::Partly;
    let mut documents = Vec::new();
    for path in all(desk) {
        let card = match ModelCard::read_for(&path) {
            Ok(card) => card,
            Err(e) => {
                talk(format_args!("deepcuts: {}", clean(&e.to_string())));
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
                accuracy(&card)
                    .map_or_else(|| "not judged".to_owned(), |a| format!("{:.1} % of {}", a * 100.0, judged(&card))),
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

/// What a model was judged on: one that was retrained, on its user's corrections.
fn judged(card: &ModelCard) -> &'static str {
    if card.parent.is_some() { "your tracks" } else { "clips" }
}

fn document(path: &Path, card: &ModelCard, used: bool) -> serde_json::Value {
    with_path(path, serde_json::json!({"used": used, "clip_accuracy": accuracy(card), "card": card}))
}

fn show(desk: &Desk, model: &str, format: Form) -> anyhow::Result<Outcome> {
    let path = desk.paths.model(model).map_err(anyhow::Error::msg)?;
    let card = ModelCard::read_for(&path)?;
    let mut out = std::io::stdout().lock();
    if format == Form::Json {
        let used = used(desk).is_some_and(|p| p == path);
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
        writeln!(out, "mean        {:.1} % of {}", mean * 100.0, judged(&card))?;
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
