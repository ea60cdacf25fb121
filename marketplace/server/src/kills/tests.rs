use soma_capsule::KeyPair;
use soma_capsule::dsse::{self, Envelope};
use soma_capsule::kill::{KillReceipt, LIFT_KIND, ORDER_KIND};
use soma_capsule::operators::{OperatorEntry, OperatorFile, encoded};
use soma_policy::feed::{HostRole, KillNotice, Topic};
use soma_policy::{Digest, KillOrder, Lift, LiftReason, OrderId, Reason, Severity};

use super::{Giver, KillsError, Taken};
use crate::audit::Sequencer;
use crate::fixture::{START, on_both_databases};
use crate::hosts::fixture::TestHost;
use crate::server::Server;
use crate::store::PlatformScope;

const SCOPE: PlatformScope = PlatformScope::of("tests");

/// Two operators under a root, and a quorum of two.
struct House {
    root: KeyPair,
    ada: KeyPair,
    bob: KeyPair,
}

impl House {
    fn of(server: &Server) -> Self {
        let key = || KeyPair::generate().unwrap();
        let this = Self { root: key(), ada: key(), bob: key() };
        this.list(server, &[("ada", &this.ada), ("bob", &this.bob)], 2, &this.root);
        this
    }

    fn list(&self, server: &Server, persons: &[(&str, &KeyPair)], quorum: u32, root: &KeyPair) {
        let entry = |(name, key): &(&str, &KeyPair)| OperatorEntry {
            name: (*name).to_owned(),
            person: (*name).to_owned(),
            key: encoded(key.public()),
        };
        let operators = persons.iter().map(entry).collect();
        let list = OperatorFile { schema: 1, quorum, operators };
        let (text, bundle) = list.sign(root).unwrap();
        std::fs::create_dir_all(&server.trust).unwrap();
        let write =
            |name: &str, bytes: &[u8]| std::fs::write(server.trust.join(name), bytes).unwrap();
        write("root.pub", self.root.public().to_pem().as_bytes());
        write("operators.toml", text.as_bytes());
        write("operators.toml.sigstore.json", &bundle);
    }
}

fn order(n: u128, scope: &str) -> KillOrder {
    KillOrder {
        evidence: None,
        id: OrderId::from_u128(n),
        issued_at: START,
        reason: Reason::Drill,
        scope: scope.parse().unwrap(),
        severity: Severity::High,
        version: 1,
    }
}

fn lift_of(order: &KillOrder) -> Lift {
    Lift::of(order, LiftReason::try_from("over".to_owned()).unwrap(), START)
}

fn signed<T: serde::Serialize>(kind: &str, document: &T, keys: &[&KeyPair]) -> Vec<u8> {
    dsse::sign_document(kind, document, keys).unwrap().to_json()
}

async fn take(server: &Server, bytes: &[u8]) -> Result<Taken, KillsError> {
    server.take_kill(bytes, Giver::Person, None).await
}

async fn stands(server: &Server) -> usize {
    let mut unit = server.store.survey(SCOPE).await.unwrap();
    server.standing_kills(&mut unit).await.unwrap().len()
}

/// What hosts are told, as subjects with the number of signatures each bears.
async fn told(server: &Server) -> Vec<(String, usize)> {
    Sequencer::default().run(server).await.unwrap();
    let mut unit = server.store.survey(SCOPE).await.unwrap();
    let rows = unit.states_of(Topic::Kill.as_str(), "", 100).await.unwrap();
    let signatures = |payload: &str| {
        let notice: KillNotice = serde_json::from_str(payload).unwrap();
        Envelope::from_json(notice.envelope.as_bytes()).unwrap().key_ids().count()
    };
    rows.iter().map(|row| (row.subject.clone(), signatures(&row.payload))).collect()
}

const NARROW: &str =
    "digest:sha256:1111111111111111111111111111111111111111111111111111111111111111";

