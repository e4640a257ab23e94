//! Which chunks of a timeline lie in a part of the track. Time is the track's own, from its first sample to its
//! last; a part in which no chunk lies (its ends are not listened to) means the chunk nearest to it.

use std::ops::Range;

use super::query::{Edge, Window};

/// Where a timeline lies in its track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Where the first chunk begins, ms.
    pub start_ms: u64,
    /// Length of a chunk, ms; not 0.
    pub chunk_ms: u64,
    /// Number of chunks; not 0.
    pub chunks: u64,
    /// Length of the track, ms, where it is known.
    pub duration_ms: Option<u64>,
}

/// The chunks that lie, at least with a part, in `window`.
#[must_use]
pub fn chunks_in(window: Window, timing: Timing) -> Range<u64> {
    let Timing { start_ms, chunk_ms, chunks, duration_ms } = timing;
    let chunk_ms = chunk_ms.max(1);
    let length = u64::from(window.length_ms);
    match window.edge {
        Edge::First => 0..length.saturating_sub(start_ms).div_ceil(chunk_ms).clamp(1, chunks.max(1)),
        Edge::Last => {
            let end = duration_ms.unwrap_or(start_ms + chunks * chunk_ms);
            // Chunk i lies in it when its end, start + (i + 1) * chunk, lies after this moment.
            let from = end.saturating_sub(length).saturating_sub(start_ms) / chunk_ms;
            from.min(chunks.saturating_sub(1))..chunks
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(edge: Edge, seconds: u32) -> Window {
        Window { edge, length_ms: seconds * 1_000, implied: false }
    }

    #[test]
    fn parts_of_a_track() {
        // Four minutes, 20 s trimmed at each end, chunks of 4 s.
        let timing = Timing { start_ms: 20_000, chunk_ms: 4_000, chunks: 50, duration_ms: Some(240_000) };
        assert_eq!(chunks_in(window(Edge::First, 60), timing), 0..10);
        assert_eq!(chunks_in(window(Edge::First, 61), timing), 0..11);
        assert_eq!(chunks_in(window(Edge::First, 5), timing), 0..1);
        assert_eq!(chunks_in(window(Edge::First, 3_600), timing), 0..50);
        assert_eq!(chunks_in(window(Edge::Last, 60), timing), 40..50);
        assert_eq!(chunks_in(window(Edge::Last, 61), timing), 39..50);
        assert_eq!(chunks_in(window(Edge::Last, 5), timing), 49..50);
        assert_eq!(chunks_in(window(Edge::Last, 3_600), timing), 0..50);
        let short = Timing { start_ms: 0, chunk_ms: 4_000, chunks: 1, duration_ms: Some(2_000) };
        assert_eq!(chunks_in(window(Edge::Last, 1), short), 0..1);
    }
}
