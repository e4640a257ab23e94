//! What the user said, made to teach: which tracks to ask about, which others sound like a corrected one, what a
//! model is to learn, whether it learned well, and which model is in force.
//!
//! Plain functions on the library, with callbacks for progress; nothing here prints, asks or draws. It uses the store
//! and the ears, and knows neither command line nor UI.

pub mod exchange;
pub mod gate;
pub mod judge;
pub mod lessons;
pub mod like;
pub mod models;
pub mod preview;
pub mod report;
pub mod retrain;
pub mod review;
mod space;

pub use space::Space;
