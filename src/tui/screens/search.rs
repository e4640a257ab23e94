//! The search: a prompt, what it means and how much it finds while it is typed, the hits; before anything is
//! typed, the searches that were kept and those made before.

use std::sync::Arc;

use ratatui::{
    Frame,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
    layout::Rect,
    style::Style,
};

use super::{
    Shared,
    tracks::{Did, Tracks},
};
use crate::{
    search::why::Clause,
    tui::{
        data::{Row, Sort, Spec, View, thousands},
        event::{Ask, Effect, Said, Slot},
        keys::Action,
        widgets::{
            list::Cursor,
            prompt::Prompt,
            text::{self, wrap},
            window,
        },
    },
};

/// Letters of a kept search's name.
const NAME: usize = 40;

/// Searches that are remembered.
const HISTORY: usize = 100;

/// The search's state.
#[derive(Debug, Default)]
pub struct Search {
    /// The hits.
    pub tracks: Tracks,
    prompt: Prompt,
    editing: bool,
    sort: Option<(Sort, bool)>,
    /// Searches made before, latest last.
    pub history: Vec<String>,
    /// Searches that the user keeps: (name, query); `@name` asks one in any search.
    pub kept: Vec<(String, String)>,
    back: Option<usize>,
    list: Cursor,
    completions: Vec<String>,
    completing: Option<(String, usize)>,
    /// Why a file is a hit of a search.
    why: Option<(i64, String, Vec<Clause>)>,
}

impl Search {
    /// Whether keys are typed into the prompt.
    #[must_use]
    pub const fn editing(&self) -> bool {
        self.editing
    }

    /// The text of the search.
    #[must_use]
    pub fn query(&self) -> &str {
        self.prompt.text()
    }

    /// The hits; none before anything is asked, whatever was read for it.
    #[must_use]
    pub fn hits(&self) -> Option<&View> {
        self.tracks.view.as_deref().filter(|_| !self.prompt.text().trim().is_empty())
    }

    /// The hit under the cursor.
    #[must_use]
    pub fn selected(&self) -> Option<&Arc<Row>> {
        self.hits().and_then(|hits| hits.rows.get(self.tracks.cursor.at))
    }

    /// Begin to type.
    pub fn edit(&mut self) {
        self.editing = true;
        self.back = None;
    }

    /// Search for `query`.
    pub fn ask_for(&mut self, query: &str) -> Vec<Effect> {
        self.prompt = Prompt::new(query);
        self.editing = false;
        self.remember();
        vec![self.ask()]
    }

    /// Ask for the hits.
    #[must_use]
    pub fn ask(&self) -> Effect {
        let (sort, reversed) = self.sort.unwrap_or((Sort::Closeness, false));
        let spec = Spec { query: self.prompt.text().trim().to_owned(), sort, reversed, ..Spec::default() };
        Effect::Ask(Ask::View(Slot::Search, spec))
    }

    /// Hits have come: only those of what is typed now are shown.
    pub fn show(&mut self, view: Box<View>) -> Option<Box<View>> {
        if view.spec.query == self.prompt.text().trim() { self.tracks.show(view) } else { Some(view) }
    }

    /// What the last word could become.
    pub fn complete(&mut self, of: &str, completions: Vec<String>) -> Vec<Effect> {
        if of != self.prompt.text() || completions.is_empty() {
            return Vec::new();
        }
        self.completing = Some((of.to_owned(), 0));
        self.prompt = Prompt::new(&completions[0]);
        self.completions = completions;
        vec![self.ask()]
    }

    /// Why a file is a hit has been found out.
    pub fn explain(&mut self, file: i64, query: String, clauses: Vec<Clause>) {
        self.why = Some((file, query, clauses));
    }

    fn remember(&mut self) {
        let query = self.prompt.text().trim().to_owned();
        if !query.is_empty() {
            self.history.retain(|old| *old != query);
            self.history.push(query);
            let over = self.history.len().saturating_sub(HISTORY);
            self.history.drain(..over);
        }
    }

    /// The lists before anything is typed: the kept searches, then the history, latest first.
    fn offers(&self) -> Vec<(Option<&str>, &String)> {
        let known = |query: &String| self.kept.iter().any(|(_, kept)| kept == query);
        let kept = self.kept.iter().map(|(name, query)| (Some(name.as_str()), query));
        kept.chain(self.history.iter().rev().filter(|q| !known(q)).map(|q| (None, q))).collect()
    }

