//! The terminal UI: browse, search, see, correct.
//!
//! Model, view, update: [`app::App`] is the state and changes only by events; [`work::Workers`] do whatever reads,
//! writes or waits and answer with events; [`run`] is the loop between them and draws no more than sixty times a
//! second, and only when something changed. It is generic over the terminal, so that tests drive it with keys.
//! The UI's thread does no I/O but the terminal's own.

pub mod app;
pub mod data;
pub mod event;
pub mod keys;
pub mod screens;
pub mod term;
pub mod theme;
pub mod view;
pub mod widgets;
pub mod work;

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use ratatui::{Terminal, backend::Backend};

use self::{
    app::App,
    event::{Effect, Event},
};

/// Sixty frames a second.
const FRAME: Duration = Duration::from_micros(16_667);

/// Events on their way to the UI. More than hands and workers make between two frames; a worker that is faster
/// waits.
pub const EVENTS: usize = 1024;

/// Whatever the loop cannot do itself.
pub trait Outside {
    /// Do what the state asked for. False: end.
    ///
    /// # Errors
    /// When the terminal cannot be used.
    fn perform(&mut self, effect: Effect) -> std::io::Result<bool>;
}

/// Run until the user or the system ends it. Sleeps while nothing happens.
///
/// # Errors
/// When the terminal cannot be drawn on.
pub fn run<B>(
    terminal: &mut Terminal<B>,
    app: &mut App,
    first: Vec<Effect>,
    events: &Receiver<Event>,
    outside: &mut dyn Outside,
) -> std::io::Result<()>
where
    B: Backend,
    B::Error: Send + Sync + 'static,
{
    for effect in first {
        outside.perform(effect)?;
    }
    let mut next_frame = Instant::now();
    loop {
        let now = Instant::now();
        if app.wants_frame() && now >= next_frame {
            terminal.draw(|frame| app.draw(frame)).map_err(std::io::Error::other)?;
            next_frame = now + FRAME;
        }
        let event = if app.wants_frame() {
            match events.recv_timeout(next_frame.saturating_duration_since(Instant::now())) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        } else {
            match events.recv() {
                Ok(event) => event,
                Err(_) => return Ok(()),
            }
        };
        for effect in app.update(event) {
            match effect {
                Effect::Redraw => terminal.clear().map_err(std::io::Error::other)?,
                Effect::Suspend => {
                    outside.perform(effect)?;
                    terminal.clear().map_err(std::io::Error::other)?;
                }
                other => {
                    if !outside.perform(other)? {
                        return Ok(());
                    }
                }
            }
        }
    }
}
