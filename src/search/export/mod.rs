//! What a search found, in the languages of other programs: Navidrome's smart playlists, beets' flexible fields, MPD's
//! stickers. Pure: text and values out, no file, no program started.

pub mod nsp;
mod scripts;

pub use scripts::{beets, mpd_stickers};

use crate::genre::Genre;

/// The field that holds a genre's share in other programs, as tags do with `write_shares`.
#[must_use]
pub fn share_field(genre: &Genre) -> String {
    format!("genre_share_{genre}")
}
