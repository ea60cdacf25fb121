//! Backups while everything runs, and what is found in one that was touched.

use super::*;

fn listed(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn a_backup_is_whole_and_shows_no_secret() {
    let it = Deployment::new().await;
    it.fill("acme", 20).await;
    let (folder, archive) = it.shelf();
    let report = it.back_up(&archive).await.unwrap();
    assert_eq!(listed(folder.path()), ["soma.backup"], "nothing else is left there");
    assert!(report.sealed >= 5 && report.manifest.files >= 6, "{report:?}");
    let bytes = std::fs::read(&archive).unwrap();
    let holds = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(CANARY);
    assert!(!holds(CANARY.as_bytes()) && !holds(encoded.trim_end_matches('=').as_bytes()));
    for key in ["seal.key", "audit.key", "feed.key"] {
        let key = std::fs::read(it.home().join("keys/server").join(key)).unwrap();
        assert!(!holds(&key), "a key lies open");
    }
    assert!(holds(b"an order") && !holds(b"compiled"));
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(&archive).unwrap().permissions().mode() & 0o777, 0o600);

    let own = it.server.audit_key.public();
    let stranger = KeyPair::generate().unwrap();
    let seen = verify_backup(&archive, None, None).await.unwrap();
    assert!(!seen.authentic && seen.manifest == report.manifest);
    assert!(verify_backup(&archive, Some(own), None).await.unwrap().authentic);
    assert!(verify_backup(&archive, None, Some(WORDS)).await.unwrap().authentic);
    let refused = verify_backup(&archive, Some(stranger.public()), None).await.unwrap_err();
    assert_eq!(refused.code(), soma_policy::Code::BackupBad);
    let refused = verify_backup(&archive, None, Some(b"another passphrase")).await.unwrap_err();
    assert!(matches!(refused, ContinuityError::Passphrase));
}

#[tokio::test]
async fn what_is_there_is_not_overwritten_and_a_weak_passphrase_makes_nothing() {
    let it = Deployment::new().await;
    let (folder, archive) = it.shelf();
    std::fs::write(&archive, "mine").unwrap();
    assert!(matches!(it.back_up(&archive).await, Err(ContinuityError::Exists(_))));
    assert_eq!(std::fs::read(&archive).unwrap(), b"mine");
    let config = it.database.config();
    let other = folder.path().join("other");
    let request = BackupRequest {
        home: it.home(),
        config: &config,
        archive: &other,
        passphrase: b"short",
        cost: COST,
    };
    let refused = backup(&request, &*it.clock).await.unwrap_err();
    assert!(matches!(refused, ContinuityError::WeakPassphrase(12)), "{refused}");
    assert_eq!(listed(folder.path()), ["soma.backup"]);
}

#[tokio::test]
async fn a_backup_that_is_made_while_others_write_is_of_one_moment() {
    let it = Deployment::new().await;
    it.fill("acme", 50).await;
    let (folder, archive) = it.shelf();
    let stop = tokio_util::sync::CancellationToken::new();
    let (server, ending) = (it.server.clone(), stop.clone());
    let writer = tokio::spawn(async move {
        let mut sequencer = Sequencer::default();
        let mut written = 0;
        while !ending.is_cancelled() {
            let mut unit = server.store.platform(SCOPE).await.unwrap();
            let entry = server.note(&server.platform, "user:x", Act::LoggedIn, written, &json!({}));
            unit.audit(&entry).await.unwrap();
            let change = server.feed(&server.platform, Topic::Terms.as_str(), "x", &json!({}));
            unit.change(&change).await.unwrap();
            unit.commit().await.unwrap();
            sequencer.run(&server).await.unwrap();
            written += 1;
        }
        written
    });
    it.back_up(&archive).await.unwrap();
    stop.cancel();
    assert!(writer.await.unwrap() > 0, "somebody wrote meanwhile");
    let home = folder.path().join("home");
    let restoring = super::restore(&archive, &home, WORDS).await.unwrap();
    let signed = it.epoch(&restoring.epoch(None, &*it.clock));
    let chains = restoring.finish(&signed, it.clock.clone()).await.unwrap();
    assert!(chains.iter().all(|chain| chain.findings.is_empty()), "{chains:?}");
}

#[tokio::test]
async fn a_file_that_never_stands_still_fails_the_backup_by_its_name() {
    let it = Deployment::new().await;
    it.put("store/kv.redb", "start");
    let stop = tokio_util::sync::CancellationToken::new();
    let (ending, path) = (stop.clone(), it.home().join("store/kv.redb"));
    let writer = std::thread::spawn(move || {
        while !ending.is_cancelled() {
            std::fs::write(&path, vec![7u8; 1 << 20]).unwrap();
        }
    });
    let (folder, archive) = it.shelf();
    let made = it.back_up(&archive).await;
    stop.cancel();
    writer.join().unwrap();
    match made {
        Err(ContinuityError::Busy(path)) => {
            assert_eq!(path, "store/kv.redb");
            assert!(listed(folder.path()).is_empty());
        }
        // A copy that stood still was found: then it is a whole one.
        Ok(_) => assert!(verify_backup(&archive, None, Some(WORDS)).await.is_ok()),
        Err(other) => panic!("{other}"),
    }
}
