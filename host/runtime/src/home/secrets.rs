//! Secrets of tenants, sealed on disk: `secrets/TENANT/ENV/NAME`.
//!
//! A value is opened when it is used and wiped when it is dropped. Nothing here places it anywhere;
//! that is done by the capability that may.

use std::fmt;
use std::path::PathBuf;

use soma_policy::{EnvironmentId, OrgId, SecretName};
use zeroize::Zeroizing;

use super::{HomeError, SealingKey, file};

/// Longest value of a secret.
pub(crate) const VALUE_BYTES_MAX: usize = 64 * 1024;

/// Whose secret it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretScope {
    /// The owner.
    pub org: OrgId,
    /// Its environment.
    pub environment: EnvironmentId,
}

/// A secret's value: redacted in every print, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Zeroizing<Vec<u8>>);

impl SecretValue {
    /// Takes a value; empty and overlong ones are refused.
    pub fn new(bytes: Vec<u8>) -> Result<Self, HomeError> {
        let bytes = Zeroizing::new(bytes);
        if bytes.is_empty() || bytes.len() > VALUE_BYTES_MAX {
            return Err(HomeError::Secret { rule: "has 1 byte to 64 KiB" });
        }
        Ok(Self(bytes))
    }

    /// The bytes themselves, for the place where they are used.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(..)")
    }
}

/// The secrets of a home.
#[derive(Debug)]
pub struct SecretStore {
    folder: PathBuf,
    key: SealingKey,
}

impl SecretStore {
    pub(crate) fn new(folder: PathBuf, key: SealingKey) -> Self {
        Self { folder, key }
    }

    /// Keeps a value under a name; an earlier value is replaced.
    pub fn set(
        &self,
        scope: &SecretScope,
        name: &SecretName,
        value: &SecretValue,
    ) -> Result<(), HomeError> {
        let path = self.path(scope, name);
        let sealed = self.key.seal(&place(scope, name), value.expose()).ok_or_else(|| {
            HomeError::Key { path: path.clone(), what: "the value could not be sealed".to_owned() }
        })?;
        file::make_folder(&self.scope_folder(scope))?;
        file::write_private(&path, &sealed)
    }

    /// The value under a name, if there is one.
    pub fn get(
        &self,
        scope: &SecretScope,
        name: &SecretName,
    ) -> Result<Option<SecretValue>, HomeError> {
        let path = self.path(scope, name);
        let limit = VALUE_BYTES_MAX as u64 + 64;
        let Some(sealed) = file::read_if_there(&path, limit)? else { return Ok(None) };
        match self.key.open(&place(scope, name), &sealed) {
            Some(bytes) => Ok(Some(SecretValue(bytes))),
            None => Err(HomeError::Sealed { path }),
        }
    }

    /// Whether there is a value, without opening it.
    #[must_use]
    pub fn contains(&self, scope: &SecretScope, name: &SecretName) -> bool {
        self.path(scope, name).is_file()
    }

    /// Names kept in a scope, sorted.
    pub fn list(&self, scope: &SecretScope) -> Result<Vec<SecretName>, HomeError> {
        let names = file::names_in(&self.scope_folder(scope))?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// Forgets a value; whether there was one.
    pub fn remove(&self, scope: &SecretScope, name: &SecretName) -> Result<bool, HomeError> {
        file::remove(&self.path(scope, name))
    }

    fn scope_folder(&self, scope: &SecretScope) -> PathBuf {
        self.folder.join(scope.org.to_string()).join(scope.environment.to_string())
    }

    fn path(&self, scope: &SecretScope, name: &SecretName) -> PathBuf {
        self.scope_folder(scope).join(name.as_str())
    }
}

/// What a sealed value is bound to.
fn place(scope: &SecretScope, name: &SecretName) -> Vec<u8> {
    format!("soma secret v1\n{}\n{}\n{name}", scope.org, scope.environment).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(folder: &std::path::Path) -> SecretStore {
        let path = folder.join("seal.key");
        if !path.exists() {
            file::write_private(&path, &[9; 32]).unwrap();
        }
        SecretStore::new(folder.join("secrets"), SealingKey::load(&path).unwrap())
    }

    fn scope(environment: &str) -> SecretScope {
        SecretScope { org: "local".parse().unwrap(), environment: environment.parse().unwrap() }
    }

    #[test]
    fn a_value_comes_back_in_its_own_environment_only() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let name: SecretName = "github-readonly".parse().unwrap();
        let value = SecretValue::new(b"hunter2".to_vec()).unwrap();
        store.set(&scope("production"), &name, &value).unwrap();
        assert_eq!(store.get(&scope("production"), &name).unwrap(), Some(value));
        assert_eq!(store.get(&scope("staging"), &name).unwrap(), None);
        assert_eq!(store.list(&scope("production")).unwrap(), std::slice::from_ref(&name));
        assert!(store.remove(&scope("production"), &name).unwrap());
        assert!(!store.remove(&scope("production"), &name).unwrap());
    }

    #[test]
    fn the_value_is_nowhere_on_disk_and_a_moved_file_does_not_open() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let name: SecretName = "a".parse().unwrap();
        store
            .set(&scope("production"), &name, &SecretValue::new(b"hunter2".to_vec()).unwrap())
            .unwrap();
        let from = folder.path().join("secrets/local/production/a");
        let bytes = std::fs::read(&from).unwrap();
        assert!(!bytes.windows(7).any(|w| w == b"hunter2"));
        std::fs::rename(&from, folder.path().join("secrets/local/production/b")).unwrap();
        let moved = store.get(&scope("production"), &"b".parse().unwrap());
        assert!(matches!(moved, Err(HomeError::Sealed { .. })), "{moved:?}");
    }

    #[test]
    fn debug_of_a_value_is_redacted() {
        let value = SecretValue::new(b"hunter2".to_vec()).unwrap();
        assert_eq!(format!("{value:?}"), "SecretValue(..)");
        assert!(SecretValue::new(Vec::new()).is_err());
    }
}
