//! The file system's part of a write: a hidden copy beside the file, everything that belongs to the file
//! but its bytes, the swap, and looking at what came out of it.
//!
//! Until the swap the original is only read. The swap exchanges two names in one step, so there is no moment
//! without the file; and since what came out can be looked at, a file that somebody replaced in that very
//! moment goes back. It knows no tag: it makes a copy with splices.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, CWD, RenameFlags, Timespec, Timestamps},
    io::Errno,
};

use super::{
    Refusal,
    splice::{Spliced, Splices},
};
use crate::{payload::Source, track::FileStamp};

/// What a copy's name starts and ends with. The dot hides it; the ending is no player's.
const PREFIX: &str = ".deepcuts-";
const SUFFIX: &str = ".part";

/// A name for a copy beside `path` that nothing else has.
pub(super) fn sibling(path: &Path) -> PathBuf {
    use std::hash::{BuildHasher as _, Hasher as _};
    // The system's randomness, through the standard library's seeds.
    let random = std::hash::RandomState::new().build_hasher().finish();
    path.with_file_name(format!("{PREFIX}{random:016x}{SUFFIX}"))
}

/// Whether `name` is one that [`sibling`] makes.
pub(super) fn is_ours(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.strip_prefix(PREFIX)
        .and_then(|name| name.strip_suffix(SUFFIX))
        .is_some_and(|hex| hex.len() == 16 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// A copy that removes itself unless it is told not to.
pub(super) struct Copy {
    pub(super) path: PathBuf,
    pub(super) file: File,
    armed: bool,
}

impl Drop for Copy {
    fn drop(&mut self) {
        if self.armed
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "a stale copy could not be removed; the next start tries again");
        }
    }
}

fn what(error: io::Error, doing: &str) -> Refusal {
    let hint = match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOSPC | Errno::DQUOT) => "; make room for a copy of the file and try again",
        Some(Errno::ROFS) => "; the file system is read-only",
        Some(Errno::ACCESS | Errno::PERM) => "; deepcuts may not write there",
        _ => "",
    };
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default().to_lowercase();
    Refusal::new(format!("{doing}: {text}{hint}"))
}

/// blake3 of a whole file.
pub(super) fn hash(file: &File) -> Result<[u8; 32], Refusal> {
    let source = Source::new(file)?;
    let mut hasher = blake3::Hasher::new();
    source.stream(0..source.len(), "the file", |piece| {
        hasher.update(piece);
    })?;
    Ok(*hasher.finalize().as_bytes())
}

impl Copy {
    /// Make `path`, a copy of `old` with `splices`. Where nothing moves and the file system can, blocks are
    /// shared and only the splices are written.
    pub(super) fn make(path: PathBuf, old: &File, splices: &Splices) -> Result<Self, Refusal> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)
            .map_err(|error| what(error, "no copy could be made beside it"))?;
        let mut copy = Self { path, file, armed: true };
        copy.fill(old, splices).map_err(|error| what(error, "the copy could not be written"))?;
        Ok(copy)
    }

    fn fill(&mut self, old: &File, splices: &Splices) -> io::Result<()> {
        if splices.in_place() && rustix::fs::ioctl_ficlone(&self.file, old).is_ok() {
            for splice in splices.list() {
                self.file.write_all_at(&splice.insert, splice.at)?;
            }
            return Ok(());
        }
        let changed = || io::Error::other("the file became shorter meanwhile");
        let view = Spliced::new(old, splices)?.ok_or_else(changed)?;
        let source = Source::new(&view)?;
        let mut result = Ok(());
        source
            .stream(0..source.len(), "the file", |piece| {
                if result.is_ok() {
                    result = self.file.write_all(piece);
                }
            })
            .map_err(io::Error::other)?;
        result
    }

    /// Give the copy what belongs to `old` besides its bytes: owner, mode, ACL, extended attributes, and its
    /// times where `keep_mtime` says so. Then make it durable.
    pub(super) fn dress(&self, old: &File, keep_mtime: bool) -> Result<(), Refusal> {
        let like = old.metadata()?;
        let now = self.file.metadata()?;
        if (now.uid(), now.gid()) != (like.uid(), like.gid()) {
            std::os::unix::fs::fchown(&self.file, Some(like.uid()), Some(like.gid()))
                .map_err(|_| Refusal::new("its owner or group cannot be kept; run deepcuts as its owner"))?;
        }
        copy_attributes(old, &self.file)?;
        self.file
            .set_permissions(Permissions::from_mode(like.mode() & 0o7777))
            .map_err(|error| what(error, "its mode cannot be kept"))?;
        let time = |s: i64, ns: i64| Timespec { tv_sec: s, tv_nsec: ns as _ };
        let omit = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT };
        let times = Timestamps {
            last_access: time(like.atime(), like.atime_nsec()),
            last_modification: if keep_mtime { time(like.mtime(), like.mtime_nsec()) } else { omit },
        };
        rustix::fs::futimens(&self.file, &times).map_err(|error| what(error.into(), "its times cannot be kept"))?;
        sync(&self.file).map_err(|error| what(error, "the copy could not be made durable"))
    }

    /// Remove the copy, after a swap: it holds the old content then.
    fn remove(&mut self) -> io::Result<()> {
        self.armed = false;
        std::fs::remove_file(&self.path)
    }
}

