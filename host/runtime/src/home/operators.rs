//! Operators: who may stop things, bound to the root key of this home.
//!
//! `trust/operators.toml` lists them with their quorum. It counts only with the root's signature beside
//! it, and the root's public key is pinned in `trust/root.pub`, which no feed can change.

use std::fmt::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use soma_capsule::bundle::{self, KeyedSignature};
use soma_capsule::key::{KeyPair, PublicKey};
use soma_policy::{Digest, Operators};

use super::{HomeError, Layout, file};
use crate::kill::Trusted;

/// Name of the root's key file under `keys/`.
pub const ROOT_KEY: &str = "root";
/// Name of the first operator's key file under `keys/`.
pub const OPERATOR_KEY: &str = "operator";
const BYTES_MAX: u64 = 256 * 1024;
const SIGNATURE_BYTES_MAX: u64 = 64 * 1024;
/// Most operators of one home.
const OPERATORS_MAX: usize = 64;

/// What `trust/operators.toml` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorFile {
    /// Version of this file's format.
    pub schema: u32,
    /// How many persons must sign an order of wide scope, and every lift.
    pub quorum: u32,
    /// Who they are.
    #[serde(default, rename = "operator")]
    pub operators: Vec<OperatorEntry>,
}

/// One operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorEntry {
    /// The name of the key.
    pub name: String,
    /// The natural person who holds it: a quorum counts persons, not keys.
    pub person: String,
    /// The public key: SubjectPublicKeyInfo in base64.
    pub key: String,
}

impl OperatorEntry {
    /// The key itself.
    pub fn public_key(&self) -> Option<PublicKey> {
        PublicKey::from_spki_der(&STANDARD.decode(&self.key).ok()?).ok()
    }
}

impl OperatorFile {
    /// Reads the operators of a home; a list without the root's signature is refused.
    pub fn load(layout: &Layout) -> Result<Self, HomeError> {
        let path = layout.operators();
        let bytes = file::read_bounded(&path, BYTES_MAX)?;
        let root = root_of(layout)?;
        let signature_path = layout.operators_signature();
        let signature = file::read_bounded(&signature_path, SIGNATURE_BYTES_MAX)?;
        if let Err(what) = check_signature(&bytes, &signature, &root) {
            // A list is written after its signature and before that takes its place.
            let next =
                file::read_if_there(&layout.operators_next_signature(), SIGNATURE_BYTES_MAX)?;
            if next.is_none_or(|next| check_signature(&bytes, &next, &root).is_err()) {
                return Err(HomeError::Untrusted { path: signature_path, what });
            }
        }
        Self::parse(&path, &bytes)
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, HomeError> {
        let refused = |what: String| HomeError::Malformed { path: path.to_owned(), what };
        let text = std::str::from_utf8(bytes).map_err(|_| refused("not UTF-8 text".to_owned()))?;
        let parsed: Self = toml::from_str(text)
            .map_err(|e| refused(crate::installations::explain_toml(text, &e)))?;
        parsed.check().map_err(refused)?;
        Ok(parsed)
    }

    fn check(&self) -> Result<(), String> {
        let mut persons: Vec<&str> = self.operators.iter().map(|o| o.person.as_str()).collect();
        persons.sort_unstable();
        persons.dedup();
        if self.operators.is_empty() || self.operators.len() > OPERATORS_MAX {
            return Err(format!("there must be 1 to {OPERATORS_MAX} operators"));
        }
        if self.quorum == 0 || self.quorum as usize > persons.len() {
            return Err(format!("quorum {} needs 1 to {} persons", self.quorum, persons.len()));
        }
        if let Some(bad) = self.operators.iter().find(|o| o.public_key().is_none()) {
            return Err(format!("the key of operator `{}` is not a P-256 key", bad.name));
        }
        let mut names: Vec<&str> = self.operators.iter().map(|o| o.name.as_str()).collect();
        names.sort_unstable();
        if let Some([twice, _]) = names.windows(2).find(|pair| matches!(pair, [a, b] if a == b)) {
            return Err(format!("the name `{twice}` is there twice"));
        }
        self.operators().map(drop).map_err(|e| e.to_string())
    }

    /// The list as policy judges by it.
    pub fn operators(&self) -> Result<Operators, soma_policy::OperatorsError> {
        let each = self.operators.iter().filter_map(|entry| {
            let key = entry.public_key()?.fingerprint();
            Some(soma_policy::Operator {
                name: entry.name.clone(),
                person: entry.person.clone(),
                key,
            })
        });
        Operators::new(self.quorum as usize, each)
    }

    /// The keys that may sign orders.
    #[must_use]
    pub fn keys(&self) -> Vec<PublicKey> {
        self.operators.iter().filter_map(OperatorEntry::public_key).collect()
    }

    /// Who may sign kill orders, as the kill switch checks it.
    pub fn trusted(&self) -> Result<Trusted, soma_policy::OperatorsError> {
        Ok(Trusted { operators: self.operators()?, keys: self.keys() })
    }

    /// Whether one person alone decides.
    #[must_use]
    pub fn is_single_operator(&self) -> bool {
        self.quorum == 1
    }

    /// Writes the list with the root's signature. Whenever it is read, the old list or the new one
    /// bears a signature that fits.
    pub fn write(&self, layout: &Layout, root: &KeyPair) -> Result<(), HomeError> {
        let path = layout.operators();
        let refused = |what: String| HomeError::Malformed { path: path.clone(), what };
        self.check().map_err(refused)?;
        let text = self.text();
        let bundle = bundle::sign_blob(&Digest::of(text.as_bytes()), root)
            .map_err(|e| super::keys::key_error(&path, &e.to_string()))?;
        let next = layout.operators_next_signature();
        file::write_private(&next, &bundle)?;
        file::write_private(&path, text.as_bytes())?;
        file::write_private(&layout.operators_signature(), &bundle)?;
        file::remove(&next).map(drop)
    }

    /// Refuses another root than the one that this home is bound to.
    pub fn must_be_root(layout: &Layout, root: &KeyPair) -> Result<(), HomeError> {
        if root_of(layout)?.fingerprint() == root.public().fingerprint() {
            return Ok(());
        }
        let what = "the key is not the root key of this home".to_owned();
        Err(HomeError::Untrusted { path: layout.root_public(), what })
    }

    /// The hash of the list as it is written.
    #[must_use]
    pub fn hash(&self) -> Digest {
        Digest::of(self.text().as_bytes())
    }

    fn text(&self) -> String {
        let mut text = format!(
            "# Who may stop things here. Signed by the root key: after an edit, sign it again.\n\
             # quorum = 1 is single-operator mode: one person stops, and one person lifts.\n\
             schema = {}\nquorum = {}\n",
            self.schema, self.quorum
        );
        for OperatorEntry { name, person, key } in &self.operators {
            let _ = write!(
                text,
                "\n[[operator]]\nname = {}\nperson = {}\nkey = {}\n",
                toml::Value::from(name.as_str()),
                toml::Value::from(person.as_str()),
                toml::Value::from(key.as_str()),
            );
        }
        text
    }
}

fn root_of(layout: &Layout) -> Result<PublicKey, HomeError> {
    let path = layout.root_public();
    PublicKey::from_pem(&file::read_bounded(&path, 16 * 1024)?)
        .map_err(|e| super::keys::key_error(&path, &e.to_string()))
}

fn check_signature(bytes: &[u8], bundle: &[u8], root: &PublicKey) -> Result<(), String> {
    let signature = KeyedSignature::parse(bundle).map_err(|e| e.to_string())?;
    let digest = Digest::of(bytes);
    if signature.digest != digest || !root.verifies(&digest, &signature.signature) {
        return Err("it is not the root's signature over operators.toml".to_owned());
    }
    Ok(())
}

/// The public key as the list holds it.
#[must_use]
pub fn encoded(key: &PublicKey) -> String {
    STANDARD.encode(key.spki_der())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(folder: &Path) -> (Layout, KeyPair, OperatorFile) {
        let layout = Layout::new(folder);
        file::make_folder(&layout.trust()).unwrap();
        let (root, operator) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        file::write_private(&layout.root_public(), root.public().to_pem().as_bytes()).unwrap();
        let operators = OperatorFile {
            schema: 1,
            quorum: 1,
            operators: vec![OperatorEntry {
                name: "operator".to_owned(),
                person: "ada \"x\"\n".to_owned(),
                key: encoded(operator.public()),
            }],
        };
        operators.write(&layout, &root).unwrap();
        (layout, root, operators)
    }

    #[test]
    fn a_signed_list_reads_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let (layout, _, operators) = written(folder.path());
        assert_eq!(OperatorFile::load(&layout).unwrap(), operators);
        assert!(operators.is_single_operator());
    }

