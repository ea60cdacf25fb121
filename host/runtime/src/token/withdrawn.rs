//! Tokens that a server took back: one by its name, or all of a subject, an org or a credential that were
//! issued until a moment.
//!
//! Deliberately absent: keys that sign tokens. One that counts no more is not among the issuers.

use std::collections::{HashMap, HashSet};

use soma_policy::feed::{Revoked, RevokedKind};
use soma_policy::{OrgId, Timestamp, TokenId};

use super::{Claims, VerifiedToken};

/// What was taken back.
#[derive(Debug, Default)]
pub(crate) struct Withdrawn {
    tokens: HashSet<TokenId>,
    /// By `org/sub`: service accounts of two orgs may share a name.
    subjects: HashMap<String, Timestamp>,
    orgs: HashMap<OrgId, Timestamp>,
    /// By `cred`: the session or API key that tokens were made from.
    credentials: HashMap<String, Timestamp>,
}

impl Withdrawn {
    /// The list of now. What names nothing that can be is passed over: no token can be it.
    pub(crate) fn of<'a>(list: impl Iterator<Item = &'a Revoked>, now: Timestamp) -> Self {
        let mut this = Self::default();
        for Revoked { before, kind, value, .. } in list.filter(|revoked| revoked.until >= now) {
            match kind {
                RevokedKind::Token => this.tokens.extend(value.parse::<TokenId>()),
                RevokedKind::Key => later(this.credentials.entry(value.clone()), *before),
                RevokedKind::Subject => later(this.subjects.entry(value.clone()), *before),
                RevokedKind::Org => {
                    if let Ok(org) = value.parse::<OrgId>() {
                        later(this.orgs.entry(org), *before);
                    }
                }
            }
        }
        this
    }

    /// Whether a token of this name was taken back by its name.
    pub(crate) fn names(&self, jti: &TokenId) -> bool {
        self.tokens.contains(jti)
    }

    /// Whether a token was taken back.
    pub(crate) fn covers(&self, token: &VerifiedToken) -> bool {
        let Claims { jti, sub, org, iat, cred, .. } = token.claims();
        let issued = Timestamp(iat.saturating_mul(1000));
        let until = |before: Option<&Timestamp>| before.is_some_and(|before| issued <= *before);
        self.names(jti)
            || until(self.orgs.get(org))
            || cred.as_ref().is_some_and(|cred| until(self.credentials.get(cred)))
            || (!self.subjects.is_empty() && until(self.subjects.get(&format!("{org}/{sub}"))))
    }
}

fn later<K>(entry: std::collections::hash_map::Entry<'_, K, Timestamp>, before: Timestamp) {
    let known = entry.or_insert(before);
    *known = (*known).max(before);
}
