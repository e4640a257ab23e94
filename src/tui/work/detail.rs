//! The detail worker: all about one track, the models, the failures.

use std::sync::Arc;

use deepcuts_protocol::UNSURE;

use super::{Context, Mailbox, Out, mailbox::Mail};
use crate::{
    genre::Genre,
    search::similar::{Neighbours, percent},
    store::{Store, StoreError},
    text::clean,
    track::{Mix, Source},
    tui::{
        data::{Detail, DetailFile, FailureRow, Row, Timeline},
        event::{Ask, Done},
        screens::models::Report,
    },
};

/// Similar tracks that the track view has room for.
const SIMILAR: usize = 12;

/// Run until the mailbox is closed.
pub fn run(mail: &Mailbox<Ask>, out: &Out, context: &Context) {
    let Some(store) = context.reader(out) else { return };
    if let Err(error) = searches(&store, out) {
        out.bad(&error);
    }
    loop {
        let answered = match mail.take(None) {
            Mail::Closed => return,
            Mail::Quiet => Ok(()),
            Mail::One(Ask::Detail(file)) => detail(&store, file, out),
            Mail::One(Ask::Similar(track)) => similar(&store, track, out),
            Mail::One(Ask::Failures) => failures(&store, out),
            Mail::One(Ask::Saved) => store.searches().map(|all| out.done(Done::Saved(all.into_iter().collect()))),
            Mail::One(Ask::Models) => store.models().map(|models| out.done(Done::Models(models))),
            Mail::One(Ask::Report(id)) => store.models().map(|models| {
                let model = models.into_iter().find(|m| m.card.id() == id);
                let report = model.map_or_else(Default::default, |m| super::report::read(&m, context));
                out.done(Done::Report(Box::new(Report { model: id, ..report })));
            }),
            Mail::One(_) => Ok(()),
        };
        if let Err(error) = answered {
            out.bad(&error);
        }
    }
}

fn searches(store: &Store, out: &Out) -> Result<(), StoreError> {
    let history = store.meta("search_history")?.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
    out.done(Done::Searches { history, kept: store.searches()?.into_iter().collect() });
    Ok(())
}

/// The vectors are read each time: they change while the library is heard, and nobody asks often.
fn similar(store: &Store, track: i64, out: &Out) -> Result<(), StoreError> {
    let near = Neighbours::load(store)?.nearest(&[track]).unwrap_or_default();
    let mut rows = Vec::new();
    for near in near.into_iter().filter(|near| near.track != track) {
        if rows.len() == SIMILAR {
            break;
        }
        let Some(file) = store.files_of(near.track)?.into_iter().find(|file| file.present) else { continue };
        rows.push((percent(near.cosine), Arc::new(Row::of(file, store.mix(near.track)?))));
    }
    out.done(Done::Similar(track, rows));
    Ok(())
}

fn failures(store: &Store, out: &Out) -> Result<(), StoreError> {
    let failures = store.failures()?.into_iter().map(|f| FailureRow {
        path: f.path,
        stage: clean(&f.stage).into_owned(),
        reason: clean(&f.reason).into_owned(),
    });
    out.done(Done::Failures(failures.collect()));
    Ok(())
}

fn detail(store: &Store, file: i64, out: &Out) -> Result<(), StoreError> {
    let Some(row) = store.file(file)? else { return Ok(()) };
    let track = row.track;
    let mix = store.mix(track)?;
    let files = store
        .files_of(track)?
        .into_iter()
        .map(|f| DetailFile {
            path: f.path,
            format: f.format,
            present: f.present,
            size: f.stamp.size,
            genres: f.tags.genres,
            written: f.written_genres,
        })
        .collect();
    let timeline = store.timeline(track)?.map(|(start_ms, chunk_ms, chunks)| Timeline {
        start_ms,
        chunk_ms: chunk_ms.into(),
        chunks,
    });
    let analysis = store.analysis(track)?;
    let model = match &analysis {
        Some(analysis) => store.models()?.into_iter().find(|m| m.card.id() == analysis.model),
        None => None,
    };
    let heard = analysis.as_ref().zip(model.as_ref()).and_then(|(analysis, model)| {
        let won = analysis
            .winners
            .iter()
            .filter(|w| **w != UNSURE)
            .filter_map(|w| model.card.genres.get(usize::from(*w)).and_then(|name| Genre::new(name)))
            .map(|genre| (genre, 1));
        Mix::new(won, analysis.winners.len() as u32, Source::Model)
    });
    out.done(Done::Detail(Box::new(Detail {
        row: Arc::new(Row::of(row, mix)),
        files,
        timeline,
        heard,
        model: model.map(|m| (m.card.name.clone(), m.card.id().to_owned())),
        heard_ms: analysis.map(|a| a.heard_ms),
        corrections: store.corrections(Some(track))?,
        similar: Vec::new(),
    })));
    Ok(())
}
