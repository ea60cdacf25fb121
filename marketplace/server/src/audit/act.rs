//! What can happen that is worth an entry.

macro_rules! acts {
    ($($name:ident $text:literal $doc:literal;)*) => {
        /// A kind of entry.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Act { $(#[doc = $doc] $name,)* }

        impl Act {
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name),*];

            pub(crate) fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

acts! {
    Bootstrapped "bootstrapped" "The first operator came.";
    LoggedIn "logged-in" "A person logged in.";
    LoginFailed "login-failed" "A login was refused.";
    ProofFailed "proof-failed" "A second factor or password that was asked for again was wrong; the fifth in a session ends it.";
    LoggedOut "logged-out" "A session ended.";
    SessionStolen "session-stolen" "A spent refresh code was shown; the session ended.";
    SteppedUp "stepped-up" "A person proved a second factor again.";
    PasswordChanged "password-changed" "A person changed the password.";
    FactorAdded "factor-added" "A second factor was confirmed.";
    FactorRemoved "factor-removed" "A second factor was removed.";
    RecoveryUsed "recovery-used" "A recovery code replaced the second factor.";
    TokenMade "token-made" "A narrower token was minted, or one for an API key.";
    TokensRevoked "tokens-revoked" "Tokens no longer count.";
    OrgMade "org-made" "An org was made.";
    OrgChanged "org-changed" "An org was changed or closed.";
    EnvironmentMade "environment-made" "An environment was made.";
    UserChanged "user-changed" "A person was locked or unlocked.";
    UserReset "user-reset" "An operator lets a person in again: blocks lifted, a code for a new password.";
    UserErased "user-erased" "A person's data was erased.";
    MemberInvited "member-invited" "A membership was offered.";
    InvitationWithdrawn "invitation-withdrawn" "An offer was taken back.";
    MemberJoined "member-joined" "A person joined an org.";
    MemberChanged "member-changed" "A member has another role.";
    MemberRemoved "member-removed" "A person left an org.";
    AccountMade "account-made" "A service account was made.";
    AccountChanged "account-changed" "A service account was changed.";
    AccountRemoved "account-removed" "A service account was removed with its keys.";
    KeyMade "key-made" "An API key was made.";
    KeyRevoked "key-revoked" "An API key was revoked.";
    IssuerKeyRotated "issuer-key-rotated" "A new key will sign tokens.";
    SecretSet "secret-set" "A secret has a new value.";
    SecretRemoved "secret-removed" "A secret was removed with its values.";
    SecretSent "secret-sent" "A version of a secret was sealed to a host for the first time.";
    NamespaceClaimed "namespace-claimed" "A publisher name was claimed.";
    NamespaceChanged "namespace-changed" "A publisher name changes hands, or its freeze ended.";
    SigningKeyAdded "signing-key-added" "A key signs for a publisher.";
    SigningKeyRevoked "signing-key-revoked" "A key signs for a publisher no more.";
    ReleaseSubmitted "release-submitted" "A component was submitted and examined.";
    ReleaseReviewed "release-reviewed" "A submission was decided about.";
    ReleasePublished "release-published" "A release entered the catalogue.";
    ReleaseWithdrawn "release-withdrawn" "A release was deprecated, yanked, given back or revoked.";
    KillWanted "kill-wanted" "A release was revoked: operators are asked for an order.";
    NameUnfrozen "name-unfrozen" "A capsule's name may have releases again.";
    InstallationMade "installation-made" "A capsule was installed.";
    InstallationChanged "installation-changed" "An installation has a new revision, or went back to the one before.";
    InstallationSettled "installation-settled" "Every live host runs the active revision.";
    InstallationBackedOut "installation-backed-out" "A new revision was given up.";
    InstallationRemoved "installation-removed" "An installation is gone.";
    CapsuleRated "capsule-rated" "A tenant rated a capsule.";
    IssuerKeyRevoked "issuer-key-revoked" "A key and all of its tokens count no more.";
    EnrolmentMade "enrolment-made" "A one-time token for a host was made.";
    HostEnrolled "host-enrolled" "A host joined.";
    HostRetired "host-retired" "A host was taken out of the fleet.";
    EpochRaised "epoch-raised" "The root key began a new epoch of the feed.";
    KillTaken "kill-taken" "A signed kill order, or a signature of one, was taken.";
    KillLiftTaken "kill-lift-taken" "A signed lift, or a signature of one, was taken.";
    KillReceipt "kill-receipt" "A host signed what it stopped.";
    ConstitutionProposed "constitution-proposed" "A constitution was proposed.";
    ConstitutionSigned "constitution-signed" "A further operator signed a proposed constitution.";
    ConstitutionActivated "constitution-activated" "Another constitution holds from now on.";
    JournalWentBack "journal-went-back" "A host reported a journal that does not go on from what it reported before.";
    DatabaseMoved "database-moved" "All data was moved to another database.";
    Restored "restored" "The server was restored from a backup.";
    TermsPut "terms-put" "Other terms hold from now on.";
    BillingEntered "billing-entered" "A top-up, credit, adjustment or refund was entered.";
    CreditSet "credit-set" "An account may go below zero, to a limit.";
    BudgetSet "budget-set" "A budget was set or taken away.";
    PayoutRequested "payout-requested" "Earnings are to be paid out.";
    PayoutMoved "payout-moved" "A payout went on or failed.";
    LeaseLost "lease-lost" "A host did not close a lease in time.";
    JournalQuarantined "journal-quarantined" "A host's journal contradicted itself or a lease.";
    JournalLifted "journal-lifted" "A quarantine was lifted.";
    ReceiptWrittenOff "receipt-written-off" "A receipt that cannot be settled was borne by the platform.";
    LedgerDiffered "ledger-differed" "Ledger and meter are not the same.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = Act::ALL.iter().map(|act| act.as_str()).collect();
        assert_eq!(names.len(), Act::ALL.len());
    }
}
