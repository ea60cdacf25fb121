//! Is this request right? Declared ∩ granted, per entry, with the layer and the field that refuse.
//!
//! Permitting allocates nothing. The operator's part of the intersection is in `cedar.rs`, because only a
//! policy that mentions an action's parameters has to be asked again for each request.

mod explain;

use crate::authorise::Authorised;
use crate::capability::{Access, CapabilityKind, LabelSet};
use crate::denial::Denial;
use crate::installation::{
    ConfigRight, EmitRight, FilesRight, HttpRight, Installation, KvRight, SecretRight, ToolRight,
};
use crate::pattern::{MethodSet, OriginPattern, PathPattern};
use crate::request::{
    ConfigRequest, EmitRequest, FileRequest, HostCall, HttpRequest, KvRequest, SecretRequest,
    ToolRequest,
};
use explain::Refusal;

type Decided<'a, R> = Result<&'a R, Box<Denial>>;

/// How far a request gets into an http entry; later is further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Nothing,
    Origin,
    Path,
    All,
}

fn fit(
    origin: &OriginPattern,
    methods: MethodSet,
    paths: &[PathPattern],
    request: &HttpRequest,
) -> Fit {
    let asked = request.origin();
    if !origin.allows(asked.scheme, &asked.host, asked.port) {
        Fit::Nothing
    } else if !paths.iter().any(|path| path.allows(request.path())) {
        Fit::Origin
    } else if !methods.allows(request.method()) {
        Fit::Path
    } else {
        Fit::All
    }
}

fn http_fits(right: &HttpRight, request: &HttpRequest) -> bool {
    let (granted, declared) = (right.granted(), right.declared());
    fit(&granted.origin, granted.methods, &granted.paths, request) == Fit::All
        && fit(&declared.origin, declared.methods, &declared.paths, request) == Fit::All
}

fn kv_access(access: Access, request: &KvRequest) -> bool {
    let operation = request.operation();
    (access.reads() || !operation.reads()) && (access.writes() || !operation.writes())
}

fn file_access(access: Access, request: &FileRequest) -> bool {
    if request.op().changes() { access.writes() } else { access.reads() }
}

