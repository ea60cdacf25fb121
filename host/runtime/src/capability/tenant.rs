//! What blocks a thread, in turn: at most [`AT_ONCE`] operations of one tenant at one time.
//!
//! Files and stores block. Their work runs beside the guests' threads; a tenant whose operations are slow
//! waits for itself and for nobody else. The CPU time is the call's, work that has not begun when its call
//! ends never begins, and work that has begun is counted as still draining until it is done.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use soma_policy::OrgId;
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

use crate::cpu::thread_cpu_ns;
use crate::running::{Cut, Running};

/// Blocking operations of one tenant at one time.
pub(crate) const AT_ONCE: usize = 4;
/// Tenants remembered while none of their calls runs.
const TENANTS_MAX: usize = 1024;

/// What each tenant's calls share, made when the first of them comes.
#[derive(Debug)]
pub(crate) struct PerTenant<T>(Mutex<HashMap<OrgId, Arc<T>>>);

impl<T> Default for PerTenant<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> PerTenant<T> {
    /// The tenant's own. What nobody holds any more is forgotten when there are many.
    pub(crate) fn get(&self, org: &OrgId, make: impl FnOnce() -> T) -> Arc<T> {
        let mut known = self.0.lock();
        if let Some(own) = known.get(org) {
            return Arc::clone(own);
        }
        if known.len() >= TENANTS_MAX {
            known.retain(|_, own| Arc::strong_count(own) > 1);
        }
        let own = Arc::new(make());
        known.insert(org.clone(), Arc::clone(&own));
        own
    }
}

/// The turns of one tenant.
#[derive(Debug, Clone)]
pub(crate) struct Turns(Arc<Semaphore>);

/// Why blocking work did not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfinished {
    /// The call is over.
    Cut(Cut),
    /// Our own code failed under it.
    Lost,
}

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Turns {
    /// Does blocking `work` for `running`, in turn. The wait ends with the call.
    pub(crate) async fn block<T: Send + 'static>(
        &self,
        running: &Arc<Running>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unfinished> {
        let cut = || Err(Unfinished::Cut(running.cut_reason()));
        let turn = tokio::select! {
            biased;
            () = running.token().cancelled() => return cut(),
            turn = Arc::clone(&self.0).acquire_owned() => turn.map_err(|_| Unfinished::Lost)?,
        };
        let draining = running.drain_guard();
        let call = Arc::clone(running);
        let task = tokio::task::spawn_blocking(move || {
            let _until_done = (turn, draining);
            call.live().map_err(Unfinished::Cut)?;
            let from = thread_cpu_ns();
            let done = work();
            call.meter.cpu.charge(thread_cpu_ns().saturating_sub(from));
            Ok(done)
        });
        tokio::select! {
            biased;
            () = running.token().cancelled() => cut(),
            done = AbortOnDropHandle::new(task) => done.unwrap_or(Err(Unfinished::Lost)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::capability::rig::Rig;

    fn org(name: &str) -> OrgId {
        name.parse().unwrap()
    }

    #[tokio::test]
    async fn a_tenant_whose_operations_hang_holds_up_nobody_else() {
        let rig = Rig::granting("");
        let tenants = PerTenant::<Turns>::default();
        let (slow, quick) = (org("slow"), org("quick"));
        let mut release = Vec::new();
        let mut hanging = Vec::new();
        for _ in 0..=AT_ONCE {
            let (sender, receiver) = mpsc::channel::<()>();
            release.push(sender);
            let (turns, running) = (tenants.get(&slow, Turns::default), rig.running().clone());
            hanging.push(tokio::spawn(async move {
                turns.block(&running, move || receiver.recv().is_err()).await
            }));
        }
        while tenants.get(&slow, Turns::default).0.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let done = tenants.get(&quick, Turns::default).block(rig.running(), || "done").await;
        assert_eq!(done, Ok("done"));
        assert_eq!(tenants.get(&slow, Turns::default).0.available_permits(), 0);
        drop(release);
        for call in hanging {
            assert_eq!(call.await.unwrap(), Ok(true));
        }
    }

    #[tokio::test]
    async fn a_killed_call_waits_for_no_turn_and_begins_nothing() {
        let rig = Rig::granting("");
        rig.kill();
        let begun = Turns::default().block(rig.running(), || panic!("it began")).await;
        assert!(matches!(begun, Err(Unfinished::Cut(_))), "{begun:?}");
    }

    #[tokio::test]
    async fn work_that_panics_is_lost_and_its_turn_comes_back() {
        let rig = Rig::granting("");
        let turns = Turns::default();
        for _ in 0..AT_ONCE * 2 {
            let lost = turns.block(rig.running(), || panic!("of our own making")).await;
            assert_eq!(lost, Err::<(), _>(Unfinished::Lost));
        }
        assert_eq!(turns.block(rig.running(), || 7).await, Ok(7));
    }

    #[test]
    fn tenants_that_nobody_holds_are_forgotten_when_there_are_many() {
        let tenants = PerTenant::<Turns>::default();
        let kept = tenants.get(&org("kept"), Turns::default);
        for n in 0..TENANTS_MAX * 2 {
            tenants.get(&org(&format!("t{n}")), Turns::default);
        }
        assert!(tenants.0.lock().len() <= TENANTS_MAX);
        let again = tenants.get(&org("kept"), Turns::default);
        assert!(Arc::ptr_eq(&kept, &again));
    }
}
