//! What a capsule can ask for: the kinds of capability, how denials name them, and what a manifest declares.
//!
//! What a tenant gives is in `grant.rs`; whether a request is right is in `decide.rs`.

mod declaration;
mod label;
mod parts;
mod place;

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use declaration::{
    BudgetDeclaration, ClocksDeclaration, ConfigDeclaration, Declarations, EmitDeclaration,
    FilesDeclaration, HttpDeclaration, KvDeclaration, LoggingDeclaration, RandomDeclaration,
    SecretDeclaration, ServeDeclaration, ToolDeclaration,
};
pub use label::{Label, LabelSet};
pub use parts::{Access, ConfigKey, GuestPath, Transfer};
pub use place::{SecretPlace, SecretSlot};

use crate::id::{CapabilityName, IdError};
use crate::suggest::did_you_mean;
use crate::text::string_form;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $text:literal $named:literal;)*) => {
        /// A kind of capability.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "lowercase")]
        pub enum CapabilityKind { $($(#[$doc])* $name,)* }

        impl CapabilityKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
            const NAMES: &'static [&'static str] = &[$($text),*];

            /// Its name, as files spell it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// Whether a manifest may declare several, each with a name: `http.issues`.
            #[must_use]
            pub const fn is_named(self) -> bool {
                match self { $(Self::$name => $named),* }
            }
        }
    };
}

kinds! {
    /// Outbound HTTP.
    Http "http" true;
    /// Secrets that the host places.
    Secret "secret" true;
    /// A key-value store.
    Kv "kv" true;
    /// Files below a mount.
    Files "files" true;
    /// Calls of other capsules.
    Tool "tool" true;
    /// Streamed events.
    Emit "emit" true;
    /// Configuration values.
    Config "config" false;
    /// Precise clocks.
    Clocks "clocks" false;
    /// Random bytes.
    Random "random" false;
    /// Log lines.
    Logging "logging" false;
    /// The call's own budget.
    Budget "budget" false;
    /// Serving HTTP.
    Serve "serve" false;
}

impl fmt::Display for CapabilityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for CapabilityKind {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let known = Self::ALL.iter().copied().find(|kind| kind.as_str() == text);
        known.ok_or_else(|| {
            let near = format!("{text}{}", did_you_mean(text, Self::NAMES));
            IdError::new("a capability kind", &near, "see docs/reference/capabilities.md")
        })
    }
}

/// One capability, as denials, grants and diffs name it: `http.issues`, or `logging`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CapabilityRef {
    /// Its kind.
    pub kind: CapabilityKind,
    /// Its name; none for kinds of which there is one.
    pub name: Option<CapabilityName>,
}

impl CapabilityRef {
    /// A named one.
    #[must_use]
    pub const fn named(kind: CapabilityKind, name: CapabilityName) -> Self {
        Self { kind, name: Some(name) }
    }

    /// The kind itself.
    #[must_use]
    pub const fn of(kind: CapabilityKind) -> Self {
        Self { kind, name: None }
    }
}

impl fmt::Display for CapabilityRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{}.{name}", self.kind),
            None => write!(f, "{}", self.kind),
        }
    }
}

impl FromStr for CapabilityRef {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.split_once('.') {
            Some((kind, name)) => Ok(Self::named(kind.parse()?, name.parse()?)),
            None => Ok(Self::of(text.parse()?)),
        }
    }
}

string_form!(CapabilityRef, "CapabilityRef", "a capability such as http.issues");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_read_as_denials_write_them() {
        for text in ["http.issues", "logging", "kv.cache", "kv"] {
            assert_eq!(text.parse::<CapabilityRef>().unwrap().to_string(), text);
        }
        let said = "htp.issues".parse::<CapabilityRef>().unwrap_err().to_string();
        assert!(said.contains("\"http\""), "{said}");
        assert!("http.".parse::<CapabilityRef>().is_err());
        assert!(CapabilityKind::Http.is_named() && !CapabilityKind::Logging.is_named());
    }
}
