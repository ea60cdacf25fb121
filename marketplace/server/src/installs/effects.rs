//! What follows from a step: the revision's row, the change of the feed, events and the record, all or nothing.

use serde_json::{Value, json};
use soma_capsule::crash_point;
use soma_market::Step;
use soma_market::install::{InstallEffect, Installed};
use soma_policy::Timestamp;
use soma_policy::feed::Topic;

use super::payload::payload;
use crate::audit::Act;
use crate::market::MarketError;
use crate::server::Server;
use crate::store::{InstallationRow, PlatformUnit};

/// Keeps the next state of an installation with everything that follows from it.
pub(crate) async fn keep(
    server: &Server,
    unit: &mut PlatformUnit,
    who: &str,
    row: &InstallationRow,
    step: Step<Installed, InstallEffect>,
) -> Result<Installed, MarketError> {
    let Step { next, effects } = step;
    if next == row.it {
        return Ok(next);
    }
    let change = tell(server, unit, &next, &effects).await?;
    let change = change.unwrap_or_else(|| row.change.clone());
    if !unit.update_installation(row.it.record().sequence, &next, &change).await? {
        return Err(MarketError::Raced);
    }
    let gated = row.it.record().candidate.as_ref().map(|it| it.revision.number);
    follow(server, unit, (who, gated), &next, &effects).await?;
    Ok(next)
}

/// Keeps a first installation.
pub(super) async fn keep_first(
    server: &Server,
    unit: &mut PlatformUnit,
    who: &str,
    step: Step<Installed, InstallEffect>,
) -> Result<Installed, MarketError> {
    let Step { next, effects } = step;
    let change = tell(server, unit, &next, &effects).await?.unwrap_or_default();
    let row = InstallationRow { it: next.clone(), change, created: server.now() };
    unit.insert_installation(&row).await?;
    follow(server, unit, (who, None), &next, &effects).await?;
    crash_point!("server.install.kept");
    Ok(next)
}

/// Tells hosts, if there is anything new for them, and gives the change's id.
async fn tell(
    server: &Server,
    unit: &mut PlatformUnit,
    next: &Installed,
    effects: &[InstallEffect],
) -> Result<Option<String>, MarketError> {
    let told = effects.iter().any(|effect| {
        matches!(
            effect,
            InstallEffect::Activate(_)
                | InstallEffect::Try(_)
                | InstallEffect::BackedOut(_)
                | InstallEffect::Gone
        )
    });
    if !told {
        return Ok(None);
    }
    let key = &next.record().key;
    let payload = payload(unit, next).await?;
    let change = server.feed(&key.org, Topic::Installation.as_str(), key, &payload);
    unit.change(&change).await?;
    Ok(Some(change.id))
}

/// `gated` is the revision that was at its health gate before the step.
async fn follow(
    server: &Server,
    unit: &mut PlatformUnit,
    (who, gated): (&str, Option<u64>),
    next: &Installed,
    effects: &[InstallEffect],
) -> Result<(), MarketError> {
    let record = next.record();
    let (key, org) = (&record.key, &record.key.org);
    // Whether a tenant took the capsule up (false) or gave it up (true).
    let mut counts = None;
    for effect in effects {
        let (act, event, detail): (Act, &'static str, Value) = match effect {
            InstallEffect::Record(revision) => {
                unit.insert_revision(key, revision).await?;
                let first = revision.number == 1;
                if first {
                    counts = Some(false);
                }
                let act = if first { Act::InstallationMade } else { Act::InstallationChanged };
                let detail = json!({
                    "capsule": record.capsule, "digest": revision.spec.digest, "offer": revision.offer,
                    "plan": revision.consent.plan, "revision": revision.number.to_string(), "version": revision.version,
                });
                (act, "capsule.accepted", detail)
            }
            InstallEffect::Activate(number) if record.active.number == *number => {
                let since = if gated == Some(*number) { server.now() } else { Timestamp(0) };
                unit.bill_revision(key, &record.active, since).await?;
                let detail = json!({
                    "capsule": record.capsule, "digest": record.active.spec.digest,
                    "revision": number.to_string(), "version": record.active.version,
                });
                (Act::InstallationChanged, "capsule.activating", detail)
            }
            InstallEffect::Activate(_) | InstallEffect::Try(_) => continue,
            InstallEffect::BackedOut(number) => {
                let reason = record.refused.as_ref().map(|(_, reason)| reason.clone());
                let detail = json!({ "capsule": record.capsule, "reason": reason, "revision": number.to_string() });
                (Act::InstallationBackedOut, "capsule.backed-out", detail)
            }
            InstallEffect::Settled(number) => {
                let detail = json!({
                    "capsule": record.capsule, "digest": record.active.spec.digest,
                    "revision": number.to_string(), "version": record.active.version,
                });
                (Act::InstallationSettled, "capsule.installed", detail)
            }
            InstallEffect::Gone => {
                counts = Some(true);
                let detail = json!({ "capsule": record.capsule });
                (Act::InstallationRemoved, "capsule.removed", detail)
            }
        };
        unit.audit(&server.note(org, who, act, key, &detail)).await?;
        unit.change(&server.event(org, event, key, &detail)).await?;
    }
    if let Some(removed) = counts {
        unit.count_tenant(&record.capsule, key, removed).await?;
    }
    Ok(())
}
