use super::*;
use crate::key::KeyPair;

fn name(text: &str) -> PublisherName {
    text.parse().unwrap()
}

#[test]
fn a_key_counts_for_its_publisher_alone() {
    let (acme, evil) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut store = TrustStore::new();
    store.pin(name("acme"), acme.public().clone()).unwrap();
    store.pin(name("acme"), acme.public().clone()).unwrap();
    store.pin(name("evil"), evil.public().clone()).unwrap();
    assert_eq!(store.keys(&name("acme")).len(), 1);
    let found = store.find(&name("acme"), &acme.public().hint()).unwrap();
    assert_eq!(found, (acme.public(), Trust::Pinned));
    assert_eq!(store.find(&name("acme"), &evil.public().hint()), None);
    assert_eq!(store.owner_of(&evil.public().hint()), Some(&name("evil")));
    assert_eq!(store.owner_of("nobody"), None);
    assert_eq!(store.publishers().count(), 2);
}

#[test]
fn an_empty_store_trusts_nobody() {
    let key = KeyPair::generate().unwrap();
    let store = TrustStore::new();
    assert_eq!(store.find(&name("acme"), &key.public().hint()), None);
    assert_eq!(store.find(&name("acme"), ""), None);
}

#[test]
fn a_development_key_is_marked_as_one() {
    let key = KeyPair::generate().unwrap();
    let store = TrustStore::new().with_development_key(key.public().clone());
    let (_, trust) = store.find(&name("anyone"), &key.public().hint()).unwrap();
    assert_eq!(trust, Trust::Development);
    let mut store = store;
    store.pin(name("acme"), key.public().clone()).unwrap();
    let (_, trust) = store.find(&name("acme"), &key.public().hint()).unwrap();
    assert_eq!(trust, Trust::Pinned);
}

#[test]
fn a_publisher_has_a_bounded_number_of_keys() {
    let mut store = TrustStore::new();
    for _ in 0..KEYS_PER_PUBLISHER_MAX {
        store.pin(name("acme"), KeyPair::generate().unwrap().public().clone()).unwrap();
    }
    let error = store.pin(name("acme"), KeyPair::generate().unwrap().public().clone()).unwrap_err();
    assert!(matches!(error, TrustError::TooMany { max: 64, .. }));
}

#[test]
fn folders_are_read_and_mistakes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(TrustStore::load(&folder.path().join("missing")).unwrap().publishers().count(), 0);
    let acme = folder.path().join("acme");
    fs::create_dir(&acme).unwrap();
    let key = KeyPair::generate().unwrap();
    fs::write(acme.join("first.pub"), key.public().to_pem()).unwrap();
    fs::write(acme.join("README"), "not a key, not read").unwrap();
    fs::write(folder.path().join("notes.txt"), "not a publisher").unwrap();
    let store = TrustStore::load(folder.path()).unwrap();
    assert_eq!(store.keys(&name("acme")), [key.public().clone()]);

    fs::write(acme.join("second.pub"), "garbage").unwrap();
    let error = TrustStore::load(folder.path()).unwrap_err();
    assert!(matches!(&error, TrustError::Key { path, .. } if path.ends_with("second.pub")));
    assert_eq!(error.code(), Code::TrustStore);
    fs::remove_file(acme.join("second.pub")).unwrap();

    fs::create_dir(folder.path().join("Not A Name")).unwrap();
    assert!(matches!(TrustStore::load(folder.path()).unwrap_err(), TrustError::Name(_)));
}

#[test]
fn what_is_not_a_folder_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(TrustStore::load(&file).unwrap_err(), TrustError::Io { .. }));
}
