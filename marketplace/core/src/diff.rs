//! What changed between two sets of rights, in words, and whether it is wider.
//!
//! Both sides are declarations (what an author asks for) or grants (what a tenant gives), compared field by
//! field with the `covers` of soma-policy. That may miss that two spellings mean the same, never that one is
//! wider. No changes means that the rights are equal: that and the words are property tests.

mod compare;
mod entry;
mod words;

use serde::{Deserialize, Serialize};
use soma_policy::{CapabilityRef, Declarations, Grants, Limits, LimitsAsk};

use crate::named::named;

named! {
    /// Whether the new rights are more than the old ones.
    Class "a class of difference" {
        /// They are the same.
        Equal "equal",
        /// Less, and nothing more.
        Narrower "narrower",
        /// More, whatever else is less.
        Wider "wider",
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// What it is about; none for limits.
    pub capability: Option<CapabilityRef>,
    /// Narrower or wider.
    pub class: Class,
    /// For people: `may now also POST to https://api.example.org:443/v1/**`.
    pub words: String,
}

/// Every change between two sets of rights.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Diff(Vec<Change>);

impl Diff {
    /// From what one version declares to what another does.
    #[must_use]
    pub fn declared(old: &Declarations, new: &Declarations) -> Self {
        compare::all(&entry::declared(old), &entry::declared(new))
    }

    /// From what was granted to what is granted.
    #[must_use]
    pub fn granted(old: &Grants, new: &Grants) -> Self {
        compare::all(&entry::granted(old), &entry::granted(new))
    }

    /// From what a call may use to what it may use, defaults included.
    #[must_use]
    pub fn limits(old: &LimitsAsk, new: &LimitsAsk) -> Self {
        let (old, new) = (Limits::DEFAULT.with(old), Limits::DEFAULT.with(new));
        let change = |class, pairs: Vec<(&'static str, String, String)>| {
            pairs.into_iter().map(move |(name, now, before)| Change {
                capability: None,
                class,
                words: format!("may now use {now} of {name} per call, was {before}"),
            })
        };
        let wider = change(Class::Wider, new.above(&old));
        let lower = old.above(&new).into_iter().map(|(name, before, now)| (name, now, before));
        Self(wider.chain(change(Class::Narrower, lower.collect())).collect())
    }

    /// Both sets of changes.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Every change, in a fixed order.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.0
    }

    /// The changes that ask for more.
    pub fn wider(&self) -> impl Iterator<Item = &Change> {
        self.0.iter().filter(|change| change.class == Class::Wider)
    }

    /// Whether the rights are equal.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What it comes to.
    #[must_use]
    pub fn class(&self) -> Class {
        self.0.iter().map(|change| change.class).max().unwrap_or(Class::Equal)
    }
}

impl std::fmt::Display for Diff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for Change { capability, class, words } in &self.0 {
            let sign = if *class == Class::Wider { '+' } else { '-' };
            match capability {
                Some(capability) => writeln!(f, "{sign} {capability}: {words}")?,
                None => writeln!(f, "{sign} limits: {words}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
