//! The tag preview: what would be written into which file, taken file by file or all at once, and written only
//! after a second yes.

use std::path::PathBuf;

use ratatui::{Frame, layout::Rect};

use super::Shared;
use crate::{
    text::{clean, clean_path},
    tui::{
        data::thousands,
        event::{Ask, Effect, Said},
        keys::{Action, Scope},
        widgets::{list::List, text, window},
    },
};

/// A file that would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its row.
    pub file: i64,
    /// Where.
    pub path: PathBuf,
    /// Genres it has.
    pub from: Vec<String>,
    /// Genres it would have.
    pub to: Vec<String>,
    /// What else happens to it.
    pub notes: Vec<String>,
    /// Bytes that are written anew.
    pub bytes: u64,
}

/// A preview as the worker makes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// Files that would change.
    pub changes: Vec<Change>,
    /// Files that are refused, with the reason.
    pub refused: Vec<(PathBuf, String)>,
    /// Files that say the same already.
    pub equal: usize,
    /// Files that are let be: (reason, how many).
    pub kept: Vec<(String, usize)>,
    /// The policy in force.
    pub policy: String,
}

/// The preview's state.
#[derive(Debug, Default)]
pub struct Tags {
    preview: Option<Preview>,
    taken: Vec<bool>,
    list: List,
    /// Files looked at or written so far, and in all.
    at: (usize, usize),
    writing: bool,
    sure: bool,
}

impl Tags {
    /// A preview of `files`, and what makes it.
    #[must_use]
    pub fn open(files: Vec<i64>) -> (Self, Effect) {
        let at = (0, files.len());
        (Self { at, ..Self::default() }, Effect::Ask(Ask::PreviewTags(files)))
    }

    /// It is made.
    pub fn show(&mut self, preview: Preview) {
        self.taken = vec![true; preview.changes.len()];
        self.preview = Some(preview);
    }

    /// How far it is.
    pub fn progress(&mut self, done: usize, of: usize) {
        self.at = (done, of);
    }

    fn count(&self) -> usize {
        self.taken.iter().filter(|t| **t).count()
    }

    /// A key; none where it is not one of this screen.
    pub fn act(&mut self, action: Action) -> Option<Vec<Effect>> {
        let len = self.taken.len();
        let sure = std::mem::take(&mut self.sure);
        match action {
            // It can only be given up: what is written stays, and the history takes it back.
            _ if self.writing => return None,
            action if self.list.act(action, len) => {}
            Action::Accept => {
                if let Some(taken) = self.taken.get_mut(self.list.at()) {
                    *taken = !*taken;
                }
                self.list.cursor.step(1, len);
            }
            Action::AcceptAll => {
                let all = self.taken.iter().all(|t| *t);
                self.taken.iter_mut().for_each(|t| *t = !all);
            }
            Action::Apply if self.count() == 0 => {
                return Some(vec![Effect::Say(Said::note("nothing is taken; Space takes a file, a all"))]);
            }
            Action::Apply if !sure => self.sure = true,
            Action::Apply => {
                let changes = self.preview.as_ref().map_or(&[][..], |p| &p.changes);
                let files: Vec<i64> =
                    changes.iter().zip(&self.taken).filter(|(_, taken)| **taken).map(|(c, _)| c.file).collect();
                self.writing = true;
                self.at = (0, files.len());
                return Some(vec![Effect::Ask(Ask::WriteTags(files))]);
            }
            _ => return None,
        }
        Some(Vec::new())
    }

