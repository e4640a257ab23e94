//! A line of text that is being typed.

use ratatui::{
    Frame, crossterm::event::KeyCode, crossterm::event::KeyEvent, crossterm::event::KeyModifiers, layout::Rect,
    style::Style,
};
use tui_input::{Input, InputRequest};

use crate::text::is_showable;

/// A line of text and the cursor in it.
#[derive(Clone, Debug, Default)]
pub struct Prompt {
    input: Input,
}

impl Prompt {
    /// A line that begins as `text`, the cursor at its end.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { input: Input::new(text.chars().filter(|c| is_showable(*c)).collect()) }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// Whether the cursor is at the end.
    #[must_use]
    pub fn at_end(&self) -> bool {
        self.input.cursor() == self.input.value().chars().count()
    }

    /// A key: whether the text changed; none when it is no key of a line of text.
    pub fn key(&mut self, key: KeyEvent) -> Option<bool> {
        use InputRequest as R;
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        let request = match key.code {
            KeyCode::Char('a') if control => R::GoToStart,
            KeyCode::Char('e') if control => R::GoToEnd,
            KeyCode::Char('b') if control => R::GoToPrevChar,
            KeyCode::Char('f') if control => R::GoToNextChar,
            KeyCode::Char('w') if control => R::DeletePrevWord,
            KeyCode::Char('u') if control => R::DeleteFromStart,
            KeyCode::Char('k') if control => R::DeleteTillEnd,
            KeyCode::Char('y') if control => R::Yank,
            KeyCode::Char('b') if alt => R::GoToPrevWord,
            KeyCode::Char('f') if alt => R::GoToNextWord,
            KeyCode::Char('d') if alt => R::DeleteNextWord,
            KeyCode::Char(c) if !control && !alt => R::InsertChar(c),
            KeyCode::Backspace if alt || control => R::DeletePrevWord,
            KeyCode::Backspace => R::DeletePrevChar,
            KeyCode::Delete => R::DeleteNextChar,
            KeyCode::Left if control => R::GoToPrevWord,
            KeyCode::Right if control => R::GoToNextWord,
            KeyCode::Left => R::GoToPrevChar,
            KeyCode::Right => R::GoToNextChar,
            KeyCode::Home => R::GoToStart,
            KeyCode::End => R::GoToEnd,
            _ => return None,
        };
        Some(self.input.handle(request).is_some_and(|changed| changed.value))
    }

    /// Text that was pasted: one line of what a terminal may see.
    pub fn paste(&mut self, text: &str) {
        for c in text.chars().map(|c| if c == '\n' || c == '\t' { ' ' } else { c }).filter(|c| is_showable(*c)) {
            self.input.handle(InputRequest::InsertChar(c));
        }
    }

    /// Draw it, with the terminal's cursor in it when it has the keys.
    pub fn draw(&self, frame: &mut Frame<'_>, area: Rect, style: Style, focused: bool) {
        if area.width == 0 || area.height == 0 {
            return;
        }
        let width = usize::from(area.width).saturating_sub(1).max(1);
        let scroll = self.input.visual_scroll(width);
        // Skip whole characters until the scroll is reached.
        let mut skipped = 0;
        let mut shown = self.text();
        while skipped < scroll {
            let Some(c) = shown.chars().next() else { break };
            skipped += unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
            shown = &shown[c.len_utf8()..];
        }
        frame.buffer_mut().set_stringn(area.x, area.y, shown, usize::from(area.width), style);
        if focused {
            let x = area.x + self.input.visual_cursor().saturating_sub(skipped).min(width) as u16;
            frame.set_cursor_position((x, area.y));
        }
    }
}
