//! HE-AAC, found before it is judged by half of its band.
//!
//! The decoder knows AAC-LC only. It refuses a stream that says SBR first in its configuration, but the two
//! ways that old players survive are played at half the rate, without an error: the backward-compatible
//! extension behind the LC configuration, and SBR data in the packets that no header announces.

/// A core at or below this may carry SBR that doubles it: above, the doubled rate is none that music has.
const MAX_CORE_HZ: u32 = 24_000;

/// Packets looked at for SBR that no header announces.
const PACKETS_TO_SEE: u32 = 48;

/// Whether an AudioSpecificConfig announces SBR or parametric stereo, in either of the two ways.
pub fn announces_sbr(config: &[u8]) -> bool {
    sbr_in_config(config).unwrap_or(false)
}

fn sbr_in_config(config: &[u8]) -> Option<bool> {
    let mut bits = Bits { bytes: config, at: 0 };
    let object_type = bits.object_type()?;
    bits.sampling_rate()?;
    let channel_config = bits.take(4)?;
    if matches!(object_type, 5 | 29) {
        return Some(true);
    }
    // Only for AAC-LC with a channel configuration is the position of the extension known.
    if object_type != 2 || channel_config == 0 {
        return Some(false);
    }
    bits.take(1)?;
    if bits.take(1)? == 1 {
        bits.take(14)?;
    }
    bits.take(1)?;
    if bits.take(11)? != 0x2b7 {
        return Some(false);
    }
    Some(matches!(bits.object_type()?, 5 | 22 | 29) && bits.take(1)? == 1)
}

/// Counts packets that end in an SBR fill element.
#[derive(Debug, Default)]
pub struct SbrProbe {
    seen: u32,
    with_sbr: u32,
}

impl SbrProbe {
    /// A probe for a core at `rate_hz`, where SBR would matter.
    pub fn for_core(rate_hz: u32) -> Option<Self> {
        (rate_hz <= MAX_CORE_HZ).then(Self::default)
    }

    /// Look at a raw AAC packet. `Some(true)` once it is certain that the stream carries SBR.
    pub fn see(&mut self, packet: &[u8]) -> Option<bool> {
        self.seen += 1;
        self.with_sbr += u32::from(ends_in_sbr(packet));
        // SBR stands in every frame; a frame without it looks like one by chance in one of eight.
        (self.seen >= PACKETS_TO_SEE).then(|| self.with_sbr * 4 >= self.seen * 3)
    }

    /// The verdict on a stream that ended before enough packets were seen.
    pub fn at_end(&self) -> bool {
        self.seen >= 8 && self.with_sbr * 4 >= self.seen * 3
    }
}

/// Whether the last element before the end marker is a fill element with SBR data.
///
/// A packet cannot be parsed forward without decoding it, but its end is plain: `111`, then zeros up to
/// the byte. A fill element says its own length, so each length has exactly one place where it could begin.
fn ends_in_sbr(packet: &[u8]) -> bool {
    let Some(last) = packet.iter().rposition(|&b| b != 0) else { return false };
    let end = (last + 1) * 8 - packet[last].trailing_zeros() as usize;
    let Some(marker) = end.checked_sub(3) else { return false };
    let bits = |at, n| Bits { bytes: packet, at }.take(n);
    if bits(marker, 3) != Some(7) {
        return false;
    }
    (1..=269_usize).any(|count| {
        let head = if count < 15 { 7 } else { 15 };
        let Some(at) = marker.checked_sub(head + 8 * count) else { return false };
        let length = if count < 15 {
            bits(at + 3, 4) == Some(count as u32)
        } else {
            bits(at + 3, 4) == Some(15) && bits(at + 7, 8) == Some(count as u32 - 14)
        };
        length && bits(at, 3) == Some(6) && matches!(bits(at + head, 4), Some(0xd | 0xe))
    })
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, n: usize) -> Option<u32> {
        let mut value = 0;
        for _ in 0..n {
            let byte = self.bytes.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    fn object_type(&mut self) -> Option<u32> {
        match self.take(5)? {
            31 => Some(32 + self.take(6)?),
            kind => Some(kind),
        }
    }

    fn sampling_rate(&mut self) -> Option<()> {
        if self.take(4)? == 15 {
            self.take(24)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_of_all_three_kinds() {
        assert!(!announces_sbr(&[0x13, 0x90]), "plain LC, 22,050 Hz, stereo");
        assert!(!announces_sbr(&[0x12, 0x10]), "plain LC, 44,100 Hz, stereo");
        assert!(announces_sbr(&[0x2b, 0x92, 0x08, 0x00]), "SBR first (object type 5)");
        assert!(announces_sbr(&[0xeb, 0x8a, 0x08, 0x00]), "parametric stereo first (object type 29)");
        assert!(announces_sbr(&[0x13, 0x90, 0x56, 0xe5, 0xa0]), "LC with the extension behind it");
        assert!(!announces_sbr(&[0x13, 0x90, 0x56, 0xe5, 0x00]), "an extension that says there is none");
        assert!(!announces_sbr(&[0x13]), "too short");
    }

    fn packet(noise: &[bool], fill: Option<(usize, u32)>) -> Vec<u8> {
        let mut bits = noise.to_vec();
        let mut put = |value: u32, n: u32| bits.extend((0..n).rev().map(|i| value >> i & 1 == 1));
        if let Some((count, kind)) = fill {
            put(6, 3);
            if count < 15 {
                put(count as u32, 4);
            } else {
                put(15, 4);
                put(count as u32 - 14, 8);
            }
            put(kind, 4);
            (0..8 * count - 4).for_each(|i| put(u32::from(i % 3 == 0), 1));
        }
        put(7, 3);
        bits.chunks(8)
            .map(|byte| byte.iter().enumerate().fold(0, |b, (i, &bit)| b | u8::from(bit) << (7 - i)))
            .collect()
    }

    #[test]
    fn sbr_at_the_end_of_a_packet_is_seen_and_other_fill_is_not() {
        for offset in 0..16 {
            let noise: Vec<bool> = (0..400 + offset).map(|i| (i * i / 7) % 3 == 0).collect();
            for count in [3, 14, 15, 60, 269] {
                assert!(ends_in_sbr(&packet(&noise, Some((count, 0xd)))), "{count} bytes at {offset}");
                assert!(ends_in_sbr(&packet(&noise, Some((count, 0xe)))), "{count} bytes at {offset}");
            }
        }
    }

    #[test]
    fn packets_without_it_are_not_taken_for_it() {
        let mut probe = SbrProbe::default();
        let mut seed = 1_u32;
        let mut verdict = None;
        for _ in 0..PACKETS_TO_SEE {
            let noise: Vec<bool> = (0..1500)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    seed >> 31 == 1
                })
                .collect();
            verdict = probe.see(&packet(&noise, None));
        }
        assert_eq!(verdict, Some(false), "{} of {}", probe.with_sbr, probe.seen);
    }
}
