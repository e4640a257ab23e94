//! A file becomes mono windows of samples, or a named failure.
//!
//! Files are judged by their bytes, never by their names, and every file is hostile until it has been
//! decoded: sizes lie, demuxers loop, decoders panic. So the leading bytes are gated first (several
//! formats that the decoder does not know hold a RIFF header, and would be played as noise), all reading
//! goes through a source that gives up after ten seconds without a packet, and what came out is held
//! against what was declared. This room knows no mel, no network and no messages.

mod aac;
mod downmix;
mod error;
mod gate;
mod mp4;
mod source;
mod stream;

pub use error::DecodeError;
pub use stream::{Decoder, Format};

/// Run `work`, and turn a panic inside it into [`DecodeError::Panicked`]: demuxers and decoders do panic
/// on hostile bytes, and one bad file must never stop the rest.
///
/// # Errors
/// What `work` returned, or the panic.
pub fn guarded<T, E: From<DecodeError>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        Err(DecodeError::Panicked(text).into())
    })
}
