//! The clauses that speak of genres: how much, more than what, when.

use super::{
    super::share::{Bounds, Share},
    ast::{Edge, Expr, Leaf, Quantity, Test, Window},
    duration, genres,
    lex::{Op, Tok},
    parse::{Parsed, Parser},
    phrases::{AMOUNTS, ARTICLES, Amount, ENDS, QUANTIFIERS, STARTS},
};
use crate::genre::Genre;

/// How a genre of a list is joined to the one before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Join {
    And,
    Or,
}

/// What is asked of each genre of a list.
#[derive(Clone, Copy)]
struct Wanted {
    quantity: Quantity,
    bounds: Bounds,
    largest: bool,
    window: Option<Window>,
}

impl Wanted {
    fn of(self, genre: Genre) -> Test {
        Test::Share { genre, quantity: self.quantity, bounds: self.bounds, largest: self.largest, window: self.window }
    }
}

impl Parser<'_, '_> {
    fn wanted(&self, quantity: Quantity) -> Wanted {
        let (bounds, largest) = self.grammar.thresholds.bounds(quantity);
        Wanted { quantity, bounds, largest, window: None }
    }

    /// The genre here, longest name first; the cursor moves past it.
    fn genre(&mut self) -> Option<Genre> {
        let (genre, length) = genres::at_start(self.rest(), self.grammar.taxonomy)?;
        self.at += length;
        Some(genre)
    }

    fn skip_articles(&mut self) {
        while self.word().is_some_and(|word| ARTICLES.contains(&word.as_str())) {
            self.at += 1;
        }
    }

    /// `[a|the|of]* GENRE`; the cursor stays when there is none.
    fn genre_after_articles(&mut self) -> Option<Genre> {
        let start = self.at;
        self.skip_articles();
        let genre = self.genre();
        if genre.is_none() {
            self.at = start;
        }
        genre
    }

    /// A genre that no comparison follows; the cursor stays when there is none.
    fn lone_genre(&mut self) -> Option<Genre> {
        let start = self.at;
        let genre = self.genre_after_articles()?;
        if matches!(self.peek(), Some(Tok::Compare(_))) {
            self.at = start;
            return None;
        }
        Some(genre)
    }

    /// A percentage here that belongs to the genre before it, as in "jazz 70% blues 20%", and not to the genre
    /// behind it, as in "jazz 20% blues".
    fn own_percent(&self) -> Option<(Parsed<Share>, usize)> {
        let (share, length) = self.percent_at(self.at)?;
        let behind = self.tokens.get(self.at + length..).unwrap_or(&[]);
        match genres::at_start(behind, self.grammar.taxonomy) {
            Some((_, words)) if self.percent_at(self.at + length + words).is_none() => None,
            _ => Some((share, length)),
        }
    }

    /// A quantifier and the genres it covers. After a "with" that follows another genre the quantifier is
    /// `some` when none is said.
    pub fn quantified(&mut self, after_genre: bool) -> Parsed<Option<Expr>> {
        let first = self.at;
        for (phrase, quantity) in QUANTIFIERS {
            let length = self.phrase_at(first, phrase);
            if length == 0 {
                continue;
            }
            self.at = first + length;
            if let Some(genre) = self.lone_genre() {
                return self.list(first, genre, self.wanted(*quantity)).map(Some);
            }
            self.at = first;
        }
        self.misspelt_after_quantifier()?;
        if after_genre && let Some(genre) = self.lone_genre() {
            return self.list(first, genre, self.wanted(Quantity::Some)).map(Some);
        }
        self.at = first;
        Ok(None)
    }

    /// "mostly jazs" can only mean a genre; "some rocky road" may mean words.
    fn misspelt_after_quantifier(&self) -> Parsed<()> {
        const SURE: [&str; 6] = ["mostly", "mainly", "a lot of", "plenty of", "a bit of", "a touch of"];
        for phrase in SURE {
            let length = self.phrase_at(self.at, phrase);
            // Three letters may well be a word; they get a hint, and no error.
            let sure = |word: &String| length > 0 && word.chars().count() > 3;
            let Some(word) = self.word_at(self.at + length).filter(sure) else { continue };
            if let Some(genre) = self.grammar.taxonomy.suggest(&word) {
                let name = self.grammar.taxonomy.name(genre);
                let place = self.tokens.get(self.at + length).map_or(0..0, |token| token.span.clone());
                return self.error(place, format!("no genre is called {word}; did you mean {name}?"));
            }
        }
        Ok(())
    }

