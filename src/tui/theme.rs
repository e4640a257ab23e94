//! What things look like: colours for every depth of terminal, and a letter for every genre.
//!
//! A terminal has 16 million, 256, 16 or no colours; each colour here has an answer for all four, so that
//! nothing else in the UI asks. Where a colour carries meaning (a genre), a letter carries it too.

use std::collections::BTreeMap;

use ratatui::style::{Color, Modifier, Style};

use crate::{
    genre::{Genre, Taxonomy},
    text::clean,
};

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

/// A colour with its answer for sixteen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tone {
    rgb: (u8, u8, u8),
    ansi: Color,
}

const fn tone(rgb: u32, ansi: Color) -> Tone {
    Tone { rgb: ((rgb >> 16) as u8, (rgb >> 8) as u8, rgb as u8), ansi }
}

const GROUND: Tone = tone(0x15_14_1c, Color::Reset);
const SURFACE: Tone = tone(0x2a_27_39, Color::DarkGray);
const RAISED: Tone = tone(0x1e_1c_28, Color::Reset);
const RULE: Tone = tone(0x3a_36_4d, Color::DarkGray);
const TEXT: Tone = tone(0xe0_de_f4, Color::Reset);
const SOFT: Tone = tone(0xa5_a0_be, Color::Gray);
const DIM: Tone = tone(0x6e_6a_86, Color::DarkGray);
const ACCENT: Tone = tone(0xc4_a7_e7, Color::LightMagenta);
const GOOD: Tone = tone(0x8f_d1_9e, Color::Green);
const WARN: Tone = tone(0xf6_c1_77, Color::Yellow);
const BAD: Tone = tone(0xeb_6f_92, Color::LightRed);
const UNSURE: Tone = tone(0x35_32_45, Color::DarkGray);

/// The genres of the shipped models: slug, letter, colour. The letters are the first free ones of each name.
const KNOWN: &[(&str, char, Tone)] = &[
    ("blues", 'B', tone(0x5b_8d_ef, Color::Blue)),
    ("classical", 'C', tone(0xc3_a6_ff, Color::LightMagenta)),
    ("country", 'O', tone(0xd9_9a_4e, Color::Yellow)),
    ("disco", 'D', tone(0xf4_72_c6, Color::Magenta)),
    ("hiphop", 'H', tone(0xff_8a_5b, Color::LightRed)),
    ("jazz", 'J', tone(0x45_c4_b8, Color::Cyan)),
    ("metal", 'M', tone(0x9a_a8_b8, Color::Gray)),
    ("pop", 'P', tone(0xf5_d5_5f, Color::LightYellow)),
    ("reggae", 'R', tone(0x74_c7_6a, Color::Green)),
    ("rock", 'K', tone(0xe8_50_62, Color::Red)),
];

/// Colours for all other genres, handed out in the order of their slugs.
const OTHERS: &[Tone] = &[
    tone(0x7d_e2_d1, Color::LightCyan),
    tone(0xb5_e4_8c, Color::LightGreen),
    tone(0x8e_a9_ff, Color::LightBlue),
    tone(0xff_b3_ba, Color::LightRed),
    tone(0xe2_b7_70, Color::Yellow),
    tone(0xd1_8b_d8, Color::Magenta),
    tone(0x6f_b7_d8, Color::Cyan),
    tone(0xc9_cc_76, Color::LightYellow),
    tone(0xe3_8a_5a, Color::Red),
    tone(0x86_c0_9a, Color::Green),
    tone(0xa3_91_e8, Color::LightMagenta),
    tone(0xc9_a9_8f, Color::Gray),
];

/// The look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// How many colours there are.
    pub depth: Depth,
}

