//! Bundles: what loads, what is refused, and what they say.

use crate::cedar::{OperatorPolicy, PolicyError, PolicySources};
use crate::code::Code;
use crate::denial::Layer;
use crate::fixture::{DECLARED, GRANTED, bundle, caller, installation, starter, starter_and};
use crate::request::{ConfigRequest, HostAction, HostCall, HttpRequest, KvOperation, KvRequest};
use crate::{Caller, Limits, Millis};

fn refused(policies: &str) -> Vec<PolicyError> {
    OperatorPolicy::load(&bundle(policies)).unwrap_err()
}

const PERMIT: &str = "@id(\"all\") @reason(\"Everything.\") permit (principal, action, resource);";

fn http(host: &str) -> HttpRequest {
    HttpRequest::canonical("https", host, "/repos/acme/web/issues", "GET").unwrap()
}

#[test]
fn the_starter_policy_asks_nothing_per_host_call() {
    let policy = starter();
    assert!(HostAction::ALL.iter().all(|action| !policy.mentions(*action)));
    assert_eq!(policy.ceiling().cpu, Millis(10_000));
    let installation = installation(DECLARED, GRANTED);
    assert_eq!(policy.judge_call(&installation, &caller(), &"f".parse().unwrap()), Ok(()));
    assert_eq!(
        policy.judge_host_call(&installation, &HostCall::Http(&http("evil.example"))),
        Ok(())
    );
    let other = Caller { org: "other".parse().unwrap(), ..caller() };
    let denial = policy.judge_call(&installation, &other, &"f".parse().unwrap()).unwrap_err();
    assert_eq!((denial.code, denial.layer), (Code::PolicyNoPermit, Layer::Operator));
}

#[test]
fn a_forbid_with_conditions_is_asked_about_and_wins() {
    let policy = starter_and(
        "@id(\"no-github\") @reason(\"GitHub is down for us.\") forbid (principal is Installation, action == Action::\"http.request\", resource is Capability) when { context.host == \"api.github.com\" && context.port == 443 };",
    );
    let asked: Vec<_> =
        HostAction::ALL.into_iter().filter(|action| policy.mentions(*action)).collect();
    assert_eq!(asked, [HostAction::HttpRequest]);
    let installation = installation(DECLARED, GRANTED);
    for _ in 0..2 {
        let denial = policy
            .judge_host_call(&installation, &HostCall::Http(&http("api.github.com")))
            .unwrap_err();
        assert_eq!((denial.code, denial.layer), (Code::PolicyForbids, Layer::Operator));
        assert_eq!(denial.reason, "GitHub is down for us.");
        assert_eq!(denial.operation, "GET https://api.github.com/repos/acme/web/issues");
        assert_eq!(denial.capability.as_ref().unwrap().to_string(), "http.issues");
    }
    assert_eq!(policy.cache.len(), 1);
    let other_port = HttpRequest::canonical("https", "api.github.com:8443", "/", "GET").unwrap();
    assert_eq!(policy.judge_host_call(&installation, &HostCall::Http(&other_port)), Ok(()));
    assert_eq!(policy.cache.len(), 2);
}

#[test]
fn without_a_permit_for_host_calls_each_is_denied() {
    let policy = OperatorPolicy::load(&bundle(
        "@id(\"calls\") @reason(\"Calls only.\") permit (principal is Caller, action == Action::\"call\", resource);",
    ))
    .unwrap();
    assert!(HostAction::ALL.iter().all(|action| policy.mentions(*action)));
    let installation = installation(DECLARED, GRANTED);
    let (get, set) = (
        KvRequest::new("cache", KvOperation::Get, "k"),
        KvRequest::new("cache", KvOperation::Set, "k"),
    );
    let config = ConfigRequest::new("k");
    let file = crate::FileRequest::canonical(crate::FileOp::Read, "/desk/x").unwrap();
    let tool = crate::ToolRequest::new("csv", "f", crate::LabelSet::EMPTY);
    let (secret, emit) = (crate::SecretRequest::new("token"), crate::EmitRequest::new("no such!"));
    let request = http("api.github.com");
    let calls = [
        HostCall::Kv(&get),
        HostCall::Kv(&set),
        HostCall::Config(&config),
        HostCall::Files(&file),
        HostCall::Tool(&tool),
        HostCall::Secret(&secret),
        HostCall::Emit(&emit),
        HostCall::Http(&request),
    ];
    for call in calls {
        let denial = policy.judge_host_call(&installation, &call).unwrap_err();
        assert_eq!(denial.code, Code::PolicyNoPermit, "{call}: {denial}: {}", denial.reason);
    }
}

