//! What a file's tags say, by lofty's concrete types.

use std::{fs::File, io::BufReader, path::Path};

use lofty::{
    ape::{ApeFile, ApeTag},
    config::{GlobalOptions, ParseOptions, apply_global_options},
    file::AudioFile,
    flac::FlacFile,
    id3::{
        v1::Id3v1Tag,
        v2::{FrameId, Id3v2Tag, Id3v2Version},
    },
    iff::{
        aiff::AiffFile,
        wav::{RiffInfoList, WavFile},
    },
    mp4::{Atom, AtomData, AtomIdent, Ilst, Mp4File},
    mpeg::MpegFile,
    musepack::MpcFile,
    ogg::{OpusFile, SpeexFile, VorbisFile, tag::VorbisComments},
    tag::Accessor,
    wavpack::WavPackFile,
};

use super::{edit::Wanted, guard::guarded};
use crate::track::{FileTags, Format};

/// Most of one item of a tag that is held in memory.
const MAX_ITEM_BYTES: usize = 64 << 20;

/// Why a file's tags could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TagError {
    /// The file could not be opened.
    #[error("its tags could not be read: {0}")]
    Io(#[from] std::io::Error),
    /// lofty says no.
    #[error("its tags could not be read: {0}")]
    Parse(String),
}

/// The tags of a file, each as its own type.
#[derive(Default)]
pub(super) struct Concrete {
    pub(super) id3v2: Option<Id3v2Tag>,
    pub(super) vorbis: Option<VorbisComments>,
    pub(super) ilst: Option<Ilst>,
    pub(super) ape: Option<ApeTag>,
    pub(super) info: Option<RiffInfoList>,
    pub(super) id3v1: Option<Id3v1Tag>,
}

/// Read the tags of the file at `path`. Several genres in one ID3v2.3 text are taken apart at semicolons.
///
/// # Errors
/// When the file cannot be opened, or its tags make no sense.
pub fn read(path: &Path, format: Format) -> Result<FileTags, TagError> {
    read_joined(path, format, ";")
}

/// As [`read`], with the joiner of several genres in ID3v2.3.
///
/// # Errors
/// As [`read`].
pub fn read_joined(path: &Path, format: Format, joiner: &str) -> Result<FileTags, TagError> {
    Ok(parse(path, format, false)?.file_tags(joiner))
}

/// Parse the tags of the file at `path`.
pub(super) fn parse(path: &Path, format: Format, pictures: bool) -> Result<Concrete, TagError> {
    let file = File::open(path)?;
    match guarded(move || parse_file(file, format, pictures)) {
        Ok(Ok(tags)) => Ok(tags),
        Ok(Err(error)) => Err(TagError::Parse(chain(&error))),
        Err(reason) => Err(TagError::Parse(reason.to_owned())),
    }
}

/// An error and its causes, each once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

fn parse_file(file: File, format: Format, pictures: bool) -> Result<Concrete, lofty::error::FileParseError> {
    // A larger limit for junk has cost other people their tags (lofty #721); ours is the library's own.
    // A thread's own limit: the library's would refuse a cover of 16 MB, and the title beside it.
    apply_global_options(GlobalOptions::new().allocation_limit(MAX_ITEM_BYTES));
    let options = ParseOptions::new().read_properties(false).read_cover_art(pictures).implicit_conversions(false);
    let mut file = BufReader::new(file);
    let none = Concrete::default();
    Ok(match format {
        Format::Mp3 => {
            let mut f = MpegFile::read_from(&mut file, options)?;
            Concrete { id3v2: f.remove_id3v2(), ape: f.remove_ape(), id3v1: f.remove_id3v1(), ..none }
        }
        Format::Flac => {
            let mut f = FlacFile::read_from(&mut file, options)?;
            Concrete { vorbis: f.remove_vorbis_comments(), ..none }
        }
        Format::Vorbis => {
            Concrete { vorbis: Some(VorbisFile::read_from(&mut file, options)?.vorbis_comments().clone()), ..none }
        }
        Format::Opus => {
            Concrete { vorbis: Some(OpusFile::read_from(&mut file, options)?.vorbis_comments().clone()), ..none }
        }
        Format::Ogg => {
            Concrete { vorbis: Some(SpeexFile::read_from(&mut file, options)?.vorbis_comments().clone()), ..none }
        }
        Format::Mp4 => Concrete { ilst: Mp4File::read_from(&mut file, options)?.remove_ilst(), ..none },
        Format::Wav => {
            let mut f = WavFile::read_from(&mut file, options)?;
            Concrete { id3v2: f.remove_id3v2(), info: f.remove_riff_info(), ..none }
        }
        Format::Aiff => Concrete { id3v2: AiffFile::read_from(&mut file, options)?.remove_id3v2(), ..none },
        Format::Ape => {
            let mut f = ApeFile::read_from(&mut file, options)?;
            Concrete { ape: f.remove_ape(), id3v1: f.remove_id3v1(), ..none }
        }
        Format::WavPack => {
            let mut f = WavPackFile::read_from(&mut file, options)?;
            Concrete { ape: f.remove_ape(), id3v1: f.remove_id3v1(), ..none }
        }
        Format::Musepack => {
            let mut f = MpcFile::read_from(&mut file, options)?;
            Concrete { ape: f.remove_ape(), id3v1: f.remove_id3v1(), ..none }
        }
        Format::Aac | Format::Caf | Format::Matroska => none,
    })
}

