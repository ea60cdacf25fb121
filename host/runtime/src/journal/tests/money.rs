//! The power goes at each point from a reservation to the server's answer: nothing is lost, nothing is doubled.

use std::collections::{BTreeMap, BTreeSet};

use soma_policy::feed::{HostLease, JournalAck, JournalPush, LeaseAnswer, LeaseWishes};
use soma_policy::price::{Bearer, Origin, Terms, charge};
use soma_policy::{
    BootId, CallFacts, CallId, Currency, Digest, FeedPosition, InstallationKey, LeaseId, Money,
    Outcome, Receipt, StartRecord, Usage,
};

use super::*;
use crate::clock::FixedClock;
use crate::journal::Replay;
use crate::lease::{Holder, LeaseReplay, Leases};
use crate::push::Push;

const HOST: HostId = HostId::from_u128(8);
const NOON: Timestamp = Timestamp(20_777 * 86_400_000 + 43_200_000);
const HELD: i64 = 3_500;
const PRICE: i64 = 1_000;

/// What a host rebuilds of its money.
#[derive(Default)]
struct Rebuilt(LeaseReplay);

impl Replay for Rebuilt {
    fn see(&mut self, entry: &JournalEntry) {
        self.0.see(entry);
    }

    fn state(&mut self) -> Result<serde_json::Value, String> {
        serde_json::to_value(&self.0).map_err(|e| e.to_string())
    }

    fn resume(&mut self, state: serde_json::Value) -> Result<(), String> {
        self.0 = serde_json::from_value(state).map_err(|e| e.to_string())?;
        Ok(())
    }
}

/// A server that is always up: what it took is settled, once, in order.
#[derive(Default)]
struct Server {
    records: Vec<String>,
    given: Vec<HostLease>,
    closed: BTreeMap<LeaseId, u64>,
}

impl Server {
    fn lease(&mut self, boot: BootId) -> HostLease {
        let id = LeaseId::from_u128(self.given.len() as u128 + 1_000);
        let lease = HostLease {
            boot,
            bytes: None,
            day: NOON.day(),
            id,
            installation: key(),
            money: eur(HELD),
            start_by: Timestamp(NOON.0 + 1000),
            terms: terms().digest().unwrap(),
        };
        self.given.push(lease.clone());
        lease
    }

    fn take(&mut self, push: &JournalPush) -> JournalAck {
        for (seq, record) in (push.from..).zip(&push.records) {
            let next = self.records.len() as u64 + 1;
            if seq == next {
                self.records.push(record.clone());
            } else if seq < next {
                assert_eq!(&self.records[seq as usize - 1], record, "a fork at {seq}");
            }
        }
        let hash = self.records.last().map_or(Digest::ZERO, |last| Digest::of(last.as_bytes()));
        let (journal, nonce) = (push.journal, push.nonce.clone());
        JournalAck { hash, host: HOST, journal, next: self.records.len() as u64 + 1, nonce }
    }

    fn heard(&mut self, asked: &LeaseWishes) {
        for close in &asked.closes {
            self.closed.entry(close.lease).or_insert(close.seq);
        }
    }

    fn receipts(&self) -> Vec<(u64, Receipt)> {
        let read = |(at, record): (usize, &String)| {
            let record = crate::journal::record::read(record.as_bytes()).unwrap();
            match serde_json::from_slice(record.body) {
                Ok(JournalEntry::Receipt(receipt)) => Some((at as u64 + 1, *receipt)),
                _ => None,
            }
        };
        self.records.iter().enumerate().filter_map(read).collect()
    }
}

fn terms() -> Terms {
    Terms::free(Currency::EUR)
}

fn eur(micros: i64) -> Money {
    Money { micros, currency: Currency::EUR }
}

fn key() -> InstallationKey {
    "local/production/csv".parse().unwrap()
}

fn facts(call: u128, lease: LeaseId) -> CallFacts {
    CallFacts {
        call: CallId::from_u128(call),
        digest: Digest::of(b"component"),
        environment: key().environment,
        feed: FeedPosition::default(),
        function: "to-json".parse().unwrap(),
        grants: Digest::of(b"grants"),
        installation: key().id,
        lease,
        offer: Digest::of(b"offer"),
        org: key().org,
        parent: None,
        policy: Digest::of(b"policy"),
        revision: 1,
        root: CallId::from_u128(call),
        started_at: NOON,
    }
}

/// What the world saw of a host that ran.
#[derive(Default)]
struct Seen {
    /// Calls whose answer ended.
    answered: BTreeSet<CallId>,
    next_call: u128,
}

