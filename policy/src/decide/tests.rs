//! Decisions as people read them: the denial's own line is the assertion.

use std::sync::Arc;

use proptest::prelude::*;

use crate::authorise::{Authorised, authorise};
use crate::capability::{Label, LabelSet};
use crate::code::Code;
use crate::denial::{Denial, Layer};
use crate::fixture::{DECLARED, GRANTED, caller, installation, starter};
use crate::request::{
    ConfigRequest, EmitRequest, FileOp, FileRequest, HostCall, HttpRequest, KvOperation, KvRequest,
    SecretRequest, ToolRequest,
};
use crate::{Installation, KillSet, Timestamp};

const MORE: &str = r#"
    [kv.cache]
    prefix = "etag/acme/"
    access = "read"
    quota = "1 MiB"
    [files.work]
    access = "read"
    quota = "1 MiB"
    inodes = 10
    [tool.csv]
    capsule = "acme/csv"
    version = "^1.1"
    functions = ["to-json"]
    [emit.rows]
    per_call = "1 MiB"
    events = 100
    [config]
    keys = ["region"]
"#;

fn full() -> Arc<Installation> {
    installation(DECLARED, &format!("{GRANTED}\n{MORE}"))
}

fn door(installation: &Arc<Installation>) -> Authorised {
    let function = "list-issues".parse().unwrap();
    authorise(installation, &caller(), &function, &starter(), &KillSet::default(), Timestamp(0))
        .unwrap()
}

fn http(method: &str, authority: &str, path: &str) -> HttpRequest {
    HttpRequest::canonical("https", authority, path, method).unwrap()
}

#[test]
fn the_denial_line_is_the_published_one() {
    let denial =
        door(&full()).http(&http("POST", "api.github.com", "/repos/acme/web/issues")).unwrap_err();
    assert_eq!(
        denial.to_string(),
        "denied SOMA-D012 POST https://api.github.com/repos/acme/web/issues · layer grant · fix: add \"POST\" to \
         grants.http.issues.methods in installations/local/production/issues.toml"
    );
    assert_eq!(denial.capability.as_ref().unwrap().to_string(), "http.issues");
}

#[test]
fn a_request_within_the_grant_is_permitted_by_its_entry() {
    let door = door(&full());
    let right =
        door.http(&http("GET", "API.github.com:443", "/repos/acme/web/issues?state=open")).unwrap();
    assert_eq!(right.name().as_str(), "issues");
    assert_eq!(
        door.kv(&KvRequest::new("cache", KvOperation::Get, "etag/acme/1")).unwrap().name().as_str(),
        "cache"
    );
    assert!(door.files(&FileRequest::canonical(FileOp::Read, "/desk/a").unwrap()).is_ok());
    assert!(door.tool(&ToolRequest::new("csv", "to-json", LabelSet::EMPTY)).is_ok());
    assert!(door.emit(&EmitRequest::new("rows")).is_ok());
    assert!(door.secret(&SecretRequest::new("token")).is_ok());
    assert!(door.config(&ConfigRequest::new("region")).is_ok());
    assert_eq!(door.secrets().len(), 1);
}

/// Layer, code and a part of the remedy.
fn says(denial: &Denial, layer: Layer, code: Code, remedy: &str) {
    assert_eq!((denial.layer, denial.code), (layer, code), "{denial}");
    assert!(denial.remedy.contains(remedy), "{denial}");
}

