//! Things that screens are made of. They know rows, genres and the theme; no keys and no state of a screen.

pub mod bar;
pub mod list;
pub mod prompt;
pub mod ribbon;
pub mod text;
pub mod window;
