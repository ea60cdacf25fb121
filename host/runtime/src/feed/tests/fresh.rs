use std::time::Duration;

use serde_json::json;
use soma_policy::{Code, Outcome, Timestamp};

use super::desk::{Desk, NOW, applied, feed, http, key, kv, ready, reported};
use super::server::Mode;

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_word_from_the_server_each_class_ends_in_its_time() {
    let desk = Desk::new().await;
    let capsule = desk.capsule(42, "1.0.0");
    desk.publish(&capsule);
    for (id, grants) in [("low", json!({})), ("medium", kv()), ("high", http())] {
        desk.install(id, desk.revision(&capsule, 1, &grants));
    }
    let host = desk.open();
    applied(&host, desk.server.head()).await;
    reported(&desk, &host, 2).await;
    let may = |id: &str| host.fresh(host.snapshot().running(&key(id)).unwrap()).is_ok();
    assert_eq!(["low", "medium", "high"].map(may), [true; 3]);
    desk.server.mode(Mode::Down);
    for (past, expected) in
        [(31, [true, true, false]), (270, [true, false, false]), (600, [false; 3])]
    {
        desk.clock.pass(seconds(past));
        assert_eq!(["low", "medium", "high"].map(may), expected, "after {past} s more");
    }
    desk.server.mode(Mode::Right);
    reported(&desk, &host, 2).await;
    assert_eq!(["low", "medium", "high"].map(may), [true; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_host_refuses_calls_and_cuts_those_that_run() {
    let desk = Desk::new().await;
    let capsule = desk.capsule(42, "1.0.0");
    desk.publish(&capsule);
    let head = desk.install("answer", desk.revision(&capsule, 1, &http()));
    let host = desk.open_with(&[&capsule]);
    applied(&host, head).await;
    ready(&desk, &host).await;
    let reply = desk.call(&host, "answer").await;
    assert_eq!((reply.outcome, reply.result), (Outcome::Ok, Some(json!(42))));
    let running = desk.start(&host, "spin", &desk.token("user:1", 1)).await;
    desk.server.mode(Mode::Down);
    desk.clock.pass(seconds(31));
    let cut = running.reply().await;
    assert_eq!(cut.outcome, Outcome::Denied);
    assert_eq!(cut.denials.last().unwrap().code, Code::FeedStale);
    let refused = desk.call(&host, "answer").await;
    assert_eq!((refused.outcome, refused.code), (Outcome::Denied, Some(Code::FeedStale)));
    assert!(refused.receipt.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_feed_is_found_out_though_heartbeats_go_on() {
    let desk = Desk::new().await;
    let capsule = desk.capsule(42, "1.0.0");
    desk.publish(&capsule);
    let head = desk.install("answer", desk.revision(&capsule, 1, &http()));
    let host = desk.open();
    applied(&host, head).await;
    reported(&desk, &host, 2).await;
    desk.server.mode(Mode::Frozen);
    desk.uninstall("answer");
    desk.clock.pass(seconds(31));
    reported(&desk, &host, 2).await;
    let snapshot = host.snapshot();
    let running = snapshot.running(&key("answer")).unwrap();
    assert_eq!(host.fresh(running).unwrap_err().code, Code::FeedStale);
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_of_others_and_for_other_nonces_count_for_nothing() {
    for mode in [Mode::ForgedBeat, Mode::OtherNonce] {
        let desk = Desk::new().await;
        desk.server.mode(mode);
        let host = desk.open();
        applied(&host, desk.server.head()).await;
        reported(&desk, &host, 3).await;
        assert_eq!(feed(&host).status(seconds(0)).age_ms, None, "{mode:?}");
        desk.server.mode(Mode::Right);
        reported(&desk, &host, 2).await;
        assert!(feed(&host).status(seconds(0)).age_ms.is_some(), "{mode:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wall_clock_that_jumps_makes_nothing_fresh_and_nothing_stale() {
    let desk = Desk::new().await;
    let capsule = desk.capsule(42, "1.0.0");
    desk.publish(&capsule);
    let head = desk.install("answer", desk.revision(&capsule, 1, &http()));
    let host = desk.open();
    applied(&host, head).await;
    reported(&desk, &host, 2).await;
    let fresh = || host.fresh(host.snapshot().running(&key("answer")).unwrap()).is_ok();
    desk.server.mode(Mode::Down);
    desk.clock.jump(Timestamp(NOW.0 + 86_400_000));
    assert!(fresh());
    desk.clock.pass(seconds(31));
    desk.clock.jump(Timestamp(NOW.0 - 86_400_000));
    assert!(!fresh());
}
