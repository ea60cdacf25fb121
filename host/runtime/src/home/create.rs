//! Making a home, or finishing one whose making was cut short.
//!
//! Each step looks whether its file is there and right, and makes it otherwise; `home.toml` comes last.
//! So a home that is found without it can be finished, and one that is found with it is whole.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use soma_capsule::key::{KeyPair, PublicKey};
use soma_policy::{HostId, Timestamp};

use super::keys::{SigningKey, ensure_random_key, key_error};
use super::layout::{FOLDERS, TOP};
use super::operators::{
    OPERATOR_KEY, OperatorEntry, OperatorFile, OperatorsOnDisk as _, ROOT_KEY, encoded,
};
use super::{EditLock, HomeError, Identity, Layout, SCHEMA, file, orgs, settings, starter};
use crate::token::{Issuer, TrustedIssuer};

/// What a new home is made from: nothing here reads a clock or draws an id.
#[derive(Debug)]
pub struct Birth<'a> {
    /// Now.
    pub now: Timestamp,
    /// The host's name.
    pub host: HostId,
    /// The person who is the first operator.
    pub person: String,
    /// Passphrase of the root's and the operator's key files. `None`: the keys are thrown away after
    /// use, and nobody can give orders in this home (the short-lived homes of authors).
    pub passphrase: Option<&'a [u8]>,
}

/// What had to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Born {
    /// Files and folders, relative to the home, in the order of their making.
    pub made: Vec<String>,
}

impl Born {
    /// Whether the home was there already.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.made.is_empty()
    }

    fn note(&mut self, made: bool, name: &str) {
        if made {
            self.made.push(name.to_owned());
        }
    }
}

/// Makes or finishes a home. Two processes that try at once do it one after the other.
pub(crate) fn create(layout: &Layout, birth: &Birth<'_>) -> Result<Born, HomeError> {
    let _lock = EditLock::take_folder(layout.root())?;
    let mut born = Born::default();
    if layout.identity().exists() {
        return Ok(born);
    }
    refuse_foreign(layout.root())?;
    close(layout.root())?;
    for folder in FOLDERS {
        let path = layout.root().join(folder);
        born.note(!path.is_dir(), folder);
        file::make_folder(&path)?;
    }
    host_keys(layout, &mut born)?;
    people(layout, birth, &mut born)?;
    let identity = Identity { schema: SCHEMA, host: birth.host, created: birth.now };
    issuers(layout, &identity, &mut born)?;
    texts(layout, &mut born)?;
    let text = toml::to_string(&identity)
        .map_err(|e| HomeError::Malformed { path: layout.identity(), what: e.to_string() })?;
    let text = format!("# Written by soma when this home was finished. Do not edit.\n{text}");
    file::write_private(&layout.identity(), text.as_bytes())?;
    born.note(true, "home.toml");
    Ok(born)
}

fn refuse_foreign(root: &Path) -> Result<(), HomeError> {
    let ours =
        |name: &str| TOP.contains(&name) || (name.starts_with('.') && name.ends_with(".new"));
    match file::names_in(root)?.into_iter().find(|name| !ours(name)) {
        Some(found) => Err(HomeError::Foreign { path: root.to_owned(), found }),
        None => Ok(()),
    }
}

fn close(root: &Path) -> Result<(), HomeError> {
    fs::set_permissions(root, fs::Permissions::from_mode(0o700))
        .map_err(|e| HomeError::io("close", root, e))
}

fn host_keys(layout: &Layout, born: &mut Born) -> Result<(), HomeError> {
    born.note(SigningKey::ensure(&layout.issuer_key())?, "keys/host/issuer.pem");
    born.note(SigningKey::ensure(&layout.host_key())?, "keys/host/host.pem");
    born.note(ensure_random_key(&layout.mac_key())?, "keys/host/mac.key");
    born.note(ensure_random_key(&layout.sealing_key())?, "keys/host/seal.key");
    Ok(())
}

fn people(layout: &Layout, birth: &Birth<'_>, born: &mut Born) -> Result<(), HomeError> {
    let root = person_key(layout, ROOT_KEY, birth.passphrase, born)?;
    let operator = person_key(layout, OPERATOR_KEY, birth.passphrase, born)?;
    file::write_private(&layout.root_public(), root.public().to_pem().as_bytes())?;
    if OperatorFile::load(layout).is_ok() {
        return Ok(());
    }
    let list = OperatorFile {
        schema: 1,
        quorum: 1,
        operators: vec![OperatorEntry {
            name: OPERATOR_KEY.to_owned(),
            person: birth.person.clone(),
            key: encoded(operator.public()),
        }],
    };
    list.write(layout, &root)?;
    born.note(true, "trust/operators.toml");
    Ok(())
}

fn person_key(
    layout: &Layout,
    name: &str,
    passphrase: Option<&[u8]>,
    born: &mut Born,
) -> Result<KeyPair, HomeError> {
    let path = layout.keys().join(format!("{name}.key"));
    let failed = |e: soma_capsule::key::KeyError| key_error(&path, &e.to_string());
    let Some(passphrase) = passphrase else { return KeyPair::generate().map_err(failed) };
    let key = match file::read_if_there(&path, 16 * 1024)? {
        Some(pem) => {
            file::refuse_shared(&path)?;
            KeyPair::from_encrypted_pem(&pem, passphrase).map_err(failed)?
        }
        None => {
            let key = KeyPair::generate().map_err(failed)?;
            let pem = key.to_encrypted_pem(passphrase).map_err(failed)?;
            file::write_private_new(&path, pem.as_bytes())?;
            born.note(true, &format!("keys/{name}.key"));
            key
        }
    };
    write_public(layout, name, key.public())?;
    Ok(key)
}

