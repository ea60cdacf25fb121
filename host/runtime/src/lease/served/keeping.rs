//! What the control thread knows of leases: which to ask for, which to end, which are to be closed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use soma_policy::feed::{HostLease, LeaseWish, LeaseWishes};
use soma_policy::price::{Origin, Terms, worst};
use soma_policy::{Currency, InstallationKey, JournalId, LeaseId, LeaseRecord, Money, Timestamp};

use super::closing::Closing;
use super::given::Given;
use super::pool::Pool;
use super::{Need, Served};

/// Wishes of one request.
const WISHES_MAX: usize = 256;
/// A wish is repeated after this long, whether it was heard or not.
const AGAIN_MS: u64 = 2_000;
/// After a refusal it is repeated after this long, unless a call needs it.
const REFUSED_MS: u64 = 15_000;

/// When an installation was asked for last, and how that ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) at: Timestamp,
    pub(super) refused: bool,
    /// The server took a lease back: nothing is asked until a call needs it.
    pub(super) resting: bool,
}

/// The control thread's own.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    pub(super) asked: HashMap<InstallationKey, Asked>,
    /// Leases of this run that were ever taken, by the day of their end; an answer that comes again gives none
    /// of them a second time.
    pub(super) known: BTreeMap<LeaseId, u64>,
    /// Given under terms that the feed has not brought yet.
    pub(super) early: Vec<HostLease>,
    pub(super) closings: Vec<Closing>,
    /// The server refused a request with closes: they are sent one by one.
    pub(super) singly: bool,
}

impl Keeping {
    pub(super) fn new(unclosed: Vec<LeaseRecord>) -> Self {
        let closings = unclosed.into_iter().map(Closing::of_record).collect();
        Self { closings, ..Self::default() }
    }
}

impl Served {
    /// What to ask now, with the closes that the journal holds.
    pub(in crate::lease) fn wishes<'a>(
        &self,
        journal: JournalId,
        running: impl Iterator<Item = Need<'a>>,
        now: Timestamp,
    ) -> LeaseWishes {
        let mut keeping = self.keeping.lock();
        let closes = keeping.closes(journal);
        let mut wishes = Vec::new();
        if !keeping.singly || closes.is_empty() {
            for need in running {
                if wishes.len() >= WISHES_MAX {
                    self.bell.notify_one();
                    break;
                }
                wishes.extend(self.wish(&mut keeping, &need, now));
            }
        }
        LeaseWishes { boot: self.holder.boot, closes, wishes }
    }

    fn wish(&self, keeping: &mut Keeping, need: &Need<'_>, now: Timestamp) -> Option<LeaseWish> {
        let pool = self.pool(need.key);
        let at_least = self.at_least(&pool, need)?;
        let asked = keeping.asked.get(need.key).copied();
        let wanted = pool.is_wanted();
        let pause = asked.is_some_and(|asked| {
            let wait = if asked.refused && !wanted { REFUSED_MS } else { AGAIN_MS };
            now.since(asked.at).0 < wait || (asked.resting && !wanted)
        });
        if pause || !(wanted || needs(&pool.leases(), at_least, now)) {
            return None;
        }
        let fresh = Asked { at: now, refused: false, resting: false };
        keeping.asked.insert(need.key.clone(), fresh);
        Some(LeaseWish { at_least, installation: need.key.clone() })
    }

    /// The worst case of one call under the latest lease's terms, else under the dearest that are known; none if
    /// it has no price under them.
    fn at_least(&self, pool: &Pool, need: &Need<'_>) -> Option<Money> {
        let Need { price, limits, budget, .. } = *need;
        let cost = |terms: &Terms| worst(terms, price, Origin::Outside, limits).ok();
        let leases = pool.leases();
        if let Some(given) = leases.last() {
            return cost(&given.terms);
        }
        let known = self.terms.load();
        let dearest = known.values().filter_map(|terms| cost(terms)).max_by_key(|it| it.micros);
        let budget = budget.map(|budget| budget.limit.currency);
        let currency = price.map(|price| price.currency).or(budget).unwrap_or(Currency::EUR);
        dearest.or(price).or(Some(Money::zero(currency)))
    }

    /// Ends what no call may start on any more, and puts what no call holds any more among the closings.
    /// Asked about once a second.
    pub(in crate::lease) fn sweep(&self, runs: impl Fn(&InstallationKey) -> bool, now: Timestamp) {
        let pools: Vec<_> =
            self.pools.read().iter().map(|(key, pool)| (key.clone(), Arc::clone(pool))).collect();
        let mut keeping = self.keeping.lock();
        for (key, pool) in pools {
            let leases = pool.leases();
            end(&leases, runs(&key), now);
            let (drained, left): (Vec<_>, Vec<_>) =
                leases.iter().cloned().partition(|given| given.is_drained());
            if drained.is_empty() {
                continue;
            }
            pool.set(left);
            keeping.closings.extend(drained.iter().map(|given| Closing::of(given, now)));
        }
        let today = now.day();
        keeping.known.retain(|_, day| day.saturating_add(1) >= today);
    }
}

/// Whether what is there is less than half (of money, or of bytes), less than one call, or about to end.
fn needs(leases: &[Arc<Given>], at_least: Money, now: Timestamp) -> bool {
    let mut open = leases.iter().filter(|given| given.may_start(now) && !given.is_late(now));
    let Some(first) = open.next() else { return true };
    let (mut left, mut limit) = (first.left(), first.lease.money.micros);
    let (mut bytes, mut held) = first.bytes().unwrap_or_default();
    for given in open {
        left = left.saturating_add(given.left());
        limit = given.lease.money.micros;
        // The last one says how much there is to have: none where the day's are used up.
        let (more, of) = given.bytes().unwrap_or_default();
        (bytes, held) = (bytes.saturating_add(more), of);
    }
    left < at_least.micros || left < limit / 2 || bytes < held / 2
}

/// Ends leases whose time is over or whose installation does not run here, and those with too little for another
/// call where a later one is there.
fn end(leases: &[Arc<Given>], runs: bool, now: Timestamp) {
    let later = leases.len().saturating_sub(1);
    for (at, given) in leases.iter().enumerate() {
        let bytes = given.bytes().is_some_and(|(left, held)| left < held / 16);
        let spent = at < later && (bytes || given.left() < given.lease.money.micros / 16);
        if !runs || spent || now >= given.lease.start_by {
            given.end();
        }
    }
}
