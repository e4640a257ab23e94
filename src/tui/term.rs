//! The terminal: taken when the UI opens, given back however it ends.
//!
//! A panic of the UI restores the terminal before it is printed; SIGTERM, SIGINT and SIGHUP arrive as events, so
//! that the normal way out is taken. A panic of a worker is logged and never touches the screen.

use std::{
    io::{self, Stdout, Write},
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
};

use base64::{Engine, engine::general_purpose::STANDARD};
use crossbeam_channel::Sender;
use ratatui::{
    Terminal,
    backend::CrosstermBackend,
    crossterm::{
        cursor::Show,
        event::{
            self, DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture, Event as Input,
        },
        execute,
        terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
    },
};

use super::event::Event;

/// Longest text that is put on the terminal's clipboard: terminals drop longer ones.
const CLIPBOARD_BYTES: usize = 70_000;

static TAKEN: AtomicBool = AtomicBool::new(false);
static MOUSE: AtomicBool = AtomicBool::new(false);

/// The terminal of the UI; dropped, it is as it was.
#[derive(Debug)]
pub struct Screen;

impl Screen {
    /// Take the terminal.
    ///
    /// # Errors
    /// When stdout is none.
    pub fn take(mouse: bool) -> io::Result<(Self, Terminal<CrosstermBackend<Stdout>>)> {
        MOUSE.store(mouse, Ordering::Relaxed);
        hook();
        let screen = Self;
        enter()?;
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        Ok((screen, terminal))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

fn enter() -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste)?;
    if MOUSE.load(Ordering::Relaxed) {
        execute!(io::stdout(), EnableMouseCapture)?;
    }
    Ok(())
}

/// Give the terminal back. Safe to call twice; there is nobody to tell when it fails.
fn leave() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(io::stdout(), DisableMouseCapture, DisableBracketedPaste, LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

fn hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let ui = std::thread::current().id();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if std::thread::current().id() == ui {
                leave();
                before(info);
            } else if TAKEN.load(Ordering::SeqCst) {
                tracing::error!("{info}");
            } else {
                before(info);
            }
        }));
    });
}

/// Back to the shell, until it says `fg`.
///
/// # Errors
/// When the terminal cannot be taken again.
pub fn suspend() -> io::Result<()> {
    leave();
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TSTP);
    enter()
}

/// Put text on the terminal's clipboard (OSC 52). Encoded, so that nothing in it can be a sequence of its own.
///
/// # Errors
/// When the terminal cannot be written to.
pub fn copy(text: &str) -> io::Result<()> {
    let mut end = text.len().min(CLIPBOARD_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut out = io::stdout();
    write!(out, "\x1b]52;c;{}\x07", STANDARD.encode(&text[..end]))?;
    out.flush()
}

/// Read keys and the mouse into `events` for as long as there is somebody to read them.
///
/// # Errors
/// When the system has no thread left.
pub fn listen(events: Sender<Event>) -> io::Result<()> {
    let ends = events.clone();
    // A second UI in one process (tests) has no signals of its own.
    let _ = ctrlc::set_handler(move || {
        // The UI has closed and waits for its workers: who asks again does not want to.
        if ends.send(Event::End).is_err() {
            std::process::exit(130);
        }
    });
    // Not joined: it waits in a read that only a key ends, and the process ends without it.
    std::thread::Builder::new().name("ui-input".into()).spawn(move || {
        loop {
            let event = match event::read() {
                Ok(Input::Key(key)) => Event::Key(key),
                Ok(Input::Mouse(mouse)) => Event::Mouse(mouse),
                Ok(Input::Paste(text)) => Event::Paste(text),
                Ok(Input::Resize(..)) => Event::Resize,
                Ok(_) => continue,
                // The terminal is gone.
                Err(_) => Event::End,
            };
            let ended = matches!(event, Event::End);
            if events.send(event).is_err() || ended {
                return;
            }
        }
    })?;
    Ok(())
}
