//! Samples become log-mel chunks: pure, streaming, with no file and no network in sight.
//!
//! A [`Stream`] resamples to the front end's rate, trims the ends, computes mel energies, waits until a span
//! of them is whole, scales the span and cuts it into chunks. Front ends go by name, since a network is only
//! worth what it was trained behind:
//!
//! - `paper-128`, `paper-256`: 16 kHz, 2048-sample Hann frames every 512, Slaney bands, decibels with a floor
//!   80 dB under the loudest band of the whole trimmed track (librosa's `power_to_db`, `ref` 1). A track
//!   longer than 30 minutes is scaled in spans of 30 minutes.
//! - `cuts`: 22,050 Hz, the same frames but only one in 3.3366 of them (77.5 ms apart), decibels under the
//!   span's own peak (that of all its frames) with the same floor, then the least value to the peak as 0 to 1. Spans are as
//!   long as the clips it was trained on: about 30 s, whole chunks each.
//!
//! A track shorter than a chunk is repeated until the chunk is full: silence behind it would move the floor.

mod bands;
mod frames;
mod resample;
mod scale;
mod trim;

use deepcuts_protocol::FrontEnd;

pub use bands::Bands;
pub use frames::{Energies, Frames, Grid, HOP, N_FFT};
pub use resample::Resampler;
pub use scale::{decibels, stretched};
pub use trim::Trimmer;

/// Version of what comes out of here. A stored analysis of another version is stale.
pub const FEATURE_VERSION: u32 = 1;

/// Spans of the paper's front ends: 30 minutes.
const PAPER_SPAN_S: usize = 30 * 60;

/// Chunks that the paper's front ends hand on at a time.
const PAPER_PIECE_CHUNKS: usize = 16;

/// Seconds of a span of `cuts`: its training clips'. Where a span begins does not matter much: of 448 chunks of
/// clips heard one by one, and again in tracks of six clips whose spans straddle them, 93 % have the same winner,
/// and as many are named right.
const CUTS_SPAN_S: f64 = 30.0;

/// A chunk whose loudest band stays below this holds no music: some 75 dB under a full-scale tone.
const SILENT_BELOW_DB: f32 = -40.0;

/// Column j of `cuts` is frame `round(CUTS_STEP * j + CUTS_OFFSET)`: as the training data was made.
const CUTS_STEP: f64 = 3.3366;
const CUTS_OFFSET: f64 = 1.206;

/// Chunks in a row, `[chunk][frame][band]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chunks {
    /// Mel frames of a chunk.
    pub frames_per_chunk: usize,
    /// Bands of a frame, low to high.
    pub bands: usize,
    /// The values.
    pub data: Vec<f32>,
    /// Chunks that hold no sound at all, one flag each.
    pub silent: Vec<bool>,
}

impl Chunks {
    /// How many.
    #[must_use]
    pub fn count(&self) -> usize {
        self.silent.len()
    }
}

/// What a track was, as far as its samples say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Where the first chunk begins: what was trimmed off the start.
    pub start_ms: u64,
    /// Chunks that were made.
    pub chunks: u64,
}

/// Rate at which a front end listens.
#[must_use]
pub const fn sample_rate_hz(front_end: FrontEnd) -> u32 {
    match front_end {
        FrontEnd::Paper128 | FrontEnd::Paper256 => 16_000,
        FrontEnd::Cuts => 22_050,
    }
}

/// Bands of a front end.
#[must_use]
pub const fn bands(front_end: FrontEnd) -> usize {
    match front_end {
        FrontEnd::Paper128 | FrontEnd::Cuts => 128,
        FrontEnd::Paper256 => 256,
    }
}

/// Milliseconds between the columns of a front end.
#[must_use]
pub fn column_ms(front_end: FrontEnd) -> f64 {
    let frame_ms = HOP as f64 * 1000.0 / f64::from(sample_rate_hz(front_end));
    match grid(front_end) {
        Grid::Every => frame_ms,
        Grid::Columns { step, .. } => step * frame_ms,
    }
}

