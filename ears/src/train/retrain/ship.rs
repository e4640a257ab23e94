//! The candidate on disk: the parent's tensors with the new head in them, and a card that says what it learned from.
//! Both are written whole, the card last: weights without a card are no model.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::SystemTime,
};

use deepcuts_protocol::{Embeddings, FoldScore, ModelCard, RetrainJob, UnsureScore};
use half::f16;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::{
    body::{self, Body, Learner},
    known::Known,
    layer::flat,
};
use crate::{
    model::{Arch, CutsShape, weights},
    train::{TrainError, finish::rfc3339},
};

/// Tensors of a file that become others: kind, shape, bytes.
type News = HashMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

/// Before what the parent's card says of itself.
const BELOW: &str = "The parent: ";

/// The model that is corrected.
pub(super) struct Old {
    pub path: PathBuf,
    pub bytes: Vec<u8>,
    pub card: ModelCard,
    pub tensors: HashMap<String, tch::Tensor>,
    pub shape: CutsShape,
}

impl Old {
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let bad = |reason: String| TrainError::Source { path: path.to_path_buf(), reason };
        let card = ModelCard::read_for(path).map_err(crate::model::ModelError::Card)?;
        let bytes = std::fs::read(path).map_err(|e| bad(e.to_string()))?;
        if weights::id_of(&bytes) != card.weights_blake3 {
            return Err(bad("its hash is not the one in its card: one of the two was changed or damaged".to_owned()));
        }
        let read = weights::parse(&bytes).map_err(bad)?;
        Ok(Self { path: path.to_path_buf(), bytes, card, tensors: read.tensors, shape: read.shape })
    }

    /// Its architecture, and what is between its trunk and its last layer: all of it can learn.
    pub fn body(&self) -> Result<(Arch, Body), TrainError> {
        let bad = |reason: String| TrainError::Source { path: self.path.clone(), reason };
        let trunk = Arch::of_name(&self.card.arch).filter(|arch| arch.has_trunk());
        let arch = trunk.ok_or_else(|| {
            bad(format!(
                "of {} the last layer alone can learn from corrections: what is kept of the music that it learned from \
                 are its embeddings, which a network that learns below them no longer makes. Leave out --full, or let \
                 deep listen (`deepcuts models use deep`, `deepcuts scan`)",
                self.card.arch
            ))
        })?;
        Ok((arch, Body::of(arch, &self.shape, self.card.genres.len(), &self.tensors).map_err(bad)?))
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
    /// Of the last layer, and after them of all together.
    pub steps: (u32, u32),
}

/// What a body needs that is no longer its parent's: the replay set that it was fitted to, and what the trunk made of
/// every row of it.
pub(super) struct Below<'a> {
    pub replay: &'a Path,
    pub features: &'a [f16],
}

/// Write `NAME.safetensors` and `NAME.json`; the path of the weights and the id of the model.
pub(super) fn write(
    job: &RetrainJob,
    old: &Old,
    learner: &Learner,
    known: Option<&Known>,
    worth: Worth,
    below: Option<&Below<'_>>,
) -> Result<(PathBuf, String), TrainError> {
    let path = job.out.0.join(format!("{}.safetensors", job.name));
    let fail = |reason: String| TrainError::Output { path: path.clone(), reason };
    let card_path = ModelCard::path_for(&path);
    if path.exists() && card_path.exists() {
        return Err(fail("there is a model of this name, and models are never changed: take another name".to_owned()));
    }
    let width = usize::from(old.card.embedding_dim);
    let mut new = News::new();
    let mut put = |name: String, shape: Vec<usize>, values: &[f32]| {
        new.insert(name, (Dtype::F32, shape, values.iter().flat_map(|v| v.to_le_bytes()).collect()));
    };
    let (weight, bias) = learner.layer.parts();
    put("head.weight".to_owned(), vec![job.genres.len(), width], &weight);
    put("head.bias".to_owned(), vec![job.genres.len()], &bias);
    for (name, tensor) in learner.body.iter().flat_map(Body::learns) {
        let shape = tensor.size().iter().map(|&d| usize::try_from(d).unwrap_or(0)).collect();
        put(name, shape, &flat(&tensor));
    }
    if let Some(known) = known {
        let named = |name: &str| format!("{}{name}", weights::FAMILIAR);
        let columns = known.whiten.size().get(1).map_or(width, |c| usize::try_from(*c).unwrap_or(width));
        put(named("mean"), vec![width], &flat(&known.mean));
        put(named("whiten"), vec![width, columns], &flat(&known.whiten));
    }
    let bytes = replaced(&old.bytes, &new, None).map_err(&fail)?;
    let id = weights::id_of(&bytes);
    let card = card(job, old, &id, learner, known, worth);
    weights::write_whole(&path, &bytes).map_err(|e| fail(e.to_string()))?;
    if let (Some(body), Some(below)) = (&learner.body, below) {
        write_replay(job, body, below, &id, &path)?;
    }
    let text = serde_json::to_string_pretty(&card).map_err(|e| fail(e.to_string()))?;
    weights::write_whole(&card_path, text.as_bytes()).map_err(|e| fail(e.to_string()))?;
    Ok((path, id))
}