    #[test]
    fn an_edited_list_and_another_root_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (layout, _, operators) = written(folder.path());
        let text = operators.text().replace("name = \"operator\"", "name = \"mallory\"");
        file::write_private(&layout.operators(), text.as_bytes()).unwrap();
        assert!(matches!(OperatorFile::load(&layout), Err(HomeError::Untrusted { .. })));
        operators.write(&layout, &KeyPair::generate().unwrap()).unwrap();
        assert!(matches!(OperatorFile::load(&layout), Err(HomeError::Untrusted { .. })));
    }

    #[test]
    fn a_crash_between_any_two_writes_leaves_a_list_that_reads() {
        let folder = tempfile::tempdir().unwrap();
        let (layout, root, old) = written(folder.path());
        let text = old.text();
        let signature = std::fs::read(layout.operators_signature()).unwrap();
        let mut new = old.clone();
        new.operators[0].name = "ada".to_owned();
        new.write(&layout, &root).unwrap();
        let next = std::fs::read(layout.operators_signature()).unwrap();
        assert!(!layout.operators_next_signature().exists());
        // The list and its signature are the old ones again, step by step as `write` goes.
        file::write_private(&layout.operators(), text.as_bytes()).unwrap();
        file::write_private(&layout.operators_signature(), &signature).unwrap();
        file::write_private(&layout.operators_next_signature(), &next).unwrap();
        assert_eq!(OperatorFile::load(&layout).unwrap(), old);
        file::write_private(&layout.operators(), new.text().as_bytes()).unwrap();
        assert_eq!(OperatorFile::load(&layout).unwrap(), new);
        file::write_private(&layout.operators_signature(), &next).unwrap();
        assert_eq!(OperatorFile::load(&layout).unwrap(), new);
    }

    #[test]
    fn a_quorum_counts_persons_and_is_never_zero() {
        let folder = tempfile::tempdir().unwrap();
        let (layout, root, mut operators) = written(folder.path());
        operators.operators.push(operators.operators[0].clone());
        for quorum in [0, 2] {
            operators.quorum = quorum;
            assert!(operators.write(&layout, &root).is_err(), "{quorum}");
        }
    }
}
