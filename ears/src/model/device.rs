//! Which device the network runs on.

use tch::Device;

use super::{DeviceChoice, ModelError};

impl DeviceChoice {
    /// The choice of this name: `auto`, `cpu` or `cuda`.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Self::Auto),
            "cpu" => Some(Self::Cpu),
            "cuda" => Some(Self::Cuda),
            _ => None,
        }
    }

    /// The device, once `main` has registered the CUDA back end where there is one.
    pub(crate) fn device(self) -> Result<Device, ModelError> {
        match (self, Device::cuda_if_available()) {
            (Self::Cpu, _) => Ok(Device::Cpu),
            (Self::Cuda, Device::Cpu) => Err(ModelError::Network(
                "there is no CUDA device that this libtorch can use; take the CPU, or put a CUDA build of the same \
                 libtorch beside it"
                    .to_owned(),
            )),
            (_, found) => Ok(found),
        }
    }
}

/// Let the network's own computations use `threads` threads of the CPU.
pub fn use_threads(threads: usize) {
    tch::set_num_threads(i32::try_from(threads.max(1)).unwrap_or(1));
}

/// `cpu` or `cuda`.
pub(crate) fn kind_name(device: Device) -> &'static str {
    if device.is_cuda() { "cuda" } else { "cpu" }
}

/// The version of libtorch that tch was made for.
pub(crate) const LIBTORCH_VERSION: &str = "2.11.0";
