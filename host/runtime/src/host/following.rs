//! What a server says, put to this host's calls: which may start, and which must end.

use std::sync::Arc;

use soma_policy::feed::{HostRole, Installed, RiskClass};
use soma_policy::price::Terms;
use soma_policy::{CapabilityKind, Code, Denial, Installation, InstallationKey, Layer};

use super::Host;
use crate::feed::secrets::wanted;
use crate::feed::{Feed, FeedStatus, Held};
use crate::home::{FeedEdit, VerifiedStore};
use crate::installations::Reloaded;
use crate::running::{Cut, Running};
use crate::token::Withdrawn;

impl Host {
    /// The server's feed; none without a server.
    pub(crate) fn feed(&self) -> Option<&Arc<Feed>> {
        self.feed.as_ref()
    }

    /// How this host stands with its server; none without one.
    #[must_use]
    pub fn feed_status(&self) -> Option<FeedStatus> {
        self.feed.as_ref().map(|feed| feed.status(self.clock.monotonic()))
    }

    /// Leases may name these terms from now on.
    pub(crate) fn learn_terms<'a>(&self, all: impl Iterator<Item = &'a Arc<Terms>>) {
        for terms in all {
            if let Err(error) = self.leases.learn(Terms::clone(terms)) {
                tracing::error!(%error, "terms of the feed are not used");
            }
        }
    }

    /// These secrets are wanted from now on: those that the server names and something here may use.
    pub(crate) fn want_secrets(&self, held: &Held) {
        if let Some(kept) = self.feed_secrets() {
            let snapshot = self.snapshot();
            let here = snapshot.policy.region();
            let stands = |it: &&Installed| it.region.is_none() || it.region.as_ref() == here;
            let installed = held.installed().filter_map(|(_, said)| said.installed());
            let installed = installed.filter(stands);
            kept.want(wanted(held.secrets(), installed));
        }
    }

    pub(crate) fn packages(&self) -> &VerifiedStore {
        self.configuration.packages()
    }

    /// Takes over what the feed says, and judges running calls again. Verifies and compiles rights: not for a
    /// thread that others wait for.
    pub(crate) fn take_feed(&self, edit: FeedEdit) -> Option<Reloaded> {
        // One after the other: what is installed and who may be called by whom are of one swap.
        let _turn = self.feed.as_ref().map(|feed| feed.turn());
        let revokes = !edit.edits.revoked.is_empty();
        let reloaded = self.configuration.take(edit)?;
        self.audit_reload(&reloaded, "server");
        self.installed(&reloaded.snapshot);
        self.leases.ring();
        for change in &reloaded.changes {
            self.rejudge(change);
        }
        if reloaded.policy_changed {
            self.judge_again(&reloaded.snapshot.policy);
        }
        if revokes {
            // A call goes on in its revision while the next one is active: it ends by its own component.
            let snapshot = &reloaded.snapshot;
            self.cut_where(|it| snapshot.is_revoked(&it.installation.digest), Cut::Withdrawn);
        }
        Some(reloaded)
    }

    /// From now on exactly these tokens are taken back by the server; calls that run under one end.
    pub(crate) fn withdraw_tokens(&self, withdrawn: Withdrawn) {
        self.tokens().withdraw(withdrawn);
        self.cut_withdrawn();
    }

    /// Ends calls whose token counts no more.
    pub(crate) fn cut_withdrawn(&self) {
        let gone = |call: &Running| call.bearer().is_some_and(|it| self.tokens().is_withdrawn(it));
        self.cut_where(gone, Cut::Withdrawn);
    }

    /// Ends calls whose class has gone on too long without the server.
    pub(super) fn cut_stale(&self) {
        self.cut_where(|call| !self.is_fresh(&call.installation), Cut::Stale);
    }

    fn cut_where(&self, concerned: impl Fn(&Running) -> bool, why: Cut) {
        let running = self.calls.running();
        let mut any = false;
        for call in running.iter().filter(|call| concerned(call)) {
            call.cut(why);
            any = true;
        }
        if any {
            self.components.engine().increment_epoch();
        }
    }

    /// Whether the server was heard of lately enough for what this installation can do.
    pub(crate) fn is_fresh(&self, installation: &Installation) -> bool {
        let Some(feed) = self.feed.as_ref().filter(|feed| feed.role() == HostRole::Host) else {
            return true;
        };
        feed.covers(class_of(installation), self.clock.monotonic())
    }

    /// The refusal of a call that must not start without the server.
    pub(crate) fn fresh(&self, installation: &Installation) -> Result<(), Box<Denial>> {
        if self.is_fresh(installation) {
            return Ok(());
        }
        Err(Box::new(stale(installation.key(), class_of(installation))))
    }

    /// There may be something to pass upward.
    pub(super) fn killed(&self) {
        if let Some(feed) = &self.feed {
            feed.kills_changed();
        }
    }
}

/// The refusal of, and the reason for the end of, a call without word from the server.
pub(crate) fn stale(key: &InstallationKey, class: RiskClass) -> Denial {
    let seconds = class.lease().0 / 1000;
    let reason =
        format!("the server was not heard of for {seconds} s, which is what it may do without");
    let denial = Denial::new(Code::FeedStale, Layer::Operator, format!("call {key}"), reason);
    denial.fix(Code::FeedStale.entry().remedy)
}

/// The class of an installation: that of its widest granted capability, as [`RiskClass::of`] has it.
pub(crate) fn class_of(installation: &Installation) -> RiskClass {
    let each = installation.kill_subject().capabilities.iter().map(|kind| match kind {
        CapabilityKind::Http | CapabilityKind::Secret | CapabilityKind::Tool => RiskClass::High,
        CapabilityKind::Kv
        | CapabilityKind::Files
        | CapabilityKind::Emit
        | CapabilityKind::Serve => RiskClass::Medium,
        _ => RiskClass::Low,
    });
    each.max().unwrap_or(RiskClass::Low)
}