impl Theme {
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
        self.fg(TEXT).bg(self.colour(GROUND))
    }

    /// The colour behind everything.
    #[must_use]
    pub fn ground_colour(self) -> Color {
        self.colour(GROUND)
    }

    /// A window on top of a screen.
    #[must_use]
    pub fn raised(self) -> Style {
        self.fg(TEXT).bg(self.colour(RAISED))
    }

    /// Plain text.
    #[must_use]
    pub fn text(self) -> Style {
        self.fg(TEXT)
    }

    /// Text that matters less.
    #[must_use]
    pub fn soft(self) -> Style {
        self.fg(SOFT)
    }

    /// Text that matters least.
    #[must_use]
    pub fn dim(self) -> Style {
        if self.depth == Depth::Mono { Style::new().add_modifier(Modifier::DIM) } else { self.fg(DIM) }
    }

    /// Lines between things.
    #[must_use]
    pub fn rule(self) -> Style {
        if self.depth == Depth::Mono { Style::new().add_modifier(Modifier::DIM) } else { self.fg(RULE) }
    }

    /// What draws the eye.
    #[must_use]
    pub fn accent(self) -> Style {
        self.fg(ACCENT).add_modifier(Modifier::BOLD)
    }

    /// A heading.
    #[must_use]
    pub fn heading(self) -> Style {
        self.fg(SOFT).add_modifier(Modifier::BOLD)
    }

    /// It went well.
    #[must_use]
    pub fn good(self) -> Style {
        self.fg(GOOD)
    }

    /// Look here.
    #[must_use]
    pub fn warn(self) -> Style {
        self.fg(WARN)
    }

    /// It went wrong.
    #[must_use]
    pub fn bad(self) -> Style {
        self.fg(BAD).add_modifier(Modifier::BOLD)
    }

    /// The row under the cursor, in the list that has the keys (`focused`) or not.
    #[must_use]
    pub fn selected(self, focused: bool) -> Style {
        match (self.depth, focused) {
            (Depth::Mono, true) => Style::new().add_modifier(Modifier::REVERSED),
            (Depth::Mono, false) => Style::new().add_modifier(Modifier::UNDERLINED),
            (Depth::Sixteen, true) => Style::new().add_modifier(Modifier::REVERSED),
            (Depth::Sixteen, false) => Style::new().add_modifier(Modifier::BOLD),
            (_, true) => Style::new().bg(self.colour(SURFACE)),
            (_, false) => Style::new().bg(self.colour(RAISED)),
        }
    }

    /// The tab that is open.
    #[must_use]
    pub fn tab(self) -> Style {
        match self.depth {
            Depth::Mono | Depth::Sixteen => Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD),
            _ => Style::new().fg(self.colour(GROUND)).bg(self.colour(ACCENT)).add_modifier(Modifier::BOLD),
        }
    }

    /// Chunks that no genre won.
    #[must_use]
    pub fn unsure(self) -> Style {
        if self.depth == Depth::Mono { self.dim() } else { self.fg(DIM).bg(self.colour(UNSURE)) }
    }

    /// The colour of what no genre won.
    #[must_use]
    pub fn unsure_colour(self) -> Color {
        self.colour(UNSURE)
    }

    /// A colour between black and `colour`, as bright as `part` (0 to 1) of it; itself where the terminal has
    /// too few colours to tell.
    #[must_use]
    pub fn shade(self, colour: Color, part: f64) -> Color {
        let (Depth::True, Color::Rgb(r, g, b)) = (self.depth, colour) else { return colour };
        let ground = GROUND.rgb;
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
                let (low, high) = ((0x21, 0x1f, 0x2e), ACCENT.rgb);
                let part = part.clamp(0.0, 1.0).sqrt();
                let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * part) as u8;
                let rgb = (mix(low.0, high.0), mix(low.1, high.1), mix(low.2, high.2));
                let ink = if part > 0.55 { GROUND } else { TEXT };
                self.fg(ink).bg(self.colour(Tone { rgb, ansi: Color::Reset }))
            }
        }
    }
}

/// How a genre is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// As people write it, fit for the terminal.
    pub name: String,
    /// Its letter; no other genre has it while there are letters left.
    pub letter: char,
    /// Left out of lists.
    pub hidden: bool,
    tone: usize,
}

/// The genres of the library and how each is shown.
#[derive(Clone, Debug, Default)]
pub struct Genres {
    looks: BTreeMap<Genre, Look>,
}

