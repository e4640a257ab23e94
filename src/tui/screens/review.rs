//! The review queue: tracks on which the listener's word teaches the model most, each with the reason. A key says
//! that it was heard right, three correct it, one leaves it for another time.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use ratatui::{Frame, layout::Rect, style::Style};

use super::{Shared, track::preview};
use crate::{
    store::{NewCorrection, Origin},
    tui::{
        data::{Detail, Row, thousands},
        event::{Ask, Effect},
        keys::{Action, Scope},
        widgets::{bar, list::List, text, window},
    },
};

/// A track that is worth a word.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The track, by one of its files.
    pub row: Arc<Row>,
    /// Why it is asked for, in full.
    pub reason: String,
    /// The reason in a word or two.
    pub short: String,
    /// Tracks that sound like it.
    pub alike: usize,
}

/// How far the corrections are towards what retraining needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lessons {
    /// Tracks that the user spoke of.
    pub tracks: usize,
    /// Artists of these.
    pub artists: usize,
    /// Tracks that retraining needs.
    pub need_tracks: usize,
    /// Artists that retraining needs.
    pub need_artists: usize,
}

/// The queue as the worker makes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Queue {
    /// What teaches most first.
    pub items: Vec<Item>,
    /// Where the corrections stand.
    pub lessons: Lessons,
}

/// The review's state.
#[derive(Debug, Default)]
pub struct Review {
    queue: Option<Queue>,
    list: List,
    /// Tracks that were left for another time, until the UI is closed.
    skipped: BTreeSet<i64>,
    /// Corrections were made since the queue was: it is made again when the pane is opened.
    stale: bool,
    asked: bool,
}

impl Review {
    /// The pane is opened: ask for the queue if there is none, or an old one.
    pub fn open(&mut self) -> Vec<Effect> {
        if self.asked || (self.queue.is_some() && !self.stale) {
            return Vec::new();
        }
        self.asked = true;
        vec![Effect::Ask(Ask::Review)]
    }

    /// What was said was taken back: make the queue again, now if it is `shown`.
    pub fn again(&mut self, shown: bool) -> Vec<Effect> {
        self.stale = true;
        if shown { self.open() } else { Vec::new() }
    }

    /// The queue has come. The cursor stays on its track where that is still there.
    pub fn show(&mut self, mut queue: Queue) {
        let track = self.selected().map(|row| row.track);
        queue.items.retain(|item| !self.skipped.contains(&item.row.track));
        let place = track.and_then(|t| queue.items.iter().position(|item| item.row.track == t));
        self.list.cursor.go(place.unwrap_or(0), queue.items.len());
        self.queue = Some(queue);
        (self.asked, self.stale) = (false, false);
    }

    /// The user has spoken of these tracks: they need no review any more.
    pub fn said(&mut self, new: &[(NewCorrection, Origin)]) {
        let whole = new.iter().map(|(new, _)| new).filter(|c| c.span.is_none());
        let tracks: HashSet<i64> = whole.map(|c| c.track).collect();
        self.drop_tracks(&tracks);
        self.stale = true;
    }

    fn drop_tracks(&mut self, tracks: &HashSet<i64>) {
        let at = self.list.at();
        if let Some(queue) = &mut self.queue {
            let before = queue.items.iter().take(at).filter(|item| tracks.contains(&item.row.track)).count();
            queue.items.retain(|item| !tracks.contains(&item.row.track));
            self.list.cursor.go(at - before, queue.items.len());
        }
    }

    fn items(&self) -> &[Item] {
        self.queue.as_ref().map_or(&[], |queue| &queue.items)
    }

    /// The track under the cursor.
    #[must_use]
    pub fn selected(&self) -> Option<&Arc<Row>> {
        self.items().get(self.list.at()).map(|item| &item.row)
    }

    /// All tracks of the queue.
    #[must_use]
    pub fn rows(&self) -> Vec<Arc<Row>> {
        self.items().iter().map(|item| Arc::clone(&item.row)).collect()
    }

    /// Move the cursor.
    pub fn step(&mut self, by: isize) {
        let len = self.items().len();
        self.list.cursor.step(by, len);
    }

    /// A key.
    pub fn act(&mut self, action: Action) -> Option<Vec<Effect>> {
        let len = self.items().len();
        if self.list.act(action, len) {
            return Some(Vec::new());
        }
        match action {
            Action::Skip => {
                if let Some(track) = self.selected().map(|row| row.track) {
                    self.skipped.insert(track);
                    self.drop_tracks(&HashSet::from([track]));
                }
                Some(Vec::new())
            }
            _ => None,
        }
    }

    /// The mouse clicked.
    pub fn click(&mut self, column: u16, row: u16) {
        let len = self.items().len();
        self.list.click(column, row, len);
    }

