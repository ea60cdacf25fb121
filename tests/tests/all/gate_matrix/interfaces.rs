//! Every function of every interface version under `wit/`, with what it takes to be given it.

use serde::Serialize;
use soma_capsule::component::Need;
use soma_tests::guests;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

/// Packages in the order in which they need each other. Sockets are text that others name; no
/// function of theirs is served, which `import-sockets` of the hostile table shows.
const FOLDERS: [&str; 15] = [
    "deps/wasi-io@0.2.12",
    "deps/wasi-clocks@0.2.12",
    "deps/wasi-random@0.2.12",
    "deps/wasi-filesystem@0.2.12",
    "deps/wasi-sockets@0.2.12",
    "deps/wasi-cli@0.2.12",
    "deps/wasi-http@0.2.12",
    "deps/wasi-keyvalue@0.2.0-draft",
    "deps/wasi-config@0.2.0-rc.1",
    "deps/wasi-logging",
    "deps/wasi-logging@0.1.0-draft",
    "soma-secret@0.1.0",
    "soma-tool@0.1.0",
    "soma-emit@0.1.0",
    "soma-budget@0.1.0",
];

/// Interfaces that a capsule exports and a host calls: the way in, not a way out.
const EXPORTED: [&str; 2] = ["wasi:cli/run", "wasi:http/incoming-handler"];

/// The base world of DESIGN §4: given to every capsule, inert. A new entry here is a decision.
const BASE: [&str; 22] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/timezone",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:http/types",
];

/// One function.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Function {
    pub(crate) interface: String,
    pub(crate) function: String,
    /// `base`, or the capability that it takes.
    pub(crate) need: String,
}

/// Reads the WIT text.
pub(crate) fn resolve() -> Resolve {
    let mut resolve = Resolve::default();
    for folder in FOLDERS {
        resolve.push_path(guests::repository().join("wit").join(folder)).unwrap();
    }
    resolve
}

/// The names of all interfaces that a capsule could import.
pub(crate) fn names() -> Vec<String> {
    let resolve = resolve();
    let names = resolve.interfaces.iter().filter_map(|(id, _)| resolve.id_of(id));
    names
        .filter(|name| !name.starts_with("wasi:sockets/") && !EXPORTED.contains(&plain(name)))
        .collect()
}

/// A name without its version.
pub(crate) fn plain(name: &str) -> &str {
    name.split('@').next().unwrap_or(name)
}

/// A component that imports every function of one interface and exports `run`, which does nothing.
pub(crate) fn component(interface: &str) -> Vec<u8> {
    let mut resolve = resolve();
    let text =
        format!("package matrix:probe; world probe {{ import {interface}; export run: func(); }}");
    let package = resolve.push_str("probe.wit", &text).unwrap();
    let world = resolve.select_world(&[package], Some("probe")).unwrap();
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

/// Every function, with the need that static analysis finds.
pub(crate) fn all() -> Vec<Function> {
    static ALL: std::sync::OnceLock<Vec<Function>> = std::sync::OnceLock::new();
    ALL.get_or_init(list).clone()
}

fn list() -> Vec<Function> {
    let resolve = resolve();
    let mut functions = Vec::new();
    for name in names() {
        let need = need(&name);
        let (_, interface) = resolve
            .interfaces
            .iter()
            .find(|(id, _)| resolve.id_of(*id).as_deref() == Some(&name))
            .unwrap();
        functions.extend(interface.functions.keys().map(|function| Function {
            interface: name.clone(),
            function: function.clone(),
            need: need.clone(),
        }));
    }
    functions
}

fn need(interface: &str) -> String {
    let analysis = soma_capsule::analyse(&component(interface)).unwrap();
    let import = analysis.imports.iter().find(|import| import.name == interface);
    match import.map(|import| import.need) {
        Some(Need::Base) => "base".to_owned(),
        Some(Need::Capability(kind)) => kind.to_string(),
        // An interface of types alone is not imported by name.
        None => "base".to_owned(),
        Some(other) => format!("{other:?}"),
    }
}

/// Base is exactly the named list, and all else takes a capability that the matrix has a row for.
pub(crate) fn assert_all_are_decided(functions: &[Function]) {
    assert!(functions.len() > 120, "the WIT text holds more than {}", functions.len());
    let kinds: Vec<String> = super::capabilities::KINDS.iter().map(ToString::to_string).collect();
    for function in functions {
        let in_base = BASE.contains(&plain(&function.interface));
        match function.need.as_str() {
            "base" => assert!(in_base, "{} is base and on no list", function.interface),
            kind => assert!(
                kinds.contains(&kind.to_owned()),
                "{function:?} takes nothing that is in the matrix"
            ),
        }
    }
}

#[test]
fn every_function_is_in_the_base_world_or_takes_a_capability() {
    assert_all_are_decided(&all());
}
