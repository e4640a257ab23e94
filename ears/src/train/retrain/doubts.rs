//! Labels that everything else contradicts. A label is in doubt where a layer that did not learn from it is sure of
//! another genre, *and* the listener's own lessons nearby say that other genre too: a listener with a taxonomy of
//! their own contradicts the base, yet not themselves.
//!
//! Plain numbers only.

use deepcuts_protocol::Doubt;

use super::music::{Music, Track};

/// A held-out layer must be this sure of another genre.
const SURE: f64 = 0.5;
/// And this sure that it is not what was said.
const HARDLY: f64 = 0.15;
/// Among the lessons nearby the other genre must have this much more weight than what was said.
const OUTVOTED: f64 = 2.0;
/// How fast a lesson's vote falls with the angle.
const REACH: f64 = 0.1;
/// Share of doubtful labels that is too many.
const TOO_MANY: f64 = 0.2;
/// Fewer doubts than this are never too many.
const SOME: usize = 4;
/// Two tracks that are as alike as this are one recording.
const SAME: f64 = 0.9995;

/// Centred, of length one.
pub(super) fn directions(music: &Music) -> Vec<Vec<f64>> {
    let means: Vec<Vec<f32>> = music.tracks.iter().map(|t| music.mean(t)).collect();
    let heard = || means.iter().zip(&music.tracks).filter(|(_, t)| !t.rows.is_empty()).map(|(mean, _)| mean);
    let count = heard().count().max(1) as f64;
    let mut centre = vec![0.0_f64; music.width];
    for mean in heard() {
        centre.iter_mut().zip(mean).for_each(|(c, m)| *c += f64::from(*m) / count);
    }
    (means.iter().zip(&music.tracks))
        .map(|(mean, track)| {
            // Silence has no rows. It lies nowhere, or two silent tracks would be one recording.
            if track.rows.is_empty() {
                return vec![0.0; music.width];
            }
            let away: Vec<f64> = mean.iter().zip(&centre).map(|(m, c)| f64::from(*m) - c).collect();
            let length = away.iter().map(|a| a * a).sum::<f64>().sqrt().max(1e-12);
            away.into_iter().map(|a| a / length).collect()
        })
        .collect()
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Tracks of one recording share a group from here on, so that none judges what the other taught.
pub(super) fn join_copies(music: &mut Music) {
    let directions = directions(music);
    for i in 0..directions.len() {
        for j in 0..i {
            let (Some(a), Some(b)) = (directions.get(i), directions.get(j)) else { continue };
            if cosine(a, b) > SAME {
                let (from, to) = (music.tracks.get(i).map(|t| t.group), music.tracks.get(j).map(|t| t.group));
                if let (Some(from), Some(to)) = (from, to) {
                    music.tracks.iter_mut().filter(|t| t.group == from).for_each(|t| t.group = to);
                }
            }
        }
    }
}

/// Labels in doubt, most doubtful first. `held` has a track's mean scores by a layer that did not learn from it.
pub(super) fn find(music: &Music, held: &[Vec<f64>], genres: &[String]) -> Vec<Doubt> {
    let directions = directions(music);
    let name = |genre: usize| genres.get(genre).cloned().unwrap_or_default();
    let mut doubts = Vec::new();
    for (i, track) in music.tracks.iter().enumerate() {
        let Some(said) = track.said() else { continue };
        if let Some((heard, score)) = copy_says(music, &directions, i, said) {
            doubts.push(Doubt { track: track.index, said: name(said), heard: name(heard), score });
            continue;
        }
        let Some(scores) = held.get(i).filter(|s| !s.is_empty()) else { continue };
        let (heard, score) = crate::train::calibrate::best(scores);
        let of_said = scores.get(said).copied().unwrap_or(0.0);
        // A blend is not contradicted by one of its parts.
        let part = track.weights.get(heard).is_some_and(|&w| w > 0.0);
        if part || score < SURE || of_said > HARDLY {
            continue;
        }
        let votes = votes(music, &directions, i);
        let vote = |g: usize| votes.get(g).copied().unwrap_or(0.0);
        if vote(heard) > OUTVOTED * vote(said) {
            doubts.push(Doubt { track: track.index, said: name(said), heard: name(heard), score });
        }
    }
    doubts.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.track.cmp(&b.track)));
    doubts
}

