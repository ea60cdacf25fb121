//! A home of its own in a temporary folder, made by the real commands.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::TempDir;

use crate::{Authority, Finished, Soma, guests};

/// The publisher of the library.
pub const LIBRARY: &str = "soma";
const ANCHOR: &str = "tests-ca.pem";

/// A home that goes away with the value.
pub struct TestHome {
    folder: TempDir,
    home: PathBuf,
}

impl TestHome {
    /// Makes a home that trusts one new key for the library's publisher.
    ///
    /// # Errors
    /// If a command fails.
    pub async fn new() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("soma-test-").tempdir()?;
        let home = folder.path().join("home");
        let home = Self { folder, home };
        home.publisher(LIBRARY).await?;
        Ok(home)
    }

    /// The home.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.home
    }

    /// A folder beside the home, for whatever a test writes.
    #[must_use]
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command on this home.
    ///
    /// # Errors
    /// If the binary was not built.
    pub fn soma(&self) -> anyhow::Result<Soma> {
        Soma::new(&self.home)
    }

    /// Makes a key for a publisher and trusts it.
    ///
    /// # Errors
    /// If a command fails.
    pub async fn publisher(&self, name: &str) -> anyhow::Result<()> {
        self.soma()?.args(["key", "new", name, "--role", "publisher"]).succeed().await?;
        let public = self.home.join("keys").join(format!("{name}.pub"));
        self.soma()?.args(["trust", "add", name]).args([public]).succeed().await?;
        Ok(())
    }

    /// Packs, signs and installs a library capsule.
    ///
    /// # Errors
    /// If a command fails or the capsule was not built.
    pub async fn install(
        &self,
        capsule: &str,
        id: &str,
        more: &[&str],
    ) -> anyhow::Result<Finished> {
        let packed = self.pack(capsule).await?;
        self.soma()?.args(["install"]).args([packed]).args(["--as", id]).args(more).succeed().await
    }

    /// Packs and signs a library capsule: the component with its manifest, the bundle beside it.
    ///
    /// # Errors
    /// If a command fails or the capsule was not built.
    pub async fn pack(&self, capsule: &str) -> anyhow::Result<PathBuf> {
        let packed = self.beside(&format!("{capsule}.wasm"));
        let build = self.soma()?.within(&guests::library_folder(capsule));
        let build =
            build.args(["capsule", "build", "--component"]).args([guests::library(capsule)?]);
        build.args(["--out"]).args([&packed]).succeed().await?;
        self.sign(&packed, LIBRARY).await?;
        Ok(packed)
    }

    /// Signs a packed capsule with the key of a publisher.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn sign(&self, packed: &Path, key: &str) -> anyhow::Result<Finished> {
        self.soma()?.args(["capsule", "sign"]).args([packed]).args(["--key", key]).succeed().await
    }

    /// Stores a secret.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn secret(&self, name: &str, value: &str) -> anyhow::Result<()> {
        self.soma()?.args(["secret", "set", name]).input(value).succeed().await?;
        Ok(())
    }

    /// Maps origins to test servers: the operator's `policy/peers.toml` with our trust anchor.
    ///
    /// # Errors
    /// If the files cannot be written.
    pub fn peers(&self, authority: &Authority, peers: &[(&str, SocketAddr)]) -> anyhow::Result<()> {
        write_peers(&self.home.join("policy"), authority, peers)
    }

    /// The file of an installation of the default tenant.
    #[must_use]
    pub fn installation(&self, id: &str) -> PathBuf {
        self.home.join("installations/local/production").join(format!("{id}.toml"))
    }

    /// Changes the text of an installation's file in one step, as an editor would.
    ///
    /// # Errors
    /// If the text does not hold `from`, or the file cannot be written.
    pub fn edit(&self, id: &str, from: &str, to: &str) -> anyhow::Result<()> {
        let path = self.installation(id);
        let text = std::fs::read_to_string(&path)?;
        anyhow::ensure!(text.contains(from), "{} holds no {from:?}:\n{text}", path.display());
        let new = self.beside("edited.toml");
        std::fs::write(&new, text.replace(from, to))?;
        Ok(std::fs::rename(new, path)?)
    }
}

/// Writes `peers.toml` and the trust anchor into an operator's policy folder.
///
/// # Errors
/// If the files cannot be written.
pub fn write_peers(
    policy: &Path,
    authority: &Authority,
    peers: &[(&str, SocketAddr)],
) -> anyhow::Result<()> {
    std::fs::write(policy.join(ANCHOR), authority.pem())?;
    let mut text = String::new();
    for (origin, address) in peers {
        writeln!(
            text,
            "[[peer]]\norigin = \"{origin}\"\naddress = \"{address}\"\nanchor = \"{ANCHOR}\"\n"
        )?;
    }
    std::fs::write(policy.join("peers.toml"), text).context("peers.toml cannot be written")
}
