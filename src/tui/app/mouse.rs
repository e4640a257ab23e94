//! The mouse, and text that was pasted.

use ratatui::crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::{App, Overlay, Pane};
use crate::tui::{event::Effect, keys::Action};

impl App {
    pub(super) fn paste(&mut self, text: &str) -> Vec<Effect> {
        match &mut self.overlay {
            Some(Overlay::Command(line)) => line.paste(text),
            Some(Overlay::Editor(editor)) => editor.paste(text),
            Some(_) => {}
            None if self.pane == Pane::Search && self.search.editing() => return self.search.paste(text),
            None => {}
        }
        Vec::new()
    }

    pub(super) fn mouse(&mut self, mouse: MouseEvent) -> Vec<Effect> {
        let (column, row) = (mouse.column, mouse.row);
        match mouse.kind {
            MouseEventKind::ScrollDown => self.wheel(Action::Down),
            MouseEventKind::ScrollUp => self.wheel(Action::Up),
            MouseEventKind::Down(MouseButton::Left) if self.overlay.is_none() => {
                if let Some((_, pane)) = self.tabs.iter().find(|(area, _)| area.contains((column, row).into())) {
                    let pane = *pane;
                    return self.go(pane);
                }
                match self.pane {
                    Pane::Library => return self.library.click(column, row),
                    Pane::Search => {
                        self.search.tracks.click(column, row);
                    }
                    Pane::Track => self.track.click(column, row, self.detail.as_deref()),
                    Pane::Jobs => self.jobs.click(column, row),
                    Pane::Review => self.review.click(column, row),
                    Pane::Map => self.map.click(column, row),
                    Pane::Models => {}
                }
                Vec::new()
            }
            _ => {
                self.dirty = false;
                Vec::new()
            }
        }
    }

    fn wheel(&mut self, action: Action) -> Vec<Effect> {
        let mut effects = Vec::new();
        for _ in 0..3 {
            effects.extend(self.act(action));
        }
        effects
    }
}
