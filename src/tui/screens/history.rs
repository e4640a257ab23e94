//! The history of tag writes: run by run, what each wrote, and the way back.

use std::path::PathBuf;

use ratatui::{Frame, layout::Rect};

use super::{Shared, track::day};
use crate::{
    text::{clean, clean_path},
    tui::{
        data::thousands,
        event::{Ask, Effect, Said},
        keys::{Action, Scope},
        widgets::{list::List, text, window},
    },
};

/// A file that a run wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where.
    pub path: PathBuf,
    /// Genres before.
    pub from: Vec<String>,
    /// Genres after.
    pub to: Vec<String>,
    /// How it stands: done, undone, refused.
    pub state: &'static str,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub id: i64,
    /// `tag` or `undo`.
    pub kind: String,
    /// What was asked for.
    pub what: String,
    /// When, ms since 1970.
    pub started_ms: i64,
    /// Files written and still so.
    pub done: u32,
    /// Files refused.
    pub refused: u32,
    /// Files taken back since.
    pub undone: u32,
    /// The first of its files.
    pub writes: Vec<Written>,
}

/// The history's state.
#[derive(Debug, Default)]
pub struct History {
    /// Runs, newest first.
    pub runs: Vec<Run>,
    list: List,
    sure: bool,
}

impl History {
    /// A key; none where it is not one of this screen.
    pub fn act(&mut self, action: Action) -> Option<Vec<Effect>> {
        let len = self.runs.len();
        let sure = std::mem::take(&mut self.sure);
        if self.list.act(action, len) {
            return Some(Vec::new());
        }
        match action {
            Action::Undo => match self.runs.get(self.list.at()) {
                Some(run) if run.done > 0 && sure => return Some(vec![Effect::Ask(Ask::UndoRun(run.id))]),
                Some(run) if run.done > 0 => self.sure = true,
                _ => return Some(vec![Effect::Say(Said::note("there is nothing of this run to take back"))]),
            },
            _ => return None,
        }
        Some(Vec::new())
    }

    /// Draw it.
    pub fn draw(&mut self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let theme = shared.theme;
        let inside = window::open(frame, area, 130, area.height, "History of tag writes", theme);
        if self.runs.is_empty() {
            window::line(frame, inside, 1, vec![("nothing has been written yet; W previews".into(), theme.dim())]);
            return;
        }
        let top = Rect { height: (inside.height / 2).max(3), ..inside };
        let width = usize::from(inside.width);
        for (index, line, selected) in self.list.rows(top, self.runs.len()) {
            let run = &self.runs[index];
            if selected {
                frame.buffer_mut().set_style(line, theme.selected(true));
            }
            let mut counts = format!("{} written", run.done);
            for (n, what) in [(run.undone, "taken back"), (run.refused, "refused")] {
                if n > 0 {
                    counts += &format!(", {n} {what}");
                }
            }
            window::line(
                frame,
                line,
                0,
                vec![
                    (format!("{:>4}  ", run.id), theme.dim()),
                    (text::left(&day(run.started_ms).unwrap_or_default(), 12), theme.soft()),
                    (text::left(&clean(&run.kind), 6), if run.kind == "undo" { theme.warn() } else { theme.good() }),
                    (text::left(&counts, 34), theme.text()),
                    (text::cut(&clean(&run.what), width.saturating_sub(58)), theme.dim()),
                ],
            );
        }
        let Some(run) = self.runs.get(self.list.at()) else { return };
        let below = Rect { y: top.bottom(), height: inside.height.saturating_sub(top.height + 1), ..inside };
        let total = (run.done + run.undone + run.refused) as usize;
        window::heading(frame, below, "Files", &format!("{} in all", thousands(total)), false, theme);
        let name = width / 2;
        for (i, write) in run.writes.iter().take(usize::from(below.height.saturating_sub(1))).enumerate() {
            let genres = |list: &[String]| {
                if list.is_empty() { "no genre".to_owned() } else { clean(&list.join("; ")).into_owned() }
            };
            let change = format!("{} → {}", genres(&write.from), genres(&write.to));
            window::line(
                frame,
                below,
                1 + i as u16,
                vec![
                    (text::left(&text::cut_front(&clean_path(&write.path), name - 1), name), theme.soft()),
                    (text::left(write.state, 9), theme.dim()),
                    (text::cut(&change, width.saturating_sub(name + 9)), theme.text()),
                ],
            );
        }
        let undo = shared.keys.key(Scope::History, Action::Undo);
        let last = if self.sure {
            (format!("take {} files back? {undo} once more does, any other key does not", run.done), theme.bad())
        } else {
            (format!("{undo} takes the run back   Esc leaves"), theme.dim())
        };
        window::line(frame, inside, inside.height.saturating_sub(1), vec![last]);
    }
}
