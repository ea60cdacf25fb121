//! Sealing: AES-256-GCM under the home's sealing key, bound to the place where the bytes belong.
//!
//! A sealed file moved to another name, tenant or environment does not open.

use std::fmt;
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, RandomizedNonceKey};
use zeroize::Zeroizing;

use super::{HomeError, file};

/// First byte of a sealed file.
const VERSION: u8 = 1;

/// The key that secrets are sealed with.
pub struct SealingKey {
    key: RandomizedNonceKey,
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(..)")
    }
}

impl SealingKey {
    /// Reads the key; a key that others can read is refused.
    pub(crate) fn load(path: &Path) -> Result<Self, HomeError> {
        file::refuse_shared(path)?;
        let bytes = Zeroizing::new(file::read_bounded(path, 32)?);
        let key = RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| HomeError::Key {
            path: path.to_owned(),
            what: "a sealing key has 32 bytes".to_owned(),
        })?;
        Ok(Self { key })
    }

    /// Seals `plain` for the place `bound_to`.
    pub(crate) fn seal(&self, bound_to: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        // Room for the tag from the start: growing would leave a copy of the plain bytes behind.
        let mut body = Zeroizing::new(Vec::with_capacity(plain.len() + AES_256_GCM.tag_len()));
        body.extend_from_slice(plain);
        let nonce = self.key.seal_in_place_append_tag(Aad::from(bound_to), &mut *body).ok()?;
        let mut sealed = vec![VERSION];
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&body);
        Some(sealed)
    }

    /// Opens what was sealed for the place `bound_to`; `None` if a byte differs.
    pub(crate) fn open(&self, bound_to: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (&version, rest) = sealed.split_first()?;
        if version != VERSION {
            return None;
        }
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>()?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = self
            .key
            .open_in_place(nonce.into(), Aad::from(bound_to), body.as_mut_slice())
            .ok()?
            .len();
        body.truncate(length);
        Some(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SealingKey {
        SealingKey { key: RandomizedNonceKey::new(&AES_256_GCM, &[byte; 32]).unwrap() }
    }

    #[test]
    fn what_was_sealed_opens_at_its_place_only() {
        let sealed = key(7).seal(b"local/production/a", b"value").unwrap();
        assert_eq!(*key(7).open(b"local/production/a", &sealed).unwrap(), b"value");
        assert!(key(7).open(b"local/production/b", &sealed).is_none());
        assert!(key(8).open(b"local/production/a", &sealed).is_none());
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let sealed = key(7).seal(b"x", b"value").unwrap();
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert!(key(7).open(b"x", &bad).is_none(), "byte {at}");
            assert!(key(7).open(b"x", &sealed[..at]).is_none(), "cut at {at}");
        }
    }

    #[test]
    fn two_seals_of_one_value_differ() {
        assert_ne!(key(7).seal(b"x", b"value"), key(7).seal(b"x", b"value"));
    }

    #[test]
    fn debug_tells_nothing() {
        assert_eq!(format!("{:?}", key(7)), "SealingKey(..)");
    }
}
