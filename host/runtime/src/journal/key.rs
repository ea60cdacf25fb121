//! The host's key as the journal uses it: it signs heads for everyone, and seals them for itself.
//!
//! A signature (ECDSA P-256 over the DSSE encoding) is what others check with the public key. A seal
//! (HMAC under a key derived from the private one) costs a microsecond instead of tens, so that every
//! group can have one; only the host itself can check it, at its next start.

use aws_lc_rs::encoding::AsBigEndian;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _,
    UnparsedPublicKey,
};
use aws_lc_rs::{encoding, hmac};

const HEAD_TYPE: &str = "application/vnd.soma.journal-head.v1+json";
const SEAL_LABEL: &[u8] = b"soma journal head seal v1";

/// The key was not a P-256 key, or the library could not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the host key is not usable for ECDSA P-256")]
pub struct KeyError;

/// The host's signing key, as the journal uses it.
pub struct JournalKey {
    pair: EcdsaKeyPair,
    rng: SystemRandom,
    seal: hmac::Key,
}

impl std::fmt::Debug for JournalKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JournalKey").finish_non_exhaustive()
    }
}

impl JournalKey {
    /// Takes a P-256 private key in PKCS#8 DER.
    ///
    /// # Errors
    /// [`KeyError`] if it is anything else.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der).map_err(|_| KeyError)?;
        let seal = {
            let private: encoding::EcPrivateKeyBin<'_> =
                pair.private_key().as_be_bytes().map_err(|_| KeyError)?;
            let root = hmac::Key::new(hmac::HMAC_SHA256, private.as_ref());
            hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&root, SEAL_LABEL).as_ref())
        };
        Ok(Self { pair, rng: SystemRandom::new(), seal })
    }

    /// What others check signatures with.
    #[must_use]
    pub fn public(&self) -> JournalPublicKey {
        JournalPublicKey(self.pair.public_key().as_ref().to_vec())
    }

    pub(crate) fn sign(&self, head: &[u8]) -> Result<Vec<u8>, KeyError> {
        let signature = self.pair.sign(&self.rng, &pae(head)).map_err(|_| KeyError)?;
        Ok(signature.as_ref().to_vec())
    }

    pub(crate) fn seal(&self, head: &[u8]) -> hmac::Tag {
        hmac::sign(&self.seal, head)
    }

    /// The half that only the host itself can check, for checkpoints.
    pub(crate) fn sealer(&self) -> Sealer {
        Sealer(self.seal.clone())
    }

    pub(crate) fn opens(&self, head: &[u8], seal: &[u8]) -> bool {
        hmac::verify(&self.seal, head, seal).is_ok()
    }
}

/// Seals what the host tells itself.
#[derive(Debug, Clone)]
pub(crate) struct Sealer(hmac::Key);

impl Sealer {
    pub(crate) fn seal(&self, text: &[u8]) -> hmac::Tag {
        hmac::sign(&self.0, text)
    }

    pub(crate) fn opens(&self, text: &[u8], seal: &[u8]) -> bool {
        hmac::verify(&self.0, text, seal).is_ok()
    }
}

/// The public half: raw point or SPKI DER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalPublicKey(Vec<u8>);

impl JournalPublicKey {
    /// A P-256 public key as SPKI DER (the body of a `PUBLIC KEY` PEM) or as an uncompressed point.
    #[must_use]
    pub fn from_der(der: &[u8]) -> Self {
        Self(der.to_vec())
    }

    pub(crate) fn verifies(&self, head: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.0)
            .verify(&pae(head), signature)
            .is_ok()
    }
}

/// DSSE's pre-authentication encoding.
fn pae(body: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {HEAD_TYPE} {} ", HEAD_TYPE.len(), body.len()).into_bytes();
    out.extend_from_slice(body);
    out
}

#[cfg(test)]
pub(crate) fn test_pkcs8() -> Vec<u8> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    pair.to_pkcs8v1().unwrap().as_ref().to_vec()
}

#[cfg(test)]
pub(crate) fn test_key() -> JournalKey {
    JournalKey::from_pkcs8(&test_pkcs8()).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_head_and_its_key_alone() {
        let (key, other) = (test_key(), test_key());
        let signature = key.sign(b"head").unwrap();
        assert!(key.public().verifies(b"head", &signature));
        assert!(!key.public().verifies(b"heat", &signature));
        assert!(!other.public().verifies(b"head", &signature));
    }

    #[test]
    fn the_public_key_may_come_as_spki_der() {
        use aws_lc_rs::encoding::AsDer;
        let key = test_key();
        let spki: encoding::PublicKeyX509Der<'_> = key.pair.public_key().as_der().unwrap();
        let signature = key.sign(b"head").unwrap();
        assert!(JournalPublicKey::from_der(spki.as_ref()).verifies(b"head", &signature));
        assert!(!JournalPublicKey::from_der(b"no key").verifies(b"head", &signature));
    }

    #[test]
    fn a_seal_opens_for_its_head_and_its_key_alone() {
        let (key, other) = (test_key(), test_key());
        let seal = key.seal(b"head");
        assert!(key.opens(b"head", seal.as_ref()));
        assert!(!key.opens(b"heat", seal.as_ref()));
        assert!(!other.opens(b"head", seal.as_ref()));
    }

    #[test]
    fn a_key_of_another_kind_is_refused() {
        assert_eq!(JournalKey::from_pkcs8(b"not a key").unwrap_err(), KeyError);
    }
}
