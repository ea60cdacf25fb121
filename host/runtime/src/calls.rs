//! Which calls run and which ended lately: for `ps`, `show`, kills, and at-most-once.
//!
//! Sharded by call id so that no lock is global. Ended calls are kept in a bounded ring; an id that
//! is older than what the ring still knows is "in doubt" rather than run a second time.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use soma_policy::{CallId, InstallationKey, Timestamp};

use crate::invoke::CallReply;
use crate::running::Running;

const SHARDS: usize = 32;
/// Ended calls that each shard remembers.
const ENDED_MAX: usize = 256;

/// What is known of a call id.
#[derive(Clone)]
pub(crate) enum Known {
    Running(Arc<Running>),
    Ended(Arc<Ended>),
}

/// A call that has ended, and whose it was.
pub(crate) struct Ended {
    pub(crate) key: InstallationKey,
    pub(crate) function: String,
    pub(crate) started: Timestamp,
    pub(crate) reply: CallReply,
    pub(crate) log: Vec<crate::output::LogLine>,
}

#[derive(Default)]
struct Shard {
    running: HashMap<CallId, Arc<Running>>,
    ended: HashMap<CallId, Arc<Ended>>,
    order: VecDeque<CallId>,
}

/// All calls of one host.
pub(crate) struct Calls {
    shards: [Mutex<Shard>; SHARDS],
    /// Ids made before this moment may have been forgotten.
    known_since: Mutex<Timestamp>,
}

/// Why an id cannot start a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Taken {
    #[error("a call with this id is running; read it at its Location")]
    Running,
    #[error("a call with this id has ended; read it at its Location")]
    Ended,
    /// Made before anything this host remembers.
    #[error("the id is older than what this host remembers: whether it ran is in doubt")]
    InDoubt,
}

impl Calls {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()), known_since: Mutex::new(now) }
    }

    fn shard(&self, id: CallId) -> &Mutex<Shard> {
        let index = usize::try_from(id.as_u128() % SHARDS as u128).unwrap_or(0);
        self.shards.get(index).unwrap_or_else(|| self.first())
    }

    fn first(&self) -> &Mutex<Shard> {
        let [first, ..] = &self.shards;
        first
    }

    /// Registers a call; an id runs once.
    pub(crate) fn register(&self, call: &Arc<Running>) -> Result<(), Taken> {
        let mut shard = self.shard(call.ids.call).lock();
        if shard.running.contains_key(&call.ids.call) {
            return Err(Taken::Running);
        }
        if shard.ended.contains_key(&call.ids.call) {
            return Err(Taken::Ended);
        }
        shard.running.insert(call.ids.call, call.clone());
        Ok(())
    }

    /// Whether an id that a client chose may be used at all.
    pub(crate) fn judge_chosen(&self, id: CallId) -> Result<(), Taken> {
        match self.get(id) {
            Some(Known::Running(_)) => Err(Taken::Running),
            Some(Known::Ended(_)) => Err(Taken::Ended),
            None if made_at(id) < *self.known_since.lock() => Err(Taken::InDoubt),
            None => Ok(()),
        }
    }

    /// Moves a call from running to ended.
    pub(crate) fn end(&self, id: CallId, ended: Ended) {
        let mut shard = self.shard(id).lock();
        shard.running.remove(&id);
        shard.order.push_back(id);
        shard.ended.insert(id, Arc::new(ended));
        let forgotten = (shard.order.len() > ENDED_MAX).then(|| shard.order.pop_front()).flatten();
        if let Some(old) = forgotten {
            shard.ended.remove(&old);
            drop(shard);
            let mut since = self.known_since.lock();
            *since = (*since).max(made_at(old));
        }
    }

    pub(crate) fn get(&self, id: CallId) -> Option<Known> {
        let shard = self.shard(id).lock();
        let running = shard.running.get(&id).cloned().map(Known::Running);
        running.or_else(|| shard.ended.get(&id).cloned().map(Known::Ended))
    }

    /// Every running call; the shards are locked one after the other.
    pub(crate) fn running(&self) -> Vec<Arc<Running>> {
        self.shards
            .iter()
            .flat_map(|shard| shard.lock().running.values().cloned().collect::<Vec<_>>())
            .collect()
    }

    /// Ended calls that are still remembered, newest id first.
    pub(crate) fn ended(&self) -> Vec<(CallId, Arc<Ended>)> {
        let all = |shard: &Mutex<Shard>| {
            let shard = shard.lock();
            shard.ended.iter().map(|(id, ended)| (*id, ended.clone())).collect::<Vec<_>>()
        };
        let mut ended: Vec<_> = self.shards.iter().flat_map(all).collect();
        ended.sort_unstable_by(|(a, _), (b, _)| b.cmp(a));
        ended
    }
}

/// When a UUIDv7 was made: its upper 48 bits.
fn made_at(id: CallId) -> Timestamp {
    Timestamp(u64::try_from(id.as_u128() >> 80).unwrap_or(u64::MAX))
}