#[test]
fn an_http_denial_names_the_layer_and_the_field() {
    let door = door(&full());
    let deny = |method, authority, path| *door.http(&http(method, authority, path)).unwrap_err();
    says(
        &deny("GET", "evil.example", "/"),
        Layer::Manifest,
        Code::HttpOrigin,
        "origin = \"https://evil.example:443\"",
    );
    says(&deny("GET", "api.github.com:8443", "/"), Layer::Manifest, Code::HttpOrigin, ":8443");
    says(
        &deny("GET", "api.github.com", "/user"),
        Layer::Manifest,
        Code::HttpPath,
        "capabilities.http.issues.paths",
    );
    says(
        &deny("DELETE", "api.github.com", "/repos/a/b/issues"),
        Layer::Manifest,
        Code::HttpMethod,
        "capsule.toml",
    );
    says(
        &deny("GET", "api.github.com", "/repos/other/b/issues"),
        Layer::Grant,
        Code::HttpPath,
        "grants.http.issues.paths",
    );
    let plain =
        HttpRequest::canonical("http", "api.github.com", "/repos/acme/b/issues", "GET").unwrap();
    says(
        &door.http(&plain).unwrap_err(),
        Layer::Manifest,
        Code::HttpOrigin,
        "http://api.github.com:80",
    );
}

#[test]
fn a_wildcard_origin_that_is_granted_narrower_names_the_origin() {
    let declared =
        "[http.any]\norigin = \"https://*.example.org\"\nmethods = [\"GET\"]\npaths = [\"/**\"]";
    let door = door(&installation(declared, &declared.replace("*.", "a.")));
    let denial = door.http(&http("GET", "b.example.org", "/")).unwrap_err();
    says(
        &denial,
        Layer::Grant,
        Code::HttpOrigin,
        "set origin = \"https://b.example.org:443\" in [grants.http.any]",
    );
    assert!(door.http(&http("GET", "a.example.org", "/")).is_ok());
}

#[test]
fn what_is_declared_and_left_out_names_the_table_to_add() {
    let optional = format!(
        "{}\n[http.extra]\norigin = \"https://e.example\"\nmethods = [\"GET\"]\npaths = [\"/**\"]\noptional = true",
        DECLARED
    );
    let door = door(&installation(&optional, GRANTED));
    let http_extra = *door.http(&http("GET", "e.example", "/")).unwrap_err();
    says(
        &http_extra,
        Layer::Grant,
        Code::NotGranted,
        "add [grants.http.extra] to installations/local/production/issues.toml",
    );
    says(
        &door.kv(&KvRequest::new("cache", KvOperation::Get, "etag/")).unwrap_err(),
        Layer::Grant,
        Code::NotGranted,
        "[grants.kv.cache]",
    );
    let file = FileRequest::canonical(FileOp::Read, "/desk/x").unwrap();
    says(&door.files(&file).unwrap_err(), Layer::Grant, Code::NotGranted, "[grants.files.work]");
    says(
        &door.tool(&ToolRequest::new("csv", "to-json", LabelSet::EMPTY)).unwrap_err(),
        Layer::Grant,
        Code::NotGranted,
        "[grants.tool.csv]",
    );
    says(
        &door.emit(&EmitRequest::new("rows")).unwrap_err(),
        Layer::Grant,
        Code::NotGranted,
        "[grants.emit.rows]",
    );
    says(
        &door.config(&ConfigRequest::new("region")).unwrap_err(),
        Layer::Grant,
        Code::NotGranted,
        "[grants.config]",
    );
}

#[test]
fn what_is_not_declared_names_the_manifest() {
    let door = door(&installation("", ""));
    let none = LabelSet::EMPTY;
    let denials = [
        door.http(&http("GET", "a.example", "/")).unwrap_err(),
        door.kv(&KvRequest::new("cache", KvOperation::Get, "k")).unwrap_err(),
        door.tool(&ToolRequest::new("no such name!", "f", none)).unwrap_err(),
        door.secret(&SecretRequest::new("token")).unwrap_err(),
        door.emit(&EmitRequest::new("rows")).unwrap_err(),
        door.config(&ConfigRequest::new("region")).unwrap_err(),
    ];
    for denial in denials {
        says(&denial, Layer::Manifest, Code::NotDeclared, "in capsule.toml");
    }
    let file = FileRequest::canonical(FileOp::Read, "/etc/passwd").unwrap();
    says(&door.files(&file).unwrap_err(), Layer::Manifest, Code::FilesPath, "declared mount");
}

