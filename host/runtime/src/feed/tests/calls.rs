use serde_json::json;
use soma_policy::feed::{CandidateState, GateState, Revoked, RevokedKind, Topic};
use soma_policy::{CallId, Millis, Outcome, TokenId};

use super::desk::{Capsule, Desk, NOW, applied, key, kv, ready};
use crate::Host;
use std::sync::Arc;

async fn running(desk: &Desk) -> (Arc<Host>, Capsule) {
    let capsule = desk.capsule(42, "1.0.0");
    desk.publish(&capsule);
    let head = desk.install("answer", desk.revision(&capsule, 1, &kv()));
    let host = desk.open_with(&[&capsule]);
    applied(&host, head).await;
    ready(desk, &host).await;
    (host, capsule)
}

fn revoked(kind: RevokedKind, value: &str) -> (Topic, String, serde_json::Value) {
    let revoked =
        Revoked { before: NOW, kind, until: NOW.plus(Millis(3_660_000)), value: value.to_owned() };
    (Topic::Revocation, format!("x/{value}"), json!(revoked))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_cuts_the_calls_that_run_under_it_and_no_others() {
    for (kind, value) in [
        (RevokedKind::Token, TokenId::from_u128(11).to_string()),
        (RevokedKind::Subject, "local/user:ada".to_owned()),
    ] {
        let desk = Desk::new().await;
        let (host, _) = running(&desk).await;
        let (ada, bob) = (desk.token("user:ada", 11), desk.token("user:bob", 12));
        let cut = desk.start(&host, "spin", &ada).await;
        let other = desk.start(&host, "spin", &bob).await;
        desk.server.say_all([revoked(kind, &value)]);
        let reply = cut.reply().await;
        assert_eq!(reply.outcome, Outcome::Denied, "{kind:?}");
        assert!(host.tokens().verify(&ada, NOW).is_err(), "{kind:?}");
        assert!(host.tokens().verify(&bob, NOW).is_ok(), "{kind:?}");
        assert!(!host.calls().running().is_empty(), "{kind:?}: the other call runs on");
        drop(other);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_org_and_an_issuers_key_that_is_gone_cut_everything_of_theirs() {
    let desk = Desk::new().await;
    let (host, _) = running(&desk).await;
    let token = desk.token("user:ada", 11);
    let cut = desk.start(&host, "spin", &token).await;
    desk.server.say_all([revoked(RevokedKind::Org, "local")]);
    assert_eq!(cut.reply().await.outcome, Outcome::Denied);
    let desk = Desk::new().await;
    let (host, _) = running(&desk).await;
    let token = desk.token("user:ada", 11);
    let cut = desk.start(&host, "spin", &token).await;
    desk.server.say(Topic::Issuer, &desk.issuer().public().kid, serde_json::Value::Null);
    assert_eq!(cut.reply().await.outcome, Outcome::Denied);
    assert!(host.tokens().verify(&token, NOW).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn uninstalling_and_narrower_grants_cut_and_the_same_grants_do_not() {
    let desk = Desk::new().await;
    let (host, capsule) = running(&desk).await;
    let token = desk.token("user:1", 1);
    let call = desk.start(&host, "spin", &token).await;
    let head = desk.install("answer", desk.revision(&capsule, 2, &kv()));
    applied(&host, head).await;
    assert_eq!(host.calls().running().len(), 1, "nothing that it may do is different");
    let head = desk.install("answer", desk.revision(&capsule, 3, &json!({})));
    assert_eq!(call.reply().await.outcome, Outcome::Denied);
    applied(&host, head).await;
    let call = desk.start(&host, "spin", &token).await;
    desk.uninstall("answer");
    assert_eq!(call.reply().await.outcome, Outcome::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_gets_its_share_of_calls_and_is_cut_when_it_is_backed_out() {
    let desk = Desk::new().await;
    let (host, capsule) = running(&desk).await;
    let next = desk.capsule(43, "1.1.0");
    desk.publish(&next);
    host.components().keep_compiled(&next.digest, &next.component);
    let active = || desk.revision(&capsule, 1, &kv());
    let gate = GateState::Canary { share: 250 };
    let candidate = CandidateState { gate, revision: desk.revision(&next, 2, &kv()) };
    let head = desk.install_with("answer", active(), Some(candidate));
    applied(&host, head).await;
    let snapshot = host.snapshot();
    let chosen = |n: u128| snapshot.chosen(&key("answer"), CallId::from_u128(n)).unwrap().revision;
    let canaries = (0..4_000).filter(|n| chosen(*n) == 2).count();
    assert!((850..1_150).contains(&canaries), "{canaries}");
    assert_eq!(snapshot.candidate(&key("answer"), 2).unwrap().price, None);
    // Real calls: each answers as the revision that its id chooses.
    let mut answers = [0_u32; 2];
    for _ in 0..40 {
        let reply = desk.call(&host, "answer").await;
        let expected = snapshot.chosen(&key("answer"), reply.call).unwrap().revision;
        let answer = if expected == 2 { 43 } else { 42 };
        assert_eq!(reply.result, Some(json!(answer)), "{:?}", reply.detail);
        answers[usize::try_from(expected).unwrap() - 1] += 1;
    }
    assert!(answers[1] > 0 && answers[0] > answers[1], "{answers:?}");
    let token = desk.token("user:1", 1);
    let call = loop {
        let call = desk.start(&host, "spin", &token).await;
        if snapshot.chosen(&key("answer"), call.call).unwrap().revision == 2 {
            break call;
        }
    };
    desk.install("answer", active());
    assert_eq!(call.reply().await.outcome, Outcome::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_check_is_made_once_on_the_candidate_and_reported() {
    let desk = Desk::new().await;
    let (host, capsule) = running(&desk).await;
    let next = desk.capsule(43, "1.1.0");
    desk.publish(&next);
    host.components().keep_compiled(&next.digest, &next.component);
    for (revision, expect, passed) in [(2, json!(43), true), (3, json!(42), false)] {
        let gate = GateState::Check {
            args: json!({}),
            expect: Some(expect),
            function: "answer".parse().unwrap(),
        };
        let candidate = CandidateState { gate, revision: desk.revision(&next, revision, &kv()) };
        desk.install_with("answer", desk.revision(&capsule, 1, &kv()), Some(candidate));
        let mut reports = desk.server.reports.subscribe();
        let mut all = reports
            .wait_for(|all| all.iter().flat_map(|it| &it.checks).any(|it| it.revision == revision))
            .await
            .unwrap()
            .clone();
        all.retain(|report| report.checks.iter().any(|it| it.revision == revision));
        let [report] = all.as_slice() else { panic!("{all:?}") };
        let [check] = report.checks.as_slice() else { panic!("{report:?}") };
        assert_eq!((&check.key, check.passed), (&key("answer"), passed), "{check:?}");
    }
    // Calls of callers go on to what is active.
    assert_eq!(desk.call(&host, "answer").await.result, Some(json!(42)));
}
