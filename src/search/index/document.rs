//! A row of the database as a document of the index. [`words_of`] and [`flags`] say what text a field holds;
//! nobody else decides it.

use std::collections::BTreeMap;

use tantivy::{TantivyDocument, schema::OwnedValue};

use super::{
    super::{
        query::{TextField, UNSURE},
        rank::{Order, order_key, text_key},
        share::level,
    },
    schema::Fields,
};
use crate::{
    genre::{Genre, slug},
    store::{IndexMix, IndexRow},
};

/// Room for a genre's row in a run.
pub(super) const ROW_BITS: u32 = 24;

/// The values of a text field: a file may have several artists and genres, and lack a title. A word search
/// looks into each by itself.
#[must_use]
pub fn values_of(row: &IndexRow, field: TextField) -> Vec<Vec<u8>> {
    let text = |value: &Option<String>| value.iter().map(|v| v.clone().into_bytes()).collect::<Vec<_>>();
    match field {
        TextField::Title => text(&row.title),
        TextField::Artist => [text(&row.artist), text(&row.album_artist)].concat(),
        TextField::Album => text(&row.album),
        TextField::Path => vec![row.path.clone()],
        TextField::Genre => row.genres.iter().map(|g| g.clone().into_bytes()).collect(),
        TextField::Model => row.model.iter().flat_map(|(id, name)| [name.clone().into(), id.clone().into()]).collect(),
    }
}

/// The texts whose words a search finds: the values, and for genres also the slug ("hiphop" finds "Hip-Hop").
#[must_use]
pub fn words_of(row: &IndexRow, field: TextField) -> Vec<String> {
    let mut texts: Vec<String> =
        values_of(row, field).iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect();
    if field == TextField::Genre {
        texts.extend(row.genres.iter().map(|genre| slug(genre)));
    }
    texts
}

/// The genre that won more chunks than any other; "unsure" when no genre won as many as none did.
#[must_use]
pub fn largest(mix: &IndexMix) -> Vec<Genre> {
    let most = mix.won.iter().map(|(_, n)| *n).max().unwrap_or(0);
    let mut leaders = mix.won.iter().filter(|(_, n)| *n == most && most > 0);
    let mut largest = Vec::new();
    if let (Some((genre, _)), None) = (leaders.next(), leaders.next()) {
        largest.push(genre.clone());
    }
    if mix.unsure > most {
        largest.extend(Genre::new(UNSURE));
    }
    largest
}

pub(super) fn document(row: &IndexRow, fields: &Fields, rows: &BTreeMap<Genre, i64>) -> TantivyDocument {
    let mut doc = TantivyDocument::default();
    doc.add_u64(fields.id, row.file.cast_unsigned());
    for field in
        [TextField::Title, TextField::Artist, TextField::Album, TextField::Path, TextField::Genre, TextField::Model]
    {
        for text in words_of(row, field) {
            doc.add_text(fields.words(field), text);
        }
        for value in values_of(row, field) {
            doc.add_bytes(fields.key(field), &text_key(&value));
        }
    }
    let artist = row.artist.as_deref().or(row.album_artist.as_deref());
    doc.add_bytes(
        fields.order,
        &order_key(&Order {
            artist,
            album: row.album.as_deref(),
            disc: row.disc_no,
            track: row.track_no,
            path: &row.path,
        }),
    );
    for (field, value) in [
        (fields.year, row.year),
        (fields.length, row.duration_ms),
        (fields.bitrate, row.bitrate_kbps),
        (fields.added, Some(row.added_ms)),
    ] {
        if let Some(value) = value {
            doc.add_i64(field, value);
        }
    }
    let mut flag = |text: String| doc.add_text(fields.flag, text);
    flag(format!("format={}", row.format));
    flag(format!("state={}", if row.present { "present" } else { "missing" }));
    if let Some(mix) = &row.mix {
        flag("mix".to_owned());
        flag(format!("source={}", mix.source.name()));
        for genre in largest(mix) {
            flag(format!("top={genre}"));
        }
    }
    if let Some(timeline) = &row.timeline {
        flag("heard".to_owned());
        let mut won: Vec<Option<&Genre>> = timeline.winners.iter().map(Option::as_ref).collect();
        won.sort_unstable();
        won.dedup();
        for genre in won {
            flag(format!("in={}", genre.map_or(UNSURE, Genre::slug)));
        }
    }
    if let Some(mix) = &row.mix {
        let share = |won: u32| OwnedValue::I64(i64::from(level(won, mix.chunks)));
        let mut shares: BTreeMap<String, OwnedValue> =
            mix.won.iter().map(|(genre, won)| (genre.slug().to_owned(), share(*won))).collect();
        if mix.unsure > 0 {
            shares.insert(UNSURE.to_owned(), share(mix.unsure));
        }
        doc.add_object(fields.share, shares);
    }
    if let Some(timeline) = &row.timeline {
        doc.add_u64(fields.timing, (timeline.start_ms.min(u64::from(u32::MAX)) << 32) | u64::from(timeline.chunk_ms));
        let mut before = None;
        for (chunk, winner) in (0_u64..).zip(&timeline.winners) {
            if before != Some(winner) {
                let row = winner.as_ref().and_then(|genre| rows.get(genre)).copied().unwrap_or(0);
                doc.add_u64(fields.runs, (chunk << ROW_BITS) | row.cast_unsigned());
                before = Some(winner);
            }
        }
        doc.add_u64(fields.runs, (timeline.winners.len() as u64) << ROW_BITS);
    }
    doc
}
