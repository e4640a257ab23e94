//! Tables I and II of the paper, its figures beside ours.

use deepcuts_protocol::Split;

use super::{
    Subject,
    document::Block,
    paper::published,
    sections::{heading, mean, percent, strings, text},
};
use crate::train::{
    calibrate::{self, Judged},
    fit,
    job::RunRecord,
};

/// Chunk accuracy and the paper's loss of chunks.
pub(super) fn chunk_numbers(chunks: &[Judged]) -> (f64, f64) {
    let each = |c: &Judged| {
        let scores = c.scores(1.0);
        let truth = usize::from(c.label);
        (f64::from(u8::from(calibrate::best(&scores).0 == truth)), fit::bce(&scores, truth))
    };
    (mean(chunks.iter().map(|c| each(c).0)), mean(chunks.iter().map(|c| each(c).1)))
}

fn watched(run: &RunRecord) -> Vec<Judged> {
    let chunk = |(clip, label, logits): &(u32, u8, Vec<f32>)| Judged {
        clip: *clip,
        fold: run.score.fold,
        label: *label,
        logits: logits.clone(),
    };
    run.watched.iter().map(chunk).collect()
}

/// Tables I and II of the paper.
pub(super) fn all(subjects: &[Subject], blocks: &mut Vec<Block>) {
    let head = [
        "network",
        "paper, validation",
        "paper, test",
        "ours, paper's protocol (LEAKY), validation",
        "test",
        "ours, artist folds",
    ];
    let (mut accuracy, mut loss, mut leaks) = (Vec::new(), Vec::new(), Vec::new());
    for s in subjects {
        let theirs = published(&s.card.arch);
        let leaky: Vec<&RunRecord> = s.under(Split::Paper);
        let over = |sides: Vec<Vec<Judged>>| {
            let sides: Vec<(f64, f64)> = sides.iter().filter(|c| !c.is_empty()).map(|c| chunk_numbers(c)).collect();
            (!sides.is_empty()).then(|| (mean(sides.iter().map(|n| n.0)), mean(sides.iter().map(|n| n.1))))
        };
        let (valid, test) =
            (over(leaky.iter().map(|r| watched(r)).collect()), over(leaky.iter().map(|r| r.chunks()).collect()));
        let artist = over(s.under(Split::Artist).iter().map(|r| r.chunks()).collect());
        let none = || "-".to_owned();
        let share = |n: Option<(f64, f64)>| n.map_or_else(none, |n| percent(n.0));
        let value = |n: Option<(f64, f64)>| n.map_or_else(none, |n| format!("{:.4}", n.1));
        if let (Some((test, _)), Some((artist, _))) = (test, artist)
            && test > artist
        {
            leaks.push(format!(
                "{} names {:.1} points more of the chunks right where other chunks of the same tracks were learned \
                 than on artists it never met: it knows recordings again. The paper's own accuracies have that advantage.",
                s.card.name,
                100.0 * (test - artist)
            ));
        }
        accuracy.push(vec![
            s.card.name.clone(),
            theirs.map_or_else(none, |p| format!("{} %", p.accuracy.0)),
            theirs.map_or_else(none, |p| format!("{} %", p.accuracy.1)),
            share(valid),
            share(test),
            share(artist),
        ]);
        loss.push(vec![
            s.card.name.clone(),
            theirs.map_or_else(none, |p| p.loss.0.to_string()),
            theirs.map_or_else(none, |p| p.loss.1.to_string()),
            value(valid),
            value(test),
            value(artist),
        ]);
    }
    blocks.push(heading("Table I: chunk accuracy"));
    blocks.push(Block::Table(strings(&head), accuracy));
    blocks.extend(leaks.into_iter().map(Block::Text));
    blocks.push(heading("Table II: loss (binary cross-entropy of the softmax, as in the authors' code)"));
    blocks.push(Block::Table(strings(&head), loss));
    blocks.push(text("- means that no finished run under that split lies beside the weights."));
}
