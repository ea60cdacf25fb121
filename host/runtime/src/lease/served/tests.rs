//! What leases of a server promise: none is overspent, none is started on that is over, and what is charged is
//! what the server settles.

mod bytes;
mod keeping;
mod property;

use std::sync::Arc;

use soma_policy::feed::{HostLease, LeaseAnswer, LeaseWishes};
use soma_policy::price::{OutcomeTable, PriceBook, Split, Tax, Terms};
use soma_policy::{
    BootId, Budget, CallFacts, CallId, Code, Currency, Denial, Digest, FeedPosition, HostId,
    InstallationKey, JournalEntry, JournalId, LeaseEvent, LeaseId, LeaseRecord, Limits, Millis,
    Money, OrderId, Outcome, Receipt, Timestamp, Usage,
};

use super::{Billing, Cost, Holder, Need};
use crate::clock::FixedClock;
use crate::journal::{Journal, JournalOptions, test_key};
use crate::lease::{LeaseReplay, Leases, Reservation};

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
const NOON: Timestamp = Timestamp(20_777 * DAY + DAY / 2);
const HOST: HostId = HostId::from_u128(2);
const BOOT: BootId = BootId::from_u128(3);
const LIMITS: Limits = Limits { cpu: Millis(200), wall: Millis(1_000), ..Limits::DEFAULT };

struct Bench {
    journal: Journal,
    leases: Leases,
    clock: Arc<FixedClock>,
    _folder: tempfile::TempDir,
}

fn terms() -> Terms {
    let rate = |text: &str| text.parse().unwrap();
    let book = PriceBook {
        call: rate("2/1"),
        cpu_second: rate("1000/3"),
        currency: Currency::EUR,
        mib_second: rate("1/7"),
        outbound_mib: rate("90/1"),
        token: rate("0/1"),
        version: 1,
    };
    let tax = Tax { name: "vat-de".parse().unwrap(), rate: rate("19/100") };
    Terms::new(book, OutcomeTable::standard(), Split::standard(), vec![tax]).unwrap()
}

fn bench() -> Bench {
    bench_with(LeaseReplay::default())
}

fn bench_with(replay: LeaseReplay) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let options = JournalOptions::new(
        folder.path().join("journal"),
        folder.path().join("head/journal"),
        JournalId::from_u128(1),
        HOST,
        NOON,
    );
    let journal = Journal::open(options, test_key(), &mut |_| {}).unwrap();
    let clock = Arc::new(FixedClock::new(NOON, 1));
    let leases = Leases::new(clock.clone(), journal.clone(), replay);
    let leases = leases.served_by(Holder { host: HOST, boot: BOOT });
    leases.learn(terms()).unwrap();
    Bench { journal, leases, clock, _folder: folder }
}

fn key() -> InstallationKey {
    "local/production/csv".parse().unwrap()
}

fn eur(micros: i64) -> Money {
    Money { micros, currency: Currency::EUR }
}

fn lease(id: u128, micros: i64) -> HostLease {
    HostLease {
        boot: BOOT,
        bytes: None,
        day: NOON.day(),
        id: LeaseId::from_u128(id),
        installation: key(),
        money: eur(micros),
        start_by: Timestamp(NOON.0 + HOUR),
        terms: terms().digest().unwrap(),
    }
}

fn answer(leases: Vec<HostLease>) -> LeaseAnswer {
    LeaseAnswer { host: HOST, leases, recalls: Vec::new(), refused: Vec::new() }
}

fn nothing() -> LeaseWishes {
    LeaseWishes { boot: BOOT, closes: Vec::new(), wishes: Vec::new() }
}

/// A call's share of a lease that holds so many bytes.
pub(crate) fn with_bytes(bytes: Option<u64>) -> Reservation {
    let bench = bench();
    bench.give(HostLease { bytes, ..lease(1, 1_000_000) });
    bench.take(1).unwrap()
}

impl Bench {
    fn give(&self, lease: HostLease) {
        self.leases.answered(&nothing(), answer(vec![lease]));
    }

