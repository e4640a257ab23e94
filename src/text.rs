//! Text that came out of a file, made fit for a terminal.
//!
//! Tags, file names and reasons are written by strangers. Whatever is shown, printed or logged goes
//! through [`clean`], so that no escape sequence, control character, bidirectional override or
//! invisible character ever reaches a terminal. Storage keeps the text as it was, and JSON escapes what it has to.

use std::{borrow::Cow, path::Path};

/// Whether `c` may be shown: no control (C0, DEL, C1), no bidi control, nothing invisible.
#[must_use]
pub fn is_showable(c: char) -> bool {
    !(c.is_control()
        || matches!(c,
            '\u{00AD}'                      // soft hyphen
            | '\u{034F}'                    // combining grapheme joiner
            | '\u{061C}'                    // Arabic letter mark
            | '\u{115F}'..='\u{1160}'       // Hangul fillers
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200C}'       // zero width space, non-joiner (U+200D joins emoji)
            | '\u{200E}'..='\u{200F}'       // directional marks
            | '\u{2028}'..='\u{202E}'       // separators, bidi embeddings and overrides
            | '\u{2060}'..='\u{206F}'       // word joiner, isolates
            | '\u{3164}' | '\u{FFA0}'
            | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E0FFF}'))
}

/// `text` with everything that a terminal should not see replaced by `\u{FFFD}`; a line break or a tab
/// becomes a space. Borrows when there is nothing to do.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_showable) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.chars()
            .map(|c| match c {
                '\n' | '\r' | '\t' => ' ',
                c if is_showable(c) => c,
                _ => '\u{FFFD}',
            })
            .collect(),
    )
}

/// A path for people: lossy where it is not UTF-8, and clean.
#[must_use]
pub fn clean_path(path: &Path) -> String {
    clean(&path.to_string_lossy()).into_owned()
}

/// An error with its causes. Many a cause is told by what it caused: that is not said twice.
#[must_use]
pub fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        // SQLite puts a number before what it said already.
        let known =
            text.strip_prefix("Error code ").and_then(|text| text.split_once(": ")).map_or(&*text, |(_, text)| text);
        if !said.contains(known) {
            said += ": ";
            said += &text;
        }
        next = cause.source();
    }
    clean(&said).into_owned()
}

/// `object` with a path in front: as text, and as bytes where it is not UTF-8.
#[must_use]
pub fn with_path(path: &Path, object: serde_json::Value) -> serde_json::Value {
    let mut with = serde_json::Map::new();
    with.insert("path".to_owned(), path.to_string_lossy().into());
    if path.to_str().is_none()
        && let Ok(bytes) = serde_json::to_value(deepcuts_protocol::Base64(crate::track::path_bytes(path).to_vec()))
    {
        with.insert("path_bytes".to_owned(), bytes);
    }
    if let serde_json::Value::Object(object) = object {
        with.extend(object);
    }
    with.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_inert() {
        for hostile in ["\u{1b}]52;c;ZXZpbA==\u{7}", "\u{9b}31m", "a\u{202e}b", "x\u{200b}y", "\u{1b}[2J", "\u{90}q"] {
            let shown = clean(hostile);
            assert!(shown.chars().all(is_showable), "{shown:?}");
        }
    }

    #[test]
    fn people_s_names_stay() {
        for name in ["Sigur Rós", "久石譲", "Motörhead", "👩\u{200d}🎤", "שלום"] {
            assert_eq!(clean(name), name);
        }
    }

    #[test]
    fn a_cause_is_told_once() {
        let cause = std::io::Error::from_raw_os_error(13);
        let error = anyhow::Error::new(cause).context("a.db: Permission denied (os error 13)").context("no library");
        assert_eq!(told(error.as_ref()), "no library: a.db: Permission denied (os error 13)");
    }

    #[test]
    fn a_line_break_becomes_a_space() {
        assert_eq!(clean("one\ntwo"), "one two");
    }
}
