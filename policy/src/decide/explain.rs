//! Why not: the cold half of a decision. Finds the layer, the field and the exact words that would allow it.

use std::fmt::Display;

use super::{Fit, file_access, fit, kv_access};
use crate::capability::{CapabilityKind, CapabilityRef, LabelSet};
use crate::code::Code;
use crate::denial::{Denial, Layer};
use crate::id::CapabilityName;
use crate::installation::{FilesRight, HttpRight, Installation, KvRight};
use crate::request::{ConfigRequest, FileRequest, HttpRequest, KvRequest, ToolRequest};

/// A denial under construction.
pub(super) struct Refusal<'a> {
    installation: &'a Installation,
    operation: String,
}

const REPUBLISH: &str = "in capsule.toml and publish a new version";

impl<'a> Refusal<'a> {
    pub(super) fn new(installation: &'a Installation, operation: &impl Display) -> Self {
        Self { installation, operation: operation.to_string() }
    }

    fn file(&self) -> String {
        self.installation.key.file()
    }

    fn deny(
        self,
        code: Code,
        layer: Layer,
        on: CapabilityRef,
        reason: String,
        remedy: String,
    ) -> Box<Denial> {
        Box::new(Denial::new(code, layer, self.operation, reason).on(on).fix(remedy))
    }

    fn not_declared(self, on: CapabilityRef) -> Box<Denial> {
        let reason = format!("{} declares no {on}", self.installation.capsule);
        let remedy = format!("declare [capabilities.{on}] {REPUBLISH}");
        self.deny(Code::NotDeclared, Layer::Manifest, on, reason, remedy)
    }

    fn not_granted(self, on: CapabilityRef) -> Box<Denial> {
        let reason = format!("{on} is declared and not granted");
        let remedy = format!("add [grants.{on}] to {}", self.file());
        self.deny(Code::NotGranted, Layer::Grant, on, reason, remedy)
    }

    /// `add "POST" to grants.http.issues.methods in FILE`, or the author's version of it.
    fn add(
        self,
        code: Code,
        layer: Layer,
        on: CapabilityRef,
        field: &str,
        value: &str,
    ) -> Box<Denial> {
        let (reason, remedy) = match layer {
            Layer::Manifest => (
                format!("{} declares {on}, but not this in `{field}`", self.installation.capsule),
                format!("add \"{value}\" to capabilities.{on}.{field} {REPUBLISH}"),
            ),
            _ => (
                format!("grants.{on} does not have this in `{field}`"),
                format!("add \"{value}\" to grants.{on}.{field} in {}", self.file()),
            ),
        };
        self.deny(code, layer, on, reason, remedy)
    }

    fn label(self, on: CapabilityRef, missing: LabelSet) -> Box<Denial> {
        let reason = format!("the data carries {missing}, and {on} is not cleared for it");
        let remedy = format!("add {missing} to grants.{on}.clears in {}", self.file());
        self.deny(Code::LabelNotCleared, Layer::Grant, on, reason, remedy)
    }

    pub(super) fn http(self, request: &HttpRequest, labels: LabelSet) -> Box<Denial> {
        let declared = self.installation.rights().declared.http.iter();
        let best = declared
            .map(|(name, entry)| (fit(&entry.origin, entry.methods, &entry.paths, request), name))
            .max_by_key(|(fit, _)| *fit);
        match best {
            None => self.not_declared(CapabilityRef::of(CapabilityKind::Http)),
            Some((Fit::All, name)) => self.http_grant(request, name, labels),
            Some((fit, name)) => self.http_field(request, Layer::Manifest, name, fit),
        }
    }

