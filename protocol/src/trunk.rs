//! Where the pretrained network lies that `deep` listens through. The weights of `deep` are only the part that we
//! trained; the desk wants to know whether the other part is there, and the ears read it.

use std::path::{Path, PathBuf};

/// Its file, as scripts/setup makes it and `make install` installs it.
pub const TRUNK_FILE: &str = "musicnn.safetensors";

/// Find the trunk: where `DEEPCUTS_TRUNK` says, beside `weights`, among the installed models, or in the checkout that
/// the program was built in.
///
/// # Errors
/// Says where it was looked for, and what to do.
pub fn find_trunk(weights: Option<&Path>) -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("DEEPCUTS_TRUNK").map(PathBuf::from) {
        return if path.is_file() { Ok(path) } else { Err(missing(&[path])) };
    }
    let mut places: Vec<PathBuf> = weights.map(|w| w.with_file_name(TRUNK_FILE)).into_iter().collect();
    if let Ok(exe) = std::env::current_exe() {
        let folders = exe.ancestors().skip(1);
        places.extend(folders.clone().nth(1).map(|p| p.join("share/deepcuts/models").join(TRUNK_FILE)));
        places.extend(folders.map(|p| p.join("vendor/musicnn").join(TRUNK_FILE)).find(|p| p.is_file()));
    }
    places.iter().find(|p| p.is_file()).cloned().ok_or_else(|| missing(&places))
}

fn missing(places: &[PathBuf]) -> String {
    let places: Vec<String> = places.iter().map(|p| p.display().to_string()).collect();
    format!(
        "the pretrained network that deep listens through is not here (looked for {}): run `make setup`, or `make \
         install` again",
        places.join(", ")
    )
}
