use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use serde_json::{Value, json};
use soma_policy::Code;

use super::*;
use crate::bundle::BUNDLE_MEDIA_TYPE;
use crate::fixture::{Damage, MANIFEST, capsule, importing, package};
use crate::key::KeyPair;

struct Shelf {
    folder: tempfile::TempDir,
    package: UnverifiedPackage,
    manifest: Digest,
}

impl Shelf {
    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn blob(&self, digest: &str) -> PathBuf {
        self.path().join("blobs/sha256").join(digest.trim_start_matches("sha256:"))
    }

    fn read(&self) -> Result<Stored, OciError> {
        read_layout(self.path(), &Reference::Tag(tag("1.2.0")))
    }

    fn json(&self, file: &Path) -> Value {
        serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
    }

    fn index(&self) -> Value {
        self.json(&self.path().join("index.json"))
    }

    fn set_index(&self, index: &Value) {
        fs::write(self.path().join("index.json"), index.to_string()).unwrap();
    }

    /// Replaces the manifest of the component by another one, with its digest put right.
    fn remanifest(&self, change: impl FnOnce(&mut Value)) {
        let mut manifest = self.json(&self.blob(&self.manifest.to_string()));
        change(&mut manifest);
        let bytes = manifest.to_string().into_bytes();
        let digest = Digest::of(&bytes);
        fs::write(self.blob(&digest.to_string()), &bytes).unwrap();
        let mut index = self.index();
        index["manifests"][0]["digest"] = json!(digest.to_string());
        index["manifests"][0]["size"] = json!(bytes.len());
        self.set_index(&index);
    }
}

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

fn put(folder: &Path, tag: &Tag, package: &UnverifiedPackage) -> Digest {
    let analysis = crate::analyse(&package.component).unwrap();
    let artifact = Artifact {
        component: &package.component,
        bundle: &package.bundle,
        title: "greeter.wasm",
        analysis: &analysis,
        created: Timestamp(1_700_000_000_000),
    };
    write_layout(folder, tag, &artifact).unwrap()
}

fn shelf() -> Shelf {
    let folder = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let package = package(capsule(&importing(&["wasi:io/poll@0.2.0"]), MANIFEST), &key);
    let manifest = put(folder.path(), &tag("1.2.0"), &package);
    Shelf { folder, package, manifest }
}

#[test]
fn what_is_written_is_read_back_by_tag_and_by_digest() {
    let shelf = shelf();
    let stored = shelf.read().unwrap();
    assert_eq!(stored.manifest, shelf.manifest);
    assert_eq!(stored, read_layout(shelf.path(), &Reference::Digest(shelf.manifest)).unwrap());
    assert_eq!(stored.into_package(), shelf.package);
    assert_eq!(tags(shelf.path()).unwrap(), [(tag("1.2.0"), shelf.manifest)]);
}

#[test]
fn the_documents_have_the_format_of_wkg() {
    let shelf = shelf();
    let manifest = shelf.json(&shelf.blob(&shelf.manifest.to_string()));
    assert_eq!(manifest["schemaVersion"], 2);
    assert_eq!(manifest["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v0+json");
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 1);
    assert_eq!(layers[0]["mediaType"], "application/wasm");
    assert_eq!(layers[0]["annotations"]["org.opencontainers.image.title"], "greeter.wasm");
    let config = shelf.json(&shelf.blob(manifest["config"]["digest"].as_str().unwrap()));
    assert_eq!((&config["architecture"], &config["os"]), (&json!("wasm"), &json!("wasip2")));
    assert_eq!(config["created"], "2023-11-14T22:13:20.000Z");
    assert_eq!(config["layerDigests"], json!([layers[0]["digest"]]));
    assert_eq!(config["component"]["imports"], json!(["wasi:io/poll@0.2.0"]));
    assert_eq!(config["component"]["exports"], json!(["greet"]));
}

#[test]
fn the_bundle_is_a_referrer_of_the_component() {
    let shelf = shelf();
    let index = shelf.index();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 2);
    let entry = &index["manifests"][1];
    assert_eq!(entry["artifactType"], BUNDLE_MEDIA_TYPE);
    let referrer = shelf.json(&shelf.blob(entry["digest"].as_str().unwrap()));
    assert_eq!(referrer["artifactType"], BUNDLE_MEDIA_TYPE);
    assert_eq!(referrer["subject"]["digest"], shelf.manifest.to_string());
    assert_eq!(referrer["layers"][0]["mediaType"], BUNDLE_MEDIA_TYPE);
    assert_eq!(referrer["config"]["mediaType"], "application/vnd.oci.empty.v1+json");
}

