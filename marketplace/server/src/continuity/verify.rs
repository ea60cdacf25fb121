//! The proof of an archive: every digest, the list, the signature over it, and whose signature it is.

use std::fs::File;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use soma_capsule::{KeyPair, PublicKey};
use soma_policy::Digest;
use zeroize::Zeroizing;

use super::archive::{self, Tail, pass};
use super::error::ContinuityError;
use super::manifest::{Index, Manifest};
use super::sealed::{self, Files};

/// What was proven of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// What it says of itself.
    pub manifest: Manifest,
    /// The fingerprint of the key that signed it.
    pub signer: String,
    /// Whether that is known to be the server's own key: it was given, or the passphrase opened it.
    pub authentic: bool,
}

/// An archive whose parts fit each other.
pub(super) struct Checked {
    pub(super) manifest: Manifest,
    pub(super) index: Index,
    pub(super) key: PublicKey,
    pub(super) sealed: Vec<u8>,
}

/// Proves an archive. Without a key and a passphrase it is proven to be whole, but not whose it is.
///
/// # Errors
/// [`ContinuityError::Bad`] names what is wrong.
pub async fn verify_backup(
    archive: &Path,
    expected: Option<&PublicKey>,
    passphrase: Option<&[u8]>,
) -> Result<Verified, ContinuityError> {
    let (path, expected) = (archive.to_owned(), expected.cloned());
    let passphrase = passphrase.map(|it| Zeroizing::new(it.to_vec()));
    blocking(move || {
        let checked = check(&open(&path)?)?;
        let known = expected.is_some();
        if expected.is_some_and(|key| key != checked.key) {
            return Err(ContinuityError::bad("another server signed it"));
        }
        let opened = passphrase.map(|it| open_keys(&checked, &it)).transpose()?;
        Ok(Verified {
            signer: checked.key.fingerprint().to_string(),
            manifest: checked.manifest,
            authentic: known || opened.is_some(),
        })
    })
    .await
}

pub(super) fn open(path: &Path) -> Result<File, ContinuityError> {
    let path: PathBuf = path.to_owned();
    File::open(&path).map_err(ContinuityError::disk("opened", &path))
}

/// Reads the whole archive once.
pub(super) fn check(file: &File) -> Result<Checked, ContinuityError> {
    let mut found: Vec<(Digest, u64)> = Vec::new();
    let none = |error: std::io::Error| ContinuityError::Bad(error.to_string());
    let tail = archive::read(file, &mut |_, content| {
        found.push(pass(content, None, none)?);
        Ok(())
    })?;
    let checked = tied(tail)?;
    if found.len() != checked.index.entries.len() {
        let (here, listed) = (found.len(), checked.index.entries.len());
        return Err(ContinuityError::Bad(format!("it holds {here} files and lists {listed}")));
    }
    for (entry, (digest, bytes)) in checked.index.entries.iter().zip(found) {
        if entry.digest != digest || entry.bytes != bytes {
            let name = entry.path.as_ref().map_or("an entry", |path| path.as_str());
            return Err(ContinuityError::Bad(format!("`{name}` is not what was backed up")));
        }
    }
    Ok(checked)
}

/// Ties list and sealed part to the signature.
fn tied(tail: Tail) -> Result<Checked, ContinuityError> {
    let key = PublicKey::from_pem(&tail.key);
    let key = key.map_err(|error| ContinuityError::Bad(format!("its `audit.pub`: {error}")))?;
    if key.to_pem().as_bytes() != tail.key {
        return Err(ContinuityError::bad("its `audit.pub` has another form"));
    }
    let manifest = Manifest::open(&tail.manifest, &key)?;
    if Digest::of(&tail.index) != manifest.index {
        return Err(ContinuityError::bad("its list of files is not the one that was signed"));
    }
    if Digest::of(&tail.sealed) != manifest.sealed {
        return Err(ContinuityError::bad("what is sealed in it is not what was signed"));
    }
    let index = Index::read(&tail.index)?;
    Ok(Checked { manifest, index, key, sealed: tail.sealed })
}

/// Opens what is sealed. It must hold the key that signed the archive: whoever knows the passphrase made it.
pub(super) fn open_keys(checked: &Checked, passphrase: &[u8]) -> Result<Files, ContinuityError> {
    let files = sealed::open(&checked.sealed, passphrase)?;
    let signs = |file: &Zeroizing<Vec<u8>>| {
        let text = std::str::from_utf8(file).ok()?;
        let der = Zeroizing::new(STANDARD.decode(text.trim()).ok()?);
        let pair = KeyPair::from_pkcs8_der(&der).ok()?;
        (*pair.public() == checked.key).then_some(())
    };
    if files.values().any(|file| signs(file).is_some()) {
        return Ok(files);
    }
    Err(ContinuityError::bad("the key that signed it is not among the keys in it"))
}

/// Disks are waited for away from the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ContinuityError> + Send + 'static,
) -> Result<T, ContinuityError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ContinuityError::Configuration(error.to_string()))?
}
