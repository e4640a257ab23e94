//! A query as a smart playlist of Navidrome, which then keeps itself up to date from the tags.
//!
//! Shares are the fields that `[tags] write_shares` writes, rounded to whole percents: a bound lies half a percent below
//! the first value that is meant, because Navidrome has no "or equal". A field that is not there is a share of nothing.
//! What its rules cannot say is an error that names the clause, never left out.

use serde_json::{Map, Value, json};

use super::share_field;
use crate::{
    genre::{Genre, Taxonomy},
    search::{
        meaning::{meaning, test as spoken},
        query::{Expr, NumberField, NumberRange, Quantity, Query, SortBy, SortKey, State, Test, TextField, UNSURE},
        share::{Bounds, WHOLE},
    },
};

/// A clause, as people read it.
type Unsayable = String;

/// The playlist, called `name`.
///
/// # Errors
/// The clauses that no rule of Navidrome says.
pub fn playlist(query: &Query, taxonomy: &Taxonomy, name: &str) -> Result<Value, Vec<Unsayable>> {
    let mut writer = Writer { taxonomy, unsayable: Vec::new() };
    let rules = writer.expr(&query.root, true);
    if !query.like.is_empty() {
        writer.unsayable.push("like".to_owned());
    }
    let sort = match query.sort.as_slice() {
        [first, ..] => writer.sort(first),
        // Nearest to nothing: the most of what is wanted first.
        [] => wanted(&query.root).map(|genre| (share_field(genre), true)),
    };
    if !writer.unsayable.is_empty() {
        return Err(writer.unsayable);
    }
    let mut list = Map::new();
    list.insert("name".to_owned(), name.into());
    list.insert("comment".to_owned(), meaning(query, taxonomy).into());
    match rules {
        Value::Object(rules) if rules.contains_key("all") || rules.contains_key("any") => list.extend(rules),
        rule => drop(list.insert("all".to_owned(), json!([rule]))),
    }
    if list.get("all").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        list.insert("all".to_owned(), json!([{"gt": {"playCount": -1}}]));
    }
    if let Some((field, descending)) = sort {
        list.insert("sort".to_owned(), field.into());
        list.insert("order".to_owned(), if descending { "desc" } else { "asc" }.into());
    }
    if let Some(limit) = query.limit {
        list.insert("limit".to_owned(), limit.into());
    }
    Ok(list.into())
}

/// The first genre that is asked for.
fn wanted(root: &Expr) -> Option<&Genre> {
    root.leaves().into_iter().find_map(|leaf| match &leaf.test {
        Test::Share { genre, quantity, window: None, .. } if *quantity != Quantity::No => Some(genre),
        _ => None,
    })
}

fn rule(operator: &str, field: &str, value: impl Into<Value>) -> Value {
    json!({ operator: { field: value.into() } })
}

fn any(rules: Vec<Value>) -> Value {
    json!({ "any": rules })
}

fn all(rules: Vec<Value>) -> Value {
    json!({ "all": rules })
}

struct Writer<'a> {
    taxonomy: &'a Taxonomy,
    unsayable: Vec<Unsayable>,
}

