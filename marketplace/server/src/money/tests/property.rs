//! Random sequences of operations against a real database: whatever is refused, the books hold.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use soma_market::ledger::{Account, EventKind};
use soma_policy::feed::HostLease;
use soma_policy::{Currency, Outcome};

use super::world::{Host, World, org, per_call};
use crate::fixture::TestDatabase;

#[derive(Debug, Clone)]
enum Op {
    TopUp(i64),
    Ask { host: usize, at_least: i64 },
    Call { host: usize, lease: usize, ok: bool },
    Push { host: usize, back: u64, count: usize },
    Close { host: usize, lease: usize },
    Pass(u64),
    Chores,
}

fn any_op() -> impl Strategy<Value = Op> {
    let host = 0..2usize;
    prop_oneof![
        1 => (1i64..5_000).prop_map(Op::TopUp),
        4 => (host.clone(), 0i64..3_000).prop_map(|(host, at_least)| Op::Ask { host, at_least }),
        8 => (host.clone(), 0..8usize, prop::bool::weighted(0.8))
            .prop_map(|(host, lease, ok)| Op::Call { host, lease, ok }),
        6 => (host.clone(), 0u64..4, 1..12usize)
            .prop_map(|(host, back, count)| Op::Push { host, back, count }),
        2 => (host, 0..8usize).prop_map(|(host, lease)| Op::Close { host, lease }),
        2 => (0u64..200).prop_map(|minutes| Op::Pass(minutes * 60_000)),
        1 => Just(Op::Chores),
    ]
}

struct Run {
    world: World,
    hosts: [Host; 2],
    /// Leases by their host, as they were given.
    leases: [Vec<HostLease>; 2],
    next: [u64; 2],
}

impl Run {
    async fn step(&mut self, op: &Op) {
        match *op {
            Op::TopUp(micros) => drop(self.world.enter(EventKind::TopUp, micros).await),
            Op::Ask { host, at_least } => {
                for lease in self.hosts[host].ask(&self.world, at_least).await.leases {
                    if !self.leases[host].contains(&lease) {
                        self.leases[host].push(lease);
                    }
                }
            }
            Op::Call { host, lease, ok } => {
                let given = &self.leases[host];
                let Some(lease) = given.get(lease % given.len().max(1)).cloned() else { return };
                let outcome = if ok { Outcome::Ok } else { Outcome::Trapped };
                let receipt = self.hosts[host].receipt(&lease, &per_call(100), outcome);
                self.hosts[host].write(&soma_policy::JournalEntry::Receipt(Box::new(receipt)));
            }
            Op::Push { host, back, count } => {
                let from = self.next[host].saturating_sub(back).max(1);
                let writer = &self.hosts[host];
                if from as usize > writer.records.len() {
                    return;
                }
                let mut push = writer.push(from);
                push.records.truncate(count);
                if let Ok(ack) = self.world.server.take_journal(&writer.pusher(), &push).await {
                    self.next[host] = ack.next;
                }
            }
            Op::Close { host, lease } => {
                let given = &self.leases[host];
                let Some(lease) = given.get(lease % given.len().max(1)) else { return };
                self.hosts[host].close(&self.world, lease.id).await;
            }
            Op::Pass(ms) => self.world.pass_ms(ms),
            Op::Chores => {
                self.world.server.lose_leases().await.unwrap();
                self.world.server.mature_earnings().await.unwrap();
            }
        }
    }

    /// What holds after everything.
    async fn check(&self) {
        self.world.books().await;
        let shop = self.world.balance(&Account::Tenant(org("shop"))).await;
        assert!(shop >= 0);
        let mut unit = self.world.unit().await;
        for given in self.leases.iter().flatten() {
            let row = unit.lease(given.id).await.unwrap().unwrap();
            let left = row.lease.left().unwrap().money.micros;
            let account = unit.account(&Account::Lease(given.id), Currency::EUR).await.unwrap();
            let balance = account.map_or(0, |row| row.balance.micros);
            assert_eq!(balance, if row.lease.state.is_live() { left } else { 0 });
            assert!(left >= 0);
            for (scope, measure, span) in &row.drawn {
                let key = (scope.as_str(), measure.as_str(), span.as_str());
                let budget = unit.budget(&org("shop"), key).await.unwrap().unwrap();
                assert!((0..=budget.cap).contains(&budget.committed), "{budget:?}");
            }
        }
    }
}

async fn run(database: TestDatabase, ops: &[Op]) {
    let world = World::new(database).await;
    let hosts = [Host::new(1), Host::new(2)];
    let mut run = Run { world, hosts, leases: [Vec::new(), Vec::new()], next: [1, 1] };
    for op in ops {
        run.step(op).await;
    }
    run.check().await;
}

fn block_on(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(work);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_operations_breaks_the_stored_books(ops in prop::collection::vec(any_op(), 1..60)) {
        block_on(run(TestDatabase::sqlite(), &ops));
    }
}

#[tokio::test]
async fn the_stored_books_hold_on_postgresql_too() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..6 {
        let Some(database) = TestDatabase::postgres().await else { return };
        let ops = prop::collection::vec(any_op(), 40..60).new_tree(&mut runner).unwrap().current();
        run(database, &ops).await;
    }
}
