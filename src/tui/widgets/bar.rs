//! The share bar: what a track is made of, in one line.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use crate::{
    genre::Genre,
    track::Mix,
    tui::theme::{Depth, Genres, Theme},
};

/// Left part of a cell, in eighths.
const EIGHTHS: [&str; 8] = [" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// How many of `parts` units each genre and, last, what is unsure gets: proportional, by largest remainder, so
/// that they always sum to `parts`.
#[must_use]
pub fn portions(mix: &Mix, parts: u32) -> Vec<(Option<Genre>, u32)> {
    let won = mix.won().iter().map(|(g, n)| (Some(g.clone()), *n)).chain([(None, mix.unsure())]);
    let chunks = u64::from(mix.chunks());
    let mut portions: Vec<(Option<Genre>, u32, u64)> = won
        .map(|(genre, n)| {
            let scaled = u64::from(n) * u64::from(parts);
            (genre, (scaled / chunks) as u32, scaled % chunks)
        })
        .collect();
    let given: u32 = portions.iter().map(|(_, n, _)| n).sum();
    let mut by_rest: Vec<usize> = (0..portions.len()).collect();
    by_rest.sort_by_key(|&i| (std::cmp::Reverse(portions[i].2), i));
    for &i in by_rest.iter().take((parts - given.min(parts)) as usize) {
        portions[i].1 += 1;
    }
    portions.into_iter().filter(|(_, n, _)| *n > 0).map(|(genre, n, _)| (genre, n)).collect()
}

/// Draw the bar of `mix` over the whole of `area`.
pub fn draw(mix: Option<&Mix>, area: Rect, buffer: &mut Buffer, theme: Theme, genres: &Genres) {
    let area = area.intersection(buffer.area);
    let Some(mix) = mix.filter(|_| area.width > 0) else {
        for x in area.left()..area.right() {
            for y in area.top()..area.bottom() {
                buffer[(x, y)].set_symbol("·").set_style(theme.rule());
            }
        }
        return;
    };
    for y in area.top()..area.bottom() {
        let line = Rect { y, height: 1, ..area };
        if theme.depth >= Depth::Indexed {
            smooth(mix, line, buffer, theme, genres);
        } else {
            lettered(mix, line, buffer, theme, genres);
        }
    }
}

/// Whole cells, a letter in each.
fn lettered(mix: &Mix, line: Rect, buffer: &mut Buffer, theme: Theme, genres: &Genres) {
    let mut x = line.left();
    for (genre, cells) in portions(mix, u32::from(line.width)) {
        for _ in 0..cells {
            let cell = &mut buffer[(x, line.y)];
            match &genre {
                Some(genre) => {
                    cell.set_char(genres.letter(genre));
                    if theme.depth == Depth::Sixteen {
                        cell.set_style(Style::new().fg(genres.colour(theme, genre)));
                    }
                }
                None => {
                    cell.set_symbol("·").set_style(theme.dim());
                }
            }
            x += 1;
        }
    }
}

/// Boundaries to an eighth of a cell; the letter of each genre where its part begins.
fn smooth(mix: &Mix, line: Rect, buffer: &mut Buffer, theme: Theme, genres: &Genres) {
    let parts = portions(mix, u32::from(line.width) * 8);
    let colour = |genre: &Option<Genre>| match genre {
        Some(genre) => genres.colour(theme, genre),
        None => theme.unsure_colour(),
    };
    let mut ends = Vec::with_capacity(parts.len());
    let mut sum = 0;
    for (genre, n) in &parts {
        sum += n;
        ends.push((sum, genre));
    }
    let at = |eighth: u32| ends.iter().find(|(end, _)| eighth < *end).or(ends.last());
    for i in 0..line.width {
        let (from, to) = (u32::from(i) * 8, u32::from(i) * 8 + 8);
        let (Some((end, first)), Some((_, last))) = (at(from), at(to - 1)) else { continue };
        let cell = &mut buffer[(line.left() + i, line.y)];
        if first == last {
            cell.set_symbol(" ").set_style(Style::new().bg(colour(first)));
        } else {
            let split = (end - from).min(7) as usize;
            cell.set_symbol(EIGHTHS[split]).set_style(Style::new().fg(colour(first)).bg(colour(last)));
        }
    }
    let mut start: u32 = 0;
    for (end, genre) in &ends {
        // The first cell that is wholly this genre's.
        let cell = start.div_ceil(8);
        if let Some(genre) = genre.as_ref().filter(|_| (cell + 1) * 8 <= *end) {
            let x = line.left() + cell as u16;
            let style = Style::new().fg(theme.ground_colour()).bg(genres.colour(theme, genre));
            buffer[(x, line.y)].set_char(genres.letter(genre)).set_style(style);
        }
        start = *end;
    }
}

/// The largest shares in words, as many as fit into `columns`: `jazz 71  blues 19`.
#[must_use]
pub fn words(mix: &Mix, columns: usize, genres: &Genres) -> Vec<(Option<Genre>, String)> {
    let percent = |n: u32| (f64::from(n) * 100.0 / f64::from(mix.chunks())).round() as u32;
    let won = mix.won().iter().map(|(g, n)| (Some(g.clone()), genres.name(g).to_lowercase(), percent(*n)));
    let unsure = [(None, "unsure".to_owned(), percent(mix.unsure()))];
    // Where little is sure, that is the first thing to know.
    let (before, after) = if mix.unsure() > mix.won().first().map_or(0, |(_, n)| *n) {
        (Some(unsure), None)
    } else {
        (None, Some(unsure))
    };
    let mut words = Vec::new();
    let mut used = 0;
    let all = before.into_iter().flatten().chain(won).chain(after.into_iter().flatten());
    for (genre, name, percent) in all.filter(|(_, _, percent)| *percent > 0) {
        let word = format!("{name} {percent}");
        let gap = if words.is_empty() { 0 } else { 2 };
        let wide = super::text::width(&word);
        if used + gap + wide > columns {
            if words.is_empty() {
                words.push((genre, super::text::cut(&word, columns)));
            }
            break;
        }
        used += gap + wide;
        words.push((genre, word));
    }
    words
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{genre::Taxonomy, track::Source};

    fn mix(won: &[(&str, u32)], chunks: u32) -> Mix {
        Mix::new(won.iter().map(|(g, n)| (Genre::new(g).unwrap(), *n)), chunks, Source::Model).unwrap()
    }

    #[test]
    fn portions_always_fill_the_bar() {
        for width in 1..40 {
            let m = mix(&[("jazz", 50), ("blues", 21), ("pop", 9), ("rock", 1)], 97);
            assert_eq!(portions(&m, width).iter().map(|(_, n)| n).sum::<u32>(), width);
        }
        let thirds = portions(&mix(&[("jazz", 1), ("blues", 1)], 3), 9);
        assert_eq!(thirds.iter().map(|(_, n)| *n).collect::<Vec<_>>(), [3, 3, 3]);
    }

    #[test]
    fn without_colours_letters_say_it() {
        let genres = Genres::of(&{
            let mut t = Taxonomy::default();
            for name in ["Jazz", "Blues"] {
                t.add(name);
            }
            t
        });
        let mut buffer = Buffer::empty(Rect::new(0, 0, 10, 1));
        let m = mix(&[("jazz", 6), ("blues", 2)], 10);
        draw(Some(&m), buffer.area, &mut buffer, Theme::new(Depth::Mono), &genres);
        let line: String = buffer.content.iter().map(|c| c.symbol()).collect();
        assert_eq!(line, "JJJJJJBB··");
        let words: Vec<String> = words(&m, 17, &genres).into_iter().map(|(_, w)| w).collect();
        assert_eq!(words, ["jazz 60", "blues 20"]);
    }
}
