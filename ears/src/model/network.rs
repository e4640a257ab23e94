//! A network that is ready to listen: weights folded for speed, scores calibrated, weak chunks unsure.

use std::path::{Path, PathBuf};

use deepcuts_protocol::{Device, ModelCard, UNSURE};
use tch::{Kind, Tensor, nn::VarStore};

use super::{
    DeviceChoice, ModelError, Verdicts,
    arch::{self, Arch, Net},
    device, weights,
};

/// Chunks in one pass on the CPU: at 16 and above a core gives its best, and more only costs memory.
const CPU_BATCH: usize = 32;
/// Chunks in one pass on a GPU, halved when its memory is short.
const CUDA_BATCH: usize = 1024;

/// A network that is ready to listen.
pub struct Network {
    /// The weights, to be read again where the device fails.
    path: PathBuf,
    card: ModelCard,
    net: Box<dyn Net>,
    // The variables that `net` shares.
    vs: VarStore,
    arch: Arch,
    batch: usize,
    familiar: Option<Familiar>,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").field("card", &self.card.name).field("batch", &self.batch).finish_non_exhaustive()
    }
}

/// What the network was trained on, as a Gaussian over embeddings: `|| whiten (embedding - mean) ||`. On the CPU, as all
/// that a pass answers.
struct Familiar {
    mean: Tensor,
    whiten: Tensor,
    beyond: f64,
}

impl Network {
    /// Load the weights (safetensors) and the card beside them, and put the network on a device.
    ///
    /// # Errors
    /// Names the file and what is wrong with it: missing, truncated, of another shape, not finite.
    pub fn load(path: &Path, device: DeviceChoice) -> Result<Self, ModelError> {
        let mut network = Self::load_plain(path, device)?;
        if network.vs.device() == tch::Device::Cpu {
            network.fold();
        }
        Ok(network)
    }

