//! The map: every heard track a point, near to what it sounds like, in the colour of its largest genre. A cross is
//! moved over it; the nearest track is the one that keys are about.

use std::sync::Arc;

use ratatui::{
    Frame,
    layout::Rect,
    style::{Color, Style},
};

use super::Shared;
use crate::{
    genre::Genre,
    tui::{
        data::{Row, thousands},
        event::{Ask, Effect},
        keys::{Action, Scope},
        theme::Depth,
        widgets::{bar, dots::Dots, text, window},
    },
};

/// A track as a point; both coordinates lie within -1 and 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The track, by one of its files.
    pub row: Arc<Row>,
    /// From left to right.
    pub x: f32,
    /// From below to above.
    pub y: f32,
}

/// All points.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Points {
    /// Points.
    pub points: Vec<Point>,
    /// How much of what tells the tracks apart the two directions show, 0 to 1.
    pub shown: f32,
}

/// What is seen: the middle, and half of what is seen across.
#[derive(Clone, Copy, Debug)]
struct Sight {
    x: f64,
    y: f64,
    half: f64,
}

impl Default for Sight {
    fn default() -> Self {
        Self { x: 0.0, y: 0.0, half: 1.05 }
    }
}

/// The map's state.
#[derive(Debug, Default)]
pub struct Map {
    points: Option<Box<Points>>,
    sight: Sight,
    /// The cross, in cells of the field.
    cross: Option<(u16, u16)>,
    selected: Option<usize>,
    /// Where the cross was put by hand, and how many nearest tracks on it has jumped since.
    anchor: Option<(f64, f64)>,
    rank: usize,
    field: Rect,
    asked: bool,
}

impl Map {
    /// The pane is opened.
    pub fn open(&mut self) -> Vec<Effect> {
        if self.asked {
            return Vec::new();
        }
        self.asked = true;
        vec![Effect::Ask(Ask::Map)]
    }

    /// The points have come.
    pub fn show(&mut self, points: Box<Points>) {
        let track = self.selected().map(|row| row.track);
        self.selected = track.and_then(|t| points.points.iter().position(|p| p.row.track == t));
        self.points = Some(points);
        self.asked = false;
        if self.selected.is_none() {
            self.nearest();
        }
    }

    /// The track under the cross.
    #[must_use]
    pub fn selected(&self) -> Option<&Arc<Row>> {
        self.points.as_ref().zip(self.selected).and_then(|(p, i)| p.points.get(i)).map(|p| &p.row)
    }

    fn cross(&self) -> (u16, u16) {
        self.cross.unwrap_or((self.field.width / 2, self.field.height / 2))
    }

    /// Width and height of what is seen. Each direction has its own measure: the whole field is used.
    const fn extent(&self) -> (f64, f64) {
        (2.0 * self.sight.half, 2.0 * self.sight.half)
    }

    /// The place of the middle of a cell.
    fn place(&self, (column, row): (u16, u16)) -> (f64, f64) {
        let (across, up) = self.extent();
        let share = |cell: u16, cells: u16| (f64::from(cell) + 0.5) / f64::from(cells.max(1)) - 0.5;
        (self.sight.x + share(column, self.field.width) * across, self.sight.y - share(row, self.field.height) * up)
    }

    /// The dot (2 x 4 a cell) of a place, if it is seen.
    fn dot(&self, x: f64, y: f64) -> Option<(usize, usize)> {
        let (across, up) = self.extent();
        let (u, v) = ((x - self.sight.x) / across + 0.5, 0.5 - (y - self.sight.y) / up);
        let seen = (0.0..1.0).contains(&u) && (0.0..1.0).contains(&v);
        let (w, h) = (f64::from(self.field.width) * 2.0, f64::from(self.field.height) * 4.0);
        seen.then_some(((u * w) as usize, (v * h) as usize))
    }

    /// Select what is nearest to the cross.
    fn nearest(&mut self) {
        let (x, y) = self.place(self.cross());
        (self.anchor, self.rank) = (None, 0);
        let Some(points) = &self.points else { return };
        let far = |p: &Point| (f64::from(p.x) - x).powi(2) + (f64::from(p.y) - y).powi(2);
        let near = points.points.iter().enumerate().min_by(|(_, a), (_, b)| far(a).total_cmp(&far(b)));
        self.selected = near.map(|(i, _)| i);
    }

