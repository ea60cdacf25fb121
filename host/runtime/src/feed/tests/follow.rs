use serde_json::{Value, json};
use soma_capsule::key::KeyPair;
use soma_policy::feed::{PublisherKeys, Topic};
use soma_policy::{Code, Digest};

use super::desk::{Desk, alarmed, applied, feed, http, key, kv, reported};
use super::server::Mode;
use crate::host::class_of;

fn revision_of(host: &crate::Host, id: &str) -> Option<u64> {
    host.snapshot().running(&key(id)).map(|it| it.revision)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_says_is_fetched_verified_and_runs_at_its_place() {
    let desk = Desk::new().await;
    let capsule = desk.capsule(42, "1.0.0");
    desk.publish(&capsule);
    let head = desk.install("answer", desk.revision(&capsule, 7, &json!({})));
    let host = desk.open();
    applied(&host, head).await;
    let snapshot = host.snapshot();
    let problems = snapshot.entry(&key("answer")).map(|entry| &entry.problems);
    let running = snapshot.running(&key("answer"));
    let running = running.unwrap_or_else(|| panic!("{problems:?}"));
    assert_eq!((running.revision, running.digest), (7, capsule.digest));
    assert_eq!((running.offer, running.price), (Digest::of(b"offer"), None));
    assert_eq!(snapshot.position, head.position());
    assert!(host.home().store().contains(&capsule.digest));
    // And what is said next comes as changes, without everything being asked again.
    let head = desk.install("answer", desk.revision(&capsule, 8, &kv()));
    applied(&host, head).await;
    assert_eq!(revision_of(&host, "answer"), Some(8));
    let head = desk.uninstall("answer");
    applied(&host, head).await;
    assert_eq!(revision_of(&host, "answer"), None);
    assert_eq!(desk.server.content.lock().asked_whole, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_the_home_say_nothing_beside_a_server() {
    let desk = Desk::new().await;
    let capsule = desk.capsule(42, "1.0.0");
    desk.publish(&capsule);
    let home = desk.home();
    let layout = home.layout();
    let file = layout.installation(&key("planted"));
    crate::home::write_private(&file, b"schema = 1\n").unwrap();
    let head = desk.install("answer", desk.revision(&capsule, 1, &json!({})));
    let host = desk.open();
    applied(&host, head).await;
    host.reload().unwrap();
    assert!(host.snapshot().entry(&key("planted")).is_none());
    assert_eq!(revision_of(&host, "answer"), Some(1));
    // Nor do the keys that its files trust.
    let foreign = KeyPair::generate().unwrap();
    let folder = layout.publisher(&"acme".parse().unwrap());
    crate::home::make_folder(&folder).unwrap();
    crate::home::write_private(&folder.join("x.pub"), foreign.public().to_pem().as_bytes())
        .unwrap();
    let other = desk.capsule(43, "1.1.0");
    desk.publish_signed(&other, &foreign, &desk.server.key);
    let head = desk.install("other", desk.revision(&other, 1, &json!({})));
    applied(&host, head).await;
    assert_eq!(revision_of(&host, "other"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_verify_here_does_not_run_and_the_server_is_told() {
    let desk = Desk::new().await;
    let (good, forged) = (desk.capsule(42, "1.0.0"), desk.capsule(43, "1.1.0"));
    desk.publish(&good);
    let host = desk.open();
    // Approved by somebody else than the marketplace.
    desk.publish_signed(&forged, &desk.publisher, &KeyPair::generate().unwrap());
    desk.install("answer", desk.revision(&good, 1, &json!({})));
    let head = desk.install("forged", desk.revision(&forged, 1, &json!({})));
    applied(&host, head).await;
    assert_eq!((revision_of(&host, "answer"), revision_of(&host, "forged")), (Some(1), None));
    reported(&desk, &host, 1).await;
    let report = desk.server.reports.borrow().last().unwrap().clone();
    assert_eq!(report.head, head);
    let refused = report.not_running.iter().find(|it| it.key == key("forged"));
    let refused = refused.unwrap_or_else(|| panic!("{report:?}"));
    assert_eq!(refused.revision, 1);
    assert_eq!(refused.code, Code::CapsuleMissing);
    // A publisher's key that is taken back ends what it signed.
    let none = PublisherKeys { keys: Vec::new(), publisher: "acme".parse().unwrap() };
    let head = desk.server.say(Topic::Publisher, "acme", json!(none));
    applied(&host, head).await;
    assert_eq!(revision_of(&host, "answer"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_one_installation_and_no_other() {
    let desk = Desk::new().await;
    let capsule = desk.capsule(42, "1.0.0");
    desk.publish(&capsule);
    let host = desk.open();
    desk.server.say(Topic::Installation, "local/production/odd", json!({ "surprise": true }));
    let head = desk.install("answer", desk.revision(&capsule, 1, &json!({})));
    applied(&host, head).await;
    assert_eq!((revision_of(&host, "answer"), revision_of(&host, "odd")), (Some(1), None));
    assert!(!host.snapshot().entry(&key("odd")).unwrap().problems.is_empty());
    // Any other subject that cannot be read stops the feed: half of it would be worse.
    desk.server.say(Topic::Revocation, "token/x", json!({ "surprise": true }));
    assert!(alarmed(&host).await.contains("revocation"));
    assert_eq!(feed(&host).applied().head, head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_starts_again_goes_on_where_it_was() {
    let desk = Desk::new().await;
    let capsule = desk.capsule(42, "1.0.0");
    desk.publish(&capsule);
    let host = desk.open();
    let head = desk.install("answer", desk.revision(&capsule, 1, &json!({})));
    applied(&host, head).await;
    let second = desk.install("more", desk.revision(&capsule, 1, &json!({})));
    applied(&host, second).await;
    drop(host);
    desk.server.mode(Mode::Down);
    let host = desk.open();
    // Before the server is heard: everything is there, and nothing of it starts.
    assert_eq!(feed(&host).applied().head, second);
    assert_eq!((revision_of(&host, "answer"), revision_of(&host, "more")), (Some(1), Some(1)));
    let snapshot = host.snapshot();
    let denial = host.fresh(snapshot.running(&key("answer")).unwrap()).unwrap_err();
    assert_eq!(denial.code, Code::FeedStale);
    desk.server.mode(Mode::Right);
    let head = desk.uninstall("more");
    applied(&host, head).await;
    assert_eq!(desk.server.content.lock().asked_whole, 1, "the rest came as changes");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_too_far_behind_takes_everything() {
    let desk = Desk::new().await;
    let capsule = desk.capsule(42, "1.0.0");
    desk.publish(&capsule);
    let first = desk.install("answer", desk.revision(&capsule, 1, &json!({})));
    let host = desk.open();
    applied(&host, first).await;
    drop(host);
    desk.install("more", desk.revision(&capsule, 1, &json!({})));
    desk.uninstall("answer");
    desk.server.prune();
    let host = desk.open();
    applied(&host, desk.server.head()).await;
    assert_eq!((revision_of(&host, "answer"), revision_of(&host, "more")), (None, Some(1)));
    assert!(desk.server.content.lock().asked_whole >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_goes_back_or_says_otherwise_is_refused_and_told() {
    let desk = Desk::new().await;
    let capsule = desk.capsule(42, "1.0.0");
    desk.publish(&capsule);
    desk.install("answer", desk.revision(&capsule, 1, &json!({})));
    let head = desk.install("more", desk.revision(&capsule, 1, &json!({})));
    let host = desk.open();
    applied(&host, head).await;
    // A backup of before the last change, in the same epoch.
    desk.server.restore(4, 0);
    assert!(alarmed(&host).await.contains("contradicts itself"));
    // The same number again, with another change.
    desk.server.say(Topic::Installation, "local/production/more", Value::Null);
    assert_eq!(desk.server.head().n, head.n);
    reported(&desk, &host, 2).await;
    assert_eq!(feed(&host).applied().head, head);
    assert_eq!(revision_of(&host, "more"), Some(1));
    assert!(feed(&host).alarms().borrow().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_server_is_followed_by_the_roots_word_alone() {
    let desk = Desk::new().await;
    let capsule = desk.capsule(42, "1.0.0");
    desk.publish(&capsule);
    desk.install("answer", desk.revision(&capsule, 1, &json!({})));
    let head = desk.install("more", desk.revision(&capsule, 1, &json!({})));
    let host = desk.open();
    applied(&host, head).await;
    let restored = desk.server.restore(4, 1);
    assert!(alarmed(&host).await.contains("without the root's signature"));
    // Somebody else's word, and the root's on another epoch, are none.
    desk.server.raise(1, &KeyPair::generate().unwrap());
    desk.server.raise(2, &desk.root);
    reported(&desk, &host, 1).await;
    assert_eq!(feed(&host).applied().head, head);
    desk.server.raise(1, &desk.root);
    applied(&host, restored).await;
    assert_eq!((revision_of(&host, "answer"), revision_of(&host, "more")), (Some(1), None));
    assert_eq!(host.snapshot().position.epoch, 1);
    feed(&host).alarms().wait_for(Option::is_none).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_oversize_and_untrue_answers_change_nothing() {
    for (mode, words) in [
        (Mode::Forged, "known key"),
        (Mode::Oversize, "larger than"),
        (Mode::WrongHead, "snapshot"),
    ] {
        let desk = Desk::new().await;
        let capsule = desk.capsule(42, "1.0.0");
        desk.publish(&capsule);
        let host = desk.open();
        let head = desk.install("answer", desk.revision(&capsule, 1, &json!({})));
        applied(&host, head).await;
        desk.server.mode(mode);
        let next = desk.uninstall("answer");
        if mode == Mode::WrongHead {
            // What does not lead where it says is asked for again, whole.
            applied(&host, next).await;
            assert_eq!(desk.server.content.lock().asked_whole, 2, "{words}");
            continue;
        }
        assert!(alarmed(&host).await.contains(words), "{mode:?}");
        assert_eq!(revision_of(&host, "answer"), Some(1), "{mode:?}");
        desk.server.mode(Mode::Right);
        applied(&host, next).await;
        assert_eq!(revision_of(&host, "answer"), None, "{mode:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_changes_are_applied_in_order() {
    let desk = Desk::new().await;
    let capsule = desk.capsule(42, "1.0.0");
    desk.publish(&capsule);
    let host = desk.open();
    applied(&host, desk.server.head()).await;
    let one = |n: u32| {
        let revision = desk.revision(&capsule, u64::from(n), &json!({}));
        let id = format!("i{}", n % 2_000);
        let payload = json!({ "active": revision, "key": key(&id) });
        (Topic::Installation, key(&id).to_string(), payload)
    };
    let head = desk.server.say_all((1..=10_000).map(one));
    applied(&host, head).await;
    assert_eq!(host.snapshot().len(), 2_000);
    assert_eq!(revision_of(&host, "i1999"), Some(9_999));
    assert_eq!(desk.server.content.lock().asked_whole, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_is_that_of_the_grants_as_the_server_says_them() {
    let desk = Desk::new().await;
    let capsule = desk.capsule(42, "1.0.0");
    desk.publish(&capsule);
    let host = desk.open();
    let grants = [("low", json!({})), ("medium", kv()), ("high", http())];
    for (id, grants) in &grants {
        desk.install(id, desk.revision(&capsule, 1, grants));
    }
    applied(&host, desk.server.head()).await;
    for (id, grants) in grants {
        let grants = serde_json::from_value(grants).unwrap();
        let expected = soma_policy::feed::RiskClass::of(&grants);
        assert_eq!(class_of(host.snapshot().running(&key(id)).unwrap()), expected, "{id}");
    }
}
