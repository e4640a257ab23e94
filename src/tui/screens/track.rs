//! One track: what it is made of, what it sounds like over time, and what its files, the model and the user say
//! of it.

use std::sync::Arc;

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::Shared;
use crate::{
    text::{clean, clean_path},
    track::{Mix, Source},
    tui::{
        data::{Detail, Row, clock},
        event::Effect,
        keys::Action,
        widgets::{bar, ribbon::Ribbon, text, window},
    },
};

/// The track view's state.
#[derive(Debug, Default)]
pub struct Track {
    /// The place in the track that the keys move.
    cursor_ms: Option<u64>,
    /// Where a part begins, once `v` was pressed, and where it ends, once it was pressed again.
    from_ms: Option<u64>,
    to_ms: Option<u64>,
    file: Option<i64>,
    ribbon_area: Rect,
    scroll: usize,
}

impl Track {
    /// The part that is chosen, in ms.
    fn span(&self) -> Option<(u64, u64)> {
        let from = self.from_ms?;
        let to = self.to_ms.or(self.cursor_ms)?;
        let (from, to) = (from.min(to), from.max(to));
        (from < to).then_some((from, to))
    }

    /// Another track is shown.
    pub fn show(&mut self, detail: &Detail) {
        if self.file != Some(detail.row.file) {
            *self = Self { file: Some(detail.row.file), ribbon_area: self.ribbon_area, ..Self::default() };
        }
    }

    /// The part that is chosen in the track of `file`: that of another, still shown, is none of its own.
    #[must_use]
    pub fn span_of(&self, file: i64) -> Option<(u64, u64)> {
        self.span().filter(|_| self.file == Some(file))
    }

    /// Forget the part.
    pub fn forget_span(&mut self) {
        self.from_ms = None;
        self.to_ms = None;
    }

    /// A key.
    pub fn act(&mut self, action: Action, detail: Option<&Detail>) -> Option<Vec<Effect>> {
        let line = detail.and_then(|d| d.timeline.as_ref());
        match action {
            Action::Left | Action::Right => {
                let line = line?;
                let chunk = line.chunk_ms.max(1);
                let now = self.cursor_ms.unwrap_or(line.start_ms);
                self.cursor_ms = Some(match action {
                    Action::Left => now.saturating_sub(chunk).max(line.start_ms),
                    _ if self.cursor_ms.is_none() => now,
                    _ => (now + chunk).min(line.end_ms()),
                });
            }
            Action::Span => {
                let line = line?;
                let now = *self.cursor_ms.get_or_insert(line.start_ms);
                match (self.from_ms, self.to_ms) {
                    (Some(from), None) if from != now => self.to_ms = Some(now),
                    _ => {
                        self.from_ms = Some(now);
                        self.to_ms = None;
                    }
                }
            }
            Action::Top => self.cursor_ms = line.map(|l| l.start_ms),
            Action::Bottom => self.cursor_ms = line.map(super::super::data::Timeline::end_ms),
            Action::Back if self.from_ms.is_some() => self.forget_span(),
            Action::Down => self.scroll += 1,
            Action::Up => self.scroll = self.scroll.saturating_sub(1),
            _ => return None,
        }
        Some(Vec::new())
    }

    /// The mouse clicked: a place in the ribbon.
    pub fn click(&mut self, column: u16, row: u16, detail: Option<&Detail>) {
        let Some((detail, line)) = detail.and_then(|d| d.timeline.as_ref().map(|line| (d, line))) else { return };
        if self.ribbon_area.contains((column, row).into()) {
            let ribbon = Ribbon { timeline: line, duration_ms: duration(detail), cursor_ms: None, span_ms: None };
            self.cursor_ms = Some(ribbon.at(column - self.ribbon_area.x, self.ribbon_area.width));
        }
    }

