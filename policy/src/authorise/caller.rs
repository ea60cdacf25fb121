//! Who calls: what a verified token says, or a stranger, or another capsule.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::id::{EnvironmentId, IdError, InstallationId, OrgId, TokenId};

/// Which installations a token may call: `call:*`, or `call:ID` for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallScope {
    /// Every installation of the tenant and environment.
    All,
    /// These.
    Only(BTreeSet<InstallationId>),
}

impl CallScope {
    /// Nothing may be called.
    #[must_use]
    pub const fn none() -> Self {
        Self::Only(BTreeSet::new())
    }

    /// Whether this installation may be called.
    #[must_use]
    pub fn allows(&self, id: &InstallationId) -> bool {
        match self {
            Self::All => true,
            Self::Only(ids) => ids.contains(id),
        }
    }

    /// Both scopes.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        match (self, other) {
            (Self::Only(mut ids), Self::Only(more)) => {
                ids.extend(more);
                Self::Only(ids)
            }
            _ => Self::All,
        }
    }
}

impl FromStr for CallScope {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.strip_prefix("call:") {
            Some("*") => Ok(Self::All),
            Some(id) => Ok(Self::Only(BTreeSet::from([id.parse()?]))),
            None => Err(IdError::new("a call scope", text, "write call:ID or call:*")),
        }
    }
}

impl fmt::Display for CallScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("call:*"),
            Self::Only(ids) if ids.is_empty() => f.write_str("no calls"),
            Self::Only(ids) => {
                for (index, id) in ids.iter().enumerate() {
                    write!(f, "{}call:{id}", if index == 0 { "" } else { " " })?;
                }
                Ok(())
            }
        }
    }
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The organisation that the token names.
    pub org: OrgId,
    /// The environment that the token names.
    pub environment: EnvironmentId,
    /// The pseudonymous subject.
    pub subject: Arc<str>,
    /// The token; none for strangers and for the host's own health checks.
    pub token: Option<TokenId>,
    /// What it may call.
    pub can: CallScope,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Token,
    Anonymous,
    Capsule,
}

impl Caller {
    /// The bearer of a verified token.
    #[must_use]
    pub fn new(
        org: OrgId,
        environment: EnvironmentId,
        subject: &str,
        token: Option<TokenId>,
        can: CallScope,
    ) -> Self {
        Self { org, environment, subject: subject.into(), token, can, kind: Kind::Token }
    }

    /// A stranger, at the door of an installation that serves HTTP.
    #[must_use]
    pub fn anonymous(org: OrgId, environment: EnvironmentId) -> Self {
        let can = CallScope::none();
        Self {
            org,
            environment,
            subject: "anonymous".into(),
            token: None,
            can,
            kind: Kind::Anonymous,
        }
    }

    /// The same caller behind a tool call: what may be called is then the tool entries' to say (see
    /// [`crate::Authorised::attenuate`]), not the token's.
    #[must_use]
    pub fn through_tool(&self) -> Self {
        Self { can: CallScope::All, kind: Kind::Capsule, ..self.clone() }
    }

    /// Whether nobody is known to call.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.kind == Kind::Anonymous
    }

    /// Whether another capsule calls.
    #[must_use]
    pub fn is_tool(&self) -> bool {
        self.kind == Kind::Capsule
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_read_and_unite() {
        let one: CallScope = "call:issues".parse().unwrap();
        let two: CallScope = "call:csv".parse().unwrap();
        let both = one.clone().union(two);
        assert_eq!(both.to_string(), "call:csv call:issues");
        assert!(both.allows(&"csv".parse().unwrap()) && !one.allows(&"csv".parse().unwrap()));
        assert_eq!(both.union("call:*".parse().unwrap()), CallScope::All);
        assert_eq!(CallScope::All.to_string(), "call:*");
        assert_eq!(CallScope::none().to_string(), "no calls");
        for bad in ["", "issues", "call:", "call:A", "read:calls"] {
            assert!(bad.parse::<CallScope>().is_err(), "{bad}");
        }
    }
}
