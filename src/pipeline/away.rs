//! Whether a file that was not found is gone, or the disk that it lies on: one behind a link that leads out of the
//! library, or one that is mounted on a folder of it.
//!
//! A disk that is not mounted leaves a link that leads nowhere, or an empty folder on another disk. What was deleted
//! leaves a folder with other things in it, or an empty one on the same disk.

use std::{
    collections::HashMap,
    fs,
    io::ErrorKind,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::plan::is_there;

/// What a walk learns of the disks below a root.
#[derive(Default)]
pub(super) struct Disks {
    /// A file that was found, for each number that disks had when their files were last looked at.
    found: HashMap<u64, PathBuf>,
    /// The number of the disk of each folder that was looked at and is empty; none for the others.
    empty: HashMap<PathBuf, Option<u64>>,
}

impl Disks {
    /// A known file was found on the disk that had the number `dev` when it was last looked at.
    pub fn found(&mut self, path: &Path, dev: u64) {
        self.found.entry(dev).or_insert_with(|| path.to_path_buf());
    }

    /// The place below `root` where the disk is missing that held the file at `path`, whose disk had the number `dev`;
    /// none when the file is gone.
    pub fn missing(&mut self, path: &Path, dev: u64, root: &Path) -> Option<PathBuf> {
        for place in path.ancestors().take_while(|place| place.starts_with(root)) {
            let Ok(metadata) = place.symlink_metadata() else { continue };
            if metadata.is_symlink()
                && let Err(error) = fs::metadata(place)
            {
                let unmounted = error.kind() != ErrorKind::NotFound || !is_there(&place.parent()?.join(target(place)?));
                return unmounted.then(|| place.to_path_buf());
            }
            let now = (*self.empty.entry(place.to_path_buf()).or_insert_with(|| disk_of_empty(place)))?;
            // A disk may be mounted under another number, and some have one for files and one for folders.
            let other = self.found.get(&dev).and_then(|path| fs::metadata(path.parent()?).ok());
            let there = now == dev || other.is_some_and(|folder| folder.dev() == now);
            return (!there).then(|| place.to_path_buf());
        }
        None
    }
}

/// The folder that holds what a link leads to.
fn target(link: &Path) -> Option<PathBuf> {
    fs::read_link(link).ok()?.parent().map(Path::to_path_buf)
}

fn disk_of_empty(folder: &Path) -> Option<u64> {
    let mut entries = fs::read_dir(folder).ok()?;
    if entries.next().is_some() { None } else { fs::metadata(folder).ok().map(|metadata| metadata.dev()) }
}