    /// Draw it.
    pub fn draw(&mut self, frame: &mut Frame<'_>, area: Rect, shared: &Shared, detail: Option<&Detail>) {
        let theme = shared.theme;
        let Some(detail) = detail else {
            frame.render_widget(Line::styled("choose a track in the library (1)", theme.dim()), area);
            return;
        };
        let row = &detail.row;
        window::line(frame, area, 0, title_pieces(row, shared));
        let album = [row.album.clone(), row.year.map(|y| y.to_string()).unwrap_or_default()];
        let album: Vec<String> = album.into_iter().filter(|s| !s.is_empty()).collect();
        window::line(frame, area, 1, vec![(album.join(" · "), theme.dim())]);

        let bar_area = Rect { y: area.y + 3, height: 1, ..area };
        if area.height > 4 {
            bar::draw(row.mix.as_ref(), bar_area, frame.buffer_mut(), theme, &shared.genres);
            legend(frame, Rect { y: area.y + 4, height: 1, ..area }, row.mix.as_ref(), shared);
        }
        let ribbon_height = if area.height >= 30 { 8 } else { 6 };
        let mut y = area.y + 6;
        if area.bottom() > y + ribbon_height + 1 {
            let part = self.span().map_or_else(
                || self.cursor_ms.map(clock).unwrap_or_default(),
                |(a, b)| format!("part {} - {}", clock(a), clock(b)),
            );
            window::heading(frame, Rect { y, height: 1, ..area }, "Over time", &part, false, theme);
            let ribbon_area = Rect { y: y + 1, height: ribbon_height, ..area };
            self.ribbon_area = ribbon_area;
            ribbon(frame, ribbon_area, detail, self.cursor_ms, self.span(), shared);
            y += ribbon_height + 2;
        }
        let rest = Rect { y, height: area.bottom().saturating_sub(y), ..area };
        let wide = area.width >= 100;
        let left = Rect { width: if wide { area.width / 2 - 1 } else { area.width }, ..rest };
        let mut lines = sources(detail, shared);
        if !wide {
            lines.push(Line::default());
            lines.extend(files(detail, shared, usize::from(left.width)));
            lines.extend(similar(detail, shared, usize::from(left.width)));
        }
        self.scroll = self.scroll.min(lines.len().saturating_sub(usize::from(left.height)));
        window::heading(frame, left, "Who says what", if wide { "" } else { "j k" }, false, theme);
        paragraph(frame, Rect { y: left.y + 1, height: left.height.saturating_sub(1), ..left }, &lines, self.scroll);
        if wide {
            let right = Rect { x: left.right() + 2, width: area.width - left.width - 2, ..rest };
            let name = if detail.files.len() == 1 { "File" } else { "Files" };
            window::heading(frame, right, name, "", false, theme);
            let mut lines = files(detail, shared, usize::from(right.width));
            lines.extend(similar(detail, shared, usize::from(right.width)));
            paragraph(frame, Rect { y: right.y + 1, height: right.height.saturating_sub(1), ..right }, &lines, 0);
        }
    }
}

fn paragraph(frame: &mut Frame<'_>, area: Rect, lines: &[Line<'_>], scroll: usize) {
    for (i, line) in lines.iter().skip(scroll).take(usize::from(area.height)).enumerate() {
        frame.render_widget(line, Rect { y: area.y + i as u16, height: 1, ..area });
    }
}

fn duration(detail: &Detail) -> u64 {
    detail.row.duration_ms.unwrap_or_default()
}

fn title_pieces(row: &Row, shared: &Shared) -> Vec<(String, Style)> {
    let theme = shared.theme;
    let mut pieces = vec![(row.title.clone(), theme.accent())];
    if !row.artist.is_empty() {
        pieces.push((format!("  {}", row.artist), theme.text()));
    }
    if let Some(ms) = row.duration_ms {
        pieces.push((format!("  {}", clock(ms)), theme.dim()));
    }
    if !row.present {
        pieces.push(("  the file is not there".into(), theme.warn()));
    }
    pieces
}

/// The names of a mix's genres with letter, colour and share.
fn legend(frame: &mut Frame<'_>, area: Rect, mix: Option<&Mix>, shared: &Shared) {
    let theme = shared.theme;
    let Some(mix) = mix else {
        frame.render_widget(Line::styled("not heard yet", theme.dim()), area);
        return;
    };
    let mut pieces = Vec::new();
    let mut used = 0;
    let percent = |n: u32| (f64::from(n) * 100.0 / f64::from(mix.chunks())).round();
    for (genre, n) in mix.won() {
        let text = format!("{} {} {}%", shared.genres.letter(genre), shared.genres.name(genre), percent(*n));
        used += text::width(&text) + 3;
        if used > usize::from(area.width) {
            pieces.push(("…".to_owned(), theme.dim()));
            break;
        }
        pieces.push((text, Style::new().fg(shared.genres.colour(theme, genre))));
        pieces.push(("   ".to_owned(), Style::new()));
    }
    if mix.unsure() > 0 && used + 13 <= usize::from(area.width) {
        pieces.push((format!("· unsure {}%", percent(mix.unsure())), theme.dim()));
    }
    window::line(frame, area, 0, pieces);
}

fn ribbon(
    frame: &mut Frame<'_>,
    area: Rect,
    detail: &Detail,
    cursor_ms: Option<u64>,
    span_ms: Option<(u64, u64)>,
    shared: &Shared,
) {
    match &detail.timeline {
        Some(timeline) => {
            let ribbon = Ribbon { timeline, duration_ms: duration(detail), cursor_ms, span_ms };
            ribbon.draw(area, frame.buffer_mut(), shared.theme, &shared.genres);
        }
        None => frame.render_widget(Line::styled("nobody has listened to it yet", shared.theme.dim()), area),
    }
}

/// The ribbon of the track under a list's cursor.
pub fn preview(frame: &mut Frame<'_>, area: Rect, detail: Option<&Detail>, shared: &Shared) {
    let Some(detail) = detail else {
        window::heading(frame, area, "", "", false, shared.theme);
        return;
    };
    let row = &detail.row;
    let name = row.name();
    let by = match (&detail.model, row.mix.as_ref().map(Mix::source)) {
        (_, Some(Source::User)) => "corrected by you".to_owned(),
        (Some((name, _)), Some(Source::Model)) => format!("heard by {name}"),
        (_, Some(Source::File)) => "as its tags say".to_owned(),
        _ => String::new(),
    };
    let room = usize::from(area.width).saturating_sub(text::width(&by) + 5);
    window::heading(frame, area, &text::cut(&name, room), &by, false, shared.theme);
    let inside = Rect { y: area.y + 1, height: area.height.saturating_sub(2), ..area };
    ribbon(frame, inside, detail, None, None, shared);
}

