//! Keys that sign callers' tokens, as hosts are told of them, and subjects that nobody needs any more.

use soma_policy::feed::{IssuerState, Revoked, Topic};

use crate::server::Server;
use crate::store::{IssuerKeyRow, NewChange, PlatformUnit, StoreError};

/// Subjects that one sweep looks at.
const PAGE: u32 = 1000;

impl Server {
    /// That a key's tokens count.
    pub(crate) fn issuer_told(&self, key: &IssuerKeyRow) -> NewChange {
        let (issuer, jwk) = (self.keyring.issuer().to_owned(), self.keyring.jwk(key));
        let state = serde_json::to_value(IssuerState { issuer, jwk }).unwrap_or_default();
        self.feed(&self.platform, Topic::Issuer.as_str(), &key.kid, &state)
    }

    /// That a key's tokens count no more.
    pub(crate) fn issuer_gone(&self, kid: &str) -> NewChange {
        self.feed(&self.platform, Topic::Issuer.as_str(), kid, &serde_json::Value::Null)
    }

    /// Tells of every key that hosts do not know yet: at the first start, and after an upgrade.
    pub(crate) async fn tell_issuers(&self, unit: &mut PlatformUnit) -> Result<(), StoreError> {
        unit.forget_unreadable_feed().await?;
        for key in unit.issuer_keys(self.now()).await? {
            if !unit.is_told(Topic::Issuer.as_str(), &key.kid).await? {
                unit.change(&self.issuer_told(&key)).await?;
            }
        }
        Ok(())
    }

    /// Takes back keys whose last token has ended, and revocations of tokens that have.
    pub(crate) async fn forget_ended(&self, unit: &mut PlatformUnit) -> Result<(), StoreError> {
        let now = self.now();
        let keys = unit.issuer_keys(now).await?;
        for state in unit.states_of(Topic::Issuer.as_str(), "", PAGE).await? {
            if !keys.iter().any(|key| key.kid == state.subject) {
                unit.change(&self.issuer_gone(&state.subject)).await?;
            }
        }
        for state in unit.states_of(Topic::Revocation.as_str(), "", PAGE).await? {
            let revoked: Option<Revoked> = serde_json::from_str(&state.payload).ok();
            if revoked.is_none_or(|revoked| revoked.until <= now) {
                let topic = Topic::Revocation.as_str();
                let gone = serde_json::Value::Null;
                unit.change(&self.feed(&self.platform, topic, &state.subject, &gone)).await?;
            }
        }
        Ok(())
    }
}
