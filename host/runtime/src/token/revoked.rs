//! Tokens that were taken back: `trust/revoked.json`, by the token's own name (`jti`).
//!
//! An entry is kept until no token of that name can be alive any more, so the list is bounded by what an hour
//! of tokens can need. A file that does not parse leaves the list before it in force.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use soma_policy::{Timestamp, TokenId};

use super::{LEEWAY_SECONDS, LIFE_SECONDS_MAX, TokenError};
use crate::home::{read_if_there, write_private};

/// Most tokens in the list.
pub const REVOKED_MAX: usize = 10_000;
const BYTES_MAX: u64 = 1024 * 1024;

/// The list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revoked {
    /// Until when (seconds) an entry is needed.
    tokens: BTreeMap<TokenId, u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: u32,
    tokens: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    jti: TokenId,
    until: u64,
}

impl Revoked {
    /// Reads the list; nothing is revoked if there is no file.
    ///
    /// # Errors
    /// When the file cannot be read or is no such list.
    pub fn load(path: &Path, now: Timestamp) -> Result<Self, TokenError> {
        let refused = |what: String| TokenError::Revocations { path: path.to_owned(), what };
        let bytes = read_if_there(path, BYTES_MAX).map_err(|e| refused(e.to_string()))?;
        let Some(bytes) = bytes else { return Ok(Self::default()) };
        let file: File = serde_json::from_slice(&bytes).map_err(|e| refused(e.to_string()))?;
        if file.schema != 1 {
            return Err(refused(format!("schema {} is not known, write 1", file.schema)));
        }
        if file.tokens.len() > REVOKED_MAX {
            return Err(refused(format!("more than {REVOKED_MAX} tokens")));
        }
        let tokens = file.tokens.into_iter().map(|entry| (entry.jti, entry.until));
        let mut list = Self { tokens: tokens.collect() };
        list.tokens.retain(|_, until| *until > now.0 / 1000);
        Ok(list)
    }

    /// Takes a token back; false if it was already. Whatever it says, it expires within the longest life.
    ///
    /// # Errors
    /// When the list is full.
    pub fn add(&mut self, jti: TokenId, now: Timestamp) -> Result<bool, TokenError> {
        if self.tokens.len() >= REVOKED_MAX && !self.contains(&jti) {
            return Err(TokenError::RevocationsFull);
        }
        // It may have been minted by a clock that runs ahead, and is forgiven as much at its end.
        let until = now.0 / 1000 + LIFE_SECONDS_MAX + 2 * LEEWAY_SECONDS;
        Ok(self.tokens.insert(jti, until).is_none())
    }

    /// Writes the list, whole.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), TokenError> {
        let refused = |what: String| TokenError::Revocations { path: path.to_owned(), what };
        let entries = self.tokens.iter().map(|(jti, until)| Entry { jti: *jti, until: *until });
        let file = File { schema: 1, tokens: entries.collect() };
        let mut bytes = serde_json::to_vec_pretty(&file).map_err(|e| refused(e.to_string()))?;
        bytes.push(b'\n');
        write_private(path, &bytes).map_err(|e| refused(e.to_string()))
    }

    /// Whether a token was taken back.
    #[must_use]
    pub fn contains(&self, jti: &TokenId) -> bool {
        self.tokens.contains_key(jti)
    }

    /// Each of them, with the time (seconds) until which it stays in the list.
    pub fn entries(&self) -> impl Iterator<Item = (TokenId, u64)> {
        self.tokens.iter().map(|(jti, until)| (*jti, *until))
    }

    /// Those that an older list does not hold.
    #[must_use]
    pub fn since(&self, older: &Self) -> Vec<TokenId> {
        self.tokens.keys().filter(|jti| !older.contains(jti)).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn jti(n: u128) -> TokenId {
        TokenId::from_u128(n)
    }

    #[test]
    fn a_list_reads_as_it_was_written_and_forgets_what_no_token_needs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("revoked.json");
        assert_eq!(Revoked::load(&path, NOW).unwrap(), Revoked::default());
        let mut list = Revoked::default();
        assert!(list.add(jti(1), NOW).unwrap());
        assert!(!list.add(jti(1), NOW).unwrap());
        list.write(&path).unwrap();
        assert_eq!(Revoked::load(&path, NOW).unwrap(), list);
        // The longest token that may exist now is dead by then, forgiven seconds and all.
        let after = |seconds: u64| Timestamp(NOW.0 + seconds * 1000);
        assert!(Revoked::load(&path, after(3600 + 59)).unwrap().contains(&jti(1)));
        assert!(!Revoked::load(&path, after(3600 + 60)).unwrap().contains(&jti(1)));
    }

    #[test]
    fn the_list_is_bounded_and_says_so() {
        let mut list = Revoked::default();
        for n in 0..REVOKED_MAX as u128 {
            list.add(jti(n), NOW).unwrap();
        }
        assert_eq!(list.add(jti(u128::MAX), NOW), Err(TokenError::RevocationsFull));
        assert_eq!(list.add(jti(0), NOW), Ok(false));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("revoked.json");
        list.write(&path).unwrap();
        assert_eq!(Revoked::load(&path, NOW).unwrap(), list, "a full list is within the bytes");
    }

    #[test]
    fn what_is_no_such_list_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("revoked.json");
        for bad in ["", "[]", "{\"schema\":2,\"tokens\":[]}", "{\"schema\":1,\"tokens\":[\"x\"]}"] {
            std::fs::write(&path, bad).unwrap();
            let refused = Revoked::load(&path, NOW).unwrap_err();
            assert!(refused.to_string().contains("revoked.json"), "{refused}");
        }
    }
}
