//! One operation on a bucket: decided key by key, counted, then handed to the store.
//!
//! The resource table is not here: what waits for the store must hold nothing that only one thread may see.

use soma_capsule::crash_point;
use soma_policy::{
    CapabilityKind, CapabilityRef, Code, Denial, HostCall, KvOperation, KvRequest, Label, LimitKind,
};
use soma_wit::keyvalue::store::Error;
use wasmtime::Result;

use super::BATCH_MAX;
use super::backend::{Done, KvStore, Permits};
use super::keyspace::{KEY_MAX, KvError, Page};
use crate::capability::{missing, words};
use crate::gate::{Gate, Refused};
use crate::running::Cut;

/// What a guest gets.
pub(super) type Answer<T> = std::result::Result<T, Error>;

/// Why an operation stops before its answer.
pub(super) enum Stop {
    Refused(Refused),
    Answer(Error),
    Trap(wasmtime::Error),
}

impl Stop {
    pub(super) fn other(text: impl Into<String>) -> Self {
        Self::Answer(Error::Other(text.into()))
    }
}

impl From<Refused> for Stop {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<Cut> for Stop {
    fn from(cut: Cut) -> Self {
        Self::Refused(Refused::Cut(cut))
    }
}

impl From<wasmtime::component::ResourceTableError> for Stop {
    fn from(error: wasmtime::component::ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

/// Turns a stop into what the guest gets, or into the end of the guest.
pub(super) fn answer<T>(done: std::result::Result<T, Stop>) -> Result<Answer<T>> {
    match done {
        Ok(value) => Ok(Ok(value)),
        Err(Stop::Answer(error)) => Ok(Err(error)),
        Err(Stop::Trap(error)) => Err(error),
        Err(Stop::Refused(refused)) => {
            words(refused)?;
            Ok(Err(Error::AccessDenied))
        }
    }
}

/// The gate of a call and the store behind it.
#[derive(Clone, Copy)]
pub(super) struct Decided<'a> {
    pub(super) gate: &'a Gate,
    pub(super) store: &'a KvStore,
}

impl Decided<'_> {
    /// Decides an operation on each key, and charges the keys.
    fn admit<'k>(
        &self,
        bucket: &str,
        operation: KvOperation,
        keys: impl IntoIterator<Item = &'k str>,
    ) -> std::result::Result<Permits, Stop> {
        let mut permits = Permits { bucket: bucket.into(), each: Vec::new(), quota: 0 };
        for key in keys {
            self.gate.running().charge_bytes(key.len())?;
            if permits.each.len() >= BATCH_MAX {
                return Err(Stop::other(format!("a batch has at most {BATCH_MAX} keys")));
            }
            if key.len() > KEY_MAX {
                return Err(Stop::other(KvError::Key.to_string()));
            }
            let (permit, quota) = self.gate.decide(
                KvRequest::new(bucket, operation, key),
                |authorised, request| authorised.kv(request).map(|right| right.quota().0),
                |request| HostCall::Kv(request),
            )?;
            permits.quota = quota;
            permits.each.push(permit);
        }
        Ok(permits)
    }

    /// What the store said. A full store is kept as a denial, a failed one told to the operator alone.
    fn said<T>(&self, bucket: &str, done: Done<T>) -> std::result::Result<T, Stop> {
        match done? {
            Ok(value) => Ok(value),
            Err(full @ KvError::Full { .. }) => {
                self.gate.refuse(out_of_room(bucket, &full));
                Err(Stop::other(full.to_string()))
            }
            Err(KvError::TooLarge) => {
                // More than the call may still move: it ends as if the bytes had been moved.
                self.gate.running().charge(LimitKind::Hostcall, u64::MAX)?;
                Err(Stop::other(KvError::TooLarge.to_string()))
            }
            Err(KvError::Storage(cause)) => {
                tracing::error!(error = %cause, "the key-value store failed");
                Err(Stop::other("the store failed"))
            }
            Err(other) => Err(Stop::other(other.to_string())),
        }
    }

