//! `tui`, or no command at all: open the terminal UI.

use std::{
    io::{IsTerminal, Write},
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::Context as _;
use crossbeam_channel::bounded;

use super::{Desk, Outcome, talk};
use crate::{
    config::Config,
    text::{clean, clean_path},
    tui::{
        self,
        app::{App, SettingsText},
        event::Effect,
        keys::{Keys, Scope},
        term,
        theme::{Depth, Theme},
        work::{Context, Workers},
    },
};

pub(super) fn run(desk: &Desk) -> anyhow::Result<Outcome> {
    anyhow::ensure!(
        std::io::stdin().is_terminal() && std::io::stdout().is_terminal(),
        "the terminal UI needs a terminal; `deepcuts --help` lists what works without one"
    );
    // Made or brought up to date here, so that what goes wrong is said on a normal screen.
    drop(desk.store()?);
    let depth = Depth::detect(&desk.config.ui.theme, |key| std::env::var(key).ok());
    let keys =
        Keys::changed(&desk.config.ui.keys).with_context(|| format!("settings {}", clean_path(&desk.paths.config)))?;
    let (app, first) = App::new(Theme::named(&desk.config.ui.theme, depth), settings(desk)?);
    let mut app = app.with_keys(keys);
    let (send, events) = bounded(tui::EVENTS);
    let for_ears = desk.clone();
    let context = Context {
        config: desk.config.clone(),
        paths: desk.paths.clone(),
        ears: Arc::new(move || super::scan::ears_setup(&for_ears)),
        auto_write: Arc::new(AtomicBool::new(desk.config.tags.auto_write)),
    };
    let workers = Workers::start(&context, send.clone()).context("the workers of the UI could not be started")?;
    let ended = {
        let (_screen, mut terminal) = term::Screen::take(desk.config.ui.mouse)?;
        term::listen(send)?;
        tui::run(&mut terminal, &mut app, first, &events, &mut Outside { workers: &workers })
    };
    drop(events);
    if app.is_listening() {
        talk("deepcuts: stopping; what was heard is kept (Ctrl-C to stop at once)");
    }
    workers.stop();
    ended?;
    Ok(Outcome::Good)
}

fn keys_in_force(desk: &Desk) -> anyhow::Result<Keys> {
    Keys::changed(&desk.config.ui.keys).with_context(|| format!("settings {}", clean_path(&desk.paths.config)))
}

/// `tui --keys`: the keys in force, as the settings name them.
pub(super) fn keys(desk: &Desk) -> anyhow::Result<Outcome> {
    let keys = keys_in_force(desk)?;
    let mut out = std::io::stdout().lock();
    for scope in Scope::ALL {
        for bound in keys.of(scope) {
            let name = format!("{}.{}", scope.key(), bound.action.name());
            writeln!(out, "{name:<28} {:<14} {}", bound.keys.join(", "), bound.help)?;
        }
    }
    Ok(Outcome::Good)
}

struct Outside<'a> {
    workers: &'a Workers,
}

impl tui::Outside for Outside<'_> {
    fn perform(&mut self, effect: Effect) -> std::io::Result<bool> {
        match effect {
            Effect::Quit => return Ok(false),
            Effect::Suspend => term::suspend()?,
            Effect::Copy(text) => term::copy(&text)?,
            Effect::Ask(ask) => self.workers.ask(ask),
            Effect::Redraw | Effect::Say(_) => {}
        }
        Ok(true)
    }
}

/// The settings in force as lines, those that differ from the default marked with `*`.
fn settings(desk: &Desk) -> anyhow::Result<SettingsText> {
    let now = toml::Table::try_from(&desk.config)?;
    let default = toml::Table::try_from(Config::default())?;
    let mut lines = Vec::new();
    for (section, keys) in &now {
        lines.push(format!("[{section}]"));
        for (key, value) in keys.as_table().into_iter().flatten() {
            let same = default.get(section).and_then(|s| s.get(key)) == Some(value);
            lines.push(format!("{}{key} = {}", if same { "" } else { "*" }, clean(&value.to_string())));
        }
        lines.push(String::new());
    }
    Ok(SettingsText { path: clean_path(&desk.paths.config), lines })
}
