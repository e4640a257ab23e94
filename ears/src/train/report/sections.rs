//! The sections of a report, from what is known of each network.

use std::path::Path;

use deepcuts_protocol::{Split, TrainSay};
use serde_json::{Value, json};

use super::{
    Subject, TRACK_MS,
    document::{Block, plain},
    figures::{self, Line},
    judge,
    paper::published,
    tables::{self, chunk_numbers},
};
use crate::train::{
    TrainError,
    calibrate::{self, ClipVerdict},
    data::Set,
    job::RunRecord,
};

pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

pub(super) fn mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let n = values.clone().count();
    values.sum::<f64>() / n.max(1) as f64
}

fn deviation(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let m = mean(values.clone());
    mean(values.map(move |v| (v - m).powi(2))).sqrt()
}

pub(super) fn text(s: &str) -> Block {
    Block::Text(s.to_owned())
}

pub(super) fn heading(s: &str) -> Block {
    Block::Heading(2, s.to_owned())
}

pub(super) fn strings(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|c| (*c).to_owned()).collect()
}

/// Clip accuracy, right clips and clips of what was judged honestly.
pub(super) fn clip_accuracy(subject: &Subject) -> (f64, usize, usize) {
    let clips = verdicts(subject);
    let right = clips.iter().filter(|c| c.right()).count();
    (right as f64 / clips.len().max(1) as f64, right, clips.len())
}

fn verdicts(subject: &Subject) -> Vec<ClipVerdict> {
    calibrate::clips(&subject.honest().0)
}

/// Every section.
pub(super) fn all(
    subjects: &[Subject],
    set: &Set,
    logs: Option<&Path>,
    say: &mut dyn FnMut(TrainSay),
) -> Result<Vec<Block>, TrainError> {
    let mut blocks = vec![Block::Heading(1, "What the networks are worth".to_owned())];
    let names: Vec<&str> = subjects.iter().map(|s| s.card.name.as_str()).collect();
    blocks.push(Block::Text(format!(
        "{} clips of {} genres, front end {}; networks: {}.",
        set.clips.len(),
        set.genres.len(),
        set.front_end.name(),
        names.join(", ")
    )));
    blocks.push(text(
        "Only accuracies under a split by artist are a claim: no artist stands on both sides. The paper's own protocol \
         shuffles chunks, so that chunks of one track stand on both sides; its accuracies are LEAKY and are shown \
         beside the paper's for that comparison alone.",
    ));
    for subject in subjects.iter().filter(|s| !s.honest().1) {
        blocks.push(Block::Text(format!(
            "{}: no runs by artist fold on this source were found beside the weights; the shipped weights judged every \
             clip. That counts only if none of these clips, and none of their artists, were trained on.",
            subject.card.name
        )));
    }
    tables::all(subjects, &mut blocks);
    let mut draw = |blocks: &mut Vec<Block>, file: String, drawn: figures::Drawn, caption: &str| match drawn {
        Ok(svg) => blocks.push(Block::Figure(file, svg, caption.to_owned())),
        Err(e) => say(TrainSay::Note { text: format!("figure {file}: {e}") }),
    };
    curves(subjects, logs, &mut blocks, &mut draw)?;
    songs(subjects, set, logs, &mut blocks, &mut draw)?;
    confusions(subjects, set, logs, &mut blocks, &mut draw)?;
    ours(subjects, set, &mut blocks, &mut draw);
    Ok(blocks)
}

type Draw<'a> = dyn FnMut(&mut Vec<Block>, String, figures::Drawn, &str) + 'a;

