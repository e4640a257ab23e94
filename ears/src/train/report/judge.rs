//! The numbers of a report: confusions, the paper's full-song score, most-confused pairs. No torch, no pictures.

use std::collections::BTreeMap;

use crate::train::calibrate::ClipVerdict;

/// Share of each true genre (row) that was heard as each genre, and how many clips that is.
pub(super) fn confusion(clips: &[ClipVerdict], genres: usize) -> (Vec<Vec<f64>>, Vec<Vec<u32>>) {
    let mut counts = vec![vec![0_u32; genres]; genres];
    for clip in clips {
        if let Some(cell) = counts.get_mut(usize::from(clip.label)).and_then(|row| row.get_mut(clip.winner())) {
            *cell += 1;
        }
    }
    (normalised(&counts), counts)
}

/// Each row over its sum.
pub(super) fn normalised(counts: &[Vec<u32>]) -> Vec<Vec<f64>> {
    let share = |row: &Vec<u32>| {
        let all = f64::from(row.iter().sum::<u32>().max(1));
        row.iter().map(|&n| f64::from(n) / all).collect()
    };
    counts.iter().map(share).collect()
}

/// A pair of genres that are taken for each other, and the clips where it happened, surest first.
pub(super) struct Confused {
    pub truth: usize,
    pub heard: usize,
    pub times: u32,
    pub clips: Vec<(u32, f64)>,
}

/// The most frequent confusions.
pub(super) fn most_confused(clips: &[ClipVerdict], most: usize, examples: usize) -> Vec<Confused> {
    let mut pairs: BTreeMap<(usize, usize), Vec<(u32, f64)>> = BTreeMap::new();
    for clip in clips.iter().filter(|c| !c.right()) {
        let score = clip.scores.get(clip.winner()).copied().unwrap_or(0.0);
        pairs.entry((usize::from(clip.label), clip.winner())).or_default().push((clip.clip, score));
    }
    let mut all: Vec<Confused> = pairs
        .into_iter()
        .map(|((truth, heard), mut clips)| {
            clips.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            let times = clips.len() as u32;
            clips.truncate(examples);
            Confused { truth, heard, times, clips }
        })
        .collect();
    all.sort_by(|a, b| b.times.cmp(&a.times).then((a.truth, a.heard).cmp(&(b.truth, b.heard))));
    all.truncate(most);
    all
}

/// A song and how its chunks were named.
#[derive(Clone, Debug)]
pub(super) struct Song {
    pub name: String,
    pub label: usize,
    /// Chunks won by each genre, without the unsure rule (the paper has none).
    pub won: Vec<u32>,
    /// Chunks won by each genre under the unsure rule.
    pub kept: Vec<u32>,
    pub unsure: u32,
}

impl Song {
    fn shares(&self) -> Vec<f64> {
        let all = f64::from(self.won.iter().sum::<u32>().max(1));
        self.won.iter().map(|&n| f64::from(n) / all).collect()
    }
}

/// The paper's full-song score of each genre: the true genre's proportion where it is among the song's top three,
/// summed over the genre's songs and divided by their number. None where there is no song.
pub(super) fn song_scores(songs: &[Song], genres: usize) -> Vec<Option<f64>> {
    (0..genres)
        .map(|genre| {
            let of: Vec<&Song> = songs.iter().filter(|s| s.label == genre).collect();
            if of.is_empty() {
                return None;
            }
            let sum: f64 = of
                .iter()
                .map(|song| {
                    let shares = song.shares();
                    let mine = shares.get(genre).copied().unwrap_or(0.0);
                    let above = shares.iter().filter(|&&s| s > mine).count();
                    if above < 3 { mine } else { 0.0 }
                })
                .sum();
            Some(sum / of.len() as f64)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_papers_score_counts_only_the_top_three() {
        let song =
            |won: &[u32]| Song { name: String::new(), label: 0, won: won.to_vec(), kept: won.to_vec(), unsure: 0 };
        // 60 % and first; then 10 % and fourth, which counts nothing: .6 / 2.
        let songs = [song(&[6, 2, 1, 1]), song(&[1, 4, 3, 2])];
        let scores = song_scores(&songs, 4);
        assert!((scores[0].unwrap() - 0.3).abs() < 1e-9);
        assert_eq!(scores[1], None);
    }

    #[test]
    fn confusions_are_counted_by_true_genre() {
        let clip = |clip, label, scores: &[f64]| ClipVerdict { clip, fold: 0, label, scores: scores.to_vec() };
        let clips = [clip(0, 0, &[0.9, 0.1]), clip(1, 0, &[0.2, 0.8]), clip(2, 1, &[0.3, 0.7])];
        let (shares, counts) = confusion(&clips, 2);
        assert_eq!((shares, counts), (vec![vec![0.5, 0.5], vec![0.0, 1.0]], vec![vec![1, 1], vec![0, 1]]));
        let pairs = most_confused(&clips, 5, 3);
        assert_eq!((pairs.len(), pairs[0].truth, pairs[0].heard, pairs[0].clips[0].0), (1, 0, 1, 1));
    }
}
