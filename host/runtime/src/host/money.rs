//! Two loops between this host and its server that are about money: leases ahead of need, and the journal on its
//! way up. Neither lies on the path of a call, and neither keeps a host open that everybody else let go.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Weak};
use std::time::Duration;

use soma_capsule::crash_point;
use soma_policy::feed::{HostRole, JournalAck, JournalPush, LeaseAnswer, LeaseWishes, kind};
use tokio::time::{Instant, sleep, sleep_until};

use super::Host;
use crate::feed::{Feed, FeedClient, FeedError, nonce};
use crate::journal::{Journal, JournalError};
use crate::push::{Progress, Push, PushError};

const LEASES: &str = "/v1/feed/leases";
const JOURNAL: &str = "/v1/feed/journal";
/// The server is asked at least this often: it is how recalls are heard.
const POLL: Duration = Duration::from_secs(3);
/// Leases are looked through at most this often, however many calls find too little.
const ROUND: Duration = Duration::from_millis(50);
/// What became durable is sent this much later, so that one request takes much.
const GATHER: Duration = Duration::from_millis(200);

/// Starts the loops; they end with the host.
pub(super) fn start(host: &Arc<Host>) {
    let Some(feed) = host.feed() else { return };
    // What reviews or hands calls on has no tenants.
    if feed.role() != HostRole::Host {
        return;
    }
    host.control().spawn(leases(Arc::downgrade(host), Arc::clone(feed)));
    host.control().spawn(journal(Arc::downgrade(host), Arc::clone(feed)));
}

/// How long to wait after failures: a second, doubled up to half a minute.
#[derive(Debug, Default)]
struct Pace(u32);

impl Pace {
    fn failed(&mut self) -> Duration {
        let wait = Duration::from_secs(1 << self.0.min(5)).min(Duration::from_secs(30));
        self.0 = self.0.saturating_add(1);
        wait
    }
}

async fn leases(host: Weak<Host>, feed: Arc<Feed>) {
    feed.reported().await;
    let client = feed.client();
    let Some(bell) = host.upgrade().and_then(|host| host.leases.bell()) else { return };
    let (mut pace, mut polled) = (Pace::default(), None::<Instant>);
    loop {
        let began = Instant::now();
        let Some(strong) = host.upgrade() else { return };
        let asked = strong.wishes().await;
        drop(strong);
        let due = polled.is_none_or(|polled| polled.elapsed() >= POLL);
        let mut wait = POLL;
        match asked {
            Ok(None) => return,
            Ok(Some(asked)) if due || !(asked.wishes.is_empty() && asked.closes.is_empty()) => {
                polled = Some(began);
                let answer = ask(client, &asked).await;
                let Some(host) = host.upgrade() else { return };
                match answer {
                    // What it asks back may be closed at once.
                    Ok(answer) => {
                        if !answer.leases.is_empty() {
                            crash_point!("host.lease.given");
                        }
                        host.leases.answered(&asked, answer);
                        (pace, wait) = (Pace::default(), ROUND);
                    }
                    Err(error) => {
                        host.leases_refused(&asked, &error);
                        drop(host);
                        sleep(pace.failed()).await;
                        wait = Duration::ZERO;
                    }
                }
            }
            Ok(Some(_)) => {}
            Err(error) => {
                tracing::error!(%error, "no leases are kept: the journal stopped");
                sleep(pace.failed()).await;
            }
        }
        tokio::select! {
            () = bell.notified() => {}
            () = sleep(wait) => {}
        }
        sleep_until(began + ROUND).await;
    }
}

async fn ask(client: &FeedClient, asked: &LeaseWishes) -> Result<LeaseAnswer, FeedError> {
    let body = serde_json::to_vec(asked).map_err(FeedError::system("the wishes"))?;
    let answer = client.post(LEASES, body).await?;
    client.read(kind::LEASES, &answer)
}

impl Host {
    /// Why the journal does not go up to the server; none while it does, or without one.
    #[must_use]
    pub fn push_fault(&self) -> Option<Arc<String>> {
        self.push_fault.load_full()
    }

    async fn wishes(&self) -> Result<Option<LeaseWishes>, JournalError> {
        let snapshot = self.snapshot();
        let running = snapshot.entries().filter_map(|entry| entry.running.as_ref());
        self.leases.ask(running, |key| snapshot.running(key).is_some()).await
    }