const fn grid(front_end: FrontEnd) -> Grid {
    match front_end {
        FrontEnd::Paper128 | FrontEnd::Paper256 => Grid::Every,
        FrontEnd::Cuts => Grid::Columns { step: CUTS_STEP, offset: CUTS_OFFSET },
    }
}

/// One track on its way from samples to chunks.
pub struct Stream {
    front_end: FrontEnd,
    resampler: Resampler,
    from_hz: u32,
    trimmer: Trimmer,
    rest: Rest,
    resampled: Vec<f32>,
}

/// The stages behind the trim.
struct Rest {
    front_end: FrontEnd,
    frames: Frames,
    bands: usize,
    chunk_frames: usize,
    span_chunks: usize,
    /// Energies that wait for their span to be whole.
    energies: Energies,
    chunks: u64,
}

impl Stream {
    /// A track at `from_hz` for `front_end`, in chunks of `chunk_frames` (at least 1).
    #[must_use]
    pub fn new(front_end: FrontEnd, chunk_frames: usize, from_hz: u32) -> Self {
        let rate = sample_rate_hz(front_end);
        let chunk_frames = chunk_frames.max(1);
        let span_s = match front_end {
            FrontEnd::Cuts => CUTS_SPAN_S,
            FrontEnd::Paper128 | FrontEnd::Paper256 => PAPER_SPAN_S as f64,
        };
        let span_chunks = ((span_s * 1000.0 / column_ms(front_end) / chunk_frames as f64) as usize).max(1);
        Self {
            front_end,
            resampler: Resampler::new(from_hz, rate),
            from_hz,
            trimmer: Trimmer::new(rate),
            rest: Rest {
                front_end,
                frames: Frames::new(grid(front_end), Bands::new(rate, N_FFT, bands(front_end))),
                bands: bands(front_end),
                chunk_frames,
                span_chunks,
                energies: Energies::default(),
                chunks: 0,
            },
            resampled: Vec::new(),
        }
    }

    /// Take samples at `from_hz`, which may change within a chained file; `sink` gets chunks as they come.
    ///
    /// # Errors
    /// Whatever `sink` says.
    pub fn push<E>(
        &mut self,
        samples: &[f32],
        from_hz: u32,
        sink: &mut impl FnMut(Chunks) -> Result<(), E>,
    ) -> Result<(), E> {
        self.resampled.clear();
        if from_hz != self.from_hz {
            self.resampler.finish(&mut self.resampled);
            self.resampler = Resampler::new(from_hz, sample_rate_hz(self.front_end));
            self.from_hz = from_hz;
        }
        self.resampler.push(samples, &mut self.resampled);
        let Self { trimmer, rest, resampled, .. } = self;
        trimmer.push(resampled, |kept| rest.frames.push(kept, &mut rest.energies));
        rest.hand_on(sink)
    }

    /// The end of the track.
    ///
    /// # Errors
    /// Whatever `sink` says.
    pub fn finish<E>(mut self, sink: &mut impl FnMut(Chunks) -> Result<(), E>) -> Result<Summary, E> {
        self.resampled.clear();
        self.resampler.finish(&mut self.resampled);
        let Self { trimmer, rest, resampled, .. } = &mut self;
        trimmer.push(resampled, |kept| rest.frames.push(kept, &mut rest.energies));
        let cut = trimmer.finish(|kept| rest.frames.push(kept, &mut rest.energies));
        rest.frames.finish(&mut rest.energies);
        rest.hand_on(sink)?;
        rest.flush(sink)?;
        let rate = u64::from(sample_rate_hz(self.front_end));
        Ok(Summary { start_ms: cut * 1000 / rate, chunks: self.rest.chunks })
    }
}

