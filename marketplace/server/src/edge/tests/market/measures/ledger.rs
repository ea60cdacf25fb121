//! `ledger.settle`: receipts that the server settles, against their rows alone.
//!
//! What is measured is one push as a host sends it: 495 records, of 240 calls each its start and its receipt, and a
//! signed head behind every 16 of them. The server reads them, checks chain and signatures, prices, and writes all of
//! it in one transaction. What the host did before is not counted.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use soma_market::ledger::EventKind;
use soma_market::offer::Offer;
use soma_policy::feed::{HostLease, JournalPush};
use soma_policy::{Currency, Digest, JournalEntry, Money, Outcome, StartRecord};

use super::super::stall::Stall;
use super::{leave, many};
use crate::examine::fixture::{capsule, component, manifest};
use crate::fixture::TestDatabase;
use crate::money::NewEntry;
use crate::money::tests::world::{Host, terms};
use crate::store::PlatformScope;
use crate::store::tests::bare::Bare;

/// Calls behind which the host signs a head, and such groups in one push.
const CALLS: usize = 16;
const GROUPS: usize = 15;
const RECEIPTS: usize = CALLS * GROUPS;
/// Pushes of one turn, and turns; the first one is thrown away.
const PUSHES: usize = many(8, 1);
const TURNS: usize = many(10, 1);
const PRICE: i64 = 100;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: make bench"]
async fn receipts_are_settled_at_a_share_of_what_their_rows_take() {
    let mut rows = vec![measured("ledger.settle.sqlite", TestDatabase::sqlite()).await];
    if let Some(database) = TestDatabase::postgres().await {
        rows.push(measured("ledger.settle.postgres", database).await);
    }
    leave("ledger", &rows);
}

async fn measured(id: &str, database: TestDatabase) -> Value {
    let mut till = Till::open(database).await;
    let pushes = till.pushes(PUSHES);
    till.settle(&pushes).await;
    let (database, store) = (&till.stall.stage.database, &till.stall.stage.server.store);
    let mut bare = Bare::of(database, store, u32::try_from(RECEIPTS).unwrap()).await;
    let each = bare.rows() / RECEIPTS;
    assert_eq!(bare.rows() % RECEIPTS, 0, "each receipt has as many rows as the others");
    let (mut ours, mut floor) = (Duration::ZERO, Duration::ZERO);
    for turn in 0..=TURNS {
        let pushes = till.pushes(PUSHES);
        let settled = till.settle(&pushes).await;
        let begun = Instant::now();
        for _ in 0..PUSHES {
            bare.insert().await;
        }
        if turn > 0 {
            (ours, floor) = (ours + settled, floor + begun.elapsed());
        }
    }
    till.adds_up().await;
    let rate = |took: Duration| (TURNS * PUSHES * RECEIPTS) as f64 / took.as_secs_f64();
    let against = format!(
        "inserting their rows ({each} each): {:.0} receipts/s; ours {:.0}",
        rate(floor),
        rate(ours)
    );
    json!({ "id": id, "value": rate(ours) / rate(floor), "unit": "ratio", "against": against, "at_least": 0.5 })
}

/// A tenant with money that runs a paid capsule on one host.
struct Till {
    stall: Stall,
    host: Host,
    lease: HostLease,
    digest: Digest,
    sent: usize,
    settled: usize,
}

impl Till {
    async fn open(database: TestDatabase) -> Self {
        let stall = Stall::open(database).await;
        let server = stall.stage.server.clone();
        let mut unit = server.store.platform(PlatformScope::of("measures")).await.unwrap();
        server.put_terms(&mut unit, terms(2), "measures").await.unwrap();
        let (org, reason) = ("globex".parse().unwrap(), "transfer 17".parse().unwrap());
        let amount = Money { micros: 1_000_000_000_000, currency: Currency::EUR };
        let new = NewEntry { org, kind: EventKind::TopUp, amount, reason };
        server.enter(&mut unit, new, "user:x").await.unwrap();
        unit.commit().await.unwrap();
        let paid = "[price]\nper_call = \"0.0001 EUR\"\n";
        let capsule = capsule(&component(&[], "paid"), &manifest("acme/greeter", "1.0.0", paid));
        let digest = stall.published(&capsule).await;
        let mut file = Stall::file(&digest, &json!({}));
        file["budget"]["limit"] = json!("100000.00 EUR");
        stall.install(&file).await.expect(201);
        assert!(stall.told("globex/production/greeter").await.is_some());
        let host = Host::new(1);
        let wishes = host.wishes("globex/production/greeter", 10_000_000_000);
        let answer = server.lease(host.host, &wishes).await.unwrap();
        assert_eq!(answer.refused, []);
        let lease = answer.leases.into_iter().next().unwrap();
        Self { stall, host, lease, digest: digest.parse().unwrap(), sent: 0, settled: 0 }
    }

    /// What the host sends next, each as large as one request of it.
    fn pushes(&mut self, count: usize) -> Vec<JournalPush> {
        (0..count).map(|_| self.push()).collect()
    }

    fn push(&mut self) -> JournalPush {
        let price = Money { micros: PRICE, currency: Currency::EUR };
        let offer = Offer::new(Some(price), None, None, None).unwrap();
        for _ in 0..GROUPS {
            for _ in 0..CALLS {
                let mut receipt = self.host.receipt(&self.lease, &offer, Outcome::Ok);
                receipt.facts.digest = self.digest;
                let facts = receipt.facts.clone();
                let start = StartRecord { boot: self.lease.boot, facts, reserved: None };
                self.host.write(&JournalEntry::Start(start));
                self.host.write(&JournalEntry::Receipt(Box::new(receipt)));
            }
            self.host.sign();
        }
        let push = self.host.push(self.sent as u64 + 1);
        self.sent = self.host.records.len();
        push
    }

    /// How long the server takes with these.
    async fn settle(&mut self, pushes: &[JournalPush]) -> Duration {
        let (server, pusher) = (&self.stall.stage.server, self.host.pusher());
        let begun = Instant::now();
        for push in pushes {
            let ack = server.take_journal(&pusher, push).await.unwrap();
            assert_eq!(ack.next, push.from + push.records.len() as u64);
        }
        let took = begun.elapsed();
        self.settled += pushes.len() * RECEIPTS;
        took
    }

    /// What was measured did happen: each receipt is settled, and the ledger is what the meter says.
    async fn adds_up(&self) {
        let checked = self.stall.stage.server.check_ledger().await.unwrap();
        assert_eq!((checked.differing, checked.receipts), (0, self.settled as u64));
        let page = self.stall.stage.get("/v1/capsules/acme/greeter", &self.stall.acme.token).await;
        assert_eq!(page.expect(200)["capsule"]["installs"], 1);
    }
}
