//! The study worker: what needs all tracks at once. The review queue, look-alikes, the map. Each takes as long as it
//! takes, a second over a large library; none makes a key wait.

use std::sync::Arc;

use super::{Context, Mailbox, Out, mailbox::Mail};
use crate::{
    corrections::{like, review},
    search::{map::lay_out, similar::percent},
    store::{Store, StoreError},
    text::clean,
    tui::{
        data::Row,
        event::{Ask, Done},
        screens::{
            editor::Found,
            map::{Point, Points},
            review::{Item, Lessons, Queue},
        },
    },
};

/// Tracks of the review queue: an evening's worth.
const QUEUE: usize = 100;

/// Run until the mailbox is closed.
pub fn run(mail: &Mailbox<Ask>, out: &Out, context: &Context) {
    let Some(store) = context.reader(out) else { return };
    loop {
        let answered = match mail.take(None) {
            Mail::Closed => return,
            Mail::One(Ask::Review) => review(&store, context).map(|queue| Done::Review(Box::new(queue))),
            Mail::One(Ask::LookAlikes(seeds, genre)) => {
                look_alikes(&store, &seeds, &genre).map(|found| Done::LookAlikes(genre, Box::new(found)))
            }
            Mail::One(Ask::Map) => map(&store).map(|points| Done::Map(Box::new(points))),
            Mail::Quiet | Mail::One(_) => continue,
        };
        match answered {
            Ok(done) => out.done(done),
            Err(error) => out.bad(&error),
        }
    }
}

/// The row of a track, by one of its files that is there.
fn row(store: &Store, track: i64) -> Result<Option<Arc<Row>>, StoreError> {
    let Some(file) = store.files_of(track)?.into_iter().find(|file| file.present) else { return Ok(None) };
    Ok(Some(Arc::new(Row::of(file, store.mix(track)?))))
}

fn review(store: &Store, context: &Context) -> Result<Queue, StoreError> {
    let mut items = Vec::new();
    for asked in review::queue(store, QUEUE)? {
        if let Some(row) = row(store, asked.track)? {
            let short = match asked.unsure {
                unsure if unsure >= 0.2 => format!("unsure of {:.0} %", unsure * 100.0),
                _ => format!("{:.0} % sure", (1.0 - asked.doubt) * 100.0),
            };
            let reason = clean(&asked.reason).into_owned();
            items.push(Item { row, reason, short, alike: asked.look_alikes });
        }
    }
    Ok(Queue { items, lessons: lessons(store, context)? })
}

/// How far the corrections are towards a retraining.
fn lessons(store: &Store, context: &Context) -> Result<Lessons, StoreError> {
    let settings = &context.config.retrain;
    let (tracks, artists) = match store.current_model()? {
        Some(model) => crate::corrections::lessons::Lessons::collect(store, &model.card, settings)?.count(),
        None => (0, 0),
    };
    let (need_tracks, need_artists) = (settings.min_tracks as usize, settings.min_artists as usize);
    Ok(Lessons { tracks, artists, need_tracks, need_artists })
}

fn look_alikes(store: &Store, seeds: &[i64], genre: &str) -> Result<Found, StoreError> {
    let found = like::look_alikes(store, seeds, genre, like::THRESHOLD)?;
    let mut rows = Vec::new();
    for near in found.tracks {
        if let Some(row) = row(store, near.track)? {
            rows.push((percent(near.alike), row));
        }
    }
    Ok(Found { rows, said: found.said, heard_otherwise: found.heard_otherwise, contradicted: found.contradicted })
}

fn map(store: &Store) -> Result<Points, StoreError> {
    let layout = lay_out(&store.main_vectors()?);
    let mut points = Vec::with_capacity(layout.points.len());
    for (track, x, y) in layout.points {
        if let Some(row) = row(store, track)? {
            points.push(Point { row, x, y });
        }
    }
    Ok(Points { points, shown: layout.shown })
}