/// Write what a later retraining builds on: the replay set as the new network hears it, and the trunk's features of it.
fn write_replay(job: &RetrainJob, body: &Body, below: &Below<'_>, id: &str, path: &Path) -> Result<(), TrainError> {
    let bad = |path: &Path, reason: String| TrainError::Source { path: path.to_path_buf(), reason };
    let values: Vec<f32> = below.features.iter().map(|v| v.to_f32()).collect();
    let embeddings = body.embed(&body::features(&values));
    let width = embeddings.size().get(1).map_or(1, |w| usize::try_from(*w).unwrap_or(1));
    let rows: Vec<Embeddings> =
        flat(&embeddings).chunks_exact(width).map(|row| Embeddings::quantise(row, width)).collect();
    let scales = rows.iter().flat_map(|r| &r.scales).flat_map(|s| s.to_le_bytes()).collect();
    let new = News::from([
        ("scale".to_owned(), (Dtype::F32, vec![rows.len()], scales)),
        (
            "embedding".to_owned(),
            (Dtype::I8, vec![rows.len(), width], rows.into_iter().flat_map(|r| r.values.0).collect()),
        ),
    ]);
    let features = job.features.as_ref().map_or(below.replay, |f| f.0.as_path());
    for (from, new, ending) in [(below.replay, &new, "replay"), (features, &News::new(), "features")] {
        let bytes = std::fs::read(from).map_err(|e| bad(from, e.to_string()))?;
        let bytes = replaced(&bytes, new, Some(id)).map_err(|reason| bad(from, reason))?;
        let to = path.with_extension(format!("{ending}.safetensors"));
        weights::write_whole(&to, &bytes).map_err(|e| TrainError::Output { path: to, reason: e.to_string() })?;
    }
    Ok(())
}

/// A file with some of its tensors replaced, and the model that it belongs to; the others keep their bytes.
fn replaced(bytes: &[u8], new: &News, model: Option<&str>) -> Result<Vec<u8>, String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
    let mut metadata = header.metadata().clone();
    if let Some(model) = model {
        metadata.get_or_insert_default().insert("model".to_owned(), model.to_owned());
    }
    let file = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    let mut views = Vec::new();
    for (name, view) in file.tensors() {
        let view = match new.get(&name) {
            Some((kind, shape, bytes)) => TensorView::new(*kind, shape.clone(), bytes).map_err(|e| e.to_string())?,
            None => view,
        };
        views.push((name, view));
    }
    safetensors::serialize(views, metadata).map_err(|e| e.to_string())
}

fn card(job: &RetrainJob, old: &Old, id: &str, learner: &Learner, known: Option<&Known>, worth: Worth) -> ModelCard {
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
             {} steps from the layer of its parent{}. Accuracies are of corrected tracks and their chunks in {} folds \
             by artist or album, each judged by what did not learn from its fold. Temperature and threshold: fitted on \
             those and on the base data's unseen fold. {BELOW}{}",
            worth.steps.0,
            if learner.body.is_some() {
                format!(", and then all above the frozen trunk together, {} steps", worth.steps.1)
            } else {
                String::new()
            },
            worth.folds.len(),
            old.card.protocol.rsplit(BELOW).next().unwrap_or_default()
        ),
        folds: worth.folds,
        unsure: worth.unsure.or_else(|| old.card.unsure.clone()),
        // A body that learned makes embeddings of its own.
        trunk: learner.body.is_none().then(|| old.card.trunk_id().to_owned()),
        calibration_error: worth.calibration_error.or(old.card.calibration_error),
        unfamiliar_beyond: known.map(|k| k.beyond).or(old.card.unfamiliar_beyond),
        parameters: old.card.parameters.map(|p| p.saturating_add_signed(layer)),
        parent: Some(old.card.id().to_owned()),
        created: rfc3339(SystemTime::now()),
        ..old.card.clone()
    }
}
