//! Which hit comes first: a total order, made of integers and bytes that anybody can work out from the rows
//! of the database.
//!
//! 1. The orders that the query asks for.
//! 2. Closeness: how far the track's mix lies from the mix asked for ([`Asked`]).
//! 3. The sum of the weights of the fields that its words match, largest first.
//! 4. Artist, album, disc, track number, path ([`order_key`]).

use super::{
    fold::fold,
    query::{Expr, Leaf, Quantity, Test},
    share::{Share, WHOLE},
};
use crate::genre::Genre;

/// Ways to meet a query's "or"s that are told apart; more than that are not looked at for closeness.
const ALTERNATIVES: usize = 32;

/// The mixes that a query asks for: several where it says "or". Each is a share in millionths for some genres;
/// what is left over is for any other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The ways to meet it; none when the query speaks of no share of the whole track.
    pub alternatives: Vec<Vec<(Genre, u32)>>,
}

/// The share that a word stands for when closeness is measured.
const fn target(quantity: Quantity, bounds: &super::share::Bounds) -> Option<Share> {
    match quantity {
        Quantity::Pure | Quantity::Any => Some(Share::percent(100)),
        Quantity::Mostly => Some(Share::percent(75)),
        Quantity::Half | Quantity::Lots => Some(Share::percent(50)),
        Quantity::Some => Some(Share::percent(30)),
        Quantity::Bit => Some(Share::percent(15)),
        Quantity::No => Some(Share(0)),
        Quantity::About | Quantity::Given => None,
        Quantity::Edge => Some(Share(match bounds.low {
            Some((share, _)) => share.0,
            None => 0,
        })),
    }
}

impl Asked {
    /// What `root` asks for.
    #[must_use]
    pub fn of(root: &Expr) -> Self {
        let mut alternatives: Vec<Vec<(Genre, u32)>> =
            ways(root).into_iter().filter(|way| !way.is_empty()).map(scaled).collect();
        alternatives.dedup();
        Self { alternatives }
    }

    /// The genres that it speaks of, each once.
    #[must_use]
    pub fn genres(&self) -> Vec<Genre> {
        let mut genres: Vec<Genre> = self.alternatives.iter().flatten().map(|(genre, _)| genre.clone()).collect();
        genres.sort();
        genres.dedup();
        genres
    }

    /// How far a mix lies from the nearest alternative: the differences of the genres that it names and of all
    /// the rest together, summed. `share` gives a genre's share in millionths. 0 when nothing is asked for.
    #[must_use]
    pub fn distance(&self, share: impl Fn(&Genre) -> u32) -> u32 {
        self.alternatives
            .iter()
            .map(|way| apart(way.iter().map(|(genre, wanted)| (share(genre), *wanted))))
            .min()
            .unwrap_or(0)
    }
}

/// Sum of the differences of (share, wanted) pairs and of what they leave over.
pub(super) fn apart(pairs: impl Iterator<Item = (u32, u32)>) -> u32 {
    let (mut sum, mut shares, mut wanted) = (0, 0_u32, 0_u32);
    for (share, want) in pairs {
        sum += share.abs_diff(want);
        shares += share;
        wanted += want;
    }
    sum + shares.abs_diff(wanted)
}

/// The shares named by each way to meet `expr`.
fn ways(expr: &Expr) -> Vec<Vec<(Genre, u32)>> {
    match expr {
        Expr::Leaf(Leaf { test: Test::Share { genre, quantity, bounds, window: None, .. }, .. }) => {
            let wanted = target(*quantity, bounds).unwrap_or_else(|| bounds.middle());
            vec![vec![(genre.clone(), wanted.0)]]
        }
        Expr::Leaf(_) | Expr::Not(_) => vec![Vec::new()],
        Expr::Any(parts) => {
            let mut all: Vec<_> = parts.iter().flat_map(ways).collect();
            all.truncate(ALTERNATIVES);
            all
        }
        Expr::All(parts) => {
            let mut all: Vec<Vec<(Genre, u32)>> = vec![Vec::new()];
            for part in parts {
                let next = ways(part);
                all = all
                    .iter()
                    .flat_map(|front| next.iter().map(move |back| joined(front, back)))
                    .take(ALTERNATIVES)
                    .collect();
            }
            all
        }
    }
}

/// Both; of a genre named twice the first word counts.
fn joined(front: &[(Genre, u32)], back: &[(Genre, u32)]) -> Vec<(Genre, u32)> {
    let mut both = front.to_vec();
    for (genre, wanted) in back {
        if !both.iter().any(|(g, _)| g == genre) {
            both.push((genre.clone(), *wanted));
        }
    }
    both
}

/// Scaled down to a whole where the shares add up to more.
fn scaled(mut way: Vec<(Genre, u32)>) -> Vec<(Genre, u32)> {
    let sum: u64 = way.iter().map(|(_, wanted)| u64::from(*wanted)).sum();
    if sum > u64::from(WHOLE) {
        for (_, wanted) in &mut way {
            // Never more than it was, so it fits.
            *wanted = (u64::from(*wanted) * u64::from(WHOLE) / sum) as u32;
        }
    }
    way
}

