//! Text to tokens, each with its place. Knows quotes, brackets, commas, comparisons and `name:value`; knows no
//! word's meaning.

use super::{ast::Span, error::QueryError};

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `=`
    Equal,
}

impl Op {
    /// As it is written.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Above => ">",
            Self::AtLeast => ">=",
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Equal => "=",
        }
    }

    /// Whether it holds for two values that compare as `ordering`.
    #[must_use]
    pub const fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::Above => ordering.is_gt(),
            Self::AtLeast => ordering.is_ge(),
            Self::Below => ordering.is_lt(),
            Self::AtMost => ordering.is_le(),
            Self::Equal => ordering.is_eq(),
        }
    }

    /// The comparison at the beginning of `text`, and its length in bytes.
    pub(super) fn at_start(text: &str) -> Option<(Self, usize)> {
        [
            (">=", Self::AtLeast),
            ("=>", Self::AtLeast),
            ("≥", Self::AtLeast),
            ("<=", Self::AtMost),
            ("=<", Self::AtMost),
            ("≤", Self::AtMost),
            (">", Self::Above),
            ("<", Self::Below),
            ("==", Self::Equal),
            ("=", Self::Equal),
        ]
        .into_iter()
        .find(|(sign, _)| text.starts_with(sign))
        .map(|(sign, op)| (op, sign.len()))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tok {
    /// Anything without a meaning of its own yet.
    Word(String),
    /// Between quotes.
    Quoted(String),
    /// A `-` that touches what follows it.
    Minus,
    Open,
    Close,
    Comma,
    Compare(Op),
    /// `name:value`, `name:"value"`, `name::regex`.
    Field {
        name: String,
        value: String,
        value_span: Span,
        regex: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub tok: Tok,
    pub span: Span,
}

const QUOTES: [char; 3] = ['"', '\u{201C}', '\u{201D}'];

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

pub(super) fn lex(text: &str) -> Result<Vec<Token>, QueryError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.token()? {
        tokens.push(token);
    }
    Ok(tokens)
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn error(&self, span: Span, message: impl Into<String>) -> QueryError {
        QueryError { message: message.into(), span, text: self.text.to_owned() }
    }

    fn token(&mut self) -> Result<Option<Token>, QueryError> {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += self.peek().map_or(0, char::len_utf8);
        }
        let start = self.at;
        let Some(c) = self.peek() else { return Ok(None) };
        let tok = match c {
            '(' => self.single(Tok::Open, c),
            ')' => self.single(Tok::Close, c),
            ',' => self.single(Tok::Comma, c),
            c if QUOTES.contains(&c) => Tok::Quoted(self.quoted()?),
            '-' if self.rest().chars().nth(1).is_some_and(|next| !next.is_whitespace() && next != '-') => {
                self.single(Tok::Minus, c)
            }
            _ => match Op::at_start(self.rest()) {
                Some((op, length)) => {
                    self.at += length;
                    Tok::Compare(op)
                }
                None => self.word()?,
            },
        };
        Ok(Some(Token { tok, span: start..self.at }))
    }

    fn single(&mut self, tok: Tok, c: char) -> Tok {
        self.at += c.len_utf8();
        tok
    }

    /// The text between the quote here and the next one.
    fn quoted(&mut self) -> Result<String, QueryError> {
        let start = self.at;
        self.at += self.peek().map_or(0, char::len_utf8);
        let rest = self.rest();
        let Some(end) = rest.find(QUOTES) else {
            return Err(self.error(start..self.text.len(), "this quote is never closed"));
        };
        let inner = rest.get(..end).unwrap_or("").to_owned();
        self.at += end;
        self.at += self.peek().map_or(0, char::len_utf8);
        Ok(inner)
    }

    /// A word, up to a space, a bracket, a comma or a comparison; or a field, when a colon follows a name.
    fn word(&mut self) -> Result<Tok, QueryError> {
        let start = self.at;
        let mut before = ' ';
        while let Some(c) = self.peek() {
            let next = self.rest().chars().nth(1);
            let thousands = c == ',' && before.is_ascii_digit() && next.is_some_and(|n| n.is_ascii_digit());
            if c.is_whitespace() || matches!(c, '(' | ')') || (c == ',' && !thousands) {
                break;
            }
            if Op::at_start(self.rest()).is_some() {
                break;
            }
            if c == ':' {
                let name = self.text.get(start..self.at).unwrap_or("");
                if name.chars().next().is_some_and(char::is_alphabetic) {
                    let name = name.to_owned();
                    return self.field(name);
                }
            }
            before = c;
            self.at += c.len_utf8();
        }
        Ok(Tok::Word(self.text.get(start..self.at).unwrap_or("").to_owned()))
    }

    fn field(&mut self, name: String) -> Result<Tok, QueryError> {
        self.at += 1;
        let regex = self.peek() == Some(':');
        if regex {
            self.at += 1;
        }
        let start = self.at;
        if self.peek().is_some_and(|c| QUOTES.contains(&c)) {
            let value = self.quoted()?;
            return Ok(Tok::Field { name, value, value_span: start..self.at, regex });
        }
        let mut depth = 0_usize;
        while let Some(c) = self.peek() {
            match c {
                c if c.is_whitespace() => break,
                '(' => depth += 1,
                ')' if depth == 0 => break,
                ')' => depth -= 1,
                ',' if !regex => break,
                // In a regular expression an escaped bracket opens nothing.
                '\\' if regex => self.at += 1,
                _ => {}
            }
            self.at += self.peek().map_or(0, char::len_utf8);
        }
        let value = self.text.get(start..self.at).unwrap_or("").to_owned();
        Ok(Tok::Field { name, value, value_span: start..self.at, regex })
    }
}
