//! The figures of a report, as SVG text. Plain numbers in, a picture out.

use plotters::{coord::Shift, prelude::*};

/// A picture that could not be drawn.
pub(super) type Drawn = Result<String, String>;

/// One curve of a line figure.
pub(super) struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
    /// Dashed for what others published.
    pub dashed: bool,
}

/// Colours that people with any kind of colour vision can tell apart (Okabe and Ito).
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(90, 90, 90),
    RGBColor(160, 140, 0),
];

fn colour(i: usize) -> RGBColor {
    COLOURS.get(i % COLOURS.len()).copied().unwrap_or(BLACK)
}

fn picture(size: (u32, u32), draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), String>) -> Drawn {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        area.fill(&WHITE).map_err(|e| e.to_string())?;
        draw(&area)?;
        area.present().map_err(|e| e.to_string())?;
    }
    Ok(text)
}

/// Curves over epochs (Fig. 5 and 6 of the paper).
pub(super) fn lines(title: &str, x: &str, y: &str, curves: &[Line]) -> Drawn {
    let all = || curves.iter().flat_map(|c| c.points.iter()).filter(|p| p.0.is_finite() && p.1.is_finite());
    let far = all().map(|p| p.0).fold(1e-9, f64::max);
    let high = all().map(|p| p.1).fold(1e-9, f64::max) * 1.05;
    picture((860, 420), |area| {
        let fail = |e: &dyn std::fmt::Display| e.to_string();
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(50)
            .right_y_label_area_size(0)
            .build_cartesian_2d(0.0..far, 0.0..high)
            .map_err(|e| fail(&e))?;
        chart.configure_mesh().x_desc(x).y_desc(y).light_line_style(WHITE).draw().map_err(|e| fail(&e))?;
        for (i, curve) in curves.iter().enumerate() {
            let ink = colour(i);
            let style = ink.stroke_width(if curve.dashed { 1 } else { 2 });
            let points = curve.points.iter().copied();
            let drawn = if curve.dashed {
                chart.draw_series(DashedLineSeries::new(points, 5, 4, style))
            } else {
                chart.draw_series(LineSeries::new(points, style))
            };
            drawn
                .map_err(|e| fail(&e))?
                .label(curve.name.clone())
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        }
        chart
            .configure_series_labels()
            // Accuracies end high, losses low: the legend goes where the lines are not.
            .position(if rises(curves) { SeriesLabelPosition::LowerRight } else { SeriesLabelPosition::UpperRight })
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()
            .map_err(|e| fail(&e))
    })
}

fn rises(curves: &[Line]) -> bool {
    curves.iter().any(|c| matches!((c.points.first(), c.points.last()), (Some(a), Some(b)) if b.1 > a.1))
}

/// Groups of bars (Fig. 8): a group a genre, a bar a series.
pub(super) fn bars(title: &str, groups: &[String], series: &[(String, Vec<f64>)]) -> Drawn {
    picture((920, 380), |area| {
        let fail = |e: &dyn std::fmt::Display| e.to_string();
        let count = groups.len();
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(44)
            .build_cartesian_2d(0.0..count as f64, 0.0..1.0)
            .map_err(|e| fail(&e))?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(WHITE)
            .x_labels(count * 2 + 1)
            .x_label_formatter(&|x| {
                let middle = (x.fract() - 0.5).abs() < 1e-6;
                if middle { groups.get(*x as usize).cloned().unwrap_or_default() } else { String::new() }
            })
            .draw()
            .map_err(|e| fail(&e))?;
        let width = 0.84 / series.len().max(1) as f64;
        for (s, (name, values)) in series.iter().enumerate() {
            let ink = colour(s);
            let boxes = values.iter().enumerate().map(|(g, &v)| {
                let left = g as f64 + 0.08 + width * s as f64;
                Rectangle::new([(left, 0.0), (left + width * 0.92, v)], ink.filled())
            });
            chart
                .draw_series(boxes)
                .map_err(|e| fail(&e))?
                .label(name.clone())
                .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], ink.filled()));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()
            .map_err(|e| fail(&e))
    })
}

