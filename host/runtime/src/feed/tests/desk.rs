//! A home that joined a test server, capsules that the marketplace published, and a host on it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use soma_capsule::key::KeyPair;
use soma_capsule::{CapsuleFile, bundle, dsse, section};
use soma_policy::feed::{
    AcceptedOffer, CandidateState, FeedHead, HostRole, Installed, IssuerState, PublisherKeys,
    ReleaseApproval, RevisionState, RevokedRelease, Topic, kind,
};
use soma_policy::price::Terms;
use soma_policy::{Currency, Digest, HostId, InstallationKey, Timestamp, TokenId};

use super::server::{DEPLOYMENT, TOKEN, TestServer};
use crate::clock::Clock;
use crate::feed::following::Feed;
use crate::feed::{Joining, enrol};
use crate::home::{
    Birth, Home, OperatorEntry, OperatorFile, OperatorsOnDisk as _, Server, encoded, write_private,
};
use crate::token::{Issuer, Scope, TokenAsk};
use crate::{CallReply, CallRequest, Host, HostOptions, Pending};

pub(super) const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// Wall time and monotonic time that move apart.
#[derive(Debug)]
pub(super) struct HandClock {
    wall: AtomicU64,
    monotonic: AtomicU64,
    ids: AtomicU64,
}

impl HandClock {
    pub(super) fn pass(&self, by: Duration) {
        self.monotonic.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub(super) fn jump(&self, to: Timestamp) {
        self.wall.store(to.0, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.wall.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.monotonic.load(Ordering::SeqCst))
    }

    fn fresh_id(&self) -> u128 {
        let id = self.ids.fetch_add(1, Ordering::SeqCst);
        u128::from(self.now().0) << 80 | u128::from(id)
    }
}

pub(super) struct Desk {
    folder: tempfile::TempDir,
    pub(super) server: Arc<TestServer>,
    pub(super) clock: Arc<HandClock>,
    pub(super) root: KeyPair,
    pub(super) operator: KeyPair,
    pub(super) publisher: KeyPair,
    joined: Server,
}

/// A capsule as it is published.
#[derive(Clone)]
pub(super) struct Capsule {
    pub(super) digest: Digest,
    pub(super) component: Vec<u8>,
    version: &'static str,
}

const CAPABILITIES: &str = r#"
[limits]
cpu = "10 s"
wall = "60 s"
[capabilities.kv.notes]
why = "Remember"
prefix = "n/"
access = "read-write"
quota = "1 MiB"
optional = true
[capabilities.http.web]
why = "Ask"
origin = "https://example.org:443"
methods = ["GET"]
paths = ["/x"]
optional = true
"#;

impl Desk {
    pub(super) async fn new() -> Self {
        Self::in_region(None).await
    }

    /// A desk whose host stands somewhere.
    pub(super) async fn in_region(region: Option<&str>) -> Self {
        let server = TestServer::start().await;
        let folder = tempfile::tempdir().unwrap();
        let home = home(&folder);
        let (root, operator) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let layout = home.layout();
        write_private(&layout.root_public(), root.public().to_pem().as_bytes()).unwrap();
        let entry = OperatorEntry {
            name: "operator".to_owned(),
            person: "ada".to_owned(),
            key: encoded(operator.public()),
        };
        let list = OperatorFile { schema: 1, quorum: 1, operators: vec![entry] };
        list.write(layout, &root).unwrap();
        let joining = Joining {
            url: &server.url(),
            token: TOKEN,
            address: "http://127.0.0.1:9",
            role: HostRole::Host,
            region: region.map(|it| it.parse().unwrap()),
        };
        let joined = enrol(&home, joining).await.unwrap();
        let ids = AtomicU64::new(1);
        let (wall, monotonic) = (AtomicU64::new(NOW.0), AtomicU64::new(1000));
        let clock = Arc::new(HandClock { wall, monotonic, ids });
        let publisher = KeyPair::generate().unwrap();
        let this = Self { folder, server, clock, root, operator, publisher, joined };
        this.say_basics();
        this
    }

    /// The publisher's key, an issuer of tokens, terms that ask nothing.
    fn say_basics(&self) {
        let keys = vec![STANDARD.encode(self.publisher.public().spki_der())];
        let keys = PublisherKeys { keys, publisher: "acme".parse().unwrap() };
        self.server.say(Topic::Publisher, "acme", json!(keys));
        let terms = Terms::free(Currency::EUR);
        let digest = terms.digest().unwrap();
        self.server.say(Topic::Terms, &digest.to_string(), json!(terms));
        let issuer = self.issuer();
        let public = issuer.public();
        let state = IssuerState { issuer: public.iss.clone(), jwk: json!(public) };
        self.server.say(Topic::Issuer, &public.kid, json!(state));
    }

