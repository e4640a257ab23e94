//! The fields of the index. One document a file; nothing is stored in it but what a search compares, for
//! SQLite is the truth and shows the hits.

use tantivy::{
    Index,
    schema::{
        BytesOptions, FAST, Field, INDEXED, IndexRecordOption, JsonObjectOptions, NumericOptions, Schema,
        TextFieldIndexing, TextOptions,
    },
    tokenizer::{Token, TokenStream, Tokenizer},
};

use super::super::{fold, query::TextField};

/// Raise it whenever documents are made differently: an index of another layout is rebuilt.
pub(super) const LAYOUT: u32 = 1;

/// Name of the tokeniser, as the schema keeps it.
const FOLD: &str = "deepcuts_fold";

/// The fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    /// Row of the file.
    pub id: Field,
    /// Words, by [`TextField`].
    words: [Field; 6],
    /// Whole values as [`super::super::rank::text_key`]s: for sorting and regular expressions.
    keys: [Field; 6],
    /// [`super::super::rank::order_key`].
    pub order: Field,
    /// Yes-or-no facts as terms, such as `source=user`.
    pub flag: Field,
    /// Numbers.
    pub year: Field,
    pub length: Field,
    pub bitrate: Field,
    pub added: Field,
    /// Levels of the genres that have a share, by slug: a new genre is a new path, no new schema.
    pub share: Field,
    /// The timeline in runs: first chunk << 24 | genre row (0: unsure), and a last run that begins where the
    /// chunks end.
    pub runs: Field,
    /// Start of the timeline and length of a chunk, ms: start << 32 | chunk.
    pub timing: Field,
}

const TEXTS: [TextField; 6] =
    [TextField::Title, TextField::Artist, TextField::Album, TextField::Path, TextField::Genre, TextField::Model];

const fn place(field: TextField) -> usize {
    match field {
        TextField::Title => 0,
        TextField::Artist => 1,
        TextField::Album => 2,
        TextField::Path => 3,
        TextField::Genre => 4,
        TextField::Model => 5,
    }
}

impl Fields {
    /// The words of a field.
    pub const fn words(&self, field: TextField) -> Field {
        self.words[place(field)]
    }

    /// The values of a field.
    pub const fn key(&self, field: TextField) -> Field {
        self.keys[place(field)]
    }
}

/// Name of the column that holds the values of `field`.
pub(super) fn key_column(field: TextField) -> String {
    format!("{}_key", field.name())
}

pub(super) fn schema() -> (Schema, Fields) {
    let mut b = Schema::builder();
    let text = TextOptions::default().set_indexing_options(
        TextFieldIndexing::default()
            .set_tokenizer(FOLD)
            .set_fieldnorms(false)
            .set_index_option(IndexRecordOption::WithFreqsAndPositions),
    );
    let flag = TextOptions::default().set_indexing_options(
        TextFieldIndexing::default()
            .set_tokenizer("raw")
            .set_fieldnorms(false)
            .set_index_option(IndexRecordOption::Basic),
    );
    let number = NumericOptions::default().set_fast();
    let id = b.add_u64_field("id", INDEXED | FAST);
    let words = TEXTS.map(|field| b.add_text_field(field.name(), text.clone()));
    let keys = TEXTS.map(|field| b.add_bytes_field(&key_column(field), BytesOptions::default().set_fast()));
    let fields = Fields {
        id,
        words,
        keys,
        order: b.add_bytes_field("order", BytesOptions::default().set_fast()),
        flag: b.add_text_field("flag", flag),
        year: b.add_i64_field("year", number.clone()),
        length: b.add_i64_field("length", number.clone()),
        bitrate: b.add_i64_field("bitrate", number.clone()),
        added: b.add_i64_field("added", number.clone()),
        share: b.add_json_field("share", JsonObjectOptions::default().set_fast("raw")),
        runs: b.add_u64_field("runs", number.clone()),
        timing: b.add_u64_field("timing", number),
    };
    (b.build(), fields)
}

/// Make the tokeniser known to an index that was made or opened.
pub(super) fn register(index: &Index) {
    index.tokenizers().register(FOLD, Fold);
}

/// [`fold::tokens`], as Tantivy wants it.
#[derive(Clone, Debug)]
struct Fold;

struct Folded {
    tokens: std::vec::IntoIter<String>,
    token: Token,
}

impl Tokenizer for Fold {
    type TokenStream<'a> = Folded;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Folded {
        Folded { tokens: fold::tokens(text).into_iter(), token: Token { position: usize::MAX, ..Token::default() } }
    }
}

impl TokenStream for Folded {
    fn advance(&mut self) -> bool {
        match self.tokens.next() {
            Some(text) => {
                self.token.position = self.token.position.wrapping_add(1);
                self.token.text = text;
                true
            }
            None => false,
        }
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}