    /// Some declaration allows it: what do the grants say?
    fn http_grant(
        self,
        request: &HttpRequest,
        declared: &CapabilityName,
        labels: LabelSet,
    ) -> Box<Denial> {
        let grant = |right: &HttpRight| {
            let granted = right.granted();
            fit(&granted.origin, granted.methods, &granted.paths, request)
        };
        let best = self.installation.rights().http().iter().max_by_key(|right| grant(right));
        match best.map(|right| (grant(right), right)) {
            Some((Fit::All, right)) if !right.granted().clears.covers(labels) => {
                let (on, missing) =
                    (right.capability().clone(), labels.beyond(right.granted().clears));
                self.label(on, missing)
            }
            Some((fit @ (Fit::Origin | Fit::Path), right)) => {
                self.http_field(request, Layer::Grant, right.name(), fit)
            }
            Some((Fit::Nothing, right)) if right.name() == declared => {
                self.http_field(request, Layer::Grant, right.name(), Fit::Nothing)
            }
            _ => self.not_granted(CapabilityRef::named(CapabilityKind::Http, declared.clone())),
        }
    }

    fn http_field(
        self,
        request: &HttpRequest,
        layer: Layer,
        name: &CapabilityName,
        fit: Fit,
    ) -> Box<Denial> {
        let on = CapabilityRef::named(CapabilityKind::Http, name.clone());
        match fit {
            Fit::Nothing => {
                let origin = request.origin();
                let (reason, remedy) = match layer {
                    Layer::Manifest => (
                        format!(
                            "{} declares no http entry for {origin}",
                            self.installation.capsule
                        ),
                        format!("declare an http entry with origin = \"{origin}\" {REPUBLISH}"),
                    ),
                    _ => (
                        format!("grants.{on} is for another origin"),
                        format!("set origin = \"{origin}\" in [grants.{on}] of {}", self.file()),
                    ),
                };
                self.deny(Code::HttpOrigin, layer, on, reason, remedy)
            }
            Fit::Origin => self.add(Code::HttpPath, layer, on, "paths", request.path()),
            Fit::Path | Fit::All => {
                self.add(Code::HttpMethod, layer, on, "methods", request.method().as_str())
            }
        }
    }

    pub(super) fn kv(self, request: &KvRequest, labels: LabelSet) -> Box<Denial> {
        let rights = self.installation.rights();
        let found = rights.kv().iter().find(|right| right.name().as_str() == request.store());
        let Some(right) = found else { return self.named(CapabilityKind::Kv, request.store()) };
        let on = right.capability().clone();
        if request.key().len() > KvRequest::KEY_MAX {
            let reason = format!("a key has at most {} bytes", KvRequest::KEY_MAX);
            return self.deny(
                Code::KvKey,
                Layer::Operator,
                on,
                reason,
                "use a shorter key".to_owned(),
            );
        }
        if let Some((layer, prefix)) = kv_prefix(right, request) {
            let reason = format!("the key does not begin with `{prefix}`");
            let remedy = match layer {
                Layer::Manifest => format!(
                    "use a key under `{prefix}`, or widen capabilities.{on}.prefix {REPUBLISH}"
                ),
                _ => format!(
                    "use a key under `{prefix}`, or widen grants.{on}.prefix in {}",
                    self.file()
                ),
            };
            return self.deny(Code::KvKey, layer, on, reason, remedy);
        }
        let access =
            [(Layer::Manifest, right.declared().access), (Layer::Grant, right.granted().access)];
        match access.iter().find(|(_, access)| !kv_access(*access, request)) {
            Some((layer, access)) => {
                let needed = if request.operation().writes() { "write" } else { "read" };
                self.access(Code::KvAccess, *layer, on, &access.to_string(), needed)
            }
            None => self.label(on, labels.beyond(right.granted().clears)),
        }
    }

    fn access(
        self,
        code: Code,
        layer: Layer,
        on: CapabilityRef,
        has: &str,
        needed: &str,
    ) -> Box<Denial> {
        let reason = format!("access is `{has}`, and this needs to {needed}");
        let remedy = match layer {
            Layer::Manifest => {
                format!("declare access = \"read-write\" in [capabilities.{on}] {REPUBLISH}")
            }
            _ => format!("set access = \"read-write\" in [grants.{on}] of {}", self.file()),
        };
        self.deny(code, layer, on, reason, remedy)
    }

