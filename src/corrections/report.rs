//! The report of a retraining: for people (Markdown, which is also what the command prints) and for programs (JSON).
//! It says what was learned from, what was gained and lost, which labels are doubtful, and what would change, before
//! anything does.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use deepcuts_protocol::{CurvePoint, Depth, Doubt, Paired, RetrainReport};
use serde_json::json;

use super::{
    gate::{Verdict, points},
    lessons::Lessons,
    preview::Preview,
};
use crate::{
    genre::Genre,
    store::{Shift, Store},
    text::{clean, clean_path, with_path},
};

/// A label that the rest contradicts, with its file.
#[derive(Clone, Debug, PartialEq)]
pub struct Doubted {
    /// The file.
    pub path: PathBuf,
    /// What the user said.
    pub said: String,
    /// What everything else says.
    pub heard: String,
    /// Score of `heard`, 0 to 1.
    pub score: f64,
}

/// A track that would change, with its file.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The file.
    pub path: PathBuf,
    /// What would change.
    pub shift: Shift,
}

/// How one fit went: with a fold of the corrections left out, or (the last) with none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// Its number: the fold, and beyond the folds the last fit.
    pub fold: u32,
    /// Seed.
    pub seed: u64,
    /// Its points.
    pub curve: Vec<CurvePoint>,
}

impl Run {
    /// Take up a point that the ears told of.
    pub fn note(runs: &mut Vec<Self>, fold: u32, seed: u64, point: CurvePoint) {
        match runs.iter_mut().find(|r| r.fold == fold && r.seed == seed) {
            Some(run) => run.curve.push(point),
            None => runs.push(Self { fold, seed, curve: vec![point] }),
        }
    }
}

/// All that a report tells.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Name of the candidate.
    pub name: String,
    /// Name of the model that was corrected.
    pub parent: String,
    /// What the ears measured.
    pub report: RetrainReport,
    /// What the gate says.
    pub verdict: Verdict,
    /// What would change.
    pub preview: Preview,
    /// The biggest changes with their files.
    pub changes: Vec<Change>,
    /// Labels that the rest contradicts.
    pub doubts: Vec<Doubted>,
    /// What was left out, for people.
    pub left_out: Vec<String>,
    /// How learning went.
    pub runs: Vec<Run>,
    /// How much of the network was asked to learn.
    pub asked: Depth,
    /// Files that the next scan has to hear again, if it is put in force.
    pub to_hear: u64,
}

impl Facts {
    /// Put together what is known; files of tracks are looked up.
    #[must_use]
    pub fn new(
        store: &Store,
        names: (&str, &str),
        report: &RetrainReport,
        verdict: &Verdict,
        preview: &Preview,
        lessons: &Lessons,
    ) -> Self {
        let changes = preview.biggest.iter().filter_map(|shift| {
            let path = store.files_of(shift.track).ok()?.into_iter().next()?.path;
            Some(Change { path, shift: shift.clone() })
        });
        let mut left_out: Vec<String> = lessons
            .too_few
            .iter()
            .map(|(genre, n)| format!("{genre}: only {n} corrected tracks, too few for a genre of its own"))
            .collect();
        if lessons.unheard > 0 {
            left_out.push(format!("{} corrected tracks that this network has not heard", lessons.unheard));
        }
        Self {
            name: names.0.to_owned(),
            parent: names.1.to_owned(),
            report: report.clone(),
            verdict: verdict.clone(),
            preview: preview.clone(),
            changes: changes.collect(),
            doubts: report.doubts.iter().filter_map(|d| doubted(d, lessons)).collect(),
            left_out,
            runs: Vec::new(),
            asked: report.depth,
            to_hear: 0,
        }
    }

