//! Sealing of what must rest in the database but never be read there: AES-256-GCM under a key that
//! lies outside of it. What is sealed for one purpose does not open for another.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

const NONCE_BYTES: usize = 12;
const VERSION: &str = "v1.";

/// It could not be sealed, or is not what was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed value does not open with this key")]
pub(crate) struct SealError;

/// Seals and opens.
pub(crate) struct Sealer {
    key: RandomizedNonceKey,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(..)")
    }
}

impl Sealer {
    pub(crate) fn new(key: &[u8; 32]) -> Result<Self, SealError> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, key).map_err(|_| SealError)?;
        Ok(Self { key })
    }

    /// Seals for a purpose such as `totp/ID`.
    pub(crate) fn seal(&self, purpose: &str, secret: &[u8]) -> Result<String, SealError> {
        let mut sealed = secret.to_vec();
        let aad = Aad::from(purpose.as_bytes());
        let nonce = self.key.seal_in_place_append_tag(aad, &mut sealed).map_err(|_| SealError)?;
        let mut whole = nonce.as_ref().to_vec();
        whole.append(&mut sealed);
        Ok(format!("{VERSION}{}", STANDARD_NO_PAD.encode(whole)))
    }

    /// Opens what was sealed for the same purpose.
    pub(crate) fn open(
        &self,
        purpose: &str,
        sealed: &str,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let text = sealed.strip_prefix(VERSION).ok_or(SealError)?;
        let whole = STANDARD_NO_PAD.decode(text).map_err(|_| SealError)?;
        let (nonce, body) = whole.split_at_checked(NONCE_BYTES).ok_or(SealError)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError)?;
        let mut body = Zeroizing::new(body.to_vec());
        let aad = Aad::from(purpose.as_bytes());
        let plain = self.key.open_in_place(nonce, aad, &mut body).map_err(|_| SealError)?;
        Ok(Zeroizing::new(plain.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_for_its_purpose_and_key_alone() {
        let sealer = Sealer::new(&[7; 32]).unwrap();
        let sealed = sealer.seal("totp/a", b"secret").unwrap();
        assert_eq!(&**sealer.open("totp/a", &sealed).unwrap(), b"secret");
        assert!(!sealed.contains("secret"));
        assert_ne!(sealed, sealer.seal("totp/a", b"secret").unwrap());
        assert!(sealer.open("totp/b", &sealed).is_err());
        assert!(Sealer::new(&[8; 32]).unwrap().open("totp/a", &sealed).is_err());
        for bad in ["", "v1.", "v1.AAAA", "v2.AAAA", &sealed[..sealed.len() - 2]] {
            assert!(sealer.open("totp/a", bad).is_err(), "{bad}");
        }
    }
}