/// Fig. 5 and 6: the first run of each network, and the authors' own curves.
fn curves(
    subjects: &[Subject],
    logs: Option<&Path>,
    blocks: &mut Vec<Block>,
    draw: &mut Draw<'_>,
) -> Result<(), TrainError> {
    blocks.push(heading("Fig. 5 and 6: accuracy and loss over epochs"));
    for s in subjects {
        let run = s.under(Split::Paper).first().copied().or_else(|| s.under(Split::Artist).first().copied());
        let mut accuracy = Vec::new();
        let mut loss = Vec::new();
        if let Some(run) = run {
            let line = |name: &str, value: fn(&deepcuts_protocol::CurvePoint) -> f64| Line {
                name: name.to_owned(),
                points: run.curve.iter().map(|p| (p.epoch, value(p))).collect(),
                dashed: false,
            };
            accuracy.extend([line("ours, train", |p| p.train_accuracy), line("ours, watched", |p| p.valid_accuracy)]);
            loss.extend([line("ours, train", |p| p.train_loss), line("ours, watched", |p| p.valid_loss)]);
        }
        if let (Some(logs), Some(theirs)) = (logs, published(&s.card.arch)) {
            let c = theirs.curves(logs)?;
            let line = |name: &str, values: &[f64]| Line {
                name: name.to_owned(),
                points: values.iter().enumerate().map(|(i, &v)| (i as f64 + 1.0, v)).collect(),
                dashed: true,
            };
            accuracy.extend([line("paper, train", &c.train_accu), line("paper, validation", &c.valid_accu)]);
            loss.extend([line("paper, train", &c.train_loss), line("paper, validation", &c.valid_loss)]);
        }
        if accuracy.is_empty() {
            continue;
        }
        let name = &s.card.name;
        let about = run.map_or_else(String::new, |r| {
            format!(
                " Ours: {:?} loss, {}, fold {}, seed {}; training figures are on varied (and mixed) chunks.",
                r.recipe.fit.loss,
                r.split.meaning(),
                r.score.fold,
                r.score.seed
            )
        });
        let title = format!("{name}: accuracy");
        draw(
            blocks,
            format!("fig5-{name}.svg"),
            figures::lines(&title, "epoch", "accuracy", &accuracy),
            &format!("Fig. 5, {name}.{about}"),
        );
        let title = format!("{name}: loss");
        draw(
            blocks,
            format!("fig6-{name}.svg"),
            figures::lines(&title, "epoch", "loss", &loss),
            &format!("Fig. 6, {name}. Losses of different kinds do not compare.{about}"),
        );
    }
    Ok(())
}

/// Fig. 7 and 8.
fn songs(
    subjects: &[Subject],
    set: &Set,
    logs: Option<&Path>,
    blocks: &mut Vec<Block>,
    draw: &mut Draw<'_>,
) -> Result<(), TrainError> {
    blocks.push(heading("Fig. 7: sample predictions"));
    for s in subjects {
        // One song of each genre, the first that was heard.
        let rows: Vec<(String, Vec<f64>, f64)> = (0..set.genres.len())
            .filter_map(|g| s.songs.iter().find(|song| song.label == g))
            .map(|song| {
                let all = f64::from((song.kept.iter().sum::<u32>() + song.unsure).max(1));
                let name = format!("{} ({})", song.name, set.genres.get(song.label).map_or("?", String::as_str));
                (name, song.kept.iter().map(|&n| f64::from(n) / all).collect(), f64::from(song.unsure) / all)
            })
            .collect();
        let what = if s.songs_are_clips { "30 s clips of held-out artists, not full songs" } else { "full songs" };
        let caption = format!("Fig. 7, {}: share of chunks won; grey is unsure ({what}).", s.card.name);
        draw(
            blocks,
            format!("fig7-{}.svg", s.card.name),
            figures::songs(&format!("{}: {what}", s.card.name), &set.genres, &rows),
            &caption,
        );
    }
    blocks.push(heading("Fig. 8: the full-song score"));
    blocks.push(text(
        "The paper's function: the true genre's proportion where it is among a song's top three, added over the genre's \
         songs and divided by their number. No unsure rule, as in the paper.",
    ));
    let mut series = Vec::new();
    for s in subjects {
        let scores = judge::song_scores(&s.songs, set.genres.len());
        let note = if s.songs_are_clips { ", clips" } else { "" };
        series.push((format!("{}{note}", s.card.name), scores.iter().map(|v| v.unwrap_or(0.0)).collect::<Vec<f64>>()));
        if let (Some(logs), Some(theirs)) = (logs, published(&s.card.arch)) {
            let scores = theirs.song_scores(logs)?;
            let values = set.genres.iter().map(|g| scores.get(g).copied().unwrap_or(0.0)).collect();
            series.push((format!("{}, the paper's", theirs.title), values));
        }
    }
    let mut rows = Vec::new();
    for (g, genre) in set.genres.iter().enumerate() {
        let cells = series.iter().map(|(_, v)| format!("{:.2}", v.get(g).copied().unwrap_or(0.0)));
        rows.push([genre.clone()].into_iter().chain(cells).collect());
    }
    let head = ["genre".to_owned()].into_iter().chain(series.iter().map(|s| s.0.clone())).collect();
    draw(blocks, "fig8.svg".to_owned(), figures::bars("Full-song score", &set.genres, &series), "Fig. 8.");
    blocks.push(Block::Table(head, rows));
    Ok(())
}

