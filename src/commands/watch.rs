//! `watch`: scan, then stay and hear what arrives.

use std::{fmt::Display, io::Write, path::Path, sync::Arc};

use super::{
    Desk, Outcome,
    index::IndexKeeper,
    scan::{cancel_on_signal, ears_setup, roots},
    tag, talk,
};
use crate::{
    cli::WatchArgs,
    hooks::Hooks,
    pipeline::{self, Follow, Report, Scan, Stay},
    role::Role,
    store::Store,
    tags::TagKeeper,
    text::{clean, clean_path},
};

pub(super) fn run(desk: &Desk, args: &WatchArgs) -> anyhow::Result<Outcome> {
    let store = desk.store()?;
    let roots = roots(desk, &store, &args.paths)?;
    let _role = Role::take(&desk.paths.lock())?;
    tag::recover(&store)?;
    let since = store.promotion(&desk.config.ears.model)?;
    let (setup, card) = ears_setup(desk)?;
    let cancel = cancel_on_signal()?;
    let hooks = Arc::new(Hooks::start(&desk.config.hooks));
    let scan = Scan { roots, retry_failed: false, config: &desk.config, ears: setup, card, since, hooks: &hooks };
    let mut watching = Watching {
        first: true,
        index: IndexKeeper::new(desk.paths.index.clone()),
        tags: TagKeeper::new(&desk.config.tags, false, &hooks, &cancel),
    };
    let stayed = pipeline::stay(&store, &scan, &mut watching, &cancel);
    watching.index.close(&store);
    hooks.close(&cancel);
    stayed?;
    Ok(Outcome::Good)
}

/// A line on stdout. It stays when nobody reads it any more: a journal may have been started anew.
fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// What is said while it watches: a line a file, on stdout, for people and for a journal.
struct Watching {
    first: bool,
    index: IndexKeeper,
    tags: TagKeeper,
}

impl Follow for Watching {
    fn committed(&mut self, store: &Store, last: bool) {
        self.tags.committed(store, last);
        self.index.committed(store, last);
        let (written, refused) = self.tags.count();
        if written + refused > 0 {
            say(format_args!("{written} tagged, {refused} refused"));
        }
    }

    fn heard(&mut self, store: &Store, file: i64) {
        let Ok(Some(row)) = store.file(file) else { return };
        let Ok(Some(mix)) = store.mix(row.track) else { return };
        let mut parts: Vec<String> =
            mix.won().iter().take(3).map(|(g, _)| format!("{g} {:.0}", mix.share(g) * 100.0)).collect();
        parts.push(format!("unsure {:.0}", mix.unsure_share() * 100.0));
        say(format_args!("heard {}  {}", clean_path(&row.path), clean(&parts.join("  "))));
    }

    fn warn(&mut self, path: &Path, reason: &str) {
        talk(format_args!("deepcuts: {}: {}", clean_path(path), clean(reason)));
    }
}

impl Stay for Watching {
    fn scanned(&mut self, report: &Report) {
        for root in &report.roots_missing {
            talk(format_args!(
                "deepcuts: {}: not there, or nothing in it; what the library knows of it is kept",
                clean_path(root)
            ));
        }
        if let Some(reason) = &report.fatal {
            talk(format_args!("deepcuts: {}", clean(reason)));
        }
        if self.first {
            self.first = false;
            say(format_args!("{} files, {} heard, {} failed; watching", report.seen, report.heard, report.failed));
        } else if report.gone > 0 || report.failed > 0 {
            say(format_args!("{} gone, {} failed", report.gone, report.failed));
        }
    }

    fn idle(&mut self, store: &Store) {
        self.index.committed(store, false);
    }

    fn unwatched(&mut self, reason: &str) {
        talk(format_args!("deepcuts: {}", clean(reason)));
    }
}
