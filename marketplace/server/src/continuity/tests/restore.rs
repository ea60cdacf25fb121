//! Homes that come back, and those that do not.

use std::os::unix::fs::PermissionsExt as _;

use soma_policy::Millis;
use soma_policy::feed::{FeedHead, Snapshot};

use super::*;
use crate::config::ServerConfig;

async fn made() -> (Deployment, tempfile::TempDir, PathBuf) {
    let it = Deployment::new().await;
    it.fill("acme", 20).await;
    let (folder, archive) = it.shelf();
    it.back_up(&archive).await.unwrap();
    (it, folder, archive)
}

async fn head(server: &Server) -> FeedHead {
    let bytes = server.feed_from(None, Millis(0)).await.unwrap();
    let envelope = dsse::Envelope::from_json(&bytes).unwrap();
    let key = server.feed_key.public().clone();
    let proven = dsse::verify(&envelope, kind::SNAPSHOT, &[key]).unwrap();
    proven.read::<Snapshot>().unwrap().head
}

#[tokio::test]
async fn a_home_comes_back_with_a_new_epoch_and_goes_on() {
    let (it, folder, archive) = made().await;
    let before = head(&it.server).await;
    // What happens after the backup is lost, and hosts have seen it.
    it.fill("lost", 5).await;
    let seen = head(&it.server).await;
    let home = folder.path().join("home");
    let restoring = super::restore(&archive, &home, WORDS).await.unwrap();
    assert!(!home.exists(), "not before it is whole");
    let raise = restoring.epoch(None, &*it.clock);
    assert_eq!((raise.epoch, &raise.deployment), (1, &it.server.deployment));
    let chains = restoring.finish(&it.epoch(&raise), it.clock.clone()).await.unwrap();
    assert!(chains.iter().all(|chain| chain.findings.is_empty()), "{chains:?}");
    // A home that others may enter is not used.
    let mode = std::os::unix::fs::PermissionsExt::mode(&home.metadata().unwrap().permissions());
    assert_eq!(mode & 0o077, 0, "{mode:o}");

    for (path, text) in [
        ("keys/root.key", CANARY),
        ("state/kill/orders.jsonl", "an order"),
        ("state/journal/00000001.log", "records"),
        ("state/journal.head", "head"),
    ] {
        let path = home.join(path);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(home.join("secrets").is_dir(), "an empty folder is a part of the home");
    assert_eq!(std::fs::metadata(home.join("keys")).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(!home.join("cache").exists());
    let names = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 2, "the archive and the home, and nothing half made");

    let config = ServerConfig { passwords: COST, ..ServerConfig::embedded(&home) };
    let (server, _) = Server::open(&config, it.clock.clone()).await.unwrap();
    Sequencer::default().run(&server).await.unwrap();
    let now = head(&server).await;
    assert_eq!(now.epoch, 1);
    assert!(now.n >= before.n);
    // A host that saw what was lost is told everything anew: it is of an epoch before.
    let bytes = server.feed_from(Some(seen), Millis(0)).await.unwrap();
    let envelope = dsse::Envelope::from_json(&bytes).unwrap();
    let key = server.feed_key.public().clone();
    assert!(dsse::verify(&envelope, kind::SNAPSHOT, &[key]).is_ok());
    assert!(server.epoch_document().await.unwrap().is_some());
    let found = server.verify_chains().await.unwrap();
    assert!(found.iter().all(|chain| chain.findings.is_empty()), "{found:?}");
    server.store.close().await;
}

#[tokio::test]
async fn without_the_root_nothing_comes_back() {
    let (it, folder, archive) = made().await;
    let home = folder.path().join("home");
    let stranger = KeyPair::generate().unwrap();
    let restoring = super::restore(&archive, &home, WORDS).await.unwrap();
    let raise = restoring.epoch(None, &*it.clock);
    let forged = dsse::sign_document(kind::EPOCH, &raise, &[&stranger]).unwrap().to_json();
    let refused = restoring.finish(&forged, it.clock.clone()).await.unwrap_err();
    assert!(matches!(refused, ContinuityError::Epoch(_)), "{refused}");
    let restoring = super::restore(&archive, &home, WORDS).await.unwrap();
    let same = EpochRaise { epoch: 0, ..raise };
    assert!(restoring.finish(&it.epoch(&same), it.clock.clone()).await.is_err());
    assert!(!home.exists());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
}

#[tokio::test]
async fn only_an_empty_place_is_taken_and_only_with_the_passphrase() {
    let (it, folder, archive) = made().await;
    let home = folder.path().join("home");
    let refused = super::restore(&archive, &home, b"another passphrase").await.unwrap_err();
    assert!(matches!(refused, ContinuityError::Passphrase));
    std::fs::create_dir(&home).unwrap();
    let restoring = super::restore(&archive, &home, WORDS).await.unwrap();
    // Somebody is quicker: what is there stays.
    std::fs::write(home.join("mine"), "x").unwrap();
    let signed = it.epoch(&restoring.epoch(None, &*it.clock));
    let refused = restoring.finish(&signed, it.clock.clone()).await.unwrap_err();
    assert!(matches!(refused, ContinuityError::Exists(_)), "{refused}");
    assert!(matches!(
        super::restore(&archive, &home, WORDS).await.unwrap_err(),
        ContinuityError::Exists(_)
    ));
    assert_eq!(std::fs::read(home.join("mine")).unwrap(), b"x");
    std::fs::remove_file(home.join("mine")).unwrap();
    let restoring = super::restore(&archive, &home, WORDS).await.unwrap();
    // The same backup a second time: a higher epoch keeps two feeds apart.
    let signed = it.epoch(&restoring.epoch(Some(7), &*it.clock));
    restoring.finish(&signed, it.clock.clone()).await.unwrap();
    assert!(home.join("server.db").is_file());
}
