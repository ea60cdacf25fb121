//! Where the built guests lie. They are built before the tests, never by them.

use std::path::{Path, PathBuf};

use anyhow::ensure;

/// The root of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The folder of a library capsule.
#[must_use]
pub fn library_folder(name: &str) -> PathBuf {
    repository().join("capsules/library").join(name)
}

/// The built component of a library capsule, without a manifest.
///
/// # Errors
/// If it was not built; the error names the command.
pub fn library(name: &str) -> anyhow::Result<PathBuf> {
    built("library", &format!("soma_{}.wasm", name.replace('-', "_")))
}

/// A built hostile component, without a manifest.
///
/// # Errors
/// If it was not built; the error names the command.
pub fn hostile(name: &str) -> anyhow::Result<PathBuf> {
    built("hostile", &format!("hostile_{name}.wasm"))
}

/// A hostile component that is written as text.
///
/// # Errors
/// If the text does not parse.
pub fn hostile_text(name: &str) -> anyhow::Result<Vec<u8>> {
    Ok(wat::parse_file(repository().join("capsules/hostile/wat").join(format!("{name}.wat")))?)
}

fn built(workspace: &str, file: &str) -> anyhow::Result<PathBuf> {
    let folder = repository().join("capsules").join(workspace).join("target/wasm32-wasip2/release");
    let path = folder.join(file);
    ensure!(path.is_file(), "{} is not there: run `make guests`", path.display());
    Ok(path)
}