fn copy_attributes(old: &File, new: &File) -> Result<(), Refusal> {
    use xattr::FileExt as _;
    let names = |file: &File| -> Vec<OsString> { file.list_xattr().map(Iterator::collect).unwrap_or_default() };
    let wanted = names(old);
    for name in names(new).iter().filter(|name| !wanted.contains(name)) {
        // A folder's default ACL, given to each new file in it.
        let _ = new.remove_xattr(name);
    }
    for name in wanted {
        let Some(value) = old.get_xattr(&name)? else { continue };
        if new.get_xattr(&name).ok().flatten().as_ref() == Some(&value) {
            continue;
        }
        if let Err(error) = new.set_xattr(&name, &value) {
            let name = name.to_string_lossy().into_owned();
            // Labels of the system are given by the system; what people and programs set must stay.
            if name.starts_with("user.") || name.starts_with("system.posix_acl") {
                return Err(what(error, &format!("its attribute {name} cannot be kept")));
            }
            tracing::debug!(name, %error, "an attribute was not copied");
        }
    }
    Ok(())
}

fn sync(file: &File) -> io::Result<()> {
    loop {
        match file.sync_all() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

fn sync_folder(of: &Path) -> io::Result<()> {
    let folder = of.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match sync(&File::open(folder)?) {
        // Some network file systems cannot; there is nothing more to be done there.
        Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => Ok(()),
        other => other,
    }
}

/// Whether somebody has the file open to write. Where it cannot be told, nobody has.
fn is_open_for_writing(file: &File) -> bool {
    lease::try_read(file) == Some(false)
}

mod lease {
    //! A read lease is only given on a file that nobody has open to write.

    use std::{fs::File, os::fd::AsRawFd};

    /// Which signal tells that a lease is broken; not in the libc crate for every target.
    const F_SETSIG: libc::c_int = 10;

    /// NFS, SMB 1, CIFS and SMB 2 in `f_type` of statfs (linux/magic.h, fs/smb): their clients say that somebody writes
    /// wherever the server has handed them no delegation or oplock, too.
    const REMOTE: [u64; 4] = [0x6969, 0x517B, 0xFF53_4D42, 0xFE53_4D42];

    fn is_remote(file: &File) -> bool {
        // The width and sign of the field differ between targets; the numbers have 32 bits.
        rustix::fs::fstatfs(file).is_ok_and(|fs| REMOTE.contains(&(fs.f_type as u64 & 0xFFFF_FFFF)))
    }

    /// Take and give back a read lease: `Some(false)` when somebody writes, `None` when it cannot be told.
    #[allow(unsafe_code)]
    pub(super) fn try_read(file: &File) -> Option<bool> {
        let fd = file.as_raw_fd();
        // SAFETY: fcntl on an open descriptor with integer arguments; no memory is passed. The signal of a broken
        // lease is set to one that is ignored by default before the lease is asked for.
        unsafe {
            if libc::fcntl(fd, F_SETSIG, libc::SIGURG) == -1 {
                return None;
            }
            if libc::fcntl(fd, libc::F_SETLEASE, libc::F_RDLCK) == -1 {
                let error = std::io::Error::last_os_error().raw_os_error();
                return (error == Some(libc::EAGAIN) && !is_remote(file)).then_some(false);
            }
            libc::fcntl(fd, libc::F_SETLEASE, libc::F_UNLCK);
        }
        Some(true)
    }
}

/// The file that a write is about: resolved, open, and as it was when it was planned.
pub(super) struct Original {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) stamp: FileStamp,
}

impl Original {
    /// Open the file that `path` leads to. A symlink's target is written, and the link stays.
    pub(super) fn open(path: &Path, hard_links: bool) -> Result<Self, Refusal> {
        let path = path.canonicalize().map_err(|error| what(error, "it could not be opened"))?;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags((rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits().cast_signed())
            .open(&path)
            .map_err(|error| what(error, "it could not be opened"))?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(Refusal::new("it is no regular file"));
        }
        if metadata.mode() & 0o222 == 0 {
            return Err(Refusal::new(format!("it is read-only (mode {:04o})", metadata.mode() & 0o7777)));
        }
        match rustix::fs::accessat(CWD, &path, rustix::fs::Access::WRITE_OK, AtFlags::EACCESS) {
            Ok(()) => {}
            Err(Errno::ROFS) => return Err(Refusal::new("its file system is read-only")),
            Err(_) => return Err(Refusal::new("deepcuts may not write it")),
        }
        if metadata.nlink() > 1 && !hard_links {
            return Err(Refusal::new(format!(
                "it has {} hard links, and the others would keep the old tags; --hard-links writes this one",
                metadata.nlink()
            )));
        }
        Ok(Self { path, stamp: FileStamp::of(&metadata), file })
    }

    fn is_unchanged(&self) -> bool {
        std::fs::symlink_metadata(&self.path).is_ok_and(|m| FileStamp::of(&m) == self.stamp)
    }
}

/// How a swap ended.
pub(super) struct Swapped {
    /// The new file's stamp.
    pub(super) stamp: FileStamp,
    /// The old content could not be removed from the copy's place; the next start does.
    pub(super) leftover: bool,
    /// False where the file system cannot exchange names, and the file was renamed over.
    pub(super) exchanged: bool,
}

/// Why a swap did not end well.
pub(super) enum Failed {
    /// The file is as it was, and the copy is thrown away.
    AsItWas(Refusal),
    /// The two could not be put back under their names: what stands where has to be looked at again.
    Open(Refusal),
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::AsItWas(refusal)
    }
}

