//! Scripts that put the shares of hits into another program's own database: files stay as they are.

use std::{collections::BTreeSet, io::Write, os::unix::ffi::OsStrExt, path::Path};

use super::share_field;
use crate::{genre::Genre, search::Hit};

/// The genres that any hit has. A hit that lacks one of them loses its field, so that a second export takes away what a
/// correction took away.
fn genres(hits: &[Hit]) -> BTreeSet<Genre> {
    hits.iter().filter_map(|hit| hit.mix.as_ref()).flat_map(|mix| mix.won().iter().map(|(g, _)| g.clone())).collect()
}

/// A shell script of `beet modify` for flexible fields: `genre_share_jazz=0.71`. Hits that nobody has heard are left
/// out.
///
/// # Errors
/// What the writer says.
pub fn beets(out: &mut impl Write, hits: &[Hit]) -> std::io::Result<()> {
    out.write_all(b"#!/bin/sh\n# Shares of genres as flexible fields of beets; its files are not written.\n")?;
    out.write_all(b"# In its config.yaml, under `types:`, each field is a `float`, to search by ranges.\n")?;
    let all = genres(hits);
    for hit in hits {
        let Some(mix) = &hit.mix else { continue };
        write!(out, "beet modify -y -W -M")?;
        for genre in &all {
            let field = share_field(genre);
            match mix.won_by(genre) {
                0 => write!(out, " '{field}!'")?,
                _ => write!(out, " {field}={:.4}", mix.share(genre))?,
            }
        }
        write!(out, " genre_share_unsure={:.4} ", mix.unsure_share())?;
        quoted(out, &[b"path:", hit.path.as_os_str().as_bytes()].concat())?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// One word of a shell, whatever is in it.
fn quoted(out: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
    out.write_all(b"'")?;
    for byte in bytes {
        match byte {
            b'\'' => out.write_all(b"'\\''")?,
            byte => out.write_all(&[*byte])?,
        }
    }
    out.write_all(b"'")
}

/// Commands of MPD's protocol that set stickers: `genre_share_jazz` in percent, three digits, so that they compare as
/// text and as numbers. `music` is MPD's music directory. Returns the paths that are not below it, or that no line of
/// the protocol can hold.
///
/// # Errors
/// What the writer says.
pub fn mpd_stickers<'a>(out: &mut impl Write, hits: &'a [Hit], music: &Path) -> std::io::Result<Vec<&'a Path>> {
    let all = genres(hits);
    let mut left_out = Vec::new();
    for hit in hits {
        let Some(mix) = &hit.mix else { continue };
        let uri = match hit.path.strip_prefix(music) {
            Ok(uri) if !uri.as_os_str().as_bytes().iter().any(|b| matches!(b, b'\n' | b'\r')) => uri,
            _ => {
                left_out.push(hit.path.as_path());
                continue;
            }
        };
        let percent = |share: f64| (share * 100.0).round() as u32;
        let unsure = ("genre_share_unsure".to_owned(), percent(mix.unsure_share()));
        let shares = all.iter().map(|genre| (share_field(genre), percent(mix.share(genre))));
        for (field, percent) in shares.chain([unsure]) {
            out.write_all(b"sticker set song \"")?;
            for byte in uri.as_os_str().as_bytes() {
                if matches!(byte, b'"' | b'\\') {
                    out.write_all(b"\\")?;
                }
                out.write_all(&[*byte])?;
            }
            writeln!(out, "\" {field} \"{percent:03}\"")?;
        }
    }
    out.write_all(b"close\n")?;
    Ok(left_out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::process::Command;

    use super::*;
    use crate::track::{Mix, Source};

    fn hit(path: &str, won: &[(&str, u32)]) -> Hit {
        let won = won.iter().map(|(g, n)| (Genre::new(g).unwrap(), *n));
        Hit {
            file_id: 1,
            track_id: 1,
            path: path.into(),
            present: true,
            title: None,
            artist: None,
            album: None,
            duration_ms: None,
            mix: Mix::new(won, 10, Source::Model),
            distance: 0,
            weight: 0,
        }
    }

    #[test]
    fn a_shell_reads_every_word_as_it_was_meant() {
        let path = "/m/it's $(touch x) `id` \"q\" \\ \n.flac";
        let hits = [hit(path, &[("jazz", 7)]), hit("/m/b.flac", &[("blues", 10)])];
        let mut script = Vec::new();
        beets(&mut script, &hits).unwrap();
        let script = format!("beet() {{ printf '%s\\0' \"$@\"; }}\n{}", String::from_utf8(script).unwrap());
        let out = Command::new("sh").args(["-c", &script]).output().unwrap();
        let said = String::from_utf8(out.stdout).unwrap();
        let words: Vec<&str> = said.split('\0').collect();
        let first =
            ["modify", "-y", "-W", "-M", "genre_share_blues!", "genre_share_jazz=0.7000", "genre_share_unsure=0.3000"];
        assert_eq!(words[..7], first);
        assert_eq!(words[7], format!("path:{path}"));
        assert_eq!(words[12..15], ["genre_share_blues=1.0000", "genre_share_jazz!", "genre_share_unsure=0.0000"]);
    }

    #[test]
    fn stickers_are_lines_of_the_protocol() {
        let hits =
            [hit("/m/a \"x\" \\.flac", &[("jazz", 7)]), hit("/m/b\nc.flac", &[]), hit("/n/c.flac", &[("pop", 1)])];
        let mut lines = Vec::new();
        let left_out = mpd_stickers(&mut lines, &hits, Path::new("/m")).unwrap();
        assert_eq!(left_out, [Path::new("/m/b\nc.flac"), Path::new("/n/c.flac")]);
        let lines = String::from_utf8(lines).unwrap();
        let expected = "sticker set song \"a \\\"x\\\" \\\\.flac\" genre_share_jazz \"070\"\n\
                        sticker set song \"a \\\"x\\\" \\\\.flac\" genre_share_pop \"000\"\n\
                        sticker set song \"a \\\"x\\\" \\\\.flac\" genre_share_unsure \"030\"\nclose\n";
        assert_eq!(lines, expected);
    }
}
