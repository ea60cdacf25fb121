//! Who may run now: a bounded number of guests, shared fairly between tenants, "busy" beyond.
//!
//! While there is room nobody waits and no lock is taken. When the host is full, callers wait in
//! one short queue per tenant, and freed slots go round the tenants in turn, so a tenant with a
//! thousand calls cannot keep one with a single call waiting. A child call never waits (its parent
//! holds a slot, and two that wait for each other would never end): it takes a free slot or is told
//! that the host is busy.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use parking_lot::Mutex;
use soma_policy::OrgId;
use tokio::sync::oneshot;

/// The host is full, and so is the tenant's queue.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the host is busy: {running} calls are running and {queued} of this tenant are waiting")]
pub(crate) struct Busy {
    pub(crate) running: u32,
    pub(crate) queued: usize,
}

/// The slots of one host.
pub(crate) struct Admission {
    free: AtomicU32,
    slots: u32,
    queue_max: usize,
    waiting: AtomicUsize,
    queues: Mutex<Queues>,
}

#[derive(Default)]
struct Queues {
    turn: VecDeque<OrgId>,
    of: HashMap<OrgId, VecDeque<oneshot::Sender<Slot>>>,
}

/// The right to run one guest; freed when dropped.
pub(crate) struct Slot(Option<Arc<Admission>>);

impl Slot {
    /// Forgets the slot without freeing it.
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Slot")
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(admission) = self.0.take() {
            admission.release();
        }
    }
}

impl Admission {
    /// Room for `slots` guests, and for `queue_max` waiting calls of each tenant.
    pub(crate) fn new(slots: u32, queue_max: usize) -> Arc<Self> {
        Arc::new(Self {
            free: AtomicU32::new(slots),
            slots,
            queue_max,
            waiting: AtomicUsize::new(0),
            queues: Mutex::default(),
        })
    }

    /// A slot at once, or none.
    pub(crate) fn try_enter(self: &Arc<Self>) -> Option<Slot> {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            return None;
        }
        self.take().then(|| Slot(Some(self.clone())))
    }

    /// A slot now or in turn.
    pub(crate) async fn enter(self: &Arc<Self>, tenant: &OrgId) -> Result<Slot, Busy> {
        if let Some(slot) = self.try_enter() {
            return Ok(slot);
        }
        let turn = self.queue(tenant)?;
        // A slot that was freed between the look and the queueing must not be lost.
        self.hand_out();
        turn.await.map_err(|_| self.busy(0))
    }

    /// Guests running now.
    pub(crate) fn running(&self) -> u32 {
        self.slots.saturating_sub(self.free.load(Ordering::SeqCst))
    }

    fn busy(&self, queued: usize) -> Busy {
        Busy { running: self.running(), queued }
    }

    fn take(&self) -> bool {
        let less = |free: u32| free.checked_sub(1);
        self.free.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok()
    }

    fn queue(&self, tenant: &OrgId) -> Result<oneshot::Receiver<Slot>, Busy> {
        let mut queues = self.queues.lock();
        let Queues { turn, of } = &mut *queues;
        let queue = of.entry(tenant.clone()).or_default();
        queue.retain(|waiter| !waiter.is_closed());
        if queue.len() >= self.queue_max {
            return Err(self.busy(queue.len()));
        }
        if queue.is_empty() {
            turn.push_back(tenant.clone());
        }
        let (sender, receiver) = oneshot::channel();
        queue.push_back(sender);
        self.waiting.store(of.values().map(VecDeque::len).sum(), Ordering::SeqCst);
        Ok(receiver)
    }

    fn release(self: &Arc<Self>) {
        self.free.fetch_add(1, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.hand_out();
        }
    }

    /// Gives free slots to those who wait, one tenant after the other.
    fn hand_out(self: &Arc<Self>) {
        let mut queues = self.queues.lock();
        while self.take() {
            if !self.give_to_next(&mut queues) {
                self.free.fetch_add(1, Ordering::SeqCst);
                break;
            }
        }
        self.waiting.store(queues.of.values().map(VecDeque::len).sum(), Ordering::SeqCst);
    }

    /// Hands one slot to the first waiter that is still there.
    fn give_to_next(self: &Arc<Self>, queues: &mut Queues) -> bool {
        while let Some(waiter) = queues.next() {
            match waiter.send(Slot(Some(self.clone()))) {
                Ok(()) => return true,
                // Gone away: the slot itself is still taken, and goes to the next.
                Err(slot) => slot.disarm(),
            }
        }
        false
    }
}

