//! From all rows to the rows of a list: facet, filter, order. Pure, and run by a worker, never by the screen.

use std::{cmp::Ordering, collections::HashMap, sync::Arc};

use super::{
    data::{Answer, Facet, FacetItem, Row, Sort, Spec, View},
    theme::Genres,
};
use crate::genre::slug;

/// The key of the facet's entry that a row belongs to.
#[must_use]
pub fn key(row: &Row, facet: Facet) -> String {
    match facet {
        Facet::Genre => row.top().map(|g| g.slug().to_owned()).unwrap_or_default(),
        Facet::Artist => row.artist.clone(),
        Facet::Album => row.album.clone(),
        Facet::Folder => row.folder.clone(),
    }
}

fn is_in(row: &Row, facet: Facet, only: &str) -> bool {
    match facet {
        Facet::Genre => row.top().map_or("", |g| g.slug()) == only,
        Facet::Artist => row.artist == only,
        Facet::Album => row.album == only,
        Facet::Folder => row.folder == only,
    }
}

/// The view of `rows` (already those that the search found, in its order) that `spec` asks for.
#[must_use]
pub fn make(spec: Spec, rows: Vec<Arc<Row>>, answer: Option<Answer>, genres: &Genres) -> View {
    let facets = facets(&rows, spec.facet, genres);
    let total = rows.len();
    let mut rows = rows;
    if let Some(only) = &spec.only {
        rows.retain(|row| is_in(row, spec.facet, only));
    }
    order(&mut rows, &spec);
    let files = rows.iter().map(|row| row.file).collect();
    View { spec, rows, files, facets, total, answer }
}

fn order(rows: &mut [Arc<Row>], spec: &Spec) {
    let unsure = |row: &Row| row.mix.as_ref().map_or(-1.0, crate::track::Mix::unsure_share);
    let top = |row: &Row| row.mix.as_ref().and_then(|m| m.won().first().map(|(g, n)| (g.clone(), *n, m.chunks())));
    match spec.sort {
        Sort::Artist => rows.sort_by(|a, b| a.order().cmp(b.order())),
        Sort::Title => rows.sort_by(|a, b| a.title_order().cmp(b.title_order()).then_with(|| a.order().cmp(b.order()))),
        Sort::Genre => rows.sort_by(|a, b| match (top(a), top(b)) {
            (Some((g, n, of)), Some((h, m, out_of))) => g
                .cmp(&h)
                .then_with(|| (u64::from(m) * u64::from(of)).cmp(&(u64::from(n) * u64::from(out_of))))
                .then_with(|| a.order().cmp(b.order())),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => a.order().cmp(b.order()),
        }),
        Sort::Unsure => {
            rows.sort_by(|a, b| unsure(b).total_cmp(&unsure(a)).then_with(|| a.order().cmp(b.order())));
        }
        Sort::Length => {
            rows.sort_by(|a, b| b.duration_ms.cmp(&a.duration_ms).then_with(|| a.order().cmp(b.order())));
        }
        Sort::Added => rows.sort_by_key(|row| std::cmp::Reverse(row.file)),
        Sort::Closeness => {}
    }
    if spec.reversed {
        rows.reverse();
    }
}

fn facets(rows: &[Arc<Row>], facet: Facet, genres: &Genres) -> Vec<FacetItem> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for row in rows {
        let key = match facet {
            Facet::Genre => row.top().map_or("", |g| g.slug()),
            Facet::Artist => &row.artist,
            Facet::Album => &row.album,
            Facet::Folder => &row.folder,
        };
        *counts.entry(key).or_default() += 1;
    }
    let mut items: Vec<FacetItem> = counts
        .into_iter()
        .map(|(key, count)| FacetItem { key: key.to_owned(), label: label(key, facet, genres), count })
        .collect();
    match facet {
        Facet::Genre => items.sort_by(|a, b| {
            a.key.is_empty().cmp(&b.key.is_empty()).then_with(|| b.count.cmp(&a.count)).then_with(|| a.key.cmp(&b.key))
        }),
        Facet::Folder => items.sort_by(|a, b| a.key.cmp(&b.key)),
        _ => items.sort_by_cached_key(|item| (item.key.is_empty(), slug(&item.key), item.key.clone())),
    }
    items
}

fn label(key: &str, facet: Facet, genres: &Genres) -> String {
    match facet {
        Facet::Genre if key.is_empty() => "no mix".to_owned(),
        Facet::Genre => crate::genre::Genre::new(key).map_or_else(|| key.to_owned(), |g| genres.name(&g).to_owned()),
        Facet::Artist if key.is_empty() => "no artist".to_owned(),
        Facet::Album if key.is_empty() => "no album".to_owned(),
        _ => key.to_owned(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        genre::{Genre, Taxonomy},
        store::FileRow,
        track::{FileStamp, FileTags, Mix, Source},
    };

    pub fn row(id: i64, artist: &str, title: &str, won: &[(&str, u32)], chunks: u32) -> Arc<Row> {
        let file = FileRow {
            id,
            track: id,
            path: format!("/music/{artist}/{title}.flac").into(),
            stamp: FileStamp { dev: 1, ino: 1, size: 1, mtime_ns: 0, ctime_ns: 0 },
            format: "flac".into(),
            present: true,
            tags: FileTags { title: Some(title.into()), artist: Some(artist.into()), ..FileTags::default() },
            written_genres: None,
            duration_ms: Some(180_000 + id * 1000),
        };
        let won = won.iter().map(|(g, n)| (Genre::new(g).unwrap(), *n));
        Arc::new(Row::of(file, Mix::new(won, chunks, Source::Model)))
    }

    fn genres() -> Genres {
        let mut taxonomy = Taxonomy::default();
        for name in ["Jazz", "Blues"] {
            taxonomy.add(name);
        }
        Genres::of(&taxonomy)
    }

    fn titles(view: &View) -> Vec<&str> {
        view.rows.iter().map(|r| r.title.as_str()).collect()
    }

    #[test]
    fn a_facet_narrows_and_counts_over_everything() {
        let rows = vec![
            row(1, "Zoot", "c", &[("jazz", 6)], 10),
            row(2, "Ada", "b", &[("blues", 9)], 10),
            row(3, "Ada", "a", &[("jazz", 9)], 10),
        ];
        let spec = Spec { only: Some("jazz".into()), ..Spec::default() };
        let view = make(spec, rows, None, &genres());
        assert_eq!(titles(&view), ["a", "c"]);
        assert_eq!(view.total, 3);
        let facets: Vec<_> = view.facets.iter().map(|f| (f.label.as_str(), f.count)).collect();
        assert_eq!(facets, [("Jazz", 2), ("Blues", 1)]);
    }

    #[test]
    fn orders_are_what_they_say() {
        let rows = vec![
            row(1, "b", "two", &[("jazz", 2)], 10),
            row(2, "a", "three", &[("jazz", 5)], 10),
            row(3, "c", "one", &[("blues", 1)], 10),
        ];
        let by = |sort| {
            let view = make(Spec { sort, ..Spec::default() }, rows.clone(), None, &genres());
            titles(&view).join(" ")
        };
        assert_eq!(by(Sort::Artist), "three two one");
        assert_eq!(by(Sort::Title), "one three two");
        assert_eq!(by(Sort::Genre), "one three two");
        assert_eq!(by(Sort::Unsure), "one two three");
        assert_eq!(by(Sort::Added), "one three two");
    }
}
