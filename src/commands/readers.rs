//! `tag --as`: how other programs will show what would be written. Writes nothing.

use std::io::Write;

use serde_json::json;

use super::{Outcome, undo::genres, with_path};
use crate::{
    cli::{Form, ReaderName},
    tags::{
        Item,
        readers::{self, Reader},
    },
    text::{clean, clean_path},
};

fn means(name: ReaderName, reader: Reader) -> bool {
    match name {
        ReaderName::All => true,
        ReaderName::Navidrome => reader == Reader::Navidrome,
        ReaderName::Jellyfin => reader == Reader::Jellyfin,
        ReaderName::Mpd => reader == Reader::Mpd,
        ReaderName::Picard => reader == Reader::Picard,
    }
}

/// Print what each of `wanted` makes of each item.
pub(super) fn show(items: &[Item], wanted: &[ReaderName], joiner: &str, format: Form) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout().lock();
    let readers: Vec<Reader> =
        Reader::ALL.into_iter().filter(|reader| wanted.iter().any(|name| means(*name, *reader))).collect();
    let mut documents = Vec::new();
    let mut apart = vec![0_usize; readers.len()];
    for item in items {
        let layout = readers::layout(&item.file.path, item.format)?;
        if format == Form::Table {
            writeln!(out, "{}\n+ {}  ({})", clean_path(&item.file.path), genres(&item.to), layout.name())?;
        }
        let mut seen = serde_json::Map::new();
        for (reader, apart) in readers.iter().zip(&mut apart) {
            let (sees, source) = readers::sees(*reader, layout, &item.to, joiner);
            let same = sees == item.to;
            *apart += usize::from(same);
            if format == Form::Table {
                let list: Vec<_> = sees.iter().map(|genre| clean(genre)).collect();
                let note = if same { "" } else { "   not what was meant" };
                writeln!(out, "  {:<10} {}{note}", reader.name(), list.join(" | "))?;
            }
            seen.insert(reader.name().to_owned(), json!({"genres": sees, "as_meant": same, "source": source}));
        }
        let with = json!({"to": item.to, "layout": layout.name(), "seen": seen});
        documents.push(with_path(&item.file.path, with));
    }
    if format == Form::Json {
        writeln!(out, "{:#}", json!({ "changes": documents }))?;
        return Ok(Outcome::Good);
    }
    let counts: Vec<String> = readers.iter().zip(apart).map(|(reader, n)| format!("{} {n}", reader.name())).collect();
    writeln!(out, "{} would change; as meant in {}; nothing was written", items.len(), counts.join(", "))?;
    Ok(Outcome::Good)
}
