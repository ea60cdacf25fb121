//! Secrets on their way from the feed to the disk of a host.

use serde_json::{Value, json};
use soma_policy::feed::{FeedHead, Topic};

use super::desk::{Desk, applied};
use super::server::Mode;
use crate::Host;
use crate::feed::secrets::fixture::place;

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// The tenant gives a secret a value: hosts hear of the version alone.
fn store(desk: &Desk, version: u64, value: &str) -> FeedHead {
    desk.server.content.lock().values.insert("token".to_owned(), (version, value.to_owned()));
    let payload = json!({ "environment": "production", "name": "token", "org": "local", "version": version.to_string() });
    desk.server.say(Topic::Secret, &place("token").to_string(), payload)
}

fn uses(from: &str) -> Value {
    json!({ "secret": { "token": { "from": from } } })
}

fn value(host: &Host) -> Option<String> {
    let found = host.feed_secrets().unwrap().get(&place("token")).unwrap();
    found.map(|value| String::from_utf8(value.to_vec()).unwrap())
}

/// Waits until the host holds this.
async fn holds(host: &Host, wanted: Option<&str>) {
    let there = async {
        while value(host).as_deref() != wanted {
            tokio::task::yield_now().await;
        }
    };
    let there = tokio::time::timeout(PATIENCE, there).await;
    there.unwrap_or_else(|_| panic!("{wanted:?} is not here: {:?}", value(host)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_asked_for_when_a_grant_takes_it_and_again_when_its_version_rises() {
    let desk = Desk::new().await;
    let capsule = desk.capsule(42, "1.0.0");
    desk.publish(&capsule);
    store(&desk, 1, "first");
    let head = desk.install("answer", desk.revision(&capsule, 1, &json!({})));
    let host = desk.open();
    applied(&host, head).await;
    assert_eq!(desk.server.content.lock().sent, 0, "nothing here uses it");
    desk.install("answer", desk.revision(&capsule, 2, &uses("token")));
    holds(&host, Some("first")).await;
    store(&desk, 2, "second");
    holds(&host, Some("second")).await;
    assert_eq!(desk.server.content.lock().sent, 2, "each version is asked for once");
    // A restart has it at once, and asks for nothing.
    drop(host);
    let head = desk.server.head();
    let host = desk.open();
    assert_eq!(value(&host).as_deref(), Some("second"));
    applied(&host, head).await;
    assert_eq!(desk.server.content.lock().sent, 2);
    // What the tenant removed is erased, and so is what no grant takes any more.
    desk.server.say(Topic::Secret, &place("token").to_string(), Value::Null);
    holds(&host, None).await;
    store(&desk, 3, "third");
    holds(&host, Some("third")).await;
    desk.install("answer", desk.revision(&capsule, 3, &uses("another")));
    holds(&host, None).await;
    let folder = host.home().layout().feed_secrets().join("local/production");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_asked_again_and_what_is_held_stays() {
    let desk = Desk::new().await;
    let capsule = desk.capsule(42, "1.0.0");
    desk.publish(&capsule);
    store(&desk, 1, "first");
    let head = desk.install("answer", desk.revision(&capsule, 1, &uses("token")));
    let host = desk.open();
    applied(&host, head).await;
    holds(&host, Some("first")).await;
    desk.server.content.lock().withheld = true;
    let head = store(&desk, 2, "second");
    applied(&host, head).await;
    assert_eq!(
        value(&host).as_deref(),
        Some("first"),
        "the old one serves until the new one is here"
    );
    desk.server.mode(Mode::Down);
    desk.server.content.lock().withheld = false;
    desk.server.mode(Mode::Right);
    holds(&host, Some("second")).await;
}
