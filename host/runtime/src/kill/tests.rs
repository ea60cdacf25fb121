//! What the kill switch promises: it works at once, for everyone it names, and it is not forgotten.

mod carrying;
mod documents;
mod operators;
mod quorum;
mod restart;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use soma_capsule::dsse::{self, Envelope};
use soma_capsule::key::KeyPair;
use soma_policy::{
    CallId, Code, Digest, Fingerprint, HostId, JournalId, KillOrder, KillScope, KillSubject, Lift,
    LiftReason, Millis, Money, Operator, Operators, OrderId, Reason, SUSPENSION, Severity,
    Timestamp,
};
use tokio_util::sync::CancellationToken;

use super::{
    Accepted, Came, KillOpenError, KillOptions, KillReceipt, KillRefusal, KillReplay, Kills,
    LIFT_KIND, ORDER_KIND, RECEIPT_KIND, Target, Trusted,
};
use crate::clock::{Clock, FixedClock};
use crate::journal::{Journal, JournalKey, JournalOptions, test_pkcs8};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// A host's worth of files, its keys and its operators: two persons, of whom `quorum` must agree.
struct House {
    folder: tempfile::TempDir,
    host_key: Vec<u8>,
    ada: KeyPair,
    bob: KeyPair,
    quorum: usize,
}

struct Open {
    kills: Kills,
    journal: Journal,
    clock: Arc<FixedClock>,
}

impl House {
    fn new(quorum: usize) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            host_key: test_pkcs8(),
            ada: KeyPair::generate().unwrap(),
            bob: KeyPair::generate().unwrap(),
            quorum,
        }
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("kill")
    }

    fn trusted(&self) -> Trusted {
        self.list(self.quorum, &[("ada", &self.ada), ("bob", &self.bob)])
    }

    /// Another list of operators.
    fn list(&self, quorum: usize, persons: &[(&str, &KeyPair)]) -> Trusted {
        let operator = |(name, key): &(&str, &KeyPair)| Operator {
            name: (*name).to_owned(),
            person: (*name).to_owned(),
            key: key.public().fingerprint(),
        };
        let operators = Operators::new(quorum, persons.iter().map(operator)).unwrap();
        let keys = persons.iter().map(|(_, key)| key.public().clone()).collect();
        Trusted { operators, keys }
    }

    fn only_bob(&self) -> Trusted {
        self.list(1, &[("bob", &self.bob)])
    }

    fn open(&self) -> Result<Open, KillOpenError> {
        self.open_with(self.trusted())
    }

    fn open_with(&self, trusted: Trusted) -> Result<Open, KillOpenError> {
        let mut replay = KillReplay::default();
        let options = JournalOptions::new(
            self.folder.path().join("journal"),
            self.folder.path().join("head/journal"),
            JournalId::from_u128(1),
            HostId::from_u128(2),
            NOW,
        );
        let key = JournalKey::from_pkcs8(&self.host_key).unwrap();
        let journal = Journal::open(options, key, &mut |entry| replay.see(entry)).unwrap();
        let clock = Arc::new(FixedClock::new(NOW, 1));
        let options = KillOptions {
            dir: self.dir(),
            trusted,
            host: HostId::from_u128(2),
            key: KeyPair::from_pkcs8_der(&self.host_key).unwrap(),
            patience: Duration::ZERO,
        };
        let kills = Kills::open(options, clock.clone(), journal.clone(), replay)?;
        Ok(Open { kills, journal, clock })
    }

    fn lose_journal(&self) {
        std::fs::remove_dir_all(self.folder.path().join("journal")).unwrap();
        std::fs::remove_dir_all(self.folder.path().join("head")).unwrap();
    }

    fn stored(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.dir()).unwrap();
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
    }
}

impl Open {
    async fn take(
        &self,
        envelope: &Envelope,
        running: Vec<Target>,
    ) -> Result<Accepted, KillRefusal> {
        self.kills.take(&envelope.to_json(), Came::Submitted, || running, || {}).await
    }

    fn passes(&self, span: Millis) {
        // As the control threads do: a look about once a minute here.
        let minutes = span.0 / 60_000;
        for _ in 0..minutes {
            self.clock.advance(Duration::from_secs(60));
            self.kills.tick();
        }
        self.clock.advance(Duration::from_millis(span.0 % 60_000));
        self.kills.tick();
    }

    fn stops(&self, subject: &KillSubject) -> bool {
        self.kills.set().judge(subject).is_some()
    }
}

fn order(id: u128, scope: &str) -> KillOrder {
    KillOrder {
        evidence: None,
        id: OrderId::from_u128(id),
        issued_at: NOW,
        reason: Reason::Malware,
        scope: scope.parse().unwrap(),
        severity: Severity::High,
        version: 1,
    }
}

fn signed(order: &KillOrder, keys: &[&KeyPair]) -> Envelope {
    dsse::sign_document(ORDER_KIND, order, keys).unwrap()
}

fn lift(order: &KillOrder, keys: &[&KeyPair]) -> Envelope {
    let reason = LiftReason::try_from("fixed".to_owned()).unwrap();
    dsse::sign_document(LIFT_KIND, &Lift::of(order, reason, NOW), keys).unwrap()
}

fn subject(capsule: &str) -> KillSubject {
    let capsule: soma_policy::CapsuleName = capsule.parse().unwrap();
    KillSubject {
        capabilities: Vec::new(),
        digest: Digest::of(capsule.to_string().as_bytes()),
        installation: format!("local/production/{}", capsule.name).parse().unwrap(),
        capsule,
        region: None,
        signer: Fingerprint::of_spki(b"key"),
        tools: Vec::new(),
        version: semver(),
    }
}

fn semver() -> semver::Version {
    semver::Version::new(1, 2, 0)
}

/// A call that ends when it is cut, unless it is `stuck`.
fn target(call: u128, capsule: &str, cuts: &Arc<AtomicU32>, stuck: bool) -> Target {
    let (token, cuts) = (CancellationToken::new(), Arc::clone(cuts));
    let ended = token.clone();
    Target {
        call: CallId::from_u128(call),
        installation: subject(capsule).installation,
        function: "run".to_owned(),
        subject: subject(capsule),
        cut: Box::new(move |_| {
            cuts.fetch_add(1, Ordering::SeqCst);
            token.cancel();
            true
        }),
        joined: async move {
            ended.cancelled().await;
            if stuck {
                std::future::pending::<()>().await;
            }
        }
        .boxed(),
        draining: Box::new(move || u32::from(stuck)),
    }
}
