//! The life of a lease, and the moves of each state.

use crate::named::named;

named! {
    /// Where a lease is in its life.
    LeaseState "a state of a lease" {
        /// Calls may start on it.
        Open "open",
        /// The server asked for it back: calls that run may end, none starts.
        Recalling "recalling",
        /// The host named its last entry; what is before it may still be settled.
        Closing "closing",
        /// All was settled and the rest came back.
        Closed "closed",
        /// The host did not close it in time; the rest came back.
        Lost "lost",
    }
}

impl LeaseState {
    /// The moves that are legal in it.
    #[must_use]
    pub const fn legal(self) -> &'static [&'static str] {
        match self {
            Self::Open => &["recall", "return-slice", "close", "lose"],
            Self::Recalling => &["return-slice", "close", "lose"],
            Self::Closing => &["finish", "lose"],
            Self::Closed | Self::Lost => &[],
        }
    }

    /// Whether receipts still settle against it.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Open | Self::Recalling | Self::Closing)
    }
}
