//! The state of the UI, and what each event makes of it.
//!
//! [`App::update`] is pure: it changes the state and says what is to be done; it reads no file, waits for
//! nothing and asks no clock. Which screen gets a key is decided here, what the key does there is the screen's.

mod draw;

use std::sync::Arc;

use ratatui::{
    crossterm::event::{KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind},
    layout::Rect,
};

use super::{
    data::{Counts, Detail, Row, thousands},
    event::{Ask, Done, Effect, Event, Said, Slot},
    keys::{self, Action, Found, Scope},
    screens::{
        Shared,
        command::{self, Command, CommandLine, Typed},
        editor::{Edited, Editor, Target, corrections},
        help::Help,
        history::History,
        jobs::Jobs,
        library::Library,
        models::Models,
        search::Search,
        settings::Settings,
        tags::Tags,
        track::Track,
        tracks::Tracks,
    },
    theme::{Genres, Theme},
};
use crate::text::clean_path;

/// The panes, in the order of their numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// The library.
    #[default]
    Library,
    /// One track.
    Track,
    /// The search.
    Search,
    /// What goes on.
    Jobs,
    /// The models.
    Models,
}

impl Pane {
    /// The panes with the number that opens each.
    pub const ALL: [(u8, Self); 5] =
        [(1, Self::Library), (2, Self::Track), (3, Self::Search), (5, Self::Jobs), (6, Self::Models)];

    const fn name(self) -> &'static str {
        match self {
            Self::Library => "Library",
            Self::Track => "Track",
            Self::Search => "Search",
            Self::Jobs => "Jobs",
            Self::Models => "Models",
        }
    }

    const fn scopes(self) -> &'static [Scope] {
        match self {
            Self::Library => &[Scope::Library, Scope::Tracks, Scope::Lists, Scope::Everywhere],
            Self::Track => &[Scope::Track, Scope::Lists, Scope::Everywhere],
            Self::Search => &[Scope::Search, Scope::Tracks, Scope::Lists, Scope::Everywhere],
            Self::Jobs => &[Scope::Jobs, Scope::Lists, Scope::Everywhere],
            Self::Models => &[Scope::Models, Scope::Lists, Scope::Everywhere],
        }
    }
}

/// What lies on top of a pane.
#[derive(Debug)]
enum Overlay {
    Help(Help),
    Command(CommandLine),
    Editor(Editor),
    Settings(Settings),
    Tags(Tags),
    History(History),
}

/// The state.
#[derive(Debug)]
pub struct App {
    shared: Shared,
    pane: Pane,
    /// The list that the track view follows.
    list: Pane,
    library: Library,
    track: Track,
    search: Search,
    jobs: Jobs,
    models: Models,
    overlay: Option<Overlay>,
    settings: SettingsText,
    detail: Option<Box<Detail>>,
    /// The file whose detail was asked for last.
    asked: Option<i64>,
    typed: Vec<String>,
    said: Option<Said>,
    /// Acts of this session that can be taken back, latest last.
    undo: Vec<i64>,
    last: Option<Vec<(String, u32)>>,
    tabs: Vec<(Rect, Pane)>,
    dirty: bool,
}

/// The settings as text, for the screen that shows them.
#[derive(Clone, Debug, Default)]
pub struct SettingsText {
    /// Where they are written.
    pub path: String,
    /// Line by line; `*` begins those that differ from the default.
    pub lines: Vec<String>,
}

impl App {
    /// The UI before anything is known, and what it asks for first.
    #[must_use]
    pub fn new(theme: Theme, settings: SettingsText) -> (Self, Vec<Effect>) {
        let shared = Shared {
            theme,
            genres: Arc::new(Genres::default()),
            counts: Counts { loading: true, ..Counts::default() },
            marks: std::collections::BTreeMap::new(),
        };
        let app = Self {
            shared,
            pane: Pane::Library,
            list: Pane::Library,
            library: Library::default(),
            track: Track::default(),
            search: Search::default(),
            jobs: Jobs::default(),
            models: Models::default(),
            overlay: None,
            settings,
            detail: None,
            asked: None,
            typed: Vec::new(),
            said: None,
            undo: Vec::new(),
            last: None,
            tabs: Vec::new(),
            dirty: true,
        };
        let effects =
            vec![app.library.ask(), Effect::Ask(Ask::Failures), Effect::Ask(Ask::Models), Effect::Ask(Ask::Stay)];
        (app, effects)
    }

