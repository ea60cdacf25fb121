//! Settling receipts, many in one transaction: what they touch is read once, changed in memory by the rules,
//! and written once.
//!
//! A receipt that cannot be settled stops the batch before it: what is in front of it is kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use soma_market::budget::Window;
use soma_market::earnings::{Earning, EarningCommand};
use soma_market::ledger::ReceiptKey;
use soma_market::offer::{Asked, OfferStanding};
use soma_market::settle::{Case, Entry, Settlement, settle, write_off};
use soma_market::{Digested, Refusal};
use soma_policy::price::Terms;
use soma_policy::{
    Code, Currency, Digest, HostId, InstallationKey, JournalId, LeaseId, Money, OrgId, Receipt,
    Timestamp,
};

use super::MoneyError;
use crate::store::{
    Book, LeaseRow, NewSettled, PlatformUnit, PricedRevision, SettledRows, StoreError,
};

/// Who settles what, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    pub(super) host: HostId,
    pub(super) journal: JournalId,
    pub(super) now: Timestamp,
}

type RevisionKey = (InstallationKey, u64, Digest);
type UsedKey = (InstallationKey, Digest, String);

/// One transaction's work.
pub(super) struct Batch {
    pub(super) at: At,
    pub(super) book: Book,
    leases: BTreeMap<LeaseId, Kept<LeaseRow>>,
    terms: BTreeMap<Digest, Arc<Digested<Terms>>>,
    revisions: BTreeMap<RevisionKey, Arc<PricedRevision>>,
    used: BTreeMap<UsedKey, Kept<u64>>,
    earnings: BTreeMap<(OrgId, Currency), Kept<Earning>>,
    settled: SettledRows,
}

/// What was read, and whether it is to be written.
struct Kept<T> {
    value: T,
    changed: bool,
}

impl<T> Kept<T> {
    const fn read(value: T) -> Self {
        Self { value, changed: false }
    }

    fn set(&mut self, value: T) {
        (self.value, self.changed) = (value, true);
    }
}

/// What became of a receipt.
pub(super) enum Done {
    /// It is settled.
    Settled,
    /// Its lease was the host's own, from when it had no server: it moves nothing here.
    Own,
}

impl Batch {
    pub(super) fn new(at: At, book: Book) -> Self {
        Self {
            at,
            book,
            leases: BTreeMap::new(),
            terms: BTreeMap::new(),
            revisions: BTreeMap::new(),
            used: BTreeMap::new(),
            earnings: BTreeMap::new(),
            settled: SettledRows::none(),
        }
    }

    /// Settles one receipt by the rules.
    pub(super) async fn settle(
        &mut self,
        unit: &mut PlatformUnit,
        frame: &Entry,
        receipt: &Receipt,
    ) -> Result<Done, MoneyError> {
        if !self.read_lease(unit, receipt.facts.lease).await? {
            if unit.own_lease(self.at.journal, receipt.facts.lease).await? {
                return Ok(Done::Own);
            }
            let reason = format!("no lease {} was given", receipt.facts.lease);
            return Err(Refusal::new(Code::LeaseForeign, "settle", reason).into());
        }
        self.take(unit, frame, receipt, false).await?;
        Ok(Done::Settled)
    }

    /// Settles a receipt that was refused, at the platform's cost.
    pub(super) async fn write_off(
        &mut self,
        unit: &mut PlatformUnit,
        frame: &Entry,
        receipt: &Receipt,
    ) -> Result<bool, MoneyError> {
        if !self.read_lease(unit, receipt.facts.lease).await? {
            return Ok(false);
        }
        self.take(unit, frame, receipt, true).await?;
        Ok(true)
    }

