//! What should stand in a file: pure, from what stands there, what we wrote, and what the track is made of.

use std::collections::HashMap;

use crate::{
    config::{Policy, Tags as Rules},
    genre::{Genre, Taxonomy},
    track::{Mix, Source},
};

/// What would happen to a file, before anyone looks at its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Write these.
    Write(Vec<String>),
    /// The same genres are there already.
    Equal,
    /// Let it be.
    Keep(Kept),
}

/// Why a file is let be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It has a genre of its own, and the policy only fills gaps.
    HasGenre,
    /// Nobody has heard it.
    NotHeard,
    /// Too much of it is unsure.
    Unsure,
    /// No genre has a large enough share.
    NothingLarge,
}

impl Kept {
    /// For people.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::HasGenre => "it has a genre of its own",
            Self::NotHeard => "not heard yet",
            Self::Unsure => "too much of it is unsure",
            Self::NothingLarge => "no genre has a large enough share",
        }
    }
}

/// The genres of `mix` that are written, largest first, as people write them. A hidden one is, where the user said it.
#[must_use]
pub fn names(mix: &Mix, taxonomy: &Taxonomy, rules: &Rules) -> Vec<String> {
    let retained: Vec<Genre> = rules.retain.iter().filter_map(|name| taxonomy.canonical(name)).collect();
    let own_names: HashMap<Genre, &String> =
        rules.names.iter().filter_map(|(genre, own)| Some((taxonomy.canonical(genre)?, own))).collect();
    let named = mix
        .won()
        .iter()
        // A share of exactly the limit counts: 1 of 5 is .20.
        .filter(|(genre, _)| mix.share(genre) >= rules.min_share - 1e-9)
        .filter(|(genre, _)| retained.is_empty() || retained.contains(genre))
        .filter(|(genre, _)| mix.source() == Source::User || !taxonomy.is_hidden(genre))
        .map(|(genre, _)| own_names.get(genre).map_or_else(|| name(taxonomy, genre), |own| (*own).clone()));
    let mut list = Vec::new();
    for name in named {
        // The settings may call two genres the same.
        if list.len() < rules.max_genres && !list.contains(&name) {
            list.push(name);
        }
    }
    list
}

fn name(taxonomy: &Taxonomy, genre: &Genre) -> String {
    let name = taxonomy.name(genre);
    if name == genre.slug() { crate::genre::display_name(name) } else { name.to_owned() }
}

/// Whether two lists name the same genres, however they are written.
#[must_use]
pub fn same(a: &[String], b: &[String], taxonomy: &Taxonomy) -> bool {
    let set = |list: &[String]| {
        let mut set: Vec<String> =
            list.iter().map(|t| taxonomy.canonical(t).map_or_else(|| t.clone(), |g| g.slug().to_owned())).collect();
        set.sort();
        set.dedup();
        set
    };
    set(a) == set(b)
}

/// What to do with a file that says `current`, into which we last wrote `written`, whose track is made of `mix`,
/// and that can hold `capacity` genres.
#[must_use]
pub fn decide(
    current: &[String],
    written: Option<&[String]>,
    mix: Option<&Mix>,
    capacity: usize,
    taxonomy: &Taxonomy,
    rules: &Rules,
) -> Verdict {
    let Some(mix) = mix.filter(|mix| mix.source() != Source::File) else { return Verdict::Keep(Kept::NotHeard) };
    // What the user said is sure.
    if mix.source() == Source::Model && mix.unsure_share() >= rules.unsure_limit {
        return Verdict::Keep(Kept::Unsure);
    }
    let heard = names(mix, taxonomy, rules);
    if heard.is_empty() {
        return Verdict::Keep(Kept::NothingLarge);
    }
    let all_ours = written.is_some_and(|written| !written.is_empty() && current == written);
    let theirs: Vec<&String> = if all_ours {
        Vec::new()
    } else {
        current.iter().filter(|g| !written.unwrap_or_default().contains(g)).collect()
    };
    let mut wanted = match rules.policy {
        Policy::Fill if !current.is_empty() && !all_ours => {
            return if same(current, &heard, taxonomy) { Verdict::Equal } else { Verdict::Keep(Kept::HasGenre) };
        }
        Policy::Fill | Policy::Replace => heard,
        Policy::Merge => {
            let mut list: Vec<String> = theirs.into_iter().cloned().collect();
            for genre in heard {
                let slug = taxonomy.canonical(&genre);
                if !list.iter().any(|known| taxonomy.canonical(known) == slug) {
                    list.push(genre);
                }
            }
            list
        }
    };
    wanted.truncate(capacity);
    if same(current, &wanted, taxonomy) { Verdict::Equal } else { Verdict::Write(wanted) }
}

