//! Secrets that the server makes: codes and keys of 256 random bits, shown once, kept as hashes.
//!
//! They are long and random, so a plain SHA-256 is their hash: there is nothing to guess.

use std::fmt;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use soma_policy::{Digest, KeyId};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A secret on its way to its holder. Nothing prints it by accident.
#[derive(Clone)]
pub(crate) struct SecretText(Zeroizing<String>);

impl SecretText {
    /// A new one. None if the system has no randomness to give.
    pub(crate) fn draw() -> Option<Self> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        rand::fill(bytes.as_mut_slice()).ok()?;
        Some(Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()))))
    }

    /// A short one that people type: 80 bits in five groups.
    pub(crate) fn draw_short() -> Option<Self> {
        const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let mut bytes = Zeroizing::new([0u8; 16]);
        rand::fill(bytes.as_mut_slice()).ok()?;
        let mut text = Zeroizing::new(String::with_capacity(19));
        for (index, byte) in bytes.iter().enumerate() {
            if index > 0 && index % 4 == 0 {
                text.push('-');
            }
            text.push(char::from(ALPHABET.get(usize::from(byte & 31)).copied().unwrap_or(b'0')));
        }
        Some(Self(text))
    }

    /// The secret itself: for the answer that shows it once.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn hash(&self) -> String {
        secret_hash(&self.0)
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(..)")
    }
}

/// The hash under which a secret is kept.
pub(crate) fn secret_hash(text: &str) -> String {
    Digest::of(text.as_bytes()).to_string()
}

/// Compares without telling where two texts differ.
pub(crate) fn same_secret(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

/// An API key as its holder has it: `soma_ID_SECRET`.
#[derive(Debug)]
pub(crate) struct ApiKeyText {
    pub(crate) id: KeyId,
    secret: SecretText,
}

impl ApiKeyText {
    pub(crate) fn new(id: KeyId, secret: SecretText) -> Self {
        Self { id, secret }
    }

    /// Reads one; none if it has another form.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix("soma_")?.split_once('_')?;
        let sound = secret.len() == 43
            && secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        let secret = SecretText(Zeroizing::new(secret.to_owned()));
        sound.then_some(Self { id: id.parse().ok()?, secret })
    }

    pub(crate) fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("soma_{}_{}", self.id, self.secret.expose()))
    }

    pub(crate) fn hash(&self) -> String {
        self.secret.hash()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_as_it_was_shown_and_other_texts_do_not() {
        let key = ApiKeyText::new(KeyId::from_u128(7), SecretText::draw().unwrap());
        let read = ApiKeyText::parse(&key.expose()).unwrap();
        assert_eq!((read.id, read.hash()), (key.id, key.hash()));
        let shown = key.expose();
        for bad in [
            "",
            "soma_",
            "soma__x",
            &shown[1..],
            &shown[..shown.len() - 1],
            &format!("{}x", *shown),
        ] {
            assert!(ApiKeyText::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn secrets_differ_and_are_not_printed() {
        let (a, b) = (SecretText::draw().unwrap(), SecretText::draw().unwrap());
        assert_ne!(a.expose(), b.expose());
        assert!(!format!("{a:?}").contains(a.expose()));
        let short = SecretText::draw_short().unwrap();
        assert_eq!(short.expose().len(), 19);
        assert!(same_secret("a", "a") && !same_secret("a", "b") && !same_secret("a", "aa"));
    }
}
