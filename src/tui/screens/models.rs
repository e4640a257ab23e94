//! The models: which there are, which one is in force, where each comes from, how it learned and what it mistakes
//! for what; to use another, and to go back.

mod card;

use std::collections::BTreeMap;

use deepcuts_protocol::Paired;
use ratatui::{Frame, layout::Rect};

use super::{Shared, track::day};
use crate::{
    genre::Genre,
    store::ModelRow,
    text::clean,
    tui::{
        event::{Ask, Effect, Said},
        keys::{Action, Scope},
        widgets::{heat, list::List, plot, text, window},
    },
};

/// The curve of one training run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunCurve {
    /// Fold that was left out.
    pub fold: u32,
    /// Seed.
    pub seed: u64,
    /// (steps, accuracy on what was learned from, accuracy on what was watched).
    pub points: Vec<(f64, f64, f64)>,
}

/// What is known of how a model was trained and judged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The model's id.
    pub model: String,
    /// Genres, in the order of the table.
    pub genres: Vec<Genre>,
    /// Row: as it is; column: as it was heard. Clips by artists that the judged weights never heard.
    pub confusion: Vec<Vec<u32>>,
    /// Clips named right, clips judged.
    pub right: Option<(u32, u32)>,
    /// 95 % interval of that share.
    pub interval: Option<(f64, f64)>,
    /// Training runs.
    pub runs: Vec<RunCurve>,
    /// What its retraining came to, where it was retrained: on the user's held-out tracks, and on the base.
    pub retrained: Option<(Paired, Option<Paired>)>,
}

/// What the right side shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Look {
    #[default]
    Card,
    Curves,
    Confusion,
}

/// The models' state.
#[derive(Debug, Default)]
pub struct Models {
    models: Vec<ModelRow>,
    reports: BTreeMap<String, Report>,
    asked: Option<String>,
    list: List,
    look: Look,
    scroll: usize,
    sure: Option<Action>,
}

impl Models {
    /// The models have come, newest first. The cursor stays on its model.
    pub fn show(&mut self, models: Vec<ModelRow>) -> Vec<Effect> {
        let id = self.selected().map(|m| m.card.id().to_owned());
        let first = self.models.is_empty();
        let place = models.iter().position(|m| id.as_deref().map_or(first && m.current, |id| m.card.id() == id));
        self.list.cursor.go(place.unwrap_or(0), models.len());
        self.models = models;
        // Nobody looks yet: the report is read when the pane is opened.
        if self.asked.is_some() { self.ask() } else { Vec::new() }
    }

    /// The pane is opened.
    pub fn open(&mut self) -> Vec<Effect> {
        self.ask()
    }

    /// A report has come.
    pub fn report(&mut self, report: Report) {
        self.reports.insert(report.model.clone(), report);
    }

    fn selected(&self) -> Option<&ModelRow> {
        self.models.get(self.list.at())
    }

    /// Ask for the report of the model under the cursor when it is not known yet.
    fn ask(&mut self) -> Vec<Effect> {
        let Some(id) = self.selected().map(|m| m.card.id().to_owned()) else { return Vec::new() };
        if self.reports.contains_key(&id) || self.asked.as_ref() == Some(&id) {
            return Vec::new();
        }
        self.asked = Some(id.clone());
        vec![Effect::Ask(Ask::Report(id))]
    }

    /// A key.
    pub fn act(&mut self, action: Action) -> Option<Vec<Effect>> {
        let sure = self.sure.take() == Some(action);
        match action {
            Action::HalfDown => self.scroll += 5,
            Action::HalfUp => self.scroll = self.scroll.saturating_sub(5),
            _ => {}
        }
        if matches!(action, Action::HalfDown | Action::HalfUp) {
            return Some(Vec::new());
        }
        if self.list.act(action, self.models.len()) {
            self.scroll = 0;
            return Some(self.ask());
        }
        match action {
            Action::Report | Action::Right => self.look = self.look.next(),
            Action::Left => self.look = self.look.next().next(),
            Action::UseModel => match self.selected() {
                Some(model) if model.current => {
                    return Some(vec![Effect::Say(Said::note("it is in force already"))]);
                }
                Some(model) if sure => {
                    return Some(vec![Effect::Ask(Ask::UseModel(model.card.id().to_owned()))]);
                }
                Some(_) => self.sure = Some(action),
                None => {}
            },
            Action::Rollback if sure => return Some(vec![Effect::Ask(Ask::Rollback)]),
            Action::Rollback => self.sure = Some(action),
            _ => return None,
        }
        Some(Vec::new())
    }

