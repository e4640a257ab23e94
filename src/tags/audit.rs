//! What is wrong with the genres that files have, and what would be right: pure, but for a look at how a genre is
//! spelt in a file.
//!
//! Only what others wrote is audited: a genre of ours that nobody changed is not the file's word.

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
};

use super::{TagError, plan, read};
use crate::{
    config::Tags as Rules,
    genre::{Genre, Taxonomy, display_name},
    store::FileRow,
    track::{Format, Mix, Source},
};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The audio says otherwise.
    Contradicts,
    /// A number where a name should be: "(17)".
    Numeric,
    /// Several genres in one text.
    Joined,
    /// Not as people write it.
    Spelling,
    /// Another file holds the same recording and names another genre.
    Copies,
}

impl Fault {
    /// The name that is shown and stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Contradicts => "contradicts the audio",
            Self::Numeric => "a number",
            Self::Joined => "joined",
            Self::Spelling => "spelling",
            Self::Copies => "copies differ",
        }
    }
}

/// Something wrong with a file's genres.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub fault: Fault,
    /// What stands there, as it stands.
    pub says: Vec<String>,
    /// What would be right.
    pub fix: Vec<String>,
}

/// A share below which a genre is not in the music at all.
const ABSENT: f64 = 0.05;

/// The share of the largest genre from which on the audio is sure enough to contradict a listener.
const SURE: f64 = 0.60;

/// The genres of a file as they are spelt in it: numbers stay numbers, joined texts stay joined.
///
/// # Errors
/// As [`super::read`].
pub fn spelt(path: &Path, format: Format) -> Result<Vec<String>, TagError> {
    Ok(read::parse(path, format, false)?.spelt())
}

fn is_numeric(text: &str) -> bool {
    let inner = text.trim().trim_start_matches('(').split(')').next().unwrap_or_default();
    !inner.is_empty() && inner.bytes().all(|b| b.is_ascii_digit())
}

/// The genres that a text names together, when all of them are known ones: "Jazz/Blues", "Jazz; Blues".
fn parts(text: &str, taxonomy: &Taxonomy) -> Option<Vec<Genre>> {
    // That the whole is known says nothing: every text that a file names becomes a genre of the library.
    let parts: Vec<&str> = text.split([';', '/', ',', '|', '\\']).map(str::trim).filter(|p| !p.is_empty()).collect();
    let known: Option<Vec<Genre>> = parts.iter().map(|part| taxonomy.resolve(part)).collect();
    known.filter(|list| list.len() > 1)
}

/// What is wrong with one file, whose genres read as `file.tags.genres` and are spelt `spelt`.
#[must_use]
pub fn audit(file: &FileRow, spelt: &[String], mix: Option<&Mix>, taxonomy: &Taxonomy, rules: &Rules) -> Vec<Finding> {
    let genres = &file.tags.genres;
    if genres.is_empty() || file.written_genres.as_ref() == Some(genres) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let written = |genre: &Genre| rules.names.get(genre.slug()).cloned().unwrap_or_else(|| named(taxonomy, genre));
    let numeric: Vec<String> = spelt.iter().filter(|text| is_numeric(text)).cloned().collect();
    if !numeric.is_empty() {
        findings.push(Finding { fault: Fault::Numeric, says: numeric, fix: genres.clone() });
    }
    let mut tidy = Vec::new();
    let (mut joined, mut misspelt) = (Vec::new(), Vec::new());
    for text in genres {
        if let Some(list) = parts(text, taxonomy) {
            joined.push(text.clone());
            tidy.extend(list.iter().map(&written));
        } else {
            let right = taxonomy.resolve(text).map_or_else(|| text.clone(), |genre| written(&genre));
            if right != *text {
                misspelt.push(text.clone());
            }
            tidy.push(right);
        }
    }
    // A listener's own word for a genre ("Rap") is no spelling error; another case or punctuation of its name is.
    misspelt.retain(|text| taxonomy.resolve(text).is_some_and(|genre| crate::genre::slug(text) == genre.slug()));
    let mut said = HashSet::new();
    tidy.retain(|name| said.insert(name.clone()));
    if !joined.is_empty() {
        findings.push(Finding { fault: Fault::Joined, says: joined, fix: tidy.clone() });
    }
    if !misspelt.is_empty() {
        findings.push(Finding { fault: Fault::Spelling, says: misspelt, fix: tidy });
    }
    findings.extend(mix.and_then(|mix| contradiction(genres, mix, taxonomy, rules)));
    findings
}

