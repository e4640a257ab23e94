//! The listener's role: one process at a time crawls, hears and writes the index. A lock file holds it; the
//! system lets go of it when the holder ends, however it ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
    time::Duration,
};

/// Holding the role. Dropped, it is free again.
#[derive(Debug)]
pub struct Role {
    _lock: File,
}

/// Why the role cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    /// Somebody else has it.
    #[error(
        "another deepcuts ({holder}) is listening to this library; it takes up what changes by itself. Wait for it, or stop it"
    )]
    Held {
        /// Who.
        holder: String,
    },
    /// The lock file cannot be used.
    #[error("lock file {path}: {source}")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Role {
    /// Take the role, if nobody has it.
    ///
    /// # Errors
    /// Who has it, or why the lock file cannot be used.
    pub fn take(path: &Path) -> Result<Self, RoleError> {
        let io = |source| RoleError::Io { path: path.into(), source };
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(io)?;
        }
        let mut lock = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
        let mut taken = lock.try_lock();
        // Somebody may just be asking who holds it.
        for _ in 0..5 {
            if !matches!(taken, Err(TryLockError::WouldBlock)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
            taken = lock.try_lock();
        }
        match taken {
            Ok(()) => {
                lock.set_len(0).and_then(|()| lock.rewind()).map_err(io)?;
                write!(lock, "process {}", std::process::id()).map_err(io)?;
                Ok(Self { _lock: lock })
            }
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = lock.read_to_string(&mut holder);
                Err(RoleError::Held { holder })
            }
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }
}

impl Role {
    /// Who has the role, if anybody has.
    #[must_use]
    pub fn holder(path: &Path) -> Option<String> {
        let mut lock = File::open(path).ok()?;
        match lock.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                lock.read_to_string(&mut holder).ok()?;
                Some(holder)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_holder_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("library.db.lock");
        let role = Role::take(&path).unwrap();
        let error = Role::take(&path).unwrap_err().to_string();
        assert!(error.contains(&std::process::id().to_string()), "{error}");
        drop(role);
        Role::take(&path).unwrap();
    }
}
