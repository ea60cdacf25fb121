//! The promise of a host-call decision: with 64 grants it allocates nothing when it permits.
#![expect(clippy::unwrap_used, reason = "in a test, what is missing fails the test")]

use std::fmt::Write as _;
use std::sync::Arc;

use soma_policy::{
    Authorised, CallScope, Caller, CapsuleFacts, ConfigRequest, Digest, EmitRequest, FileOp,
    FileRequest, Fingerprint, HostCall, HttpRequest, Installation, InstallationSpec, KillSet,
    KvOperation, KvRequest, LabelSet, LimitsAsk, OperatorPolicy, PolicySources, SecretRequest,
    Timestamp, ToolRequest, authorise,
};

/// 64 entries of each named kind, declared and granted alike.
fn tables() -> (String, String) {
    let (mut declared, mut granted) = (String::new(), String::new());
    for n in 0..64 {
        let http = format!(
            "[http.h{n}]\norigin = \"https://h{n}.example.org\"\nmethods = [\"GET\"]\npaths = [\"/other\", \"/repos/*/*/issues\"]\n"
        );
        let kv =
            format!("[kv.k{n}]\nprefix = \"p{n}/\"\naccess = \"read-write\"\nquota = \"1 MiB\"\n");
        let tool = format!(
            "[tool.t{n}]\ncapsule = \"acme/t{n}\"\nversion = \"^1\"\nfunctions = [\"run\"]\n"
        );
        let emit = format!("[emit.e{n}]\nper_call = \"1 KiB\"\nevents = 9\n");
        for text in [&mut declared, &mut granted] {
            text.push_str(&[&*http, &*kv, &*tool, &*emit].concat());
        }
        let files = "access = \"read-write\"\nquota = \"1 MiB\"\ninodes = 9\n";
        let _ = write!(declared, "[files.f{n}]\nmount = \"/m{n}\"\n{files}");
        let _ = write!(granted, "[files.f{n}]\n{files}");
        let _ =
            write!(declared, "[secret.s{n}]\nplace = {{ http = \"h{n}\", header = \"x-key\" }}\n");
        let _ = write!(granted, "[secret.s{n}]\nfrom = \"s{n}\"\n");
    }
    for text in [&mut declared, &mut granted] {
        text.push_str("[config]\nkeys = [\"a\", \"b\"]\n");
    }
    (declared, granted)
}

fn call() -> (Arc<OperatorPolicy>, Authorised) {
    let (declared, granted) = tables();
    let facts = CapsuleFacts {
        name: "acme/wide".parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
        digest: Digest::of(b"component"),
        declarations: toml::from_str(&declared).unwrap(),
        limits_asked: LimitsAsk::default(),
        price: None,
        signer: Fingerprint::of_spki(b"key"),
        imports: Vec::new(),
    };
    let head = format!(
        "schema = 1\ntenant = \"local\"\nenvironment = \"production\"\ncapsule = \"acme/wide\"\nversion = \"^1\"\ndigest = \"{}\"\n",
        facts.digest
    );
    let mut spec: InstallationSpec = toml::from_str(&head).unwrap();
    spec.grants = toml::from_str(&granted).unwrap();
    let policy = Arc::new(OperatorPolicy::load(&PolicySources::starter()).unwrap());
    let installation =
        Arc::new(Installation::compile("wide".parse().unwrap(), spec, &facts, &policy, 1).unwrap());
    let key = &installation.key;
    let caller =
        Caller::new(key.org.clone(), key.environment.clone(), "user", None, CallScope::All);
    let function = "run".parse().unwrap();
    let call =
        authorise(&installation, &caller, &function, &policy, &KillSet::default(), Timestamp(0))
            .unwrap();
    (policy, call)
}

/// The whole decision: declaration and grant, then the operator where a policy makes a difference.
fn decide<T>(policy: &OperatorPolicy, call: &Authorised, asked: &HostCall<'_>, right: Option<T>) {
    assert!(right.is_some());
    if policy.mentions(asked.action()) {
        policy.judge_host_call(call.installation(), asked).unwrap();
    }
}

#[test]
fn a_permit_with_64_grants_allocates_nothing() {
    let (policy, call) = call();
    // The last of 64, so that every entry is looked at.
    let http = HttpRequest::canonical("https", "h63.example.org", "/repos/acme/web/issues", "GET")
        .unwrap();
    let kv = KvRequest::new("k63", KvOperation::Set, "p63/key");
    let files = FileRequest::canonical(FileOp::Write, "/m63/a/b").unwrap();
    let tool = ToolRequest::new("t63", "run", LabelSet::EMPTY);
    let (secret, emit, config) =
        (SecretRequest::new("s63"), EmitRequest::new("e63"), ConfigRequest::new("b"));
    let counted = allocation_counter::measure(|| {
        decide(&policy, &call, &HostCall::Http(&http), call.http(&http).ok());
        decide(&policy, &call, &HostCall::Kv(&kv), call.kv(&kv).ok());
        decide(&policy, &call, &HostCall::Files(&files), call.files(&files).ok());
        decide(&policy, &call, &HostCall::Tool(&tool), call.tool(&tool).ok());
        decide(&policy, &call, &HostCall::Secret(&secret), call.secret(&secret).ok());
        decide(&policy, &call, &HostCall::Emit(&emit), call.emit(&emit).ok());
        decide(&policy, &call, &HostCall::Config(&config), call.config(&config).ok());
    });
    assert_eq!(counted.count_total, 0);
    // The counter counts: a denial is made of text.
    let refused = HttpRequest::canonical("https", "other.example", "/", "GET").unwrap();
    assert!(allocation_counter::measure(|| drop(call.http(&refused).unwrap_err())).count_total > 0);
}
