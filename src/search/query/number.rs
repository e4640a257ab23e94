//! Values of the number fields: years, lengths, bit rates and dates, single or as a range.

use jiff::{ToSpan, Zoned, civil::Date};

use super::{
    ast::{NumberField, NumberRange},
    duration,
    lex::Op,
};

/// One value: the whole stretch that it names (a year names all its days, `3:05` all of that second).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    low: i64,
    high: i64,
}

impl Stretch {
    /// As an end of a range: "so long ago" is then that moment, not all the time since.
    fn end(self) -> Self {
        if self.high == i64::MAX { Self { high: self.low, ..self } } else { self }
    }
}

/// What is understood of a value, and how people read it.
pub(super) struct Number {
    pub range: NumberRange,
    pub shown: String,
}

/// `LO..HI`, `LO..`, `..HI`, `>N`, `>=N`, `<N`, `<=N`, `=N` or one value of `field`. The error says what such
/// a value looks like.
pub(super) fn parse(field: NumberField, text: &str, now: &Zoned) -> Result<Number, String> {
    let text = text.trim();
    if let Some((op, length)) = Op::at_start(text) {
        return compare(field, op, text.get(length..).unwrap_or("").trim(), now);
    }
    if let Some((low, high)) = text.split_once("..") {
        if low.is_empty() && high.is_empty() {
            return Err(format!("{} needs at least one end: {}", field.name(), example(field)));
        }
        let end = |text: &str| {
            if text.is_empty() { Ok(None) } else { value(field, text, now).map(|value| Some(value.end())) }
        };
        let (low_end, high_end) = (end(low)?, end(high)?);
        return Ok(Number {
            range: NumberRange {
                low: low_end.map_or(i64::MIN, |s| s.low),
                high: high_end.map_or(i64::MAX, |s| s.high),
            },
            shown: match (low_end, high_end) {
                (Some(_), None) => format!(">= {low}"),
                (None, Some(_)) => format!("<= {high}"),
                _ => format!("{low}..{high}"),
            },
        });
    }
    let stretch = value(field, text, now)?;
    Ok(Number { range: NumberRange { low: stretch.low, high: stretch.high }, shown: text.to_owned() })
}

/// The values of `field` that compare so with `text`.
pub(super) fn compare(field: NumberField, op: Op, text: &str, now: &Zoned) -> Result<Number, String> {
    let stretch = value(field, text, now)?;
    let Stretch { low, high } = if op == Op::Equal { stretch } else { stretch.end() };
    let range = match op {
        Op::Above => NumberRange { low: high.saturating_add(1), high: i64::MAX },
        Op::AtLeast => NumberRange { low, high: i64::MAX },
        Op::Below => NumberRange { low: i64::MIN, high: low.saturating_sub(1) },
        Op::AtMost => NumberRange { low: i64::MIN, high },
        Op::Equal => NumberRange { low, high },
    };
    Ok(Number { range, shown: format!("{} {text}", op.sign()) })
}

fn example(field: NumberField) -> &'static str {
    match field {
        NumberField::Year => "year:1959, year:1950s, year:1955..1960, year:1990..",
        NumberField::Length => "length:3:30, length:2m..5m, length:10m..",
        NumberField::Bitrate => "bitrate:320, bitrate:..128",
        NumberField::Added => "added:2026-01, added:7d (the last 7 days), added:2025..2026-03-01",
    }
}

fn value(field: NumberField, text: &str, now: &Zoned) -> Result<Stretch, String> {
    let found = match field {
        NumberField::Year => year(text),
        NumberField::Length => {
            // A clock has a second's grain, and so has a number of seconds.
            duration::parse_ms(text).map(|ms| Stretch { low: ms, high: ms.saturating_add(999) })
        }
        NumberField::Bitrate => {
            let lower = text.to_ascii_lowercase();
            let plain = ["kbit/s", "kbps", "k"].iter().find_map(|unit| lower.strip_suffix(unit)).unwrap_or(&lower);
            duration::digits(plain).map(|n| Stretch { low: n, high: n })
        }
        NumberField::Added => added(text, now),
    };
    found.ok_or_else(|| format!("`{text}` is no value for {}: try {}", field.name(), example(field)))
}

fn year(text: &str) -> Option<Stretch> {
    if let Some(decade) = text.strip_suffix('s') {
        let decade = duration::digits(decade).filter(|n| n % 10 == 0)?;
        return Some(Stretch { low: decade, high: decade + 9 });
    }
    let year = duration::digits(text).filter(|_| text.len() <= 4)?;
    Some(Stretch { low: year, high: year })
}

