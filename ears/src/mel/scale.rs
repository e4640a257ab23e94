//! Mel energies to what a network was trained on: decibels, or decibels stretched to 0..1.
//!
//! Both look at more than a chunk: the floor lies 80 dB under the loudest band of a span. So energies wait
//! here until their span is whole, and a ten-hour mix is many spans.

/// Below this there is nothing.
const LEAST_ENERGY: f32 = 1e-10;

/// The floor under a span's peak, dB.
const TOP_DB: f32 = 80.0;

/// `10 log10` of the energies, no lower than 80 dB under `peak`, the loudest of them, in place.
pub fn decibels(energies: &mut [f32], peak: f32) {
    let floor = db(peak) - TOP_DB;
    energies.iter_mut().for_each(|e| *e = db(*e).max(floor));
}

/// As [`decibels`], then the least value to the peak as 0 to 1; all 0 where they are equal.
pub fn stretched(energies: &mut [f32], peak: f32) {
    decibels(energies, peak);
    let least = energies.iter().fold(db(peak), |least, &x| least.min(x));
    let range = db(peak) - least;
    let gain = if range > 1e-6 { 1.0 / range } else { 0.0 };
    energies.iter_mut().for_each(|x| *x = (*x - least) * gain);
}

/// Decibels of an energy.
#[must_use]
pub fn db(energy: f32) -> f32 {
    10.0 * energy.max(LEAST_ENERGY).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_is_80_db_under_the_peak() {
        let mut x = [100.0, 1.0, 1e-7, 1e-12];
        decibels(&mut x, 100.0);
        for (x, expected) in x.iter().zip([20.0, 0.0, -60.0, -60.0]) {
            assert!((x - expected).abs() < 1e-4);
        }
    }

    #[test]
    fn the_stretch_spans_0_to_1_and_silence_stays_0() {
        let mut x = [100.0, 1.0, 1e-7];
        stretched(&mut x, 100.0);
        assert!((x[0] - 1.0).abs() < 1e-6 && (x[1] - 0.75).abs() < 1e-6 && x[2].abs() < 1e-6);
        let mut silence = [0.0; 8];
        stretched(&mut silence, 0.0);
        assert_eq!(silence, [0.0; 8]);
    }
}
