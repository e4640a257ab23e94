//! The corrections editor: what this music really is.
//!
//! Genres are chosen by the digit before them or by typing, their shares by the arrows; the bar shows what the
//! mix becomes. It says nothing to anyone before Enter.

use std::sync::Arc;

use ratatui::{
    Frame,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
    layout::Rect,
    style::Style,
};

mod alike;

use self::alike::Alike;
pub use self::alike::Found;

use super::Shared;
use crate::{
    genre::Genre,
    store::{NewCorrection, Origin, Span},
    track::{Mix, Source},
    tui::{
        data::{Row, clock},
        event::{Ask, Effect},
        widgets::{bar, prompt::Prompt, text, window},
    },
};

/// The keys, for the help.
pub const KEYS: &[(&str, &str)] = &[
    ("1 - 9  0", "choose a genre, or drop it"),
    ("letters", "type a genre, an old or a new one; Enter takes it"),
    ("Up  Down", "to another chosen genre"),
    ("Left  Right", "a smaller or a larger share"),
    ("Tab", "this track, its album, the marked tracks, or what sounds like it"),
    ("[  ]", "fewer or more of what sounds like it"),
    ("Delete", "drop the chosen genre"),
    ("Enter", "keep the correction"),
    ("Esc", "leave everything as it is"),
];

/// Points that one key moves a share by.
const STEP: u32 = 5;

/// What a correction is for.
#[derive(Clone, Debug)]
pub struct Target {
    /// As the editor says it: `this track`, `the album Kind of Blue`.
    pub name: String,
    /// The tracks.
    pub rows: Vec<Arc<Row>>,
}

/// The editor's state.
#[derive(Debug)]
pub struct Editor {
    targets: Vec<Target>,
    /// Which of them; one more stands for the first and what sounds like it.
    target: usize,
    alike: Alike,
    span: Option<(u64, u64)>,
    /// Genres by name as people write it, and its share in percent; they sum to 100.
    chosen: Vec<(String, u32)>,
    at: usize,
    typed: Prompt,
}

/// What a key did.
#[derive(Debug)]
pub enum Edited {
    /// It goes on.
    More,
    /// It was given up.
    Left,
    /// It is to be kept.
    Kept(Vec<(NewCorrection, Origin)>, Vec<(String, u32)>),
}

/// The corrections that give `genres` to all of `rows`, each track once.
#[must_use]
pub fn corrections(rows: &[Arc<Row>], span: Option<(u64, u64)>, genres: &[(String, u32)]) -> Vec<NewCorrection> {
    let mut tracks: Vec<i64> = rows.iter().map(|row| row.track).collect();
    tracks.sort_unstable();
    tracks.dedup();
    let span = span.map(|(start_ms, end_ms)| Span { start_ms, end_ms });
    tracks.into_iter().map(|track| NewCorrection { track, span, genres: genres.to_vec() }).collect()
}

impl Editor {
    /// An editor for one of `targets`, the first at first; a `span` is of the first target alone.
    #[must_use]
    pub fn new(targets: Vec<Target>, span: Option<(u64, u64)>) -> Self {
        Self { targets, target: 0, alike: Alike::default(), span, chosen: Vec::new(), at: 0, typed: Prompt::default() }
    }

    /// What is corrected; the first also where it is so with its look-alikes.
    fn target(&self) -> Option<&Target> {
        self.targets.get(self.target).or(self.targets.first())
    }

    const fn on_alike(&self) -> bool {
        self.target == self.targets.len()
    }

    /// Everything that a correction would be for.
    fn rows(&self) -> Vec<Arc<Row>> {
        let mut rows = self.target().map(|t| t.rows.clone()).unwrap_or_default();
        if self.on_alike() {
            rows.extend(self.alike.taken().map(|(_, row)| Arc::clone(row)));
        }
        rows
    }

    /// The genre with the largest share, as a slug.
    fn top(&self) -> Option<String> {
        let top = self.chosen.iter().enumerate().max_by_key(|(i, (_, share))| (*share, std::cmp::Reverse(*i)));
        top.and_then(|(_, (name, _))| Genre::new(name)).map(|g| g.slug().to_owned())
    }

