//! Signed documents of Soma: orders, lifts, snapshots, receipt exports. A DSSE envelope around
//! canonical JSON, of type `application/vnd.soma.KIND.v1+json`, with one or more signatures.
//!
//! This room proves who signed. What a document means, and how many signatures it needs, is
//! judged in soma-policy.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::{Deserialize, Serialize};
use soma_policy::{Code, Digest, Fingerprint};

use crate::component::bounded;
use crate::key::{KeyError, KeyPair, PublicKey};

/// Largest envelope, in bytes.
pub const ENVELOPE_BYTES_MAX: usize = 8 << 20;

/// Most signatures on one document.
pub const SIGNATURES_MAX: usize = 32;

/// Why a signed document is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DsseError {
    /// Not an envelope.
    #[error("this is not a signed document: {0}")]
    Malformed(String),
    /// Too large.
    #[error("the signed document has {size} bytes; at most {max} are accepted")]
    Oversize {
        /// Bytes given.
        size: usize,
        /// Bytes accepted.
        max: usize,
    },
    /// A document of another kind.
    #[error("the document is of type `{found}`, not `{expected}`")]
    OtherType {
        /// Type of the document.
        found: String,
        /// Type that was asked for.
        expected: String,
    },
    /// Of the signatures of known keys, none fits the document.
    #[error("the signature of `{0}` does not fit the document")]
    BadSignature(Fingerprint),
    /// No signature by a known key.
    #[error("the document carries no signature of a known key")]
    Unsigned,
    /// More signatures than are accepted.
    #[error("the document carries more than {SIGNATURES_MAX} signatures")]
    TooManySignatures,
    /// The payload is not canonical JSON of the expected shape.
    #[error("the document cannot be read: {0}")]
    Payload(String),
    /// The key cannot sign.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl DsseError {
    /// The stable code of this refusal.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Key(error) => error.code(),
            Self::BadSignature(_) | Self::Unsigned => Code::EnvelopeSignature,
            _ => Code::EnvelopeMalformed,
        }
    }
}

/// A document with its signatures. Nothing in it is proven yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    payload_type: String,
    payload: Vec<u8>,
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Signature {
    key_id: String,
    bytes: Vec<u8>,
}

/// A document whose signatures have been checked.
#[derive(Debug, PartialEq, Eq)]
pub struct VerifiedEnvelope {
    proven: Envelope,
    signers: Vec<Fingerprint>,
}

impl VerifiedEnvelope {
    /// The canonical bytes that were signed.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.proven.payload
    }

    /// The document with the signatures that were proven and no others: the form to keep and to
    /// merge, as what strangers add must not fill the places of signatures that count.
    #[must_use]
    pub fn proven(&self) -> &Envelope {
        &self.proven
    }

    /// Who signed: each known key once, in the order of the keys that were given.
    #[must_use]
    pub fn signers(&self) -> &[Fingerprint] {
        &self.signers
    }

    /// Reads the document. It must be in canonical form, so that one document has one digest.
    ///
    /// # Errors
    /// When it has another shape or another form.
    pub fn read<T: Serialize + for<'de> Deserialize<'de>>(&self) -> Result<T, DsseError> {
        let payload =
            |error: &dyn std::fmt::Display| DsseError::Payload(bounded(&error.to_string()));
        let document: T = serde_json::from_slice(self.payload()).map_err(|e| payload(&e))?;
        let canonical =
            soma_policy::canonical::to_vec(&document).map_err(|error| payload(&error))?;
        if canonical != self.payload() {
            return Err(DsseError::Payload("it is not in canonical form".into()));
        }
        Ok(document)
    }
}

/// The media type of Soma documents of that kind.
#[must_use]
pub fn payload_type(kind: &str) -> String {
    format!("application/vnd.soma.{kind}.v1+json")
}

/// Signs canonical bytes as a document of that kind.
///
/// # Errors
/// When a key cannot be used, or there are too many.
pub fn sign(kind: &str, payload: &[u8], keys: &[&KeyPair]) -> Result<Envelope, DsseError> {
    let mut envelope = Envelope {
        payload_type: payload_type(kind),
        payload: payload.to_vec(),
        signatures: Vec::new(),
    };
    keys.iter().try_for_each(|key| envelope.add_signature(key))?;
    Ok(envelope)
}

/// Signs a value in its canonical form.
///
/// # Errors
/// As [`sign`], and when the value has no canonical form.
pub fn sign_document<T: Serialize>(
    kind: &str,
    document: &T,
    keys: &[&KeyPair],
) -> Result<Envelope, DsseError> {
    let payload = soma_policy::canonical::to_vec(document)
        .map_err(|error| DsseError::Payload(error.to_string()))?;
    sign(kind, &payload, keys)
}

