//! What must happen before the first word to libtorch: the process is tuned, and CUDA is registered.
//!
//! The program links the CPU half of libtorch only, so that one binary serves every machine. Where a CUDA
//! build of the same version lies beside that half, loading its second half registers the back end.

/// Tune the allocator and register CUDA where it is there. Call it first in `main`, before any thread.
pub fn prepare() {
    tune_allocator();
    register_cuda();
}

/// Keep freed memory: a network frees and takes the same megabytes for every batch, and giving them back to
/// the system each time costs 1.4 to 1.8 times the whole computation in page faults.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn tune_allocator() {
    const TOP_PAD_BYTES: libc::c_int = 64 << 20;
    for (option, value) in
        [(libc::M_MMAP_MAX, 0), (libc::M_TRIM_THRESHOLD, libc::c_int::MAX), (libc::M_TOP_PAD, TOP_PAD_BYTES)]
    {
        // Sound: mallopt takes two integers, and no other thread runs yet.
        #[allow(unsafe_code)]
        let _ = unsafe { libc::mallopt(option, value) };
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn tune_allocator() {}

/// Let everything else on the machine go first: what is learned in the background must not be felt.
#[cfg(unix)]
pub fn lower_priority() {
    const NICENESS: libc::c_int = 10;
    // Sound: nice takes an integer and adds it; a refusal changes nothing.
    #[allow(unsafe_code)]
    let _ = unsafe { libc::nice(NICENESS) };
}

/// There is no such thing here.
#[cfg(not(unix))]
pub fn lower_priority() {}

/// Load `libtorch_cuda.so` from the folder that `libtorch_cpu.so` was loaded from, if there is one.
#[cfg(target_os = "linux")]
fn register_cuda() {
    use std::{ffi::CString, os::unix::ffi::OsStrExt, path::Path};

    let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else { return };
    let Some(cpu) =
        maps.lines().find_map(|line| line.find('/').map(|at| &line[at..]).filter(|p| p.ends_with("/libtorch_cpu.so")))
    else {
        return;
    };
    let cuda = Path::new(cpu).with_file_name("libtorch_cuda.so");
    if !cuda.exists() {
        return;
    }
    let Ok(name) = CString::new(cuda.as_os_str().as_bytes()) else { return };
    // cuDNN would round the factors of a convolution to ten bits; a GPU is to say what the CPU says.
    if std::env::var_os("NVIDIA_TF32_OVERRIDE").is_none() {
        // Sound: no other thread runs yet that could read the environment.
        #[allow(unsafe_code)]
        unsafe {
            std::env::set_var("NVIDIA_TF32_OVERRIDE", "0");
        }
    }
    // Sound: the name is a valid C string; the library is libtorch's own, beside the half that is loaded, and its
    // constructors register back ends and nothing else. The handle is kept for ever on purpose.
    #[allow(unsafe_code)]
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    if handle.is_null() {
        tracing::warn!(library = %cuda.display(), "a CUDA build of libtorch is there, and does not load");
    }
}

#[cfg(not(target_os = "linux"))]
fn register_cuda() {}
