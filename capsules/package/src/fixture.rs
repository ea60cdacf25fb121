//! Guests, manifests and signed packages for the tests of this crate, made in process.

use proptest::prelude::*;
use soma_policy::{Digest, PublisherName};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

use crate::bundle::sign_blob;
use crate::key::KeyPair;
use crate::manifest::CapsuleFile;
use crate::section;
use crate::trust::TrustStore;
use crate::verify::UnverifiedPackage;

/// A component of the one world in this WIT text, whose functions trap.
pub(crate) fn component(wit: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("test.wit", wit).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let abi = ManglingAndAbi::Legacy(wit_parser::LiftLowerAbi::Sync);
    let mut module = dummy_module(&resolve, world, abi);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}

/// A component that imports these interfaces, nothing of any of them, and exports `greet`.
pub(crate) fn importing(interfaces: &[&str]) -> Vec<u8> {
    let import = |name: &&str| format!("(import \"{name}\" (instance))\n");
    let imports: String = interfaces.iter().map(import).collect();
    let exports = r#"
        (core module $m (func (export "greet")))
        (core instance $i (instantiate $m))
        (func (export "greet") (canon lift (core func $i "greet")))
    "#;
    wat::parse_str(format!("(component {imports} {exports})")).unwrap()
}

/// The smallest manifest.
pub(crate) const MANIFEST: &str = r#"
schema = 1
name = "acme/greeter"
version = "1.2.0"
kind = "task"
summary = "Says hello"
licence = "Apache-2.0"
"#;

/// A manifest of these lines after the common ones.
pub(crate) fn manifest(more: &str) -> String {
    format!("{MANIFEST}\n{more}")
}

/// The component with that manifest embedded.
pub(crate) fn capsule(component: &[u8], toml: &str) -> Vec<u8> {
    let file = CapsuleFile::parse(toml).unwrap();
    section::embed(component, &file.manifest.to_canonical().unwrap()).unwrap()
}

/// Signs a component as it is.
pub(crate) fn package(component: Vec<u8>, key: &KeyPair) -> UnverifiedPackage {
    let bundle = sign_blob(&Digest::of(&component), key).unwrap();
    UnverifiedPackage { component, bundle }
}

/// A store that trusts each key for its publisher.
pub(crate) fn trust(pins: &[(&str, &KeyPair)]) -> TrustStore {
    let mut store = TrustStore::new();
    for (publisher, key) in pins {
        let publisher: PublisherName = publisher.parse().unwrap();
        store.pin(publisher, key.public().clone()).unwrap();
    }
    store
}

/// Ways to damage bytes: flip, cut, repeat, insert.
#[derive(Debug, Clone)]
pub(crate) enum Damage {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index, prop::sample::Index),
    Repeat(prop::sample::Index, prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
}

impl Damage {
    pub(crate) fn any() -> impl Strategy<Value = Vec<Self>> {
        let at = any::<prop::sample::Index>;
        let one = prop_oneof![
            4 => (at(), 1u8..).prop_map(|(i, b)| Self::Flip(i, b)),
            1 => (at(), at()).prop_map(|(i, j)| Self::Cut(i, j)),
            1 => (at(), at()).prop_map(|(i, j)| Self::Repeat(i, j)),
            1 => (at(), prop::collection::vec(any::<u8>(), 1..8)).prop_map(|(i, v)| Self::Insert(i, v)),
        ];
        prop::collection::vec(one, 1..4)
    }

    pub(crate) fn apply(all: &[Self], bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for damage in all {
            if bytes.is_empty() {
                break;
            }
            let n = bytes.len();
            let range = |i: &prop::sample::Index, j: &prop::sample::Index| {
                let (i, j) = (i.index(n), j.index(n));
                i.min(j)..i.max(j)
            };
            match damage {
                Self::Flip(i, b) => bytes[i.index(n)] ^= b,
                Self::Cut(i, j) => drop(bytes.drain(range(i, j))),
                Self::Repeat(i, j) => {
                    let range = range(i, j);
                    let (part, at) = (bytes[range.clone()].to_vec(), range.end);
                    bytes.splice(at..at, part);
                }
                Self::Insert(i, more) => {
                    let at = i.index(n);
                    bytes.splice(at..at, more.iter().copied());
                }
            }
        }
        bytes
    }
}
