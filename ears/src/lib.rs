//! The ears of deepcuts: a filter from paths to genres. They know no database, no tags, no terminal.
//!
//! A file becomes mono windows of samples ([`decode`]), the windows become log-mel chunks ([`mel`]), the
//! chunks are named by a network ([`model`]), and [`serve`] is the message loop and the threads around
//! the three.

pub mod decode;
pub mod mel;
pub mod model;
pub mod serve;
pub mod startup;
pub mod train;
