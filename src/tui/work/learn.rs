//! The learn worker: retraining from the corrections, and which model is in force. What it proposes waits here for
//! the user's answer; closed without one, the UI leaves everything as it was.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use deepcuts_protocol::{Depth, TrainSay};

use super::{Context, Mailbox, Out, library::Wish, mailbox::Mail};
use crate::{
    corrections::{
        models,
        retrain::{self, Plan, Proposal, RetrainError, Step},
    },
    store::Store,
    text::{clean, clean_path, told},
    tui::{
        data::{Row, thousands},
        event::{Ask, Done, Said},
        screens::retrain::{Change, Doubt, News, Verdict},
    },
};

/// The biggest changes that are shown; the report on disk has more.
const CHANGES: usize = 40;

/// Run until the mailbox is closed.
pub fn run(mail: &Mailbox<Ask>, out: &Out, context: &Context, nudge: &Mailbox<Wish>, cancel: &Arc<AtomicBool>) {
    let mut learner = Learner { out, context, cancel, store: None, proposal: None };
    loop {
        let ask = match mail.take(None) {
            Mail::One(ask) => ask,
            Mail::Quiet => continue,
            Mail::Closed => break,
        };
        cancel.store(false, Ordering::Relaxed);
        if mail.is_closed() {
            break;
        }
        let about_model = matches!(ask, Ask::UseModel(_) | Ask::Rollback);
        let answered = match ask {
            Ask::Retrain => learner.retrain(),
            Ask::AcceptRetrained => learner.accept(),
            Ask::RejectRetrained => learner.reject(),
            Ask::UseModel(id) => learner.choose(&id),
            Ask::Rollback => learner.roll_back(),
            _ => Ok(()),
        };
        match answered {
            Ok(()) => {}
            Err(error) if about_model => out.bad(error),
            Err(error) => learner.tell(News::Failed(told(error.as_ref()))),
        }
        nudge.look();
    }
    if let Err(error) = learner.drop_proposal() {
        tracing::warn!(%error, "what was learned could not be thrown away; the next retraining does it");
    }
}

struct Learner<'a> {
    out: &'a Out,
    context: &'a Context,
    cancel: &'a Arc<AtomicBool>,
    store: Option<Store>,
    proposal: Option<Proposal>,
}

/// How many runs there are, and steps in each where that is known.
#[derive(Default)]
struct Runs {
    runs: u64,
    steps: u64,
}

