//! The palettes. A colour is 24 bits and its answer among the sixteen of every terminal.

use ratatui::style::Color;

/// A colour with its answer for sixteen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tone {
    /// Red, green, blue.
    pub rgb: (u8, u8, u8),
    /// One of the sixteen.
    pub ansi: Color,
}

/// All colours of a look.
#[derive(Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The methods of the theme say what each is for.
pub struct Palette {
    pub name: &'static str,
    pub ground: Tone,
    pub surface: Tone,
    pub raised: Tone,
    pub rule: Tone,
    pub text: Tone,
    pub soft: Tone,
    pub dim: Tone,
    pub accent: Tone,
    pub good: Tone,
    pub warn: Tone,
    pub bad: Tone,
    pub unsure: Tone,
    /// The ten genres of the shipped models.
    pub known: [Tone; 10],
    /// Handed out to all other genres, in the order of their slugs.
    pub others: [Tone; 12],
}

impl Palette {
    /// The colour of a genre by its place: the ten, then the others, again and again.
    pub const fn genre(&self, place: usize) -> Tone {
        if place < self.known.len() {
            self.known[place]
        } else {
            self.others[(place - self.known.len()) % self.others.len()]
        }
    }
}

const fn tone(rgb: u32, ansi: Color) -> Tone {
    Tone { rgb: ((rgb >> 16) as u8, (rgb >> 8) as u8, rgb as u8), ansi }
}

/// All of them.
pub const ALL: [&Palette; 5] = [&DARK, &LIGHT, &OCEAN, &EMBER, &CONTRAST];

const KNOWN: [Tone; 10] = [
    tone(0x5b_8d_ef, Color::Blue),
    tone(0xc3_a6_ff, Color::LightMagenta),
    tone(0xd9_9a_4e, Color::Yellow),
    tone(0xf4_72_c6, Color::Magenta),
    tone(0xff_8a_5b, Color::LightRed),
    tone(0x45_c4_b8, Color::Cyan),
    tone(0x9a_a8_b8, Color::Gray),
    tone(0xf5_d5_5f, Color::LightYellow),
    tone(0x74_c7_6a, Color::Green),
    tone(0xe8_50_62, Color::Red),
];