fn named(taxonomy: &Taxonomy, genre: &Genre) -> String {
    let name = taxonomy.name(genre);
    if name == genre.slug() { display_name(name) } else { name.to_owned() }
}

/// The audio is sure of one genre, and of those that the file names none is in it. A genre that the model does not
/// know cannot be contradicted.
fn contradiction(genres: &[String], mix: &Mix, taxonomy: &Taxonomy, rules: &Rules) -> Option<Finding> {
    if mix.source() == Source::File {
        return None;
    }
    let (top, _) = mix.won().first()?;
    let named: Option<Vec<Genre>> = genres
        .iter()
        .map(|text| parts(text, taxonomy).or_else(|| taxonomy.resolve(text).map(|genre| vec![genre])))
        .collect::<Option<Vec<_>>>()
        .map(|lists| lists.concat());
    let absent = named?.iter().all(|genre| mix.share(genre) < ABSENT);
    (absent && mix.share(top) >= SURE).then(|| Finding {
        fault: Fault::Contradicts,
        says: genres.to_vec(),
        fix: plan::names(mix, taxonomy, rules),
    })
}

/// Copies of one recording that name different genres; each gets what most of them say, or what was heard when they
/// are even.
#[must_use]
pub fn copies(files: &[FileRow], mix: Option<&Mix>, taxonomy: &Taxonomy, rules: &Rules) -> Vec<(i64, Finding)> {
    let theirs: Vec<&FileRow> = files
        .iter()
        .filter(|f| f.present && !f.tags.genres.is_empty() && f.written_genres.as_ref() != Some(&f.tags.genres))
        .collect();
    let mut sets: BTreeMap<Vec<String>, (usize, &FileRow)> = BTreeMap::new();
    for file in &theirs {
        let mut set: Vec<String> = file
            .tags
            .genres
            .iter()
            .map(|g| taxonomy.canonical(g).map_or_else(|| g.clone(), |g| g.to_string()))
            .collect();
        set.sort();
        sets.entry(set).or_insert((0, file)).0 += 1;
    }
    if sets.len() < 2 {
        return Vec::new();
    }
    let most = sets.values().map(|(n, _)| *n).max().unwrap_or_default();
    let mut leading = sets.values().filter(|(n, _)| *n == most);
    let majority = leading.next().filter(|_| leading.next().is_none()).map(|(_, file)| file.tags.genres.clone());
    let heard = mix.filter(|mix| mix.source() != Source::File).map(|mix| plan::names(mix, taxonomy, rules));
    let fix = majority.or(heard.filter(|names| !names.is_empty())).unwrap_or_default();
    theirs
        .into_iter()
        .filter(|file| fix.is_empty() || !plan::same(&file.tags.genres, &fix, taxonomy))
        .map(|file| (file.id, Finding { fault: Fault::Copies, says: file.tags.genres.clone(), fix: fix.clone() }))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::PathBuf;

    use super::*;
    use crate::track::{FileStamp, FileTags};

    fn file(id: i64, genres: &[&str], written: Option<&[&str]>) -> FileRow {
        let list = |g: &[&str]| g.iter().map(|g| (*g).to_owned()).collect::<Vec<_>>();
        FileRow {
            id,
            track: 1,
            path: PathBuf::from("a"),
            stamp: FileStamp { dev: 0, ino: 0, size: 0, mtime_ns: 0, ctime_ns: 0 },
            format: "mp3".into(),
            present: true,
            tags: FileTags { genres: list(genres), ..FileTags::default() },
            written_genres: written.map(list),
            duration_ms: None,
        }
    }

    fn taxonomy() -> Taxonomy {
        let mut t = Taxonomy::builtin();
        for name in ["jazz", "blues", "hip hop", "rock", "classical"] {
            t.add(name);
        }
        t
    }

    fn mix(won: &[(&str, u32)]) -> Mix {
        Mix::new(won.iter().map(|(g, n)| (Genre::new(g).unwrap(), *n)), 100, Source::Model).unwrap()
    }

    fn found(genres: &[&str], spelt: &[&str], mix: Option<&Mix>) -> Vec<(Fault, String)> {
        let spelt: Vec<String> = spelt.iter().map(|s| (*s).to_owned()).collect();
        let findings = audit(&file(1, genres, None), &spelt, mix, &taxonomy(), &Rules::default());
        findings.into_iter().map(|f| (f.fault, f.fix.join("+"))).collect()
    }

    #[test]
    fn each_fault_is_found_with_its_fix() {
        assert_eq!(found(&["Rock"], &["(17)"], None), [(Fault::Numeric, "Rock".to_owned())]);
        assert_eq!(found(&["Jazz/Blues"], &[], None), [(Fault::Joined, "Jazz+Blues".to_owned())]);
        assert_eq!(found(&["JAZZ", "hip hop"], &[], None), [(Fault::Spelling, "Jazz+Hip-Hop".to_owned())]);
        let sure = mix(&[("jazz", 80)]);
        assert_eq!(found(&["Rock"], &[], Some(&sure)), [(Fault::Contradicts, "Jazz".to_owned())]);
    }

    #[test]
    fn a_joined_text_that_the_library_has_met_is_joined_still() {
        let mut met = taxonomy();
        met.add("Jazz/Blues");
        let row = file(1, &["Jazz/Blues"], None);
        let findings = audit(&row, &[], None, &met, &Rules::default());
        assert_eq!((findings[0].fault, findings[0].fix.join("+")), (Fault::Joined, "Jazz+Blues".to_owned()));
    }

    #[test]
    fn what_a_listener_may_well_mean_is_no_fault() {
        let sure = mix(&[("jazz", 80), ("blues", 10)]);
        for genres in [&["Blues"][..], &["Polka"], &["Rock", "Jazz"], &["Rap/Jazz fusion"], &[]] {
            assert_eq!(found(genres, &[], Some(&sure)), [], "{genres:?}");
        }
        assert_eq!(found(&["Rap"], &[], None), []);
        assert_eq!(found(&["Rock"], &[], Some(&mix(&[("jazz", 40)]))), []);
        // Ours is not theirs.
        let ours = file(1, &["rock"], Some(&["rock"]));
        assert_eq!(audit(&ours, &["(17)".to_owned()], Some(&sure), &taxonomy(), &Rules::default()), []);
    }

    #[test]
    fn copies_follow_the_majority_else_the_audio() {
        let heard = mix(&[("jazz", 80)]);
        let files = [file(1, &["Rock"], None), file(2, &["rock"], None), file(3, &["Blues"], None)];
        let list = copies(&files, Some(&heard), &taxonomy(), &Rules::default());
        assert_eq!((list.len(), list[0].0, list[0].1.fix.join("+")), (1, 3, "Rock".to_owned()));
        let list = copies(&files[1..], Some(&heard), &taxonomy(), &Rules::default());
        assert_eq!(
            list.iter().map(|(id, f)| (*id, f.fix.join("+"))).collect::<Vec<_>>(),
            [(2, "Jazz".into()), (3, "Jazz".into())]
        );
        assert_eq!(copies(&files[..2], None, &taxonomy(), &Rules::default()), []);
    }
}
