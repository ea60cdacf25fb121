//! Asking the server for what is missing: a few at a time, off the path of every call, again until it is there.

use std::sync::{Arc, Weak};
use std::time::Duration;

use soma_policy::feed::{Secrets, kind};
use tokio::sync::watch;

use super::{FeedSecrets, Wanted};
use crate::feed::{FeedClient, FeedError};

/// Where a host asks.
const PATH: &str = "/v1/feed/secrets";
/// Secrets of one request: what the server answers at most.
const ASKS_MAX: usize = 16;
/// How long after a failure it asks again: at first, and at most.
const AGAIN: Duration = Duration::from_millis(500);
const AGAIN_MAX: Duration = Duration::from_secs(30);

impl FeedSecrets {
    /// From now on these are wanted. What follows is [`follow`]'s.
    pub(crate) fn want(&self, wanted: Wanted) {
        self.wanted.send_if_modified(|before| {
            let other = before.as_ref() != Some(&wanted);
            if other {
                *before = Some(wanted);
            }
            other
        });
    }

    /// Erases what is not wanted any more and asks for what is missing; whether all of it is there then.
    ///
    /// # Errors
    /// When the server is not reached, its answer does not count, or a value cannot be written.
    pub(crate) async fn fetch(
        &self,
        client: &FeedClient,
        wanted: &Wanted,
    ) -> Result<bool, FeedError> {
        for asks in self.asks(wanted)?.chunks(ASKS_MAX) {
            let body = serde_json::to_vec(asks).map_err(FeedError::system("the request"))?;
            let answer = client.post(PATH, body).await?;
            let sent: Secrets = client.read(kind::SECRETS, &answer)?;
            self.take(wanted, sent)?;
        }
        Ok(self.asks(wanted)?.is_empty())
    }
}

/// Follows what is wanted until the host is gone. Before anything was wanted, nothing is erased: a host that has
/// not heard from its server yet keeps what it has.
pub(crate) async fn follow(secrets: Weak<FeedSecrets>, client: Arc<FeedClient>) {
    let Some(mut news) = secrets.upgrade().map(|it| it.wanted.subscribe()) else { return };
    news.mark_changed();
    loop {
        if news.changed().await.is_err() {
            return;
        }
        let mut again = AGAIN;
        while !settled(&secrets, &client, &mut news).await {
            tokio::select! {
                changed = news.changed() => {
                    if changed.is_err() { return }
                    news.mark_changed();
                    break;
                }
                () = tokio::time::sleep(again) => again = AGAIN_MAX.min(again * 2),
            }
        }
    }
}

/// Whether there is nothing left to do for now.
async fn settled(
    secrets: &Weak<FeedSecrets>,
    client: &FeedClient,
    news: &mut watch::Receiver<Option<Wanted>>,
) -> bool {
    let Some(wanted) = news.borrow_and_update().clone() else { return true };
    let Some(secrets) = secrets.upgrade() else { return true };
    match secrets.fetch(client, &wanted).await {
        Ok(all) => all,
        Err(error) => {
            tracing::warn!(%error, "secrets are not here yet and will be asked for again");
            false
        }
    }
}
