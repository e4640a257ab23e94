//! The state of the UI, and what each event makes of it.
//!
//! [`App::update`] is pure: it changes the state and says what is to be done; it reads no file, waits for
//! nothing and asks no clock. Which screen gets a key is decided here, what the key does there is the screen's.

mod act;
mod correct;
mod done;
mod draw;
mod mouse;

use std::sync::Arc;

use ratatui::{
    crossterm::event::{KeyEvent, KeyEventKind},
    layout::Rect,
};

use super::{
    data::{Counts, Detail, Row},
    event::{Ask, Effect, Event, Said},
    keys::{self, Action, Found, Keys, Scope},
    screens::{
        Shared,
        command::{CommandLine, Typed},
        editor::{Edited, Editor},
        help::Help,
        history::History,
        jobs::Jobs,
        library::Library,
        map::Map,
        models::Models,
        offer::Offer,
        retrain::Retrain,
        review::Review,
        search::Search,
        settings::Settings,
        tags::Tags,
        track::Track,
    },
    theme::{Genres, Theme},
};

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
    /// What is worth the listener's word.
    Review,
    /// What goes on.
    Jobs,
    /// The models.
    Models,
    /// The library as points.
    Map,
}

impl Pane {
    /// The panes with the number that opens each.
    pub const ALL: [(u8, Self); 7] = [
        (1, Self::Library),
        (2, Self::Track),
        (3, Self::Search),
        (4, Self::Review),
        (5, Self::Jobs),
        (6, Self::Models),
        (7, Self::Map),
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Library => "Library",
            Self::Track => "Track",
            Self::Search => "Search",
            Self::Review => "Review",
            Self::Jobs => "Jobs",
            Self::Models => "Models",
            Self::Map => "Map",
        }
    }

    const fn scopes(self) -> &'static [Scope] {
        match self {
            Self::Library => &[Scope::Library, Scope::Tracks, Scope::Lists, Scope::Everywhere],
            Self::Track => &[Scope::Track, Scope::Lists, Scope::Everywhere],
            Self::Search => &[Scope::Search, Scope::Tracks, Scope::Lists, Scope::Everywhere],
            Self::Jobs => &[Scope::Jobs, Scope::Lists, Scope::Everywhere],
            Self::Review => &[Scope::Review, Scope::Lists, Scope::Everywhere],
            Self::Models => &[Scope::Models, Scope::Lists, Scope::Everywhere],
            Self::Map => &[Scope::Map, Scope::Lists, Scope::Everywhere],
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
    Offer(Offer),
    /// Its state is the app's: it goes on when the window is closed.
    Retrain,
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
    review: Review,
    jobs: Jobs,
    models: Models,
    map: Map,
    retrain: Retrain,
    overlay: Option<Overlay>,
    settings: SettingsText,
    detail: Option<Box<Detail>>,
    /// The file whose detail was asked for last.
    asked: Option<i64>,
    /// The file and the search that the explanation was asked for last.
    asked_why: Option<(i64, String)>,
    typed: Vec<String>,
    /// A key was pressed since it was opened.
    touched: bool,
    said: Option<Said>,
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
            keys: Arc::new(Keys::default()),
            marks: std::collections::BTreeMap::new(),
        };
        let app = Self {
            shared,
            pane: Pane::Library,
            list: Pane::Library,
            library: Library::default(),
            track: Track::default(),
            search: Search::default(),
            review: Review::default(),
            jobs: Jobs::default(),
            models: Models::default(),
            map: Map::default(),
            retrain: Retrain::default(),
            overlay: None,
            settings,
            detail: None,
            asked: None,
            asked_why: None,
            typed: Vec::new(),
            touched: false,
            said: None,
            last: None,
            tabs: Vec::new(),
            dirty: true,
        };
        let asks = [Ask::Failures, Ask::Models, Ask::Offer, Ask::Stay];
        let effects = std::iter::once(app.library.ask()).chain(asks.map(Effect::Ask)).collect();
        (app, effects)
    }

    /// With other keys than those of the table.
    #[must_use]
    pub fn with_keys(mut self, keys: Keys) -> Self {
        self.shared.keys = Arc::new(keys);
        self
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
        match self.list {
            Pane::Search => self.search.selected(),
            Pane::Review => self.review.selected(),
            Pane::Map => self.map.selected(),
            _ => self.library.tracks.selected(),
        }
    }

    /// The rows of the list that the keys are about.
    fn listed(&self) -> Vec<Arc<Row>> {
        let view = match self.list {
            Pane::Review => return self.review.rows(),
            Pane::Search => self.search.hits(),
            _ => self.library.tracks.view.as_deref(),
        };
        view.into_iter().flat_map(|view| &view.rows).cloned().collect()
    }

    /// Move the cursor of that list.
    fn step(&mut self, by: isize) {
        let tracks = match self.list {
            Pane::Review => return self.review.step(by),
            Pane::Map => return self.map.near(by),
            Pane::Search => &mut self.search.tracks,
            _ => &mut self.library.tracks,
        };
        let len = tracks.len();
        tracks.cursor.step(by, len);
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

    /// Ask for the detail of the track under the cursor when that is another one, and for why it is a hit.
    fn follow(&mut self) -> Vec<Effect> {
        let Some(file) = self.selected().map(|row| row.file) else { return Vec::new() };
        let mut effects = Vec::new();
        if self.asked != Some(file) {
            self.asked = Some(file);
            effects.push(Effect::Ask(Ask::Detail(file)));
        }
        let query = self.search.query().trim();
        if self.pane == Pane::Search && !query.is_empty() {
            let wanted = (file, query.to_owned());
            if self.asked_why.as_ref() != Some(&wanted) {
                effects.push(Effect::Ask(Ask::Why(file, wanted.1.clone())));
                self.asked_why = Some(wanted);
            }
        }
        effects
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        self.touched = true;
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
                        Edited::More => editor.wish(),
                        Edited::Left => {
                            self.overlay = None;
                            Vec::new()
                        }
                        Edited::Kept(new, genres) => {
                            self.overlay = None;
                            self.last = Some(genres);
                            self.track.forget_span();
                            vec![self.keep(new)]
                        }
                    };
                }
                Overlay::Offer(offer) => {
                    return match offer.key(key) {
                        Some(effects) => {
                            self.overlay = None;
                            effects
                        }
                        None => Vec::new(),
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
            Some(Overlay::Retrain) => &[Scope::Retrain, Scope::Lists, Scope::Everywhere],
            Some(_) => &[Scope::Lists, Scope::Everywhere],
            None => self.pane.scopes(),
        };
        match self.shared.keys.find(&self.typed, scopes) {
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
                Overlay::Retrain => {
                    return self.retrain.act(action).unwrap_or_else(|| {
                        if matches!(action, Action::Back | Action::Quit | Action::Retrain) {
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
            Pane::Review => self.review.act(action),
            Pane::Models => self.models.act(action),
            Pane::Map => self.map.act(action),
        };
        done.unwrap_or_else(|| self.act_here(action))
    }

    /// Open a pane; what is worked out only for it is asked for now.
    fn go(&mut self, pane: Pane) -> Vec<Effect> {
        if matches!(pane, Pane::Library | Pane::Search | Pane::Review | Pane::Map) {
            self.list = pane;
        }
        self.pane = pane;
        match pane {
            Pane::Review => self.review.open(),
            Pane::Map => self.map.open(),
            Pane::Models => self.models.open(),
            _ => Vec::new(),
        }
    }
}
