//! The learn worker: retraining, and which model is in force.

use std::sync::atomic::AtomicBool;

use super::{Context, Mailbox, Out, library::Wish, mailbox::Mail};
use crate::tui::event::Ask;

/// Run until the mailbox is closed.
pub fn run(mail: &Mailbox<Ask>, out: &Out, _context: &Context, _nudge: &Mailbox<Wish>, _cancel: &AtomicBool) {
    loop {
        match mail.take(None) {
            Mail::Closed => return,
            Mail::One(_) => out.bad("retraining is not here yet"),
            Mail::Quiet => {}
        }
    }
}