    pub(super) fn home(&self) -> Home {
        home(&self.folder)
    }

    pub(super) fn state(&self) -> PathBuf {
        self.home().layout().feed()
    }

    pub(super) fn issuer(&self) -> Issuer {
        let home = self.home();
        Issuer::new(home.identity(), &home.keys().unwrap().issuer).unwrap()
    }

    /// A capsule whose `answer` gives this number; `spin` never ends.
    pub(super) fn capsule(&self, answer: u32, version: &'static str) -> Capsule {
        let text = format!(
            r#"(component
            (core module $m
                (func (export "answer") (result i32) i32.const {answer})
                (func (export "spin") (result i32) (loop $l (br $l)) i32.const 0))
            (core instance $i (instantiate $m))
            (func (export "answer") (result u32) (canon lift (core func $i "answer")))
            (func (export "spin") (result u32) (canon lift (core func $i "spin"))))"#
        );
        let manifest = format!(
            "schema = 1\nname = \"acme/answer\"\nversion = \"{version}\"\nkind = \"task\"\n\
             summary = \"The answer\"\nlicence = \"Apache-2.0\"\n{CAPABILITIES}"
        );
        let manifest = CapsuleFile::parse(&manifest).unwrap().manifest;
        let component = wat::parse_str(text).unwrap();
        let component = section::embed(&component, &manifest.to_canonical().unwrap()).unwrap();
        Capsule { digest: Digest::of(&component), component, version }
    }

    /// Puts a capsule where hosts fetch it.
    pub(super) fn publish(&self, capsule: &Capsule) {
        self.publish_signed(capsule, &self.publisher, &self.server.key);
    }

    pub(super) fn publish_signed(&self, capsule: &Capsule, publisher: &KeyPair, by: &KeyPair) {
        let approval = ReleaseApproval {
            at: NOW,
            capsule: "acme/answer".parse().unwrap(),
            deployment: DEPLOYMENT.to_owned(),
            digest: capsule.digest,
            owner: "acme".parse().unwrap(),
            version: capsule.version.parse().unwrap(),
        };
        let approval = dsse::sign_document(kind::APPROVAL, &approval, &[by]).unwrap().to_json();
        let bundle = bundle::sign_blob(&capsule.digest, publisher).unwrap();
        let mut content = self.server.content.lock();
        let digest = capsule.digest;
        content.files.insert(digest.to_string(), capsule.component.clone());
        content.files.insert(format!("{digest}/bundle"), bundle);
        content.files.insert(format!("{digest}/approval"), approval);
    }

    pub(super) fn revision(&self, capsule: &Capsule, number: u64, grants: &Value) -> RevisionState {
        let spec = json!({
            "schema": 1, "tenant": "local", "environment": "production", "capsule": "acme/answer",
            "version": "^1", "digest": capsule.digest, "grants": grants,
        });
        let accepted = AcceptedOffer { offer: Digest::of(b"offer"), price: None };
        RevisionState { accepted, number, spec: serde_json::from_value(spec).unwrap() }
    }

    pub(super) fn install(&self, id: &str, active: RevisionState) -> FeedHead {
        self.install_with(id, active, None)
    }

    pub(super) fn install_with(
        &self,
        id: &str,
        active: RevisionState,
        candidate: Option<CandidateState>,
    ) -> FeedHead {
        let key = key(id);
        let payload = json!(Installed { active, candidate, key: key.clone(), region: None });
        self.server.say(Topic::Installation, &key.to_string(), payload)
    }

    /// The same in one region alone.
    pub(super) fn install_in(&self, id: &str, active: RevisionState, region: &str) -> FeedHead {
        let (key, region) = (key(id), Some(region.parse().unwrap()));
        let payload = json!(Installed { active, candidate: None, key: key.clone(), region });
        self.server.say(Topic::Installation, &key.to_string(), payload)
    }

    /// A release is revoked.
    pub(super) fn revoke(&self, capsule: &Capsule) -> FeedHead {
        let revoked = RevokedRelease {
            capsule: "acme/answer".parse().unwrap(),
            reason: "it leaks".to_owned(),
            version: capsule.version.to_owned(),
        };
        self.server.say(Topic::Release, &capsule.digest.to_string(), json!(revoked))
    }

    pub(super) fn uninstall(&self, id: &str) -> FeedHead {
        self.server.say(Topic::Installation, &key(id).to_string(), Value::Null)
    }

