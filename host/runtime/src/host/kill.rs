//! The kill switch, put to this host's running calls.

use std::sync::Arc;
use std::task::Poll;

use futures::FutureExt as _;
use soma_policy::{InstallationKey, KillScope, KillSubject, OrderId};

use super::Host;
use crate::kill::{Accepted, Came, KillRefusal, Radius, Target};
use crate::running::{Cut, Running};

impl Host {
    /// Takes a signed kill document (order, further signature, lift) and carries it out. Runs on the
    /// control threads, whoever calls.
    ///
    /// # Errors
    /// When the document is not what it should be; nothing has changed then.
    pub async fn kill(self: &Arc<Self>, document: Vec<u8>) -> Result<Accepted, KillRefusal> {
        let host = self.clone();
        let work = async move { host.carry_out(&document, Came::Submitted).await };
        let done = match self.control().spawn(work).await {
            Ok(done) => done,
            // A panic of ours: it goes on where it can be seen.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        self.killed();
        done
    }

    /// Takes a document that the server passed on. It stands when this returns; what it cuts is then joined,
    /// recorded and receipted beside whoever asked, who goes on.
    pub(crate) async fn kill_relayed(
        self: &Arc<Self>,
        document: Vec<u8>,
    ) -> Result<(), KillRefusal> {
        let host = self.clone();
        let mut work = async move { host.carry_out(&document, Came::Relayed).await }.boxed();
        match futures::poll!(work.as_mut()) {
            Poll::Ready(done) => done.map(drop),
            Poll::Pending => {
                let host = Arc::downgrade(self);
                self.control().spawn(async move {
                    if let Err(error) = work.await {
                        tracing::error!(%error, "a kill document of the feed was not carried out");
                    }
                    if let Some(host) = host.upgrade() {
                        host.killed();
                    }
                });
                Ok(())
            }
        }
    }

    async fn carry_out(&self, document: &[u8], came: Came) -> Result<Accepted, KillRefusal> {
        let interrupt = || self.components.engine().increment_epoch();
        let running = || self.calls.running().into_iter().map(target).collect();
        self.kills.take(document, came, running, interrupt).await
    }

    /// What an order with this scope would stop here. Nothing is stopped.
    #[must_use]
    pub fn blast_radius(&self, scope: &KillScope) -> Radius {
        let (snapshot, now) = (self.snapshot(), self.clock.now());
        // What is at a health gate runs too.
        let subjects = snapshot.revisions().map(|it| it.kill_subject());
        let running: Vec<Target> = self.calls.running().into_iter().map(target).collect();
        let reserved = |subject: &KillSubject| {
            let standings = self.leases.standing(&subject.installation, now);
            standings.into_iter().map(|standing| standing.reserved).collect()
        };
        self.kills.radius_of(scope, subjects, &running, reserved)
    }

    /// Installations that an order stops from starting.
    pub(crate) fn stopped_installations(&self, order: OrderId) -> Vec<InstallationKey> {
        let snapshot = self.snapshot();
        let installed = snapshot.entries().filter_map(|entry| entry.running.as_ref());
        let mut stopped: Vec<_> = installed
            .filter(|it| self.kills.judge(it) == Some(order))
            .map(|it| it.key().clone())
            .collect();
        stopped.sort();
        stopped
    }
}

fn target(call: Arc<Running>) -> Target {
    let (cut, joined, draining) = (call.clone(), call.clone(), call.clone());
    Target {
        call: call.ids.call,
        installation: call.installation.key().clone(),
        function: call.function.clone(),
        subject: call.installation.kill_subject().clone(),
        cut: Box::new(move |order| cut.cut(Cut::Killed(order))),
        joined: async move { joined.joined().await }.boxed(),
        draining: Box::new(move || draining.still_draining()),
    }
}
