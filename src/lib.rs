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

pub mod cli;
pub mod commands;
pub mod config;
pub mod corrections;
pub mod crawl;
pub mod ears;
pub mod genre;
pub mod hooks;
pub mod log;
pub mod paths;
pub mod payload;
pub mod pipeline;
pub mod progress;
pub mod relabel;
pub mod role;
pub mod search;
pub mod store;
pub mod tags;
pub mod text;
pub mod track;
pub mod tui;
pub mod watch;