const OTHERS: [Tone; 12] = [
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

/// The default.
pub const DARK: Palette = Palette {
    name: "dark",
    ground: tone(0x15_14_1c, Color::Reset),
    surface: tone(0x2a_27_39, Color::DarkGray),
    raised: tone(0x1e_1c_28, Color::Reset),
    rule: tone(0x3a_36_4d, Color::DarkGray),
    text: tone(0xe0_de_f4, Color::Reset),
    soft: tone(0xa5_a0_be, Color::Gray),
    dim: tone(0x6e_6a_86, Color::DarkGray),
    accent: tone(0xc4_a7_e7, Color::LightMagenta),
    good: tone(0x8f_d1_9e, Color::Green),
    warn: tone(0xf6_c1_77, Color::Yellow),
    bad: tone(0xeb_6f_92, Color::LightRed),
    unsure: tone(0x35_32_45, Color::DarkGray),
    known: KNOWN,
    others: OTHERS,
};

/// Deep water.
const OCEAN: Palette = Palette {
    name: "ocean",
    ground: tone(0x0e_18_21, Color::Reset),
    surface: tone(0x1d_32_42, Color::DarkGray),
    raised: tone(0x14_23_2f, Color::Reset),
    rule: tone(0x2b_43_54, Color::DarkGray),
    text: tone(0xdc_e9_ef, Color::Reset),
    soft: tone(0x9d_b6_c4, Color::Gray),
    dim: tone(0x62_7e_8e, Color::DarkGray),
    accent: tone(0x6f_d0_e0, Color::LightCyan),
    good: tone(0x8f_d9_a8, Color::Green),
    warn: tone(0xf2_c8_79, Color::Yellow),
    bad: tone(0xef_7d_86, Color::LightRed),
    unsure: tone(0x27_39_4a, Color::DarkGray),
    known: KNOWN,
    others: OTHERS,
};

/// A fire that has burnt down.
const EMBER: Palette = Palette {
    name: "ember",
    ground: tone(0x1a_14_11, Color::Reset),
    surface: tone(0x38_2b_21, Color::DarkGray),
    raised: tone(0x26_1d_18, Color::Reset),
    rule: tone(0x4a_38_2c, Color::DarkGray),
    text: tone(0xf1_e4_d6, Color::Reset),
    soft: tone(0xbf_a9_94, Color::Gray),
    dim: tone(0x86_72_60, Color::DarkGray),
    accent: tone(0xf0_a3_5e, Color::LightYellow),
    good: tone(0xa9_c7_7b, Color::Green),
    warn: tone(0xf2_d0_7a, Color::Yellow),
    bad: tone(0xf0_74_68, Color::LightRed),
    unsure: tone(0x40_33_2a, Color::DarkGray),
    known: KNOWN,
    others: OTHERS,
};

/// Paper.
const LIGHT: Palette = Palette {
    name: "light",
    ground: tone(0xfa_f7_f2, Color::Reset),
    surface: tone(0xe2_d9_ea, Color::Gray),
    raised: tone(0xf1_ec_e4, Color::Reset),
    rule: tone(0xd2_c8_ba, Color::Gray),
    text: tone(0x2c_28_38, Color::Reset),
    soft: tone(0x5a_53_6b, Color::DarkGray),
    dim: tone(0x86_7e_94, Color::DarkGray),
    accent: tone(0x7a_4f_b5, Color::Magenta),
    good: tone(0x2a_77_4a, Color::Green),
    warn: tone(0x8f_62_00, Color::Yellow),
    bad: tone(0xb8_32_4f, Color::Red),
    unsure: tone(0xda_d4_cb, Color::Gray),
    known: [
        tone(0x3b_6f_d4, Color::Blue),
        tone(0x8e_6b_d6, Color::LightMagenta),
        tone(0xa8_68_18, Color::Yellow),
        tone(0xd0_3f_9e, Color::Magenta),
        tone(0xcf_58_24, Color::LightRed),
        tone(0x12_88_7b, Color::Cyan),
        tone(0x66_75_8a, Color::DarkGray),
        tone(0x9c_7c_00, Color::LightYellow),
        tone(0x35_87_30, Color::Green),
        tone(0xc9_2f_45, Color::Red),
    ],
    others: [
        tone(0x1f_8a_80, Color::Cyan),
        tone(0x5f_8a_2c, Color::Green),
        tone(0x4a_62_c8, Color::Blue),
        tone(0xc0_58_66, Color::LightRed),
        tone(0x98_6e_22, Color::Yellow),
        tone(0x9a_4b_a4, Color::Magenta),
        tone(0x2f_7c_a0, Color::Cyan),
        tone(0x7c_7f_22, Color::Yellow),
        tone(0xb0_58_2c, Color::Red),
        tone(0x3f_82_58, Color::Green),
        tone(0x6a_55_b8, Color::LightMagenta),
        tone(0x86_65_4a, Color::DarkGray),
    ],
};

/// For eyes, screens and rooms that need more.
const CONTRAST: Palette = Palette {
    name: "contrast",
    ground: tone(0x00_00_00, Color::Black),
    surface: tone(0x3a_3a_3a, Color::DarkGray),
    raised: tone(0x14_14_14, Color::Black),
    rule: tone(0x80_80_80, Color::Gray),
    text: tone(0xff_ff_ff, Color::White),
    soft: tone(0xe0_e0_e0, Color::White),
    dim: tone(0xb8_b8_b8, Color::Gray),
    accent: tone(0xff_d7_5f, Color::LightYellow),
    good: tone(0x5f_ff_87, Color::LightGreen),
    warn: tone(0xff_af_5f, Color::LightYellow),
    bad: tone(0xff_7f_7f, Color::LightRed),
    unsure: tone(0x4a_4a_4a, Color::DarkGray),
    known: [
        tone(0x6f_b7_ff, Color::LightBlue),
        tone(0xd7_af_ff, Color::LightMagenta),
        tone(0xe6_9f_00, Color::Yellow),
        tone(0xff_87_d7, Color::Magenta),
        tone(0xff_8c_3a, Color::LightRed),
        tone(0x00_e0_b8, Color::LightCyan),
        tone(0xc6_c6_c6, Color::White),
        tone(0xf0_e4_42, Color::LightYellow),
        tone(0x5f_d7_00, Color::LightGreen),
        tone(0xff_6b_6b, Color::Red),
    ],
    others: OTHERS,
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The contrast ratio of WCAG 2.1.
    fn contrast(a: Tone, b: Tone) -> f64 {
        let part = |c: u8| {
            let c = f64::from(c) / 255.0;
            if c <= 0.03928 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        let light = |t: Tone| 0.2126 * part(t.rgb.0) + 0.7152 * part(t.rgb.1) + 0.0722 * part(t.rgb.2);
        let (a, b) = (light(a), light(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn everything_can_be_read() {
        for p in ALL {
            for back in [p.ground, p.raised, p.surface] {
                assert!(contrast(p.text, back) >= 7.0, "{}: text", p.name);
                assert!(contrast(p.soft, back) >= 4.5, "{}: soft {:.2}", p.name, contrast(p.soft, back));
            }
            for tone in [p.good, p.warn, p.bad, p.accent] {
                assert!(contrast(tone, p.ground) >= 4.5, "{}: {tone:?} {:.2}", p.name, contrast(tone, p.ground));
            }
            // What matters least, and the parts of a bar with a letter in them, are large or said again elsewhere.
            for tone in p.known.into_iter().chain(p.others).chain([p.dim]) {
                assert!(contrast(tone, p.ground) >= 3.0, "{}: {tone:?} {:.2}", p.name, contrast(tone, p.ground));
            }
        }
        let c = ALL.into_iter().find(|p| p.name == "contrast");
        assert!(c.is_some_and(|c| [c.soft, c.dim, c.accent].into_iter().all(|t| contrast(t, c.ground) >= 7.0)));
    }
}
