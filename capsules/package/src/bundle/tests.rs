use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::fixture::Damage;

fn signed() -> (KeyPair, Digest, Vec<u8>) {
    let key = KeyPair::generate().unwrap();
    let digest = Digest::of(b"a component");
    let bundle = sign_blob(&digest, &key).unwrap();
    (key, digest, bundle)
}

fn changed(change: impl FnOnce(&mut Value)) -> BundleError {
    let mut value: Value = serde_json::from_slice(&signed().2).unwrap();
    change(&mut value);
    KeyedSignature::parse(value.to_string().as_bytes()).unwrap_err()
}

#[test]
fn what_is_signed_is_read_back() {
    let (key, digest, bundle) = signed();
    let signature = KeyedSignature::parse(&bundle).unwrap();
    assert_eq!(signature.hint, key.public().hint());
    assert_eq!(signature.digest, digest);
    assert!(key.public().verifies(&digest, &signature.signature));
}

#[test]
fn the_bundle_has_the_form_that_cosign_reads() {
    let (key, digest, bundle) = signed();
    let value: Value = serde_json::from_slice(&bundle).unwrap();
    assert_eq!(value["mediaType"], BUNDLE_MEDIA_TYPE);
    assert_eq!(value["verificationMaterial"]["publicKey"]["hint"], key.public().hint());
    let stated = &value["messageSignature"]["messageDigest"];
    assert_eq!(stated["algorithm"], "SHA2_256");
    use base64::Engine as _;
    let digest = base64::engine::general_purpose::STANDARD.encode(digest.as_bytes());
    assert_eq!(stated["digest"], digest);
}

#[test]
fn a_bundle_of_cosign_is_read() {
    // `cosign sign-blob --key cosign.key --tlog-upload=false` over the text "soma\n".
    let bundle = include_bytes!("../../fixtures/cosign.bundle.json");
    let public = include_bytes!("../../fixtures/cosign.pub");
    let key = crate::key::PublicKey::from_pem(public).unwrap();
    let signature = KeyedSignature::parse(bundle).unwrap();
    assert_eq!(signature.hint, key.hint());
    assert_eq!(signature.digest, Digest::of(b"soma\n"));
    assert!(key.verifies(&signature.digest, &signature.signature));
}

#[test]
fn cosign_takes_our_key_and_our_bundle() {
    let present = Command::new("cosign").arg("version").output().is_ok_and(|o| o.status.success());
    if !present {
        let _ = writeln!(std::io::stderr(), "skipped: cosign not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let key = KeyPair::generate().unwrap();
    let digest = Digest::of(b"a capsule");
    let blob = write("blob", b"a capsule");
    let public = write("key.pub", key.public().to_pem().as_bytes());
    let bundle = write("ours.json", &sign_blob(&digest, &key).unwrap());
    let cosign = |args: &[&std::ffi::OsStr]| {
        let output =
            Command::new("cosign").args(args).env("COSIGN_PASSWORD", "soma").output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let verify = |bundle: &Path| {
        cosign(&[
            "verify-blob".as_ref(),
            "--key".as_ref(),
            public.as_ref(),
            "--bundle".as_ref(),
            bundle.as_ref(),
            "--insecure-ignore-tlog".as_ref(),
            blob.as_ref(),
        ])
    };
    assert!(verify(&bundle).0, "{}", verify(&bundle).1);

    let secret = write("key.key", key.to_encrypted_pem(b"soma").unwrap().as_bytes());
    let theirs = folder.path().join("theirs.json");
    let (signed, said) = cosign(&[
        "sign-blob".as_ref(),
        "--key".as_ref(),
        secret.as_ref(),
        "--bundle".as_ref(),
        theirs.as_ref(),
        "--tlog-upload=false".as_ref(),
        "--use-signing-config=false".as_ref(),
        "--yes".as_ref(),
        blob.as_ref(),
    ]);
    assert!(signed, "{said}");
    let signature = KeyedSignature::parse(&std::fs::read(&theirs).unwrap()).unwrap();
    assert_eq!((signature.hint, signature.digest), (key.public().hint(), digest));
    assert!(key.public().verifies(&digest, &signature.signature));
    std::fs::write(&blob, b"another capsule").unwrap();
    assert!(!verify(&bundle).0);
}

#[test]
fn other_versions_are_refused() {
    for other in [
        "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "application/vnd.dev.sigstore.bundle+json;version=0.2",
        "application/vnd.dev.sigstore.bundle+json;version=0.3",
        "text/plain",
    ] {
        let error = changed(|value| value["mediaType"] = json!(other));
        assert_eq!(error, BundleError::OtherVersion(other.into()));
    }
    let error = changed(|value| drop(value.as_object_mut().unwrap().remove("mediaType")));
    assert_eq!(error, BundleError::OtherVersion("none".into()));
}

#[test]
fn certificates_are_refused_even_beside_a_key() {
    let certificate = json!({"rawBytes": "AAAA"});
    let beside = changed(|value| {
        value["verificationMaterial"]["certificate"] = certificate.clone();
    });
    let instead = changed(|value| {
        value["verificationMaterial"] = json!({"certificate": certificate});
    });
    let chain = changed(|value| {
        value["verificationMaterial"] = json!({"x509CertificateChain": {"certificates": []}});
    });
    for error in [beside, instead, chain] {
        assert_eq!(error, BundleError::Certificate);
        assert_eq!(error.code(), Code::BundleMalformed);
    }
}

#[test]
fn attestations_are_refused_even_beside_a_signature() {
    let envelope = json!({"payloadType": "application/vnd.in-toto+json", "payload": "AAAA",
        "signatures": [{"sig": "AAAA"}]});
    let error = changed(|value| value["dsseEnvelope"] = envelope);
    assert_eq!(error, BundleError::Attestation);
}

#[test]
fn a_digest_must_be_stated_and_be_sha_256() {
    let error = changed(|value| {
        drop(value["messageSignature"].as_object_mut().unwrap().remove("messageDigest"));
    });
    assert!(matches!(error, BundleError::Malformed(_)));
    let error = changed(|value| {
        value["messageSignature"]["messageDigest"]["algorithm"] = json!("SHA2_512");
    });
    assert_eq!(error, BundleError::OtherDigest);
    let error = changed(|value| {
        value["messageSignature"]["messageDigest"]["digest"] = json!("AAAA");
    });
    assert_eq!(error, BundleError::OtherDigest);
}

#[test]
fn an_empty_file_is_a_missing_signature() {
    let error = KeyedSignature::parse(b"").unwrap_err();
    assert_eq!((error.clone(), error.code()), (BundleError::Missing, Code::BundleMissing));
    let error = KeyedSignature::parse(&vec![b' '; BUNDLE_BYTES_MAX + 1]).unwrap_err();
    assert!(matches!(error, BundleError::Oversize { .. }));
    assert!(matches!(KeyedSignature::parse(b"{").unwrap_err(), BundleError::Malformed(_)));
    let long = "A".repeat(600);
    let error = changed(|value| value["verificationMaterial"]["publicKey"]["hint"] = json!(long));
    assert!(matches!(error, BundleError::Malformed(_)));
    assert!(!error.remedy().is_empty());
}

proptest! {
    #[test]
    fn no_damage_panics(damage in Damage::any()) {
        let bundle = include_bytes!("../../fixtures/cosign.bundle.json");
        let _ = KeyedSignature::parse(&Damage::apply(&damage, bundle));
    }
}
