//! `scan`: listen to folders, with progress, and end with one line of truth.

use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use deepcuts_protocol::ModelCard;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Desk, Outcome, index::IndexKeeper, library_path, tag, talk, with_path};
use crate::{
    cli::{Form, ScanArgs},
    corrections::models,
    ears,
    hooks::Hooks,
    paths,
    pipeline::{self, Follow, Report, Root, Scan},
    progress::Progress,
    role::Role,
    store::Store,
    tags::TagKeeper,
    text::{clean, clean_path},
};

pub(super) fn run(desk: &Desk, args: &ScanArgs) -> anyhow::Result<Outcome> {
    if args.failed {
        return failed(desk, args.format);
    }
    let store = desk.store()?;
    let roots = roots(desk, &store, &args.paths)?;
    let _role = Role::take(&desk.paths.lock())?;
    tag::recover(&store)?;
    let since = store.promotion(&desk.config.ears.model)?;
    let (setup, card) = ears_setup(desk)?;
    let cancel = cancel_on_signal()?;
    let progress = Arc::new(Progress::default());
    let show = Show::start(&progress);
    let hooks = Arc::new(Hooks::start(&desk.config.hooks));
    let retry_failed = args.retry_failed;
    let scan = Scan { roots, retry_failed, config: &desk.config, ears: setup, card, since, hooks: &hooks };
    let mut following = Following {
        bar: show.bar.clone(),
        index: IndexKeeper::new(desk.paths.index.clone()),
        tags: TagKeeper::new(&desk.config.tags, args.write_tags, &hooks, &cancel),
    };
    let report = pipeline::scan(&store, &scan, &mut following, &progress, &cancel);
    following.index.close(&store);
    show.stop();
    hooks.close(&cancel);
    let (written, refused) = following.tags.count();
    let outcome = end(&report?, args.format, (written, refused))?;
    if args.format == Form::Json {
        // All of it is in the document.
    } else if following.tags.on() {
        writeln!(std::io::stdout(), "{written} tagged, {refused} refused; `deepcuts undo` takes them back")?;
    } else if std::io::stdout().is_terminal() && store.stats()?.heard > 0 && store.runs()?.is_empty() {
        writeln!(
            std::io::stdout(),
            "No file was touched. `deepcuts tag --dry-run` shows which genres would be written into them; with \
             `auto_write = true` under [tags] in {} that is done as they are heard.",
            clean_path(&desk.paths.config)
        )?;
    }
    Ok(if refused > 0 && outcome == Outcome::Good { Outcome::Partly } else { outcome })
}

/// The folders to scan: those named, else the settings', else those scanned before.
pub(super) fn roots(desk: &Desk, store: &Store, named: &[PathBuf]) -> anyhow::Result<Vec<Root>> {
    let whole = |path| Root { path, part_of: None };
    if !named.is_empty() {
        return named
            .iter()
            .map(|path| {
                anyhow::ensure!(
                    path.symlink_metadata().is_ok(),
                    "{}: there is no such file or folder",
                    clean_path(path)
                );
                library_path(path).map(whole)
            })
            .collect();
    }
    if !desk.config.library.roots.is_empty() {
        return Ok(desk.config.library.roots.iter().cloned().map(whole).collect());
    }
    let known: Vec<Root> = store.roots()?.into_iter().map(|(path, ..)| whole(path)).collect();
    anyhow::ensure!(
        !known.is_empty(),
        "which folder? `deepcuts scan DIR`, or set [library] roots in {}",
        desk.paths.config.display()
    );
    Ok(known)
}

/// How the ears are started, and the card of the model in force.
pub(crate) fn ears_setup(desk: &Desk) -> anyhow::Result<(ears::Setup, ModelCard)> {
    // Without a library, or with one that cannot be read, nothing was promoted.
    let store = desk.reader().ok();
    let (model, card) = models::in_force(store.as_ref(), &desk.paths, &desk.config.ears.model)?;
    if let Some(why) = paths::stood_in(&desk.config.ears.model, &model) {
        tracing::warn!("{why}");
    }
    Ok((ears_setup_for(desk, model)?, card))
}

/// How the ears are started with these weights.
pub(super) fn ears_setup_for(desk: &Desk, model: PathBuf) -> anyhow::Result<ears::Setup> {
    let settings = &desk.config.ears;
    Ok(ears::Setup {
        program: paths::ears().map_err(anyhow::Error::msg)?,
        model,
        device: settings.device.clone(),
        workers: settings.workers,
        stall: Duration::from_secs(u64::from(settings.stall_seconds)),
        idle: Duration::from_secs(30),
    })
}

/// A flag that Ctrl-C, SIGTERM and SIGHUP set; the second signal ends the program at once.
pub(crate) fn cancel_on_signal() -> anyhow::Result<Arc<AtomicBool>> {
    let cancel = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&cancel);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        let _ = writeln!(std::io::stderr(), "\ndeepcuts: stopping; what was heard is kept (once more to stop at once)");
    })?;
    Ok(cancel)
}

fn failed(desk: &Desk, format: Form) -> anyhow::Result<Outcome> {
    let failures = desk.reader()?.failures()?;
    let mut out = std::io::stdout().lock();
    if format == Form::Json {
        let list: Vec<_> = failures
            .iter()
            .map(|f| with_path(&f.path, serde_json::json!({"stage": f.stage, "reason": f.reason})))
            .collect();
        writeln!(out, "{:#}", serde_json::json!({"failures": list}))?;
    } else {
        for f in &failures {
            writeln!(out, "{}: {}: {}", clean_path(&f.path), f.stage, clean(&f.reason))?;
        }
    }
    Ok(if failures.is_empty() { Outcome::Good } else { Outcome::Partly })
}

