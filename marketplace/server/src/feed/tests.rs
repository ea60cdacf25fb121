use serde_json::{Value, json};
use soma_capsule::KeyPair;
use soma_capsule::dsse::{self, Envelope};
use soma_policy::feed::{Batch, FeedHead, Heartbeat, HostReport, HostRole, Snapshot, Topic, kind};
use soma_policy::{BootId, Digest, JournalId, Millis};

use super::{FeedEpoch, FeedError};
use crate::audit::Sequencer;
use crate::fixture::on_both_databases;
use crate::hosts::fixture::TestHost;
use crate::server::Server;
use crate::store::PlatformScope;

const SCOPE: PlatformScope = PlatformScope::of("tests");

async fn write(server: &Server, topic: Topic, subject: &str, payload: &Value) {
    let mut unit = server.store.platform(SCOPE).await.unwrap();
    let change = server.feed(&server.platform, topic.as_str(), subject, payload);
    unit.change(&change).await.unwrap();
    unit.commit().await.unwrap();
}

async fn number(server: &Server) {
    Sequencer::default().run(server).await.unwrap();
}

fn open<T>(server: &Server, kind: &str, bytes: &[u8]) -> T
where
    T: serde::Serialize + serde::de::DeserializeOwned,
{
    let envelope = Envelope::from_json(bytes).unwrap();
    let key = server.feed_key.public().clone();
    dsse::verify(&envelope, kind, &[key]).unwrap().read().unwrap()
}

async fn batch(server: &Server, here: FeedHead) -> Batch {
    let bytes = server.feed_from(Some(here), Millis(0)).await.unwrap();
    open(server, kind::BATCH, &bytes)
}

async fn snapshot(server: &Server, here: Option<FeedHead>) -> Snapshot {
    let bytes = server.feed_from(here, Millis(0)).await.unwrap();
    let snapshot: Snapshot = open(server, kind::SNAPSHOT, &bytes);
    // A host takes it in one order only: that of the names.
    assert!(snapshot.items.is_sorted_by_key(|item| (item.topic.as_str(), item.subject.clone())));
    snapshot
}

fn report(head: FeedHead) -> HostReport {
    HostReport {
        boot: BootId::from_u128(1),
        checks: Vec::new(),
        head,
        journal: JournalId::from_u128(2),
        journal_head: Digest::ZERO,
        journal_seq: 7,
        nonce: "0123456789abcdef".to_owned(),
        not_running: Vec::new(),
        running: 3,
    }
}

fn subjects(snapshot: &Snapshot, topic: Topic) -> Vec<&str> {
    let of = snapshot.items.iter().filter(|item| item.topic == topic);
    of.map(|item| item.subject.as_str()).collect()
}

