//! The screens: a file each, with its own state, keys and looks. They ask for work by returning effects and do
//! none themselves.

pub mod command;
pub mod editor;
pub mod help;
pub mod history;
pub mod jobs;
pub mod library;
pub mod map;
pub mod models;
pub mod offer;
pub mod retrain;
pub mod review;
pub mod search;
pub mod settings;
pub mod tags;
pub mod track;
pub mod tracks;

use std::{collections::BTreeMap, sync::Arc};

use super::{
    data::{Counts, Row},
    keys::Keys,
    theme::{Genres, Theme},
};

/// What all screens see.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The look.
    pub theme: Theme,
    /// The genres and their looks.
    pub genres: Arc<Genres>,
    /// How much there is.
    pub counts: Counts,
    /// The keys in force.
    pub keys: Arc<Keys>,
    /// The marked files.
    pub marks: BTreeMap<i64, Arc<Row>>,
}
