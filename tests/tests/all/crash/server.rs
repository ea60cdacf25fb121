//! A server alone: it dies at a point of what somebody asked of it, and what is there when it starts again: all of
//! it or nothing of it, and the same request once more ends as if nothing had happened.

use reqwest::Method;
use serde_json::{Value, json};
use soma_tests::realm::{approve, installation, text};
use soma_tests::{Plane, Postgres, Realm, Soma};

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

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_published_whole_or_not_at_all_and_approving_it_again_ends_the_same() {
    let base = Realm::found().await.unwrap();
    for (point, published) in PUBLISHING {
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

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_is_there_whole_or_not_at_all_and_asking_again_installs_it_once() {
    let mut base = Realm::found().await.unwrap();
    let plane = base.server(None).await.unwrap();
    let digest = base.publish(&plane, "1.0.0").await.unwrap();
    plane.stop().await.unwrap();
    for (point, installed) in [("server.install.kept", false), ("server.once.committed", true)] {
        let mut realm = base.copy().unwrap();
        let plane = realm.server(Some(point)).await.unwrap();
        let local = realm.operator.enter(&plane, "local").await.unwrap();
        let install = async |plane: &Plane| {
            let route = "/v1/installations?id=notes";
            plane.once(route, (&local, "install-1"), &installation(&digest)).await
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

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_was_cut_off_between_two_steps_is_made_by_the_next_start() {
    for step in 1..=6 {
        let folder = tempfile::tempdir().unwrap();
        let (home, port) = (folder.path().join("home"), soma_tests::plane::port().unwrap());
        let point = format!("server.migration.step:{step}");
        let cut = Plane::start(&home, port, Some(&point)).await;
        assert!(cut.is_err(), "{point} is never reached");
        let plane = Plane::start(&home, port, None).await.unwrap();
        assert_eq!(plane.get("/ready", "").await.unwrap()["ready"], true);
        let (said, code) = plane.stop().await.unwrap();
        // Nobody was told the founding code before: it is told now.
        assert!(code == Some(0) && said.contains("founding code"), "{said}");
        println!("{point:<32} migrated");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_was_cut_off_leaves_no_archive_and_the_next_one_is_whole() {
    let base = Realm::found().await.unwrap();
    let plane = base.server(None).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("home.tar");
    let soma = |point: Option<&str>| {
        let soma = Soma::new(base.home()).unwrap();
        let soma = point.into_iter().fold(soma, Soma::crash_at);
        soma.env("SOMA_BACKUP_PASSWORD", "only for tests, long enough")
    };
    let cut = soma(Some("server.backup.packed")).args(["backup"]).args([&archive]);
    assert_eq!(cut.finish().await.unwrap().code, -1);
    assert!(!archive.exists());
    soma(None).args(["backup"]).args([&archive]).succeed().await.unwrap();
    soma(None).args(["backup", "verify"]).args([&archive]).succeed().await.unwrap();
    plane.stop().await.unwrap();
    println!("{:<32} repeated", "server.backup.packed");

    // The same of a home that is brought back.
    let back = folder.path().join("back");
    let soma = |point: Option<&str>| {
        let soma = Soma::new(&back).unwrap();
        let soma = point.into_iter().fold(soma, Soma::crash_at);
        soma.env("SOMA_BACKUP_PASSWORD", "only for tests, long enough").args(["restore"])
    };
    let cut = soma(Some("server.restore.begun")).args([&archive]).finish().await.unwrap();
    assert_eq!((cut.code, back.exists()), (-1, false), "{cut:?}");
    soma(None).args([&archive]).succeed().await.unwrap();
    let plane = Plane::start(&back, soma_tests::plane::port().unwrap(), None).await.unwrap();
    let operator = base.operator.clone().enter(&plane, "platform").await.unwrap();
    assert_sound(&plane, &operator).await;
    println!("{:<32} repeated", "server.restore.begun");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_between_databases_that_was_cut_off_counts_in_one_of_them_and_is_repeated() {
    let Some(postgres) = Postgres::start().await.unwrap() else { return };
    let base = Realm::found().await.unwrap();
    for (database, point) in
        [("postgres", "server.move.copied"), ("template1", "server.move.closed")]
    {
        let realm = base.copy().unwrap();
        let soma = |point: Option<&str>| {
            let soma = Soma::new(realm.home()).unwrap().args(["--output", "json", "db"]);
            let soma = point.into_iter().fold(soma, Soma::crash_at);
            soma.env("SOMA_DATABASE_OWNER_URL", postgres.address(database))
        };
        let cut = soma(Some(point)).args(["move"]).finish().await.unwrap();
        assert_eq!(cut.code, -1, "{point}: {cut:?}");
        let status = soma(None).args(["status"]).succeed().await.unwrap().json().unwrap();
        println!("{point:<32} the file is closed: {}", status["closed"]);
        assert_eq!(status["closed"], point == "server.move.closed", "{status}");
        // The target has nothing yet: the same command does all of it.
        let moved = soma(None).args(["move"]).succeed().await.unwrap().json().unwrap();
        let rows = |table: &Value| table["rows"].as_u64().unwrap();
        assert!(moved["tables"].as_array().unwrap().iter().map(rows).sum::<u64>() > 10, "{moved}");
        let again = soma(None).args(["move"]).finish().await.unwrap();
        assert_ne!(again.code, 0, "it is moved: {again:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_at_the_server_stands_if_it_was_committed_and_can_be_given_again_if_not() {
    let base = Realm::found().await.unwrap();
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
