//! The clauses `name:value`, `name::regex`, `name > value`, and the orders `name+`, `name-`.

use regex::RegexBuilder;

use super::{
    super::share::{Bounds, Share},
    FIELDS,
    ast::{Expr, NumberField, Quantity, SortBy, SortKey, Span, State, Test, TextField},
    genres,
    lex::Tok,
    number,
    parse::{Parsed, Parser},
};
use crate::track::{Format, Source};

/// Orders that a query may ask for, at most.
pub(crate) const SORTS: usize = 4;

/// Tracks that a query may name as sounding like what is wanted, at most.
const LIKES: usize = 16;

/// Memory that a compiled regular expression may take, bytes.
const REGEX_BYTES: usize = 1 << 20;

fn text_field(name: &str) -> Option<TextField> {
    match name {
        "title" => Some(TextField::Title),
        "artist" => Some(TextField::Artist),
        "album" => Some(TextField::Album),
        "path" => Some(TextField::Path),
        "genre" => Some(TextField::Genre),
        "model" => Some(TextField::Model),
        _ => None,
    }
}

fn number_field(name: &str) -> Option<NumberField> {
    match name {
        "year" => Some(NumberField::Year),
        "length" => Some(NumberField::Length),
        "bitrate" => Some(NumberField::Bitrate),
        "added" => Some(NumberField::Added),
        _ => None,
    }
}

/// Containers by the names that people give them.
fn formats(name: &str) -> Option<Vec<&'static str>> {
    const ALL: [Format; 14] = [
        Format::Mp3,
        Format::Flac,
        Format::Vorbis,
        Format::Opus,
        Format::Ogg,
        Format::Mp4,
        Format::Aac,
        Format::Wav,
        Format::Aiff,
        Format::Caf,
        Format::Matroska,
        Format::Ape,
        Format::WavPack,
        Format::Musepack,
    ];
    let found: &[Format] = match name {
        "ogg" => &[Format::Vorbis, Format::Opus, Format::Ogg],
        "mp4" | "alac" => &[Format::Mp4],
        "aif" => &[Format::Aiff],
        "wave" => &[Format::Wav],
        "mkv" | "webm" | "matroska" => &[Format::Matroska],
        "wv" => &[Format::WavPack],
        "mpc" => &[Format::Musepack],
        _ => return ALL.iter().find(|format| format.name() == name).map(|format| vec![format.name()]),
    };
    Some(found.iter().map(|format| format.name()).collect())
}

/// The regular expression as search runs it: case does not count, and it cannot grow without bound.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn compile(pattern: &str) -> Result<regex::Regex, regex::Error> {
    RegexBuilder::new(pattern).case_insensitive(true).size_limit(REGEX_BYTES).dfa_size_limit(REGEX_BYTES).build()
}

impl Parser<'_, '_> {
    /// A sort, a limit or a field, if one stands here. The inner `None`: understood, but no clause.
    pub fn sort_or_field(&mut self) -> Parsed<Option<Option<Expr>>> {
        if self.sort()? {
            return Ok(Some(None));
        }
        if let Some((genre, length)) = genres::before_value(self.rest(), self.grammar.taxonomy) {
            let first = self.at;
            let Some(Tok::Field { name, value, value_span, .. }) =
                self.tokens.get(first + length - 1).map(|token| token.tok.clone())
            else {
                return Ok(None);
            };
            if length > 1 || !FIELDS.contains(&name.to_lowercase().as_str()) {
                self.at += length;
                let bounds = self.share_range(&value, value_span)?;
                let test = Test::Share { genre, quantity: Quantity::Given, bounds, largest: false, window: None };
                return Ok(Some(Some(self.leaf(first, test))));
            }
        }
        let Some(Tok::Field { name, value, value_span, regex }) = self.peek().cloned() else {
            return self.compared_field().map(|found| found.map(Some));
        };
        let first = self.at;
        self.at += 1;
        self.field(first, &name.to_lowercase(), &value, value_span, regex).map(Some)
    }

