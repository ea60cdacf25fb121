//! What a lease promises: never overspent, by whatever interleaving, and the same after a restart.

mod checkpoint;

use std::sync::Arc;

use proptest::prelude::*;
use soma_policy::{
    Budget, CallFacts, CallId, Code, Currency, Digest, FeedPosition, HostId, InstallationKey,
    JournalEntry, JournalId, LeaseId, Money, OrderId, Outcome, Period, Receipt, Timestamp, Usage,
};

use super::{Ask, LeaseReplay, Leases, MovedToday, Reservation};
use crate::clock::FixedClock;
use crate::journal::{Journal, JournalOptions, test_key};

const DAY: u64 = 86_400_000;
/// 2026-11-20, so that ten days later is another month.
const NOON: Timestamp = Timestamp(20_777 * DAY + DAY / 2);

struct Bench {
    journal: Journal,
    leases: Leases,
    _folder: tempfile::TempDir,
}

fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let options = JournalOptions::new(
        folder.path().join("journal"),
        folder.path().join("head/journal"),
        JournalId::from_u128(1),
        HostId::from_u128(2),
        NOON,
    );
    let journal = Journal::open(options, test_key(), &mut |_| {}).unwrap();
    let clock = Arc::new(FixedClock::new(NOON, 1));
    let leases = Leases::new(clock, journal.clone(), LeaseReplay::default());
    Bench { journal, leases, _folder: folder }
}

fn key() -> InstallationKey {
    InstallationKey {
        org: "local".parse().unwrap(),
        environment: "production".parse().unwrap(),
        id: "csv".parse().unwrap(),
    }
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn budget(limit: &str, per: Period, concurrent_calls: u32) -> Option<Budget> {
    Some(Budget { limit: money(limit), per, concurrent_calls })
}

impl Bench {
    fn take(
        &self,
        price: &str,
        budget: Option<Budget>,
        now: Timestamp,
    ) -> Result<Reservation, Box<soma_policy::Denial>> {
        let ask = Ask { key: &key(), price: Some(money(price)), budget };
        self.leases.take(ask, None, now)
    }

    fn spent(&self, now: Timestamp) -> i64 {
        self.leases.standing(&key(), now).iter().map(|standing| standing.spent.micros).sum()
    }

    fn reserved(&self, now: Timestamp) -> i64 {
        self.leases.standing(&key(), now).iter().map(|standing| standing.reserved.micros).sum()
    }
}

fn receipt(lease: LeaseId, charge: Option<Money>, outcome: Outcome, sent: u64) -> JournalEntry {
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
            parent: None,
            policy: Digest::of(b"policy"),
            revision: 1,
            root: CallId::from_u128(1),
            started_at: NOON,
        },
        mapped_peers: Vec::new(),
        outcome,
        usage: Usage { http_sent: sent, ..Usage::default() },
        v: Receipt::VERSION,
    }))
}

#[test]
fn a_call_reserves_its_price_and_is_charged_only_if_its_function_returned() {
    let bench = bench();
    let five = budget("5.00 EUR", Period::Day, 9);
    let reservation = bench.take("0.50 EUR", five, NOON).unwrap();
    assert_eq!((bench.spent(NOON), bench.reserved(NOON)), (0, 500_000));
    reservation.settle(Some(money("0.50 EUR")));
    assert_eq!((bench.spent(NOON), bench.reserved(NOON)), (500_000, 0));
    for outcome in [Outcome::Killed(OrderId::from_u128(1)), Outcome::GuestError, Outcome::Trapped] {
        let reservation = bench.take("0.50 EUR", five, NOON).unwrap();
        assert_eq!(reservation.charge(outcome, &Usage::default()), None);
        let charge = reservation.charge(outcome, &Usage::default());
        reservation.settle(charge);
    }
    let reservation = bench.take("0.50 EUR", five, NOON).unwrap();
    assert_eq!(reservation.charge(Outcome::Ok, &Usage::default()), Some(money("0.50 EUR")));
    drop(reservation);
    assert_eq!((bench.spent(NOON), bench.reserved(NOON)), (500_000, 0));
}

#[test]
fn a_budget_denial_says_what_is_reserved_and_what_to_do() {
    let bench = bench();
    let limit = budget("4.15 EUR", Period::Day, 99);
    let held: Vec<_> = (0..41).map(|_| bench.take("0.10 EUR", limit, NOON).unwrap()).collect();
    let denial = bench.take("0.10 EUR", limit, NOON).unwrap_err();
    assert_eq!(denial.code, Code::BudgetExhausted);
    assert_eq!(denial.reason, "4.10 of 4.15 EUR reserved by 41 running calls");
    assert_eq!(
        denial.remedy,
        "retry, or raise budget.limit in installations/local/production/csv.toml"
    );
    assert_eq!(held[0].reserved(), Some(money("0.10 EUR")));
    drop(held);
    bench.take("0.10 EUR", limit, NOON).unwrap().settle(Some(money("0.10 EUR")));
    let denial = bench.take("4.10 EUR", limit, NOON).unwrap_err();
    assert_eq!(denial.reason, "0.10 spent and 0.00 of 4.15 EUR reserved by 0 running calls");
}

