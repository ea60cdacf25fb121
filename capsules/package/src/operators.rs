//! The list of operators, `trust/operators.toml`: who may stop things, under the root's signature.
//!
//! The same on a host and on a server. Where the files lie, and where the root's key is pinned, is decided by
//! whoever reads them.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use soma_policy::{Digest, Operators};

use crate::bundle::{self, KeyedSignature};
use crate::key::{KeyPair, PublicKey};
use crate::kill::Trusted;

/// Most bytes of the list.
pub const LIST_BYTES_MAX: u64 = 256 * 1024;
/// Most bytes of its signature.
pub const SIGNATURE_BYTES_MAX: u64 = 64 * 1024;
/// Most operators of one list.
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

/// Why a list of operators does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperatorFileError {
    /// Not text.
    #[error("not UTF-8 text")]
    Text,
    /// Not a list.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    /// It breaks a rule.
    #[error("{0}")]
    Rule(String),
    /// The root did not sign it.
    #[error("{0}")]
    Signature(String),
}

impl OperatorEntry {
    /// The key itself.
    #[must_use]
    pub fn public_key(&self) -> Option<PublicKey> {
        PublicKey::from_spki_der(&STANDARD.decode(&self.key).ok()?).ok()
    }
}

impl OperatorFile {
    /// Reads a list; whether the root signed it is [`check_signature`]'s question.
    ///
    /// # Errors
    /// [`OperatorFileError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, OperatorFileError> {
        let text = std::str::from_utf8(bytes).map_err(|_| OperatorFileError::Text)?;
        let parsed: Self = toml::from_str(text)?;
        parsed.check().map_err(OperatorFileError::Rule)?;
        Ok(parsed)
    }

    /// Whether the list is one that can be judged by.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn check(&self) -> Result<(), String> {
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
    ///
    /// # Errors
    /// When quorum and persons do not fit, or a key is there twice.
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

    /// Who may sign kill orders, as documents are checked.
    ///
    /// # Errors
    /// As [`OperatorFile::operators`].
    pub fn trusted(&self) -> Result<Trusted, soma_policy::OperatorsError> {
        Ok(Trusted { operators: self.operators()?, keys: self.keys() })
    }

    /// Whether one person alone decides.
    #[must_use]
    pub fn is_single_operator(&self) -> bool {
        self.quorum == 1
    }

    /// The list as it is written, with the root's signature over it.
    ///
    /// # Errors
    /// When the list breaks a rule or the key cannot be used.
    pub fn sign(&self, root: &KeyPair) -> Result<(String, Vec<u8>), OperatorFileError> {
        self.check().map_err(OperatorFileError::Rule)?;
        let text = self.text();
        let bundle = bundle::sign_blob(&Digest::of(text.as_bytes()), root)
            .map_err(|error| OperatorFileError::Signature(error.to_string()))?;
        Ok((text, bundle))
    }

    /// The hash of the list as it is written.
    #[must_use]
    pub fn hash(&self) -> Digest {
        Digest::of(self.text().as_bytes())
    }

    /// The list as it is written.
    #[must_use]
    pub fn text(&self) -> String {
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

/// Whether a bundle is the root's signature over a list.
///
/// # Errors
/// [`OperatorFileError::Signature`] when it is not.
pub fn check_signature(
    list: &[u8],
    bundle: &[u8],
    root: &PublicKey,
) -> Result<(), OperatorFileError> {
    let refused = |what: String| OperatorFileError::Signature(what);
    let signature = KeyedSignature::parse(bundle).map_err(|error| refused(error.to_string()))?;
    let digest = Digest::of(list);
    if signature.digest != digest || !root.verifies(&digest, &signature.signature) {
        return Err(refused("it is not the root's signature over operators.toml".to_owned()));
    }
    Ok(())
}

/// The public key as the list holds it.
#[must_use]
pub fn encoded(key: &PublicKey) -> String {
    STANDARD.encode(key.spki_der())
}