    async fn take(
        &mut self,
        unit: &mut PlatformUnit,
        frame: &Entry,
        receipt: &Receipt,
        off: bool,
    ) -> Result<(), MoneyError> {
        let lease = self.leased(receipt.facts.lease)?.lease.clone();
        let terms = self.read_terms(unit, lease.terms).await?;
        let revision = self.read_revision(unit, receipt, off).await?;
        let used = self.read_used(unit, &revision, receipt).await?;
        let standing = OfferStanding { accepted_at: revision.accepted, included_used: used };
        let started = receipt.facts.started_at;
        let case = Case {
            at: self.at.now,
            author: &revision.author,
            capsule: &revision.capsule,
            gate: revision.billed.is_none_or(|billed| started < billed),
            host: self.at.host,
            key: ReceiptKey { journal: self.at.journal, seq: frame.seq },
            lease: &lease,
            offer: &revision.offer,
            receipt,
            standing,
            terms: &terms,
        };
        let settlement = if off { write_off(&case)? } else { settle(&case)? };
        let asked = asked(&case, off);
        let kept = self.keep(unit, &case, (frame, asked), &revision, settlement).await;
        // The rules have agreed: what fails from here on is no fault of the host.
        kept.map_err(|error| match error {
            MoneyError::Refused(_) => {
                StoreError::Corrupt { column: "settled", expected: "sums in range" }.into()
            }
            error @ MoneyError::Store(_) => error,
        })
    }

    /// Puts a settlement with what is to be written.
    async fn keep(
        &mut self,
        unit: &mut PlatformUnit,
        case: &Case<'_>,
        (frame, asked): (&Entry, Asked),
        revision: &PricedRevision,
        done: Settlement,
    ) -> Result<(), MoneyError> {
        let now = self.at.now;
        if done.earned.micros > 0 {
            self.earn(unit, &revision.author, done.earned).await?;
        }
        if let Some(posting) = &done.posting {
            self.book.post(posting, None)?;
        }
        if done.included {
            let key = used_key(revision, case.receipt);
            let it = self.used.entry(key).or_insert(Kept::read(0));
            it.set(it.value.saturating_add(1));
        }
        if let Some(kept) = self.leases.get_mut(&case.lease.id) {
            (kept.value.lease, kept.changed) = (done.lease, true);
            (kept.value.seen, kept.value.touched) = (true, now);
        }
        self.settled.add(&NewSettled {
            key: case.key,
            hash: frame.hash,
            org: &case.lease.installation.org,
            lease: case.lease.id,
            terms: case.lease.terms,
            notes: &done.notes,
            asked,
            receipt: case.receipt,
            at: now,
        });
        Ok(())
    }

    async fn earn(
        &mut self,
        unit: &mut PlatformUnit,
        author: &OrgId,
        earned: Money,
    ) -> Result<(), MoneyError> {
        let (now, key) = (self.at.now, (author.clone(), earned.currency));
        if !self.earnings.contains_key(&key) {
            let found = unit.earning(author, earned.currency, Window::day(now)).await?;
            let open = || Earning::open(author.clone(), earned.currency, now);
            self.earnings.insert(key.clone(), Kept::read(found.unwrap_or_else(open)));
        }
        if let Some(kept) = self.earnings.get_mut(&key) {
            let next = kept.value.apply(EarningCommand::Earn(earned), now)?.0;
            kept.set(next);
        }
        Ok(())
    }

    /// Notes that the host has a lease, by its journal.
    pub(super) async fn see_lease(
        &mut self,
        unit: &mut PlatformUnit,
        lease: LeaseId,
    ) -> Result<(), MoneyError> {
        if !self.read_lease(unit, lease).await? {
            return Ok(unit.note_own_lease(self.at.journal, lease).await?);
        }
        if let Some(kept) = self.leases.get_mut(&lease)
            && !kept.value.seen
            && kept.value.lease.host == self.at.host
        {
            (kept.value.seen, kept.changed) = (true, true);
        }
        Ok(())
    }

    /// Writes all of it, but not yet the book.
    pub(super) async fn write(&mut self, unit: &mut PlatformUnit) -> Result<(), MoneyError> {
        for kept in self.leases.values_mut().filter(|kept| kept.changed) {
            unit.update_lease(&kept.value).await?;
            kept.value.version += 1;
            kept.changed = false;
        }
        for kept in self.earnings.values().filter(|kept| kept.changed) {
            unit.set_earning(&kept.value).await?;
        }
        for ((key, offer, span), kept) in self.used.iter().filter(|(_, kept)| kept.changed) {
            unit.set_included_used(key, *offer, span, kept.value).await?;
        }
        Ok(unit.insert_settled(&self.settled).await?)
    }

