//! What the server does by itself: numbers what was committed, reads keys again, removes what has
//! ended. Each chore may fail and is tried again; none holds up a request.

use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::audit::Sequencer;
use crate::market::MarketError;
use crate::money::Checks;
use crate::releases::complete_transfers;
use crate::server::Server;
use crate::store::{PlatformScope, StoreError, sweep};

/// Between two looks at what time brings; how long a bell may be silent.
const TICK: Duration = Duration::from_secs(1);
/// Ticks between two readings of the keys, and between two sweeps.
const KEYS_EVERY: u64 = 15;
const SWEEP_EVERY: u64 = 600;
/// Ticks between two looks for replaced secrets that no host holds any more.
const SECRETS_EVERY: u64 = 30;

impl Server {
    /// Runs the chores until the server stops. Each kind has a task of its own, so that none waits for another:
    /// hosts are told of a kill while a release is rolled out, and leases come back however much is going on.
    pub(crate) async fn chores(self) {
        if let Err(error) = self.ensure_terms().await {
            tracing::warn!(%error, "the first terms could not be put");
        }
        let ended = CancellationToken::new();
        let numbering = tokio::spawn(self.clone().numbering(ended.clone()));
        let _ = tokio::join!(tokio::spawn(self.clone().moving()), tokio::spawn(self.ticking()));
        // What the last requests left is numbered before the end.
        ended.cancel();
        let _ = numbering.await;
    }

    /// Numbers what was committed, soon after it was.
    async fn numbering(self, ended: CancellationToken) {
        let mut sequencer = Sequencer::default();
        loop {
            let last = tokio::select! {
                biased;
                () = ended.cancelled() => true,
                () = self.bell.notified() => false,
                () = tokio::time::sleep(TICK) => false,
            };
            told("sequencer", sequencer.run(&self).await.map(drop));
            self.followed.notify_one();
            if last {
                return;
            }
        }
    }

    /// Goes on with installations that wait for hosts, gates or releases.
    async fn moving(self) {
        market("updates", self.note_willing().await);
        market("kills", self.follow_standing().await);
        loop {
            tokio::select! {
                () = self.stopping.cancelled() => return,
                () = self.followed.notified() => {}
                () = tokio::time::sleep(TICK) => {}
            }
            market("installations", self.settle_installations().await.map(drop));
            market("updates", self.roll_out().await.map(drop));
        }
    }

    /// What comes with time alone.
    async fn ticking(self) {
        let checks = Checks::default();
        let mut ticker = tokio::time::interval(TICK);
        ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for tick in 1u64.. {
            tokio::select! {
                () = self.stopping.cancelled() => return,
                _ = ticker.tick() => {}
            }
            if let Err(error) = self.follow_constitution().await {
                tracing::warn!(%error, "the constitution could not be read again");
            }
            self.money_chores(&checks).await;
            market("reviews", self.give_up_reviews().await.map(drop));
            self.seldom(tick).await;
        }
    }

    async fn seldom(&self, tick: u64) {
        if tick.is_multiple_of(KEYS_EVERY)
            && let Err(error) = self.reload_keys().await
        {
            tracing::warn!(%error, "the issuer's keys could not be read again");
        }
        if tick.is_multiple_of(SWEEP_EVERY) {
            market("transfers", complete_transfers(self).await.map(drop));
            told("sweep", self.sweep().await.map(drop));
        }
        if tick.is_multiple_of(SECRETS_EVERY) {
            told("secrets", self.erase_old_secrets().await.map(drop));
        }
    }

    /// Removes what has ended.
    pub(crate) async fn sweep(&self) -> Result<u64, StoreError> {
        let mut unit = self.store.platform(PlatformScope::of("sweep")).await?;
        self.forget_ended(&mut unit).await?;
        let removed = sweep(&mut unit, self.now()).await?;
        unit.commit().await?;
        Ok(removed)
    }
}

fn told(chore: &str, done: Result<(), StoreError>) {
    if let Err(error) = done {
        tracing::warn!(chore, %error, "a chore failed and will be tried again");
    }
}

fn market(chore: &str, done: Result<(), MarketError>) {
    if let Err(error) = done {
        tracing::warn!(chore, %error, "a chore failed and will be tried again");
    }
}
