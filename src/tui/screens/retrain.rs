//! Retraining: how it goes, and the report before anything changes. It goes on when its window is closed; what it
//! made is used only after a second yes, and thrown away as easily.

mod report;

use deepcuts_protocol::{GenreGain, Paired};
use ratatui::{Frame, layout::Rect};

use super::{Shared, jobs::gauge};
use crate::{
    genre::Genre,
    track::Mix,
    tui::{
        data::{Job, JobState, clock, thousands},
        event::{Ask, Effect, Said},
        keys::{Action, Scope},
        widgets::{plot, text, window},
    },
};

/// A track that the new model names otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Title and artist, clean.
    pub name: String,
    /// What it is made of now.
    pub mix: Option<Mix>,
    /// Its largest share now; none is unsure.
    pub before: Option<Genre>,
    /// Its largest share then.
    pub after: Option<Genre>,
    /// Share of it that changes hands, 0 to 1.
    pub moved: f32,
}

/// A label that everything else contradicts.
#[derive(Clone, Debug, PartialEq)]
pub struct Doubt {
    /// Title and artist, clean.
    pub name: String,
    /// What the user said.
    pub said: String,
    /// What everything else says.
    pub heard: String,
}

/// What retraining came to, and whether it may be used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Held-out corrections, before and after.
    pub mine: Paired,
    /// The base, before and after, where it could be judged.
    pub base: Option<Paired>,
    /// By genre.
    pub genres: Vec<GenreGain>,
    /// Whether the gate lets it pass.
    pub passes: bool,
    /// Why, or why not, in sentences.
    pub reasons: Vec<String>,
    /// Tracks whose largest share would be another.
    pub changed: usize,
    /// Tracks in all.
    pub of: usize,
    /// The biggest changes.
    pub biggest: Vec<Change>,
    /// Labels to look at again.
    pub doubts: Vec<Doubt>,
    /// Genres that the old model does not know.
    pub new_genres: Vec<String>,
    /// Where the whole report is, clean.
    pub document: String,
}

/// A point of a curve: steps, share named right of what is learned from, and of what is held out.
pub type Place = (f64, f64, f64);

/// How retraining stands.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// It cannot begin, and why.
    Refused(String),
    /// What is being done: words, done, in all (0: not known), seconds left.
    Step(String, u64, u64, Option<u64>),
    /// A point of the curve of a run.
    Point(u32, Place),
    /// It is judged.
    Judged(Box<Verdict>),
    /// The new model is in force; tracks named otherwise, where they were counted.
    Used(Option<usize>),
    /// It was thrown away, or stopped.
    Dropped(String),
    /// It failed, and why.
    Failed(String),
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Idle,
    Running,
    Ended(String, bool),
    Judged(Box<Verdict>),
    Using,
}

/// Retraining's state.
#[derive(Debug, Default)]
pub struct Retrain {
    stage: Stage,
    step: (String, u64, u64, Option<u64>),
    /// (run, points) in the order in which they came.
    curves: Vec<(u32, Vec<Place>)>,
    scroll: usize,
    sure: Option<Action>,
}

impl Retrain {
    /// The window is opened: begin, where nothing goes on and nothing waits for an answer.
    pub fn open(&mut self) -> Vec<Effect> {
        self.sure = None;
        match self.stage {
            Stage::Idle | Stage::Ended(..) => {
                *self = Self {
                    stage: Stage::Running,
                    step: ("looking at what you said".into(), 0, 0, None),
                    ..Self::default()
                };
                vec![Effect::Ask(Ask::Retrain)]
            }
            _ => Vec::new(),
        }
    }

    /// How far it is, in percent, while it learns.
    #[must_use]
    pub fn percent(&self) -> Option<u64> {
        matches!(self.stage, Stage::Running).then(|| (self.step.1 * 100).checked_div(self.step.2).unwrap_or(0))
    }

    /// Something has come. What is worth saying where the window is not open is said.
    pub fn news(&mut self, news: News, open: bool) -> Option<Said> {
        let said = match news {
            News::Step(what, done, of, left) => {
                self.stage = Stage::Running;
                self.step = (what, done, of, left);
                return None;
            }
            News::Point(run, point) => {
                match self.curves.last_mut().filter(|(last, _)| *last == run) {
                    Some((_, points)) => points.push(point),
                    None => self.curves.push((run, vec![point])),
                }
                return None;
            }
            News::Refused(why) => {
                let said = Said::note(&why);
                self.stage = Stage::Ended(why, false);
                said
            }
            News::Failed(why) => {
                let said = Said::bad(&why);
                self.stage = Stage::Ended(why, false);
                said
            }
            News::Dropped(what) => {
                let said = Said::note(&what);
                self.stage = Stage::Ended(what, true);
                return Some(said);
            }
            News::Used(changed) => {
                let tracks = changed.map(|n| format!(": {} tracks are named otherwise", thousands(n)));
                let what = format!("the new model is in force{}", tracks.unwrap_or_default());
                let said = Said::good(format!("{what}   the models screen takes it back"));
                self.stage = Stage::Ended(what, true);
                return Some(said);
            }
            News::Judged(verdict) => {
                let said = Said::good("it has learned: the report says what would change");
                self.scroll = 0;
                self.stage = Stage::Judged(verdict);
                said
            }
        };
        (!open).then_some(said)
    }

