//! Open files, bounded for the host, for a tenant and for a call.
//!
//! The process has one table of descriptors, and its listeners and journal live from it too: guests get at most half of
//! it, one tenant a quarter of that, and one call what its `handles` limit says. What an open file costs in host memory
//! is charged to the call as long as it is open.

use super::fault::Fault;
use super::lane::Stop;
use crate::descriptors::Descriptors;
use crate::meter::HANDLE_BYTES;
use crate::running::Running;
use soma_policy::LimitKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Tenants can use one part in this many of the host's share.
const TENANT_PART: usize = 4;

/// A count of open files with its ceiling, under another one or not.
#[derive(Debug)]
pub(crate) struct Slots {
    open: AtomicUsize,
    max: usize,
    above: Option<Arc<Self>>,
}

impl Slots {
    /// The host's: half of what the process may open.
    pub(crate) fn host() -> Arc<Self> {
        let may = Descriptors::of_guests(Descriptors::now().soft);
        let max = usize::try_from(may).unwrap_or(usize::MAX);
        Arc::new(Self::new(max, None))
    }

    /// One tenant's share of them.
    pub(crate) fn tenant(host: &Arc<Self>) -> Arc<Self> {
        let max = (host.max / TENANT_PART).max(1);
        Arc::new(Self::new(max, Some(Arc::clone(host))))
    }

    pub(super) const fn new(max: usize, above: Option<Arc<Self>>) -> Self {
        Self { open: AtomicUsize::new(0), max, above }
    }

    fn take(self: &Arc<Self>) -> Result<Slot, Fault> {
        let above = self.above.as_ref().map(Self::take).transpose()?;
        let fits = |open: usize| (open < self.max).then_some(open + 1);
        self.open
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, fits)
            .map_err(|_| Fault::Handles)?;
        Ok(Slot { of: Arc::clone(self), _above: above.map(Box::new) })
    }
}

/// One open file among `Slots`.
#[derive(Debug)]
struct Slot {
    of: Arc<Slots>,
    _above: Option<Box<Self>>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.of.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// One open resource of a call: gives back handle, memory and slot when it is dropped.
pub(crate) struct Hold {
    running: Arc<Running>,
    bytes: u64,
    _slot: Slot,
}

impl Hold {
    /// Takes a handle that needs `bytes` of the host's memory, or ends the call at its limit.
    pub(crate) fn take(
        running: &Arc<Running>,
        slots: &Arc<Slots>,
        bytes: usize,
    ) -> Result<Self, Stop> {
        let slot = slots.take()?;
        running.charge(LimitKind::Handles, 1)?;
        let mut hold = Self { running: Arc::clone(running), bytes: 0, _slot: slot };
        let bytes = HANDLE_BYTES.saturating_add(bytes as u64);
        running.charge(LimitKind::Memory, bytes)?;
        hold.bytes = bytes;
        Ok(hold)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.running.meter.sub(LimitKind::Handles, 1);
        self.running.meter.sub(LimitKind::Memory, self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_cannot_open_more_than_its_part_and_closing_gives_back() {
        let host = Arc::new(Slots::new(8, None));
        let (one, two) = (Slots::tenant(&host), Slots::tenant(&host));
        let held = [one.take().unwrap(), one.take().unwrap()];
        assert_eq!(one.take().unwrap_err(), Fault::Handles);
        assert_eq!(host.open.load(Ordering::Acquire), 2, "a refused one is not counted above");
        let other = two.take().unwrap();
        drop(held);
        drop(other);
        assert_eq!(host.open.load(Ordering::Acquire), 0);
        assert!(one.take().is_ok());
    }

    #[test]
    fn the_host_s_ceiling_holds_over_all_tenants() {
        let host = Arc::new(Slots::new(4, None));
        let tenants: Vec<_> = (0..5).map(|_| Slots::tenant(&host)).collect();
        let held: Vec<_> = tenants.iter().map_while(|t| t.take().ok()).collect();
        assert_eq!(held.len(), 4);
    }
}
