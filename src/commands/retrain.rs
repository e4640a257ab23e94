//! `retrain`: let the model learn from the corrections, show what would change, ask, and put it in force.

use std::{
    io::{IsTerminal, Write},
    sync::{Arc, atomic::AtomicBool},
};

use deepcuts_protocol::Depth;
use serde_json::json;

use super::{
    Desk, Outcome,
    index::IndexKeeper,
    scan::{cancel_on_signal, ears_setup},
    talk, talk_part,
    train::Show,
    write::ask,
};
use crate::{
    cli::{Form, RetrainArgs},
    corrections::{
        report::Facts,
        retrain::{self, Plan, Proposal, RetrainError, Step},
    },
    role::Role,
    store::Store,
    text::{clean, clean_path},
};

/// Rows of each list that are printed; the report on disk has them all.
const LISTED: usize = 10;

pub(super) fn run(desk: &Desk, args: &RetrainArgs) -> anyhow::Result<Outcome> {
    let store = desk.store()?;
    let (setup, card) = ears_setup(desk)?;
    let cancel = cancel_on_signal()?;
    let plan = Plan {
        config: &desk.config,
        paths: &desk.paths,
        setup,
        card,
        depth: if args.full { Depth::Full } else { Depth::Head },
        force: args.force,
    };
    let proposal = match propose(&store, &plan, &cancel) {
        Ok(proposal) => proposal,
        Err(RetrainError::TooLittle(lack)) => {
            talk(format_args!("deepcuts: {}", clean(&lack)));
            return Ok(Outcome::Partly);
        }
        Err(RetrainError::Stopped) => {
            talk("deepcuts: stopped; nothing was changed");
            return Ok(Outcome::Interrupted);
        }
        Err(error) => return Err(error.into()),
    };
    let (facts, document) = (proposal.facts.clone(), proposal.document.clone());
    let passed = facts.verdict.passed;
    let mut out = std::io::stdout().lock();
    if args.format == Form::Table {
        writeln!(out, "{}\nAll of it: {}", facts.text(LISTED), clean_path(&document))?;
        out.flush()?;
    }
    let wanted = (passed || args.force) && !args.dry_run && agreed(args, &facts)?;
    let accepted = if wanted {
        Some(accept(desk, &store, proposal)?)
    } else {
        proposal.refuse(&store)?;
        None
    };
    match &accepted {
        Some(name) if args.format == Form::Table => {
            writeln!(out, "{} is in force; `deepcuts models rollback` takes it back", clean(name))?;
            if facts.to_hear > 0 {
                let n = facts.to_hear;
                talk(format_args!(
                    "deepcuts: {n} files were heard by another network; the next `deepcuts scan` hears them again"
                ));
            }
        }
        None => talk("deepcuts: nothing was changed"),
        _ => {}
    }
    if args.format == Form::Json {
        let mut answer = facts.document();
        answer["accepted"] = accepted.is_some().into();
        answer["document"] = json!(document.to_string_lossy());
        writeln!(out, "{answer:#}")?;
    }
    Ok(if passed || accepted.is_some() { Outcome::Good } else { Outcome::Partly })
}

fn propose(store: &Store, plan: &Plan<'_>, cancel: &Arc<AtomicBool>) -> Result<Proposal, RetrainError> {
    let mut learning = Show::default();
    (learning.quiet_end, learning.short) = (true, true);
    let proposal = retrain::retrain(store, plan, cancel, &mut |step| match step {
        Step::Learning(say) => learning.say(say),
        other => tell(other),
    })?;
    Ok(proposal)
}

fn tell(step: Step) {
    match step {
        Step::Lessons { tracks, artists, new_genres, too_few } => {
            talk(format_args!("deepcuts: learning from {tracks} corrected tracks of {artists} artists"));
            if !new_genres.is_empty() {
                talk(format_args!("deepcuts: new to the model: {}", clean(&new_genres.join(", "))));
            }
            for (genre, n) in too_few {
                talk(format_args!(
                    "deepcuts: {}: {n} corrected tracks are too few for a genre of its own yet",
                    clean(&genre)
                ));
            }
        }
        Step::Naming { done, total } => {
            if std::io::stderr().is_terminal() {
                talk_part(format_args!(
                    "\rdeepcuts: named {done} of {total} tracks{}",
                    if done == total { "\n" } else { "" }
                ));
            } else if done == total {
                talk(format_args!("deepcuts: named {total} tracks"));
            }
        }
        Step::Learning(_) => {}
    }
}

fn agreed(args: &RetrainArgs, facts: &Facts) -> anyhow::Result<bool> {
    if args.yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        let full = if args.full { " --full" } else { "" };
        talk(format_args!("deepcuts: `deepcuts retrain{full} --yes` puts it in force"));
        return Ok(false);
    }
    let what = match facts.report.depth {
        Depth::Head => format!("{} tracks become mostly something else", facts.preview.changed),
        Depth::Full => format!("The next scan then hears {} files again", facts.to_hear),
    };
    ask(&format!("Put it in force? {what}. [y/N] "))
}

/// Put it in force; the index follows where nobody else keeps it.
fn accept(desk: &Desk, store: &Store, proposal: Proposal) -> anyhow::Result<String> {
    let name = proposal.card.name.clone();
    proposal.accept(store, &mut tell)?;
    follow(desk, store);
    Ok(name)
}

/// Let the index learn what changed, where nobody has the listener's role; whoever has it does.
pub(super) fn follow(desk: &Desk, store: &Store) {
    if let Ok(_role) = Role::take(&desk.paths.lock()) {
        let mut index = IndexKeeper::new(desk.paths.index.clone());
        index.committed(store, true);
        index.close(store);
    }
}
