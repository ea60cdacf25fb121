//! Why bytes are refused as a component. Every variant is found before anything is compiled.

use soma_policy::Code;

/// Bytes that are not a component we accept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ComponentError {
    /// Larger than a component may be.
    #[error("the component has {size} bytes; at most {max} are accepted")]
    Oversize {
        /// Bytes given.
        size: u64,
        /// Bytes accepted.
        max: u64,
    },
    /// Machine code instead of WebAssembly.
    #[error("this is precompiled machine code; only WebAssembly components are accepted")]
    Precompiled,
    /// A core module instead of a component.
    #[error("this is a core WebAssembly module, not a component")]
    CoreModule,
    /// A WIT package in its binary form, without code.
    #[error("this is a WIT package without code, not a component")]
    WitPackage,
    /// The text format.
    #[error("this is WebAssembly text, not a binary component")]
    Text,
    /// Anything else.
    #[error("this is not a WebAssembly component")]
    NotWasm,
    /// More of something than is accepted.
    #[error("the component has {count} {what}; at most {max} are accepted")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many there are; for nested definitions an upper bound.
        count: u64,
        /// How many are accepted.
        max: u64,
    },
    /// Fails validation.
    #[error("the component is malformed at byte {offset}: {reason}")]
    Malformed {
        /// Where in the file.
        offset: usize,
        /// What the validator said.
        reason: String,
    },
    /// Valid WebAssembly, but of a kind that no host of ours runs.
    #[error("the component uses a feature that is off, at byte {offset}: {reason}")]
    Feature {
        /// Where in the file.
        offset: usize,
        /// What the validator said.
        reason: String,
    },
    /// Valid, but its types cannot be read as WIT.
    #[error("the types of the component cannot be read: {0}")]
    Undecodable(String),
    /// Imports of WASI 0.3, which is not offered yet.
    #[error("the component imports `{0}`; WASI 0.3 is not offered")]
    Preview3(String),
    /// The operating system gave no thread.
    #[error("no thread to read the component with: {0}")]
    NoThread(String),
}

impl ComponentError {
    /// The stable code of this refusal.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Oversize { .. } => Code::ComponentTooLarge,
            Self::Precompiled => Code::ComponentPrecompiled,
            Self::CoreModule => Code::ComponentIsModule,
            Self::WitPackage
            | Self::Text
            | Self::NotWasm
            | Self::Malformed { .. }
            | Self::Undecodable(_) => Code::ComponentMalformed,
            Self::Feature { .. } => Code::ComponentFeature,
            Self::TooMany { .. } => Code::ComponentTooComplex,
            Self::Preview3(_) => Code::ComponentVersion03,
            Self::NoThread(_) => Code::Busy,
        }
    }

    /// What the author can do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Oversize { .. } => "build with --release, strip debug sections, or split it",
            Self::Precompiled => "give the .wasm component; each host compiles for itself",
            Self::CoreModule => "build for wasm32-wasip2, or run `wasm-tools component new`",
            Self::WitPackage => "give the component that implements the WIT package",
            Self::Text => "turn it into a binary with `wasm-tools parse`",
            Self::NotWasm => "give the .wasm file that `soma capsule build` writes",
            Self::TooMany { .. } => "split the component, or build it with less inlined code",
            Self::Malformed { .. } | Self::Undecodable(_) => "build it again, or fetch it again",
            Self::Feature { .. } => {
                "build without threads, GC, 64-bit or several memories, and component-model async"
            }
            Self::Preview3(_) => "build for wasm32-wasip2 (WASI 0.2)",
            Self::NoThread(_) => "try again when the machine is less busy",
        }
    }
}
