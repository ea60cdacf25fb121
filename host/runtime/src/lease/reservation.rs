//! A call's share of its lease, from before it starts until it is settled.

use soma_policy::{LeaseId, Money, Outcome, Usage};

use super::own::OwnShare;
use super::served::Share;

/// What a call holds of its lease: its worst case in money, and a slot. Dropping it unsettled gives
/// everything back, as for a call that never started.
#[derive(Debug)]
#[must_use = "a reservation that is dropped is given back"]
pub struct Reservation(Fund);

/// Whose lease it is.
#[derive(Debug)]
enum Fund {
    /// The host's own.
    Own(OwnShare),
    /// A server's.
    Served(Share),
}

impl Reservation {
    pub(super) const fn own(share: OwnShare) -> Self {
        Self(Fund::Own(share))
    }

    pub(super) const fn served(share: Share) -> Self {
        Self(Fund::Served(share))
    }

    /// The share of a host's own lease.
    pub(super) const fn as_own(&self) -> Option<&OwnShare> {
        match &self.0 {
            Fund::Own(share) => Some(share),
            Fund::Served(_) => None,
        }
    }

    /// The share of a server's lease.
    pub(super) const fn as_served(&self) -> Option<&Share> {
        match &self.0 {
            Fund::Own(_) => None,
            Fund::Served(share) => Some(share),
        }
    }

    /// The lease that the call's receipt names.
    #[must_use]
    pub fn lease(&self) -> LeaseId {
        match &self.0 {
            Fund::Own(share) => share.lease(),
            Fund::Served(share) => share.lease(),
        }
    }

    /// The worst case that is reserved.
    #[must_use]
    pub fn reserved(&self) -> Option<Money> {
        match &self.0 {
            Fund::Own(share) => share.reserved(),
            Fund::Served(share) => share.reserved(),
        }
    }

    /// Counts bytes that are about to move by outbound HTTP, of what a server's lease holds.
    ///
    /// # Errors
    /// How many of how many are used, if these do not fit. A host's own lease has no such bound.
    pub(crate) fn move_bytes(&self, more: u64) -> Result<(), (u64, u64)> {
        match &self.0 {
            Fund::Own(_) => Ok(()),
            Fund::Served(share) => share.move_bytes(more),
        }
    }

    /// What of this usage the receipt counts. Under a server's terms that is at most what the worst case was
    /// computed from: a meter may pass a limit by one poll of the guest, and that is nobody's to pay.
    #[must_use]
    pub fn billed(&self, usage: Usage) -> Usage {
        match &self.0 {
            Fund::Own(_) => usage,
            Fund::Served(share) => share.billed(usage),
        }
    }

    /// What is charged to the lease for a call that ended so: by a server's terms, or of a host's own lease the
    /// author's price if its function returned.
    #[must_use]
    pub fn charge(&self, outcome: Outcome, usage: &Usage) -> Option<Money> {
        match &self.0 {
            Fund::Own(share) => share.charge(outcome),
            Fund::Served(share) => share.charge(outcome, usage),
        }
    }

    /// Settles the call: what it is charged is spent, at most what it reserved, and the rest goes back.
    /// Settling again changes nothing.
    pub fn settle(&self, charge: Option<Money>) {
        match &self.0 {
            Fund::Own(share) => share.settle(charge),
            Fund::Served(share) => share.settle(charge.map_or(0, |charge| charge.micros)),
        }
    }

    /// Settles a call whose end is not on record: whatever the journal turns out to hold, it is not more than
    /// what was reserved.
    pub fn forfeit(&self) {
        match &self.0 {
            Fund::Own(share) => share.forfeit(),
            Fund::Served(share) => share.settle(i64::MAX),
        }
    }
}
