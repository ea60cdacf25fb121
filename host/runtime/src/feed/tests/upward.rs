use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use soma_capsule::dsse;
use soma_policy::feed::{KillNotice, Topic};
use soma_policy::{KillOrder, Lift, LiftReason, OrderId, Outcome, Reason, Severity};

use super::desk::{Desk, NOW, applied, ready, reported};
use super::server::Mode;
use crate::Host;
use crate::kill::{LIFT_KIND, ORDER_KIND};

fn order(id: u128) -> KillOrder {
    KillOrder {
        evidence: None,
        id: OrderId::from_u128(id),
        issued_at: NOW,
        reason: Reason::Malware,
        scope: "capsule:acme/answer".parse().unwrap(),
        severity: Severity::High,
        version: 1,
    }
}

fn signed(desk: &Desk, order: &KillOrder) -> Vec<u8> {
    dsse::sign_document(ORDER_KIND, order, &[&desk.operator]).unwrap().to_json()
}

async fn host(desk: &Desk) -> Arc<Host> {
    let capsule = desk.capsule(42, "1.0.0");
    desk.publish(&capsule);
    let head = desk.install("answer", desk.revision(&capsule, 1, &json!({})));
    let host = desk.open_with(&[&capsule]);
    applied(&host, head).await;
    ready(desk, &host).await;
    host
}

async fn passed(desk: &Desk, count: usize) -> Vec<(String, Vec<u8>)> {
    let mut passed = desk.server.passed.subscribe();
    let came = passed.wait_for(|n| *n >= count);
    tokio::time::timeout(Duration::from_secs(30), came).await.unwrap().unwrap();
    desk.server.content.lock().upward.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_of_the_feed_cuts_what_runs_stops_what_would_start_and_is_receipted() {
    let desk = Desk::new().await;
    let host = host(&desk).await;
    let running = desk.start(&host, "spin", &desk.token("user:1", 1)).await;
    let order = order(1);
    let envelope = String::from_utf8(signed(&desk, &order)).unwrap();
    let notice = json!(KillNotice { envelope });
    let head = desk.server.say(Topic::Kill, &order.hash().to_string(), notice);
    assert_eq!(running.reply().await.outcome, Outcome::Killed(order.id));
    applied(&host, head).await;
    assert_eq!(desk.call(&host, "answer").await.outcome, Outcome::Killed(order.id));
    let upward = passed(&desk, 1).await;
    let [(route, _)] = upward.as_slice() else { panic!("{upward:?}") };
    assert_eq!(route, "/v1/feed/kill-receipts", "the order itself the server knows");
    // Its lift may come before any other word of it, and a host that starts again keeps both.
    let lift = Lift::of(&order, LiftReason::try_from("fixed".to_owned()).unwrap(), NOW);
    let lift = dsse::sign_document(LIFT_KIND, &lift, &[&desk.operator]).unwrap().to_json();
    let notice = json!(KillNotice { envelope: String::from_utf8(lift).unwrap() });
    let head = desk.server.say(Topic::Kill, "lift", notice);
    applied(&host, head).await;
    assert_eq!(desk.call(&host, "answer").await.outcome, Outcome::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_nobody_here_may_sign_changes_nothing_though_the_feed_says_it() {
    let desk = Desk::new().await;
    let host = host(&desk).await;
    let stranger = soma_capsule::KeyPair::generate().unwrap();
    let envelope = dsse::sign_document(ORDER_KIND, &order(1), &[&stranger]).unwrap().to_json();
    let notice = json!(KillNotice { envelope: String::from_utf8(envelope).unwrap() });
    let head = desk.server.say(Topic::Kill, "x", notice);
    applied(&host, head).await;
    assert_eq!(desk.call(&host, "answer").await.outcome, Outcome::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_was_given_here_is_passed_upward_when_the_server_is_back_over_a_restart() {
    let desk = Desk::new().await;
    let host = host(&desk).await;
    desk.server.mode(Mode::Down);
    let order = order(2);
    let accepted = host.kill(signed(&desk, &order)).await.unwrap();
    assert!(accepted.durable);
    drop(host);
    assert!(desk.server.content.lock().upward.is_empty());
    let host = desk.open();
    desk.server.mode(Mode::Right);
    let upward = passed(&desk, 2).await;
    let routes: Vec<_> = upward.iter().map(|(route, _)| route.as_str()).collect();
    assert_eq!(routes, ["/v1/kill-orders", "/v1/feed/kill-receipts"]);
    let given = dsse::Envelope::from_json(&upward[0].1).unwrap();
    assert_eq!(soma_policy::Digest::of(given.unverified_payload()), order.hash());
    drop(host);
    // What was passed may come again after a restart that was too quick, and nothing else does.
    let host = desk.open();
    applied(&host, desk.server.head()).await;
    reported(&desk, &host, 2).await;
    let mut all = desk.server.content.lock().upward.clone();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 2);
}
