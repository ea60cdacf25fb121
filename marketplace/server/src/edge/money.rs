//! Money over HTTP: what hosts push and ask, and what people see, enter and release.
//!
//! A tenant sees its own rows, an author the rows of its own accounts, the platform everything. What moves
//! money needs an `Idempotency-Key`; what the platform moves needs two fresh factors too.

pub(super) mod budgets;
pub(super) mod events;
pub(super) mod export;
pub(super) mod hosts;
pub(super) mod ledgers;
pub(super) mod payouts;
pub(super) mod statements;
pub(super) mod terms;

use serde::Deserialize;
use soma_policy::{Code, OrgId};
use utoipa::ToSchema;

use super::problem::Problem;
use crate::identity::{Cap, Principal};
use crate::server::Server;
use crate::store::PlatformScope;

/// As whom an org looks at the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Side {
    /// What it paid.
    #[default]
    Tenant,
    /// What it earned.
    Author,
}

impl Principal {
    /// Whether its org keeps the marketplace's money.
    fn is_treasury(&self, server: &Server) -> bool {
        self.org == server.platform
    }

    /// The scope of who keeps the marketplace's money, and looks at it.
    fn auditing(&self, server: &Server) -> Result<PlatformScope, Problem> {
        self.must(&Cap::BillingRead)?;
        if self.is_treasury(server) {
            return Ok(PlatformScope::of("billing"));
        }
        Err(Problem::new(Code::TokenRight, "the token is none of the platform's"))
    }

    /// The scope of who moves the marketplace's money: with two fresh factors.
    fn treasurer(&self, server: &Server) -> Result<PlatformScope, Problem> {
        let scope = self.auditing(server)?;
        self.must(&Cap::BillingWrite)?;
        self.must_be_fresh(server)?;
        Ok(scope)
    }

    /// Who it is, for idempotency.
    fn who(&self) -> (OrgId, String) {
        (self.org.clone(), self.subject.to_string())
    }
}