    async fn read_lease(
        &mut self,
        unit: &mut PlatformUnit,
        id: LeaseId,
    ) -> Result<bool, StoreError> {
        if self.leases.contains_key(&id) {
            return Ok(true);
        }
        let Some(row) = unit.lease(id).await? else { return Ok(false) };
        self.leases.insert(id, Kept::read(row));
        Ok(true)
    }

    fn leased(&self, id: LeaseId) -> Result<&LeaseRow, StoreError> {
        let gone = StoreError::Corrupt { column: "lease_id", expected: "a lease that was read" };
        self.leases.get(&id).map(|kept| &kept.value).ok_or(gone)
    }

    async fn read_terms(
        &mut self,
        unit: &mut PlatformUnit,
        digest: Digest,
    ) -> Result<Arc<Digested<Terms>>, MoneyError> {
        if let Some(terms) = self.terms.get(&digest) {
            return Ok(Arc::clone(terms));
        }
        let gone = StoreError::Corrupt { column: "terms", expected: "terms that are kept" };
        let terms = Arc::new(Digested::of(unit.terms(digest).await?.ok_or(gone)?.terms)?);
        self.terms.insert(digest, Arc::clone(&terms));
        Ok(terms)
    }

    async fn read_revision(
        &mut self,
        unit: &mut PlatformUnit,
        receipt: &Receipt,
        off: bool,
    ) -> Result<Arc<PricedRevision>, MoneyError> {
        let key = (installation_of(receipt), receipt.facts.revision, receipt.facts.offer);
        if let Some(revision) = self.revisions.get(&key) {
            return Ok(Arc::clone(revision));
        }
        let unknown = || {
            let (key, revision, offer) = &key;
            let reason = format!("revision {revision} of `{key}` has no offer {offer}");
            Refusal::new(Code::OfferUnknown, "settle", reason)
        };
        let found = match unit.priced(&receipt.facts).await? {
            None if off => Some(nobodys(receipt)?),
            found => found,
        };
        let revision = Arc::new(found.ok_or_else(unknown)?);
        self.revisions.insert(key, Arc::clone(&revision));
        Ok(revision)
    }

    async fn read_used(
        &mut self,
        unit: &mut PlatformUnit,
        revision: &PricedRevision,
        receipt: &Receipt,
    ) -> Result<u64, StoreError> {
        if revision.offer.included().is_none() {
            return Ok(0);
        }
        let key = used_key(revision, receipt);
        if let Some(kept) = self.used.get(&key) {
            return Ok(kept.value);
        }
        let used = unit.included_used(&key.0, key.1, &key.2).await?;
        self.used.insert(key, Kept::read(used));
        Ok(used)
    }
}

fn installation_of(receipt: &Receipt) -> InstallationKey {
    let facts = &receipt.facts;
    InstallationKey {
        environment: facts.environment.clone(),
        id: facts.installation.clone(),
        org: facts.org.clone(),
    }
}

fn used_key(revision: &PricedRevision, receipt: &Receipt) -> UsedKey {
    let window = revision.offer.window(receipt.facts.started_at);
    let span = window.map_or_else(String::new, |window| window.to_string());
    (revision.key.clone(), revision.offer.sum(), span)
}

/// What the offer asked of the call: nothing of one at a gate, written off, or whose outcome asks nothing.
fn asked(case: &Case<'_>, off: bool) -> Asked {
    let row = case.terms.outcomes().row(case.receipt.outcome);
    if off || case.gate || !row.author {
        return Asked { included: false, price: None };
    }
    case.offer.ask(&case.standing, case.receipt.facts.started_at)
}

/// Whose a receipt is that names what nobody sold: it is written off, and nobody earns by it.
fn nobodys(receipt: &Receipt) -> Result<PricedRevision, MoneyError> {
    let wrong = |_| StoreError::Corrupt { column: "capsule", expected: "a name of a capsule" };
    let org = receipt.facts.org.clone();
    let capsule: Result<soma_policy::CapsuleName, _> = format!("{org}/unknown").parse();
    Ok(PricedRevision {
        key: installation_of(receipt),
        revision: receipt.facts.revision,
        capsule: capsule.map_err(wrong)?,
        author: org,
        offer: Digested::of(soma_market::offer::Offer::free())?,
        accepted: Timestamp(0),
        billed: None,
    })
}
