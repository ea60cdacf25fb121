//! The routes of the contract.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::json;
use soma_capsule::dsse::Envelope;
use soma_capsule::key::PublicKey;
use soma_policy::feed::{
    Batch, Enrol, Enrolled, FeedHead, Heartbeat, HostLease, HostProof, HostReport, LeaseAnswer,
    LeaseWish, LeaseWishes, PROOF_HEADER, SecretAsk, Secrets, kind,
};
use soma_policy::price::Terms;
use soma_policy::{Currency, Digest, LeaseId, Money};

use super::{AT, DEPLOYMENT, Mode, TOKEN, TestServer};
use crate::feed::secrets::fixture::{place, sealed};

type Server = State<Arc<TestServer>>;

/// An answer is never held back for longer: tests do not wait for twenty seconds.
const HELD_MAX: Duration = Duration::from_secs(2);

pub(super) fn all(server: Arc<TestServer>) -> Router {
    Router::new()
        .route("/v1/hosts", post(join))
        .route("/v1/feed", get(feed))
        .route("/v1/feed/heartbeat", post(beat))
        .route("/v1/feed/epoch", get(epoch))
        .route("/v1/feed/components/{*path}", get(file))
        .route("/v1/feed/leases", post(leases))
        .route("/v1/feed/secrets", post(secrets))
        .route("/v1/kill-orders", post(upward))
        .route("/v1/feed/kill-receipts", post(upward))
        .with_state(server)
}

async fn join(State(server): Server, headers: HeaderMap, body: Bytes) -> Response {
    if headers.get("authorization").unwrap() != &format!("Bearer {TOKEN}") {
        let problem = json!({ "code": "SOMA-T018", "detail": "the token was used" });
        return (StatusCode::FORBIDDEN, axum::Json(problem)).into_response();
    }
    let enrol: Enrol = serde_json::from_slice(&body).unwrap();
    let key = STANDARD.decode(&enrol.signing_key).unwrap();
    let sealing_key = STANDARD.decode(&enrol.sealing_key).unwrap();
    assert_eq!(sealing_key.len(), 32);
    server.content.lock().sealing_key = sealing_key;
    server.content.lock().host = Some(PublicKey::from_spki_der(&key).unwrap());
    let enrolled = Enrolled {
        deployment: DEPLOYMENT.to_owned(),
        feed_key: STANDARD.encode(server.key.public().spki_der()),
        host: enrol.host,
        issuer: format!("soma:{DEPLOYMENT}"),
    };
    (StatusCode::CREATED, axum::Json(enrolled)).into_response()
}

