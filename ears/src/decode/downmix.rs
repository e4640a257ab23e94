//! Any decoded buffer as mono f32: the mean of the channels, (L + R) / 2 for stereo.

use symphonia::core::audio::{Audio, AudioBuffer, GenericAudioBufferRef};

/// Samples beyond this are no sound; the square of their spectrum must stay finite in f32.
const LOUDEST: f32 = 1e6;

/// Append the mono mix of `buffer` to `out`. Returns how many samples were NaN or infinite; they become 0.
pub fn append(buffer: &GenericAudioBufferRef<'_>, planes: &mut Vec<Vec<f32>>, out: &mut Vec<f32>) -> usize {
    match buffer {
        GenericAudioBufferRef::F32(buffer) => {
            mix_f32(buffer, out);
            sanitise(buffer.frames(), out)
        }
        GenericAudioBufferRef::F64(_) => {
            mix_converted(buffer, planes, out);
            sanitise(buffer.frames(), out)
        }
        _ => {
            mix_converted(buffer, planes, out);
            0
        }
    }
}

fn mix_f32(buffer: &AudioBuffer<f32>, out: &mut Vec<f32>) {
    let planes: Vec<&[f32]> = buffer.iter_planes().collect();
    mix(&planes, out);
}

fn mix_converted(buffer: &GenericAudioBufferRef<'_>, planes: &mut Vec<Vec<f32>>, out: &mut Vec<f32>) {
    buffer.copy_to_vecs_planar::<f32>(planes);
    let planes: Vec<&[f32]> = planes.iter().map(Vec::as_slice).collect();
    mix(&planes, out);
}

fn mix(planes: &[&[f32]], out: &mut Vec<f32>) {
    match planes {
        [] => {}
        [only] => out.extend_from_slice(only),
        [left, right] => out.extend(left.iter().zip(*right).map(|(l, r)| (l + r) * 0.5)),
        [first, rest @ ..] => {
            let from = out.len();
            let share = 1.0 / planes.len() as f32;
            out.extend_from_slice(first);
            for plane in rest {
                out[from..].iter_mut().zip(*plane).for_each(|(sum, x)| *sum += x);
            }
            out[from..].iter_mut().for_each(|sum| *sum *= share);
        }
    }
}

fn sanitise(frames: usize, out: &mut [f32]) -> usize {
    let from = out.len().saturating_sub(frames);
    let mut bad = 0;
    for x in &mut out[from..] {
        bad += usize::from(!x.is_finite());
        *x = if x.is_finite() { x.clamp(-LOUDEST, LOUDEST) } else { 0.0 };
    }
    bad
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stereo_is_halved_and_more_channels_are_averaged() {
        let mut out = Vec::new();
        mix(&[&[1.0, 0.5], &[0.0, -0.5]], &mut out);
        assert_eq!(out, [0.5, 0.0]);
        mix(&[&[3.0], &[0.0], &[0.0]], &mut out);
        assert_eq!(out, [0.5, 0.0, 1.0]);
    }

    #[test]
    fn what_is_not_finite_becomes_silence_and_is_counted() {
        let mut out = vec![f32::NAN, 9.0, f32::NAN, f32::INFINITY, 1e30];
        assert_eq!(sanitise(4, &mut out), 2);
        assert!(out[0].is_nan());
        assert_eq!(out[1..], [9.0, 0.0, 0.0, 1e6]);
    }
}