    fn field(&mut self, first: usize, name: &str, value: &str, place: Span, regex: bool) -> Parsed<Option<Expr>> {
        if !FIELDS.contains(&name) {
            let near = FIELDS.iter().find(|field| strsim::damerau_levenshtein(field, name) <= 2);
            let hint = near.map_or_else(
                || format!("the fields are {}", FIELDS.join(", ")),
                |near| format!("did you mean {near}?"),
            );
            return self.error(
                self.span_from(first),
                format!("no field or genre is called {name}; {hint} (quote it to look for the words)"),
            );
        }
        if value.trim().is_empty() {
            return self.error(self.span_from(first), format!("{name} needs a value right after its colon"));
        }
        let text = text_field(name);
        if regex {
            let Some(field) = text else {
                return self.error(self.span_from(first), format!("{name} takes no regular expression"));
            };
            return match compile(value) {
                Ok(_) => Ok(Some(self.leaf(first, Test::Pattern { field, pattern: value.to_owned() }))),
                Err(e) => self.error(place, format!("this regular expression makes no sense: {}", reason(&e))),
            };
        }
        if let Some(field) = text {
            return Ok(self.words(first, Some(field), value));
        }
        if let Some(field) = number_field(name) {
            return match number::parse(field, value, &self.grammar.now) {
                Ok(n) => Ok(Some(self.leaf(first, Test::Number { field, range: n.range, shown: n.shown }))),
                Err(message) => self.error(place, message),
            };
        }
        let lower = value.to_lowercase();
        let test = match name {
            "limit" => {
                return match lower.parse::<usize>() {
                    Ok(n) if n > 0 => {
                        self.query.limit = Some(n);
                        Ok(None)
                    }
                    _ => self.error(place, "limit takes a whole number from 1, such as limit:20"),
                };
            }
            "like" => {
                if self.query.like.len() >= LIKES {
                    return self.error(place, "at most sixteen tracks can be named to sound like");
                }
                self.query.like.push(value.trim().to_owned());
                return Ok(None);
            }
            "source" => match (lower.as_str(), Source::from_name(&lower)) {
                (_, Some(source)) => Test::Source(Some(source)),
                ("none", _) => Test::Source(None),
                _ => return self.error(place, "source is one of user, model, file, none"),
            },
            "state" => match lower.as_str() {
                "present" => Test::State(State::Present),
                "missing" => Test::State(State::Missing),
                "any" | "all" => Test::State(State::Any),
                _ => return self.error(place, "state is one of present, missing, any"),
            },
            _ => match formats(&lower) {
                Some(names) => Test::Format(names),
                None => {
                    return self
                        .error(place, "format is one of mp3, flac, ogg, vorbis, opus, m4a, aac, wav, aiff, caf, mka");
                }
            },
        };
        Ok(Some(self.leaf(first, test)))
    }

    /// `year >= 1960`. An error when a comparison follows a word that is neither number field nor genre.
    pub fn compared_field(&mut self) -> Parsed<Option<Expr>> {
        let first = self.at;
        let (Some(word), Some(Tok::Compare(op))) =
            (self.word(), self.tokens.get(first + 1).map(|token| token.tok.clone()))
        else {
            return Ok(None);
        };
        let Some(field) = number_field(&word) else {
            if genres::at_start(self.rest(), self.grammar.taxonomy).is_some() {
                return Ok(None);
            }
            let hint = self.grammar.taxonomy.suggest(&word).map_or_else(
                || "compare a genre, year, length, bitrate or added".to_owned(),
                |genre| format!("did you mean {}?", self.grammar.taxonomy.name(genre)),
            );
            return self.error(self.span(), format!("no genre or number field is called {word}; {hint}"));
        };
        self.at += 2;
        let place = self.span();
        let Some(Tok::Word(value)) = self.peek().cloned() else {
            return self.error(place, format!("`{word} {}` needs a value after it", op.sign()));
        };
        self.at += 1;
        match number::compare(field, op, &value, &self.grammar.now) {
            Ok(n) => Ok(Some(self.leaf(first, Test::Number { field, range: n.range, shown: n.shown }))),
            Err(message) => self.error(place, message),
        }
    }

    /// `LO..HI` of a genre, in percent, both ends included; one number is that share exactly.
    fn share_range(&self, value: &str, place: Span) -> Parsed<Bounds> {
        let end = |text: &str| {
            let text = text.trim().trim_end_matches('%');
            if text.is_empty() {
                return Ok(None);
            }
            match Share::parse_percent(text) {
                Some(share) => Ok(Some((share, true))),
                None => self.error(place.clone(), "a share's range is two numbers of percents, such as jazz:20..40"),
            }
        };
        let bounds = match value.split_once("..") {
            Some((low, high)) => Bounds { low: end(low)?, high: end(high)? },
            None => {
                let both = end(value)?;
                Bounds { low: both, high: both }
            }
        };
        if bounds.low.is_none() && bounds.high.is_none() {
            return self.error(place, "a share's range needs at least one end, such as jazz:20..40 or jazz:20..");
        }
        Ok(bounds)
    }

    /// `name+` or `name-`, where the name can be sorted by.
    fn sort(&mut self) -> Parsed<bool> {
        let Some(word) = self.word() else { return Ok(false) };
        let (name, descending) = match (word.strip_suffix('+'), word.strip_suffix('-')) {
            (Some(name), _) => (name, false),
            (_, Some(name)) => (name, true),
            _ => return Ok(false),
        };
        let text = text_field(name).filter(|f| !matches!(f, TextField::Genre | TextField::Model));
        let key = if let Some(field) = text {
            SortKey::Text(field)
        } else if let Some(field) = number_field(name) {
            SortKey::Number(field)
        } else if let Some(genre) = genres::named(name, self.grammar.taxonomy).filter(|_| !name.is_empty()) {
            SortKey::Share(genre)
        } else {
            return Ok(false);
        };
        self.at += 1;
        if self.query.sort.len() >= SORTS {
            return self.error(self.span_from(self.at - 1), "at most four orders are read");
        }
        self.query.sort.push(SortBy { key, descending });
        Ok(true)
    }
}

/// The last line of a regex error: the earlier ones draw the place, which the caret shows already.
fn reason(e: &regex::Error) -> String {
    match e {
        regex::Error::CompiledTooBig(_) => "it grows too big".to_owned(),
        e => e.to_string().lines().last().unwrap_or("").trim_start_matches("error:").trim().to_owned(),
    }
}