    /// The genres that a "no" or "-" excludes.
    pub fn without_genres(&mut self, first: usize, list: bool) -> Parsed<Option<Expr>> {
        let start = self.at;
        if self.phrase_at(start, "any") > 0 {
            self.at += 1;
        }
        let wanted = self.wanted(Quantity::No);
        match self.lone_genre() {
            Some(genre) if list => self.list(first, genre, wanted).map(Some),
            Some(genre) => Ok(Some(self.leaf(first, wanted.of(genre)))),
            None => {
                self.at = start;
                Ok(None)
            }
        }
    }

    /// The bare genres after `genre`, each wanted like it, and a time at the end that holds for all of them.
    fn list(&mut self, first: usize, genre: Genre, wanted: Wanted) -> Parsed<Expr> {
        let mut members = vec![(Join::Or, genre, self.span_from(first))];
        loop {
            let start = self.at;
            let join = self.list_join();
            let genre_at = self.at;
            match self.lone_genre().filter(|_| self.own_percent().is_none()) {
                Some(genre) => {
                    let span = self.span_from(genre_at);
                    members.push((join, genre, span));
                    // The time belongs to the whole list, so it ends it.
                    if self.window_follows() {
                        break;
                    }
                }
                None => {
                    self.at = start;
                    break;
                }
            }
        }
        let wanted = match self.window()? {
            Some(window) => Wanted { window: Some(window), largest: false, ..wanted },
            None => wanted,
        };
        let mut groups: Vec<Vec<Expr>> = Vec::new();
        for (join, genre, span) in members {
            let expr = Expr::Leaf(Leaf { test: wanted.of(genre), span });
            // Neither of two is not the one and not the other.
            let apart = join == Join::Or && wanted.quantity != Quantity::No;
            match groups.last_mut() {
                Some(group) if !apart => group.push(expr),
                _ => groups.push(vec![expr]),
            }
        }
        Ok(Expr::any(groups.into_iter().map(Expr::all).collect()))
    }

    /// What joins the next member of a list; the cursor moves past it.
    fn list_join(&mut self) -> Join {
        if self.peek() == Some(&Tok::Comma) {
            self.at += 1;
            // "jazz, blues, or rock"
            if self.word().is_some_and(|word| word == "or" || word == "nor") {
                self.at += 1;
            }
            return Join::Or;
        }
        match self.word().as_deref() {
            Some("or" | "nor") => {
                self.at += 1;
                Join::Or
            }
            Some("and" | "plus" | "&" | "+") => {
                self.at += 1;
                Join::And
            }
            _ => Join::And,
        }
    }

    /// A genre alone, compared with something, or in a part of the track.
    pub fn bare_genre(&mut self) -> Parsed<Option<Expr>> {
        let first = self.at;
        let Some(genre) = self.genre() else { return Ok(None) };
        if let Some(Tok::Compare(op)) = self.peek() {
            let op = *op;
            self.at += 1;
            let test = self.compared(genre, op)?;
            return self.with_window(first, test).map(Some);
        }
        if let Some((share, length)) = self.own_percent() {
            self.at += length;
            let wanted = Wanted {
                bounds: self.grammar.thresholds.around(share?),
                largest: false,
                ..self.wanted(Quantity::About)
            };
            return self.with_window(first, wanted.of(genre)).map(Some);
        }
        let test = self.wanted(Quantity::Any).of(genre);
        self.with_window(first, test).map(Some)
    }

    /// The clause of `test`, limited to a part of the track where the text says so.
    fn with_window(&mut self, first: usize, mut test: Test) -> Parsed<Expr> {
        let place = self.span();
        if let Some(found) = self.window()? {
            match &mut test {
                Test::Share { window, largest, .. } => {
                    *window = Some(found);
                    *largest = false;
                }
                _ => return self.error(place, "two genres can only be compared over the whole track"),
            }
        }
        Ok(self.leaf(first, test))
    }

    /// What stands after `genre` and a comparison.
    fn compared(&mut self, genre: Genre, op: Op) -> Parsed<Test> {
        let place = self.span();
        if let Some((share, length)) = self.number_at(self.at) {
            let share = share?;
            self.at += length;
            let bounds = match op {
                Op::Above => Bounds::above(share),
                Op::AtLeast => Bounds::at_least(share),
                Op::Below => Bounds::below(share),
                Op::AtMost => Bounds::at_most(share),
                Op::Equal => Bounds::closed(share, share),
            };
            return Ok(Wanted { bounds, largest: false, ..self.wanted(Quantity::Given) }.of(genre));
        }
        if let Some(right) = self.genre_after_articles() {
            return Ok(Test::Versus { left: genre, op, right });
        }
        if let Some(word) = self.word()
            && let Some(near) = self.grammar.taxonomy.suggest(&word)
        {
            let name = self.grammar.taxonomy.name(near);
            return self.error(place, format!("no genre is called {word}; did you mean {name}?"));
        }
        self.error(place, format!("`{}` needs a share or a genre after it, such as 20% or blues", op.sign()))
    }

