//! Kinds of organisation and roles of members.

use std::collections::BTreeSet;

use soma_policy::Code;

use crate::named::named;
use crate::refusal::Refusal;

named! {
    /// What an organisation does.
    OrgKind "a kind of organisation" {
        /// Installs and calls capsules.
        Tenant "tenant",
        /// Publishes capsules.
        Publisher "publisher",
        /// Keeps the marketplace: reviews, operates, pays out.
        Platform "platform",
    }
}

named! {
    /// Whether an organisation may act.
    OrgStatus "a status of an organisation" {
        /// It may.
        Active "active",
        /// It may read and pay, nothing else.
        Suspended "suspended",
        /// It may only read.
        Closed "closed",
    }
}

named! {
    /// What a member is there for. Several may be held; what each may do is [`super::table`].
    Role "a role" {
        /// Answers for the organisation: everything, and giving the owner's role to others.
        Owner "owner",
        /// Runs it: members, service accounts, names, installations.
        Admin "admin",
        /// Writes capsules: submits and withdraws releases.
        Developer "developer",
        /// Keeps things running: installations and secrets of a tenant, hosts and kills of the platform.
        Operator "operator",
        /// Judges submissions.
        Reviewer "reviewer",
        /// Reads everything, changes nothing.
        Auditor "auditor",
        /// Budgets, invoices, payouts.
        Billing "billing",
        /// Uses what is installed.
        Member "member",
    }
}

/// The kinds, if one organisation may be all of them.
pub(super) fn together(kinds: BTreeSet<OrgKind>) -> Result<BTreeSet<OrgKind>, Refusal> {
    let alone = !kinds.contains(&OrgKind::Platform) || kinds.len() == 1;
    if kinds.is_empty() || !alone {
        let reason = "an organisation is a platform, or a tenant, a publisher or both".to_owned();
        return Err(Refusal::new(Code::OrgKindConflict, "found", reason));
    }
    Ok(kinds)
}
