//! `similar`: tracks that sound like these.

use std::{
    collections::HashSet,
    io::{IsTerminal, Write},
};

use super::{Desk, Outcome, library_path, search::playlist};
use crate::{
    cli::{SearchForm, SimilarArgs},
    search::{
        Answer, Coverage, Hit,
        fold::fold,
        formats,
        similar::{Neighbours, percent},
    },
    store::{FileRow, Store},
    text::{clean, clean_path},
};

/// Distance of what has a cosine of 0. One of 1 is no distance at all, one of -1 the largest.
const AT_A_RIGHT_ANGLE: f32 = 500_000.0;

pub(super) fn run(desk: &Desk, args: &SimilarArgs) -> anyhow::Result<Outcome> {
    // Writable where it can be, so that vectors worked out now need not be again.
    let store = desk.store().or_else(|_| desk.reader())?;
    let mut seeds = Vec::new();
    for path in &args.paths {
        let path = library_path(path)?;
        match store.file_at(&path)? {
            Some(file) => seeds.push(file),
            None => anyhow::bail!("{}: not in the library; `deepcuts scan` it first", clean_path(&path)),
        }
    }
    let neighbours = Neighbours::load(&store)?;
    let tracks: Vec<i64> = seeds.iter().map(|seed| seed.track).collect();
    let Some(near) = neighbours.nearest(&tracks) else {
        anyhow::bail!("none of these tracks has been heard yet; `deepcuts scan` them first");
    };
    let mut artists: HashSet<String> = HashSet::new();
    if !args.same_artist {
        artists.extend(seeds.iter().filter_map(artist));
    }
    let mut hits = Vec::new();
    for near in near {
        if hits.len() >= args.limit {
            break;
        }
        let Some(file) = store.files_of(near.track)?.into_iter().find(|file| file.present) else { continue };
        if !args.same_artist && artist(&file).is_some_and(|artist| !artists.insert(artist)) {
            continue;
        }
        hits.push(hit(&store, file, near.cosine)?);
    }
    let names: Vec<String> = seeds.iter().map(|seed| clean(&name(seed)).into_owned()).collect();
    let known = usize::try_from(store.stats()?.files).unwrap_or(usize::MAX);
    let answer = Answer {
        meaning: format!("sounds like {}", names.join(" and ")),
        coverage: Coverage { heard: neighbours.len(), known },
        count: hits.len(),
        hits,
        advice: None,
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    print(&mut out, desk, &store, &answer, args)?;
    out.flush()?;
    Ok(if answer.count > 0 { Outcome::Good } else { Outcome::Partly })
}

fn artist(file: &FileRow) -> Option<String> {
    let artist = file.tags.artist.as_deref().or(file.tags.album_artist.as_deref())?;
    Some(fold(artist.trim())).filter(|artist| !artist.is_empty())
}

fn name(file: &FileRow) -> String {
    file.tags.title.clone().unwrap_or_else(|| file.path.file_stem().unwrap_or_default().to_string_lossy().into_owned())
}

fn hit(store: &Store, file: FileRow, cosine: f32) -> anyhow::Result<Hit> {
    let distance = ((1.0 - cosine.clamp(-1.0, 1.0)) * AT_A_RIGHT_ANGLE) as u32;
    let mix = store.mix(file.track)?;
    Ok(Hit::new(file, mix, distance, 0))
}

fn print(out: &mut impl Write, desk: &Desk, store: &Store, answer: &Answer, args: &SimilarArgs) -> anyhow::Result<()> {
    match args.format {
        SearchForm::Table => {
            let taxonomy = desk.taxonomy(store)?;
            writeln!(out, "{}", answer.meaning)?;
            for hit in &answer.hits {
                let (name, mix) = formats::cells(hit, &taxonomy);
                writeln!(out, "{:>3}  {name}   {mix}", percent(1.0 - hit.distance as f32 / AT_A_RIGHT_ANGLE))?;
            }
        }
        SearchForm::Json => writeln!(out, "{:#}", formats::document(answer))?,
        SearchForm::Ndjson => {
            for hit in &answer.hits {
                writeln!(out, "{}", formats::track(hit))?;
            }
        }
        SearchForm::Tsv => formats::tsv(out, &answer.hits)?,
        SearchForm::Paths => formats::paths(out, &answer.hits, b'\n', std::io::stdout().is_terminal())?,
        SearchForm::M3u8 => playlist(out, &answer.hits, None)?,
    }
    Ok(())
}
