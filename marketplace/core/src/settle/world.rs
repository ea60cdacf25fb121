//! A store in memory that does what a database does, and hostile sequences against it.
//!
//! Every operation runs on a copy and is kept whole or not at all. After each one `check` asks whether the
//! books still hold: that is the property.

mod check;
mod host;
mod ops;

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use soma_policy::price::Terms;
use soma_policy::{
    Currency, Digest, EntryId, InstallationKey, JournalId, LeaseId, OrgId, PayoutId, Receipt,
    Timestamp,
};

use crate::budget::{self, Amounts, Budget, Scope, Window};
use crate::earnings::Earning;
use crate::lease::Lease;
use crate::ledger::{Balances, Cause, Posting, ReceiptKey};
use crate::money::fixture::{NOON, budget, digested, key, org, own_budget, per_call, terms};
use crate::offer::{Asked, Included, Offer};
use crate::payout::Payout;
use crate::settle::{Note, Position};
use crate::{Digested, Refusal};

use self::host::HostState;
use self::ops::Op;

const INSTALLATIONS: [&str; 3] =
    ["shop/production/csv", "shop/production/tool", "shop/staging/csv"];

/// What was settled of a receipt.
#[derive(Debug, Clone)]
struct Settled {
    asked: Asked,
    hash: Digest,
    notes: Vec<Note>,
    receipt: Arc<Receipt>,
}

#[derive(Debug, Clone)]
struct World {
    balances: Balances,
    budgets: BTreeMap<Scope, Budget>,
    /// The highest cap that each budget ever had.
    caps: BTreeMap<Scope, i64>,
    /// Chargebacks so far: they alone may push an account below its floor.
    chargebacks: i64,
    earnings: BTreeMap<Window, Earning>,
    hosts: Vec<HostState>,
    included: u64,
    /// What each lease held at first.
    first: BTreeMap<LeaseId, i64>,
    leases: BTreeMap<LeaseId, Lease>,
    next_id: u128,
    now: Timestamp,
    payouts: BTreeMap<PayoutId, Payout>,
    positions: BTreeMap<JournalId, Position>,
    postings: BTreeMap<Cause, Arc<Posting>>,
    /// Reversals by what they reverse.
    reversals: BTreeMap<Cause, Vec<Arc<Posting>>>,
    settled: BTreeMap<ReceiptKey, Settled>,
    /// How often each place was settled.
    settlings: BTreeMap<ReceiptKey, u32>,
    taken: BTreeMap<(JournalId, u64), Digest>,
    terms: Arc<Digested<Terms>>,
}

impl World {
    fn new() -> Self {
        let shop = org("shop");
        let mut budgets = vec![
            budget(Scope::Org(shop.clone()), 30_000),
            budget(Scope::Environment(shop, "production".parse().unwrap()), 24_000),
        ];
        budgets.extend(INSTALLATIONS.map(|installation| own_budget(installation, 15_000)));
        budgets.iter_mut().for_each(|budget| budget.window = Window::month(NOON));
        let hosts: Vec<HostState> = (0..2).map(HostState::new).collect();
        let start = |host: &HostState| (host.journal, Position::start(host.host, host.journal, 1));
        Self {
            balances: Balances::default(),
            caps: budgets.iter().map(|budget| (budget.scope.clone(), budget.cap)).collect(),
            budgets: budgets.into_iter().map(|budget| (budget.scope.clone(), budget)).collect(),
            chargebacks: 0,
            earnings: BTreeMap::new(),
            positions: hosts.iter().map(start).collect(),
            hosts,
            included: 0,
            first: BTreeMap::new(),
            leases: BTreeMap::new(),
            next_id: 1_000,
            now: NOON,
            payouts: BTreeMap::new(),
            postings: BTreeMap::new(),
            reversals: BTreeMap::new(),
            settled: BTreeMap::new(),
            settlings: BTreeMap::new(),
            taken: BTreeMap::new(),
            terms: Arc::new(digested(terms())),
        }
    }

    /// Runs an operation whole, or not at all.
    fn run(&mut self, op: &Op) -> Result<(), Refusal> {
        let mut next = self.clone();
        next.step(op)?;
        *self = next;
        Ok(())
    }

    fn post(&mut self, posting: Option<Posting>) -> Result<(), Refusal> {
        if let Some(posting) = posting {
            assert!(!self.postings.contains_key(&posting.cause), "posted twice: {}", posting.cause);
            self.balances.apply(&posting)?;
            self.postings.insert(posting.cause.clone(), Arc::new(posting));
        }
        Ok(())
    }

    fn id(&mut self) -> u128 {
        self.next_id += 1;
        self.next_id
    }

    fn entry(&mut self) -> EntryId {
        EntryId::from_u128(self.id())
    }

    fn chain(&self, installation: &InstallationKey) -> Vec<Budget> {
        let covers = |budget: &&Budget| budget.scope.covers(installation);
        self.budgets.values().filter(covers).cloned().collect()
    }

