//! A confusion matrix as a heat map: a row a genre as it is, a column a genre as it was heard.

use ratatui::{
    Frame,
    layout::Rect,
    style::{Modifier, Style},
};

use super::text;
use crate::{
    genre::Genre,
    tui::theme::{Depth, Genres, Theme},
};

/// Columns of a row's name.
const NAME: u16 = 12;

/// Draw `counts` (row: the truth, column: what was heard) over `area`; returns the lines used.
pub fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    order: &[Genre],
    counts: &[Vec<u32>],
    theme: Theme,
    genres: &Genres,
) -> u16 {
    let n = order.len() as u16;
    // The recall stands at the right.
    let room = area.width.saturating_sub(NAME + 8);
    let cell = (room / n.max(1)).min(7);
    if area.height < 3 {
        return 0;
    }
    if n == 0 || cell < 2 {
        frame.buffer_mut().set_stringn(area.x, area.y, "too narrow for the table", area.width.into(), theme.dim());
        return 1;
    }
    // Where the screen is high, squares look better than lines.
    let tall = if area.height >= 2 * n + 2 && cell >= 5 { 2 } else { 1 };
    let buffer = frame.buffer_mut();
    for (i, genre) in order.iter().enumerate() {
        let x = area.x + NAME + i as u16 * cell;
        let letter = text::right(&genres.letter(genre).to_string(), usize::from(cell).div_ceil(2));
        let style = Style::new().fg(genres.colour(theme, genre)).add_modifier(Modifier::BOLD);
        buffer.set_stringn(x, area.y, letter, cell.into(), style);
    }
    buffer.set_stringn(area.x + NAME + n * cell + 1, area.y, "right", 6, theme.dim());
    for (i, genre) in order.iter().enumerate() {
        let y = area.y + 1 + i as u16 * tall;
        if y >= area.bottom() {
            return area.height;
        }
        let Some(row) = counts.get(i) else { break };
        let total: u32 = row.iter().sum();
        let name = format!("{} {}", genres.letter(genre), genres.name(genre));
        let style = Style::new().fg(genres.colour(theme, genre));
        buffer.set_stringn(area.x, y, text::cut(&name, usize::from(NAME) - 1), usize::from(NAME), style);
        for (j, count) in row.iter().take(order.len()).enumerate() {
            let share = if total == 0 { 0.0 } else { f64::from(*count) / f64::from(total) };
            let x = area.x + NAME + j as u16 * cell;
            let shown = match count {
                0 if theme.depth <= Depth::Sixteen => "·".to_owned(),
                0 => String::new(),
                n => n.to_string(),
            };
            let width = usize::from(cell);
            let left = (width.saturating_sub(shown.len())).div_ceil(2);
            let padded = text::left(&format!("{}{shown}", " ".repeat(left)), width);
            let mut style = theme.heat(share);
            if i == j {
                style = style.add_modifier(Modifier::BOLD);
            }
            for line in 0..tall.min(area.bottom() - y) {
                let text = if line == 0 { padded.clone() } else { " ".repeat(width) };
                buffer.set_stringn(x, y + line, text, width, style);
            }
        }
        let recall = row.get(i).map_or(0.0, |right| f64::from(*right) / f64::from(total.max(1)));
        let right = format!("{:>3.0} %", recall * 100.0);
        buffer.set_stringn(area.x + NAME + n * cell + 1, y, right, 6, theme.soft());
    }
    1 + n * tall
}
