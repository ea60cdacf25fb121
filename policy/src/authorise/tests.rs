//! The door: who gets in, who does not and why, and what a tool call may be.

use std::sync::Arc;

use super::*;
use crate::capability::Label;
use crate::fixture::{DECLARED, GRANTED, caller, facts, installation, spec, starter, starter_and};
use crate::id::OrderId;
use crate::kill::KillScope;

fn try_call(
    installation: &Arc<Installation>,
    caller: &Caller,
    kills: &KillSet,
) -> Result<Authorised, Box<Denial>> {
    let function = "list-issues".parse().unwrap();
    authorise(installation, caller, &function, &starter(), kills, Timestamp(7))
}

#[test]
fn the_tenants_own_caller_gets_in() {
    let installation = installation(DECLARED, GRANTED);
    let call = try_call(&installation, &caller(), &KillSet::default()).unwrap();
    assert_eq!(call.installation().key, installation.key);
    assert_eq!(
        (call.depth(), call.at(), call.function().as_str()),
        (0, Timestamp(7), "list-issues")
    );
    assert_eq!(call.caller().subject.as_ref(), "user-1");
    assert!(call.labels().is_empty() && !call.policy().peers().iter().any(|_| true));
}

#[test]
fn another_tenant_and_a_narrow_token_do_not() {
    let installation = installation(DECLARED, GRANTED);
    let none = KillSet::default();
    let other = Caller { org: "other".parse().unwrap(), ..caller() };
    assert_eq!(try_call(&installation, &other, &none).unwrap_err().code, Code::OtherTenant);
    let staging = Caller { environment: "staging".parse().unwrap(), ..caller() };
    assert_eq!(try_call(&installation, &staging, &none).unwrap_err().code, Code::OtherTenant);
    let narrow = Caller { can: "call:csv".parse().unwrap(), ..caller() };
    let denial = try_call(&installation, &narrow, &none).unwrap_err();
    assert_eq!((denial.code, denial.layer), (Code::TokenScope, Layer::Grant));
    assert!(denial.remedy.contains("--can call:issues"), "{denial}");
}

#[test]
fn strangers_need_a_grant_of_their_own() {
    let stranger = Caller::anonymous("local".parse().unwrap(), "production".parse().unwrap());
    let closed = installation(DECLARED, GRANTED);
    let denial = try_call(&closed, &stranger, &KillSet::default()).unwrap_err();
    assert_eq!(denial.code, Code::NotServed);
    assert!(denial.remedy.contains("[grants.serve]"), "{denial}");
    let open = installation(DECLARED, &format!("{GRANTED}\n[serve]\nanonymous = true"));
    assert!(try_call(&open, &stranger, &KillSet::default()).is_ok());
    let named_only = installation(DECLARED, &format!("{GRANTED}\n[serve]\nanonymous = false"));
    assert!(try_call(&named_only, &stranger, &KillSet::default()).is_err());
}

#[test]
fn a_standing_order_keeps_everybody_out() {
    let installation = installation(DECLARED, GRANTED);
    let order = OrderId::from_u128(9);
    for scope in [
        "capsule:acme/github-issues",
        "publisher:acme",
        "capability:http",
        "tenant:local",
        "everything",
        "capsule:acme/github-issues@^1",
        "installation:local/production/issues",
    ] {
        let scope: KillScope = scope.parse().unwrap();
        let denial =
            try_call(&installation, &caller(), &KillSet::of([(&scope, order)])).unwrap_err();
        assert_eq!(
            (denial.code, denial.layer, denial.order),
            (Code::Killed, Layer::Kill, Some(order)),
            "{scope}"
        );
    }
    for scope in [
        "capsule:acme/csv",
        "publisher:other",
        "capability:kv",
        "tenant:other",
        "capsule:acme/github-issues@^2",
        "tool:acme/csv",
        "region:eu",
    ] {
        let scope: KillScope = scope.parse().unwrap();
        assert!(
            try_call(&installation, &caller(), &KillSet::of([(&scope, order)])).is_ok(),
            "{scope}"
        );
    }
}

#[test]
fn the_operators_word_is_asked_once_per_call() {
    let installation = installation(DECLARED, GRANTED);
    let policy = starter_and(
        "@id(\"no-http\") @reason(\"No network on this host.\") forbid (principal is Caller, action == Action::\"call\", resource) when { resource.kinds.contains(\"http\") };",
    );
    let function = "list-issues".parse().unwrap();
    let denial =
        authorise(&installation, &caller(), &function, &policy, &KillSet::default(), Timestamp(0))
            .unwrap_err();
    assert_eq!((denial.code, denial.layer), (Code::PolicyForbids, Layer::Operator));
    assert_eq!(denial.reason, "No network on this host.");
    assert!(denial.remedy.contains("\"no-http\" in policy/own.cedar"), "{denial}");
}

