//! Publication: the marketplace's countersignature, the first offer, and what the catalogue shows from now on.

use bytes::Bytes;
use semver::Version;
use serde_json::json;
use soma_capsule::{crash_point, dsse};
use soma_market::offer::Offer;
use soma_market::release::{CapsuleEntry, Release, ReleaseCommand, ReleaseState};
use soma_policy::CapsuleName;
use soma_policy::feed::{ReleaseApproval, kind};

use super::facts::{facts_of, present};
use crate::audit::Act;
use crate::catalogue::tokens;
use crate::examine::shapes;
use crate::market::MarketError;
use crate::server::Server;
use crate::store::{PlatformUnit, Shown};

/// Releases of one capsule that are looked at for the newest.
const RELEASES_MAX: u32 = 1000;

/// An approved release enters the catalogue.
pub(super) async fn publish(
    server: &Server,
    unit: &mut PlatformUnit,
    who: &str,
    entry: &CapsuleEntry,
    before: u64,
    approved: Release,
) -> Result<Release, MarketError> {
    let now = server.now();
    let next = approved.apply(ReleaseCommand::Publish { entry }, now)?.next;
    if !unit.update_release(before, &next, now).await? {
        return Err(MarketError::Raced);
    }
    countersign(server, &next).await?;
    crash_point!("server.publish.countersigned");
    let record = next.record();
    let (_, facts) = facts_of(&present(unit, &next).await?)?;
    let offer = Offer::new(facts.price, None, None, None)?;
    let digest = offer.digest()?;
    unit.insert_offer(&record.name, &record.owner, (digest, &offer), now).await?;
    refresh(unit, &record.name).await?;
    let subject = format!("{}@{}", record.name, record.version);
    let detail = json!({ "digest": facts.digest, "offer": digest });
    let org = &record.owner;
    unit.audit(&server.note(org, who, Act::ReleasePublished, &subject, &detail)).await?;
    unit.change(&server.event(org, "capsule.published", &subject, &detail)).await?;
    Ok(next)
}

/// The marketplace's word that this digest is this release, beside the component.
async fn countersign(server: &Server, release: &Release) -> Result<(), MarketError> {
    let record = release.record();
    let unbound = || MarketError::failed("a release without a digest is published");
    let digest = release.digest().ok_or_else(unbound)?;
    let approval = ReleaseApproval {
        at: server.now(),
        capsule: record.name.clone(),
        deployment: server.deployment.clone(),
        digest,
        owner: record.owner.clone(),
        version: record.version.clone(),
    };
    let signed = dsse::sign_document(kind::APPROVAL, &approval, &[&server.feed_key]);
    let envelope = signed.map_err(MarketError::failed)?.to_json();
    Ok(server.packages.approve(digest, Bytes::from(envelope)).await?)
}

/// Shows the newest release that can be installed; published ones before deprecated ones.
pub(super) async fn refresh(
    unit: &mut PlatformUnit,
    capsule: &CapsuleName,
) -> Result<(), MarketError> {
    let releases = unit.published(capsule, RELEASES_MAX).await?;
    let rank = |release: &&Release| {
        let current = release.state() == ReleaseState::Published;
        let stable = release.record().version.pre.is_empty();
        (current, stable, release.record().version.clone())
    };
    let installable = releases.iter().filter(|release| release.state().is_installable());
    let Some(newest) = installable.max_by_key(rank) else {
        let before = unit.capsule(capsule).await?.map(|row| row.shown).unwrap_or_default();
        // Names that were used are still compared with new ones.
        return Ok(unit.show_capsule(capsule, None, &before, &shapes(capsule)).await?);
    };
    let (manifest, facts) = facts_of(&present(unit, newest).await?)?;
    let shown = Shown {
        kind: manifest.kind.to_string(),
        summary: manifest.summary.clone(),
        licence: manifest.licence.clone(),
        price: facts.price,
        published: newest.record().published_at,
    };
    let version: &Version = &newest.record().version;
    let mut all = tokens(&manifest);
    all.extend(shapes(capsule));
    Ok(unit.show_capsule(capsule, Some(&version.to_string()), &shown, &all).await?)
}

impl Server {
    /// Publishes what was approved and is not published yet.
    pub(crate) async fn publish_approved(
        &self,
        unit: &mut PlatformUnit,
        who: &str,
        release: Release,
    ) -> Result<Release, MarketError> {
        let name = &release.record().name;
        let missing = || MarketError::failed("a release has no name");
        let entry = unit.capsule(name).await?.ok_or_else(missing)?.entry;
        let before = release.record().sequence;
        publish(self, unit, who, &entry, before, release).await
    }
}