/// What the last order compares, as bytes that compare as it does.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// Artist, or that of the album.
    pub artist: Option<&'a str>,
    /// Album.
    pub album: Option<&'a str>,
    /// Disc.
    pub disc: Option<u32>,
    /// Track number.
    pub track: Option<u32>,
    /// Path.
    pub path: &'a [u8],
}

/// Bytes that compare as artist, album, disc, track and path do one after the other; case and accents do not
/// count, what is not known comes last.
#[must_use]
pub fn order_key(order: &Order<'_>) -> Vec<u8> {
    let mut key = Vec::with_capacity(64 + order.path.len());
    for text in [order.artist, order.album] {
        match text.map(fold).filter(|folded| !folded.trim().is_empty()) {
            Some(folded) => {
                key.push(1);
                // The end of a text sorts before whatever may follow in a longer one.
                key.extend(folded.trim().bytes().filter(|b| *b > 1).take(TEXT_BYTES));
                key.push(1);
            }
            None => key.push(2),
        }
    }
    for number in [order.disc, order.track] {
        key.extend(number.unwrap_or(u32::MAX).to_be_bytes());
    }
    key.extend(order.path.iter().take(PATH_BYTES));
    key
}

/// Longest text that takes part in the order, in bytes.
const TEXT_BYTES: usize = 1_000;

/// Longest path that takes part in the order: longer than any that Linux opens at once.
const PATH_BYTES: usize = 8_192;

/// Bytes that compare as `text` does for `title+` and the like: folded, then as written. The part from the NUL
/// on is the text itself.
#[must_use]
pub fn text_key(text: &[u8]) -> Vec<u8> {
    let lossy = String::from_utf8_lossy(text);
    let mut key: Vec<u8> = fold(lossy.trim()).bytes().filter(|b| *b > 0).take(TEXT_BYTES).collect();
    key.push(0);
    key.extend(text.iter().take(PATH_BYTES));
    key
}

/// The text that a [`text_key`] was made of.
#[must_use]
pub fn text_of_key(key: &[u8]) -> &[u8] {
    key.iter().position(|b| *b == 0).and_then(|at| key.get(at + 1..)).unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        genre::Taxonomy,
        search::query::{Grammar, Thresholds},
    };

    fn asked(text: &str) -> Vec<Vec<(String, u32)>> {
        let mut taxonomy = Taxonomy::builtin();
        for name in ["jazz", "blues", "rock"] {
            taxonomy.add(name);
        }
        let query = Grammar::new(&taxonomy, Thresholds::default()).parse(text).unwrap();
        Asked::of(&query.root)
            .alternatives
            .into_iter()
            .map(|way| way.into_iter().map(|(g, n)| (g.slug().to_owned(), n)).collect())
            .collect()
    }

    #[test]
    fn the_mix_asked_for_is_at_most_a_whole() {
        // 75 and 30 of 105.
        let expected = vec![vec![("jazz".to_owned(), 714_285), ("blues".to_owned(), 285_714)]];
        assert_eq!(asked("mostly jazz with some blues"), expected);
        assert_eq!(asked("some jazz"), [[("jazz".to_owned(), 300_000)]]);
        assert_eq!(asked("jazz or no blues").len(), 2);
        assert!(asked("miles davis").is_empty());
        assert!(asked("not mostly jazz").is_empty());
        let many = asked("(jazz or blues or rock) (no jazz or no blues) (jazz or blues or rock) (jazz or rock)");
        assert!((2..=ALTERNATIVES).contains(&many.len()), "{}", many.len());
    }

    #[test]
    fn distance_is_zero_at_the_mix_and_grows_away_from_it() {
        let way = |pairs: &[(u32, u32)]| apart(pairs.iter().copied());
        assert_eq!(way(&[(700_000, 700_000), (300_000, 300_000)]), 0);
        // A tenth of jazz became blues: a tenth each.
        assert_eq!(way(&[(600_000, 700_000), (400_000, 300_000)]), 200_000);
        // A tenth of jazz became something else.
        assert_eq!(way(&[(600_000, 700_000), (300_000, 300_000)]), 200_000);
    }

    #[test]
    fn the_order_is_artist_album_disc_track_path() {
        let key = |artist, album, disc, track, path: &'static str| {
            order_key(&Order { artist, album, disc, track, path: path.as_bytes() })
        };
        let sorted = [
            key(Some("abba"), Some("Arrival"), Some(1), Some(2), "/b"),
            key(Some("ABBA"), Some("Arrival"), Some(1), Some(10), "/a"),
            key(Some("Abba"), Some("Arrival"), Some(2), Some(1), "/a"),
            key(Some("ABBA"), None, None, None, "/a"),
            key(Some("abba tribute"), Some("A"), None, None, "/a"),
            key(Some("Motörhead"), None, Some(1), None, "/a"),
            key(Some("motorhead"), None, None, None, "/a"),
            key(None, Some("A"), None, None, "/a"),
        ];
        assert!(sorted.is_sorted());
        assert_eq!(text_of_key(&text_key("Ünder\u{0} x".as_bytes())), "Ünder\u{0} x".as_bytes());
    }
}
