//! A server with a tenant, an author and installations, and hosts that write journals as real ones do.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use soma_capsule::KeyPair;
use soma_market::Words;
use soma_market::ledger::{Account, EventKind};
use soma_market::offer::Offer;
use soma_policy::feed::{
    AcceptedOffer, HostLease, Installed, JournalPush, LeaseAnswer, LeaseClose, LeaseWish,
    LeaseWishes, RevisionState,
};
use soma_policy::price::{OutcomeTable, PriceBook, Split, Tax, Terms};
use soma_policy::{
    BootId, CallFacts, CallId, Currency, Digest, FeedPosition, HostId, InstallationKey,
    JournalEntry, JournalId, LeaseId, Money, OrgId, Outcome, Receipt, Timestamp, Usage, canonical,
};

use crate::clock::FixedClock;
use crate::fixture::{START, TestDatabase};
use crate::money::billing::Entered;
use crate::money::{MoneyError, NewEntry, Pusher};
use crate::server::Server;
use crate::store::{
    Environment, EnvironmentKind, Org, OrgRoles, OrgState, PlatformScope, PlatformUnit,
    PricedRevision,
};

pub(super) const TESTS: PlatformScope = PlatformScope::of("tests");
pub(super) const DAY_MS: u64 = 86_400_000;

pub(super) fn eur(micros: i64) -> Money {
    Money { micros, currency: Currency::EUR }
}

pub(super) fn org(name: &str) -> OrgId {
    name.parse().unwrap()
}

pub(super) fn key(text: &str) -> InstallationKey {
    text.parse().unwrap()
}

pub(super) fn per_call(micros: i64) -> Offer {
    Offer::new(Some(eur(micros)), None, None, None).unwrap()
}

pub(super) struct World {
    pub(super) server: Server,
    pub(super) clock: Arc<FixedClock>,
    pub(super) database: TestDatabase,
}

/// 2 per call, 50 per CPU-second, 19 % tax.
pub(crate) fn terms(edition: u64) -> Terms {
    let book = PriceBook {
        call: "2/1".parse().unwrap(),
        cpu_second: "50/1".parse().unwrap(),
        version: edition,
        ..PriceBook::free(Currency::EUR)
    };
    let vat = Tax { name: "vat-de".parse().unwrap(), rate: "19/100".parse().unwrap() };
    Terms::new(book, OutcomeTable::standard(), Split::standard(), vec![vat]).unwrap()
}

fn an_org(id: &str) -> Org {
    Org {
        org: org(id),
        name: id.to_owned(),
        roles: OrgRoles { tenant: true, publisher: true, ..OrgRoles::default() },
        region: None,
        state: OrgState::Active,
        version: 1,
        created: START,
    }
}

impl World {
    /// `shop` has paid 20,000 micro-units in and runs `csv` at 100 a call; `acme` is its author.
    pub(super) async fn new(database: TestDatabase) -> Self {
        let (server, clock, _) = database.server().await;
        let world = Self { server, clock, database };
        let mut unit = world.unit().await;
        for id in ["shop", "acme", "other"] {
            unit.insert_org(&an_org(id)).await.unwrap();
            let production = Environment {
                environment: "production".parse().unwrap(),
                kind: EnvironmentKind::Production,
                region: None,
                version: 1,
                created: START,
            };
            unit.found_environment(&org(id), &production).await.unwrap();
        }
        world.server.put_terms(&mut unit, terms(2), "tests").await.unwrap();
        unit.commit().await.unwrap();
        world.enter(EventKind::TopUp, 20_000).await.unwrap();
        world.install("shop/production/csv", per_call(100), Some(10_000)).await;
        world
    }

    pub(super) async fn unit(&self) -> PlatformUnit {
        self.server.store.platform(TESTS).await.unwrap()
    }

    pub(super) async fn enter(&self, kind: EventKind, micros: i64) -> Result<Entered, MoneyError> {
        let mut unit = self.unit().await;
        let reason: Words = "transfer 17".parse().unwrap();
        let new = NewEntry { org: org("shop"), kind, amount: eur(micros), reason };
        let entered = self.server.enter(&mut unit, new, "user:x").await?;
        unit.commit().await?;
        Ok(entered)
    }