    /// Draw it.
    pub fn draw(&mut self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let theme = shared.theme;
        let wide = area.width >= 110;
        let list_width = if wide { 38 } else { area.width };
        let most = (self.models.len() as u16 + 1).min(area.height / 4).max(2);
        let list_height = if wide { area.height.saturating_sub(1) } else { most };
        let list = Rect { width: list_width, height: list_height, ..area };
        window::heading(frame, list, "Models", "● in force", true, theme);
        let rows = Rect { y: list.y + 1, height: list.height.saturating_sub(1), ..list };
        if self.models.is_empty() {
            window::line(frame, rows, 0, vec![("none yet: the first scan brings one".into(), theme.dim())]);
            return;
        }
        for (index, line, selected) in self.list.rows(rows, self.models.len()) {
            let model = &self.models[index];
            if selected {
                frame.buffer_mut().set_style(line, theme.selected(true));
            }
            let sign = if model.current { "● " } else { "  " };
            let id: String = model.card.id().chars().take(8).collect();
            let day = day(model.added_ms).unwrap_or_default();
            let name = text::left(&clean(&model.card.name), usize::from(line.width).saturating_sub(24));
            let style = if model.current { theme.accent() } else { theme.text() };
            let id = format!(" {} {}", text::left(&clean(&id), 9), day);
            window::line(frame, line, 0, vec![(sign.to_owned(), theme.accent()), (name, style), (id, theme.dim())]);
        }
        let right = if wide {
            let x = area.x + list_width + 2;
            Rect { x, width: area.width - list_width - 2, height: area.height.saturating_sub(1), ..area }
        } else {
            let y = list.bottom() + 1;
            Rect { y, height: (area.bottom().saturating_sub(1)).saturating_sub(y), ..area }
        };
        self.draw_look(frame, right, shared);
        let key = |action| shared.keys.key(Scope::Models, action);
        let name = self.selected().map(|m| clean(&m.card.name).into_owned()).unwrap_or_default();
        let last = match self.sure {
            Some(Action::UseModel) => (
                format!(
                    "use {name}? every track is named anew from what is stored; {} once more does it",
                    key(Action::UseModel)
                ),
                theme.bad(),
            ),
            Some(_) => (format!("back to the model before? {} once more does it", key(Action::Rollback)), theme.bad()),
            None => (String::new(), theme.dim()),
        };
        window::line(frame, area, area.height.saturating_sub(1), vec![last]);
    }

    fn draw_look(&mut self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let theme = shared.theme;
        let Some(model) = self.models.get(self.list.at()) else { return };
        let tabs = [(Look::Card, "card"), (Look::Curves, "curves"), (Look::Confusion, "confusion")];
        let mut pieces = vec![(format!("{}  ", clean(&model.card.name)), theme.heading())];
        for (look, name) in tabs {
            let style = if look == self.look { theme.accent() } else { theme.dim() };
            let shown = if look == self.look { format!("[{name}]") } else { format!(" {name} ") };
            pieces.push((shown, style));
        }
        let used: usize = pieces.iter().map(|(t, _)| text::width(t)).sum();
        let rule = "─".repeat(usize::from(area.width).saturating_sub(used + 1));
        pieces.push((format!(" {rule}"), theme.rule()));
        window::line(frame, area, 0, pieces);
        let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        let report = self.reports.get(model.card.id());
        match self.look {
            Look::Card => {
                let lines = card::lines(model, report, shared, usize::from(body.width));
                self.scroll = self.scroll.min(lines.len().saturating_sub(usize::from(body.height)));
                for (i, line) in lines.iter().skip(self.scroll).take(usize::from(body.height)).enumerate() {
                    frame.render_widget(line, Rect { y: body.y + i as u16, height: 1, ..body });
                }
            }
            Look::Curves => match report.filter(|r| r.runs.iter().any(|run| !run.points.is_empty())) {
                Some(report) => curves(frame, body, report, shared),
                None => window::line(frame, body, 1, vec![(self.nothing("curves"), theme.dim())]),
            },
            Look::Confusion => match report.filter(|r| !r.confusion.is_empty()) {
                Some(report) => confusion(frame, body, report, shared),
                None => window::line(frame, body, 1, vec![(self.nothing("table"), theme.dim())]),
            },
        }
    }

