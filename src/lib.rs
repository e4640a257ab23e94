//! The desk of deepcuts: crawl, watch, keep, search, tag, correct, show.
//!
//! ```text
//! crawl --+                     +------------ ears ------------+
//! watch --+- path ------------->| decode -> mel -> model       |-- Heard --> store -> search index -> tags
//!                               +------------------------------+
//! ```
//!
//! The ears are another process (`deepcuts-ears`), the only one that links libtorch. ARCHITECTURE.md walks
//! through the rooms.

pub mod config;
pub mod genre;
pub mod paths;
pub mod store;
pub mod text;
pub mod track;