/// What follows a scan: warnings on stderr, and the index.
struct Following {
    bar: ProgressBar,
    index: IndexKeeper,
    tags: TagKeeper,
}

impl Follow for Following {
    fn committed(&mut self, store: &Store, last: bool) {
        self.tags.committed(store, last);
        self.index.committed(store, last);
    }

    fn warn(&mut self, path: &Path, reason: &str) {
        let line = format!("deepcuts: {}: {}", clean_path(path), clean(reason));
        if self.bar.is_hidden() { talk(line) } else { self.bar.println(line) }
    }
}

/// The progress of a scan on stderr: a line that moves on a terminal, a plain line now and then otherwise.
struct Show {
    bar: ProgressBar,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Show {
    fn start(progress: &Arc<Progress>) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {pos}/{len} {wide_bar} {msg}") {
            bar.set_style(style.progress_chars("━╸─"));
        }
        let stop = Arc::new(AtomicBool::new(false));
        let (progress, ending, shown) = (Arc::clone(progress), Arc::clone(&stop), bar.clone());
        let thread = std::thread::Builder::new().name("progress".into()).spawn(move || {
            let mut ticks = 0_u32;
            while !ending.load(Ordering::Relaxed) {
                let line = line(&progress);
                shown.set_length(progress.planned.load(Ordering::Relaxed));
                shown.set_position(progress.done());
                shown.set_message(line.clone());
                shown.tick();
                // Logs get a line every ten seconds.
                ticks += 1;
                if !terminal && ticks.is_multiple_of(100) {
                    let planned = progress.planned.load(Ordering::Relaxed);
                    talk(format_args!("deepcuts: {}/{planned} {line}", progress.done()));
                }
                std::thread::park_timeout(Duration::from_millis(100));
            }
        });
        Self { bar, stop, thread: thread.ok() }
    }

    fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
        self.bar.finish_and_clear();
    }
}

fn line(progress: &Progress) -> String {
    let (done, planned) = (progress.done(), progress.planned.load(Ordering::Relaxed));
    let rate = progress.rate();
    let eta = if progress.crawling.load(Ordering::Relaxed) || done == 0 {
        "still looking".to_owned()
    } else {
        let seconds = (planned.saturating_sub(done)) as f64 / rate;
        format!("{} left", span(seconds))
    };
    let current: String = progress.current().chars().rev().take(40).collect::<Vec<_>>().into_iter().rev().collect();
    format!("{rate:.1} tracks/s, {eta}  {current}")
}

pub(super) fn span(seconds: f64) -> String {
    let s = seconds.round() as u64;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {:02} s", s / 60, s % 60),
        _ => format!("{} h {:02} min", s / 3600, s / 60 % 60),
    }
}

fn end(report: &Report, format: Form, (tagged, refused): (u64, u64)) -> anyhow::Result<Outcome> {
    for root in &report.roots_missing {
        talk(format_args!(
            "deepcuts: {}: not there, or nothing in it (unmounted?); what the library knows of it is kept",
            clean_path(root)
        ));
    }
    let mut parts = vec![format!("{} files", report.seen), format!("{} heard", report.heard)];
    for (n, what) in [
        (report.known, "known under another name or tag"),
        (report.unchanged, "unchanged"),
        (report.gone, "gone"),
        (report.pending.len() as u64, "still changing"),
        (report.skipped, "skipped (failed before; --retry-failed tries again)"),
    ] {
        if n > 0 {
            parts.push(format!("{n} {what}"));
        }
    }
    parts.push(format!("{} failed", report.failed));
    let done = report.heard + report.known;
    let rate =
        if done > 0 { format!(", {:.1} tracks/s", done as f64 / report.seconds.max(1e-3)) } else { String::new() };
    let list = if report.failed + report.skipped > 0 { "; `deepcuts scan --failed` lists them" } else { "" };
    if format == Form::Json {
        let roots: Vec<_> = report.roots_missing.iter().map(|root| with_path(root, serde_json::json!({}))).collect();
        let answer = serde_json::json!({
            "seen": report.seen, "heard": report.heard, "known": report.known, "unchanged": report.unchanged,
            "gone": report.gone, "pending": report.pending.len(), "skipped": report.skipped, "failed": report.failed,
            "roots_missing": roots, "tagged": tagged, "refused": refused,
            "seconds": report.seconds, "interrupted": report.cancelled,
        });
        writeln!(std::io::stdout(), "{answer:#}")?;
    } else {
        writeln!(std::io::stdout(), "{} in {}{rate}{list}", parts.join(", "), span_exact(report.seconds))?;
    }
    if let Some(reason) = &report.fatal {
        anyhow::bail!("{reason}");
    }
    Ok(if report.cancelled {
        Outcome::Interrupted
    } else if report.failed > 0 || report.skipped > 0 || !report.roots_missing.is_empty() {
        Outcome::Partly
    } else {
        Outcome::Good
    })
}

fn span_exact(seconds: f64) -> String {
    if seconds < 10.0 { format!("{seconds:.1} s") } else { span(seconds) }
}
