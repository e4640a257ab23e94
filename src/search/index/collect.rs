//! Ranks the documents that match: the first so many of each segment by numbers and places in the segment's own
//! dictionaries, then the segments together by the values behind those places.

use std::cmp::Ordering;

use tantivy::{
    DocId, Score, SegmentOrdinal, SegmentReader,
    collector::{Collector, SegmentCollector},
    columnar::{BytesColumn, Column},
};

use super::{
    super::{
        query::{SORTS, SortBy, SortKey},
        rank::Asked,
        share::millionths,
    },
    compile::{Levels, share_column},
    schema::key_column,
};

/// A hit and what ranked it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranked {
    /// The file.
    pub file: i64,
    /// How far its mix lies from the mix asked for, millionths.
    pub distance: u32,
    /// Sum of the weights of the fields that matched.
    pub weight: u32,
}

/// All that matched, counted, and the first of them.
#[derive(Debug, Default)]
pub struct Found {
    /// How many match.
    pub count: usize,
    /// The first of them.
    pub hits: Vec<Ranked>,
}

/// What one place in an order compares: numbers as they are, texts by the segment's dictionary until segments
/// meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    sorts: [u64; SORTS],
    distance: u32,
    /// `u32::MAX - weight`: the largest weight first.
    lightness: u32,
    order: u64,
    doc: DocId,
}

/// A value that orders hits of different segments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Number(u64),
    Text(Vec<u8>),
    TextDown(std::cmp::Reverse<Vec<u8>>),
    Missing,
}

pub(super) struct Ranker<'a> {
    pub sort: &'a [SortBy],
    pub asked: &'a Asked,
    /// So many hits are wanted.
    pub limit: usize,
    /// Whether the query's words weigh.
    pub weighs: bool,
}

enum Sort {
    Number { column: Column<i64>, down: bool },
    Share { levels: Levels, down: bool },
    Text { column: Option<BytesColumn>, down: bool },
}

pub(super) struct Segment {
    sorts: Vec<Sort>,
    levels: Vec<Levels>,
    /// The shares of the document that is looked at, as `levels` has them.
    shares: Vec<u32>,
    /// Each way to meet the query: (place in `levels`, millionths).
    ways: Vec<Vec<(usize, u32)>>,
    order: BytesColumn,
    ids: Column<u64>,
    limit: usize,
    count: usize,
    best: Vec<Key>,
    /// Nothing that is not before this can be among the first any more.
    bar: Option<Key>,
}

/// The first hits of a segment, ready to meet those of the others.
pub(super) struct SegmentHits {
    count: usize,
    hits: Vec<(Vec<Value>, Ranked)>,
}

impl Collector for Ranker<'_> {
    type Fruit = Found;
    type Child = Segment;

    fn for_segment(&self, _: SegmentOrdinal, segment: &SegmentReader) -> tantivy::Result<Segment> {
        let columns = segment.fast_fields();
        let sorts = self
            .sort
            .iter()
            .take(SORTS)
            .map(|sort| {
                let down = sort.descending;
                Ok(match &sort.key {
                    SortKey::Number(field) => Sort::Number { column: columns.i64(field.name())?, down },
                    SortKey::Share(genre) => Sort::Share { levels: Levels::open(segment, &share_column(genre))?, down },
                    SortKey::Text(field) => Sort::Text { column: columns.bytes(&key_column(*field))?, down },
                })
            })
            .collect::<tantivy::Result<_>>()?;
        let genres = self.asked.genres();
        let levels =
            genres.iter().map(|genre| Levels::open(segment, &share_column(genre))).collect::<tantivy::Result<_>>()?;
        let place = |genre| genres.iter().position(|g| g == genre).unwrap_or(0);
        let ways =
            self.asked.alternatives.iter().map(|way| way.iter().map(|(g, n)| (place(g), *n)).collect()).collect();
        Ok(Segment {
            sorts,
            levels,
            shares: Vec::new(),
            ways,
            order: columns.bytes("order")?.unwrap_or_else(|| BytesColumn::empty(segment.max_doc())),
            ids: columns.u64("id")?,
            limit: self.limit,
            count: 0,
            best: Vec::new(),
            bar: None,
        })
    }

    fn requires_scoring(&self) -> bool {
        self.weighs
    }

    fn merge_fruits(&self, segments: Vec<SegmentHits>) -> tantivy::Result<Found> {
        let mut found = Found::default();
        let mut all = Vec::new();
        for segment in segments {
            found.count += segment.count;
            all.extend(segment.hits);
        }
        all.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        all.truncate(self.limit);
        found.hits = all.into_iter().map(|(_, hit)| hit).collect();
        Ok(found)
    }
}

impl Segment {
    fn sort_value(sort: &Sort, doc: DocId) -> u64 {
        let turned = |value: u64, down: bool| if down { !value } else { value };
        match sort {
            // What is not known comes last, either way up; the shift keeps both ends apart from it.
            Sort::Number { column, down } => column.first(doc).map_or(u64::MAX, |value| {
                turned((value.clamp(i64::MIN + 1, i64::MAX - 1).cast_unsigned()) ^ (1 << 63), *down)
            }),
            Sort::Share { levels, down } => turned(u64::from(levels.get(doc)), *down),
            Sort::Text { column, down } => {
                column.as_ref().and_then(|c| c.ords().first(doc)).map_or(u64::MAX, |ord| turned(ord + 1, *down))
            }
        }
    }

