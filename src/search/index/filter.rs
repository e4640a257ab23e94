//! Clauses that no posting list or range answers: a test of each document that another query lets through.

use std::sync::Arc;

use tantivy::{
    DocId, DocSet, Score, SeekDangerResult, SegmentReader, TERMINATED,
    query::{EnableScoring, Explanation, Query, Scorer, Weight},
};

/// Says of a segment's documents whether they match.
pub(super) type Test = Box<dyn Fn(DocId) -> bool + Send + Sync>;

pub(super) type MakeTest = dyn Fn(&SegmentReader) -> tantivy::Result<Test> + Send + Sync;

/// The documents of `among` that pass the test.
pub(super) struct Filter {
    pub among: Box<dyn Query>,
    pub test: Arc<MakeTest>,
}

impl Clone for Filter {
    fn clone(&self) -> Self {
        Self { among: self.among.box_clone(), test: Arc::clone(&self.test) }
    }
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Filter({:?})", self.among)
    }
}

struct FilterWeight {
    among: Box<dyn Weight>,
    test: Arc<MakeTest>,
}

struct Filtered {
    among: Box<dyn Scorer>,
    test: Test,
}

impl Query for Filter {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(FilterWeight { among: self.among.weight(scoring)?, test: Arc::clone(&self.test) }))
    }
}

impl Weight for FilterWeight {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let mut filtered = Filtered { among: self.among.scorer(reader, boost)?, test: (self.test)(reader)? };
        filtered.settle();
        Ok(Box::new(filtered))
    }

    fn explain(&self, _: &SegmentReader, _: DocId) -> tantivy::Result<Explanation> {
        Ok(Explanation::new("filter", 1.0))
    }
}

impl Filtered {
    /// Move on to the first document, from here, that passes.
    fn settle(&mut self) -> DocId {
        let mut doc = self.among.doc();
        while doc != TERMINATED && !(self.test)(doc) {
            doc = self.among.advance();
        }
        doc
    }
}

impl DocSet for Filtered {
    fn advance(&mut self) -> DocId {
        self.among.advance();
        self.settle()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        self.among.seek(target);
        self.settle()
    }

    /// Only the target is tested, not what comes after it.
    fn seek_danger(&mut self, target: DocId) -> SeekDangerResult {
        match self.among.seek_danger(target) {
            SeekDangerResult::Found if !(self.test)(target) => SeekDangerResult::SeekLowerBound(target + 1),
            result => result,
        }
    }

    fn doc(&self) -> DocId {
        self.among.doc()
    }

    fn size_hint(&self) -> u32 {
        self.among.size_hint()
    }
}

impl Scorer for Filtered {
    fn score(&mut self) -> Score {
        self.among.score()
    }
}

/// The same documents, sought only ahead. Tantivy 0.27 asks an excluded phrase for documents that it has passed
/// (`Exclude` calls `seek_danger` on a `PhraseScorer`, which asserts that nobody does); the seeking that every
/// document set has by default does not mind.
pub(super) struct Steady(pub Box<dyn Query>);

impl Clone for Steady {
    fn clone(&self) -> Self {
        Self(self.0.box_clone())
    }
}

impl std::fmt::Debug for Steady {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

struct SteadyWeight(Box<dyn Weight>);

struct SteadyScorer(Box<dyn Scorer>);

impl Query for Steady {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(SteadyWeight(self.0.weight(scoring)?)))
    }
}

impl Weight for SteadyWeight {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        Ok(Box::new(SteadyScorer(self.0.scorer(reader, boost)?)))
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        self.0.explain(reader, doc)
    }
}

impl DocSet for SteadyScorer {
    fn advance(&mut self) -> DocId {
        self.0.advance()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        self.0.seek(target)
    }

    fn doc(&self) -> DocId {
        self.0.doc()
    }

    fn size_hint(&self) -> u32 {
        self.0.size_hint()
    }

    fn cost(&self) -> u64 {
        self.0.cost()
    }
}

impl Scorer for SteadyScorer {
    fn score(&mut self) -> Score {
        self.0.score()
    }
}
