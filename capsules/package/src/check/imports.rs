//! Imports against declared capabilities.

use soma_policy::{CapabilityKind, Code, Declarations};

use super::Finding;
use crate::component::{Analysis, Import, InterfaceName, Need};
use crate::manifest::Manifest;

/// Every import that nothing declares, or that is not offered at all.
pub(super) fn undeclared(manifest: &Manifest, analysis: &Analysis, out: &mut Vec<Finding>) {
    for import in &analysis.imports {
        out.extend(refusal(import, &manifest.capabilities));
    }
    for found in &analysis.mismatched {
        let name = crate::component::bounded(&found.interface);
        let message = format!("`{name}` is not the interface of that name, which {}", found.what);
        out.push(Finding::error(Code::ComponentImportType, &["capabilities"], message));
    }
}

fn refusal(import: &Import, declared: &Declarations) -> Option<Finding> {
    let name = crate::component::bounded(&import.name);
    let error = |code, message: String| Finding::error(code, &["capabilities"], message);
    Some(match import.need {
        Need::Base => return None,
        Need::Capability(kind) if declared.has(kind) => return None,
        Need::Capability(kind) => {
            let message = format!("imports `{name}`, which needs [{}]", table(kind));
            let fix = format!("add [{}] to capsule.toml, or do not import it", table(kind));
            error(Code::ComponentUndeclared, message).fix(fix)
        }
        Need::Version(offered) => {
            let message = format!("imports `{name}`; offered is {offered}");
            let fix = format!("import {offered} of it");
            error(Code::ComponentImportVersion, message).fix(fix)
        }
        Need::Preview3 => {
            let message = format!("imports `{name}`; WASI 0.3 is not offered");
            error(Code::ComponentVersion03, message)
        }
        Need::Sockets => {
            let message = format!("imports `{name}`; sockets are never offered");
            let fix =
                "make outbound requests through wasi:http, and declare [capabilities.http.NAME]";
            error(Code::ComponentUnknownImport, message).fix(fix)
        }
        Need::Unknown => {
            let near = import.suggestion();
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            error(
                Code::ComponentUnknownImport,
                format!("imports `{name}`, which is not known{near}"),
            )
        }
    })
}

/// The table that declares a capability, as an author writes it.
fn table(kind: CapabilityKind) -> String {
    if kind.is_named() {
        format!("capabilities.{kind}.NAME")
    } else {
        format!("capabilities.{kind}")
    }
}

/// Every declared capability that no import can use. A tenant would be asked for nothing.
pub(super) fn unused(manifest: &Manifest, analysis: &Analysis, out: &mut Vec<Finding>) {
    for (declared, _) in manifest.capabilities.list() {
        if used(declared.kind, analysis) {
            continue;
        }
        let kind = declared.kind.to_string();
        let name = declared.name.as_ref().map(ToString::to_string);
        let path: Vec<&str> = ["capabilities", &kind].into_iter().chain(name.as_deref()).collect();
        let message = format!("{declared} is declared, but nothing is imported that uses it");
        out.push(Finding::warning(Code::ManifestUnused, &path, message));
    }
}

fn used(kind: CapabilityKind, analysis: &Analysis) -> bool {
    match kind {
        // A secret is placed by the host into requests of its http entry.
        CapabilityKind::Secret => {
            imports(analysis, "wasi:http", Some("outgoing-handler"))
                || imports(analysis, "soma:secret", None)
        }
        CapabilityKind::Http => imports(analysis, "wasi:http", Some("outgoing-handler")),
        CapabilityKind::Kv => imports(analysis, "wasi:keyvalue", None),
        CapabilityKind::Files => imports(analysis, "wasi:filesystem", None),
        CapabilityKind::Tool => imports(analysis, "soma:tool", None),
        CapabilityKind::Emit => imports(analysis, "soma:emit", None),
        CapabilityKind::Config => imports(analysis, "wasi:config", None),
        CapabilityKind::Clocks => imports(analysis, "wasi:clocks", None),
        CapabilityKind::Random => imports(analysis, "wasi:random", None),
        CapabilityKind::Logging => imports(analysis, "wasi:logging", None),
        CapabilityKind::Budget => imports(analysis, "soma:budget", None),
        CapabilityKind::Serve => analysis.serves_http(),
    }
}

fn imports(analysis: &Analysis, package: &str, interface: Option<&str>) -> bool {
    let names = analysis.imports.iter().filter_map(|import| InterfaceName::parse(&import.name));
    let mut matching = names.filter(|name| name.package == package);
    matching.any(|name| interface.is_none_or(|wanted| name.interface == wanted))
}
