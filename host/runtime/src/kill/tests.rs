//! What the kill switch promises: it works at once, for everyone it names, and it is not forgotten.

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
    Accepted, KillOpenError, KillOptions, KillReceipt, KillRefusal, KillReplay, Kills, LIFT_KIND,
    ORDER_KIND, RECEIPT_KIND, Target, Trusted,
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
        let operator = |name: &str, key: &KeyPair| Operator {
            name: name.to_owned(),
            person: name.to_owned(),
            key: key.public().fingerprint(),
        };
        let operators = [operator("ada", &self.ada), operator("bob", &self.bob)];
        Trusted {
            operators: Operators::new(self.quorum, operators).unwrap(),
            keys: vec![self.ada.public().clone(), self.bob.public().clone()],
        }
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
        self.kills.take(&envelope.to_json(), || running, || {}).await
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

#[tokio::test]
async fn an_order_ends_what_it_names_and_nothing_else_and_the_host_signs_for_it() {
    let house = House::new(1);
    let open = house.open().unwrap();
    let cuts = Arc::new(AtomicU32::new(0));
    let running = vec![
        target(1, "acme/csv", &cuts, false),
        target(2, "acme/other", &cuts, false),
        target(3, "acme/csv", &cuts, true),
    ];
    let order = order(17, "capsule:acme/csv");
    let accepted = open.take(&signed(&order, &[&house.ada]), running).await.unwrap();
    assert_eq!(cuts.load(Ordering::SeqCst), 2);
    assert_eq!((accepted.killed, accepted.state, accepted.durable), (2, "complete", true));
    assert_eq!(accepted.draining.len(), 1);
    assert_eq!(accepted.draining[0].call, CallId::from_u128(3));
    assert!(open.stops(&subject("acme/csv")));
    assert!(!open.stops(&subject("acme/other")));

    let receipt = accepted.receipt.unwrap();
    let envelope = Envelope::from_json(receipt.to_string().as_bytes()).unwrap();
    let host = KeyPair::from_pkcs8_der(&house.host_key).unwrap();
    let proven = dsse::verify(&envelope, RECEIPT_KIND, &[host.public().clone()]).unwrap();
    let receipt: KillReceipt = proven.read().unwrap();
    assert_eq!((receipt.order, receipt.document), (order.id, order.hash()));
    let listed: Vec<_> = receipt.calls.iter().map(|c| (c.call, c.stopped_us.is_some())).collect();
    assert_eq!(listed, [(CallId::from_u128(3), false), (CallId::from_u128(1), true)]);
    assert_eq!(open.kills.receipts(order.id).len(), 1);
}

#[tokio::test]
async fn a_thousand_calls_are_all_cut_before_any_is_waited_for() {
    let house = House::new(1);
    let open = house.open().unwrap();
    let cuts = Arc::new(AtomicU32::new(0));
    let running: Vec<_> = (0..1000)
        .map(|call| {
            let mut target = target(call, "acme/csv", &cuts, false);
            let (joined, cuts) = (target.joined, Arc::clone(&cuts));
            target.joined = async move {
                assert_eq!(cuts.load(Ordering::SeqCst), 1000);
                joined.await;
            }
            .boxed();
            target
        })
        .collect();
    let envelope = signed(&order(1, "everything"), &[&house.ada]);
    let accepted = open.take(&envelope, running).await.unwrap();
    assert_eq!((accepted.killed, accepted.draining.len()), (1000, 0));
}

