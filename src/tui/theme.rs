//! What things look like: colours for every depth of terminal, and a letter for every genre.
//!
//! A terminal has 16 million, 256, 16 or no colours; each colour of a palette has an answer for all four, so that
//! nothing else in the UI asks. Where a colour carries meaning (a genre), a letter carries it too.

mod genres;
mod palette;

use ratatui::style::{Color, Modifier, Style};

pub use self::genres::{Genres, Look};
use self::palette::{Palette, Tone};

/// How many colours the terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None: bold, dim and reverse only.
    Mono,
    /// The sixteen of every terminal.
    Sixteen,
    /// The cube of 256.
    Indexed,
    /// All of them.
    True,
}

impl Depth {
    /// What the setting and the environment ask for. `NO_COLOR` wins over everything.
    #[must_use]
    pub fn detect(setting: &str, env: impl Fn(&str) -> Option<String>) -> Self {
        let has = |key: &str| env(key).filter(|v| !v.is_empty());
        if has("NO_COLOR").is_some() || setting == "mono" {
            return Self::Mono;
        }
        let term = has("TERM").unwrap_or_default();
        if matches!(has("COLORTERM").as_deref(), Some("truecolor" | "24bit")) || term.ends_with("-direct") {
            return Self::True;
        }
        match term.as_str() {
            "dumb" | "vt100" | "vt220" => Self::Mono,
            t if t.contains("256") || t.contains("kitty") || t.contains("alacritty") => Self::Indexed,
            _ => Self::Sixteen,
        }
    }
}

/// The look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// How many colours there are.
    pub depth: Depth,
    palette: &'static Palette,
}

impl Theme {
    /// The default look.
    #[must_use]
    pub const fn new(depth: Depth) -> Self {
        Self { depth, palette: &palette::DARK }
    }

    /// The look that the settings name; the default where there is none of that name.
    #[must_use]
    pub fn named(name: &str, depth: Depth) -> Self {
        let palette = palette::ALL.into_iter().find(|p| p.name == name).unwrap_or(&palette::DARK);
        Self { depth, palette }
    }

    /// The colour of a genre by its place among the genres.
    fn genre(self, place: usize) -> Color {
        self.colour(self.palette.genre(place))
    }

    fn colour(self, tone: Tone) -> Color {
        match self.depth {
            Depth::Mono => Color::Reset,
            Depth::Sixteen => tone.ansi,
            Depth::Indexed => Color::Indexed(nearest_of_256(tone.rgb)),
            Depth::True => Color::Rgb(tone.rgb.0, tone.rgb.1, tone.rgb.2),
        }
    }

    fn fg(self, tone: Tone) -> Style {
        Style::new().fg(self.colour(tone))
    }

    /// Everything that is drawn on nothing.
    #[must_use]
    pub fn ground(self) -> Style {
        self.fg(self.palette.text).bg(self.colour(self.palette.ground))
    }

    /// The colour behind everything.
    #[must_use]
    pub fn ground_colour(self) -> Color {
        self.colour(self.palette.ground)
    }

    /// A window on top of a screen.
    #[must_use]
    pub fn raised(self) -> Style {
        self.fg(self.palette.text).bg(self.colour(self.palette.raised))
    }

    /// Plain text.
    #[must_use]
    pub fn text(self) -> Style {
        self.fg(self.palette.text)
    }

    /// Text that matters less.
    #[must_use]
    pub fn soft(self) -> Style {
        self.fg(self.palette.soft)
    }

    /// Text that matters least.
    #[must_use]
    pub fn dim(self) -> Style {
        if self.depth == Depth::Mono { Style::new().add_modifier(Modifier::DIM) } else { self.fg(self.palette.dim) }
    }

    /// Lines between things.
    #[must_use]
    pub fn rule(self) -> Style {
        if self.depth == Depth::Mono { Style::new().add_modifier(Modifier::DIM) } else { self.fg(self.palette.rule) }
    }

    /// What draws the eye.
    #[must_use]
    pub fn accent(self) -> Style {
        self.fg(self.palette.accent).add_modifier(Modifier::BOLD)
    }

    /// A heading.
    #[must_use]
    pub fn heading(self) -> Style {
        self.fg(self.palette.soft).add_modifier(Modifier::BOLD)
    }

    /// It went well.
    #[must_use]
    pub fn good(self) -> Style {
        self.fg(self.palette.good)
    }

    /// Look here.
    #[must_use]
    pub fn warn(self) -> Style {
        self.fg(self.palette.warn)
    }

    /// It went wrong.
    #[must_use]
    pub fn bad(self) -> Style {
        self.fg(self.palette.bad).add_modifier(Modifier::BOLD)
    }

