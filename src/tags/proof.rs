//! The proof that only the genre differs: between the original and the finished copy, both read from disk.
//!
//! Two parties have to agree. Our walkers find the same audio (for MPEG audio every byte between the tags)
//! and the same bytes in every item that is not ours. lofty, which wrote none of it, reads the same tags but
//! for the genre, and reads the genre that was wanted.

use std::{fs::File, path::Path};

use super::{
    Refusal,
    edit::{self, Edit, Wanted},
    read,
};
use crate::{
    payload::{self, Source},
    track::{AudioId, Format},
};

/// That the file can be written at all: its audio is found, and nothing about it is odd.
pub(super) fn writable(file: &File, format: Format) -> Result<AudioId, Refusal> {
    let payload = payload::identify(file)?;
    if payload.format != format {
        return Err(Refusal::new(format!("it is {} now, and was {}", payload.format.name(), format.name())));
    }
    if let Some(fault) = payload.faults.first() {
        return Err(Refusal::new(fault.to_string()));
    }
    Ok(payload.id)
}

/// That `new`, made from `old` by `edit`, says what is `wanted` and differs in nothing else.
pub(super) fn prove(
    (old_path, old, old_id): (&Path, &File, AudioId),
    (new_path, new): (&Path, &File),
    format: Format,
    wanted: &Wanted,
    made: &Edit,
) -> Result<(), Refusal> {
    let differs = |what: &str| Refusal::new(format!("the copy was not as it should be ({what}); it was thrown away"));
    if writable(new, format).map_err(|e| differs(&e.reason))? != old_id {
        return Err(differs("its audio differs"));
    }
    let before = edit::items(&Source::new(old)?, format, wanted)?;
    let mut after = edit::items(&Source::new(new)?, format, wanted).map_err(|e| differs(&e.reason))?;
    after.retain(|item| !made.lifted.contains(&item.key));
    if let Some(item) = before.iter().find(|item| !after.contains(item)) {
        return Err(differs(&format!("{} changed", item.key)));
    }
    if before.len() != after.len() || before.iter().zip(&after).any(|(a, b)| a != b) {
        return Err(differs("an item is new or moved"));
    }

    let old = read::parse(old_path, format, true).map_err(|e| Refusal::new(e.to_string()))?;
    let new = read::parse(new_path, format, true).map_err(|e| differs(&e.to_string()))?;
    let genres = new.file_tags(&wanted.joiner).genres;
    if genres != wanted.genres {
        return Err(differs(&format!("its genre reads {genres:?}")));
    }
    // A tag that is new as a whole has nothing to be compared with.
    let lifted = !made.lifted.is_empty();
    let (old, new) = (old.without_ours(wanted), new.without_ours(wanted));
    let same = old.id3v1 == new.id3v1 && (lifted || old.same(&new));
    if same { Ok(()) } else { Err(differs("the tag library reads another tag")) }
}
