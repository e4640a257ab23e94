//! The report of a retraining: what is better, what is worse, what the gate says, which tracks would change.

use deepcuts_protocol::{GenreGain, Paired};
use ratatui::{Frame, layout::Rect, style::Style};

use super::{Change, Verdict};
use crate::{
    genre::Genre,
    tui::{
        data::thousands,
        screens::Shared,
        widgets::{bar, text, window},
    },
};

/// A line of the report.
enum Entry<'a> {
    Pieces(Vec<(String, Style)>),
    Change(&'a Change),
}

/// Draw it from line `scroll` on.
pub fn draw(frame: &mut Frame<'_>, area: Rect, verdict: &Verdict, scroll: &mut usize, shared: &Shared) {
    let entries = entries(verdict, shared, usize::from(area.width));
    *scroll = (*scroll).min(entries.len().saturating_sub(usize::from(area.height)));
    for (i, entry) in entries.iter().skip(*scroll).take(usize::from(area.height)).enumerate() {
        match entry {
            Entry::Pieces(pieces) => window::line(frame, area, i as u16, pieces.clone()),
            Entry::Change(change) => {
                draw_change(frame, Rect { y: area.y + i as u16, height: 1, ..area }, change, shared);
            }
        }
    }
}

fn entries<'a>(v: &'a Verdict, shared: &Shared, width: usize) -> Vec<Entry<'a>> {
    let theme = shared.theme;
    let mut entries = Vec::new();
    let word = if v.passes { "It may be used" } else { "Better not used" };
    let style = if v.passes { theme.good() } else { theme.bad() };
    entries.push(Entry::Pieces(vec![(word.to_owned(), style)]));
    for reason in &v.reasons {
        for line in text::wrap(reason, width) {
            entries.push(Entry::Pieces(vec![(line, theme.soft())]));
        }
    }
    entries.push(Entry::Pieces(Vec::new()));
    entries.push(paired("your tracks", &v.mine, shared));
    match &v.base {
        Some(base) => entries.push(paired("the base", base, shared)),
        None => entries.push(Entry::Pieces(vec![
            (text::left("the base", 13), theme.dim()),
            ("could not be judged: this model has no replay set".to_owned(), theme.warn()),
        ])),
    }
    if !v.new_genres.is_empty() {
        entries
            .push(Entry::Pieces(vec![(text::left("new", 13), theme.dim()), (v.new_genres.join(", "), theme.accent())]));
    }
    if !v.genres.is_empty() {
        entries.push(Entry::Pieces(Vec::new()));
        entries.push(heading("By genre", "your tracks          the base", width, shared));
        entries.extend(v.genres.iter().map(|g| genre(g, shared, width)));
    }
    if v.of > 0 {
        entries.push(Entry::Pieces(Vec::new()));
        let title = format!("{} of {} tracks would have another main genre", thousands(v.changed), thousands(v.of));
        entries.push(heading(&title, "", width, shared));
    }
    entries.extend(v.biggest.iter().map(Entry::Change));
    if !v.document.is_empty() {
        entries.push(Entry::Pieces(Vec::new()));
        let room = width.saturating_sub(13);
        let path = text::cut_front(&v.document, room);
        entries.push(Entry::Pieces(vec![(text::left("all of it", 13), theme.dim()), (path, theme.soft())]));
    }
    if !v.doubts.is_empty() {
        entries.push(Entry::Pieces(Vec::new()));
        entries.push(heading("Look at these again: all else contradicts you", "", width, shared));
        for doubt in &v.doubts {
            let name = text::left(&text::cut(&doubt.name, width / 2 - 1), width / 2);
            let words = format!("you: {}   all else: {}", doubt.said, doubt.heard);
            let words = text::cut(&words, width - width / 2);
            entries.push(Entry::Pieces(vec![(name, theme.text()), (words, theme.warn())]));
        }
    }
    entries
}

fn heading<'a>(title: &str, note: &str, width: usize, shared: &Shared) -> Entry<'a> {
    let theme = shared.theme;
    let title = text::cut(title, width);
    let rule = width.saturating_sub(text::width(&title) + text::width(note) + 2);
    Entry::Pieces(vec![
        (format!("{title} "), theme.heading()),
        ("─".repeat(rule), theme.rule()),
        (format!(" {note}"), theme.dim()),
    ])
}

