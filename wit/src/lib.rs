//! Host bindings for the WIT packages that Soma serves, and the list of them.
//!
//! What upstream binds already (`wasi:io`, `cli`, `clocks`, `random`, `filesystem`, `http`) is re-exported in [`standard`];
//! the rest is generated in [`keyvalue`], [`config`], [`logging`] and [`soma`]. This crate implements no interface, links
//! none and decides nothing: soma-host does, behind its gate.

mod generated;
pub mod served;

/// `wasi:keyvalue@0.2.0-draft`.
pub mod keyvalue {
    pub use crate::generated::wasi::keyvalue::{atomics, batch, store};
}

/// `wasi:config@0.2.0-rc.1`.
pub mod config {
    pub use crate::generated::wasi::config::store;
}

/// `wasi:logging`, both spellings that toolchains import.
pub mod logging {
    pub use crate::generated::wasi::logging::logging as unversioned;
    pub use crate::generated::wasi::logging0_1_0_draft::logging as draft;
}

/// Our own packages.
pub mod soma {
    pub use crate::generated::soma::budget::budget;
    pub use crate::generated::soma::emit::emit;
    pub use crate::generated::soma::secret::secret;
    pub use crate::generated::soma::tool::tool;
}

/// The standard packages as upstream binds them.
///
/// Linking is per interface: upstream's functions that add all of WASI at once are not re-exported, because they bring
/// sockets.
pub mod standard {
    pub use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, io, random};
    pub use wasmtime_wasi_http::p2::bindings::http;
    pub use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyIndices, ProxyPre};
}