/// Fields of shares: `GENRE_SHARE_JAZZ=0.62`, for players that search by numbers.
#[must_use]
pub fn shares(mix: &Mix) -> Vec<(String, String)> {
    mix.won()
        .iter()
        .map(|(genre, _)| {
            let key = format!("{}{}", super::encode::SHARE_PREFIX, genre.slug().to_uppercase());
            (key, format!("{:.2}", mix.share(genre)))
        })
        .filter(|(key, value)| key.is_ascii() && value != "0.00")
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn mix(won: &[(&str, u32)], chunks: u32, source: Source) -> Mix {
        Mix::new(won.iter().map(|(g, n)| (Genre::new(g).unwrap(), *n)), chunks, source).unwrap()
    }

    fn list(genres: &[&str]) -> Vec<String> {
        genres.iter().map(|g| (*g).to_owned()).collect()
    }

    fn run(current: &[&str], written: Option<&[&str]>, mix: &Mix, policy: Policy) -> Verdict {
        let rules = Rules { policy, ..Rules::default() };
        let written = written.map(list);
        decide(&list(current), written.as_deref(), Some(mix), usize::MAX, &Taxonomy::builtin(), &rules)
    }

    fn write(genres: &[&str]) -> Verdict {
        Verdict::Write(list(genres))
    }

    #[test]
    fn names_are_written_by_share_and_no_more_than_three() {
        let m = mix(&[("hiphop", 30), ("jazz", 25), ("blues", 24), ("pop", 20), ("rock", 1)], 100, Source::Model);
        assert_eq!(run(&[], None, &m, Policy::Fill), write(&["Hip-Hop", "Jazz", "Blues"]));
        let m = mix(&[("jazz", 4), ("rnb", 1)], 5, Source::Model);
        assert_eq!(run(&[], None, &m, Policy::Fill), write(&["Jazz", "R&B"]));
        let m = mix(&[("jazz", 81), ("rock", 19)], 100, Source::Model);
        assert_eq!(run(&[], None, &m, Policy::Fill), write(&["Jazz"]));
    }

    #[test]
    fn fill_never_replaces_what_a_listener_wrote_and_renews_what_we_wrote() {
        let m = mix(&[("jazz", 9)], 10, Source::Model);
        assert_eq!(run(&["Polka"], None, &m, Policy::Fill), Verdict::Keep(Kept::HasGenre));
        assert_eq!(run(&["Rock"], Some(&["Rock"]), &m, Policy::Fill), write(&["Jazz"]));
        assert_eq!(run(&["Rock", "Live"], Some(&["Rock"]), &m, Policy::Fill), Verdict::Keep(Kept::HasGenre));
        assert_eq!(run(&["jazz"], None, &m, Policy::Fill), Verdict::Equal);
    }

    #[test]
    fn merge_keeps_theirs_first_and_drops_what_was_ours() {
        let m = mix(&[("jazz", 6), ("blues", 4)], 10, Source::Model);
        assert_eq!(run(&["Live"], None, &m, Policy::Merge), write(&["Live", "Jazz", "Blues"]));
        assert_eq!(run(&["Live", "Rock"], Some(&["Rock"]), &m, Policy::Merge), write(&["Live", "Jazz", "Blues"]));
        assert_eq!(run(&["JAZZ", "blues"], None, &m, Policy::Merge), Verdict::Equal);
    }

    #[test]
    fn equal_sets_are_not_touched_in_any_order_or_spelling() {
        let m = mix(&[("hiphop", 6), ("jazz", 4)], 10, Source::Model);
        assert_eq!(run(&["Jazz", "rap"], None, &m, Policy::Replace), Verdict::Equal);
        assert_eq!(run(&["Jazz"], None, &m, Policy::Replace), write(&["Hip-Hop", "Jazz"]));
    }

    #[test]
    fn the_unsure_is_not_written_but_the_user_s_word_is() {
        let m = mix(&[("jazz", 5)], 10, Source::Model);
        assert_eq!(run(&[], None, &m, Policy::Fill), Verdict::Keep(Kept::Unsure));
        let m = mix(&[("jazz", 5)], 10, Source::User);
        assert_eq!(run(&[], None, &m, Policy::Fill), write(&["Jazz"]));
        let m = mix(&[("jazz", 10)], 10, Source::File);
        assert_eq!(run(&[], None, &m, Policy::Replace), Verdict::Keep(Kept::NotHeard));
    }

    #[test]
    fn rules_narrow_and_rename() {
        let m = mix(&[("jazz", 5), ("blues", 5)], 10, Source::Model);
        let rules = Rules { retain: list(&["blues"]), ..Rules::default() };
        for key in ["blues", "Blues"] {
            let rules = Rules { names: [(key.to_owned(), "Blues & Roots".to_owned())].into(), ..rules.clone() };
            assert_eq!(names(&m, &Taxonomy::builtin(), &rules), ["Blues & Roots"]);
        }
        let verdict = decide(&[], None, Some(&m), 1, &Taxonomy::builtin(), &Rules::default());
        assert_eq!(verdict, write(&["Blues"]));
    }

    #[test]
    fn a_hidden_genre_is_written_where_the_user_said_it_and_nowhere_else() {
        let mut taxonomy = Taxonomy::builtin();
        taxonomy.set(&Genre::new("country").unwrap(), "Country", true);
        let heard = |source| mix(&[("country", 6), ("blues", 4)], 10, source);
        assert_eq!(names(&heard(Source::Model), &taxonomy, &Rules::default()), ["Blues"]);
        assert_eq!(names(&heard(Source::User), &taxonomy, &Rules::default()), ["Country", "Blues"]);
    }

    #[test]
    fn shares_are_fields() {
        let m = mix(&[("jazz", 62), ("rnb", 38)], 100, Source::Model);
        let expected = [("GENRE_SHARE_JAZZ", "0.62"), ("GENRE_SHARE_RNB", "0.38")];
        assert_eq!(shares(&m), expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }
}
