//! `review`: the tracks whose correction teaches most.

use std::io::Write;

use serde_json::json;

use super::{Desk, Outcome, talk, with_path};
use crate::{
    cli::{Form, ReviewArgs},
    corrections::review::{self, Asked},
    search::{Hit, formats},
    store::Store,
    text::{clean, clean_path},
};

pub(super) fn run(desk: &Desk, args: &ReviewArgs) -> anyhow::Result<Outcome> {
    // Writable where it can be, so that vectors worked out now need not be again.
    let store = desk.store().or_else(|_| desk.reader())?;
    let queue = review::queue(&store, args.limit)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let taxonomy = desk.taxonomy(&store)?;
    let mut rows = Vec::new();
    for asked in &queue {
        let Some(hit) = hit(&store, asked)? else { continue };
        if args.format == Form::Json {
            rows.push(row(asked, &hit));
        } else {
            let (name, mix) = formats::cells(&hit, &taxonomy);
            writeln!(out, "{name}   {mix}\n    {}\n    {}", clean(&asked.reason), clean_path(&hit.path))?;
        }
    }
    if args.format == Form::Json {
        writeln!(out, "{:#}", json!({ "review": rows }))?;
    }
    out.flush()?;
    if queue.is_empty() {
        talk("deepcuts: nothing to ask about: all that was heard is corrected, or nothing was heard yet");
        return Ok(Outcome::Partly);
    }
    Ok(Outcome::Good)
}

fn hit(store: &Store, asked: &Asked) -> anyhow::Result<Option<Hit>> {
    let Some(file) = store.files_of(asked.track)?.into_iter().find(|file| file.present) else { return Ok(None) };
    Ok(Some(Hit::new(file, store.mix(asked.track)?, 0, 0)))
}

fn row(asked: &Asked, hit: &Hit) -> serde_json::Value {
    with_path(
        &hit.path,
        json!({
            "title": hit.title, "artist": hit.artist, "mix": hit.mix.as_ref().map(formats::shares), "doubt": asked.doubt, "unsure": asked.unsure,
            "look_alikes": asked.look_alikes, "novelty": asked.novelty, "reason": asked.reason,
        }),
    )
}
