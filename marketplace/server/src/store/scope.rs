//! For whom a unit of work is: one org, or the platform itself. No query runs without one of them.

use soma_policy::OrgId;

/// One org: everything else is invisible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TenantScope {
    org: OrgId,
}

impl TenantScope {
    /// The scope of an org that a verified token names.
    pub(crate) fn of(org: OrgId) -> Self {
        Self { org }
    }

    pub(crate) fn org(&self) -> &OrgId {
        &self.org
    }
}

/// The platform: a worker by its name, or the operator's own routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlatformScope {
    worker: &'static str,
}

impl PlatformScope {
    /// Names who works; it is shown in the database's list of what runs.
    pub(crate) const fn of(worker: &'static str) -> Self {
        Self { worker }
    }

    pub(crate) const fn worker(self) -> &'static str {
        self.worker
    }
}
