//! Small signed capsules, made in process: a component of text, a manifest, a key.

use soma_capsule::bundle::sign_blob;
use soma_capsule::{CapsuleFile, KeyPair, section};
use soma_policy::Digest;

/// A component that exports `greet`, imports these interfaces (nothing of any), and holds these bytes as data.
pub(crate) fn component(interfaces: &[&str], data: &str) -> Vec<u8> {
    let imports: String =
        interfaces.iter().map(|name| format!("(import \"{name}\" (instance))\n")).collect();
    let text = format!(
        r#"(component {imports}
        (core module $m (memory 1) (data (i32.const 8) "{data}") (func (export "greet")))
        (core instance $i (instantiate $m))
        (func (export "greet") (canon lift (core func $i "greet"))))"#
    );
    wat::parse_str(text).expect("a component")
}

/// A manifest of `name` and `version` with these lines after the common ones.
pub(crate) fn manifest(name: &str, version: &str, more: &str) -> String {
    format!(
        "schema = 1\nname = \"{name}\"\nversion = \"{version}\"\nkind = \"task\"\n\
         summary = \"Says hello politely\"\nlicence = \"Apache-2.0\"\n{more}"
    )
}

/// A component with its manifest inside.
pub(crate) fn capsule(component: &[u8], toml: &str) -> Vec<u8> {
    let file = CapsuleFile::parse(toml).expect("a manifest");
    let embedded = file.manifest.to_canonical().expect("a canonical manifest");
    section::embed(component, &embedded).expect("embedded")
}

/// The bundle over a component.
pub(crate) fn bundle(component: &[u8], key: &KeyPair) -> Vec<u8> {
    sign_blob(&Digest::of(component), key).expect("signed")
}

/// A bill of materials about a component, with these libraries as package URLs.
pub(crate) fn sbom(component: &[u8], purls: &[&str]) -> String {
    let hex = Digest::of(component).to_string().trim_start_matches("sha256:").to_owned();
    let libraries: Vec<_> = purls.iter().map(|purl| serde_json::json!({ "purl": purl })).collect();
    serde_json::json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "components": libraries,
        "metadata": { "component": { "hashes": [{ "alg": "SHA-256", "content": hex }] } },
    })
    .to_string()
}

/// A statement of where a component comes from.
pub(crate) fn provenance(component: &[u8]) -> String {
    let hex = Digest::of(component).to_string().trim_start_matches("sha256:").to_owned();
    serde_json::json!({
        "_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1",
        "subject": [{ "name": "capsule.wasm", "digest": { "sha256": hex } }], "predicate": {},
    })
    .to_string()
}
