//! What this server is bound to beyond its own keys: the root's public key, and the list of operators under its
//! signature. Nothing that comes over the network can change either. Both are read when they are asked for, so
//! that an operator's edit counts at once.

use std::path::{Path, PathBuf};

use soma_capsule::PublicKey;
use soma_capsule::kill::Trusted;
use soma_capsule::operators::{LIST_BYTES_MAX, OperatorFile, SIGNATURE_BYTES_MAX, check_signature};
use soma_policy::Code;

const ROOT: &str = "root.pub";
const LIST: &str = "operators.toml";
const SIGNATURE: &str = "operators.toml.sigstore.json";
const NEXT: &str = "operators.toml.next.sigstore.json";
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

/// Who may sign kill orders: the list that the root signed, and no other.
pub(crate) async fn operators(folder: &Path) -> Result<Trusted, TrustError> {
    let root = root(folder).await?;
    let list = read(folder.join(LIST), LIST_BYTES_MAX).await?;
    let unfit = |error: &dyn std::fmt::Display| {
        TrustError::Unfit(shown(&folder.join(LIST)), error.to_string())
    };
    let signature = read(folder.join(SIGNATURE), SIGNATURE_BYTES_MAX).await?;
    if let Err(error) = check_signature(&list, &signature, &root) {
        // A list is written after its signature and before that takes its place.
        let next = read(folder.join(NEXT), SIGNATURE_BYTES_MAX).await.ok();
        if next.is_none_or(|next| check_signature(&list, &next, &root).is_err()) {
            return Err(unfit(&error));
        }
    }
    let list = OperatorFile::parse(&list).map_err(|error| unfit(&error))?;
    list.trusted().map_err(|error| unfit(&error))
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