    /// Draw it.
    pub fn draw(&mut self, frame: &mut Frame<'_>, area: Rect, shared: &Shared, detail: Option<&Detail>) {
        let theme = shared.theme;
        let count = self.items().len();
        let note = match &self.queue {
            Some(_) if count > 0 => format!("{} · what teaches most first", thousands(count)),
            _ => String::new(),
        };
        window::heading(frame, area, "Worth your word", &note, true, theme);
        let Some(queue) = &self.queue else {
            window::line(frame, area, 2, vec![("looking for what is worth your word…".into(), theme.dim())]);
            return;
        };
        if queue.items.is_empty() {
            let lines = ["there is nothing to ask", "every track that was heard is sure, or you have spoken of it"];
            for (i, line) in lines.iter().enumerate() {
                let style = if i == 0 { theme.soft() } else { theme.dim() };
                window::line(frame, area, 2 + i as u16, vec![((*line).to_owned(), style)]);
            }
            lessons(frame, area, queue.lessons, shared);
            return;
        }
        let tall = area.height >= 30;
        let below = if tall { 15 } else { 10 }.min(area.height / 2);
        let rows = Rect { y: area.y + 1, height: area.height.saturating_sub(below + 2), ..area };
        for (index, line, selected) in self.list.rows(rows, queue.items.len()) {
            draw_item(frame, line, &queue.items[index], selected, shared);
        }
        let at = self.list.at().min(queue.items.len() - 1);
        let item = &queue.items[at];
        let under = Rect { y: area.bottom() - below, height: below, ..area };
        let why = text::wrap(&item.reason, usize::from(area.width).saturating_sub(6));
        let said = why.len().min(2) as u16;
        preview(frame, Rect { height: below.saturating_sub(said + 1), ..under }, detail, shared);
        for (i, line) in why.into_iter().take(2).enumerate() {
            let label = if i == 0 { "why   " } else { "      " };
            let y = below.saturating_sub(said + 1) + i as u16;
            window::line(frame, under, y, vec![(label.to_owned(), theme.dim()), (line, theme.warn())]);
        }
        lessons(frame, area, queue.lessons, shared);
    }
}

fn draw_item(frame: &mut Frame<'_>, line: Rect, item: &Item, selected: bool, shared: &Shared) {
    let theme = shared.theme;
    if selected {
        frame.buffer_mut().set_style(line, theme.selected(true));
        frame.buffer_mut().set_string(line.x, line.y, "▌", theme.accent());
    }
    if shared.marks.contains_key(&item.row.file) {
        frame.buffer_mut().set_string(line.x, line.y, "●", theme.accent());
    }
    let width = usize::from(line.width);
    let bar_width = (width / 6).clamp(4, 24);
    let (words, reason) = match width {
        0..60 => (0, 0),
        60..100 => (16, 18),
        _ => (26, 32),
    };
    let name = width.saturating_sub(2 + bar_width + 2 + words + reason);
    let title = if name >= 24 { name * 58 / 100 } else { name };
    let alike = if item.alike > 0 && reason >= 30 { format!(" · {} alike", item.alike) } else { String::new() };
    let short = text::cut(&item.short, reason.saturating_sub(alike.len()));
    let cell = |said: &str, columns: usize, style: Style| {
        (text::left(&text::cut(said, columns.saturating_sub(1)), columns), style)
    };
    let mut said = Vec::new();
    let mut left = words;
    // What is unsure is the reason already.
    let mixes = item.row.mix.iter().flat_map(|mix| bar::words(mix, 60, &shared.genres));
    for (genre, word) in mixes.filter(|(genre, _)| genre.is_some()) {
        if left < text::width(&word) + 2 && left < words {
            break;
        }
        let style = genre.map_or(theme.dim(), |g| Style::new().fg(shared.genres.colour(theme, &g)));
        let columns = text::width(&word).min(left).max(1) + 2;
        said.push((text::left(&word, columns.min(left)), style));
        left = left.saturating_sub(columns);
    }
    let rest = Rect { x: line.x + 2, width: line.width.saturating_sub(2), ..line };
    let pieces = vec![
        cell(&item.row.title, title, theme.text()),
        cell(&item.row.artist, name - title, theme.soft()),
        (" ".repeat(bar_width + 2), theme.text()),
    ];
    let pieces = pieces.into_iter().chain(said);
    let pieces = pieces.chain([(" ".repeat(left), theme.text()), (format!("{short}{alike}"), theme.warn())]);
    window::line(frame, rest, 0, pieces.collect());
    let x = rest.x + name as u16;
    let bar_area = Rect { x, width: bar_width as u16, ..rest }.intersection(rest);
    bar::draw(item.row.mix.as_ref(), bar_area, frame.buffer_mut(), theme, &shared.genres);
}

/// The last line: how far it is to the next retraining.
fn lessons(frame: &mut Frame<'_>, area: Rect, lessons: Lessons, shared: &Shared) {
    let theme = shared.theme;
    let line = Rect { y: area.bottom().saturating_sub(1), height: 1, ..area };
    let retrain = shared.keys.key(Scope::Everywhere, Action::Retrain);
    let enough = lessons.tracks >= lessons.need_tracks && lessons.artists >= lessons.need_artists;
    let part = |have: usize, need: usize| if need == 0 { 1.0 } else { (have as f64 / need as f64).min(1.0) };
    let share = part(lessons.tracks, lessons.need_tracks).min(part(lessons.artists, lessons.need_artists));
    let cells = 16;
    let full = (share * f64::from(cells)).floor() as usize;
    let pieces = if lessons.need_tracks == 0 {
        Vec::new()
    } else if enough {
        vec![
            ("━".repeat(cells as usize), theme.good()),
            (format!("  {} tracks by {} artists said   ", lessons.tracks, lessons.artists), theme.soft()),
            (format!("{retrain} retrains"), theme.accent()),
        ]
    } else {
        vec![
            ("━".repeat(full), theme.accent()),
            ("─".repeat(cells as usize - full), theme.rule()),
            (
                format!(
                    "  {} of {} tracks, {} of {} artists said: then {retrain} retrains",
                    lessons.tracks, lessons.need_tracks, lessons.artists, lessons.need_artists
                ),
                theme.soft(),
            ),
        ]
    };
    window::line(frame, line, 0, pieces);
}