#[test]
fn every_action_can_be_permitted_by_its_parameters() {
    for (action, condition) in [
        (
            "http.request",
            "context.method == \"GET\" && context.path like \"/repos/*\" && context.scheme == \"https\" && context.origin == \"https://api.github.com:443\"",
        ),
        ("kv.read", "context.key == \"etag/1\" && resource.name == \"cache\""),
        ("tool.call", "context.capsule == \"acme/csv\" && context.function == \"to-json\""),
        ("files.read", "context.path == \"/desk/x\" && context.operation == \"read\""),
        ("config.get", "context.key == \"region\" && principal.tenant == \"local\""),
        ("secret.use", "resource in Capability::\"secret\" && principal in Publisher::\"acme\""),
        ("emit.publish", "resource == Capability::\"emit.rows\" && principal in Org::\"local\""),
    ] {
        let policy = OperatorPolicy::load(&bundle(&format!(
            "@id(\"p\") @reason(\"r\") permit (principal, action == Action::\"{action}\", resource) when {{ {condition} }};"
        )))
        .unwrap();
        let installation = installation(
            DECLARED,
            &format!(
                "{GRANTED}\n[tool.csv]\ncapsule = \"acme/csv\"\nversion = \"^1\"\nfunctions = [\"to-json\"]"
            ),
        );
        let (kv, config) =
            (KvRequest::new("cache", KvOperation::Get, "etag/1"), ConfigRequest::new("region"));
        let file = crate::FileRequest::canonical(crate::FileOp::Read, "/desk/x").unwrap();
        let tool = crate::ToolRequest::new("csv", "to-json", crate::LabelSet::EMPTY);
        let (secret, emit) = (crate::SecretRequest::new("token"), crate::EmitRequest::new("rows"));
        let request = http("api.github.com");
        for call in [
            HostCall::Http(&request),
            HostCall::Kv(&kv),
            HostCall::Tool(&tool),
            HostCall::Files(&file),
            HostCall::Config(&config),
            HostCall::Secret(&secret),
            HostCall::Emit(&emit),
        ] {
            let said = policy.judge_host_call(&installation, &call);
            assert_eq!(
                said.is_ok(),
                call.action().as_str() == action,
                "{action}: {call}: {said:?}"
            );
        }
    }
}

#[test]
fn a_policy_that_errors_denies() {
    // Overflow is the one error that strict validation cannot see.
    let policy = starter_and(
        "@id(\"overflow\") @reason(\"Never.\") forbid (principal is Installation, action == Action::\"http.request\", resource) when { context.port + 9223372036854775807 < 0 };",
    );
    let installation = installation(DECLARED, GRANTED);
    let denial = policy
        .judge_host_call(&installation, &HostCall::Http(&http("api.github.com")))
        .unwrap_err();
    assert_eq!((denial.code, denial.layer), (Code::PolicyErrored, Layer::Operator));
    assert!(denial.reason.contains("overflow"), "{}", denial.reason);
}

