//! How long each table keeps its rows. A table without a line here fails a test.

use soma_policy::Timestamp;

use super::sql::binds;
use super::{PlatformUnit, StoreError};

/// How long rows stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// As long as what they describe.
    WhileItExists,
    /// For good: they prove something.
    Forever,
    /// Until their own end; this statement removes them.
    UntilTheirEnd(&'static str),
    /// Until the person is erased.
    UntilErased,
}

/// Every table.
pub(super) struct Line {
    pub(super) table: &'static str,
    pub(super) keep: Keep,
}

const fn line(table: &'static str, keep: Keep) -> Line {
    Line { table, keep }
}

pub(super) const RETENTION: &[Line] = &[
    line("deployment", Keep::Forever),
    line("orgs", Keep::WhileItExists),
    line("environments", Keep::WhileItExists),
    line("users", Keep::Forever),
    line("user_profiles", Keep::UntilErased),
    line("user_passwords", Keep::UntilErased),
    line("user_totps", Keep::UntilErased),
    line("recovery_codes", Keep::UntilErased),
    // Ninety days after the last attempt: then the account knows the sender no more.
    line(
        "login_senders",
        Keep::UntilTheirEnd("DELETE FROM login_senders WHERE seen_ms <= $1 - 7776000000"),
    ),
    line(
        "password_resets",
        Keep::UntilTheirEnd("DELETE FROM password_resets WHERE expires_ms <= $1"),
    ),
    line("memberships", Keep::WhileItExists),
    line("invitations", Keep::UntilTheirEnd("DELETE FROM invitations WHERE expires_ms <= $1")),
    line("service_accounts", Keep::WhileItExists),
    line("api_keys", Keep::WhileItExists),
    line("sessions", Keep::UntilTheirEnd("DELETE FROM sessions WHERE expires_ms <= $1")),
    line(
        "issuer_keys",
        Keep::UntilTheirEnd("DELETE FROM issuer_keys WHERE verifies_until_ms <= $1"),
    ),
    line("revocations", Keep::UntilTheirEnd("DELETE FROM revocations WHERE expires_ms <= $1")),
    line("idempotency", Keep::UntilTheirEnd("DELETE FROM idempotency WHERE expires_ms <= $1")),
    line("audit_entries", Keep::Forever),
    line("audit_checkpoints", Keep::Forever),
    line("changes", Keep::Forever),
    line("sequences", Keep::Forever),
    line("secret_keys", Keep::WhileItExists),
    line("secrets", Keep::WhileItExists),
    line("secret_values", Keep::WhileItExists),
    line("secret_hosts", Keep::WhileItExists),
    line("schema_steps", Keep::Forever),
    line(
        "host_enrolments",
        Keep::UntilTheirEnd("DELETE FROM host_enrolments WHERE expires_ms <= $1"),
    ),
    line("hosts", Keep::Forever),
    line("host_checks", Keep::WhileItExists),
    line("host_refusals", Keep::WhileItExists),
    line("feed_state", Keep::WhileItExists),
    line("feed_epochs", Keep::Forever),
    line("kill_documents", Keep::Forever),
    line("kill_receipts", Keep::Forever),
    line("constitutions", Keep::Forever),
    line("account_keepers", Keep::WhileItExists),
    // Ninety days: as long as who left counts as one of the org in reviews.
    line(
        "former_members",
        Keep::UntilTheirEnd("DELETE FROM former_members WHERE left_ms <= $1 - 7776000000"),
    ),
    line("namespaces", Keep::Forever),
    line("signing_keys", Keep::Forever),
    line("capsules", Keep::Forever),
    line("catalogue_tokens", Keep::WhileItExists),
    line("releases", Keep::Forever),
    line("submissions", Keep::Forever),
    line("review_jobs", Keep::WhileItExists),
    line("passports", Keep::Forever),
    line("offers", Keep::Forever),
    line("installations", Keep::Forever),
    line("revisions", Keep::Forever),
    line("gate_tallies", Keep::Forever),
    line("capsule_runs", Keep::WhileItExists),
    line("ratings", Keep::WhileItExists),
    // Money.
    line("terms", Keep::Forever),
    line("ledger_head", Keep::Forever),
    line("accounts", Keep::Forever),
    line("postings", Keep::Forever),
    line("transfers", Keep::Forever),
    line("budget_caps", Keep::WhileItExists),
    line("budgets", Keep::Forever),
    line("leases", Keep::Forever),
    line("journals", Keep::Forever),
    line("journal_leases", Keep::Forever),
    line("settled", Keep::Forever),
    line("priced_revisions", Keep::Forever),
    line("offer_uses", Keep::Forever),
    line("earnings", Keep::Forever),
    line("payouts", Keep::Forever),
    line("billing_events", Keep::Forever),
];

/// Removes what has ended and says how many rows that were.
pub(crate) async fn sweep(unit: &mut PlatformUnit, now: Timestamp) -> Result<u64, StoreError> {
    let mut removed = 0;
    for line in RETENTION {
        if let Keep::UntilTheirEnd(sql) = line.keep {
            removed += unit.tx.run(sql, binds![now]).await?;
        }
    }
    Ok(removed)
}
