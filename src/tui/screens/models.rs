//! The models: which there are, where each comes from, how well it does, which one is in force.

use deepcuts_protocol::ModelCard;
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{Shared, track::day};
use crate::{
    store::ModelRow,
    text::{clean, clean_path},
    tui::{
        data::thousands,
        event::Effect,
        keys::Action,
        widgets::{list::Cursor, text, window},
    },
};

/// The models' state.
#[derive(Debug, Default)]
pub struct Models {
    /// The models known, newest first.
    pub models: Vec<ModelRow>,
    cursor: Cursor,
}

impl Models {
    /// A key.
    pub fn act(&mut self, action: Action) -> Option<Vec<Effect>> {
        let len = self.models.len();
        match action {
            Action::Down => self.cursor.step(1, len),
            Action::Up => self.cursor.step(-1, len),
            Action::Top => self.cursor.go(0, len),
            Action::Bottom => self.cursor.go(usize::MAX, len),
            _ => return None,
        }
        Some(Vec::new())
    }

    /// Draw it.
    pub fn draw(&mut self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let theme = shared.theme;
        let wide = area.width >= 100;
        let list_width = if wide { 38 } else { area.width };
        let list_height = if wide { area.height } else { (self.models.len() as u16 + 1).min(area.height / 3).max(2) };
        let list = Rect { width: list_width, height: list_height, ..area };
        window::heading(frame, list, "Models", "● in force", true, theme);
        let rows = Rect { y: list.y + 1, height: list.height.saturating_sub(1), ..list };
        if self.models.is_empty() {
            window::line(frame, rows, 0, vec![("none yet: the first scan brings one".into(), theme.dim())]);
            return;
        }
        let visible = self.cursor.window(self.models.len(), usize::from(rows.height));
        for (i, index) in visible.enumerate() {
            let model = &self.models[index];
            let line = Rect { y: rows.y + i as u16, height: 1, ..rows };
            if index == self.cursor.at {
                frame.buffer_mut().set_style(line, theme.selected(true));
            }
            let sign = if model.current { "● " } else { "  " };
            let id: String = model.card.id().chars().take(8).collect();
            let day = day(model.added_ms).unwrap_or_default();
            let name = text::left(&clean(&model.card.name), usize::from(line.width).saturating_sub(24));
            window::line(
                frame,
                line,
                0,
                vec![
                    (sign.to_owned(), theme.accent()),
                    (name, if model.current { theme.accent() } else { theme.text() }),
                    (format!(" {} {}", text::left(&clean(&id), 9), day), theme.dim()),
                ],
            );
        }
        let Some(model) = self.models.get(self.cursor.at) else { return };
        let card_area = if wide {
            Rect { x: area.x + list_width + 2, width: area.width - list_width - 2, ..area }
        } else {
            let y = list.bottom() + 1;
            Rect { y, height: area.bottom().saturating_sub(y), ..area }
        };
        window::heading(frame, card_area, &clean(&model.card.name), "", false, theme);
        let lines = card(model, shared, usize::from(card_area.width));
        for (i, line) in lines.iter().take(usize::from(card_area.height.saturating_sub(1))).enumerate() {
            frame.render_widget(line, Rect { y: card_area.y + 1 + i as u16, height: 1, ..card_area });
        }
    }
}

fn card(model: &ModelRow, shared: &Shared, width: usize) -> Vec<Line<'static>> {
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
    fact("weights", &clean_path(&model.path));
    fact("id", model.card.id());
    lines
}

/// What a card says, as labelled text.
fn facts(card: &ModelCard) -> Vec<(&'static str, String)> {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let mut facts = vec![("network", format!("{} behind {}", card.arch, card.front_end.name()))];
    if let Some(parameters) = card.parameters {
        facts.push(("size", format!("{} parameters", thousands(parameters as usize))));
    }
    facts.push(("chunk", format!("{:.2} s", f64::from(card.chunk_ms) / 1000.0)));
    facts.push(("genres", card.genres.join(", ")));
    if !card.folds.is_empty() {
        let mean = card.folds.iter().map(|f| f.clip_accuracy).sum::<f64>() / card.folds.len() as f64;
        facts.push((
            "accuracy",
            format!("{} of clips by artists it never heard (mean of {} runs)", percent(mean), card.folds.len()),
        ));
        for fold in &card.folds {
            let text = format!("fold {}: {} of {} clips", fold.fold + 1, percent(fold.clip_accuracy), fold.clips);
            facts.push(("", text));
        }
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
