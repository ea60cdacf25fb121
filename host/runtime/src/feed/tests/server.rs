//! A loopback server that speaks the contract: it signs real documents, and can be told to misbehave.

mod routes;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, Method, StatusCode, Uri};
use parking_lot::Mutex;
use serde_json::Value;
use soma_capsule::dsse::{self, Envelope};
use soma_capsule::key::{KeyPair, PublicKey};
use soma_policy::feed::{
    BATCH_CHANGES_MAX, Batch, Change, EpochRaise, FeedHead, HostLease, HostProof, HostReport, Item,
    PROOF_HEADER, Snapshot, Topic, kind,
};
use soma_policy::{Digest, Timestamp};
use tokio::sync::watch;

pub(super) const DEPLOYMENT: &str = "01TEST";
pub(super) const TOKEN: &str = "one-time";
const AT: Timestamp = Timestamp(1_800_000_000_000);
/// How the server misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mode {
    #[default]
    Right,
    /// The feed stands still; heartbeats go on and tell the truth.
    Frozen,
    /// The feed is signed by another key.
    Forged,
    /// Answers are larger than anything.
    Oversize,
    /// Heartbeats are signed by another key.
    ForgedBeat,
    /// Heartbeats answer another nonce.
    OtherNonce,
    /// Nothing is answered any more but errors.
    Down,
    /// The changes do not lead where the batch says.
    WrongHead,
}

pub(super) struct Content {
    pub(super) mode: Mode,
    start: FeedHead,
    changes: Vec<Change>,
    heads: Vec<FeedHead>,
    /// What stands at `start`.
    base: BTreeMap<(&'static str, String), (Topic, Value)>,
    pub(super) files: HashMap<String, Vec<u8>>,
    pub(super) epoch: Option<Vec<u8>>,
    pub(super) host: Option<PublicKey>,
    pub(super) upward: Vec<(String, Vec<u8>)>,
    nonces: Vec<String>,
    pub(super) asked_whole: u32,
    leases: Vec<HostLease>,
    /// Values of secrets by their names, with their versions.
    pub(super) values: BTreeMap<String, (u64, String)>,
    sealing_key: Vec<u8>,
    /// How many values were sent.
    pub(super) sent: u32,
    /// Whether values are not to be had yet.
    pub(super) withheld: bool,
}

pub(super) struct TestServer {
    pub(super) key: KeyPair,
    other: KeyPair,
    pub(super) content: Mutex<Content>,
    bell: watch::Sender<u64>,
    pub(super) reports: watch::Sender<Vec<HostReport>>,
    pub(super) passed: watch::Sender<usize>,
    pub(super) address: SocketAddr,
}

impl TestServer {
    pub(super) async fn start() -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let start = FeedHead::start(0);
        let content = Content {
            mode: Mode::Right,
            start,
            changes: Vec::new(),
            heads: vec![start],
            base: BTreeMap::new(),
            files: HashMap::new(),
            epoch: None,
            host: None,
            upward: Vec::new(),
            nonces: Vec::new(),
            asked_whole: 0,
            leases: Vec::new(),
            values: BTreeMap::new(),
            sealing_key: Vec::new(),
            sent: 0,
            withheld: false,
        };
        let this = Arc::new(Self {
            key: KeyPair::generate().unwrap(),
            other: KeyPair::generate().unwrap(),
            content: Mutex::new(content),
            bell: watch::Sender::new(0),
            reports: watch::Sender::new(Vec::new()),
            passed: watch::Sender::new(0),
            address: listener.local_addr().unwrap(),
        });
        let routes = routes::all(Arc::clone(&this));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        this
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Says something; returns the place after it.
    pub(super) fn say(&self, topic: Topic, subject: &str, payload: Value) -> FeedHead {
        self.say_all([(topic, subject.to_owned(), payload)])
    }

    pub(super) fn say_all(
        &self,
        all: impl IntoIterator<Item = (Topic, String, Value)>,
    ) -> FeedHead {
        let mut content = self.content.lock();
        for (topic, subject, payload) in all {
            let change = Change { at: AT, payload, subject, topic };
            let head = content.head().after(&change).unwrap();
            content.changes.push(change);
            content.heads.push(head);
        }
        let head = content.head();
        drop(content);
        self.bell.send_modify(|n| *n += 1);
        head
    }

