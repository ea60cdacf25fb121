//! Packs and signs components in process: for the many hostile ones, and for packages that no
//! command of ours would make.

use std::path::{Path, PathBuf};

use anyhow::Context;
use soma_capsule::{CapsuleFile, KeyPair, bundle, section};
use soma_policy::Digest;

/// A component with its manifest inside, and the signature.
#[derive(Debug, Clone)]
pub struct Package {
    /// The component.
    pub component: Vec<u8>,
    /// The Sigstore bundle.
    pub bundle: Vec<u8>,
}

impl Package {
    /// Embeds a manifest and signs the whole.
    ///
    /// # Errors
    /// If the manifest does not parse or nothing can be embedded.
    pub fn new(component: &[u8], manifest: &str, key: &KeyPair) -> anyhow::Result<Self> {
        let file = CapsuleFile::parse(manifest).context("the manifest")?;
        let component = section::embed(component, &file.manifest.to_canonical()?)?;
        Self::sign(component, key)
    }

    /// Signs a component as it is.
    ///
    /// # Errors
    /// If the key cannot sign.
    pub fn sign(component: Vec<u8>, key: &KeyPair) -> anyhow::Result<Self> {
        let bundle = bundle::sign_blob(&Digest::of(&component), key)?;
        Ok(Self { component, bundle })
    }

    /// Writes `NAME.wasm` and `NAME.sigstore.json`, and gives the path of the first.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn write(&self, folder: &Path, name: &str) -> anyhow::Result<PathBuf> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(format!("{name}.wasm"));
        std::fs::write(&path, &self.component)?;
        std::fs::write(folder.join(format!("{name}.sigstore.json")), &self.bundle)?;
        Ok(path)
    }
}
