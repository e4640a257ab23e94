//! What sounds like the corrected tracks: who would be taken over, shown before anything is.

use std::sync::Arc;

use ratatui::{Frame, layout::Rect, style::Style};

use crate::tui::{
    data::{Row, thousands},
    screens::Shared,
    widgets::{bar, text, window},
};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Likeness in percent and track, most alike first.
    pub rows: Vec<(u32, Arc<Row>)>,
    /// Alike, but the user has said what they are.
    pub said: usize,
    /// Alike, but heard as something else.
    pub heard_otherwise: usize,
    /// Alike, but more like something of which the user said otherwise.
    pub contradicted: usize,
}

/// The look-alikes' state.
#[derive(Debug, Default)]
pub struct Alike {
    /// The genre that they were asked for.
    genre: String,
    found: Option<Found>,
    take: usize,
}

impl Alike {
    /// Whether they have to be asked for, when the correction is mostly `genre`.
    pub fn wants(&mut self, genre: &str) -> bool {
        if self.genre == genre {
            return false;
        }
        *self = Self { genre: genre.to_owned(), ..Self::default() };
        true
    }

    /// They have come; an answer to an older question is dropped.
    pub fn show(&mut self, genre: &str, found: Found) {
        if genre == self.genre {
            self.take = found.rows.len();
            self.found = Some(found);
        }
    }

    /// Whether they have come.
    pub const fn is_known(&self) -> bool {
        self.found.is_some()
    }

    /// Those that would be taken.
    pub fn taken(&self) -> impl Iterator<Item = &(u32, Arc<Row>)> {
        self.found.iter().flat_map(|f| &f.rows).take(self.take)
    }

    /// A tenth less.
    pub fn fewer(&mut self) {
        self.take = self.take.saturating_sub((self.take / 10).max(1));
    }

    /// A tenth more.
    pub fn more(&mut self) {
        let most = self.found.as_ref().map_or(0, |f| f.rows.len());
        self.take = (self.take + (self.take / 10).max(1)).min(most);
    }

    /// Draw them.
    pub fn draw(&self, frame: &mut Frame<'_>, area: Rect, no_genre: bool, shared: &Shared) {
        let theme = shared.theme;
        let Some(found) = &self.found else {
            let line = if no_genre { "choose a genre first" } else { "listening for what sounds like it…" };
            window::line(frame, area, 0, vec![(line.to_owned(), theme.dim())]);
            return;
        };
        let noun = if self.take == 1 { "look-alike" } else { "look-alikes" };
        let title = format!("and {} {noun}", thousands(self.take));
        let mut left = Vec::new();
        for (n, what) in [
            (found.said, "yours already"),
            (found.heard_otherwise, "heard otherwise"),
            (found.contradicted, "nearer to others of yours"),
        ] {
            if n > 0 {
                left.push(format!("{n} {what}"));
            }
        }
        let note = if left.is_empty() { "[ fewer ] more".to_owned() } else { format!("let be: {}", left.join(", ")) };
        window::heading(frame, area, &title, &note, false, theme);
        let room = usize::from(area.height.saturating_sub(1));
        if found.rows.is_empty() {
            window::line(frame, area, 1, vec![("nothing else sounds like it".into(), theme.dim())]);
        }
        // The last ones are the doubtful ones: where not all can be shown, both ends are.
        let ends = if self.take > room && room >= 4 { room / 2 } else { room };
        let shown = (0..self.take).filter(|i| *i < ends || *i + (room - ends) >= self.take).take(room);
        let width = usize::from(area.width);
        for (line, i) in shown.enumerate() {
            let Some((percent, row)) = found.rows.get(i) else { break };
            let name = row.name();
            let room = width.saturating_sub(6 + 18);
            let mut pieces = vec![
                (format!("{percent:>3}%  "), theme.dim()),
                (text::left(&text::cut(&name, room.saturating_sub(1)), room), theme.soft()),
            ];
            for (genre, word) in row.mix.iter().flat_map(|mix| bar::words(mix, 17, &shared.genres)) {
                let style = genre.map_or(theme.dim(), |g| Style::new().fg(shared.genres.colour(theme, &g)));
                pieces.push((format!("{word}  "), style));
            }
            window::line(frame, area, 1 + line as u16, pieces);
        }
    }
}