    pub(super) fn files(self, request: &FileRequest, labels: LabelSet) -> Box<Denial> {
        let Some(right) = self.installation.file_right(request) else {
            return self.no_mount(request);
        };
        let on = right.capability().clone();
        match file_layer(right, request) {
            Some((layer, access)) => {
                let needed = if request.op().changes() { "write" } else { "read" };
                self.access(Code::FilesAccess, layer, on, &access, needed)
            }
            None => self.label(on, labels.beyond(right.granted().clears)),
        }
    }

    fn no_mount(self, request: &FileRequest) -> Box<Denial> {
        let mut declared = self.installation.rights().declared.files.iter();
        match declared.find(|(_, entry)| request.is_below(entry.mount.as_str())) {
            Some((name, _)) => {
                self.not_granted(CapabilityRef::named(CapabilityKind::Files, name.clone()))
            }
            None => {
                let reason = format!("{} declares no mount there", self.installation.capsule);
                let remedy =
                    format!("use a path below a declared mount, or declare one {REPUBLISH}");
                self.deny(
                    Code::FilesPath,
                    Layer::Manifest,
                    CapabilityRef::of(CapabilityKind::Files),
                    reason,
                    remedy,
                )
            }
        }
    }

    pub(super) fn tool(self, request: &ToolRequest) -> Box<Denial> {
        let rights = self.installation.rights();
        let found = rights.tools().iter().find(|right| right.name().as_str() == request.tool());
        let Some(right) = found else { return self.named(CapabilityKind::Tool, request.tool()) };
        let declared =
            right.declared().functions.iter().any(|known| known.as_str() == request.function());
        let layer = if declared { Layer::Grant } else { Layer::Manifest };
        let function = crate::id::shown(request.function());
        self.add(Code::ToolFunction, layer, right.capability().clone(), "functions", &function)
    }

    /// A name that no granted entry of the kind has.
    pub(super) fn named(self, kind: CapabilityKind, name: &str) -> Box<Denial> {
        let declared = self.installation.rights().declared.list();
        let named = |capability: &CapabilityRef| {
            capability.kind == kind
                && capability.name.as_ref().is_some_and(|known| known.as_str() == name)
        };
        if let Some((capability, _)) =
            declared.into_iter().find(|(capability, _)| named(capability))
        {
            return self.not_granted(capability);
        }
        match name.parse() {
            Ok(name) => self.not_declared(CapabilityRef::named(kind, name)),
            Err(_) => self.not_declared(CapabilityRef::of(kind)),
        }
    }

    pub(super) fn config(self, request: &ConfigRequest) -> Box<Denial> {
        let on = CapabilityRef::of(CapabilityKind::Config);
        let rights = self.installation.rights();
        let Some(declared) = &rights.declared.config else { return self.not_declared(on) };
        if rights.config().is_none() {
            return self.not_granted(on);
        }
        let in_manifest = declared.keys.iter().any(|key| key.as_str() == request.key());
        let layer = if in_manifest { Layer::Grant } else { Layer::Manifest };
        self.add(Code::ConfigKey, layer, on, "keys", &crate::id::shown(request.key()))
    }
}

/// The layer whose prefix does not hold the key.
fn kv_prefix(right: &KvRight, request: &KvRequest) -> Option<(Layer, String)> {
    let prefixes =
        [(Layer::Manifest, &right.declared().prefix), (Layer::Grant, &right.granted().prefix)];
    let refuses = prefixes.into_iter().find(|(_, prefix)| !prefix.allows(request.key()));
    refuses.map(|(layer, prefix)| (layer, prefix.to_string()))
}

fn file_layer(right: &FilesRight, request: &FileRequest) -> Option<(Layer, String)> {
    let access =
        [(Layer::Manifest, right.declared().access), (Layer::Grant, right.granted().access)];
    let refuses = access.into_iter().find(|(_, access)| !file_access(*access, request));
    refuses.map(|(layer, access)| (layer, access.to_string()))
}
