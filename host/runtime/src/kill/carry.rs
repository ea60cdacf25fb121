//! Carrying out an order: cut what runs, and see it end.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use soma_policy::{CallId, InstallationKey, KillSet, KillSubject, OrderId};

use super::receipt::{Micros, StoppedCall};
use crate::clock::Clock;

/// A running call, as far as an order is concerned.
pub(crate) struct Target {
    pub(crate) call: CallId,
    pub(crate) installation: InstallationKey,
    pub(crate) function: String,
    pub(crate) subject: KillSubject,
    /// Cuts the call; true if this cut is the one that ended it.
    pub(crate) cut: Box<dyn Fn(OrderId) -> bool + Send + Sync>,
    /// Ready once nothing of the guest runs any more.
    pub(crate) joined: BoxFuture<'static, ()>,
    /// Blocking operations still under way.
    pub(crate) draining: Box<dyn Fn() -> u32 + Send + Sync>,
}

/// Cuts those of the targets that the order is about; returns the ones whose end this was.
pub(super) fn cut(targets: Vec<Target>, orders: &KillSet) -> Vec<Target> {
    let stopped = |target: &Target| orders.judge(&target.subject).is_some_and(&target.cut);
    targets.into_iter().filter(stopped).collect()
}

/// Waits until the cut calls have ended, for as long as `patience`.
pub(super) async fn join(
    targets: Vec<Target>,
    clock: &dyn Clock,
    since: Duration,
    patience: Duration,
) -> Vec<StoppedCall> {
    let mut calls = Vec::with_capacity(targets.len());
    let mut open = FuturesUnordered::new();
    for (index, target) in targets.into_iter().enumerate() {
        let Target { call, installation, function, joined, draining, .. } = target;
        calls.push((
            StoppedCall { call, draining: 0, function, installation, stopped_us: None },
            draining,
        ));
        open.push(async move {
            joined.await;
            index
        });
    }
    let ended = async {
        while let Some(index) = open.next().await {
            if let Some((call, _)) = calls.get_mut(index) {
                call.stopped_us = Some(micros(clock.monotonic().saturating_sub(since)));
            }
        }
    };
    // Whoever has not ended by then is listed as such.
    let _ = tokio::time::timeout(patience, ended).await;
    drop(open);
    let counted = |(call, draining): (StoppedCall, Box<dyn Fn() -> u32 + Send + Sync>)| {
        StoppedCall { draining: draining(), ..call }
    };
    calls.into_iter().map(counted).collect()
}

fn micros(span: Duration) -> Micros {
    Micros(u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
}
