//! How a genre is spelled between the two programs.

use unicode_normalization::UnicodeNormalization;

/// Lower case, accents folded, `&` as `n`, letters and digits only.
#[must_use]
pub fn slug(text: &str) -> String {
    text.nfkd()
        .flat_map(char::to_lowercase)
        .filter_map(|c| match c {
            '&' => Some('n'),
            c if c.is_alphanumeric() => Some(c),
            _ => None,
        })
        .collect()
}
