//! Labels: what data carries with it when it goes from one capsule to another.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What data carries with it when one capsule hands it to another.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Label {
    /// Read from the tenant's stores: kv, files, configuration.
    TenantData,
    /// Received in answer to a request that carried a secret.
    SecretDerived,
}

impl Label {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::TenantData, Self::SecretDerived];
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TenantData => "tenant-data",
            Self::SecretDerived => "secret-derived",
        })
    }
}

/// A set of labels. The empty one is what fresh data has, and what no sink needs clearance for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Vec<Label>", into = "Vec<Label>")]
#[schemars(with = "Vec<Label>")]
pub struct LabelSet(u8);

impl LabelSet {
    /// No label.
    pub const EMPTY: Self = Self(0);

    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// This set and one label more.
    #[must_use]
    pub const fn with(self, label: Label) -> Self {
        Self(self.0 | 1 << label as u8)
    }

    /// Both sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the label is in the set.
    #[must_use]
    pub const fn has(self, label: Label) -> bool {
        self.0 & (1 << label as u8) != 0
    }

    /// Whether every label of `inner` is in this set.
    #[must_use]
    pub const fn covers(self, inner: Self) -> bool {
        self.0 & inner.0 == inner.0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// The labels, in a fixed order.
    pub fn iter(self) -> impl Iterator<Item = Label> {
        Label::ALL.into_iter().filter(move |label| self.has(*label))
    }

    /// The labels of `self` that are not in `cleared`.
    #[must_use]
    pub const fn beyond(self, cleared: Self) -> Self {
        Self(self.0 & !cleared.0)
    }
}

impl From<Vec<Label>> for LabelSet {
    fn from(labels: Vec<Label>) -> Self {
        labels.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl From<LabelSet> for Vec<Label> {
    fn from(set: LabelSet) -> Self {
        set.iter().collect()
    }
}

impl fmt::Display for LabelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, label) in self.iter().enumerate() {
            write!(f, "{}\"{label}\"", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_a_set() {
        let set = LabelSet::from(vec![Label::SecretDerived, Label::TenantData, Label::TenantData]);
        assert_eq!(serde_json::to_string(&set).unwrap(), r#"["tenant-data","secret-derived"]"#);
        assert_eq!(set.to_string(), r#""tenant-data", "secret-derived""#);
        assert_eq!(
            set.beyond(LabelSet::EMPTY.with(Label::TenantData)).to_string(),
            r#""secret-derived""#
        );
        assert!(
            set.covers(LabelSet::EMPTY)
                && !LabelSet::EMPTY.covers(set)
                && LabelSet::EMPTY.is_empty()
        );
        assert_eq!(LabelSet::EMPTY.union(set), set);
    }
}