impl Writer<'_> {
    /// `expr`, or its opposite.
    fn expr(&mut self, expr: &Expr, so: bool) -> Value {
        match (expr, so) {
            (Expr::Not(part), so) => self.expr(part, !so),
            (Expr::All(parts), true) | (Expr::Any(parts), false) => {
                all(parts.iter().map(|part| self.expr(part, so)).collect())
            }
            (Expr::Any(parts), true) | (Expr::All(parts), false) => {
                any(parts.iter().map(|part| self.expr(part, so)).collect())
            }
            (Expr::Leaf(leaf), so) => self.test(&leaf.test, so).unwrap_or_else(|| {
                self.unsayable.push(spoken(&leaf.test, self.taxonomy));
                Value::Null
            }),
        }
    }

    fn test(&self, test: &Test, so: bool) -> Option<Value> {
        match test {
            Test::Share { genre, bounds, largest, window: None, .. } if genre.slug() != UNSURE => {
                // More than half is the largest.
                let majority = bounds.low.is_some_and(|(low, _)| 2 * low.0 >= WHOLE);
                (!largest || majority).then(|| share(genre, bounds, so)).flatten()
            }
            Test::Words { field, shown, .. } => words(*field, shown.trim().trim_end_matches('*'), so),
            Test::Number { field, range, .. } => number(*field, *range, so),
            Test::Format(names) => {
                let endings = names.iter().flat_map(|name| suffixes(name));
                Some(if so {
                    any(endings.map(|ending| rule("is", "filetype", *ending)).collect())
                } else {
                    all(endings.map(|ending| rule("isNot", "filetype", *ending)).collect())
                })
            }
            // Navidrome has its own idea of what is there.
            Test::State(State::Present) if so => Some(rule("gt", "playCount", -1)),
            _ => None,
        }
    }

    fn sort(&mut self, sort: &SortBy) -> Option<(String, bool)> {
        let field = match &sort.key {
            SortKey::Text(TextField::Path) => "filepath".to_owned(),
            SortKey::Text(field) => field.name().to_owned(),
            SortKey::Number(NumberField::Length) => "duration".to_owned(),
            SortKey::Number(NumberField::Added) => "dateadded".to_owned(),
            SortKey::Number(field) => field.name().to_owned(),
            SortKey::Share(genre) if genre.slug() == UNSURE => {
                self.unsayable.push("by unsure".to_owned());
                return None;
            }
            SortKey::Share(genre) => share_field(genre),
        };
        Some((field, sort.descending))
    }
}

/// The value just below the first whole percent at or above `millionths` (or above it, if that is left out).
fn below(millionths: u32, included: bool) -> f64 {
    let percent = f64::from(millionths) / f64::from(WHOLE) * 100.0;
    let first = if included { percent.ceil() } else { percent.floor() + 1.0 };
    (first * 10.0 - 5.0).round() / 1000.0
}

fn share(genre: &Genre, bounds: &Bounds, so: bool) -> Option<Value> {
    let field = share_field(genre);
    let low = bounds.low.filter(|(low, included)| low.0 > 0 || !included);
    let high = bounds.high.filter(|(high, _)| high.0 < WHOLE);
    let above = low.map(|(low, included)| rule("gt", &field, below(low.0, included)));
    let under = |edge: f64| any(vec![rule("lt", &field, edge), rule("isMissing", &field, true)]);
    if so {
        let within = high.map(|(high, included)| {
            let edge = below(high.0, !included);
            // With a lower end above nothing, the field is there.
            if above.is_some() { rule("lt", &field, edge) } else { under(edge) }
        });
        return match (above, within) {
            (Some(a), Some(b)) => Some(all(vec![a, b])),
            (one, other) => one.or(other),
        };
    }
    let beneath = low.map(|(low, included)| under(below(low.0, included)));
    let beyond = high.map(|(high, included)| rule("gt", &field, below(high.0, !included)));
    match (beneath, beyond) {
        (Some(a), Some(b)) => Some(any(vec![a, b])),
        (one, other) => one.or(other),
    }
}

fn words(field: Option<TextField>, text: &str, so: bool) -> Option<Value> {
    let fields: &[&str] = match field {
        None => &["title", "artist", "albumartist", "album", "filepath"],
        Some(TextField::Title) => &["title"],
        Some(TextField::Artist) => &["artist", "albumartist"],
        Some(TextField::Album) => &["album"],
        Some(TextField::Path) => &["filepath"],
        Some(TextField::Genre) => &["genre"],
        Some(TextField::Model) => return None,
    };
    let rules = |operator: &str| fields.iter().map(|field| rule(operator, field, text)).collect();
    Some(if so { any(rules("contains")) } else { all(rules("notContains")) })
}

