//! A host that dies where its journal begins a new segment, folds closed ones into a checkpoint, or lets old ones go.

use serde_json::{Value, json};
use soma_tests::{Realm, Soma, TestHome, TestHost};

use super::fleet::{Fleet, Who, installed};
use super::host::{again, fresh_call, names_as, noted};
use super::server::assert_sound;

/// The shortest segments that there are.
const SHORT: &str = "schema = 1\n[journal]\nsegment = \"64 KiB\"\n";
/// More calls than any of these points needs.
const CALLS_MAX: usize = 2000;
/// Points of a host alone; each the second time too, when there is something before it.
const KEEPING: &[&str] = &[
    "host.journal.rotated",
    "host.journal.rotated:2",
    "host.checkpoint.begun",
    "host.checkpoint.kept",
    "host.checkpoint.begun:2",
    "host.checkpoint.kept:2",
];
const LETTING_GO: &[&str] = &["host.journal.forgotten", "host.journal.pruned"];

/// Calls until the host is gone; which calls were answered.
async fn until_dead(host: &TestHost) -> Vec<String> {
    let mut answered = Vec::new();
    loop {
        let call = fresh_call();
        match names_as(host, &call).await {
            Ok(200) => answered.push(call),
            Ok(status) => panic!("{status}"),
            Err(_) => return answered,
        }
        assert!(answered.len() < CALLS_MAX, "the point is never reached");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_segment_or_a_checkpoint_that_was_cut_off_loses_nothing_and_doubles_nothing() {
    for point in KEEPING {
        let home = noted().await;
        std::fs::write(home.path().join("host.toml"), SHORT).unwrap();
        let host = TestHost::start_to_crash(&home, point).await.unwrap();
        let answered = until_dead(&host).await;
        host.killed().await.unwrap();
        let (host, entries) = again(&home).await;
        entries.assert_paired();
        for call in &answered {
            assert_eq!(entries.outcomes(call), ["ok"], "{point}: an answered call");
        }
        println!("{point:<28} {} answered", answered.len());
        // What it has learnt of its leases is what the receipts say, from a checkpoint as from the beginning.
        super::host::goes_on(&home, host, answered.last().unwrap()).await;
        whole(&home).await;
    }
}

/// A further start reads the journal from its latest checkpoint, and it is proven from its beginning.
async fn whole(home: &TestHome) {
    let (host, entries) = again(home).await;
    entries.assert_paired();
    host.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_died_while_it_let_old_segments_go_goes_on_and_the_server_has_all_of_them() {
    let base = installed(Realm::found().await.unwrap()).await;
    std::fs::write(base.home().join("host.toml"), SHORT).unwrap();
    for point in LETTING_GO {
        let fleet = Fleet::start(&base, Some((Who::Host, point))).await;
        assert!(fleet.append().await);
        let answered = until_dead(&fleet.host).await.len();
        let fleet = fleet.again(Who::Host).await;
        assert!(fleet.append().await);
        let note = fleet.host.call("notes", "get", &json!({ "name": "todo" })).await.unwrap();
        assert_eq!(note.body["revision"], "2", "{note:?}");
        let Fleet { realm, plane, host, operator, .. } = fleet;
        host.stop().await.unwrap();
        // Nothing is missing in front of what is kept, and all of it is one chain.
        let soma = Soma::new(realm.home()).unwrap().args(["audit", "verify", "--output", "json"]);
        let proven = soma.succeed().await.unwrap().json().unwrap();
        let number = |name: &str| proven[name].as_str().unwrap().parse::<u64>().unwrap();
        println!("{point:<28} {answered} answered, {} of {} kept", number("first"), number("last"));
        assert!(number("first") > 1, "nothing was let go: {proven}");
        let host = realm.host("", None).await.unwrap();
        let beyond = |page: &Value| {
            let next = page["items"][0]["next"].as_str().map(|next| next.parse::<u64>().unwrap());
            next.is_some_and(|next| next > number("last"))
        };
        let journals = plane.until("/v1/billing/journals", &operator, beyond).await.unwrap();
        let journal = &journals["items"][0];
        assert_eq!(journal["state"], "good", "{journal}");
        let receipts = &journal["receipts"];
        let receipts = receipts.as_u64().or_else(|| receipts.as_str()?.parse().ok()).unwrap();
        // Two lines, what was answered, the note; and at most the call that nobody was told the end of.
        let sure = u64::try_from(answered).unwrap() + 3;
        assert!((sure..=sure + 1).contains(&receipts), "{receipts} of {sure}");
        assert_sound(&plane, &operator).await;
        host.stop().await.unwrap();
        plane.stop().await.unwrap();
    }
}
