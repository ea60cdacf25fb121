//! What this server is bound to beyond its own keys: the root's public key, which nothing that comes over
//! the network can change. Read when it is asked for, so that an operator's edit counts at once.

use std::path::{Path, PathBuf};

use soma_capsule::PublicKey;
use soma_policy::Code;

const ROOT: &str = "root.pub";
const ROOT_BYTES_MAX: u64 = 16 << 10;

/// Why the trust anchors cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrustError {
    /// A file is not there.
    #[error(
        "`{0}` is not there; `soma up` makes it, or copy the folder `trust` of the home that has it"
    )]
    Missing(String),
    /// A file is not what it should be.
    #[error("`{0}`: {1}")]
    Unfit(String, String),
}

impl TrustError {
    /// The stable code of this refusal.
    pub(crate) fn code(&self) -> Code {
        Code::OperatorsFile
    }
}

/// The root's public key.
pub(crate) async fn root(folder: &Path) -> Result<PublicKey, TrustError> {
    let path = folder.join(ROOT);
    let bytes = read(path.clone(), ROOT_BYTES_MAX).await?;
    let unfit = |error: &dyn std::fmt::Display| TrustError::Unfit(shown(&path), error.to_string());
    PublicKey::from_pem(&bytes).map_err(|error| unfit(&error))
}

async fn read(path: PathBuf, max: u64) -> Result<Vec<u8>, TrustError> {
    let name = shown(&path);
    let done = tokio::task::spawn_blocking(move || bounded(&path, max)).await;
    match done.map_err(std::io::Error::other).and_then(|read| read) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(TrustError::Missing(name))
        }
        Err(error) => Err(TrustError::Unfit(name, error.to_string())),
    }
}

fn bounded(path: &Path, max: u64) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(std::io::Error::other(format!("it has more than {max} bytes")));
    }
    Ok(bytes)
}

fn shown(path: &Path) -> String {
    // The folder is the operator's matter; a message may leave the machine.
    path.file_name().map_or_else(String::new, |name| format!("trust/{}", name.to_string_lossy()))
}
