use proptest::prelude::*;

use super::*;
use crate::fixture::Damage;

#[test]
fn a_key_signs_what_its_public_half_verifies() {
    let key = KeyPair::generate().unwrap();
    let digest = Digest::of(b"hello");
    let signature = key.sign_digest(&digest).unwrap();
    assert!(key.public().verifies(&digest, &signature));
    assert!(!key.public().verifies(&Digest::of(b"hullo"), &signature));
    assert!(!KeyPair::generate().unwrap().public().verifies(&digest, &signature));
    assert!(!key.public().verifies(&digest, b""));
    assert!(key.public().verifies(&digest, &key.sign(b"hello").unwrap()));
}

#[test]
fn encrypted_files_open_with_their_passphrase_alone() {
    let key = KeyPair::generate().unwrap();
    let file = key.to_encrypted_pem(b"open sesame").unwrap();
    assert!(file.starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----"));
    let again = KeyPair::from_encrypted_pem(file.as_bytes(), b"open sesame").unwrap();
    assert_eq!(again.public(), key.public());
    let error = KeyPair::from_encrypted_pem(file.as_bytes(), b"sesame").unwrap_err();
    assert_eq!((error.clone(), error.code()), (KeyError::WrongPassphrase, Code::KeyPassphrase));
}

#[test]
fn a_key_of_cosign_opens() {
    // `cosign generate-key-pair` with the passphrase "soma".
    let file = include_bytes!("../../fixtures/cosign.key");
    let public = include_bytes!("../../fixtures/cosign.pub");
    let key = KeyPair::from_encrypted_pem(file, b"soma").unwrap();
    assert_eq!(key.public(), &PublicKey::from_pem(public).unwrap());
}

#[test]
fn public_keys_survive_their_file() {
    let key = KeyPair::generate().unwrap();
    let pem = key.public().to_pem();
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----"));
    assert_eq!(&PublicKey::from_pem(pem.as_bytes()).unwrap(), key.public());
    assert_eq!(key.public().fingerprint(), Fingerprint::of_spki(key.public().spki_der()));
    assert_eq!(Fingerprint::from_hint(&key.public().hint()).unwrap(), key.public().fingerprint());
}

#[test]
fn other_keys_and_other_files_are_refused() {
    use sigstore::crypto::signing_key::KeyPair as _;
    use sigstore::crypto::signing_key::ecdsa::{ECDSAKeys, EllipticCurve};
    use sigstore::crypto::signing_key::ed25519::Ed25519Keys;
    let wide = ECDSAKeys::new(EllipticCurve::P384).unwrap();
    let wide = wide.as_inner();
    let edwards = Ed25519Keys::new().unwrap();
    for pem in [wide.public_key_to_pem().unwrap(), edwards.public_key_to_pem().unwrap()] {
        assert_eq!(PublicKey::from_pem(pem.as_bytes()).unwrap_err(), KeyError::OtherAlgorithm);
    }
    for pem in [
        wide.private_key_to_encrypted_pem(b"x").unwrap(),
        edwards.private_key_to_encrypted_pem(b"x").unwrap(),
    ] {
        let error = KeyPair::from_encrypted_pem(pem.as_bytes(), b"x").unwrap_err();
        assert_eq!((error.clone(), error.code()), (KeyError::OtherAlgorithm, Code::KeyFile));
    }
    let plain = wide.private_key_to_pem().unwrap();
    for bytes in
        [b"".as_slice(), b"\xff\xfe", plain.as_bytes(), &vec![b'-'; KEY_FILE_BYTES_MAX + 1]]
    {
        let error = KeyPair::from_encrypted_pem(bytes, b"x").unwrap_err();
        assert!(matches!(error, KeyError::NotAKey { .. }));
        assert!(matches!(PublicKey::from_pem(bytes).unwrap_err(), KeyError::NotAKey { .. }));
        assert!(!error.remedy().is_empty());
    }
}

#[test]
fn a_nonce_of_another_length_does_not_panic() {
    let sealed = br#"{"kdf":{"name":"scrypt","params":{"N":32768,"r":8,"p":1},"salt":"AAAA"},
        "cipher":{"name":"nacl/secretbox","nonce":"AAAA"},"ciphertext":"AAAA"}"#;
    let pem = format!(
        "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n{}\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n",
        STANDARD.encode(sealed)
    );
    let error = KeyPair::from_encrypted_pem(pem.as_bytes(), b"x").unwrap_err();
    assert!(matches!(error, KeyError::NotAKey { .. }));
}

#[test]
fn nothing_private_is_shown() {
    let key = KeyPair::generate().unwrap();
    let shown = format!("{key:?}");
    assert_eq!(
        shown,
        format!("KeyPair {{ public: PublicKey({}), .. }}", key.public().fingerprint())
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_damage_to_a_public_key_panics(damage in Damage::any()) {
        let pem = include_bytes!("../../fixtures/cosign.pub");
        let _ = PublicKey::from_pem(&Damage::apply(&damage, pem));
    }
}
