//! What must never lie open in an archive: keys, and every file that is not known to be harmless.
//!
//! One box under a passphrase: argon2id, then AES-256-GCM. What it costs to try a passphrase stands in the
//! box, is bound to it, and is bounded when it is read.

use std::collections::BTreeMap;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::bound::{Inside, SEALED_BYTES_MAX};
use super::error::ContinuityError;
use crate::identity::PasswordCost;

/// Shortest passphrase.
pub(super) const PASSPHRASE_CHARS_MIN: usize = 12;
/// What opening a box may cost, whatever it asks for.
const MEMORY_KIB_MAX: u32 = 1 << 20;
const PASSES_MAX: u32 = 16;
const THREADS_MAX: usize = 16;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;

/// Files by their paths.
pub(super) type Files = BTreeMap<String, Zeroizing<Vec<u8>>>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealedBox {
    form: u32,
    memory_kib: u32,
    passes: u32,
    threads: usize,
    salt: String,
    nonce: String,
    sealed: String,
}

impl SealedBox {
    /// What is bound to the content.
    fn label(&self) -> String {
        let Self { form, memory_kib, passes, threads, salt, .. } = self;
        format!("soma-backup-keys/{form}/{memory_kib}/{passes}/{threads}/{salt}")
    }

    fn key(&self, passphrase: &[u8]) -> Result<RandomizedNonceKey, ContinuityError> {
        let salt = STANDARD.decode(&self.salt).map_err(|_| damaged())?;
        let fits = self.form == 1
            && (8..=MEMORY_KIB_MAX).contains(&self.memory_kib)
            && (1..=PASSES_MAX).contains(&self.passes)
            && (1..=THREADS_MAX).contains(&self.threads)
            && salt.len() == SALT_BYTES;
        if !fits {
            return Err(damaged());
        }
        let threads = u32::try_from(self.threads).unwrap_or(1);
        let params = Params::new(self.memory_kib, self.passes, threads, Some(32));
        let params = params.map_err(|_| damaged())?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut key = Zeroizing::new([0u8; 32]);
        argon.hash_password_into(passphrase, &salt, &mut *key).map_err(|_| damaged())?;
        RandomizedNonceKey::new(&AES_256_GCM, &*key).map_err(|_| damaged())
    }
}

fn damaged() -> ContinuityError {
    ContinuityError::bad("what is sealed in it has another form")
}

/// Seals files under a passphrase.
pub(super) fn seal(
    files: &Files,
    passphrase: &[u8],
    cost: PasswordCost,
) -> Result<Vec<u8>, ContinuityError> {
    strong(passphrase)?;
    let total: usize = files.values().map(|file| file.len()).sum();
    if total as u64 > SEALED_BYTES_MAX / 2 {
        let what = format!("needs {total} bytes sealed, too many for keys: what else lies there?");
        return Err(ContinuityError::Unfit { path: "keys".to_owned(), what });
    }
    let encoded: BTreeMap<&str, Zeroizing<String>> = files
        .iter()
        .map(|(path, file)| (path.as_str(), Zeroizing::new(STANDARD.encode(file.as_slice()))))
        .collect();
    let plain: BTreeMap<&str, &str> =
        encoded.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let mut sealed = Zeroizing::new(serde_json::to_vec(&plain).map_err(|_| damaged())?);
    let mut salt = [0u8; SALT_BYTES];
    rand::fill(&mut salt).map_err(|_| ContinuityError::bad("the system has no randomness"))?;
    let mut it = SealedBox {
        form: 1,
        memory_kib: cost.memory_kib,
        passes: cost.passes,
        threads: cost.threads,
        salt: STANDARD.encode(salt),
        nonce: String::new(),
        sealed: String::new(),
    };
    let (key, label) = (it.key(passphrase)?, it.label());
    let nonce = key.seal_in_place_append_tag(Aad::from(label.as_bytes()), &mut *sealed);
    it.nonce = STANDARD.encode(nonce.map_err(|_| damaged())?.as_ref());
    it.sealed = STANDARD.encode(sealed.as_slice());
    serde_json::to_vec(&it).map_err(|_| damaged())
}