fn number(text: &str) -> Option<u32> {
    text.split('/').next()?.trim().parse().ok()
}

fn basics(tag: &impl Accessor, album_artist: Option<&str>, genres: Vec<String>) -> FileTags {
    let text = |text: Option<std::borrow::Cow<'_, str>>| {
        // Several values of one field stand between NULs in ID3v2.4.
        text.map(|text| text.split('\0').filter(|t| !t.is_empty()).collect::<Vec<_>>().join("; "))
            .filter(|text| !text.trim().is_empty())
    };
    FileTags {
        title: text(tag.title()),
        artist: text(tag.artist()),
        album: text(tag.album()),
        album_artist: text(album_artist.map(Into::into)),
        year: tag.date().map(|date| i32::from(date.year)),
        track_no: tag.track(),
        disc_no: tag.disk(),
        genres,
    }
}

fn tidy<'a>(genres: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    for genre in genres.into_iter().map(str::trim).filter(|g| !g.is_empty()) {
        if !list.iter().any(|known| known == genre) {
            list.push(genre.to_owned());
        }
    }
    list
}

fn from_id3v2(tag: &Id3v2Tag, joiner: &str) -> FileTags {
    let id = FrameId::new("TPE2").ok();
    let mut genres: Vec<&str> = tag.genres().map(Iterator::collect).unwrap_or_default();
    if tag.original_version() != Id3v2Version::V4 {
        let joiner = Some(joiner.trim()).filter(|j| !j.is_empty()).unwrap_or(";").to_owned();
        genres = genres.into_iter().flat_map(|g| g.split(';')).collect();
        let split: Vec<String> = genres.iter().flat_map(|g| g.split(&joiner)).map(str::to_owned).collect();
        let genres = tidy(split.iter().map(String::as_str));
        return basics(tag, id.as_ref().and_then(|id| tag.get_text(id)), genres);
    }
    basics(tag, id.as_ref().and_then(|id| tag.get_text(id)), tidy(genres))
}

fn from_vorbis(tag: &VorbisComments) -> FileTags {
    let album_artist = tag.get("ALBUMARTIST").or_else(|| tag.get("ALBUM ARTIST"));
    let mut tags = basics(tag, album_artist, tidy(tag.get_all("GENRE")));
    let joined = |key: &str| Some(tag.get_all(key).collect::<Vec<_>>().join("; ")).filter(|t| !t.is_empty());
    tags.artist = joined("ARTIST").or(tags.artist);
    tags.track_no = tags.track_no.or_else(|| tag.get("TRACKNUMBER").and_then(number));
    tags.disc_no = tags.disc_no.or_else(|| tag.get("DISCNUMBER").and_then(number));
    tags
}

