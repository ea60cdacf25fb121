//! The `[capabilities.*]` tables of a manifest, as types. Unknown keys do not parse.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Access, CapabilityKind, CapabilityRef, ConfigKey, GuestPath, SecretPlace, Transfer};
use crate::amount::Bytes;
use crate::id::{CapabilityName, CapsuleName, FunctionName};
use crate::pattern::{KeyPrefix, MethodSet, OriginPattern, PathPattern, VersionRange};

fn is_false(flag: &bool) -> bool {
    !*flag
}

macro_rules! declarations {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
            /// Whether a tenant may leave it out.
            #[serde(default, skip_serializing_if = "is_false")]
            pub optional: bool,
            /// What it is for, as the tenant's grant sheet shows it.
            #[serde(default, skip_serializing_if = "String::is_empty")]
            pub why: String,
        }
    )* };
}

declarations! {
    /// `[capabilities.http.NAME]`: requests to one origin.
    HttpDeclaration {
        /// The methods.
        methods: MethodSet,
        /// Scheme, host and port.
        origin: OriginPattern,
        /// The paths.
        paths: Vec<PathPattern>,
        /// Bytes per call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        per_call: Option<Transfer>,
        /// Bytes per UTC day.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        per_day: Option<Transfer>,
    }
    /// `[capabilities.secret.NAME]`: a secret that the host places.
    SecretDeclaration {
        /// Where it is placed.
        place: SecretPlace,
    }
    /// `[capabilities.kv.NAME]`: keys of the installation's own store.
    KvDeclaration {
        /// Reading, writing or both.
        access: Access,
        /// The keys.
        prefix: KeyPrefix,
        /// Bytes of keys and values together.
        quota: Bytes,
    }
    /// `[capabilities.files.NAME]`: a directory of the installation's own.
    FilesDeclaration {
        /// Reading, writing or both.
        access: Access,
        /// How many files and directories.
        inodes: u32,
        /// Where the guest sees it.
        mount: GuestPath,
        /// Bytes of content.
        quota: Bytes,
    }
    /// `[capabilities.tool.NAME]`: functions of another capsule.
    ToolDeclaration {
        /// The capsule.
        capsule: CapsuleName,
        /// Its functions.
        functions: Vec<FunctionName>,
        /// Its versions.
        version: VersionRange,
    }
    /// `[capabilities.emit.NAME]`: a stream of events to the caller.
    EmitDeclaration {
        /// How many events per call.
        events: u32,
        /// Bytes per call.
        per_call: Bytes,
    }
    /// `[capabilities.config]`: configuration values.
    ConfigDeclaration {
        /// The keys.
        keys: Vec<ConfigKey>,
    }
    /// `[capabilities.clocks]`: clocks finer than the coarse ones that everybody has.
    ClocksDeclaration {
        /// Whether the clocks are precise.
        precise: bool,
    }
    /// `[capabilities.random]`: more random bytes than everybody has.
    RandomDeclaration {
        /// Bytes per call.
        per_call: Bytes,
    }
    /// `[capabilities.logging]`: log lines.
    LoggingDeclaration {
        /// Bytes per call.
        per_call: Bytes,
    }
    /// `[capabilities.budget]`: reading what the call may still spend.
    BudgetDeclaration {}
    /// `[capabilities.serve]`: answering HTTP on a host name of its own.
    ServeDeclaration {
        /// Whether strangers may be answered.
        anonymous: bool,
    }
}

/// All that a manifest declares.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Declarations {
    /// Reading what the call may still spend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetDeclaration>,
    /// Precise clocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clocks: Option<ClocksDeclaration>,
    /// Configuration values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<ConfigDeclaration>,
    /// Streams of events.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub emit: BTreeMap<CapabilityName, EmitDeclaration>,
    /// Directories.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<CapabilityName, FilesDeclaration>,
    /// Outbound HTTP.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub http: BTreeMap<CapabilityName, HttpDeclaration>,
    /// Key-value stores.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kv: BTreeMap<CapabilityName, KvDeclaration>,
    /// Log lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging: Option<LoggingDeclaration>,
    /// Random bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random: Option<RandomDeclaration>,
    /// Secrets.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub secret: BTreeMap<CapabilityName, SecretDeclaration>,
    /// Serving HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serve: Option<ServeDeclaration>,
    /// Calls of other capsules.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tool: BTreeMap<CapabilityName, ToolDeclaration>,
}

