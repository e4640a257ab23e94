//! A window on top of a screen, headings and rules.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::{Block, BorderType, Clear},
};

use super::text::{cut, width};
use crate::tui::theme::Theme;

/// Clear a centred window of at most `columns` x `rows` and give it a frame and a title. Returns what is inside.
pub fn open(frame: &mut Frame<'_>, area: Rect, columns: u16, rows: u16, title: &str, theme: Theme) -> Rect {
    let width = columns.min(area.width.saturating_sub(2));
    let height = rows.min(area.height.saturating_sub(2));
    let window = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    frame.render_widget(Clear, window);
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(theme.dim())
        .style(theme.raised())
        .title(Line::from(Span::styled(format!(" {title} "), theme.accent())));
    let inside = block.inner(window);
    frame.render_widget(block, window);
    Rect { x: inside.x + 1, width: inside.width.saturating_sub(2), ..inside }
}

/// A heading with a rule to the end of the line; `note` stands at the right.
pub fn heading(frame: &mut Frame<'_>, area: Rect, title: &str, note: &str, focused: bool, theme: Theme) {
    let area = Rect { height: 1.min(area.height), ..area };
    let title = cut(title, usize::from(area.width));
    let note = if note.is_empty() { String::new() } else { format!(" {note}") };
    let rest = usize::from(area.width).saturating_sub(width(&title) + 1);
    let note = cut(&note, rest.saturating_sub(2));
    let rule = rest.saturating_sub(width(&note));
    let style = if focused { theme.accent() } else { theme.heading() };
    let line = Line::from(vec![
        Span::styled(title, style),
        Span::raw(" "),
        Span::styled("─".repeat(rule), theme.rule()),
        Span::styled(note, theme.dim()),
    ]);
    frame.render_widget(line, area);
}

/// Write one line of styled pieces at `row` of `area`, cut at its end.
pub fn line(frame: &mut Frame<'_>, area: Rect, row: u16, pieces: Vec<(String, Style)>) {
    if row >= area.height {
        return;
    }
    let spans: Vec<Span<'_>> = pieces.into_iter().map(|(text, style)| Span::styled(text, style)).collect();
    frame.render_widget(Line::from(spans), Rect { y: area.y + row, height: 1, ..area });
}