#[test]
fn kv_files_tools_and_config_name_what_they_lack() {
    let door = door(&full());
    let kv = |operation, key: &str| *door.kv(&KvRequest::new("cache", operation, key)).unwrap_err();
    says(
        &kv(KvOperation::Get, "other"),
        Layer::Manifest,
        Code::KvKey,
        "capabilities.kv.cache.prefix",
    );
    says(&kv(KvOperation::Get, "etag/else"), Layer::Grant, Code::KvKey, "grants.kv.cache.prefix");
    says(
        &kv(KvOperation::Set, "etag/acme/1"),
        Layer::Grant,
        Code::KvAccess,
        "access = \"read-write\"",
    );
    says(&kv(KvOperation::Get, &"k".repeat(2000)), Layer::Operator, Code::KvKey, "shorter");
    let write = FileRequest::canonical(FileOp::Create, "/desk/a").unwrap();
    says(&door.files(&write).unwrap_err(), Layer::Grant, Code::FilesAccess, "[grants.files.work]");
    let none = LabelSet::EMPTY;
    says(
        &door.tool(&ToolRequest::new("csv", "from-json", none)).unwrap_err(),
        Layer::Grant,
        Code::ToolFunction,
        "grants.tool.csv.functions",
    );
    says(
        &door.tool(&ToolRequest::new("csv", "drop", none)).unwrap_err(),
        Layer::Manifest,
        Code::ToolFunction,
        "capabilities.tool.csv",
    );
    says(
        &door.config(&ConfigRequest::new("mode")).unwrap_err(),
        Layer::Grant,
        Code::ConfigKey,
        "add \"mode\" to grants.config.keys",
    );
    says(
        &door.config(&ConfigRequest::new("x")).unwrap_err(),
        Layer::Manifest,
        Code::ConfigKey,
        "capsule.toml",
    );
}

#[test]
fn a_manifest_that_only_reads_refuses_writing_on_its_own_layer() {
    let reads = DECLARED.replace("access = \"read-write\"", "access = \"read\"");
    let door = door(&installation(&reads, &format!("{GRANTED}\n{MORE}")));
    let kv = KvRequest::new("cache", KvOperation::Delete, "etag/acme/1");
    says(&door.kv(&kv).unwrap_err(), Layer::Manifest, Code::KvAccess, "[capabilities.kv.cache]");
    let write = FileRequest::canonical(FileOp::Delete, "/desk/a").unwrap();
    says(
        &door.files(&write).unwrap_err(),
        Layer::Manifest,
        Code::FilesAccess,
        "[capabilities.files.work]",
    );
}

#[test]
fn labelled_data_stays_out_of_sinks_that_are_not_cleared() {
    let secret = LabelSet::EMPTY.with(Label::SecretDerived);
    let read_write = MORE.replace("access = \"read\"", "access = \"read-write\"");
    let closed = installation(DECLARED, &format!("{GRANTED}\n{read_write}"));
    let request = http("GET", "api.github.com", "/repos/acme/web/issues");
    let kv = KvRequest::new("cache", KvOperation::Set, "etag/acme/1");
    let file = FileRequest::canonical(FileOp::Write, "/desk/a").unwrap();
    says(
        &closed.allow_http(&request, secret).unwrap_err(),
        Layer::Grant,
        Code::LabelNotCleared,
        "add \"secret-derived\" to grants.http.issues.clears",
    );
    says(
        &closed.allow_kv(&kv, secret).unwrap_err(),
        Layer::Grant,
        Code::LabelNotCleared,
        "grants.kv.cache.clears",
    );
    says(
        &closed.allow_files(&file, secret).unwrap_err(),
        Layer::Grant,
        Code::LabelNotCleared,
        "grants.files.work.clears",
    );
    assert!(
        closed.allow_kv(&KvRequest::new("cache", KvOperation::Get, "etag/acme/1"), secret).is_ok()
    );
    let cleared = |text: &str| {
        text.replace("origin =", "clears = [\"secret-derived\"]\norigin =")
            .replace("access =", "clears = [\"secret-derived\"]\naccess =")
    };
    let open = installation(DECLARED, &cleared(&format!("{GRANTED}\n{read_write}")));
    assert!(open.allow_http(&request, secret).is_ok());
    assert!(open.allow_kv(&kv, secret).is_ok());
    assert!(open.allow_files(&file, secret).is_ok());
    assert!(open.allow_http(&request, secret.with(Label::TenantData)).is_err());
}

