//! A publisher's name in the hands of another org, and the keys that hosts are told.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use soma_capsule::PublicKey;
use soma_capsule::trust::KEYS_PER_PUBLISHER_MAX;
use soma_market::Refusal;
use soma_market::install::InstallCommand;
use soma_market::namespace::{Namespace, NamespaceCommand, NamespaceEffect};
use soma_policy::feed::{PublisherKeys, Topic};
use soma_policy::{Code, Digest, OrgId, PublisherName};

use crate::audit::Act;
use crate::installs::keep;
use crate::market::MarketError;
use crate::server::Server;
use crate::store::{PlatformScope, PlatformUnit, SigningKey};

const SCOPE: PlatformScope = PlatformScope::of("transfers");
/// Rows of one look.
const PAGE: u32 = 100;

/// Tells hosts whose signature counts for a publisher from now on.
pub(crate) async fn tell_keys(
    server: &Server,
    unit: &mut PlatformUnit,
    owner: &OrgId,
    name: &PublisherName,
) -> Result<(), MarketError> {
    let keys = unit.signing_keys(name).await?;
    let keys = keys.into_iter().filter(|key| key.revoked.is_none()).map(|key| key.spki).collect();
    let payload = PublisherKeys { keys, publisher: name.clone() };
    let payload = serde_json::to_value(&payload).map_err(MarketError::failed)?;
    let change = server.feed(owner, Topic::Publisher.as_str(), name, &payload);
    Ok(unit.change(&change).await?)
}

/// A key that signs for a publisher from now on; hosts are told.
pub(crate) async fn add_signing_key(
    server: &Server,
    unit: &mut PlatformUnit,
    it: &Namespace,
    key: &PublicKey,
    by: &str,
) -> Result<SigningKey, MarketError> {
    unit.lock_namespace(&it.name).await?;
    let known = unit.signing_keys(&it.name).await?;
    if known.iter().filter(|key| key.revoked.is_none()).count() >= KEYS_PER_PUBLISHER_MAX {
        let reason = format!("a publisher has at most {KEYS_PER_PUBLISHER_MAX} keys");
        return Err(Refusal::new(Code::TooMany, "add", reason).into());
    }
    let made = SigningKey {
        key: Digest::of(key.spki_der()).to_string().trim_start_matches("sha256:").to_owned(),
        fingerprint: key.fingerprint(),
        spki: STANDARD.encode(key.spki_der()),
        added_by: by.to_owned(),
        added: server.now(),
        revoked: None,
    };
    unit.insert_signing_key(&it.name, &it.owner, &made).await?;
    tell_keys(server, unit, &it.owner, &it.name).await?;
    let detail = json!({ "fingerprint": made.fingerprint });
    let note = server.note(&it.owner, by, Act::SigningKeyAdded, &it.name, &detail);
    unit.audit(&note).await?;
    Ok(made)
}

/// Completes the transfers whose pause is over, and says how many that were.
pub(crate) async fn complete_transfers(server: &Server) -> Result<u64, MarketError> {
    let (mut done, mut after) = (0, String::new());
    loop {
        let mut unit = server.store.survey(SCOPE).await?;
        let page = unit.namespaces(None, &after, PAGE).await?;
        drop(unit);
        let Some(last) = page.last() else { return Ok(done) };
        after = last.it.name.as_str().to_owned();
        for row in &page {
            let ready = row.it.transfer.as_ref().and_then(|it| it.ready_at());
            if ready.is_some_and(|ready| ready <= server.now()) {
                complete(server, &row.it.name).await?;
                done += 1;
            }
        }
    }
}

/// One name changes hands: with its releases, and with a question to each tenant of its capsules.
async fn complete(server: &Server, name: &PublisherName) -> Result<(), MarketError> {
    let mut unit = server.store.platform(SCOPE).await?;
    unit.lock_namespace(name).await?;
    let Some(row) = unit.namespace(name).await? else { return Ok(()) };
    let step = row.it.apply(NamespaceCommand::Complete, server.now())?;
    if !unit.update_namespace(row.it.sequence, &step.next).await? {
        return Err(MarketError::Raced);
    }
    unit.hand_over(name, &step.next.owner).await?;
    for release in unit.releases_of(name).await? {
        let next = release.handed_over(&step.next);
        if next != release {
            unit.update_release(release.record().sequence, &next, server.now()).await?;
        }
    }
    for NamespaceEffect::AskTenants { to, .. } in &step.effects {
        ask_tenants(server, &mut unit, &step.next, to).await?;
    }
    let detail = json!({ "from": row.it.owner, "to": step.next.owner });
    let note = server.note(&step.next.owner, "rules", Act::NamespaceChanged, name, &detail);
    unit.audit(&note).await?;
    unit.commit().await?;
    server.bell.notify_one();
    Ok(())
}

/// Nothing of this publisher updates by itself until its tenant has agreed to the owner.
async fn ask_tenants(
    server: &Server,
    unit: &mut PlatformUnit,
    name: &Namespace,
    to: &OrgId,
) -> Result<(), MarketError> {
    for capsule in unit.capsules_of(&name.name).await? {
        let mut after = None;
        loop {
            let page = unit.installations_of(&capsule.entry.name, after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.it.record().key.clone());
            for row in &page {
                let step = row.it.apply(InstallCommand::OwnerChanged(to.clone()), server.now())?;
                keep(server, unit, "rules", row, step).await?;
            }
        }
    }
    Ok(())
}