/// Why a file that somebody has open to write is let be.
pub(super) const BUSY: &str = "another program has it open to write";

const CHANGED: &str = "it changed while it was being written; it was left as it is now";

/// Put `copy` in the place of `original`, whose content hashes to `old_hash`.
pub(super) fn swap(original: &Original, mut copy: Copy, old_hash: [u8; 32]) -> Result<Swapped, Failed> {
    if !original.is_unchanged() {
        return Err(Refusal::new(CHANGED).into());
    }
    if is_open_for_writing(&original.file) {
        return Err(Refusal::new(BUSY).into());
    }
    // The moment the names are exchanged, the copy's name is that of irreplaceable content: nothing may remove it
    // by itself any more.
    copy.armed = false;
    let exchanged = match exchange(&copy.path, &original.path) {
        Ok(()) => true,
        Err(Errno::NOSYS | Errno::INVAL | Errno::OPNOTSUPP) => false,
        Err(error) => {
            copy.armed = true;
            return Err(what(error.into(), "it could not be replaced").into());
        }
    };
    if exchanged {
        if !came_out(original, &copy.path, old_hash) {
            // If this fails, the newer content stays in the copy's place, and the next start resolves it.
            exchange(&copy.path, &original.path).map_err(|error| {
                let doing = "it changed while it was being written, and could not be put back yet";
                Failed::Open(what(error.into(), doing))
            })?;
            copy.armed = true;
            let _ = sync_folder(&original.path);
            return Err(Refusal::new(CHANGED).into());
        }
    } else if let Err(error) = std::fs::rename(&copy.path, &original.path) {
        copy.armed = true;
        return Err(what(error, "it could not be replaced").into());
    }
    if let Err(error) = sync_folder(&original.path) {
        let refusal = what(error, "its folder could not be made durable");
        if exchanged && exchange(&copy.path, &original.path).is_ok() {
            copy.armed = true;
            return Err(refusal.into());
        }
        return Err(Failed::Open(refusal));
    }
    let mut leftover = false;
    if exchanged && let Err(error) = copy.remove() {
        tracing::warn!(path = %copy.path.display(), %error, "the old content could not be removed; the next start tries again");
        leftover = true;
    }
    // Of the file that we made, and not of whatever has the name by now: another would be taken for known.
    let metadata = copy.file.metadata().map_err(|error| Failed::Open(error.into()))?;
    let stamp = FileStamp::of(&metadata);
    Ok(Swapped { stamp, leftover, exchanged })
}

