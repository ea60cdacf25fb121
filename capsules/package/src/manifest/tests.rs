use proptest::prelude::*;
use soma_policy::{CapabilityKind, Code};

use super::*;
use crate::fixture::{Damage, MANIFEST, manifest};

/// The example of the reference: everything that one manifest can say.
const FULL: &str = include_str!("../../fixtures/full.capsule.toml");

fn refusal(text: &str) -> ManifestError {
    CapsuleFile::parse(text).unwrap_err()
}

#[test]
fn the_documented_manifest_is_read_in_full() {
    let file = CapsuleFile::parse(FULL).unwrap();
    let build = file.build.unwrap();
    assert_eq!(build.component, "target/wasm32-wasip2/release/github_issues.wasm");
    let manifest = file.manifest;
    assert_eq!(manifest.name.to_string(), "acme/github-issues");
    assert_eq!(manifest.version, Version::new(1, 2, 0));
    assert_eq!((manifest.kind, manifest.kind.to_string().as_str()), (Kind::Tool, "tool"));
    assert_eq!(manifest.functions["list-issues"].inputs["repo"], "owner/name");
    for kind in CapabilityKind::ALL.iter().filter(|kind| **kind != CapabilityKind::Serve) {
        assert!(manifest.capabilities.has(*kind), "{kind}");
    }
    assert_eq!(manifest.limits.cpu.unwrap().to_string(), "200 ms");
    assert_eq!(manifest.price.unwrap().per_call.to_string(), "0.0005 EUR");
    assert_eq!(manifest.health.unwrap().args["repo"], "acme/web");
}

#[test]
fn the_smallest_manifest_asks_for_nothing() {
    let file = CapsuleFile::parse(MANIFEST).unwrap();
    assert!(file.manifest.capabilities.list().is_empty());
    assert_eq!(file.manifest.limits, LimitsAsk::default());
    assert!(file.build.is_none() && file.manifest.price.is_none());
}

#[test]
fn what_is_embedded_is_read_back_without_the_build_table() {
    let manifest = CapsuleFile::parse(FULL).unwrap().manifest;
    let bytes = manifest.to_canonical().unwrap();
    assert_eq!(Manifest::from_canonical(&bytes).unwrap(), manifest);
    let text = String::from_utf8(bytes).unwrap();
    assert!(!text.contains("cargo build") && !text.contains("\"build\""), "{text}");
    assert!(text.starts_with("{\"capabilities\":{"), "{text}");
}

#[test]
fn mistakes_are_named_with_line_code_and_way_out() {
    let line =
        |needle: &str, text: &str| 1 + text[..text.find(needle).unwrap()].matches('\n').count();
    let table = [
        (
            manifest("[capabilities.http.x]\nmethod = [\"GET\"]"),
            "method",
            Code::ManifestUnknownKey,
            "did you mean \"methods\"?",
        ),
        (
            manifest("licens = \"MIT\""),
            "licens = ",
            Code::ManifestUnknownKey,
            "did you mean \"licence\"?",
        ),
        (
            manifest("[limits]\ncpus = \"1 s\""),
            "cpus",
            Code::ManifestUnknownKey,
            "did you mean \"cpu\"?",
        ),
        (
            manifest("[capabilities.htp.x]"),
            "[capabilities.htp",
            Code::ManifestUnknownKey,
            "did you mean \"http\"?",
        ),
        (manifest("[limits]\ncpu = \"soon\""), "cpu = ", Code::ManifestBadValue, "soon"),
        (MANIFEST.replace("1.2.0", "1.2"), "version", Code::ManifestVersion, "1.2"),
        (MANIFEST.replace("acme/greeter", "greeter"), "name", Code::ManifestName, "publisher/name"),
        (
            MANIFEST.replace("\"task\"", "\"tsk\""),
            "kind",
            Code::ManifestBadValue,
            "did you mean \"task\"?",
        ),
        (MANIFEST.replace("Says hello", ""), "summary", Code::ManifestBadValue, "empty"),
        (MANIFEST.replace("Says hello", "a\\u001bb"), "summary", Code::ManifestBadValue, "control"),
        (MANIFEST.replace("Apache-2.0", "<script>"), "licence", Code::ManifestBadValue, "SPDX"),
        (MANIFEST.replace("schema = 1", "schema = 2"), "schema", Code::ManifestSchema, "this soma"),
        (
            manifest("summary = \"again\""),
            "summary = \"again\"",
            Code::ManifestDuplicate,
            "duplicate",
        ),
        (manifest("[price]\nper_call = \"-1 EUR\""), "per_call", Code::ManifestPrice, "negative"),
        (manifest("= nonsense"), "= nonsense", Code::ManifestSyntax, ""),
    ];
    for (text, needle, code, words) in table {
        let error = refusal(&text);
        assert_eq!(error.code(), code, "{error}");
        assert_eq!(error.line(), Some(line(needle, &text)), "{error}");
        assert!(error.message().contains(words), "{error}");
        assert!(error.to_string().starts_with("capsule.toml:"), "{error}");
        assert!(!error.remedy().is_empty());
    }
}