    fn recall(&self, id: u128) {
        let recalls = vec![LeaseId::from_u128(id)];
        self.leases.answered(&nothing(), LeaseAnswer { recalls, ..answer(Vec::new()) });
    }

    fn refuse(&self, why: &str) {
        let refused = vec![(key(), why.to_owned())];
        self.leases.answered(&nothing(), LeaseAnswer { refused, ..answer(Vec::new()) });
    }

    fn now(&self) -> Timestamp {
        use crate::clock::Clock as _;
        self.clock.now()
    }

    fn take(&self, price: i64) -> Result<Reservation, Box<Denial>> {
        self.take_as(price, None, Billing::Tenant)
    }

    fn take_as(
        &self,
        price: i64,
        budget: Option<Budget>,
        billing: Billing,
    ) -> Result<Reservation, Box<Denial>> {
        let (key, price) = (key(), Some(eur(price)));
        let need = Need { key: &key, price, budget, limits: &LIMITS };
        let served = self.leases.served.as_ref().unwrap();
        served.take(&need, billing, self.now()).map(Reservation::served)
    }

    fn child(&self, parent: &Reservation, price: i64) -> Result<Reservation, Box<Denial>> {
        let key = key();
        let need = Need { key: &key, price: Some(eur(price)), budget: None, limits: &LIMITS };
        let cost = Cost::of(&need, Billing::Tenant);
        parent.as_served().unwrap().child(cost, self.now()).map(Reservation::served)
    }

    /// Spent and reserved of a lease that is still held.
    fn standing(&self, id: LeaseId) -> (i64, i64) {
        let standings = self.leases.standing(&key(), self.now());
        let found = standings.into_iter().find(|standing| standing.lease == id);
        found.map_or((0, 0), |standing| (standing.spent.micros, standing.reserved.micros))
    }

    fn entries(&self) -> Vec<JournalEntry> {
        let mut cursor = 0;
        let mut entries = Vec::new();
        loop {
            let page = self.journal.read(cursor, 500).unwrap();
            if page.records.is_empty() {
                return entries;
            }
            cursor = page.next;
            let lines = page.records.iter().filter(|line| !line.head);
            entries.extend(lines.map(|line| serde_json::from_str(line.body()).unwrap()));
        }
    }
}

fn receipt(
    lease: LeaseId,
    parent: bool,
    charge: Option<Money>,
    outcome: Outcome,
    usage: Usage,
) -> JournalEntry {
    JournalEntry::Receipt(Box::new(Receipt {
        charge,
        denials: Vec::new(),
        denials_dropped: 0,
        ended_at: NOON,
        facts: CallFacts {
            call: CallId::from_u128(1),
            digest: Digest::of(b"component"),
            environment: key().environment,
            feed: FeedPosition { epoch: 0, n: 1 },
            function: "to-json".parse().unwrap(),
            grants: Digest::of(b"grants"),
            installation: key().id,
            lease,
            offer: Digest::of(b"offer"),
            org: key().org,
            parent: parent.then(|| CallId::from_u128(9)),
            policy: Digest::of(b"policy"),
            revision: 1,
            root: CallId::from_u128(1),
            started_at: NOON,
        },
        mapped_peers: Vec::new(),
        outcome,
        usage,
        v: Receipt::VERSION,
    }))
}

#[test]
fn a_call_reserves_the_worst_case_of_its_terms_and_is_charged_what_the_server_settles() {
    let bench = bench();
    bench.give(lease(1, 1_000_000));
    let call = bench.take(500).unwrap();
    let cost = |price| {
        soma_policy::price::worst(
            &terms(),
            Some(eur(price)),
            soma_policy::price::Origin::Outside,
            &LIMITS,
        )
    };
    assert_eq!(call.reserved(), Some(cost(500).unwrap()));
    assert!(call.reserved().unwrap().micros > 595, "resources and tax are in it");
    let usage =
        Usage { cpu_us: 150_000, memory_peak: 1 << 20, wall_us: 500_000, ..Usage::default() };
    let charge = call.charge(Outcome::Ok, &usage).unwrap();
    // 2 + 50 + 0 + 500, and 19 % of it.
    assert_eq!(charge, eur(552 + 105));
    assert_eq!(call.charge(Outcome::Trapped, &usage), Some(eur(52 + 10)));
    assert_eq!(call.charge(Outcome::Killed(OrderId::from_u128(1)), &usage), None);
    assert_eq!(call.charge(Outcome::Interrupted, &usage), None);
    call.settle(Some(charge));
    call.settle(Some(charge));
    assert_eq!(bench.standing(LeaseId::from_u128(1)), (657, 0));
}