/// `61.2 → 78.4 %  +17.2 (+6.1 to +28.0)   42 tracks, 11 artists`
fn paired<'a>(label: &str, p: &Paired, shared: &Shared) -> Entry<'a> {
    let theme = shared.theme;
    if p.tracks == 0 {
        return Entry::Pieces(vec![
            (text::left(label, 13), theme.dim()),
            ("nothing to judge on".to_owned(), theme.warn()),
        ]);
    }
    let style = if p.gain_low > 0.0 {
        theme.good()
    } else if p.gain_high < 0.0 {
        theme.bad()
    } else {
        theme.text()
    };
    let gain = format!("{:+5.1} ({:+.1} to {:+.1})", p.gain * 100.0, p.gain_low * 100.0, p.gain_high * 100.0);
    Entry::Pieces(vec![
        (text::left(label, 13), theme.dim()),
        (format!("{:>4.1} → {:>4.1} %  ", p.before * 100.0, p.after * 100.0), theme.text()),
        (text::left(&gain, 23), style),
        (format!("{} tracks, {} artists", thousands(p.tracks as usize), p.groups), theme.dim()),
    ])
}

fn genre<'a>(g: &GenreGain, shared: &Shared, width: usize) -> Entry<'a> {
    let theme = shared.theme;
    let known = Genre::new(&g.genre);
    let name = known.as_ref().map_or(g.genre.as_str(), |genre| shared.genres.name(genre));
    let letter = known.as_ref().map_or('*', |genre| shared.genres.letter(genre));
    let style = known.as_ref().map_or(theme.text(), |genre| Style::new().fg(shared.genres.colour(theme, genre)));
    let change = |before: f64, after: f64| {
        if after > before + 0.005 {
            theme.good()
        } else if after < before - 0.005 {
            theme.warn()
        } else {
            theme.text()
        }
    };
    let mine = if g.tracks == 0 {
        text::left("", 27)
    } else {
        format!(
            "{:>3} → {:>3} % ({:.0}-{:.0}) of {}",
            (g.before * 100.0).round(),
            (g.after * 100.0).round(),
            g.after_low * 100.0,
            g.after_high * 100.0,
            g.tracks
        )
    };
    let base = if g.base_clips == 0 {
        "-".to_owned()
    } else {
        format!("{:>3} → {:>3} %", (g.base_before * 100.0).round(), (g.base_after * 100.0).round())
    };
    let name_width = width.saturating_sub(27 + 16).clamp(12, 30);
    Entry::Pieces(vec![
        (text::left(&format!("{letter} {}", crate::text::clean(name)), name_width), style),
        (text::left(&mine, 29), change(g.before, g.after)),
        (base, if g.base_clips == 0 { theme.dim() } else { change(g.base_before, g.base_after) }),
    ])
}

/// `So What · Miles Davis   [bar]  jazz → blues   64 % of it`
fn draw_change(frame: &mut Frame<'_>, line: Rect, change: &Change, shared: &Shared) {
    let theme = shared.theme;
    let width = usize::from(line.width);
    let bar_width = (width / 5).clamp(8, 24);
    let words = 24;
    let name = width.saturating_sub(bar_width + 2 + words + 6);
    let shown = text::left(&text::cut(&change.name, name - 1), name);
    window::line(frame, line, 0, vec![(shown, theme.text())]);
    let x = line.x + name as u16;
    let bar_area = Rect { x, width: bar_width as u16, ..line };
    bar::draw(change.mix.as_ref(), bar_area, frame.buffer_mut(), theme, &shared.genres);
    let word = |genre: &Option<Genre>| match genre {
        Some(g) => (shared.genres.name(g).to_lowercase(), Style::new().fg(shared.genres.colour(theme, g))),
        None => ("unsure".to_owned(), theme.dim()),
    };
    let (from, from_style) = word(&change.before);
    let (to, to_style) = word(&change.after);
    let rest = Rect { x: bar_area.right() + 2, width: (words + 6) as u16, ..line };
    let gap = words.saturating_sub(text::width(&from) + text::width(&to) + 3);
    let pieces = vec![
        (from, from_style),
        (" → ".to_owned(), theme.dim()),
        (to, to_style),
        (" ".repeat(gap), theme.dim()),
        (format!("{:>3.0} %", change.moved * 100.0), theme.dim()),
    ];
    window::line(frame, rest, 0, pieces);
}
