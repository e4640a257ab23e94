//! Weights on disk: safetensors and nothing else, checked before a number of them is used.

use std::{collections::HashMap, fs, io::Write, path::Path};

use deepcuts_protocol::ModelCard;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use tch::{Kind, Tensor, nn::VarStore};

use super::{ModelError, cuts::CutsShape};

/// A weights file is a few MB; more than this is no model of ours.
const MAX_BYTES: u64 = 1 << 30;
/// Key in the file's metadata under which the widths of `cuts` travel.
const SHAPE_KEY: &str = "shape";
/// Tensors with this prefix say what the network is familiar with; they are no weights.
pub(crate) const FAMILIAR: &str = "familiar.";

/// What a weights file holds.
pub(crate) struct Weights {
    pub tensors: HashMap<String, Tensor>,
    pub shape: CutsShape,
}

/// Read a weights file and hold it against its card.
pub(super) fn read(path: &Path, card: &ModelCard) -> Result<Weights, ModelError> {
    let fail = |reason: String| ModelError::Weights { path: path.to_path_buf(), reason };
    let size = fs::metadata(path).map_err(|e| fail(e.to_string()))?.len();
    if size > MAX_BYTES {
        return Err(fail(format!("{size} bytes are too many for a model")));
    }
    let bytes = fs::read(path).map_err(|e| fail(e.to_string()))?;
    let id = blake3::hash(&bytes).to_hex();
    let weights = parse(&bytes).map_err(fail)?;
    if id.as_str() != card.weights_blake3 {
        return Err(fail("its hash is not the one in its card: one of the two was changed or damaged".to_owned()));
    }
    Ok(weights)
}

/// Read weights from a file's bytes.
pub(crate) fn parse(bytes: &[u8]) -> Result<Weights, String> {
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\x80") {
        return Err("it is a pickle or zip archive (a PyTorch file?); only safetensors are read, since a pickle can \
                    run any program"
            .to_owned());
    }
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| format!("it is no whole safetensors file: {e}"))?;
    let shape = match header.metadata().as_ref().and_then(|m| m.get(SHAPE_KEY)) {
        Some(text) => serde_json::from_str(text).map_err(|e| format!("the widths in its metadata: {e}"))?,
        None => CutsShape::default(),
    };
    if !shape.is_sane() {
        return Err("the widths in its metadata are out of bounds".to_owned());
    }
    let file = SafeTensors::deserialize(bytes).map_err(|e| format!("it is no whole safetensors file: {e}"))?;
    let mut tensors = HashMap::new();
    for (name, view) in file.tensors() {
        let tensor = to_tensor(&view).map_err(|reason| format!("tensor {name}: {reason}"))?;
        tensors.insert(name, tensor);
    }
    Ok(Weights { tensors, shape })
}

pub(crate) fn to_tensor(view: &TensorView<'_>) -> Result<Tensor, String> {
    let kind = match view.dtype() {
        Dtype::F32 => Kind::Float,
        Dtype::F16 => Kind::Half,
        other => return Err(format!("{other:?} values; f32 or f16 were expected")),
    };
    let dims: Vec<i64> = view.shape().iter().map(|&d| d as i64).collect();
    let tensor = Tensor::f_from_data_size(view.data(), &dims, kind).map_err(|e| e.to_string())?.to_kind(Kind::Float);
    if tensor.numel() > 0 && tensor.isfinite().all().int64_value(&[]) == 0 {
        return Err("it holds NaN or infinite values".to_owned());
    }
    Ok(tensor)
}

/// Copy `tensors` into a network's variables; both must name the same tensors with the same shapes.
pub(crate) fn fill(vs: &VarStore, tensors: &HashMap<String, Tensor>) -> Result<(), String> {
    let mut variables = vs.variables();
    if let Some(name) = tensors.keys().find(|n| !n.starts_with(FAMILIAR) && !variables.contains_key(*n)) {
        return Err(format!("tensor {name} belongs to no layer of this architecture"));
    }
    let mut names: Vec<String> = variables.keys().cloned().collect();
    names.sort();
    tch::no_grad(|| {
        for name in names {
            let Some(variable) = variables.get_mut(&name) else { continue };
            let tensor = tensors.get(&name).ok_or_else(|| format!("tensor {name} is missing"))?;
            if tensor.size() != variable.size() {
                return Err(format!("tensor {name} is {:?}; the card asks for {:?}", tensor.size(), variable.size()));
            }
            variable.copy_(tensor);
        }
        Ok(())
    })
}

/// Serialise tensors and metadata, names in order, so that equal weights are equal bytes.
pub(crate) fn to_bytes(
    tensors: &HashMap<String, Tensor>,
    metadata: HashMap<String, String>,
) -> Result<Vec<u8>, safetensors::SafeTensorError> {
    let plain: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, t)| {
            let t = t.detach().to_device(tch::Device::Cpu).to_kind(Kind::Float).contiguous();
            let mut values = vec![0.0_f32; t.numel()];
            t.copy_data(&mut values, t.numel());
            let dims = t.size().iter().map(|&d| usize::try_from(d).unwrap_or(0)).collect();
            (name.clone(), dims, values.iter().flat_map(|v| v.to_le_bytes()).collect())
        })
        .collect();
    let mut views = Vec::new();
    for (name, dims, bytes) in &plain {
        views.push((name.as_str(), TensorView::new(Dtype::F32, dims.clone(), bytes)?));
    }
    safetensors::serialize(views, Some(metadata))
}

/// The metadata that a weights file carries for its widths.
pub(crate) fn metadata(shape: &CutsShape) -> HashMap<String, String> {
    let text = serde_json::to_string(shape).unwrap_or_default();
    HashMap::from([(SHAPE_KEY.to_owned(), text)])
}

/// Write `bytes` so that a crash leaves the old file or the new one.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    file.persist(path).map_err(|e| e.error)?;
    Ok(())
}

/// Hash of a weights file's bytes: the model's id.
pub(crate) fn id_of(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}
