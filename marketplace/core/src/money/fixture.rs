//! Values that the tests of the money rooms share.

use soma_policy::price::{OutcomeTable, PriceBook, Split, Tax, Terms};
use soma_policy::{
    BootId, CallFacts, CallId, CapsuleName, Currency, Digest, EntryId, FeedPosition, HostId,
    InstallationKey, JournalId, LeaseId, Millis, Money, OrgId, Outcome, Receipt, Timestamp, Usage,
};

use crate::Digested;
use crate::budget::{Amounts, Budget, Measure, Scope, Window};
use crate::lease::{Lease, LeaseAsk};
use crate::ledger::{BillingEvent, EventKind, Posting, ReceiptKey};
use crate::offer::{Offer, OfferStanding};
use crate::settle::Case;

/// 2026-11-21T12:00:00Z.
pub(crate) const NOON: Timestamp = Timestamp(1_795_262_400_000);
pub(crate) const HOUR: Millis = Millis(3_600_000);
pub(crate) const DAY: Millis = Millis(86_400_000);
pub(crate) const HOST: HostId = HostId::from_u128(11);
pub(crate) const BOOT: BootId = BootId::from_u128(12);
pub(crate) const JOURNAL: JournalId = JournalId::from_u128(13);

pub(crate) fn eur(micros: i64) -> Money {
    Money { micros, currency: Currency::EUR }
}

pub(crate) fn org(name: &str) -> OrgId {
    name.parse().unwrap()
}

pub(crate) fn key(text: &str) -> InstallationKey {
    text.parse().unwrap()
}

pub(crate) fn capsule() -> CapsuleName {
    "acme/csv".parse().unwrap()
}

/// 2 per call, 50 per CPU-second, 90 per MiB sent, 19 % tax.
pub(crate) fn terms() -> Terms {
    let ratio = |text: &str| text.parse().unwrap();
    let book = PriceBook {
        call: ratio("2/1"),
        cpu_second: ratio("50/1"),
        outbound_mib: ratio("90/1"),
        ..PriceBook::free(Currency::EUR)
    };
    let vat = Tax { name: "vat-de".parse().unwrap(), rate: ratio("19/100") };
    Terms::new(book, OutcomeTable::standard(), Split::standard(), vec![vat]).unwrap()
}

/// So many micro-units per call.
pub(crate) fn per_call(micros: i64) -> Offer {
    Offer::new(Some(eur(micros)), None, None, None).unwrap()
}

pub(crate) fn top_up(id: u128, to: &str, micros: i64) -> Posting {
    let event = BillingEvent {
        amount: eur(micros),
        id: EntryId::from_u128(id),
        kind: EventKind::TopUp,
        org: org(to),
        reason: "bank transfer 17".parse().unwrap(),
    };
    event.post(NOON).unwrap()
}

/// A money budget of an installation, environment or org for the day of noon.
pub(crate) fn budget(scope: Scope, cap: i64) -> Budget {
    Budget::open(scope, Measure::Money(Currency::EUR), cap, None, Window::day(NOON)).unwrap()
}

pub(crate) fn own_budget(installation: &str, cap: i64) -> Budget {
    budget(Scope::Installation(key(installation)), cap)
}

pub(crate) fn ask(id: u128, installation: &str, micros: i64) -> LeaseAsk {
    LeaseAsk {
        amounts: Amounts::of(eur(micros)),
        boot: BOOT,
        host: HOST,
        id: LeaseId::from_u128(id),
        installation: key(installation),
        lost_after: NOON.plus(HOUR).plus(HOUR),
        start_by: NOON.plus(HOUR),
        terms: terms().digest().unwrap(),
    }
}

/// A lease of `shop/production/csv`.
pub(crate) fn lease(micros: i64) -> Lease {
    let installation = "shop/production/csv";
    let budgets = [own_budget(installation, micros)];
    crate::lease::grant(ask(1, installation, micros), &budgets, NOON).unwrap().lease
}

pub(crate) fn receipt(lease: &Lease, offer: &Offer, outcome: Outcome) -> Receipt {
    let facts = CallFacts {
        call: CallId::from_u128(1),
        digest: Digest::of(b"component"),
        environment: lease.installation.environment.clone(),
        feed: FeedPosition::default(),
        function: "to-json".parse().unwrap(),
        grants: Digest::of(b"grants"),
        installation: lease.installation.id.clone(),
        lease: lease.id,
        offer: offer.digest().unwrap(),
        org: lease.installation.org.clone(),
        parent: None,
        policy: Digest::of(b"policy"),
        revision: 1,
        root: CallId::from_u128(1),
        started_at: NOON,
    };
    Receipt {
        charge: None,
        denials: Vec::new(),
        denials_dropped: 0,
        ended_at: NOON,
        facts,
        mapped_peers: Vec::new(),
        outcome,
        usage: Usage { cpu_us: 1_000_000, http_sent: 1 << 20, ..Usage::default() },
        v: Receipt::VERSION,
    }
}

/// With its digest.
pub(crate) fn digested<T: serde::Serialize>(value: T) -> Digested<T> {
    Digested::of(value).unwrap()
}

/// What a case borrows.
pub(crate) struct Table {
    pub(crate) author: OrgId,
    pub(crate) capsule: CapsuleName,
    pub(crate) lease: Lease,
    pub(crate) offer: Digested<Offer>,
    pub(crate) receipt: Receipt,
    pub(crate) terms: Digested<Terms>,
}

impl Table {
    pub(crate) fn new(lease: Lease, offer: Offer, outcome: Outcome) -> Self {
        let receipt = receipt(&lease, &offer, outcome);
        let author = org("acme");
        let (offer, terms) = (digested(offer), digested(terms()));
        Self { author, capsule: capsule(), lease, offer, receipt, terms }
    }

    pub(crate) fn case(&self, seq: u64) -> Case<'_> {
        Case {
            at: NOON,
            author: &self.author,
            capsule: &self.capsule,
            gate: false,
            host: HOST,
            key: ReceiptKey { journal: JOURNAL, seq },
            lease: &self.lease,
            offer: &self.offer,
            receipt: &self.receipt,
            standing: OfferStanding::default(),
            terms: &self.terms,
        }
    }
}
