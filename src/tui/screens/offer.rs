//! The offer to write genres into the files as they are heard: made once, at the first opening over a library that
//! has been heard, with a preview of what would be written. Whoever says nothing keeps files that nobody touches.

use ratatui::{
    Frame,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
    layout::Rect,
};

use super::{Shared, tags::Preview};
use crate::{
    text::{clean, clean_path},
    tui::{
        data::thousands,
        event::{Ask, Effect, Said},
        widgets::{text, window},
    },
};

/// The offer's state.
#[derive(Debug)]
pub struct Offer {
    preview: Preview,
}

impl Offer {
    /// With what would be written into the files that were looked at.
    #[must_use]
    pub const fn new(preview: Preview) -> Self {
        Self { preview }
    }

    /// A key; the answer, once there is one.
    pub fn key(&self, key: KeyEvent) -> Option<Vec<Effect>> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('y') => Some(vec![Effect::Ask(Ask::AutoWrite)]),
            KeyCode::Char('c') if !control => None,
            KeyCode::Char('n' | 'q' | 'c') | KeyCode::Esc => {
                Some(vec![Effect::Say(Said::note("nothing is written; W previews and writes, :autowrite turns it on"))])
            }
            _ => None,
        }
    }

    /// Draw it.
    pub fn draw(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let theme = shared.theme;
        let inside = window::open(frame, area, 78, 20, "Write genres into your files as they are heard?", theme);
        let width = usize::from(inside.width);
        let p = &self.preview;
        let looked = p.changes.len() + p.refused.len() + p.equal + p.kept.iter().map(|(_, n)| n).sum::<usize>();
        let intro = format!(
            "So far no file was touched. Of the first {} files that were heard, {} would get a genre; {} that have one \
             keep it (policy {}). Every write can be taken back, byte for byte.",
            thousands(looked),
            thousands(p.changes.len()),
            thousands(looked - p.changes.len()),
            p.policy
        );
        let mut y = 0;
        for line in text::wrap(&intro, width) {
            window::line(frame, inside, y, vec![(line, theme.soft())]);
            y += 1;
        }
        y += 1;
        let room = inside.height.saturating_sub(y + 4);
        let name = width * 60 / 100;
        for change in p.changes.iter().take(usize::from(room)) {
            let to = clean(&change.to.join("; ")).into_owned();
            let path = text::left(&text::cut_front(&clean_path(&change.path), name - 1), name);
            let room = width.saturating_sub(name + 2);
            let pieces =
                vec![(path, theme.text()), ("→ ".to_owned(), theme.dim()), (text::cut(&to, room), theme.good())];
            window::line(frame, inside, y, pieces);
            y += 1;
        }
        let more = p.changes.len().saturating_sub(usize::from(room));
        if more > 0 {
            window::line(frame, inside, y, vec![(format!("and {} more", thousands(more)), theme.dim())]);
        }
        let bottom = inside.height.saturating_sub(1);
        let pieces = vec![
            ("y".to_owned(), theme.accent()),
            (" yes, as they are heard   ".to_owned(), theme.text()),
            ("n".to_owned(), theme.accent()),
            (" no, I write them myself (W)".to_owned(), theme.text()),
        ];
        window::line(frame, inside, bottom, pieces);
    }
}
