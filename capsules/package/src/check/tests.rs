use super::*;
use crate::component::analyse;
use crate::fixture::{component, importing, manifest};
use crate::manifest::CapsuleFile;

fn findings(bytes: &[u8], toml: &str) -> Vec<Finding> {
    check(&CapsuleFile::parse(toml).unwrap().manifest, &analyse(bytes).unwrap())
}

fn one(bytes: &[u8], toml: &str) -> Finding {
    let mut all = findings(bytes, toml);
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

const HTTP: &str = r#"
[capabilities.http.api]
origin = "https://api.example.com:443"
methods = ["GET"]
paths = ["/"]
"#;
const SECRET: &str = r#"
[capabilities.secret.token]
place = { http = "api", header = "authorization" }
"#;
const OUTGOING: &str = "wasi:http/outgoing-handler@0.2.0";

#[test]
fn a_capsule_that_agrees_has_no_findings() {
    assert_eq!(findings(&importing(&[]), &manifest("")), []);
    assert_eq!(findings(&importing(&["wasi:io/poll@0.2.0"]), &manifest("")), []);
    assert_eq!(findings(&importing(&[OUTGOING]), &manifest(HTTP)), []);
}

#[test]
fn an_undeclared_import_is_an_error_that_names_the_table() {
    let finding = one(&importing(&[OUTGOING]), &manifest(""));
    assert!(finding.is_error());
    assert_eq!(finding.code, Code::ComponentUndeclared);
    assert_eq!(
        finding.message,
        format!("imports `{OUTGOING}`, which needs [capabilities.http.NAME]")
    );
    assert!(finding.remedy.contains("[capabilities.http.NAME]"));
    let finding = one(&importing(&["wasi:logging/logging"]), &manifest(""));
    assert!(finding.message.ends_with("needs [capabilities.logging]"), "{}", finding.message);
}

#[test]
fn unknown_imports_and_versions_are_errors() {
    let finding = one(&importing(&["wasi:keyvalue/stor@0.2.0-draft"]), &manifest(""));
    assert_eq!(finding.code, Code::ComponentUnknownImport);
    assert!(finding.message.contains("did you mean `wasi:keyvalue/store`?"), "{}", finding.message);
    let finding = one(&importing(&["wasi:sockets/tcp@0.2.0"]), &manifest(""));
    assert_eq!(finding.code, Code::ComponentUnknownImport);
    assert!(finding.remedy.contains("wasi:http"));
    let finding = one(&importing(&["wasi:keyvalue/store@0.2.0-draft2"]), &manifest(""));
    assert_eq!(finding.code, Code::ComponentImportVersion);
    assert!(finding.message.contains("0.2.0-draft"));
}

#[test]
fn declared_but_unused_is_a_warning_at_its_table() {
    let finding = one(&importing(&[]), &manifest(HTTP));
    assert_eq!((finding.severity, finding.code), (Severity::Warning, Code::ManifestUnused));
    assert_eq!(finding.path, ["capabilities", "http", "api"]);
    let all = "[capabilities.kv.k]\nprefix = \"a/\"\naccess = \"read\"\nquota = \"1 KiB\"
        [capabilities.files.f]\nmount = \"/f\"\naccess = \"read\"\nquota = \"1 KiB\"\ninodes = 1
        [capabilities.tool.t]\ncapsule = \"a/b\"\nversion = \"^1\"\nfunctions = [\"f\"]
        [capabilities.emit.e]\nevents = 1\nper_call = \"1 KiB\"
        [capabilities.config]\nkeys = [\"k\"]
        [capabilities.clocks]\nprecise = true
        [capabilities.random]\nper_call = \"1 KiB\"
        [capabilities.logging]\nper_call = \"1 KiB\"
        [capabilities.budget]";
    let unused = findings(&importing(&[]), &manifest(all));
    assert_eq!(unused.len(), 9);
    assert!(unused.iter().all(|finding| finding.code == Code::ManifestUnused));
    let used = importing(&[
        "wasi:keyvalue/store@0.2.0-draft",
        "wasi:filesystem/types@0.2.0",
        "soma:tool/tool@0.1.0",
        "soma:emit/emit@0.1.0",
        "wasi:config/store@0.2.0-rc.1",
        "wasi:clocks/wall-clock@0.2.0",
        "wasi:random/random@0.2.0",
        "wasi:logging/logging",
        "soma:budget/budget@0.1.0",
    ]);
    assert_eq!(findings(&used, &manifest(all)), []);
}

#[test]
fn a_secret_counts_as_used_when_its_http_entry_is() {
    let toml = manifest(&format!("{HTTP}{SECRET}"));
    assert_eq!(findings(&importing(&[OUTGOING]), &toml), []);
    assert_eq!(findings(&importing(&[]), &toml).len(), 2);
    let asks = importing(&[OUTGOING, "soma:secret/secret@0.1.0"]);
    assert_eq!(findings(&asks, &toml), []);
}

const TWO: &str = "package acme:two; world w {
    export greet: func(name: string, loud: option<bool>) -> string;
    export wave: func(); }";

#[test]
fn words_about_what_is_not_there_are_errors() {
    let toml = manifest("[functions.gret]\nsummary = \"x\"");
    let finding = one(&component(TWO), &toml);
    assert_eq!(finding.code, Code::ManifestUnknownFunction);
    assert!(finding.message.ends_with("did you mean \"greet\"?"), "{}", finding.message);
    let toml = manifest("[functions.greet]\nsummary = \"x\"\ninputs = { nam = \"who\" }");
    let finding = one(&component(TWO), &toml);
    assert!(finding.message.contains("did you mean \"name\"?"), "{}", finding.message);
    assert_eq!(finding.path, ["functions", "greet", "inputs", "nam"]);
}

#[test]
fn the_health_check_must_fit_its_function() {
    let toml = |health: &str| manifest(&format!("[health]\n{health}"));
    let fits = toml("function = \"greet\"\nargs = { name = \"Ada\" }");
    assert_eq!(findings(&component(TWO), &fits), []);
    for (health, words) in [
        ("function = \"gret\"", "not exported"),
        ("function = \"greet\"", "no argument `name`"),
        ("function = \"greet\"\nargs = { name = \"Ada\", lod = true }", "did you mean \"loud\"?"),
    ] {
        let finding = one(&component(TWO), &toml(health));
        assert_eq!(finding.code, Code::ManifestHealth);
        assert!(finding.message.contains(words), "{}", finding.message);
    }
}

#[test]
fn functions_with_resources_are_errors() {
    let wit = "package acme:res; interface api { resource r; get: func() -> r; }
        world w { export api; }";
    let finding = one(&component(wit), &manifest(""));
    assert_eq!((finding.code, finding.is_error()), (Code::ComponentType, true));
    assert!(finding.message.contains("resource"), "{}", finding.message);
}

#[test]
fn a_component_without_functions_is_an_error() {
    let empty = wat::parse_str("(component)").unwrap();
    assert_eq!(one(&empty, &manifest("")).code, Code::ComponentNoExports);
}

const SITE: &str = "package acme:site; world w { export wasi:http/incoming-handler@0.2.0; }
    package wasi:http@0.2.0 {
        interface types { resource incoming-request; resource response-outparam; }
        interface incoming-handler {
            use types.{incoming-request, response-outparam};
            handle: func(request: incoming-request, response-out: response-outparam);
        }
    }";

#[test]
fn a_handler_and_the_kind_http_go_together() {
    let http = manifest("").replace("\"task\"", "\"http\"");
    assert_eq!(findings(&component(SITE), &http), []);
    let finding = one(&component(SITE), &manifest(""));
    assert_eq!(
        (finding.code, finding.path.as_slice()),
        (Code::ComponentNoExports, ["kind".to_string()].as_slice())
    );
    assert!(one(&importing(&[]), &http).message.contains("not exported"));
    let serve = format!("{http}\n[capabilities.serve]\nanonymous = true");
    assert_eq!(findings(&component(SITE), &serve), []);
    let serve = manifest("[capabilities.serve]\nanonymous = true");
    let found = findings(&importing(&[]), &serve);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].is_error() && !found[1].is_error(), "errors come first");
}

#[test]
fn two_functions_that_cannot_be_told_apart_are_an_error() {
    let wit = "package acme:twice; world w { export a:x/api; export b:x/api; }
        package a:x { interface api { go: func(); } }
        package b:x { interface api { go: func(); } }";
    let found = findings(&component(wit), &manifest(""));
    assert!(found.iter().all(|finding| finding.message.contains("named `api.go`")), "{found:?}");
    assert_eq!(found.len(), 2);
}
