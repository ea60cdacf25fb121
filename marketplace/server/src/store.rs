//! The one room that holds SQL: SQLite on one machine, PostgreSQL beyond it, one text for both.
//!
//! Work is done in a unit: one transaction under one scope. A [`TenantUnit`] sees one org, by a
//! condition in every statement and by row-level security where the database has it; a
//! [`PlatformUnit`] is for workers and operators. What a repository does not find is `None`; time,
//! ids and hashes come in as values.
//!
//! A new table: a migration in both folders, a file here with its rows, a line in `retention.rs`,
//! and a test that runs on both databases. No rule of the product is decided here.

mod acting;
mod api_keys;
mod audit;
mod budgets;
mod capsules;
mod changes;
mod constitutions;
mod credentials;
mod deployment;
mod earnings;
mod enrolments;
mod environments;
mod error;
mod feed;
mod host_reports;
mod hosts;
mod idempotency;
mod installations;
mod invitations;
mod issuer_keys;
mod journals;
mod kills;
mod leases;
mod ledger;
mod limits;
mod login_senders;
mod many;
mod memberships;
mod migrate;
mod namespaces;
mod open;
mod orgs;
mod password_resets;
mod releases;
mod retention;
mod reviews;
mod revocations;
mod scope;
mod secrets;
mod sequences;
mod service_accounts;
mod sessions;
mod sql;
mod statements;
mod terms;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod transfer;
mod users;

use std::ops::{Deref, DerefMut};

pub(crate) use acting::Standing;
pub(crate) use api_keys::ApiKey;
pub(crate) use audit::{AuditFilter, AuditLink, AuditRow, NewAudit};
pub(crate) use budgets::{BudgetRow, CapRow, scopes};
pub(crate) use capsules::{CapsuleRow, Shown, TOKENS_MAX};
pub(crate) use changes::{ChangeRow, NewChange, Stream};
pub(crate) use constitutions::ConstitutionRow;
pub(crate) use credentials::PasswordRow;
pub(crate) use earnings::{EventRow, PayoutRow, state_of};
pub(crate) use enrolments::Enrolment;
pub(crate) use environments::{Environment, EnvironmentKind};
pub use error::StoreError;
pub(crate) use feed::StateRow;
pub(crate) use host_reports::{HostCheck, HostRefusal};
pub(crate) use hosts::HostRow;
pub(crate) use idempotency::{IdempotencyScope, StoredAnswer};
pub(crate) use installations::InstallationRow;
pub(crate) use invitations::Invitation;
pub(crate) use issuer_keys::IssuerKeyRow;
pub(crate) use journals::{Counts, JournalRow, NewSettled, SettledRow, SettledRows};
pub(crate) use kills::{KillReceiptRow, KillRow};
pub(crate) use leases::{BudgetKey, HeldMoney, LeaseRow};
pub(crate) use ledger::{AccountRow, Book};
pub(crate) use limits::{INSTALLATIONS_MAX, Limit};
pub(crate) use login_senders::SenderRow;
pub(crate) use memberships::{Member, Membership};
pub(crate) use namespaces::{NamespaceRow, SigningKey};
pub use open::{Database, Store};
pub(crate) use orgs::{Org, OrgRoles, OrgState};
pub(crate) use releases::SubmissionRow;
pub(crate) use retention::sweep;
pub(crate) use reviews::{PassportRow, ReviewRow};
pub(crate) use revocations::{Revocation, RevocationKind};
pub(crate) use scope::{PlatformScope, TenantScope};
pub(crate) use secrets::{SecretPlace, SecretRow};
pub(crate) use sequences::{Checkpoint, Head};
pub(crate) use service_accounts::{AccountState, ServiceAccount};
pub(crate) use sessions::Session;
use soma_policy::OrgId;
use sql::Tx;
pub(crate) use statements::{LedgerFilter, LedgerRow};
pub(crate) use terms::{PricedRevision, TermsRow};
pub(crate) use users::{User, UserState};

/// Most rows that one page of any list holds.
pub(crate) const PAGE_MAX: u32 = 100;

/// One transaction. It is undone unless it is committed.
pub(crate) struct Unit {
    tx: Tx,
    /// The org that it acts for; none for the platform.
    org: Option<OrgId>,
}

/// One transaction for one org.
pub(crate) struct TenantUnit(Unit, TenantScope);

/// One transaction for the platform.
pub(crate) struct PlatformUnit(Unit);

impl Unit {
    /// Makes it last.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.tx.commit().await
    }
}

impl TenantUnit {
    /// The org that every statement names.
    pub(crate) fn org(&self) -> &str {
        self.1.org().as_str()
    }

    /// Refuses a row of another org before the database has to.
    fn only_own(&self, org: &OrgId) -> Result<(), StoreError> {
        let refused = || StoreError::Refused("the row belongs to another org".to_owned());
        if org == self.1.org() { Ok(()) } else { Err(refused()) }
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.0.commit().await
    }
}

impl PlatformUnit {
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.0.commit().await
    }
}

impl Deref for TenantUnit {
    type Target = Unit;
    fn deref(&self) -> &Unit {
        &self.0
    }
}

impl DerefMut for TenantUnit {
    fn deref_mut(&mut self) -> &mut Unit {
        &mut self.0
    }
}

impl Deref for PlatformUnit {
    type Target = Unit;
    fn deref(&self) -> &Unit {
        &self.0
    }
}

impl DerefMut for PlatformUnit {
    fn deref_mut(&mut self) -> &mut Unit {
        &mut self.0
    }
}
