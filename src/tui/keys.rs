//! The keys: one table that decides what a key does and that the help is made of.
//!
//! A key means an [`Action`] in a [`Scope`]; a screen names its scopes, the nearest first. Nothing here knows
//! what an action does. [`Keys`] is the table with what the settings change.

mod bound;

pub use bound::{Bound, Keys, KeysError};

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // The table says what each does.
pub enum Action {
    Quit,
    Suspend,
    Help,
    Command,
    Search,
    Pane(u8),
    NextPane,
    PreviousPane,
    Back,
    Down,
    Up,
    HalfDown,
    HalfUp,
    PageDown,
    PageUp,
    Top,
    Bottom,
    Left,
    Right,
    Open,
    Mark,
    MarkAll,
    NextHit,
    PreviousHit,
    Facet,
    Sort,
    Reverse,
    Correct,
    Repeat,
    Undo,
    Play,
    CopyPath,
    Export,
    TagPreview,
    History,
    Review,
    Settings,
    Redraw,
    NextTrack,
    PreviousTrack,
    Span,
    Scan,
    RetryFailed,
    Pause,
    Stop,
    Accept,
    AcceptAll,
    Apply,
    SaveSearch,
    DeleteSearch,
    Similar,
    Heard,
    Skip,
    Retrain,
    Reject,
    UseModel,
    Rollback,
    Report,
    Closer,
    Farther,
    MoreLike,
}

impl Action {
    /// As the settings name it: `next-pane`.
    #[must_use]
    pub fn name(self) -> String {
        let mut name = String::new();
        for c in format!("{self:?}").chars() {
            match c {
                'A'..='Z' if name.is_empty() => name.push(c.to_ascii_lowercase()),
                'A'..='Z' => name.extend(['-', c.to_ascii_lowercase()]),
                '(' => name.push('-'),
                ')' => {}
                c => name.push(c),
            }
        }
        name
    }
}

/// Where a key means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// On every screen.
    Everywhere,
    /// In every list.
    Lists,
    /// In lists of tracks.
    Tracks,
    /// In the library.
    Library,
    /// In the track view.
    Track,
    /// In the search pane.
    Search,
    /// In the jobs pane.
    Jobs,
    /// In the models pane.
    Models,
    /// In the review queue.
    Review,
    /// On the map.
    Map,
    /// While a model is retrained, and before its report.
    Retrain,
    /// In the tag preview.
    Tags,
    /// In the history of writes.
    History,
}

impl Scope {
    /// All of them, as the help lists them.
    pub const ALL: [Self; 13] = [
        Self::Everywhere,
        Self::Lists,
        Self::Tracks,
        Self::Library,
        Self::Track,
        Self::Search,
        Self::Review,
        Self::Jobs,
        Self::Models,
        Self::Map,
        Self::Retrain,
        Self::Tags,
        Self::History,
    ];

    /// As the help says it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Everywhere => "Everywhere",
            Self::Lists => "Moving",
            Self::Tracks => "Tracks",
            Self::Library => "Library",
            Self::Track => "Track",
            Self::Search => "Search",
            Self::Jobs => "Jobs",
            Self::Models => "Models",
            Self::Review => "Review",
            Self::Map => "Map",
            Self::Retrain => "Retraining",
            Self::Tags => "Tag preview",
            Self::History => "History",
        }
    }

    /// As the settings name it.
    #[must_use]
    pub fn key(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// A line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// Where.
    pub scope: Scope,
    /// Any of these; the steps of one are separated by spaces.
    pub keys: &'static [&'static str],
    /// What.
    pub action: Action,
    /// As the help says it.
    pub help: &'static str,
    /// A word for the status line, where it is worth its place there.
    pub hint: &'static str,
}

const fn b(
    scope: Scope,
    keys: &'static [&'static str],
    action: Action,
    help: &'static str,
    hint: &'static str,
) -> Binding {
    Binding { scope, keys, action, help, hint }
}

use Action as A;
use Scope as S;

