//! The host's own keys: issuer (tokens), host (journal, kill receipts), MAC (compiled-code cache) and
//! sealing (secrets). Made once, kept under `keys/host/` with mode 0600, never shown.
//!
//! These keys have no passphrase: a host must start alone. Keys of people are cosign files and are
//! handled by `soma-capsule`.

use std::fmt;
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use soma_capsule::key::KeyPair;
use zeroize::Zeroizing;

use super::{HomeError, Layout, SealingKey, file};

const PEM_BYTES_MAX: u64 = 4 * 1024;
const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";

/// All keys of a host.
#[derive(Debug)]
pub struct HostKeys {
    /// Signs tokens.
    pub issuer: SigningKey,
    /// Signs journal heads and kill receipts.
    pub host: SigningKey,
    /// Authenticates compiled code.
    pub mac: MacKey,
    /// Seals secrets.
    pub sealing: SealingKey,
}

impl HostKeys {
    /// Reads all four; a key that others can read is refused.
    pub(crate) fn load(layout: &Layout) -> Result<Self, HomeError> {
        Ok(Self {
            issuer: SigningKey::load(&layout.issuer_key())?,
            host: SigningKey::load(&layout.host_key())?,
            mac: MacKey::load(&layout.mac_key())?,
            sealing: SealingKey::load(&layout.sealing_key())?,
        })
    }
}

/// A P-256 key of the host.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    pkcs8: Zeroizing<Vec<u8>>,
    path: PathBuf,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.path.display())
    }
}

impl SigningKey {
    /// Reads a PKCS#8 PEM file.
    pub(crate) fn load(path: &Path) -> Result<Self, HomeError> {
        file::refuse_shared(path)?;
        let text = Zeroizing::new(file::read_text(path, PEM_BYTES_MAX)?);
        let pkcs8 = from_pem(&text).ok_or_else(|| key_error(path, "not a PKCS#8 PEM file"))?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8)
            .map_err(|_| key_error(path, "not an ECDSA P-256 key"))?;
        Ok(Self { pair, pkcs8, path: path.to_owned() })
    }

    /// Makes a key at `path` unless there is one; whether it was made.
    pub(crate) fn ensure(path: &Path) -> Result<bool, HomeError> {
        if path.exists() {
            return Self::load(path).map(|_| false);
        }
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)
            .map_err(|_| key_error(path, "the key could not be generated"))?;
        let text = to_pem(pkcs8.as_ref());
        file::write_private_new(path, text.as_bytes()).map(|()| true)
    }

    /// Signs a message (ECDSA P-256 over SHA-256, ASN.1 form).
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, HomeError> {
        self.pair
            .sign(&SystemRandom::new(), message)
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|_| key_error(&self.path, "the signature could not be made"))
    }

    /// The private key as PKCS#8 DER, for libraries that sign with it.
    #[must_use]
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The same key for signed documents.
    pub fn pair(&self) -> Result<KeyPair, HomeError> {
        KeyPair::from_pkcs8_der(&self.pkcs8).map_err(|e| key_error(&self.path, &e.to_string()))
    }

    /// The public key as SubjectPublicKeyInfo DER.
    pub fn public_spki(&self) -> Result<Vec<u8>, HomeError> {
        self.pair
            .public_key()
            .as_der()
            .map(|der| der.as_ref().to_vec())
            .map_err(|_| key_error(&self.path, "the public key could not be encoded"))
    }

    /// The point of the public key: x and y, 32 bytes each.
    pub(crate) fn public_point(&self) -> Result<([u8; 32], [u8; 32]), HomeError> {
        let refused = || key_error(&self.path, "the public key is not an uncompressed point");
        let (form, point) = self.pair.public_key().as_ref().split_first().ok_or_else(refused)?;
        let (x, y) = point.split_first_chunk::<32>().ok_or_else(refused)?;
        let y = <[u8; 32]>::try_from(y).map_err(|_| refused())?;
        if *form == 4 { Ok((*x, y)) } else { Err(refused()) }
    }
}

/// The key that authenticates compiled code.
#[derive(Clone)]
pub struct MacKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(..)")
    }
}

impl MacKey {
    /// A key from its bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    fn load(path: &Path) -> Result<Self, HomeError> {
        file::refuse_shared(path)?;
        let bytes = Zeroizing::new(file::read_bounded(path, 32)?);
        let bytes = <[u8; 32]>::try_from(bytes.as_slice())
            .map_err(|_| key_error(path, "this key has 32 bytes"))?;
        Ok(Self::new(bytes))
    }

    /// The bytes themselves.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Makes a file of 32 random bytes unless there is one; whether it was made.
pub(crate) fn ensure_random_key(path: &Path) -> Result<bool, HomeError> {
    if path.exists() {
        file::refuse_shared(path)?;
        return match file::read_bounded(path, 32)?.len() {
            32 => Ok(false),
            _ => Err(key_error(path, "this key has 32 bytes")),
        };
    }
    let mut bytes = Zeroizing::new([0; 32]);
    aws_lc_rs::rand::fill(&mut *bytes).map_err(|_| key_error(path, "no randomness"))?;
    file::write_private_new(path, &*bytes).map(|()| true)
}

pub(crate) fn key_error(path: &Path, what: &str) -> HomeError {
    HomeError::Key { path: path.to_owned(), what: what.to_owned() }
}

fn to_pem(der: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(der));
    let mut text = Zeroizing::new(String::with_capacity(body.len() + 128));
    text.push_str(PEM_BEGIN);
    for (at, letter) in body.chars().enumerate() {
        if at % 64 == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text.push('\n');
    text.push_str(PEM_END);
    text.push('\n');
    text
}

fn from_pem(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let body = text.trim().strip_prefix(PEM_BEGIN)?.strip_suffix(PEM_END)?;
    let body: Zeroizing<String> =
        Zeroizing::new(body.chars().filter(|c| !c.is_ascii_whitespace()).collect());
    STANDARD.decode(body.as_bytes()).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_made_key_is_kept_and_its_signatures_verify() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("host.pem");
        assert!(SigningKey::ensure(&path).unwrap());
        assert!(!SigningKey::ensure(&path).unwrap());
        let key = SigningKey::load(&path).unwrap();
        let signature = key.sign(b"head").unwrap();
        let (x, y) = key.public_point().unwrap();
        let point = [&[4][..], &x, &y].concat();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point);
        public.verify(b"head", &signature).unwrap();
        assert!(public.verify(b"tail", &signature).is_err());
        assert!(key.public_spki().unwrap().ends_with(&y));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("host.pem");
        SigningKey::ensure(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(SigningKey::load(&path), Err(HomeError::Shared { mode: 0o640, .. })));
    }

    #[test]
    fn broken_key_files_are_refused_with_their_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("host.pem");
        for bad in ["", "x", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            file::write_private(&path, bad.as_bytes()).unwrap();
            let refused = SigningKey::load(&path).unwrap_err();
            assert!(refused.to_string().contains("host.pem"), "{refused}");
        }
        let random = folder.path().join("mac.key");
        assert!(ensure_random_key(&random).unwrap());
        assert!(!ensure_random_key(&random).unwrap());
        file::write_private(&random, &[1; 31]).unwrap();
        assert!(ensure_random_key(&random).is_err());
    }

    #[test]
    fn debug_shows_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("host.pem");
        SigningKey::ensure(&path).unwrap();
        let shown = format!("{:?} {:?}", SigningKey::load(&path).unwrap(), MacKey::new([7; 32]));
        assert!(!shown.contains("7, 7") && shown.contains("MacKey(..)"), "{shown}");
    }
}
