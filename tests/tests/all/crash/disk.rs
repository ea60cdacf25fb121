//! Disks that are full or only read, under real processes: errors and no damage, and everything goes on when there
//! is room. And a disk that was brought back from a copy: it is caught.

use reqwest::Method;
use serde_json::{Value, json};
use soma_tests::realm::hosts;
use soma_tests::{Disk, Realm, Soma, TestHome, TestHost};

use super::fleet::{Fleet, installed};
use super::journal::Entries;
use super::server::assert_sound;

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_disk_is_full_refuses_calls_says_so_and_goes_on_when_there_is_room() {
    let Some(disk) = Disk::mount("1m").unwrap() else { return };
    let home = TestHome::new().await.unwrap();
    home.install("text", "text", &[]).await.unwrap();
    let (journal, head) = (disk.path().join("journal"), disk.path().join("journal.head"));
    let (journal, head) = (journal.to_str().unwrap(), head.to_str().unwrap());
    let place = ["--journal", journal, "--journal-head", head];
    let host = TestHost::start_with(&home, &place).await.unwrap();
    let call = async |host: &TestHost| {
        host.call("text", "slugify", &json!({ "text": "A b" })).await.unwrap()
    };
    assert_eq!(call(&host).await.status, 200);
    disk.fill().unwrap();
    let mut answered = 1;
    let refused = loop {
        let reply = call(&host).await;
        if reply.status != 200 {
            break reply;
        }
        answered += 1;
        assert!(answered < 2000, "a full disk takes everything");
    };
    // What is not on record is no success, and who asks is told to try again.
    assert_eq!((refused.status, refused.body["outcome"].as_str()), (503, Some("host-failure")));
    let ready = host.request(Method::GET, "/ready").send().await.unwrap();
    assert_eq!(ready.status().as_u16(), 503);
    let ready: Value = ready.json().await.unwrap();
    assert_ne!(ready["journal"], "writing", "{ready}");
    assert_ne!(call(&host).await.status, 200, "it does not take calls that it cannot record");
    disk.relieve().unwrap();
    host.stop().await.unwrap();

    let host = TestHost::start_with(&home, &place).await.unwrap();
    assert_eq!(call(&host).await.status, 200);
    let verify = ["audit", "verify", journal, "--head", head];
    let proven = home.soma().unwrap().args(verify).finish().await.unwrap();
    assert_eq!(proven.code, 0, "{proven:?}");
    let entries = Entries::read(&host).await;
    entries.assert_paired();
    let ok = entries.kind("receipt").filter(|it| it["outcome"]["kind"] == "ok").count();
    assert!(ok > answered, "{ok} receipts of {answered} answers and the last one");
    println!("full: {answered} answered, {ok} on record");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_on_a_disk_that_only_reads_does_not_start_and_starts_when_it_writes_again() {
    let Some(disk) = Disk::mount("4m").unwrap() else { return };
    let home = TestHome::new().await.unwrap();
    home.install("text", "text", &[]).await.unwrap();
    let (journal, head) = (disk.path().join("journal"), disk.path().join("journal.head"));
    let place = ["--journal", journal.to_str().unwrap(), "--journal-head", head.to_str().unwrap()];
    let host = TestHost::start_with(&home, &place).await.unwrap();
    let call = json!({ "text": "A b" });
    assert_eq!(host.call("text", "slugify", &call).await.unwrap().status, 200);
    host.stop().await.unwrap();
    disk.again("ro").unwrap();
    let Err(refused) = TestHost::start_with(&home, &place).await else {
        panic!("it starts on a disk that only reads")
    };
    let refused = refused.to_string();
    assert!(refused.contains("SOMA-") && !refused.contains("panicked"), "{refused}");
    disk.again("rw").unwrap();
    let host = TestHost::start_with(&home, &place).await.unwrap();
    assert_eq!(host.call("text", "slugify", &call).await.unwrap().status, 200);
    Entries::read(&host).await.assert_paired();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_disk_is_full_refuses_loses_nothing_and_settles_when_there_is_room() {
    let Some(disk) = Disk::mount("24m").unwrap() else { return };
    let base = installed(Realm::found().await.unwrap()).await;
    let fleet = Fleet::start_on(&base, &disk).await;
    assert!(fleet.append().await);
    disk.fill().unwrap();
    let mut refused = None;
    for n in 0..400 {
        let body = json!({ "org": "local", "kind": "top-up", "amount": "0.01 EUR", "reason": "x".repeat(200) });
        let keyed = (fleet.operator.as_str(), &*format!("fill-{n}"));
        let answer = fleet.plane.once("/v1/billing/events", keyed, &body).await.unwrap();
        if answer.status != 201 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("at some point nothing fits any more");
    // The documented answer of a store that cannot write, and no other.
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.code().starts_with("SOMA-"), "{refused:?}");
    // What was accepted can still be read, and the host goes on with what it holds.
    fleet.plane.get("/v1/accounts", &fleet.operator).await.unwrap();
    assert!(fleet.append().await);
    disk.relieve().unwrap();
    assert!(fleet.append().await);
    println!("full server: {} {}", refused.status, refused.code());
    fleet.settled(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_a_disk_that_only_reads_does_not_start_and_starts_when_it_writes_again() {
    let Some(disk) = Disk::mount("24m").unwrap() else { return };
    let base = installed(Realm::found().await.unwrap()).await;
    let mut realm = base.copy_onto(&disk).unwrap();
    disk.again("ro").unwrap();
    let Err(refused) = realm.server(None).await else {
        panic!("it starts on a disk that only reads")
    };
    let refused = refused.to_string();
    assert!(refused.contains("SOMA-") && !refused.contains("panicked"), "{refused}");
    disk.again("rw").unwrap();
    let plane = realm.server(None).await.unwrap();
    let operator = realm.operator.enter(&plane, "platform").await.unwrap();
    assert_sound(&plane, &operator).await;
    plane.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_disk_was_brought_back_from_a_copy_is_caught_and_nothing_is_paid_twice() {
    let base = installed(Realm::found().await.unwrap()).await;
    let fleet = Fleet::start(&base, None).await;
    assert!(fleet.append().await);
    // The copy is of a host that is at rest, as a careful person makes it.
    let Fleet { realm, plane, host, local, operator, call } = fleet;
    host.stop().await.unwrap();
    let copy = realm.twin().unwrap();
    let host = realm.host(&call, None).await.unwrap();
    let fleet = Fleet { realm, plane, host, local, operator, call };
    assert!(fleet.append().await);
    assert!(fleet.append().await);
    let taken = fleet.taken().await;
    let Fleet { realm: _first, plane, host, operator, call, .. } = fleet;
    host.stop().await.unwrap();

    let back = copy.host(&call, None).await.unwrap();
    let state = |page: &Value| hosts(page, "host").all(|it| it["state"] == "quarantined");
    let page = plane.until("/v1/hosts", &operator, state).await.unwrap();
    println!("brought back: {}", hosts(&page, "host").next().unwrap()["quarantine"]);
    // It is not paid, it says what is wrong, and it gets no money to run anything with, not after its next start either.
    let wrong = |ready: &Value| ready["push"].as_str().is_some_and(|it| it.contains("older copy"));
    let ready = back.until("/ready", wrong).await.unwrap();
    println!("brought back: {}", ready["push"]);
    let line = json!({ "name": "todo", "line": "twice" });
    let refused = back.call("notes", "append", &line).await.unwrap();
    assert_ne!(refused.status, 200, "{refused:?}");
    back.stop().await.unwrap();
    let again = copy.host(&call, None).await.unwrap();
    let refused = again.call("notes", "append", &line).await.unwrap();
    assert_ne!(refused.status, 200, "{refused:?}");
    let journals = plane.get("/v1/billing/journals", &operator).await.unwrap();
    assert_eq!(journals["items"][0]["receipts"], taken, "{journals}");
    assert_sound(&plane, &operator).await;
    let log = Soma::new(plane.home()).unwrap().env("SOMA_TOKEN", &operator);
    let log = log.args(["--host", plane.url(), "audit", "log", "--tenant", "platform"]);
    let log = log.succeed().await.unwrap().stdout;
    assert!(log.contains("journal-went-back"), "{log}");
}
