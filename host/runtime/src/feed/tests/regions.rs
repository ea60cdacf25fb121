use serde_json::json;
use soma_capsule::dsse;
use soma_policy::feed::{KillNotice, Topic};
use soma_policy::{Code, KillOrder, OrderId, Outcome, Reason, Severity};

use super::desk::{Capsule, Desk, NOW, applied, key, kv, ready};
use crate::Host;
use crate::kill::ORDER_KIND;
use std::sync::Arc;

async fn running_in(region: Option<&str>) -> (Desk, Arc<Host>, Capsule) {
    let desk = Desk::in_region(region).await;
    let capsule = desk.capsule(42, "1.0.0");
    desk.publish(&capsule);
    let head = desk.install("answer", desk.revision(&capsule, 1, &kv()));
    let host = desk.open_with(&[&capsule]);
    applied(&host, head).await;
    ready(&desk, &host).await;
    (desk, host, capsule)
}

fn order() -> KillOrder {
    KillOrder {
        evidence: None,
        id: OrderId::from_u128(1),
        issued_at: NOW,
        reason: Reason::Legal,
        scope: "region:eu".parse().unwrap(),
        severity: Severity::High,
        version: 1,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_for_a_region_stops_the_hosts_that_stand_there_and_no_others() {
    let order = order();
    for (region, stops) in [(Some("eu"), true), (Some("us"), false), (None, false)] {
        let (desk, host, _) = running_in(region).await;
        assert_eq!(
            host.blast_radius(&order.scope).installations.len(),
            usize::from(stops),
            "{region:?}"
        );
        let running = desk.start(&host, "spin", &desk.token("user:1", 1)).await;
        let envelope = dsse::sign_document(ORDER_KIND, &order, &[&desk.operator]).unwrap();
        let envelope = String::from_utf8(envelope.to_json()).unwrap();
        let notice = json!(KillNotice { envelope });
        let head = desk.server.say(Topic::Kill, &order.hash().to_string(), notice);
        applied(&host, head).await;
        let outcome = desk.call(&host, "answer").await.outcome;
        if stops {
            assert_eq!(running.reply().await.outcome, Outcome::Killed(order.id));
            assert_eq!(outcome, Outcome::Killed(order.id));
        } else {
            assert_eq!(outcome, Outcome::Ok, "{region:?}");
            assert_eq!(host.calls().running().len(), 1, "{region:?}: the call runs on");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_host_stands_is_kept_over_a_restart() {
    let (desk, host, _) = running_in(Some("eu")).await;
    drop(host);
    assert_eq!(desk.home().server().unwrap().unwrap().region, Some("eu".parse().unwrap()));
    let host = desk.open();
    assert_eq!(host.snapshot().policy.region(), Some(&"eu".parse().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_region_binds_where_its_capsules_run() {
    for (region, runs) in [(Some("eu"), true), (Some("us"), false), (None, false)] {
        let (desk, host, capsule) = running_in(region).await;
        let running = desk.start(&host, "spin", &desk.token("user:1", 1)).await;
        let head = desk.install_in("answer", desk.revision(&capsule, 2, &kv()), "eu");
        applied(&host, head).await;
        let reply = desk.call(&host, "answer").await;
        if runs {
            assert_eq!(reply.outcome, Outcome::Ok);
            continue;
        }
        assert_eq!(running.reply().await.outcome, Outcome::Denied, "{region:?}");
        assert_eq!(
            reply.denials.first().map(|it| it.code),
            Some(Code::ResidencyRegion),
            "{region:?}"
        );
        let snapshot = host.snapshot();
        let refused = &snapshot.entry(&key("answer")).unwrap().refused;
        assert_eq!(refused[0].problem.code, Code::ResidencyRegion);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_release_is_cut_and_does_not_start_again_not_even_after_a_restart() {
    let (desk, host, capsule) = running_in(None).await;
    let token = desk.token("user:1", 1);
    let old = desk.start(&host, "spin", &token).await;
    // The next revision is another component with the same grants: what runs goes on.
    let next = desk.capsule(43, "1.1.0");
    desk.publish(&next);
    host.components().keep_compiled(&next.digest, &next.component);
    let head = desk.install("answer", desk.revision(&next, 2, &kv()));
    applied(&host, head).await;
    let new = desk.start(&host, "spin", &token).await;
    assert_eq!(host.calls().running().len(), 2);
    let head = desk.revoke(&capsule);
    assert_eq!(old.reply().await.outcome, Outcome::Denied, "a call ends by its own component");
    applied(&host, head).await;
    assert_eq!(host.calls().running().len(), 1, "what is not revoked goes on");
    let head = desk.revoke(&next);
    assert_eq!(new.reply().await.outcome, Outcome::Denied);
    applied(&host, head).await;
    // Nothing gives it back: neither the same word taken back, nor the installation said again.
    desk.server.say(Topic::Release, &next.digest.to_string(), serde_json::Value::Null);
    let head = desk.install("answer", desk.revision(&next, 3, &kv()));
    applied(&host, head).await;
    let refused = |reply: crate::CallReply| reply.denials.first().map(|it| it.code);
    assert_eq!(refused(desk.call(&host, "answer").await), Some(Code::ReleaseRevoked));
    drop(host);
    let host = desk.open();
    assert_eq!(refused(desk.call(&host, "answer").await), Some(Code::ReleaseRevoked));
}
