//! Answers in the forms that other programs read. Each is a stable interface; ARCHITECTURE and the help say so.

use std::{io::Write, os::unix::ffi::OsStrExt, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::answer::{Answer, Hit, percents};
use crate::{
    genre::Taxonomy,
    text::{clean, clean_path},
    track::Mix,
};

/// Decimals of a share in JSON and TSV.
const DECIMALS: f64 = 10_000.0;

/// A count with its thousands apart: `9,830`.
#[must_use]
pub fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// The first line of an answer: what was understood, and the coverage.
#[must_use]
pub fn headline(answer: &Answer) -> String {
    let known = answer.coverage.known;
    let unheard = known.saturating_sub(answer.coverage.heard);
    let mut line = format!(
        "{} - {} of {} track{}",
        answer.meaning,
        thousands(answer.count),
        thousands(known),
        if known == 1 { "" } else { "s" }
    );
    if unheard > 0 {
        line.push_str(&format!(" ({} not heard yet)", thousands(unheard)));
    }
    line
}

/// `So What - Miles Davis   jazz 71  blues 19  unsure 10`, without the gap.
#[must_use]
pub fn cells(hit: &Hit, taxonomy: &Taxonomy) -> (String, String) {
    let title = hit.shown_title();
    let mut name = match hit.artist.as_deref().map(str::trim).filter(|artist| !artist.is_empty()) {
        Some(artist) => clean(&format!("{title} - {artist}")).into_owned(),
        None => clean(&title).into_owned(),
    };
    if !hit.present {
        name.push_str(" (missing)");
    }
    let mix = match &hit.mix {
        None => "not heard yet".to_owned(),
        Some(mix) => percents(mix)
            .into_iter()
            .map(|(genre, percent)| format!("{} {percent}", clean(&taxonomy.name(&genre).to_lowercase())))
            .collect::<Vec<_>>()
            .join("  "),
    };
    (name, mix)
}

fn share(won: u32, mix: &Mix) -> f64 {
    (f64::from(won) / f64::from(mix.chunks()) * DECIMALS).round() / DECIMALS
}

/// The shares of a mix by genre, for JSON: not rounded, so that with `unsure` they sum to 1.
#[must_use]
pub fn shares(mix: &Mix) -> Map<String, Value> {
    mix.won().iter().map(|(genre, _)| (genre.slug().to_owned(), mix.share(genre).into())).collect()
}

/// The share that no genre won, for JSON.
#[must_use]
pub fn unsure(mix: &Mix) -> f64 {
    mix.unsure_share()
}

/// A track of a JSON answer.
#[must_use]
pub fn track(hit: &Hit) -> Value {
    let mut track = Map::new();
    track.insert("path".into(), hit.path.to_string_lossy().into());
    if hit.path.to_str().is_none() {
        track.insert("path_bytes".into(), STANDARD.encode(hit.path.as_os_str().as_bytes()).into());
    }
    track.insert("title".into(), json!(hit.title));
    track.insert("artist".into(), json!(hit.artist));
    track.insert("album".into(), json!(hit.album));
    let mix = hit.mix.as_ref();
    track.insert("mix".into(), mix.map(shares).unwrap_or_default().into());
    track.insert("unsure".into(), json!(mix.map(unsure)));
    track.insert("source".into(), json!(mix.map(|mix| mix.source().name())));
    Value::Object(track)
}

/// The JSON answer.
#[must_use]
pub fn document(answer: &Answer) -> Value {
    json!({
        "meaning": answer.meaning,
        "coverage": { "heard": answer.coverage.heard, "known": answer.coverage.known },
        "tracks": answer.hits.iter().map(track).collect::<Vec<_>>(),
    })
}

/// Columns of a TSV or CSV answer.
const COLUMNS: [&str; 7] = ["path", "title", "artist", "album", "mix", "unsure", "source"];

fn columns(hit: &Hit) -> [String; 7] {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let mix = hit.mix.as_ref();
    [
        hit.path.to_string_lossy().into_owned(),
        text(&hit.title),
        text(&hit.artist),
        text(&hit.album),
        mix.map(|mix| {
            mix.won().iter().map(|(genre, won)| format!("{genre}={}", share(*won, mix))).collect::<Vec<_>>().join(";")
        })
        .unwrap_or_default(),
        mix.map(|mix| share(mix.unsure(), mix).to_string()).unwrap_or_default(),
        mix.map(|mix| mix.source().name().to_owned()).unwrap_or_default(),
    ]
}

/// Tab-separated values with a line of names; a tab, a line break or a control character in a value is
/// replaced.
///
/// # Errors
/// What the writer says.
pub fn tsv(out: &mut impl Write, hits: &[Hit]) -> std::io::Result<()> {
    writeln!(out, "{}", COLUMNS.join("\t"))?;
    for hit in hits {
        let line: Vec<String> = columns(hit).iter().map(|value| clean(value).into_owned()).collect();
        writeln!(out, "{}", line.join("\t"))?;
    }
    Ok(())
}

/// Comma-separated values by RFC 4180, with a line of names.
///
/// # Errors
/// What the writer says.
pub fn csv(out: &mut impl Write, hits: &[Hit]) -> std::io::Result<()> {
    write!(out, "{}\r\n", COLUMNS.join(","))?;
    for hit in hits {
        let line: Vec<String> = columns(hit)
            .iter()
            .map(|value| {
                if value.contains(['"', ',', '\n', '\r']) {
                    format!("\"{}\"", value.replace('"', "\"\""))
                } else {
                    value.clone()
                }
            })
            .collect();
        write!(out, "{}\r\n", line.join(","))?;
    }
    Ok(())
}

/// One path each, ended by `end`. On a terminal what it should not see is replaced; anywhere else the bytes
/// are the path's own.
///
/// # Errors
/// What the writer says.
pub fn paths(out: &mut impl Write, hits: &[Hit], end: u8, terminal: bool) -> std::io::Result<()> {
    for hit in hits {
        if terminal {
            out.write_all(clean_path(&hit.path).as_bytes())?;
        } else {
            out.write_all(hit.path.as_os_str().as_bytes())?;
        }
        out.write_all(&[end])?;
    }
    Ok(())
}

/// A playlist in UTF-8, as bytes are where a path is not. Returns the paths that no playlist can hold, for
/// they contain a line break.
///
/// # Errors
/// What the writer says.
pub fn m3u8<'a>(out: &mut impl Write, hits: &'a [Hit], relative_to: Option<&Path>) -> std::io::Result<Vec<&'a Path>> {
    let mut left_out = Vec::new();
    out.write_all(b"#EXTM3U\n")?;
    for hit in hits {
        let path = relative_to.map_or_else(|| hit.path.clone(), |dir| relative(&hit.path, dir));
        let bytes = path.as_os_str().as_bytes();
        if bytes.contains(&b'\n') || bytes.contains(&b'\r') {
            left_out.push(hit.path.as_path());
            continue;
        }
        let seconds = hit.duration_ms.map_or(-1, |ms| (ms + 500) / 1_000);
        let title = match &hit.artist {
            Some(artist) => format!("{artist} - {}", hit.shown_title()),
            None => hit.shown_title(),
        };
        writeln!(out, "#EXTINF:{seconds},{}", clean(&title))?;
        // A relative path that begins with # would read as a comment.
        if bytes.starts_with(b"#") {
            out.write_all(b"./")?;
        }
        out.write_all(bytes)?;
        out.write_all(b"\n")?;
    }
    Ok(left_out)
}

/// `path` as seen from the folder `dir`.
fn relative(path: &Path, dir: &Path) -> std::path::PathBuf {
    let shared = path.components().zip(dir.components()).take_while(|(a, b)| a == b).count();
    let up = dir.components().skip(shared).map(|_| std::path::Component::ParentDir);
    up.chain(path.components().skip(shared)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_relative_paths() {
        assert_eq!(thousands(9_830), "9,830");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(12), "12");
        assert_eq!(relative(Path::new("/m/a/b.mp3"), Path::new("/m/lists")), Path::new("../a/b.mp3"));
        assert_eq!(relative(Path::new("/m/a.mp3"), Path::new("/m")), Path::new("a.mp3"));
    }
}