/// A day, a month, a year, or so long ago until now.
fn added(text: &str, now: &Zoned) -> Option<Stretch> {
    let midnight = |date: Date| date.to_zoned(now.time_zone().clone()).ok().map(|z| z.timestamp().as_millisecond());
    let days = |first: Date, after: Date| Some(Stretch { low: midnight(first)?, high: midnight(after)? - 1 });
    let lower = text.to_ascii_lowercase();
    let today = now.date();
    match lower.as_str() {
        "today" => return days(today, today.tomorrow().ok()?),
        "yesterday" => return days(today.yesterday().ok()?, today),
        _ => {}
    }
    if let Some(split) = lower.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0 && !lower.contains('-')) {
        let (number, unit) = lower.split_at(split);
        let n = duration::digits(number)?;
        let span = match unit {
            "h" => jiff::Span::new().try_hours(n),
            "d" => jiff::Span::new().try_days(n),
            "w" => jiff::Span::new().try_weeks(n),
            "m" => jiff::Span::new().try_months(n),
            "y" => jiff::Span::new().try_years(n),
            _ => return None,
        };
        let from = now.checked_sub(span.ok()?).ok()?;
        return Some(Stretch { low: from.timestamp().as_millisecond(), high: i64::MAX });
    }
    let parts: Vec<&str> = lower.split('-').collect();
    let number = |s: &str| duration::digits(s).and_then(|n| i16::try_from(n).ok());
    let small = |s: &str| duration::digits(s).and_then(|n| i8::try_from(n).ok());
    match parts.as_slice() {
        [y] if y.len() == 4 => days(Date::new(number(y)?, 1, 1).ok()?, Date::new(number(y)? + 1, 1, 1).ok()?),
        [y, m] if y.len() == 4 => {
            let first = Date::new(number(y)?, small(m)?, 1).ok()?;
            days(first, first.checked_add(1.month()).ok()?)
        }
        [y, m, d] if y.len() == 4 => {
            let day = Date::new(number(y)?, small(m)?, small(d)?).ok()?;
            days(day, day.tomorrow().ok()?)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn range(field: NumberField, text: &str) -> Option<(i64, i64)> {
        // Berlin's rules, spelt out: a bare machine knows no names of time zones.
        let zone = jiff::tz::TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let now = jiff::civil::date(2026, 3, 10).at(12, 0, 0, 0).to_zoned(zone).unwrap();
        parse(field, text, &now).ok().map(|n| (n.range.low, n.range.high))
    }

    #[test]
    fn years_and_decades() {
        assert_eq!(range(NumberField::Year, "1959"), Some((1959, 1959)));
        assert_eq!(range(NumberField::Year, "1950s"), Some((1950, 1959)));
        assert_eq!(range(NumberField::Year, "1950..1960"), Some((1950, 1960)));
        assert_eq!(range(NumberField::Year, "1950.."), Some((1950, i64::MAX)));
        assert_eq!(range(NumberField::Year, ">=1950s"), Some((1950, i64::MAX)));
        assert_eq!(range(NumberField::Year, ">1950s"), Some((1960, i64::MAX)));
        for wrong in ["", "..", "19x", "1955s", "12345", "-5", "1950...1960"] {
            assert_eq!(range(NumberField::Year, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn lengths_have_a_second_s_grain() {
        assert_eq!(range(NumberField::Length, "3:05"), Some((185_000, 185_999)));
        assert_eq!(range(NumberField::Length, "2m..3:00"), Some((120_000, 180_999)));
        assert_eq!(range(NumberField::Bitrate, "320kbps"), Some((320, 320)));
    }

    #[test]
    fn dates_are_the_listener_s_days() {
        // Berlin is an hour ahead in winter and two in summer: 2026-03-29 has 23 hours.
        let hour = 3_600_000;
        let (low, high) = range(NumberField::Added, "2026-03-29").unwrap();
        assert_eq!(high - low + 1, 23 * hour);
        let (low, _) = range(NumberField::Added, "2026-01").unwrap();
        assert_eq!(low, 1_767_222_000_000); // 2025-12-31T23:00Z
        assert_eq!(range(NumberField::Added, "2026-13"), None);
        let (since, end) = range(NumberField::Added, "7d").unwrap();
        assert_eq!(end, i64::MAX);
        // As an end of a range, or compared with, it is that moment.
        let month = range(NumberField::Added, "30d").unwrap().0;
        for (text, wanted) in [
            ("..7d", (i64::MIN, since)),
            ("<=7d", (i64::MIN, since)),
            ("<7d", (i64::MIN, since - 1)),
            ("30d..7d", (month, since)),
            (">7d", (since + 1, i64::MAX)),
            (">=7d", (since, i64::MAX)),
            ("7d..", (since, i64::MAX)),
        ] {
            assert_eq!(range(NumberField::Added, text), Some(wanted), "{text}");
        }
        let (low, high) = range(NumberField::Added, "yesterday").unwrap();
        assert_eq!(high - low + 1, 24 * hour);
    }
}
