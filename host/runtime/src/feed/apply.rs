//! Applying what was read: components first, then one swap, then the running calls whose inputs changed.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use soma_capsule::{TrustStore, crash_point};
use soma_policy::{Code, Digest};
use tokio::sync::mpsc::Receiver;

use super::fetch;
use super::following::Feed;
use super::held::{Held, Touched};
use super::read::Step;
use crate::home::FeedEdit;
use crate::host::Host;
use crate::installations::{Edits, Reloaded, Said, Snapshot};

/// How long a change waits for its components: what has not come then does not run yet.
const FETCH_WITHIN: Duration = Duration::from_secs(10);
/// How often what did not come is asked for again.
const RETRY: Duration = Duration::from_secs(5);

/// Applies for as long as the host is there.
pub(super) async fn apply(host: Weak<Host>, feed: Arc<Feed>, mut steps: Receiver<Step>) {
    let mut retry = tokio::time::interval(RETRY);
    loop {
        let step = tokio::select! {
            step = steps.recv() => match step {
                Some(step) => Some(step),
                None => return,
            },
            _ = retry.tick() => None,
        };
        let Some(host) = host.upgrade() else { return };
        match step {
            Some(step) => host.apply_step(&feed, step).await,
            None => host.fetch_again(&feed).await,
        }
    }
}

/// What the feed of an earlier run says, before anything runs.
pub(crate) fn first(held: &Held) -> FeedEdit {
    let touched = Touched {
        whole: true,
        publishers: true,
        issuers: true,
        constitution: true,
        ..Touched::default()
    };
    edit(held, &touched)
}

fn edit(held: &Held, touched: &Touched) -> FeedEdit {
    FeedEdit {
        trust: touched.publishers.then(|| held.trust()),
        issuers: touched.issuers.then(|| held.issuers()),
        constitution: held.constitution().filter(|_| touched.constitution).cloned(),
        edits: Edits {
            position: Some(held.head.position()),
            said: held.said(touched),
            whole: touched.whole,
            revoked: held.revoked(touched),
            ..Edits::default()
        },
    }
}

impl Host {
    /// What must not wait for anything else: kills, revoked releases and revoked tokens.
    pub(super) async fn feed_at_once(self: &Arc<Self>, step: &Step) {
        for notice in &step.touched.kills {
            self.take_notice(notice).await;
        }
        if !step.touched.releases.is_empty() {
            let revoked = step.held.revoked(&step.touched);
            let edits = Edits { revoked, ..Edits::default() };
            let edit = FeedEdit { trust: None, issuers: None, constitution: None, edits };
            self.take_edit(edit).await;
        }
        if step.touched.revoked {
            self.withdraw_tokens(step.held.withdrawn(self.clock().now()));
        }
    }

    async fn apply_step(self: &Arc<Self>, feed: &Arc<Feed>, step: Step) {
        let Step { held, touched } = step;
        let said = held.said(&touched);
        let wanted = said.iter().filter_map(|(_, said)| said.as_ref()).flat_map(Said::digests);
        let trust = touched.publishers.then(|| Arc::new(held.trust()));
        self.fetch_missing(feed, wanted.collect(), trust).await;
        if touched.terms {
            self.learn_terms(held.terms().values());
        }
        let edit = edit(&held, &touched);
        let Some(reloaded) = self.take_edit(edit).await else { return };
        if touched.issuers {
            self.cut_withdrawn();
        }
        if touched.whole || touched.secrets || !touched.installations.is_empty() {
            self.want_secrets(&held);
        }
        crash_point!("host.feed.applied");
        feed.set_applied(held);
        self.ahead(feed, &reloaded);
    }

