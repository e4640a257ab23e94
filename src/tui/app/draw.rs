//! What every screen has around it: the tabs, the window on top, the status line.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{App, Overlay, Pane};
use crate::tui::{data::thousands, event::Tone, screens::track, widgets::text};

impl App {
    /// Draw everything.
    pub fn draw(&mut self, frame: &mut Frame<'_>) {
        self.dirty = false;
        let area = frame.area();
        frame.buffer_mut().set_style(area, self.shared.theme.ground());
        if area.width < 20 || area.height < 6 {
            frame.render_widget(Line::raw("too small"), area);
            return;
        }
        self.draw_tabs(frame, Rect { height: 1, ..area });
        let margin = u16::from(area.width >= 60);
        let body = Rect { x: area.x + margin, y: area.y + 2, width: area.width - 2 * margin, height: area.height - 3 };
        let detail = track::matching(self.detail.as_deref(), self.selected());
        match self.pane {
            Pane::Library => self.library.draw(frame, body, &self.shared, self.detail.as_deref()),
            Pane::Track => self.track.draw(frame, body, &self.shared, detail),
            Pane::Search => self.search.draw(frame, body, &self.shared),
            Pane::Jobs => self.jobs.draw(frame, body, &self.shared),
            Pane::Review => self.review.draw(frame, body, &self.shared, detail),
            Pane::Models => self.models.draw(frame, body, &self.shared),
            Pane::Map => self.map.draw(frame, body, &self.shared),
        }
        let status = Rect { x: area.x + margin, y: area.bottom() - 1, width: area.width - 2 * margin, height: 1 };
        match &mut self.overlay {
            Some(Overlay::Command(line)) => line.draw(frame, status, &self.shared),
            other => {
                match other {
                    Some(Overlay::Help(help)) => help.draw(frame, area, &self.shared),
                    Some(Overlay::Settings(settings)) => settings.draw(frame, area, &self.shared),
                    Some(Overlay::Editor(editor)) => editor.draw(frame, area, &self.shared),
                    Some(Overlay::Tags(tags)) => tags.draw(frame, body, &self.shared),
                    Some(Overlay::History(history)) => history.draw(frame, body, &self.shared),
                    Some(Overlay::Offer(offer)) => offer.draw(frame, area, &self.shared),
                    Some(Overlay::Retrain) => self.retrain.draw(frame, body, &self.shared),
                    _ => {}
                }
                self.draw_status(frame, status);
            }
        }
    }

    fn draw_tabs(&mut self, frame: &mut Frame<'_>, area: Rect) {
        let theme = self.shared.theme;
        self.tabs.clear();
        let wide = area.width >= 104;
        let busy = self.busy();
        let name = match &busy {
            Some((_, percent)) if !wide => format!(" ♪{percent:>3}%    "),
            _ if area.width >= 70 => " deepcuts  ".to_owned(),
            _ => " ".to_owned(),
        };
        let style = if busy.is_some() && !wide { theme.good() } else { theme.accent() };
        frame.buffer_mut().set_string(area.x, area.y, &name, style);
        let mut x = area.x + text::width(&name) as u16;
        for (number, pane) in Pane::ALL {
            let label = format!(" {number} {} ", pane.name());
            let width = label.len() as u16;
            if x + width > area.right() {
                break;
            }
            let style = if pane == self.pane { theme.tab() } else { theme.soft() };
            frame.buffer_mut().set_string(x, area.y, &label, style);
            self.tabs.push((Rect { x, y: area.y, width, height: 1 }, pane));
            x += width + u16::from(wide);
        }
        let note = busy.map(|(what, percent)| format!("{what} {percent}% ")).unwrap_or_default();
        let width = text::width(&note) as u16;
        if wide && x + width < area.right() {
            frame.buffer_mut().set_string(area.right() - width, area.y, note, theme.good());
        }
    }

    /// What goes on in the background, and how far it is in percent.
    fn busy(&self) -> Option<(&'static str, u64)> {
        if let Some(percent) = self.retrain.percent() {
            return Some(("learning", percent));
        }
        let job = self.jobs.job.as_ref().filter(|_| self.jobs.busy())?;
        Some(("listening", (job.done * 100).checked_div(job.total).unwrap_or(0)))
    }

    fn draw_status(&self, frame: &mut Frame<'_>, area: Rect) {
        let theme = self.shared.theme;
        let left = match &self.said {
            Some(said) => {
                let style = match said.tone {
                    Tone::Good => theme.good(),
                    Tone::Note => theme.warn(),
                    Tone::Bad => theme.bad(),
                };
                vec![Span::styled(said.text.clone(), style)]
            }
            None => self.summary(),
        };
        let scopes = self.pane.scopes();
        let mut hints: Vec<Span<'_>> = Vec::new();
        let mut used = 0;
        let taken: usize = left.iter().map(|span| text::width(&span.content)).sum();
        for binding in scopes.iter().flat_map(|s| self.shared.keys.of(*s)) {
            let Some(key) = binding.keys.first().filter(|_| !binding.hint.is_empty()) else { continue };
            let key = key.replace(' ', "");
            let width = key.len() + binding.hint.len() + 3;
            if taken + used + width + 2 > usize::from(area.width) {
                break;
            }
            used += width;
            hints.push(Span::styled(key, theme.accent()));
            hints.push(Span::styled(format!(" {}  ", binding.hint), theme.dim()));
        }
        if let Some(last) = hints.last_mut() {
            last.content = last.content.trim_end().to_owned().into();
            used = used.saturating_sub(2);
        }
        let right = Rect { x: area.right().saturating_sub(used as u16), width: used as u16, ..area };
        frame.render_widget(Line::from(left), area);
        if taken + used < usize::from(area.width) {
            frame.render_widget(Line::from(hints), right);
        }
    }

    fn summary(&self) -> Vec<Span<'static>> {
        let theme = self.shared.theme;
        if !self.typed.is_empty() {
            return vec![Span::styled(format!("{} …", self.typed.join("")), theme.accent())];
        }
        if !self.shared.marks.is_empty() {
            return vec![Span::styled(format!("● {} marked", thousands(self.shared.marks.len())), theme.accent())];
        }
        let counts = self.shared.counts;
        if counts.files == 0 {
            return Vec::new();
        }
        let noun = if counts.files == 1 { "file" } else { "files" };
        let mut text = format!("{} {noun}", thousands(counts.files));
        if counts.heard < counts.files {
            text += &format!(" · {} heard", thousands(counts.heard));
        }
        if counts.corrected > 0 {
            text += &format!(" · {} corrected", thousands(counts.corrected));
        }
        vec![Span::styled(text, theme.dim())]
    }
}
