//! The kill switch of a host: signed orders come in, what they name ends, and it cannot start again.
//!
//! An order works the moment its signature is checked: the set that every start is judged by is
//! swapped, running calls are cut, and only then is the order written down (a file of its own and a
//! journal record, each holding the whole signed document). Both are read at the next start; an order
//! in either stands. What the rules of scopes, quorum, suspension and lifts are is soma-policy's.
//!
//! Deliberately absent: who may ask over HTTP, and how guests are stopped. Orders carry their own
//! authority, and a call is cut through what `Target` holds of it.

mod book;
mod carry;
mod document;
mod error;
mod radius;
mod receipt;
mod replay;
mod store;
#[cfg(test)]
mod tests;
mod uptime;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};
use serde::Serialize;
use soma_capsule::dsse::Envelope;
use soma_capsule::key::KeyPair;
use soma_policy::{
    Digest, HostId, Installation, JournalEntry, KillOrder, KillRecord, KillScope, KillSet,
    KillSubject, Money, OrderId, Standing, Timestamp, Uptime, UptimeMark,
};

use crate::clock::Clock;
use crate::journal::Journal;

use book::{Book, Taken};
use carry::{cut, join};
use document::Checked;
use receipt::Carried;
use store::Folder;
use uptime::UptimeClock;

pub use book::OrderView;
pub(crate) use carry::Target;
pub use document::{LIFT_KIND, ORDER_KIND, RECEIPT_KIND, Trusted};
pub use error::{KillOpenError, KillRefusal};
pub use radius::Radius;
pub use receipt::{KillReceipt, Micros, StoppedCall};
pub use replay::KillReplay;

/// While a suspension runs, uptime is recorded this often.
const MARK_EVERY: u64 = 30_000;

/// What a kill switch is made of.
pub struct KillOptions {
    /// The folder of orders; nothing else belongs there.
    pub dir: PathBuf,
    /// Who may sign.
    pub trusted: Trusted,
    /// The host.
    pub host: HostId,
    /// The host's key, for receipts.
    pub key: KeyPair,
    /// How long a receipt waits for calls to end.
    pub patience: Duration,
}

/// All orders of a host, and what stands of them now.
pub struct Kills {
    set: ArcSwap<KillSet>,
    book: Mutex<Book>,
    trusted: RwLock<Arc<Trusted>>,
    folder: Arc<Folder>,
    journal: Journal,
    clock: Arc<dyn Clock>,
    uptime: UptimeClock,
    host: HostId,
    key: KeyPair,
    patience: Duration,
}

impl std::fmt::Debug for Kills {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kills").field("standing", &self.set.load().len()).finish_non_exhaustive()
    }
}

/// What became of an order or a lift.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Accepted {
    /// The order that it is about.
    pub order: OrderId,
    /// `complete`, `suspended`, `lapsed`, `lifted`; `unknown` for a lift that came before its order.
    pub state: &'static str,
    /// Persons who signed it.
    pub signed: usize,
    /// Persons who must sign it.
    pub needed: usize,
    /// Calls that it ended.
    pub killed: u32,
    /// From acceptance until they had ended.
    pub took_ms: u64,
    /// Calls that had not ended, or that left blocking work behind.
    pub draining: Vec<StoppedCall>,
    /// Whether it is on disk. If not it stands all the same, until this host stops.
    pub durable: bool,
    /// The host's signed receipt, if calls were to be stopped.
    pub receipt: Option<serde_json::Value>,
}

impl Kills {
    /// Reads the orders of this host. Damaged ones stop it from starting.
    ///
    /// # Errors
    /// [`KillOpenError`]: each one says what to do.
    pub fn open(
        options: KillOptions,
        clock: Arc<dyn Clock>,
        journal: Journal,
        replayed: KillReplay,
    ) -> Result<Self, KillOpenError> {
        let KillOptions { dir, trusted, host, key, patience } = options;
        let folder = Folder::open(&dir)?;
        let recorded = replayed.uptime();
        let mut book = Book::read(&folder, &trusted, replayed)?;
        let uptime = UptimeClock::new(Arc::clone(&clock), recorded.max(book.latest()));
        let set = book.set(&trusted.operators, uptime.now());
        Ok(Self {
            set: ArcSwap::from_pointee(set),
            book: Mutex::new(book),
            trusted: RwLock::new(Arc::new(trusted)),
            folder: Arc::new(folder),
            journal,
            clock,
            uptime,
            host,
            key,
            patience,
        })
    }