/// Opens what was sealed under the same passphrase.
pub(super) fn open(sealed: &[u8], passphrase: &[u8]) -> Result<Files, ContinuityError> {
    let it: SealedBox = serde_json::from_slice(sealed).map_err(|_| damaged())?;
    let key = it.key(passphrase)?;
    let nonce = STANDARD.decode(&it.nonce).map_err(|_| damaged())?;
    let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| damaged())?;
    let mut body = Zeroizing::new(STANDARD.decode(&it.sealed).map_err(|_| damaged())?);
    let aad = Aad::from(it.label());
    let plain = key.open_in_place(Nonce::assume_unique_for_key(nonce), aad, &mut body);
    let plain = plain.map_err(|_| ContinuityError::Passphrase)?;
    let listed: BTreeMap<String, String> = serde_json::from_slice(plain).map_err(|_| damaged())?;
    let mut files = Files::new();
    for (path, text) in listed {
        let text = Zeroizing::new(text);
        let path = Inside::parse(&path)?.as_str().to_owned();
        let file = STANDARD.decode(text.as_bytes()).map_err(|_| damaged())?;
        files.insert(path, Zeroizing::new(file));
    }
    Ok(files)
}

pub(super) fn strong(passphrase: &[u8]) -> Result<(), ContinuityError> {
    let chars = String::from_utf8_lossy(passphrase).chars().count();
    if chars >= PASSPHRASE_CHARS_MIN {
        return Ok(());
    }
    Err(ContinuityError::WeakPassphrase(PASSPHRASE_CHARS_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COST: PasswordCost = PasswordCost { memory_kib: 64, passes: 1, threads: 1 };
    const WORDS: &[u8] = b"correct horse battery";

    fn files() -> Files {
        Files::from([("keys/root.key".to_owned(), Zeroizing::new(b"-----SECRET".to_vec()))])
    }

    #[test]
    fn what_is_sealed_opens_with_its_passphrase_alone_and_shows_nothing() {
        let sealed = seal(&files(), WORDS, COST).unwrap();
        assert_eq!(open(&sealed, WORDS).unwrap(), files());
        let text = String::from_utf8(sealed.clone()).unwrap();
        assert!(!text.contains("root") && !text.contains(&STANDARD.encode("-----SECRET")));
        assert!(matches!(
            open(&sealed, b"correct horse batterx"),
            Err(ContinuityError::Passphrase)
        ));
        assert_ne!(seal(&files(), WORDS, COST).unwrap(), sealed, "a salt of its own");
    }

    #[test]
    fn a_short_passphrase_seals_nothing() {
        assert!(matches!(
            seal(&files(), b"elevenchars", COST),
            Err(ContinuityError::WeakPassphrase(12))
        ));
    }

    #[test]
    fn every_part_of_the_box_is_bound_to_its_content() {
        let sealed = seal(&files(), WORDS, COST).unwrap();
        let whole: serde_json::Value = serde_json::from_slice(&sealed).unwrap();
        for (field, other) in [
            ("passes", serde_json::json!(2)),
            ("salt", serde_json::json!(STANDARD.encode([7u8; 16]))),
            ("nonce", serde_json::json!(STANDARD.encode([7u8; 12]))),
            ("sealed", serde_json::json!(STANDARD.encode([7u8; 64]))),
        ] {
            let mut it = whole.clone();
            it[field] = other;
            let text = serde_json::to_vec(&it).unwrap();
            assert!(matches!(open(&text, WORDS), Err(ContinuityError::Passphrase)), "{field}");
        }
        for (field, other) in [
            ("memory_kib", serde_json::json!(u32::MAX)),
            ("passes", serde_json::json!(1_000_000)),
            ("threads", serde_json::json!(0)),
            ("form", serde_json::json!(2)),
            ("salt", serde_json::json!("")),
        ] {
            let mut it = whole.clone();
            it[field] = other;
            let text = serde_json::to_vec(&it).unwrap();
            assert!(matches!(open(&text, WORDS), Err(ContinuityError::Bad(_))), "{field}");
        }
    }
}
