//! Canonical requests: what a guest asks for, in the one form that is decided, recorded and carried out.
//!
//! A request is built before anything is looked up or opened. Whether it is right is in `decide.rs`.

mod file;
mod http;

use std::fmt;

pub use file::{FileOp, FileRequest};
pub use http::HttpRequest;

use crate::capability::LabelSet;

/// What is done with a key-value store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KvOperation {
    /// Read a value.
    Get,
    /// Ask whether there is one.
    Exists,
    /// List keys; the key is the prefix.
    List,
    /// Write a value.
    Set,
    /// Remove a value.
    Delete,
    /// Add to a number.
    Increment,
}

impl KvOperation {
    /// Whether it tells the guest something.
    #[must_use]
    pub const fn reads(self) -> bool {
        !matches!(self, Self::Set | Self::Delete)
    }

    /// Whether it changes the store.
    #[must_use]
    pub const fn writes(self) -> bool {
        matches!(self, Self::Set | Self::Delete | Self::Increment)
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Exists => "exists",
            Self::List => "list",
            Self::Set => "set",
            Self::Delete => "delete",
            Self::Increment => "increment",
        }
    }
}

/// One operation on one key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KvRequest {
    store: Box<str>,
    operation: KvOperation,
    key: Box<str>,
}

impl KvRequest {
    /// The longest key, in bytes.
    pub const KEY_MAX: usize = 1024;

    /// One operation on a key of the store that a kv entry names.
    #[must_use]
    pub fn new(store: &str, operation: KvOperation, key: &str) -> Self {
        Self { store: store.into(), operation, key: key.into() }
    }

    /// The kv entry.
    #[must_use]
    pub fn store(&self) -> &str {
        &self.store
    }

    /// What is done.
    #[must_use]
    pub const fn operation(&self) -> KvOperation {
        self.operation
    }

    /// The key, or the prefix of a list.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for KvRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kv {} {} {}", self.operation.as_str(), Shown(&self.store), Shown(&self.key))
    }
}

/// A call of a tool entry's function, with the labels of the data that go along.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ToolRequest {
    tool: Box<str>,
    function: Box<str>,
    labels: LabelSet,
}

impl ToolRequest {
    /// A call of a function through the tool entry of this name.
    #[must_use]
    pub fn new(tool: &str, function: &str, labels: LabelSet) -> Self {
        Self { tool: tool.into(), function: function.into(), labels }
    }

    /// The tool entry.
    #[must_use]
    pub fn tool(&self) -> &str {
        &self.tool
    }

    /// The function.
    #[must_use]
    pub fn function(&self) -> &str {
        &self.function
    }

    /// The labels that go along.
    #[must_use]
    pub const fn labels(&self) -> LabelSet {
        self.labels
    }
}

impl fmt::Display for ToolRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tool {} {}", Shown(&self.tool), Shown(&self.function))
    }
}

macro_rules! name_requests {
    ($($(#[$doc:meta])* $name:ident $field:ident $verb:literal;)*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $name { $field: Box<str> }

        impl $name {
            /// From the name that the guest says.
            #[must_use]
            pub fn new($field: &str) -> Self {
                Self { $field: $field.into() }
            }

            /// The name.
            #[must_use]
            pub fn $field(&self) -> &str {
                &self.$field
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($verb, " {}"), Shown(&self.$field))
            }
        }
    )* };
}

name_requests! {
    /// Use of a declared secret.
    SecretRequest name "secret";
    /// An event of an emit entry.
    EmitRequest emitter "emit";
    /// Reading of a configuration key.
    ConfigRequest key "config";
}

/// Guest text inside an operation: short, without control characters, allocating nothing until it is printed.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::id::shown(self.0))
    }
}

