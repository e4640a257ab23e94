//! The library: facets at the left, tracks at the right, and below them, where there is room, what the track
//! under the cursor sounds like over time.

use ratatui::{Frame, layout::Rect, style::Style};

use super::{
    Shared,
    track::preview,
    tracks::{Did, Tracks},
};
use crate::tui::{
    data::{Detail, Facet, Spec, View, thousands},
    event::{Ask, Effect, Slot},
    keys::Action,
    widgets::{list::List, text, window},
};

/// Height of the preview, and from which height of the screen on there is one.
const PREVIEW: (u16, u16) = (9, 30);

/// The library's state.
#[derive(Debug, Default)]
pub struct Library {
    /// The tracks.
    pub tracks: Tracks,
    /// What is wanted.
    pub spec: Spec,
    facets: List,
    on_facets: bool,
}

impl Library {
    /// Ask for the rows.
    #[must_use]
    pub fn ask(&self) -> Effect {
        Effect::Ask(Ask::View(Slot::Library, self.spec.clone()))
    }

    /// Rows have come.
    pub fn show(&mut self, view: Box<View>) -> Option<Box<View>> {
        if view.spec.facet == self.spec.facet {
            let at = self.spec.only.as_ref().and_then(|only| view.facets.iter().position(|item| item.key == *only));
            self.facets.cursor.at = at.map_or(0, |i| i + 1);
        }
        self.tracks.show(view)
    }

    /// Put the cursor on the track of a file, if it is in the list.
    pub fn go_to(&mut self, file: i64) {
        if let Some(place) = self.tracks.view.as_ref().and_then(|view| view.position(file)) {
            let len = self.tracks.len();
            self.tracks.cursor.go(place, len);
        }
    }

    fn facet_count(&self) -> usize {
        self.tracks.view.as_ref().map_or(0, |view| view.facets.len()) + 1
    }

    fn choose_facet(&mut self) -> Vec<Effect> {
        let only = match self.facets.at() {
            0 => None,
            i => self.tracks.view.as_ref().and_then(|view| view.facets.get(i - 1)).map(|item| item.key.clone()),
        };
        if only == self.spec.only {
            return Vec::new();
        }
        self.spec.only = only;
        vec![self.ask()]
    }

    /// A key.
    pub fn act(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        match action {
            Action::Facet => {
                let all = Facet::ALL;
                let next = all.iter().position(|f| *f == self.spec.facet).map_or(0, |i| (i + 1) % all.len());
                self.set_facet(all[next]);
                return Some(vec![self.ask()]);
            }
            Action::Sort => {
                self.spec.sort = Tracks::next_sort(self.spec.sort, false);
                return Some(vec![self.ask()]);
            }
            Action::Reverse => {
                self.spec.reversed = !self.spec.reversed;
                return Some(vec![self.ask()]);
            }
            Action::Left => {
                self.on_facets = true;
                return Some(Vec::new());
            }
            Action::Back if self.on_facets => {
                self.on_facets = false;
                return Some(Vec::new());
            }
            Action::Back if shared.marks.is_empty() && self.spec.only.is_some() => {
                self.spec.only = None;
                return Some(vec![self.ask()]);
            }
            _ => {}
        }
        if self.on_facets {
            let len = self.facet_count();
            if matches!(action, Action::Right | Action::Open) {
                self.on_facets = false;
                return Some(Vec::new());
            }
            if !self.facets.act(action, len) {
                return None;
            }
            return Some(self.choose_facet());
        }
        match self.tracks.act(action, shared) {
            Did::Handled => Some(Vec::new()),
            Did::Nothing => None,
        }
    }

    /// Divide by something else.
    pub fn set_facet(&mut self, facet: Facet) {
        self.spec.facet = facet;
        self.spec.only = None;
        self.facets = List::default();
    }

    /// The mouse clicked.
    pub fn click(&mut self, column: u16, row: u16) -> Vec<Effect> {
        let len = self.facet_count();
        if self.facets.click(column, row, len) {
            self.on_facets = true;
            return self.choose_facet();
        }
        if self.tracks.click(column, row) {
            self.on_facets = false;
        }
        Vec::new()
    }