    /// The row under the cursor, in the list that has the keys (`focused`) or not.
    #[must_use]
    pub fn selected(self, focused: bool) -> Style {
        match (self.depth, focused) {
            (Depth::Mono, true) => Style::new().add_modifier(Modifier::REVERSED),
            (Depth::Mono, false) => Style::new().add_modifier(Modifier::UNDERLINED),
            (Depth::Sixteen, true) => Style::new().add_modifier(Modifier::REVERSED),
            (Depth::Sixteen, false) => Style::new().add_modifier(Modifier::BOLD),
            (_, true) => Style::new().bg(self.colour(self.palette.surface)),
            (_, false) => Style::new().bg(self.colour(self.palette.raised)),
        }
    }

    /// The tab that is open.
    #[must_use]
    pub fn tab(self) -> Style {
        match self.depth {
            Depth::Mono | Depth::Sixteen => Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD),
            _ => Style::new()
                .fg(self.colour(self.palette.ground))
                .bg(self.colour(self.palette.accent))
                .add_modifier(Modifier::BOLD),
        }
    }

    /// Chunks that no genre won.
    #[must_use]
    pub fn unsure(self) -> Style {
        if self.depth == Depth::Mono {
            self.dim()
        } else {
            self.fg(self.palette.dim).bg(self.colour(self.palette.unsure))
        }
    }

    /// The colour of what no genre won.
    #[must_use]
    pub fn unsure_colour(self) -> Color {
        self.colour(self.palette.unsure)
    }

    /// A colour between black and `colour`, as bright as `part` (0 to 1) of it; itself where the terminal has
    /// too few colours to tell.
    #[must_use]
    pub fn shade(self, colour: Color, part: f64) -> Color {
        let (Depth::True, Color::Rgb(r, g, b)) = (self.depth, colour) else { return colour };
        let ground = self.palette.ground.rgb;
        let mix = |c: u8, g: u8| (f64::from(g) + (f64::from(c) - f64::from(g)) * part.clamp(0.0, 1.0)).round() as u8;
        Color::Rgb(mix(r, ground.0), mix(g, ground.1), mix(b, ground.2))
    }

    /// A scale from nothing to much, for heat maps.
    #[must_use]
    pub fn heat(self, part: f64) -> Style {
        match self.depth {
            Depth::Mono | Depth::Sixteen => {
                if part > 0.5 {
                    self.accent()
                } else {
                    self.text()
                }
            }
            _ => {
                let (low, high) = (self.palette.raised.rgb, self.palette.accent.rgb);
                let part = part.clamp(0.0, 1.0).sqrt();
                let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * part) as u8;
                let rgb = (mix(low.0, high.0), mix(low.1, high.1), mix(low.2, high.2));
                let ink = if part > 0.55 { self.palette.ground } else { self.palette.text };
                self.fg(ink).bg(self.colour(Tone { rgb, ansi: Color::Reset }))
            }
        }
    }
}

/// The nearest entry of the 6x6x6 cube or the grey ramp of 256-colour terminals.
fn nearest_of_256((r, g, b): (u8, u8, u8)) -> u8 {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let near = |v: u8| (0..6).min_by_key(|&i| STEPS[i].abs_diff(v)).unwrap_or(0);
    let distance = |a: (u8, u8, u8)| {
        [(a.0, r), (a.1, g), (a.2, b)].iter().map(|(x, y)| u32::from(x.abs_diff(*y)).pow(2)).sum::<u32>()
    };
    let (i, j, k) = (near(r), near(g), near(b));
    let cube = (distance((STEPS[i], STEPS[j], STEPS[k])), (16 + 36 * i + 6 * j + k) as u8);
    let grey = (0..24_u8).map(|n| (distance((8 + 10 * n, 8 + 10 * n, 8 + 10 * n)), 232 + n)).min();
    grey.map_or(cube, |grey| grey.min(cube)).1
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn env(pairs: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        move |key| pairs.iter().find(|(k, _)| *k == key).map(|(_, v)| (*v).to_owned())
    }

    #[test]
    fn the_environment_decides_the_colours() {
        assert_eq!(Depth::detect("auto", env(&[("NO_COLOR", "1"), ("COLORTERM", "truecolor")])), Depth::Mono);
        assert_eq!(Depth::detect("auto", env(&[("NO_COLOR", ""), ("COLORTERM", "truecolor")])), Depth::True);
        assert_eq!(Depth::detect("auto", env(&[("TERM", "xterm-256color")])), Depth::Indexed);
        assert_eq!(Depth::detect("dark", env(&[("TERM", "linux")])), Depth::Sixteen);
        assert_eq!(Depth::detect("mono", env(&[("COLORTERM", "truecolor")])), Depth::Mono);
    }

    #[test]
    fn the_cube_has_its_corners() {
        assert_eq!(nearest_of_256((255, 255, 255)), 231);
        assert_eq!(nearest_of_256((0, 0, 0)), 16);
        assert_eq!(nearest_of_256((255, 0, 0)), 196);
    }
}
