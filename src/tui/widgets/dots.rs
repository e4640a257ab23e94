//! Points finer than cells: eight dots a cell, by the braille patterns.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Style},
};

/// The bit of the dot at (x, y) within a cell of 2 x 4.
const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

/// A field of dots, two a column and four a row.
#[derive(Clone, Debug)]
pub struct Dots {
    columns: usize,
    rows: usize,
    cells: Vec<(u8, Color)>,
}

impl Dots {
    /// An empty field over `columns` x `rows` cells.
    #[must_use]
    pub fn new(columns: u16, rows: u16) -> Self {
        let (columns, rows) = (usize::from(columns), usize::from(rows));
        Self { columns, rows, cells: vec![(0, Color::Reset); columns * rows] }
    }

    /// Dots across.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.columns * 2
    }

    /// Dots down.
    #[must_use]
    pub const fn height(&self) -> usize {
        self.rows * 4
    }

    /// Set a dot, (0, 0) at the upper left; outside nothing happens. The cell takes the colour.
    pub fn set(&mut self, x: usize, y: usize, colour: Color) {
        if x < self.width() && y < self.height() {
            let cell = &mut self.cells[y / 4 * self.columns + x / 2];
            cell.0 |= BITS[x % 2][y % 4];
            cell.1 = colour;
        }
    }

    /// A straight line between two dots.
    pub fn line(&mut self, from: (usize, usize), to: (usize, usize), colour: Color) {
        let steps = from.0.abs_diff(to.0).max(from.1.abs_diff(to.1)).max(1);
        let between = |a: usize, b: usize, i: usize| {
            (a as f64 + (b as f64 - a as f64) * i as f64 / steps as f64).round() as usize
        };
        for i in 0..=steps {
            self.set(between(from.0, to.0, i), between(from.1, to.1, i), colour);
        }
    }

    /// Draw the dots; cells without any stay as they are.
    pub fn draw(&self, area: Rect, buffer: &mut Buffer) {
        let area = area.intersection(buffer.area);
        for y in 0..self.rows.min(usize::from(area.height)) {
            for x in 0..self.columns.min(usize::from(area.width)) {
                let (bits, colour) = self.cells[y * self.columns + x];
                if bits != 0 {
                    let symbol = char::from_u32(0x2800 + u32::from(bits)).unwrap_or('·');
                    buffer[(area.x + x as u16, area.y + y as u16)].set_char(symbol).set_style(Style::new().fg(colour));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_make_patterns() {
        let mut dots = Dots::new(2, 1);
        dots.line((0, 3), (3, 0), Color::Reset);
        dots.set(9, 9, Color::Reset);
        let mut buffer = Buffer::empty(Rect::new(0, 0, 2, 1));
        dots.draw(buffer.area, &mut buffer);
        // Rising from the lower left to the upper right.
        let line: String = buffer.content.iter().map(|c| c.symbol()).collect();
        assert_eq!(line, "⡠⠊");
    }
}