impl Rest {
    /// Spans that are whole, while enough is behind them that the last span need not be a short one.
    fn hand_on<E>(&mut self, sink: &mut impl FnMut(Chunks) -> Result<(), E>) -> Result<(), E> {
        let span = self.span_chunks * self.chunk_frames;
        while self.energies.rows() >= self.reserve() * span {
            self.span(span, sink)?;
        }
        Ok(())
    }

    /// Spans that must be waiting before the first of them is handed on.
    const fn reserve(&self) -> usize {
        match self.front_end {
            // Short spans: two, so that the rest can be shared out evenly at the end.
            FrontEnd::Cuts => 2,
            // A span of the paper's is long enough that a short last one does no harm.
            FrontEnd::Paper128 | FrontEnd::Paper256 => 1,
        }
    }

    /// What is left at the end, less than [`Self::reserve`] spans: as one span, or two of about equal length.
    fn flush<E>(&mut self, sink: &mut impl FnMut(Chunks) -> Result<(), E>) -> Result<(), E> {
        let rows = self.energies.rows();
        if rows == 0 || (self.chunks > 0 && rows < self.chunk_frames) {
            return Ok(());
        }
        self.energies.repeat_to(self.chunk_frames);
        let chunks = self.energies.rows() / self.chunk_frames;
        if self.reserve() > 1 && 3 * chunks >= 5 * self.span_chunks {
            self.span(chunks / 2 * self.chunk_frames, sink)?;
        }
        self.span(self.energies.rows(), sink)
    }

    /// Scale the first `rows` energies and hand them on in pieces; a ragged tail counts for the scale only.
    fn span<E>(&mut self, rows: usize, sink: &mut impl FnMut(Chunks) -> Result<(), E>) -> Result<(), E> {
        let chunk_len = self.chunk_frames * self.bands;
        let Energies { values: mut span, peaks } = self.energies.take(rows);
        let peak = peaks.iter().fold(0.0, |peak: f32, &e| peak.max(e));
        let silent: Vec<bool> = span.chunks_exact(chunk_len).map(is_silent).collect();
        let piece_chunks = match self.front_end {
            FrontEnd::Cuts => {
                stretched(&mut span, peak);
                usize::MAX
            }
            FrontEnd::Paper128 | FrontEnd::Paper256 => {
                decibels(&mut span, peak);
                PAPER_PIECE_CHUNKS
            }
        };
        span.truncate(silent.len() * chunk_len);
        let whole = |data: Vec<f32>, silent: Vec<bool>| Chunks {
            frames_per_chunk: self.chunk_frames,
            bands: self.bands,
            data,
            silent,
        };
        self.chunks += silent.len() as u64;
        if silent.len() <= piece_chunks {
            return sink(whole(span, silent));
        }
        for (data, silent) in span.chunks(piece_chunks * chunk_len).zip(silent.chunks(piece_chunks)) {
            sink(whole(data.to_vec(), silent.to_vec()))?;
        }
        Ok(())
    }
}