    /// What stands now. Every start is judged by it, after it was registered as running.
    pub fn set(&self) -> arc_swap::Guard<Arc<KillSet>> {
        self.set.load()
    }

    /// The order that stops this installation, if one does.
    #[must_use]
    pub fn judge(&self, installation: &Installation) -> Option<OrderId> {
        self.set.load().judge(installation.kill_subject())
    }

    /// Takes a signed order, lift, or further signature of one, and carries it out. `running` is asked
    /// for the running calls after the set was swapped; `interrupt` makes guests that compute look up.
    pub(crate) async fn take(
        &self,
        bytes: &[u8],
        running: impl FnOnce() -> Vec<Target>,
        interrupt: impl FnOnce(),
    ) -> Result<Accepted, KillRefusal> {
        let trusted = self.trusted();
        let checked = trusted.check(bytes)?;
        let (at, since, uptime) = (self.clock.now(), self.clock.monotonic(), self.uptime.now());
        let taken = self.record(&trusted, checked, uptime)?;
        let stopped = match &taken.stands {
            Some(scope) => cut(running(), &KillSet::of([(scope, taken.order)])),
            None => Vec::new(),
        };
        interrupt();
        let (durable, calls) = futures::future::join(
            self.write_down(&taken, at, uptime),
            join(stopped, &*self.clock, since, self.patience),
        )
        .await;
        let receipt = self.receipt(&taken, at, uptime, calls).await;
        Ok(self.accepted(&taken, &trusted, durable, receipt))
    }

    /// Adds the document to the book and swaps the set.
    fn record(
        &self,
        trusted: &Trusted,
        checked: Checked,
        uptime: Uptime,
    ) -> Result<Taken, KillRefusal> {
        let mut book = self.book.lock();
        book.fits(&checked.document)?;
        let taken = book.take(checked, &trusted.operators, uptime)?;
        self.set.store(Arc::new(book.set(&trusted.operators, uptime)));
        Ok(taken)
    }

    /// Writes a document to its file and to the journal. The order stands already; if neither can be
    /// written it is said, and it stands until the host stops.
    async fn write_down(&self, taken: &Taken, at: Timestamp, uptime: Uptime) -> bool {
        if !taken.write {
            return true;
        }
        let (order, hash, since) = (taken.order, taken.hash, taken.since);
        let envelope = taken.envelope.clone();
        let ticket = self.journal.append(&self.line(order, hash, &envelope, at, uptime));
        let folder = Arc::clone(&self.folder);
        let stored =
            tokio::task::spawn_blocking(move || folder.store(order, hash, &envelope, since)).await;
        let stored = stored.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        let stored = stored.err().map(|error| error.to_string());
        let recorded = ticket.durable().await.err().map(|error| error.to_string());
        let durable = stored.is_none() || recorded.is_none();
        for error in stored.into_iter().chain(recorded) {
            tracing::error!(%order, %error, "a kill document could not be written down");
        }
        self.book.lock().written(taken, durable);
        durable
    }

    fn line(
        &self,
        order: OrderId,
        document: Digest,
        envelope: &Envelope,
        at: Timestamp,
        uptime: Uptime,
    ) -> JournalEntry {
        let envelope = String::from_utf8(envelope.to_json()).unwrap_or_default();
        JournalEntry::Kill(KillRecord { at, document, order, envelope, uptime_ms: uptime.0 })
    }

    /// Signs and keeps what was stopped; none if the document stops nothing.
    async fn receipt(
        &self,
        taken: &Taken,
        accepted_at: Timestamp,
        uptime: Uptime,
        calls: Vec<StoppedCall>,
    ) -> Option<(KillReceipt, Envelope)> {
        taken.stands.as_ref().filter(|_| taken.changed || !calls.is_empty())?;
        let (order, document) = (taken.order, taken.hash);
        let carried = Carried { accepted_at, document, order, calls };
        let receipt = KillReceipt::new(self.host, carried);
        let signed = receipt.sign(&self.key);
        let envelope = signed
            .inspect_err(|error| tracing::error!(%order, %error, "a kill receipt is not signed"))
            .ok()?;
        let hash = Digest::of(envelope.unverified_payload());
        let ticket = self.journal.append(&self.line(order, hash, &envelope, accepted_at, uptime));
        let (folder, copy) = (Arc::clone(&self.folder), envelope.clone());
        let stored =
            tokio::task::spawn_blocking(move || folder.store_receipt(order, hash, &copy)).await;
        if !matches!(stored, Ok(Ok(()))) && ticket.durable().await.is_err() {
            tracing::error!(%order, "a kill receipt could not be written down");
        }
        self.book.lock().keep_receipt(order, envelope.clone());
        Some((receipt, envelope))
    }

