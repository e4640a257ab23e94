//! `eval`: judge models on labelled music and write a report.

use deepcuts_protocol::{EvalJob, WirePath};

use super::{Desk, Outcome, train};
use crate::cli::EvalArgs;

pub(super) fn run(desk: &Desk, args: &EvalArgs) -> anyhow::Result<Outcome> {
    let models = args.models.iter().map(|m| {
        let path = desk.paths.model(m).map_err(anyhow::Error::msg)?;
        Ok(WirePath(std::path::absolute(path)?))
    });
    let job = EvalJob {
        models: models.collect::<anyhow::Result<_>>()?,
        source: train::source_at(&args.source, args.tracks.as_deref())?,
        out: WirePath(std::path::absolute(&args.out)?),
        cache: Some(train::cache(desk)),
        paper_logs: args.paper_logs.as_ref().map(|p| std::path::absolute(p).map(WirePath)).transpose()?,
        songs: args.songs.as_ref().map(|p| std::path::absolute(p).map(WirePath)).transpose()?,
        device: Some(desk.config.ears.device.clone()),
        threads: 0,
    };
    train::follow("eval", &job)
}