#[test]
fn calls_beyond_the_cap_are_refused_and_a_slot_comes_back() {
    let bench = bench();
    let two = budget("5.00 EUR", Period::Day, 2);
    let first = bench.take("0.01 EUR", two, NOON).unwrap();
    let _second = bench.take("0.01 EUR", two, NOON).unwrap();
    assert_eq!(bench.take("0.01 EUR", two, NOON).unwrap_err().code, Code::BudgetConcurrency);
    drop(first);
    assert!(bench.take("0.01 EUR", two, NOON).is_ok());
    // A refusal for want of money gives its slot back too.
    for _ in 0..5 {
        assert_eq!(bench.take("9.00 EUR", two, NOON).unwrap_err().code, Code::BudgetExhausted);
    }
    assert!(bench.take("0.01 EUR", two, NOON).is_ok());
}

#[test]
fn a_priced_capsule_without_a_budget_is_denied_and_a_free_one_is_not() {
    let bench = bench();
    let denial = bench.take("0.01 EUR", None, NOON).unwrap_err();
    assert_eq!(denial.code, Code::BudgetExhausted);
    assert!(denial.remedy.contains("add [budget]"), "{denial}");
    assert!(bench.take("0.00 EUR", None, NOON).is_ok());
    let ask = Ask { key: &key(), price: None, budget: None };
    assert!(bench.leases.take(ask, None, NOON).is_ok());
}

#[test]
fn amounts_of_two_currencies_are_never_compared() {
    let bench = bench();
    let denial = bench.take("0.01 USD", budget("5.00 EUR", Period::Day, 9), NOON).unwrap_err();
    assert_eq!(denial.code, Code::BudgetCurrency);
    let parent = bench.take("0.01 EUR", budget("5.00 EUR", Period::Day, 9), NOON).unwrap();
    let ask = Ask { key: &key(), price: Some(money("0.01 USD")), budget: None };
    let denial = bench.leases.take(ask, Some(&parent), NOON).unwrap_err();
    assert_eq!(denial.code, Code::BudgetCurrency);
}

#[test]
fn a_child_comes_out_of_its_parents_lease_and_slot() {
    let bench = bench();
    let one = budget("1.00 EUR", Period::Day, 1);
    let parent = bench.take("0.40 EUR", one, NOON).unwrap();
    let tool = Ask { key: &key(), price: Some(money("0.50 EUR")), budget: None };
    let child = bench.leases.take(tool, Some(&parent), NOON).unwrap();
    assert_eq!(child.lease(), parent.lease());
    assert_eq!(bench.reserved(NOON), 900_000);
    let denial = bench.leases.take(tool, Some(&child), NOON).unwrap_err();
    assert_eq!(denial.code, Code::BudgetExhausted);
    child.settle(Some(money("0.50 EUR")));
    child.settle(Some(money("0.50 EUR")));
    parent.settle(None);
    assert_eq!((bench.spent(NOON), bench.reserved(NOON)), (500_000, 0));
    drop((child, parent));
    assert!(bench.take("0.50 EUR", one, NOON).is_ok());
}

#[test]
fn each_utc_day_has_its_own_lease_and_a_clock_that_goes_back_stays() {
    let bench = bench();
    let five = budget("5.00 EUR", Period::Day, 9);
    let tomorrow = Timestamp(NOON.0 + DAY);
    let old = bench.take("4.00 EUR", five, NOON).unwrap();
    let new = bench.take("4.00 EUR", five, tomorrow).unwrap();
    assert_ne!(old.lease(), new.lease());
    let back = bench.take("1.00 EUR", five, NOON).unwrap();
    assert_eq!(back.lease(), new.lease());
    assert_eq!(bench.take("0.01 EUR", five, NOON).unwrap_err().code, Code::BudgetExhausted);
    old.settle(Some(money("4.00 EUR")));
    assert_eq!(bench.spent(tomorrow), 0);
}

#[test]
fn a_monthly_budget_counts_over_days_until_the_month_ends() {
    let bench = bench();
    let five = budget("5.00 EUR", Period::Month, 9);
    for days in 0..5 {
        let now = Timestamp(NOON.0 + days * DAY);
        bench.take("1.00 EUR", five, now).unwrap().settle(Some(money("1.00 EUR")));
    }
    let sixth = Timestamp(NOON.0 + 5 * DAY);
    assert_eq!(bench.take("1.00 EUR", five, sixth).unwrap_err().code, Code::BudgetExhausted);
    let december = Timestamp(NOON.0 + 15 * DAY);
    assert!(bench.take("1.00 EUR", five, december).is_ok());
}

