//! Reading the feed: what comes next is asked for, judged, written down, and handed on to be applied.
//!
//! Kills and revocations work the moment they are read, before anything is fetched for what stands beside
//! them. A batch that does not follow is answered by asking for everything; a head that goes back, or an epoch
//! that rises without the root's word, is refused and told.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use soma_capsule::key::PublicKey;
use soma_policy::feed::{Batch, FeedHead, Snapshot, WAIT_MAX_MS};
use tokio::sync::mpsc::Sender;

use super::following::Feed;
use super::held::{Held, Touched};
use super::signed::{News, SNAPSHOT_BYTES_MAX};
use super::{FeedError, Request, route};
use crate::host::Host;

/// How much longer than the server holds an answer back an answer may take.
const GRACE: Duration = Duration::from_secs(10);
/// A snapshot of many installations takes its time.
const WHOLE_WITHIN: Duration = Duration::from_secs(120);
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What is to be applied next.
pub(super) struct Step {
    pub(super) held: Arc<Held>,
    pub(super) touched: Touched,
}

/// Reads for as long as the host is there.
pub(super) async fn read(host: Weak<Host>, feed: Arc<Feed>, steps: Sender<Step>) {
    // What an earlier run was told stands before anything else is asked.
    if let Some(host) = host.upgrade() {
        let held = feed.applied();
        for notice in held.kills() {
            host.take_notice(notice).await;
        }
        host.withdraw_tokens(held.withdrawn(host.clock().now()));
        host.learn_terms(held.terms().values());
        if feed.reader.lock().known {
            host.want_secrets(&held);
        }
    }
    let mut pause = PAUSE_MIN;
    loop {
        match next(&host, &feed, &steps).await {
            Ok(true) => {
                pause = PAUSE_MIN;
                feed.calm();
            }
            Ok(false) => return,
            Err(error) => {
                match &error {
                    FeedError::Unreachable(_) | FeedError::TimedOut(_) => {
                        tracing::warn!(%error, "the feed is not read");
                    }
                    _ => feed.alarm(&error),
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
}

/// Asks once, and hands on what came. False when nobody is left to apply it.
async fn next(host: &Weak<Host>, feed: &Feed, steps: &Sender<Step>) -> Result<bool, FeedError> {
    let (here, is_long) = {
        let reader = feed.reader.lock();
        (reader.known.then_some(reader.held.head), reader.disk.is_long())
    };
    let (bytes, news) = ask(feed, here.filter(|_| !is_long)).await?;
    let step = match news {
        News::Batch(batch) if batch.changes.is_empty() => {
            return Ok(host.strong_count() > 0);
        }
        News::Batch(batch) => match after(feed, &batch) {
            Ok(step) => step,
            Err(FeedError::Chain(fault)) => {
                tracing::warn!(%fault, "the feed is taken whole");
                let (bytes, news) = ask(feed, None).await?;
                let News::Snapshot(snapshot) = news else {
                    return Err(FeedError::Unfit("it gives no snapshot".to_owned()));
                };
                return whole(host, feed, steps, &bytes, &snapshot).await;
            }
            Err(error) => return Err(error),
        },
        News::Snapshot(snapshot) => return whole(host, feed, steps, &bytes, &snapshot).await,
    };
    hand_on(host, feed, steps, step, |disk, _| disk.append(&bytes)).await
}

async fn ask(feed: &Feed, after: Option<FeedHead>) -> Result<(Bytes, News), FeedError> {
    let path = route::feed(after.as_ref(), WAIT_MAX_MS);
    let wait = Duration::from_millis(WAIT_MAX_MS) + GRACE;
    let within = if after.is_some() { wait } else { WHOLE_WITHIN };
    let request = Request { within, bytes_max: SNAPSHOT_BYTES_MAX, ..Request::get(&path) };
    let bytes = feed.client.send(request).await?;
    let news = tokio::task::block_in_place(|| feed.signed.news(&bytes))?;
    Ok((bytes, news))
}

fn after(feed: &Feed, batch: &Batch) -> Result<Step, FeedError> {
    let here = Arc::clone(&feed.reader.lock().held);
    batch.check(&here.head)?;
    let (held, touched) = tokio::task::block_in_place(|| here.after(batch))?;
    Ok(Step { held: Arc::new(held), touched })
}

/// Takes a snapshot, if it may follow what was read before.
async fn whole(
    host: &Weak<Host>,
    feed: &Feed,
    steps: &Sender<Step>,
    bytes: &Bytes,
    snapshot: &Snapshot,
) -> Result<bool, FeedError> {
    let here = {
        let reader = feed.reader.lock();
        reader.known.then_some(reader.held.head)
    };
    if let Some(here) = here {
        if snapshot.head.epoch > here.epoch {
            let root = host.upgrade().map(|host| host.home().root()).transpose()?;
            let Some(root) = root else { return Ok(false) };
            raised(feed, &root, &snapshot.head).await?;
        } else {
            may_follow(&here, &snapshot.head)?;
        }
    }
    let (held, touched) = tokio::task::block_in_place(|| Held::of(snapshot))?;
    let step = Step { held: Arc::new(held), touched };
    hand_on(host, feed, steps, step, |disk, head| disk.replace(bytes, head)).await
}

/// Inside an epoch, the feed only goes forward.
fn may_follow(here: &FeedHead, there: &FeedHead) -> Result<(), FeedError> {
    let forked = |what: String| Err(FeedError::Forked(what));
    if there.epoch < here.epoch {
        return forked(format!("epoch {} came after epoch {}", there.epoch, here.epoch));
    }
    if there.n < here.n {
        return forked(format!("number {} came after number {}", there.n, here.n));
    }
    if there.n == here.n && there.hash != here.hash {
        return forked(format!("number {} is another change than before", here.n));
    }
    Ok(())
}

/// Asks for the root's word that this epoch began.
async fn raised(feed: &Feed, root: &PublicKey, head: &FeedHead) -> Result<(), FeedError> {
    let unproven = |error: FeedError| {
        let epoch = head.epoch;
        FeedError::Forked(format!("epoch {epoch} began without the root's signature: {error}"))
    };
    let bytes = feed.client.get(route::EPOCH).await.map_err(|error| match error {
        FeedError::Refused { .. } => unproven(error),
        other => other,
    })?;
    let raise = feed.signed.epoch(&bytes, root).map_err(unproven)?;
    if raise.epoch != head.epoch {
        return Err(unproven(FeedError::Unfit(format!("it is of epoch {}", raise.epoch))));
    }
    tracing::warn!(epoch = raise.epoch, "the feed began anew, by the root's word");
    Ok(())
}

/// Lets work at once what must not wait, writes down, and hands on.
async fn hand_on(
    host: &Weak<Host>,
    feed: &Feed,
    steps: &Sender<Step>,
    step: Step,
    write: impl FnOnce(&mut super::disk::Disk, &FeedHead) -> Result<(), FeedError>,
) -> Result<bool, FeedError> {
    let Some(strong) = host.upgrade() else { return Ok(false) };
    strong.feed_at_once(&step).await;
    drop(strong);
    tokio::task::block_in_place(|| {
        let mut reader = feed.reader.lock();
        if let Err(error) = write(&mut reader.disk, &step.held.head) {
            // It is followed all the same: what is not on disk is read again after a restart.
            tracing::error!(%error, "the feed is not written down");
        }
        reader.held = Arc::clone(&step.held);
        reader.known = true;
    });
    Ok(steps.send(step).await.is_ok())
}

#[cfg(test)]
mod tests {
    use soma_policy::Digest;

    use super::*;

    #[test]
    fn inside_an_epoch_a_feed_only_goes_forward() {
        let head = |epoch, n, of: &[u8]| FeedHead { epoch, hash: Digest::of(of), n };
        let here = head(2, 5, b"x");
        for there in [head(2, 5, b"x"), head(2, 6, b"y")] {
            assert!(may_follow(&here, &there).is_ok(), "{there:?}");
        }
        for there in [head(2, 4, b"x"), head(2, 5, b"y"), head(1, 9, b"x")] {
            assert!(matches!(may_follow(&here, &there), Err(FeedError::Forked(_))), "{there:?}");
        }
    }
}