#[test]
fn a_missing_key_is_named() {
    let error = refusal(&MANIFEST.replace("licence = \"Apache-2.0\"", ""));
    assert_eq!(error.code(), Code::ManifestMissingKey);
    assert!(error.message().contains("licence"), "{error}");
}

#[test]
fn secrets_need_a_declared_http_entry_with_one_https_origin() {
    let secret =
        "[capabilities.secret.token]\nplace = { http = \"isues\", header = \"authorization\" }";
    let http = |origin: &str| {
        format!(
            "[capabilities.http.issues]\norigin = \"{origin}\"\nmethods = [\"GET\"]\npaths = [\"/\"]"
        )
    };
    let error = refusal(&manifest(&format!("{secret}\n{}", http("https://api.github.com:443"))));
    assert_eq!(error.code(), Code::ManifestSecretPlace);
    assert!(error.message().contains("did you mean \"issues\"?"), "{error}");
    assert_eq!(error.line(), Some(10), "{error}");
    let secret = secret.replace("isues", "issues");
    let error = refusal(&manifest(&format!("{secret}\n{}", http("http://api.github.com:80"))));
    assert!(error.message().contains("https"), "{error}");
    let fine = manifest(&format!("{secret}\n{}", http("https://api.github.com:443")));
    CapsuleFile::parse(&fine).unwrap();
}

#[test]
fn everything_is_bounded() {
    let error = refusal(&"#".repeat(300_000));
    assert_eq!(error.code(), Code::ManifestTooLarge);
    let functions: String =
        (0..300).map(|i| format!("[functions.f{i}]\nsummary = \"x\"\n")).collect();
    assert_eq!(refusal(&manifest(&functions)).code(), Code::ManifestTooLarge);
    let inputs: String = (0..100).map(|i| format!("a{i} = \"x\"\n")).collect();
    let text = manifest(&format!("[functions.f]\nsummary = \"x\"\n[functions.f.inputs]\n{inputs}"));
    assert_eq!(refusal(&text).code(), Code::ManifestTooLarge);
    let entries: String = (0..65)
        .map(|i| format!("[capabilities.emit.e{i}]\nevents = 1\nper_call = \"1 B\"\n"))
        .collect();
    assert_eq!(refusal(&manifest(&entries)).code(), Code::ManifestTooLarge);
    let long = "x".repeat(1_001);
    let text = manifest(&format!("[capabilities.logging]\nper_call = \"1 KiB\"\nwhy = \"{long}\""));
    let error = refusal(&text);
    assert_eq!((error.code(), error.line()), (Code::ManifestBadValue, Some(11)), "{error}");
}