/// Finds out which of these keys signed, and that there is at least one.
///
/// Only signatures that fit count. One that does not is passed over, like one of an unknown key:
/// else whoever relays an order could stop it by adding rubbish.
///
/// # Errors
/// When the kind is another, or no signature of these keys fits.
pub fn verify(
    envelope: &Envelope,
    kind: &str,
    keys: &[PublicKey],
) -> Result<VerifiedEnvelope, DsseError> {
    let expected = payload_type(kind);
    if envelope.payload_type != expected {
        let found = bounded(&envelope.payload_type);
        return Err(DsseError::OtherType { found, expected });
    }
    let digest = envelope.signed_digest();
    let mut proven = Envelope { signatures: Vec::new(), ..envelope.clone() };
    let (mut signers, mut misfit) = (Vec::new(), None);
    for key in keys {
        let fingerprint = key.fingerprint();
        if signers.contains(&fingerprint) {
            continue;
        }
        let key_id = fingerprint.to_string();
        let own = || envelope.signatures.iter().filter(|signature| signature.key_id == key_id);
        match own().find(|signature| key.verifies(&digest, &signature.bytes)) {
            Some(fits) => {
                signers.push(fingerprint);
                proven.signatures.push(fits.clone());
            }
            None if own().next().is_some() => misfit = Some(fingerprint),
            None => {}
        }
    }
    match (signers.is_empty(), misfit) {
        (false, _) => Ok(VerifiedEnvelope { proven, signers }),
        (true, Some(key)) => Err(DsseError::BadSignature(key)),
        (true, None) => Err(DsseError::Unsigned),
    }
}

impl Envelope {
    /// Adds one more signature; signing twice with one key changes nothing.
    ///
    /// # Errors
    /// When the key cannot be used or the document carries the most signatures already.
    pub fn add_signature(&mut self, key: &KeyPair) -> Result<(), DsseError> {
        let key_id = key.public().fingerprint().to_string();
        if self.signatures.iter().any(|signature| signature.key_id == key_id) {
            return Ok(());
        }
        if self.signatures.len() >= SIGNATURES_MAX {
            return Err(DsseError::TooManySignatures);
        }
        let bytes = key.sign_digest(&self.signed_digest())?;
        self.signatures.push(Signature { key_id, bytes });
        Ok(())
    }

    /// Takes over the signatures of another copy of the same document.
    ///
    /// # Errors
    /// When the other one is another document, or there would be too many signatures.
    pub fn merge(&mut self, other: &Self) -> Result<(), DsseError> {
        if self.payload_type != other.payload_type || self.payload != other.payload {
            return Err(DsseError::Malformed("the two are different documents".into()));
        }
        for signature in &other.signatures {
            if self.signatures.contains(signature) {
                continue;
            }
            if self.signatures.len() >= SIGNATURES_MAX {
                return Err(DsseError::TooManySignatures);
            }
            self.signatures.push(signature.clone());
        }
        Ok(())
    }

    /// Reads an envelope.
    ///
    /// # Errors
    /// When the bytes are too many or not an envelope.
    pub fn from_json(bytes: &[u8]) -> Result<Self, DsseError> {
        Self::from_json_within(bytes, ENVELOPE_BYTES_MAX)
    }

    /// Reads an envelope that may have so many bytes: a snapshot is larger than any other document.
    ///
    /// # Errors
    /// As [`Envelope::from_json`].
    pub fn from_json_within(bytes: &[u8], max: usize) -> Result<Self, DsseError> {
        if bytes.len() > max {
            return Err(DsseError::Oversize { size: bytes.len(), max });
        }
        let malformed = |reason: &str| DsseError::Malformed(bounded(reason));
        let wire: Wire =
            serde_json::from_slice(bytes).map_err(|error| malformed(&error.to_string()))?;
        if wire.signatures.len() > SIGNATURES_MAX {
            return Err(DsseError::TooManySignatures);
        }
        let decode = |text: &str| {
            let bytes = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text));
            bytes.map_err(|_| malformed("a field is not base64"))
        };
        let signature =
            |wire: WireSignature| Ok(Signature { bytes: decode(&wire.sig)?, key_id: wire.key_id });
        let signatures: Result<Vec<_>, DsseError> =
            wire.signatures.into_iter().map(signature).collect();
        Ok(Self {
            payload: decode(&wire.payload)?,
            payload_type: wire.payload_type,
            signatures: signatures?,
        })
    }

    /// Writes the envelope.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let signature = |s: &Signature| serde_json::json!({"keyid": s.key_id, "sig": STANDARD.encode(&s.bytes)});
        let signatures: Vec<serde_json::Value> = self.signatures.iter().map(signature).collect();
        let wire = serde_json::json!({
            "payload": STANDARD.encode(&self.payload),
            "payloadType": self.payload_type,
            "signatures": signatures,
        });
        wire.to_string().into_bytes()
    }

    /// The document as it claims to be. Nobody has checked it: good for showing, not for deciding.
    #[must_use]
    pub fn unverified_payload(&self) -> &[u8] {
        &self.payload
    }

    /// The media type that the envelope claims.
    #[must_use]
    pub fn payload_type(&self) -> &str {
        &self.payload_type
    }

    /// The key ids that the signatures claim.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.signatures.iter().map(|signature| signature.key_id.as_str())
    }

    /// Digest of the pre-authentication encoding: type and payload with their lengths.
    fn signed_digest(&self) -> Digest {
        let bytes = sigstore_verify::types::pae(&self.payload_type, &self.payload);
        Digest::of(&bytes)
    }
}

#[derive(Deserialize)]
struct Wire {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<WireSignature>,
}

#[derive(Deserialize)]
struct WireSignature {
    #[serde(rename = "keyid", default)]
    key_id: String,
    sig: String,
}

#[cfg(test)]
mod tests;
