//! How text is compared: case, accents, width and punctuation do not count.
//!
//! The index, the walk over SQLite and the sort order all fold text here and nowhere else, so that they
//! cannot disagree. Folding is for comparing only; what is shown is the text as it was.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Longest token that is kept, in bytes; a longer one is cut (the index refuses terms over 64 kB).
const TOKEN_BYTES: usize = 200;

/// Lower case, without accents, compatibility forms made plain. Spaces and punctuation stay.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    if text.is_ascii() {
        folded.push_str(text);
        folded.make_ascii_lowercase();
        return folded;
    }
    // Lower-casing may itself bring a combining mark (a Turkish I with a dot), so marks go last.
    for c in text.nfkd().flat_map(char::to_lowercase).nfkd().filter(|c| !is_combining_mark(*c)) {
        match c {
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'ø' => folded.push('o'),
            'đ' | 'ð' => folded.push('d'),
            'ł' => folded.push('l'),
            'ı' => folded.push('i'),
            'þ' => folded.push_str("th"),
            'ς' => folded.push('σ'),
            c => folded.push(c),
        }
    }
    folded
}

/// The words of `text`, folded: runs of letters and digits. An apostrophe inside a word is passed over
/// (`don't` is `dont`); a script written without spaces gives a word per character, so that any part of a
/// name is found.
#[must_use]
pub fn tokens(text: &str) -> Vec<String> {
    let folded = fold(text);
    let mut tokens = Vec::new();
    let mut word = String::new();
    let mut chars = folded.chars().peekable();
    let end = |word: &mut String, tokens: &mut Vec<String>| {
        if !word.is_empty() {
            tokens.push(std::mem::take(word));
        }
    };
    while let Some(c) = chars.next() {
        if is_ideograph(c) {
            end(&mut word, &mut tokens);
            tokens.push(c.to_string());
        } else if c.is_alphanumeric() {
            if word.len() + c.len_utf8() <= TOKEN_BYTES {
                word.push(c);
            }
        } else if is_apostrophe(c) && !word.is_empty() && chars.peek().is_some_and(|next| next.is_alphanumeric()) {
            // Joined.
        } else {
            end(&mut word, &mut tokens);
        }
    }
    end(&mut word, &mut tokens);
    tokens
}

const fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | '\u{2BC}' | '`' | '\u{B4}')
}

/// Han, kana, and their neighbours: written without spaces.
const fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{3FFFF}')
}

/// Whether the words `wanted` stand side by side in `text_tokens`; the last may be only begun when
/// `prefix`. No words at all stand nowhere.
#[must_use]
pub fn contains_phrase(text_tokens: &[String], wanted: &[String], prefix: bool) -> bool {
    let Some((last, front)) = wanted.split_last() else { return false };
    text_tokens.windows(wanted.len()).any(|window| {
        window.split_last().is_some_and(|(end, start)| {
            start == front && if prefix { end.starts_with(last.as_str()) } else { end == last }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_accents_and_width_do_not_count() {
        for (a, b) in [
            ("Motörhead", "MOTORHEAD"),
            ("Sigur Rós", "sigur ros"),
            ("ＡＢＣ", "abc"),
            ("Straße", "STRASSE"),
            ("İstanbul", "istanbul"),
            ("Røyksopp", "royksopp"),
            ("e\u{301}", "é"),
            ("ΟΔΟΣ", "οδος"),
        ] {
            assert_eq!(fold(a), fold(b), "{a}");
        }
    }

    #[test]
    fn words_are_letters_and_digits() {
        assert_eq!(tokens("AC/DC - Don't Stop (Live) [1981]"), ["ac", "dc", "dont", "stop", "live", "1981"]);
        assert_eq!(tokens("久石譲 Piano"), ["久", "石", "譲", "piano"]);
        assert_eq!(tokens(" '-- !"), Vec::<String>::new());
        assert_eq!(tokens("rock ’n’ roll"), ["rock", "n", "roll"]);
    }

    #[test]
    fn a_phrase_is_words_side_by_side() {
        let text = tokens("Kind of Blue in Green");
        assert!(contains_phrase(&text, &tokens("of blue"), false));
        assert!(!contains_phrase(&text, &tokens("kind blue"), false));
        assert!(contains_phrase(&text, &tokens("blue in gr"), true));
        assert!(!contains_phrase(&text, &tokens("blue in gr"), false));
        assert!(!contains_phrase(&text, &[], true));
    }
}