#[test]
fn writing_again_changes_nothing_and_moves_tags() {
    let shelf = shelf();
    let before = shelf.index();
    assert_eq!(put(shelf.path(), &tag("1.2.0"), &shelf.package), shelf.manifest);
    assert_eq!(shelf.index(), before);
    let key = KeyPair::generate().unwrap();
    let newer = package(capsule(&importing(&[]), MANIFEST), &key);
    let moved = put(shelf.path(), &tag("1.2.0"), &newer);
    assert_ne!(moved, shelf.manifest);
    assert_eq!(shelf.read().unwrap().into_package(), newer);
    put(shelf.path(), &tag("latest"), &shelf.package);
    let by_tag = read_layout(shelf.path(), &Reference::Tag(tag("latest"))).unwrap();
    assert_eq!(by_tag.into_package(), shelf.package);
    assert_eq!(tags(shelf.path()).unwrap().len(), 2);
}

#[test]
fn a_second_signature_is_kept_beside_the_first() {
    let shelf = shelf();
    let other = package(shelf.package.component.clone(), &KeyPair::generate().unwrap());
    put(shelf.path(), &tag("1.2.0"), &other);
    let stored = shelf.read().unwrap();
    assert_eq!(stored.bundles, [shelf.package.bundle.clone(), other.bundle.clone()]);
    assert_eq!(stored.into_package().bundle, other.bundle);
}

#[test]
fn a_changed_blob_does_not_have_its_digest() {
    let shelf = shelf();
    let manifest = shelf.json(&shelf.blob(&shelf.manifest.to_string()));
    let layer = manifest["layers"][0]["digest"].as_str().unwrap();
    let config = manifest["config"]["digest"].as_str().unwrap();
    let bundle = shelf.index()["manifests"][1]["digest"].as_str().unwrap().to_string();
    for digest in [layer, config, &shelf.manifest.to_string(), &bundle] {
        let path = shelf.blob(digest);
        let genuine = fs::read(&path).unwrap();
        let mut changed = genuine.clone();
        *changed.last_mut().unwrap() ^= 1;
        fs::write(&path, &changed).unwrap();
        let error = shelf.read().unwrap_err();
        assert!(matches!(error, OciError::Digest { .. }), "{error}");
        assert_eq!(error.code(), Code::DigestMismatch);
        changed.push(0);
        fs::write(&path, &changed).unwrap();
        assert!(matches!(shelf.read().unwrap_err(), OciError::Oversize { .. }));
        fs::write(&path, &genuine[1..]).unwrap();
        assert!(matches!(shelf.read().unwrap_err(), OciError::Digest { .. }));
        fs::remove_file(&path).unwrap();
        assert!(matches!(shelf.read().unwrap_err(), OciError::Io { .. }));
        fs::write(&path, genuine).unwrap();
    }
    shelf.read().unwrap();
    // What was damaged is written anew.
    fs::write(shelf.blob(layer), b"damaged").unwrap();
    put(shelf.path(), &tag("1.2.0"), &shelf.package);
    shelf.read().unwrap();
}

#[test]
fn digests_cannot_lead_out_of_the_folder() {
    let shelf = shelf();
    for digest in ["sha256:../../../../etc/passwd", "../x", "sha512:00", "sha256:", ""] {
        let mut index = shelf.index();
        index["manifests"][0]["digest"] = json!(digest);
        shelf.set_index(&index);
        assert!(matches!(shelf.read().unwrap_err(), OciError::Malformed { .. }), "{digest}");
        put(shelf.path(), &tag("1.2.0"), &shelf.package);
    }
}

#[cfg(unix)]
#[test]
fn links_and_pipes_are_not_read() {
    let shelf = shelf();
    let path = shelf.blob(&shelf.manifest.to_string());
    let aside = shelf.path().join("aside");
    fs::rename(&path, &aside).unwrap();
    std::os::unix::fs::symlink(&aside, &path).unwrap();
    assert!(matches!(shelf.read().unwrap_err(), OciError::Io { .. }));
    fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert!(matches!(shelf.read().unwrap_err(), OciError::Io { .. }));
}

#[test]
fn artifacts_of_other_kinds_are_refused() {
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 7] = [
        ("configuration", |m| {
            m["config"]["mediaType"] = json!("application/vnd.oci.image.config.v1+json")
        }),
        ("exactly one layer", |m| m["layers"] = json!([])),
        ("exactly one layer", |m| {
            let layer = m["layers"][0].clone();
            m["layers"].as_array_mut().unwrap().push(layer);
        }),
        ("application/wasm", |m| m["layers"][0]["mediaType"] = json!("application/octet-stream")),
        ("not an image manifest", |m| m["schemaVersion"] = json!(1)),
        ("not an image manifest", |m| m["mediaType"] = json!("application/json")),
        ("another layer", |m| {
            m["layers"][0]["digest"] = m["config"]["digest"].clone();
            m["layers"][0]["size"] = m["config"]["size"].clone();
        }),
    ];
    for (words, change) in changes {
        let shelf = shelf();
        shelf.remanifest(change);
        let error = shelf.read().unwrap_err();
        assert!(matches!(error, OciError::OtherKind(_)), "{words}: {error}");
        assert!(error.to_string().contains(words), "{words}: {error}");
        assert_eq!(error.code(), Code::OciLayout);
    }
}