/// A confusion matrix whose rows (true genres) sum to 1 (Fig. 9).
pub(super) fn confusion(title: &str, genres: &[String], rows: &[Vec<f64>]) -> Drawn {
    let n = genres.len() as i32;
    let (cell, left, top) = (46, 86, 66);
    let size = ((left + n * cell + 20) as u32, (top + n * cell + 50) as u32);
    picture(size, |area| {
        let put = |text: &str, at: (i32, i32), size: i32, ink: &RGBColor| {
            let style = ("sans-serif", size).into_font().color(ink);
            area.draw(&Text::new(text.to_owned(), at, style)).map_err(|e| e.to_string())
        };
        put(title, (12, 10), 17, &BLACK)?;
        put("heard as", (left, top - 32), 12, &BLACK)?;
        for (r, name) in genres.iter().enumerate() {
            put(name, (8, top + r as i32 * cell + cell / 2 - 6), 13, &BLACK)?;
            let short: String = name.chars().take(6).collect();
            put(&short, (left + r as i32 * cell + 4, top - 16), 12, &BLACK)?;
            for (c, &share) in rows.get(r).map_or(&[][..], Vec::as_slice).iter().enumerate() {
                let at = (left + c as i32 * cell, top + r as i32 * cell);
                let shade = (255.0 * (1.0 - share)) as u8;
                let ink = RGBColor(shade, shade.saturating_add(((255 - shade) / 4).min(60)), 255);
                let corners = [at, (at.0 + cell - 1, at.1 + cell - 1)];
                area.draw(&Rectangle::new(corners, ink.filled())).map_err(|e| e.to_string())?;
                let text_ink = if share > 0.55 { WHITE } else { BLACK };
                put(&format!("{share:.2}"), (at.0 + 10, at.1 + cell / 2 - 7), 13, &text_ink)?;
            }
        }
        put("rows: the true genre; each row sums to 1", (left, top + n * cell + 14), 12, &BLACK)
    })
}

/// The calibration curve: share right over score.
pub(super) fn calibration(title: &str, bars: &[crate::train::calibrate::Bar]) -> Drawn {
    picture((460, 420), |area| {
        let fail = |e: &dyn std::fmt::Display| e.to_string();
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 16))
            .margin(12)
            .x_label_area_size(38)
            .y_label_area_size(46)
            .build_cartesian_2d(0.0..1.0, 0.0..1.0)
            .map_err(|e| fail(&e))?;
        let mesh = |c: &mut ChartContext<'_, _, Cartesian2d<_, _>>| {
            c.configure_mesh().x_desc("best score").y_desc("share right").light_line_style(WHITE).draw()
        };
        mesh(&mut chart).map_err(|e| fail(&e))?;
        chart.draw_series(LineSeries::new([(0.0, 0.0), (1.0, 1.0)], BLACK.mix(0.4))).map_err(|e| fail(&e))?;
        let points: Vec<(f64, f64)> = bars.iter().filter(|b| b.chunks > 0).map(|b| (b.score, b.right)).collect();
        chart.draw_series(LineSeries::new(points.clone(), colour(0).stroke_width(2))).map_err(|e| fail(&e))?;
        let biggest = f64::from(bars.iter().map(|b| b.chunks).max().unwrap_or(1).max(1));
        let dots = bars.iter().filter(|b| b.chunks > 0).map(|b| {
            let size = 2.0 + 8.0 * (f64::from(b.chunks) / biggest).sqrt();
            Circle::new((b.score, b.right), size as i32, colour(0).filled())
        });
        chart.draw_series(dots).map_err(|e| fail(&e))?;
        Ok(())
    })
}

/// Songs as stacked bars of their proportions (Fig. 7). A row: name, shares of the genres, share unsure.
pub(super) fn songs(title: &str, genres: &[String], rows: &[(String, Vec<f64>, f64)]) -> Drawn {
    let (left, top, row, wide) = (250, 70, 30, 560);
    let size = ((left + wide + 30) as u32, (top + row * rows.len() as i32 + 30) as u32);
    picture(size, |area| {
        let put = |text: &str, at: (i32, i32), size: i32, ink: &RGBColor| {
            let style = ("sans-serif", size).into_font().color(ink);
            area.draw(&Text::new(text.to_owned(), at, style)).map_err(|e| e.to_string())
        };
        let ink = |g: usize| {
            let base = colour(g);
            if g < COLOURS.len() { base } else { RGBColor(base.0 / 2, base.1 / 2, base.2 / 2) }
        };
        put(title, (12, 10), 17, &BLACK)?;
        for (g, name) in genres.iter().enumerate() {
            let at = (12 + g as i32 * 80, 38);
            area.draw(&Rectangle::new([at, (at.0 + 10, at.1 + 10)], ink(g).filled())).map_err(|e| e.to_string())?;
            put(name, (at.0 + 14, at.1 - 2), 12, &BLACK)?;
        }
        for (r, (name, shares, unsure)) in rows.iter().enumerate() {
            let y = top + r as i32 * row;
            let short: String = name.chars().take(36).collect();
            put(&short, (8, y + 5), 12, &BLACK)?;
            let mut x = left;
            let grey = RGBColor(225, 225, 225);
            let parts = shares.iter().enumerate().map(|(g, &s)| (s, ink(g))).chain([(*unsure, grey)]);
            for (share, ink) in parts {
                let width = (share * f64::from(wide)).round() as i32;
                if width > 0 {
                    let corners = [(x, y), (x + width, y + row - 8)];
                    area.draw(&Rectangle::new(corners, ink.filled())).map_err(|e| e.to_string())?;
                    if width > 34 {
                        let dark = u32::from(ink.0) + u32::from(ink.1) + u32::from(ink.2) < 330;
                        let text_ink = if dark { WHITE } else { BLACK };
                        put(&format!("{:.0} %", share * 100.0), (x + 4, y + 4), 11, &text_ink)?;
                    }
                }
                x += width;
            }
        }
        Ok(())
    })
}
