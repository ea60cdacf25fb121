//! SHA-256 identities: of content (`sha256:<hex>`) and of public keys (`SHA256:<base64>`).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::Digest as _;

use super::IdError;
use crate::text::string_form;

/// The SHA-256 of some content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest before the first entry of every chain.
    pub const ZERO: Self = Self([0; 32]);

    /// The digest of these bytes.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Self(sha2::Sha256::digest(content).into())
    }

    /// From the 32 bytes themselves.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 hexadecimal characters, without the algorithm.
    #[must_use]
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// The first 12 hexadecimal characters, for people only.
    #[must_use]
    pub fn short(&self) -> String {
        self.hex().chars().take(12).collect()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0u8; 64];
        match hex::encode_to_slice(self.0, &mut text) {
            Ok(()) => write!(f, "sha256:{}", std::str::from_utf8(&text).unwrap_or_default()),
            Err(_) => Err(fmt::Error),
        }
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let fail = |rule| IdError::new("a digest", text, rule);
        let hex = text.strip_prefix("sha256:").ok_or_else(|| fail("it starts with `sha256:`"))?;
        if hex.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(fail("its hexadecimal digits are lower case"));
        }
        let mut bytes = [0u8; 32];
        hex::decode_to_slice(hex, &mut bytes)
            .map_err(|_| fail("`sha256:` is followed by 64 hexadecimal digits"))?;
        Ok(Self(bytes))
    }
}

string_form!(Digest, "Digest", "sha256:<64 hexadecimal digits>");

/// The SHA-256 of a public key's DER SubjectPublicKeyInfo.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of this SubjectPublicKeyInfo.
    #[must_use]
    pub fn of_spki(der: &[u8]) -> Self {
        Self(sha2::Sha256::digest(der).into())
    }

    /// From the 32 bytes themselves.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key hint of a Sigstore bundle: padded base64, as cosign writes it.
    #[must_use]
    pub fn hint(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// From the key hint of a Sigstore bundle.
    ///
    /// # Errors
    /// When the hint is not the padded base64 of 32 bytes.
    pub fn from_hint(hint: &str) -> Result<Self, IdError> {
        let fail = || IdError::new("a key hint", hint, "it is the base64 of 32 bytes");
        let bytes = STANDARD.decode(hint).map_err(|_| fail())?;
        Ok(Self(bytes.try_into().map_err(|_| fail())?))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SHA256:{}", STANDARD_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let fail = || {
            IdError::new("a key fingerprint", text, "it is `SHA256:` and 43 characters of base64")
        };
        let base64 = text.strip_prefix("SHA256:").ok_or_else(fail)?;
        let bytes = STANDARD_NO_PAD.decode(base64).map_err(|_| fail())?;
        Ok(Self(bytes.try_into().map_err(|_| fail())?))
    }
}

string_form!(Fingerprint, "Fingerprint", "SHA256:<base64 of the key's SHA-256>");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_round_trips_and_refuses_other_forms() {
        let digest = Digest::of(b"abc");
        assert_eq!(
            digest.to_string(),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(digest.short(), "ba7816bf8f01");
        for bad in ["", "sha256:", "sha256:00", &digest.hex(), &digest.to_string().to_uppercase()] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
        let upper = format!("sha256:{}", digest.hex().to_uppercase());
        assert!(upper.parse::<Digest>().unwrap_err().to_string().contains("lower case"));
    }

    #[test]
    fn a_fingerprint_round_trips_as_text_and_as_hint() {
        let print = Fingerprint::of_spki(b"key");
        assert_eq!(print.to_string().parse(), Ok(print));
        assert_eq!(Fingerprint::from_hint(&print.hint()), Ok(print));
        assert!("SHA256:abc".parse::<Fingerprint>().is_err());
        assert!("MD5:abc".parse::<Fingerprint>().is_err());
        assert!(Fingerprint::from_hint("abc").is_err());
        assert!(Fingerprint::from_hint("YWJj").is_err());
    }

    #[test]
    fn serde_uses_the_text() {
        let digest = Digest::of(b"");
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
        assert!(serde_json::from_str::<Digest>("7").is_err());
    }
}
