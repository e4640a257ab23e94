//! Room on the disk: what a scan will need, and when it must stop.

use std::path::Path;

/// What the database and the index grow by for a track: timeline, embeddings (at most 10 KiB), rows, postings.
pub const BYTES_A_TRACK: u64 = 16 * 1024;

/// Below so much free space nothing more is heard: SQLite, its log and other programs need air.
pub const KEPT_FREE: u64 = 64 << 20;

/// Free bytes for this user where `path` lies; none where the system does not tell.
#[must_use]
pub fn free(path: &Path) -> Option<u64> {
    let folder = path.ancestors().find(|dir| dir.is_dir())?;
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Why there is no room for `tracks` more in the database at `path`; none when there is.
#[must_use]
pub fn lacks(path: &Path, tracks: u64) -> Option<String> {
    let need = tracks.saturating_mul(BYTES_A_TRACK).saturating_add(KEPT_FREE);
    let free = free(path).filter(|free| *free < need)?;
    let mb = |bytes: u64| bytes.div_ceil(1 << 20);
    Some(format!(
        "the disk of {} is nearly full: {} MB free, {} MB needed for {tracks} tracks; make room, or choose another place with --db",
        path.display(),
        mb(free),
        mb(need)
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn too_many_tracks_lack_room() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("not/made/yet/library.db");
        assert_eq!(lacks(&path, 0).filter(|_| free(&path).unwrap() > KEPT_FREE), None);
        assert!(lacks(&path, u64::MAX / BYTES_A_TRACK).unwrap().contains("nearly full"));
    }
}
