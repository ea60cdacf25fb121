//! Numbers what was committed: audit entries, changes for hosts, events for subscribers.
//!
//! It takes a fence per stream and works under it; whoever takes the fence later shuts it out. A
//! batch and the head that it moves are one transaction, so a number is given once and never skipped.

use std::collections::BTreeMap;

use soma_capsule::crash_point;
use soma_policy::{Digest, Timestamp};

use super::chain;
use super::checkpoint::{self, HostHead, Signed};
use crate::server::Server;
use crate::store::{Checkpoint, Head, PAGE_MAX, PlatformScope, PlatformUnit, StoreError, Stream};

const SCOPE: PlatformScope = PlatformScope::of("sequencer");
/// Rows of one transaction.
const BATCH: u32 = 500;
/// A head is signed after so many entries, or so much time.
const CHECKPOINT_ENTRIES: u64 = 1000;
const CHECKPOINT_MS: u64 = 10_000;
/// Journals that one signed head names.
const HOSTS_MAX: usize = 10_000;

/// What one worker holds.
#[derive(Debug, Default)]
pub(crate) struct Sequencer {
    fences: BTreeMap<Stream, u64>,
    signed: Option<(u64, Timestamp)>,
}

impl Sequencer {
    /// Numbers everything that waits, and says how many rows that were.
    pub(crate) async fn run(&mut self, server: &Server) -> Result<u64, StoreError> {
        let mut numbered = 0;
        let mut before = None;
        // In turns, hosts first: much of one kind does not hold up the others.
        while before != Some(numbered) {
            before = Some(numbered);
            for stream in [Stream::Feed, Stream::Audit, Stream::Outbox] {
                if waits(server, stream).await? {
                    numbered += self.batch(server, stream).await?.unwrap_or_default();
                }
            }
        }
        self.sign_if_due(server).await?;
        Ok(numbered)
    }

    /// One transaction: none if another worker has the fence now.
    async fn batch(&mut self, server: &Server, stream: Stream) -> Result<Option<u64>, StoreError> {
        let mut unit = server.store.platform(SCOPE).await?;
        let fence = match self.fences.get(&stream) {
            Some(fence) => *fence,
            None => unit.take_fence(stream).await?,
        };
        let Some(head) = unit.hold(stream, fence).await? else {
            self.fences.remove(&stream);
            return Ok(None);
        };
        let (count, head) = match stream {
            Stream::Audit => entries(&mut unit, head).await?,
            Stream::Feed => crate::feed::number(&mut unit, head, BATCH).await?,
            Stream::Outbox => changes(&mut unit, stream, head).await?,
        };
        unit.move_head(stream, fence, head.seq, &head.hash).await?;
        crash_point!("server.sequencer.numbered");
        unit.commit().await?;
        crash_point!("server.sequencer.committed");
        if stream == Stream::Feed {
            server.numbered.send_replace(head.seq);
        }
        self.fences.insert(stream, fence);
        Ok(Some(count))
    }

    async fn sign_if_due(&mut self, server: &Server) -> Result<(), StoreError> {
        let mut unit = server.store.survey(SCOPE).await?;
        let Some(head) = unit.head(Stream::Audit).await? else { return Ok(()) };
        drop(unit);
        let (seq, at) = self.signed.unwrap_or((0, Timestamp(0)));
        let due = head.seq >= seq + CHECKPOINT_ENTRIES
            || (head.seq > seq && server.now().since(at).0 >= CHECKPOINT_MS);
        if due { self.sign(server, &head).await } else { Ok(()) }
    }

    /// Signs a head and keeps it in the database and outside of it.
    async fn sign(&mut self, server: &Server, head: &Head) -> Result<(), StoreError> {
        let at = server.now();
        let broken = |expected| StoreError::Corrupt { column: "head", expected };
        let mut unit = server.store.survey(SCOPE).await?;
        let hosts = hosts(&mut unit).await?;
        drop(unit);
        let document = Signed {
            at,
            deployment: server.deployment.clone(),
            head: head.hash.parse::<Digest>().map_err(|_| broken("a digest"))?,
            hosts,
            seq: head.seq,
        };
        let line = checkpoint::sign(&document, &server.audit_key);
        let line = line.ok_or_else(|| broken("what can be signed"))?;
        let mut unit = server.store.platform(SCOPE).await?;
        let row = Checkpoint { seq: head.seq, head: head.hash.clone(), at, envelope: line.clone() };
        unit.insert_checkpoint(&row).await?;
        unit.commit().await?;
        crash_point!("server.checkpoint.committed");
        let path = server.checkpoints.clone();
        let kept = tokio::task::spawn_blocking(move || checkpoint::keep(&path, &line)).await;
        match kept {
            Ok(Ok(())) => self.signed = Some((head.seq, at)),
            Ok(Err(error)) => {
                tracing::error!(%error, "a signed head could not be kept outside of the database");
            }
            Err(error) => tracing::error!(%error, "a signed head could not be kept"),
        }
        Ok(())
    }
}

/// The journals of hosts as they were reported last; those of retired hosts too, as they prove something.
async fn hosts(unit: &mut PlatformUnit) -> Result<Vec<HostHead>, StoreError> {
    let mut heads = Vec::new();
    let mut after = String::new();
    loop {
        let page = unit.hosts(&after, PAGE_MAX).await?;
        let Some(last) = page.last() else { return Ok(heads) };
        after = last.host.to_string();
        heads.extend(page.iter().filter_map(|row| {
            let (journal, seq) = (row.journal?, row.journal_seq);
            Some(HostHead { head: row.journal_head, host: row.host, journal, seq })
        }));
        if heads.len() >= HOSTS_MAX {
            heads.truncate(HOSTS_MAX);
            tracing::warn!(hosts = HOSTS_MAX, "a signed head names no more journals than these");
            return Ok(heads);
        }
    }
}

async fn waits(server: &Server, stream: Stream) -> Result<bool, StoreError> {
    let mut unit = server.store.survey(SCOPE).await?;
    Ok(match stream {
        Stream::Audit => !unit.unchained(1).await?.is_empty(),
        Stream::Feed | Stream::Outbox => !unit.unnumbered(stream, 1).await?.is_empty(),
    })
}

async fn entries(unit: &mut PlatformUnit, mut head: Head) -> Result<(u64, Head), StoreError> {
    let rows = unit.unchained(BATCH).await?;
    for row in &rows {
        let link = chain::link(row, head.seq + 1, &head.hash);
        unit.chain(row, &link).await?;
        head = Head { seq: link.seq, hash: link.hash, epoch: head.epoch };
    }
    Ok((rows.len() as u64, head))
}

async fn changes(
    unit: &mut PlatformUnit,
    stream: Stream,
    mut head: Head,
) -> Result<(u64, Head), StoreError> {
    let rows = unit.unnumbered(stream, BATCH).await?;
    for row in &rows {
        let (seq, prev) = (head.seq + 1, head.hash);
        let hash = chain::delta(row, head.epoch, seq, &prev);
        unit.number(row, seq, &prev, &hash).await?;
        head = Head { seq, hash, epoch: head.epoch };
    }
    Ok((rows.len() as u64, head))
}
