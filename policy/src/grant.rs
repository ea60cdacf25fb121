//! The `[grants.*]` tables of an installation file: what a tenant gives, at most what the manifest declares.
//!
//! A grant says everything itself; nothing is inherited from the declaration.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::amount::Bytes;
use crate::capability::{
    Access, CapabilityKind, CapabilityRef, ConfigKey, Declarations, Label, LabelSet, Transfer,
};
use crate::id::{CapabilityName, CapsuleName, FunctionName, InstallationId, SecretName};
use crate::pattern::{KeyPrefix, MethodSet, OriginPattern, PathPattern, VersionRange};

macro_rules! grants {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
    )* };
}

grants! {
    /// `[grants.http.NAME]`.
    HttpGrant {
        /// The labels that may leave through it.
        #[serde(default, skip_serializing_if = "LabelSet::is_empty")]
        clears: LabelSet,
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
    /// `[grants.secret.NAME]`.
    SecretGrant {
        /// The stored secret whose value is placed.
        from: SecretName,
    }
    /// `[grants.kv.NAME]`.
    KvGrant {
        /// Reading, writing or both.
        access: Access,
        /// The labels that may be written to it.
        #[serde(default, skip_serializing_if = "LabelSet::is_empty")]
        clears: LabelSet,
        /// The keys.
        prefix: KeyPrefix,
        /// Bytes of keys and values together.
        quota: Bytes,
    }
    /// `[grants.files.NAME]`.
    FilesGrant {
        /// Reading, writing or both.
        access: Access,
        /// The labels that may be written to it.
        #[serde(default, skip_serializing_if = "LabelSet::is_empty")]
        clears: LabelSet,
        /// How many files and directories.
        inodes: u32,
        /// Bytes of content.
        quota: Bytes,
    }
    /// `[grants.tool.NAME]`.
    ToolGrant {
        /// The capsule.
        capsule: CapsuleName,
        /// Its functions.
        functions: Vec<FunctionName>,
        /// Which installation of the same tenant and environment answers, where several could.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        installation: Option<InstallationId>,
        /// Its versions.
        version: VersionRange,
    }
    /// `[grants.emit.NAME]`.
    EmitGrant {
        /// How many events per call.
        events: u32,
        /// Bytes per call.
        per_call: Bytes,
    }
    /// `[grants.config]`.
    ConfigGrant {
        /// The keys.
        keys: Vec<ConfigKey>,
    }
    /// `[grants.clocks]`.
    ClocksGrant {
        /// Whether the clocks are precise.
        precise: bool,
    }
    /// `[grants.random]`.
    RandomGrant {
        /// Bytes per call.
        per_call: Bytes,
    }
    /// `[grants.logging]`.
    LoggingGrant {
        /// Bytes per call.
        per_call: Bytes,
    }
    /// `[grants.budget]`.
    BudgetGrant {}
    /// `[grants.serve]`.
    ServeGrant {
        /// Whether strangers may be answered.
        anonymous: bool,
    }
}

/// All that an installation grants.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Grants {
    /// Reading what the call may still spend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetGrant>,
    /// Precise clocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clocks: Option<ClocksGrant>,
    /// Configuration values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<ConfigGrant>,
    /// Streams of events.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub emit: BTreeMap<CapabilityName, EmitGrant>,
    /// Directories.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<CapabilityName, FilesGrant>,
    /// Outbound HTTP.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub http: BTreeMap<CapabilityName, HttpGrant>,
    /// Key-value stores.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kv: BTreeMap<CapabilityName, KvGrant>,
    /// Log lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging: Option<LoggingGrant>,
    /// Random bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random: Option<RandomGrant>,
    /// Secrets.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub secret: BTreeMap<CapabilityName, SecretGrant>,
    /// Serving HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serve: Option<ServeGrant>,
    /// Calls of other capsules.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tool: BTreeMap<CapabilityName, ToolGrant>,
}

impl Grants {
    /// Each granted capability.
    #[must_use]
    pub fn list(&self) -> Vec<CapabilityRef> {
        let mut all = Vec::new();
        macro_rules! named {
            ($($field:ident $kind:ident),*) => { $(
                all.extend(self.$field.keys().map(|name| CapabilityRef::named(CapabilityKind::$kind, name.clone())));
            )* };
        }
        macro_rules! single {
            ($($field:ident $kind:ident),*) => { $(
                if self.$field.is_some() {
                    all.push(CapabilityRef::of(CapabilityKind::$kind));
                }
            )* };
        }
        named!(http Http, secret Secret, kv Kv, files Files, tool Tool, emit Emit);
        single!(config Config, clocks Clocks, random Random, logging Logging, budget Budget, serve Serve);
        all
    }