/// Fig. 9.
fn confusions(
    subjects: &[Subject],
    set: &Set,
    logs: Option<&Path>,
    blocks: &mut Vec<Block>,
    draw: &mut Draw<'_>,
) -> Result<(), TrainError> {
    blocks.push(heading("Fig. 9: confusion matrices"));
    for s in subjects {
        let (shares, _) = judge::confusion(&verdicts(s), set.genres.len());
        let how = if s.honest().1 { "clips of held-out artists" } else { "all clips" };
        let title = format!("{}: {how}", s.card.name);
        draw(
            blocks,
            format!("fig9-{}.svg", s.card.name),
            figures::confusion(&title, &set.genres, &shares),
            &format!("Fig. 9, {title}."),
        );
        if let (Some(logs), Some(theirs)) = (logs, published(&s.card.arch)) {
            let counts = theirs.confusion(logs, set.genres.len())?;
            let title = format!("{}, as published (chunks, leaky split)", theirs.title);
            let drawn = figures::confusion(&title, &set.genres, &judge::normalised(&counts));
            draw(blocks, format!("fig9-{}-paper.svg", s.card.name), drawn, &format!("Fig. 9, {title}."));
        }
    }
    Ok(())
}

/// What the paper does not have.
fn ours(subjects: &[Subject], set: &Set, blocks: &mut Vec<Block>, draw: &mut Draw<'_>) {
    blocks.push(heading("Clip accuracy"));
    let mut rows = Vec::new();
    for s in subjects {
        let (share, right, n) = clip_accuracy(s);
        let (low, high) = calibrate::wilson(right, n);
        let folds: Vec<f64> = s.under(Split::Artist).iter().map(|r| r.score.clip_accuracy).collect();
        let over = if folds.is_empty() {
            "-".to_owned()
        } else {
            format!(
                "{} +- {:.1} over {} runs",
                percent(mean(folds.iter().copied())),
                100.0 * deviation(folds.iter().copied()),
                folds.len()
            )
        };
        let sturm: Vec<&RunRecord> = s.under(Split::Sturm);
        let sturm =
            if sturm.is_empty() { "-".to_owned() } else { percent(mean(sturm.iter().map(|r| r.score.clip_accuracy))) };
        rows.push(vec![
            s.card.name.clone(),
            percent(share),
            format!("{right} of {n}"),
            format!("{} to {}", percent(low), percent(high)),
            over,
            sturm,
        ]);
    }
    blocks.push(Block::Table(
        strings(&[
            "network",
            "clips right (first seed)",
            "",
            "95 % (Wilson)",
            "mean of folds and seeds",
            "Sturm's split",
        ]),
        rows,
    ));
    fold_table(subjects, blocks);
    genre_table(subjects, set, blocks);
    blocks.push(heading("Calibration"));
    for s in subjects {
        let pairs = calibrate::cross_fitted(&s.honest().0);
        let bars = calibrate::curve(&pairs);
        let error = calibrate::error_of(&bars);
        let unsure = calibrate::unsure_score(&pairs, f64::from(s.card.unsure_below));
        let title = format!("{}: calibration error {error:.3}", s.card.name);
        draw(
            blocks,
            format!("calibration-{}.svg", s.card.name),
            figures::calibration(&title, &bars),
            &format!("{title}. Every fold's temperature was fitted on the other folds."),
        );
        blocks.push(Block::Text(format!(
            "{}: {} of the chunks are unsure (score below {:.2}); {} of those would have been wrong, against {} of the others.",
            s.card.name,
            percent(unsure.share),
            s.card.unsure_below,
            percent(unsure.wrong_among_unsure),
            percent(unsure.wrong_among_sure)
        )));
    }
    blocks.push(heading("Speed and size"));
    let rows = subjects
        .iter()
        .map(|s| {
            let chunk_s = f64::from(s.card.chunk_ms) / 1000.0;
            let mmac = s.card.macs_per_chunk.unwrap_or(0) as f64 / 1e6;
            vec![
                s.card.name.clone(),
                format!("{:.3} M", s.card.parameters.unwrap_or(0) as f64 / 1e6),
                format!("{:.1} MB", s.bytes as f64 / 1e6),
                format!("{mmac:.2}"),
                format!("{:.1}", mmac / chunk_s),
                format!("{:.0}", 1.0 / s.seconds_a_chunk),
                format!("{:.3} s", TRACK_MS / f64::from(s.card.chunk_ms) * s.seconds_a_chunk),
            ]
        })
        .collect();
    let head = [
        "network",
        "parameters",
        "file",
        "MMAC a chunk",
        "MMAC a second of audio",
        "chunks a second here",
        "a 4-minute track, network alone",
    ];
    blocks.push(Block::Table(strings(&head), rows));
    blocks.push(heading("Most confused"));
    for s in subjects {
        let pairs = judge::most_confused(&verdicts(s), 6, 4);
        let genre = |g: usize| set.genres.get(g).map_or("?", String::as_str);
        let clip = |&(c, score): &(u32, f64)| {
            set.clips.get(c as usize).map_or_else(String::new, |c| {
                format!("{} ({}, {:.0} %)", plain(&c.name), plain(&c.artist), score * 100.0)
            })
        };
        let items = pairs.iter().map(|p| {
            let tracks: Vec<String> = p.clips.iter().map(clip).collect();
            format!(
                "{} heard as {}: {} clips. Listen to {}",
                genre(p.truth),
                genre(p.heard),
                p.times,
                tracks.join(", ")
            )
        });
        blocks.push(Block::Heading(3, s.card.name.clone()));
        blocks.push(Block::List(items.collect()));
    }
}