fn is_silent(energies: &[f32]) -> bool {
    scale::db(energies.iter().fold(0.0, |peak: f32, &e| peak.max(e))) < SILENT_BELOW_DB
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::convert::Infallible;

    use super::*;

    fn noise(seconds: f64, rate: u32) -> Vec<f32> {
        let mut seed = 7_u32;
        (0..(seconds * f64::from(rate)) as usize)
            .map(|i| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let swell = 0.2 + 0.15 * (i as f32 / rate as f32).sin();
                (seed >> 8) as f32 / (1 << 24) as f32 * swell
            })
            .collect()
    }

    fn pieces(front_end: FrontEnd, frames: usize, samples: &[f32], rate: u32, piece: usize) -> (Vec<Chunks>, Summary) {
        let mut stream = Stream::new(front_end, frames, rate);
        let mut out = Vec::new();
        let mut sink = |chunks| {
            out.push(chunks);
            Ok::<(), Infallible>(())
        };
        for piece in samples.chunks(piece) {
            stream.push(piece, rate, &mut sink).unwrap();
        }
        let summary = stream.finish(&mut sink).unwrap();
        (out, summary)
    }

    fn counts(front_end: FrontEnd, frames: usize, seconds: f64) -> Vec<usize> {
        let rate = sample_rate_hz(front_end);
        let (pieces, summary) = pieces(front_end, frames, &noise(seconds, rate), rate, 4096);
        assert_eq!(summary.chunks as usize, pieces.iter().map(Chunks::count).sum::<usize>());
        for piece in &pieces {
            assert_eq!(piece.data.len(), piece.count() * frames * bands(front_end));
        }
        pieces.iter().map(Chunks::count).collect()
    }

    #[test]
    fn a_track_has_as_many_chunks_as_fit_and_at_least_one() {
        assert_eq!(counts(FrontEnd::Paper128, 128, 0.2), [1]);
        assert_eq!(counts(FrontEnd::Paper128, 128, 4.0), [1], "126 frames are one padded chunk");
        assert_eq!(counts(FrontEnd::Paper128, 128, 30.0), [7]);
        assert_eq!(counts(FrontEnd::Paper256, 256, 30.0), [3]);
        assert_eq!(counts(FrontEnd::Cuts, 64, 0.2), [1]);
        assert_eq!(counts(FrontEnd::Cuts, 64, 30.0), [6]);
        assert_eq!(counts(FrontEnd::Paper128, 128, 243.0), [16, 16, 16, 1], "203 s stay of 243");
    }

    #[test]
    fn spans_of_cuts_are_about_as_long_as_its_training_clips() {
        assert_eq!(counts(FrontEnd::Cuts, 64, 243.0), [6, 6, 6, 6, 6, 5, 5]);
        assert_eq!(counts(FrontEnd::Cuts, 64, 45.0), [9]);
        for seconds in [25.0, 50.0, 75.0, 111.0, 130.0, 170.0] {
            let spans = counts(FrontEnd::Cuts, 64, seconds);
            assert!(spans.iter().all(|&n| (5..=9).contains(&n)), "{seconds} s: {spans:?}");
        }
    }

    #[test]
    fn the_windows_it_comes_in_do_not_matter() {
        let samples = noise(111.0, 44_100);
        for (front_end, frames) in [(FrontEnd::Cuts, 64), (FrontEnd::Paper128, 128)] {
            let (a, summary) = pieces(front_end, frames, &samples, 44_100, 1152);
            let (b, _) = pieces(front_end, frames, &samples, 44_100, 1 << 20);
            assert_eq!(a, b);
            assert_eq!(summary.start_ms, 20_000);
        }
    }

    #[test]
    fn silence_is_flagged_and_finite() {
        let mut samples = noise(40.0, 22_050);
        samples[..15 * 22_050].fill(0.0);
        let (pieces, _) = pieces(FrontEnd::Cuts, 64, &samples, 22_050, 4096);
        let silent: Vec<bool> = pieces.iter().flat_map(|p| p.silent.clone()).collect();
        assert_eq!(silent, [true, true, true, false, false, false, false, false]);
        assert!(pieces.iter().all(|p| p.data.iter().all(|x| (0.0..=1.0).contains(x))));
        let (quiet, _) = super::tests::pieces(FrontEnd::Cuts, 64, &[0.0; 22_050], 22_050, 4096);
        assert!(quiet[0].silent[0] && quiet[0].data.iter().all(|x| x.is_finite()));
    }

    #[test]
    fn a_rate_that_changes_inside_a_file_is_followed() {
        let mut stream = Stream::new(FrontEnd::Cuts, 64, 44_100);
        let mut chunks = 0;
        let mut sink = |piece: Chunks| {
            chunks += piece.count();
            Ok::<(), Infallible>(())
        };
        stream.push(&noise(15.0, 44_100), 44_100, &mut sink).unwrap();
        stream.push(&noise(15.0, 48_000), 48_000, &mut sink).unwrap();
        stream.finish(&mut sink).unwrap();
        assert_eq!(chunks, 6, "30 s in all");
    }
}
