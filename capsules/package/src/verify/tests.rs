use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::fixture::{Damage, MANIFEST, capsule, importing, manifest, package, trust};
use crate::key::KeyPair;
use crate::section::{SECTION_NAME, embed};

struct Scene {
    acme: KeyPair,
    other: KeyPair,
    stranger: KeyPair,
    trust: TrustStore,
}

fn scene() -> Scene {
    let [acme, other, stranger] = std::array::from_fn(|_| KeyPair::generate().unwrap());
    let trust = trust(&[("acme", &acme), ("other", &other)]);
    Scene { acme, other, stranger, trust }
}

fn greeter() -> Vec<u8> {
    capsule(&importing(&[]), MANIFEST)
}

#[test]
fn a_signed_capsule_is_verified() {
    let scene = scene();
    let bytes = greeter();
    let digest = Digest::of(&bytes);
    let verified =
        verify(package(bytes.clone(), &scene.acme), &scene.trust, Some(&digest)).unwrap();
    assert_eq!(verified.digest(), digest);
    assert_eq!(verified.manifest().name.to_string(), "acme/greeter");
    assert_eq!(verified.signer(), scene.acme.public().fingerprint());
    assert_eq!(verified.trust(), Trust::Pinned);
    assert_eq!(verified.component().as_ref(), bytes.as_slice());
    assert_eq!(verified.analysis().functions[0].name, "greet");
    assert!(verified.warnings().is_empty());
    let facts = verified.facts();
    assert_eq!((facts.digest, facts.signer), (digest, scene.acme.public().fingerprint()));
    assert_eq!(facts.name.to_string(), "acme/greeter");
}

#[test]
fn a_development_signature_is_marked() {
    let scene = scene();
    let store = scene.trust.with_development_key(scene.stranger.public().clone());
    let verified = verify(package(greeter(), &scene.stranger), &store, None).unwrap();
    assert_eq!(verified.trust(), Trust::Development);
}

#[test]
fn warnings_do_not_refuse() {
    let scene = scene();
    let toml = manifest("[capabilities.logging]\nper_call = \"1 KiB\"");
    let bytes = capsule(&importing(&[]), &toml);
    let verified = verify(package(bytes, &scene.acme), &scene.trust, None).unwrap();
    assert_eq!(verified.warnings().len(), 1);
}

type Tamper = fn(&Scene) -> UnverifiedPackage;

fn with_bundle(scene: &Scene, change: impl FnOnce(&mut Value)) -> UnverifiedPackage {
    let mut signed = package(greeter(), &scene.acme);
    let mut bundle: Value = serde_json::from_slice(&signed.bundle).unwrap();
    change(&mut bundle);
    signed.bundle = bundle.to_string().into_bytes();
    signed
}

fn second_manifest(mut bytes: Vec<u8>) -> Vec<u8> {
    let tail = embed(b"\0asm\x0d\0\x01\0", b"{}").unwrap();
    bytes.extend(&tail[8..]);
    bytes
}