    fn nothing(&self, what: &str) -> String {
        let known = self.selected().is_some_and(|m| self.reports.contains_key(m.card.id()));
        if known { format!("there is no {what} of this model beside its weights") } else { "reading…".to_owned() }
    }
}

impl Look {
    const fn next(self) -> Self {
        match self {
            Self::Card => Self::Curves,
            Self::Curves => Self::Confusion,
            Self::Confusion => Self::Card,
        }
    }
}

/// The mean curves over the runs: what was learned from, what was watched, and the best and worst watched one.
fn curves(frame: &mut Frame<'_>, area: Rect, report: &Report, shared: &Shared) {
    let theme = shared.theme;
    let longest = report.runs.iter().map(|run| run.points.len()).max().unwrap_or(0);
    let at = |i: usize| report.runs.iter().filter_map(move |run| run.points.get(i));
    let mean = |part: fn(&(f64, f64, f64)) -> f64| -> Vec<(f64, f64)> {
        let point = |i: usize| {
            let n = at(i).count() as f64;
            (at(i).map(|p| p.0).sum::<f64>() / n, at(i).map(part).sum::<f64>() / n)
        };
        (0..longest).map(point).collect()
    };
    let edge = |better: fn(f64, f64) -> f64, from: f64| -> Vec<(f64, f64)> {
        (0..longest).map(|i| (at(i).map(|p| p.0).fold(0.0, f64::max), at(i).map(|p| p.2).fold(from, better))).collect()
    };
    let colour = |style: ratatui::style::Style| style.fg.unwrap_or_default();
    let many = report.runs.len() > 1;
    let mut lines = Vec::new();
    if many {
        lines.push(plot::Curve {
            name: "best and worst run",
            points: edge(f64::max, 0.0),
            colour: colour(theme.rule()),
        });
        lines.push(plot::Curve { name: "", points: edge(f64::min, 1.0), colour: colour(theme.rule()) });
    }
    let learned = if many { "learned from, mean" } else { "learned from" };
    let watched = if many { "watched, mean" } else { "watched" };
    lines.insert(0, plot::Curve { name: learned, points: mean(|p| p.1), colour: colour(theme.soft()) });
    lines.insert(1, plot::Curve { name: watched, points: mean(|p| p.2), colour: colour(theme.accent()) });
    let field = Rect { height: area.height.saturating_sub(2).min(24), ..area };
    plot::draw(frame, field, &lines, (0.0, 1.0), "steps", theme);
    let runs = report.runs.len();
    let noun = if runs == 1 { "run" } else { "runs" };
    let said = format!("share of the chunks named right, {runs} {noun}, each without another fold of artists");
    let last = text::cut(&said, usize::from(area.width));
    window::line(frame, area, field.height, vec![(last, theme.dim())]);
}

fn confusion(frame: &mut Frame<'_>, area: Rect, report: &Report, shared: &Shared) {
    let theme = shared.theme;
    let intro = match (report.right, report.interval) {
        (Some((right, of)), Some((low, high))) => format!(
            "{right} of {of} clips right: {:.1} % ({:.1}-{:.1}) · row: is, column: heard",
            f64::from(right) * 100.0 / f64::from(of.max(1)),
            low * 100.0,
            high * 100.0
        ),
        _ => "row: is, column: heard".to_owned(),
    };
    window::line(frame, area, 0, vec![(text::cut(&intro, usize::from(area.width)), theme.soft())]);
    let table = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    heat::draw(frame, table, &report.genres, &report.confusion, theme, &shared.genres);
}
