//! `search`: ask for what you want to hear. Also how every command that takes a query comes by its searcher.

use std::io::{IsTerminal, Write};

use anyhow::Context as _;
use unicode_width::UnicodeWidthStr;

use super::{Desk, Outcome, index::indexing, talk, talk_part};
use crate::{
    cli::{SearchArgs, SearchForm},
    genre::Taxonomy,
    role::{Role, RoleError},
    search::{
        Answer, Hit, SearchOptions, Searcher,
        explain::explain,
        formats,
        index::{IndexError, Indexer},
        query::{Grammar, Query, Thresholds},
    },
    store::Store,
    text::clean,
};

/// Columns that the names of a table take, at most.
const NAME_COLUMNS: usize = 60;

pub(super) fn run(desk: &Desk, args: &SearchArgs) -> anyhow::Result<Outcome> {
    if let Some(outcome) = saved(desk, args)? {
        return Ok(outcome);
    }
    let store = desk.reader()?;
    let taxonomy = desk.taxonomy(&store)?;
    let query = desk.grammar(&store, &taxonomy)?.parse(&args.query.join(" "))?;
    let searcher = desk.searcher(&store)?;
    let options = SearchOptions { limit: args.limit, advice: true };
    let answer = searcher.run(&store, &taxonomy, &query, options)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    print(&mut out, &query, &answer, &taxonomy, args)?;
    out.flush()?;
    Ok(if answer.count > 0 { Outcome::Good } else { Outcome::Partly })
}

/// `--save`, `--forget`, `--saved`: done, with how it ended, if one was asked for.
fn saved(desk: &Desk, args: &SearchArgs) -> anyhow::Result<Option<Outcome>> {
    let mut out = std::io::stdout();
    if args.saved {
        let searches = desk.reader()?.searches()?;
        match args.format {
            SearchForm::Table => {
                for (name, query) in &searches {
                    writeln!(out, "@{}  {}", clean(name), clean(query))?;
                }
            }
            SearchForm::Json => writeln!(out, "{:#}", serde_json::json!({ "searches": searches }))?,
            _ => anyhow::bail!("--saved is written as a table or as json"),
        }
        return Ok(Some(if searches.is_empty() { Outcome::Partly } else { Outcome::Good }));
    }
    if let Some(name) = &args.forget {
        let name = name.trim_start_matches('@').to_lowercase();
        anyhow::ensure!(desk.store()?.forget_search(&name)?, "no saved search is called {}", clean(&name));
        return Ok(Some(Outcome::Good));
    }
    if let Some(name) = &args.save {
        let name = name.trim_start_matches('@').to_lowercase();
        anyhow::ensure!(
            !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.')),
            "a saved search's name is made of letters, digits, `-`, `_` and `.`"
        );
        let store = desk.store()?;
        let taxonomy = desk.taxonomy(&store)?;
        let text = args.query.join(" ");
        let mut grammar = desk.grammar(&store, &taxonomy)?;
        // Read with itself already kept, so that a search that contains itself is refused now.
        grammar.saved.insert(name.clone(), text.clone());
        grammar.parse(&text)?;
        store.save_search(&name, &text)?;
        writeln!(out, "saved; `deepcuts search @{name}` asks it again")?;
        return Ok(Some(Outcome::Good));
    }
    Ok(None)
}

fn print(
    out: &mut impl Write,
    query: &Query,
    answer: &Answer,
    taxonomy: &Taxonomy,
    args: &SearchArgs,
) -> anyhow::Result<()> {
    let end = if args.null { b'\0' } else { b'\n' };
    match args.format {
        _ if args.null => formats::paths(out, &answer.hits, end, false)?,
        SearchForm::Table => table(out, query, answer, taxonomy, args.explain)?,
        SearchForm::Json => writeln!(out, "{:#}", formats::document(answer))?,
        SearchForm::Ndjson => {
            for hit in &answer.hits {
                writeln!(out, "{}", formats::track(hit))?;
            }
        }
        SearchForm::Tsv => formats::tsv(out, &answer.hits)?,
        SearchForm::Paths => formats::paths(out, &answer.hits, end, std::io::stdout().is_terminal())?,
        SearchForm::M3u8 => playlist(out, &answer.hits, None)?,
    }
    if args.explain && (args.format != SearchForm::Table || args.null) {
        talk_part(format_args!("{}", explain(query, answer, taxonomy)));
    }
    Ok(())
}