/// The table.
pub const TABLE: &[Binding] = &[
    b(S::Everywhere, &["q", "C-c"], A::Quit, "close what is open; quit", ""),
    b(S::Everywhere, &["?", "F1"], A::Help, "the keys", "help"),
    b(S::Everywhere, &["/"], A::Search, "search", "search"),
    b(S::Everywhere, &[":"], A::Command, "type a command", ""),
    b(S::Everywhere, &["Tab"], A::NextPane, "next pane", ""),
    b(S::Everywhere, &["S-Tab"], A::PreviousPane, "previous pane", ""),
    b(S::Everywhere, &["1"], A::Pane(1), "library", ""),
    b(S::Everywhere, &["2"], A::Pane(2), "track", ""),
    b(S::Everywhere, &["3"], A::Pane(3), "search", ""),
    b(S::Everywhere, &["4", "r"], A::Pane(4), "review: what is worth your word", ""),
    b(S::Everywhere, &["5"], A::Pane(5), "jobs", ""),
    b(S::Everywhere, &["6"], A::Pane(6), "models", ""),
    b(S::Everywhere, &["7"], A::Pane(7), "map", ""),
    b(S::Everywhere, &["Esc"], A::Back, "back; forget the marks", ""),
    b(S::Everywhere, &["u"], A::Undo, "take back the last correction", ""),
    b(S::Everywhere, &["T"], A::Retrain, "retrain on your corrections, see what would change", ""),
    b(S::Everywhere, &["W"], A::TagPreview, "preview what would be written into the files", ""),
    b(S::Everywhere, &["H"], A::History, "history of tag writes", ""),
    b(S::Everywhere, &[","], A::Settings, "the settings in force", ""),
    b(S::Everywhere, &["C-l"], A::Redraw, "draw everything again", ""),
    b(S::Everywhere, &["C-z"], A::Suspend, "back to the shell (fg returns)", ""),
    b(S::Lists, &["j", "Down"], A::Down, "down", ""),
    b(S::Lists, &["k", "Up"], A::Up, "up", ""),
    b(S::Lists, &["h", "Left"], A::Left, "left", ""),
    b(S::Lists, &["l", "Right"], A::Right, "right, into", ""),
    b(S::Lists, &["Enter"], A::Open, "open", ""),
    b(S::Lists, &["g g", "Home"], A::Top, "first", ""),
    b(S::Lists, &["G", "End"], A::Bottom, "last", ""),
    b(S::Lists, &["C-d"], A::HalfDown, "half a page down", ""),
    b(S::Lists, &["C-u"], A::HalfUp, "half a page up", ""),
    b(S::Lists, &["C-f", "PageDown"], A::PageDown, "a page down", ""),
    b(S::Lists, &["C-b", "PageUp"], A::PageUp, "a page up", ""),
    b(S::Tracks, &["e"], A::Correct, "correct the genres (of the marked tracks, if any)", "correct"),
    b(S::Tracks, &["."], A::Repeat, "the last correction again, here", ""),
    b(S::Tracks, &["Space"], A::Mark, "mark, and go on", "mark"),
    b(S::Tracks, &["a"], A::MarkAll, "mark all of the list, or none", ""),
    b(S::Tracks, &["o"], A::Play, "open in the player", "play"),
    b(S::Tracks, &["y"], A::CopyPath, "copy the path (of the marked tracks, if any)", ""),
    b(S::Tracks, &["x"], A::Export, "export the list as a playlist", ""),
    b(S::Tracks, &["M"], A::MoreLike, "search what sounds like this (or like the marked tracks)", ""),
    b(S::Tracks, &["n"], A::NextHit, "next hit of the search", ""),
    b(S::Tracks, &["N"], A::PreviousHit, "previous hit of the search", ""),
    b(S::Tracks, &["s"], A::Sort, "order by artist, title, genre, ...", "sort"),
    b(S::Tracks, &["S"], A::Reverse, "the other way round", ""),
    b(S::Library, &["f"], A::Facet, "genres, artists, albums or folders", "facet"),
    b(S::Track, &["h", "Left"], A::Left, "back in time", ""),
    b(S::Track, &["l", "Right"], A::Right, "on in time", ""),
    b(S::Track, &["v"], A::Span, "begin or end a part of the track", "part"),
    b(S::Track, &["e"], A::Correct, "correct the genres of the track, or of the part", "correct"),
    b(S::Track, &["J", "]"], A::NextTrack, "next track of the list", "next"),
    b(S::Track, &["K", "["], A::PreviousTrack, "previous track of the list", ""),
    b(S::Track, &["o"], A::Play, "open in the player", "play"),
    b(S::Track, &["y"], A::CopyPath, "copy the path", ""),
    b(S::Track, &["."], A::Repeat, "the last correction again, here", ""),
    b(S::Track, &["m"], A::Similar, "tracks that sound like this one", ""),
    b(S::Track, &["M"], A::MoreLike, "search what sounds like this one", ""),
    b(S::Search, &["+"], A::SaveSearch, "keep this search, as @name", "keep"),
    b(S::Search, &["-"], A::DeleteSearch, "forget the kept search under the cursor", ""),
    b(S::Review, &["a"], A::Heard, "it is as it was heard", "as heard"),
    b(S::Review, &["e"], A::Correct, "correct it", "correct"),
    b(S::Review, &["s"], A::Skip, "leave it for another time", "skip"),
    b(S::Review, &["."], A::Repeat, "the last correction again, here", ""),
    b(S::Review, &["o"], A::Play, "open in the player", "play"),
    b(S::Review, &["y"], A::CopyPath, "copy the path", ""),
    b(S::Jobs, &["s"], A::Scan, "scan the library now", "scan"),
    b(S::Jobs, &["R"], A::RetryFailed, "try again what failed", "retry"),
    b(S::Jobs, &["p"], A::Pause, "pause, or go on", "pause"),
    b(S::Jobs, &["X"], A::Stop, "stop the job", "stop"),
    b(S::Models, &["Enter"], A::UseModel, "use this model", "use"),
    b(S::Models, &["b"], A::Rollback, "back to the model before", "back"),
    b(S::Models, &["v"], A::Report, "card, curves or confusion", "view"),
    b(S::Map, &["h", "Left"], A::Left, "left", ""),
    b(S::Map, &["l", "Right"], A::Right, "right", ""),
    b(S::Map, &["+", "="], A::Closer, "closer", "closer"),
    b(S::Map, &["-"], A::Farther, "farther away", "farther"),
    b(S::Map, &["n"], A::NextTrack, "the next nearest track", "next"),
    b(S::Map, &["e"], A::Correct, "correct the track under the cross", "correct"),
    b(S::Map, &["o"], A::Play, "open in the player", "play"),
    b(S::Map, &["Space"], A::Mark, "mark the track under the cross", ""),
    b(S::Retrain, &["w"], A::Accept, "use the new model", ""),
    b(S::Retrain, &["x"], A::Reject, "throw the new model away", ""),
    b(S::Retrain, &["X"], A::Stop, "stop learning", ""),
    b(S::Tags, &["Space"], A::Accept, "take or leave this file", "take"),
    b(S::Tags, &["a"], A::AcceptAll, "take all, or none", "all"),
    b(S::Tags, &["w"], A::Apply, "write what is taken", "write"),
    b(S::History, &["z"], A::Undo, "undo this run", "undo"),
];