fn from_ilst(tag: &Ilst) -> FileTags {
    // Some programs write an atom for each value instead of one with several.
    let texts = |ident: AtomIdent<'static>| {
        tag.into_iter()
            .filter(|atom| *atom.ident() == ident)
            .flat_map(Atom::data)
            .filter_map(|data| match data {
                AtomData::UTF8(text) | AtomData::UTF16(text) => Some(text.clone()),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    let mut genres = texts(AtomIdent::Fourcc(*b"\xa9gen"));
    if genres.is_empty()
        && let Some(atom) = tag.get(&AtomIdent::Fourcc(*b"gnre"))
        && let Some(AtomData::Unknown { data, .. }) = atom.data().next()
        && let [.., a, b] = data.as_slice()
        && let Some(index) = u16::from_be_bytes([*a, *b]).checked_sub(1)
        && let Some(name) = lofty::id3::v1::GENRES.get(usize::from(index))
    {
        genres.push((*name).to_owned());
    }
    let album_artist = texts(AtomIdent::Fourcc(*b"aART")).into_iter().next();
    basics(tag, album_artist.as_deref(), tidy(genres.iter().map(String::as_str)))
}

fn from_ape(tag: &ApeTag) -> FileTags {
    let text = |key: &str| tag.get(key).and_then(|item| item.value().text().map(str::to_owned));
    let genres = text("Genre").unwrap_or_default();
    basics(tag, text("Album Artist").as_deref(), tidy(genres.split('\0')))
}

impl Concrete {
    /// The first tag that a reader of the format would take; what it lacks comes from the others. ID3v1 alone
    /// is no genre: its list of numbers was never the listener's choice of words.
    pub(super) fn file_tags(&self, joiner: &str) -> FileTags {
        let info = self.info.as_ref().map(|tag| {
            let genre = tag.genre();
            basics(tag, None, tidy(genre.as_deref()))
        });
        let list = [
            self.id3v2.as_ref().map(|tag| from_id3v2(tag, joiner)),
            self.vorbis.as_ref().map(from_vorbis),
            self.ilst.as_ref().map(from_ilst),
            self.ape.as_ref().map(from_ape),
            info,
            self.id3v1.as_ref().map(|tag| basics(tag, None, Vec::new())),
        ];
        let mut list = list.into_iter().flatten();
        let mut tags = list.next().unwrap_or_default();
        for other in list {
            tags.title = tags.title.or(other.title);
            tags.artist = tags.artist.or(other.artist);
            tags.album = tags.album.or(other.album);
            tags.album_artist = tags.album_artist.or(other.album_artist);
            tags.year = tags.year.or(other.year);
            tags.track_no = tags.track_no.or(other.track_no);
            tags.disc_no = tags.disc_no.or(other.disc_no);
            if tags.genres.is_empty() {
                tags.genres = other.genres;
            }
        }
        tags
    }

    /// Genres as they are spelt, numbers included, of the tag that counts.
    pub(super) fn spelt(&self) -> Vec<String> {
        if let Some(tag) = &self.id3v2 {
            let id = FrameId::new("TCON").ok();
            let text = id.as_ref().and_then(|id| tag.get_text(id)).unwrap_or_default();
            return text.split('\0').filter(|t| !t.is_empty()).map(str::to_owned).collect();
        }
        if let Some(tag) = &self.ilst
            && let Some(atom) = tag.get(&AtomIdent::Fourcc(*b"gnre"))
            && let Some(AtomData::Unknown { data, .. }) = atom.data().next()
            && let [.., a, b] = data.as_slice()
        {
            return vec![format!("({})", u16::from_be_bytes([*a, *b]))];
        }
        self.file_tags(";").genres
    }

    /// Take out what is ours, so that two readings can be compared.
    pub(super) fn without_ours(mut self, wanted: &Wanted) -> Self {
        if let Some(tag) = &mut self.id3v2 {
            tag.retain(|frame| match frame {
                lofty::id3::v2::Frame::UserText(text) => !wanted.owns(&text.description, "\0"),
                other => other.id_str() != "TCON",
            });
        }
        if let Some(tag) = &mut self.vorbis {
            let kept: Vec<_> = tag.take_items().filter(|(key, _)| !wanted.owns(key, "GENRE")).collect();
            kept.into_iter().for_each(|(key, value)| tag.push(key, value));
        }
        if let Some(tag) = &mut self.ilst {
            tag.retain(|atom| match atom.ident() {
                AtomIdent::Fourcc(id) => ![*b"\xa9gen", *b"gnre"].contains(id),
                AtomIdent::Freeform { name, .. } => !wanted.owns(name, "\0"),
            });
        }
        if let Some(tag) = &mut self.ape {
            let ours: Vec<String> =
                (&*tag).into_iter().map(|i| i.key().to_owned()).filter(|k| wanted.owns(k, "Genre")).collect();
            ours.iter().for_each(|key| tag.remove(key));
        }
        if let Some(tag) = &mut self.info {
            tag.remove_genre();
        }
        if let Some(tag) = &mut self.id3v1 {
            tag.genre = None;
        }
        self
    }

    /// Whether two readings agree.
    pub(super) fn same(&self, other: &Self) -> bool {
        fn tags<T: PartialEq + Default + Clone>(a: &Option<T>, b: &Option<T>) -> bool {
            a == b || a.clone().unwrap_or_default() == b.clone().unwrap_or_default()
        }
        tags(&self.id3v2, &other.id3v2)
            && tags(&self.vorbis, &other.vorbis)
            && tags(&self.ilst, &other.ilst)
            && tags(&self.ape, &other.ape)
            && tags(&self.info, &other.info)
    }
}
