//! The ledger of one volume: how many bytes and inodes are used, and reservations against a quota.
//!
//! Bytes are the sum of the logical sizes of all regular files, so a sparse file counts in full; inodes are files plus
//! directories, the root of the volume not counted. Whoever grows something reserves first, acts, and keeps what was
//! really used; a reservation that is dropped gives everything back. The quota is not stored here: it belongs to the
//! grant under which a call runs, so that a narrower grant counts from the next call on. What is over a lowered quota
//! stays, may shrink and be removed, and does not grow.

use super::fault::Fault;
use parking_lot::Mutex;

/// What a grant allows a volume to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota {
    pub(crate) bytes: u64,
    pub(crate) inodes: u64,
}

/// What a volume holds, or what an operation asks for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) bytes: u64,
    pub(crate) inodes: u64,
}

impl Usage {
    /// One file or directory with nothing in it.
    pub(crate) const INODE: Self = Self { bytes: 0, inodes: 1 };

    pub(crate) const fn bytes(bytes: u64) -> Self {
        Self { bytes, inodes: 0 }
    }

    const fn saturating_sub(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(other.bytes),
            inodes: self.inodes.saturating_sub(other.inodes),
        }
    }

    const fn saturating_add(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            inodes: self.inodes.saturating_add(other.inodes),
        }
    }
}

/// The shared count of one volume.
#[derive(Debug)]
pub(crate) struct Ledger {
    used: Mutex<Usage>,
}

impl Ledger {
    pub(crate) const fn new(used: Usage) -> Self {
        Self { used: Mutex::new(used) }
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> Usage {
        *self.used.lock()
    }

    /// Takes `ask` out of `quota`, or refuses and takes nothing.
    pub(crate) fn reserve(&self, ask: Usage, quota: Quota) -> Result<Reservation<'_>, Fault> {
        let mut used = self.used.lock();
        let next = used.saturating_add(ask);
        if ask.bytes > 0 && next.bytes > quota.bytes {
            return Err(Fault::OverBytes {
                wanted: ask.bytes,
                used: used.bytes,
                quota: quota.bytes,
            });
        }
        if ask.inodes > 0 && next.inodes > quota.inodes {
            return Err(Fault::OverInodes { used: used.inodes, quota: quota.inodes });
        }
        *used = next;
        Ok(Reservation { ledger: self, held: ask })
    }

    /// Gives back what is no longer held.
    pub(crate) fn release(&self, what: Usage) {
        let mut used = self.used.lock();
        *used = used.saturating_sub(what);
    }

    /// Records growth that nobody could refuse, such as a file that an operator changed underneath.
    pub(crate) fn add(&self, what: Usage) {
        let mut used = self.used.lock();
        *used = used.saturating_add(what);
    }
}

/// Room that is taken but not yet used.
#[derive(Debug)]
#[must_use = "a dropped reservation gives its room back"]
pub(crate) struct Reservation<'a> {
    ledger: &'a Ledger,
    held: Usage,
}

impl Reservation<'_> {
    /// Keeps `used` of what was reserved and gives the rest back.
    pub(crate) fn keep(mut self, used: Usage) {
        self.ledger.add(used.saturating_sub(self.held));
        self.held = self.held.saturating_sub(used);
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.ledger.release(self.held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::Arc;

    const QUOTA: Quota = Quota { bytes: 100, inodes: 3 };

    #[test]
    fn a_reservation_that_fits_exactly_is_taken_and_one_more_byte_is_not() {
        let ledger = Ledger::new(Usage::default());
        ledger.reserve(Usage::bytes(100), QUOTA).unwrap().keep(Usage::bytes(100));
        assert_eq!(
            ledger.reserve(Usage::bytes(1), QUOTA).unwrap_err(),
            Fault::OverBytes { wanted: 1, used: 100, quota: 100 }
        );
        assert_eq!(ledger.used(), Usage::bytes(100));
    }

    #[test]
    fn a_dropped_reservation_gives_everything_back() {
        let ledger = Ledger::new(Usage::default());
        drop(ledger.reserve(Usage::bytes(60), QUOTA).unwrap());
        drop(ledger.reserve(Usage::INODE, QUOTA).unwrap());
        assert_eq!(ledger.used(), Usage::default());
    }

    #[test]
    fn keeping_less_than_reserved_returns_the_rest() {
        let ledger = Ledger::new(Usage::default());
        ledger.reserve(Usage::bytes(60), QUOTA).unwrap().keep(Usage::bytes(20));
        assert_eq!(ledger.used(), Usage::bytes(20));
    }

    #[test]
    fn numbers_near_the_end_of_the_range_do_not_wrap() {
        let ledger = Ledger::new(Usage::bytes(10));
        assert!(ledger.reserve(Usage::bytes(u64::MAX), QUOTA).is_err());
        assert_eq!(ledger.used(), Usage::bytes(10));
        ledger.release(Usage::bytes(u64::MAX));
        assert_eq!(ledger.used(), Usage::default());
    }

    #[test]
    fn what_is_over_a_lowered_quota_may_be_used_but_does_not_grow() {
        let ledger = Ledger::new(Usage { bytes: 500, inodes: 9 });
        drop(ledger.reserve(Usage::bytes(0), QUOTA).unwrap());
        assert!(ledger.reserve(Usage::bytes(1), QUOTA).is_err());
        assert!(ledger.reserve(Usage::INODE, QUOTA).is_err());
    }

    proptest! {
        #[test]
        fn concurrent_reservations_never_exceed_the_quota(asks in prop::collection::vec((0u64..40, 0u64..2), 1..64)) {
            let ledger = Arc::new(Ledger::new(Usage::default()));
            std::thread::scope(|scope| {
                for part in asks.chunks(8) {
                    let ledger = Arc::clone(&ledger);
                    scope.spawn(move || {
                        for &(bytes, inodes) in part {
                            if let Ok(room) = ledger.reserve(Usage { bytes, inodes }, QUOTA) {
                                let used = ledger.used();
                                assert!(used.bytes <= QUOTA.bytes && used.inodes <= QUOTA.inodes);
                                room.keep(Usage { bytes: bytes / 2, inodes });
                            }
                        }
                    });
                }
            });
            let used = ledger.used();
            prop_assert!(used.bytes <= QUOTA.bytes && used.inodes <= QUOTA.inodes);
        }
    }
}
