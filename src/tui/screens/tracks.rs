//! A list of tracks with their share bars: the library's, the search's and the review's.

use std::sync::Arc;

use ratatui::{
    Frame,
    layout::Rect,
    style::{Modifier, Style},
};

use super::Shared;
use crate::tui::{
    data::{Row, Sort, View, clock},
    keys::Action,
    widgets::{bar, list::Cursor, text},
};

/// A list of tracks and the cursor in it.
#[derive(Debug, Default)]
pub struct Tracks {
    /// The rows, once they have come.
    pub view: Option<Box<View>>,
    /// Where the cursor is.
    pub cursor: Cursor,
    /// Rows visible when last drawn.
    page: usize,
    /// Where it was last drawn.
    area: Rect,
}

/// What a key did to the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Did {
    /// It moved, or marked.
    Handled,
    /// Nothing: it is not a list's key.
    Nothing,
}

/// Columns of a row.
struct Columns {
    title: usize,
    artist: usize,
    album: usize,
    length: usize,
    bar: usize,
    words: usize,
}

impl Columns {
    fn of(width: usize) -> Self {
        let bar = (width / 5).clamp(8, 26);
        let words = match width {
            0..=55 => 9,
            56..=75 => 11,
            76..=95 => 18,
            _ => 28,
        };
        let length = if width >= 72 { 7 } else { 0 };
        // The gutter, and a gap before the bar and before the words.
        let rest = width.saturating_sub(2 + bar + 2 + words + length + 2);
        let album = if rest >= 70 { rest * 28 / 100 } else { 0 };
        let artist = if rest >= 24 { (rest - album) * 42 / 100 } else { 0 };
        Self { title: rest - album - artist, artist, album, length, bar, words }
    }
}

impl Tracks {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.view.as_ref().map_or(0, |view| view.rows.len())
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The row under the cursor.
    #[must_use]
    pub fn selected(&self) -> Option<&Arc<Row>> {
        self.view.as_ref().and_then(|view| view.rows.get(self.cursor.at))
    }

    /// Show other rows. The cursor stays on its track where that is still there, unless the question changed.
    /// Returns what was shown before: letting go of 100,000 rows takes long enough to be left to a worker.
    pub fn show(&mut self, view: Box<View>) -> Option<Box<View>> {
        let same =
            self.view.as_ref().is_none_or(|old| old.spec.query == view.spec.query && old.spec.only == view.spec.only);
        let file = self.selected().map(|row| row.file);
        let before = (self.cursor.at, self.cursor.top);
        let old = self.view.replace(view);
        if same {
            let place = file.and_then(|file| self.view.as_ref().and_then(|view| view.position(file)));
            self.cursor.at = place.unwrap_or(before.0).min(self.len().saturating_sub(1));
            // The track stays on its line of the screen, too.
            self.cursor.top = self.cursor.at.saturating_sub(before.0.saturating_sub(before.1));
        } else {
            self.cursor = Cursor::default();
        }
        old
    }

    /// Move, or mark.
    pub fn act(&mut self, action: Action, shared: &mut Shared) -> Did {
        let len = self.len();
        let page = self.page.max(1) as isize;
        match action {
            Action::Down => self.cursor.step(1, len),
            Action::Up => self.cursor.step(-1, len),
            Action::HalfDown => self.cursor.step((page / 2).max(1), len),
            Action::HalfUp => self.cursor.step(-(page / 2).max(1), len),
            Action::PageDown => self.cursor.step(page, len),
            Action::PageUp => self.cursor.step(-page, len),
            Action::Top => self.cursor.go(0, len),
            Action::Bottom => self.cursor.go(usize::MAX, len),
            Action::Mark => {
                if let Some(row) = self.selected().cloned() {
                    if shared.marks.remove(&row.file).is_none() {
                        shared.marks.insert(row.file, row);
                    }
                    self.cursor.step(1, len);
                }
            }
            Action::MarkAll => {
                let rows = self.view.as_ref().map_or(&[][..], |view| &view.rows);
                if rows.iter().all(|row| shared.marks.contains_key(&row.file)) {
                    rows.iter().for_each(|row| drop(shared.marks.remove(&row.file)));
                } else {
                    shared.marks.extend(rows.iter().map(|row| (row.file, Arc::clone(row))));
                }
            }
            _ => return Did::Nothing,
        }
        Did::Handled
    }

    /// Put the cursor where the mouse clicked; whether it did.
    pub fn click(&mut self, column: u16, row: u16) -> bool {
        if !self.area.contains((column, row).into()) {
            return false;
        }
        let at = self.cursor.top + usize::from(row - self.area.y);
        if at < self.len() {
            self.cursor.at = at;
        }
        true
    }