    /// Whether something changed since it was drawn.
    #[must_use]
    pub const fn wants_frame(&self) -> bool {
        self.dirty
    }

    /// Whether files are being heard.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.jobs.busy()
    }

    /// The pane that is shown.
    #[must_use]
    pub const fn pane(&self) -> Pane {
        self.pane
    }

    /// What the status line says, if anything.
    #[must_use]
    pub const fn said(&self) -> Option<&Said> {
        self.said.as_ref()
    }

    /// The row that keys are about.
    #[must_use]
    pub fn selected(&self) -> Option<&Arc<Row>> {
        self.tracks().selected()
    }

    const fn tracks(&self) -> &Tracks {
        match self.list {
            Pane::Search => &self.search.tracks,
            _ => &self.library.tracks,
        }
    }

    fn tracks_mut(&mut self) -> &mut Tracks {
        match self.list {
            Pane::Search => &mut self.search.tracks,
            _ => &mut self.library.tracks,
        }
    }

    /// What an event makes of the state, and what is to be done.
    pub fn update(&mut self, event: Event) -> Vec<Effect> {
        self.dirty = true;
        let mut effects = match event {
            Event::Key(key) if key.kind == KeyEventKind::Release => {
                self.dirty = false;
                Vec::new()
            }
            Event::Key(key) => self.key(key),
            Event::Mouse(mouse) => self.mouse(mouse),
            Event::Paste(text) => self.paste(&text),
            Event::Resize => Vec::new(),
            Event::End => vec![Effect::Quit],
            Event::Done(done) => self.done(done),
        };
        effects.extend(self.follow());
        self.sayings(&mut effects);
        effects
    }

    /// What is only to be said stays here.
    fn sayings(&mut self, effects: &mut Vec<Effect>) {
        effects.retain_mut(|effect| match effect {
            Effect::Say(said) => {
                self.said = Some(said.clone());
                false
            }
            _ => true,
        });
    }

    /// Ask for the detail of the track under the cursor when that is another one.
    fn follow(&mut self) -> Option<Effect> {
        let file = self.selected().map(|row| row.file)?;
        if self.asked == Some(file) {
            return None;
        }
        self.asked = Some(file);
        Some(Effect::Ask(Ask::Detail(file)))
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        if let Some(overlay) = &mut self.overlay {
            match overlay {
                Overlay::Command(line) => {
                    return match line.key(key) {
                        Typed::More => Vec::new(),
                        Typed::Left => {
                            self.overlay = None;
                            Vec::new()
                        }
                        Typed::Entered(line) => {
                            self.overlay = None;
                            self.command(&line)
                        }
                    };
                }
                Overlay::Editor(editor) => {
                    return match editor.key(key, &self.shared) {
                        Edited::More => Vec::new(),
                        Edited::Left => {
                            self.overlay = None;
                            Vec::new()
                        }
                        Edited::Kept(new, genres) => {
                            self.overlay = None;
                            self.last = Some(genres);
                            self.track.forget_span();
                            vec![Effect::Ask(Ask::Correct(new))]
                        }
                    };
                }
                _ => {}
            }
        } else if self.pane == Pane::Search && self.search.editing() {
            return self.search.key(key);
        }
        self.said = None;
        self.typed.push(keys::spell(key));
        let scopes: &[Scope] = match &self.overlay {
            Some(Overlay::Tags(_)) => &[Scope::Tags, Scope::Lists, Scope::Everywhere],
            Some(Overlay::History(_)) => &[Scope::History, Scope::Lists, Scope::Everywhere],
            Some(_) => &[Scope::Lists, Scope::Everywhere],
            None => self.pane.scopes(),
        };
        match keys::find(&self.typed, scopes) {
            Found::Action(action) => {
                self.typed.clear();
                self.act(action)
            }
            Found::Beginning => Vec::new(),
            Found::Nothing => {
                self.typed.clear();
                Vec::new()
            }
        }
    }

    fn act(&mut self, action: Action) -> Vec<Effect> {
        if let Some(overlay) = &mut self.overlay {
            let scroll = match overlay {
                Overlay::Help(help) => &mut help.scroll,
                Overlay::Settings(settings) => &mut settings.scroll,
                Overlay::Tags(tags) => {
                    return tags.act(action).unwrap_or_else(|| {
                        if matches!(action, Action::Back | Action::Quit) {
                            self.overlay = None;
                            return vec![Effect::Ask(Ask::LeaveTags)];
                        }
                        Vec::new()
                    });
                }
                Overlay::History(history) => {
                    return history.act(action).unwrap_or_else(|| {
                        if matches!(action, Action::Back | Action::Quit | Action::History) {
                            self.overlay = None;
                        }
                        Vec::new()
                    });
                }
                _ => return Vec::new(),
            };
            match action {
                Action::Down => *scroll += 1,
                Action::Up => *scroll = scroll.saturating_sub(1),
                Action::HalfDown | Action::PageDown => *scroll += 10,
                Action::HalfUp | Action::PageUp => *scroll = scroll.saturating_sub(10),
                Action::Top => *scroll = 0,
                Action::Bottom => *scroll = usize::MAX / 2,
                _ => self.overlay = None,
            }
            return Vec::new();
        }
        let done = match self.pane {
            Pane::Library => self.library.act(action, &mut self.shared),
            Pane::Search => self.search.act(action, &mut self.shared),
            Pane::Track => self.track.act(action, self.detail.as_deref()),
            Pane::Jobs => self.jobs.act(action),
            Pane::Models => self.models.act(action),
        };
        done.unwrap_or_else(|| self.act_here(action))
    }

    /// What a key does where the pane has nothing of its own to do.
    fn act_here(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::Quit => return vec![Effect::Quit],
            Action::Suspend => return vec![Effect::Suspend],
            Action::Redraw => return vec![Effect::Redraw],
            Action::Help => self.overlay = Some(Overlay::Help(Help::default())),
            Action::Command => self.overlay = Some(Overlay::Command(CommandLine::default())),
            Action::Settings => self.open_settings(),
            Action::Search => {
                self.go(Pane::Search);
                self.search.edit();
            }
            Action::Pane(n) => {
                if let Some((_, pane)) = Pane::ALL.iter().find(|(number, _)| *number == n) {
                    self.go(*pane);
                }
            }
            Action::NextPane | Action::PreviousPane => {
                let n = Pane::ALL.len();
                let at = Pane::ALL.iter().position(|(_, pane)| *pane == self.pane).unwrap_or(0);
                let to = if action == Action::NextPane { at + 1 } else { at + n - 1 };
                self.go(Pane::ALL[to % n].1);
            }
            Action::Back if self.pane == Pane::Track => self.go(self.list),
            Action::Back => {
                if self.shared.marks.is_empty() && self.pane != Pane::Library {
                    self.go(Pane::Library);
                }
                self.shared.marks.clear();
            }
            Action::Open | Action::Right
                if matches!(self.pane, Pane::Library | Pane::Search) && self.selected().is_some() =>
            {
                self.go(Pane::Track);
            }
            Action::NextTrack | Action::PreviousTrack => {
                let len = self.tracks().len();
                self.tracks_mut().cursor.step(if action == Action::NextTrack { 1 } else { -1 }, len);
            }
            Action::NextHit | Action::PreviousHit => self.next_hit(action == Action::NextHit),
            Action::Correct => self.open_editor(),
            Action::Similar => {
                return self.selected().map(|row| Effect::Ask(Ask::Similar(row.track))).into_iter().collect();
            }
            // Heard by the model, nothing said by the user, the least sure first.
            Action::Review => {
                self.go(Pane::Search);
                return self.search.ask_for("source:model unsure-");
            }
            Action::Repeat => return self.repeat(),
            Action::Undo => {
                return match self.undo.pop() {
                    Some(batch) => vec![Effect::Ask(Ask::UndoCorrection(batch))],
                    None => vec![Effect::Say(Said::note("nothing to take back"))],
                };
            }
            Action::Play => {
                return self.selected().map(|row| Effect::Ask(Ask::Play(row.path.clone()))).into_iter().collect();
            }
            Action::CopyPath => return self.copy(),
            Action::TagPreview => {
                let rows: Vec<i64> = if self.shared.marks.is_empty() {
                    self.tracks().view.iter().flat_map(|view| &view.rows).map(|row| row.file).collect()
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

    fn go(&mut self, pane: Pane) {
        if matches!(pane, Pane::Library | Pane::Search) {
            self.list = pane;
        }
        self.pane = pane;
    }

    /// The marked rows, else the one under the cursor.
    fn chosen(&self) -> Vec<Arc<Row>> {
        if self.shared.marks.is_empty() || self.pane == Pane::Track {
            self.selected().cloned().into_iter().collect()
        } else {
            self.shared.marks.values().cloned().collect()
        }
    }

    fn next_hit(&mut self, next: bool) {
        if self.pane == Pane::Search || self.search.query().trim().is_empty() {
            let len = self.tracks().len();
            self.tracks_mut().cursor.step(if next { 1 } else { -1 }, len);
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

    fn open_editor(&mut self) {
        let Some(row) = self.selected().cloned() else { return };
        let span = self.track.span().filter(|_| self.pane == Pane::Track);
        let mut targets =
            vec![Target { name: format!("{} · {}", row.title, row.artist), rows: vec![Arc::clone(&row)] }];
        if !row.album.is_empty() {
            let rows: Vec<Arc<Row>> = self
                .library
                .tracks
                .view
                .iter()
                .flat_map(|view| &view.rows)
                .filter(|other| other.album == row.album && other.folder == row.folder)
                .cloned()
                .collect();
            if rows.len() > 1 {
                targets.push(Target { name: format!("the album {} ({} tracks)", row.album, rows.len()), rows });
            }
        }
        if !self.shared.marks.is_empty() {
            let rows: Vec<Arc<Row>> = self.shared.marks.values().cloned().collect();
            let marked = Target { name: format!("the {} marked tracks", rows.len()), rows };
            // In a list, marks are what one means; in the track view, the track.
            targets.insert(if self.pane == Pane::Track { targets.len() } else { 0 }, marked);
        }
        self.overlay = Some(Overlay::Editor(Editor::new(targets, span)));
    }

    fn repeat(&mut self) -> Vec<Effect> {
        let Some(genres) = self.last.clone() else {
            return vec![Effect::Say(Said::note("there is no correction to repeat; e makes one"))];
        };
        let rows = self.chosen();
        let span = self.track.span().filter(|_| self.pane == Pane::Track);
        if rows.is_empty() { Vec::new() } else { vec![Effect::Ask(Ask::Correct(corrections(&rows, span, &genres)))] }
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

    fn command(&mut self, line: &str) -> Vec<Effect> {
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
            Command::Search(query) => {
                self.go(Pane::Search);
                self.search.ask_for(&query)
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
                let rows: Vec<&Arc<Row>> = if self.shared.marks.is_empty() {
                    self.tracks().view.iter().flat_map(|view| &view.rows).collect()
                } else {
                    self.shared.marks.values().collect()
                };
                let files = rows.into_iter().map(|row| row.path.clone()).collect();
                vec![Effect::Ask(Ask::Export(path, files))]
            }
            Command::MarkAll(all) => {
                self.shared.marks.clear();
                if all {
                    let rows: Vec<Arc<Row>> = self.tracks().view.iter().flat_map(|v| &v.rows).cloned().collect();
                    self.shared.marks.extend(rows.into_iter().map(|row| (row.file, row)));
                }
                Vec::new()
            }
        }
    }

    fn paste(&mut self, text: &str) -> Vec<Effect> {
        match &mut self.overlay {
            Some(Overlay::Command(line)) => line.paste(text),
            Some(Overlay::Editor(editor)) => editor.paste(text),
            Some(_) => {}
            None if self.pane == Pane::Search && self.search.editing() => return self.search.paste(text),
            None => {}
        }
        Vec::new()
    }

    fn mouse(&mut self, mouse: MouseEvent) -> Vec<Effect> {
        let (column, row) = (mouse.column, mouse.row);
        match mouse.kind {
            MouseEventKind::ScrollDown => self.wheel(Action::Down),
            MouseEventKind::ScrollUp => self.wheel(Action::Up),
            MouseEventKind::Down(MouseButton::Left) if self.overlay.is_none() => {
                if let Some((_, pane)) = self.tabs.iter().find(|(area, _)| area.contains((column, row).into())) {
                    self.go(*pane);
                    return Vec::new();
                }
                match self.pane {
                    Pane::Library => return self.library.click(column, row),
                    Pane::Search => {
                        self.search.tracks.click(column, row);
                    }
                    Pane::Track => self.track.click(column, row, self.detail.as_deref()),
                    Pane::Jobs => self.jobs.click(column, row),
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

    fn done(&mut self, done: Done) -> Vec<Effect> {
        match done {
            Done::View(slot, view) => {
                let old = match slot {
                    Slot::Library => self.library.show(view),
                    Slot::Search => self.search.show(view),
                };
                return old.map(|old| Effect::Ask(Ask::Discard(old))).into_iter().collect();
            }
            Done::Completions(of, list) => return self.search.complete(&of, list),
            Done::Detail(detail) => {
                if self.asked == Some(detail.row.file) {
                    self.track.show(&detail);
                    self.detail = Some(detail);
                }
            }
            Done::Similar(track, rows) => {
                if rows.is_empty() {
                    self.said = Some(Said::note("there is nothing to compare it with"));
                }
                if let Some(detail) = self.detail.as_mut().filter(|d| d.row.track == track) {
                    detail.similar = rows;
                }
            }
            Done::Counts(counts) => self.shared.counts = counts,
            Done::Genres(genres) => self.shared.genres = genres,
            Done::Failures(failures) => self.jobs.failures = failures,
            Done::Models(models) => self.models.models = models,
            Done::Searches { history, kept } => {
                self.search.history = history;
                self.search.kept = kept;
            }
            Done::Job(job) => self.jobs.job = Some(job),
            Done::TagProgress(done, of) => {
                if let Some(Overlay::Tags(tags)) = &mut self.overlay {
                    tags.progress(done, of);
                }
            }
            Done::TagPreview(preview) => {
                if let Some(Overlay::Tags(tags)) = &mut self.overlay {
                    tags.show(*preview);
                }
            }
            Done::TagsEnded => {
                if matches!(self.overlay, Some(Overlay::Tags(_))) {
                    self.overlay = None;
                }
            }
            Done::History(runs) => {
                if let Some(Overlay::History(history)) = &mut self.overlay {
                    history.runs = runs;
                }
            }
            Done::Corrected { batch, tracks } => {
                self.undo.push(batch);
                self.shared.marks.clear();
                let noun = if tracks == 1 { "track" } else { "tracks" };
                self.said = Some(Said::good(format!("corrected {} {noun}   u takes it back", thousands(tracks))));
            }
            Done::Uncorrected { tracks } => {
                let noun = if tracks == 1 { "track is" } else { "tracks are" };
                self.said = Some(Said::good(format!("taken back: {} {noun} as before", thousands(tracks))));
            }
            Done::Changed => {
                self.asked = None;
                return vec![Effect::Ask(Ask::Failures), Effect::Ask(Ask::Models)];
            }
            Done::Said(said) => self.said = Some(said),
        }
        Vec::new()
    }
}