impl Declarations {
    /// Each declared capability, and whether it is optional.
    #[must_use]
    pub fn list(&self) -> Vec<(CapabilityRef, bool)> {
        let mut all = Vec::new();
        macro_rules! named {
            ($($field:ident $kind:ident),*) => { $(
                for (name, entry) in &self.$field {
                    all.push((CapabilityRef::named(CapabilityKind::$kind, name.clone()), entry.optional));
                }
            )* };
        }
        macro_rules! single {
            ($($field:ident $kind:ident),*) => { $(
                if let Some(entry) = &self.$field {
                    all.push((CapabilityRef::of(CapabilityKind::$kind), entry.optional));
                }
            )* };
        }
        named!(http Http, secret Secret, kv Kv, files Files, tool Tool, emit Emit);
        single!(config Config, clocks Clocks, random Random, logging Logging, budget Budget, serve Serve);
        all
    }

    /// Whether anything of this kind is declared.
    #[must_use]
    pub fn has(&self, kind: CapabilityKind) -> bool {
        self.list().iter().any(|(capability, _)| capability.kind == kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_tables_parse() {
        let text = r#"
            [http.issues]
            why = "Read and file issues"
            origin = "https://api.github.com:443"
            methods = ["GET", "POST"]
            paths = ["/repos/*/*/issues"]
            per_call = { request = "64 KiB", response = "2 MiB" }
            per_day = { request = "10 MiB", response = "200 MiB" }
            [secret.token]
            place = { http = "issues", header = "authorization", format = "Bearer {}" }
            [kv.cache]
            prefix = "etag/"
            access = "read-write"
            quota = "4 MiB"
            optional = true
            [files.work]
            mount = "/desk"
            access = "read"
            quota = "1 MiB"
            inodes = 10
            [tool.csv]
            capsule = "acme/csv"
            version = "^1"
            functions = ["to-json"]
            [emit.rows]
            per_call = "1 MiB"
            events = 100
            [config]
            keys = ["region"]
            [clocks]
            precise = true
            [random]
            per_call = "1 KiB"
            [logging]
            per_call = "64 KiB"
            [budget]
            [serve]
            anonymous = true
        "#;
        let declared: Declarations = toml::from_str(text).unwrap();
        let names: Vec<String> = declared
            .list()
            .iter()
            .map(|(name, optional)| format!("{name}{}", if *optional { "?" } else { "" }))
            .collect();
        assert_eq!(
            names.join(" "),
            "http.issues secret.token kv.cache? files.work tool.csv emit.rows config clocks random logging budget serve"
        );
        assert!(CapabilityKind::ALL.iter().all(|kind| declared.has(*kind)));
        let json = crate::canonical::to_vec(&declared).unwrap();
        assert_eq!(serde_json::from_slice::<Declarations>(&json).unwrap(), declared);
    }

    #[test]
    fn unknown_keys_are_refused_with_a_suggestion() {
        let said = toml::from_str::<Declarations>("[http.a]\nmethod = [\"GET\"]")
            .unwrap_err()
            .message()
            .to_owned();
        assert_eq!(
            crate::explain_serde(&said),
            "unknown key \"method\"; did you mean \"methods\"?"
        );
        let said = toml::from_str::<Declarations>("[htp.a]").unwrap_err().message().to_owned();
        assert!(crate::explain_serde(&said).contains("\"http\""), "{said}");
        assert!(toml::from_str::<Declarations>("").unwrap().list().is_empty());
    }
}
