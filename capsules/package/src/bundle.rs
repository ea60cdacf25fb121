//! Signatures over whole files, as Sigstore bundles of version 0.3 that name a pinned key.
//!
//! `cosign sign-blob --key` writes what [`KeyedSignature::parse`] reads, and
//! `cosign verify-blob --key --insecure-ignore-tlog` accepts what [`sign_blob`] writes. This is
//! the *pinned key* mode: no certificate, no transparency log, no time. When a key is valid is
//! said by who pins it, not by the bundle. Certificates and attestations are refused by name
//! instead of being believed in part.

use serde_json::Value;
use sigstore_bundle::{BundleV03, VerificationMaterialV03};
use sigstore_verify::types::bundle::{
    MessageDigest, MessageSignature, SignatureContent, VerificationMaterialContent,
};
use sigstore_verify::types::{Bundle, HashAlgorithm, MediaType, Sha256Hash, SignatureBytes};
use soma_policy::{Code, Digest};

use crate::component::bounded;
use crate::key::{KeyError, KeyPair};

/// Media type of a bundle, also as an OCI artifact.
pub const BUNDLE_MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// Largest bundle, in bytes. A keyed one has about 500.
pub const BUNDLE_BYTES_MAX: usize = 64 << 10;

/// Longest signature and hint, in bytes. An ECDSA P-256 signature has at most 72.
const FIELD_BYTES_MAX: usize = 512;

/// Why a bundle is refused before any key is asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// There is none.
    #[error("there is no signature")]
    Missing,
    /// Too large.
    #[error("the bundle has {size} bytes; at most {max} are accepted")]
    Oversize {
        /// Bytes given.
        size: usize,
        /// Bytes accepted.
        max: usize,
    },
    /// Not a bundle.
    #[error("this is not a Sigstore bundle: {0}")]
    Malformed(String),
    /// Another version of the format.
    #[error("the bundle is of type `{0}`; only version 0.3 is accepted")]
    OtherVersion(String),
    /// Signed with a certificate.
    #[error("the bundle is signed with a certificate, not with a pinned key")]
    Certificate,
    /// An attestation instead of a signature over the file.
    #[error("the bundle holds an attestation, not a signature over the file")]
    Attestation,
    /// The digest is of another kind.
    #[error("the bundle names a digest that is not SHA-256")]
    OtherDigest,
}

impl BundleError {
    /// The stable code of this refusal.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Missing => Code::BundleMissing,
            _ => Code::BundleMalformed,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Certificate => "sign with a key: `soma capsule sign FILE --key NAME`",
            Self::Attestation => "give the bundle of `soma capsule sign` or `cosign sign-blob`",
            _ => "sign again: `soma capsule sign FILE --key NAME`",
        }
    }
}

/// A signature by some key over the SHA-256 digest of a file. Nothing in it is proven yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedSignature {
    /// Which key it claims: base64 SHA-256 of the SPKI. Only good for finding a pinned key.
    pub hint: String,
    /// Which digest it claims to sign.
    pub digest: Digest,
    /// The ASN.1 signature.
    pub signature: Vec<u8>,
}

/// Signs a file by its digest and returns the bundle to lay beside it.
///
/// # Errors
/// When the key cannot be used.
pub fn sign_blob(digest: &Digest, key: &KeyPair) -> Result<Vec<u8>, KeyError> {
    let signature = SignatureBytes::new(key.sign_digest(digest)?);
    let hash = Sha256Hash::new(*digest.as_bytes());
    let stated = MessageDigest::new(HashAlgorithm::Sha2256, hash.into());
    let message = MessageSignature::new(signature).with_message_digest(stated);
    let material = VerificationMaterialV03::PublicKey { hint: key.public().hint() };
    let bundle = BundleV03::new(material, SignatureContent::MessageSignature(message));
    let json = bundle.into_bundle().to_json().map_err(|_| KeyError::Failed("written"))?;
    Ok(json.into_bytes())
}

impl KeyedSignature {
    /// Reads a bundle.
    ///
    /// # Errors
    /// When it is not a version 0.3 bundle of one signature by a key over a SHA-256 digest.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        let value = read(bytes)?;
        refuse_other_forms(&value)?;
        let bundle = Bundle::from_json(&value.to_string())
            .map_err(|error| BundleError::Malformed(bounded(&error.to_string())))?;
        if bundle.media_type != MediaType::Bundle0_3 {
            return Err(BundleError::OtherVersion(bundle.media_type.to_string()));
        }
        let VerificationMaterialContent::PublicKey(id) = bundle.verification_material.content
        else {
            return Err(BundleError::Certificate);
        };
        let SignatureContent::MessageSignature(message) = bundle.content else {
            return Err(BundleError::Attestation);
        };
        Self::of(id.hint, message)
    }

    fn of(hint: String, message: MessageSignature) -> Result<Self, BundleError> {
        let stated = message
            .message_digest
            .ok_or_else(|| BundleError::Malformed("it does not state a digest".into()))?;
        if stated.algorithm != HashAlgorithm::Sha2256 {
            return Err(BundleError::OtherDigest);
        }
        let digest: [u8; 32] =
            stated.digest.as_bytes().try_into().map_err(|_| BundleError::OtherDigest)?;
        let signature = message.signature.into_bytes();
        if hint.len() > FIELD_BYTES_MAX || signature.len() > FIELD_BYTES_MAX {
            return Err(BundleError::Malformed("a field is too long".into()));
        }
        Ok(Self { hint, digest: Digest::from_bytes(digest), signature })
    }
}

fn read(bytes: &[u8]) -> Result<Value, BundleError> {
    if bytes.is_empty() {
        return Err(BundleError::Missing);
    }
    if bytes.len() > BUNDLE_BYTES_MAX {
        return Err(BundleError::Oversize { size: bytes.len(), max: BUNDLE_BYTES_MAX });
    }
    serde_json::from_slice(bytes)
        .map_err(|error| BundleError::Malformed(bounded(&error.to_string())))
}

/// The reader takes the first form it finds and overlooks a second one, so a bundle that is two
/// things at once is refused here.
fn refuse_other_forms(value: &Value) -> Result<(), BundleError> {
    let media_type = value.get("mediaType").and_then(Value::as_str).unwrap_or("none");
    if media_type != BUNDLE_MEDIA_TYPE {
        return Err(BundleError::OtherVersion(bounded(media_type)));
    }
    let material = value.get("verificationMaterial");
    let has = |name: &str| material.is_some_and(|material| material.get(name).is_some());
    if has("certificate") || has("x509CertificateChain") {
        return Err(BundleError::Certificate);
    }
    if value.get("dsseEnvelope").is_some() {
        return Err(BundleError::Attestation);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