fn fold_table(subjects: &[Subject], blocks: &mut Vec<Block>) {
    blocks.push(heading("Accuracy by artist fold"));
    let mut rows = Vec::new();
    for s in subjects {
        for r in s.under(Split::Artist) {
            rows.push(vec![
                s.card.name.clone(),
                r.score.fold.to_string(),
                r.score.seed.to_string(),
                r.score.clips.to_string(),
                percent(r.score.clip_accuracy),
                percent(r.score.chunk_accuracy),
            ]);
        }
    }
    blocks.push(Block::Table(strings(&["network", "fold", "seed", "clips", "clips right", "chunks right"]), rows));
}

fn genre_table(subjects: &[Subject], set: &Set, blocks: &mut Vec<Block>) {
    blocks.push(heading("Recall by genre"));
    let columns: Vec<Vec<Vec<f64>>> =
        subjects.iter().map(|s| judge::confusion(&verdicts(s), set.genres.len()).0).collect();
    let rows = (set.genres.iter().enumerate())
        .map(|(g, genre)| {
            let cell = |c: &Vec<Vec<f64>>| percent(c.get(g).and_then(|row| row.get(g)).copied().unwrap_or(0.0));
            [genre.clone()].into_iter().chain(columns.iter().map(cell)).collect()
        })
        .collect();
    let head = ["genre".to_owned()].into_iter().chain(subjects.iter().map(|s| s.card.name.clone())).collect();
    blocks.push(Block::Table(head, rows));
}

/// The same numbers for programs.
pub(super) fn numbers(subjects: &[Subject], set: &Set) -> Value {
    let each = subjects.iter().map(|s| {
        let (share, right, n) = clip_accuracy(s);
        let (low, high) = calibrate::wilson(right, n);
        let pairs = calibrate::cross_fitted(&s.honest().0);
        let (shares, counts) = judge::confusion(&verdicts(s), set.genres.len());
        let runs: Vec<Value> = s
            .runs
            .iter()
            .map(|r| {
                let (accuracy, loss) = chunk_numbers(&r.chunks());
                json!({
                    "split": r.split, "leaky": r.split == Split::Paper, "score": r.score, "curve": r.curve,
                    "steps": r.steps, "seconds": r.seconds, "judged_chunk_accuracy": accuracy, "judged_bce": loss,
                })
            })
            .collect();
        json!({
            "name": s.card.name, "id": s.card.id(), "arch": s.card.arch, "held_out": s.honest().1,
            "clip_accuracy": share, "clips_right": right, "clips": n, "interval95": [low, high],
            "calibration_error": calibrate::error_of(&calibrate::curve(&pairs)),
            "unsure": calibrate::unsure_score(&pairs, f64::from(s.card.unsure_below)),
            "recall": shares.iter().enumerate().map(|(g, row)| row.get(g).copied().unwrap_or(0.0)).collect::<Vec<f64>>(),
            "confusion": counts, "song_scores": judge::song_scores(&s.songs, set.genres.len()),
            "songs_are_clips": s.songs_are_clips, "parameters": s.card.parameters,
            "macs_per_chunk": s.card.macs_per_chunk, "seconds_a_chunk": s.seconds_a_chunk, "bytes": s.bytes,
            "runs": runs,
        })
    });
    json!({ "clips": set.clips.len(), "genres": set.genres, "front_end": set.front_end.name(), "networks": each.collect::<Vec<_>>() })
}