    /// What the heading says of the order.
    #[must_use]
    pub fn order_note(&self) -> String {
        let Some(view) = &self.view else { return String::new() };
        let arrow = if view.spec.reversed { " ↑" } else { "" };
        format!("by {}{arrow}", view.spec.sort.name())
    }

    /// The order after the present one.
    #[must_use]
    pub fn next_sort(now: Sort, searching: bool) -> Sort {
        let all = Sort::ALL;
        match all.iter().position(|s| *s == now) {
            Some(i) if i + 1 < all.len() => all[i + 1],
            Some(_) if searching => Sort::Closeness,
            _ => all[0],
        }
    }

    /// Draw the rows. `empty` is said when there are none.
    pub fn draw(&mut self, frame: &mut Frame<'_>, area: Rect, shared: &Shared, focused: bool, empty: &[&str]) {
        self.area = area;
        self.page = usize::from(area.height);
        let Some(view) = &self.view else { return };
        if view.rows.is_empty() {
            for (i, line) in empty.iter().enumerate() {
                let y = area.y + area.height / 3 + i as u16;
                if y < area.bottom() {
                    let x = area.x + (usize::from(area.width).saturating_sub(text::width(line)) / 2) as u16;
                    let style = if i == 0 { shared.theme.soft() } else { shared.theme.dim() };
                    let shown = text::cut(line, usize::from(area.width));
                    frame.buffer_mut().set_string(x, y, shown, style);
                }
            }
            return;
        }
        let columns = Columns::of(usize::from(area.width));
        let visible = self.cursor.window(view.rows.len(), usize::from(area.height));
        for (i, index) in visible.enumerate() {
            let line = Rect { y: area.y + i as u16, height: 1, ..area };
            draw_row(frame, line, &view.rows[index], &columns, index == self.cursor.at, focused, shared);
        }
    }
}

fn draw_row(
    frame: &mut Frame<'_>,
    line: Rect,
    row: &Row,
    columns: &Columns,
    selected: bool,
    focused: bool,
    shared: &Shared,
) {
    let theme = shared.theme;
    let buffer = frame.buffer_mut();
    let back = if selected { theme.selected(focused) } else { Style::new() };
    buffer.set_style(line, back);
    let marked = shared.marks.contains_key(&row.file);
    let gutter = match (marked, selected) {
        (true, _) => "●",
        (false, true) => "▌",
        (false, false) => " ",
    };
    buffer.set_string(line.x, line.y, gutter, theme.accent());
    let gone = if row.present { Style::new() } else { Style::new().add_modifier(Modifier::CROSSED_OUT) };
    let mut x = line.x + 2;
    let put = |buffer: &mut ratatui::buffer::Buffer, x: &mut u16, columns: usize, text: &str, style: Style| {
        if columns > 0 {
            buffer.set_stringn(*x, line.y, text::cut(text, columns.saturating_sub(1)), columns, style);
            *x += columns as u16;
        }
    };
    let bold = if selected { Modifier::BOLD } else { Modifier::empty() };
    put(buffer, &mut x, columns.title, &row.title, theme.text().patch(gone).add_modifier(bold));
    put(buffer, &mut x, columns.artist, &row.artist, theme.soft().patch(gone));
    put(buffer, &mut x, columns.album, &row.album, theme.dim().patch(gone));
    if columns.length > 0 {
        let length = text::right(&row.duration_ms.map(clock).unwrap_or_default(), columns.length - 1);
        buffer.set_string(x, line.y, length, theme.dim());
        x += columns.length as u16;
    }
    let area = Rect { x, y: line.y, width: columns.bar as u16, height: 1 };
    bar::draw(row.mix.as_ref(), area, buffer, theme, &shared.genres);
    x += columns.bar as u16 + 1;
    match &row.mix {
        Some(mix) => {
            let said = match mix.source() {
                crate::track::Source::User => "✓",
                crate::track::Source::File => "♯",
                crate::track::Source::Model => " ",
            };
            buffer.set_string(x, line.y, said, theme.accent());
            x += 1;
            for (i, (genre, word)) in bar::words(mix, columns.words, &shared.genres).into_iter().enumerate() {
                x += if i > 0 { 2 } else { 0 };
                let style = match genre {
                    Some(genre) => Style::new().fg(shared.genres.colour(theme, &genre)),
                    None => theme.dim(),
                };
                buffer.set_string(x, line.y, &word, style);
                x += text::width(&word) as u16;
            }
        }
        None => {
            buffer.set_stringn(x + 1, line.y, "unheard", columns.words, theme.dim());
        }
    }
}
