//! Passwords: what makes one good enough, and argon2id over a bounded number of threads.
//!
//! Hashing is slow on purpose. So that logins cannot starve everything else, a fixed number runs at
//! a time, a bounded number waits, and who comes beyond is told to come later.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// Shortest password, in characters.
const LENGTH_MIN: usize = 12;
/// Longest password, in bytes.
const LENGTH_MAX: usize = 256;
/// Who may wait for a thread.
const WAITING_MAX: usize = 64;

/// What a hash costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Hashes at one time.
    pub threads: usize,
}

impl Default for PasswordCost {
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2, threads: 2 }
    }
}

/// Why a password was not taken or judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PasswordError {
    /// It breaks a rule.
    #[error("{0}")]
    Weak(&'static str),
    /// Too many at once.
    #[error("too many logins at once")]
    Busy,
    /// Hashing failed.
    #[error("the password could not be hashed")]
    Failed,
}

/// A password as somebody sent it: wiped when it is dropped, printed by nothing.
#[derive(Default)]
pub(crate) struct GivenPassword(Zeroizing<String>);

impl GivenPassword {
    pub(crate) fn take(self) -> Zeroizing<String> {
        self.0
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for GivenPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GivenPassword(..)")
    }
}

impl<'de> serde::Deserialize<'de> for GivenPassword {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

/// Whether a new password is good enough. Length is what counts; composition rules are not.
pub(crate) fn judge_password(password: &str, login: &str) -> Result<(), PasswordError> {
    let first = password.chars().next();
    if password.chars().count() < LENGTH_MIN {
        return Err(PasswordError::Weak("a password has at least 12 characters"));
    }
    if password.len() > LENGTH_MAX {
        return Err(PasswordError::Weak("a password has at most 256 bytes"));
    }
    if password.chars().all(|c| Some(c) == first) {
        return Err(PasswordError::Weak("a password is more than one character repeated"));
    }
    if !login.is_empty() && password.to_lowercase().contains(&login.to_lowercase()) {
        return Err(PasswordError::Weak("a password does not hold the login name"));
    }
    Ok(())
}

/// Hashes and verifies.
#[derive(Debug)]
pub(crate) struct Passwords {
    argon: Argon2<'static>,
    working: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// What is verified where there is nothing: an unknown login takes as long as a known one.
    nobody: String,
}

impl Passwords {
    pub(crate) fn new(cost: PasswordCost) -> Result<Self, PasswordError> {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None);
        let params = params.map_err(|_| PasswordError::Failed)?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobody = hash(&argon, b"nobody has this password")?;
        let working = Arc::new(Semaphore::new(cost.threads.max(1)));
        Ok(Self { argon, working, waiting: Arc::new(Semaphore::new(WAITING_MAX)), nobody })
    }

    /// The hash of a new password.
    pub(crate) async fn hash(&self, password: Zeroizing<String>) -> Result<String, PasswordError> {
        let argon = self.argon.clone();
        self.on_a_thread(move || hash(&argon, password.as_bytes())).await?
    }

    /// Whether it is the password of this hash; where there is no hash, never, after the same time.
    pub(crate) async fn verify(
        &self,
        known: Option<String>,
        password: Zeroizing<String>,
    ) -> Result<bool, PasswordError> {
        let (argon, exists) = (self.argon.clone(), known.is_some());
        let hash = known.unwrap_or_else(|| self.nobody.clone());
        let right = move || {
            let hash = PasswordHash::new(&hash).map_err(|_| PasswordError::Failed)?;
            Ok(argon.verify_password(password.as_bytes(), &hash).is_ok())
        };
        Ok(self.on_a_thread(right).await?? && exists)
    }

    async fn on_a_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let waiting = self.waiting.clone().try_acquire_owned().map_err(|_| PasswordError::Busy)?;
        let working = self.working.clone().acquire_owned().await;
        let working = working.map_err(|_| PasswordError::Busy)?;
        drop(waiting);
        let done = tokio::task::spawn_blocking(move || {
            // Held by the thread: a client that goes away does not make room for another one.
            let _working = working;
            work()
        });
        done.await.map_err(|_| PasswordError::Failed)
    }
}

fn hash(argon: &Argon2<'_>, password: &[u8]) -> Result<String, PasswordError> {
    let hash = argon.hash_password(password).map_err(|_| PasswordError::Failed)?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cheap(threads: usize) -> Passwords {
        Passwords::new(PasswordCost { memory_kib: 64, passes: 1, threads }).unwrap()
    }

    fn text(password: &str) -> Zeroizing<String> {
        Zeroizing::new(password.to_owned())
    }

    #[tokio::test]
    async fn a_hash_is_argon2id_and_fits_its_password_alone() {
        let passwords = cheap(1);
        let hash = passwords.hash(text("correct horse battery")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$"), "{hash}");
        let verify = |password| passwords.verify(Some(hash.clone()), text(password));
        assert!(verify("correct horse battery").await.unwrap());
        assert!(!verify("correct horse batterz").await.unwrap());
        assert_ne!(hash, passwords.hash(text("correct horse battery")).await.unwrap());
    }

    #[tokio::test]
    async fn nobodys_password_is_never_right() {
        assert!(!cheap(1).verify(None, text("nobody has this password")).await.unwrap());
    }

    #[tokio::test]
    async fn who_comes_beyond_the_queue_is_told_to_come_later() {
        let passwords = cheap(1);
        let busy = passwords.waiting.clone().acquire_many_owned(64).await.unwrap();
        assert_eq!(passwords.hash(text("x")).await, Err(PasswordError::Busy));
        drop(busy);
        assert!(passwords.hash(text("x")).await.is_ok());
    }

    #[test]
    fn weak_passwords_are_refused_by_name_of_the_rule() {
        for (bad, rule) in [
            ("short", "at least 12"),
            ("aaaaaaaaaaaaaaaa", "repeated"),
            ("xx-ALICE-xxxxxxxx", "login name"),
            (&"ab".repeat(200), "at most 256"),
        ] {
            let said = judge_password(bad, "alice").unwrap_err().to_string();
            assert!(said.contains(rule), "{bad}: {said}");
        }
        assert!(judge_password("twelve chars", "alice").is_ok());
    }
}