fn words_line(label: &str, mix: Option<&Mix>, none: &str, shared: &Shared) -> Line<'static> {
    let theme = shared.theme;
    let mut spans = vec![Span::styled(text::left(label, 12), theme.dim())];
    match mix {
        Some(mix) => {
            for (i, (genre, word)) in bar::words(mix, 64, &shared.genres).into_iter().enumerate() {
                let style = genre.map_or(theme.dim(), |g| Style::new().fg(shared.genres.colour(theme, &g)));
                spans.push(Span::raw(if i > 0 { "  " } else { "" }));
                spans.push(Span::styled(word, style));
            }
        }
        None => spans.push(Span::styled(none.to_owned(), theme.dim())),
    }
    Line::from(spans)
}

fn sources(detail: &Detail, shared: &Shared) -> Vec<Line<'static>> {
    let theme = shared.theme;
    let user = detail.row.mix.as_ref().filter(|mix| mix.source() == Source::User);
    let mut lines = vec![words_line("you", user, "nothing (e corrects)", shared)];
    for said in detail.corrections.iter().filter(|c| c.undone_ms.is_none()) {
        let Some(span) = said.span else { continue };
        let genres: Vec<&str> = said.genres.iter().map(|(slug, _)| slug.as_str()).collect();
        let text = format!("{} - {}  {}", clock(span.start_ms), clock(span.end_ms), genres.join(", "));
        lines.push(Line::from(vec![Span::raw(" ".repeat(12)), Span::styled(text, theme.soft())]));
    }
    lines.push(words_line("the model", detail.heard.as_ref(), "has not heard it", shared));
    if let Some((name, id)) = &detail.model {
        let id: String = id.chars().take(12).collect();
        let when = detail.heard_ms.and_then(day).map(|d| format!(", {d}")).unwrap_or_default();
        let text = clean(&format!("{name} ({id}){when}")).into_owned();
        lines.push(Line::from(vec![Span::raw(" ".repeat(12)), Span::styled(text, theme.dim())]));
    }
    let mut said: Vec<(String, bool)> = Vec::new();
    for file in &detail.files {
        let ours = file.written.as_ref() == Some(&file.genres);
        for genre in &file.genres {
            let genre = clean(genre).into_owned();
            if !said.iter().any(|(g, _)| *g == genre) {
                said.push((genre, ours));
            }
        }
    }
    let names: Vec<&str> = said.iter().map(|(g, _)| g.as_str()).collect();
    let mut spans = vec![Span::styled(text::left("the file", 12), theme.dim())];
    if names.is_empty() {
        spans.push(Span::styled("no genre", theme.dim()));
    } else {
        spans.push(Span::styled(names.join(", "), theme.soft()));
        if said.iter().any(|(_, ours)| *ours) {
            spans.push(Span::styled("  (written by deepcuts)", theme.dim()));
        }
    }
    lines.push(Line::from(spans));
    lines
}

fn files(detail: &Detail, shared: &Shared, width: usize) -> Vec<Line<'static>> {
    let theme = shared.theme;
    detail
        .files
        .iter()
        .flat_map(|file| {
            let style = if file.present { theme.soft() } else { theme.warn() };
            let path = text::cut_front(&clean_path(&file.path), width);
            let megabytes = file.size as f64 / 1_000_000.0;
            let gone = if file.present { "" } else { "  not there" };
            let facts = format!("{}  {megabytes:.1} MB{gone}", file.format);
            [Line::styled(path, style), Line::styled(facts, theme.dim())]
        })
        .collect()
}

fn similar(detail: &Detail, shared: &Shared, width: usize) -> Vec<Line<'static>> {
    if detail.similar.is_empty() {
        return Vec::new();
    }
    let theme = shared.theme;
    let mut lines = vec![Line::default(), Line::styled("Sounds alike", theme.heading())];
    for (percent, row) in &detail.similar {
        let name = row.name();
        lines.push(Line::from(vec![
            Span::styled(format!("{percent:>3}%  "), theme.dim()),
            Span::styled(text::cut(&name, width.saturating_sub(6)), theme.soft()),
        ]));
    }
    lines
}

/// A day as people read it.
pub fn day(ms: i64) -> Option<String> {
    let time = jiff::Timestamp::from_millisecond(ms).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d").to_string())
}

/// The detail, if it is that of a row's file.
#[must_use]
pub fn matching<'a>(detail: Option<&'a Detail>, row: Option<&Arc<Row>>) -> Option<&'a Detail> {
    detail.filter(|d| row.is_none_or(|row| row.track == d.row.track))
}
