//! Keys of publishers and operators: ECDSA P-256, kept as cosign keeps them.
//!
//! Private keys rest as encrypted PEM files, written and read by the `sigstore` crate so that
//! `cosign` takes ours and we take cosign's. Public keys are SPKI PEM files. Signing happens over
//! a SHA-256 digest. This room decides nothing about whose key is trusted.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sigstore::crypto::signing_key::ecdsa::{ECDSAKeys, EllipticCurve};
use sigstore::errors::SigstoreError;
use sigstore_crypto::{KeyAlgorithm, SigningScheme, VerificationKey};
use sigstore_verify::types::{DerPublicKey, Sha256Hash, SignatureBytes};
use soma_policy::{Code, Digest, Fingerprint};
use zeroize::Zeroizing;

/// Largest key file, in bytes. A cosign key has about 700.
pub const KEY_FILE_BYTES_MAX: usize = 16 << 10;

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file is not a key of the expected form.
    #[error("this is not {expected}")]
    NotAKey {
        /// What was expected, with its article.
        expected: &'static str,
    },
    /// The key is of another kind.
    #[error("the key is not ECDSA P-256")]
    OtherAlgorithm,
    /// The passphrase is wrong, or the file is damaged; which of the two cannot be told.
    #[error("the passphrase does not open this key, or the file is damaged")]
    WrongPassphrase,
    /// The cryptographic library failed.
    #[error("the key cannot be {0}")]
    Failed(&'static str),
}

impl KeyError {
    /// The stable code of this refusal.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::WrongPassphrase => Code::KeyPassphrase,
            _ => Code::KeyFile,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NotAKey { .. } | Self::OtherAlgorithm => {
                "make one with `soma key new NAME`, or with `cosign generate-key-pair`"
            }
            Self::WrongPassphrase => "set SOMA_KEY_PASSWORD or COSIGN_PASSWORD to its passphrase",
            Self::Failed(_) => "try again; if it fails again, report it",
        }
    }
}

/// A private key, held in memory only as long as it is used.
pub struct KeyPair {
    inner: sigstore_crypto::KeyPair,
    pkcs8: Zeroizing<Vec<u8>>,
    public: PublicKey,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("public", &self.public).finish_non_exhaustive()
    }
}

impl KeyPair {
    /// Makes a new key.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn generate() -> Result<Self, KeyError> {
        let failed = |_| KeyError::Failed("made");
        let keys = ECDSAKeys::new(EllipticCurve::P256).map_err(failed)?;
        let pkcs8 = keys.as_inner().private_key_to_der().map_err(failed)?;
        Self::from_pkcs8_der(&pkcs8)
    }

    /// Reads a PKCS#8 key.
    ///
    /// # Errors
    /// When it is not one of ECDSA P-256.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyError> {
        let inner =
            sigstore_crypto::KeyPair::from_pkcs8_der(der).map_err(|_| KeyError::OtherAlgorithm)?;
        if inner.algorithm() != KeyAlgorithm::EcdsaP256 {
            return Err(KeyError::OtherAlgorithm);
        }
        let spki = inner.public_key_der().map_err(|_| KeyError::Failed("read"))?;
        let public = PublicKey::from_spki_der(spki.as_bytes())?;
        Ok(Self { inner, pkcs8: Zeroizing::new(der.to_vec()), public })
    }

    /// Reads an encrypted key file of cosign or of ours.
    ///
    /// # Errors
    /// When the file is not one, the passphrase is wrong, or the key is not ECDSA P-256.
    pub fn from_encrypted_pem(pem: &[u8], passphrase: &[u8]) -> Result<Self, KeyError> {
        let expected = "an encrypted private key file";
        let text = std::str::from_utf8(pem).unwrap_or_default();
        let labels = ["ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY"];
        let labelled = labels.iter().any(|label| text.contains(&format!("BEGIN {label}")));
        if pem.len() > KEY_FILE_BYTES_MAX || !labelled {
            return Err(KeyError::NotAKey { expected });
        }
        if !has_sound_nonce(text) {
            return Err(KeyError::NotAKey { expected });
        }
        let keys = ECDSAKeys::from_encrypted_pem(pem, passphrase).map_err(|error| match error {
            SigstoreError::KeyParsingError(_) => KeyError::OtherAlgorithm,
            _ => KeyError::WrongPassphrase,
        })?;
        let der = keys.as_inner().private_key_to_der().map_err(|_| KeyError::Failed("read"))?;
        Self::from_pkcs8_der(&der)
    }

    /// The key as an encrypted file that `cosign sign-blob --key` takes. Write it with mode 0600.
    ///
    /// # Errors
    /// When encryption fails.
    pub fn to_encrypted_pem(&self, passphrase: &[u8]) -> Result<Zeroizing<String>, KeyError> {
        let failed = |_| KeyError::Failed("encrypted");
        let keys = ECDSAKeys::from_der(&self.pkcs8).map_err(failed)?;
        keys.as_inner().private_key_to_encrypted_pem(passphrase).map_err(failed)
    }

    /// The other half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a digest; the result is an ASN.1 ECDSA signature.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn sign_digest(&self, digest: &Digest) -> Result<Vec<u8>, KeyError> {
        let hash = Sha256Hash::new(*digest.as_bytes());
        let signature = self.inner.sign_digest(&hash).map_err(|_| KeyError::Failed("used"))?;
        Ok(signature.into_bytes())
    }

    /// Signs bytes: their SHA-256 digest.
    ///
    /// # Errors
    /// As [`KeyPair::sign_digest`].
    pub fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.sign_digest(&Digest::of(bytes))
    }
}