    /// As [`Self::load`], in the form it was trained in; slower, and what the fast form is held against.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_plain(path: &Path, device: DeviceChoice) -> Result<Self, ModelError> {
        let fail = |reason: String| ModelError::Weights { path: path.to_path_buf(), reason };
        if !path.exists() {
            return Err(fail("there is no such file".to_owned()));
        }
        let card = ModelCard::read_for(path)?;
        let arch = Arch::of_name(&card.arch)
            .ok_or_else(|| fail(format!("architecture {} is not known to these ears", card.arch)))?;
        let read = weights::read(path, &card)?;
        let [frames, _] = arch.input();
        if i64::from(card.chunk_frames) != frames {
            return Err(fail(format!(
                "{} takes chunks of {frames} frames; its card says {}",
                arch.name(),
                card.chunk_frames
            )));
        }
        if i64::from(card.embedding_dim) != arch.embedding(&read.shape) {
            return Err(fail(format!(
                "its embeddings have {} values; its card says {}",
                arch.embedding(&read.shape),
                card.embedding_dim
            )));
        }
        let device = device.device()?;
        let mut vs = VarStore::new(device);
        let mut net = arch.build(&vs.root(), &read.shape, card.genres.len());
        weights::fill(&vs, &read.tensors).map_err(fail)?;
        if arch.has_trunk() {
            net.take_trunk(&arch::read_trunk(&deepcuts_protocol::find_trunk(Some(path)).map_err(fail)?)?);
        }
        vs.freeze();
        let familiar = Familiar::of(&read, &card).map_err(fail)?;
        let batch = if device.is_cuda() { CUDA_BATCH } else { CPU_BATCH };
        Ok(Self { path: path.to_path_buf(), card, net, vs, arch, batch, familiar })
    }

    fn fold(&mut self) {
        tch::no_grad(|| self.net.fold());
    }

    /// The card of the loaded model.
    #[must_use]
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// Where it runs; `decode_workers` is the caller's to fill in.
    #[must_use]
    pub fn device(&self) -> Device {
        Device {
            kind: device::kind_name(self.vs.device()).to_owned(),
            libtorch: device::LIBTORCH_VERSION.to_owned(),
            decode_workers: 0,
            network_threads: u32::try_from(tch::get_num_threads()).unwrap_or(1),
        }
    }

    /// Name `n` chunks: `chunks` is `[n][frame][band]`, as `mel::Chunks` lays them out.
    ///
    /// # Errors
    /// When the network fails or answers with values that are not finite.
    pub fn classify(&mut self, chunks: &[f32], n: usize) -> Result<Verdicts, ModelError> {
        let (embeddings, logits) = self.forward(chunks, n)?;
        let mut verdicts = self.verdicts(&embeddings, &logits)?;
        verdicts.embeddings = to_vec(&embeddings)?;
        Ok(verdicts)
    }

    /// Name `n` embeddings again: `embeddings` is `[n][card.embedding_dim]`. The verdicts hold no embeddings.
    ///
    /// # Errors
    /// As [`Self::classify`].
    pub fn label(&mut self, embeddings: &[f32], n: usize) -> Result<Verdicts, ModelError> {
        if n == 0 {
            return Ok(Verdicts::default());
        }
        let width = usize::from(self.card.embedding_dim);
        let rows = from_slice(embeddings, &[n, width])?;
        let on_device = upload(&rows, self.vs.device())?;
        let logits = tch::no_grad(|| self.net.head(&on_device, false)).to_device(tch::Device::Cpu);
        self.verdicts(&rows, &logits)
    }

    /// Uncalibrated logits of `n` chunks, a row each.
    ///
    /// # Errors
    /// As [`Self::classify`].
    pub fn logits(&mut self, chunks: &[f32], n: usize) -> Result<Vec<f32>, ModelError> {
        to_vec(&self.forward(chunks, n)?.1)
    }

    /// Embeddings and uncalibrated logits of `n` chunks, on the CPU: a device may fail between two passes.
    pub(crate) fn forward(&mut self, chunks: &[f32], n: usize) -> Result<(Tensor, Tensor), ModelError> {
        let frames = self.card.chunk_frames as usize;
        let bands = arch::bands_of(self.card.front_end);
        if chunks.len() != n * frames * bands {
            let asked = format!("{n} chunks of {frames} x {bands}");
            return Err(ModelError::Network(format!("{} values are not {asked}", chunks.len())));
        }
        let (mut embeddings, mut logits) = (Vec::new(), Vec::new());
        let mut rest = chunks;
        while !rest.is_empty() {
            let take = (self.batch * frames * bands).min(rest.len());
            match self.pass(&rest[..take], take / (frames * bands), frames, bands) {
                Ok((e, l)) => {
                    embeddings.push(e);
                    logits.push(l);
                    rest = &rest[take..];
                }
                Err(e) if self.vs.device().is_cuda() => self.shrink(&e)?,
                Err(e) => return Err(e),
            }
        }
        if embeddings.is_empty() {
            let none = |width: usize| Tensor::zeros([0, width as i64], (Kind::Float, tch::Device::Cpu));
            return Ok((none(usize::from(self.card.embedding_dim)), none(self.card.genres.len())));
        }
        Ok((Tensor::cat(&embeddings, 0), Tensor::cat(&logits, 0)))
    }

    /// A GPU ran out of memory, or worse: smaller batches, and in the end the CPU. What lies on a broken device cannot be
    /// trusted to come back from it, so the weights are read again.
    fn shrink(&mut self, error: &ModelError) -> Result<(), ModelError> {
        if self.batch > CPU_BATCH {
            self.batch /= 2;
            tracing::warn!("{error}; going on with {} chunks a batch", self.batch);
        } else {
            tracing::warn!("{error}; going on with the CPU");
            *self = Self::load(&self.path, DeviceChoice::Cpu)?;
        }
        Ok(())
    }

    fn pass(&self, chunks: &[f32], n: usize, frames: usize, bands: usize) -> Result<(Tensor, Tensor), ModelError> {
        let x = upload(&from_slice(chunks, &[n, frames, bands])?, self.vs.device())?;
        let wanted = self.arch.input()[1];
        let run = || {
            tch::no_grad(|| {
                let embedding = self.net.embed(&arch::prepare_for(self.arch, &x, self.card.front_end, wanted), false);
                let logits = self.net.head(&embedding, false);
                (embedding.to_device(tch::Device::Cpu), logits.to_device(tch::Device::Cpu))
            })
        };
        // tch panics on errors of libtorch (memory of the device, say); here they become values.
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).map_err(|cause| {
            let text = cause.downcast_ref::<String>().cloned().unwrap_or_else(|| "libtorch failed".to_owned());
            ModelError::Network(text.lines().next().unwrap_or_default().to_owned())
        })
    }

    fn verdicts(&self, embeddings: &Tensor, logits: &Tensor) -> Result<Verdicts, ModelError> {
        let scores = (logits / f64::from(self.card.temperature)).softmax(-1, Kind::Float);
        let (best, winner) = scores.max_dim(-1, false);
        let strange = self.familiar.as_ref().map(|f| f.strange(embeddings));
        let best = to_vec(&best)?;
        let strange = strange.map(|s| to_vec(&s)).transpose()?;
        let mut names = vec![0_i64; best.len()];
        winner.f_copy_data(&mut names, best.len()).map_err(|e| ModelError::Network(e.to_string()))?;
        let winners = (names.iter().zip(&best).enumerate())
            .map(|(i, (&name, &score))| {
                let strange = strange.as_ref().is_some_and(|s| s.get(i).is_some_and(|&x| x > 0.0));
                if score < self.card.unsure_below || strange { UNSURE } else { u8::try_from(name).unwrap_or(UNSURE) }
            })
            .collect();
        let scores = best.iter().map(|s| (s * 255.0).round() as u8).collect();
        Ok(Verdicts { winners, scores, embeddings: Vec::new() })
    }
}

