//! Soma's SDK for capsules in Rust: the bindings of every capability, and small clients over the
//! ones whose raw interface takes many steps.
//!
//! Naming a function here asks for nothing: an import reaches the component only if its code is
//! used, and then `soma capsule check` says which `[capabilities.*]` it needs. The SDK exports
//! nothing; a capsule declares its own functions in its own WIT.

pub mod clock;
pub mod http;

/// Raw bindings, module by module as in WIT.
pub mod bindings {
    #![allow(missing_docs, reason = "generated; the WIT text is the documentation")]
    wit_bindgen::generate!({
        path: [
            "../../../wit/deps/wasi-io@0.2.12",
            "../../../wit/deps/wasi-clocks@0.2.12",
            "../../../wit/deps/wasi-random@0.2.12",
            "../../../wit/deps/wasi-filesystem@0.2.12",
            "../../../wit/deps/wasi-sockets@0.2.12",
            "../../../wit/deps/wasi-cli@0.2.12",
            "../../../wit/deps/wasi-http@0.2.12",
            "../../../wit/deps/wasi-keyvalue@0.2.0-draft",
            "../../../wit/deps/wasi-config@0.2.0-rc.1",
            "../../../wit/deps/wasi-logging@0.1.0-draft",
            "../../../wit/soma-secret@0.1.0",
            "../../../wit/soma-tool@0.1.0",
            "../../../wit/soma-emit@0.1.0",
            "../../../wit/soma-budget@0.1.0",
        ],
        inline: "
            package soma:sdk@0.1.0;
            world imports {
                import wasi:io/poll@0.2.12;
                import wasi:io/streams@0.2.12;
                import wasi:clocks/monotonic-clock@0.2.12;
                import wasi:clocks/wall-clock@0.2.12;
                import wasi:random/random@0.2.12;
                import wasi:filesystem/types@0.2.12;
                import wasi:filesystem/preopens@0.2.12;
                import wasi:cli/environment@0.2.12;
                import wasi:cli/stdin@0.2.12;
                import wasi:cli/stdout@0.2.12;
                import wasi:cli/exit@0.2.12;
                import wasi:http/types@0.2.12;
                import wasi:http/outgoing-handler@0.2.12;
                import wasi:keyvalue/store@0.2.0-draft;
                import wasi:keyvalue/atomics@0.2.0-draft;
                import wasi:keyvalue/batch@0.2.0-draft;
                import wasi:config/store@0.2.0-rc.1;
                import wasi:logging/logging@0.1.0-draft;
                import soma:secret/secret@0.1.0;
                import soma:tool/tool@0.1.0;
                import soma:emit/emit@0.1.0;
                import soma:budget/budget@0.1.0;
            }
        ",
        world: "soma:sdk/imports",
        generate_all,
        additional_derives: [],
    });
}

/// Settings of the installation (`config`).
pub use bindings::wasi::config::store as config;
/// Key-value storage (`kv.NAME`).
pub use bindings::wasi::keyvalue::store as kv;
/// Lines for the log (`logging`).
pub use bindings::wasi::logging::logging;
/// What is left of the call's limits (`budget`).
pub use bindings::soma::budget::budget;
/// Streamed output (`emit.NAME`).
pub use bindings::soma::emit::emit;
/// Whether a secret is there (`secret.NAME`).
pub use bindings::soma::secret::secret;
/// Calls to other capsules (`tool.NAME`).
pub use bindings::soma::tool::tool;