#[tokio::test]
async fn what_no_operator_signed_changes_nothing() {
    let house = House::new(1);
    let open = house.open().unwrap();
    let stranger = KeyPair::generate().unwrap();
    let order = order(1, "capsule:acme/csv");
    let refused = open.take(&signed(&order, &[&stranger]), Vec::new()).await.unwrap_err();
    assert_eq!(refused.code(), Code::KillSigner);
    let refused = open.take(&signed(&order, &[]), Vec::new()).await.unwrap_err();
    assert_eq!(refused.code(), Code::KillSigner);
    let other = dsse::sign_document("receipt", &order, &[&house.ada]).unwrap();
    let refused = open.take(&other, Vec::new()).await.unwrap_err();
    assert_eq!(refused.code(), Code::KillMalformed);
    let long = vec![b' '; 65 * 1024];
    let refused = open.kills.take(&long, Vec::new, || {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::KillMalformed);
    assert!(open.kills.list().is_empty());
    assert!(house.stored().is_empty());
    assert!(open.kills.set().is_empty());
}

#[tokio::test]
async fn a_signed_order_with_any_byte_changed_is_refused_or_is_the_same_order() {
    let house = House::new(1);
    let open = house.open().unwrap();
    let original = order(1, "capsule:acme/csv");
    let bytes = signed(&original, &[&house.ada]).to_json();
    for at in 0..bytes.len() {
        for mask in [0x01, 0x20] {
            let mut changed = bytes.clone();
            changed[at] ^= mask;
            if open.kills.take(&changed, Vec::new, || {}).await.is_ok() {
                let orders: Vec<_> = open.kills.list().into_iter().map(|v| v.order).collect();
                assert_eq!(orders, std::slice::from_ref(&original), "byte {at}");
            }
        }
    }
}

#[tokio::test]
async fn a_wide_order_of_one_suspends_at_once_and_lapses_after_an_hour_of_uptime() {
    let house = House::new(2);
    let open = house.open().unwrap();
    let cuts = Arc::new(AtomicU32::new(0));
    let envelope = signed(&order(1, "publisher:acme"), &[&house.ada]);
    let running = vec![target(1, "acme/csv", &cuts, false)];
    let accepted = open.take(&envelope, running).await.unwrap();
    assert_eq!((accepted.state, accepted.signed, accepted.needed), ("suspended", 1, 2));
    assert_eq!(cuts.load(Ordering::SeqCst), 1);
    open.passes(Millis(SUSPENSION.0 - 1));
    assert!(open.stops(&subject("acme/csv")));
    assert_eq!(open.kills.list()[0].lapses_in_ms.as_deref(), Some("1"));
    open.passes(Millis(1));
    assert!(!open.stops(&subject("acme/csv")));
    assert_eq!(open.kills.list()[0].state, "lapsed");
}

#[tokio::test]
async fn a_second_signature_makes_a_wide_order_last() {
    let house = House::new(2);
    let open = house.open().unwrap();
    let order = order(1, "everything");
    open.take(&signed(&order, &[&house.ada]), Vec::new()).await.unwrap();
    let accepted = open.take(&signed(&order, &[&house.bob]), Vec::new()).await.unwrap();
    assert_eq!(accepted.state, "complete");
    open.passes(Millis(2 * SUSPENSION.0));
    assert!(open.stops(&subject("acme/csv")));
    assert_eq!(open.kills.list()[0].persons, ["ada", "bob"]);
    // The stored document bears both, so that either copy is enough elsewhere.
    drop(open);
    assert_eq!(house.open().unwrap().kills.list()[0].persons, ["ada", "bob"]);
}

#[tokio::test]
async fn a_repeated_order_changes_nothing_and_gives_no_second_receipt() {
    let house = House::new(1);
    let open = house.open().unwrap();
    let envelope = signed(&order(1, "capsule:acme/csv"), &[&house.ada]);
    open.take(&envelope, Vec::new()).await.unwrap();
    let again = open.take(&envelope, Vec::new()).await.unwrap();
    assert_eq!((again.state, again.receipt), ("complete", None));
    assert_eq!(open.kills.receipts(OrderId::from_u128(1)).len(), 1);
}

#[tokio::test]
async fn a_lift_takes_the_same_quorum_and_names_the_order_by_hash() {
    let house = House::new(2);
    let open = house.open().unwrap();
    let order = order(1, "everything");
    open.take(&signed(&order, &[&house.ada, &house.bob]), Vec::new()).await.unwrap();
    let half = open.take(&lift(&order, &[&house.ada]), Vec::new()).await.unwrap();
    assert_eq!((half.state, half.signed, half.needed), ("complete", 1, 2));
    assert!(open.stops(&subject("acme/csv")));
    let mut other = order.clone();
    other.reason = Reason::Drill;
    let refused = open.take(&lift(&other, &[&house.ada]), Vec::new()).await.unwrap_err();
    assert_eq!(refused.code(), Code::KillLiftHash);
    let lifted = open.take(&lift(&order, &[&house.bob]), Vec::new()).await.unwrap();
    assert_eq!(lifted.state, "lifted");
    assert!(!open.stops(&subject("acme/csv")));
    // Given again, with a higher version, it stands again.
    let again = KillOrder { version: 3, ..order };
    open.take(&signed(&again, &[&house.ada, &house.bob]), Vec::new()).await.unwrap();
    assert!(open.stops(&subject("acme/csv")));
}

#[tokio::test]
async fn orders_lifts_and_receipts_survive_a_restart() {
    let house = House::new(1);
    let open = house.open().unwrap();
    let (kept, lifted) = (order(1, "capsule:acme/csv"), order(2, "capsule:acme/other"));
    open.take(&signed(&kept, &[&house.ada]), Vec::new()).await.unwrap();
    open.take(&signed(&lifted, &[&house.ada]), Vec::new()).await.unwrap();
    open.take(&lift(&lifted, &[&house.bob]), Vec::new()).await.unwrap();
    let (list, receipts) = (open.kills.list(), open.kills.receipts(kept.id));
    drop(open);
    let open = house.open().unwrap();
    assert_eq!(open.kills.list(), list);
    assert_eq!(open.kills.receipts(kept.id), receipts);
    assert!(open.stops(&subject("acme/csv")));
    assert!(!open.stops(&subject("acme/other")));
    assert_eq!(open.kills.order(kept.id), Some(kept));
}

#[tokio::test]
async fn an_order_whose_file_is_gone_comes_back_out_of_the_journal() {
    let house = House::new(1);
    let open = house.open().unwrap();
    open.take(&signed(&order(1, "capsule:acme/csv"), &[&house.ada]), Vec::new()).await.unwrap();
    drop(open);
    let stored = house.stored();
    std::fs::remove_file(&stored[0]).unwrap();
    let open = house.open().unwrap();
    assert!(open.stops(&subject("acme/csv")));
    assert_eq!(house.stored(), stored);
}

#[tokio::test]
async fn an_order_whose_journal_is_gone_stands_by_its_file() {
    let house = House::new(2);
    let open = house.open().unwrap();
    open.passes(Millis(5 * SUSPENSION.0));
    open.take(&signed(&order(1, "publisher:acme"), &[&house.ada]), Vec::new()).await.unwrap();
    drop(open);
    std::fs::remove_dir_all(house.folder.path().join("journal")).unwrap();
    std::fs::remove_dir_all(house.folder.path().join("head")).unwrap();
    let open = house.open().unwrap();
    assert!(open.stops(&subject("acme/csv")));
    // Uptime begins where the order came, not at nought: the suspension is no longer than an hour.
    open.passes(SUSPENSION);
    assert!(!open.stops(&subject("acme/csv")));
}

#[tokio::test]
async fn a_suspension_counts_uptime_over_restarts() {
    let house = House::new(2);
    let open = house.open().unwrap();
    open.take(&signed(&order(1, "publisher:acme"), &[&house.ada]), Vec::new()).await.unwrap();
    open.passes(Millis(SUSPENSION.0 / 3 * 2));
    drop(open);
    let open = house.open().unwrap();
    assert!(open.stops(&subject("acme/csv")));
    open.passes(Millis(SUSPENSION.0 / 3 - 60_000));
    assert!(open.stops(&subject("acme/csv")));
    open.passes(Millis(120_000));
    assert!(!open.stops(&subject("acme/csv")));
}

#[tokio::test]
async fn any_damage_to_a_stored_order_stops_the_host_from_starting() {
    let house = House::new(1);
    let open = house.open().unwrap();
    open.take(&signed(&order(1, "capsule:acme/csv"), &[&house.ada]), Vec::new()).await.unwrap();
    drop(open);
    let path = house.stored().remove(0);
    let bytes = std::fs::read(&path).unwrap();
    let fails = |bytes: &[u8], what: &str| {
        std::fs::write(&path, bytes).unwrap();
        let refused = super::store::Folder::open(&house.dir()).unwrap().documents().unwrap_err();
        assert!(matches!(refused, KillOpenError::Corrupt { .. }), "{what}: {refused}");
        assert!(refused.to_string().contains("soma kill apply"), "{refused}");
    };
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        fails(&flipped, &format!("byte {at}"));
    }
    for length in 0..bytes.len() {
        fails(&bytes[..length], &format!("cut at {length}"));
    }
    assert!(house.open().is_err());
    std::fs::write(&path, &bytes).unwrap();
    std::fs::write(house.dir().join("notes.txt"), b"x").unwrap();
    assert!(matches!(house.open(), Err(KillOpenError::Corrupt { .. })));
}

