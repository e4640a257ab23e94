//! Bakes in where libtorch is looked for: beside an installed binary, then in a checkout's vendor folder. Both go into
//! RUNPATH, not RPATH, so that an LD_LIBRARY_PATH (a CUDA build of the same libtorch, say) still comes first.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    println!("cargo::rerun-if-env-changed=LIBTORCH_LIB");

    let macos = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "macos");
    if !macos {
        linker("--enable-new-dtags");
    }
    let origin = if macos { "@loader_path" } else { "$ORIGIN" };
    rpath(&format!("{origin}/../lib/deepcuts"));

    // As torch-sys has it: LIBTORCH_LIB, like LIBTORCH, is the folder that holds lib/.
    let Some(libtorch) = std::env::var_os("LIBTORCH_LIB").or_else(|| std::env::var_os("LIBTORCH")) else {
        return; // a libtorch of the system's: torch-sys and the loader find it by themselves, or say so
    };
    let lib = Path::new(&libtorch).join("lib");
    if !lib.is_dir() {
        println!(
            "cargo::error=there is no libtorch at {}: run `make setup` (or scripts/setup) first, or set LIBTORCH to \
             the folder of a libtorch of your own",
            lib.display()
        );
        return;
    }
    rpath(&lib.display().to_string());
}

/// One argument for the linker itself. Not `-Wl,`, which would cut a path at its commas.
fn linker(argument: &str) {
    println!("cargo::rustc-link-arg=-Xlinker");
    println!("cargo::rustc-link-arg={argument}");
}

fn rpath(path: &str) {
    linker("-rpath");
    linker(path);
}