on_both_databases! {
    async fn a_host_that_follows_comes_to_what_a_new_one_is_told_at_once(database: TestDatabase) {
        let (server, _, _) = database.server().await;
        number(&server).await;
        let start = snapshot(&server, None).await;
        // The key that signs tokens is there from the first start.
        assert_eq!(subjects(&start, Topic::Issuer).len(), 1);
        assert_eq!(start.deployment, server.deployment);
        write(&server, Topic::Terms, "a", &json!({ "v": "1" })).await;
        write(&server, Topic::Terms, "b", &json!({ "v": "1" })).await;
        write(&server, Topic::Terms, "a", &json!({ "v": "2" })).await;
        write(&server, Topic::Terms, "b", &Value::Null).await;
        number(&server).await;
        let told = batch(&server, start.head).await;
        told.check(&start.head).unwrap();
        assert_eq!(told.changes.len(), 4);
        let now = snapshot(&server, None).await;
        assert_eq!(now.head, told.head);
        let terms = now.items.iter().filter(|item| item.topic == Topic::Terms);
        let terms: Vec<_> = terms.map(|item| (item.subject.as_str(), &item.payload)).collect();
        assert_eq!(terms, [("a", &json!({ "v": "2" }))]);
        // From between too, and from the beginning.
        let between = start.head.after(&told.changes[0]).unwrap();
        let rest = batch(&server, between).await;
        rest.check(&between).unwrap();
        assert_eq!((rest.changes.len(), rest.head), (3, told.head));
        let all = batch(&server, FeedHead::start(0)).await;
        assert_eq!((all.from, all.head), (FeedHead::start(0), told.head));
        let nothing = batch(&server, told.head).await;
        assert_eq!((nothing.changes.len(), nothing.head), (0, told.head));
        server.store.close().await;
    }

    async fn who_is_at_no_place_of_this_feed_is_told_everything(database: TestDatabase) {
        let (server, _, _) = database.server().await;
        write(&server, Topic::Terms, "a", &json!({})).await;
        number(&server).await;
        let head = snapshot(&server, None).await.head;
        for place in [
            FeedHead { n: head.n + 1, ..head },
            FeedHead { hash: Digest::of(b"fork"), ..head },
            FeedHead { hash: Digest::of(b"fork"), n: head.n - 1, ..head },
            FeedHead { epoch: 1, ..head },
            FeedHead::start(1),
        ] {
            assert_eq!(snapshot(&server, Some(place)).await.head, head, "{place:?}");
        }
        server.store.close().await;
    }

    async fn a_state_larger_than_an_ordinary_document_is_told_whole_and_made_once(database: TestDatabase) {
        let (server, _, _) = database.server().await;
        // As many bytes as some thousand installations.
        let words = "a".repeat(1 << 20);
        for n in 0..8 {
            write(&server, Topic::Terms, &format!("t{n}"), &json!({ "words": words })).await;
        }
        number(&server).await;
        let bytes = server.feed_from(None, Millis(0)).await.unwrap();
        assert!(bytes.len() > dsse::ENVELOPE_BYTES_MAX, "{}", bytes.len());
        let envelope = Envelope::from_json_within(&bytes, crate::feed::SNAPSHOT_BYTES_MAX).unwrap();
        let key = server.feed_key.public().clone();
        let told: Snapshot = dsse::verify(&envelope, kind::SNAPSHOT, &[key]).unwrap().read().unwrap();
        assert_eq!(subjects(&told, Topic::Terms), ["t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7"]);
        // Who asks at the same place is given the same; once there is more, all of it.
        assert_eq!(server.feed_from(None, Millis(0)).await.unwrap(), bytes);
        for n in 1..8 {
            write(&server, Topic::Terms, &format!("t{n}"), &Value::Null).await;
        }
        number(&server).await;
        assert_eq!(subjects(&snapshot(&server, None).await, Topic::Terms), ["t0"]);
        server.store.close().await;
    }

    async fn a_document_larger_than_hosts_read_is_not_given(database: TestDatabase) {
        let (server, _, _) = database.server().await;
        let words = "a".repeat(4000);
        assert!(server.signed_within("terms", &json!({ "words": words }), 8000).is_ok());
        let refused = server.signed_within("terms", &json!({ "words": words }), 4000);
        assert!(matches!(refused, Err(FeedError::TooLarge(length)) if length > 4000));
        server.store.close().await;
    }

    async fn a_snapshot_names_its_subjects_in_the_order_that_hosts_check(database: TestDatabase) {
        let (server, _, _) = database.server().await;
        for topic in [Topic::Terms, Topic::Secret, Topic::Publisher, Topic::Kill, Topic::Installation] {
            write(&server, topic, "b", &json!({})).await;
            write(&server, topic, "B", &json!({})).await;
        }
        number(&server).await;
        let told = snapshot(&server, None).await;
        let names = |item: &soma_policy::feed::Item| (item.topic.as_str(), item.subject.clone());
        let mut sorted: Vec<_> = told.items.iter().map(names).collect();
        sorted.sort_unstable();
        assert_eq!(told.items.iter().map(names).collect::<Vec<_>>(), sorted);
        server.store.close().await;
    }

    async fn an_order_is_never_taken_out_of_the_state(database: TestDatabase) {
        let (server, _, _) = database.server().await;
        write(&server, Topic::Kill, "order", &json!({ "envelope": "x" })).await;
        write(&server, Topic::Kill, "order", &Value::Null).await;
        number(&server).await;
        assert_eq!(subjects(&snapshot(&server, None).await, Topic::Kill), ["order"]);
        server.store.close().await;
    }

    async fn who_waits_is_told_as_soon_as_something_has_its_number(database: TestDatabase) {
        let (server, _, _) = database.server().await;
        number(&server).await;
        let head = snapshot(&server, None).await.head;
        let waiting = tokio::spawn({
            let server = server.clone();
            async move { server.feed_from(Some(head), Millis(20_000)).await.unwrap() }
        });
        write(&server, Topic::Terms, "a", &json!({})).await;
        number(&server).await;
        let told: Batch = open(&server, kind::BATCH, &waiting.await.unwrap());
        assert_eq!(told.changes.len(), 1);
        server.store.close().await;
    }

    async fn a_heartbeat_names_the_head_and_the_nonce_and_keeps_the_report(database: TestDatabase) {
        let (server, clock, _) = database.server().await;
        number(&server).await;
        let host = TestHost::joined(1, &server, HostRole::Host).await;
        let head = snapshot(&server, None).await.head;
        let bytes = server.heartbeat(host.id, &report(FeedHead::start(0))).await.unwrap().unwrap();
        let beat: Heartbeat = open(&server, kind::HEARTBEAT, &bytes);
        assert_eq!((beat.head, beat.host, beat.nonce.as_str()), (head, host.id, "0123456789abcdef"));
        server.heartbeat(host.id, &report(head)).await.unwrap().unwrap();
        let mut unit = server.store.survey(SCOPE).await.unwrap();
        let row = unit.host(&host.id).await.unwrap().unwrap();
        assert_eq!((row.head, row.journal_seq, row.running), (head, 7, 3));
        assert_eq!(row.seen, Some(server.now()));
        assert_eq!(unit.live_hosts(server.now()).await.unwrap().len(), 1);
        clock.advance_ms(900_001);
        assert_eq!(unit.live_hosts(server.now()).await.unwrap().len(), 0);
        drop(unit);
        server.store.close().await;
    }

    async fn a_server_whose_sequencer_stands_still_gives_no_heartbeat(database: TestDatabase) {
        let (server, clock, _) = database.server().await;
        number(&server).await;
        let host = TestHost::joined(1, &server, HostRole::Host).await;
        write(&server, Topic::Kill, "order", &json!({ "envelope": "x" })).await;
        let here = report(FeedHead::start(0));
        server.heartbeat(host.id, &here).await.unwrap().unwrap();
        clock.advance_ms(5_001);
        assert!(matches!(server.heartbeat(host.id, &here).await, Err(FeedError::Behind)));
        number(&server).await;
        server.heartbeat(host.id, &here).await.unwrap().unwrap();
        server.store.close().await;
    }

    async fn a_host_that_knows_more_than_this_feed_gets_no_heartbeat(database: TestDatabase) {
        let (server, _, _) = database.server().await;
        number(&server).await;
        let host = TestHost::joined(1, &server, HostRole::Host).await;
        let head = snapshot(&server, None).await.head;
        for place in [
            FeedHead { n: head.n + 1, ..head },
            FeedHead { hash: Digest::of(b"fork"), ..head },
            FeedHead { epoch: 1, ..head },
        ] {
            let refused = server.heartbeat(host.id, &report(place)).await;
            assert!(matches!(refused, Err(FeedError::Forked)), "{place:?}");
        }
        server.store.close().await;
    }

    async fn a_restored_server_begins_an_epoch_by_the_root_key_alone(database: TestDatabase) {
        let (server, _, _) = database.server().await;
        write(&server, Topic::Terms, "a", &json!({})).await;
        number(&server).await;
        let before = snapshot(&server, None).await.head;
        let root = KeyPair::generate().unwrap();
        let says = |epoch: u64| FeedEpoch { at: server.now(), deployment: server.deployment.clone(), epoch };
        let signed = |it: &FeedEpoch, key: &KeyPair| dsse::sign_document(FeedEpoch::KIND, it, &[key]).unwrap().to_json();
        // Without a root there is nobody to say so.
        assert!(server.raise_epoch(&signed(&says(1), &root)).await.is_err());
        std::fs::create_dir_all(&server.trust).unwrap();
        std::fs::write(server.trust.join("root.pub"), root.public().to_pem()).unwrap();
        let stranger = KeyPair::generate().unwrap();
        assert!(server.raise_epoch(&signed(&says(1), &stranger)).await.is_err());
        let elsewhere = FeedEpoch { deployment: "x".to_owned(), ..says(1) };
        for bad in [elsewhere, says(0), says(2000)] {
            assert!(server.raise_epoch(&signed(&bad, &root)).await.is_err(), "{bad:?}");
        }
        assert_eq!(server.epoch_document().await.unwrap(), None);
        server.raise_epoch(&signed(&says(1), &root)).await.unwrap();
        assert!(server.raise_epoch(&signed(&says(1), &root)).await.is_err(), "once");
        // Who followed the epoch before is told everything, and follows the new one from there.
        let after = snapshot(&server, Some(before)).await;
        assert_eq!((after.head.epoch, after.head.n), (1, before.n));
        write(&server, Topic::Terms, "b", &json!({})).await;
        number(&server).await;
        let told = batch(&server, after.head).await;
        told.check(&after.head).unwrap();
        assert_eq!(told.changes.len(), 1);
        snapshot(&server, Some(FeedHead::start(1))).await;
        assert!(server.epoch_document().await.unwrap().is_some());
        server.store.close().await;
    }

    async fn a_revocation_and_a_key_are_taken_back_when_their_time_is_over(database: TestDatabase) {
        let (server, clock, _) = database.server().await;
        let mut unit = server.store.platform(SCOPE).await.unwrap();
        let kind = crate::store::RevocationKind::Subject;
        let revoked = crate::login::revocation(&server.platform, kind, "account:ci", server.now());
        crate::login::tell(&server, &mut unit, &revoked).await.unwrap();
        unit.commit().await.unwrap();
        number(&server).await;
        let told = snapshot(&server, None).await;
        assert_eq!(subjects(&told, Topic::Revocation), ["subject/platform/account:ci"]);
        let item = told.items.iter().find(|item| item.topic == Topic::Revocation).unwrap();
        let state: soma_policy::feed::Revoked = serde_json::from_value(item.payload.clone()).unwrap();
        // Tokens say when they were issued in whole seconds: those of this second are revoked too.
        assert_eq!(state.before.0 / 1000, server.now().0 / 1000);
        server.sweep().await.unwrap();
        number(&server).await;
        assert_eq!(subjects(&snapshot(&server, None).await, Topic::Revocation).len(), 1);
        clock.advance_ms(2 * 3_600_000);
        server.sweep().await.unwrap();
        number(&server).await;
        assert_eq!(subjects(&snapshot(&server, None).await, Topic::Revocation).len(), 0);
        assert_eq!(subjects(&snapshot(&server, None).await, Topic::Issuer).len(), 1);
        server.store.close().await;
    }
}