#[tokio::test]
async fn an_order_of_someone_who_is_no_operator_any_more_is_never_dropped_silently() {
    let house = House::new(1);
    let open = house.open().unwrap();
    let order = order(1, "capsule:acme/csv");
    open.take(&signed(&order, &[&house.ada]), Vec::new()).await.unwrap();
    drop(open);
    let only_bob = || Trusted {
        operators: Operators::new(
            1,
            [Operator {
                name: "bob".to_owned(),
                person: "bob".to_owned(),
                key: house.bob.public().fingerprint(),
            }],
        )
        .unwrap(),
        keys: vec![house.bob.public().clone()],
    };
    let refused = house.open_with(only_bob()).map(|_| ()).unwrap_err();
    assert!(
        matches!(refused, KillOpenError::Unrecognised { order, .. } if order == OrderId::from_u128(1))
    );
    // The way out that the message names.
    let open = house.open().unwrap();
    open.take(&signed(&order, &[&house.bob]), Vec::new()).await.unwrap();
    drop(open);
    assert!(house.open_with(only_bob()).unwrap().stops(&subject("acme/csv")));
}

#[tokio::test]
async fn an_order_works_though_nothing_can_be_written_and_says_so() {
    let house = House::new(1);
    let open = house.open().unwrap();
    let envelope = signed(&order(1, "capsule:acme/csv"), &[&house.ada]);
    open.journal.close().unwrap();
    std::fs::remove_dir_all(house.dir()).unwrap();
    let cuts = Arc::new(AtomicU32::new(0));
    let running = vec![target(1, "acme/csv", &cuts, false)];
    let accepted = open.take(&envelope, running).await.unwrap();
    assert_eq!((accepted.durable, accepted.killed), (false, 1));
    assert!(open.stops(&subject("acme/csv")));
    // Sent again once there is room, it is written down.
    assert!(!open.take(&envelope, Vec::new()).await.unwrap().durable);
    std::fs::create_dir_all(house.dir()).unwrap();
    assert!(open.take(&envelope, Vec::new()).await.unwrap().durable);
    assert_eq!(house.stored().len(), 1);
}