    /// Opens the host; one that ended a moment before may still be letting go of the home.
    pub(super) fn open(&self) -> Arc<Host> {
        let mut last = None;
        for _ in 0..2_000 {
            match Host::open(self.options()) {
                Ok(host) => return host,
                Err(error) => last = Some(error),
            }
            std::thread::yield_now();
        }
        panic!("the host does not start: {last:?}")
    }

    fn options(&self) -> HostOptions {
        HostOptions {
            mapped_only: false,
            server: Some(self.joined.clone()),
            home: self.home(),
            clock: self.clock.clone(),
            compiler: (PathBuf::from("/bin/false"), "none".to_owned()),
            calls_max: 16,
            queue_max: 16,
            idle: Duration::from_secs(3600),
            journal: None,
            head: None,
            development: None,
            own: Vec::new(),
            guest_threads: 2,
            loopback: Vec::new(),
        }
    }

    /// A host on which these capsules were compiled.
    pub(super) fn open_with(&self, capsules: &[&Capsule]) -> Arc<Host> {
        let host = self.open();
        for capsule in capsules {
            host.components().keep_compiled(&capsule.digest, &capsule.component);
        }
        host
    }

    /// A token of a subject, and its name.
    pub(super) fn token(&self, subject: &str, jti: u128) -> String {
        let ask = TokenAsk {
            subject: subject.to_owned(),
            org: "local".parse().unwrap(),
            environment: "production".parse().unwrap(),
            scopes: vec![Scope::CallAny],
            life_seconds: 600,
            constitution: None,
        };
        self.issuer().mint(ask, TokenId::from_u128(jti), NOW).unwrap().token
    }

    pub(super) async fn start(&self, host: &Arc<Host>, function: &str, token: &str) -> Pending {
        let caller = host.tokens().verify(token, NOW).unwrap().caller();
        let request = CallRequest {
            caller,
            installation: key("answer"),
            function: function.parse().unwrap(),
            arguments: json!({}),
            id: None,
            timeout: None,
            stream: false,
        };
        host.call(request).await
    }

    pub(super) async fn call(&self, host: &Arc<Host>, function: &str) -> CallReply {
        let token = self.token("user:1", 1);
        self.start(host, function, &token).await.reply().await
    }
}

fn home(folder: &tempfile::TempDir) -> Home {
    let birth =
        Birth { now: NOW, host: HostId::from_u128(7), person: "ada".to_owned(), passphrase: None };
    Home::open_or_create(&folder.path().join("home"), &birth).unwrap().0
}

pub(super) fn key(id: &str) -> InstallationKey {
    format!("local/production/{id}").parse().unwrap()
}

pub(super) fn kv() -> Value {
    json!({ "kv": { "notes": { "prefix": "n/", "access": "read", "quota": "1 KiB" } } })
}

pub(super) fn http() -> Value {
    json!({ "http": { "web": { "origin": "https://example.org:443", "methods": ["GET"], "paths": ["/x"] } } })
}

const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn feed(host: &Host) -> Arc<Feed> {
    Arc::clone(host.feed().unwrap())
}

/// Waits until a place was applied.
pub(super) async fn applied(host: &Host, head: FeedHead) {
    let feed = feed(host);
    let mut later = feed.applied_later();
    let there = later.wait_for(|held| held.head == head);
    let there = tokio::time::timeout(PATIENCE, there).await;
    let status = feed.status(Duration::ZERO);
    there.unwrap_or_else(|_| panic!("{head:?} was not applied: {status:?}")).unwrap();
}

/// Waits until the feed is found wrong; returns the words.
pub(super) async fn alarmed(host: &Host) -> String {
    let mut alarms = feed(host).alarms();
    let wrong = alarms.wait_for(Option::is_some);
    tokio::time::timeout(PATIENCE, wrong).await.unwrap().unwrap().clone().unwrap()
}

/// Waits until the server was heard, and a lease is here: calls can start.
pub(super) async fn ready(desk: &Desk, host: &Host) {
    reported(desk, host, 2).await;
    let leased = async {
        while host.leases().standing(&key("answer"), NOW).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, leased).await.unwrap();
}

/// Waits until so many more reports came: the answer to each but the last was then judged.
pub(super) async fn reported(desk: &Desk, host: &Host, more: usize) {
    let mut reports = desk.server.reports.subscribe();
    for _ in 0..more {
        let before = reports.borrow_and_update().len();
        feed(host).report.notify_one();
        let came = reports.wait_for(|reports| reports.len() > before);
        tokio::time::timeout(PATIENCE, came).await.unwrap().unwrap();
    }
}
