//! Which files there are: a walk through a root with walkdir.
//!
//! Names decide only what is looked at; what a file holds is judged later, by content. A folder that cannot be
//! read, a loop or an odd name is a warning and never ends the walk. Links within the root are not followed
//! (their target is found anyway); links out of it are, unless the settings say otherwise. The crawl knows no
//! database: it reports, and remembers below which folders it could not look.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder},
};
use walkdir::{DirEntry, WalkDir};

use crate::{
    config::Library,
    track::{FileStamp, path_bytes},
};

/// A file of this name in a folder leaves out what it lists, or everything when it is empty.
pub const IGNORE_FILE: &str = ".deepcutsignore";

/// How the names of our own temporary copies begin.
pub const COPY_PREFIX: &str = ".deepcuts-";

/// Folders that systems and servers fill with things that are not music.
const SYSTEM_FOLDERS: &[&str] = &["lost+found", "$RECYCLE.BIN", "System Volume Information", "@eaDir", ".Trash"];

/// What a crawl comes across.
#[derive(Debug)]
pub enum Found {
    /// A file to look at.
    File {
        /// Where.
        path: PathBuf,
        /// As it is now.
        stamp: FileStamp,
    },
    /// Something that could not be looked at, and why.
    Warning {
        /// Where.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// What is true of a root after its crawl.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Crawled {
    /// The root is not there, or there is nothing at all in it (an unmounted folder, say).
    pub missing: bool,
    /// Folders below which could not be looked: nothing there counts as deleted.
    pub unread: Vec<PathBuf>,
    /// The crawl was stopped.
    pub cancelled: bool,
}

impl Crawled {
    /// Whether a file that was not found at `path` is really gone.
    #[must_use]
    pub fn vouches_for(&self, path: &Path) -> bool {
        !self.missing && !self.cancelled && !self.unread.iter().any(|dir| path.starts_with(dir))
    }
}

/// Walk through `root`, a part of the library's root `base` or that root itself, and report every candidate to
/// `each`. What the folders from `base` down leave out is left out of a part as well.
pub fn crawl(root: &Path, base: &Path, library: &Library, cancel: &AtomicBool, each: &mut dyn FnMut(Found)) -> Crawled {
    let mut crawled = Crawled::default();
    let mut judge = Judge::new(base, library);
    match std::fs::metadata(root) {
        Ok(metadata) if judge.leaves_out_part(root, metadata.is_dir()) => return crawled,
        Ok(metadata) if metadata.is_file() => {
            if judge.is_candidate_name(root) {
                each(Found::File { path: root.to_path_buf(), stamp: FileStamp::of(&metadata) });
            }
            return crawled;
        }
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Crawled { missing: true, ..crawled },
        Err(error) => {
            each(Found::Warning { path: root.to_path_buf(), reason: error.to_string() });
            crawled.unread.push(root.to_path_buf());
            return crawled;
        }
    }
    let mut entries = 0_u64;
    let mut walk = WalkDir::new(root).follow_links(true).min_depth(1).sort_by_file_name().into_iter();
    while let Some(entry) = walk.next() {
        if cancel.load(Ordering::Relaxed) {
            crawled.cancelled = true;
            break;
        }
        match entry {
            Ok(entry) => {
                entries += 1;
                let is_dir = entry.file_type().is_dir();
                match judge.verdict(&entry) {
                    Verdict::Leave if is_dir => walk.skip_current_dir(),
                    Verdict::Leave => {}
                    Verdict::Warn(reason) => {
                        if is_dir {
                            walk.skip_current_dir();
                        }
                        each(Found::Warning { path: entry.into_path(), reason });
                    }
                    Verdict::Enter => {}
                    Verdict::Take => match entry.metadata() {
                        Ok(metadata) => {
                            each(Found::File { path: entry.into_path(), stamp: FileStamp::of(&metadata) });
                        }
                        Err(error) => {
                            crawled.unread.push(entry.path().to_path_buf());
                            each(Found::Warning { path: entry.into_path(), reason: error.to_string() });
                        }
                    },
                }
            }
            Err(error) => {
                let path = error.path().unwrap_or(root).to_path_buf();
                let reason = match (error.loop_ancestor(), error.io_error()) {
                    (Some(ancestor), _) => format!("a link leads back to {}", ancestor.display()),
                    (None, Some(io)) => io.to_string(),
                    (None, None) => error.to_string(),
                };
                // A dangling link is not a place that could hold something.
                if !path.is_symlink() || error.loop_ancestor().is_some() {
                    entries += 1;
                    crawled.unread.push(path.clone());
                }
                each(Found::Warning { path, reason });
            }
        }
    }
    crawled.missing = entries == 0 && !crawled.cancelled;
    crawled
}

/// What to do with an entry.
enum Verdict {
    Take,
    Enter,
    Leave,
    Warn(String),
}

struct Judge<'a> {
    root: &'a Path,
    library: &'a Library,
    extensions: BTreeSet<String>,
    excluded: Gitignore,
    /// Rules of the folders that lead to the present entry: (depth of the folder, its rules or none for all).
    rules: Vec<(usize, Option<Gitignore>)>,
}

