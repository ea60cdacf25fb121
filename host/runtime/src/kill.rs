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
mod write;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};
use serde::Serialize;
use soma_capsule::crash_point;
use soma_capsule::dsse::Envelope;
use soma_capsule::key::KeyPair;
use soma_policy::{
    HostId, Installation, JournalEntry, KillOrder, KillScope, KillSet, KillSubject, Money, OrderId,
    Standing, Uptime, UptimeMark,
};

use crate::clock::Clock;
use crate::home::Home;
use crate::journal::Journal;

use book::{Book, Taken};
use carry::{cut, join};
use document::Checked;
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

/// How a document came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    /// Somebody gave it to this host: a lift must fit an order that is known.
    Submitted,
    /// A server passed it on: documents come in any order, and a lift may be the first.
    Relayed,
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
        let lines = book.judge_by(&trusted.operators, uptime.now());
        let set = book.set(uptime.now());
        let this = Self {
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
        };
        this.write_down_here(&lines);
        Ok(this)
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
        came: Came,
        running: impl FnOnce() -> Vec<Target>,
        interrupt: impl FnOnce(),
    ) -> Result<Accepted, KillRefusal> {
        let trusted = self.trusted();
        let checked = trusted.check(bytes)?;
        let (at, since, uptime) = (self.clock.now(), self.clock.monotonic(), self.uptime.now());
        let taken = self.record(checked, came, uptime)?;
        crash_point!("host.kill.taken");
        let stopped = match &taken.stands {
            Some(scope) => cut(running(), &KillSet::of([(scope, taken.order)])),
            None => Vec::new(),
        };
        interrupt();
        let (durable, calls) = futures::future::join(
            self.write_down(taken.lines.clone(), at, uptime),
            join(stopped, &*self.clock, since, self.patience),
        )
        .await;
        let receipt = self.receipt(&taken, at, uptime, calls).await;
        Ok(self.accepted(&taken, &trusted, durable, receipt))
    }

    /// Adds the document to the book and swaps the set.
    fn record(&self, checked: Checked, came: Came, uptime: Uptime) -> Result<Taken, KillRefusal> {
        let mut book = self.book.lock();
        if came == Came::Submitted {
            book.fits(&checked.document)?;
        }
        let taken = book.take(checked, uptime)?;
        self.set.store(Arc::new(book.set(uptime)));
        Ok(taken)
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
        let now = self.uptime.now();
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
        self.set.store(Arc::new(book.set(now)));
        true
    }

    /// Replaces who may sign. What is complete stays so, orders and lifts; what is suspended is judged by
    /// the new quorum and by who of its signers is still an operator; what lapsed stays lapsed.
    ///
    /// # Errors
    /// When an order that is here could not be taken again; the old operators then stay.
    pub fn trust(&self, trusted: Trusted) -> Result<(), KillRefusal> {
        let now = self.uptime.now();
        let lines = {
            let mut book = self.book.lock();
            let mut fresh = book.under(&trusted)?;
            let lines = fresh.judge_by(&trusted.operators, now);
            *self.trusted.write() = Arc::new(trusted);
            self.set.store(Arc::new(fresh.set(now)));
            *book = fresh;
            lines
        };
        self.write_down_here(&lines);
        Ok(())
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

    /// Every order and lift with the signatures that are known of it, to be passed on.
    pub(crate) fn documents(&self) -> Vec<Envelope> {
        self.book.lock().documents()
    }

    /// Every receipt that this host gave, to be passed on.
    pub(crate) fn all_receipts(&self) -> Vec<Envelope> {
        self.book.lock().all_receipts()
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

/// What stands by the files of a home alone, for a look without its host: incomplete orders count, as only
/// the host knows how much of their hour is over.
///
/// # Errors
/// When the files or the list of operators cannot be read or proven.
pub fn standing_on_disk(home: &Home) -> Result<KillSet, KillOpenError> {
    let trusted = home.operators().map_err(KillOpenError::Home)?;
    let folder = Folder::at(&home.layout().kill());
    let mut book = Book::look(&folder, &trusted)?;
    let now = book.latest();
    Ok(book.set(now))
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
