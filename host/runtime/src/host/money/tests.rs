//! A host beside a server on loopback, which signs what it answers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use parking_lot::Mutex;
use soma_capsule::{KeyPair, dsse};
use soma_policy::feed::{HostLease, HostRole, PROOF_HEADER};
use soma_policy::price::Terms;
use soma_policy::{
    AuditEvent, AuditKind, Currency, Digest, HostId, JournalEntry, LeaseId, Money, Timestamp,
};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::*;
use crate::clock::SystemClock;
use crate::home::{Birth, Home, Server};
use crate::host::HostOptions;

const HOST: HostId = HostId::from_u128(7);
const LEASE: LeaseId = LeaseId::from_u128(77);

/// Gives one lease to whoever asks first, and takes every journal.
struct Peer {
    key: KeyPair,
    books: Mutex<Books>,
    changed: Notify,
}

#[derive(Default)]
struct Books {
    records: Vec<String>,
    closed: BTreeMap<LeaseId, u64>,
    given: bool,
    unproven: usize,
}

impl Peer {
    fn ack(books: &Books, push: &JournalPush) -> JournalAck {
        let last = books.records.last();
        let hash = last.map_or(Digest::ZERO, |last| Digest::of(last.as_bytes()));
        JournalAck { hash, journal: push.journal, next: books.records.len() as u64 + 1 }
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
    books.unproven += usize::from(!headers.contains_key(PROOF_HEADER));
    books.closed.extend(asked.closes.iter().map(|close| (close.lease, close.seq)));
    let now = asked_at();
    let lease = HostLease {
        boot: asked.boot,
        bytes: 0,
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
) -> Json<JournalAck> {
    let mut books = peer.books.lock();
    books.unproven += usize::from(!headers.contains_key(PROOF_HEADER));
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
    Json(ack)
}

async fn peer() -> (Arc<Peer>, Server) {
    let (books, changed) = Default::default();
    let peer = Arc::new(Peer { key: KeyPair::generate().unwrap(), books, changed });
    let router = Router::new()
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

fn open(folder: &tempfile::TempDir, server: Server) -> Arc<Host> {
    let birth = Birth { now: asked_at(), host: HOST, person: "ada".to_owned(), passphrase: None };
    let home = Home::open_or_create(&folder.path().join("home"), &birth).unwrap().0;
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
    let (peer, server) = peer().await;
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