    /// What has to be found out for what is chosen now.
    pub fn wish(&mut self) -> Vec<Effect> {
        let Some(genre) = self.top().filter(|_| self.on_alike()) else { return Vec::new() };
        if !self.alike.wants(&genre) {
            return Vec::new();
        }
        let seeds = self.targets.first().map(|t| t.rows.iter().map(|row| row.track).collect()).unwrap_or_default();
        vec![Effect::Ask(Ask::LookAlikes(seeds, genre))]
    }

    /// What sounds like the first target has been found.
    pub fn found(&mut self, genre: &str, found: Found) {
        self.alike.show(genre, found);
    }

    fn toggle(&mut self, name: &str) {
        match self.chosen.iter().position(|(n, _)| n == name) {
            Some(i) => {
                self.chosen.remove(i);
                self.at = self.at.min(self.chosen.len().saturating_sub(1));
            }
            None => {
                self.chosen.push((name.to_owned(), 0));
                self.at = self.chosen.len() - 1;
            }
        }
        let n = self.chosen.len() as u32;
        for (i, (_, share)) in self.chosen.iter_mut().enumerate() {
            *share = 100 / n + u32::from((i as u32) < 100 % n);
        }
    }

    /// Move the share under the cursor by a step; the others give or take it, the largest first.
    fn weigh(&mut self, more: bool) {
        if self.chosen.len() < 2 {
            return;
        }
        for _ in 0..STEP {
            let others = self.chosen.iter().enumerate().filter(|(i, _)| *i != self.at);
            let other = if more {
                others.max_by_key(|(i, (_, share))| (*share, std::cmp::Reverse(*i)))
            } else {
                others.min_by_key(|(i, (_, share))| (*share, *i))
            };
            let Some(other) = other.map(|(i, _)| i) else { return };
            let (from, to) = if more { (other, self.at) } else { (self.at, other) };
            // A chosen genre keeps at least one percent.
            if self.chosen[from].1 <= 1 {
                return;
            }
            self.chosen[from].1 -= 1;
            self.chosen[to].1 += 1;
        }
    }

    /// The genres that the digits choose.
    fn offered(shared: &Shared) -> Vec<Genre> {
        shared.genres.listed().into_iter().take(10).collect()
    }

