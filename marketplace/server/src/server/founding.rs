//! The first start: an id for the deployment, a key that signs tokens, and the one-time code that
//! makes the first operator.

use crate::clock::Clock;
use crate::identity::{NewKey, SecretText};
use crate::server::{OpenError, Server};
use crate::store::{PlatformScope, Store};
use soma_policy::{CallId, Timestamp};

/// The code that makes the first operator. Whoever runs the process sees it; the database has its hash.
#[derive(Debug, Clone)]
pub struct BootstrapCode(SecretText);

impl BootstrapCode {
    /// The code itself, to be shown to the person at the console.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

pub(super) struct Founded {
    pub(super) deployment: String,
    pub(super) code: Option<BootstrapCode>,
}

/// Founds the deployment, or finds it. Until the first operator has come, each start has a new code.
pub(super) async fn found(store: &Store, clock: &dyn Clock) -> Result<Founded, OpenError> {
    let no_randomness = || OpenError::Keys("the system has no randomness to give".to_owned());
    let code = SecretText::draw().ok_or_else(no_randomness)?;
    let mut unit = store.platform(PlatformScope::of("founding")).await?;
    let id = CallId::from_u128(clock.fresh_id()).to_string();
    unit.found(&id, &code.hash(), clock.now()).await?;
    let open = unit.renew_bootstrap(&code.hash()).await?;
    let known = unit.deployment().await?;
    unit.commit().await?;
    let deployment = known.map_or(id, |known| known.id);
    Ok(Founded { deployment, code: open.then_some(BootstrapCode(code)) })
}

impl Server {
    /// Makes the first key that signs tokens, if there is none, and loads all of them.
    pub(super) async fn ensure_issuer_key(&self) -> Result<(), OpenError> {
        let now = self.now();
        let mut unit = self.store.platform(PlatformScope::of("founding")).await?;
        // The row of the deployment is the lock: two servers that start at once make one key.
        unit.lock_deployment().await?;
        let rows = unit.issuer_keys(now).await?;
        let signs = |from: Timestamp, until: Option<Timestamp>| {
            from <= now && until.is_none_or(|until| now < until)
        };
        if !rows.iter().any(|row| signs(row.signs_from, row.signs_until)) {
            let key = NewKey::draw(&self.sealer, now, now);
            let key = key.map_err(|error| OpenError::Keys(error.to_string()))?;
            unit.insert_issuer_key(&key).await?;
        }
        self.tell_issuers(&mut unit).await?;
        unit.commit().await?;
        self.reload_keys().await
    }
}