#[test]
fn sizes_are_believed_only_up_to_their_caps() {
    let shelf = shelf();
    let mut index = shelf.index();
    index["manifests"][0]["size"] = json!(u64::MAX);
    shelf.set_index(&index);
    assert!(matches!(shelf.read().unwrap_err(), OciError::Oversize { .. }));
    fs::write(shelf.path().join("index.json"), vec![b' '; (4 << 20) + 1]).unwrap();
    assert!(matches!(shelf.read().unwrap_err(), OciError::Oversize { what: "index.json", .. }));
}

#[test]
fn two_artifacts_of_one_tag_are_ambiguous() {
    let shelf = shelf();
    let newer = package(capsule(&importing(&[]), MANIFEST), &KeyPair::generate().unwrap());
    put(shelf.path(), &tag("1.3.0"), &newer);
    let mut index = shelf.index();
    index["manifests"][2]["annotations"]["org.opencontainers.image.ref.name"] = json!("1.2.0");
    shelf.set_index(&index);
    assert!(matches!(shelf.read().unwrap_err(), OciError::Ambiguous(_)));
}

#[test]
fn folders_that_are_not_layouts_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let reference = Reference::Tag(tag("1"));
    let error = read_layout(folder.path(), &reference).unwrap_err();
    assert!(matches!(error, OciError::NotALayout(_)));
    fs::write(folder.path().join("diary.txt"), "dear diary").unwrap();
    let shelf = shelf();
    let analysis = crate::analyse(&shelf.package.component).unwrap();
    let artifact = Artifact {
        component: &shelf.package.component,
        bundle: &shelf.package.bundle,
        title: "x.wasm",
        analysis: &analysis,
        created: Timestamp(0),
    };
    let error = write_layout(folder.path(), &tag("1"), &artifact).unwrap_err();
    assert!(matches!(error, OciError::NotALayout(_)));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    fs::write(shelf.path().join("oci-layout"), r#"{"imageLayoutVersion":"2.0.0"}"#).unwrap();
    assert!(matches!(shelf.read().unwrap_err(), OciError::NotALayout(_)));
}

#[test]
fn what_is_not_there_is_not_found() {
    let shelf = shelf();
    let error = read_layout(shelf.path(), &Reference::Tag(tag("9.9.9"))).unwrap_err();
    assert!(matches!(&error, OciError::NotFound(name) if name == "9.9.9"));
    let digest = Reference::Digest(Digest::of(b"nothing"));
    assert!(matches!(read_layout(shelf.path(), &digest).unwrap_err(), OciError::NotFound(_)));
}

#[test]
fn tags_are_those_that_registries_allow() {
    for text in ["", ".", "-x", "a/b", "a:b", "a b", "é", &"x".repeat(129)] {
        assert!(matches!(text.parse::<Tag>(), Err(OciError::Tag(_))), "{text}");
    }
    let version = semver::Version::parse("1.2.0-rc.1+build.5").unwrap();
    assert_eq!(Tag::of_version(&version).unwrap().as_str(), "1.2.0-rc.1_build.5");
}

#[test]
fn skopeo_reads_the_layout() {
    let required = std::env::var_os("SOMA_REQUIRE_TOOLS").is_some()
        || std::env::var("CI").is_ok_and(|ci| ci == "true");
    let present =
        Command::new("skopeo").arg("--version").output().is_ok_and(|o| o.status.success());
    if !present {
        assert!(!required, "skopeo is not installed; run `apt-get install -y skopeo`");
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), "skipped: skopeo not installed");
        return;
    }
    let shelf = shelf();
    let reference = format!("oci:{}:1.2.0", shelf.path().display());
    let raw = Command::new("skopeo").args(["inspect", "--raw", &reference]).output().unwrap();
    assert!(raw.status.success(), "{}", String::from_utf8_lossy(&raw.stderr));
    assert_eq!(Digest::of(&raw.stdout), shelf.manifest);
    let config =
        Command::new("skopeo").args(["inspect", "--config", "--raw", &reference]).output().unwrap();
    assert!(config.status.success(), "{}", String::from_utf8_lossy(&config.stderr));
    let config: Value = serde_json::from_slice(&config.stdout).unwrap();
    assert_eq!(config["architecture"], "wasm");
    let copy = tempfile::tempdir().unwrap();
    let target = format!("oci:{}:copied", copy.path().display());
    let copied = Command::new("skopeo")
        .args(["--insecure-policy", "copy", &reference, &target])
        .output()
        .unwrap();
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    let stored = read_layout(copy.path(), &Reference::Tag(tag("copied"))).unwrap();
    assert_eq!(stored.component, shelf.package.component);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_damage_to_a_document_panics_or_changes_the_component(damage in Damage::any(), which in 0..3_usize) {
        let shelf = shelf();
        let path = match which {
            0 => shelf.path().join("index.json"),
            1 => shelf.path().join("oci-layout"),
            _ => shelf.blob(&shelf.manifest.to_string()),
        };
        let damaged = Damage::apply(&damage, &fs::read(&path).unwrap());
        fs::write(&path, damaged).unwrap();
        if let Ok(stored) = shelf.read() {
            prop_assert_eq!(stored.component, shelf.package.component.clone());
        }
    }
}