    fn accepted(
        &self,
        taken: &Taken,
        trusted: &Trusted,
        durable: bool,
        receipt: Option<(KillReceipt, Envelope)>,
    ) -> Accepted {
        let view = self.view(taken.order, trusted);
        let (receipt, envelope) = receipt.unzip();
        Accepted {
            order: taken.order,
            state: view.as_ref().map_or("unknown", |view| view.state),
            signed: taken.signed,
            needed: view.map_or(0, |view| view.needed),
            killed: receipt.as_ref().map_or(0, |receipt| receipt.stopped),
            took_ms: receipt.as_ref().map_or(0, |receipt| receipt.took_us.div_ceil(1000)),
            draining: receipt.iter().flat_map(KillReceipt::draining).cloned().collect(),
            durable,
            receipt: envelope.and_then(|envelope| serde_json::from_slice(&envelope.to_json()).ok()),
        }
    }

    /// Lets suspensions lapse that were not completed in time, and records uptime while one runs. Asked
    /// about once a second. True if what stands has changed.
    pub fn tick(&self) -> bool {
        let (trusted, now) = (self.trusted(), self.uptime.now());
        let mut book = self.book.lock();
        let Some(lapse) = book.lapse else {
            return false;
        };
        if book.mark_due(now, MARK_EVERY) {
            let mark = UptimeMark { at: self.clock.now(), uptime_ms: now.0 };
            // A mark that is lost makes the suspension longer, not shorter.
            drop(self.journal.append(&JournalEntry::Uptime(mark)));
        }
        if now < lapse {
            return false;
        }
        self.set.store(Arc::new(book.set(&trusted.operators, now)));
        true
    }

    /// Replaces who may sign. Orders that stand are judged by the new quorum.
    pub fn trust(&self, trusted: Trusted) {
        let mut book = self.book.lock();
        self.set.store(Arc::new(book.set(&trusted.operators, self.uptime.now())));
        *self.trusted.write() = Arc::new(trusted);
    }

    fn trusted(&self) -> Arc<Trusted> {
        Arc::clone(&self.trusted.read())
    }

    /// Every order, oldest id first.
    #[must_use]
    pub fn list(&self) -> Vec<OrderView> {
        let trusted = self.trusted();
        self.book.lock().list(&trusted.operators, self.uptime.now())
    }

    fn view(&self, order: OrderId, trusted: &Trusted) -> Option<OrderView> {
        let views = self.book.lock().list(&trusted.operators, self.uptime.now());
        views.into_iter().rfind(|view| view.order.id == order)
    }

    /// An order as it was written, for another operator to sign or to lift.
    #[must_use]
    pub fn order(&self, order: OrderId) -> Option<KillOrder> {
        self.book.lock().order(order)
    }

    /// This host's signed receipts for an order, oldest first.
    #[must_use]
    pub fn receipts(&self, order: OrderId) -> Vec<serde_json::Value> {
        let receipts = self.book.lock().receipts(order);
        let json = |receipt: &Envelope| serde_json::from_slice(&receipt.to_json()).ok();
        receipts.iter().filter_map(json).collect()
    }

    /// What an order with this scope would stop.
    pub(crate) fn radius_of<'a>(
        &self,
        scope: &KillScope,
        installed: impl IntoIterator<Item = &'a KillSubject>,
        running: &[Target],
        reserved: impl FnMut(&KillSubject) -> Vec<Money>,
    ) -> Radius {
        let needed = self.trusted().operators.needed(scope);
        Radius::of(scope, needed, installed, running, reserved)
    }
}

/// The name of a standing.
const fn state(standing: Standing) -> &'static str {
    match standing {
        Standing::Complete => "complete",
        Standing::Suspended { .. } => "suspended",
        Standing::Lapsed => "lapsed",
        Standing::Lifted => "lifted",
    }
}