/// Everything an attacker may do to a package, and what must be said of it.
const TAMPERING: &[(&str, Tamper, Code)] = &[
    (
        "a flipped byte of the component",
        |s| {
            let mut signed = package(greeter(), &s.acme);
            let at = signed.component.len() / 2;
            signed.component[at] ^= 1;
            signed
        },
        Code::DigestMismatch,
    ),
    (
        "a flipped byte of the manifest",
        |s| {
            let mut signed = package(greeter(), &s.acme);
            let at = signed.component.windows(5).position(|w| w == b"hello").unwrap();
            signed.component[at] = b'H';
            signed
        },
        Code::DigestMismatch,
    ),
    (
        "a flipped bit of the signature",
        |s| {
            with_bundle(s, |bundle| {
                use base64::Engine as _;
                let base64 = base64::engine::general_purpose::STANDARD;
                let signature = &mut bundle["messageSignature"]["signature"];
                let mut bytes = base64.decode(signature.as_str().unwrap()).unwrap();
                *bytes.last_mut().unwrap() ^= 1;
                *signature = json!(base64.encode(bytes));
            })
        },
        Code::SignatureInvalid,
    ),
    ("a key that nobody trusts", |s| package(greeter(), &s.stranger), Code::KeyNotTrusted),
    ("the key of another publisher", |s| package(greeter(), &s.other), Code::KeyNotTrusted),
    (
        "the publisher's hint on another key's signature",
        |s| {
            let mut signed = package(greeter(), &s.stranger);
            let mut bundle: Value = serde_json::from_slice(&signed.bundle).unwrap();
            bundle["verificationMaterial"]["publicKey"]["hint"] = json!(s.acme.public().hint());
            signed.bundle = bundle.to_string().into_bytes();
            signed
        },
        Code::SignatureInvalid,
    ),
    (
        "an unknown hint",
        |s| {
            with_bundle(s, |bundle| {
                bundle["verificationMaterial"]["publicKey"]["hint"] = json!("who");
            })
        },
        Code::KeyNotTrusted,
    ),
    (
        "an empty hint",
        |s| {
            with_bundle(s, |bundle| {
                bundle["verificationMaterial"]["publicKey"]["hint"] = json!("");
            })
        },
        Code::KeyNotTrusted,
    ),
    (
        "a stripped signature",
        |_| UnverifiedPackage { component: greeter(), bundle: Vec::new() },
        Code::BundleMissing,
    ),
    (
        "a signature removed from the bundle",
        |s| {
            with_bundle(s, |bundle| {
                drop(bundle.as_object_mut().unwrap().remove("messageSignature"));
            })
        },
        Code::BundleMalformed,
    ),
    (
        "a swapped component under the same bundle",
        |s| {
            let other = capsule(&importing(&["wasi:io/poll@0.2.0"]), MANIFEST);
            UnverifiedPackage { component: other, bundle: package(greeter(), &s.acme).bundle }
        },
        Code::DigestMismatch,
    ),
    (
        "a swapped component with the stated digest rewritten",
        |s| {
            let other = capsule(&importing(&["wasi:io/poll@0.2.0"]), MANIFEST);
            let mine = package(other, &s.stranger);
            let mut forged: Value = serde_json::from_slice(&mine.bundle).unwrap();
            let genuine: Value =
                serde_json::from_slice(&package(greeter(), &s.acme).bundle).unwrap();
            forged["verificationMaterial"] = genuine["verificationMaterial"].clone();
            forged["messageSignature"]["signature"] =
                genuine["messageSignature"]["signature"].clone();
            UnverifiedPackage { component: mine.component, bundle: forged.to_string().into_bytes() }
        },
        Code::SignatureInvalid,
    ),
    (
        "a swapped manifest",
        |s| {
            let wider = manifest("[capabilities.logging]\nper_call = \"1 KiB\"");
            let swapped = capsule(&greeter(), &wider);
            UnverifiedPackage { component: swapped, bundle: package(greeter(), &s.acme).bundle }
        },
        Code::DigestMismatch,
    ),
    (
        "another publisher's name in a manifest that one signs oneself",
        |s| {
            let stolen = capsule(&importing(&[]), &MANIFEST.replace("acme/", "other/"));
            package(stolen, &s.acme)
        },
        Code::KeyNotTrusted,
    ),
    (
        "a publisher without any key",
        |s| {
            let unknown = capsule(&importing(&[]), &MANIFEST.replace("acme/", "nobody/"));
            package(unknown, &s.acme)
        },
        Code::KeyNotTrusted,
    ),
    (
        "a publisher without any key, signed by a stranger",
        |s| {
            let unknown = capsule(&importing(&[]), &MANIFEST.replace("acme/", "nobody/"));
            package(unknown, &s.stranger)
        },
        Code::PublisherUnknown,
    ),
    (
        "two manifests",
        |s| package(second_manifest(greeter()), &s.acme),
        Code::ManifestSectionMisplaced,
    ),
    (
        "a manifest that is not last",
        |s| {
            let mut bytes = greeter();
            bytes.extend([0, 3, 1, b'x', 0]);
            package(bytes, &s.acme)
        },
        Code::ManifestSectionMisplaced,
    ),
    ("no manifest", |s| package(importing(&[]), &s.acme), Code::ManifestSectionMissing),
    (
        "a manifest in another form",
        |s| {
            let text = String::from_utf8(section::extract(&greeter()).unwrap().to_vec()).unwrap();
            let spaced = text.replacen(':', ": ", 1);
            package(embed(&importing(&[]), spaced.as_bytes()).unwrap(), &s.acme)
        },
        Code::ManifestSectionNotCanonical,
    ),
    (
        "a bundle of version 0.1",
        |s| {
            with_bundle(s, |bundle| {
                bundle["mediaType"] = json!("application/vnd.dev.sigstore.bundle+json;version=0.1");
            })
        },
        Code::BundleMalformed,
    ),
    (
        "a certificate instead of a key",
        |s| {
            with_bundle(s, |bundle| {
                bundle["verificationMaterial"] = json!({"certificate": {"rawBytes": "AAAA"}});
            })
        },
        Code::BundleMalformed,
    ),
    (
        "a certificate beside the key",
        |s| {
            with_bundle(s, |bundle| {
                bundle["verificationMaterial"]["certificate"] = json!({"rawBytes": "AAAA"});
            })
        },
        Code::BundleMalformed,
    ),
    (
        "an undeclared import",
        |s| package(capsule(&importing(&["wasi:http/outgoing-handler@0.2.0"]), MANIFEST), &s.acme),
        Code::ComponentUndeclared,
    ),
    (
        "an import of WASI 0.3",
        |s| package(capsule(&importing(&["wasi:http/handler@0.3.0"]), MANIFEST), &s.acme),
        Code::ComponentVersion03,
    ),
    (
        "machine code",
        |s| package(b"\x7fELF\x02\x01\x01".to_vec(), &s.acme),
        Code::ComponentPrecompiled,
    ),
    (
        "a core module",
        |s| package(wat::parse_str("(module)").unwrap(), &s.acme),
        Code::ComponentIsModule,
    ),
    (
        "a core module with a manifest",
        |s| package(embed(&wat::parse_str("(module)").unwrap(), b"{}").unwrap(), &s.acme),
        Code::ComponentIsModule,
    ),
    (
        "an oversize component",
        |s| package(vec![0; (32 << 20) + 1], &s.acme),
        Code::ComponentTooLarge,
    ),
];