/// Decisions of one installation, for data that carries `labels`.
impl Installation {
    pub(crate) fn allow_http(
        &self,
        request: &HttpRequest,
        labels: LabelSet,
    ) -> Decided<'_, HttpRight> {
        let fits =
            |right: &&HttpRight| http_fits(right, request) && right.granted().clears.covers(labels);
        let right = self.rights().http_about(request.hash()).find(fits);
        right.ok_or_else(|| Refusal::new(self, request).http(request, labels))
    }

    pub(crate) fn allow_kv(&self, request: &KvRequest, labels: LabelSet) -> Decided<'_, KvRight> {
        let fits = |right: &&KvRight| {
            let (declared, granted) = (right.declared(), right.granted());
            right.name().as_str() == request.store()
                && request.key().len() <= KvRequest::KEY_MAX
                && [&granted.prefix, &declared.prefix]
                    .iter()
                    .all(|prefix| prefix.allows(request.key()))
                && [granted.access, declared.access]
                    .iter()
                    .all(|access| kv_access(*access, request))
                && (!request.operation().writes() || granted.clears.covers(labels))
        };
        let right = self.rights().kv().iter().find(fits);
        right.ok_or_else(|| Refusal::new(self, request).kv(request, labels))
    }

    pub(crate) fn allow_files(
        &self,
        request: &FileRequest,
        labels: LabelSet,
    ) -> Decided<'_, FilesRight> {
        let right = self.file_right(request).filter(|right| {
            let access = [right.declared().access, right.granted().access];
            access.iter().all(|access| file_access(*access, request))
                && (!request.op().changes() || right.granted().clears.covers(labels))
        });
        right.ok_or_else(|| Refusal::new(self, request).files(request, labels))
    }

    /// The entry with the longest mount that the path is below.
    fn file_right(&self, request: &FileRequest) -> Option<&FilesRight> {
        let below =
            self.rights().files().iter().filter(|right| request.is_below(right.mount().as_str()));
        below.max_by_key(|right| right.mount().as_str().len())
    }

    pub(crate) fn allow_tool(&self, request: &ToolRequest) -> Decided<'_, ToolRight> {
        let fits = |right: &&ToolRight| {
            let lists = [&right.declared().functions, &right.granted().functions];
            right.name().as_str() == request.tool()
                && lists
                    .iter()
                    .all(|list| list.iter().any(|known| known.as_str() == request.function()))
        };
        let right = self.rights().tools().iter().find(fits);
        right.ok_or_else(|| Refusal::new(self, request).tool(request))
    }

    pub(crate) fn allow_secret(&self, request: &SecretRequest) -> Decided<'_, SecretRight> {
        let right =
            self.rights().secrets().iter().find(|right| right.name().as_str() == request.name());
        right.ok_or_else(|| {
            Refusal::new(self, request).named(CapabilityKind::Secret, request.name())
        })
    }

    pub(crate) fn allow_emit(&self, request: &EmitRequest) -> Decided<'_, EmitRight> {
        let right =
            self.rights().emits().iter().find(|right| right.name().as_str() == request.emitter());
        right.ok_or_else(|| {
            Refusal::new(self, request).named(CapabilityKind::Emit, request.emitter())
        })
    }

    pub(crate) fn allow_config(&self, request: &ConfigRequest) -> Decided<'_, ConfigRight> {
        let right = self.rights().config().filter(|right| {
            let lists = [&right.declared().keys, &right.granted().keys];
            lists.iter().all(|keys| keys.iter().any(|key| key.as_str() == request.key()))
        });
        right.ok_or_else(|| Refusal::new(self, request).config(request))
    }

    /// What declaration and grant say to a host call, for data without labels.
    ///
    /// # Errors
    /// The denial, with the layer that refuses.
    pub fn allow(&self, call: &HostCall<'_>) -> Result<(), Box<Denial>> {
        let none = LabelSet::EMPTY;
        match call {
            HostCall::Http(request) => self.allow_http(request, none).map(drop),
            HostCall::Kv(request) => self.allow_kv(request, none).map(drop),
            HostCall::Files(request) => self.allow_files(request, none).map(drop),
            HostCall::Tool(request) => self.allow_tool(request).map(drop),
            HostCall::Secret(request) => self.allow_secret(request).map(drop),
            HostCall::Emit(request) => self.allow_emit(request).map(drop),
            HostCall::Config(request) => self.allow_config(request).map(drop),
        }
    }
}

macro_rules! decisions {
    ($($(#[$doc:meta])* $name:ident($request:ty) -> $right:ty = $allow:ident($($labels:ident)?);)*) => {
        impl Authorised {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// The denial, with the layer that refuses, its reason and its remedy.
                pub fn $name(&self, request: &$request) -> Decided<'_, $right> {
                    self.installation().$allow(request $(, self.$labels())?)
                }
            )*
        }
    };
}

decisions! {
    /// The http entry that allows this request.
    http(HttpRequest) -> HttpRight = allow_http(labels);
    /// The kv entry that allows this operation.
    kv(KvRequest) -> KvRight = allow_kv(labels);
    /// The files entry that allows this operation.
    files(FileRequest) -> FilesRight = allow_files(labels);
    /// The tool entry that allows this call.
    tool(ToolRequest) -> ToolRight = allow_tool();
    /// The secret entry of this name.
    secret(SecretRequest) -> SecretRight = allow_secret();
    /// The emit entry of this name.
    emit(EmitRequest) -> EmitRight = allow_emit();
    /// The config entry, if it lists this key.
    config(ConfigRequest) -> ConfigRight = allow_config();
}

#[cfg(test)]
mod tests;