    /// A name for a search: its words, and a number where another search has that name.
    fn name_for(&self, query: &str) -> String {
        let words = query.to_lowercase();
        let words: Vec<&str> = words.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
        let mut name = words.join("-");
        let end = name.char_indices().nth(NAME).map_or(name.len(), |(at, _)| at);
        name.truncate(end);
        let name = if name.is_empty() { "search".to_owned() } else { name };
        let taken = |name: &str| self.kept.iter().any(|(other, _)| other == name);
        let numbered = (2..).map(|n| format!("{name}-{n}"));
        std::iter::once(name.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or(name)
    }

    /// A key while the prompt has the keys.
    pub fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Enter => {
                self.editing = false;
                self.remember();
                return vec![Effect::Ask(Ask::Keep("search_history", json(&self.history)))];
            }
            KeyCode::Esc => self.editing = false,
            KeyCode::Char('c') if control => self.editing = false,
            KeyCode::Tab | KeyCode::BackTab => return self.tab(key.code == KeyCode::BackTab),
            KeyCode::Up | KeyCode::Down => return self.recall(key.code == KeyCode::Up),
            _ => {
                if self.prompt.key(key) == Some(true) {
                    self.back = None;
                    self.completing = None;
                    return vec![self.ask()];
                }
            }
        }
        Vec::new()
    }

    fn tab(&mut self, backwards: bool) -> Vec<Effect> {
        let Some((_, at)) = &mut self.completing else {
            return vec![Effect::Ask(Ask::Complete(self.prompt.text().to_owned()))];
        };
        let n = self.completions.len();
        *at = (*at + if backwards { n - 1 } else { 1 }) % n;
        self.prompt = Prompt::new(&self.completions[*at]);
        vec![self.ask()]
    }

    fn recall(&mut self, older: bool) -> Vec<Effect> {
        let n = self.history.len();
        let next = match (self.back, older) {
            (None, true) => n.checked_sub(1),
            (Some(at), true) => Some(at.saturating_sub(1)),
            (Some(at), false) if at + 1 < n => Some(at + 1),
            _ => None,
        };
        if next == self.back {
            return Vec::new();
        }
        self.back = next;
        self.prompt = Prompt::new(next.and_then(|at| self.history.get(at)).map_or("", |q| q));
        vec![self.ask()]
    }

    /// Text that was pasted.
    pub fn paste(&mut self, text: &str) -> Vec<Effect> {
        self.prompt.paste(text);
        vec![self.ask()]
    }

    /// A key of the list.
    pub fn act(&mut self, action: Action, shared: &mut Shared) -> Option<Vec<Effect>> {
        let query = self.prompt.text().trim().to_owned();
        match action {
            Action::SaveSearch => {
                if query.is_empty() {
                    return Some(vec![Effect::Say(Said::note("there is no search to keep"))]);
                }
                let wrong = self.hits().filter(|view| view.spec.query == query).and_then(|view| view.answer.as_ref());
                if wrong.is_some_and(|answer| answer.error.is_some()) {
                    return Some(vec![Effect::Say(Said::note("a search that makes no sense is not kept"))]);
                }
                if let Some((name, _)) = self.kept.iter().find(|(_, kept)| *kept == query) {
                    return Some(vec![Effect::Say(Said::note(format!("it is kept already, as @{name}")))]);
                }
                let name = self.name_for(&query);
                self.kept.push((name.clone(), query.clone()));
                self.kept.sort();
                let said = Effect::Say(Said::good(format!("kept: `deepcuts search @{name}` asks it again")));
                return Some(vec![said, Effect::Ask(Ask::SaveSearch(name, query))]);
            }
            Action::Sort => {
                let now = self.sort.map_or(Sort::Closeness, |(sort, _)| sort);
                self.sort = Some((Tracks::next_sort(now, true), false));
                return Some(vec![self.ask()]);
            }
            Action::Reverse => {
                let (sort, reversed) = self.sort.unwrap_or((Sort::Closeness, false));
                self.sort = Some((sort, !reversed));
                return Some(vec![self.ask()]);
            }
            Action::Left => {
                self.edit();
                return Some(Vec::new());
            }
            _ => {}
        }
        if query.is_empty() {
            let len = self.offers().len();
            match action {
                Action::Down => self.list.step(1, len),
                Action::Up => self.list.step(-1, len),
                Action::Top => self.list.go(0, len),
                Action::Bottom => self.list.go(usize::MAX, len),
                Action::Open | Action::Right => {
                    let query = self.offers().get(self.list.at).map(|(_, q)| (*q).clone()).unwrap_or_default();
                    return Some(self.ask_for(&query));
                }
                Action::DeleteSearch => {
                    let offers = self.offers();
                    let Some((name, query)) =
                        offers.get(self.list.at).map(|(n, q)| (n.map(str::to_owned), (*q).clone()))
                    else {
                        return Some(Vec::new());
                    };
                    if let Some(name) = name {
                        self.kept.retain(|(kept, _)| *kept != name);
                        return Some(vec![Effect::Ask(Ask::ForgetSearch(name))]);
                    }
                    self.history.retain(|q| *q != query);
                    return Some(vec![Effect::Ask(Ask::Keep("search_history", json(&self.history)))]);
                }
                Action::Back => return None,
                _ => return None,
            }
            return Some(Vec::new());
        }
        if action == Action::Back && shared.marks.is_empty() && !query.is_empty() {
            self.prompt = Prompt::default();
            return Some(vec![self.ask()]);
        }
        match self.tracks.act(action, shared) {
            Did::Handled => Some(Vec::new()),
            Did::Nothing => None,
        }
    }

    /// Draw it.
    pub fn draw(&mut self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let theme = shared.theme;
        let field = Rect { height: 1, ..area };
        let sign = if self.editing { theme.accent() } else { theme.dim() };
        frame.buffer_mut().set_string(field.x, field.y, "/ ", sign);
        let inner = Rect { x: field.x + 2, width: field.width.saturating_sub(2), ..field };
        if self.prompt.text().is_empty() && !self.editing {
            frame.buffer_mut().set_stringn(
                inner.x,
                inner.y,
                "mostly jazz with some blues, artist:coltrane, starts with classical, ...",
                usize::from(inner.width),
                theme.dim(),
            );
        }
        self.prompt.draw(frame, inner, theme.text(), self.editing);
        let y = self.draw_answer(frame, Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }, shared);
        let rest = Rect { y, height: area.bottom().saturating_sub(y), ..area };
        if self.prompt.text().trim().is_empty() {
            self.draw_offers(frame, rest, shared);
            return;
        }
        let count = self.tracks.len();
        let noun = if count == 1 { "hit" } else { "hits" };
        let note = format!("{} {noun} · {}", thousands(count), self.tracks.order_note());
        window::heading(frame, rest, "Tracks", &note, !self.editing, theme);
        let mut rows = Rect { y: rest.y + 1, height: rest.height.saturating_sub(1), ..rest };
        let clauses = self.clauses().map(<[Clause]>::len).unwrap_or_default() as u16;
        // A third of the room, and what the hits leave; what is explained stays on its place while another explanation is fetched.
        let free = rows.height.saturating_sub(u16::try_from(count).unwrap_or(u16::MAX));
        let below = if count == 0 { 0 } else { (clauses.max(1) + 2).min(free.max(rows.height / 3)) };
        if below >= 3 {
            rows.height -= below;
            let under = Rect { y: rows.bottom() + 1, height: below - 1, ..rows };
            self.draw_why(frame, under, shared);
        }
        self.tracks.draw(frame, rows, shared, !self.editing, &["nothing found"]);
    }

    /// The explanation, if it is that of the row under the cursor.
    fn clauses(&self) -> Option<&[Clause]> {
        let file = self.tracks.selected()?.file;
        let (of, query, clauses) = self.why.as_ref()?;
        (*of == file && query == self.prompt.text().trim()).then_some(clauses)
    }

    fn draw_why(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let theme = shared.theme;
        let name = self.tracks.selected().map(|row| row.title.clone()).unwrap_or_default();
        let title = text::cut(&format!("Why {name}"), usize::from(area.width).saturating_sub(4));
        window::heading(frame, area, &title, "", false, theme);
        let Some(clauses) = self.clauses() else { return };
        let width = usize::from(area.width);
        let room = usize::from(area.height.saturating_sub(1));
        for (i, clause) in clauses.iter().take(room).enumerate() {
            if i + 1 == room && clauses.len() > room {
                let more = format!("  and {} more", clauses.len() - i);
                window::line(frame, area, 1 + i as u16, vec![(more, theme.dim())]);
                break;
            }
            let (sign, style) = match clause.holds {
                Some(true) => ("✓ ", theme.good()),
                Some(false) => ("✗ ", theme.dim()),
                None => ("  ", theme.dim()),
            };
            let asked = format!("{}{}", "  ".repeat(clause.depth), clause.asked);
            let half = (width * 55 / 100).saturating_sub(2);
            window::line(
                frame,
                area,
                1 + i as u16,
                vec![
                    (sign.to_owned(), style),
                    (text::left(&text::cut(&asked, half - 1), half), theme.text()),
                    (text::cut(&clause.has, width.saturating_sub(half + 2)), theme.soft()),
                ],
            );
        }
    }

    /// Draw what the search means under the prompt; returns the line after it.
    fn draw_answer(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) -> u16 {
        let theme = shared.theme;
        let width = usize::from(area.width).saturating_sub(2);
        let mut lines: Vec<(String, Style)> = Vec::new();
        if let Some(answer) = self.tracks.view.as_ref().and_then(|view| view.answer.as_ref()) {
            if let Some((message, from, to)) = &answer.error {
                let before: String = self.prompt.text().get(..*from).unwrap_or_default().into();
                let at: String = self.prompt.text().get(*from..*to).unwrap_or_default().into();
                let caret = " ".repeat(text::width(&before)) + &"^".repeat(text::width(&at).max(1));
                lines.push((text::cut(&caret, width), theme.bad()));
                lines.extend(wrap(message, width).into_iter().map(|l| (l, theme.bad())));
            } else if !self.prompt.text().trim().is_empty() {
                lines.extend(wrap(&answer.meaning, width).into_iter().take(3).map(|l| (l, theme.good())));
                for note in answer.notes.iter().take(4) {
                    lines.extend(wrap(note, width).into_iter().take(2).map(|l| (l, theme.warn())));
                }
            }
        }
        let room = usize::from(area.height / 3).max(1);
        for (i, (line, style)) in lines.iter().take(room).enumerate() {
            frame.buffer_mut().set_stringn(area.x + 2, area.y + i as u16, line, width, *style);
        }
        area.y + lines.len().min(room) as u16 + 1
    }

    fn draw_offers(&mut self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let theme = shared.theme;
        window::heading(frame, area, "Searches", "Enter searches, + keeps, - forgets", !self.editing, theme);
        let area = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        let offers: Vec<(String, String)> = self
            .offers()
            .into_iter()
            .map(|(name, query)| (name.map(|name| format!("@{name}")).unwrap_or_default(), query.clone()))
            .collect();
        let names = offers.iter().map(|(name, _)| text::width(name)).max().unwrap_or(0).min(24);
        if offers.is_empty() {
            let examples = [
                ("mostly jazz with some blues", "what a track is made of, in words"),
                ("pure classical, length:..3:00", "pure, mostly, half, some, a bit of, no"),
                ("more rock than metal", "one genre against another"),
                ("starts with jazz", "where in the track"),
                ("artist:\"nina simone\" year:1960..1970", "what the tags say"),
                ("unsure > 50%", "what the model could not name"),
            ];
            for (i, (query, why)) in examples.iter().enumerate() {
                let y = i as u16;
                let pieces = vec![(text::left(query, 40), theme.text()), ((*why).to_owned(), theme.dim())];
                window::line(frame, Rect { x: area.x + 2, width: area.width.saturating_sub(2), ..area }, y, pieces);
            }
            return;
        }
        let visible = self.list.window(offers.len(), usize::from(area.height));
        for (i, index) in visible.enumerate() {
            let (name, query) = &offers[index];
            let kept = !name.is_empty();
            let line = Rect { y: area.y + i as u16, height: 1, ..area };
            let buffer = frame.buffer_mut();
            if index == self.list.at {
                buffer.set_style(line, theme.selected(!self.editing));
            }
            buffer.set_string(line.x, line.y, if kept { "★ " } else { "  " }, theme.accent());
            let name = if names > 0 { text::left(name, names + 2) } else { String::new() };
            let shown = text::cut(&format!("{name}{query}"), usize::from(area.width).saturating_sub(2));
            buffer.set_string(line.x + 2, line.y, shown, if kept { theme.text() } else { theme.soft() });
        }
    }
}

fn json(list: &[String]) -> String {
    serde_json::to_string(list).unwrap_or_else(|_| "[]".to_owned())
}