    /// Installs as the feed tells it, with a budget for the day.
    pub(super) async fn install(&self, name: &str, offer: Offer, limit: Option<i64>) {
        let key = key(name);
        let mut spec = serde_json::json!({
            "schema": 1, "tenant": key.org, "environment": key.environment, "capsule": "acme/csv",
            "version": "^1", "digest": Digest::of(b"component"),
        });
        if let Some(limit) = limit {
            spec["budget"] =
                serde_json::json!({ "concurrent_calls": 16, "limit": eur(limit), "per": "day" });
        }
        let accepted = AcceptedOffer { offer: offer.digest().unwrap(), price: offer.per_call() };
        let spec = serde_json::from_value(spec).unwrap();
        let active = RevisionState { accepted, number: 1, spec };
        let installed = Installed { active, candidate: None, key: key.clone(), region: None };
        let payload = serde_json::to_string(&installed).unwrap();
        self.database
            .tamper(&format!(
                "DELETE FROM feed_state WHERE subject = '{key}'; \
                 INSERT INTO feed_state (topic, subject, payload, n) VALUES ('installation', '{key}', '{payload}', 1)"
            ))
            .await;
        let revision = PricedRevision {
            key,
            revision: 1,
            capsule: "acme/csv".parse().unwrap(),
            author: org("acme"),
            offer: soma_market::Digested::of(offer).unwrap(),
            accepted: START,
            billed: Some(START),
        };
        let mut unit = self.unit().await;
        unit.price_revision(&revision).await.unwrap();
        unit.commit().await.unwrap();
    }

    /// The feed tells the installation with these grants.
    pub(super) async fn grant(&self, name: &str, grants: &serde_json::Value) {
        let key = key(name);
        let known = self.unit().await.installed(&key).await.unwrap().unwrap();
        let mut told = serde_json::to_value(&known).unwrap();
        told["active"]["spec"]["grants"] = grants.clone();
        let sql = format!("UPDATE feed_state SET payload = '{told}' WHERE subject = '{key}'");
        self.database.tamper(&sql).await;
    }

    pub(super) async fn balance(&self, account: &Account) -> i64 {
        let mut unit = self.unit().await;
        let row = unit.account(account, Currency::EUR).await.unwrap();
        row.map_or(0, |row| row.balance.micros)
    }

    pub(super) async fn lease_of(&self, id: LeaseId) -> crate::store::LeaseRow {
        self.unit().await.lease(id).await.unwrap().unwrap()
    }

    /// Sum zero, balances are sums, the chain holds, and each receipt is priced as it was posted.
    #[track_caller]
    pub(super) fn books(&self) -> impl Future<Output = u64> {
        let server = self.server.clone();
        async move {
            let checked = server.check_ledger().await.unwrap();
            assert_eq!((checked.differing, &checked.differences[..]), (0, &[][..]));
            checked.receipts
        }
    }

    pub(super) fn pass_ms(&self, ms: u64) {
        self.clock.advance_ms(ms);
    }
}

/// A host: its keys, and a journal in the format that hosts write.
pub(crate) struct Host {
    pub(crate) host: HostId,
    pub(super) boot: BootId,
    pub(super) journal: JournalId,
    pub(super) keys: KeyPair,
    pub(crate) records: Vec<String>,
    pub(super) prev: Digest,
    pub(super) calls: u128,
}

impl Host {
    pub(crate) fn new(n: u128) -> Self {
        let (host, journal) = (HostId::from_u128(100 + n), JournalId::from_u128(200 + n));
        Self {
            host,
            boot: BootId::from_u128(300 + n),
            journal,
            keys: KeyPair::generate().unwrap(),
            records: Vec::new(),
            prev: Digest::of(format!("soma journal v1 {journal} {host}").as_bytes()),
            calls: n * 1_000_000,
        }
    }

    pub(crate) fn pusher(&self) -> Pusher {
        Pusher { host: self.host, key: self.keys.public().clone() }
    }

