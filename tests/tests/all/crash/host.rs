//! A host alone: it dies at a point while a call runs, and what it shows when it starts again.

use serde_json::json;
use soma_host::clock::{Clock as _, SystemClock};
use soma_policy::{CallId, Money};
use soma_tests::{TestHome, TestHost, github};

use super::journal::Entries;
use crate::all::range::Range;

/// What became of the note that the call was to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Note {
    /// Nothing was written.
    Absent,
    /// It was written once.
    Once,
}

/// Where the host dies, what may be on record of the call then, and what of its effect is there.
struct Row {
    point: &'static str,
    /// Outcomes that the receipt may have; empty if there may be none at all.
    outcomes: &'static [&'static str],
    /// Whether the call may leave no trace.
    traceless: bool,
    note: Note,
}

const ROWS: &[Row] = &[
    Row {
        point: "host.start.recorded",
        outcomes: &["interrupted"],
        traceless: true,
        note: Note::Absent,
    },
    Row {
        point: "host.effect.due",
        outcomes: &["interrupted"],
        traceless: false,
        note: Note::Absent,
    },
    Row {
        point: "host.effect.kept",
        outcomes: &["interrupted"],
        traceless: false,
        note: Note::Once,
    },
    Row {
        point: "host.receipt.appended",
        outcomes: &["interrupted", "ok"],
        traceless: false,
        note: Note::Once,
    },
    Row { point: "host.receipt.durable", outcomes: &["ok"], traceless: false, note: Note::Once },
];