    fn leases_refused(&self, asked: &LeaseWishes, error: &FeedError) {
        tracing::warn!(%error, "leases: the server is asked again");
        // It understood the request and will refuse it again.
        if matches!(error.status(), Some(400 | 404 | 409 | 422)) {
            self.leases.refused(asked);
        }
    }
}

/// Why the journal does not go up.
#[derive(Debug, thiserror::Error)]
enum Halt {
    #[error(transparent)]
    Push(#[from] PushError),
    #[error(transparent)]
    Feed(#[from] FeedError),
}

/// What a round came to.
enum Sent {
    More,
    Nothing,
    /// The server takes no more for now, or everything is there.
    Waits,
    /// The host is gone.
    Over,
}

async fn journal(host: Weak<Host>, feed: Arc<Feed>) {
    feed.reported().await;
    let client = feed.client();
    let Some(mut durable) = host.upgrade().map(|host| host.journal.durable()) else { return };
    let (mut push, mut pace) = (Push::default(), Pace::default());
    loop {
        durable.mark_unchanged();
        match round(&mut push, &host, client).await {
            Ok(Sent::Over) => return,
            Ok(Sent::More) => {
                pace = Pace::default();
                note(&host, None);
            }
            Ok(Sent::Waits) => sleep(pace.failed()).await,
            Ok(Sent::Nothing) => {
                pace = Pace::default();
                note(&host, None);
                // An error: the writer is gone. What was durable by then is sent after the next start.
                if durable.changed().await.is_err() {
                    return;
                }
                sleep(GATHER).await;
            }
            Err(halt) => {
                tell(&halt);
                note(&host, Some(&halt));
                sleep(pace.failed()).await;
            }
        }
    }
}

/// Keeps what `/ready` says of it.
fn note(host: &Weak<Host>, halt: Option<&Halt>) {
    if let Some(host) = host.upgrade() {
        host.push_fault.store(halt.map(|halt| Arc::new(halt.to_string())));
    }
}

fn tell(halt: &Halt) {
    match halt {
        Halt::Feed(error) => tracing::warn!(%error, "the journal is sent again later"),
        // Somebody has to look: what the server holds and what lies here are not the same journal.
        Halt::Push(error) => {
            tracing::error!(code = %error.code(), %error, "the journal is not sent");
        }
    }
}

async fn round(push: &mut Push, host: &Weak<Host>, client: &FeedClient) -> Result<Sent, Halt> {
    let Some((back, due)) = on_disk(host, push.clone(), |push, journal| push.due(journal)).await
    else {
        return Ok(Sent::Over);
    };
    *push = back;
    let Some(mut sent) = due? else { return Ok(Sent::Nothing) };
    sent.nonce = nonce()?;
    let ack = match send(client, &sent).await {
        Err(error) if error.status() == Some(413) => {
            push.smaller();
            return Err(error.into());
        }
        ack => ack?,
    };
    let taken = on_disk(host, push.clone(), move |push, journal| push.acked(journal, &sent, &ack));
    let Some((back, progress)) = taken.await else { return Ok(Sent::Over) };
    *push = back;
    Ok(match progress? {
        Progress::More => Sent::More,
        Progress::None => Sent::Waits,
    })
}

async fn send(client: &FeedClient, push: &JournalPush) -> Result<JournalAck, FeedError> {
    let body = serde_json::to_vec(push).map_err(FeedError::system("the push"))?;
    // The first request of a run only asks for the place.
    if !push.records.is_empty() {
        crash_point!("host.push.due");
    }
    let answer = client.post(JOURNAL, body).await?;
    if !push.records.is_empty() {
        crash_point!("host.push.taken");
    }
    // What it says is taken may be pruned here: nobody but the server may say so.
    client.read(kind::ACK, &answer)
}

/// Works on the journal's files on a thread that may wait, and lets the journal go afterwards. `None` when the
/// host is gone.
async fn on_disk<T: Send + 'static>(
    host: &Weak<Host>,
    mut push: Push,
    work: impl FnOnce(&mut Push, &Journal) -> T + Send + 'static,
) -> Option<(Push, T)> {
    let journal = host.upgrade()?.journal.clone();
    let done = tokio::task::spawn_blocking(move || {
        let done = work(&mut push, &journal);
        (push, done)
    });
    done.await.ok()
}
