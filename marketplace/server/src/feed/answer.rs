//! What a host is answered that says where it is: the changes from exactly there, or everything.

use std::time::Duration;

use bytes::Bytes;
use soma_policy::feed::{
    BATCH_CHANGES_MAX, Batch, FeedHead, Item, Snapshot, Topic, WAIT_MAX_MS, kind,
};
use soma_policy::{Digest, Millis};

use super::number::{change, place};
use super::{FeedError, SNAPSHOT_BYTES_MAX};
use crate::server::Server;
use crate::store::{ChangeRow, PlatformScope, PlatformUnit, StateRow, StoreError, Stream};

const SCOPE: PlatformScope = PlatformScope::of("feed");
/// Who is further behind takes everything at once.
const BEHIND_MAX: u64 = 10_000;
/// Bytes of payload in one batch; one change may be more.
const BATCH_BYTES_MAX: usize = 2 << 20;
/// Rows of one page of a snapshot.
const PAGE: u32 = 1000;
/// How often other processes' numbers are looked for while nothing is heard of this one's.
const LOOK: Duration = Duration::from_secs(1);

/// Where a host is; none before its first snapshot.
pub(crate) type Place = Option<FeedHead>;

/// The last snapshot that was made, signed. All hosts that ask at the same place are given the same bytes, and one is
/// made at a time: it is the largest thing that the server holds.
pub(crate) type Made = tokio::sync::Mutex<Option<(FeedHead, Bytes)>>;

/// What to answer.
enum Next {
    /// The host has everything.
    Nothing(FeedHead),
    Changes(Batch),
    Everything,
}

impl Server {
    /// The signed answer to a host at `here`, once there is something to say or the time is over.
    pub(crate) async fn feed_from(&self, here: Place, wait: Millis) -> Result<Bytes, FeedError> {
        let ends = tokio::time::Instant::now() + Duration::from_millis(wait.0.min(WAIT_MAX_MS));
        let mut numbered = self.numbered.subscribe();
        loop {
            let head = match self.next(here).await? {
                Next::Changes(batch) => return self.signed(kind::BATCH, &batch),
                Next::Everything => return self.everything().await,
                Next::Nothing(head) => head,
            };
            let look = (tokio::time::Instant::now() + LOOK).min(ends);
            tokio::select! {
                _ = numbered.changed() => {}
                () = self.stopping.cancelled() => return self.nothing(head),
                () = tokio::time::sleep_until(look) => {
                    if look == ends {
                        return self.nothing(head);
                    }
                }
            }
        }
    }

    /// That there is nothing new.
    fn nothing(&self, head: FeedHead) -> Result<Bytes, FeedError> {
        let deployment = self.deployment.clone();
        self.signed(kind::BATCH, &Batch { changes: Vec::new(), deployment, from: head, head })
    }

    async fn next(&self, here: Place) -> Result<Next, FeedError> {
        let mut unit = self.store.survey(SCOPE).await?;
        let head = head(&mut unit).await?;
        let Some(here) = here.filter(|here| here.epoch == head.epoch && here.n <= head.n) else {
            return Ok(Next::Everything);
        };
        if here == head {
            return Ok(Next::Nothing(head));
        }
        if head.n - here.n > BEHIND_MAX || !is_ours(&mut unit, &here).await? {
            return Ok(Next::Everything);
        }
        let limit = u32::try_from(BATCH_CHANGES_MAX).unwrap_or(u32::MAX);
        let rows = unit.numbered(Stream::Feed, here.n, limit).await?;
        match batch(here, &rows, &self.deployment)? {
            Some(batch) => Ok(Next::Changes(batch)),
            None => Ok(Next::Everything),
        }
    }

    /// Everything as it is at the head, signed.
    async fn everything(&self) -> Result<Bytes, FeedError> {
        let mut made = self.made.lock().await;
        let mut unit = self.store.steady(SCOPE).await?;
        let head = head(&mut unit).await?;
        if let Some((at, bytes)) = &*made
            && *at == head
        {
            return Ok(bytes.clone());
        }
        let items = items(&mut unit).await?;
        drop(unit);
        let server = self.clone();
        // Encoding and hashing of so much would keep others from this thread.
        let signing = tokio::task::spawn_blocking(move || {
            let snapshot = Snapshot { deployment: server.deployment.clone(), head, items };
            server.signed_within(kind::SNAPSHOT, &snapshot, SNAPSHOT_BYTES_MAX)
        });
        let bytes = signing.await.map_err(|_| FeedError::Signing)??;
        *made = Some((head, bytes.clone()));
        Ok(bytes)
    }
}

/// Every subject as it is.
async fn items(unit: &mut PlatformUnit) -> Result<Vec<Item>, StoreError> {
    let mut items: Vec<Item> = Vec::new();
    let mut after = (String::new(), String::new());
    loop {
        let rows = unit.states((&after.0, &after.1), PAGE).await?;
        let whole = rows.len() == PAGE as usize;
        for row in rows {
            after = (row.topic.clone(), row.subject.clone());
            items.push(item(row)?);
        }
        if !whole {
            break;
        }
    }
    // By the bytes of their names, whatever the database's collation is.
    items.sort_by(|a, b| (a.topic.as_str(), &a.subject).cmp(&(b.topic.as_str(), &b.subject)));
    Ok(items)
}

/// How far the feed is.
pub(super) async fn head(unit: &mut PlatformUnit) -> Result<FeedHead, StoreError> {
    let gone = || StoreError::Schema("the table `sequences` lacks a stream".to_owned());
    place(&unit.head(Stream::Feed).await?.ok_or_else(gone)?)
}

/// Whether a place at or below the head is one of this feed.
pub(super) async fn is_ours(unit: &mut PlatformUnit, here: &FeedHead) -> Result<bool, StoreError> {
    let hash = if here.n == 0 { Some(Digest::ZERO) } else { unit.feed_hash(here.n).await? };
    Ok(hash == Some(here.hash))
}

/// The changes behind `here` that fit into one document; none if they do not follow it, as where an epoch
/// began between them.
fn batch(
    here: FeedHead,
    rows: &[ChangeRow],
    deployment: &str,
) -> Result<Option<Batch>, StoreError> {
    let (mut head, mut changes, mut bytes) = (here, Vec::new(), 0);
    for row in rows {
        bytes += row.payload.len() + row.subject.len();
        if bytes > BATCH_BYTES_MAX && !changes.is_empty() {
            break;
        }
        let change = change(row)?;
        let Ok(next) = head.after(&change) else { return Ok(None) };
        let kept = row.link.as_ref().map(|(_, _, hash)| hash.as_str());
        if kept != Some(next.hash.to_string().as_str()) {
            return Ok(None);
        }
        head = next;
        changes.push(change);
    }
    Ok(Some(Batch { changes, deployment: deployment.to_owned(), from: here, head }))
}

fn item(row: StateRow) -> Result<Item, StoreError> {
    let corrupt = |column, expected| StoreError::Corrupt { column, expected };
    let topic = Topic::named(&row.topic).ok_or_else(|| corrupt("topic", "a topic of the feed"))?;
    let payload = serde_json::from_str(&row.payload).map_err(|_| corrupt("payload", "JSON"))?;
    Ok(Item { payload, subject: row.subject, topic })
}
