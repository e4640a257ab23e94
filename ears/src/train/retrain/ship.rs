//! The candidate on disk: the parent's tensors with the new head in them, and a card that says what it learned from.
//! Both are written whole, the card last: weights without a card are no model.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::SystemTime,
};

use deepcuts_protocol::{FoldScore, ModelCard, RetrainJob, UnsureScore};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::{known::Known, layer::flat};
use crate::{
    model::weights,
    train::{TrainError, finish::rfc3339},
};

/// The model that is corrected.
pub(super) struct Old {
    pub path: PathBuf,
    pub bytes: Vec<u8>,
    pub card: ModelCard,
    pub tensors: HashMap<String, tch::Tensor>,
}

impl Old {
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let bad = |reason: String| TrainError::Source { path: path.to_path_buf(), reason };
        let card = ModelCard::read_for(path).map_err(crate::model::ModelError::Card)?;
        let bytes = std::fs::read(path).map_err(|e| bad(e.to_string()))?;
        if weights::id_of(&bytes) != card.weights_blake3 {
            return Err(bad("its hash is not the one in its card: one of the two was changed or damaged".to_owned()));
        }
        let tensors = weights::parse(&bytes).map_err(bad)?.tensors;
        Ok(Self { path: path.to_path_buf(), bytes, card, tensors })
    }

    /// Weights and biases of the last layer.
    pub fn head(&self) -> Result<(Vec<f32>, Vec<f32>), TrainError> {
        let bad = |reason: &str| TrainError::Source { path: self.path.clone(), reason: reason.to_owned() };
        let (genres, width) = (self.card.genres.len() as i64, i64::from(self.card.embedding_dim));
        match (self.tensors.get("head.weight"), self.tensors.get("head.bias")) {
            (Some(w), Some(b)) if w.size() == [genres, width] && b.size() == [genres] => Ok((flat(w), flat(b))),
            _ => Err(bad("its last layer does not fit its card: head.weight is genres x values, head.bias genres")),
        }
    }
}

/// What the card tells of the candidate.
pub(super) struct Worth {
    pub temperature: f32,
    pub unsure_below: f32,
    pub unsure: Option<UnsureScore>,
    pub calibration_error: Option<f64>,
    pub folds: Vec<FoldScore>,
    pub tracks: usize,
    pub groups: u32,
    pub steps: u32,
}

/// Write `NAME.safetensors` and `NAME.json`; the path of the weights and the id of the model.
pub(super) fn write(
    job: &RetrainJob,
    old: &Old,
    head: (&[f32], &[f32]),
    known: Option<&Known>,
    worth: Worth,
) -> Result<(PathBuf, String), TrainError> {
    let path = job.out.0.join(format!("{}.safetensors", job.name));
    let fail = |reason: String| TrainError::Output { path: path.clone(), reason };
    let card_path = ModelCard::path_for(&path);
    if path.exists() && card_path.exists() {
        return Err(fail("there is a model of this name, and models are never changed: take another name".to_owned()));
    }
    let width = usize::from(old.card.embedding_dim);
    let mut new: HashMap<String, (Vec<usize>, Vec<u8>)> = HashMap::new();
    let mut put = |name: String, shape: Vec<usize>, values: &[f32]| {
        new.insert(name, (shape, values.iter().flat_map(|v| v.to_le_bytes()).collect()));
    };
    put("head.weight".to_owned(), vec![job.genres.len(), width], head.0);
    put("head.bias".to_owned(), vec![job.genres.len()], head.1);
    if let Some(known) = known {
        let named = |name: &str| format!("{}{name}", weights::FAMILIAR);
        let columns = known.whiten.size().get(1).map_or(width, |c| usize::try_from(*c).unwrap_or(width));
        put(named("mean"), vec![width], &flat(&known.mean));
        put(named("whiten"), vec![width, columns], &flat(&known.whiten));
    }
    let bytes = replaced(&old.bytes, &new).map_err(&fail)?;
    let id = weights::id_of(&bytes);
    let card = card(job, old, &id, known, worth);
    weights::write_whole(&path, &bytes).map_err(|e| fail(e.to_string()))?;
    let text = serde_json::to_string_pretty(&card).map_err(|e| fail(e.to_string()))?;
    weights::write_whole(&card_path, text.as_bytes()).map_err(|e| fail(e.to_string()))?;
    Ok((path, id))
}

/// A weights file with some of its tensors replaced; the others keep their bytes.
fn replaced(bytes: &[u8], new: &HashMap<String, (Vec<usize>, Vec<u8>)>) -> Result<Vec<u8>, String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
    let file = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    let mut views = Vec::new();
    for (name, view) in file.tensors() {
        let view = match new.get(&name) {
            Some((shape, bytes)) => TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(|e| e.to_string())?,
            None => view,
        };
        views.push((name, view));
    }
    safetensors::serialize(views, header.metadata().clone()).map_err(|e| e.to_string())
}

fn card(job: &RetrainJob, old: &Old, id: &str, known: Option<&Known>, worth: Worth) -> ModelCard {
    let more = job.genres.len() as i64 - old.card.genres.len() as i64;
    let layer = more * (i64::from(old.card.embedding_dim) + 1);
    let data = old.card.data.split(" Corrected by ").next().unwrap_or_default();
    ModelCard {
        name: job.name.clone(),
        weights_blake3: id.to_owned(),
        genres: job.genres.clone(),
        temperature: worth.temperature,
        unsure_below: worth.unsure_below,
        data: format!(
            "{data} Corrected by its listener: {} tracks of {} artists or albums.",
            worth.tracks, worth.groups
        ),
        protocol: format!(
            "The last layer was fitted to the listener's corrections and a replay of what the network had learned, \
             {} steps from the layer of its parent. Accuracies are of corrected tracks and their chunks in {} folds by \
             artist or album, each judged by a layer that did not learn from its fold. Temperature and threshold: \
             fitted on those and on the base data's unseen fold. The network below is that of the parent: {}",
            worth.steps,
            worth.folds.len(),
            old.card.protocol.rsplit("The network below is that of the parent: ").next().unwrap_or_default()
        ),
        folds: worth.folds,
        unsure: worth.unsure.or_else(|| old.card.unsure.clone()),
        trunk: Some(old.card.trunk_id().to_owned()),
        calibration_error: worth.calibration_error.or(old.card.calibration_error),
        unfamiliar_beyond: known.map(|k| k.beyond).or(old.card.unfamiliar_beyond),
        parameters: old.card.parameters.map(|p| p.saturating_add_signed(layer)),
        parent: Some(old.card.id().to_owned()),
        created: rfc3339(SystemTime::now()),
        ..old.card.clone()
    }
}