/// The same recording, and something else was said of it.
fn copy_says(music: &Music, directions: &[Vec<f64>], of: usize, said: usize) -> Option<(usize, f64)> {
    let mine = directions.get(of)?;
    let others = music.tracks.iter().zip(directions).enumerate().filter(|(i, _)| *i != of);
    others
        .map(|(_, (track, d))| (track, cosine(mine, d)))
        .find_map(|(track, alike)| Some((track.said().filter(|s| alike > SAME && *s != said)?, alike.min(1.0))))
}

/// What the lessons of other groups say nearby.
fn votes(music: &Music, directions: &[Vec<f64>], of: usize) -> Vec<f64> {
    let mut votes = vec![0.0; music.genres];
    let group = |t: &Track| t.group;
    let (Some(mine), Some(own)) = (directions.get(of), music.tracks.get(of).map(group)) else { return votes };
    for (track, d) in music.tracks.iter().zip(directions).filter(|(t, _)| t.group != own) {
        let weight = (cosine(mine, d) / REACH).exp();
        votes.iter_mut().zip(&track.weights).for_each(|(v, w)| *v += weight * f64::from(*w));
    }
    votes
}

/// Why these labels must not be learned from, if they must not.
pub(super) fn verdict(music: &Music, doubts: &[Doubt]) -> Option<String> {
    let told = music.tracks.iter().filter(|t| t.said().is_some()).count();
    let share = doubts.len() as f64 / told.max(1) as f64;
    (doubts.len() >= SOME && share > TOO_MANY).then(|| {
        format!(
            "{} of {told} corrected tracks contradict the other corrections and what was heard ({:.0} %; up to {:.0} % \
             is usual)",
            doubts.len(),
            share * 100.0,
            TOO_MANY * 100.0
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two heaps of tracks, an artist each, every track with a value of its own; `said` is what the listener says of
    /// them.
    fn heaps(said: &[usize]) -> Music {
        let width = 2 + said.len();
        let mut music = Music { width, genres: 2, ..Music::default() };
        for (i, &genre) in said.iter().enumerate() {
            let mut at = vec![0.0; width];
            at[i % 2] = 1.0;
            at[2 + i] = 0.2;
            let mut weights = vec![0.0; 2];
            weights[genre] = 1.0;
            music.values.extend(at);
            music.targets.extend(&weights);
            music.tracks.push(Track { index: i as u32, group: i as u32, weights, rows: i..i + 1, all: 1 });
        }
        music
    }

    fn names() -> Vec<String> {
        vec!["a".to_owned(), "b".to_owned()]
    }

    #[test]
    fn a_label_against_all_the_others_is_in_doubt() {
        let mut said: Vec<usize> = (0..20).map(|i| i % 2).collect();
        said[4] = 1;
        let held: Vec<Vec<f64>> =
            (0..20).map(|i| if i % 2 == 0 { vec![0.95, 0.05] } else { vec![0.05, 0.95] }).collect();
        let doubts = find(&heaps(&said), &held, &names());
        assert_eq!(doubts.len(), 1, "{doubts:?}");
        assert_eq!((doubts[0].track, doubts[0].said.as_str(), doubts[0].heard.as_str()), (4, "b", "a"));
    }

    #[test]
    fn a_listener_who_calls_everything_otherwise_is_not_in_doubt() {
        // The layers say a and b, the listener says b and a throughout.
        let said: Vec<usize> = (0..20).map(|i| (i + 1) % 2).collect();
        let held: Vec<Vec<f64>> =
            (0..20).map(|i| if i % 2 == 0 { vec![0.95, 0.05] } else { vec![0.05, 0.95] }).collect();
        assert!(find(&heaps(&said), &held, &names()).is_empty());
    }

    #[test]
    fn silent_tracks_are_not_one_recording() {
        let mut music = heaps(&[0, 1, 0, 1, 0, 1]);
        for i in 2..4 {
            music.tracks[i].rows = 0..0;
        }
        assert!(find(&music, &[], &names()).is_empty());
        join_copies(&mut music);
        assert_eq!(music.tracks.iter().map(|t| t.group).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn one_recording_with_two_names_is_in_doubt_twice_and_one_group() {
        let mut music = heaps(&[0, 1, 0, 1, 0, 1]);
        let copy: Vec<f32> = music.row(0).to_vec();
        let at = 4 * music.width;
        music.values[at..at + copy.len()].copy_from_slice(&copy);
        music.tracks[4].weights = vec![0.0, 1.0];
        let doubts = find(&music, &[], &names());
        assert_eq!(doubts.iter().map(|d| d.track).collect::<Vec<_>>(), [0, 4]);
        join_copies(&mut music);
        assert_eq!(music.tracks[0].group, music.tracks[4].group);
    }
}
