//! What a model's card says, as lines.

use std::collections::BTreeMap;

use deepcuts_protocol::{FoldScore, ModelCard, Paired};
use ratatui::text::{Line, Span};

use crate::{
    store::ModelRow,
    text::{clean, clean_path},
    tui::{
        data::thousands,
        screens::{Shared, models::Report},
        widgets::text,
    },
};

/// The card of `model` in lines of `width` columns.
pub fn lines(model: &ModelRow, report: Option<&Report>, shared: &Shared, width: usize) -> Vec<Line<'static>> {
    let theme = shared.theme;
    let mut lines = Vec::new();
    let mut fact = |label: &str, value: &str| {
        for (i, part) in text::wrap(&clean(value), width.saturating_sub(14)).into_iter().enumerate() {
            let label = if i == 0 { label } else { "" };
            lines.push(Line::from(vec![
                Span::styled(text::left(label, 14), theme.dim()),
                Span::styled(part, theme.text()),
            ]));
        }
    };
    for (label, value) in facts(&model.card) {
        fact(label, &value);
    }
    if let Some((mine, base)) = report.and_then(|r| r.retrained.as_ref()) {
        fact("your tracks", &gained(mine));
        if let Some(base) = base {
            fact("the base", &gained(base));
        }
    }
    fact("weights", &clean_path(&model.path));
    fact("id", model.card.id());
    lines
}

/// What a retraining gained, on tracks that it did not learn from.
fn gained(p: &Paired) -> String {
    format!(
        "{:.1} % before, {:.1} % after; {:+.1} points ({:+.1} to {:+.1}) on {} tracks of {} artists",
        p.before * 100.0,
        p.after * 100.0,
        p.gain * 100.0,
        p.gain_low * 100.0,
        p.gain_high * 100.0,
        p.tracks,
        p.groups
    )
}

/// A line a fold, with the accuracy of every seed.
fn by_fold(card: &ModelCard) -> Vec<String> {
    let mut folds: BTreeMap<u32, Vec<&FoldScore>> = BTreeMap::new();
    card.folds.iter().for_each(|run| folds.entry(run.fold).or_default().push(run));
    let line = |(fold, runs): (u32, Vec<&FoldScore>)| {
        let seeds: Vec<String> = runs.iter().map(|run| format!("{:.1}", run.clip_accuracy * 100.0)).collect();
        let unseen = if card.held_out_fold == Some(fold) { ", never seen by these weights" } else { "" };
        let clips = runs.iter().map(|run| run.clips).max().unwrap_or(0);
        format!("fold {fold}: {} % of {clips} clips{unseen}", seeds.join(", "))
    };
    folds.into_iter().map(line).collect()
}

/// What a card says, as labelled text.
fn facts(card: &ModelCard) -> Vec<(&'static str, String)> {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let mut facts = vec![("network", format!("{}, on the mel of {}", card.arch, card.front_end.name()))];
    if let Some(parameters) = card.parameters {
        facts.push(("size", format!("{} parameters", thousands(parameters as usize))));
    }
    facts.push(("chunk", format!("{:.2} s", f64::from(card.chunk_ms) / 1000.0)));
    facts.push(("genres", card.genres.join(", ")));
    if !card.folds.is_empty() {
        let of = if card.parent.is_some() { "your tracks" } else { "clips" };
        let mean = card.folds.iter().map(|f| f.clip_accuracy).sum::<f64>() / card.folds.len() as f64;
        facts.push((
            "accuracy",
            format!("{} of {of} by artists it never heard (mean of {} runs)", percent(mean), card.folds.len()),
        ));
        facts.extend(by_fold(card).into_iter().map(|text| ("", text)));
    }
    if let Some(error) = card.calibration_error {
        facts.push(("calibration", format!("scores are off by {} on average", percent(error))));
    }
    if let Some(unsure) = &card.unsure {
        let text = format!(
            "{} of chunks; the others are wrong in {}",
            percent(unsure.share),
            percent(unsure.wrong_among_sure)
        );
        facts.push(("unsure", text));
    }
    facts.push(("learned from", card.data.clone()));
    facts.push(("licence", card.licence.clone()));
    if let Some(parent) = &card.parent {
        facts.push(("grown from", parent.clone()));
    }
    facts
}
