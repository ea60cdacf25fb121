//! The reference pages say what the code does: every kind, action and limit is on its page.

use soma_policy::{CapabilityKind, HostAction, Limits, POLICY_SCHEMA};

const CAPABILITIES: &str = include_str!("../../docs/reference/capabilities.md");
const POLICY: &str = include_str!("../../docs/reference/policy.md");

#[test]
fn every_capability_kind_has_its_row() {
    for kind in CapabilityKind::ALL {
        let name =
            if kind.is_named() { format!("| `{kind}.N` |") } else { format!("| `{kind}` |") };
        assert!(CAPABILITIES.contains(&name), "{name}");
    }
}

#[test]
fn every_default_limit_is_told() {
    let Limits { cpu, handles, hostcall, input, log, memory, output, requests, wall } =
        Limits::DEFAULT;
    let told = CAPABILITIES.replace('\n', " ");
    for text in [
        format!("`cpu` {cpu}"),
        format!("`handles` {handles}"),
        format!("`hostcall` {hostcall}"),
        format!("`input` {input}"),
        format!("`log` {log}"),
        format!("`memory` {memory}"),
        format!("`output` {output}"),
        format!("`requests` {requests}"),
        format!("`wall` {wall}"),
    ] {
        assert!(told.contains(&text), "{text}");
    }
}

#[test]
fn every_host_action_is_in_the_schema_and_on_its_page() {
    for action in HostAction::ALL {
        assert!(POLICY_SCHEMA.contains(&format!("\"{}\"", action.as_str())), "{}", action.as_str());
        assert!(POLICY.contains(&format!("`{}`", action.as_str())), "{}", action.as_str());
    }
}