async fn feed(
    State(server): Server,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    if let Err(refused) = server.proven(&method, &uri, &headers, b"") {
        return *refused;
    }
    let here = query.get("n").map(|n| FeedHead {
        epoch: query["epoch"].parse().unwrap(),
        hash: query["hash"].parse().unwrap(),
        n: n.parse().unwrap(),
    });
    let mut bell = server.bell.subscribe();
    let wait = async {
        loop {
            let seen = *bell.borrow_and_update();
            {
                let content = server.content.lock();
                let batch = here.and_then(|here| content.after(&here));
                let quiet = batch.is_some_and(|batch| batch.changes.is_empty());
                let frozen = content.mode == Mode::Frozen && here.is_some();
                if !(quiet || frozen) {
                    return;
                }
            }
            tracing::trace!(seen, "nothing new");
            if bell.changed().await.is_err() {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(HELD_MAX, wait).await;
    answer(&server, here)
}

fn answer(server: &TestServer, here: Option<FeedHead>) -> Response {
    let mut content = server.content.lock();
    let mode = content.mode;
    let empty = |here: FeedHead| Batch {
        changes: Vec::new(),
        deployment: DEPLOYMENT.to_owned(),
        from: here,
        head: here,
    };
    let batch = match (mode, here) {
        (Mode::Oversize, _) => return vec![b' '; (256 << 20) + 1].into_response(),
        (Mode::Frozen, Some(here)) => Some(empty(here)),
        (_, Some(here)) => content.after(&here),
        (_, None) => None,
    };
    match batch {
        Some(mut batch) => {
            if mode == Mode::WrongHead {
                batch.head.hash = Digest::of(b"elsewhere");
            }
            server.signed(kind::BATCH, &batch, mode == Mode::Forged)
        }
        None => {
            content.asked_whole += 1;
            server.signed(kind::SNAPSHOT, &content.whole(), mode == Mode::Forged)
        }
    }
}

async fn beat(
    State(server): Server,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(refused) = server.proven(&method, &uri, &headers, &body) {
        return *refused;
    }
    let report: HostReport = serde_json::from_slice(&body).unwrap();
    let (head, mode) = {
        let content = server.content.lock();
        (content.head(), content.mode)
    };
    let host = read_host(&headers);
    let nonce = match mode {
        Mode::OtherNonce => "another-nonce-of-22ch".to_owned(),
        _ => report.nonce.clone(),
    };
    let deployment = DEPLOYMENT.to_owned();
    let beat = Heartbeat { at: AT, deployment, head, host, nonce };
    server.reports.send_modify(|reports| reports.push(report));
    server.signed(kind::HEARTBEAT, &beat, mode == Mode::ForgedBeat)
}

fn read_host(headers: &HeaderMap) -> soma_policy::HostId {
    let header = URL_SAFE_NO_PAD.decode(headers.get(PROOF_HEADER).unwrap()).unwrap();
    let envelope = Envelope::from_json(&header).unwrap();
    serde_json::from_slice::<HostProof>(envelope.unverified_payload()).unwrap().host
}

async fn epoch(State(server): Server) -> Response {
    match server.content.lock().epoch.clone() {
        Some(document) => document.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn file(State(server): Server, Path(path): Path<String>) -> Response {
    match server.content.lock().files.get(&path) {
        Some(bytes) => bytes.clone().into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn leases(
    State(server): Server,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(refused) = server.proven(&method, &uri, &headers, &body) {
        return *refused;
    }
    let wishes: LeaseWishes = serde_json::from_slice(&body).unwrap();
    let terms = Terms::free(Currency::EUR).digest().unwrap();
    let mut content = server.content.lock();
    for LeaseWish { installation, .. } in wishes.wishes {
        let lease = HostLease {
            boot: wishes.boot,
            bytes: Some(1 << 30),
            day: AT.day(),
            id: LeaseId::from_u128(content.leases.len() as u128 + 1),
            installation,
            money: Money { micros: 1_000_000_000, currency: Currency::EUR },
            start_by: AT.next_day(),
            terms,
        };
        content.leases.push(lease);
    }
    let mine = content.leases.iter().filter(|lease| lease.boot == wishes.boot);
    let leases = mine.cloned().collect();
    drop(content);
    let host = read_host(&headers);
    let answer = LeaseAnswer { host, leases, recalls: Vec::new(), refused: Vec::new() };
    server.signed(kind::LEASES, &answer, false)
}

async fn secrets(
    State(server): Server,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(refused) = server.proven(&method, &uri, &headers, &body) {
        return *refused;
    }
    let asks: Vec<SecretAsk> = serde_json::from_slice(&body).unwrap();
    let host = read_host(&headers);
    let mut content = server.content.lock();
    let mut sent = Vec::new();
    for ask in asks.iter().filter(|_| !content.withheld) {
        let Some((version, value)) = content.values.get(ask.name.as_str()) else { continue };
        let at = place(ask.name.as_str());
        sent.push(sealed(&content.sealing_key, host, &at, *version, value.as_bytes()));
    }
    content.sent += u32::try_from(sent.len()).unwrap();
    drop(content);
    server.signed(kind::SECRETS, &Secrets { host, secrets: sent }, false)
}

async fn upward(
    State(server): Server,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(refused) = server.proven(&method, &uri, &headers, &body) {
        return *refused;
    }
    let count = {
        let mut content = server.content.lock();
        content.upward.push((uri.path().to_owned(), body.to_vec()));
        content.upward.len()
    };
    server.passed.send_replace(count);
    StatusCode::OK.into_response()
}
