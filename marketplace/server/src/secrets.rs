//! Secrets of tenants, from the moment that somebody sets one to the moment that it leaves for a host.
//!
//! ```text
//! PUT value ─► sealed under the org's key ─► row + version in the feed + audit, one transaction
//! host asks ─► may an installation of its feed use it? ─► opened ─► sealed to that host's key (HPKE) ─► signed
//! ```
//!
//! No route, event, log line or error holds a value, and none is ever given back to who set it. What a
//! host does with one is the host's; which requests carry it is decided by grants alone.

#[cfg(test)]
pub(crate) mod canary;
mod error;
mod keys;
mod send;
#[cfg(test)]
mod tests;
mod users;
mod value;

pub(crate) use error::SecretError;
pub(crate) use send::{ASKS_MAX, send};
pub(crate) use users::{Installations, users};
pub(crate) use value::GivenSecret;

use serde_json::{Value, json};
use soma_capsule::crash_point;
use soma_policy::feed::{SecretVersion, Topic};
use soma_policy::{EnvironmentId, Millis, SecretName};

use crate::audit::Act;
use crate::identity::Principal;
use crate::server::Server;
use crate::store::{PlatformScope, SecretPlace, SecretRow, StoreError, TenantUnit};

/// Secrets of one environment at most.
const SECRETS_MAX: u64 = 1000;
/// How long a replaced value may wait for hosts that do not move on.
const KEEP: Millis = Millis(24 * 3_600_000);

/// A secret that has a new value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) version: u64,
    /// Whether there was none before.
    pub(crate) fresh: bool,
}

/// Gives a secret its first or next value. `seen` is the version that the caller has read.
pub(crate) async fn set(
    server: &Server,
    by: &Principal,
    name: &SecretName,
    value: &GivenSecret,
    seen: Option<u64>,
) -> Result<Stored, SecretError> {
    let place = place(by, name);
    let sealer = keys::sealer(server, &place.org).await?;
    let (now, environment) = (server.now(), &place.environment);
    let mut unit = server.store.tenant(&by.scope()).await?;
    let before = unit.secret(environment, name).await?;
    let stored = next(before.as_ref(), seen)?;
    if stored.fresh && unit.secret_count(environment).await? >= SECRETS_MAX {
        return Err(SecretError::TooMany(SECRETS_MAX));
    }
    match &before {
        None => unit.insert_secret(environment, name, now).await?,
        Some(row) if unit.raise_secret(environment, name, row.version, now).await? => {}
        Some(_) => return Err(SecretError::Stale),
    }
    let sealed = sealer.seal(&keys::purpose(&place, stored.version), value.expose());
    let sealed = sealed.map_err(|_| SecretError::Failed)?;
    unit.insert_secret_value(environment, name, stored.version, &sealed, now).await?;
    let payload = SecretVersion {
        environment: environment.clone(),
        name: name.clone(),
        org: place.org.clone(),
        version: stored.version,
    };
    let payload = serde_json::to_value(payload).map_err(|_| SecretError::Failed)?;
    let told = Told { act: Act::SecretSet, version: stored.version, payload };
    tell(server, &mut unit, by, &place, &told).await?;
    crash_point!("server.secret.kept");
    unit.commit().await?;
    crash_point!("server.secret.committed");
    server.bell.notify_one();
    Ok(stored)
}

/// The version that comes next, if `seen` is the one that is there.
fn next(before: Option<&SecretRow>, seen: Option<u64>) -> Result<Stored, SecretError> {
    let known = before.map_or(0, |row| row.version);
    let version = known.checked_add(1).ok_or(SecretError::Failed)?;
    match (before.filter(|row| row.removed.is_none()), seen) {
        (None, None) => Ok(Stored { version, fresh: true }),
        (Some(_), None) => Err(SecretError::Unseen),
        (Some(row), Some(seen)) if row.version == seen => Ok(Stored { version, fresh: false }),
        _ => Err(SecretError::Stale),
    }
}

/// Removes a secret: its values are erased here at once, and hosts are told to erase theirs.
pub(crate) async fn remove(
    server: &Server,
    by: &Principal,
    name: &SecretName,
    seen: Option<u64>,
) -> Result<(), SecretError> {
    let place = place(by, name);
    let mut unit = server.store.tenant(&by.scope()).await?;
    let row = find(&mut unit, &place.environment, name).await?;
    let fits = seen.is_none_or(|seen| seen == row.version);
    let now = server.now();
    if !fits || !unit.remove_secret(&place.environment, name, row.version, now).await? {
        return Err(SecretError::Stale);
    }
    let told = Told { act: Act::SecretRemoved, version: row.version, payload: Value::Null };
    tell(server, &mut unit, by, &place, &told).await?;
    unit.commit().await?;
    server.bell.notify_one();
    Ok(())
}

/// A secret that was not removed.
pub(crate) async fn find(
    unit: &mut TenantUnit,
    environment: &EnvironmentId,
    name: &SecretName,
) -> Result<SecretRow, SecretError> {
    let found = unit.secret(environment, name).await?;
    found.filter(|row| row.removed.is_none()).ok_or(SecretError::Missing)
}

/// What hosts and the audit are told.
struct Told {
    act: Act,
    version: u64,
    payload: Value,
}

async fn tell(
    server: &Server,
    unit: &mut TenantUnit,
    by: &Principal,
    place: &SecretPlace,
    told: &Told,
) -> Result<(), StoreError> {
    let topic = Topic::Secret.as_str();
    unit.change(&server.feed(&place.org, topic, place, &told.payload)).await?;
    let detail = json!({ "version": told.version.to_string() });
    let actor = by.subject.to_string();
    unit.audit(&server.note(&place.org, &actor, told.act, place, &detail)).await
}

fn place(by: &Principal, name: &SecretName) -> SecretPlace {
    let (org, environment) = (by.org.clone(), by.environment.clone());
    SecretPlace { org, environment, name: name.clone() }
}

impl Server {
    /// Erases values that were replaced and that no host holds any more.
    pub(crate) async fn erase_old_secrets(&self) -> Result<u64, StoreError> {
        let mut unit = self.store.platform(PlatformScope::of("secrets")).await?;
        let since = soma_policy::Timestamp(self.now().0.saturating_sub(KEEP.0));
        let erased = unit.erase_old_secret_values(since).await?;
        unit.commit().await?;
        Ok(erased)
    }
}