fn exchange(a: &Path, b: &Path) -> Result<(), Errno> {
    rustix::fs::renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE)
}

/// Swap back: what a crashed process left between its swap and its look at what came out.
pub(super) fn exchange_back(copy: &Path, path: &Path) -> io::Result<()> {
    exchange(copy, path)?;
    sync_folder(path)
}

/// Remove a stale copy and make that durable.
pub(super) fn discard(path: &Path) -> io::Result<()> {
    std::fs::remove_file(path)?;
    sync_folder(path)
}

/// Whether the file that came out of the swap is the one that was copied, byte for byte, and nobody writes it.
fn came_out(original: &Original, path: &Path, old_hash: [u8; 32]) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let Ok(now) = file.metadata().map(|m| FileStamp::of(&m)) else { return false };
    let then = original.stamp;
    // A rename changes the ctime; all else must be as it was.
    (now.dev, now.ino, now.size, now.mtime_ns) == (then.dev, then.ino, then.size, then.mtime_ns)
        && hash(&file).is_ok_and(|hash| hash == old_hash)
        && !is_open_for_writing(&file)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use std::fs;

    use super::{super::splice::Splice, *};

    fn made(dir: &Path) -> (Original, Copy, [u8; 32]) {
        let path = dir.join("a.mp3");
        fs::write(&path, b"old content").unwrap();
        let original = Original::open(&path, false).unwrap();
        let splices = Splices::new(vec![Splice::new(0, 3, *b"NEW")]).unwrap();
        let copy = Copy::make(sibling(&original.path), &original.file, &splices).unwrap();
        copy.dress(&original.file, false).unwrap();
        let hash = hash(&original.file).unwrap();
        (original, copy, hash)
    }

    fn names(dir: &Path) -> Vec<String> {
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_swap_leaves_the_new_content_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let (original, copy, hash) = made(dir.path());
        let Ok(swapped) = swap(&original, copy, hash) else { panic!("not swapped") };
        assert_eq!(fs::read(dir.path().join("a.mp3")).unwrap(), b"NEW content");
        assert_eq!(FileStamp::read(&original.path).unwrap(), swapped.stamp);
        assert_eq!(names(dir.path()), ["a.mp3"]);
    }

    #[test]
    fn what_somebody_put_there_meanwhile_stays() {
        let dir = tempfile::tempdir().unwrap();
        // Replaced before the swap.
        let (original, copy, old) = made(dir.path());
        fs::write(dir.path().join("b"), b"somebody's").unwrap();
        fs::rename(dir.path().join("b"), &original.path).unwrap();
        assert!(swap(&original, copy, old).is_err());
        assert_eq!(fs::read(&original.path).unwrap(), b"somebody's");
        assert_eq!(names(dir.path()), ["a.mp3"]);

        // Written in the very moment of the swap: what came out is not what was copied, and goes back.
        let (mut original, copy, old) = made(dir.path());
        fs::write(&original.path, b"changed now").unwrap();
        original.stamp = FileStamp::read(&original.path).unwrap();
        assert!(swap(&original, copy, old).is_err());
        assert_eq!(fs::read(&original.path).unwrap(), b"changed now");
        assert_eq!(names(dir.path()), ["a.mp3"]);
    }

    #[test]
    fn a_file_that_somebody_writes_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (original, copy, old) = made(dir.path());
        let writer = OpenOptions::new().append(true).open(&original.path).unwrap();
        if lease::try_read(&original.file).is_none() {
            println!("skipped: no leases on this file system");
            return;
        }
        let refused = swap(&original, copy, old);
        assert!(matches!(refused, Err(Failed::AsItWas(refusal)) if refusal.reason.contains("open to write")));
        drop(writer);
        assert_eq!(fs::read(&original.path).unwrap(), b"old content");
        assert_eq!(names(dir.path()), ["a.mp3"]);
    }

    #[test]
    fn names_of_copies_are_told_from_others() {
        assert!(is_ours(&sibling(Path::new("/music/a.mp3"))));
        for other in [".deepcuts-1.part", "a.mp3", ".deepcuts-zzzzzzzzzzzzzzzz.part", ".deepcuts-0123456789abcdef.mp3"]
        {
            assert!(!is_ours(Path::new(other)), "{other}");
        }
    }
}