const TOOL: &str =
    "[tool.csv]\ncapsule = \"acme/csv\"\nversion = \"^1\"\nfunctions = [\"to-json\"]";

fn parent(grant: &str) -> Authorised {
    let parent = installation(DECLARED, &format!("{GRANTED}\n{grant}"));
    try_call(&parent, &caller(), &KillSet::default()).unwrap()
}

/// A call of acme/csv, as the parent's caller makes it through a tool entry.
fn child(version: &str, tenant: &str, function: &str) -> Authorised {
    let mut facts = facts("");
    facts.name = "acme/csv".parse().unwrap();
    facts.version = version.parse().unwrap();
    let mut spec = spec("");
    spec.capsule = facts.name.clone();
    spec.version = "*".parse().unwrap();
    spec.tenant = tenant.parse().unwrap();
    let installation = Arc::new(
        Installation::compile("csv".parse().unwrap(), spec, &facts, &starter(), 1).unwrap(),
    );
    let caller =
        Caller { org: tenant.parse().unwrap(), can: CallScope::none(), ..caller() }.through_tool();
    let function = function.parse().unwrap();
    authorise(&installation, &caller, &function, &starter(), &KillSet::default(), Timestamp(0))
        .unwrap()
}

#[test]
fn a_tool_call_inherits_depth_and_labels() {
    let (one, two) =
        (LabelSet::EMPTY.with(Label::TenantData), LabelSet::EMPTY.with(Label::SecretDerived));
    let mut call = parent(TOOL).attenuate(child("1.4.0", "local", "to-json"), one).unwrap();
    assert_eq!((call.depth(), call.labels()), (1, one));
    assert!(call.caller().is_tool());
    // The callee has no tool entry of its own, so it cannot go on; a chain of parents can, up to the depth.
    assert_eq!(
        call.attenuate(child("1.4.0", "local", "to-json"), two).unwrap_err().code,
        Code::ToolNotAllowed
    );
    call = Authorised { depth: 3, ..parent(TOOL) };
    call.receive(one);
    let fourth = call.attenuate(child("1.4.0", "local", "to-json"), two).unwrap();
    assert_eq!((fourth.depth(), fourth.labels()), (TOOL_DEPTH_MAX, one.union(two)));
    call = Authorised { depth: TOOL_DEPTH_MAX, ..parent(TOOL) };
    assert_eq!(
        call.attenuate(child("1.4.0", "local", "to-json"), two).unwrap_err().code,
        Code::ToolDepth
    );
}

#[test]
fn a_tool_call_is_what_the_entry_says() {
    let none = LabelSet::EMPTY;
    let refused = |grant: &str, version: &str, tenant: &str, function: &str| {
        parent(grant).attenuate(child(version, tenant, function), none).unwrap_err().code
    };
    assert_eq!(refused(TOOL, "1.4.0", "other", "to-json"), Code::ToolTenant);
    assert_eq!(refused(TOOL, "2.0.0", "local", "to-json"), Code::ToolVersion);
    assert_eq!(
        refused(&TOOL.replace("^1", "~1.2"), "1.4.0", "local", "to-json"),
        Code::ToolVersion
    );
    assert_eq!(refused(TOOL, "1.4.0", "local", "from-json"), Code::ToolFunction);
    assert_eq!(refused("", "1.4.0", "local", "to-json"), Code::ToolNotAllowed);
    assert_eq!(
        refused(&format!("{TOOL}\ninstallation = \"other\""), "1.4.0", "local", "to-json"),
        Code::ToolNotAllowed
    );
    assert!(
        parent(&format!("{TOOL}\ninstallation = \"csv\""))
            .attenuate(child("1.0.0", "local", "to-json"), none)
            .is_ok()
    );
}

#[test]
fn a_tools_answer_closes_the_callers_sinks() {
    let call = parent(TOOL);
    let request =
        crate::HttpRequest::canonical("https", "api.github.com", "/repos/acme/web/issues", "GET")
            .unwrap();
    assert!(call.http(&request).is_ok());
    call.receive(LabelSet::EMPTY.with(Label::TenantData));
    let denial = call.http(&request).unwrap_err();
    assert_eq!(denial.code, Code::LabelNotCleared);
    assert!(denial.remedy.contains("add \"tenant-data\" to grants.http.issues.clears"), "{denial}");
}
