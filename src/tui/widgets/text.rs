//! Text in columns: cut to a width with an ellipsis, padded by what the terminal will really use.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Columns that `text` takes.
#[must_use]
pub fn width(text: &str) -> usize {
    text.graphemes(true).map(UnicodeWidthStr::width).sum()
}

/// `text` in at most `columns` columns, with an ellipsis where something was cut. A wide character is never
/// split.
#[must_use]
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut shown = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let w = UnicodeWidthStr::width(grapheme);
        if used + w + 1 > columns {
            break;
        }
        used += w;
        shown.push_str(grapheme);
    }
    if columns > 0 {
        let trimmed = shown.trim_end().len();
        shown.truncate(trimmed);
        shown.push('…');
    }
    shown
}

/// The end of `text` in at most `columns` columns: for paths, whose end says most.
#[must_use]
pub fn cut_front(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut used = 1;
    for grapheme in text.graphemes(true).rev() {
        let w = UnicodeWidthStr::width(grapheme);
        if used + w > columns {
            break;
        }
        used += w;
        kept.push(grapheme);
    }
    kept.reverse();
    if columns > 0 { format!("…{}", kept.concat()) } else { String::new() }
}

/// `text` in exactly `columns` columns, to the left.
#[must_use]
pub fn left(text: &str, columns: usize) -> String {
    let text = cut(text, columns);
    let gap = columns.saturating_sub(width(&text));
    text + &" ".repeat(gap)
}

/// `text` in exactly `columns` columns, to the right.
#[must_use]
pub fn right(text: &str, columns: usize) -> String {
    let text = cut(text, columns);
    " ".repeat(columns.saturating_sub(width(&text))) + &text
}

/// `text` in lines of at most `columns` columns, broken at spaces where there are any.
#[must_use]
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut word = word.to_owned();
        loop {
            let line = lines.last_mut().map_or("", |l| l.as_str());
            let gap = usize::from(!line.is_empty());
            if width(line) + gap + width(&word) <= columns || columns == 0 {
                if let Some(line) = lines.last_mut() {
                    line.push_str(&" ".repeat(gap));
                    line.push_str(&word);
                }
                break;
            }
            if !line.is_empty() {
                lines.push(String::new());
                continue;
            }
            let mut head = String::new();
            let mut rest = String::new();
            for grapheme in word.graphemes(true) {
                if rest.is_empty() && (head.is_empty() || width(&head) + width(grapheme) <= columns) {
                    head.push_str(grapheme);
                } else {
                    rest.push_str(grapheme);
                }
            }
            if let Some(line) = lines.last_mut() {
                *line = head;
            }
            if rest.is_empty() {
                break;
            }
            lines.push(String::new());
            word = rest;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_and_joined_characters_keep_their_columns() {
        for (text, columns) in [("久石譲 Summer", 7), ("👩\u{200d}🎤 sings", 5), ("Motörhead", 4), ("e\u{301}clair", 3)]
        {
            assert_eq!(width(&left(text, columns)), columns, "{text}");
            assert_eq!(width(&right(text, columns)), columns, "{text}");
            assert!(width(&cut_front(text, columns)) <= columns, "{text}");
        }
        assert_eq!(left("久石譲", 4), "久… ");
        assert_eq!(cut("So What", 7), "So What");
        assert_eq!(cut("So What", 4), "So…");
        assert_eq!(cut_front("/music/a.flac", 8), "…/a.flac");
    }

    #[test]
    fn lines_break_at_spaces() {
        assert_eq!(wrap("mostly jazz with some blues", 12), ["mostly jazz", "with some", "blues"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
    }
}
