//! `trunk FEATURES OUT`: what the frozen trunk of `deep` makes of a features file, as a features file.
//!
//! The simulated listener (`scripts/listener.py`) trains many small networks over one trunk: it listens once.

use std::{collections::HashMap, path::Path, sync::atomic::AtomicBool};

use anyhow::Context;
use deepcuts_ears::{
    model::Arch,
    train::{
        data::{self, Frames},
        taps,
    },
};
use safetensors::{Dtype, tensor::TensorView};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [features, out] = &arguments[..] else { anyhow::bail!("usage: trunk FEATURES OUT") };
    let set = data::read_features(Path::new(features), None)?;
    let set = taps::tap(&set, Arch::Deep, 0.0, tch::Device::Cpu, None, &AtomicBool::new(false), &mut |_| {})?;
    let beginnings = set.taps.context("the network has no trunk")?.beginnings;
    let mut values = Vec::new();
    for clip in &set.clips {
        let Frames::Halves(features) = &clip.frames else { anyhow::bail!("a trunk gives halves") };
        values.extend(features.iter().flat_map(|h| h.to_le_bytes()));
    }
    let (count, labels) = (set.clips.len(), set.labels());
    let each = set.frames_of(0);
    let views = [
        ("frozen", TensorView::new(Dtype::F16, vec![count, each, set.bands], &values)?),
        ("label", TensorView::new(Dtype::U8, vec![count], &labels)?),
    ];
    let list = |of: Vec<&str>| serde_json::to_string(&of);
    let metadata = HashMap::from([
        ("genres".to_owned(), serde_json::to_string(&set.genres)?),
        ("tracks".to_owned(), list(set.clips.iter().map(|c| c.name.as_str()).collect())?),
        ("artists".to_owned(), list(set.clips.iter().map(|c| c.artist.as_str()).collect())?),
        ("beginnings".to_owned(), beginnings.to_string()),
    ]);
    std::fs::write(out, safetensors::serialize(views, Some(metadata))?)?;
    Ok(())
}
