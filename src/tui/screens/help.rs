//! The help: the table of keys, as it is.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{Shared, command::COMMANDS};
use crate::tui::{
    keys::Scope,
    widgets::{text, window},
};

/// The help's state.
#[derive(Debug, Default)]
pub struct Help {
    /// Lines scrolled away.
    pub scroll: usize,
}

impl Help {
    /// Draw it.
    pub fn draw(&mut self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let inside = window::open(frame, area, 118, area.height, "Keys", shared.theme);
        let two = inside.width >= 90;
        let column = if two { usize::from(inside.width) / 2 - 1 } else { usize::from(inside.width) };
        let lines = lines(shared, column);
        let rows = usize::from(inside.height);
        let shown = if two { lines.len().div_ceil(2).max(rows) } else { lines.len() };
        self.scroll = self.scroll.min(shown.saturating_sub(rows));
        for (i, line) in lines.iter().enumerate() {
            let (at, x) = if two && i >= shown { (i - shown, inside.x + column as u16 + 2) } else { (i, inside.x) };
            let Some(y) = at.checked_sub(self.scroll).filter(|y| *y < rows) else { continue };
            frame.render_widget(line, Rect { x, y: inside.y + y as u16, width: column as u16, height: 1 });
        }
    }
}

fn lines(shared: &Shared, width: usize) -> Vec<Line<'static>> {
    let theme = shared.theme;
    let entry = |keys: String, help: &str| {
        Line::from(vec![
            Span::styled(text::left(&keys, 18), theme.accent()),
            Span::styled(text::cut(help, width.saturating_sub(18)), theme.text()),
        ])
    };
    let mut lines = Vec::new();
    for scope in Scope::ALL {
        let mut bindings = shared.keys.of(scope).filter(|b| !b.keys.is_empty()).peekable();
        if bindings.peek().is_none() {
            continue;
        }
        lines.push(Line::styled(scope.name(), theme.heading()));
        lines.extend(
            bindings.map(|b| entry(b.keys.iter().map(|k| k.replace(' ', "")).collect::<Vec<_>>().join("  "), b.help)),
        );
        lines.push(Line::default());
    }
    lines.push(Line::styled("Correcting", theme.heading()));
    for (keys, help) in super::editor::KEYS {
        lines.push(entry((*keys).to_owned(), help));
    }
    lines.push(Line::default());
    lines.push(Line::styled("Commands", theme.heading()));
    lines.extend(COMMANDS.iter().map(|c| entry(format!(":{} {}", c.name, c.argument), c.help)));
    lines
}
