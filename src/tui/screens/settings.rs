//! The settings in force, and where they are written.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::Shared;
use crate::tui::widgets::{text, window};

/// The settings' state.
#[derive(Debug, Default)]
pub struct Settings {
    /// Lines scrolled away.
    pub scroll: usize,
    /// Path of the file, clean.
    pub path: String,
    /// The settings as text, clean; `*` begins the lines that differ from the default.
    pub lines: Vec<String>,
}

impl Settings {
    /// Draw it.
    pub fn draw(&mut self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let theme = shared.theme;
        let inside = window::open(frame, area, 100, area.height, "Settings", theme);
        window::line(frame, inside, 0, vec![(text::cut_front(&self.path, usize::from(inside.width)), theme.soft())]);
        window::line(
            frame,
            inside,
            1,
            vec![("● differs from the default; it is read at the next start".into(), theme.dim())],
        );
        let body = Rect { y: inside.y + 3, height: inside.height.saturating_sub(3), ..inside };
        self.scroll = self.scroll.min(self.lines.len().saturating_sub(usize::from(body.height)));
        for (i, line) in self.lines.iter().skip(self.scroll).take(usize::from(body.height)).enumerate() {
            let (sign, line) = line.strip_prefix('*').map_or(("  ", line.as_str()), |rest| ("● ", rest));
            let shown = if line.starts_with('[') {
                Line::from(vec![Span::raw("  "), Span::styled(line.to_owned(), theme.heading())])
            } else {
                let (key, value) = line.split_once(" = ").unwrap_or((line, ""));
                Line::from(vec![
                    Span::styled(sign, theme.accent()),
                    Span::styled(text::left(key, 20), theme.soft()),
                    Span::styled(text::cut(value, usize::from(body.width).saturating_sub(22)), theme.text()),
                ])
            };
            frame.render_widget(shown, Rect { y: body.y + i as u16, height: 1, ..body });
        }
    }
}
