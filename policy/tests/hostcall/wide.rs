//! A call with many grants, and the whole decision about one of its host calls.

use std::fmt::Write as _;
use std::sync::Arc;

use soma_policy::{
    Authorised, CallScope, Caller, CapsuleFacts, Digest, Fingerprint, HostCall, Installation,
    InstallationSpec, KillSet, LimitsAsk, OperatorPolicy, PolicySources, Timestamp, authorise,
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

/// A call of an installation with 64 grants of each kind.
pub(crate) fn call() -> (Arc<OperatorPolicy>, Authorised) {
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
pub(crate) fn decide<T>(
    policy: &OperatorPolicy,
    call: &Authorised,
    asked: &HostCall<'_>,
    right: Option<T>,
) {
    assert!(right.is_some());
    if policy.mentions(asked.action()) {
        policy.judge_host_call(call.installation(), asked).unwrap();
    }
}