/// Groups that the journal commits from the start of the process on; the first ones are the host's own.
const GROUPS: [u32; 4] = [1, 4, 12, 15];

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_dies_at_any_point_of_a_call_has_one_receipt_for_each_start_and_one_effect() {
    for row in ROWS {
        let home = noted().await;
        let host = TestHost::start_to_crash(&home, row.point).await.unwrap();
        let call = append(&host).await;
        host.killed().await.unwrap();
        let (host, entries) = again(&home).await;
        let outcomes = entries.outcomes(&call);
        println!("{:<24} {outcomes:?}", row.point);
        assert_eq!(outcomes.len(), entries.starts(&call), "{}", row.point);
        assert!(row.traceless || outcomes.len() == 1, "{}: {outcomes:?}", row.point);
        let known = |outcome: &String| row.outcomes.contains(&outcome.as_str());
        assert!(outcomes.iter().all(known), "{}: {outcomes:?}", row.point);
        assert_eq!(revision(&host).await, row.note, "{}", row.point);
        goes_on(&home, host, &call).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_is_cut_off_at_any_step_of_any_group_has_everything_that_was_answered() {
    for moment in ["host.journal.written", "host.journal.synced", "host.journal.headed"] {
        let (home, mut all) = (noted().await, 0);
        for group in GROUPS {
            let point = format!("{moment}:{group}");
            let (entries, answered) = until_dead(&home, &point).await;
            entries.assert_paired();
            for call in &answered {
                assert_eq!(entries.outcomes(call), ["ok"], "{point}: an answered call");
            }
            println!("{point:<24} {} answered", answered.len());
            all += answered.len();
        }
        assert!(all > 0, "{moment}: it always ended before it answered anybody");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_was_acknowledged_stands_after_a_crash_and_one_that_was_not_can_be_given_again()
 {
    for (point, stands) in
        [("host.kill.taken", false), ("host.kill.stored", true), ("host.kill.receipted", true)]
    {
        let home = noted().await;
        let host = TestHost::start_to_crash(&home, point).await.unwrap();
        let kill = ["kill", "installation:local/production/notes", "--reason", "drill", "--yes"];
        let said = home.soma().unwrap().args(["--host", host.url()]).args(kill);
        let said = said.within(home.path()).finish().await.unwrap();
        assert_ne!(said.code, 0, "{point}: nobody may be told that it stands: {said:?}");
        host.killed().await.unwrap();
        let (host, entries) = again(&home).await;
        entries.assert_paired();
        let called = host.call("notes", "names", &json!({})).await.unwrap();
        println!("{point:<24} stands: {stands}");
        assert_eq!(called.status, if stands { 403 } else { 200 }, "{point}: {called:?}");
        let again = home.soma().unwrap().args(["--host", host.url()]).args(kill);
        again.within(home.path()).succeed().await.unwrap();
        let called = host.call("notes", "names", &json!({})).await.unwrap();
        assert_eq!((called.status, called.body["outcome"].is_null()), (403, false), "{called:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_that_was_cut_off_is_repeated_and_runs() {
    for point in ["capsule.layout.begun", "capsule.layout.component"] {
        let home = TestHome::new().await.unwrap();
        let packed = home.pack("text").await.unwrap();
        let install = || home.soma().unwrap().args(["install"]).args([&packed]);
        let cut = install().crash_at(point).finish().await.unwrap();
        assert_eq!(cut.code, -1, "{point}: {cut:?}");
        install().succeed().await.unwrap();
        let host = TestHost::start(&home).await.unwrap();
        let reply = host.call("text", "slugify", &json!({ "text": "A b" })).await.unwrap();
        assert_eq!((reply.status, reply.body), (200, json!("a-b")), "{point}");
        println!("{point:<24} repeated");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_went_out_before_the_host_died_is_never_sent_again() {
    let range = Range::new().await;
    range.home.secret("github-token", github::TOKEN).await.unwrap();
    range.home.install("github", "issues", &["--secret", "token=github-token"]).await.unwrap();
    let host = TestHost::start_to_crash(&range.home, "host.effect.sent").await.unwrap();
    let call = fresh_call();
    let file = async |host: &TestHost| {
        let arguments =
            json!({ "repo": "octocat/Hello-World", "title": "It breaks", "labels": [] });
        let route = "/v1/installations/issues/calls/create-issue";
        let request = host.request(reqwest::Method::POST, route).header("idempotency-key", &call);
        request.json(&arguments).send().await.map(|answer| answer.status().as_u16())
    };
    assert!(file(&host).await.is_err());
    host.killed().await.unwrap();
    let (host, entries) = again(&range.home).await;
    assert_eq!(
        (entries.starts(&call), entries.outcomes(&call)),
        (1, vec!["interrupted".to_owned()])
    );
    assert_eq!(file(&host).await.unwrap(), 409);
    assert_eq!(range.github.seen().len(), 1);
    println!("host.effect.sent         sent once");
}

/// A home with one installation that keeps notes.
pub(super) async fn noted() -> TestHome {
    let home = TestHome::new().await.unwrap();
    home.install("kv-notes", "notes", &["--budget", "5.00 EUR/day"]).await.unwrap();
    home
}

pub(super) fn fresh_call() -> String {
    CallId::from_u128(SystemClock::new().fresh_id()).to_string()
}

/// Writes a line of the note under a key of its own; the answer may never come.
async fn append(host: &TestHost) -> String {
    let call = fresh_call();
    let answered = append_as(host, &call).await;
    assert!(answered.is_err(), "the host was to die: {answered:?}");
    call
}

async fn append_as(host: &TestHost, call: &str) -> reqwest::Result<(u16, String)> {
    let line = json!({ "name": "todo", "line": "once" });
    let route = "/v1/installations/notes/calls/append";
    let request = host.request(reqwest::Method::POST, route).header("idempotency-key", call);
    let answer = request.json(&line).send().await?;
    let status = answer.status().as_u16();
    Ok((status, answer.text().await?))
}

/// Reads the names of all notes under a key of its own: a call that changes nothing.
pub(super) async fn names_as(host: &TestHost, call: &str) -> reqwest::Result<u16> {
    let route = "/v1/installations/notes/calls/names";
    let request = host.request(reqwest::Method::POST, route).header("idempotency-key", call);
    let answer = request.json(&json!({})).send().await?;
    let status = answer.status().as_u16();
    answer.bytes().await.map(|_| status)
}

/// The host once more, with a journal that is proven.
pub(super) async fn again(home: &TestHome) -> (TestHost, Entries) {
    let host = TestHost::start(home).await.unwrap();
    let entries = Entries::of(home, &host).await;
    (host, entries)
}

async fn revision(host: &TestHost) -> Note {
    let read = host.call("notes", "get", &json!({ "name": "todo" })).await.unwrap();
    match read.body["revision"].as_str() {
        Some("1") => Note::Once,
        None if read.body["guest_error"]["no-such-note"].is_null() && read.status == 422 => {
            Note::Absent
        }
        _ => panic!("{read:?}"),
    }
}

/// The call is never run a second time, others are, and the day's spending is what the receipts say.
pub(super) async fn goes_on(home: &TestHome, host: TestHost, call: &str) {
    let (status, body) = append_as(&host, call).await.unwrap();
    assert_eq!(status, 409, "{body}");
    let fresh = fresh_call();
    assert_eq!(append_as(&host, &fresh).await.unwrap().0, 200);
    let entries = Entries::of(home, &host).await;
    entries.assert_paired();
    let charged: i64 = entries.kind("receipt").map(charge).sum();
    let shown = host.get("/v1/installations").await.unwrap();
    let spent: Option<Money> = serde_json::from_value(shown["items"][0]["spent"].clone()).unwrap();
    assert_eq!(spent.map_or(0, |spent| spent.micros), charged, "{shown}");
    let (said, code) = host.stop().await.unwrap();
    assert_eq!(code, Some(0), "{said}");
}

fn charge(receipt: &serde_json::Value) -> i64 {
    let charge: Option<Money> = serde_json::from_value(receipt["charge"].clone()).unwrap();
    charge.map_or(0, |charge| charge.micros)
}

/// Calls until the host is gone: at its start, or under a call. What it holds then, and what was answered.
async fn until_dead(home: &TestHome, point: &str) -> (Entries, Vec<String>) {
    let mut answered = Vec::new();
    if let Ok(host) = TestHost::start_to_crash(home, point).await {
        loop {
            let call = fresh_call();
            match append_as(&host, &call).await {
                Ok((200, _)) => answered.push(call),
                Ok((status, body)) => panic!("{point}: {status} {body}"),
                Err(_) => break,
            }
            assert!(answered.len() < 50, "{point} is never reached");
        }
        host.killed().await.unwrap();
    }
    let (host, entries) = again(home).await;
    host.stop().await.unwrap();
    (entries, answered)
}