/// What the keys typed so far mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// This.
    Action(Action),
    /// The beginning of something.
    Beginning,
    /// Nothing.
    Nothing,
}

/// The name of a key, as the table writes it.
#[must_use]
pub fn spell(key: KeyEvent) -> String {
    let name = match key.code {
        KeyCode::Char(' ') => "Space".to_owned(),
        KeyCode::Char(c) => c.to_string(),
        KeyCode::BackTab => return "S-Tab".to_owned(),
        KeyCode::F(n) => format!("F{n}"),
        other => match other {
            KeyCode::Enter => "Enter",
            KeyCode::Esc => "Esc",
            KeyCode::Tab => "Tab",
            KeyCode::Backspace => "Backspace",
            KeyCode::Delete => "Delete",
            KeyCode::Up => "Up",
            KeyCode::Down => "Down",
            KeyCode::Left => "Left",
            KeyCode::Right => "Right",
            KeyCode::Home => "Home",
            KeyCode::End => "End",
            KeyCode::PageUp => "PageUp",
            KeyCode::PageDown => "PageDown",
            _ => "",
        }
        .to_owned(),
    };
    let control = if key.modifiers.contains(KeyModifiers::CONTROL) { "C-" } else { "" };
    let alt = if key.modifiers.contains(KeyModifiers::ALT) { "A-" } else { "" };
    format!("{control}{alt}{name}")
}

/// The key that a name of the table means; for scripts of keys.
#[must_use]
pub fn parse(name: &str) -> Option<KeyEvent> {
    let mut modifiers = KeyModifiers::NONE;
    let mut rest = name;
    loop {
        if let Some(after) = rest.strip_prefix("C-").filter(|a| !a.is_empty()) {
            modifiers |= KeyModifiers::CONTROL;
            rest = after;
        } else if let Some(after) = rest.strip_prefix("A-").filter(|a| !a.is_empty()) {
            modifiers |= KeyModifiers::ALT;
            rest = after;
        } else {
            break;
        }
    }
    let code = match rest {
        "Space" => KeyCode::Char(' '),
        "S-Tab" => KeyCode::BackTab,
        "Tab" => KeyCode::Tab,
        "Enter" => KeyCode::Enter,
        "Esc" => KeyCode::Esc,
        "Backspace" => KeyCode::Backspace,
        "Delete" => KeyCode::Delete,
        "Up" => KeyCode::Up,
        "Down" => KeyCode::Down,
        "Left" => KeyCode::Left,
        "Right" => KeyCode::Right,
        "Home" => KeyCode::Home,
        "End" => KeyCode::End,
        "PageUp" => KeyCode::PageUp,
        "PageDown" => KeyCode::PageDown,
        other if other.len() > 1 && other.starts_with('F') => KeyCode::F(other[1..].parse().ok()?),
        other => {
            let mut chars = other.chars();
            let c = chars.next()?;
            if chars.next().is_some() {
                return None;
            }
            KeyCode::Char(c)
        }
    };
    Some(KeyEvent::new(code, modifiers))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_scope() {
        for (i, x) in TABLE.iter().enumerate() {
            for y in &TABLE[i + 1..] {
                let clash = x.scope == y.scope && x.keys.iter().any(|k| y.keys.contains(k));
                assert!(!clash, "{:?}: {:?} and {:?}", x.scope, x.action, y.action);
            }
        }
    }

    #[test]
    fn every_key_of_the_table_can_be_typed_and_found() {
        for binding in TABLE {
            for keys in binding.keys {
                let typed: Vec<String> = keys.split(' ').map(|k| spell(parse(k).unwrap())).collect();
                assert_eq!(Keys::default().find(&typed, &[binding.scope]), Found::Action(binding.action), "{keys}");
            }
        }
    }
}
