//! Who may do what: one table, role by role. docs/reference/roles.md is printed from it.

use std::fmt::Write as _;

use super::role::{OrgKind, Role};
use crate::named::named;

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// What is done.
    pub permission: Permission,
    /// In an organisation of one of these kinds.
    pub kinds: &'static [OrgKind],
    /// By a member with one of these roles.
    pub roles: &'static [Role],
    /// Never by a service account.
    pub person: bool,
    /// Only after a fresh login with a second factor.
    pub step_up: bool,
    /// Also while the organisation is suspended.
    pub suspended: bool,
}

const ANY: &[OrgKind] = OrgKind::ALL;
const TENANT: &[OrgKind] = &[OrgKind::Tenant];
const PUBLISHER: &[OrgKind] = &[OrgKind::Publisher];
const PLATFORM: &[OrgKind] = &[OrgKind::Platform];
const WITHDRAWS: &[OrgKind] = &[OrgKind::Publisher, OrgKind::Platform];

use Role::{Admin, Auditor, Billing, Developer, Member, Operator, Owner, Reviewer};

macro_rules! permissions {
    ($(#[doc = $doc:literal] $name:ident $text:literal $kinds:ident [$($role:ident)*] $($flag:ident)*;)*) => {
        named! {
            /// Something that a role allows.
            Permission "a permission" { $(#[doc = $doc] $name $text,)* }
        }

        impl Permission {
            /// Its line of the table.
            #[must_use]
            pub const fn line(self) -> Line {
                match self { $(Self::$name => Line {
                    permission: self, kinds: $kinds, roles: &[$($role),*],
                    person: permissions!(@has person $($flag)*),
                    step_up: permissions!(@has step_up $($flag)*),
                    suspended: permissions!(@has suspended $($flag)*),
                },)* }
            }

            /// What it is, in words.
            #[must_use]
            pub fn words(self) -> &'static str {
                match self { $(Self::$name => $doc,)* }
            }
        }
    };
    (@has person person $($rest:ident)*) => { true };
    (@has step_up step_up $($rest:ident)*) => { true };
    (@has suspended suspended $($rest:ident)*) => { true };
    (@has $wanted:ident) => { false };
    (@has $wanted:ident $other:ident $($rest:ident)*) => { permissions!(@has $wanted $($rest)*) };
}

permissions! {
    /// Change settings and kinds, close the organisation.
    OrgManage "org:manage" ANY [Owner] person step_up;
    /// Add and remove members and their roles.
    MemberManage "member:manage" ANY [Owner Admin] person;
    /// Make, change and disable service accounts and API keys.
    ServiceManage "service:manage" ANY [Owner Admin] person;
    /// See members and their roles.
    MemberRead "member:read" ANY [Owner Admin Developer Operator Reviewer Auditor Billing Member] suspended;
    /// Read the organisation's audit.
    AuditRead "audit:read" ANY [Owner Admin Auditor] suspended;
    /// Read ledgers, invoices and statements.
    BillingRead "billing:read" ANY [Owner Admin Billing Auditor] suspended;
    /// Top up, and set limits of credit.
    BillingManage "billing:manage" ANY [Owner Billing] person suspended;
    /// Claim publisher names and transfer them.
    NamespaceManage "namespace:manage" PUBLISHER [Owner Admin] person step_up;
    /// Submit releases.
    ReleaseSubmit "release:submit" PUBLISHER [Owner Admin Developer];
    /// Deprecate, yank and un-yank releases.
    ReleaseWithdraw "release:withdraw" WITHDRAWS [Owner Admin Developer Operator];
    /// Revoke releases for good.
    ReleaseRevoke "release:revoke" WITHDRAWS [Owner Admin] person step_up;
    /// Read submissions and findings of the organisation.
    SubmissionRead "submission:read" PUBLISHER [Owner Admin Developer Auditor] suspended;
    /// Have earnings paid out.
    Payout "payout:request" PUBLISHER [Owner Billing] person step_up;
    /// Install, upgrade, roll back and remove.
    InstallationManage "installation:manage" TENANT [Owner Admin Operator];
    /// Agree to wider rights, higher prices, other owners.
    ConsentGive "consent:give" TENANT [Owner Admin Operator] person;
    /// Store and remove secrets; nobody reads them.
    SecretManage "secret:manage" TENANT [Owner Admin Operator];
    /// Set budgets.
    BudgetManage "budget:manage" TENANT [Owner Admin Billing];
    /// Call what is installed.
    InstallationCall "installation:call" TENANT [Owner Admin Developer Operator Member];
    /// Read calls, logs and receipts.
    CallRead "call:read" TENANT [Owner Admin Developer Operator Auditor] suspended;
    /// Rate capsules.
    RatingWrite "rating:write" TENANT [Owner Admin Developer Operator Member] person;
    /// See the review queue.
    ReviewRead "review:read" PLATFORM [Owner Admin Reviewer Operator Auditor];
    /// Decide about submissions.
    ReviewDecide "review:decide" PLATFORM [Owner Admin Reviewer] person;
    /// Pass grave findings, with a reason.
    ReviewOverride "review:override" PLATFORM [Owner Admin] person step_up;
    /// Give out reserved names, stop transfers, lift freezes.
    NamespaceRule "namespace:rule" PLATFORM [Owner Admin Operator] person;
    /// Make, suspend and reinstate organisations.
    OrgRule "org:rule" PLATFORM [Owner Admin] person;
    /// Order and lift kills.
    Kill "kill:order" PLATFORM [Owner Operator] person step_up;
    /// Enrol and remove hosts.
    HostManage "host:manage" PLATFORM [Owner Admin Operator] person;
    /// Publish the constitution and policy.
    Constitution "constitution:publish" PLATFORM [Owner Operator] person step_up;
    /// Release payouts and book adjustments.
    PayoutRelease "payout:release" PLATFORM [Owner Billing] person step_up;
    /// Read the audit of everybody.
    PlatformAudit "platform:audit" PLATFORM [Owner Auditor];
    /// Read the ledger of everybody.
    PlatformLedger "platform:ledger" PLATFORM [Owner Billing Auditor];
}

/// The table as Markdown: what docs/reference/roles.md holds.
#[must_use]
pub fn table() -> String {
    let names: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
    let mut page = format!("| permission | in | {} | rules |\n", names.join(" | "));
    page.push_str(&format!("|---|---|{}---|\n", "---|".repeat(names.len())));
    for permission in Permission::ALL {
        let line = permission.line();
        let kinds: Vec<&str> = line.kinds.iter().map(|kind| kind.as_str()).collect();
        let kinds = if line.kinds == ANY { "any".to_owned() } else { kinds.join(", ") };
        let _ = write!(page, "| `{permission}`{} | {kinds} |", permission.words());
        for role in Role::ALL {
            page.push_str(if line.roles.contains(role) { " ✓ |" } else { "  |" });
        }
        let rules = [
            (line.person, "person"),
            (line.step_up, "step-up"),
            (line.suspended, "also suspended"),
        ];
        let rules: Vec<&str> = rules.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
        let _ = writeln!(page, " {} |", rules.join(", "));
    }
    page
}
