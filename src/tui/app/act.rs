//! What keys and commands do where a screen has nothing of its own to do.

use std::sync::Arc;

use super::{App, Overlay, Pane, SettingsText};
use crate::{
    text::clean_path,
    tui::{
        data::Row,
        event::{Ask, Effect, Said},
        keys::Action,
        screens::{
            command::{self, Command, CommandLine},
            help::Help,
            history::History,
            settings::Settings,
            tags::Tags,
        },
    },
};

impl App {
    /// What a key does where the pane has nothing of its own to do.
    pub(super) fn act_here(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::Quit => return vec![Effect::Quit],
            Action::Suspend => return vec![Effect::Suspend],
            Action::Redraw => return vec![Effect::Redraw],
            Action::Help => self.overlay = Some(Overlay::Help(Help::default())),
            Action::Command => self.overlay = Some(Overlay::Command(CommandLine::default())),
            Action::Settings => self.open_settings(),
            Action::Search => {
                let effects = self.go(Pane::Search);
                self.search.edit();
                return effects;
            }
            Action::Pane(n) => {
                if let Some((_, pane)) = Pane::ALL.iter().find(|(number, _)| *number == n) {
                    return self.go(*pane);
                }
            }
            Action::NextPane | Action::PreviousPane => {
                let n = Pane::ALL.len();
                let at = Pane::ALL.iter().position(|(_, pane)| *pane == self.pane).unwrap_or(0);
                let to = if action == Action::NextPane { at + 1 } else { at + n - 1 };
                return self.go(Pane::ALL[to % n].1);
            }
            Action::Back if self.pane == Pane::Track => return self.go(self.list),
            Action::Back => {
                if self.shared.marks.is_empty() && self.pane != Pane::Library {
                    return self.go(Pane::Library);
                }
                self.shared.marks.clear();
            }
            Action::Open | Action::Right
                if matches!(self.pane, Pane::Library | Pane::Search | Pane::Review | Pane::Map)
                    && self.selected().is_some() =>
            {
                return self.go(Pane::Track);
            }
            Action::NextTrack | Action::PreviousTrack => {
                self.step(if action == Action::NextTrack { 1 } else { -1 });
            }
            Action::NextHit | Action::PreviousHit => self.next_hit(action == Action::NextHit),
            Action::Correct => self.open_editor(),
            Action::Heard => return self.as_heard(),
            Action::Similar => {
                return self.selected().map(|row| Effect::Ask(Ask::Similar(row.track))).into_iter().collect();
            }
            // A search like any other: more words narrow it, its hits are marked, exported, kept.
            Action::MoreLike => {
                let rows: Vec<i64> = if self.shared.marks.is_empty() {
                    self.selected().map(|row| row.file).into_iter().collect()
                } else {
                    self.shared.marks.keys().copied().take(16).collect()
                };
                if rows.is_empty() {
                    return Vec::new();
                }
                let named: Vec<String> = rows.iter().map(|row| format!("like:{row}")).collect();
                let mut effects = self.go(Pane::Search);
                effects.extend(self.search.ask_for(&named.join(" ")));
                return effects;
            }
            Action::Retrain => {
                self.overlay = Some(Overlay::Retrain);
                return self.retrain.open();
            }
            Action::Mark => {
                if let Some(row) = self.selected().cloned()
                    && self.shared.marks.remove(&row.file).is_none()
                {
                    self.shared.marks.insert(row.file, row);
                }
            }
            Action::Repeat => return self.repeat(),
            Action::Undo => return vec![Effect::Ask(Ask::UndoCorrection)],
            Action::Play => {
                return self.selected().map(|row| Effect::Ask(Ask::Play(row.path.clone()))).into_iter().collect();
            }
            Action::CopyPath => return self.copy(),
            Action::TagPreview => {
                let rows: Vec<i64> = if self.shared.marks.is_empty() {
                    self.listed().iter().map(|row| row.file).collect()
                } else {
                    self.shared.marks.keys().copied().collect()
                };
                let (tags, effect) = Tags::open(rows);
                self.overlay = Some(Overlay::Tags(tags));
                return vec![effect];
            }
            Action::History => {
                self.overlay = Some(Overlay::History(History::default()));
                return vec![Effect::Ask(Ask::History)];
            }
            Action::Export => self.overlay = Some(Overlay::Command(CommandLine::new("export ~/deepcuts.m3u8"))),
            _ => {}
        }
        Vec::new()
    }

    /// The marked rows, else the one under the cursor.
    pub(super) fn chosen(&self) -> Vec<Arc<Row>> {
        if self.shared.marks.is_empty() || self.pane == Pane::Track {
            self.selected().cloned().into_iter().collect()
        } else {
            self.shared.marks.values().cloned().collect()
        }
    }

    fn next_hit(&mut self, next: bool) {
        if self.pane == Pane::Search || self.search.query().trim().is_empty() {
            self.step(if next { 1 } else { -1 });
            return;
        }
        let Some(hits) = &self.search.tracks.view else { return };
        let hits: std::collections::HashSet<i64> = hits.rows.iter().map(|row| row.file).collect();
        let tracks = &mut self.library.tracks;
        let Some(view) = &tracks.view else { return };
        let (n, at) = (view.rows.len(), tracks.cursor.at);
        let found = (1..=n)
            .map(|step| if next { (at + step) % n } else { (at + n - step) % n })
            .find(|i| hits.contains(&view.rows[*i].file));
        if let Some(i) = found {
            tracks.cursor.go(i, n);
        }
    }

    fn copy(&self) -> Vec<Effect> {
        let rows = self.chosen();
        if rows.is_empty() {
            return Vec::new();
        }
        let paths: Vec<String> = rows.iter().map(|row| clean_path(&row.path)).collect();
        let noun = if paths.len() == 1 { "path" } else { "paths" };
        let said = Said::good(format!("{} {noun} copied", paths.len()));
        vec![Effect::Copy(paths.join("\n")), Effect::Say(said)]
    }

    fn open_settings(&mut self) {
        let SettingsText { path, lines } = self.settings.clone();
        self.overlay = Some(Overlay::Settings(Settings { scroll: 0, path, lines }));
    }

    pub(super) fn command(&mut self, line: &str) -> Vec<Effect> {
        let command = match command::parse(line) {
            Ok(command) => command,
            Err(_) if line.trim().is_empty() => return Vec::new(),
            Err(wrong) => return vec![Effect::Say(Said::bad(wrong))],
        };
        match command {
            Command::Quit => vec![Effect::Quit],
            Command::Help => self.act_here(Action::Help),
            Command::Settings => self.act_here(Action::Settings),
            Command::Write => self.act_here(Action::TagPreview),
            Command::History => self.act_here(Action::History),
            Command::Retrain => self.act_here(Action::Retrain),
            Command::Review => self.go(Pane::Review),
            Command::Map => self.go(Pane::Map),
            Command::AutoWrite => vec![Effect::Ask(Ask::AutoWrite)],
            Command::Search(query) => {
                let mut effects = self.go(Pane::Search);
                effects.extend(self.search.ask_for(&query));
                effects
            }
            Command::Sort(sort) => {
                self.library.spec.sort = sort;
                vec![self.library.ask()]
            }
            Command::Facet(facet) => {
                self.library.set_facet(facet);
                vec![self.library.ask()]
            }
            Command::Scan(root) => {
                self.go(Pane::Jobs);
                vec![Effect::Ask(Ask::Scan { roots: root.into_iter().collect(), retry_failed: false })]
            }
            Command::Export(path) => {
                let rows: Vec<Arc<Row>> = if self.shared.marks.is_empty() {
                    self.listed()
                } else {
                    self.shared.marks.values().cloned().collect()
                };
                let files = rows.into_iter().map(|row| row.path.clone()).collect();
                vec![Effect::Ask(Ask::Export(path, files))]
            }
            Command::MarkAll(all) => {
                self.shared.marks.clear();
                if all {
                    self.shared.marks.extend(self.listed().into_iter().map(|row| (row.file, row)));
                }
                Vec::new()
            }
        }
    }
}