/// A playlist, and a word about what it cannot hold.
pub(super) fn playlist(
    out: &mut impl Write,
    hits: &[Hit],
    relative_to: Option<&std::path::Path>,
) -> anyhow::Result<()> {
    for path in formats::m3u8(out, hits, relative_to)? {
        talk(format_args!("deepcuts: {}: left out, for no playlist holds a line break", crate::text::clean_path(path)));
    }
    Ok(())
}

fn table(
    out: &mut impl Write,
    query: &Query,
    answer: &Answer,
    taxonomy: &Taxonomy,
    explained: bool,
) -> anyhow::Result<()> {
    writeln!(out, "{}", formats::headline(answer))?;
    if explained {
        write!(out, "{}", explain(query, answer, taxonomy))?;
    }
    let rows: Vec<(String, String)> = answer.hits.iter().map(|hit| formats::cells(hit, taxonomy)).collect();
    let width = rows.iter().map(|(name, _)| name.width()).max().unwrap_or(0).min(NAME_COLUMNS);
    for (name, mix) in &rows {
        let gap = width.saturating_sub(name.width()) + 3;
        writeln!(out, "{name}{}{mix}", " ".repeat(gap))?;
    }
    if let Some(advice) = &answer.advice {
        if let Some(clauses) = &advice.impossible {
            writeln!(out, "no track can be {clauses}: together that is more than all of it")?;
        }
        if let Some((clause, others)) = &advice.removed_most {
            writeln!(out, "`{clause}` removed the most: {} without it", formats::thousands(*others))?;
        }
        if let Some((looser, count)) = &advice.looser {
            writeln!(out, "nearest looser: {looser} - {}", formats::thousands(*count))?;
        }
    }
    Ok(())
}

impl Desk {
    /// The genres of the library, and the other words for them that the settings add.
    ///
    /// # Errors
    /// What the database says.
    pub fn taxonomy(&self, store: &Store) -> anyhow::Result<Taxonomy> {
        let mut taxonomy = store.taxonomy()?;
        for (alias, name) in &self.config.search.aliases {
            taxonomy.alias(alias, name);
        }
        Ok(taxonomy)
    }

    /// How queries are read here: the genres, the thresholds of the settings, the saved searches.
    ///
    /// # Errors
    /// What the database says.
    pub fn grammar<'a>(&self, store: &Store, taxonomy: &'a Taxonomy) -> anyhow::Result<Grammar<'a>> {
        let mut grammar = Grammar::new(taxonomy, Thresholds::from(&self.config.search));
        grammar.saved = store.searches()?;
        Ok(grammar)
    }

    /// A searcher that knows all of the library. Where nobody holds the listener's role, an index that is
    /// absent, unusable or behind is brought up first; where somebody does, they will.
    ///
    /// # Errors
    /// When there is no index yet, and somebody else is making it.
    pub fn searcher(&self, store: &Store) -> anyhow::Result<Searcher> {
        let path = &self.paths.index;
        let opened = Searcher::open(path, store);
        if let Ok(searcher) = &opened
            && !searcher.reader().is_behind(store)?
        {
            return Ok(opened?);
        }
        match Role::take(&self.paths.lock()) {
            Ok(_role) => {
                drop(opened);
                let writable = self.store()?;
                Indexer::open(path, &writable, &mut indexing())?.close(&writable)?;
                Ok(Searcher::open(path, store)?)
            }
            Err(RoleError::Held { holder }) => match opened {
                Err(IndexError::Unusable { .. }) => {
                    anyhow::bail!(
                        "the search index is being made by another deepcuts ({holder}); try again in a moment"
                    )
                }
                other => Ok(other?),
            },
            // A library on a read-only disk can still be searched.
            Err(error @ RoleError::Io { .. }) => opened.with_context(|| error.to_string()),
        }
    }
}