    fn distance(&mut self, doc: DocId) -> u32 {
        match self.ways.as_slice() {
            [] => 0,
            // Most queries: one way, one or two genres.
            [way] => super::super::rank::apart(
                way.iter()
                    .map(|(place, wanted)| (self.levels.get(*place).map_or(0, |l| millionths(l.get(doc))), *wanted)),
            ),
            ways => {
                self.shares.clear();
                self.shares.extend(self.levels.iter().map(|levels| millionths(levels.get(doc))));
                ways.iter()
                    .map(|way| {
                        super::super::rank::apart(
                            way.iter().map(|(place, wanted)| (self.shares.get(*place).copied().unwrap_or(0), *wanted)),
                        )
                    })
                    .min()
                    .unwrap_or(0)
            }
        }
    }

    fn keep_best(&mut self) {
        if self.limit < self.best.len() {
            self.best.select_nth_unstable(self.limit);
            self.best.truncate(self.limit);
            self.bar = self.best.iter().max().copied();
        }
    }

    fn values(&self, keys: &[Key], texts: &[Vec<Option<Vec<u8>>>], orders: &[Vec<u8>]) -> Vec<(Vec<Value>, Ranked)> {
        let mut hits = Vec::with_capacity(keys.len());
        for (i, key) in keys.iter().enumerate() {
            let mut values = Vec::with_capacity(self.sorts.len() + 3);
            for (s, sort) in self.sorts.iter().enumerate() {
                values.push(match sort {
                    Sort::Number { .. } | Sort::Share { .. } => Value::Number(key.sorts.get(s).copied().unwrap_or(0)),
                    Sort::Text { down, .. } => match texts.get(s).and_then(|t| t.get(i)).cloned().flatten() {
                        None => Value::Missing,
                        Some(text) if *down => Value::TextDown(std::cmp::Reverse(text)),
                        Some(text) => Value::Text(text),
                    },
                });
            }
            values.push(Value::Number(u64::from(key.distance)));
            values.push(Value::Number(u64::from(key.lightness)));
            values.push(Value::Text(orders.get(i).cloned().unwrap_or_default()));
            let ranked = Ranked {
                file: self.ids.first(key.doc).unwrap_or(0).cast_signed(),
                distance: key.distance,
                weight: u32::MAX - key.lightness,
            };
            hits.push((values, ranked));
        }
        hits
    }
}

/// The texts at `ords` of a column's dictionary; `u64::MAX` stands for none.
fn texts_at(column: &BytesColumn, ords: &[u64]) -> Vec<Option<Vec<u8>>> {
    let mut wanted: Vec<u64> = ords.iter().copied().filter(|ord| *ord != u64::MAX).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut texts: Vec<Vec<u8>> = Vec::with_capacity(wanted.len());
    let complete = column.dictionary().sorted_ords_to_term_cb(&wanted, |text| texts.push(text.to_vec()));
    if !matches!(complete, Ok(true)) {
        tracing::warn!("the search index has lost a text; `deepcuts doctor` can rebuild it");
    }
    ords.iter().map(|ord| wanted.binary_search(ord).ok().and_then(|place| texts.get(place).cloned())).collect()
}

impl SegmentCollector for Segment {
    type Fruit = SegmentHits;

    fn collect(&mut self, doc: DocId, score: Score) {
        self.count += 1;
        if self.limit == 0 {
            return;
        }
        let mut sorts = [0; SORTS];
        for (slot, sort) in sorts.iter_mut().zip(&self.sorts) {
            *slot = Self::sort_value(sort, doc);
        }
        let distance = self.distance(doc);
        let lightness = u32::MAX - score.max(0.0) as u32;
        if let Some(bar) = &self.bar {
            let first = (sorts, distance, lightness).cmp(&(bar.sorts, bar.distance, bar.lightness));
            if first == Ordering::Greater {
                return;
            }
        }
        let order = self.order.ords().first(doc).unwrap_or(u64::MAX);
        let key = Key { sorts, distance, lightness, order, doc };
        if self.bar.is_some_and(|bar| key >= bar) {
            return;
        }
        self.best.push(key);
        if self.best.len() >= self.limit.saturating_mul(2).max(64) {
            self.keep_best();
        }
    }

    fn harvest(mut self) -> SegmentHits {
        self.keep_best();
        let mut keys = std::mem::take(&mut self.best);
        keys.sort_unstable();
        let orders: Vec<u64> = keys.iter().map(|key| key.order).collect();
        let orders: Vec<Vec<u8>> = texts_at(&self.order, &orders).into_iter().map(Option::unwrap_or_default).collect();
        let texts: Vec<Vec<Option<Vec<u8>>>> = self
            .sorts
            .iter()
            .enumerate()
            .map(|(s, sort)| match sort {
                Sort::Text { column: Some(column), .. } => {
                    let ords: Vec<u64> =
                        keys.iter().map(|key| column.ords().first(key.doc).unwrap_or(u64::MAX)).collect();
                    debug_assert!(s < SORTS);
                    texts_at(column, &ords)
                }
                _ => Vec::new(),
            })
            .collect();
        SegmentHits { count: self.count, hits: self.values(&keys, &texts, &orders) }
    }
}
