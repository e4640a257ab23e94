//! The jobs: what is going on, how fast, how long still; and the files that could not be heard, with the reason.

use ratatui::{Frame, layout::Rect, style::Style};

use super::Shared;
use crate::{
    text::clean_path,
    tui::{
        data::{FailureRow, Job, JobState, thousands},
        event::{Ask, Effect, Said},
        keys::Action,
        widgets::{list::List, text, window},
    },
};

/// The jobs' state.
#[derive(Debug, Default)]
pub struct Jobs {
    /// The job that runs, or ran last.
    pub job: Option<Job>,
    /// Files that could not be heard.
    pub failures: Vec<FailureRow>,
    list: List,
}

impl Jobs {
    /// Whether something is going on.
    #[must_use]
    pub fn busy(&self) -> bool {
        self.job.as_ref().is_some_and(|job| job.state == JobState::Running)
    }

    /// A key.
    pub fn act(&mut self, action: Action) -> Option<Vec<Effect>> {
        let len = self.failures.len();
        if self.list.act(action, len) {
            return Some(Vec::new());
        }
        let scan = |retry_failed| Effect::Ask(Ask::Scan { roots: Vec::new(), retry_failed });
        let idle = || Effect::Say(Said::note("nothing is going on"));
        let paused = self.job.as_ref().is_some_and(|job| job.state == JobState::Paused);
        let effect = match action {
            Action::Scan => scan(false),
            Action::RetryFailed => scan(true),
            Action::Pause if self.busy() => Effect::Ask(Ask::Pause),
            Action::Pause if paused => scan(false),
            Action::Stop if self.busy() => Effect::Ask(Ask::Stop),
            Action::Pause | Action::Stop => idle(),
            Action::CopyPath => {
                let path = self.failures.get(self.list.at()).map(|f| clean_path(&f.path));
                return Some(path.into_iter().map(Effect::Copy).collect());
            }
            _ => return None,
        };
        Some(vec![effect])
    }

    /// The mouse clicked.
    pub fn click(&mut self, column: u16, row: u16) {
        self.list.click(column, row, self.failures.len());
    }

    /// Draw it.
    pub fn draw(&mut self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let theme = shared.theme;
        let counts = shared.counts;
        window::heading(frame, area, "Library", "", false, theme);
        let heard = format!("{} of {} heard", thousands(counts.heard), thousands(counts.files));
        let mut pieces = vec![(heard, theme.text())];
        for (n, what, style) in
            [(counts.corrected, "corrected by you", theme.accent()), (counts.failed, "failed", theme.warn())]
        {
            if n > 0 {
                pieces.push((format!("   {} {what}", thousands(n)), style));
            }
        }
        window::line(frame, area, 1, pieces);
        let job_area = Rect { y: area.y + 3, height: 5.min(area.height.saturating_sub(3)), ..area };
        self.draw_job(frame, job_area, shared);
        let y = area.y + 8;
        let rest = Rect { y, height: area.bottom().saturating_sub(y), ..area };
        let note = if self.failures.is_empty() { "" } else { "R tries again" };
        let title = format!("Could not be heard ({})", thousands(self.failures.len()));
        window::heading(frame, rest, &title, note, true, theme);
        let mut list = Rect { y: rest.y + 1, height: rest.height.saturating_sub(1), ..rest };
        if self.failures.is_empty() {
            window::line(frame, list, 0, vec![("every file could be heard".into(), theme.dim())]);
            return;
        }
        // The reason of the one under the cursor in full, below the list.
        let reason = self.failures.get(self.list.at()).map(|f| text::wrap(&f.reason, usize::from(area.width) - 2));
        let below = reason.as_ref().map_or(0, |lines| lines.len() as u16 + 1).min(list.height / 2);
        list.height -= below;
        let name_width = usize::from(area.width) * 45 / 100;
        for (index, line, selected) in self.list.rows(list, self.failures.len()) {
            let failure = &self.failures[index];
            let buffer = frame.buffer_mut();
            if selected {
                buffer.set_style(line, theme.selected(true));
                buffer.set_string(line.x, line.y, "▌", theme.accent());
            }
            let path = text::left(&text::cut_front(&clean_path(&failure.path), name_width - 2), name_width);
            let stage = text::left(&failure.stage, 9);
            let room = usize::from(area.width).saturating_sub(name_width + 11);
            buffer.set_string(line.x + 2, line.y, path, theme.text());
            buffer.set_string(line.x + 2 + name_width as u16, line.y, stage, theme.warn());
            let x = line.x + 11 + name_width as u16;
            buffer.set_stringn(x, line.y, text::cut(&failure.reason, room), room, theme.soft());
        }
        for (i, reason) in reason.unwrap_or_default().into_iter().enumerate().take(usize::from(below.saturating_sub(1)))
        {
            window::line(frame, list, list.height + 1 + i as u16, vec![]);
            let y = list.bottom() + 1 + i as u16;
            frame.buffer_mut().set_stringn(area.x + 2, y, reason, usize::from(area.width) - 2, theme.bad());
        }
    }

    fn draw_job(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let theme = shared.theme;
        let Some(job) = &self.job else {
            window::heading(frame, area, "Nothing is going on", "", false, theme);
            window::line(frame, area, 1, vec![("s scans the library; :scan DIR adds a folder".into(), theme.dim())]);
            return;
        };
        let (word, style) = match &job.state {
            JobState::Running => ("", theme.good()),
            JobState::Paused => ("paused, p goes on", theme.warn()),
            JobState::Ended => ("done", theme.good()),
            JobState::Failed => ("failed", theme.bad()),
        };
        window::heading(frame, area, &job.title, word, job.state == JobState::Running, theme);
        if job.state == JobState::Running || job.state == JobState::Paused {
            gauge(frame, Rect { y: area.y + 1, height: 1, ..area }, job, shared);
        }
        let numbers = match job.state {
            JobState::Running => job.numbers(),
            _ => job.said.clone(),
        };
        for (i, line) in text::wrap(&numbers, usize::from(area.width)).into_iter().take(2).enumerate() {
            window::line(frame, area, 2 + i as u16, vec![(line, style)]);
        }
        if job.state == JobState::Running {
            let current = text::cut_front(&job.current, usize::from(area.width));
            window::line(frame, area, 3, vec![(current, theme.dim())]);
        }
    }
}

/// How far a job is, as a line that fills.
pub fn gauge(frame: &mut Frame<'_>, area: Rect, job: &Job, shared: &Shared) {
    let theme = shared.theme;
    let share = if job.total == 0 { 0.0 } else { (job.done as f64 / job.total as f64).clamp(0.0, 1.0) };
    let label = if job.total == 0 { String::new() } else { format!(" {:>3.0}%", (share * 100.0).floor()) };
    let width = usize::from(area.width).saturating_sub(5);
    let eighths = (share * (width * 8) as f64).round() as usize;
    let tail = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    let done = "█".repeat(eighths / 8) + tail;
    let rest = "·".repeat(width.saturating_sub(text::width(&done)));
    let style: Style = theme.accent();
    window::line(frame, area, 0, vec![(done, style), (rest, theme.rule()), (label, theme.text())]);
}