    /// A key.
    pub fn key(&mut self, key: KeyEvent, shared: &Shared) -> Edited {
        let typing = !self.typed.text().is_empty();
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => return Edited::Left,
            KeyCode::Esc if typing => self.typed = Prompt::default(),
            KeyCode::Esc => return Edited::Left,
            KeyCode::Char(c @ '0'..='9') if !typing => {
                let n = c.to_digit(10).unwrap_or(0);
                let n = if n == 0 { 9 } else { n as usize - 1 };
                if let Some(genre) = Self::offered(shared).get(n) {
                    let name = shared.genres.name(genre).to_owned();
                    self.toggle(&name);
                }
            }
            KeyCode::Enter if typing => {
                let name = match shared.genres.find(self.typed.text()) {
                    Some(genre) => shared.genres.name(&genre).to_owned(),
                    None => crate::genre::display_name(self.typed.text()),
                };
                if Genre::named(&name).is_some() {
                    self.toggle(&name);
                }
                self.typed = Prompt::default();
            }
            KeyCode::Enter => {
                if self.chosen.is_empty() {
                    return Edited::Left;
                }
                if self.on_alike() && !self.alike.is_known() {
                    return Edited::More;
                }
                let rows = self.rows();
                let span = self.span.filter(|_| self.target == 0);
                let seeds: Vec<i64> = self.target().iter().flat_map(|t| &t.rows).map(|row| row.track).collect();
                let new = corrections(&rows, span, &self.chosen).into_iter().map(|new| {
                    let origin = if seeds.contains(&new.track) { Origin::Said } else { Origin::Like };
                    (new, origin)
                });
                return Edited::Kept(new.collect(), self.chosen.clone());
            }
            KeyCode::Tab => self.target = (self.target + 1) % (self.targets.len() + 1),
            KeyCode::BackTab => self.target = (self.target + self.targets.len()) % (self.targets.len() + 1),
            KeyCode::Char('[') if !typing && self.on_alike() => self.alike.fewer(),
            KeyCode::Char(']') if !typing && self.on_alike() => self.alike.more(),
            KeyCode::Up => self.at = self.at.saturating_sub(1),
            KeyCode::Down => self.at = (self.at + 1).min(self.chosen.len().saturating_sub(1)),
            KeyCode::Left if !typing => self.weigh(false),
            KeyCode::Right if !typing => self.weigh(true),
            KeyCode::Delete if !typing => {
                if let Some((name, _)) = self.chosen.get(self.at).cloned() {
                    self.toggle(&name);
                }
            }
            _ => {
                self.typed.key(key);
            }
        }
        Edited::More
    }

    /// Text that was pasted.
    pub fn paste(&mut self, text: &str) {
        self.typed.paste(text);
    }

    /// Draw it.
    pub fn draw(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let theme = shared.theme;
        let alike = if self.on_alike() { 14 } else { 0 };
        let rows = 18.max(self.chosen.len() as u16 + 12 + alike);
        let inside = window::open(frame, area, 76, rows, "Correct", theme);
        let Some(target) = self.target() else { return };
        let what = match self.span.filter(|_| self.target == 0) {
            Some((from, to)) => format!("{} to {} of {}", clock(from), clock(to), target.name),
            None if self.on_alike() => format!("{} and what sounds like it", target.name),
            None => target.name.clone(),
        };
        let more = "   Tab: others";
        let room = usize::from(inside.width).saturating_sub(more.len());
        window::line(frame, inside, 0, vec![(text::cut(&what, room), theme.text()), (more.to_owned(), theme.dim())]);
        let before = target.rows.first().filter(|_| target.rows.len() == 1).and_then(|row| row.mix.as_ref());
        let label = |frame: &mut Frame<'_>, y: u16, word: &str| {
            window::line(frame, inside, y, vec![(word.to_owned(), theme.dim())]);
        };
        let bar_at =
            |y: u16| Rect { x: inside.x + 8, y: inside.y + y, width: inside.width.saturating_sub(8), height: 1 };
        if inside.height > 3 {
            label(frame, 2, "now");
            bar::draw(before, bar_at(2), frame.buffer_mut(), theme, &shared.genres);
            label(frame, 3, "then");
            let after = self.mix();
            bar::draw(after.as_ref(), bar_at(3), frame.buffer_mut(), theme, &shared.genres);
        }
        let half = inside.width / 2;
        for (i, genre) in Self::offered(shared).iter().enumerate() {
            let (column, row) = (i as u16 / 5, i as u16 % 5);
            let area = Rect { x: inside.x + column * half, y: inside.y + 5 + row, width: half, height: 1 };
            if area.y >= inside.bottom() {
                break;
            }
            let name = shared.genres.name(genre);
            let taken = self.chosen.iter().any(|(n, _)| n == name);
            let style = Style::new().fg(shared.genres.colour(theme, genre));
            window::line(
                frame,
                area,
                0,
                vec![
                    (format!("{} ", (i + 1) % 10), theme.accent()),
                    (format!("{} ", if taken { '●' } else { '○' }), style),
                    (text::cut(name, usize::from(half).saturating_sub(6)), if taken { style } else { theme.soft() }),
                ],
            );
        }
        for (i, (name, share)) in self.chosen.iter().enumerate() {
            let y = 11 + i as u16;
            if y + 2 >= inside.height {
                break;
            }
            let line = Rect { y: inside.y + y, height: 1, ..inside };
            if i == self.at {
                frame.buffer_mut().set_style(line, theme.selected(true));
            }
            let genre = shared.genres.find(name).filter(|g| shared.genres.name(g) == name);
            let new = if genre.is_none() { "  new" } else { "" };
            let style = genre.map_or(theme.text(), |g| Style::new().fg(shared.genres.colour(theme, &g)));
            let width = usize::from(inside.width).saturating_sub(34);
            let filled = "━".repeat(*share as usize * width / 100);
            window::line(
                frame,
                inside,
                y,
                vec![
                    (text::left(&crate::text::clean(name), 20), style),
                    (text::left(new, 6), theme.warn()),
                    (text::left(&filled, width), style),
                    (format!("{share:>4}%"), theme.text()),
                ],
            );
        }
        if self.on_alike() {
            let y = 11 + self.chosen.len() as u16 + u16::from(!self.chosen.is_empty());
            let height = inside.height.saturating_sub(y + 1);
            self.alike.draw(frame, Rect { y: inside.y + y, height, ..inside }, self.chosen.is_empty(), shared);
        }
        let y = inside.height.saturating_sub(1);
        if self.typed.text().is_empty() {
            let hint = if self.chosen.is_empty() {
                "a digit, or the name of a genre"
            } else {
                "← → share   Enter keeps   Esc leaves"
            };
            window::line(frame, inside, y, vec![(hint.to_owned(), theme.dim())]);
        } else {
            let found = shared.genres.find(self.typed.text());
            let becomes = match found {
                Some(genre) => shared.genres.name(&genre).to_owned(),
                None if Genre::named(self.typed.text()).is_none() => "no name of a genre".to_owned(),
                None => format!("a new genre: {}", crate::genre::display_name(self.typed.text())),
            };
            let area = Rect { y: inside.y + y, width: 24.min(inside.width), height: 1, ..inside };
            self.typed.draw(frame, area, theme.accent(), true);
            let right = Rect { x: area.right() + 1, width: inside.width.saturating_sub(25), ..area };
            window::line(frame, right, 0, vec![(text::cut(&becomes, usize::from(right.width)), theme.soft())]);
        }
    }

    fn mix(&self) -> Option<Mix> {
        let won = self.chosen.iter().filter_map(|(name, share)| Genre::new(name).map(|g| (g, *share)));
        Mix::new(won, 100, Source::User)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn editor(names: &[&str]) -> Editor {
        let mut editor = Editor::new(vec![Target { name: "this track".into(), rows: Vec::new() }], None);
        names.iter().for_each(|n| editor.toggle(n));
        editor
    }

    #[test]
    fn shares_always_sum_to_a_hundred() {
        let mut e = editor(&["Jazz", "Blues", "Pop"]);
        assert_eq!(e.chosen.iter().map(|(_, s)| s).sum::<u32>(), 100);
        for more in [true, true, false, true, true, true, true, true, true, true, true, true, true, true, true, true] {
            e.weigh(more);
            assert_eq!(e.chosen.iter().map(|(_, s)| s).sum::<u32>(), 100);
            assert!(e.chosen.iter().all(|(_, s)| *s >= 1));
        }
        e.toggle("Blues");
        assert_eq!(e.chosen, [("Jazz".to_owned(), 50), ("Pop".to_owned(), 50)]);
    }

    #[test]
    fn look_alikes_are_asked_for_and_taken_with_it() {
        use crate::tui::view::tests::row;
        let target = Target { name: "this track".into(), rows: vec![row(1, "a", "b", &[], 1)] };
        let mut e = Editor::new(vec![target], None);
        e.target = 1;
        assert!(e.wish().is_empty(), "alike as what?");
        e.toggle("Jazz");
        assert!(
            matches!(e.wish().as_slice(), [Effect::Ask(Ask::LookAlikes(seeds, genre))] if *seeds == [1] && genre == "jazz")
        );
        assert!(e.wish().is_empty(), "asked once");
        let rows = vec![(93, row(5, "c", "d", &[], 1)), (90, row(6, "e", "f", &[], 1))];
        e.found("blues", Found { rows: rows.clone(), ..Found::default() });
        assert_eq!(e.rows().len(), 1, "an answer to another question");
        e.found("jazz", Found { rows, ..Found::default() });
        assert_eq!(e.rows().iter().map(|r| r.track).collect::<Vec<_>>(), [1, 5, 6]);
        e.alike.fewer();
        assert_eq!(e.rows().len(), 2);
        e.target = 0;
        assert_eq!(e.rows().len(), 1);
    }

    #[test]
    fn copies_of_a_track_are_corrected_once() {
        use crate::tui::view::tests::row;
        let rows = [row(7, "a", "b", &[], 1), row(7, "a", "b", &[], 1), row(3, "c", "d", &[], 1)];
        let new = corrections(&rows, Some((0, 5)), &[("Jazz".into(), 100)]);
        assert_eq!(new.iter().map(|c| c.track).collect::<Vec<_>>(), [3, 7]);
        assert_eq!(new[0].span.unwrap().end_ms, 5);
    }
}
