//! How other programs read what we write: which of them makes several genres of a list, which makes one of a joined
//! text. One table, each row with where its rule stands. Pure, but for a look at which tag a file has.
//!
//! The rules are those of the programs' defaults; what a user has set there is not known here.

use std::path::Path;

use lofty::id3::v2::Id3v2Version;

use super::{TagError, read};
use crate::track::Format;

/// A program that reads tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Navidrome, by TagLib.
    Navidrome,
    /// Jellyfin, by ATL.
    Jellyfin,
    /// The Music Player Daemon.
    Mpd,
    /// MusicBrainz Picard, by mutagen.
    Picard,
}

impl Reader {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Navidrome, Self::Jellyfin, Self::Mpd, Self::Picard];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Navidrome => "navidrome",
            Self::Jellyfin => "jellyfin",
            Self::Mpd => "mpd",
            Self::Picard => "picard",
        }
    }
}

/// How several genres stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// ID3v2.4: a list.
    Id3v24,
    /// ID3v2.3 and 2.2: one text, joined.
    Id3v23,
    /// Vorbis comments: a field each.
    Vorbis,
    /// MP4: a value each in one atom.
    Mp4,
    /// RIFF INFO: the first alone.
    Info,
    /// APEv2: a list.
    Ape,
}

impl Layout {
    #[cfg(test)]
    const ALL: [Self; 6] = [Self::Id3v24, Self::Id3v23, Self::Vorbis, Self::Mp4, Self::Info, Self::Ape];

    /// Its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Id3v24 => "ID3v2.4",
            Self::Id3v23 => "ID3v2.3",
            Self::Vorbis => "Vorbis comments",
            Self::Mp4 => "MP4",
            Self::Info => "RIFF INFO",
            Self::Ape => "APEv2",
        }
    }

    /// The values that stand in the file when it says `genres`.
    fn values(self, genres: &[String], joiner: &str) -> Vec<String> {
        match self {
            Self::Id3v23 if genres.len() > 1 => vec![genres.join(joiner)],
            Self::Info => genres.first().cloned().into_iter().collect(),
            _ => genres.to_vec(),
        }
    }
}