impl<'a> Judge<'a> {
    fn new(root: &'a Path, library: &'a Library) -> Self {
        let mut excluded = GitignoreBuilder::new(root);
        for glob in &library.exclude {
            if let Err(error) = excluded.add_line(None, glob) {
                tracing::warn!(glob, %error, "library.exclude: a glob was left out");
            }
        }
        let mut judge = Self {
            root,
            library,
            extensions: library.extensions.iter().map(|e| e.to_ascii_lowercase()).collect(),
            excluded: excluded.build().unwrap_or_else(|_| Gitignore::empty()),
            rules: Vec::new(),
        };
        judge.read_rules(root, 0);
        judge
    }

    fn read_rules(&mut self, dir: &Path, depth: usize) {
        let file = dir.join(IGNORE_FILE);
        let bytes = match std::fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) => {
                if error.kind() != std::io::ErrorKind::NotFound {
                    tracing::warn!(file = %file.display(), %error, "what it leaves out is not known");
                }
                return;
            }
        };
        // An editor may put a mark before the first line, or write a comment as the system did long ago.
        let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes));
        let mut builder = GitignoreBuilder::new(dir);
        let mut any = false;
        for line in text.lines() {
            any |= !line.trim().is_empty() && !line.starts_with('#');
            if let Err(error) = builder.add_line(None, line) {
                tracing::warn!(file = %file.display(), line, %error, "a line was left out");
            }
        }
        self.rules.push((depth, if any { builder.build().ok() } else { None }));
    }

    fn verdict(&mut self, entry: &DirEntry) -> Verdict {
        let (path, depth, is_dir) = (entry.path(), entry.depth(), entry.file_type().is_dir());
        while self.rules.last().is_some_and(|(at, _)| *at >= depth) {
            self.rules.pop();
        }
        if self.leaves_out(path, is_dir) {
            return Verdict::Leave;
        }
        if !is_dir && !self.is_candidate(entry) {
            return Verdict::Leave;
        }
        if is_dir && entry.file_name().to_str().is_some_and(|n| SYSTEM_FOLDERS.iter().any(|s| n.starts_with(s))) {
            return Verdict::Leave;
        }
        if entry.path_is_symlink()
            && let Some(verdict) = self.link(path)
        {
            return verdict;
        }
        if is_dir {
            self.read_rules(path, depth);
            return Verdict::Enter;
        }
        Verdict::Take
    }

    /// Read the rules on the way from the library's root down to a part of it; whether they leave it out.
    fn leaves_out_part(&mut self, part: &Path, is_dir: bool) -> bool {
        let Ok(below) = part.strip_prefix(self.root) else { return false };
        let mut here = self.root.to_path_buf();
        let mut names = below.components().peekable();
        while let Some(name) = names.next() {
            here.push(name);
            let dir = is_dir || names.peek().is_some();
            if self.leaves_out(&here, dir) {
                return true;
            }
            if dir {
                self.read_rules(&here, 0);
            }
        }
        false
    }

    fn leaves_out(&self, path: &Path, is_dir: bool) -> bool {
        let matched = |rules: &Gitignore| matches!(rules.matched(path, is_dir), Match::Ignore(_));
        matched(&self.excluded) || self.rules.iter().any(|(_, rules)| rules.as_ref().is_none_or(matched))
    }

    fn is_candidate(&self, entry: &DirEntry) -> bool {
        entry.file_type().is_file() && self.is_candidate_name(entry.path())
    }

    fn is_candidate_name(&self, path: &Path) -> bool {
        let name = path.file_name().map(|n| path_bytes(Path::new(n))).unwrap_or_default();
        !name.starts_with(b"._")
            && !name.starts_with(COPY_PREFIX.as_bytes())
            && path
                .extension()
                .and_then(OsStr::to_str)
                .is_some_and(|e| self.extensions.contains(&e.to_ascii_lowercase()))
    }

    /// Whether a link is left alone, and how loudly.
    fn link(&self, path: &Path) -> Option<Verdict> {
        let target = match path.canonicalize() {
            Ok(target) => target,
            Err(error) => return Some(Verdict::Warn(error.to_string())),
        };
        if target.starts_with(self.root) {
            return Some(Verdict::Leave);
        }
        if self.root.starts_with(&target) {
            return Some(Verdict::Warn(format!("a link leads back to {}", target.display())));
        }
        if !self.library.follow_links {
            return Some(Verdict::Warn(format!("a link leads out of the root, to {}; not followed", target.display())));
        }
        tracing::info!(path = %path.display(), target = %target.display(), "a link leads out of the root; followed");
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn found(root: &Path) -> (Vec<String>, Vec<String>, Crawled) {
        let (mut files, mut warnings) = (Vec::new(), Vec::new());
        let crawled = crawl(root, root, &Library::default(), &AtomicBool::new(false), &mut |f| match f {
            Found::File { path, .. } => files.push(path.strip_prefix(root).unwrap().to_string_lossy().into_owned()),
            Found::Warning { reason, .. } => warnings.push(reason),
        });
        (files, warnings, crawled)
    }

    fn touch(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"x").unwrap();
    }

    #[test]
    fn loops_links_and_odd_names() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = dir.path().canonicalize().unwrap();
        touch(&root.join("a/b.MP3"));
        touch(&root.join("a/-dash\nline.flac"));
        touch(&root.join("a/._b.mp3"));
        touch(&root.join("a/.deepcuts-1.mp3"));
        touch(&root.join("a/cover.jpg"));
        touch(&elsewhere.path().join("far.ogg"));
        symlink(&root, root.join("a/loop")).unwrap();
        symlink(root.join("a/b.MP3"), root.join("double.mp3")).unwrap();
        symlink(elsewhere.path(), root.join("out")).unwrap();
        symlink(root.join("nowhere"), root.join("dangling.mp3")).unwrap();
        let (files, warnings, crawled) = found(&root);
        assert_eq!(files, ["a/-dash\nline.flac", "a/b.MP3", "out/far.ogg"]);
        assert!(!warnings.is_empty());
        assert!(crawled.vouches_for(&root.join("a/gone.mp3")));
    }

    #[test]
    fn an_ignore_file_leaves_out() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        touch(&root.join("books/one.mp3"));
        fs::write(root.join("books").join(IGNORE_FILE), "").unwrap();
        touch(&root.join("music/one.mp3"));
        touch(&root.join("music/samples/kick.wav"));
        fs::write(root.join("music").join(IGNORE_FILE), "samples/\n").unwrap();
        assert_eq!(found(root).0, ["music/one.mp3"]);
        for part in ["books/one.mp3", "books", "music/samples", "music/samples/kick.wav"] {
            let mut files = 0;
            crawl(&root.join(part), root, &Library::default(), &AtomicBool::new(false), &mut |_| files += 1);
            assert_eq!(files, 0, "{part}");
        }
    }

    #[test]
    fn an_ignore_file_of_any_editor_leaves_out() {
        let dir = tempfile::tempdir().unwrap();
        touch(&dir.path().join("books/one.mp3"));
        touch(&dir.path().join("one.mp3"));
        for text in [&b"\xef\xbb\xbfbooks/\r\n"[..], b"# H\xf6rb\xfccher\nbooks/\n"] {
            fs::write(dir.path().join(IGNORE_FILE), text).unwrap();
            assert_eq!(found(dir.path()).0, ["one.mp3"]);
        }
        fs::write(dir.path().join(IGNORE_FILE), b"\xef\xbb\xbf").unwrap();
        assert!(found(dir.path()).0.is_empty());
    }

    #[test]
    fn an_empty_or_absent_root_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        assert!(found(dir.path()).2.missing);
        assert!(found(&dir.path().join("gone")).2.missing);
    }
}
