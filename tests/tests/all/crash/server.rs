//! A server alone: it dies at a point of what somebody asked of it, and what is there when it starts again: all of
//! it or nothing of it, and the same request once more ends as if nothing had happened.

use reqwest::Method;
use serde_json::{Value, json};
use soma_tests::realm::{approve, installation, text};
use soma_tests::{Plane, Realm, Soma};

use super::fleet::published;

/// The points on the way to a published release, and whether it is published when the server starts again.
const PUBLISHING: &[(&str, bool)] = &[
    ("server.publish.countersigned", false),
    ("server.once.committed", true),
    ("server.sequencer.numbered", true),
    ("server.sequencer.committed", true),
];

/// Ledger and record are sound, and the server goes on numbering.
pub(crate) async fn assert_sound(plane: &Plane, operator: &str) {
    let checked = plane.get("/v1/billing/check", operator).await.unwrap();
    assert_eq!(checked["differing"], 0, "{checked}");
    let verified = Soma::new(plane.home()).unwrap();
    let verified = verified.env("SOMA_TOKEN", operator).args(["--host", plane.url()]);
    let verified = verified.args(["audit", "verify", "--server"]).finish().await.unwrap();
    assert_eq!(verified.code, 0, "{verified:?}");
}

async fn submissions(plane: &Plane, token: &str) -> Vec<Value> {
    let page = plane.get("/v1/submissions", token).await.unwrap();
    page["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_whose_files_were_kept_and_nothing_else_is_sent_again() {
    let base = Realm::found().await.unwrap();
    let mut realm = base.copy().unwrap();
    let plane = realm.server(Some("server.submit.filed")).await.unwrap();
    let acme = realm.acme.enter(&plane, "acme").await.unwrap();
    let body = realm.submission("1.0.0").unwrap();
    let cut = plane.ask(Method::POST, "/v1/submissions", &acme, &body).await;
    assert!(cut.is_err(), "{cut:?}");
    plane.killed().await.unwrap();
    let plane = realm.server(None).await.unwrap();
    let operator = realm.operator.enter(&plane, "platform").await.unwrap();
    assert_eq!(submissions(&plane, &operator).await, Vec::<Value>::new());
    realm.publish(&plane, "1.0.0").await.unwrap();
    assert_eq!(submissions(&plane, &operator).await.len(), 1);
    assert_sound(&plane, &operator).await;
}

async fn publishing(base: &Realm, points: &[(&str, bool)]) {
    for (point, published) in points {
        let mut realm = base.copy().unwrap();
        let plane = realm.server(None).await.unwrap();
        let acme = realm.acme.enter(&plane, "acme").await.unwrap();
        let body = realm.submission("1.0.0").unwrap();
        let made = plane.ask(Method::POST, "/v1/submissions", &acme, &body).await.unwrap();
        let id = text(&made.made().unwrap(), "submission").unwrap();
        let operator = realm.operator.enter(&plane, "platform").await.unwrap();
        plane.stop().await.unwrap();

        let plane = realm.server(Some(point)).await.unwrap();
        // The answer may have come before the sequencer did its part.
        let answered = approve(&plane, &operator, &id).await;
        plane.killed().await.unwrap();
        let plane = realm.server(None).await.unwrap();
        let seen = plane.get(&format!("/v1/submissions/{id}"), &acme).await.unwrap();
        println!("{point:<32} {} · answered: {}", seen["state"], answered.is_ok());
        assert_eq!(seen["state"] == "published", *published, "{point}: {seen}");
        assert!(*published || answered.is_err(), "{point}: what was answered is not there");
        let again = approve(&plane, &operator, &id).await.unwrap().made().unwrap();
        assert_eq!(again["state"], "published", "{point}: {again}");
        let found = plane.get("/v1/capsules/acme/notes/versions/1.0.0", &acme).await.unwrap();
        assert_eq!(found["release"]["digest"], again["digest"], "{found}");
        assert_sound(&plane, &operator).await;
    }
}

async fn installing(base: &Realm, digest: &str) {
    for (point, installed) in [("server.install.kept", false), ("server.once.committed", true)] {
        let mut realm = base.copy().unwrap();
        let plane = realm.server(Some(point)).await.unwrap();
        let local = realm.operator.enter(&plane, "local").await.unwrap();
        let install = async |plane: &Plane| {
            let route = "/v1/installations?id=notes";
            plane.once(route, (&local, "install-1"), &installation(digest)).await
        };
        let cut = install(&plane).await;
        assert!(cut.is_err(), "{cut:?}");
        plane.killed().await.unwrap();
        let plane = realm.server(None).await.unwrap();
        let there = plane.get("/v1/installations", &local).await.unwrap();
        let there = there["items"].as_array().unwrap().len();
        println!("{point:<32} installed: {there}");
        assert_eq!(there, usize::from(installed), "{point}");
        install(&plane).await.unwrap().made().unwrap();
        let there = plane.get("/v1/installations", &local).await.unwrap();
        assert_eq!(there["items"].as_array().unwrap().len(), 1, "{there}");
        let revisions = plane.get("/v1/installations/notes/revisions", &local).await.unwrap();
        assert_eq!(revisions["items"].as_array().unwrap().len(), 1, "{revisions}");
        let operator = realm.operator.enter(&plane, "platform").await.unwrap();
        assert_sound(&plane, &operator).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_head_that_did_not_reach_its_file_is_written_by_the_next_start() {
    let base = Realm::found().await.unwrap();
    let mut realm = base.copy().unwrap();
    // The first head of a run is signed at once.
    let plane = realm.server(Some("server.checkpoint.committed")).await.unwrap();
    plane.killed().await.unwrap();
    let plane = realm.server(None).await.unwrap();
    let operator = realm.operator.enter(&plane, "platform").await.unwrap();
    assert_sound(&plane, &operator).await;
}

async fn ordering(base: &Realm) {
    for (point, stands) in [("server.kill.kept", false), ("server.kill.committed", true)] {
        let mut realm = base.copy().unwrap();
        let plane = realm.server(Some(point)).await.unwrap();
        let operator = realm.operator.enter(&plane, "platform").await.unwrap();
        let order = super::orders::sign(realm.home(), "installation:local/production/notes").await;
        let give = async |plane: &Plane| {
            plane.ask(Method::POST, "/v1/kill-orders", &operator, &order).await
        };
        let cut = give(&plane).await;
        assert!(cut.is_err(), "{cut:?}");
        plane.killed().await.unwrap();
        let plane = realm.server(None).await.unwrap();
        let count = async |plane: &Plane| {
            let page = plane.get("/v1/kill-orders", &operator).await.unwrap();
            page["items"].as_array().unwrap().len()
        };
        println!("{point:<32} orders: {}", count(&plane).await);
        assert_eq!(count(&plane).await, usize::from(stands), "{point}");
        give(&plane).await.unwrap().made().unwrap();
        assert_eq!(count(&plane).await, 1, "{point}");
        assert_sound(&plane, &operator).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_enrolment_was_answered_by_nobody_joins_with_the_next_token() {
    let mut realm = Realm::found().await.unwrap().copy().unwrap();
    let plane = realm.server(Some("server.enrol.committed")).await.unwrap();
    let operator = realm.operator.enter(&plane, "platform").await.unwrap();
    let other = soma_tests::TestHome::new().await.unwrap();
    let invite = async |plane: &Plane| {
        let body = json!({ "role": "host" });
        let made = plane.ask(Method::POST, "/v1/hosts/enrolments", &operator, &body).await;
        text(&made.unwrap().made().unwrap(), "token").unwrap()
    };
    let enrol = async |plane: &Plane, token: &str| {
        let soma = other.soma().unwrap().env("SOMA_CODE", token);
        let words = ["host", "enrol", plane.url(), "--address", "http://127.0.0.1:9"];
        soma.args(words).finish().await.unwrap()
    };
    let token = invite(&plane).await;
    assert_ne!(enrol(&plane, &token).await.code, 0);
    plane.killed().await.unwrap();
    let plane = realm.server(None).await.unwrap();
    let again = enrol(&plane, &invite(&plane).await).await;
    assert_eq!(again.code, 0, "{again:?}");
    let hosts = plane.get("/v1/hosts", &operator).await.unwrap();
    println!(
        "{:<32} hosts: {}",
        "server.enrol.committed",
        hosts["items"].as_array().unwrap().len()
    );
    assert_sound(&plane, &operator).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_published_whole_or_not_at_all_and_approving_it_again_ends_the_same() {
    publishing(&Realm::found().await.unwrap(), PUBLISHING).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_is_there_whole_or_not_at_all_and_asking_again_installs_it_once() {
    let (base, digest) = published(Realm::found().await.unwrap()).await;
    installing(&base, &digest).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_at_the_server_stands_if_it_was_committed_and_can_be_given_again_if_not() {
    ordering(&Realm::found().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql_too_what_was_asked_of_a_server_that_died_is_there_whole_or_not_at_all() {
    let Some(base) = Realm::found_on_postgres().await.unwrap() else { return };
    publishing(&base, PUBLISHING).await;
    ordering(&base).await;
    let (base, digest) = published(base).await;
    installing(&base, &digest).await;
}