    /// The next nearest to where the cross was put, or the one before: the cross jumps to it.
    pub fn near(&mut self, by: isize) {
        let (x, y) = *self.anchor.get_or_insert(self.place(self.cross()));
        let Some(points) = &self.points else { return };
        let mut order: Vec<(f64, usize)> = points
            .points
            .iter()
            .enumerate()
            .map(|(i, p)| ((f64::from(p.x) - x).powi(2) + (f64::from(p.y) - y).powi(2), i))
            .collect();
        if order.is_empty() {
            return;
        }
        self.rank = self.rank.saturating_add_signed(by).min(order.len() - 1);
        // Only one place of the order is wanted: the library may have a hundred thousand.
        let (_, (_, next), _) = order.select_nth_unstable_by(self.rank, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let next = *next;
        self.selected = Some(next);
        let (x, y) = (f64::from(points.points[next].x), f64::from(points.points[next].y));
        match self.dot(x, y) {
            Some((column, row)) => self.cross = Some(((column / 2) as u16, (row / 4) as u16)),
            None => {
                (self.sight.x, self.sight.y) = (x, y);
                self.cross = None;
            }
        }
    }

    fn zoom(&mut self, factor: f64) {
        // What is under the cross stays under it.
        let before = self.place(self.cross());
        self.sight.half = (self.sight.half * factor).clamp(0.01, 1.05);
        let after = self.place(self.cross());
        self.sight.x += before.0 - after.0;
        self.sight.y += before.1 - after.1;
        if self.sight.half >= 1.05 {
            self.sight = Sight::default();
        }
        self.nearest();
    }

    fn pan(&mut self, columns: i32, rows: i32) {
        let (column, row) = self.cross();
        let (w, h) = (i32::from(self.field.width.max(1)), i32::from(self.field.height.max(1)));
        let (x, y) = (i32::from(column) + columns, i32::from(row) + rows);
        let (across, up) = self.extent();
        // At an edge the map moves under the cross.
        self.sight.x += f64::from(x - x.clamp(0, w - 1)) * across / f64::from(w);
        self.sight.y -= f64::from(y - y.clamp(0, h - 1)) * up / f64::from(h);
        self.sight.x = self.sight.x.clamp(-1.1, 1.1);
        self.sight.y = self.sight.y.clamp(-1.1, 1.1);
        self.cross = Some((x.clamp(0, w - 1) as u16, y.clamp(0, h - 1) as u16));
        self.nearest();
    }

    /// A key.
    pub fn act(&mut self, action: Action) -> Option<Vec<Effect>> {
        match action {
            Action::Left => self.pan(-2, 0),
            Action::Right => self.pan(2, 0),
            Action::Up => self.pan(0, -1),
            Action::Down => self.pan(0, 1),
            Action::HalfUp => self.pan(0, -i32::from(self.field.height / 4)),
            Action::HalfDown => self.pan(0, i32::from(self.field.height / 4)),
            Action::PageUp => self.pan(-i32::from(self.field.width / 4), 0),
            Action::PageDown => self.pan(i32::from(self.field.width / 4), 0),
            Action::Top => {
                self.sight = Sight::default();
                self.cross = None;
                self.nearest();
            }
            Action::Closer => self.zoom(0.7),
            Action::Farther => self.zoom(1.0 / 0.7),
            _ => return None,
        }
        Some(Vec::new())
    }

    /// The mouse clicked.
    pub fn click(&mut self, column: u16, row: u16) {
        if self.field.contains((column, row).into()) {
            self.cross = Some((column - self.field.x, row - self.field.y));
            self.nearest();
        }
    }

    /// Draw it.
    pub fn draw(&mut self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let theme = shared.theme;
        let note = match &self.points {
            Some(p) if !p.points.is_empty() => {
                let times = 1.05 / self.sight.half;
                let near = if times > 1.01 { format!(" · {times:.1} x") } else { String::new() };
                format!("{} tracks · near is alike ({:.0} %){near}", thousands(p.points.len()), p.shown * 100.0)
            }
            _ => String::new(),
        };
        window::heading(frame, area, "Map", &note, true, theme);
        self.field = Rect { y: area.y + 1, height: area.height.saturating_sub(4), ..area };
        if self.field.height < 3 || self.field.width < 8 {
            return;
        }
        let Some(points) = &self.points else {
            window::line(frame, area, 2, vec![("laying the library out…".into(), theme.dim())]);
            return;
        };
        if points.points.is_empty() {
            window::line(frame, area, 2, vec![("no track was heard yet".into(), theme.dim())]);
            return;
        }
        self.draw_points(frame, points, shared);
        let (column, row) = self.cross();
        let (x, y) = (self.field.x + column, self.field.y + row);
        let buffer = frame.buffer_mut();
        for (dx, dy, symbol) in [(-1, 0, "─"), (1, 0, "─"), (0, -1, "│"), (0, 1, "│")] {
            let (cx, cy) = (x.saturating_add_signed(dx), y.saturating_add_signed(dy));
            if self.field.contains((cx, cy).into()) {
                buffer[(cx, cy)].set_symbol(symbol).set_style(theme.accent());
            }
        }
        buffer[(x, y)].set_style(theme.accent());
        if buffer[(x, y)].symbol() == " " {
            buffer[(x, y)].set_symbol("┼");
        }
        self.draw_selected(frame, Rect { y: area.bottom() - 3, height: 3, ..area }, shared);
    }

    /// The points: each cell in the colour of most of its tracks, brighter the more there are.
    fn draw_points(&self, frame: &mut Frame<'_>, points: &Points, shared: &Shared) {
        let theme = shared.theme;
        let genres = shared.genres.listed();
        let place = |genre: &Genre| genres.iter().position(|g| g == genre);
        let mut places: Vec<(&Genre, Option<usize>)> = Vec::new();
        let width = usize::from(self.field.width);
        let kinds = genres.len() + 1;
        let mut counts = vec![0_u32; width * usize::from(self.field.height) * kinds];
        let mut dots = Dots::new(self.field.width, self.field.height);
        for point in &points.points {
            let Some((x, y)) = self.dot(point.x.into(), point.y.into()) else { continue };
            let kind = match point.row.top() {
                None => genres.len(),
                Some(genre) => {
                    let known = places.iter().find(|(g, _)| *g == genre).map(|(_, i)| *i);
                    known
                        .unwrap_or_else(|| {
                            let found = place(genre);
                            places.push((genre, found));
                            found
                        })
                        .unwrap_or(genres.len())
                }
            };
            counts[(y / 4 * width + x / 2) * kinds + kind] += 1;
            dots.set(x, y, Color::Reset);
        }
        dots.draw(self.field, frame.buffer_mut());
        // Where few tracks are seen, a dot is too small to have a colour.
        let sparse = counts.iter().filter(|n| **n > 0).count() * 12 < counts.len() / kinds;
        for (cell, counts) in counts.chunks_exact(kinds).enumerate() {
            let total: u32 = counts.iter().sum();
            let Some((kind, _)) = counts.iter().enumerate().max_by_key(|(i, n)| (**n, usize::MAX - i)) else {
                continue;
            };
            if total == 0 {
                continue;
            }
            let (x, y) = (self.field.x + (cell % width) as u16, self.field.y + (cell / width) as u16);
            let target = &mut frame.buffer_mut()[(x, y)];
            match genres.get(kind) {
                Some(genre) => {
                    let lit = if sparse { 1.0 } else { 0.7 + 0.1 * f64::from(total).log2().min(3.0) };
                    target.set_style(Style::new().fg(theme.shade(shared.genres.colour(theme, genre), lit)));
                    if theme.depth <= Depth::Sixteen {
                        target.set_char(shared.genres.letter(genre));
                    } else if sparse {
                        target.set_symbol("●");
                    }
                }
                None => {
                    target.set_style(theme.dim());
                    if sparse {
                        target.set_symbol("○");
                    }
                }
            }
        }
    }

    fn draw_selected(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let theme = shared.theme;
        let Some(row) = self.selected() else { return };
        let name = row.name();
        let key = |action| shared.keys.key(Scope::Map, action);
        let keys = format!("{} {} zoom · gg all", key(Action::Closer), key(Action::Farther));
        let room = usize::from(area.width).saturating_sub(text::width(&keys) + 5);
        window::heading(frame, area, &text::cut(&name, room), &keys, false, theme);
        let bar_area = Rect { y: area.y + 1, height: 1, width: (area.width / 2).min(50), ..area };
        bar::draw(row.mix.as_ref(), bar_area, frame.buffer_mut(), theme, &shared.genres);
        if let Some(mix) = &row.mix {
            let mut x = bar_area.right() + 2;
            let room = usize::from(area.right().saturating_sub(x));
            for (genre, word) in bar::words(mix, room, &shared.genres) {
                let style = genre.map_or(theme.dim(), |g| Style::new().fg(shared.genres.colour(theme, &g)));
                frame.buffer_mut().set_string(x, bar_area.y, &word, style);
                x += text::width(&word) as u16 + 2;
            }
        }
    }
}
