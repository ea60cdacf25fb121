//! What an auditor wants to see of a home's changes, as entries of the journal.
//!
//! Files of a home are edited by people outside of the host, so the actor is `home`: the journal says
//! what changed and when the host took it, not whose editor it was. What a server said has the actor `server`.

use soma_policy::{AuditEvent, AuditKind, Digest, InstallationKey, JournalEntry, TokenId};

use super::Host;
use crate::installations::{Change, Reloaded};

/// Who edits the files of a home.
pub(super) const HOME: &str = "home";

impl Host {
    /// At each start: a home in which one person decides alone says so.
    pub(super) fn audit_start(&self) {
        if self.configuration.operators().is_single_operator() {
            self.audit(AuditKind::SingleOperatorMode, "operators", None, None);
        }
    }

    /// A token was taken back.
    pub(super) fn audit_revoked(&self, jti: &TokenId) {
        self.audit(AuditKind::TokenRevoked, &jti.to_string(), None, None);
    }

    /// What an installation kept was removed.
    pub(super) fn audit_purged(&self, key: &InstallationKey) {
        self.audit(AuditKind::DataPurged, key.id.as_str(), None, Some(key));
    }

    /// After a reload: everything that is different from before.
    pub(super) fn audit_reload(&self, reloaded: &Reloaded, actor: &str) {
        if reloaded.trust_changed {
            self.audit_by(actor, AuditKind::TrustChanged, "publishers", None, None);
        }
        if let Some(operators) = &reloaded.operators {
            self.audit(AuditKind::OperatorsChanged, "operators", Some(operators.hash()), None);
            if operators.is_single_operator() {
                self.audit(AuditKind::SingleOperatorMode, "operators", None, None);
            }
        }
        if reloaded.policy_changed {
            let hash = reloaded.snapshot.policy.hash();
            let named = self.configuration.constitution().filter(|_| actor != HOME);
            let subject = named.map_or_else(
                || "policy".to_owned(),
                |it| format!("constitution/{}/{}", it.version, it.digest()),
            );
            self.audit_by(actor, AuditKind::PolicyChanged, &subject, Some(hash), None);
        }
        for change in &reloaded.changes {
            let (kind, key, digest) = match change {
                Change::Installed(new) | Change::Replaced { new, .. } => {
                    (AuditKind::InstallationChanged, new.key(), Some(new.digest))
                }
                Change::Uninstalled(old) | Change::BackedOut(old) => {
                    (AuditKind::InstallationChanged, old.key(), None)
                }
                Change::KeptBack(key) => (AuditKind::InstallationRefused, key, None),
            };
            self.audit_by(actor, kind, key.id.as_str(), digest, Some(key));
        }
    }

    fn audit(
        &self,
        event: AuditKind,
        subject: &str,
        digest: Option<Digest>,
        owner: Option<&InstallationKey>,
    ) {
        self.audit_by(HOME, event, subject, digest, owner);
    }

    fn audit_by(
        &self,
        actor: &str,
        event: AuditKind,
        subject: &str,
        digest: Option<Digest>,
        owner: Option<&InstallationKey>,
    ) {
        let entry = AuditEvent {
            actor: actor.to_owned(),
            at: self.clock().now(),
            digest,
            environment: owner.map(|key| key.environment.clone()),
            event,
            org: owner.map(|key| key.org.clone()),
            subject: subject.to_owned(),
        };
        // A journal that cannot write stops calls by itself; this entry waits in its queue.
        drop(self.journal().append(&JournalEntry::Audit(Box::new(entry))));
    }
}
