//! Short-time spectra as mel energies, streaming: centred frames, the ends padded with silence.

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex, num_complex::Complex32};

use super::bands::Bands;

/// Samples of a frame.
pub const N_FFT: usize = 2048;

/// Samples between the frames of an ordinary spectrogram.
pub const HOP: usize = 512;

/// Consumed samples that are kept before the buffer is moved up.
const SLACK_SAMPLES: usize = 1 << 16;

/// Which frames of the ordinary spectrogram are wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Grid {
    /// All of them.
    Every,
    /// Frame `round(step * column + offset)` for every column.
    Columns {
        /// Frames between columns.
        step: f64,
        /// Frame of column 0.
        offset: f64,
    },
}

impl Grid {
    /// The frame of a column.
    #[must_use]
    pub fn frame(self, column: u64) -> u64 {
        match self {
            Self::Every => column,
            Self::Columns { step, offset } => (step * column as f64 + offset).round_ties_even() as u64,
        }
    }
}

/// Turns samples into mel energies, a row a column of the grid.
pub struct Frames {
    grid: Grid,
    bands: Bands,
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    /// Samples not yet passed by; begins at sample `base` of the signal, which begins with half a frame of silence.
    pending: Vec<f32>,
    base: u64,
    column: u64,
    frame: Vec<f32>,
    spectrum: Vec<Complex32>,
    power: Vec<f32>,
    scratch: Vec<Complex32>,
}

impl Frames {
    /// Frames on `grid` in `bands`.
    #[must_use]
    pub fn new(grid: Grid, bands: Bands) -> Self {
        let fft = RealFftPlanner::<f32>::new().plan_fft_forward(N_FFT);
        let hann = |i: usize| 0.5 - 0.5 * (std::f64::consts::TAU * i as f64 / N_FFT as f64).cos();
        Self {
            grid,
            bands,
            window: (0..N_FFT).map(|i| hann(i) as f32).collect(),
            pending: vec![0.0; N_FFT / 2],
            base: 0,
            column: 0,
            frame: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            power: vec![0.0; N_FFT / 2 + 1],
            scratch: fft.make_scratch_vec(),
            fft,
        }
    }

    /// Append to `out` the rows that `samples` complete.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        self.pending.extend_from_slice(samples);
        self.run(out);
    }

    /// The end: append the rows whose frames reach beyond it.
    pub fn finish(&mut self, out: &mut Vec<f32>) {
        self.pending.resize(self.pending.len() + N_FFT / 2, 0.0);
        self.run(out);
    }

    fn run(&mut self, out: &mut Vec<f32>) {
        loop {
            let from = (self.grid.frame(self.column) * HOP as u64 - self.base) as usize;
            if from > SLACK_SAMPLES {
                let gone = from.min(self.pending.len());
                self.pending.drain(..gone);
                self.base += gone as u64;
                continue;
            }
            let Some(samples) = self.pending.get(from..from + N_FFT) else { return };
            for ((to, x), w) in self.frame.iter_mut().zip(samples).zip(&self.window) {
                *to = x * w;
            }
            // Lengths are fixed when the plan is made, the only error a transform has.
            let _ = self.fft.process_with_scratch(&mut self.frame, &mut self.spectrum, &mut self.scratch);
            for (power, bin) in self.power.iter_mut().zip(&self.spectrum) {
                *power = bin.re * bin.re + bin.im * bin.im;
            }
            self.bands.apply(&self.power, out);
            self.column += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(grid: Grid, samples: &[f32], piece: usize) -> Vec<f32> {
        let mut frames = Frames::new(grid, Bands::new(16_000, N_FFT, 4));
        let mut out = Vec::new();
        samples.chunks(piece).for_each(|piece| frames.push(piece, &mut out));
        frames.finish(&mut out);
        out
    }

    #[test]
    fn there_is_a_frame_every_hop_and_one_more() {
        let samples: Vec<f32> = (0..400_123_i64).map(|i| (i * 31 % 97) as f32 / 48.5 - 1.0).collect();
        let whole = rows(Grid::Every, &samples, usize::MAX);
        assert_eq!(whole.len() / 4, 1 + samples.len() / HOP);
        assert_eq!(whole, rows(Grid::Every, &samples, 999));
    }

    #[test]
    fn a_sparse_grid_picks_frames_of_the_full_one() {
        let samples: Vec<f32> = (0..200_000_i64).map(|i| (i * 31 % 97) as f32 / 48.5 - 1.0).collect();
        let grid = Grid::Columns { step: 3.3366, offset: 1.206 };
        let (full, some) = (rows(Grid::Every, &samples, 4096), rows(grid, &samples, 4096));
        assert_eq!((0..5).map(|j| grid.frame(j)).collect::<Vec<_>>(), [1, 5, 8, 11, 15]);
        for (j, row) in some.chunks(4).enumerate() {
            let frame = grid.frame(j as u64) as usize;
            assert_eq!(row, &full[4 * frame..4 * frame + 4]);
        }
    }
}
