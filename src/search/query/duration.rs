//! Lengths of time, as people write them: `90`, `90s`, `1:30`, `1m30s`, `2.5 minutes`.

/// A unit of time in milliseconds, by its name.
pub(super) fn unit_ms(name: &str) -> Option<i64> {
    match name {
        "ms" => Some(1),
        "s" | "sec" | "secs" | "second" | "seconds" => Some(1_000),
        "m" | "min" | "mins" | "minute" | "minutes" => Some(60_000),
        "h" | "hr" | "hrs" | "hour" | "hours" => Some(3_600_000),
        _ => None,
    }
}

/// A small number, in digits or as a word.
pub(super) fn count(word: &str) -> Option<i64> {
    const WORDS: [&str; 11] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    if word == "a" || word == "an" {
        return Some(1);
    }
    if let Some(n) = WORDS.iter().position(|w| *w == word) {
        return i64::try_from(n).ok();
    }
    digits(word)
}

/// Digits only, at most nine of them.
pub(super) fn digits(text: &str) -> Option<i64> {
    (!text.is_empty() && text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Milliseconds of `text`; a number without a unit is seconds. `None` when it is no length of time.
pub(super) fn parse_ms(text: &str) -> Option<i64> {
    if text.contains(':') {
        return clock_ms(text);
    }
    if let Some(seconds) = digits(text) {
        return Some(seconds * 1_000);
    }
    let mut total = 0_i64;
    let mut rest = text;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, tail) = rest.split_at(number_end);
        let unit_end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        total = total.checked_add(scaled(number, unit_ms(unit)?)?)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

/// `number` (digits, at most three decimals) times `unit_ms`, without floats.
pub(super) fn scaled(number: &str, unit_ms: i64) -> Option<i64> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    if decimals.len() > 3 || (whole.is_empty() && decimals.is_empty()) {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { digits(whole)? };
    let thousandths = digits(&format!("{decimals:0<3}"))?;
    whole.checked_mul(unit_ms)?.checked_add(thousandths * unit_ms / 1_000)
}

/// `1:30` or `1:02:03`.
fn clock_ms(text: &str) -> Option<i64> {
    let parts: Vec<i64> = text.split(':').map(digits).collect::<Option<_>>()?;
    let (minutes, seconds) = match parts.as_slice() {
        [m, s] => (*m, *s),
        [h, m, s] if *m < 60 => (h * 60 + m, *s),
        _ => return None,
    };
    (seconds < 60).then_some((minutes * 60 + seconds) * 1_000)
}

/// `1:30`, `1:02:03`; thousandths only where there are some.
#[must_use]
pub fn show_ms(ms: i64) -> String {
    let (seconds, rest) = (ms.div_euclid(1_000), ms.rem_euclid(1_000));
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let fine = if rest == 0 { String::new() } else { format!(".{rest:03}") };
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}{fine}") } else { format!("{minutes}:{seconds:02}{fine}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_as_people_write_them() {
        for (text, ms) in [
            ("90", 90_000),
            ("90s", 90_000),
            ("1:30", 90_000),
            ("1m30s", 90_000),
            ("1.5m", 90_000),
            ("1:02:03", 3_723_000),
            ("2h", 7_200_000),
            ("250ms", 250),
        ] {
            assert_eq!(parse_ms(text), Some(ms), "{text}");
        }
        for text in ["", "1:75", "m", "1:", ":30", "1.2345m", "5 m", "-3", "1:2:3:4", "99999999999999", "1..2m"] {
            assert_eq!(parse_ms(text), None, "{text}");
        }
        assert_eq!(show_ms(3_723_000), "1:02:03");
        assert_eq!(show_ms(45_500), "0:45.500");
    }
}