#[tokio::test]
async fn the_interrupt_comes_after_every_call_is_cut() {
    let house = House::new(1);
    let open = house.open().unwrap();
    let cuts = Arc::new(AtomicU32::new(0));
    let running = (0..10).map(|call| target(call, "acme/csv", &cuts, false)).collect();
    let envelope = signed(&order(1, "everything"), &[&house.ada]).to_json();
    let seen = Arc::clone(&cuts);
    let interrupt = move || assert_eq!(seen.load(Ordering::SeqCst), 10);
    open.kills.take(&envelope, || running, interrupt).await.unwrap();
}

#[tokio::test]
async fn the_running_calls_are_asked_for_after_new_starts_are_stopped() {
    let house = House::new(1);
    let open = house.open().unwrap();
    let envelope = signed(&order(1, "everything"), &[&house.ada]).to_json();
    let running = || {
        assert!(open.stops(&subject("acme/csv")));
        Vec::new()
    };
    open.kills.take(&envelope, running, || {}).await.unwrap();
}

#[test]
fn a_dry_run_tells_the_radius_and_stops_nothing() {
    let house = House::new(2);
    let open = house.open().unwrap();
    let cuts = Arc::new(AtomicU32::new(0));
    let running = [target(1, "acme/csv", &cuts, false), target(2, "bolt/x", &cuts, false)];
    let installed = [subject("acme/csv"), subject("acme/other"), subject("bolt/x")];
    let scope: KillScope = "publisher:acme".parse().unwrap();
    let cent: Money = "0.01 EUR".parse().unwrap();
    let radius = open.kills.radius_of(&scope, &installed, &running, |_| vec![cent]);
    assert_eq!((radius.calls, radius.needed, radius.tenants.len()), (1, 2, 1));
    assert_eq!(
        radius.installations.into_iter().collect::<Vec<_>>(),
        ["local/production/csv", "local/production/other"]
    );
    assert_eq!(radius.reserved, ["0.02 EUR".parse().unwrap()]);
    assert_eq!(cuts.load(Ordering::SeqCst), 0);
    assert!(open.kills.set().is_empty());
    assert_eq!(open.clock.now(), NOW);
}

/// Anything at all in the place of an order; `cargo bolero test -p soma-host kill::tests::any_bytes…`
/// runs it with coverage guidance.
#[test]
fn any_bytes_are_no_order() {
    let house = House::new(1);
    let trusted = house.trusted();
    bolero::check!().for_each(|bytes: &[u8]| {
        assert!(trusted.check(bytes).is_err());
    });
}
