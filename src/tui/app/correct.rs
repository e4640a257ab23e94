//! What the user says of tracks: the editor and what it may be for, the last word again, the model's word taken.

use std::sync::Arc;

use super::{App, Overlay, Pane};
use crate::{
    store::{NewCorrection, Origin},
    track::Mix,
    tui::{
        data::Row,
        event::{Ask, Effect, Said},
        screens::{
            Shared,
            editor::{Editor, Target, corrections},
        },
    },
};

impl App {
    pub(super) fn open_editor(&mut self) {
        let Some(row) = self.selected().cloned() else { return };
        let span = self.track.span_of(row.file).filter(|_| self.pane == Pane::Track);
        let mut targets = vec![Target { name: row.name(), rows: vec![Arc::clone(&row)] }];
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

    /// The model is right: its word becomes the user's.
    pub(super) fn as_heard(&mut self) -> Vec<Effect> {
        let Some(row) = self.selected().cloned() else { return Vec::new() };
        let genres = row.mix.as_ref().map(|mix| heard(mix, &self.shared)).unwrap_or_default();
        if genres.is_empty() {
            return vec![Effect::Say(Said::note("no genre was heard in it; e says which it is"))];
        }
        let new = corrections(&[row], None, &genres);
        vec![self.keep(new.into_iter().map(|new| (new, Origin::Said)).collect())]
    }

    /// Have it kept.
    pub(super) fn keep(&mut self, new: Vec<(NewCorrection, Origin)>) -> Effect {
        self.review.said(&new);
        Effect::Ask(Ask::Correct(new))
    }

    pub(super) fn repeat(&mut self) -> Vec<Effect> {
        let Some(genres) = self.last.clone() else {
            return vec![Effect::Say(Said::note("there is no correction to repeat; e makes one"))];
        };
        let rows = self.chosen();
        let Some(first) = rows.first() else { return Vec::new() };
        let span = self.track.span_of(first.file).filter(|_| self.pane == Pane::Track);
        let new = corrections(&rows, span, &genres);
        vec![self.keep(new.into_iter().map(|new| (new, Origin::Said)).collect())]
    }
}

/// The genres of a mix by name, weighed by the chunks that they won.
fn heard(mix: &Mix, shared: &Shared) -> Vec<(String, u32)> {
    mix.won().iter().filter(|(_, n)| *n > 0).map(|(g, n)| (shared.genres.name(g).to_owned(), *n)).collect()
}
