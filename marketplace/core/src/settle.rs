//! Settlement: one receipt becomes one posting, once.
//!
//! A pure function of the receipt, its place in the journal, the lease, the offer and the terms: the same
//! inputs give the same rows with the same ids. A store runs it inside one transaction that inserts the
//! settled key, posts, and moves the journal's position. Deliberately absent: verifying signatures and
//! hashes, which the caller has done, and any choice that is not in its inputs.

mod check;
mod position;
mod rows;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
mod world;

use soma_policy::price::{Charge, Origin, Terms, charge};
use soma_policy::{CapsuleName, Code, HostId, Money, OrgId, Receipt, Timestamp};

pub use check::{MeterDifference, recheck};
pub use position::{Arrival, Batch, Entry, JournalCommand, JournalState, Position};

use crate::lease::Lease;
use crate::ledger::{About, Posting, ReceiptKey};
use crate::named::named;
use crate::offer::{Asked, Offer, OfferStanding};
use crate::{Digested, Refusal};

/// All that a settlement depends on.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// When it is settled: the instant of the posting, and of nothing else.
    pub at: Timestamp,
    /// The author's org.
    pub author: &'a OrgId,
    /// The capsule.
    pub capsule: &'a CapsuleName,
    /// Whether the call was made by a health gate: those are not billed.
    pub gate: bool,
    /// The host that signed the journal.
    pub host: HostId,
    /// The receipt's place.
    pub key: ReceiptKey,
    /// The lease that it names.
    pub lease: &'a Lease,
    /// The offer that it names.
    pub offer: &'a Digested<Offer>,
    /// The receipt.
    pub receipt: &'a Receipt,
    /// What the installation has used of the offer.
    pub standing: OfferStanding,
    /// The terms of the lease.
    pub terms: &'a Digested<Terms>,
}

named! {
    /// What people should know of a settlement.
    Note "a note on a settlement" {
        /// The call was made by a health gate.
        Gate "gate",
        /// It came after the end of its lease, or began too late: the platform's loss.
        Late "late",
        /// The lease held too little for the resources: the platform's loss.
        Overdrawn "overdrawn",
        /// More bytes than the lease holds.
        OverQuota "over-quota",
        /// An operator wrote it off: the author gets nothing.
        WrittenOff "written-off",
    }
}

/// A settled receipt, with all that changes with it, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// What the author earned.
    pub earned: Money,
    /// Whether one of the included calls of the offer was used: count it.
    pub included: bool,
    /// The lease after it.
    pub lease: Lease,
    /// What the platform bore.
    pub loss: Money,
    /// What people should know.
    pub notes: Vec<Note>,
    /// The rows; none if nothing moves.
    pub posting: Option<Posting>,
    /// What the tenant paid.
    pub tenant: Money,
}

/// Settles a receipt.
///
/// # Errors
/// [`Code::LeaseForeign`] when receipt, lease, offer and terms do not belong together,
/// [`Code::LeaseExceeded`] when the author's price goes beyond the lease, [`Code::MoneyOverflow`] and
/// [`Code::MoneyCurrency`]. [`quarantines`] says which of them speak against the host.
pub fn settle(case: &Case<'_>) -> Result<Settlement, Refusal> {
    belongs(case)?;
    let (charge, asked) = charged(case)?;
    let started = case.receipt.facts.started_at;
    let mut spent = case.lease.spend(&charge, case.terms, case.key, started)?;
    let mut notes = Vec::new();
    let marks =
        [(case.gate, Note::Gate), (spent.late, Note::Late), (spent.overdrawn, Note::Overdrawn)];
    notes.extend(marks.into_iter().filter(|(holds, _)| *holds).map(|(_, note)| note));
    if rows::take_bytes(&mut spent.lease, case.receipt)? {
        notes.push(Note::OverQuota);
    }
    rows::settlement(case, &charge, spent, asked.included, notes)
}

/// Settles a receipt that was refused, by the decision of an operator: the platform bears its resources, and
/// neither tenant nor lease nor author is touched. What cannot be priced at all costs nothing.
///
/// # Errors
/// [`Code::MoneyOverflow`] when the sum of its lines is beyond 64 bits.
pub fn write_off(case: &Case<'_>) -> Result<Settlement, Refusal> {
    let Receipt { usage, outcome, .. } = case.receipt;
    let priced = charge(case.terms, None, Origin::of(case.receipt), usage, *outcome);
    let lease = case.lease.clone();
    let notes = vec![Note::WrittenOff];
    let charge = match priced {
        Ok(charge) => charge.absorbed(),
        Err(_) => return rows::nothing(lease, case.terms.currency(), notes),
    };
    let spent = lease.spend(&charge, case.terms, case.key, case.receipt.facts.started_at)?;
    rows::settlement(case, &charge, spent, false, notes)
}

/// Whether a refusal of a receipt speaks against the host that sent it, so that nothing more of its journal
/// is settled until an operator decides.
#[must_use]
pub const fn quarantines(code: Code) -> bool {
    matches!(
        code,
        Code::LeaseExceeded | Code::LeaseForeign | Code::JournalForked | Code::MoneyOverflow
    )
}

/// The charge by outcome and offer, before it is known who pays.
fn charged(case: &Case<'_>) -> Result<(Charge, Asked), Refusal> {
    let Receipt { facts, usage, outcome, .. } = case.receipt;
    let row = case.terms.outcomes().row(*outcome);
    let mut asked = Asked { included: false, price: None };
    if row.author && !case.gate {
        asked = case.offer.ask(&case.standing, facts.started_at);
    }
    let charge = charge(case.terms, asked.price, Origin::of(case.receipt), usage, *outcome)?;
    Ok((if case.gate { charge.absorbed() } else { charge }, asked))
}

/// A host may not spend another's lease, nor settle by another offer or other terms.
fn belongs(case: &Case<'_>) -> Result<(), Refusal> {
    let (facts, lease) = (&case.receipt.facts, case.lease);
    let own = &lease.installation;
    let direct = facts.parent.is_none();
    let checks = [
        (case.receipt.v == Receipt::VERSION, "version"),
        (facts.lease == lease.id, "lease"),
        (case.host == lease.host, "host"),
        (facts.org == own.org, "org"),
        (!direct || facts.environment == own.environment, "environment"),
        (!direct || facts.installation == own.id, "installation"),
        (facts.offer == case.offer.sum(), "offer"),
        (case.terms.sum() == lease.terms, "terms"),
    ];
    match checks.into_iter().find(|(holds, _)| !holds) {
        None => Ok(()),
        Some((_, what)) => {
            let reason = format!("receipt {} has another {what} than lease {}", case.key, lease.id);
            Err(Refusal::new(Code::LeaseForeign, "settle", reason))
        }
    }
}

impl Case<'_> {
    /// What its posting is about.
    #[must_use]
    pub fn about(&self) -> About {
        let facts = &self.receipt.facts;
        let installation = soma_policy::InstallationKey {
            environment: facts.environment.clone(),
            id: facts.installation.clone(),
            org: facts.org.clone(),
        };
        About {
            author: Some(self.author.clone()),
            capsule: Some(self.capsule.clone()),
            installation: Some(installation),
            org: Some(facts.org.clone()),
        }
    }
}
