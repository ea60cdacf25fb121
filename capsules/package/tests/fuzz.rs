//! Fuzz targets of every parser that reads what strangers send. As tests each runs for a moment
//! with random input; `cargo bolero test -p soma-capsule TARGET` runs one with coverage guidance
//! for as long as one likes.

use soma_capsule::bundle::KeyedSignature;
use soma_capsule::dsse::Envelope;
use soma_capsule::oci::{Reference, read_layout};
use soma_capsule::{CapsuleFile, KeyPair, Manifest, PublicKey, UnverifiedPackage, section};

const COMPONENT_HEADER: &[u8] = b"\0asm\x0d\0\x01\0";

fn after(prefix: &[u8], bytes: &[u8]) -> Vec<u8> {
    [prefix, bytes].concat()
}

#[test]
fn fuzz_component() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let _ = soma_capsule::analyse(bytes);
        let _ = soma_capsule::analyse(&after(COMPONENT_HEADER, bytes));
    });
}

#[test]
fn fuzz_manifest_section() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let file = after(COMPONENT_HEADER, bytes);
        if let Ok(manifest) = section::extract(&file) {
            assert!(file.ends_with(manifest), "what is read is the end of the file");
        }
        if let Ok(embedded) = section::embed(&file, b"{}") {
            assert_eq!(section::extract(&embedded).unwrap(), b"{}");
        }
    });
}

#[test]
fn fuzz_capsule_toml() {
    bolero::check!().for_each(|bytes: &[u8]| {
        if let Ok(file) = CapsuleFile::parse(&String::from_utf8_lossy(bytes))
            && let Ok(canonical) = file.manifest.to_canonical()
        {
            assert_eq!(Manifest::from_canonical(&canonical).unwrap(), file.manifest);
        }
    });
}

#[test]
fn fuzz_embedded_manifest() {
    bolero::check!().for_each(|bytes: &[u8]| {
        if let Ok(manifest) = Manifest::from_canonical(bytes) {
            assert_eq!(manifest.to_canonical().unwrap(), bytes);
        }
    });
}

#[test]
fn fuzz_bundle() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let _ = KeyedSignature::parse(bytes);
    });
}

#[test]
fn fuzz_signed_document() {
    bolero::check!().for_each(|bytes: &[u8]| {
        if let Ok(envelope) = Envelope::from_json(bytes) {
            assert_eq!(Envelope::from_json(&envelope.to_json()).unwrap(), envelope);
        }
    });
}

#[test]
fn fuzz_key_files() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let _ = PublicKey::from_pem(bytes);
        let _ = PublicKey::from_spki_der(bytes);
        let _ = KeyPair::from_pkcs8_der(bytes);
        let _ = KeyPair::from_encrypted_pem(bytes, b"");
    });
}

#[test]
fn fuzz_layout_index() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("blobs/sha256")).unwrap();
    std::fs::write(folder.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let reference = Reference::Tag("1.0.0".parse().unwrap());
    bolero::check!().for_each(|bytes: &[u8]| {
        std::fs::write(folder.path().join("index.json"), bytes).unwrap();
        assert!(read_layout(folder.path(), &reference).is_err(), "there is no blob to read");
    });
}

#[test]
fn fuzz_package() {
    let trust = soma_capsule::TrustStore::new();
    bolero::check!().for_each(|bytes: &[u8]| {
        let (component, bundle) = bytes.split_at(bytes.len() / 2);
        let package = UnverifiedPackage {
            component: after(COMPONENT_HEADER, component),
            bundle: bundle.to_vec(),
        };
        assert!(soma_capsule::verify(package, &trust, None).is_err(), "nobody is trusted");
    });
}