impl Learner<'_> {
    fn tell(&self, news: News) {
        self.out.done(Done::Retrain(Box::new(news)));
    }

    fn store(&mut self) -> anyhow::Result<&Store> {
        if self.store.is_none() {
            self.store = Some(Store::open(&self.context.paths.database)?);
        }
        self.store.as_ref().ok_or_else(|| anyhow::anyhow!("the database is not open"))
    }

    fn retrain(&mut self) -> anyhow::Result<()> {
        self.drop_proposal()?;
        let (context, cancel, out) = (self.context, Arc::clone(self.cancel), self.out);
        let (setup, card) = (context.ears)()?;
        let plan =
            Plan { config: &context.config, paths: &context.paths, setup, card, depth: Depth::Head, force: false };
        let store = self.store()?;
        let tell = |news| out.done(Done::Retrain(Box::new(news)));
        let mut runs = Runs::default();
        let proposed = retrain::retrain(store, &plan, &cancel, &mut |step| show(step, &mut runs, &tell));
        match proposed {
            Ok(proposal) => {
                tell(News::Judged(Box::new(verdict(store, &proposal)?)));
                self.proposal = Some(proposal);
            }
            Err(RetrainError::TooLittle(lack)) => tell(News::Refused(clean(&lack).into_owned())),
            Err(RetrainError::Stopped) => tell(News::Dropped("stopped; nothing was changed".into())),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn accept(&mut self) -> anyhow::Result<()> {
        let Some(proposal) = self.proposal.take() else { anyhow::bail!("there is nothing to use") };
        // What was refused was not compared with what is in force.
        let preview = &proposal.facts.preview;
        let changed = (preview.tracks > 0).then_some(preview.changed);
        proposal.accept(self.store()?, &mut |_| {})?;
        self.tell(News::Used(changed));
        Ok(())
    }

    fn reject(&mut self) -> anyhow::Result<()> {
        self.drop_proposal()?;
        self.tell(News::Dropped("thrown away; nothing was changed".into()));
        Ok(())
    }

    fn drop_proposal(&mut self) -> anyhow::Result<()> {
        if let Some(proposal) = self.proposal.take() {
            proposal.refuse(self.store()?)?;
        }
        Ok(())
    }

    fn choose(&mut self, id: &str) -> anyhow::Result<()> {
        let (out, cancel, context) = (self.out, Arc::clone(self.cancel), self.context);
        let (setup, _) = (context.ears)()?;
        let store = self.store()?;
        let Some(model) = store.models()?.into_iter().find(|m| m.card.id() == id) else {
            anyhow::bail!("this model is not known any more");
        };
        let name = clean(&model.card.name).into_owned();
        anyhow::ensure!(model.path.exists(), "model {name}: {} is not there any more", clean_path(&model.path));
        let setup = crate::ears::Setup { model: model.path.clone(), ..setup };
        let settings = &context.config.ears.model;
        let mut told = 0;
        let chosen = models::choose(store, &setup, &model.card, settings, &cancel, &mut |done, total| {
            if done >= told + 500 {
                told = done;
                let (done, total) = (thousands(done as usize), thousands(total as usize));
                out.done(Done::Said(Said::note(format!("naming with {name}: {done} of {total}"))));
            }
        })?;
        let Some(chosen) = chosen else { return Ok(()) };
        let hear = match chosen.to_hear {
            0 => String::new(),
            n => format!("; {} files are to be heard again", thousands(n as usize)),
        };
        self.out.done(Done::Said(Said::good(format!("{name} is in force{hear}"))));
        Ok(())
    }

    fn roll_back(&mut self) -> anyhow::Result<()> {
        let (out, settings) = (self.out, self.context.config.ears.model.clone());
        let said = match models::roll_back(self.store()?, &settings)? {
            Some(back) => {
                let to = back.to.unwrap_or_else(|| settings.clone());
                Said::good(format!("{} was taken back; {to} is in force", back.from.name))
            }
            None => Said::note("there is nothing to take back: the settings choose the model"),
        };
        out.done(Done::Said(said));
        Ok(())
    }
}

fn show(step: Step, runs: &mut Runs, tell: &dyn Fn(News)) {
    match step {
        Step::Lessons { tracks, artists, new_genres, .. } => {
            let mut what = format!("learning from {tracks} tracks of {artists} artists");
            if !new_genres.is_empty() {
                what += &format!("; new: {}", clean(&new_genres.join(", ")));
            }
            tell(News::Step(what, 0, 0, None));
        }
        Step::Learning(TrainSay::Started { runs: n, .. }) => *runs = Runs { runs: n.into(), ..Runs::default() },
        Step::Learning(TrainSay::Hearing { done, total, .. }) => {
            tell(News::Step("listening to what you corrected".into(), done.into(), total.into(), None));
        }
        Step::Learning(TrainSay::Run { steps, .. }) => runs.steps = steps.into(),
        Step::Learning(TrainSay::Curve { fold, point, eta_s, .. }) => {
            let now = u64::from(fold);
            let all = runs.runs.max(now + 1);
            // Without a number of steps a run that goes on counts as half.
            let (done, total) = match runs.steps {
                0 => (2 * now + 1, 2 * all),
                steps => (now * steps + u64::from(point.step).min(steps), all * steps),
            };
            tell(News::Step(format!("learning, {} of {all}", now + 1), done, total, Some(eta_s)));
            let place = (f64::from(point.step), point.train_accuracy, point.valid_accuracy);
            tell(News::Point(fold, place));
        }
        Step::Learning(_) => {}
        Step::Naming { done, total } => {
            tell(News::Step("naming the library, to see what would change".into(), done, total, None));
        }
    }
}

/// The report as the window shows it.
fn verdict(store: &Store, proposal: &Proposal) -> anyhow::Result<Verdict> {
    let facts = &proposal.facts;
    let mut biggest = Vec::new();
    for shift in facts.preview.biggest.iter().take(CHANGES) {
        let Some(file) = store.files_of(shift.track)?.into_iter().next() else { continue };
        let row = Row::of(file, store.mix(shift.track)?);
        let name = row.name();
        let (before, after) = (shift.before.clone(), shift.after.clone());
        biggest.push(Change { name, mix: row.mix, before, after, moved: shift.moved });
    }
    let words = |text: &String| clean(text).into_owned();
    let doubts = facts.doubts.iter().map(|d| Doubt {
        name: d.path.file_stem().map(|stem| clean_path(Path::new(stem))).unwrap_or_default(),
        said: words(&d.said),
        heard: words(&d.heard),
    });
    Ok(Verdict {
        mine: facts.report.mine,
        base: facts.report.base,
        genres: facts.report.genres.clone(),
        passes: facts.verdict.passed,
        reasons: facts.verdict.reasons.iter().chain(&facts.left_out).map(words).collect(),
        changed: facts.preview.changed,
        of: facts.preview.tracks,
        biggest,
        doubts: doubts.collect(),
        new_genres: facts.report.new_genres.iter().map(words).collect(),
        document: clean_path(&proposal.document),
    })
}