impl Genres {
    /// The genres of a taxonomy. The shipped ten keep their letters and colours whatever else there is.
    #[must_use]
    pub fn of(taxonomy: &Taxonomy) -> Self {
        let mut used: Vec<char> = KNOWN.iter().map(|(_, letter, _)| *letter).collect();
        let mut looks = BTreeMap::new();
        let mut others = 0;
        for (genre, entry) in taxonomy.iter() {
            let known = KNOWN.iter().position(|(slug, _, _)| *slug == genre.slug());
            let (letter, tone) = match known {
                Some(i) => (KNOWN[i].1, i),
                None => {
                    let letter = free_letter(&entry.name, &used);
                    used.push(letter);
                    others += 1;
                    (letter, KNOWN.len() + (others - 1) % OTHERS.len())
                }
            };
            let name = clean(&entry.name).into_owned();
            looks.insert(genre.clone(), Look { name, letter, hidden: entry.hidden, tone });
        }
        Self { looks }
    }

    /// Genres that lists show: the shipped ten first, then the others by name.
    #[must_use]
    pub fn listed(&self) -> Vec<Genre> {
        let mut list: Vec<(&Genre, &Look)> = self.looks.iter().filter(|(_, look)| !look.hidden).collect();
        list.sort_by_key(|(genre, look)| (if look.tone < KNOWN.len() { look.tone } else { usize::MAX }, *genre));
        list.into_iter().map(|(genre, _)| genre.clone()).collect()
    }

    /// The name people read.
    #[must_use]
    pub fn name<'a>(&'a self, genre: &'a Genre) -> &'a str {
        self.looks.get(genre).map_or(genre.slug(), |look| &look.name)
    }

    /// Its letter.
    #[must_use]
    pub fn letter(&self, genre: &Genre) -> char {
        self.looks.get(genre).map_or('*', |look| look.letter)
    }

    /// Its colour.
    #[must_use]
    pub fn colour(&self, theme: Theme, genre: &Genre) -> Color {
        let tone = self.looks.get(genre).map_or(KNOWN.len(), |look| look.tone);
        theme.colour(KNOWN.get(tone).map_or_else(|| OTHERS[(tone - KNOWN.len()) % OTHERS.len()], |k| k.2))
    }

    /// The genre that `text` names: by its name or slug, or the only one that begins so.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<Genre> {
        let slug = crate::genre::slug(text);
        if slug.is_empty() {
            return None;
        }
        let exact = Genre::new(&slug).filter(|g| self.looks.contains_key(g));
        exact.or_else(|| {
            let mut starting = self.looks.keys().filter(|g| g.slug().starts_with(&slug));
            starting.next().filter(|_| starting.next().is_none()).cloned()
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.looks.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.looks.is_empty()
    }
}

fn free_letter(name: &str, used: &[char]) -> char {
    let own = name.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_uppercase());
    let lower = name.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase());
    own.chain(('A'..='Z').chain([])).chain(lower).chain('a'..='z').find(|c| !used.contains(c)).unwrap_or('*')
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
    fn letters_differ_and_the_ten_keep_theirs() {
        let mut taxonomy = Taxonomy::default();
        for name in ["Jazz", "Rock", "Reggae", "Country", "Classical", "Techno", "Trance", "Zydeco", "Ambient"] {
            taxonomy.add(name);
        }
        let genres = Genres::of(&taxonomy);
        let letters: std::collections::BTreeSet<char> = genres.listed().iter().map(|g| genres.letter(g)).collect();
        assert_eq!(letters.len(), 9);
        assert_eq!(genres.letter(&Genre::new("jazz").unwrap()), 'J');
        assert_eq!(genres.letter(&Genre::new("rock").unwrap()), 'K');
    }

    #[test]
    fn a_beginning_names_a_genre_when_it_is_the_only_one() {
        let mut taxonomy = Taxonomy::default();
        for name in ["Jazz", "Rock", "Reggae"] {
            taxonomy.add(name);
        }
        let genres = Genres::of(&taxonomy);
        assert_eq!(genres.find("ja").map(|g| g.to_string()), Some("jazz".into()));
        assert_eq!(genres.find("r"), None);
        assert_eq!(genres.find("JAZZ").map(|g| g.to_string()), Some("jazz".into()));
    }

    #[test]
    fn the_cube_has_its_corners() {
        assert_eq!(nearest_of_256((255, 255, 255)), 231);
        assert_eq!(nearest_of_256((0, 0, 0)), 16);
        assert_eq!(nearest_of_256((255, 0, 0)), 196);
    }
}
