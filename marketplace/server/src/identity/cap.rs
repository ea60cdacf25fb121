//! What a token may do: a closed list of rights. An unknown one is refused, never ignored.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use soma_policy::{InstallationId, did_you_mean};

/// Rights in one list at most.
pub(crate) const CAPS_MAX: usize = 64;

/// One right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Cap {
    /// See the org, its environments and members.
    OrgRead,
    /// Change the org and its environments.
    OrgWrite,
    /// Invite, change and remove members.
    MembersWrite,
    /// Make and revoke service accounts and API keys.
    KeysWrite,
    /// Read the audit.
    AuditRead,
    /// Install, update and remove.
    Install,
    /// Submit releases.
    Publish,
    /// Review submissions.
    Review,
    /// See prices, ledgers and statements.
    BillingRead,
    /// Set budgets, top up.
    BillingWrite,
    /// Call every installation of the org and environment.
    CallAny,
    /// Call one installation.
    Call(InstallationId),
    /// See calls, logs and receipts.
    ReadCalls,
    /// Run the marketplace.
    Operate,
}

const NAMES: &[(&str, Cap)] = &[
    ("org:read", Cap::OrgRead),
    ("org:write", Cap::OrgWrite),
    ("members:write", Cap::MembersWrite),
    ("keys:write", Cap::KeysWrite),
    ("audit:read", Cap::AuditRead),
    ("install", Cap::Install),
    ("publish", Cap::Publish),
    ("review", Cap::Review),
    ("billing:read", Cap::BillingRead),
    ("billing:write", Cap::BillingWrite),
    ("call:*", Cap::CallAny),
    ("read:calls", Cap::ReadCalls),
    ("operate", Cap::Operate),
];

/// Not a right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CapError {
    /// Nothing of that name.
    #[error("`{given}` is not a right{hint}")]
    Unknown {
        /// What was given, cut to a printable length.
        given: String,
        /// `; did you mean …`, or nothing.
        hint: String,
    },
    /// A list of rights with nothing in it, or with too much.
    #[error("a list of rights has 1 to {CAPS_MAX} entries")]
    Count,
}

impl FromStr for Cap {
    type Err = CapError;
    fn from_str(text: &str) -> Result<Self, CapError> {
        if let Some((_, cap)) = NAMES.iter().find(|(name, _)| *name == text) {
            return Ok(cap.clone());
        }
        if let Some(id) = text.strip_prefix("call:").and_then(|id| id.parse().ok()) {
            return Ok(Self::Call(id));
        }
        let known: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
        let given: String = text.chars().filter(|c| !c.is_control()).take(64).collect();
        let hint = did_you_mean(&given, &known);
        Err(CapError::Unknown { given, hint })
    }
}

impl fmt::Display for Cap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, cap)| cap == self) {
            Some((name, _)) => f.write_str(name),
            None => match self {
                Self::Call(id) => write!(f, "call:{id}"),
                _ => Err(fmt::Error),
            },
        }
    }
}

/// A list of rights, sorted, without repetitions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct CapSet(BTreeSet<Cap>);

impl CapSet {
    pub(crate) fn new(caps: impl IntoIterator<Item = Cap>) -> Self {
        Self(caps.into_iter().collect())
    }

    /// Whether this list allows it; `call:*` allows each `call:ID`.
    pub(crate) fn allows(&self, cap: &Cap) -> bool {
        self.0.contains(cap) || (matches!(cap, Cap::Call(_)) && self.0.contains(&Cap::CallAny))
    }

    /// Whether this list allows everything of the other.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|cap| self.allows(cap))
    }

    /// What both allow.
    pub(crate) fn both(&self, other: &Self) -> Self {
        let mine = self.0.iter().filter(|cap| other.allows(cap));
        let theirs = other.0.iter().filter(|cap| self.allows(cap));
        Self(mine.chain(theirs).cloned().collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Cap> {
        self.0.iter()
    }

    fn bounded(self, given: usize) -> Result<Self, CapError> {
        if self.0.is_empty() || given > CAPS_MAX { Err(CapError::Count) } else { Ok(self) }
    }
}

impl fmt::Display for CapSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, cap) in self.0.iter().enumerate() {
            write!(f, "{}{cap}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl FromStr for CapSet {
    type Err = CapError;
    fn from_str(text: &str) -> Result<Self, CapError> {
        let caps: BTreeSet<Cap> =
            text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let given = caps.len();
        Self(caps).bounded(given)
    }
}

impl Serialize for CapSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ToString::to_string))
    }
}

impl<'de> Deserialize<'de> for CapSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let caps = texts.iter().map(|text| text.parse()).collect::<Result<_, CapError>>();
        let caps = caps.map_err(serde::de::Error::custom)?;
        Self(caps).bounded(texts.len()).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> CapSet {
        text.parse().unwrap()
    }

    #[test]
    fn every_right_reads_as_it_is_written() {
        for (name, cap) in NAMES {
            assert_eq!(name.parse::<Cap>().unwrap(), *cap);
            assert_eq!(cap.to_string(), *name);
        }
        assert_eq!("call:issues".parse::<Cap>().unwrap().to_string(), "call:issues");
    }

    #[test]
    fn unknown_rights_are_refused_with_the_right_spelling() {
        for bad in ["", "*", "call:", "call:A", "Operate", "org:*", "call:a b"] {
            assert!(bad.parse::<Cap>().is_err(), "{bad}");
        }
        let said = "oprate".parse::<Cap>().unwrap_err().to_string();
        assert!(said.contains("did you mean \"operate\""), "{said}");
        assert!("".parse::<CapSet>().is_err());
        let many: Vec<String> = (0..65).map(|n| format!("call:a{n}")).collect();
        assert!(serde_json::from_value::<CapSet>(serde_json::json!(many)).is_err());
    }

    #[test]
    fn a_wildcard_covers_its_parts_and_nothing_covers_more_than_it_holds() {
        assert!(set("call:*").covers(&set("call:a call:b")));
        assert!(!set("call:a").covers(&set("call:*")));
        assert!(!set("org:read").covers(&set("org:write")));
        assert_eq!(set("call:* org:read").both(&set("call:a operate")), set("call:a"));
        assert!(set("org:read").both(&set("operate")).is_empty());
    }
}
