//! The nouns of a library: a file's path and stamp, the audio's identity, what a file's tags say, and
//! what a track is made of.
//!
//! A *file* is a path on disk; a *track* is the audio in it, known by a hash that tags do not change.
//! Copies of one recording are several files of one track.

use std::{
    fs::Metadata,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::genre::Genre;

/// Bytes of a path, as they are stored.
#[must_use]
pub fn path_bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// The path that `bytes` spell.
#[must_use]
pub fn path_from_bytes(bytes: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}

/// The identity of a track: a blake3 hash of its encoded audio, without tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AudioId(pub [u8; 32]);

impl std::fmt::Display for AudioId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// What tells that a file has changed without reading it. `ctime` and the inode notice an edit that keeps
/// size and mtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileStamp {
    /// Device.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// Size, bytes.
    pub size: u64,
    /// Time of the last change of content, ns since 1970.
    pub mtime_ns: i64,
    /// Time of the last change of content or inode, ns since 1970.
    pub ctime_ns: i64,
}

impl FileStamp {
    /// The stamp in `metadata`.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        let ns = |s: i64, ns: i64| s.saturating_mul(1_000_000_000).saturating_add(ns);
        Self {
            dev: metadata.dev(),
            ino: metadata.ino(),
            size: metadata.size(),
            mtime_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether a file of this stamp is the one of an `earlier` stamp, as far as that tells. The number of a device may be
    /// another each time it is mounted (btrfs, NFS, a stick): that alone is no change.
    #[must_use]
    pub fn is_still(self, earlier: Self) -> bool {
        Self { dev: earlier.dev, ..self } == earlier
    }

    /// The stamp of the file at `path`, links followed.
    ///
    /// # Errors
    /// Whatever `stat` says.
    pub fn read(path: &Path) -> std::io::Result<Self> {
        std::fs::metadata(path).map(|m| Self::of(&m))
    }
}

/// A container, judged by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// MPEG audio, with or without ID3.
    Mp3,
    /// Native FLAC.
    Flac,
    /// Ogg with Vorbis.
    Vorbis,
    /// Ogg with Opus.
    Opus,
    /// Ogg with Speex, FLAC or something else.
    Ogg,
    /// MP4 / M4A: AAC or ALAC.
    Mp4,
    /// Raw AAC in ADTS frames.
    Aac,
    /// RIFF WAVE.
    Wav,
    /// AIFF or AIFF-C.
    Aiff,
    /// Core Audio Format.
    Caf,
    /// Matroska or WebM.
    Matroska,
    /// Monkey's Audio, tagged by APEv2.
    Ape,
    /// WavPack.
    WavPack,
    /// Musepack.
    Musepack,
}

impl Format {
    /// The name that is stored, shown and searched (`format:flac`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mp3 => "mp3",
            Self::Flac => "flac",
            Self::Vorbis => "vorbis",
            Self::Opus => "opus",
            Self::Ogg => "ogg",
            Self::Mp4 => "m4a",
            Self::Aac => "aac",
            Self::Wav => "wav",
            Self::Aiff => "aiff",
            Self::Caf => "caf",
            Self::Matroska => "mka",
            Self::Ape => "ape",
            Self::WavPack => "wavpack",
            Self::Musepack => "musepack",
        }
    }
}

/// What a file's tags say, as read. Nothing here is ever written by us but the genres.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileTags {
    /// Title.
    pub title: Option<String>,
    /// Artist or artists, as one text.
    pub artist: Option<String>,
    /// Album.
    pub album: Option<String>,
    /// Artist of the album.
    pub album_artist: Option<String>,
    /// Year of the recording.
    pub year: Option<i32>,
    /// Number of the track on its disc.
    pub track_no: Option<u32>,
    /// Number of the disc.
    pub disc_no: Option<u32>,
    /// Genres, a value each, as written in the file.
    pub genres: Vec<String>,
}

/// Where a track's mix comes from. What the user said wins over what the model heard, which wins over what
/// the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The file's tags: nobody has heard it yet. The genres it names share it equally.
    File,
    /// The network.
    Model,
    /// The listener's correction.
    User,
}

impl Source {
    /// The name that is stored, shown and searched.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Model => "model",
            Self::User => "user",
        }
    }

    /// The source called `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::File, Self::Model, Self::User].into_iter().find(|s| s.name() == name)
    }
}

/// What a track is made of: chunks won by each genre, of so many chunks. What no genre won is unsure.
/// Integers, so that shares and unsure always sum to one and compare exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix {
    won: Vec<(Genre, u32)>,
    chunks: u32,
    source: Source,
}

impl Mix {
    /// A mix of `chunks` chunks of which each genre of `won` won so many; zeros and doubles are merged, and
    /// the order becomes largest first, then by slug. `None` when there is no chunk, or more are won than
    /// there are.
    #[must_use]
    pub fn new(won: impl IntoIterator<Item = (Genre, u32)>, chunks: u32, source: Source) -> Option<Self> {
        let mut merged: Vec<(Genre, u32)> = Vec::new();
        for (genre, n) in won {
            match merged.iter_mut().find(|(g, _)| *g == genre) {
                Some((_, sum)) => *sum = sum.checked_add(n)?,
                None => merged.push((genre, n)),
            }
        }
        merged.retain(|(_, n)| *n > 0);
        merged.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let sum: u64 = merged.iter().map(|(_, n)| u64::from(*n)).sum();
        (chunks > 0 && sum <= u64::from(chunks)).then_some(Self { won: merged, chunks, source })
    }

    /// Chunks won by each genre, largest first.
    #[must_use]
    pub fn won(&self) -> &[(Genre, u32)] {
        &self.won
    }

    /// All chunks.
    #[must_use]
    pub const fn chunks(&self) -> u32 {
        self.chunks
    }

    /// Chunks that no genre won.
    #[must_use]
    pub fn unsure(&self) -> u32 {
        self.chunks - self.won.iter().map(|(_, n)| n).sum::<u32>()
    }

    /// Chunks that `genre` won.
    #[must_use]
    pub fn won_by(&self, genre: &Genre) -> u32 {
        self.won.iter().find(|(g, _)| g == genre).map_or(0, |(_, n)| *n)
    }

    /// Share of `genre`, 0 to 1.
    #[must_use]
    pub fn share(&self, genre: &Genre) -> f64 {
        f64::from(self.won_by(genre)) / f64::from(self.chunks)
    }

    /// Share that no genre won, 0 to 1.
    #[must_use]
    pub fn unsure_share(&self) -> f64 {
        f64::from(self.unsure()) / f64::from(self.chunks)
    }

    /// Where it comes from.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn shares_and_unsure_sum_to_one() {
        let g = |s| Genre::new(s).unwrap();
        let mix = Mix::new([(g("blues"), 2), (g("jazz"), 5), (g("pop"), 0)], 8, Source::Model).unwrap();
        assert_eq!(mix.won(), [(g("jazz"), 5), (g("blues"), 2)]);
        assert_eq!(mix.unsure(), 1);
        assert!((mix.share(&g("jazz")) + mix.share(&g("blues")) + mix.unsure_share() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn an_impossible_mix_is_none() {
        let g = |s| Genre::new(s).unwrap();
        assert_eq!(Mix::new([(g("blues"), 9)], 8, Source::Model), None);
        assert_eq!(Mix::new([], 0, Source::Model), None);
    }
}
