//! What a host says that it stopped: a document that it signs once the calls have ended.

use serde::{Deserialize, Serialize};
use soma_policy::{CallId, Digest, HostId, InstallationKey, OrderId, Timestamp, decimal};

use super::RECEIPT_KIND;
use crate::dsse::{self, DsseError, Envelope};
use crate::key::{KeyPair, PublicKey};

/// A host's receipt for carrying out an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KillReceipt {
    /// When the host took the order, by its wall clock.
    pub accepted_at: Timestamp,
    /// The calls that it stopped, those that took longest first.
    pub calls: Vec<StoppedCall>,
    /// Hash of the order's canonical form.
    pub document: Digest,
    /// The host.
    pub host: HostId,
    /// The order.
    pub order: OrderId,
    /// How many calls were stopped, those that are not listed too.
    pub stopped: u32,
    /// From acceptance until the last of the calls that have ended had ended, in microseconds.
    #[serde(with = "decimal")]
    pub took_us: u64,
    /// The version of this format: 1.
    pub v: u32,
}

/// One call that an order stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoppedCall {
    /// The call.
    pub call: CallId,
    /// Blocking operations that cannot be stopped and were still under way.
    pub draining: u32,
    /// Its function.
    pub function: String,
    /// Its installation.
    pub installation: InstallationKey,
    /// From acceptance until nothing of its guest ran any more, in microseconds. Absent if that was not
    /// yet so when the host stopped waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_us: Option<Micros>,
}

/// Microseconds, as a decimal string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Micros(#[serde(with = "decimal")] pub u64);

impl KillReceipt {
    /// The version that this crate writes.
    pub const VERSION: u32 = 1;

    /// Calls that had not ended, or that had left blocking work behind.
    pub fn draining(&self) -> impl Iterator<Item = &StoppedCall> {
        self.calls.iter().filter(|call| call.stopped_us.is_none() || call.draining > 0)
    }

    /// Signs it with the host's key.
    ///
    /// # Errors
    /// When the key cannot be used.
    pub fn sign(&self, key: &KeyPair) -> Result<Envelope, DsseError> {
        dsse::sign_document(RECEIPT_KIND, self, &[key])
    }

    /// Reads a receipt that the holder of this key signed.
    ///
    /// # Errors
    /// When it is none, or another key signed it.
    pub fn check(envelope: &Envelope, key: &PublicKey) -> Result<Self, DsseError> {
        dsse::verify(envelope, RECEIPT_KIND, std::slice::from_ref(key))?.read()
    }

    /// Reads a stored receipt without any proof: it was checked when it was stored.
    #[must_use]
    pub fn stored(envelope: &Envelope) -> Option<Self> {
        serde_json::from_slice(envelope.unverified_payload()).ok()
    }
}
