//! What becomes of a release after its publication: deprecated, yanked, given back, revoked.
//!
//! A revocation stops what runs by itself: in its own transaction every host is told that the digest never runs again,
//! and who has it at a health gate is put back. It also asks for a kill order. Orders are signed by operators, never by
//! the server: which ones are wanted is the room of kills' to list (`wanted`).

use semver::Version;
use serde_json::json;
use soma_market::Words;
use soma_market::install::InstallCommand;
use soma_market::org::Actor;
use soma_market::release::{EntryCommand, Release, ReleaseCommand, ReleaseEffect, ReleaseRecord};
use soma_policy::feed::{RevokedRelease, Topic};
use soma_policy::{CapsuleName, Code, Digest, OrderId, PublisherName};

use super::publish::refresh;
use crate::audit::Act;
use crate::installs::keep;
use crate::market::MarketError;
use crate::server::Server;
use crate::store::PlatformUnit;

/// What is to become of a release.
#[derive(Debug, Clone)]
pub(crate) enum Withdrawal {
    /// Something else is better.
    Deprecate(Option<Version>, Words),
    /// Taken back for now.
    Yank(Words),
    /// Given back.
    Unyank(Words),
    /// Taken back for good.
    Revoke(Words),
}

impl Server {
    /// Withdraws a release, or gives it back. The digest is what is to be killed, if anything is.
    pub(crate) async fn withdraw(
        &self,
        unit: &mut PlatformUnit,
        by: &Actor,
        (capsule, version): (&CapsuleName, &Version),
        wish: Withdrawal,
    ) -> Result<(Release, Option<Digest>), MarketError> {
        let unknown = || {
            MarketError::unknown(Code::ReleaseUnknown, format!("there is no {capsule}@{version}"))
        };
        let release = unit.release(capsule, version).await?.ok_or_else(unknown)?;
        // To a stranger, what was never published is not there.
        let own = by.is_platform() || *by.org() == release.record().owner;
        if !own && release.record().published_at.is_none() {
            return Err(unknown());
        }
        let command = match wish {
            Withdrawal::Deprecate(instead, reason) => {
                ReleaseCommand::Deprecate { by, instead, reason }
            }
            Withdrawal::Yank(reason) => ReleaseCommand::Yank { by, reason },
            Withdrawal::Unyank(reason) => ReleaseCommand::Unyank { by, reason },
            Withdrawal::Revoke(reason) => ReleaseCommand::Revoke { by, reason },
        };
        let step = release.apply(command, self.now())?;
        if !unit.update_release(release.record().sequence, &step.next, self.now()).await? {
            return Err(MarketError::Raced);
        }
        refresh(unit, capsule).await?;
        let record = step.next.record();
        let kill = step.effects.iter().find_map(|effect| match effect {
            ReleaseEffect::Kill(digest) => Some(*digest),
            ReleaseEffect::Examine(_) | ReleaseEffect::Announce(_) => None,
        });
        if let Some(digest) = kill {
            self.tell_revoked(unit, record, digest).await?;
            self.give_up_revoked(unit, digest).await?;
        }
        let subject = format!("{capsule}@{version}");
        let detail = json!({ "kill": kill, "reason": record.reason, "state": record.state });
        let who = format!("user:{}", by.person());
        let note = self.note(&record.owner, &who, Act::ReleaseWithdrawn, &subject, &detail);
        unit.audit(&note).await?;
        unit.change(&self.event(&record.owner, "capsule.withdrawn", &subject, &detail)).await?;
        Ok((step.next, kill))
    }

    /// Every host cuts what runs of the digest, and starts nothing of it any more.
    async fn tell_revoked(
        &self,
        unit: &mut PlatformUnit,
        record: &ReleaseRecord,
        digest: Digest,
    ) -> Result<(), MarketError> {
        let told = RevokedRelease {
            capsule: record.name.clone(),
            reason: record.reason.as_ref().map(ToString::to_string).unwrap_or_default(),
            version: record.version.to_string(),
        };
        let payload = serde_json::to_value(&told).map_err(MarketError::failed)?;
        let change = self.feed(&self.platform, Topic::Release.as_str(), digest, &payload);
        unit.change(&change).await?;
        let (subject, detail) = (format!("digest:{digest}"), json!({ "told": told }));
        let note = self.note(&self.platform, "rules", Act::KillWanted, &subject, &detail);
        Ok(unit.audit(&note).await?)
    }

    /// Revisions of the digest that are at a health gate will not pass it.
    async fn give_up_revoked(
        &self,
        unit: &mut PlatformUnit,
        digest: Digest,
    ) -> Result<(), MarketError> {
        for row in unit.gated_with(&digest).await? {
            let reason = Words::clipped("the release was revoked");
            let step = row.it.apply(InstallCommand::BackOut { reason }, self.now())?;
            keep(self, unit, "rules", &row, step).await?;
        }
        Ok(())
    }

    /// A release of this name was killed: new ones wait until somebody of the platform has looked.
    pub(super) async fn freeze_name(
        &self,
        unit: &mut PlatformUnit,
        capsule: &CapsuleName,
        digest: Digest,
        order: OrderId,
    ) -> Result<(), MarketError> {
        let Some(row) = unit.capsule(capsule).await? else { return Ok(()) };
        if row.entry.frozen.is_some() {
            return Ok(());
        }
        let next = row.entry.apply(EntryCommand::Freeze { digest, order }, self.now())?;
        let kept = unit.update_entry(row.entry.sequence, &next).await?;
        if kept { Ok(()) } else { Err(MarketError::Raced) }
    }

    /// Releases of this publisher are no longer approved without a person.
    pub(super) async fn freeze_publisher(
        &self,
        unit: &mut PlatformUnit,
        publisher: &PublisherName,
        order: OrderId,
    ) -> Result<(), MarketError> {
        use soma_market::namespace::NamespaceCommand;
        let Some(row) = unit.namespace(publisher).await? else { return Ok(()) };
        if row.it.frozen.is_some() {
            return Ok(());
        }
        let next = row.it.apply(NamespaceCommand::Freeze(order), self.now())?.next;
        let kept = unit.update_namespace(row.it.sequence, &next).await?;
        if kept { Ok(()) } else { Err(MarketError::Raced) }
    }
}
