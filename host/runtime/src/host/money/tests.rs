//! A host beside a server on loopback, which signs what it answers, or does not.

use std::collections::BTreeMap;
use std::path::PathBuf;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use parking_lot::Mutex;
use soma_capsule::{KeyPair, dsse};
use soma_policy::feed::{Heartbeat, HostLease, HostReport, HostRole, PROOF_HEADER};
use soma_policy::price::Terms;
use soma_policy::{
    AuditEvent, AuditKind, Currency, Digest, HostId, JournalEntry, JournalId, LeaseId, Money,
    Timestamp,
};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::*;
use crate::clock::SystemClock;
use crate::home::{Birth, Home, Server};
use crate::host::HostOptions;

const HOST: HostId = HostId::from_u128(7);
const LEASE: LeaseId = LeaseId::from_u128(77);

/// How the answer to a push is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answers {
    Signed,
    Plain,
    /// By a key that is not the feed's.
    OtherKey,
    /// A document of another kind that says the same.
    OtherKind,
}

/// Gives one lease to whoever asks first, and takes every journal.
struct Peer {
    key: KeyPair,
    answers: Answers,
    /// Reports that find no answer.
    deaf: usize,
    books: Mutex<Books>,
    changed: Notify,
}

#[derive(Default)]
struct Books {
    records: Vec<String>,
    closed: BTreeMap<LeaseId, u64>,
    given: bool,
    unproven: usize,
    reports: usize,
    /// Requests that came before a report was answered.
    early: usize,
    pushes: usize,
}

impl Peer {
    fn ack(books: &Books, push: &JournalPush) -> JournalAck {
        let last = books.records.last();
        let hash = last.map_or(Digest::ZERO, |last| Digest::of(last.as_bytes()));
        let (journal, nonce) = (push.journal, push.nonce.clone());
        JournalAck { hash, host: HOST, journal, next: books.records.len() as u64 + 1, nonce }
    }

    fn counts(&self, books: &mut Books, headers: &HeaderMap) {
        books.unproven += usize::from(!headers.contains_key(PROOF_HEADER));
        books.early += usize::from(books.reports <= self.deaf);
    }

    fn signed(&self, ack: &JournalAck) -> Vec<u8> {
        let sign =
            |kind: &str, key: &KeyPair| dsse::sign_document(kind, ack, &[key]).unwrap().to_json();
        match self.answers {
            Answers::Signed => sign(kind::ACK, &self.key),
            Answers::Plain => serde_json::to_vec(ack).unwrap(),
            Answers::OtherKey => sign(kind::ACK, &KeyPair::generate().unwrap()),
            Answers::OtherKind => sign(kind::LEASES, &self.key),
        }
    }

    /// Waits until the books are so.
    async fn until(&self, what: impl Fn(&Books) -> bool) {
        loop {
            let changed = self.changed.notified();
            if what(&self.books.lock()) {
                return;
            }
            changed.await;
        }
    }
}

async fn leases(
    State(peer): State<Arc<Peer>>,
    headers: HeaderMap,
    Json(asked): Json<LeaseWishes>,
) -> Vec<u8> {
    let mut books = peer.books.lock();
    peer.counts(&mut books, &headers);
    books.closed.extend(asked.closes.iter().map(|close| (close.lease, close.seq)));
    let now = asked_at();
    let lease = HostLease {
        boot: asked.boot,
        bytes: None,
        day: now.day(),
        id: LEASE,
        installation: "local/production/csv".parse().unwrap(),
        money: Money { micros: 1_000, currency: Currency::EUR },
        start_by: Timestamp(now.0 + 3_600_000),
        terms: Terms::free(Currency::EUR).digest().unwrap(),
    };
    let leases = if std::mem::replace(&mut books.given, true) { Vec::new() } else { vec![lease] };
    let answer = LeaseAnswer { host: HOST, leases, recalls: Vec::new(), refused: Vec::new() };
    drop(books);
    peer.changed.notify_one();
    dsse::sign_document(kind::LEASES, &answer, &[&peer.key]).unwrap().to_json()
}

fn asked_at() -> Timestamp {
    use crate::clock::Clock as _;
    SystemClock::new().now()
}

async fn intake(
    State(peer): State<Arc<Peer>>,
    headers: HeaderMap,
    Json(push): Json<JournalPush>,
) -> Vec<u8> {
    let mut books = peer.books.lock();
    peer.counts(&mut books, &headers);
    books.pushes += 1;
    for (seq, record) in (push.from..).zip(&push.records) {
        let next = books.records.len() as u64 + 1;
        if seq == next {
            books.records.push(record.clone());
        } else if seq < next {
            assert_eq!(&books.records[seq as usize - 1], record, "a fork");
        }
    }
    let ack = Peer::ack(&books, &push);
    drop(books);
    peer.changed.notify_one();
    peer.signed(&ack)
}

