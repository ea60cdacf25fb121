//! Every interface version that a host serves, and what a component needs to import it.
//!
//! Data, not behaviour: the linker, the import analysis and the gate matrix are held to this list by their tests, so that
//! an interface cannot be served without a row, nor a row be without a function behind it.

/// What a component needs to import an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: the interface is part of the base world, which is inert without grants.
    Base,
    /// A capability of this kind in the manifest, as spelled in `[capabilities.KIND]`.
    Capability(&'static str),
    /// A capability of either kind.
    Either(&'static str, &'static str),
}

/// One interface at one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// The full name, such as `wasi:keyvalue/store@0.2.0-draft`.
    pub interface: &'static str,
    /// What a component needs to import it.
    pub needs: Needs,
}

const fn base(interface: &'static str) -> Served {
    Served { interface, needs: Needs::Base }
}

const fn needs(interface: &'static str, kind: &'static str) -> Served {
    Served { interface, needs: Needs::Capability(kind) }
}

/// Every interface that a guest can import, in the order of the packages.
pub const SERVED: &[Served] = &[
    base("wasi:io/error@0.2.12"),
    base("wasi:io/poll@0.2.12"),
    base("wasi:io/streams@0.2.12"),
    base("wasi:cli/environment@0.2.12"),
    base("wasi:cli/exit@0.2.12"),
    base("wasi:cli/stdin@0.2.12"),
    base("wasi:cli/stdout@0.2.12"),
    base("wasi:cli/stderr@0.2.12"),
    base("wasi:cli/terminal-input@0.2.12"),
    base("wasi:cli/terminal-output@0.2.12"),
    base("wasi:cli/terminal-stdin@0.2.12"),
    base("wasi:cli/terminal-stdout@0.2.12"),
    base("wasi:cli/terminal-stderr@0.2.12"),
    base("wasi:clocks/monotonic-clock@0.2.12"),
    base("wasi:clocks/wall-clock@0.2.12"),
    base("wasi:random/random@0.2.12"),
    base("wasi:random/insecure@0.2.12"),
    base("wasi:random/insecure-seed@0.2.12"),
    base("wasi:filesystem/types@0.2.12"),
    base("wasi:filesystem/preopens@0.2.12"),
    Served { interface: "wasi:http/types@0.2.12", needs: Needs::Either("http", "serve") },
    needs("wasi:http/outgoing-handler@0.2.12", "http"),
    needs("wasi:keyvalue/store@0.2.0-draft", "kv"),
    needs("wasi:keyvalue/atomics@0.2.0-draft", "kv"),
    needs("wasi:keyvalue/batch@0.2.0-draft", "kv"),
    needs("wasi:config/store@0.2.0-rc.1", "config"),
    needs("wasi:logging/logging", "logging"),
    needs("wasi:logging/logging@0.1.0-draft", "logging"),
    needs("soma:secret/secret@0.1.0", "secret"),
    needs("soma:tool/tool@0.1.0", "tool"),
    needs("soma:emit/emit@0.1.0", "emit"),
    needs("soma:budget/budget@0.1.0", "budget"),
];

/// The folders of WIT text below [`WIT_DIR`], each after those it refers to: a resolver can take them in this order.
pub const FOLDERS: &[&str] = &[
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

/// Where this crate's sources, and so the WIT text, were when it was built. For tests and builds in the repository only.
pub const WIT_DIR: &str = env!("CARGO_MANIFEST_DIR");
