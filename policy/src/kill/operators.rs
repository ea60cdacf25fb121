//! Who may stop and lift, and how many of them it takes. A quorum counts natural persons, not keys.

use std::collections::{BTreeMap, BTreeSet};

use super::KillScope;
use crate::id::Fingerprint;

/// One operator's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The key's name.
    pub name: String,
    /// The natural person who holds it.
    pub person: String,
    /// The key.
    pub key: Fingerprint,
}

/// The operators of a host, under a root that nothing remote can change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operators {
    quorum: usize,
    persons: BTreeMap<Fingerprint, String>,
}

/// Why a list of operators or a set of signatures is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperatorsError {
    /// The quorum cannot be met or means nothing.
    #[error("a quorum of {quorum} does not fit {persons} persons")]
    Quorum {
        /// What was asked for.
        quorum: usize,
        /// Distinct persons in the list.
        persons: usize,
    },
    /// A key stands in the list twice.
    #[error("the key {0} is listed twice")]
    Twice(Fingerprint),
    /// No signature is by a listed key.
    #[error("no signature is by a key of an operator")]
    Nobody,
}

/// A document with the persons whose valid signatures it bears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed<T> {
    pub(super) document: T,
    pub(super) persons: BTreeSet<String>,
    /// The quorum of the list that recognised them.
    pub(super) quorum: usize,
}

impl<T> Signed<T> {
    /// What was signed.
    pub const fn document(&self) -> &T {
        &self.document
    }

    /// By whom.
    pub const fn persons(&self) -> &BTreeSet<String> {
        &self.persons
    }

    /// Both.
    #[must_use]
    pub fn into_parts(self) -> (T, BTreeSet<String>) {
        (self.document, self.persons)
    }
}

impl Operators {
    /// A list of operators with its quorum.
    ///
    /// # Errors
    /// When the quorum is zero or more than there are persons, or a key stands there twice.
    pub fn new(
        quorum: usize,
        operators: impl IntoIterator<Item = Operator>,
    ) -> Result<Self, OperatorsError> {
        let mut persons = BTreeMap::new();
        for operator in operators {
            if persons.insert(operator.key, operator.person).is_some() {
                return Err(OperatorsError::Twice(operator.key));
            }
        }
        let distinct = persons.values().collect::<BTreeSet<_>>().len();
        if quorum == 0 || quorum > distinct {
            return Err(OperatorsError::Quorum { quorum, persons: distinct });
        }
        Ok(Self { quorum, persons })
    }

    /// How many persons a scope takes.
    #[must_use]
    pub fn needed(&self, scope: &KillScope) -> usize {
        scope.needs(self.quorum)
    }

    /// Names the persons behind keys whose signatures over `document` were found valid.
    ///
    /// # Errors
    /// When none of the keys is an operator's.
    pub fn recognise<T>(
        &self,
        document: T,
        valid: impl IntoIterator<Item = Fingerprint>,
    ) -> Result<Signed<T>, OperatorsError> {
        let known = |key| self.persons.get(&key).cloned();
        let persons: BTreeSet<String> = valid.into_iter().filter_map(known).collect();
        if persons.is_empty() {
            return Err(OperatorsError::Nobody);
        }
        Ok(Signed { document, persons, quorum: self.quorum })
    }
}