#[test]
fn the_longest_mount_decides() {
    let declared = "[files.all]\nmount = \"/data\"\naccess = \"read-write\"\nquota = \"1 MiB\"\ninodes = 9\n[files.sub]\nmount = \"/data/sub\"\naccess = \"read\"\nquota = \"1 MiB\"\ninodes = 9";
    let grants = declared.replace("mount = \"/data\"\n", "").replace("mount = \"/data/sub\"\n", "");
    let door = door(&installation(declared, &grants));
    let write = |path| {
        door.files(&FileRequest::canonical(FileOp::Write, path).unwrap())
            .map(|right| right.name().to_string())
            .map_err(|d| d.code)
    };
    assert_eq!(write("/data/x"), Ok("all".to_owned()));
    assert_eq!(write("/data/sub/x"), Err(Code::FilesAccess));
    assert_eq!(write("/data/subx"), Ok("all".to_owned()));
}

#[test]
fn the_question_without_a_call_has_the_same_answer() {
    let installation = full();
    let (secret, emit, config) =
        (SecretRequest::new("token"), EmitRequest::new("rows"), ConfigRequest::new("nope"));
    let (kv, tool) = (
        KvRequest::new("cache", KvOperation::Get, "etag/acme/1"),
        ToolRequest::new("csv", "to-json", LabelSet::EMPTY),
    );
    let file = FileRequest::canonical(FileOp::Read, "/desk").unwrap();
    let request = http("GET", "api.github.com", "/repos/acme/web/issues");
    for call in [
        HostCall::Http(&request),
        HostCall::Kv(&kv),
        HostCall::Files(&file),
        HostCall::Tool(&tool),
        HostCall::Secret(&secret),
        HostCall::Emit(&emit),
    ] {
        assert_eq!(installation.allow(&call), Ok(()));
    }
    assert!(installation.allow(&HostCall::Config(&config)).is_err());
}

proptest! {
    /// What is permitted is allowed by declaration and by grant, each taken alone.
    #[test]
    fn a_permit_needs_both_layers(
        methods in prop::sample::subsequence(vec!["GET", "POST", "PUT"], 1..=3),
        granted in prop::sample::subsequence(vec!["GET", "POST", "PUT"], 1..=3),
        path in prop::sample::select(vec!["/a", "/a/b", "/a/b/c", "/x"]),
        declared_path in prop::sample::select(vec!["/**", "/a/*", "/a/**"]),
        granted_path in prop::sample::select(vec!["/**", "/a/*", "/a/**", "/a/b"]),
        asked in prop::sample::select(vec!["GET", "POST", "PUT", "DELETE"]),
    ) {
        let entry = |methods: &[&str], path: &str| format!(
            "[http.a]\norigin = \"https://a.example\"\nmethods = {methods:?}\npaths = [{path:?}]"
        );
        let (declared, grants) = (entry(&methods, declared_path), entry(&granted, granted_path));
        let Ok(installation) = crate::fixture::compile(&crate::fixture::facts(&declared), crate::fixture::spec(&grants)) else {
            return Ok(());
        };
        let request = http(asked, "a.example", path);
        let permitted = installation.allow_http(&request, LabelSet::EMPTY);
        let matches = |pattern: &str| pattern.parse::<crate::PathPattern>().unwrap().allows(path);
        let both = methods.contains(&asked) && granted.contains(&asked) && matches(declared_path) && matches(granted_path);
        prop_assert_eq!(permitted.is_ok(), both);
        if let Err(denial) = permitted {
            let in_manifest = methods.contains(&asked) && matches(declared_path);
            prop_assert_eq!(denial.layer, if in_manifest { Layer::Grant } else { Layer::Manifest });
        }
    }
}