fn number(field: NumberField, range: NumberRange, so: bool) -> Option<Value> {
    // Navidrome counts seconds, and days.
    let value = |n: i64| -> Value {
        match field {
            NumberField::Length => (n as f64 / 1000.0).into(),
            _ => n.into(),
        }
    };
    let name = match field {
        NumberField::Year => "year",
        NumberField::Length => "duration",
        NumberField::Bitrate => "bitrate",
        NumberField::Added => {
            let days = (crate::store::now_ms() - range.low).div_euclid(86_400_000);
            let lately = range.high == i64::MAX && (0..36_500).contains(&days);
            let operator = if so { "inTheLast" } else { "notInTheLast" };
            return lately.then(|| rule(operator, "dateadded", days.max(1)));
        }
    };
    let low = (range.low != i64::MIN).then_some(range.low);
    let high = (range.high != i64::MAX).then_some(range.high);
    let rules: Vec<Value> = if so {
        let above = low.map(|low| rule("gt", name, value(low.saturating_sub(1))));
        above.into_iter().chain(high.map(|high| rule("lt", name, value(high.saturating_add(1))))).collect()
    } else {
        let under = low.map(|low| rule("lt", name, value(low)));
        under.into_iter().chain(high.map(|high| rule("gt", name, value(high)))).collect()
    };
    match (rules.len(), so) {
        (0, _) => None,
        (_, true) => Some(all(rules)),
        (_, false) => Some(any(rules)),
    }
}

/// Endings of the names of files of a container.
fn suffixes(format: &str) -> &'static [&'static str] {
    match format {
        "mp3" => &["mp3"],
        "flac" => &["flac"],
        "vorbis" | "ogg" => &["ogg", "oga"],
        "opus" => &["opus"],
        "m4a" => &["m4a", "m4b", "mp4"],
        "aac" => &["aac"],
        "wav" => &["wav", "wave"],
        "aiff" => &["aiff", "aif", "aifc"],
        "caf" => &["caf"],
        "mka" => &["mka", "webm"],
        "ape" => &["ape"],
        "wavpack" => &["wv"],
        _ => &["mpc"],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::search::query::{Grammar, Thresholds};

    fn rules(text: &str) -> Result<Value, Vec<String>> {
        let mut taxonomy = Taxonomy::builtin();
        for name in ["jazz", "blues", "hiphop"] {
            taxonomy.add(name);
        }
        let query = Grammar::new(&taxonomy, Thresholds::default()).parse(text).unwrap();
        playlist(&query, &taxonomy, "x")
    }

    #[test]
    fn a_mix_becomes_rules() {
        let list = rules("mostly jazz with some blues no hip hop limit:50").unwrap();
        let expected = json!([
            {"gt": {"genre_share_jazz": 0.495}},
            {"all": [{"gt": {"genre_share_blues": 0.145}}, {"lt": {"genre_share_blues": 0.495}}]},
            {"any": [{"lt": {"genre_share_hiphop": 0.045}}, {"isMissing": {"genre_share_hiphop": true}}]},
        ]);
        assert_eq!(list["all"], expected);
        assert_eq!(
            (&list["sort"], &list["order"], &list["limit"]),
            (&"genre_share_jazz".into(), &"desc".into(), &50.into())
        );
    }

    #[test]
    fn words_years_and_orders() {
        let list = rules("artist:davis year:1955..1960 -live format:flac year+").unwrap();
        let expected = json!([
            {"any": [{"contains": {"artist": "davis"}}, {"contains": {"albumartist": "davis"}}]},
            {"all": [{"gt": {"year": 1954}}, {"lt": {"year": 1961}}]},
            {"all": [{"notContains": {"title": "live"}}, {"notContains": {"artist": "live"}},
                     {"notContains": {"albumartist": "live"}}, {"notContains": {"album": "live"}},
                     {"notContains": {"filepath": "live"}}]},
            {"any": [{"is": {"filetype": "flac"}}]},
        ]);
        assert_eq!(list["all"], expected);
        assert_eq!((&list["sort"], &list["order"]), (&"year".into(), &"asc".into()));
        assert_eq!(rules("").unwrap()["all"], json!([{"gt": {"playCount": -1}}]));
    }

    #[test]
    fn what_it_cannot_say_is_named() {
        assert_eq!(rules("jazz starts with blues").unwrap_err().len(), 1);
        assert_eq!(rules("more jazz than blues").unwrap_err(), ["jazz > blues"]);
        assert!(rules("title::^so").is_err() && rules("unsure > 50%").is_err() && rules("source:user").is_err());
    }
}
