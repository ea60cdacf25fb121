//! What the control thread does about leases of a server: the steps of one round, in their order.
//!
//! Where the server is and how it is asked is `host/money.rs`; on a host without one nothing is done here.

use std::sync::Arc;

use soma_policy::feed::{LeaseAnswer, LeaseWishes};
use soma_policy::price::{PriceError, Terms};
use soma_policy::{Installation, InstallationKey};
use tokio::sync::Notify;

use super::Leases;
use super::served::Need;
use crate::journal::JournalError;

impl Leases {
    /// Terms that the feed brought: leases may name them from now on.
    ///
    /// # Errors
    /// When they have no digest.
    pub fn learn(&self, terms: Terms) -> Result<(), PriceError> {
        let Some(served) = &self.served else { return Ok(()) };
        served.learn(terms)?;
        served.retry(&self.journal, self.clock.now());
        Ok(())
    }

    /// What runs here has changed: a lease may be needed.
    pub(crate) fn ring(&self) {
        if let Some(served) = &self.served {
            served.bell().notify_one();
        }
    }

    /// Rings when a lease may be needed; none on a host without a server.
    pub(crate) fn bell(&self) -> Option<Arc<Notify>> {
        self.served.as_ref().map(|served| Arc::clone(served.bell()))
    }

    /// Ends what is over, records the last word on what no call holds any more, and says what to ask of the
    /// server now; nothing on a host without one.
    ///
    /// # Errors
    /// Why the journal stopped: then nothing is closed, and nothing will start.
    pub(crate) async fn ask<'a>(
        &self,
        running: impl Iterator<Item = &'a Arc<Installation>>,
        runs: impl Fn(&InstallationKey) -> bool,
    ) -> Result<Option<LeaseWishes>, JournalError> {
        let Some(served) = &self.served else { return Ok(None) };
        let now = self.clock.now();
        served.sweep(runs, now);
        served.close(&self.journal, now).await?;
        let needs = running.map(|installation| Need::of(installation, &installation.limits));
        Ok(Some(served.wishes(self.journal.id(), needs, now)))
    }

    /// Takes the server's answer to what was asked.
    pub(crate) fn answered(&self, asked: &LeaseWishes, answer: LeaseAnswer) {
        if let Some(served) = &self.served {
            served.answered(asked, answer, &self.journal, self.clock.now());
        }
    }

    /// The server refused what was asked as a whole.
    pub(crate) fn refused(&self, asked: &LeaseWishes) {
        if let Some(served) = self.served.as_ref().filter(|_| !asked.closes.is_empty()) {
            served.close_refused(&asked.closes, &self.journal, self.clock.now());
        }
    }
}