impl Queues {
    /// The next waiter of the tenant whose turn it is; the turn then passes on.
    fn next(&mut self) -> Option<oneshot::Sender<Slot>> {
        while let Some(tenant) = self.turn.pop_front() {
            let Some(queue) = self.of.get_mut(&tenant) else { continue };
            let next = queue.pop_front();
            if queue.is_empty() {
                self.of.remove(&tenant);
            } else {
                self.turn.push_back(tenant);
            }
            if next.is_some() {
                return next;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org(name: &str) -> OrgId {
        name.parse().unwrap()
    }

    #[tokio::test]
    async fn slots_are_counted_and_come_back() {
        let admission = Admission::new(2, 4);
        let first = admission.enter(&org("a")).await.unwrap();
        let _second = admission.enter(&org("a")).await.unwrap();
        assert!(admission.try_enter().is_none());
        assert_eq!(admission.running(), 2);
        drop(first);
        assert!(admission.try_enter().is_some());
    }

    #[tokio::test]
    async fn a_full_queue_answers_busy_to_its_own_tenant_only() {
        let admission = Admission::new(1, 1);
        let held = admission.enter(&org("a")).await.unwrap();
        let greedy = org("greedy");
        let modest = org("modest");
        let waits = admission.enter(&greedy);
        tokio::pin!(waits);
        assert!(futures::poll!(&mut waits).is_pending());
        let refused = admission.enter(&greedy).await.unwrap_err();
        assert_eq!(refused, Busy { running: 1, queued: 1 });
        let other = admission.enter(&modest);
        tokio::pin!(other);
        assert!(futures::poll!(&mut other).is_pending());
        drop(held);
        drop(waits.await.unwrap());
        drop(other.await.unwrap());
        assert_eq!(admission.running(), 0);
    }

    #[tokio::test]
    async fn freed_slots_go_round_the_tenants() {
        let admission = Admission::new(1, 8);
        let mut held = Some(admission.enter(&org("x")).await.unwrap());
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for (tenant, nth) in [("big", 1), ("big", 2), ("big", 3), ("small", 1)] {
            let (admission, order) = (admission.clone(), order.clone());
            let mut task = Box::pin(async move {
                let slot = admission.enter(&org(tenant)).await.unwrap();
                order.lock().push((tenant, nth));
                drop(slot);
            });
            assert!(futures::poll!(&mut task).is_pending());
            tasks.push(task);
        }
        held.take();
        futures::future::join_all(tasks).await;
        let got = order.lock().clone();
        let small = got.iter().position(|entry| *entry == ("small", 1)).unwrap();
        assert!(small <= 1, "the small tenant waits for one of the big one at most: {got:?}");
    }

    #[tokio::test]
    async fn a_waiter_that_gives_up_loses_no_slot() {
        let admission = Admission::new(1, 8);
        let held = admission.enter(&org("a")).await.unwrap();
        {
            let tenant = org("b");
            let gives_up = admission.enter(&tenant);
            tokio::pin!(gives_up);
            assert!(futures::poll!(&mut gives_up).is_pending());
        }
        let tenant = org("c");
        let waits = admission.enter(&tenant);
        tokio::pin!(waits);
        assert!(futures::poll!(&mut waits).is_pending());
        drop(held);
        drop(waits.await.unwrap());
        assert_eq!(admission.running(), 0);
        assert!(admission.try_enter().is_some());
    }
}
