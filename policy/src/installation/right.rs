//! One right: a granted entry beside its declaration, each part the narrower of the two.

use crate::amount::Bytes;
use crate::capability::{
    Access, BudgetDeclaration, CapabilityRef, ClocksDeclaration, ConfigDeclaration,
    EmitDeclaration, FilesDeclaration, GuestPath, HttpDeclaration, KvDeclaration,
    LoggingDeclaration, RandomDeclaration, SecretDeclaration, SecretPlace, ServeDeclaration,
    ToolDeclaration, Transfer,
};
use crate::grant::{
    BudgetGrant, ClocksGrant, ConfigGrant, EmitGrant, FilesGrant, HttpGrant, KvGrant, LoggingGrant,
    RandomGrant, SecretGrant, ServeGrant, ToolGrant,
};
use crate::id::{CapabilityName, SecretName};

/// One capability that is declared and granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right<D, G> {
    pub(super) capability: CapabilityRef,
    pub(super) name: CapabilityName,
    pub(crate) declared: D,
    pub(crate) granted: G,
}

impl<D, G> Right<D, G> {
    /// How denials name it.
    #[must_use]
    pub const fn capability(&self) -> &CapabilityRef {
        &self.capability
    }

    /// Its name; for kinds of which there is one, the kind's.
    #[must_use]
    pub const fn name(&self) -> &CapabilityName {
        &self.name
    }

    /// What the author declared.
    #[must_use]
    pub const fn declared(&self) -> &D {
        &self.declared
    }

    /// What the tenant granted.
    #[must_use]
    pub const fn granted(&self) -> &G {
        &self.granted
    }
}

/// An http entry.
pub type HttpRight = Right<HttpDeclaration, HttpGrant>;
/// A secret entry.
pub type SecretRight = Right<SecretDeclaration, SecretGrant>;
/// A kv entry.
pub type KvRight = Right<KvDeclaration, KvGrant>;
/// A files entry.
pub type FilesRight = Right<FilesDeclaration, FilesGrant>;
/// A tool entry.
pub type ToolRight = Right<ToolDeclaration, ToolGrant>;
/// An emit entry.
pub type EmitRight = Right<EmitDeclaration, EmitGrant>;
/// The config entry.
pub type ConfigRight = Right<ConfigDeclaration, ConfigGrant>;
/// The clocks entry.
pub type ClocksRight = Right<ClocksDeclaration, ClocksGrant>;
/// The random entry.
pub type RandomRight = Right<RandomDeclaration, RandomGrant>;
/// The logging entry.
pub type LoggingRight = Right<LoggingDeclaration, LoggingGrant>;
/// The budget entry.
pub type BudgetRight = Right<BudgetDeclaration, BudgetGrant>;
/// The serve entry.
pub type ServeRight = Right<ServeDeclaration, ServeGrant>;

fn narrower(declared: Option<Transfer>, granted: Option<Transfer>) -> Option<Transfer> {
    match (declared, granted) {
        (Some(a), Some(b)) => Some(Transfer {
            request: a.request.min(b.request),
            response: a.response.min(b.response),
        }),
        (one, other) => one.or(other),
    }
}

impl HttpRight {
    /// Bytes per call; none where nothing but the call's limits bounds them.
    #[must_use]
    pub fn per_call(&self) -> Option<Transfer> {
        narrower(self.declared.per_call, self.granted.per_call)
    }

    /// Bytes per UTC day; none where nothing bounds them.
    #[must_use]
    pub fn per_day(&self) -> Option<Transfer> {
        narrower(self.declared.per_day, self.granted.per_day)
    }
}

impl SecretRight {
    /// Where the host places it.
    #[must_use]
    pub const fn place(&self) -> &SecretPlace {
        &self.declared.place
    }

    /// The stored secret.
    #[must_use]
    pub const fn from(&self) -> &SecretName {
        &self.granted.from
    }
}

impl KvRight {
    /// Bytes of keys and values together.
    #[must_use]
    pub fn quota(&self) -> Bytes {
        self.declared.quota.min(self.granted.quota)
    }
}

impl FilesRight {
    /// Reading, writing or both.
    #[must_use]
    pub const fn access(&self) -> Access {
        self.granted.access
    }

    /// Where the guest sees it.
    #[must_use]
    pub const fn mount(&self) -> &GuestPath {
        &self.declared.mount
    }

    /// Bytes of content.
    #[must_use]
    pub fn quota(&self) -> Bytes {
        self.declared.quota.min(self.granted.quota)
    }

    /// How many files and directories.
    #[must_use]
    pub fn inodes(&self) -> u32 {
        self.declared.inodes.min(self.granted.inodes)
    }
}

impl EmitRight {
    /// Bytes per call.
    #[must_use]
    pub fn per_call(&self) -> Bytes {
        self.declared.per_call.min(self.granted.per_call)
    }

    /// Events per call.
    #[must_use]
    pub fn events(&self) -> u32 {
        self.declared.events.min(self.granted.events)
    }
}