/// One run of a host, until the power goes or its work is done. Pushes between calls; some answers are lost.
fn run(
    disk: &PowerDisk,
    keys: &Keys,
    server: &mut Server,
    seen: &mut Seen,
    boot: u128,
) -> Result<(), String> {
    let boot = BootId::from_u128(boot);
    let mut rebuilt = Rebuilt::default();
    let options = JournalOptions { segment_bytes: 4000, spare_segments: 0, ..options() };
    let journal = Journal::open_on(Arc::new(disk.clone()), options, keys.key(), &mut rebuilt)
        .map_err(said)?;
    let clock = Arc::new(FixedClock::new(NOON, 1));
    let leases = Leases::new(clock, journal.clone(), rebuilt.0);
    let leases = leases.served_by(Holder { host: HOST, boot });
    leases.learn(terms()).unwrap();
    let mut push = Push::default();
    let asked = futures::executor::block_on(leases.ask(std::iter::empty(), |_| true))
        .map_err(said)?
        .ok_or("nothing is due")?;
    server.heard(&asked);
    let answer =
        |leases| LeaseAnswer { host: HOST, leases, recalls: Vec::new(), refused: Vec::new() };
    leases.answered(&asked, answer(vec![server.lease(boot)]));
    for n in 0..4_u128 {
        let Some(held) = leases.reserve_named(&key(), Some(eur(PRICE)), NOON) else { continue };
        seen.next_call += 1;
        let facts = facts(seen.next_call, held.lease());
        let start = StartRecord { boot, facts: facts.clone(), reserved: held.reserved() };
        drop(journal.append_soon(&JournalEntry::Start(start)));
        let (usage, outcome) = (Usage::default(), Outcome::Ok);
        let charge = held.charge(outcome, &usage);
        let receipt = Receipt {
            charge,
            denials: Vec::new(),
            denials_dropped: 0,
            ended_at: NOON,
            facts: facts.clone(),
            mapped_peers: Vec::new(),
            outcome,
            usage,
            v: Receipt::VERSION,
        };
        match journal.append(&JournalEntry::Receipt(Box::new(receipt))).wait() {
            Ok(_) => {
                held.settle(charge);
                seen.answered.insert(facts.call);
            }
            Err(_) => held.forfeit(),
        }
        drop(held);
        let sent = push.due(&journal).map_err(said)?.ok_or("nothing is due")?;
        let ack = server.take(&sent);
        // An answer that is lost is asked for again.
        if n % 2 == 0 {
            push.acked(&journal, &sent, &ack).map_err(said)?;
        }
        let _ = journal.checkpoint(&mut Rebuilt::default());
    }
    journal.close().map_err(said)?;
    drain(&journal, &mut push, server);
    Ok(())
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn drain(journal: &Journal, push: &mut Push, server: &mut Server) {
    while let Some(sent) = push.due(journal).unwrap() {
        let ack = server.take(&sent);
        // A journal that is closed lets nothing go any more.
        let _ = push.acked(journal, &sent, &ack);
    }
}

/// The books of the server after everything: each call once, no lease beyond what it held.
fn check(server: &Server, seen: &Seen, boots: &[u128], at: &str) {
    let receipts = server.receipts();
    let mut settled = BTreeSet::new();
    let mut spent: BTreeMap<LeaseId, i64> = BTreeMap::new();
    for (seq, receipt) in &receipts {
        assert!(settled.insert(receipt.facts.call), "{at}: {} twice", receipt.facts.call);
        let origin = Origin::of(receipt);
        let cost =
            charge(&terms(), Some(eur(PRICE)), origin, &receipt.usage, receipt.outcome).unwrap();
        let micros = if cost.bearer == Bearer::Tenant { cost.total().unwrap().micros } else { 0 };
        assert_eq!(receipt.charge.map_or(0, |charge| charge.micros), micros, "{at}");
        *spent.entry(receipt.facts.lease).or_default() += micros;
        let last = server.closed.get(&receipt.facts.lease);
        assert!(last.is_none_or(|last| seq < last), "{at}: {seq} after the last word {last:?}");
    }
    assert!(seen.answered.is_subset(&settled), "{at}: an answer without a receipt");
    for lease in &server.given {
        assert!(spent.get(&lease.id).copied().unwrap_or(0) <= HELD, "{at}");
        let journalled = server.records.iter().any(|it| it.contains(&lease.id.to_string()));
        let over = lease.boot != BootId::from_u128(boots[boots.len() - 1]);
        let closed = server.closed.contains_key(&lease.id);
        assert_eq!(closed, over && journalled, "{at}: the lease of an earlier run");
    }
}

#[test]
fn wherever_the_power_goes_each_call_is_settled_once_and_every_lease_of_an_earlier_run_is_closed() {
    let keys = Keys::new();
    let whole = PowerDisk::default();
    let (mut server, mut seen) = (Server::default(), Seen::default());
    run(&whole, &keys, &mut server, &mut seen, 1).unwrap();
    assert_eq!(seen.answered.len(), 3, "the lease holds no more");
    check(&server, &seen, &[1], "without a crash");
    let total = whole.changes();
    for lasts in 0..=total {
        let seed = lasts % 2;
        let disk = PowerDisk::default();
        let (mut server, mut seen) = (Server::default(), Seen::default());
        disk.power_lasts(lasts);
        let _ = run(&disk, &keys, &mut server, &mut seen, 1);
        disk.crash(seed * 1000 + lasts);
        disk.power_lasts(lasts / 2 + seed);
        let _ = run(&disk, &keys, &mut server, &mut seen, 2);
        disk.crash(seed * 1000 + lasts + 500);
        let at = format!("power {lasts}, chance {seed}");
        run(&disk, &keys, &mut server, &mut seen, 3).unwrap_or_else(|why| panic!("{at}: {why}"));
        check(&server, &seen, &[1, 2, 3], &at);
    }
}
