//! Whether anything is under way on a connection: from the head of a request to the end of its answer's body. A
//! connection on which nothing is for a while has no use of its place.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use tokio::sync::watch;

/// Counts the requests that are under way.
#[derive(Debug, Clone)]
pub(super) struct Pulse(watch::Sender<usize>);

/// A request that is under way until this is dropped.
#[derive(Debug)]
pub(super) struct Beat(watch::Sender<usize>);

impl Pulse {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    pub(super) fn beat(&self) -> Beat {
        self.0.send_modify(|count| *count += 1);
        Beat(self.0.clone())
    }

    /// Ready once nothing has been under way for so long.
    pub(super) async fn stops(&self, quiet: Duration) {
        let mut count = self.0.subscribe();
        loop {
            let silent = *count.borrow_and_update() == 0;
            // The sender is ours: it does not go away while we wait.
            let changed = count.changed();
            if !silent {
                let _ = changed.await;
            } else if tokio::time::timeout(quiet, changed).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// The body of an answer, with the request that it ends.
#[derive(Debug)]
pub(super) struct Answering {
    pub(super) body: Body,
    pub(super) _beat: Beat,
}

impl http_body::Body for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn what_is_under_way_is_never_quiet_however_long_it_takes() {
        let pulse = Pulse::new();
        let (first, second) = (pulse.beat(), pulse.beat());
        let stops = tokio::time::timeout(QUIET * 5, pulse.stops(QUIET)).await;
        assert!(stops.is_err(), "two are under way");
        drop(first);
        let stops = tokio::time::timeout(QUIET * 5, pulse.stops(QUIET)).await;
        assert!(stops.is_err(), "one is under way");
        drop(second);
        pulse.stops(QUIET).await;
    }
}
