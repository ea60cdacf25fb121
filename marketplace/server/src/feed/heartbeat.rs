//! A host's report, and the server's word on how far its feed is.
//!
//! A heartbeat keeps capsules running, so none is given by a server that cannot say what is committed: not
//! when the head cannot be read, and not when what was committed waits too long for its number.

use bytes::Bytes;
use soma_policy::feed::{FeedHead, Heartbeat, HostReport, kind};
use soma_policy::{HostId, Timestamp};

use super::FeedError;
use super::answer::{head, is_ours};
use crate::server::Server;
use crate::store::{PlatformScope, PlatformUnit};

const SCOPE: PlatformScope = PlatformScope::of("heartbeat");
/// How long a committed change may wait for its number.
const WAITS_MAX_MS: u64 = 5_000;

impl Server {
    /// Stores what a host reports and answers with a signed heartbeat; none if it was retired meanwhile.
    pub(crate) async fn heartbeat(
        &self,
        host: HostId,
        report: &HostReport,
    ) -> Result<Option<Bytes>, FeedError> {
        let now = self.now();
        let mut unit = self.store.platform(SCOPE).await?;
        let before = unit.host(&host).await?;
        if !unit.report_host(&host, report, now).await? {
            return Ok(None);
        }
        if let Some(before) = &before {
            self.watch_journal(&mut unit, report, before, now).await?;
        }
        unit.report_checks(&host, &report.checks, now).await?;
        unit.report_refusals(&host, &report.not_running, now).await?;
        unit.commit().await?;
        // Whoever waits for hosts to have applied something may go on.
        self.bell.notify_one();
        let head = self.committed_head(report.head, now).await?;
        let deployment = self.deployment.clone();
        let nonce = report.nonce.clone();
        self.signed(kind::HEARTBEAT, &Heartbeat { at: now, deployment, head, host, nonce })
            .map(Some)
    }

    async fn committed_head(&self, said: FeedHead, now: Timestamp) -> Result<FeedHead, FeedError> {
        let mut unit = self.store.survey(SCOPE).await?;
        let head = head(&mut unit).await?;
        let waits = unit.feed_waits_since().await?;
        if waits.is_some_and(|since| now.since(since).0 > WAITS_MAX_MS) {
            return Err(FeedError::Behind);
        }
        if follows(&mut unit, &said, &head).await? {
            return Ok(head);
        }
        tracing::error!(
            epoch = said.epoch,
            n = said.n,
            "a host has applied what is not in this feed"
        );
        Err(FeedError::Forked)
    }
}

/// Whether what a host has applied can be a part of this feed. One of an epoch before will take a snapshot.
async fn follows(
    unit: &mut PlatformUnit,
    said: &FeedHead,
    head: &FeedHead,
) -> Result<bool, FeedError> {
    if said.epoch < head.epoch || said.n == 0 {
        return Ok(said.epoch <= head.epoch);
    }
    if said.epoch > head.epoch || said.n > head.n {
        return Ok(false);
    }
    Ok(is_ours(unit, said).await?)
}
