//! `genre`: the taxonomy is the user's.

use std::io::Write;

use serde_json::json;

use super::{Desk, Outcome, talk};
use crate::{
    cli::{Form, GenreArgs, GenreCommand},
    store::GenreAct,
    text::clean,
};

pub(super) fn run(desk: &Desk, args: &GenreArgs) -> anyhow::Result<Outcome> {
    let act = match &args.command {
        GenreCommand::List { format } => return list(desk, *format),
        GenreCommand::Undo => {
            return match desk.store()?.undo_genre_act()? {
                Some(said) => {
                    writeln!(std::io::stdout(), "{}", clean(&said))?;
                    Ok(Outcome::Good)
                }
                None => {
                    talk("deepcuts: there is no change of the genres to take back");
                    Ok(Outcome::Partly)
                }
            };
        }
        GenreCommand::Rename { genre, name } => GenreAct::Rename { genre: genre.clone(), name: name.clone() },
        GenreCommand::Merge { genre, into } => GenreAct::Merge { genre: genre.clone(), into: into.clone() },
        GenreCommand::Hide { genre } => GenreAct::Hide { genre: genre.clone() },
        GenreCommand::Show { genre } => GenreAct::Show { genre: genre.clone() },
        GenreCommand::Alias { genre, word } => GenreAct::Alias { genre: genre.clone(), word: word.clone() },
        GenreCommand::Unalias { word } => GenreAct::Unalias { word: word.clone() },
    };
    let said = desk.store()?.change_genres(&act)?;
    writeln!(std::io::stdout(), "{}; `deepcuts genre undo` takes it back", clean(&said))?;
    Ok(Outcome::Good)
}

fn list(desk: &Desk, format: Form) -> anyhow::Result<Outcome> {
    let genres = desk.reader()?.genre_list()?;
    let mut out = std::io::stdout().lock();
    if format == Form::Json {
        let rows: Vec<_> = genres
            .iter()
            .map(|g| {
                json!({
                    "genre": g.slug, "name": g.name, "hidden": g.hidden, "merged_into": g.merged_into,
                    "words": g.words, "tracks": g.tracks, "corrected": g.corrected,
                })
            })
            .collect();
        writeln!(out, "{:#}", json!({ "genres": rows }))?;
    } else {
        for g in &genres {
            let mut line = format!("{:<16} {:>7} tracks", clean(&g.name), g.tracks);
            if g.corrected > 0 {
                line += &format!(", {} corrected", g.corrected);
            }
            if let Some(into) = &g.merged_into {
                line += &format!(", part of {}", clean(into));
            }
            if g.hidden {
                line += ", hidden";
            }
            if !g.words.is_empty() {
                line += &format!(", also {}", clean(&g.words.join(", ")));
            }
            writeln!(out, "{line}")?;
        }
    }
    Ok(if genres.is_empty() { Outcome::Partly } else { Outcome::Good })
}