async fn heartbeat(
    State(peer): State<Arc<Peer>>,
    Json(report): Json<HostReport>,
) -> Result<Vec<u8>, StatusCode> {
    let mut books = peer.books.lock();
    books.reports += 1;
    if books.reports <= peer.deaf {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let (deployment, nonce) = ("d".to_owned(), report.nonce);
    let beat = Heartbeat { at: asked_at(), deployment, head: report.head, host: HOST, nonce };
    Ok(dsse::sign_document(kind::HEARTBEAT, &beat, &[&peer.key]).unwrap().to_json())
}

async fn peer(answers: Answers, deaf: usize) -> (Arc<Peer>, Server) {
    let (books, changed) = Default::default();
    let key = KeyPair::generate().unwrap();
    let peer = Arc::new(Peer { key, answers, deaf, books, changed });
    let router = Router::new()
        .route("/v1/feed/heartbeat", post(heartbeat))
        .route(LEASES, post(leases))
        .route(JOURNAL, post(intake))
        .with_state(Arc::clone(&peer));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let server = Server {
        url,
        deployment: "d".to_owned(),
        feed_key: peer.key.public().clone(),
        issuer: "soma:d".to_owned(),
        role: HostRole::Host,
        region: None,
        anchor: None,
    };
    (peer, server)
}

fn home(folder: &tempfile::TempDir) -> Home {
    let birth = Birth { now: asked_at(), host: HOST, person: "ada".to_owned(), passphrase: None };
    Home::open_or_create(&folder.path().join("home"), &birth).unwrap().0
}

fn open(folder: &tempfile::TempDir, server: Server) -> Arc<Host> {
    let home = home(folder);
    Host::open(HostOptions {
        home,
        clock: Arc::new(SystemClock::new()),
        compiler: (PathBuf::from("/bin/false"), String::new()),
        calls_max: 4,
        queue_max: 4,
        idle: Duration::from_secs(60),
        journal: None,
        head: None,
        development: None,
        own: Vec::new(),
        guest_threads: 1,
        loopback: Vec::new(),
        mapped_only: false,
        server: Some(server),
    })
    .unwrap()
}

fn note(text: &str) -> JournalEntry {
    JournalEntry::Audit(Box::new(AuditEvent {
        actor: "home".to_owned(),
        at: Timestamp(1),
        digest: None,
        environment: None,
        event: AuditKind::TrustChanged,
        org: None,
        subject: text.to_owned(),
    }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_takes_leases_says_its_last_word_and_sends_its_journal_again_to_a_restored_server() {
    let folder = tempfile::tempdir().unwrap();
    let (peer, server) = peer(Answers::Signed, 0).await;
    let folder = Arc::new(folder);
    let place = Arc::clone(&folder);
    let host = tokio::task::spawn_blocking(move || open(&place, server)).await.unwrap();
    host.leases().learn(Terms::free(Currency::EUR)).unwrap();
    // Nothing of it is installed here: it goes back at once.
    peer.until(|books| {
        books.closed.get(&LEASE).is_some_and(|seq| books.records.len() as u64 >= *seq)
    })
    .await;
    let told = |books: &Books| {
        let named = |record: &&String| record.contains(&LEASE.to_string());
        books.records.iter().filter(named).cloned().collect::<Vec<_>>()
    };
    let of_it = told(&peer.books.lock());
    assert!(of_it[0].contains("\"given\"") && !of_it[0].contains("\"event\""), "{of_it:?}");
    assert!(of_it[1].contains("\"event\":\"closing\""), "{of_it:?}");
    let last = peer.books.lock().closed[&LEASE];
    assert!(of_it[1].contains(&format!("\"seq\":\"{last}\"")), "the close names it");
    // The server is restored to an older state, and gets what it lost as soon as there is more to send.
    peer.books.lock().records.truncate(2);
    host.journal().append(&note("afterwards")).durable().await.unwrap();
    peer.until(|books| books.records.iter().any(|record| record.contains("afterwards"))).await;
    let page = host.journal().read(0, 10_000).unwrap();
    let books = peer.books.lock();
    let held = page.records.iter().map(|line| &line.record);
    assert!(books.records.iter().zip(held).all(|(a, b)| a == b) && books.unproven == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_asked_or_sent_before_the_server_has_answered_a_report_of_this_run() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let (peer, server) = peer(Answers::Signed, 1).await;
    let place = Arc::clone(&folder);
    let host = tokio::task::spawn_blocking(move || open(&place, server)).await.unwrap();
    // The first report finds no answer; after the second one leases are asked for and the journal goes up.
    peer.until(|books| books.given && !books.records.is_empty()).await;
    let books = peer.books.lock();
    assert_eq!((books.early, books.reports >= 2), (0, true));
    drop(books);
    drop(host);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_to_a_push_counts_only_if_the_feed_key_signed_it_as_one() {
    for answers in [Answers::Signed, Answers::Plain, Answers::OtherKey, Answers::OtherKind] {
        let folder = tempfile::tempdir().unwrap();
        let (_peer, server) = peer(answers, 0).await;
        let client = FeedClient::new(&home(&folder), server, Arc::new(SystemClock::new())).unwrap();
        let journal = JournalId::from_u128(5);
        let push = JournalPush { from: 1, journal, nonce: nonce().unwrap(), records: Vec::new() };
        match (answers, send(&client, &push).await) {
            (Answers::Signed, Ok(ack)) => assert_eq!((ack.nonce, ack.next), (push.nonce, 1)),
            (Answers::Signed, Err(error)) => panic!("{error}"),
            (_, answer) => {
                assert!(matches!(answer, Err(FeedError::Document(_))), "{answers:?}: {answer:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_sends_nothing_to_whom_the_feed_key_does_not_vouch_for_and_says_so() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let (peer, server) = peer(Answers::OtherKey, 0).await;
    let place = Arc::clone(&folder);
    let host = tokio::task::spawn_blocking(move || open(&place, server)).await.unwrap();
    // It asks for the place again, and by then it has said what was wrong with the first answer.
    peer.until(|books| books.pushes >= 2).await;
    let fault = host.push_fault().unwrap();
    assert!(fault.contains("does not count"), "{fault}");
    assert!(peer.books.lock().records.is_empty());
}
