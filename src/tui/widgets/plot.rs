//! Curves: a few lines over the same axes, drawn in dots, named at their ends.

use ratatui::{
    Frame,
    layout::Rect,
    style::{Color, Style},
};

use super::{dots::Dots, text};
use crate::tui::theme::Theme;

/// A curve.
#[derive(Clone, Debug)]
pub struct Curve<'a> {
    /// Its name, in the line above; one without a name is drawn only.
    pub name: &'a str,
    /// Points by rising x.
    pub points: Vec<(f64, f64)>,
    /// Its colour.
    pub colour: Color,
}

/// Columns that the labels of the y axis take.
const LABELS: u16 = 6;

/// Draw curves over the whole of `area`: names above, the axes at the left and below. `low..high` is the y axis;
/// what the x axis counts is said as `unit`.
pub fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    curves: &[Curve<'_>],
    (low, high): (f64, f64),
    unit: &str,
    theme: Theme,
) {
    if area.width < LABELS + 8 || area.height < 4 {
        return;
    }
    let mut x = area.x + LABELS;
    for (i, curve) in curves.iter().filter(|c| !c.name.is_empty()).enumerate() {
        let label = format!("{} {}", ["━", "╍", "┅", "╌"][i % 4], curve.name);
        if x + text::width(&label) as u16 >= area.right() {
            break;
        }
        frame.buffer_mut().set_string(x, area.y, &label, Style::new().fg(curve.colour));
        x += text::width(&label) as u16 + 3;
    }
    let field = Rect { x: area.x + LABELS, y: area.y + 1, width: area.width - LABELS, height: area.height - 2 };
    for (share, y) in [(1.0, field.y), (0.5, field.y + field.height / 2), (0.0, field.bottom() - 1)] {
        let value = low + (high - low) * share;
        let label = text::right(&format!("{value:.2}"), usize::from(LABELS) - 1);
        frame.buffer_mut().set_string(area.x, y, label, theme.dim());
        for x in (field.x..field.right()).step_by(3) {
            frame.buffer_mut().set_string(x, y, "·", theme.rule());
        }
    }
    let most = curves.iter().flat_map(|c| &c.points).map(|p| p.0).fold(0.0_f64, f64::max);
    let end = format!("{most:.0} {unit}");
    frame.buffer_mut().set_string(field.x, area.bottom() - 1, "0", theme.dim());
    let end_x = area.right().saturating_sub(text::width(&end) as u16).max(field.x + 2);
    frame.buffer_mut().set_stringn(end_x, area.bottom() - 1, end, usize::from(area.right() - end_x), theme.dim());
    for curve in curves {
        let mut dots = Dots::new(field.width, field.height);
        let place = |(x, y): (f64, f64)| {
            let across = if most > 0.0 { x / most } else { 0.0 };
            let up = ((y - low) / (high - low)).clamp(0.0, 1.0);
            let (w, h) = ((dots.width() - 1) as f64, (dots.height() - 1) as f64);
            ((across.clamp(0.0, 1.0) * w).round() as usize, ((1.0 - up) * h).round() as usize)
        };
        let places: Vec<(usize, usize)> =
            curve.points.iter().filter(|(x, y)| x.is_finite() && y.is_finite()).map(|p| place(*p)).collect();
        if let [only] = places.as_slice() {
            dots.set(only.0, only.1, curve.colour);
        }
        for pair in places.windows(2) {
            dots.line(pair[0], pair[1], curve.colour);
        }
        dots.draw(field, frame.buffer_mut());
    }
}