    /// Draw it.
    pub fn draw(&mut self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let theme = shared.theme;
        let inside = window::open(frame, area, 130, area.height, "What would be written", theme);
        let Some(preview) = &self.preview else {
            let line = format!("looking at {} of {} files", thousands(self.at.0), thousands(self.at.1));
            window::line(frame, inside, 1, vec![(line, theme.soft())]);
            return;
        };
        let mut parts = vec![format!("{} would change", thousands(preview.changes.len()))];
        parts.push(format!("{} equal", thousands(preview.equal)));
        parts.extend(preview.kept.iter().map(|(why, n)| format!("{} {why}", thousands(*n))));
        if !preview.refused.is_empty() {
            parts.push(format!("{} refused", thousands(preview.refused.len())));
        }
        let width = usize::from(inside.width);
        window::line(frame, inside, 0, vec![(text::cut(&parts.join(" · "), width), theme.text())]);
        let bytes: u64 =
            preview.changes.iter().zip(&self.taken).filter(|(_, taken)| **taken).map(|(c, _)| c.bytes).sum();
        let policy = format!(
            "policy {} ([tags] in the settings) · {:.1} MB would be written anew · undo takes it back",
            preview.policy,
            bytes as f64 / 1e6
        );
        window::line(frame, inside, 1, vec![(text::cut(&policy, width), theme.dim())]);
        let list = Rect { y: inside.y + 3, height: inside.height.saturating_sub(5), ..inside };
        let total = preview.changes.len() + preview.refused.len();
        if total == 0 {
            window::line(frame, list, 0, vec![("nothing to write: every file is as it should be".into(), theme.dim())]);
        }
        let name = width * 46 / 100;
        let half = (width.saturating_sub(name + 8)) / 2;
        let mut row = 0;
        for (index, line, selected) in self.list.rows(list, preview.changes.len()) {
            let change = &preview.changes[index];
            row += 1;
            if selected {
                frame.buffer_mut().set_style(line, theme.selected(true));
            }
            let taken = self.taken.get(index) == Some(&true);
            let genres = |list: &[String]| {
                if list.is_empty() { "no genre".to_owned() } else { clean(&list.join("; ")).into_owned() }
            };
            let note = if change.notes.is_empty() { " " } else { "+" };
            window::line(
                frame,
                line,
                0,
                vec![
                    (if taken { "● " } else { "○ " }.to_owned(), if taken { theme.good() } else { theme.dim() }),
                    (text::left(&text::cut_front(&clean_path(&change.path), name - 1), name), theme.text()),
                    (text::right(&genres(&change.from), half), theme.dim()),
                    (" → ".to_owned(), theme.soft()),
                    (text::left(&genres(&change.to), half), if taken { theme.good() } else { theme.dim() }),
                    (note.to_owned(), theme.warn()),
                ],
            );
        }
        for (path, reason) in preview.refused.iter().take(usize::from(list.height.saturating_sub(row))) {
            let line = Rect { y: list.y + row, height: 1, ..list };
            row += 1;
            let path = text::left(&text::cut_front(&clean_path(path), name - 1), name);
            let reason = text::cut(&clean(reason), width.saturating_sub(name + 2));
            window::line(
                frame,
                line,
                0,
                vec![("✗ ".into(), theme.bad()), (path, theme.soft()), (reason, theme.warn())],
            );
        }
        let bottom = inside.height.saturating_sub(1);
        let notes = preview.changes.get(self.list.at()).map(|c| clean(&c.notes.join("; ")).into_owned());
        window::line(frame, inside, bottom.saturating_sub(1), vec![(notes.unwrap_or_default(), theme.warn())]);
        let key = |action| shared.keys.key(Scope::Tags, action);
        let write = key(Action::Apply);
        let last = if self.writing {
            let (done, of) = (thousands(self.at.0), thousands(self.at.1));
            (format!("writing {done} of {of}   Esc stops between two files"), theme.good())
        } else if self.sure {
            (
                format!(
                    "write into {} files? {write} once more writes, any other key does not",
                    thousands(self.count())
                ),
                theme.bad(),
            )
        } else {
            (
                format!(
                    "{} taken   {} takes or leaves   {} all   {write} writes   Esc leaves",
                    thousands(self.count()),
                    key(Action::Accept),
                    key(Action::AcceptAll)
                ),
                theme.dim(),
            )
        };
        window::line(frame, inside, bottom, vec![last]);
    }
}
