//! Numbers committed changes and moves the state of their subjects with them, in one transaction.

use serde_json::Value;
use soma_policy::feed::{Change, FeedHead, Topic};

use crate::store::{ChangeRow, Head, PlatformUnit, StateRow, StoreError, Stream};

/// A row as hosts are told it.
pub(crate) fn change(row: &ChangeRow) -> Result<Change, StoreError> {
    let corrupt = |column, expected| StoreError::Corrupt { column, expected };
    let topic = Topic::named(&row.topic).ok_or_else(|| corrupt("topic", "a topic of the feed"))?;
    let payload = serde_json::from_str(&row.payload).map_err(|_| corrupt("payload", "JSON"))?;
    Ok(Change { at: row.at, payload, subject: row.subject.clone(), topic })
}

/// The head as hosts know it.
pub(super) fn place(head: &Head) -> Result<FeedHead, StoreError> {
    let corrupt = |_| StoreError::Corrupt { column: "head", expected: "a digest" };
    Ok(FeedHead { epoch: head.epoch, hash: head.hash.parse().map_err(corrupt)?, n: head.seq })
}

/// Numbers what waits, up to `limit`, behind `head`; returns how many that were and the new head.
pub(crate) async fn number(
    unit: &mut PlatformUnit,
    head: Head,
    limit: u32,
) -> Result<(u64, Head), StoreError> {
    let rows = unit.unnumbered(Stream::Feed, limit).await?;
    let mut here = place(&head)?;
    for row in &rows {
        let change = change(row)?;
        let full = |_| StoreError::Corrupt { column: "payload", expected: "what has a hash" };
        let next = here.after(&change).map_err(full)?;
        unit.number(row, next.n, &here.hash.to_string(), &next.hash.to_string()).await?;
        keep(unit, row, &change, next.n).await?;
        here = next;
    }
    let head = Head { seq: here.n, hash: here.hash.to_string(), epoch: here.epoch };
    Ok((rows.len() as u64, head))
}

/// The subject is so from now on, or gone. An order, a lift, a revoked release never go.
async fn keep(
    unit: &mut PlatformUnit,
    row: &ChangeRow,
    change: &Change,
    n: u64,
) -> Result<(), StoreError> {
    match (&change.payload, change.topic) {
        (Value::Null, Topic::Kill | Topic::Constitution | Topic::Release) => Ok(()),
        (Value::Null, _) => unit.drop_state(&row.topic, &row.subject).await,
        _ => {
            let (topic, subject) = (row.topic.clone(), row.subject.clone());
            unit.keep_state(&StateRow { topic, subject, payload: row.payload.clone(), n }).await
        }
    }
}
