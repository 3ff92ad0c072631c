//! Builds liblanemalloc.a from native/ with make, or takes an installed one.
//!
//! Environment:
//!   LANEMALLOC_LIB_DIR   a directory with liblanemalloc.a: nothing is built
//!   MAKE, CC, AR, OBJCOPY, CFLAGS   as in the Makefile
//!
//! Needs gcc (or clang), make, awk and the headers of libck-dev and
//! liburcu-dev. Fails with the compiler's own words where something is missing.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    for name in [
        "LANEMALLOC_LIB_DIR",
        "MAKE",
        "CC",
        "AR",
        "OBJCOPY",
        "CFLAGS",
    ] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    let directory = match env::var_os("LANEMALLOC_LIB_DIR") {
        Some(directory) => PathBuf::from(directory),
        None => build(),
    };
    println!("cargo:rustc-link-search=native={}", directory.display());
    println!("cargo:rustc-link-lib=static=lanemalloc");
}

/// The directory that holds the archive.
fn build() -> PathBuf {
    let native = Path::new(&variable("CARGO_MANIFEST_DIR")).join("native");
    let out = Path::new(&variable("OUT_DIR")).join("lanemalloc");
    let archive = out.join("liblanemalloc.a");

    if variable("CARGO_CFG_TARGET_OS") != "linux" {
        panic!("lanemalloc is for Linux");
    }
    for part in ["Makefile", "include", "src"] {
        println!("cargo:rerun-if-changed={}", native.join(part).display());
    }
    let mut make = Command::new(env::var_os("MAKE").unwrap_or("make".into()));
    make.arg("-C").arg(&native).arg(&archive);
    make.arg(format!("BUILD={}", out.display()));
    make.arg(format!("-j{}", env::var("NUM_JOBS").unwrap_or("1".into())));
    // Cargo's own make, where there is one, has its own idea of jobs.
    make.env_remove("MAKEFLAGS").env_remove("MFLAGS");
    make.env_remove("DEBUG");
    cross(&mut make);
    match make.status() {
        Ok(status) if status.success() => out,
        Ok(status) => panic!("{make:?}: {status}"),
        Err(error) => panic!("{make:?}: {error}"),
    }
}

/// For another machine than this one: Debian's names of its compilers.
fn cross(make: &mut Command) {
    let arch = variable("CARGO_CFG_TARGET_ARCH");

    if variable("HOST").starts_with(&arch) || env::var_os("CC").is_some() {
        return;
    }
    for (tool, name) in [("CC", "gcc"), ("AR", "ar"), ("OBJCOPY", "objcopy")] {
        make.arg(format!("{tool}={arch}-linux-gnu-{name}"));
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}
