//! The genre ribbon: what a track sounds like over its playing time.
//!
//! A skyline: colour and letter are the winner, height is how sure the network was. Below it a line of letters
//! and a line of times; a cursor and a span can be shown on it.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use crate::tui::{
    data::{Timeline, clock},
    theme::{Depth, Genres, Theme},
};

/// Lower part of a cell, in eighths.
const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// What to draw.
#[derive(Clone, Copy, Debug)]
pub struct Ribbon<'a> {
    /// The winners.
    pub timeline: &'a Timeline,
    /// Length of the whole track.
    pub duration_ms: u64,
    /// A place in it.
    pub cursor_ms: Option<u64>,
    /// A part of it.
    pub span_ms: Option<(u64, u64)>,
}

impl Ribbon<'_> {
    /// The time at a column of `width`.
    #[must_use]
    pub fn at(&self, column: u16, width: u16) -> u64 {
        self.length() * u64::from(column) / u64::from(width.max(1))
    }

    /// The column of a time.
    #[must_use]
    pub fn column(&self, ms: u64, width: u16) -> u16 {
        let column = ms.min(self.length()) * u64::from(width) / self.length();
        (column as u16).min(width.saturating_sub(1))
    }

    fn length(&self) -> u64 {
        self.duration_ms.max(self.timeline.end_ms()).max(1)
    }

    /// Draw it: the skyline takes what the letters and the times leave of `area`.
    pub fn draw(&self, area: Rect, buffer: &mut Buffer, theme: Theme, genres: &Genres) {
        let area = area.intersection(buffer.area);
        if area.width == 0 || area.height < 3 {
            return;
        }
        let sky = area.height - 2;
        let letters = area.y + sky;
        let mut last = None;
        for i in 0..area.width {
            let (from, to) = (self.at(i, area.width), self.at(i + 1, area.width).max(self.at(i, area.width) + 1));
            let x = area.x + i;
            let inside = self.span_ms.is_none_or(|(start, end)| from < end && to > start);
            let won = self.timeline.between(from, to);
            let score = won.map_or(0.0, |(_, score)| score);
            let genre = won.and_then(|(genre, _)| genre);
            match (won, genre) {
                (Some(_), Some(genre)) => {
                    let colour = genres.colour(theme, genre);
                    let lit = if inside { 1.0 } else { 0.35 };
                    // Never less than a sliver: something won here.
                    let eighths = ((score * f64::from(sky) * 8.0).round() as u16).max(2);
                    for level in 0..sky {
                        let fill = eighths.saturating_sub(level * 8).min(8) as usize;
                        if fill == 0 {
                            break;
                        }
                        let height = f64::from(level + 1) / f64::from(sky);
                        let shade = theme.shade(colour, lit * (0.62 + 0.38 * height));
                        let cell = &mut buffer[(x, letters - 1 - level)];
                        cell.set_symbol(EIGHTHS[fill]).set_fg(shade);
                        if theme.depth == Depth::Mono && fill > 4 {
                            cell.set_char(genres.letter(genre));
                        }
                    }
                    let cell = &mut buffer[(x, letters)];
                    if last != Some(genre) || theme.depth <= Depth::Sixteen {
                        cell.set_char(genres.letter(genre)).set_style(Style::new().fg(theme.shade(colour, lit)));
                    } else {
                        cell.set_symbol("─").set_style(Style::new().fg(theme.shade(colour, lit * 0.6)));
                    }
                }
                (Some(_), None) => {
                    buffer[(x, letters - 1)].set_symbol("▁").set_style(theme.rule());
                    buffer[(x, letters)].set_symbol("·").set_style(theme.dim());
                }
                _ => {
                    buffer[(x, letters)].set_symbol(" ");
                }
            }
            last = genre;
        }
        self.times(Rect { y: area.bottom() - 1, height: 1, ..area }, buffer, theme);
        self.marks(Rect { height: sky + 1, ..area }, buffer, theme);
    }

    fn times(&self, line: Rect, buffer: &mut Buffer, theme: Theme) {
        const STEPS_S: [u64; 14] = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 36_000];
        let room = u64::from(line.width / 12).max(1);
        let length_s = self.length() / 1000;
        let step_s = STEPS_S.into_iter().find(|s| length_s / s <= room).unwrap_or(length_s.max(1));
        let end = clock(self.length());
        let end_x = line.right().saturating_sub(end.len() as u16);
        let mut s = 0;
        while s * 1000 < self.length() {
            let label = clock(s * 1000);
            let x = line.x + self.column(s * 1000, line.width);
            if x + (label.len() as u16) < end_x {
                buffer.set_string(x, line.y, &label, theme.dim());
            }
            s += step_s;
        }
        buffer.set_string(end_x, line.y, end, theme.dim());
    }

    fn marks(&self, area: Rect, buffer: &mut Buffer, theme: Theme) {
        if let Some((start, end)) = self.span_ms {
            let y = area.bottom() - 1;
            let (a, b) = (self.column(start, area.width), self.column(end, area.width));
            for i in a..=b {
                buffer[(area.x + i, y)].set_style(theme.accent());
            }
            buffer[(area.x + a, y)].set_symbol("[");
            buffer[(area.x + b, y)].set_symbol("]");
        }
        if let Some(ms) = self.cursor_ms {
            let x = area.x + self.column(ms, area.width);
            for y in area.top()..area.bottom() - 1 {
                let cell = &mut buffer[(x, y)];
                if cell.symbol() == " " {
                    cell.set_symbol("│").set_style(theme.accent());
                } else {
                    cell.set_style(theme.accent());
                }
            }
            buffer[(x, area.bottom() - 1)].set_symbol("▲").set_style(theme.accent());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::genre::{Genre, Taxonomy};

    #[test]
    fn letters_follow_the_music() {
        let mut taxonomy = Taxonomy::default();
        for name in ["Jazz", "Blues"] {
            taxonomy.add(name);
        }
        let genres = Genres::of(&taxonomy);
        let g = |s| Genre::new(s);
        let chunks = [(g("jazz"), 255), (g("jazz"), 128), (None, 0), (g("blues"), 255)];
        let timeline = Timeline { start_ms: 0, chunk_ms: 5000, chunks: chunks.to_vec() };
        let ribbon = Ribbon { timeline: &timeline, duration_ms: 20_000, cursor_ms: None, span_ms: None };
        let mut buffer = Buffer::empty(Rect::new(0, 0, 20, 4));
        ribbon.draw(buffer.area, &mut buffer, Theme::new(Depth::Mono), &genres);
        let line = |y: u16| -> String { (0..20).map(|x| buffer[(x, y)].symbol().to_owned()).collect() };
        assert_eq!(line(0), "JJJJJ          BBBBB");
        assert_eq!(line(2), "JJJJJJJJJJ·····BBBBB");
        assert_eq!(line(3), "0:00            0:20");
        assert_eq!(ribbon.column(10_000, 20), 10);
        assert_eq!(ribbon.at(10, 20), 10_000);
    }
}
