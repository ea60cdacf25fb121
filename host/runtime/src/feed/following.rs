//! What a host knows of its server's feed: what was read, what was applied, how fresh it is, what is wrong.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use soma_policy::feed::{CheckResult, FeedHead, HostRole, RiskClass};
use soma_policy::{Code, Digest, HostId, InstallationKey};
use tokio::sync::{Notify, watch};

use super::disk::{Disk, Stored};
use super::freshness::Freshness;
use super::held::Held;
use super::signed::Signed;
use super::upward::Passed;
use super::{FeedClient, FeedError};
use crate::home::Home;

/// Results of checks that wait to be reported.
const CHECKS_MAX: usize = 256;

/// The feed of one host.
pub(crate) struct Feed {
    pub(super) client: Arc<FeedClient>,
    pub(super) signed: Signed,
    pub(super) host: HostId,
    pub(super) reader: Mutex<Reader>,
    applied: watch::Sender<Arc<Held>>,
    pub(super) fresh: Freshness,
    /// Whether the server has judged a report of this run.
    reported: watch::Sender<bool>,
    /// Rings when there is something to report at once.
    pub(super) report: Notify,
    /// Rings when there may be kill documents or receipts to pass upward.
    pub(super) kills: Notify,
    pub(super) passed: Mutex<Passed>,
    pub(super) found: Mutex<Found>,
    turn: Mutex<()>,
    alarm: watch::Sender<Option<String>>,
}

/// How far the feed was read; what was read is applied a moment later.
pub(super) struct Reader {
    pub(super) disk: Disk,
    pub(super) held: Arc<Held>,
    /// Whether a snapshot was ever taken: the place of an empty feed is a place too.
    pub(super) known: bool,
}

/// What this host found out about what it was told to run.
#[derive(Default)]
pub(super) struct Found {
    /// Checks that were made and not yet reported.
    pub(super) checks: Vec<CheckResult>,
    /// Candidates that were checked, or are being.
    pub(super) checked: HashSet<(InstallationKey, u64, Digest)>,
    /// Components that do not work here.
    pub(super) broken: HashMap<Digest, (Code, String)>,
}

/// How a host stands with its server, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedStatus {
    /// What it has applied.
    pub head: FeedHead,
    /// How old the last heartbeat that counts is (milliseconds); none if there was none since the start.
    pub age_ms: Option<u64>,
    /// What is wrong with the feed, if it contradicts itself or cannot be read.
    pub alarm: Option<String>,
    /// Whether it was heard of lately enough for what can do least harm: if not, nothing starts.
    pub fresh: bool,
}

impl Feed {
    /// Reads what an earlier run kept.
    pub(crate) fn open(home: &Home, client: Arc<FeedClient>) -> Result<Self, FeedError> {
        let signed = Signed::by(client.server());
        let folder = home.layout().feed();
        let (disk, stored) = Disk::open(&folder, &signed)?;
        let known = stored.snapshot.is_some();
        let held = Arc::new(read(&stored).unwrap_or_else(|error| {
            tracing::error!(%error, "what was kept of the feed is not used");
            Held::nothing()
        }));
        let known = known && (!held.is_nothing() || stored.batches.is_empty());
        Ok(Self {
            signed,
            host: home.identity().host,
            reader: Mutex::new(Reader { disk, held: Arc::clone(&held), known }),
            applied: watch::Sender::new(held),
            fresh: Freshness::default(),
            reported: watch::Sender::new(false),
            report: Notify::new(),
            kills: Notify::new(),
            passed: Mutex::new(Passed::load(&folder)?),
            found: Mutex::default(),
            turn: Mutex::default(),
            alarm: watch::Sender::new(None),
            client,
        })
    }

    /// The way to the server.
    pub(crate) fn client(&self) -> &Arc<FeedClient> {
        &self.client
    }

    /// What this host does for its server.
    pub(crate) fn role(&self) -> HostRole {
        self.client.server().role
    }

    /// Whoever swaps what runs holds this.
    pub(crate) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock()
    }

    /// What was applied.
    pub(crate) fn applied(&self) -> Arc<Held> {
        Arc::clone(&self.applied.borrow())
    }

    /// From now on this is what runs.
    pub(super) fn set_applied(&self, held: Arc<Held>) {
        let head = held.head;
        self.applied.send_replace(held);
        self.fresh.applied(&head);
        self.report.notify_one();
    }

    /// What was applied, and a way to wait for more.
    #[cfg(test)]
    pub(super) fn applied_later(&self) -> watch::Receiver<Arc<Held>> {
        self.applied.subscribe()
    }

    /// What is wrong, and a way to wait for it.
    #[cfg(test)]
    pub(super) fn alarms(&self) -> watch::Receiver<Option<String>> {
        self.alarm.subscribe()
    }

    /// Whether installations of this class may start and run.
    pub(crate) fn covers(&self, class: RiskClass, now: std::time::Duration) -> bool {
        self.fresh.covers(class, now)
    }

    /// The server has judged a report of this run.
    pub(super) fn heard(&self) {
        self.reported.send_replace(true);
    }

    /// Waits until the server has judged a report of this run. Before that it gives no leases; and no record goes up,
    /// so that it can tell by the first report whether this journal holds what it has taken of it.
    pub(crate) async fn reported(&self) {
        // INVARIANT: the sender is this feed's own.
        let _ = self.reported.subscribe().wait_for(|heard| *heard).await;
    }

    /// There may be something to pass upward.
    pub(crate) fn kills_changed(&self) {
        self.kills.notify_one();
    }

    /// Says what is wrong, once for each wrong.
    pub(super) fn alarm(&self, error: &FeedError) {
        let words = error.to_string();
        let code = error.code().entry().id;
        self.alarm.send_if_modified(|alarm| {
            let is_new = alarm.as_ref() != Some(&words);
            if is_new {
                tracing::error!(error = %words, code, "the feed is not followed");
                *alarm = Some(words);
            }
            is_new
        });
    }

    /// Nothing is wrong any more.
    pub(super) fn calm(&self) {
        self.alarm.send_if_modified(|alarm| {
            let was = alarm.take();
            if let Some(was) = &was {
                tracing::warn!(%was, "the feed is followed again");
            }
            was.is_some()
        });
    }

    /// How it stands at `now` (monotonic).
    pub(crate) fn status(&self, now: std::time::Duration) -> FeedStatus {
        let age = self.fresh.age(now).map(|age| age.as_millis());
        FeedStatus {
            head: self.applied.borrow().head,
            age_ms: age.map(|age| u64::try_from(age).unwrap_or(u64::MAX)),
            alarm: self.alarm.borrow().clone(),
            fresh: self.role() != HostRole::Host || self.covers(RiskClass::Low, now),
        }
    }
}

impl Found {
    /// Keeps the result of a check for the next report.
    pub(super) fn add(&mut self, result: CheckResult) {
        if self.checks.len() >= CHECKS_MAX {
            self.checks.remove(0);
        }
        self.checks.push(result);
    }

    /// Forgets candidates that are none any more.
    pub(super) fn retain(&mut self, candidates: &BTreeSet<(InstallationKey, u64)>) {
        self.checked.retain(|(key, revision, _)| candidates.contains(&(key.clone(), *revision)));
    }
}

fn read(stored: &Stored) -> Result<Held, FeedError> {
    let Some(snapshot) = &stored.snapshot else { return Ok(Held::nothing()) };
    let (mut held, _) = Held::of(snapshot)?;
    for batch in &stored.batches {
        held.follow(batch)?;
    }
    Ok(held)
}