    /// The report for people, with at most `listed` rows of each list.
    #[must_use]
    pub fn text(&self, listed: usize) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut out, listed);
        out
    }

    fn write(&self, out: &mut String, listed: usize) -> std::fmt::Result {
        let r = &self.report;
        writeln!(out, "# {}: {}, corrected\n", clean(&self.name), clean(&self.parent))?;
        let word = if self.verdict.passed { "It may be put in force." } else { "It should not be put in force:" };
        writeln!(out, "{word}")?;
        for reason in &self.verdict.reasons {
            writeln!(out, "- {}", clean(reason))?;
        }
        writeln!(out, "\n| judged on | tracks | artists | before | after | gain [95 %] |\n|---|---|---|---|---|---|")?;
        paired(out, "your corrections, held out", &r.mine)?;
        if let Some(base) = &r.base {
            paired(out, "music it never saw", base)?;
        }
        if !r.new_genres.is_empty() {
            writeln!(out, "\nNew: {}", clean(&r.new_genres.join(", ")))?;
        }
        writeln!(out, "\n| genre | corrected | before | after [95 %] | base clips | before | after |")?;
        writeln!(out, "|---|---|---|---|---|---|---|")?;
        for g in &r.genres {
            let mine = if g.tracks > 0 {
                format!(
                    "{} | {} | {} [{}, {}]",
                    g.tracks,
                    percent(g.before),
                    percent(g.after),
                    percent(g.after_low),
                    percent(g.after_high)
                )
            } else {
                "0 | | ".to_owned()
            };
            let base = if g.base_clips > 0 {
                format!("{} | {} | {}", g.base_clips, percent(g.base_before), percent(g.base_after))
            } else {
                "0 | | ".to_owned()
            };
            writeln!(out, "| {} | {mine} | {base} |", clean(&g.genre))?;
        }
        if !self.doubts.is_empty() {
            writeln!(out, "\n## Corrections that the others contradict ({})\n", self.doubts.len())?;
            for d in self.doubts.iter().take(listed) {
                let (said, heard) = (clean(&d.said), clean(&d.heard));
                writeln!(
                    out,
                    "- {}: you said {said}, the rest says {heard} ({})",
                    clean_path(&d.path),
                    percent(d.score)
                )?;
            }
            more(out, self.doubts.len(), listed)?;
        }
        for left in &self.left_out {
            writeln!(out, "\nLeft out: {}", clean(left))?;
        }
        let p = &self.preview;
        if p.tracks > 0 {
            writeln!(
                out,
                "\n## What would change\n\nOf {} tracks that you have not spoken of, {} would be mostly something else, \
                 and {} would change at all.\n",
                p.tracks, p.changed, p.moved
            )?;
            for (from, to, n) in p.flows.iter().take(listed) {
                writeln!(out, "- {n} from {} to {}", word_for(from), word_for(to))?;
            }
            more(out, p.flows.len(), listed)?;
            if !self.changes.is_empty() {
                writeln!(out, "\nThe biggest changes:\n")?;
            }
            for c in self.changes.iter().take(listed) {
                let (from, to) = (word_for(&c.shift.before), word_for(&c.shift.after));
                let moved = percent(f64::from(c.shift.moved));
                writeln!(out, "- {}: {from} to {to}, {moved} of it", clean_path(&c.path))?;
            }
            more(out, self.changes.len(), listed)?;
        }
        if r.depth == Depth::Full {
            writeln!(
                out,
                "\n## What would change\n\nMore than the last layer learned, so what is kept of the library is no use to \
                 it. Put in force, the next `deepcuts scan` (or a watch) hears {} files again, and what it makes of tracks \
                 that you have not spoken of is not known before. Until a track is heard again it stays what it is.",
                self.to_hear
            )?;
        } else if self.asked == Depth::Full {
            writeln!(
                out,
                "\nMore than the last layer was let learn, and was no better on corrections that it had not seen: this is \
                 what `--head` gives, and nothing has to be heard again."
            )?;
        }
        Ok(())
    }

    /// Fits that left something out.
    fn folds(&self) -> u32 {
        self.runs.iter().map(|r| r.fold).max().unwrap_or(0)
    }

    /// The report for programs.
    #[must_use]
    pub fn document(&self) -> serde_json::Value {
        let slug = |g: &Option<Genre>| g.as_ref().map(|g| g.slug().to_owned());
        let p = &self.preview;
        json!({
            "candidate": self.name, "parent": self.parent,
            "passed": self.verdict.passed, "reasons": self.verdict.reasons, "report": self.report,
            "doubts": self.doubts.iter().map(|d| with_path(&d.path, json!({
                "said": d.said, "heard": d.heard, "score": d.score,
            }))).collect::<Vec<_>>(),
            "left_out": self.left_out, "to_hear": self.to_hear,
            // As the reports of training have them. The last fit held nothing out: it has no accuracy to show there.
            "runs": self.runs.iter().filter(|r| r.fold < self.folds()).map(|r| json!({
                "score": {"fold": r.fold, "seed": r.seed}, "curve": r.curve,
            })).collect::<Vec<_>>(),
            "changes": {
                "tracks": p.tracks, "changed": p.changed, "moved": p.moved,
                "flows": p.flows.iter().map(|(from, to, n)| json!({
                    "from": slug(from), "to": slug(to), "tracks": n,
                })).collect::<Vec<_>>(),
                "biggest": self.changes.iter().map(|c| with_path(&c.path, json!({
                    "from": slug(&c.shift.before), "to": slug(&c.shift.after), "moved": c.shift.moved,
                }))).collect::<Vec<_>>(),
            },
        })
    }

    /// Write both below `folder` (the user's models), as `reports/NAME.md` and `.json`. Returns the first.
    ///
    /// # Errors
    /// The file that could not be written, and why.
    pub fn save(&self, folder: &Path) -> Result<PathBuf, (PathBuf, std::io::Error)> {
        let folder = folder.join("reports");
        std::fs::create_dir_all(&folder).map_err(|e| (folder.clone(), e))?;
        let put = |ending: &str, text: String| {
            let path = folder.join(format!("{}.{ending}", self.name));
            std::fs::write(&path, text).map_err(|e| (path.clone(), e))?;
            Ok(path)
        };
        put("json", format!("{:#}\n", self.document()))?;
        put("md", self.text(usize::MAX))
    }
}

fn doubted(doubt: &Doubt, lessons: &Lessons) -> Option<Doubted> {
    let path = lessons.tracks.get(doubt.track as usize)?.path.clone();
    Some(Doubted { path, said: doubt.said.clone(), heard: doubt.heard.clone(), score: doubt.score })
}

fn paired(out: &mut String, what: &str, p: &Paired) -> std::fmt::Result {
    writeln!(
        out,
        "| {what} | {} | {} | {} | {} | {} [{}, {}] |",
        p.tracks,
        p.groups,
        percent(p.before),
        percent(p.after),
        points(p.gain),
        points(p.gain_low),
        points(p.gain_high)
    )
}

fn more(out: &mut String, all: usize, listed: usize) -> std::fmt::Result {
    if all > listed { writeln!(out, "- and {} more", all - listed) } else { Ok(()) }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn word_for(genre: &Option<Genre>) -> &str {
    genre.as_ref().map_or("unsure", Genre::slug)
}