    /// Asks again for components that did not come.
    async fn fetch_again(self: &Arc<Self>, feed: &Arc<Feed>) {
        let missing = missing(&self.snapshot(), &feed.applied());
        if missing.is_empty() {
            return;
        }
        let came = self.fetch_missing(feed, missing, None).await;
        if came.is_empty() {
            return;
        }
        let edits = Edits { digests: came, ..Edits::default() };
        let edit = FeedEdit { trust: None, issuers: None, constitution: None, edits };
        if let Some(reloaded) = self.take_edit(edit).await {
            feed.report.notify_one();
            self.ahead(feed, &reloaded);
        }
    }

    /// Brings components here that are not; says which came.
    async fn fetch_missing(
        self: &Arc<Self>,
        feed: &Arc<Feed>,
        wanted: BTreeSet<Digest>,
        trust: Option<Arc<TrustStore>>,
    ) -> HashSet<Digest> {
        let packages = self.packages();
        let wanted = tokio::task::block_in_place(|| {
            let missing = wanted.into_iter().filter(|digest| !packages.is_here(digest));
            missing.collect::<Vec<_>>()
        });
        if wanted.is_empty() {
            return HashSet::new();
        }
        let trust = trust.unwrap_or_else(|| packages.trust());
        fetch::all(self, &feed.client, wanted, trust, FETCH_WITHIN).await
    }

    /// Swaps, and judges again what runs.
    async fn take_edit(self: &Arc<Self>, edit: FeedEdit) -> Option<Reloaded> {
        let host = Arc::clone(self);
        let taken = self.control().spawn_blocking(move || host.take_feed(edit)).await;
        match taken {
            Ok(reloaded) => reloaded,
            // A panic of ours: it goes on where it can be seen.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Compiles what came before anybody calls it, and checks candidates that ask for it.
    fn ahead(self: &Arc<Self>, feed: &Arc<Feed>, reloaded: &Reloaded) {
        let digests = reloaded.changes.iter().filter_map(|change| match change {
            crate::installations::Change::Installed(new)
            | crate::installations::Change::Replaced { new, .. } => Some(new.digest),
            _ => None,
        });
        let candidates = reloaded.snapshot.entries().filter_map(|entry| entry.candidate.as_ref());
        let digests = digests.chain(candidates.map(|candidate| candidate.installation.digest));
        let digests: BTreeSet<Digest> = digests.collect();
        let (host, feed, snapshot) =
            (Arc::downgrade(self), Arc::clone(feed), Arc::clone(&reloaded.snapshot));
        self.control().spawn(async move {
            for digest in digests {
                let Some(host) = host.upgrade() else { return };
                host.warm(&feed, digest).await;
            }
            if let Some(host) = host.upgrade() {
                host.check_candidates(&feed, &snapshot).await;
            }
        });
    }

    /// Loads a component; one that does not load is told.
    async fn warm(&self, feed: &Feed, digest: Digest) {
        let components = self.components();
        let slot = components.slot(digest);
        let loaded = components.ready(&slot, self.clock().monotonic()).await;
        let mut found = feed.found.lock();
        match loaded {
            Ok(_) => {
                found.broken.remove(&digest);
            }
            Err(error) => {
                tracing::error!(%digest, %error, "a component does not load");
                let code = error.code().unwrap_or(Code::HostFailure);
                found.broken.insert(digest, (code, error.to_string()));
                feed.report.notify_one();
            }
        }
    }
}

/// Components without which something does not run.
fn missing(snapshot: &Snapshot, held: &Held) -> BTreeSet<Digest> {
    // Not here, or here and not whole: a crash may have come between its files.
    let waits = |code: Code| {
        let absent = matches!(code, Code::CapsuleMissing | Code::ApprovalMissing);
        absent || matches!(code, Code::OciLayout | Code::DigestMismatch)
    };
    let refused: HashSet<_> = snapshot
        .entries()
        .filter(|entry| entry.refused.iter().any(|refused| waits(refused.problem.code)))
        .map(|entry| &entry.key)
        .collect();
    if refused.is_empty() {
        return BTreeSet::new();
    }
    let said = held.installed().filter(|(key, _)| refused.contains(key));
    said.flat_map(|(_, said)| said.digests()).collect()
}