    /// Exactly what is declared, written out; a secret is taken from a stored one of its own name.
    ///
    /// What the installation reads may go back into its own stores, and what a server answered to a
    /// secret may go back to a server that has one. All else that is labelled stays until cleared.
    #[must_use]
    pub fn as_declared(declared: &Declarations) -> Self {
        let named =
            |name: &CapabilityName| name.as_str().parse().ok().map(|from| SecretGrant { from });
        let answers = LabelSet::EMPTY.with(Label::SecretDerived);
        let stays = answers.with(Label::TenantData);
        Self {
            budget: declared.budget.as_ref().map(|_| BudgetGrant {}),
            clocks: declared.clocks.as_ref().map(|d| ClocksGrant { precise: d.precise }),
            config: declared.config.as_ref().map(|d| ConfigGrant { keys: d.keys.clone() }),
            emit: each(&declared.emit, |d| EmitGrant { events: d.events, per_call: d.per_call }),
            files: each(&declared.files, |d| FilesGrant {
                access: d.access,
                clears: stays,
                inodes: d.inodes,
                quota: d.quota,
            }),
            http: declared
                .http
                .iter()
                .map(|(name, d)| {
                    (
                        name.clone(),
                        HttpGrant {
                            clears: if declared.secret.values().any(|s| s.place.http == *name) {
                                answers
                            } else {
                                LabelSet::EMPTY
                            },
                            methods: d.methods,
                            origin: d.origin.clone(),
                            paths: d.paths.clone(),
                            per_call: d.per_call,
                            per_day: d.per_day,
                        },
                    )
                })
                .collect(),
            kv: each(&declared.kv, |d| KvGrant {
                access: d.access,
                clears: stays,
                prefix: d.prefix.clone(),
                quota: d.quota,
            }),
            logging: declared.logging.as_ref().map(|d| LoggingGrant { per_call: d.per_call }),
            random: declared.random.as_ref().map(|d| RandomGrant { per_call: d.per_call }),
            secret: declared
                .secret
                .keys()
                .filter_map(|name| Some((name.clone(), named(name)?)))
                .collect(),
            serve: declared.serve.as_ref().map(|d| ServeGrant { anonymous: d.anonymous }),
            tool: each(&declared.tool, |d| ToolGrant {
                capsule: d.capsule.clone(),
                functions: d.functions.clone(),
                installation: None,
                version: d.version.clone(),
            }),
        }
    }

    /// Leaves one capability out; whether it was there.
    pub fn remove(&mut self, capability: &CapabilityRef) -> bool {
        use CapabilityKind as Kind;
        let Some(name) = &capability.name else {
            return match capability.kind {
                Kind::Config => self.config.take().is_some(),
                Kind::Clocks => self.clocks.take().is_some(),
                Kind::Random => self.random.take().is_some(),
                Kind::Logging => self.logging.take().is_some(),
                Kind::Budget => self.budget.take().is_some(),
                Kind::Serve => self.serve.take().is_some(),
                _ => false,
            };
        };
        match capability.kind {
            Kind::Http => self.http.remove(name).is_some(),
            Kind::Secret => self.secret.remove(name).is_some(),
            Kind::Kv => self.kv.remove(name).is_some(),
            Kind::Files => self.files.remove(name).is_some(),
            Kind::Tool => self.tool.remove(name).is_some(),
            Kind::Emit => self.emit.remove(name).is_some(),
            _ => false,
        }
    }
}

fn each<D, G>(
    declared: &BTreeMap<CapabilityName, D>,
    grant: impl Fn(&D) -> G,
) -> BTreeMap<CapabilityName, G> {
    declared.iter().map(|(name, entry)| (name.clone(), grant(entry))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_file_parses() {
        let grants: Grants = toml::from_str(
            r#"
            [http.issues]
            origin = "https://api.github.com:443"
            methods = ["GET"]
            paths = ["/repos/acme/*/issues"]
            per_call = { request = "4 KiB", response = "1 MiB" }
            [secret.token]
            from = "github-readonly"
            [logging]
            per_call = "4 KiB"
        "#,
        )
        .unwrap();
        let names: Vec<String> = grants.list().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["http.issues", "secret.token", "logging"]);
    }

    #[test]
    fn each_kind_can_be_left_out_again() {
        let declared: Declarations = toml::from_str(
            r#"
            [http.a]
            origin = "https://a.example"
            methods = ["GET"]
            paths = ["/**"]
            [secret.a]
            place = { http = "a", header = "authorization" }
            [kv.a]
            prefix = "a"
            access = "read"
            quota = "1 B"
            [files.a]
            mount = "/a"
            access = "read"
            quota = "1 B"
            inodes = 1
            [tool.a]
            capsule = "a/b"
            version = "*"
            functions = ["f"]
            [emit.a]
            per_call = "1 B"
            events = 1
            [config]
            keys = ["k"]
            [clocks]
            precise = false
            [random]
            per_call = "1 B"
            [logging]
            per_call = "1 B"
            [budget]
            [serve]
            anonymous = false
        "#,
        )
        .unwrap();
        let mut grants = Grants::as_declared(&declared);
        let all = grants.list();
        assert_eq!(all.len(), CapabilityKind::ALL.len());
        for capability in &all {
            assert!(grants.remove(capability), "{capability}");
            assert!(!grants.remove(capability), "{capability}");
        }
        assert!(grants.list().is_empty());
        let odd = CapabilityRef::named(CapabilityKind::Budget, "x".parse().unwrap());
        assert!(!grants.remove(&odd) && !grants.remove(&CapabilityRef::of(CapabilityKind::Http)));
    }

    #[test]
    fn labelled_data_may_return_where_it_came_from_and_nowhere_else() {
        let declared: Declarations = toml::from_str(
            r#"
            [http.with-secret]
            origin = "https://a.example:443"
            methods = ["GET"]
            paths = ["/**"]
            [http.plain]
            origin = "https://b.example:443"
            methods = ["GET"]
            paths = ["/**"]
            [secret.token]
            place = { http = "with-secret", header = "authorization" }
            [kv.own]
            prefix = "a/"
            access = "read-write"
            quota = "1 B"
        "#,
        )
        .unwrap();
        let grants = Grants::as_declared(&declared);
        let clears = |name: &str| grants.http[&name.parse::<CapabilityName>().unwrap()].clears;
        assert!(clears("plain").is_empty());
        assert_eq!(clears("with-secret"), LabelSet::EMPTY.with(Label::SecretDerived));
        assert!(Label::ALL.iter().all(|label| grants.kv.values().all(|kv| kv.clears.has(*label))));
    }
}