on_both_databases! {
    async fn a_narrow_order_stands_by_one_signature_and_is_told(database: TestDatabase) {
        let (server, _, _) = database.server().await;
        let house = House::of(&server);
        let order = order(1, NARROW);
        let bytes = signed(ORDER_KIND, &order, &[&house.ada]);
        let done = take(&server, &bytes).await.unwrap();
        assert_eq!((done.state, done.signed, done.needed), ("complete", 1, 1));
        assert_eq!(stands(&server).await, 1);
        assert_eq!(told(&server).await, [(order.hash().to_string(), 1)]);
        // The same again tells nobody anything.
        take(&server, &bytes).await.unwrap();
        assert_eq!(Sequencer::default().run(&server).await.unwrap(), 0);
        // A restarted server knows it.
        let (again, _, _) = database.server().await;
        assert_eq!(stands(&again).await, 1);
        again.store.close().await;
        server.store.close().await;
    }

    async fn a_wide_order_suspends_at_once_and_lasts_with_its_quorum(database: TestDatabase) {
        let (server, clock, _) = database.server().await;
        let house = House::of(&server);
        let order = order(1, "publisher:acme");
        let done = take(&server, &signed(ORDER_KIND, &order, &[&house.ada])).await.unwrap();
        assert_eq!((done.state, done.signed, done.needed), ("suspended", 1, 2));
        assert_eq!(stands(&server).await, 1);
        clock.advance_ms(3_599_000);
        let second = signed(ORDER_KIND, &order, &[&house.bob]);
        let done = server.take_kill(&second, Giver::Person, Some(order.id)).await.unwrap();
        assert_eq!((done.state, done.signed), ("complete", 2));
        // Hosts are told of both signatures in one document.
        assert_eq!(told(&server).await, [(order.hash().to_string(), 2)]);
        clock.advance_ms(10 * 3_600_000);
        assert_eq!(stands(&server).await, 1);
        server.store.close().await;
    }

    async fn an_incomplete_wide_order_lapses(database: TestDatabase) {
        let (server, clock, _) = database.server().await;
        let house = House::of(&server);
        take(&server, &signed(ORDER_KIND, &order(1, "everything"), &[&house.ada])).await.unwrap();
        clock.advance_ms(3_600_001);
        assert_eq!(stands(&server).await, 0);
        let views = server.kill_views("", 10).await.unwrap();
        assert_eq!((views.len(), views[0].0.state), (1, "lapsed"));
        server.store.close().await;
    }

    async fn documents_lead_to_one_state_in_any_order(database: TestDatabase) {
        let (server, _, _) = database.server().await;
        let house = House::of(&server);
        let narrow = order(1, NARROW);
        let wide = order(2, "tenant:acme");
        let all = [
            signed(ORDER_KIND, &narrow, &[&house.ada]),
            signed(LIFT_KIND, &lift_of(&narrow), &[&house.bob]),
            signed(ORDER_KIND, &wide, &[&house.ada]),
            signed(ORDER_KIND, &wide, &[&house.bob]),
            signed(LIFT_KIND, &lift_of(&wide), &[&house.ada, &house.bob]),
        ];
        // Every rotation, forwards and backwards, each on documents of its own ids.
        let mut ends = std::collections::BTreeSet::new();
        for backwards in [false, true] {
            for start in 0..all.len() {
                let (server, folder) = fresh(&database, &house).await;
                let mut turn: Vec<&Vec<u8>> = all.iter().cycle().skip(start).take(all.len()).collect();
                if backwards {
                    turn.reverse();
                }
                for bytes in turn {
                    server.take_kill(bytes, Giver::Host(soma_policy::HostId::from_u128(9)), None).await.unwrap();
                }
                let views = server.kill_views("", 10).await.unwrap();
                let view: Vec<_> = views.iter().map(|(view, _)| (view.order.id, view.state, view.persons.len())).collect();
                ends.insert(format!("{view:?}"));
                server.store.close().await;
                drop(folder);
            }
        }
        assert_eq!(ends.len(), 1, "{ends:?}");
        assert!(ends.iter().all(|end| end.matches("lifted").count() == 2), "{ends:?}");
        server.store.close().await;
    }

    async fn a_lift_names_its_order_and_takes_its_quorum(database: TestDatabase) {
        let (server, _, _) = database.server().await;
        let house = House::of(&server);
        let order = order(1, "tenant:acme");
        take(&server, &signed(ORDER_KIND, &order, &[&house.ada, &house.bob])).await.unwrap();
        let other = Lift { lifts: Digest::of(b"other"), ..lift_of(&order) };
        let refused = take(&server, &signed(LIFT_KIND, &other, &[&house.ada])).await.unwrap_err();
        assert_eq!(refused.code(), soma_policy::Code::KillLiftHash);
        let done = take(&server, &signed(LIFT_KIND, &lift_of(&order), &[&house.ada])).await.unwrap();
        assert_eq!((done.state, done.signed, done.needed), ("complete", 1, 2));
        let done = take(&server, &signed(LIFT_KIND, &lift_of(&order), &[&house.bob])).await.unwrap();
        assert_eq!((done.state, done.signed), ("lifted", 2));
        assert_eq!((stands(&server).await, told(&server).await.len()), (0, 2));
        server.store.close().await;
    }

    async fn only_operators_under_the_pinned_root_count(database: TestDatabase) {
        let (server, _, _) = database.server().await;
        let unlisted = KeyPair::generate().unwrap();
        let bytes = |key: &KeyPair| signed(ORDER_KIND, &order(1, NARROW), &[key]);
        assert!(matches!(take(&server, &bytes(&unlisted)).await, Err(KillsError::Trust(_))), "no list yet");
        let house = House::of(&server);
        let refused = take(&server, &bytes(&unlisted)).await.unwrap_err();
        assert_eq!(refused.code(), soma_policy::Code::KillSigner);
        // A list that another root signed is none.
        house.list(&server, &[("mallory", &unlisted)], 1, &unlisted);
        assert!(matches!(take(&server, &bytes(&unlisted)).await, Err(KillsError::Trust(_))));
        house.list(&server, &[("ada", &house.ada)], 1, &house.root);
        take(&server, &bytes(&house.ada)).await.unwrap();
        let long = vec![b' '; 65 * 1024];
        assert_eq!(take(&server, &long).await.unwrap_err().code(), soma_policy::Code::KillMalformed);
        let unknown = server.take_kill(&signed(ORDER_KIND, &order(2, NARROW), &[&house.ada]), Giver::Person, Some(OrderId::from_u128(2))).await;
        assert!(matches!(unknown, Err(KillsError::Unknown(_))), "only what is known is signed further");
        server.store.close().await;
    }

    async fn an_order_stands_though_its_signer_is_an_operator_no_more(database: TestDatabase) {
        let (server, _, _) = database.server().await;
        let house = House::of(&server);
        let wide = order(1, "publisher:acme");
        take(&server, &signed(ORDER_KIND, &wide, &[&house.ada, &house.bob])).await.unwrap();
        house.list(&server, &[("bob", &house.bob)], 1, &house.root);
        assert_eq!(stands(&server).await, 1);
        let views = server.kill_views("", 10).await.unwrap();
        assert_eq!((views[0].0.state, views[0].0.persons.len()), ("complete", 1));
        server.store.close().await;
    }

    async fn a_receipt_counts_by_its_own_hosts_key_and_once(database: TestDatabase) {
        let (server, _, _) = database.server().await;
        let house = House::of(&server);
        let order = order(1, NARROW);
        let host = TestHost::joined(5, &server, HostRole::Host).await;
        let receipt = KillReceipt {
            accepted_at: START, calls: Vec::new(), document: order.hash(), host: host.id,
            order: order.id, stopped: 3, took_us: 1500, v: KillReceipt::VERSION,
        };
        let header = host.proof(&server, "POST", "/x", b"");
        let principal = server.claim(&header, "POST", "/x").await.unwrap().over(&server, b"").unwrap();
        let bytes = receipt.sign(&host.key).unwrap().to_json();
        assert!(matches!(server.take_receipt(&principal, &bytes).await, Err(KillsError::Unknown(_))));
        take(&server, &signed(ORDER_KIND, &order, &[&house.ada])).await.unwrap();
        server.take_receipt(&principal, &bytes).await.unwrap();
        server.take_receipt(&principal, &bytes).await.unwrap();
        let forged = receipt.sign(&house.ada).unwrap().to_json();
        assert!(matches!(server.take_receipt(&principal, &forged).await, Err(KillsError::Receipt(_))));
        let others = KillReceipt { host: soma_policy::HostId::from_u128(6), ..receipt };
        let others = others.sign(&host.key).unwrap().to_json();
        assert!(matches!(server.take_receipt(&principal, &others).await, Err(KillsError::Receipt(_))));
        let stopped = server.stopped(order.id).await.unwrap();
        assert_eq!((stopped.calls, stopped.took_ms), (3, 2));
        assert_eq!(server.receipts(order.id, ("", ""), 10).await.unwrap().len(), 1);
        server.store.close().await;
    }
}

/// A server with an empty database of its own, of the same kind, under the same operators.
async fn fresh(
    database: &crate::fixture::TestDatabase,
    house: &House,
) -> (Server, crate::fixture::TestDatabase) {
    let own = match database.owner {
        None => crate::fixture::TestDatabase::sqlite(),
        Some(_) => crate::fixture::TestDatabase::postgres().await.unwrap(),
    };
    let (server, _, _) = own.server().await;
    house.list(&server, &[("ada", &house.ada), ("bob", &house.bob)], 2, &house.root);
    (server, own)
}