/// The decryption below panics on a nonce of another length than its own, so a file with such a
/// one does not get there.
fn has_sound_nonce(pem: &str) -> bool {
    const NONCE_BYTES: usize = 24;
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    let body: String = lines.flat_map(str::chars).filter(|c| !c.is_whitespace()).collect();
    let sealed = STANDARD.decode(body).ok();
    let sealed: Option<serde_json::Value> =
        sealed.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let nonce = sealed.as_ref().and_then(|value| value.pointer("/cipher/nonce")?.as_str());
    nonce.and_then(|text| STANDARD.decode(text).ok()).is_some_and(|n| n.len() == NONCE_BYTES)
}

/// A public key.
#[derive(Clone)]
pub struct PublicKey {
    spki: DerPublicKey,
    verifier: Arc<VerificationKey>,
    fingerprint: Fingerprint,
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki.as_bytes() == other.spki.as_bytes()
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint)
    }
}

impl PublicKey {
    /// Reads a DER SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// When it is not a valid point of P-256.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        let spki = DerPublicKey::new(der.to_vec());
        let scheme = SigningScheme::EcdsaP256Sha256;
        let verifier = VerificationKey::from_spki_with_scheme(&spki, scheme)
            .map_err(|_| KeyError::OtherAlgorithm)?;
        sigstore_crypto::validate_raw_public_key(scheme, verifier.as_bytes())
            .map_err(|_| KeyError::OtherAlgorithm)?;
        let fingerprint = Fingerprint::of_spki(der);
        Ok(Self { spki, verifier: Arc::new(verifier), fingerprint })
    }

    /// Reads an SPKI PEM file.
    ///
    /// # Errors
    /// When it is not one, or not of P-256.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let not_a_key = KeyError::NotAKey { expected: "a public key file" };
        let text = std::str::from_utf8(pem).ok().filter(|_| pem.len() <= KEY_FILE_BYTES_MAX);
        let text = text.ok_or_else(|| not_a_key.clone())?;
        let spki = DerPublicKey::from_pem(text).map_err(|_| not_a_key)?;
        Self::from_spki_der(spki.as_bytes())
    }

    /// The SPKI PEM file.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.spki.to_pem()
    }

    /// The DER SubjectPublicKeyInfo.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        self.spki.as_bytes()
    }

    /// SHA-256 of the SPKI.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// How a bundle hints at this key, as cosign does: base64 SHA-256 of the SPKI.
    #[must_use]
    pub fn hint(&self) -> String {
        self.fingerprint.hint()
    }

    /// Whether the signature over that digest is of this key.
    #[must_use]
    pub fn verifies(&self, digest: &Digest, signature: &[u8]) -> bool {
        let signature = SignatureBytes::new(signature.to_vec());
        self.verifier.verify_prehashed(digest.as_bytes(), &signature).is_ok()
    }
}

#[cfg(test)]
mod tests;