#[test]
fn what_a_meter_counts_beyond_a_limit_is_nobodys_to_pay() {
    let bench = bench();
    bench.give(lease(1, 1_000_000));
    let call = bench.take(500).unwrap();
    let beyond = Usage {
        cpu_us: u64::MAX,
        memory_peak: u64::MAX,
        wall_us: u64::MAX,
        http_sent: u64::MAX,
        log: 7,
        ..Usage::default()
    };
    let billed = call.billed(beyond);
    assert_eq!((billed.cpu_us, billed.wall_us, billed.log), (200_000, 1_000_000, 7));
    assert_eq!(call.charge(Outcome::Ok, &billed), call.reserved());
}

#[test]
fn a_call_of_a_health_gate_is_not_charged_and_the_lease_could_pay_for_it_all_the_same() {
    let bench = bench();
    bench.give(lease(1, 1_000_000));
    let call = bench.take_as(500, None, Billing::Platform).unwrap();
    assert_eq!(call.reserved(), bench.take(500).unwrap().reserved());
    let charge = call.charge(Outcome::Ok, &Usage::default());
    assert_eq!((call.lease(), charge), (LeaseId::from_u128(1), None));
    call.settle(charge);
    // The server may have ended the gate before this host heard of it: 2 + 500, and 19 %.
    assert_eq!(bench.standing(LeaseId::from_u128(1)), (502 + 95, 0));
}

#[test]
fn no_call_starts_without_a_lease_of_this_run_or_after_its_last_moment() {
    let bench = bench();
    let code = || bench.take(1).unwrap_err().code;
    assert_eq!(code(), Code::LeasePending);
    bench.give(HostLease { boot: BootId::from_u128(9), ..lease(1, 1_000_000) });
    assert_eq!(code(), Code::LeasePending);
    let other = HostId::from_u128(9);
    bench
        .leases
        .answered(&nothing(), LeaseAnswer { host: other, ..answer(vec![lease(2, 1_000_000)]) });
    assert_eq!(code(), Code::LeasePending);
    bench.give(lease(3, 1_000_000));
    assert!(bench.take(1).is_ok());
    bench.clock.set(Timestamp(NOON.0 + HOUR - 1));
    assert!(bench.take(1).is_ok());
    bench.clock.set(Timestamp(NOON.0 + HOUR));
    let denial = bench.take(1).unwrap_err();
    assert!(denial.reason.contains("last moment"), "{}", denial.reason);
    bench.refuse("the org's budget of the day is spent");
    let denial = bench.take(1).unwrap_err();
    assert_eq!(denial.code, Code::LeaseEnded);
    assert!(denial.reason.contains("the org's budget"), "{}", denial.reason);
}

#[test]
fn no_call_starts_on_a_lease_that_is_asked_back_and_those_that_run_may_end() {
    let bench = bench();
    bench.give(lease(1, 1_000_000));
    let call = bench.take(1).unwrap();
    bench.recall(1);
    assert_eq!(bench.take(1).unwrap_err().code, Code::LeasePending);
    assert_eq!(bench.child(&call, 1).unwrap_err().code, Code::LeasePending);
    call.settle(call.charge(Outcome::Ok, &Usage::default()));
    // An answer that comes again gives nothing that was given before.
    bench.give(lease(1, 1_000_000));
    assert!(bench.take(1).is_err());
}