    /// A key; none where it is not one of this window.
    pub fn act(&mut self, action: Action) -> Option<Vec<Effect>> {
        let sure = self.sure.take() == Some(action);
        match action {
            Action::Down => self.scroll += 1,
            Action::Up => self.scroll = self.scroll.saturating_sub(1),
            Action::HalfDown | Action::PageDown => self.scroll += 10,
            Action::HalfUp | Action::PageUp => self.scroll = self.scroll.saturating_sub(10),
            Action::Top => self.scroll = 0,
            Action::Bottom => self.scroll = usize::MAX / 2,
            _ => {
                return match (&self.stage, action) {
                    (Stage::Running, Action::Stop) => Some(vec![Effect::Ask(Ask::StopRetrain)]),
                    (Stage::Judged(v), Action::Accept) if sure || v.passes => {
                        self.stage = Stage::Using;
                        Some(vec![Effect::Ask(Ask::AcceptRetrained)])
                    }
                    (Stage::Judged(_), Action::Accept) => {
                        self.sure = Some(action);
                        Some(Vec::new())
                    }
                    (Stage::Judged(_), Action::Reject) => Some(vec![Effect::Ask(Ask::RejectRetrained)]),
                    _ => None,
                };
            }
        }
        Some(Vec::new())
    }

    /// Draw it.
    pub fn draw(&mut self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let theme = shared.theme;
        let key = |action| shared.keys.key(Scope::Retrain, action);
        let inside = window::open(frame, area, 110, area.height, "Retraining", theme);
        let width = usize::from(inside.width);
        let body = Rect { height: inside.height.saturating_sub(2), ..inside };
        let last = match &self.stage {
            Stage::Idle => (String::new(), theme.dim()),
            Stage::Running => {
                self.draw_running(frame, body, shared);
                (format!("{} stops   Esc: it goes on by itself", key(Action::Stop)), theme.dim())
            }
            Stage::Using => {
                window::line(frame, body, 1, vec![("naming every track anew…".to_owned(), theme.soft())]);
                (String::new(), theme.dim())
            }
            Stage::Ended(what, good) => {
                for (i, line) in text::wrap(what, width).into_iter().enumerate() {
                    let style = if *good { theme.good() } else { theme.warn() };
                    window::line(frame, body, 1 + i as u16, vec![(line, style)]);
                }
                ("Esc leaves".to_owned(), theme.dim())
            }
            Stage::Judged(verdict) => {
                report::draw(frame, body, verdict, &mut self.scroll, shared);
                let (accept, reject) = (key(Action::Accept), key(Action::Reject));
                match (self.sure, verdict.passes) {
                    (Some(_), _) => {
                        (format!("use it all the same? {accept} once more does, any other key does not"), theme.bad())
                    }
                    (None, true) => {
                        (format!("{accept} uses it   {reject} throws it away   Esc decides later"), theme.accent())
                    }
                    (None, false) => {
                        (format!("{reject} throws it away   {accept} uses it all the same   Esc later"), theme.dim())
                    }
                }
            }
        };
        window::line(frame, inside, inside.height.saturating_sub(1), vec![last]);
    }

    fn draw_running(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let theme = shared.theme;
        let (what, done, total, left) = &self.step;
        let left = left.map(|s| format!("   {} left", clock(s * 1000))).unwrap_or_default();
        window::line(frame, area, 0, vec![(what.clone(), theme.text()), (left, theme.dim())]);
        let job = Job {
            title: String::new(),
            state: JobState::Running,
            done: *done,
            total: *total,
            looking: false,
            rate: 0.0,
            failed: 0,
            current: String::new(),
            said: String::new(),
        };
        gauge(frame, Rect { y: area.y + 1, height: 1, ..area }, &job, shared);
        let Some((run, points)) = self.curves.last() else { return };
        let colour = |style: ratatui::style::Style| style.fg.unwrap_or_default();
        let part = |part: fn(&Place) -> f64| points.iter().map(|p| (p.0, part(p))).collect();
        let mut curves = vec![
            plot::Curve { name: "learned from", points: part(|p| p.1), colour: colour(theme.soft()) },
            plot::Curve { name: "held out", points: part(|p| p.2), colour: colour(theme.accent()) },
        ];
        for (_, points) in self.curves.iter().rev().skip(1) {
            let points = points.iter().map(|p| (p.0, p.2)).collect();
            curves.insert(0, plot::Curve { name: "", points, colour: colour(theme.rule()) });
        }
        let field = Rect { y: area.y + 3, height: area.height.saturating_sub(4), ..area };
        plot::draw(frame, field, &curves, (0.0, 1.0), "steps", theme);
        let note = format!("run {} · share named right", run + 1);
        window::line(frame, area, area.height.saturating_sub(1), vec![(note, theme.dim())]);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn judged(passes: bool) -> Retrain {
        let mut retrain = Retrain::default();
        retrain.open();
        retrain.news(News::Judged(Box::new(Verdict { passes, ..Verdict::default() })), true);
        retrain
    }

    fn accepts(retrain: &mut Retrain) -> bool {
        matches!(retrain.act(Action::Accept).as_deref(), Some([Effect::Ask(Ask::AcceptRetrained)]))
    }

    #[test]
    fn what_the_gate_refuses_needs_a_second_yes() {
        assert!(accepts(&mut judged(true)));
        let mut refused = judged(false);
        assert!(!accepts(&mut refused));
        // Another key in between, and it is asked again.
        refused.act(Action::Down);
        assert!(!accepts(&mut refused));
        assert!(accepts(&mut refused));
    }

    #[test]
    fn a_report_waits_for_its_answer() {
        let mut retrain = judged(true);
        assert!(retrain.open().is_empty());
        retrain.news(News::Dropped("thrown away".into()), true);
        assert_eq!(retrain.open().len(), 1);
    }
}
