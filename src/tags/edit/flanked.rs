//! MPEG audio, Monkey's Audio, WavPack, Musepack: which of the tags around the audio are written.
//!
//! MPEG audio gets ID3v2; an APEv2 genre and the ID3v1 number beside it are brought in line in the same write.
//! Where an APEv2 tag is all there is, it is the one that is written: a new ID3v2 tag with nothing but a
//! genre would hide its title from players. For the same reason a new ID3v2 tag takes over the fields of an
//! ID3v1 tag that stood alone. The others get APEv2.

use super::{Edit, Item, Refusal, Splice, Wanted, ape, id3};
use crate::{
    payload::{
        Source,
        flanks::{Flank, Flanks, find, has_stray_id3v2},
    },
    tags::encode,
    track::Format,
};

fn only(flanks: &Flanks, kind: Flank) -> Result<Option<std::ops::Range<u64>>, Refusal> {
    let name = if kind == Flank::Id3v2 { "ID3v2" } else { "APEv2" };
    if kind == Flank::Id3v2 && flanks.tail.iter().any(|(k, _)| *k == kind) {
        return Err(Refusal::new("it has an ID3v2 tag at its end"));
    }
    if kind == Flank::Ape && flanks.head.iter().any(|(k, _)| *k == kind) {
        return Err(Refusal::new("it has an APEv2 tag at its start"));
    }
    let mut all = flanks.head.iter().chain(&flanks.tail).filter(|(k, _)| *k == kind).map(|(_, range)| range.clone());
    let first = all.next();
    if all.next().is_some() {
        return Err(Refusal::new(format!("it has two {name} tags, and players differ in which one they read")));
    }
    Ok(first)
}

pub(super) fn edit(source: &Source<'_>, format: Format, wanted: &Wanted) -> Result<Edit, Refusal> {
    let flanks = find(source)?;
    let id3v2 = only(&flanks, Flank::Id3v2)?;
    let apev2 = only(&flanks, Flank::Ape)?;
    let id3v1 = flanks.tail.iter().find(|(k, _)| *k == Flank::Id3v1).map(|(_, range)| range.clone());
    let mut edit = Edit::default();
    let mut note = |text: &str| edit.notes.push(text.to_owned());
    let mut lifted = Vec::new();
    let mut splices = match (format, &id3v2, &apev2) {
        (Format::Mp3, Some(range), ape_range) => {
            let mut splices = id3::edit(source, range.clone(), wanted)?.0.splices;
            if let Some(range) = ape_range.clone()
                && ape::has_genre(source, range.clone(), wanted)?
            {
                note("its APEv2 genre is brought in line");
                splices.extend(ape::edit(source, range, wanted)?);
            }
            splices
        }
        (_, id3, Some(range)) => {
            if let Some(id3) = id3
                && id3::has_genre(source, id3.clone(), wanted)?
            {
                return Err(Refusal::new("its genre stands in an ID3v2 tag, which this format should not have"));
            }
            ape::edit(source, range.clone(), wanted)?
        }
        _ if wanted.genres.is_empty() && wanted.shares.is_empty() => Vec::new(),
        (Format::Mp3, None, None) => {
            if has_stray_id3v2(source, &flanks)? {
                return Err(Refusal::new("it has an ID3v2 tag behind stray bytes, which a new one would hide"));
            }
            let more = match &id3v1 {
                Some(range) => encode::from_id3v1(&source.array::<128>(range.start, "ID3v1")?),
                None => lofty::id3::v2::Id3v2Tag::default(),
            };
            if id3v1.is_some() {
                note("a new ID3v2 tag takes over the fields of its ID3v1 tag");
                lifted = (&more).into_iter().map(|frame| format!("ID3v2 {}", frame.id_str())).collect();
            }
            lifted.push("ID3v2".to_owned());
            vec![Splice::new(0, 0, id3::create(wanted, &more)?)]
        }
        _ => vec![Splice::new(flanks.between.end, 0, encode::ape(wanted)?)],
    };
    if let Some(range) = id3v1 {
        let [old] = source.array::<1>(range.end - 1, "ID3v1")?;
        let new = encode::id3v1(wanted.genres.first().map(String::as_str));
        if old != new {
            note("its ID3v1 genre is brought in line");
            splices.push(Splice::new(range.end - 1, 1, [new]));
        }
    }
    Ok(Edit { splices, lifted, ..edit })
}

pub(super) fn items(source: &Source<'_>, wanted: &Wanted) -> Result<Vec<Item>, Refusal> {
    let flanks = find(source)?;
    // Between the tags lies more than what counts for the identity: all of it stays.
    let mut items = vec![Item::of(source, "between the tags", flanks.between.clone())?];
    for (kind, range) in flanks.head.iter().chain(&flanks.tail) {
        match kind {
            Flank::Id3v2 => items.extend(id3::items(source, range.clone(), wanted)?),
            Flank::Ape => items.extend(ape::items(source, range.clone(), wanted)?),
            Flank::Id3v1 => items.push(Item::of(source, "ID3v1", range.start..range.end - 1)?),
            Flank::Id3v1Extended => items.push(Item::of(source, "ID3v1 extended", range.clone())?),
            Flank::Lyrics3 => items.push(Item::of(source, "Lyrics3", range.clone())?),
        }
    }
    Ok(items)
}