/// What a reader makes of the values that stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Each value is a genre.
    Each,
    /// Each value is a genre; a value that stands alone is split at these.
    SplitAlone(&'static [char]),
    /// All values are one genre, with this between them.
    Joined(&'static str),
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Who reads.
    pub reader: Reader,
    /// What is read.
    pub layout: Layout,
    /// What becomes of it.
    pub rule: Rule,
    /// Where that stands.
    pub source: &'static str,
}

/// Navidrome's own separators (`Scanner.GenreSeparators`, `Tags.genre.Split`). They touch a value only where it is the
/// only one: "if there's not exactly one value" it is left as it is (model/tag_mappings.go, `SplitTagValue`).
const NAVIDROME: Rule = Rule::SplitAlone(&[';', '/', ',']);
const NAVIDROME_SPLIT: &str = "github.com/navidrome/navidrome model/tag_mappings.go, conf/configuration.go";
const TAGLIB_MP4: &str = "github.com/taglib/taglib taglib/mp4/mp4tag.cpp (parseText); then as the others";
/// ATL puts its own separator between the values of a list, and Jellyfin splits there; its "custom tag delimiters" are
/// off by default, and so is the splitting of ID3v2.3.
const JELLYFIN: &str = "github.com/jellyfin/jellyfin MediaBrowser.Providers/MediaInfo/AudioFileProber.cs";
const MPD_ID3: &str = "github.com/MusicPlayerDaemon/MPD src/tag/Id3Scan.cxx";
/// Seen with FFmpeg 9.0.2: `ffmpeg -i FILE -f ffmetadata -` says `Jazz;Blues` for two values.
const MPD_FFMPEG: &str = "github.com/MusicPlayerDaemon/MPD src/decoder/plugins/FfmpegMetaData.cxx; FFmpeg joins";
/// Seen with mutagen 1.48, which Picard reads with.
const PICARD: &str = "github.com/metabrainz/picard picard/formats/id3.py";

/// Who makes what of which layout.
pub const TABLE: &[Row] = &[
    row(Reader::Navidrome, Layout::Id3v24, NAVIDROME, NAVIDROME_SPLIT),
    row(Reader::Navidrome, Layout::Id3v23, NAVIDROME, NAVIDROME_SPLIT),
    row(Reader::Navidrome, Layout::Vorbis, NAVIDROME, NAVIDROME_SPLIT),
    row(Reader::Navidrome, Layout::Mp4, NAVIDROME, TAGLIB_MP4),
    row(Reader::Navidrome, Layout::Info, NAVIDROME, "github.com/navidrome/navidrome resources/mappings.yaml (IGNR)"),
    row(Reader::Navidrome, Layout::Ape, NAVIDROME, NAVIDROME_SPLIT),
    row(Reader::Jellyfin, Layout::Id3v24, Rule::Each, JELLYFIN),
    row(Reader::Jellyfin, Layout::Id3v23, Rule::Each, JELLYFIN),
    row(Reader::Jellyfin, Layout::Vorbis, Rule::Each, JELLYFIN),
    row(Reader::Jellyfin, Layout::Mp4, Rule::Each, "github.com/Zeugma440/atldotnet ATL/AudioData/IO/MP4.cs"),
    row(Reader::Jellyfin, Layout::Info, Rule::Each, "github.com/Zeugma440/atldotnet (info.IGNR is its genre)"),
    row(Reader::Jellyfin, Layout::Ape, Rule::Each, "github.com/Zeugma440/atldotnet ATL/AudioData/IO/APEtag.cs"),
    row(Reader::Mpd, Layout::Id3v24, Rule::Each, MPD_ID3),
    row(Reader::Mpd, Layout::Id3v23, Rule::Each, MPD_ID3),
    row(Reader::Mpd, Layout::Vorbis, Rule::Each, "www.xiph.org/vorbis/doc/v-comment.html; a tag of MPD for each field"),
    row(Reader::Mpd, Layout::Mp4, Rule::Joined(";"), MPD_FFMPEG),
    row(Reader::Mpd, Layout::Info, Rule::Each, MPD_FFMPEG),
    row(Reader::Mpd, Layout::Ape, Rule::Each, "github.com/MusicPlayerDaemon/MPD src/tag/ApeTag.cxx (ForEachValue)"),
    row(Reader::Picard, Layout::Id3v24, Rule::Each, PICARD),
    row(Reader::Picard, Layout::Id3v23, Rule::Each, PICARD),
    row(Reader::Picard, Layout::Vorbis, Rule::Each, "github.com/metabrainz/picard picard/formats/vorbis.py"),
    row(Reader::Picard, Layout::Mp4, Rule::Each, "github.com/metabrainz/picard picard/formats/mp4.py"),
    row(Reader::Picard, Layout::Info, Rule::Each, "github.com/metabrainz/picard picard/formats/wav.py"),
    row(Reader::Picard, Layout::Ape, Rule::Each, "github.com/metabrainz/picard picard/formats/apev2.py"),
];

const fn row(reader: Reader, layout: Layout, rule: Rule, source: &'static str) -> Row {
    Row { reader, layout, rule, source }
}

/// The genres that `reader` shows for a file with `layout` that says `genres`, and where that rule stands.
#[must_use]
pub fn sees(reader: Reader, layout: Layout, genres: &[String], joiner: &str) -> (Vec<String>, &'static str) {
    let values = layout.values(genres, joiner);
    let Some(row) = TABLE.iter().find(|row| row.reader == reader && row.layout == layout) else {
        return (values, "");
    };
    let seen = match (row.rule, values.as_slice()) {
        (Rule::Joined(between), [_, _, ..]) => vec![values.join(between)],
        (Rule::SplitAlone(separators), [alone]) => {
            alone.split(separators).map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
        }
        _ => values,
    };
    (seen, row.source)
}

/// How several genres stand, or will stand, in the file at `path`: in the tag that a write goes to and readers prefer.
///
/// # Errors
/// As [`super::read`].
pub fn layout(path: &Path, format: Format) -> Result<Layout, TagError> {
    let tags = read::parse(path, format, false)?;
    Ok(match format {
        Format::Flac | Format::Vorbis | Format::Opus | Format::Ogg => Layout::Vorbis,
        Format::Mp4 => Layout::Mp4,
        Format::Ape | Format::WavPack | Format::Musepack => Layout::Ape,
        _ => match (&tags.id3v2, &tags.ape, &tags.info) {
            (Some(tag), ..) if tag.original_version() != Id3v2Version::V4 => Layout::Id3v23,
            (Some(_), ..) => Layout::Id3v24,
            (None, Some(_), _) => Layout::Ape,
            (None, None, Some(_)) => Layout::Info,
            (None, None, None) => Layout::Id3v24,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(reader: Reader, layout: Layout, genres: &[&str], joiner: &str) -> Vec<String> {
        let genres: Vec<String> = genres.iter().map(|&g| g.to_owned()).collect();
        sees(reader, layout, &genres, joiner).0
    }

    #[test]
    fn every_reader_has_a_rule_with_a_source_for_every_layout() {
        for reader in Reader::ALL {
            for layout in Layout::ALL {
                let rows: Vec<_> = TABLE.iter().filter(|row| row.reader == reader && row.layout == layout).collect();
                assert_eq!(rows.len(), 1, "{reader:?} {layout:?}");
                assert!(!rows[0].source.is_empty());
            }
        }
    }

    #[test]
    fn a_list_is_a_list_and_a_joined_text_is_as_each_reader_has_it() {
        for reader in Reader::ALL {
            for layout in [Layout::Id3v24, Layout::Vorbis, Layout::Ape] {
                assert_eq!(seen(reader, layout, &["Jazz", "R&B"], "; "), ["Jazz", "R&B"], "{reader:?} {layout:?}");
            }
            assert_eq!(seen(reader, Layout::Info, &["Jazz", "Blues"], "; "), ["Jazz"]);
        }
        assert_eq!(seen(Reader::Navidrome, Layout::Id3v23, &["Jazz", "Blues"], "; "), ["Jazz", "Blues"]);
        assert_eq!(seen(Reader::Navidrome, Layout::Id3v23, &["Jazz", "Blues"], " + "), ["Jazz + Blues"]);
        for reader in [Reader::Jellyfin, Reader::Mpd, Reader::Picard] {
            assert_eq!(seen(reader, Layout::Id3v23, &["Jazz", "Blues"], "; "), ["Jazz; Blues"], "{reader:?}");
        }
        // A name with a separator in it, alone, is taken apart there.
        assert_eq!(seen(Reader::Navidrome, Layout::Vorbis, &["Folk, World"], "; "), ["Folk", "World"]);
        assert_eq!(seen(Reader::Navidrome, Layout::Vorbis, &["Folk, World", "Jazz"], "; "), ["Folk, World", "Jazz"]);
        assert_eq!(seen(Reader::Mpd, Layout::Mp4, &["Jazz", "Blues"], "; "), ["Jazz;Blues"]);
    }
}
