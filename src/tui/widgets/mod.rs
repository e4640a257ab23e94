//! Things that screens are made of. They know rows, genres, the theme and the keys that move in a list; no state of a
//! screen.

pub mod bar;
pub mod dots;
pub mod heat;
pub mod list;
pub mod plot;
pub mod prompt;
pub mod ribbon;
pub mod text;
pub mod window;
