//! The server's own key files, made on the first start: one that seals what rests in the database,
//! one that signs heads of the audit chain,
//! one that signs what hosts are told. Files are 0600 in a folder that is 0700.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use soma_capsule::KeyPair;
use zeroize::Zeroizing;

use crate::identity::Sealer;
use crate::server::OpenError;

const SEAL: &str = "seal.key";
const AUDIT: &str = "audit.key";
const FEED: &str = "feed.key";
const FILE_BYTES_MAX: u64 = 4096;

pub(super) struct Keys {
    pub(super) sealer: Sealer,
    pub(super) audit: KeyPair,
    pub(super) feed: KeyPair,
}

impl Keys {
    /// Reads the keys of a folder; makes those that are not there.
    pub(super) fn load(folder: &Path) -> Result<Self, OpenError> {
        let io = |error: std::io::Error| failed(folder, &error);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io)?;
        private(folder)?;
        let seal = read_or_make(&folder.join(SEAL), || {
            let mut key = Zeroizing::new(vec![0u8; 32]);
            rand::fill(&mut key).ok()?;
            Some(key)
        })?;
        let seal: &[u8; 32] = seal.as_slice().try_into().map_err(|_| other(&folder.join(SEAL)))?;
        let sealer = Sealer::new(seal).map_err(|_| other(&folder.join(SEAL)))?;
        let (audit, feed) = (signer(&folder.join(AUDIT))?, signer(&folder.join(FEED))?);
        Ok(Self { sealer, audit, feed })
    }
}

/// A P-256 key that signs documents.
fn signer(path: &Path) -> Result<KeyPair, OpenError> {
    let pkcs8 = read_or_make(path, || {
        let alg = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(alg, &SystemRandom::new()).ok()?;
        Some(Zeroizing::new(pkcs8.as_ref().to_vec()))
    })?;
    KeyPair::from_pkcs8_der(&pkcs8).map_err(|_| other(path))
}

fn failed(path: &Path, error: &std::io::Error) -> OpenError {
    OpenError::Keys(format!("`{}`: {error}", path.display()))
}

fn other(path: &Path) -> OpenError {
    OpenError::Keys(format!("`{}` is not the key that it should be", path.display()))
}

/// The key that signs heads of the audit chain, which must be there.
pub(crate) fn audit_key(folder: &Path) -> Result<KeyPair, OpenError> {
    let path = folder.join(AUDIT);
    if !path.is_file() {
        return Err(OpenError::Keys(format!("there is no key at `{}`", path.display())));
    }
    let key = read_or_make(&path, || None)?;
    KeyPair::from_pkcs8_der(&key).map_err(|_| other(&path))
}

/// Others on this machine must not read it.
fn private(path: &Path) -> Result<(), OpenError> {
    let mode = std::fs::metadata(path).map_err(|error| failed(path, &error))?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(OpenError::Keys(format!("`{path}` is open to other users; chmod go-rwx {path}")))
}

fn read_or_make(
    path: &Path,
    make: impl FnOnce() -> Option<Zeroizing<Vec<u8>>>,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let io = |error: std::io::Error| failed(path, &error);
    let mut options = std::fs::OpenOptions::new();
    // Made by one process: whoever finds it there reads what the other has written.
    match options.write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            let key = make().ok_or_else(|| other(path))?;
            let text = Zeroizing::new(STANDARD.encode(key.as_slice()));
            file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
            Ok(key)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            private(path)?;
            if std::fs::metadata(path).map_err(io)?.len() > FILE_BYTES_MAX {
                return Err(other(path));
            }
            let text = Zeroizing::new(std::fs::read_to_string(path).map_err(io)?);
            let key = STANDARD.decode(text.trim()).map_err(|_| other(path))?;
            Ok(Zeroizing::new(key))
        }
        Err(error) => Err(io(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_are_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("keys");
        let first = Keys::load(&folder).unwrap();
        let again = Keys::load(&folder).unwrap();
        assert_eq!(first.audit.public(), again.audit.public());
        let sealed = first.sealer.seal("x", b"y").unwrap();
        assert_eq!(&**again.sealer.open("x", &sealed).unwrap(), b"y");
        let mode = std::fs::metadata(folder.join(SEAL)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn open_files_and_other_contents_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("keys");
        Keys::load(&folder).unwrap();
        let seal = folder.join(SEAL);
        std::fs::set_permissions(&seal, std::fs::Permissions::from_mode(0o644)).unwrap();
        let said = Keys::load(&folder).err().unwrap().to_string();
        assert!(said.contains("open to other users"), "{said}");
        std::fs::set_permissions(&seal, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&seal, "AAAA").unwrap();
        assert!(Keys::load(&folder).is_err());
    }
}
