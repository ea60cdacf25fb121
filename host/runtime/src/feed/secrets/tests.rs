//! What a host does with what it was sent, and with what it should not have been.

use serde_json::json;
use soma_policy::feed::SealedSecret;

use soma_policy::Digest;

use super::fixture::{answer, home, place, sealed, wants};
use super::*;

/// Seals for a host that may be another one.
fn seal(to: &FeedSecrets, host: HostId, name: &str, version: u64, value: &[u8]) -> SealedSecret {
    sealed(to.unsealing.public(), host, &place(name), version, value)
}

fn held(secrets: &FeedSecrets, name: &str) -> Option<Vec<u8>> {
    secrets.get(&place(name)).unwrap().map(|value| value.to_vec())
}

#[test]
fn a_value_is_opened_kept_sealed_and_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path());
    let secrets = FeedSecrets::open(&home).unwrap();
    let wanted = wants(&[("token", 1)]);
    assert_eq!(secrets.asks(&wanted).unwrap().len(), 1);
    assert_eq!((held(&secrets, "token"), secrets.contains(&place("token"))), (None, false));
    secrets.take(&wanted, answer(&secrets, "token", 1, b"hunter2-canary")).unwrap();
    assert_eq!(held(&secrets, "token"), Some(b"hunter2-canary".to_vec()));
    assert!(secrets.asks(&wanted).unwrap().is_empty());
    let file = secrets.path(&place("token"));
    let bytes = std::fs::read(&file).unwrap();
    assert!(!bytes.windows(7).any(|window| window == b"hunter2"));
    drop(secrets);
    let again = FeedSecrets::open(&home).unwrap();
    assert_eq!(held(&again, "token"), Some(b"hunter2-canary".to_vec()));
    assert!(again.asks(&wanted).unwrap().is_empty(), "nothing is asked for twice");
    // A file at another place, or one that was changed, does not open and is asked for again.
    std::fs::rename(&file, file.with_file_name("other")).unwrap();
    drop(again);
    let moved = FeedSecrets::open(&home).unwrap();
    assert_eq!((held(&moved, "token"), held(&moved, "other")), (None, None));
    assert!(!file.with_file_name("other").exists());
    assert_eq!(moved.asks(&wanted).unwrap().len(), 1);
}

#[test]
fn a_rotation_is_asked_for_and_an_older_answer_brings_nothing_back() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = FeedSecrets::open(&home(folder.path())).unwrap();
    let first = answer(&secrets, "token", 1, b"first");
    secrets.take(&wants(&[("token", 1)]), first.clone()).unwrap();
    let next = wants(&[("token", 2)]);
    assert_eq!(secrets.asks(&next).unwrap().len(), 1);
    assert_eq!(
        held(&secrets, "token"),
        Some(b"first".to_vec()),
        "the old one serves until the new one is here"
    );
    secrets.take(&next, answer(&secrets, "token", 3, b"third")).unwrap();
    assert_eq!(
        held(&secrets, "token"),
        Some(b"third".to_vec()),
        "newer than the feed said is good"
    );
    for old in
        [first, answer(&secrets, "token", 2, b"second"), answer(&secrets, "token", 3, b"again")]
    {
        secrets.take(&next, old).unwrap();
        assert_eq!(held(&secrets, "token"), Some(b"third".to_vec()));
    }
}

#[test]
fn what_is_removed_or_used_no_more_is_erased() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = FeedSecrets::open(&home(folder.path())).unwrap();
    let both = wants(&[("a", 1), ("b", 1)]);
    for name in ["a", "b"] {
        secrets.take(&both, answer(&secrets, name, 1, b"value")).unwrap();
    }
    assert!(secrets.asks(&wants(&[("b", 1)])).unwrap().is_empty());
    assert_eq!((held(&secrets, "a"), held(&secrets, "b")), (None, Some(b"value".to_vec())));
    assert!(!secrets.path(&place("a")).exists());
}

#[test]
fn what_was_not_asked_for_is_for_another_host_or_is_bound_elsewhere_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = FeedSecrets::open(&home(folder.path())).unwrap();
    let wanted = wants(&[("token", 2)]);
    let other = HostId::from_u128(9);
    let good = answer(&secrets, "token", 2, b"value");
    let one = |one: SealedSecret| Secrets { host: secrets.host, secrets: vec![one] };
    let sealed = |host, name: &str, version| seal(&secrets, host, name, version, b"value");
    let renamed =
        SealedSecret { name: "token".parse().unwrap(), ..sealed(secrets.host, "other", 2) };
    let raised = SealedSecret { version: 2, ..sealed(secrets.host, "token", 1) };
    let empty = seal(&secrets, secrets.host, "token", 2, b"");
    let long = seal(&secrets, secrets.host, "token", 2, &[1; VALUE_BYTES_MAX + 1]);
    let rubbish =
        |text: &str| SealedSecret { sealed: text.to_owned(), ..sealed(secrets.host, "token", 2) };
    for bad in [
        Secrets { host: other, ..good.clone() },
        one(sealed(other, "token", 2)),
        one(sealed(secrets.host, "other", 2)),
        one(sealed(secrets.host, "token", 1)),
        one(renamed),
        one(raised),
        one(empty),
        one(long),
        one(rubbish("")),
        one(rubbish("!")),
        one(rubbish("AAAA")),
    ] {
        secrets.take(&wanted, bad.clone()).unwrap();
        assert_eq!(held(&secrets, "token"), None, "{bad:?}");
    }
    secrets.take(&wanted, good).unwrap();
    assert!(held(&secrets, "token").is_some());
}

#[test]
fn wanted_is_what_a_grant_takes_and_the_feed_names() {
    let installed = |org: &str, active: &str, next: Option<&str>| -> Installed {
        let revision = |from: &str| {
            json!({ "accepted": { "offer": Digest::ZERO }, "number": "1", "spec": {
                "schema": 1, "tenant": org, "environment": "production", "capsule": "acme/x", "version": "^1",
                "digest": Digest::ZERO, "grants": { "secret": { "token": { "from": from } } } } })
        };
        let mut it = json!({ "active": revision(active),
            "key": { "org": org, "environment": "production", "id": "x" } });
        if let Some(next) = next {
            it["candidate"] =
                json!({ "gate": { "canary": { "share": 10 } }, "revision": revision(next) });
        }
        serde_json::from_value(it).unwrap()
    };
    let version = |name: &str, version| {
        let Place { org, environment, name } = place(name);
        SecretVersion { environment, name, org, version }
    };
    let versions = [version("a", 3), version("b", 1), version("c", 1)];
    let here = [
        installed("local", "a", Some("b")),
        installed("globex", "c", None),
        installed("local", "d", None),
    ];
    assert_eq!(wanted(&versions, &here), wants(&[("a", 3), ("b", 1)]));
    assert!(wanted(&versions, &[]).is_empty() && wanted(&[], &here).is_empty());
}
