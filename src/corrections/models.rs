//! Which model listens: the one that was promoted, else that of the settings; and how another comes into force.
//!
//! Whoever spoke last is heard. A promotion (a retrained model accepted, or `models use`) wins over the `[ears] model`
//! under which it was made; a change of that setting afterwards wins over the promotion.

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use deepcuts_protocol::{CardError, ModelCard};

use crate::{
    ears::Setup,
    paths::Paths,
    relabel::{self, RelabelError},
    store::{How, Promotion, Store, StoreError},
};

/// Why a model cannot be put in force.
#[derive(Debug, thiserror::Error)]
pub enum ModelsError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its card.
    #[error("{0}")]
    Card(CardError),
    /// It is not there.
    #[error("{0}")]
    Missing(String),
    /// Its weights were promoted, and are gone.
    #[error(
        "model {name}, which was put in force, is not at {path} any more; put it back, or `deepcuts models rollback`"
    )]
    Gone {
        /// Its name.
        name: String,
        /// Where its weights were.
        path: PathBuf,
    },
    /// Naming the library again failed.
    #[error(transparent)]
    Relabel(#[from] RelabelError),
}

/// The weights and card of the model that listens. Without a library it is that of the settings.
///
/// # Errors
/// There is no such model, its card is damaged, the database.
pub fn in_force(store: Option<&Store>, paths: &Paths, settings: &str) -> Result<(PathBuf, ModelCard), ModelsError> {
    if let Some(row) = store.map(|s| s.promoted(settings)).transpose()?.flatten() {
        if row.path.exists() {
            let card = ModelCard::read_for(&row.path).map_err(ModelsError::Card)?;
            return Ok((row.path, card));
        }
        // The program was installed elsewhere, say: the same weights under the same name are the same model.
        let moved = paths.model(&row.card.name).ok().and_then(|path| Some((ModelCard::read_for(&path).ok()?, path)));
        return match moved {
            Some((card, path)) if card.id() == row.card.id() => Ok((path, card)),
            _ => Err(ModelsError::Gone { name: row.card.name, path: row.path }),
        };
    }
    let path = paths.model_in_use(settings).map_err(ModelsError::Missing)?;
    let card = ModelCard::read_for(&path).map_err(ModelsError::Card)?;
    Ok((path, card))
}

/// The weights and card that `wanted` means: a name or path as in the settings, else the beginning of the id of a
/// model that the library knows.
///
/// # Errors
/// There is no such model, or several.
pub fn find(store: &Store, paths: &Paths, wanted: &str) -> Result<(PathBuf, ModelCard), ModelsError> {
    let named = paths.model(wanted);
    if let Ok(path) = named {
        let card = ModelCard::read_for(&path).map_err(ModelsError::Card)?;
        return Ok((path, card));
    }
    let known: Vec<_> = store
        .models()?
        .into_iter()
        .filter(|m| wanted.len() >= 4 && m.card.id().starts_with(wanted) && m.path.exists())
        .collect();
    match <[_; 1]>::try_from(known) {
        Ok([row]) => Ok((row.path, row.card)),
        Err(several) if several.is_empty() => Err(ModelsError::Missing(named.err().unwrap_or_default())),
        Err(_) => Err(ModelsError::Missing(format!("model {wanted}: several ids begin so"))),
    }
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InForce {
    /// Tracks named by the model from their stored embeddings now.
    pub named: u64,
    /// Tracks that the next scan has to hear again: they were heard by another network.
    pub to_hear: u64,
}

/// Put the model at `setup.model` in force: name what it has not named yet, then change over in one transaction.
/// `tell` hears (done, all) of the naming.
///
/// # Errors
/// The database, or why the ears cannot.
pub fn choose(
    store: &Store,
    setup: &Setup,
    card: &ModelCard,
    settings: &str,
    cancel: &AtomicBool,
    tell: &mut dyn FnMut(u64, u64),
) -> Result<Option<InForce>, ModelsError> {
    store.put_candidate(&setup.model, card)?;
    let named = relabel::missing(store, setup, card, cancel, tell)?;
    if cancel.load(std::sync::atomic::Ordering::Relaxed) {
        return Ok(None);
    }
    store.promote(card.id(), &setup.model, settings, How::Chosen, &[])?;
    Ok(Some(InForce { named, to_hear: to_hear(store, card)? }))
}

/// Tracks with a file that is there which the model has not named.
fn to_hear(store: &Store, card: &ModelCard) -> Result<u64, StoreError> {
    debug_assert!(store.current_model()?.is_some_and(|m| m.card.id() == card.id()));
    let stats = store.stats()?;
    Ok(stats.files.saturating_sub(stats.heard))
}

/// What was taken back, and what listens now.
#[derive(Clone, Debug)]
pub struct RolledBack {
    /// The promotion that was taken back.
    pub from: Promotion,
    /// The name of the model in force now.
    pub to: Option<String>,
}

/// Take the promotion in force back, whole; `None` when there is none.
///
/// # Errors
/// The database.
pub fn roll_back(store: &Store, settings: &str) -> Result<Option<RolledBack>, StoreError> {
    let Some((from, now)) = store.roll_back(settings)? else { return Ok(None) };
    let to = match now {
        Some(id) => store.models()?.into_iter().find(|m| m.card.id() == id).map(|m| m.card.name),
        None => None,
    };
    Ok(Some(RolledBack { from, to }))
}

/// What is kept of the music that a model's trunk learned from, beside its weights, among the user's models or the
/// shipped ones: `replay` (`*replay.safetensors`, its embeddings) or `features` (`*features.safetensors`, what is below
/// them).
#[must_use]
pub fn kept_for(weights: &Path, card: &ModelCard, paths: &Paths, what: &str) -> Option<PathBuf> {
    let places =
        [weights.parent().map(Path::to_path_buf), Some(paths.user_models.clone()), crate::paths::shipped_models()];
    let files = places.into_iter().flatten().flat_map(|dir| {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect();
        files.sort();
        files
    });
    let ending = format!("{what}.safetensors");
    let mut fitting =
        files.filter(|path| path.file_name().is_some_and(|n| n.as_encoded_bytes().ends_with(ending.as_bytes())));
    fitting.find(|path| made_on(path).as_deref() == Some(card.trunk_id()))
}

/// The id of the model that such a file goes with, as its metadata names it.
fn made_on(path: &Path) -> Option<String> {
    use std::io::Read;
    let mut file = std::fs::File::open(path).ok()?;
    let mut size = [0; 8];
    file.read_exact(&mut size).ok()?;
    let size = u64::from_le_bytes(size);
    // A header of ours has a few hundred bytes.
    let mut header = vec![0; usize::try_from(size).ok().filter(|n| *n < 1 << 20)?];
    file.read_exact(&mut header).ok()?;
    let header: serde_json::Value = serde_json::from_slice(&header).ok()?;
    header["__metadata__"]["model"].as_str().map(str::to_owned)
}