#[test]
fn a_denial_says_what_is_reserved_and_whether_more_comes() {
    let bench = bench();
    bench.give(lease(1, 2_000));
    let held = bench.take(500).unwrap();
    let denial = bench.take(500).unwrap_err();
    assert_eq!(denial.code, Code::LeasePending);
    let words =
        format!("{} of 0.002 EUR reserved by 1 running calls", held.reserved().unwrap().number());
    assert!(denial.reason.contains(&words), "{}", denial.reason);
    bench.refuse("no\u{1b}thing is left");
    let denial = bench.take(500).unwrap_err();
    assert_eq!(denial.code, Code::BudgetExhausted);
    assert!(
        denial.reason.ends_with("the server gives no more: nothing is left"),
        "{}",
        denial.reason
    );
    assert!(denial.remedy.contains("local/production/csv.toml"));
}

#[test]
fn a_child_takes_of_its_parents_lease_or_of_the_next_one_when_that_is_over() {
    let bench = bench();
    bench.give(lease(1, 1_000_000));
    let parent = bench.take(1).unwrap();
    let child = bench.child(&parent, 1).unwrap();
    assert_eq!(child.lease(), parent.lease());
    assert!(
        child.reserved().unwrap().micros < parent.reserved().unwrap().micros,
        "what the caller's usage holds is not asked for twice"
    );
    bench.give(lease(2, 1_000_000));
    bench.recall(1);
    assert_eq!(bench.child(&parent, 1).unwrap().lease(), LeaseId::from_u128(2));
}

#[test]
fn slots_are_the_tenants_and_come_back() {
    let bench = bench();
    bench.give(lease(1, 1_000_000));
    let one = Some(Budget { concurrent_calls: 1, limit: eur(1), per: soma_policy::Period::Day });
    let first = bench.take_as(1, one, Billing::Tenant).unwrap();
    let refused = bench.take_as(1, one, Billing::Tenant).unwrap_err();
    assert_eq!(refused.code, Code::BudgetConcurrency);
    assert_eq!(bench.standing(LeaseId::from_u128(1)).1, first.reserved().unwrap().micros);
    drop(first);
    assert!(bench.take_as(1, one, Billing::Tenant).is_ok());
}

#[test]
fn prices_in_another_currency_and_terms_that_are_not_here_give_no_call() {
    let bench = bench();
    bench.give(HostLease { terms: Digest::of(b"other"), ..lease(1, 1_000_000) });
    assert_eq!(bench.take(1).unwrap_err().code, Code::LeasePending);
    let usd = Money { currency: "USD".parse().unwrap(), ..eur(1_000_000) };
    bench.give(HostLease { money: usd, ..lease(2, 0) });
    assert_eq!(bench.take(1).unwrap_err().code, Code::LeasePending);
    bench.give(lease(3, 1_000_000));
    let (key, price) = (key(), Some(usd));
    let need = Need { key: &key, price, budget: None, limits: &LIMITS };
    let served = bench.leases.served.as_ref().unwrap();
    let denial = served.take(&need, Billing::Tenant, NOON).unwrap_err();
    assert_eq!(denial.code, Code::BudgetCurrency);
}

#[test]
fn a_lease_that_came_before_its_terms_counts_once_they_are_here() {
    let bench = bench();
    let free = Terms::free(Currency::EUR);
    bench.give(HostLease { terms: free.digest().unwrap(), ..lease(1, 1_000) });
    assert!(bench.take(1).is_err());
    bench.leases.learn(free).unwrap();
    assert_eq!(bench.take(1_000).unwrap().reserved(), Some(eur(1_000)));
}

#[test]
fn a_call_whose_end_is_not_on_record_has_spent_its_worst_case() {
    let bench = bench();
    bench.give(lease(1, 1_000_000));
    let call = bench.take(500).unwrap();
    let worst = call.reserved().unwrap().micros;
    call.forfeit();
    drop(call);
    assert_eq!(bench.standing(LeaseId::from_u128(1)), (worst, 0));
}