    /// Draw it.
    pub fn draw(&mut self, frame: &mut Frame<'_>, area: Rect, shared: &Shared, detail: Option<&Detail>) {
        let mut body = area;
        if area.height >= PREVIEW.1 {
            body.height -= PREVIEW.0;
            let below = Rect { y: body.bottom(), height: PREVIEW.0, ..area };
            let selected = self.tracks.selected().map(|row| row.track);
            let detail = detail.filter(|d| Some(d.row.track) == selected);
            preview(frame, below, detail, shared);
        }
        let facet_width = (area.width / 5).clamp(17, 30);
        let left = Rect { width: facet_width, ..body };
        let right = Rect { x: body.x + facet_width + 2, width: body.width.saturating_sub(facet_width + 2), ..body };
        self.draw_facets(frame, left, shared);
        let title = match (&self.spec.only, &self.tracks.view) {
            (Some(only), Some(view)) => view
                .facets
                .iter()
                .find(|item| item.key == *only)
                .map_or_else(|| only.clone(), |item| item.label.clone()),
            _ => "Library".to_owned(),
        };
        let count = self.tracks.len();
        let noun = if count == 1 { "track" } else { "tracks" };
        let loading = if shared.counts.loading { " · reading…" } else { "" };
        let note = format!("{} {noun} · {}{loading}", thousands(count), self.tracks.order_note());
        window::heading(frame, right, &title, &note, !self.on_facets, shared.theme);
        let rows = Rect { y: right.y + 1, height: right.height.saturating_sub(1), ..right };
        let empty: &[&str] = if shared.counts.loading {
            &["reading the library…"]
        } else {
            &["there is no music here yet", "", ":scan DIR listens to a folder", "5 shows the jobs"]
        };
        self.tracks.draw(frame, rows, shared, !self.on_facets, empty);
    }

    fn draw_facets(&mut self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let theme = shared.theme;
        window::heading(frame, area, self.spec.facet.name(), "f", self.on_facets, theme);
        let area = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        let Some(view) = &self.tracks.view else { return };
        let most = view.facets.iter().map(|item| item.count).max().unwrap_or(1);
        let buffer = frame.buffer_mut();
        for (index, line, selected) in self.facets.rows(area, view.facets.len() + 1) {
            let y = line.y;
            if selected {
                buffer.set_style(line, theme.selected(self.on_facets));
                buffer.set_string(area.x, y, "▌", theme.accent());
            }
            let item = index.checked_sub(1).and_then(|i| view.facets.get(i));
            let (label, count) = item.map_or(("All", view.total), |item| (item.label.as_str(), item.count));
            let count_text = thousands(count);
            let width = usize::from(area.width);
            let genre = item.filter(|_| self.spec.facet == Facet::Genre).and_then(|i| crate::genre::Genre::new(&i.key));
            let room = width.saturating_sub(count_text.len() + 3);
            let style = match &genre {
                Some(genre) => Style::new().fg(shared.genres.colour(theme, genre)),
                None if index == 0 => theme.text(),
                None => theme.soft(),
            };
            let (label, bar) = if self.spec.facet == Facet::Genre && room >= 13 {
                (text::cut(label, room.min(11)), room.saturating_sub(12))
            } else if self.spec.facet == Facet::Folder {
                (text::cut_front(label, room), 0)
            } else {
                (text::cut(label, room), 0)
            };
            buffer.set_string(area.x + 2, y, label, style);
            if let Some(item) = item.filter(|_| bar > 0) {
                let eighths = (item.count * bar * 8).div_ceil(most.max(1));
                let tail = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
                let drawn = "█".repeat(eighths / 8) + tail;
                buffer.set_string(area.x + 14, y, drawn, style);
            }
            buffer.set_string(area.right() - count_text.len() as u16, y, count_text, theme.dim());
        }
    }
}
