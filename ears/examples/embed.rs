//! `embed MODEL FEATURES OUT`: the embeddings of a features file, chunks side by side, in the form of a replay set.
//!
//! What the simulated listener (`scripts/listener.py`) hears of music that a base was not trained on.

use std::{collections::HashMap, path::Path};

use anyhow::Context;
use deepcuts_ears::{
    model::{DeviceChoice, Network},
    train::{batch, data},
};
use deepcuts_protocol::Embeddings;
use safetensors::{Dtype, tensor::TensorView};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, features, out] = &arguments[..] else { anyhow::bail!("usage: embed MODEL FEATURES OUT") };
    let set = data::read_features(Path::new(features), None)?;
    let mut network = Network::load(Path::new(model), DeviceChoice::Cpu)?;
    let (frames, width) = (network.card().chunk_frames as usize, usize::from(network.card().embedding_dim));
    let id = network.card().id().to_owned();
    let clips: Vec<u32> = (0..set.clips.len() as u32).collect();
    let (mut values, mut scales, mut clip_of) = (Vec::new(), Vec::new(), Vec::new());
    for group in batch::grid(&set, &clips, frames).chunks(32) {
        let mut chunks = vec![0.0_f32; group.len() * frames * set.bands];
        for (item, room) in group.iter().zip(chunks.chunks_exact_mut(frames * set.bands)) {
            let clip = set.clips.get(item.clip as usize).context("a clip that is none")?;
            clip.frames.copy(item.start as usize * set.bands, room);
            clip_of.extend(item.clip.to_le_bytes());
        }
        for row in network.classify(&chunks, group.len())?.embeddings.chunks_exact(width) {
            let row = Embeddings::quantise(row, width);
            scales.extend(row.scales.iter().flat_map(|s| s.to_le_bytes()));
            values.extend(row.values.0);
        }
    }
    let (rows, count) = (scales.len() / 4, set.clips.len());
    let labels = set.labels();
    let groups: Vec<u8> = set.groups().iter().flat_map(|g| g.to_le_bytes()).collect();
    let views = [
        ("embedding", TensorView::new(Dtype::I8, vec![rows, width], &values)?),
        ("scale", TensorView::new(Dtype::F32, vec![rows], &scales)?),
        ("clip", TensorView::new(Dtype::U32, vec![rows], &clip_of)?),
        ("label", TensorView::new(Dtype::U8, vec![count], &labels)?),
        ("group", TensorView::new(Dtype::U32, vec![count], &groups)?),
    ];
    let metadata =
        HashMap::from([("genres".to_owned(), serde_json::to_string(&set.genres)?), ("model".to_owned(), id)]);
    std::fs::write(out, safetensors::serialize(views, Some(metadata))?)?;
    Ok(())
}
