//! Any sequence of reserve, settle, kill, interrupt, renew and recall.

use std::collections::BTreeMap;

use proptest::prelude::*;
use soma_policy::price::{Bearer, Origin, charge};

use super::*;

struct Run {
    bench: Bench,
    open: Vec<(Reservation, bool, i64)>,
    limits: BTreeMap<LeaseId, i64>,
    /// Charges of ended calls by lease, as the host counts them.
    charged: BTreeMap<LeaseId, i64>,
    prices: Vec<i64>,
    next: u128,
}

fn outcome(n: u64) -> Outcome {
    let killed = Outcome::Killed(OrderId::from_u128(1));
    [
        Outcome::Ok,
        Outcome::GuestError,
        Outcome::Trapped,
        killed,
        Outcome::Interrupted,
        Outcome::Denied,
    ][n as usize % 6]
}

impl Run {
    fn start(&mut self, price: i64) {
        let call = self.bench.take(price).map(|call| (call, false, price));
        self.open.extend(call);
    }

    fn child(&mut self, which: usize, price: i64) {
        if let Some((parent, ..)) = self.open.get(which % self.open.len().max(1)) {
            let child = self.bench.child(parent, price);
            self.open.extend(child.map(|child| (child, true, price)));
        }
    }

    /// Ends a call; meters may have passed every limit.
    fn end(&mut self, which: usize, n: u64) {
        if self.open.is_empty() {
            return;
        }
        let (call, is_child, price) = self.open.swap_remove(which % self.open.len());
        let metered = Usage {
            cpu_us: n.wrapping_mul(7919) % 400_000,
            http_sent: n.wrapping_mul(104_729) % (64 << 20),
            memory_peak: n.wrapping_mul(15_485_863) % (256 << 20),
            wall_us: n.wrapping_mul(32_452_843) % 2_000_000,
            ..Usage::default()
        };
        let (usage, outcome) = (call.billed(metered), outcome(n));
        let charge = call.charge(outcome, &usage);
        let entry = receipt(call.lease(), is_child, charge, outcome, usage);
        drop(self.bench.journal.append(&entry));
        call.settle(charge);
        self.prices.push(price);
        let sum = self.charged.entry(call.lease()).or_default();
        *sum += charge.map_or(0, |charge| charge.micros);
    }

    fn renew(&mut self, micros: i64) {
        self.next += 1;
        let now = self.bench.now();
        let start_by = Timestamp(now.0 + 60_000);
        let lease = HostLease { start_by, ..lease(self.next, micros) };
        self.limits.insert(lease.id, micros);
        self.bench.give(lease);
    }

    fn check(&self) {
        for standing in self.bench.leases.standing(&key(), self.bench.now()) {
            let (spent, reserved) = (standing.spent.micros, standing.reserved.micros);
            let limit = self.limits[&standing.lease];
            assert!(spent >= 0 && reserved >= 0 && spent + reserved <= limit);
            assert_eq!(spent, self.charged.get(&standing.lease).copied().unwrap_or(0));
        }
    }

    /// What the server settles of each lease: by price and receipts alone.
    fn settled(&self) -> BTreeMap<LeaseId, i64> {
        let mut prices = self.prices.iter();
        let mut settled = BTreeMap::new();
        for entry in self.bench.entries() {
            let JournalEntry::Receipt(receipt) = entry else { continue };
            let price = prices.next().map(|micros| eur(*micros));
            let origin = Origin::of(&receipt);
            let cost = charge(&terms(), price, origin, &receipt.usage, receipt.outcome).unwrap();
            let micros = match cost.bearer {
                Bearer::Tenant => cost.total().unwrap().micros,
                Bearer::Platform => 0,
            };
            *settled.entry(receipt.facts.lease).or_default() += micros;
        }
        settled
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_lease_is_overspent_and_the_host_charges_what_the_server_settles(
        steps in proptest::collection::vec((0..10_u8, 0..3_000_i64, 0..8_usize, any::<u64>()), 1..80),
    ) {
        let mut run = Run {
            bench: bench(),
            open: Vec::new(),
            limits: BTreeMap::new(),
            charged: BTreeMap::new(),
            prices: Vec::new(),
            next: 0,
        };
        run.renew(20_000);
        for (what, micros, which, n) in steps {
            match what {
                0 => run.renew(micros * 10),
                1 => run.bench.recall(u128::from(n) % (run.next + 1)),
                2 => run.bench.clock.advance(std::time::Duration::from_millis(n % 40_000)),
                3 | 4 => run.child(which, micros),
                5..=7 => run.start(micros),
                _ => run.end(which, n),
            }
            let now = run.bench.now();
            run.bench.leases.served.as_ref().unwrap().sweep(|_| true, now);
            run.check();
        }
        while !run.open.is_empty() {
            run.end(0, 42);
        }
        run.bench.journal.close().unwrap();
        let settled = run.settled();
        for (lease, micros) in &settled {
            prop_assert!(*micros <= run.limits[lease], "{lease}: {micros}");
            prop_assert_eq!(run.charged.get(lease), Some(micros));
        }
        prop_assert_eq!(settled.values().sum::<i64>(), run.charged.values().sum::<i64>());
    }
}

#[test]
fn calls_that_race_with_a_recall_have_ended_before_the_lease_is_closed() {
    let bench = bench();
    bench.give(lease(1, 1_000_000_000));
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Ok(call) = bench.take(1) {
                    let usage = Usage::default();
                    let charge = call.charge(Outcome::Ok, &usage);
                    let entry = receipt(call.lease(), false, charge, Outcome::Ok, usage);
                    drop(bench.journal.append(&entry));
                    call.settle(charge);
                    done.store(true, std::sync::atomic::Ordering::Release);
                }
            });
        }
        while !done.load(std::sync::atomic::Ordering::Acquire) {
            std::thread::yield_now();
        }
        bench.recall(1);
        let served = bench.leases.served.as_ref().unwrap();
        let closes = loop {
            served.sweep(|_| true, NOON);
            futures::executor::block_on(served.close(&bench.journal, NOON)).unwrap();
            let asked = served.wishes(bench.journal.id(), std::iter::empty(), NOON);
            if !asked.closes.is_empty() {
                break asked.closes;
            }
            std::thread::yield_now();
        };
        let last = closes[0].seq;
        bench.journal.close().unwrap();
        let page = bench.journal.read(last + 1, 10_000).unwrap();
        let later = page.records.iter().filter(|line| line.body().contains("\"kind\":\"receipt\""));
        assert_eq!(later.count(), 0, "a receipt after the last word");
    });
}