    fn record(&mut self, kind: &str, body: &str) -> u64 {
        let seq = self.records.len() as u64 + 1;
        let text = format!(r#"{{"{kind}":{body},"prev":"{}","seq":"{seq}"}}"#, self.prev);
        self.prev = Digest::of(text.as_bytes());
        self.records.push(text);
        seq
    }

    pub(crate) fn write(&mut self, entry: &JournalEntry) -> u64 {
        let body = String::from_utf8(canonical::to_vec(entry).unwrap()).unwrap();
        self.record("entry", &body)
    }

    /// The host's signature over the last record.
    pub(crate) fn sign(&mut self) -> u64 {
        let head = format!(
            r#"{{"first":"1","hash":"{}","host":"{}","journal":"{}","seq":"{}"}}"#,
            self.prev,
            self.host,
            self.journal,
            self.records.len()
        );
        let kind = "application/vnd.soma.journal-head.v1+json";
        let pae = format!("DSSEv1 {} {kind} {} {head}", kind.len(), head.len());
        let signature = self.keys.sign_digest(&Digest::of(pae.as_bytes())).unwrap();
        let body = format!(r#"{{"head":{head},"sig":"{}"}}"#, STANDARD.encode(signature));
        self.record("head", &body)
    }

    pub(crate) fn push(&self, from: u64) -> JournalPush {
        let records = self.records[from as usize - 1..].to_vec();
        let nonce = format!("{:022}", self.records.len());
        JournalPush { from, journal: self.journal, nonce, records }
    }

    pub(crate) fn receipt(
        &mut self,
        lease: &HostLease,
        offer: &Offer,
        outcome: Outcome,
    ) -> Receipt {
        self.calls += 1;
        let call = CallId::from_u128(self.calls);
        let facts = CallFacts {
            call,
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
            root: call,
            started_at: Timestamp(lease.start_by.0 - 1),
        };
        Receipt {
            charge: None,
            denials: Vec::new(),
            denials_dropped: 0,
            ended_at: lease.start_by,
            facts,
            mapped_peers: Vec::new(),
            outcome,
            usage: Usage { cpu_us: 20_000, ..Usage::default() },
            v: Receipt::VERSION,
        }
    }

    /// A call that ended well: 100 for the author, 2 for the call, 1 for its CPU, 20 tax.
    pub(super) fn call(&mut self, lease: &HostLease) -> u64 {
        let receipt = self.receipt(lease, &per_call(100), Outcome::Ok);
        self.write(&JournalEntry::Receipt(Box::new(receipt)))
    }

    pub(crate) fn wishes(&self, installation: &str, at_least: i64) -> LeaseWishes {
        let wish = LeaseWish { at_least: eur(at_least), installation: key(installation) };
        LeaseWishes { boot: self.boot, closes: Vec::new(), wishes: vec![wish] }
    }

    pub(super) async fn ask(&self, world: &World, at_least: i64) -> LeaseAnswer {
        let asked = self.wishes("shop/production/csv", at_least);
        world.server.lease(self.host, &asked).await.unwrap()
    }

    pub(super) async fn lease(&self, world: &World, at_least: i64) -> HostLease {
        let mut answer = self.ask(world, at_least).await;
        assert_eq!(answer.refused, []);
        answer.leases.remove(0)
    }

    pub(super) async fn close(&self, world: &World, lease: LeaseId) {
        let seq = self.records.len() as u64;
        let close = LeaseClose { journal: self.journal, lease, seq };
        let asked = LeaseWishes { boot: self.boot, closes: vec![close], wishes: Vec::new() };
        world.server.lease(self.host, &asked).await.unwrap();
    }

    /// Pushes everything from a record on.
    pub(super) async fn send(&self, world: &World, from: u64) -> Result<u64, MoneyError> {
        let ack = world.server.take_journal(&self.pusher(), &self.push(from)).await?;
        Ok(ack.next)
    }
}

/// What one call of [`Host::call`] costs the tenant, and brings the author.
pub(super) const CALL: i64 = 123;
pub(super) const SHARE: i64 = 70;
