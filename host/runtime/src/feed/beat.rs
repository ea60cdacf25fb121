//! The heartbeat: what this host reports, and what the server's answer over a fresh nonce is worth.

use std::sync::{Arc, Weak};
use std::time::Duration;

use soma_policy::feed::{FeedHead, HostReport, NotRunning};
use soma_policy::{Code, Digest};
use tokio::time::MissedTickBehavior;

use super::following::Feed;
use super::proof::nonce;
use super::{FeedError, Request, route};
use crate::host::Host;
use crate::installations::Snapshot;

/// How often the server is asked.
const EVERY: Duration = Duration::from_secs(2);
/// An answer that takes longer is not waited for: the next nonce is worth more.
const WITHIN: Duration = Duration::from_secs(5);
/// What happens within this moment is reported together.
const GATHER: Duration = Duration::from_millis(5);
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Revisions that one report names.
const NOT_RUNNING_MAX: usize = 256;

/// Asks for as long as the host is there.
pub(super) async fn beat(host: Weak<Host>, feed: Arc<Feed>) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = feed.report.notified() => tokio::time::sleep(GATHER).await,
        }
        let Some(host) = host.upgrade() else { return };
        match once(&host, &feed).await {
            Ok(()) => {}
            Err(error @ FeedError::Forked(_)) => feed.alarm(&error),
            Err(error) => tracing::warn!(%error, "no heartbeat"),
        }
    }
}

async fn once(host: &Arc<Host>, feed: &Feed) -> Result<(), FeedError> {
    let (applied, nonce) = (feed.applied().head, nonce()?);
    let report = report(host, feed, applied, &nonce)?;
    let body = serde_json::to_vec(&report).map_err(FeedError::system("the report"))?;
    // It counts from here, however long the answer takes.
    let sent = host.clock().monotonic();
    let request = Request {
        within: WITHIN,
        bytes_max: ANSWER_BYTES_MAX,
        ..Request::post(route::HEARTBEAT, body)
    };
    let answer = feed.client.send(request).await.map_err(forked);
    let beat = answer.and_then(|bytes| feed.signed.heartbeat(&bytes, feed.host, &nonce));
    // A feed that contradicts what was applied is told after the report was judged.
    if matches!(beat, Ok(_) | Err(FeedError::Forked(_))) {
        feed.heard();
    }
    let beat = beat.inspect_err(|_| feed.found.lock().checks.extend(report.checks))?;
    must_follow(&applied, &beat.head)?;
    feed.fresh.heard(sent, beat.head, &feed.applied().head);
    Ok(())
}

/// A server that cannot say that what was applied is its own feed says so by this code.
fn forked(error: FeedError) -> FeedError {
    match &error {
        FeedError::Refused { code, detail, .. } if code == Code::FeedForked.entry().id => {
            FeedError::Forked(format!("the server does not know what was applied: {detail}"))
        }
        _ => error,
    }
}

/// The feed is as far as what was applied when it was asked, or farther. A new epoch is the reader's to judge.
fn must_follow(applied: &FeedHead, head: &FeedHead) -> Result<(), FeedError> {
    let back = head.epoch < applied.epoch || (head.epoch == applied.epoch && head.n < applied.n);
    let other = head.epoch == applied.epoch && head.n == applied.n && head.hash != applied.hash;
    if back || other {
        let what = format!(
            "the server is at number {} of epoch {}, here is number {} of epoch {}",
            head.n, head.epoch, applied.n, applied.epoch
        );
        return Err(FeedError::Forked(what));
    }
    Ok(())
}

fn report(host: &Host, feed: &Feed, head: FeedHead, nonce: &str) -> Result<HostReport, FeedError> {
    let journal = host.journal();
    let (journal_seq, journal_head) = tokio::task::block_in_place(|| last(host))?;
    // On a line of its own: the lock is taken again below.
    let checks = std::mem::take(&mut feed.found.lock().checks);
    let running = u32::try_from(host.calls().running().len()).unwrap_or(u32::MAX);
    Ok(HostReport {
        boot: host.boot(),
        checks,
        head,
        journal: journal.id(),
        journal_head,
        journal_seq,
        nonce: nonce.to_owned(),
        not_running: not_running(&host.snapshot(), feed),
        running,
    })
}

/// The last durable record of the journal.
fn last(host: &Host) -> Result<(u64, Digest), FeedError> {
    let journal = host.journal();
    let seq = *journal.durable().borrow();
    if seq == 0 {
        return Ok((0, Digest::ZERO));
    }
    let page = journal.read(seq, 1).map_err(FeedError::system("the journal"))?;
    let line = page.records.first();
    line.map(|line| (line.seq, line.hash))
        .ok_or_else(|| FeedError::system("the journal")(format!("record {seq} is not to be read")))
}

/// What does not run here, and why.
fn not_running(snapshot: &Snapshot, feed: &Feed) -> Vec<NotRunning> {
    let mut list = Vec::new();
    let found = feed.found.lock();
    for entry in snapshot.entries() {
        // That it runs elsewhere the server knows: it is no fault of this host.
        let told = entry.refused.iter().filter(|it| it.problem.code != Code::ResidencyRegion);
        for refused in told {
            let words = refused.problem.what.clone();
            list.push((&entry.key, refused.revision, refused.problem.code, words));
        }
        let candidate = entry.candidate.as_ref().map(|candidate| &candidate.installation);
        for it in entry.running.iter().chain(candidate) {
            if let Some((code, words)) = found.broken.get(&it.digest) {
                list.push((&entry.key, it.revision, *code, words.clone()));
            }
        }
        if list.len() >= NOT_RUNNING_MAX {
            break;
        }
    }
    list.truncate(NOT_RUNNING_MAX);
    let each = list.into_iter().map(|(key, revision, code, words)| NotRunning {
        code,
        key: key.clone(),
        revision,
        words: words.chars().take(400).collect(),
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_behind_what_it_gave_is_not_believed() {
        let head = |epoch, n, of: &[u8]| FeedHead { epoch, hash: Digest::of(of), n };
        let applied = head(1, 5, b"x");
        for good in [head(1, 5, b"x"), head(1, 6, b"y"), head(2, 0, b"z")] {
            assert!(must_follow(&applied, &good).is_ok(), "{good:?}");
        }
        for bad in [head(1, 4, b"x"), head(1, 5, b"y"), head(0, 9, b"x")] {
            assert!(matches!(must_follow(&applied, &bad), Err(FeedError::Forked(_))), "{bad:?}");
        }
    }
}