    /// `about 30% jazz`, `at least 30% jazz`, `30% jazz`.
    pub fn amount(&mut self) -> Parsed<Option<Expr>> {
        let first = self.at;
        let (amount, said) = AMOUNTS
            .iter()
            .map(|(phrase, amount)| (*amount, self.phrase_at(first, phrase)))
            .find(|(_, length)| *length > 0)
            .unwrap_or((Amount::About, 0));
        self.at = first + said;
        let Some((share, length)) = self.percent_at(self.at) else {
            self.at = first;
            return Ok(None);
        };
        let number_at = self.at;
        self.at += length;
        let Some(genre) = self.genre_after_articles() else {
            self.at = first;
            if said == 0 {
                return Ok(None);
            }
            let place = self.tokens.get(number_at).map_or(0..0, |token| token.span.clone());
            return self.error(place, "a genre has to follow the share, such as `about 30% jazz`");
        };
        let share = share?;
        let (quantity, bounds) = match amount {
            Amount::About => (Quantity::About, self.grammar.thresholds.around(share)),
            Amount::AtLeast => (Quantity::Given, Bounds::at_least(share)),
            Amount::AtMost => (Quantity::Given, Bounds::at_most(share)),
            Amount::Above => (Quantity::Given, Bounds::above(share)),
            Amount::Below => (Quantity::Given, Bounds::below(share)),
            Amount::Exactly => (Quantity::Given, Bounds::closed(share, share)),
        };
        let test = Wanted { quantity, bounds, largest: false, window: None }.of(genre);
        self.with_window(first, test).map(Some)
    }

    /// `more jazz than blues`, `less jazz than blues`.
    pub fn versus_in_words(&mut self) -> Parsed<Option<Expr>> {
        let first = self.at;
        let op = match self.word().as_deref() {
            Some("more") => Op::Above,
            Some("less") => Op::Below,
            _ => return Ok(None),
        };
        self.at += 1;
        let Some(left) = self.genre_after_articles() else {
            self.at = first;
            return Ok(None);
        };
        if self.word().as_deref() != Some("than") {
            return self.error(
                self.span_from(first),
                "compare with a second genre, such as `more jazz than blues`, or say `mostly jazz`",
            );
        }
        self.at += 1;
        let place = self.span();
        let Some(right) = self.genre_after_articles() else {
            return self.error(place, "a genre has to follow `than`, such as `more jazz than blues`");
        };
        Ok(Some(self.leaf(first, Test::Versus { left, op, right })))
    }

    /// `starts with jazz`, `ends metal`, `begins in a bit of blues`.
    pub fn starts_or_ends(&mut self) -> Parsed<Option<Expr>> {
        let first = self.at;
        let edge = match self.word().as_deref() {
            Some(word) if STARTS.contains(&word) => Edge::First,
            Some(word) if ENDS.contains(&word) => Edge::Last,
            _ => return Ok(None),
        };
        self.at += 1;
        if self.word().is_some_and(|word| matches!(word.as_str(), "with" | "in" | "as" | "on")) {
            self.at += 1;
        }
        let mut quantity = Quantity::Edge;
        for (phrase, said) in QUANTIFIERS {
            let length = self.phrase_at(self.at, phrase);
            if length > 0 {
                let start = self.at;
                self.at += length;
                if self.lone_genre().is_some() {
                    quantity = *said;
                    self.at = start + length;
                    break;
                }
                self.at = start;
            }
        }
        let window = Window { edge, length_ms: self.grammar.thresholds.edge_ms, implied: true };
        let wanted = Wanted { window: Some(window), largest: false, ..self.wanted(quantity) };
        let Some(genre) = self.lone_genre() else {
            self.at = first;
            return Ok(None);
        };
        self.list(first, genre, wanted).map(Some)
    }

    fn window_follows(&self) -> bool {
        ["in the first", "in the last", "at the start", "at the end", "in first", "in last"]
            .iter()
            .any(|phrase| self.phrase_at(self.at, phrase) > 0)
    }