#[test]
fn threads_that_race_never_overspend() {
    let bench = bench();
    let limit = budget("1.00 EUR", Period::Day, 1000);
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let bench = &bench;
            scope.spawn(move || {
                for n in 0..500_u64 {
                    let Ok(reservation) = bench.take("0.03 EUR", limit, NOON) else {
                        continue;
                    };
                    let standing = bench.leases.standing(&key(), NOON)[0];
                    assert!(standing.spent.micros <= 1_000_000);
                    match (thread + n) % 3 {
                        0 => drop(reservation),
                        1 => reservation.settle(None),
                        _ => reservation.settle(Some(money("0.03 EUR"))),
                    }
                }
            });
        }
    });
    assert_eq!(bench.spent(NOON), 990_000);
    assert_eq!(bench.reserved(NOON), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any interleaving of starts, ends and tool calls stays within the limit at every step, and a
    /// restart after any of them rebuilds what had been settled by then.
    #[test]
    fn no_interleaving_overspends_and_a_crash_anywhere_rebuilds_the_same_totals(
        steps in proptest::collection::vec((0..4_u8, 1..40_i64, 0..8_usize, 0..3_u64), 1..60),
        monthly: bool,
    ) {
        let bench = bench();
        let per = if monthly { Period::Month } else { Period::Day };
        let limit = budget("0.000100 EUR", per, 1000);
        let (mut open, mut entries, mut now) = (Vec::<Reservation>::new(), Vec::new(), NOON);
        let mut recorded = 0;
        for (what, micros, which, days) in steps {
            let price = Money { micros, currency: Currency::EUR };
            match what {
                0 => now = Timestamp(now.0 + days * DAY),
                1 => {
                    let ask = Ask { key: &key(), price: Some(price), budget: limit };
                    open.extend(bench.leases.take(ask, None, now));
                }
                2 if !open.is_empty() => {
                    let ask = Ask { key: &key(), price: Some(price), budget: None };
                    let parent = &open[which % open.len()];
                    let child = bench.leases.take(ask, Some(parent), now);
                    open.extend(child);
                }
                _ if !open.is_empty() => {
                    let ended = open.swap_remove(which % open.len());
                    let outcome = if micros % 2 == 0 { Outcome::Ok } else { Outcome::Trapped };
                    let charge = ended.charge(outcome, &Usage::default());
                    bench
                        .journal
                        .append(&receipt(ended.lease(), charge, outcome, 7))
                        .wait()
                        .unwrap();
                    recorded += 1;
                    ended.settle(charge);
                }
                _ => {}
            }
            for standing in bench.leases.standing(&key(), now) {
                prop_assert!(standing.spent.micros + standing.reserved.micros <= 100);
            }
            // The journal as a crash at this very point would leave it.
            entries.clear();
            let mut cursor = 0;
            loop {
                let page = bench.journal.read(cursor, 500).unwrap();
                if page.records.is_empty() {
                    break;
                }
                cursor = page.next;
                entries.extend(page.records.into_iter().filter(|line| !line.head));
            }
            let mut replay = LeaseReplay::default();
            for line in &entries {
                replay.see(&serde_json::from_str(line.body()).unwrap());
            }
            let moved: u64 = replay.moved().iter().map(|moved| moved.sent).sum();
            prop_assert!(moved <= recorded * 7);
            let clock = Arc::new(FixedClock::new(now, 1));
            let rebuilt = Leases::new(clock, bench.journal.clone(), replay);
            let spent = |leases: &Leases| -> Vec<(LeaseId, i64)> {
                let standings = leases.standing(&key(), now);
                standings.into_iter().map(|s| (s.lease, s.spent.micros)).collect()
            };
            // A lease whose record is on its way may be missing from the prefix; what is there agrees.
            for (lease, micros) in spent(&rebuilt) {
                prop_assert!(spent(&bench.leases).contains(&(lease, micros)));
            }
            let all: i64 = bench.spent(now);
            prop_assert!(all == 0 || spent(&rebuilt).iter().map(|(_, m)| m).sum::<i64>() == all);
        }
    }
}

#[test]
fn a_restart_knows_the_month_too() {
    let bench = bench();
    let five = budget("5.00 EUR", Period::Month, 9);
    let mut replay = LeaseReplay::default();
    for days in 0..3 {
        let now = Timestamp(NOON.0 + days * DAY);
        let reservation = bench.take("1.50 EUR", five, now).unwrap();
        let charge = reservation.charge(Outcome::Ok, &Usage::default());
        bench.journal.append(&receipt(reservation.lease(), charge, Outcome::Ok, 7)).wait().unwrap();
        reservation.settle(charge);
    }
    for line in bench.journal.read(0, 1000).unwrap().records.iter().filter(|line| !line.head) {
        replay.see(&serde_json::from_str(line.body()).unwrap());
    }
    let at = Timestamp((NOON.0 / DAY + 2) * DAY);
    assert_eq!(replay.moved(), [MovedToday { installation: key(), at, sent: 7, received: 0 }]);
    let now = Timestamp(NOON.0 + 2 * DAY);
    let leases = Leases::new(Arc::new(FixedClock::new(now, 1)), bench.journal.clone(), replay);
    let ask = Ask { key: &key(), price: Some(money("1.00 EUR")), budget: five };
    let denial = leases.take(ask, None, NOON).unwrap_err();
    assert!(denial.reason.starts_with("4.50 spent and "), "{}", denial.reason);
}