impl Familiar {
    fn of(read: &weights::Weights, card: &ModelCard) -> Result<Option<Self>, String> {
        let get = |name: &str| read.tensors.get(&format!("{}{name}", weights::FAMILIAR));
        let width = i64::from(card.embedding_dim);
        match (get("mean"), get("whiten"), card.unfamiliar_beyond) {
            (Some(mean), Some(whiten), Some(beyond)) => {
                if mean.size() != [width] || whiten.size().first() != Some(&width) || whiten.dim() != 2 {
                    return Err("the familiar.* tensors do not fit the embeddings".to_owned());
                }
                let beyond = f64::from(beyond);
                Ok(Some(Self { mean: mean.shallow_clone(), whiten: whiten.shallow_clone(), beyond }))
            }
            (_, _, Some(_)) => Err("its card has unfamiliar_beyond, but the familiar.* tensors are missing".to_owned()),
            _ => Ok(None),
        }
    }

    /// Above 0 where an embedding is too far from everything known.
    fn strange(&self, embeddings: &Tensor) -> Tensor {
        distance(embeddings, &self.mean, &self.whiten) - self.beyond
    }
}

/// Length of the whitened difference from the mean, over the square root of its dimensions.
pub(crate) fn distance(embeddings: &Tensor, mean: &Tensor, whiten: &Tensor) -> Tensor {
    let dims: &[i64] = &[1];
    (embeddings - mean).matmul(whiten).square().mean_dim(dims, false, Kind::Float).sqrt()
}

fn from_slice(values: &[f32], shape: &[usize]) -> Result<Tensor, ModelError> {
    let dims: Vec<i64> = shape.iter().map(|&d| d as i64).collect();
    let fail = |e: tch::TchError| ModelError::Network(e.to_string());
    Tensor::f_from_slice(values).map_err(fail)?.f_view(&dims[..]).map_err(fail)
}

/// To a GPU through pinned memory, which it reads by itself while the next step is prepared; where none is to be had, as
/// it is.
fn upload(values: &Tensor, device: tch::Device) -> Result<Tensor, ModelError> {
    let pinned = if device.is_cuda() { values.f_pin_memory(device).ok() } else { None };
    let from = pinned.as_ref().unwrap_or(values);
    from.f_to_device_(device, from.kind(), pinned.is_some(), false).map_err(|e| ModelError::Network(e.to_string()))
}

pub(crate) fn to_vec(tensor: &Tensor) -> Result<Vec<f32>, ModelError> {
    let flat = tensor.to_device(tch::Device::Cpu).to_kind(Kind::Float).contiguous();
    let mut values = vec![0.0_f32; flat.numel()];
    let len = values.len();
    flat.f_copy_data(&mut values, len).map_err(|e| ModelError::Network(e.to_string()))?;
    if values.iter().all(|v| v.is_finite()) {
        Ok(values)
    } else {
        Err(ModelError::Network("it answered with values that are not finite".to_owned()))
    }
}
