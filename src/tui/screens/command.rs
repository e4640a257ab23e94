//! The command line of the UI: `:` and a word. One table, read by the prompt, the completion and the help.

use std::path::PathBuf;

use ratatui::{
    Frame,
    crossterm::event::{KeyCode, KeyEvent},
    layout::Rect,
};

use super::Shared;
use crate::tui::{
    data::{Facet, Sort},
    widgets::prompt::Prompt,
};

/// A line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The word.
    pub name: &'static str,
    /// What follows it.
    pub argument: &'static str,
    /// As the help says it.
    pub help: &'static str,
}

const fn c(name: &'static str, argument: &'static str, help: &'static str) -> Entry {
    Entry { name, argument, help }
}

/// The commands.
pub const COMMANDS: &[Entry] = &[
    c("search", "WORDS", "search"),
    c("sort", "ORDER", "artist, title, genre, unsure, length or added"),
    c("facet", "NAME", "genre, artist, album or folder"),
    c("scan", "[DIR]", "listen to a folder, or to the whole library"),
    c("export", "FILE", "write the list (or the marked tracks) as an m3u8 playlist"),
    c("mark", "all|none", "mark the list, or nothing"),
    c("write", "", "preview what would be written into the files"),
    c("history", "", "what was written, to undo it"),
    c("review", "", "what is worth your word"),
    c("retrain", "", "learn from your corrections; nothing changes before you say so"),
    c("map", "", "the library as points"),
    c("autowrite", "", "write genres into files as they are heard: the offer again"),
    c("settings", "", "the settings in force"),
    c("help", "", "the keys"),
    c("quit", "", "quit"),
];

/// What a command asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The table says what each does.
pub enum Command {
    Search(String),
    Sort(Sort),
    Facet(Facet),
    Scan(Option<PathBuf>),
    Export(PathBuf),
    MarkAll(bool),
    Write,
    History,
    Review,
    Retrain,
    Map,
    AutoWrite,
    Settings,
    Help,
    Quit,
}

/// Read a command; the beginning of a word is enough where no other begins so.
///
/// # Errors
/// What is wrong, for people.
pub fn parse(line: &str) -> Result<Command, String> {
    let line = line.trim();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let exact = COMMANDS.iter().find(|c| c.name == word);
    let mut starting = COMMANDS.iter().filter(|c| !word.is_empty() && c.name.starts_with(word));
    let entry = exact.or_else(|| starting.next().filter(|_| word == "h" || word == "s" || starting.next().is_none()));
    let Some(entry) = entry else { return Err(format!("there is no command {word:?}; ? lists them")) };
    let need = |what: &str| if rest.is_empty() { Err(format!(":{} {what}", entry.name)) } else { Ok(rest) };
    Ok(match entry.name {
        "search" => Command::Search(rest.to_owned()),
        "sort" => {
            let name = need("artist, title, genre, unsure, length or added")?;
            let sort = Sort::ALL.into_iter().find(|s| s.name().starts_with(name));
            Command::Sort(sort.ok_or_else(|| format!("there is no order {name:?}"))?)
        }
        "facet" => {
            let name = need("genre, artist, album or folder")?.to_lowercase();
            let facet = Facet::ALL.into_iter().find(|f| f.name().to_lowercase().starts_with(&name));
            Command::Facet(facet.ok_or_else(|| format!("there is no facet {name:?}"))?)
        }
        "scan" => Command::Scan((!rest.is_empty()).then(|| expand(rest))),
        "export" => Command::Export(expand(need("FILE")?)),
        "mark" => Command::MarkAll(rest != "none"),
        "write" => Command::Write,
        "history" => Command::History,
        "review" => Command::Review,
        "retrain" => Command::Retrain,
        "map" => Command::Map,
        "autowrite" => Command::AutoWrite,
        "settings" => Command::Settings,
        "help" => Command::Help,
        _ => Command::Quit,
    })
}

/// `~` as the shell reads it.
fn expand(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

/// The prompt of a command.
#[derive(Debug, Default)]
pub struct CommandLine {
    prompt: Prompt,
}

/// What a key did.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    /// It goes on.
    More,
    /// It was given up.
    Left,
    /// It was entered.
    Entered(String),
}

impl CommandLine {
    /// A command that begins as `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { prompt: Prompt::new(text) }
    }

    /// A key.
    pub fn key(&mut self, key: KeyEvent) -> Typed {
        match key.code {
            KeyCode::Esc => return Typed::Left,
            KeyCode::Backspace if self.prompt.text().is_empty() => return Typed::Left,
            KeyCode::Enter => return Typed::Entered(self.prompt.text().to_owned()),
            KeyCode::Tab => {
                let typed = self.prompt.text().to_owned();
                let mut starting = COMMANDS.iter().filter(|c| c.name.starts_with(&typed));
                if let (Some(entry), None) = (starting.next(), starting.next()) {
                    self.prompt = Prompt::new(&format!("{} ", entry.name));
                }
            }
            _ => {
                self.prompt.key(key);
            }
        }
        Typed::More
    }

    /// Text that was pasted.
    pub fn paste(&mut self, text: &str) {
        self.prompt.paste(text);
    }

    /// Draw it.
    pub fn draw(&self, frame: &mut Frame<'_>, area: Rect, shared: &Shared) {
        let theme = shared.theme;
        frame.buffer_mut().set_string(area.x, area.y, ":", theme.accent());
        let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(1), ..area };
        self.prompt.draw(frame, inner, theme.text(), true);
        let typed = self.prompt.text();
        let word = typed.split_whitespace().next().unwrap_or("");
        let fitting: Vec<&Entry> = COMMANDS.iter().filter(|c| c.name.starts_with(word)).collect();
        let hint = match fitting.as_slice() {
            [one] => format!("{} {}   {}", one.name, one.argument, one.help),
            many => many.iter().map(|c| c.name).collect::<Vec<_>>().join("  "),
        };
        let x = area.x + 3 + crate::tui::widgets::text::width(typed).max(10) as u16;
        if x < area.right() {
            frame.buffer_mut().set_stringn(x, area.y, hint, usize::from(area.right() - x), theme.dim());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read() {
        assert_eq!(parse("sort title"), Ok(Command::Sort(Sort::Title)));
        assert_eq!(parse("q"), Ok(Command::Quit));
        assert_eq!(parse("export /tmp/a b.m3u8"), Ok(Command::Export("/tmp/a b.m3u8".into())));
        assert_eq!(parse("scan"), Ok(Command::Scan(None)));
        assert!(parse("sort colour").is_err());
        assert!(parse("nonsense").is_err());
        assert!(parse("").is_err());
    }
}
