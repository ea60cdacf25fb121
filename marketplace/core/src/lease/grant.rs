//! Giving a lease: out of all budgets above it and out of the tenant's account, or not at all.

use soma_policy::{BootId, Code, Digest, HostId, InstallationKey, LeaseId, Timestamp};

use super::{Lease, LeaseState};
use crate::Refusal;
use crate::budget::{self, Amounts, Budget, Window};
use crate::ledger::{About, Account, Cause, Draft, Posting, TransferKind};

/// What a host asks for, completed by the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseAsk {
    /// How much.
    pub amounts: Amounts,
    /// The host's run.
    pub boot: BootId,
    /// The host.
    pub host: HostId,
    /// The id of the lease to be.
    pub id: LeaseId,
    /// The installation.
    pub installation: InstallationKey,
    /// From when it may be taken for lost; after `start_by`.
    pub lost_after: Timestamp,
    /// No call starts from then on; within the UTC day.
    pub start_by: Timestamp,
    /// The terms that its receipts are charged by.
    pub terms: Digest,
}

/// A lease with all that changes with it, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The budgets after it.
    pub budgets: Vec<Budget>,
    /// The lease.
    pub lease: Lease,
    /// Tenant → lease; none for a lease without money. It is refused when the account holds too little.
    pub posting: Option<Posting>,
}

/// Gives a lease out of these budgets.
///
/// # Errors
/// [`Code::AmountBad`] for a negative coordinate, [`Code::LeaseStart`] for times that are not in order, and
/// as [`budget::take`].
pub fn grant(ask: LeaseAsk, budgets: &[Budget], at: Timestamp) -> Result<Granted, Refusal> {
    let window = Window::day(at);
    if !ask.amounts.is_sound() {
        return Err(Refusal::new(Code::AmountBad, "grant", "a lease holds nothing negative"));
    }
    if !(at < ask.start_by && ask.start_by <= window.end() && ask.start_by < ask.lost_after) {
        let reason = format!("calls start after {at}, within {window}, and before it is lost");
        return Err(Refusal::new(Code::LeaseStart, "grant", reason));
    }
    let budgets = budget::take(budgets, &ask.installation, &ask.amounts, at)?;
    let money = ask.amounts.money;
    let org = ask.installation.org.clone();
    let posting = Draft::new(Cause::Lease(ask.id), money.currency, about(&ask.installation), at)
        .row(TransferKind::Lease, Account::Tenant(org), Account::Lease(ask.id), money.micros)?
        .finish();
    Ok(Granted { budgets, lease: fresh(ask, window), posting })
}

fn fresh(ask: LeaseAsk, window: Window) -> Lease {
    let currency = ask.amounts.money.currency;
    let LeaseAsk { amounts, boot, host, id, installation, lost_after, start_by, terms } = ask;
    Lease {
        boot,
        granted: amounts,
        host,
        id,
        installation,
        last: None,
        late: 0,
        lost_after,
        slices: 0,
        start_by,
        state: LeaseState::Open,
        terms,
        used: Amounts::none(currency),
        window,
    }
}

pub(super) fn about(installation: &InstallationKey) -> About {
    let (org, installation) = (Some(installation.org.clone()), Some(installation.clone()));
    About { installation, org, ..About::default() }
}