    /// `in the first minute`, `in the last 30 seconds`, `at the end`: the cursor moves past it.
    fn window(&mut self) -> Parsed<Option<Window>> {
        let first = self.at;
        let implied = self.grammar.thresholds.edge_ms;
        for (phrase, edge, needs_length) in [
            ("in the first", Edge::First, true),
            ("in first", Edge::First, true),
            ("in the last", Edge::Last, true),
            ("in last", Edge::Last, true),
            ("at the start", Edge::First, false),
            ("at the beginning", Edge::First, false),
            ("at the end", Edge::Last, false),
        ] {
            let length = self.phrase_at(first, phrase);
            if length == 0 {
                continue;
            }
            self.at = first + length;
            if !needs_length {
                return Ok(Some(Window { edge, length_ms: implied, implied: false }));
            }
            let place = self.span();
            let length_ms = self.length().and_then(|ms| u32::try_from(ms).ok()).filter(|ms| *ms > 0);
            let Some(length_ms) = length_ms else {
                return self.error(place, format!("say how long: `{phrase} 30 seconds`, `{phrase} 2 minutes`"));
            };
            return Ok(Some(Window { edge, length_ms, implied: false }));
        }
        Ok(None)
    }

    /// `minute`, `30 seconds`, `2 minutes`, `90s`, `1:30`: milliseconds; the cursor moves past it.
    fn length(&mut self) -> Option<i64> {
        let word = self.word()?;
        let word = word.trim_end_matches(['.', '!', '?']);
        if let Some(unit) = duration::unit_ms(word) {
            self.at += 1;
            return Some(unit);
        }
        let next = self.word_at(self.at + 1).unwrap_or_default();
        if let Some(unit) = duration::unit_ms(next.trim_end_matches(['.', '!', '?'])) {
            let ms = match duration::count(word) {
                Some(n) => n.checked_mul(unit),
                None if word == "half" => Some(unit / 2),
                None => duration::scaled(word, unit),
            }?;
            self.at += 2;
            return Some(ms);
        }
        // "half a minute"
        if word == "half" && next == "a" {
            let unit = duration::unit_ms(&self.word_at(self.at + 2)?)?;
            self.at += 3;
            return Some(unit / 2);
        }
        // A number alone is no length here: "in the first 30" of what?
        let ms = duration::parse_ms(word).filter(|_| duration::digits(word).is_none())?;
        self.at += 1;
        Some(ms)
    }

    /// `30%`, `30 %`, `30 percent` at token `at`, and how many tokens say it. The share is an error when it
    /// is none.
    pub fn percent_at(&self, at: usize) -> Option<(Parsed<Share>, usize)> {
        let word = self.word_at(at)?;
        let word = word.trim_start_matches('~');
        let (number, length) = match word.strip_suffix('%') {
            Some(number) => (number, 1),
            None => match self.word_at(at + 1).as_deref() {
                Some("%" | "percent") => (word, 2),
                _ => return None,
            },
        };
        number.starts_with(|c: char| c.is_ascii_digit() || c == '.').then(|| (self.share(at, number), length))
    }

    /// The same, and a number without a sign: `jazz > 30`.
    fn number_at(&self, at: usize) -> Option<(Parsed<Share>, usize)> {
        if let Some(found) = self.percent_at(at) {
            return Some(found);
        }
        let word = self.word_at(at)?;
        if !word.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return None;
        }
        if word.contains('.') && (word.starts_with('.') || word.starts_with("0.") || word.starts_with("1.0")) {
            let span = self.tokens.get(at).map_or(0..0, |token| token.span.clone());
            return Some((self.error(span, "write a share in percent, with the sign: 50% or 0.5%"), 1));
        }
        Some((self.share(at, &word), 1))
    }

    fn share(&self, at: usize, number: &str) -> Parsed<Share> {
        match Share::parse_percent(number) {
            Some(share) => Ok(share),
            None => {
                let span = self.tokens.get(at).map_or(0..0, |token| token.span.clone());
                self.error(span, "a share is a number of percents from 0 to 100, with at most four decimals")
            }
        }
    }

    /// `jazz/blues`, `jazz+blues`, `jazz&blues`: one word, several genres.
    pub fn joined_genres(&mut self) -> Option<Expr> {
        let word = self.word()?;
        for (sign, any) in [('/', true), ('+', false), ('&', false)] {
            let genres: Option<Vec<Genre>> =
                word.split(sign).map(|part| genres::named(part, self.grammar.taxonomy)).collect();
            let Some(genres) = genres.filter(|genres| genres.len() > 1) else { continue };
            let first = self.at;
            self.at += 1;
            let wanted = self.wanted(Quantity::Any);
            let parts = genres.into_iter().map(|genre| self.leaf(first, wanted.of(genre))).collect();
            return Some(if any { Expr::any(parts) } else { Expr::all(parts) });
        }
        None
    }
}
