//! What the ears heard in one track.

use serde::{Deserialize, Serialize};

use crate::Base64;

/// The winner of a chunk that no genre won: its best calibrated score is below the threshold.
pub const UNSURE: u8 = u8::MAX;

/// The winner and its score, chunk by chunk. Both vectors have one entry a chunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// Index of the winning genre in the model card's list, or [`UNSURE`].
    pub winners: Base64,
    /// Best calibrated score, 0 to 255 for 0 to 1 (that of the best genre also where the winner is unsure).
    pub scores: Base64,
}

/// Chunk embeddings, quantised to i8: `value = scale * i8`, one scale a row.
///
/// At most [`Embeddings::MAX_BYTES`] a track: `stride` neighbouring chunks share one row (their mean)
/// where a track is too long for a row each. Row r stands for chunks `r * stride .. (r + 1) * stride`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Embeddings {
    /// Values in a row.
    pub dim: u16,
    /// Chunks that share a row, at least 1.
    pub stride: u32,
    /// One scale a row.
    pub scales: Vec<f32>,
    /// rows x dim, row-major, i8 as bytes.
    pub values: Base64,
}

impl Embeddings {
    /// Upper bound of the stored bytes of a track, scales included.
    pub const MAX_BYTES: usize = 10 * 1024;

    /// Quantise `rows` (each of `dim` values), averaging neighbours until the result fits
    /// [`Self::MAX_BYTES`].
    #[must_use]
    pub fn quantise(rows: &[f32], dim: usize) -> Self {
        let count = rows.len().checked_div(dim).unwrap_or(0);
        let most = (Self::MAX_BYTES / (dim + size_of::<f32>())).max(1);
        let stride = count.div_ceil(most).max(1);
        let mut scales = Vec::new();
        let mut values = Vec::new();
        for group in rows.chunks(dim.max(1) * stride) {
            let n = (group.len() / dim.max(1)) as f32;
            let mean: Vec<f32> = (0..dim).map(|d| group.iter().skip(d).step_by(dim).sum::<f32>() / n).collect();
            let peak = mean.iter().fold(0.0_f32, |peak, x| peak.max(x.abs()));
            let scale = if peak > 0.0 { peak / 127.0 } else { 1.0 };
            scales.push(scale);
            values.extend(mean.iter().map(|x| ((x / scale).round() as i8).cast_unsigned()));
        }
        Self { dim: dim as u16, stride: stride as u32, scales, values: Base64(values) }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.scales.len()
    }

    /// Row `r` as floats, empty when there is no such row.
    #[must_use]
    pub fn row(&self, r: usize) -> Vec<f32> {
        let dim = usize::from(self.dim);
        let (Some(scale), Some(row)) = (self.scales.get(r), self.values.0.get(r * dim..(r + 1) * dim)) else {
            return Vec::new();
        };
        row.iter().map(|b| f32::from(b.cast_signed()) * scale).collect()
    }
}

/// What the ears heard in one track.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hearing {
    /// Whole decoded length, before any trim.
    pub duration_ms: u64,
    /// Sample rate of the file, Hz.
    pub sample_rate_hz: u32,
    /// Channels of the file.
    pub channels: u16,
    /// Name of the codec, lower case: `mp3`, `flac`, `vorbis`, `opus`, `aac`, `alac`, `pcm`, ...
    pub codec: String,
    /// Where the first chunk begins (the trim of the track's start).
    pub start_ms: u64,
    /// Distance from the start of a chunk to the next, and the length of a chunk.
    pub chunk_ms: u32,
    /// Winners and scores.
    pub timeline: Timeline,
    /// Embeddings, in rows of one or several chunks.
    pub embeddings: Embeddings,
}

impl Hearing {
    /// Number of chunks.
    #[must_use]
    pub fn chunks(&self) -> usize {
        self.timeline.winners.0.len()
    }

    /// Check what a database would refuse or an average would spread: no chunks, lengths that differ,
    /// winners that are no genre of a model with `genres` labels, values that are not finite.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self, genres: usize) -> Result<(), HearingError> {
        let chunks = self.chunks();
        if chunks == 0 {
            return Err(HearingError::NoChunks);
        }
        let rows = self.embeddings.rows();
        if self.timeline.scores.0.len() != chunks
            || self.embeddings.stride == 0
            || rows != chunks.div_ceil(self.embeddings.stride as usize)
            || self.embeddings.values.0.len() != rows * usize::from(self.embeddings.dim)
        {
            return Err(HearingError::Lengths);
        }
        if self.timeline.winners.0.iter().any(|&w| w != UNSURE && usize::from(w) >= genres) {
            return Err(HearingError::Winner);
        }
        if self.embeddings.scales.iter().any(|s| !s.is_finite()) {
            return Err(HearingError::NotFinite);
        }
        Ok(())
    }
}

/// Why a hearing is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HearingError {
    /// Not one chunk.
    NoChunks,
    /// Timeline and embeddings do not agree in length.
    Lengths,
    /// A winner that the model card does not list.
    Winner,
    /// NaN or infinity.
    NotFinite,
}

impl std::fmt::Display for HearingError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoChunks => "no chunk was heard",
            Self::Lengths => "timeline and embeddings differ in length",
            Self::Winner => "a chunk was won by a genre that the model card does not list",
            Self::NotFinite => "a value is not finite",
        })
    }
}

impl std::error::Error for HearingError {}

/// The stage in which a file failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Opening or reading the file.
    Read,
    /// Finding out what the file holds.
    Probe,
    /// Reading the file's tags.
    Tags,
    /// Decoding the audio.
    Decode,
    /// Computing mel bands.
    Mel,
    /// The network.
    Classify,
    /// Keeping the result.
    Store,
    /// The ears died or stalled on this file.
    Ears,
}

impl Stage {
    /// The name that is stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Probe => "probe",
            Self::Tags => "tags",
            Self::Decode => "decode",
            Self::Mel => "mel",
            Self::Classify => "classify",
            Self::Store => "store",
            Self::Ears => "ears",
        }
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_track_shares_rows_and_stays_small() {
        let rows: Vec<f32> = (0..7200 * 128).map(|i| (i % 251) as f32 / 251.0 - 0.5).collect();
        let kept = Embeddings::quantise(&rows, 128);
        assert!(kept.values.0.len() + 4 * kept.scales.len() <= Embeddings::MAX_BYTES);
        assert_eq!(kept.rows(), 7200_usize.div_ceil(kept.stride as usize));
    }

    #[test]
    fn a_row_survives_to_half_a_step() {
        let row = [0.5_f32, -1.0, 0.25, 0.0];
        let kept = Embeddings::quantise(&row, 4);
        for (a, b) in kept.row(0).iter().zip(row) {
            assert!((a - b).abs() <= 0.5 / 127.0 + 1e-6);
        }
    }
}