/// A host call as the operator's policy sees it.
#[derive(Debug, Clone, Copy)]
pub enum HostCall<'a> {
    /// An outbound request.
    Http(&'a HttpRequest),
    /// A key-value operation.
    Kv(&'a KvRequest),
    /// A file operation.
    Files(&'a FileRequest),
    /// A call of another capsule.
    Tool(&'a ToolRequest),
    /// Use of a secret.
    Secret(&'a SecretRequest),
    /// An event.
    Emit(&'a EmitRequest),
    /// A configuration value.
    Config(&'a ConfigRequest),
}

/// An action of the policy schema that a host call is judged under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostAction {
    /// `http.request`
    HttpRequest,
    /// `kv.read`
    KvRead,
    /// `kv.write`
    KvWrite,
    /// `files.read`
    FilesRead,
    /// `files.write`
    FilesWrite,
    /// `tool.call`
    ToolCall,
    /// `secret.use`
    SecretUse,
    /// `emit.publish`
    EmitPublish,
    /// `config.get`
    ConfigGet,
}

impl HostAction {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::HttpRequest,
        Self::KvRead,
        Self::KvWrite,
        Self::FilesRead,
        Self::FilesWrite,
        Self::ToolCall,
        Self::SecretUse,
        Self::EmitPublish,
        Self::ConfigGet,
    ];

    /// Its id in the policy schema.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HttpRequest => "http.request",
            Self::KvRead => "kv.read",
            Self::KvWrite => "kv.write",
            Self::FilesRead => "files.read",
            Self::FilesWrite => "files.write",
            Self::ToolCall => "tool.call",
            Self::SecretUse => "secret.use",
            Self::EmitPublish => "emit.publish",
            Self::ConfigGet => "config.get",
        }
    }
}

impl HostCall<'_> {
    /// The action that it is judged under.
    #[must_use]
    pub const fn action(&self) -> HostAction {
        match self {
            Self::Http(_) => HostAction::HttpRequest,
            Self::Kv(request) if request.operation.writes() => HostAction::KvWrite,
            Self::Kv(_) => HostAction::KvRead,
            Self::Files(request) if request.op().changes() => HostAction::FilesWrite,
            Self::Files(_) => HostAction::FilesRead,
            Self::Tool(_) => HostAction::ToolCall,
            Self::Secret(_) => HostAction::SecretUse,
            Self::Emit(_) => HostAction::EmitPublish,
            Self::Config(_) => HostAction::ConfigGet,
        }
    }
}

impl fmt::Display for HostCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(request) => request.fmt(f),
            Self::Kv(request) => request.fmt(f),
            Self::Files(request) => request.fmt(f),
            Self::Tool(request) => request.fmt(f),
            Self::Secret(request) => request.fmt(f),
            Self::Emit(request) => request.fmt(f),
            Self::Config(request) => request.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_shown_without_control_characters() {
        let request = KvRequest::new("cache", KvOperation::Get, "a\u{1b}[31m");
        assert_eq!(request.to_string(), "kv get cache a\u{fffd}[31m");
        let long = ConfigRequest::new(&"x".repeat(500)).to_string();
        assert!(long.chars().count() < 100, "{long}");
    }

    #[test]
    fn each_call_is_judged_under_its_action() {
        let read = KvRequest::new("c", KvOperation::List, "");
        let write = KvRequest::new("c", KvOperation::Increment, "k");
        let tool = ToolRequest::new("csv", "to-json", LabelSet::EMPTY);
        let stat = FileRequest::canonical(FileOp::Stat, "/a/b").unwrap();
        let create = FileRequest::canonical(FileOp::Create, "/a/b").unwrap();
        let http = HttpRequest::canonical("https", "a.example", "/", "GET").unwrap();
        let (secret, emit, config) =
            (SecretRequest::new("s"), EmitRequest::new("e"), ConfigRequest::new("k"));
        let calls = [
            (HostCall::Http(&http), "GET https://a.example/"),
            (HostCall::Kv(&read), "kv list c "),
            (HostCall::Kv(&write), "kv increment c k"),
            (HostCall::Files(&stat), "files stat /a/b"),
            (HostCall::Files(&create), "files create /a/b"),
            (HostCall::Tool(&tool), "tool csv to-json"),
            (HostCall::Secret(&secret), "secret s"),
            (HostCall::Emit(&emit), "emit e"),
            (HostCall::Config(&config), "config k"),
        ];
        for ((call, text), action) in calls.into_iter().zip(HostAction::ALL) {
            assert_eq!((call.to_string().as_str(), call.action()), (text, action));
        }
        assert!(
            write.operation().reads() && write.operation().writes() && !KvOperation::Set.reads()
        );
        assert_eq!(
            (tool.tool(), tool.function(), tool.labels()),
            ("csv", "to-json", LabelSet::EMPTY)
        );
    }
}
