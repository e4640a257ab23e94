//! Shares as exact integers.
//!
//! A share is chunks won of so many chunks: a fraction whose denominator differs from track to track. Queries
//! compare it with decimals. So that the index, SQL and a walk over the rows always agree, nothing here is a
//! float: a bound is a whole number of millionths ([`Share`]), and a track's share is a [`level`], an integer
//! that compares with every bound exactly as the fraction does. This file knows neither queries nor storage.

use std::{fmt, ops::RangeInclusive};

/// Millionths in a whole.
pub const WHOLE: u32 = 1_000_000;

/// A bound on a share, in millionths: 0.15 is `Share(150_000)`. Percents with up to four decimals are exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(pub u32);

impl Share {
    /// The share of `percent` hundredths.
    #[must_use]
    pub const fn percent(percent: u32) -> Self {
        Self(percent * (WHOLE / 100))
    }

    /// From a fraction of a config file, 0 to 1, rounded to millionths; `None` outside that range.
    #[must_use]
    pub fn from_fraction(fraction: f64) -> Option<Self> {
        (0.0..=1.0).contains(&fraction).then(|| Self((fraction * f64::from(WHOLE)).round() as u32))
    }

    /// From a decimal number of percents such as `12.5`; `None` when it is no number, over 100 or finer than a
    /// millionth.
    #[must_use]
    pub fn parse_percent(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && decimals.is_empty()) || !digits(whole) || !digits(decimals) || whole.len() > 6 {
            return None;
        }
        let decimals = decimals.trim_end_matches('0');
        if decimals.len() > 4 {
            return None;
        }
        let whole: u32 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let fine: u32 = format!("{decimals:0<4}").parse().ok()?;
        let millionths = whole.checked_mul(10_000)?.checked_add(fine)?;
        (millionths <= WHOLE).then_some(Self(millionths))
    }
}

impl fmt::Display for Share {
    /// Percents without the sign: `15`, `12.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fine) = (self.0 / 10_000, self.0 % 10_000);
        if fine == 0 {
            write!(f, "{whole}")
        } else {
            write!(f, "{whole}.{}", format!("{fine:04}").trim_end_matches('0'))
        }
    }
}

/// Where `won / chunks` lies among the millionths: twice the millionths reached, plus one when it lies above
/// that one and below the next. Against any bound of m millionths, `share < m`, `= m` and `> m` hold exactly
/// when `level < 2m`, `= 2m` and `> 2m` do. 0 when there is no chunk.
#[must_use]
pub fn level(won: u32, chunks: u32) -> u32 {
    if chunks == 0 {
        return 0;
    }
    let scaled = u64::from(won.min(chunks)) * u64::from(WHOLE);
    let chunks = u64::from(chunks);
    // At most 2 * WHOLE, so it fits.
    (2 * (scaled / chunks) + u64::from(!scaled.is_multiple_of(chunks))) as u32
}

/// The millionths that a level has reached: the share rounded down.
#[must_use]
pub const fn millionths(level: u32) -> u32 {
    level / 2
}

/// Which shares are wanted. An end is a bound and whether the bound itself belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Bounds {
    /// Lower end.
    pub low: Option<(Share, bool)>,
    /// Upper end.
    pub high: Option<(Share, bool)>,
}

impl Bounds {
    /// `s >= low`
    #[must_use]
    pub const fn at_least(low: Share) -> Self {
        Self { low: Some((low, true)), high: None }
    }

    /// `s > low`
    #[must_use]
    pub const fn above(low: Share) -> Self {
        Self { low: Some((low, false)), high: None }
    }

    /// `s < high`
    #[must_use]
    pub const fn below(high: Share) -> Self {
        Self { low: None, high: Some((high, false)) }
    }

    /// `s <= high`
    #[must_use]
    pub const fn at_most(high: Share) -> Self {
        Self { low: None, high: Some((high, true)) }
    }

    /// `low <= s < high`
    #[must_use]
    pub const fn half_open(low: Share, high: Share) -> Self {
        Self { low: Some((low, true)), high: Some((high, false)) }
    }

    /// `low <= s <= high`
    #[must_use]
    pub const fn closed(low: Share, high: Share) -> Self {
        Self { low: Some((low, true)), high: Some((high, true)) }
    }

    /// The levels that lie within; `None` when there are none.
    #[must_use]
    pub fn levels(&self) -> Option<RangeInclusive<u32>> {
        let low = self.low.map_or(0, |(Share(m), included)| 2 * m + u32::from(!included));
        let high = match self.high {
            None => 2 * WHOLE,
            Some((Share(m), true)) => 2 * m,
            Some((Share(m), false)) => (2 * m).checked_sub(1)?,
        };
        (low <= high).then_some(low..=high)
    }

    /// Whether `level` lies within.
    #[must_use]
    pub fn contain(&self, level: u32) -> bool {
        self.levels().is_some_and(|levels| levels.contains(&level))
    }

    /// The point that stands for these shares when closeness is measured: the middle.
    #[must_use]
    pub fn middle(&self) -> Share {
        let low = self.low.map_or(0, |(s, _)| s.0);
        let high = self.high.map_or(WHOLE, |(s, _)| s.0);
        Share(low.midpoint(high))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn percents_are_exact() {
        assert_eq!(Share::parse_percent("12.5"), Some(Share(125_000)));
        assert_eq!(Share::parse_percent("0.0001"), Some(Share(1)));
        assert_eq!(Share::parse_percent(".5"), Some(Share(5_000)));
        for wrong in ["", ".", "101", "100.0001", "1.23456", "-3", "1e2", "99999999999", "٣"] {
            assert_eq!(Share::parse_percent(wrong), None, "{wrong}");
        }
        assert_eq!(Share(125_000).to_string(), "12.5");
        assert_eq!(Share::percent(15).to_string(), "15");
        assert_eq!(Share::from_fraction(0.15), Some(Share(150_000)));
        assert_eq!(Share::from_fraction(f64::NAN), None);
    }

    #[test]
    fn a_third_is_neither_a_hundredth_more_nor_less() {
        assert!(Bounds::above(Share::parse_percent("33.3333").unwrap()).contain(level(1, 3)));
        assert!(Bounds::below(Share::parse_percent("33.3334").unwrap()).contain(level(1, 3)));
        assert!(!Bounds::at_most(Share::parse_percent("33.3333").unwrap()).contain(level(1, 3)));
        assert!(Bounds::below(Share(0)).levels().is_none());
    }

    proptest! {
        // The reference multiplies crosswise, in 128 bits: no division, no rounding.
        #[test]
        fn a_level_compares_as_the_fraction(chunks in 1_u32..200_000, part in 0.0_f64..=1.0, m in 0..=WHOLE) {
            let won = (f64::from(chunks) * part) as u32;
            let exact = (u128::from(won) * u128::from(WHOLE)).cmp(&(u128::from(m) * u128::from(chunks)));
            prop_assert_eq!(level(won, chunks).cmp(&(2 * m)), exact);
        }

        #[test]
        fn two_shares_of_one_track_compare_as_their_chunks(chunks in 1_u32..WHOLE, a in 0.0_f64..=1.0, b in 0.0_f64..=1.0) {
            let won = |part: f64| (f64::from(chunks) * part) as u32;
            prop_assert_eq!(level(won(a), chunks).cmp(&level(won(b), chunks)), won(a).cmp(&won(b)));
        }
    }
}
