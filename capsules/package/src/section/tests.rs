use proptest::prelude::*;
use soma_policy::Code;

use super::*;
use crate::fixture::{Damage, importing};

fn custom(name: &str, data: &[u8]) -> Vec<u8> {
    let section = CustomSection { name: name.into(), data: data.into() };
    let mut out = vec![section.id()];
    section.encode(&mut out);
    out
}

#[test]
fn what_is_embedded_is_extracted() {
    let plain = importing(&[]);
    let with = embed(&plain, b"{\"a\":1}").unwrap();
    assert_eq!(extract(&with).unwrap(), b"{\"a\":1}");
    assert!(with.starts_with(&plain), "nothing else changes");
    wasmparser::Validator::new().validate_all(&with).unwrap();
}

#[test]
fn embedding_again_replaces() {
    let first = embed(&importing(&[]), b"first").unwrap();
    let second = embed(&first, b"second").unwrap();
    assert_eq!(extract(&second).unwrap(), b"second");
    assert_eq!(second, embed(&importing(&[]), b"second").unwrap());
}

#[test]
fn a_component_without_a_manifest_is_refused() {
    let error = extract(&importing(&[])).unwrap_err();
    assert_eq!(
        (error.clone(), error.code()),
        (SectionError::Missing, Code::ManifestSectionMissing)
    );
}

#[test]
fn two_manifests_are_refused() {
    let mut bytes = embed(&importing(&[]), b"one").unwrap();
    bytes.extend(custom(SECTION_NAME, b"two"));
    let error = extract(&bytes).unwrap_err();
    assert_eq!(
        (error.clone(), error.code()),
        (SectionError::Several(2), Code::ManifestSectionMisplaced)
    );
    assert_eq!(extract(&embed(&bytes, b"three").unwrap()).unwrap(), b"three");
}

#[test]
fn a_manifest_that_is_not_last_is_refused() {
    let mut bytes = embed(&importing(&[]), b"one").unwrap();
    bytes.extend(custom("producers", b"\0"));
    assert_eq!(extract(&bytes).unwrap_err(), SectionError::NotLast);
}

#[test]
fn a_manifest_inside_a_nested_component_does_not_count() {
    let inner = embed(b"\0asm\x0d\0\x01\0", b"inner").unwrap();
    let mut outer = b"\0asm\x0d\0\x01\0".to_vec();
    outer.push(4);
    inner.len().encode(&mut outer);
    outer.extend(&inner);
    assert_eq!(extract(&outer).unwrap_err(), SectionError::Missing);
    assert_eq!(extract(&embed(&outer, b"outer").unwrap()).unwrap(), b"outer");
}

#[test]
fn a_name_that_only_starts_alike_does_not_count() {
    let mut bytes = importing(&[]);
    bytes.extend(custom("soma:manifest2", b"x"));
    bytes.extend(custom("soma:manifes", b"x"));
    assert_eq!(extract(&bytes).unwrap_err(), SectionError::Missing);
}

#[test]
fn an_endless_manifest_is_refused_both_ways() {
    let long = vec![b' '; MANIFEST_BYTES_MAX + 1];
    let error = embed(&importing(&[]), &long).unwrap_err();
    assert_eq!(error.code(), Code::ManifestTooLarge);
    let mut bytes = importing(&[]);
    bytes.extend(custom(SECTION_NAME, &long));
    assert_eq!(extract(&bytes).unwrap_err(), error);
    assert!(!error.remedy().is_empty());
}

#[test]
fn broken_headers_are_malformed() {
    let header = b"\0asm\x0d\0\x01\0";
    let with = |more: &[u8]| [header.as_slice(), more].concat();
    let table = [
        b"".to_vec(),
        b"\0as".to_vec(),
        with(&[0]),
        with(&[0, 0x80]),
        with(&[0, 0xff, 0xff, 0xff, 0xff, 0x7f]),
        with(&[0, 0x80, 0x80, 0x80, 0x80, 0x80, 0]),
        with(&[0, 5, 1]),
        with(&[0, 1, 5, 1, 2, 3, 4, 5, 6]),
        with(&[7, 100]),
    ];
    for bytes in table {
        let error = extract(&bytes).unwrap_err();
        assert!(matches!(error, SectionError::Malformed { .. }), "{bytes:?}: {error}");
        assert_eq!(error.code(), Code::ComponentMalformed);
    }
}

proptest! {
    #[test]
    fn any_manifest_survives(manifest in prop::collection::vec(any::<u8>(), 0..2000)) {
        let bytes = embed(&importing(&["wasi:io/poll@0.2.0"]), &manifest).unwrap();
        prop_assert_eq!(extract(&bytes).unwrap(), manifest.as_slice());
    }

    #[test]
    fn no_damage_panics(damage in Damage::any()) {
        let bytes = Damage::apply(&damage, &embed(&importing(&[]), b"{}").unwrap());
        let _ = extract(&bytes);
        if let Ok(again) = embed(&bytes, b"{}") {
            let _ = extract(&again);
        }
    }
}
