//! A cursor in a list of any length: only what is visible is ever looked at.

use ratatui::layout::Rect;

use crate::tui::keys::Action;

/// Where the cursor is, and from where the list is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The entry under the cursor.
    pub at: usize,
    /// The first visible entry.
    pub top: usize,
}

impl Cursor {
    /// Move by `by` entries within `len`.
    pub fn step(&mut self, by: isize, len: usize) {
        self.at = self.at.saturating_add_signed(by).min(len.saturating_sub(1));
    }

    /// Go to an entry.
    pub fn go(&mut self, to: usize, len: usize) {
        self.at = to.min(len.saturating_sub(1));
    }

    /// Keep the cursor within `len` and the window of `height` around it, two entries of context where there are
    /// any. Returns what is visible.
    pub fn window(&mut self, len: usize, height: usize) -> std::ops::Range<usize> {
        self.at = self.at.min(len.saturating_sub(1));
        let margin = 2.min(height.saturating_sub(1) / 2);
        if self.at < self.top + margin {
            self.top = self.at.saturating_sub(margin);
        }
        if self.at + margin + 1 > self.top + height {
            self.top = (self.at + margin + 1).saturating_sub(height);
        }
        self.top = self.top.min(len.saturating_sub(height));
        self.top..(self.top + height).min(len)
    }
}

/// A list that keys and the mouse move in: every screen with rows has one.
#[derive(Clone, Copy, Debug, Default)]
pub struct List {
    /// Where the cursor is.
    pub cursor: Cursor,
    /// Where it was last drawn.
    area: Rect,
}

impl List {
    /// The entry under the cursor.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.cursor.at
    }

    /// Move, if that is what the key does; whether it was.
    pub fn act(&mut self, action: Action, len: usize) -> bool {
        let page = isize::try_from(self.area.height.max(2)).unwrap_or(2);
        match action {
            Action::Down => self.cursor.step(1, len),
            Action::Up => self.cursor.step(-1, len),
            Action::HalfDown => self.cursor.step(page / 2, len),
            Action::HalfUp => self.cursor.step(-page / 2, len),
            Action::PageDown => self.cursor.step(page, len),
            Action::PageUp => self.cursor.step(-page, len),
            Action::Top => self.cursor.go(0, len),
            Action::Bottom => self.cursor.go(usize::MAX, len),
            _ => return false,
        }
        true
    }

    /// The rows that are visible in `area`: (index, its line, whether the cursor is there).
    pub fn rows(&mut self, area: Rect, len: usize) -> impl Iterator<Item = (usize, Rect, bool)> + use<> {
        self.area = area;
        let at = self.cursor.at;
        let visible = self.cursor.window(len, usize::from(area.height));
        let at = at.min(len.saturating_sub(1));
        visible
            .enumerate()
            .map(move |(i, index)| (index, Rect { y: area.y + i as u16, height: 1, ..area }, index == at))
    }

    /// Put the cursor where the mouse clicked; whether it did.
    pub fn click(&mut self, column: u16, row: u16, len: usize) -> bool {
        if !self.area.contains((column, row).into()) {
            return false;
        }
        self.cursor.go(self.cursor.top + usize::from(row - self.area.y), len);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_is_always_visible() {
        let mut cursor = Cursor::default();
        for (by, len, height) in [(50, 100, 10), (-7, 100, 10), (500, 100, 10), (-3, 100, 3), (0, 4, 10), (1, 0, 10)] {
            cursor.step(by, len);
            let window = cursor.window(len, height);
            assert!(len == 0 || window.contains(&cursor.at), "{cursor:?} {window:?}");
            assert!(window.end <= len);
        }
    }
}