    pub(super) async fn read(
        &self,
        bucket: &str,
        keys: &[String],
    ) -> std::result::Result<Vec<Option<Vec<u8>>>, Stop> {
        let running = self.gate.running();
        let permits = self.admit(bucket, KvOperation::Get, keys.iter().map(String::as_str))?;
        let left = running.meter.left(LimitKind::Hostcall);
        let values = self.said(bucket, self.store.get(running, permits, left).await)?;
        running.charge_bytes(values.iter().flatten().map(Vec::len).sum())?;
        self.gate.label(Label::TenantData);
        Ok(values)
    }

    pub(super) async fn exists(&self, bucket: &str, key: &str) -> std::result::Result<bool, Stop> {
        let permits = self.admit(bucket, KvOperation::Exists, [key])?;
        let found = self.store.exists(self.gate.running(), permits).await;
        let found = self.said(bucket, found)?;
        self.gate.label(Label::TenantData);
        Ok(found)
    }

    pub(super) async fn write(
        &self,
        bucket: &str,
        pairs: Vec<(String, Vec<u8>)>,
    ) -> std::result::Result<(), Stop> {
        let running = self.gate.running();
        running.charge_bytes(pairs.iter().map(|(_, value)| value.len()).sum())?;
        let keys = pairs.iter().map(|(key, _)| key.as_str());
        let permits = self.admit(bucket, KvOperation::Set, keys)?;
        running.before_effect().await?;
        let values = pairs.into_iter().map(|(_, value)| value).collect();
        let kept = self.store.set(running, permits, values).await;
        crash_point!("host.effect.kept");
        self.said(bucket, kept)
    }

    pub(super) async fn delete(
        &self,
        bucket: &str,
        keys: &[String],
    ) -> std::result::Result<(), Stop> {
        let running = self.gate.running();
        let permits = self.admit(bucket, KvOperation::Delete, keys.iter().map(String::as_str))?;
        running.before_effect().await?;
        self.said(bucket, self.store.delete(running, permits).await)
    }

    pub(super) async fn increment(
        &self,
        bucket: &str,
        key: &str,
        delta: u64,
    ) -> std::result::Result<u64, Stop> {
        let running = self.gate.running();
        let permits = self.admit(bucket, KvOperation::Increment, [key])?;
        running.before_effect().await?;
        let sum = self.said(bucket, self.store.increment(running, permits, delta).await)?;
        self.gate.label(Label::TenantData);
        Ok(sum)
    }

    /// A page of keys below the granted prefix.
    pub(super) async fn list(
        &self,
        bucket: &str,
        after: Option<String>,
    ) -> std::result::Result<Page, Stop> {
        let running = self.gate.running();
        // Without a right there is no prefix; the decision that follows says so.
        let prefix =
            self.gate.authorised().rights().kv_prefix(bucket).unwrap_or_default().to_owned();
        let permits = self.admit(bucket, KvOperation::List, [prefix.as_str()])?;
        let page = self.store.list(running, permits, prefix, after).await;
        let page = self.said(bucket, page)?;
        running.charge_bytes(page.keys.iter().map(String::len).sum())?;
        self.gate.label(Label::TenantData);
        Ok(page)
    }
}

/// The denial, about this bucket where it has the form of a name.
pub(super) fn on_bucket(denial: Denial, bucket: &str) -> Denial {
    match bucket.parse() {
        Ok(name) => denial.on(CapabilityRef::named(CapabilityKind::Kv, name)),
        Err(_) => denial,
    }
}

fn out_of_room(bucket: &str, full: &KvError) -> Denial {
    let operation = format!("write to store `{bucket}`");
    let fix = format!("delete keys, or raise grants.kv.{bucket}.quota ({full})");
    on_bucket(missing(Code::KvQuota, CapabilityKind::Kv, operation), bucket).fix(fix)
}
