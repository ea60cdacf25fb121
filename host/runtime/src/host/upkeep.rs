//! What the host does beside calls: follows its home's files, lets suspensions lapse, unloads what
//! idles. All of it on the control threads, none of it on the path of a call.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use soma_policy::{Installation, InstallationKey, JournalEntry, OperatorPolicy, UsageMark};

use super::Host;
use super::rebuilt::Rebuilt;
use super::tools::Callees;
use crate::home::{HomeError, OperatorFile};
use crate::installations::{Change, Reloaded, Snapshot, Watch};
use crate::running::Cut;

const TICK: Duration = Duration::from_secs(1);
/// Long calls leave a usage mark every so many ticks: what they are settled by if their end is never
/// written.
const MARK_BEATS: u32 = 5;

/// Starts the tasks; they end with the host.
pub(super) fn start(host: &Arc<Host>, idle: Duration) {
    let watch = Watch::new(host.home().layout());
    host.control().spawn(follow(Arc::downgrade(host), watch));
    host.control().spawn(tick(Arc::downgrade(host), idle));
}

async fn follow(host: Weak<Host>, watch: Watch) {
    loop {
        watch.changed().await;
        let Some(host) = host.upgrade() else { return };
        if let Err(error) = host.reload() {
            tracing::error!(%error, "the home is not reloaded: what ran before goes on");
        }
    }
}

async fn tick(host: Weak<Host>, idle: Duration) {
    let mut every = tokio::time::interval(TICK);
    let mut beat = 0_u32;
    loop {
        every.tick().await;
        let Some(host) = host.upgrade() else { return };
        host.kills.tick();
        host.revoke();
        host.cut_stale();
        host.journal.summarise(host.clock.now());
        beat = beat.wrapping_add(1);
        if beat.is_multiple_of(MARK_BEATS) {
            host.mark_usage();
        }
        host.checkpoint();
        if let Some(then) = host.clock.monotonic().checked_sub(idle) {
            host.components.unload_idle(then);
        }
    }
}

impl Host {
    /// Folds segments that were closed since the last checkpoint into a new one, on a thread of its own, one
    /// at a time.
    fn checkpoint(&self) {
        if !self.journal.checkpoint_due() || self.checkpointing.swap(true, Ordering::AcqRel) {
            return;
        }
        let (journal, busy) = (self.journal.clone(), Arc::clone(&self.checkpointing));
        let work = move || {
            if let Err(error) = journal.checkpoint(&mut Rebuilt::default()) {
                tracing::error!(%error, "no checkpoint of the journal: the next start reads more of it");
            }
            busy.store(false, Ordering::Release);
        };
        self.control().spawn_blocking(work);
    }

    /// Takes over which tokens were revoked, and cuts the calls that run under them.
    fn revoke(&self) {
        let newly = match self.configuration.revocations(self.clock.now()) {
            Ok(newly) => newly,
            Err(error) => return tracing::error!(%error, "the old list of revoked tokens stays"),
        };
        if newly.is_empty() {
            return;
        }
        for jti in &newly {
            self.audit_revoked(jti);
        }
        let concerned = |call: &&Arc<crate::running::Running>| {
            call.bearer().is_some_and(|bearer| newly.contains(&bearer.jti))
        };
        for call in self.calls.running().iter().filter(concerned) {
            call.cut(Cut::Withdrawn);
        }
        self.components.engine().increment_epoch();
    }

    /// Reads the home again: trust, policy, installations. What is wrong keeps back what it replaces.
    ///
    /// # Errors
    /// When the home itself cannot be read; everything then stays as it was.
    pub fn reload(&self) -> Result<Arc<Snapshot>, HomeError> {
        self.revoke();
        let reloaded = self.configuration.reload(self.clock.now())?;
        self.audit_reload(&reloaded, super::audit::HOME);
        let Reloaded { snapshot, changes, operators, policy_changed, .. } = reloaded;
        if let Some(operators) = operators {
            self.take_operators(&operators);
        }
        match super::open::anchors(self.home()) {
            Ok(anchors) => {
                if let Err(error) = self.backends.http.set_anchors(anchors) {
                    tracing::error!(%error, "trust anchors are not reloaded: the old ones stay");
                }
            }
            Err(error) => tracing::error!(%error, "trust anchors are not reloaded"),
        }
        self.installed(&snapshot);
        for change in &changes {
            self.rejudge(change);
        }
        if policy_changed {
            self.judge_again(&snapshot.policy);
        }
        Ok(snapshot)
    }

    /// From now on these operators sign. What they come to was checked when the list was read.
    fn take_operators(&self, operators: &OperatorFile) {
        let taken = operators.trusted().map_err(|e| e.to_string());
        let taken = taken.and_then(|trusted| self.kills.trust(trusted).map_err(|e| e.to_string()));
        if let Err(error) = taken {
            tracing::error!(%error, "the old operators stay");
        }
    }

    /// Records what each call that runs longer than a while has used so far.
    fn mark_usage(&self) {
        let (now, at) = (self.clock.monotonic(), self.clock.now());
        let since = |call: &Arc<crate::running::Running>| now.saturating_sub(call.started);
        for call in self.calls.running().iter().filter(|call| since(call) >= TICK * MARK_BEATS) {
            let (call, usage) = (call.ids.call, call.usage(now));
            // A mark that is lost leaves the one before it.
            drop(self.journal.append(&JournalEntry::Usage(UsageMark { call, at, usage })));
        }
    }

    /// Tells the components what is installed now.
    pub(super) fn installed(&self, snapshot: &Snapshot) {
        self.components.install(snapshot.revisions().map(|installation| installation.digest));
        self.callees.store(Arc::new(Callees::of(snapshot)));
        self.leases.ring();
    }

    /// Ends running calls whose right to run is gone: uninstalled, or granted something else.
    pub(super) fn rejudge(&self, change: &Change) {
        match change {
            Change::Uninstalled(old) => self.withdraw(old.key(), None),
            Change::BackedOut(old) => self.back_out(old),
            Change::Replaced { old, new } if old.grants_hash != new.grants_hash => {
                self.withdraw(old.key(), Some(new.revision));
            }
            _ => {}
        }
    }

    /// Puts running calls under another policy: one that it would not let start ends, and what the others ask for
    /// from now on is judged by it too.
    pub(super) fn judge_again(&self, policy: &Arc<OperatorPolicy>) {
        let mut any = false;
        for call in self.calls.running() {
            any |= call.judge_by(policy);
        }
        if any {
            self.components.engine().increment_epoch();
        }
    }

    /// Ends the calls of a candidate that is none any more, and no others.
    fn back_out(&self, old: &Installation) {
        let concerned = |call: &&Arc<crate::running::Running>| {
            call.installation.key() == old.key() && call.installation.revision == old.revision
        };
        for call in self.calls.running().iter().filter(concerned) {
            call.cut(Cut::Withdrawn);
        }
        self.components.engine().increment_epoch();
    }

    fn withdraw(&self, key: &InstallationKey, except: Option<u64>) {
        let concerned = |call: &&Arc<crate::running::Running>| {
            call.installation.key() == key && Some(call.installation.revision) != except
        };
        for call in self.calls.running().iter().filter(concerned) {
            call.cut(Cut::Withdrawn);
        }
        self.components.engine().increment_epoch();
    }
}