#[test]
fn embedded_bytes_have_one_form_only() {
    let bytes = CapsuleFile::parse(MANIFEST).unwrap().manifest.to_canonical().unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let refuse = |text: &str| Manifest::from_canonical(text.as_bytes()).unwrap_err();
    let spaced = text.replacen(':', ": ", 1);
    assert_eq!(refuse(&spaced).code(), Code::ManifestSectionNotCanonical);
    let reordered = text.replacen("{", "{\"zzz\":1,", 1);
    assert_eq!(refuse(&reordered).code(), Code::ManifestUnknownKey);
    let version = text.replace("\"1.2.0\"", "\"1.2.0 \"");
    assert_eq!(refuse(&version).line(), None);
    assert_eq!(refuse(&text.replace("\"schema\":1", "\"schema\":9")).code(), Code::ManifestSchema);
    assert_eq!(refuse("nonsense").code(), Code::ManifestSectionNotCanonical);
    assert_eq!(refuse(&text.replace("Says hello", "")).code(), Code::ManifestBadValue);
}

#[test]
fn a_fraction_in_the_health_check_has_no_canonical_form() {
    let text = manifest("[health]\nfunction = \"greet\"\nargs = { x = 1.5 }");
    let manifest = CapsuleFile::parse(&text).unwrap().manifest;
    assert_eq!(manifest.to_canonical().unwrap_err().code(), Code::ManifestBadValue);
}

#[test]
fn dates_are_refused_as_arguments() {
    let error = refusal(&manifest("[health]\nfunction = \"greet\"\nargs = { at = 2026-01-01 }"));
    assert_eq!((error.code(), error.line()), (Code::ManifestBadValue, Some(9)), "{error}");
    assert!(error.message().contains("as a string"), "{error}");
}

#[test]
fn keys_are_found_by_their_path() {
    assert_eq!(locate(FULL, &["schema"]), Some(1));
    let kv = 1 + FULL[..FULL.find("[capabilities.kv.cache]").unwrap()].matches('\n').count();
    assert_eq!(locate(FULL, &["capabilities", "kv", "cache"]), Some(kv));
    assert_eq!(locate(FULL, &["capabilities", "kv", "cache", "prefix"]), Some(kv + 2));
    assert_eq!(locate(FULL, &["capabilities", "kv", "cache", "missing"]), Some(kv));
    assert_eq!(locate(FULL, &["nowhere"]), None);
    assert_eq!(locate("not toml [", &["schema"]), None);
}

#[test]
fn the_published_schema_is_the_one_of_the_types() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/capsule.schema.json");
    let wanted = format!("{}\n", serde_json::to_string_pretty(&json_schema()).unwrap());
    if std::env::var_os("SOMA_BLESS").is_some() {
        std::fs::write(path, &wanted).unwrap();
    }
    let published = std::fs::read_to_string(path).unwrap_or_default();
    assert!(published == wanted, "run `SOMA_BLESS=1 cargo test -p soma-capsule published_schema`");
}

#[test]
fn the_schema_knows_every_table() {
    let schema = json_schema();
    let properties = schema["properties"].as_object().unwrap();
    for key in [
        "schema",
        "name",
        "version",
        "kind",
        "summary",
        "licence",
        "build",
        "functions",
        "capabilities",
        "limits",
        "price",
        "health",
    ] {
        assert!(properties.contains_key(key), "{key}");
    }
    assert_eq!(schema["additionalProperties"], false);
}

proptest! {
    #[test]
    fn no_damage_to_a_file_panics(damage in Damage::any()) {
        let bytes = Damage::apply(&damage, FULL.as_bytes());
        let _ = CapsuleFile::parse(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_damage_to_embedded_bytes_passes_as_another_form(damage in Damage::any()) {
        let bytes = CapsuleFile::parse(FULL).unwrap().manifest.to_canonical().unwrap();
        let damaged = Damage::apply(&damage, &bytes);
        if let Ok(manifest) = Manifest::from_canonical(&damaged) {
            prop_assert_eq!(manifest.to_canonical().unwrap(), damaged);
        }
    }
}