    pub(super) fn mode(&self, mode: Mode) {
        self.content.lock().mode = mode;
        self.bell.send_modify(|n| *n += 1);
    }

    /// Goes back to the first `n` changes, as a restored backup would, in an epoch.
    pub(super) fn restore(&self, n: usize, epoch: u64) -> FeedHead {
        let mut content = self.content.lock();
        content.changes.truncate(n);
        content.heads.truncate(n + 1);
        let (base, head) = (content.state(), content.head());
        if epoch != head.epoch {
            content.base = base;
            content.start = FeedHead { epoch, ..head };
            content.changes.clear();
            content.heads = vec![content.start];
        }
        let head = content.head();
        drop(content);
        self.bell.send_modify(|n| *n += 1);
        head
    }

    /// Forgets old changes: whoever is behind must take everything.
    pub(super) fn prune(&self) {
        let mut content = self.content.lock();
        content.base = content.state();
        content.start = content.head();
        content.changes.clear();
        content.heads = vec![content.start];
    }

    pub(super) fn head(&self) -> FeedHead {
        self.content.lock().head()
    }

    /// The root's word on an epoch.
    pub(super) fn raise(&self, epoch: u64, root: &KeyPair) {
        let raise = EpochRaise { at: AT, deployment: DEPLOYMENT.to_owned(), epoch };
        let signed = dsse::sign_document(kind::EPOCH, &raise, &[root]).unwrap();
        self.content.lock().epoch = Some(signed.to_json());
    }

    fn signed<T: serde::Serialize>(&self, kind: &str, it: &T, forged: bool) -> Response {
        let key = if forged { &self.other } else { &self.key };
        dsse::sign_document(kind, it, &[key]).unwrap().to_json().into_response()
    }

    /// Refuses what the host did not sign.
    fn proven(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), Box<Response>> {
        let mut content = self.content.lock();
        if content.mode == Mode::Down {
            return Err(Box::new(StatusCode::SERVICE_UNAVAILABLE.into_response()));
        }
        let host = content.host.clone().unwrap();
        let header = URL_SAFE_NO_PAD.decode(headers.get(PROOF_HEADER).unwrap()).unwrap();
        let envelope = Envelope::from_json(&header).unwrap();
        let proof: HostProof =
            dsse::verify(&envelope, kind::PROOF, &[host]).unwrap().read().unwrap();
        let path = uri.path_and_query().unwrap().as_str();
        let fits = proof.method == method.as_str()
            && proof.path == path
            && proof.body == Digest::of(body)
            && proof.deployment == DEPLOYMENT
            && !content.nonces.contains(&proof.nonce);
        content.nonces.push(proof.nonce);
        if fits { Ok(()) } else { Err(Box::new(StatusCode::UNAUTHORIZED.into_response())) }
    }
}

impl Content {
    fn head(&self) -> FeedHead {
        *self.heads.last().unwrap()
    }

    fn state(&self) -> BTreeMap<(&'static str, String), (Topic, Value)> {
        let mut state = self.base.clone();
        for Change { topic, subject, payload, .. } in &self.changes {
            let key = (topic.as_str(), subject.clone());
            if payload.is_null() {
                state.remove(&key);
            } else {
                state.insert(key, (*topic, payload.clone()));
            }
        }
        state
    }

    fn after(&self, here: &FeedHead) -> Option<Batch> {
        let at = self.heads.iter().position(|head| head == here)?;
        let end = self.changes.len().min(at + BATCH_CHANGES_MAX);
        let (changes, head) = (self.changes[at..end].to_vec(), self.heads[end]);
        Some(Batch { changes, deployment: DEPLOYMENT.to_owned(), from: *here, head })
    }

    fn whole(&self) -> Snapshot {
        let items = self.state().into_iter().map(|((_, subject), (topic, payload))| Item {
            payload,
            subject,
            topic,
        });
        let (deployment, head) = (DEPLOYMENT.to_owned(), self.head());
        Snapshot { deployment, head, items: items.collect() }
    }
}