    fn keep(&mut self, budgets: Vec<Budget>) {
        self.budgets.extend(budgets.into_iter().map(|budget| (budget.scope.clone(), budget)));
    }

    fn give_back(
        &mut self,
        installation: &InstallationKey,
        freed: &Amounts,
    ) -> Result<(), Refusal> {
        let budgets = budget::give_back(&self.chain(installation), freed, self.now)?;
        self.keep(budgets);
        Ok(())
    }
}

fn author() -> OrgId {
    org("acme")
}

/// The first is paid per call, the second has included calls, the third costs nothing.
fn offer(installation: &InstallationKey) -> Offer {
    let included = Included { calls: 3, per: soma_policy::Period::Month };
    match installation {
        own if *own == key(INSTALLATIONS[0]) => per_call(997),
        own if *own == key(INSTALLATIONS[1]) => {
            let price = crate::money::fixture::eur(333);
            Offer::new(Some(price), None, Some(included), None).unwrap()
        }
        _ => Offer::free(),
    }
}

const EUR: Currency = Currency::EUR;

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_operations_breaks_the_books(ops in prop::collection::vec(ops::any_op(), 1..160)) {
        let mut world = World::new();
        world.run(&Op::TopUp(25_000)).unwrap();
        for op in &ops {
            // Refusals are fine: what matters is that they change nothing and that what is kept adds up.
            let before = world.balances.clone();
            if let Err(refusal) = world.run(op) {
                prop_assert_eq!(&world.balances, &before);
                prop_assert!(!refusal.reason.is_empty());
            }
            world.check(op);
        }
    }
}

/// A long ordinary day, so that the property above is not true only because everything was refused.
#[test]
fn an_ordinary_day_settles_pays_out_and_adds_up() {
    let mut world = World::new();
    let day = [
        Op::TopUp(20_000),
        Op::Lease { host: 0, installation: 0, micros: 9_000 },
        Op::Call { host: 0, lease: 0, outcome: 0, cpu_us: 40_000, forged: false },
        Op::Call { host: 0, lease: 0, outcome: 5, cpu_us: 40_000, forged: false },
        Op::Push { host: 0, from: 0, count: 9, twin: None },
        Op::Push { host: 0, from: 0, count: 9, twin: None },
        Op::Refund { settled: 0, percent: 50, chargeback: false },
        Op::Close { lease: 0 },
        Op::Finish { lease: 0 },
        Op::Tick(60),
        Op::Mature,
        Op::Payout { micros: 300 },
        Op::MovePayout { payout: 0, step: 0 },
        Op::MovePayout { payout: 0, step: 1 },
        Op::MovePayout { payout: 0, step: 2 },
    ];
    for op in &day {
        world.run(op).unwrap_or_else(|refusal| panic!("{op:?}: {refusal}"));
        world.check(op);
    }
    assert_eq!(world.settled.len(), 2);
    let paid = world.balances.of(&crate::ledger::Account::Paid(author()), EUR);
    assert_eq!(paid, 300);
    let twin = Op::Push { host: 0, from: 2, count: 1, twin: Some(0) };
    world.run(&twin).unwrap();
    world.check(&twin);
    let quarantined = world.positions.values().filter(|at| at.state.as_str() == "quarantined");
    assert_eq!(quarantined.count(), 1);
}

/// The hostile sequences would show little if all of them were refused: together they reach every end.
#[test]
fn the_hostile_sequences_reach_every_kind_of_end() {
    let mut runner = TestRunner::deterministic();
    let sequences = prop::collection::vec(ops::any_op(), 80..160);
    let mut reached = std::collections::BTreeSet::new();
    for _ in 0..60 {
        let mut world = World::new();
        world.run(&Op::TopUp(25_000)).unwrap();
        for op in sequences.new_tree(&mut runner).unwrap().current() {
            if let Err(refusal) = world.run(&op) {
                reached.insert(refusal.code.to_string());
            }
        }
        reached.extend(world.leases.values().map(|lease| lease.state.to_string()));
        reached.extend(world.payouts.values().map(|payout| payout.state.to_string()));
        reached.extend(world.earnings.values().map(|earning| earning.state.to_string()));
        reached.extend(world.positions.values().map(|position| position.state.to_string()));
        let notes = world.settled.values().flat_map(|settled| &settled.notes);
        reached.extend(notes.map(ToString::to_string));
        if world.reversals.values().any(|backs| backs.len() > 1) {
            reached.insert("refunded twice".to_owned());
        }
    }
    for end in [
        "open",
        "recalling",
        "closing",
        "closed",
        "lost",
        "pending",
        "good",
        "quarantined",
        "late",
        "written-off",
        "refunded twice",
        "SOMA-B008",
        "SOMA-B010",
        "SOMA-B018",
        "SOMA-B021",
    ] {
        assert!(reached.contains(end), "{end} is not among {reached:?}");
    }
}
