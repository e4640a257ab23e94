//! What the answers of the workers make of the state.

use super::{App, Overlay, Pane};
use crate::tui::{
    data::thousands,
    event::{Ask, Done, Effect, Said, Slot},
    screens::{offer::Offer, retrain::News},
};

impl App {
    pub(super) fn done(&mut self, done: Done) -> Vec<Effect> {
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
            Done::Models(models) => return self.models.show(models),
            Done::Report(report) => self.models.report(*report),
            Done::Why(file, query, clauses) => self.search.explain(file, query, clauses),
            Done::Offer(preview) => {
                // Whoever types already must not find their key taken for an answer: the next opening offers it.
                if !self.touched {
                    self.overlay = Some(Overlay::Offer(Offer::new(*preview)));
                    return vec![Effect::Ask(Ask::Offered)];
                }
            }
            // Whoever listens has to know: it begins again where it is.
            Done::AutoWrite => return vec![Effect::Ask(Ask::Stay)],
            Done::Review(queue) => self.review.show(*queue),
            Done::LookAlikes(genre, found) => {
                if let Some(Overlay::Editor(editor)) = &mut self.overlay {
                    editor.found(&genre, *found);
                }
            }
            Done::Map(points) => self.map.show(points),
            Done::Retrain(news) => {
                if matches!(*news, News::Used(_)) {
                    self.review.again(false);
                }
                let open = matches!(self.overlay, Some(Overlay::Retrain));
                self.said = self.retrain.news(*news, open).or(self.said.take());
            }
            Done::Searches { history, kept } => {
                self.search.history = history;
                self.search.kept = kept;
            }
            Done::Saved(kept) => self.search.kept = kept,
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
            Done::Corrected { of, tracks, locked } => {
                // What was spoken of is done with; other marks wait for their turn.
                self.shared.marks.retain(|_, row| of.binary_search(&row.track).is_err());
                let noun = if tracks == 1 { "track" } else { "tracks" };
                let left = if locked > 0 { format!(", {locked} locked and left as they are") } else { String::new() };
                if tracks == 0 {
                    self.said = Some(Said::note(format!("nothing was corrected{left}")));
                } else {
                    let said = format!("corrected {} {noun}{left}   u takes it back", thousands(tracks));
                    self.said = Some(Said::good(said));
                }
            }
            Done::Uncorrected { tracks } => {
                let noun = if tracks == 1 { "track is" } else { "tracks are" };
                self.said = Some(Said::good(format!("taken back: {} {noun} as before", thousands(tracks))));
                return self.review.again(self.pane == Pane::Review);
            }
            Done::Changed => {
                self.asked = None;
                self.asked_why = None;
                return vec![Effect::Ask(Ask::Failures), Effect::Ask(Ask::Models), Effect::Ask(Ask::Saved)];
            }
            Done::Said(said) => self.said = Some(said),
        }
        Vec::new()
    }
}