#[test]
fn every_tampering_is_refused_with_its_own_code() {
    let scene = scene();
    for (what, tamper, code) in TAMPERING {
        match verify(tamper(&scene), &scene.trust, None) {
            Ok(_) => panic!("{what} was verified"),
            Err(error) => {
                assert_eq!(error.code(), *code, "{what}: {error}");
                assert!(!error.to_string().is_empty(), "{what}");
                assert!(!error.remedy().is_empty(), "{what}");
            }
        }
    }
}

#[test]
fn another_digest_than_the_pinned_one_is_refused() {
    let scene = scene();
    let pinned = Digest::of(b"something else");
    let error = verify(package(greeter(), &scene.acme), &scene.trust, Some(&pinned)).unwrap_err();
    assert!(matches!(error, VerifyError::WrongDigest { expected, .. } if expected == pinned));
    assert_eq!(error.code(), Code::DigestMismatch);
}

#[test]
fn an_empty_store_verifies_nothing() {
    let scene = scene();
    let error = verify(package(greeter(), &scene.acme), &TrustStore::new(), None).unwrap_err();
    assert!(matches!(error, VerifyError::UnknownPublisher(_)));
    assert!(error.remedy().contains("soma trust add acme"));
}

#[test]
fn all_disagreements_are_reported() {
    let scene = scene();
    let bytes = capsule(&importing(&["wasi:logging/logging", "evil:x/y"]), MANIFEST);
    let error = verify(package(bytes, &scene.acme), &scene.trust, None).unwrap_err();
    let VerifyError::Disagree(findings) = &error else { panic!("{error}") };
    assert_eq!(findings.len(), 2);
    assert!(error.to_string().ends_with("(and 1 more)"), "{error}");
}

#[test]
fn the_section_name_is_the_documented_one() {
    assert_eq!(SECTION_NAME, "soma:manifest");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_damage_to_a_component_is_verified(damage in Damage::any()) {
        let scene = scene();
        let mut signed = package(greeter(), &scene.acme);
        let genuine = signed.component.clone();
        signed.component = Damage::apply(&damage, &signed.component);
        let verified = verify(signed.clone(), &scene.trust, None).is_ok();
        prop_assert_eq!(verified, signed.component == genuine);
    }

    #[test]
    fn no_damage_to_a_bundle_verifies_another_component(damage in Damage::any()) {
        let scene = scene();
        let mut signed = package(greeter(), &scene.acme);
        let digest = Digest::of(&signed.component);
        signed.bundle = Damage::apply(&damage, &signed.bundle);
        if let Ok(verified) = verify(signed, &scene.trust, None) {
            prop_assert_eq!(verified.digest(), digest);
            prop_assert_eq!(verified.signer(), scene.acme.public().fingerprint());
        }
    }
}
