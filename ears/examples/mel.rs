//! Writes what a network would get of some files: `mel FRONT_END CHUNK_FRAMES OUT.safetensors FILE...`
//!
//! One array a file, `[chunk, frame, band]`, named by the file's path: to hold the front ends against features
//! that were made elsewhere.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, bail};
use deepcuts_ears::{
    decode::{DecodeError, Decoder},
    mel::{Chunks, Stream, bands},
};
use deepcuts_protocol::FrontEnd;
use safetensors::{Dtype, serialize_to_file, tensor::TensorView};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [front_end, frames, out, files @ ..] = &arguments[..] else {
        bail!("usage: mel FRONT_END CHUNK_FRAMES OUT.safetensors FILE...");
    };
    let front_end = match front_end.as_str() {
        "paper-128" => FrontEnd::Paper128,
        "paper-256" => FrontEnd::Paper256,
        "cuts" => FrontEnd::Cuts,
        other => bail!("{other} is no front end: paper-128, paper-256 or cuts"),
    };
    let frames: usize = frames.parse().context("CHUNK_FRAMES is a number")?;
    let mut arrays = BTreeMap::new();
    for file in files {
        let values = listen(Path::new(file), front_end, frames).with_context(|| file.clone())?;
        let shape = vec![values.len() / (frames * bands(front_end)), frames, bands(front_end)];
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        arrays.insert(file.clone(), (shape, bytes));
    }
    let views = arrays
        .iter()
        .map(|(name, (shape, bytes))| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>>>()?;
    Ok(serialize_to_file(views, None, Path::new(out))?)
}

fn listen(path: &Path, front_end: FrontEnd, frames: usize) -> Result<Vec<f32>, DecodeError> {
    let mut decoder = Decoder::open(path)?;
    let (mut window, mut values, mut stream) = (Vec::new(), Vec::new(), None);
    let mut keep = |chunks: Chunks| {
        values.extend(chunks.data);
        Ok::<(), DecodeError>(())
    };
    while decoder.next_window(&mut window)? {
        let rate = decoder.format().sample_rate_hz;
        stream.get_or_insert_with(|| Stream::new(front_end, frames, rate)).push(&window, rate, &mut keep)?;
    }
    stream.ok_or(DecodeError::NoSamples)?.finish(&mut keep)?;
    Ok(values)
}
