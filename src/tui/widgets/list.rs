//! A cursor in a list of any length: only what is visible is ever looked at.

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