#[test]
fn what_a_bundle_must_not_be() {
    for (policies, code, hint) in [
        ("permit (principal, action, resource);", Code::PolicyNoId, "@id"),
        ("@id(\"a\") permit (principal, action, resource);", Code::PolicyNoReason, "@reason"),
        (
            "@id(\"a\") @reason(\" \") permit (principal, action, resource);",
            Code::PolicyNoReason,
            "@reason",
        ),
        (
            "@id(\"a\") @reason(\"r\") permit (principal, action, resource); @id(\"a\") @reason(\"r\") permit (principal, action, resource);",
            Code::PolicyDuplicate,
            "twice",
        ),
        (
            "@id(\"a\") @reason(\"r\") permit (principal == ?principal, action, resource);",
            Code::PolicyTemplate,
            "templates",
        ),
        (
            "@id(\"a\") @reason(\"r\") permit (principal, action == Action::\"http.request\", resource) when { context.hots == \"x\" };",
            Code::PolicyInvalid,
            "hots",
        ),
        (
            "@id(\"a\") @reason(\"r\") permit (principal, action == Action::\"http.requst\", resource);",
            Code::PolicyInvalid,
            "http.requst",
        ),
        (
            "@id(\"a\") @reason(\"r\") permit (principal is Capsul, action, resource);",
            Code::PolicyInvalid,
            "Capsul",
        ),
        (
            "@id(\"a\") @reason(\"r\") permit (principal, action == Action::\"call\", resource) when { context.function == 7 };",
            Code::PolicyInvalid,
            "",
        ),
        (
            "@id(\"a\") @reason(\"r\") forbid (principal, action, resource);",
            Code::PolicyEmpty,
            "permits",
        ),
        ("", Code::PolicyEmpty, "permits"),
    ] {
        let errors = refused(policies);
        assert!(
            errors.iter().any(|error| error.code == code && error.message.contains(hint)),
            "{policies}: {errors:?}"
        );
    }
    let syntax = refused("@id(\"a\")\n@reason(\"r\")\npermit (principal action, resource);");
    assert_eq!((syntax[0].code, syntax[0].line), (Code::PolicySyntax, Some(3)));
    assert!(syntax[0].to_string().starts_with("SOMA-P001 policy/own.cedar:3 "), "{}", syntax[0]);
    let large = format!("{PERMIT}{}", " ".repeat(2 << 20));
    assert_eq!(refused(&large)[0].code, Code::PolicyTooLarge);
}

#[test]
fn a_warning_counts_as_an_error() {
    let errors = refused(&format!(
        "{PERMIT} @id(\"dead\") @reason(\"r\") forbid (principal is Caller, action == Action::\"call\", resource) when {{ context.function == \"a\" && false }};"
    ));
    assert!(
        errors.iter().any(|error| error.code == Code::PolicyInvalid && error.file == "own.cedar"),
        "{errors:?}"
    );
}

#[test]
fn limits_and_peers_are_part_of_the_bundle() {
    let with = |limits: Option<&str>, peers: Option<&str>| PolicySources {
        limits: limits.map(ToOwned::to_owned),
        peers: peers.map(ToOwned::to_owned),
        ..bundle(PERMIT)
    };
    let plain = OperatorPolicy::load(&with(None, None)).unwrap();
    assert_eq!(*plain.ceiling(), Limits::DEFAULT);
    assert!(plain.peers().is_empty() && plain.region().is_none());
    let raised = OperatorPolicy::load(&with(Some("cpu = \"2 s\""), None)).unwrap();
    assert_eq!((raised.ceiling().cpu, raised.ceiling().wall), (Millis(2000), Limits::DEFAULT.wall));
    assert_ne!(plain.hash(), raised.hash());
    assert_eq!(plain.hash(), OperatorPolicy::load(&with(None, None)).unwrap().hash());
    let errors =
        OperatorPolicy::load(&with(Some("\ncpus = \"2 s\""), Some("[[peer]]\n"))).unwrap_err();
    assert_eq!((errors[0].code, errors[0].line), (Code::PolicyLimits, Some(2)));
    assert!(errors[0].message.contains("\"cpu\""), "{}", errors[0]);
    assert_eq!(errors[1].code, Code::PolicyPeers);
}

#[test]
fn a_forbid_about_callers_alone_keeps_host_calls_free_of_questions() {
    let free = starter_and(
        "@id(\"c\") @reason(\"r\") forbid (principal is Caller, action, resource) when { principal.anonymous };",
    );
    assert!(HostAction::ALL.iter().all(|action| !free.mentions(*action)));
    let asked = starter_and(
        "@id(\"c\") @reason(\"r\") forbid (principal, action in Action::\"host.call\", resource == Capability::\"http.issues\");",
    );
    assert!(HostAction::ALL.iter().all(|action| asked.mentions(*action)));
    let listed = starter_and(
        "@id(\"c\") @reason(\"r\") forbid (principal in Publisher::\"evil\", action in [Action::\"kv.read\", Action::\"kv.write\"], resource);",
    );
    let asked: Vec<_> =
        HostAction::ALL.into_iter().filter(|action| listed.mentions(*action)).collect();
    assert_eq!(asked, [HostAction::KvRead, HostAction::KvWrite]);
    let one = starter_and(
        "@id(\"c\") @reason(\"r\") forbid (principal == Installation::\"local/production/issues\", action == Action::\"config.get\", resource);",
    );
    let installation = installation(DECLARED, GRANTED);
    assert!(
        one.judge_host_call(&installation, &HostCall::Config(&ConfigRequest::new("k"))).is_err()
    );
}
