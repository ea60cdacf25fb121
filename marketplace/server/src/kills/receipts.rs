//! What hosts signed that they stopped.

use serde_json::json;
use soma_capsule::dsse::Envelope;
use soma_capsule::kill::{KillReceipt, StoppedCall};
use soma_policy::{Digest, OrderId};

use super::KillsError;
use crate::audit::Act;
use crate::hosts::HostPrincipal;
use crate::server::Server;
use crate::store::{KillReceiptRow, PlatformScope};

const SCOPE: PlatformScope = PlatformScope::of("kill receipts");
/// Receipts that one host gives for one order.
const RECEIPTS_MAX: u64 = 64;
/// Receipts that are added up for one answer.
const SUMMED_MAX: u32 = 1000;

/// What hosts have stopped for an order, as far as they have said so.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stopped {
    pub(crate) calls: u64,
    /// The longest that one host took, in milliseconds.
    pub(crate) took_ms: u64,
    /// Calls that had not ended, or that left blocking work behind.
    pub(crate) draining: Vec<StoppedCall>,
}

impl Server {
    /// Takes a receipt that its own host signed; taking it again changes nothing.
    pub(crate) async fn take_receipt(
        &self,
        host: &HostPrincipal,
        body: &[u8],
    ) -> Result<(), KillsError> {
        let bad = |what| KillsError::Receipt(what);
        let envelope = Envelope::from_json(body).map_err(|_| bad("it is no signed document"))?;
        let receipt = KillReceipt::check(&envelope, &host.signing_key)
            .map_err(|_| bad("the host's key did not sign it"))?;
        if receipt.host != host.host {
            return Err(bad("it is another host's"));
        }
        let mut unit = self.store.platform(SCOPE).await?;
        unit.lock_deployment().await?;
        if unit.kill_documents_of(receipt.order).await?.is_empty() {
            return Err(KillsError::Unknown(receipt.order));
        }
        if unit.kill_receipt_count(receipt.order, Some(&host.host)).await? >= RECEIPTS_MAX {
            return Err(bad("the host gave too many for this order"));
        }
        let row = KillReceiptRow {
            order: receipt.order,
            host: host.host,
            hash: Digest::of(envelope.unverified_payload()),
            envelope: String::from_utf8(envelope.to_json()).unwrap_or_default(),
            at: self.now(),
        };
        if unit.keep_kill_receipt(&row).await? {
            let detail = json!({ "receipt": row.hash, "stopped": receipt.stopped });
            let actor = format!("host:{}", host.host);
            let note = self.note(&self.platform, &actor, Act::KillReceipt, row.order, &detail);
            unit.audit(&note).await?;
            unit.commit().await?;
            self.bell.notify_one();
        }
        Ok(())
    }

    /// A page of receipts for an order, as their hosts signed them.
    pub(crate) async fn receipts(
        &self,
        order: OrderId,
        after: (&str, &str),
        limit: u32,
    ) -> Result<Vec<KillReceiptRow>, KillsError> {
        let mut unit = self.store.survey(SCOPE).await?;
        if unit.kill_documents_of(order).await?.is_empty() {
            return Err(KillsError::Unknown(order));
        }
        Ok(unit.kill_receipts(order, after, limit).await?)
    }

    /// What hosts have stopped for an order so far.
    pub(crate) async fn stopped(&self, order: OrderId) -> Result<Stopped, KillsError> {
        let mut unit = self.store.survey(SCOPE).await?;
        let rows = unit.kill_receipts(order, ("", ""), SUMMED_MAX).await?;
        let mut sum = Stopped::default();
        for row in rows {
            let envelope = Envelope::from_json(row.envelope.as_bytes()).ok();
            let Some(receipt) = envelope.as_ref().and_then(KillReceipt::stored) else { continue };
            sum.calls += u64::from(receipt.stopped);
            sum.took_ms = sum.took_ms.max(receipt.took_us.div_ceil(1000));
            sum.draining.extend(receipt.draining().cloned());
        }
        Ok(sum)
    }
}