fn write_public(layout: &Layout, name: &str, key: &PublicKey) -> Result<(), HomeError> {
    file::write_private(&layout.keys().join(format!("{name}.pub")), key.to_pem().as_bytes())
}

fn issuers(layout: &Layout, identity: &Identity, born: &mut Born) -> Result<(), HomeError> {
    let issuer = Issuer::new(identity, &SigningKey::load(&layout.issuer_key())?)?;
    let own: &TrustedIssuer = issuer.public();
    let bytes = serde_json::to_vec_pretty(&serde_json::json!({ "keys": [own] }))
        .map_err(|e| HomeError::Malformed { path: layout.issuers(), what: e.to_string() })?;
    // The host's name is drawn anew when a half-made home is finished, so the list is written anew.
    file::write_private(&layout.issuers(), &bytes)?;
    born.note(true, "trust/issuers.jwks");
    Ok(())
}

fn texts(layout: &Layout, born: &mut Born) -> Result<(), HomeError> {
    let mut ensure = |name: &str, text: &str| -> Result<(), HomeError> {
        let path = layout.root().join(name);
        if !path.exists() {
            file::write_private_new(&path, text.as_bytes())?;
            born.note(true, name);
        }
        Ok(())
    };
    ensure("orgs.toml", orgs::STARTER)?;
    ensure("host.toml", settings::STARTER)?;
    for (name, text) in starter::FILES {
        ensure(&format!("policy/{name}"), text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Home;

    fn birth(passphrase: &[u8]) -> Birth<'_> {
        let (now, host) = (Timestamp(1_700_000_000_000), HostId::from_u128(7));
        Birth { now, host, person: "ada".to_owned(), passphrase: Some(passphrase) }
    }

    fn modes(folder: &Path) -> Vec<(String, u32)> {
        let mut found = Vec::new();
        for name in file::names_in(folder).unwrap() {
            let path = folder.join(&name);
            let meta = fs::symlink_metadata(&path).unwrap();
            found.push((path.display().to_string(), meta.permissions().mode() & 0o777));
            if meta.is_dir() {
                found.extend(modes(&path));
            }
        }
        found
    }

    #[test]
    fn a_new_home_is_whole_and_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("home");
        let (home, born) = Home::open_or_create(&root, &birth(b"")).unwrap();
        assert!(born.made.contains(&"home.toml".to_owned()), "{born:?}");
        for (path, mode) in modes(&root) {
            assert_eq!(mode & 0o077, 0, "{path} {mode:o}");
        }
        home.keys().unwrap();
        home.secrets().unwrap();
        assert!(OperatorFile::load(home.layout()).unwrap().is_single_operator());
        assert!(Home::open_or_create(&root, &birth(b"")).unwrap().1.is_empty());
    }

    #[test]
    fn a_half_made_home_is_not_used_and_is_finished_at_the_next_try() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("home");
        Home::open_or_create(&root, &birth(b"pw")).unwrap();
        let kept = fs::read(root.join("keys/host/host.pem")).unwrap();
        for gone in ["home.toml", "trust/issuers.jwks", "trust/operators.toml", "orgs.toml"] {
            fs::remove_file(root.join(gone)).unwrap();
        }
        assert!(matches!(Home::open(&root), Err(HomeError::Unfinished { .. })));
        let wrong = Home::open_or_create(&root, &birth(b"other")).unwrap_err();
        assert!(matches!(wrong, HomeError::Key { .. }), "{wrong}");
        let (home, born) = Home::open_or_create(&root, &birth(b"pw")).unwrap();
        assert!(born.made.contains(&"trust/operators.toml".to_owned()), "{born:?}");
        assert_eq!(fs::read(root.join("keys/host/host.pem")).unwrap(), kept);
        OperatorFile::load(home.layout()).unwrap();
    }

    #[test]
    fn a_folder_with_other_things_in_it_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.txt"), "x").unwrap();
        let refused = Home::open_or_create(folder.path(), &birth(b"")).unwrap_err();
        assert!(refused.to_string().contains("thesis.txt"), "{refused}");
        assert_eq!(file::names_in(folder.path()).unwrap(), ["thesis.txt"]);
    }

    #[test]
    fn one_host_holds_a_home() {
        let folder = tempfile::tempdir().unwrap();
        let (home, _) = Home::open_or_create(&folder.path().join("h"), &birth(b"")).unwrap();
        let held = home.lock_host().unwrap();
        let refused = home.lock_host().unwrap_err();
        assert!(refused.to_string().contains(&std::process::id().to_string()), "{refused}");
        drop(held);
        home.lock_host().unwrap();
    }

    #[test]
    fn a_home_that_others_may_enter_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("h");
        Home::open_or_create(&root, &birth(b"")).unwrap();
        fs::set_permissions(root.join("keys"), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(Home::open(&root), Err(HomeError::Shared { .. })));
    }
}
