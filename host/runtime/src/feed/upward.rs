//! Passing upward what this host was given directly: kill documents, and its receipts for what it stopped.
//!
//! A host takes an order whether or not its server is there. What the server has not said that it knows is
//! sent until it takes it, over restarts too: the orders are in the home, and so is which of them were passed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use soma_capsule::dsse::Envelope;
use soma_policy::Digest;
use soma_policy::feed::KillNotice;

use super::following::Feed;
use super::{FeedError, route};
use crate::home::{HomeError, read_if_there, write_private};
use crate::host::Host;

const FILE: &str = "passed.json";
const BYTES_MAX: u64 = 16 << 20;
/// How long it takes to the next try, at first and at most.
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Documents (with exactly these signatures) and receipts that the server knows.
#[derive(Debug)]
pub(super) struct Passed {
    path: PathBuf,
    known: BTreeSet<Digest>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: u32,
    known: BTreeSet<Digest>,
}

impl Passed {
    /// Reads what an earlier run passed. A file that does not read is begun anew: all is sent again, and taken
    /// once.
    pub(super) fn load(folder: &Path) -> Result<Self, FeedError> {
        let path = folder.join(FILE);
        let bytes = read_if_there(&path, BYTES_MAX)?.unwrap_or_default();
        let known = serde_json::from_slice::<File>(&bytes).map(|file| file.known);
        Ok(Self { path, known: known.unwrap_or_default() })
    }

    fn add(&mut self, all: impl IntoIterator<Item = Digest>) -> Result<(), HomeError> {
        let before = self.known.len();
        self.known.extend(all);
        if self.known.len() == before {
            return Ok(());
        }
        let file = File { schema: 1, known: self.known.clone() };
        let malformed = |e: serde_json::Error| HomeError::Malformed {
            path: self.path.clone(),
            what: e.to_string(),
        };
        write_private(&self.path, &serde_json::to_vec(&file).map_err(malformed)?)
    }
}

/// Something to be passed, and where to.
struct Upward {
    name: Digest,
    route: &'static str,
    body: Vec<u8>,
}

fn upward(envelope: &Envelope, route: &'static str) -> Upward {
    let body = envelope.to_json();
    Upward { name: Digest::of(&body), route, body }
}

/// Passes for as long as the host is there.
pub(super) async fn pass(host: Weak<Host>, feed: Arc<Feed>) {
    let mut pause = PAUSE_MIN;
    loop {
        let Some(strong) = host.upgrade() else { return };
        let waits = waiting(&strong, &feed);
        drop(strong);
        if waits.is_empty() {
            feed.kills.notified().await;
            continue;
        }
        if all(&feed, waits).await {
            pause = PAUSE_MIN;
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE_MAX),
            () = feed.kills.notified() => pause = PAUSE_MIN,
        }
    }
}

fn waiting(host: &Host, feed: &Feed) -> Vec<Upward> {
    let kills = host.kills();
    let documents = kills.documents();
    let receipts = kills.all_receipts();
    let passed = feed.passed.lock();
    let documents = documents.iter().map(|it| upward(it, route::KILLS));
    let all = documents.chain(receipts.iter().map(|it| upward(it, route::KILL_RECEIPTS)));
    all.filter(|it| !passed.known.contains(&it.name)).collect()
}

/// Sends each; whether all of them were taken. One that is refused does not keep the others.
async fn all(feed: &Feed, waits: Vec<Upward>) -> bool {
    let (mut taken, mut complete) = (Vec::new(), true);
    for Upward { name, route, body } in waits {
        match feed.client.post(route, body).await {
            Ok(_) => taken.push(name),
            Err(error) => {
                complete = false;
                tracing::warn!(%error, %route, "the server did not take what was passed upward");
                if error.status().is_none() {
                    break;
                }
            }
        }
    }
    note(feed, taken);
    complete
}

fn note(feed: &Feed, taken: Vec<Digest>) {
    let noted = tokio::task::block_in_place(|| feed.passed.lock().add(taken));
    if let Err(error) = noted {
        tracing::error!(%error, "what was passed upward is not written down: it is sent again");
    }
}

impl Host {
    /// Takes a kill document that the server passed on. One that nobody here may sign changes nothing: the feed
    /// cannot say who operates this host.
    pub(super) async fn take_notice(self: &Arc<Self>, notice: &KillNotice) {
        let document = notice.envelope.clone().into_bytes();
        if let Err(error) = self.kill_relayed(document).await {
            tracing::error!(%error, "a kill document of the feed is not taken");
        }
        let Some(feed) = self.feed() else { return };
        let Ok(given) = Envelope::from_json(notice.envelope.as_bytes()) else { return };
        let payload = given.unverified_payload();
        let kept = self.kills().documents();
        // The server knows what is kept here if it knows every signature of it.
        let known = |kept: &Envelope| kept.key_ids().all(|id| given.key_ids().any(|it| it == id));
        let same = kept.iter().filter(|kept| kept.unverified_payload() == payload && known(kept));
        note(feed, same.map(|kept| Digest::of(&kept.to_json())).collect());
    }
}
