//! The kill switch, put to this host's running calls.

use std::sync::Arc;

use futures::FutureExt as _;

use super::Host;
use crate::kill::{Accepted, KillRefusal, Target};
use crate::running::{Cut, Running};

impl Host {
    /// Takes a signed kill document (order, further signature, lift) and carries it out. Runs on the
    /// control threads, whoever calls.
    ///
    /// # Errors
    /// When the document is not what it should be; nothing has changed then.
    pub async fn kill(self: &Arc<Self>, document: Vec<u8>) -> Result<Accepted, KillRefusal> {
        let host = self.clone();
        let work = async move {
            let interrupt = || host.components.engine().increment_epoch();
            let running = || host.calls.running().into_iter().map(target).collect();
            host.kills.take(&document, running, interrupt).await
        };
        match self.control().spawn(work).await {
            Ok(done) => done,
            // A panic of ours: it goes on where it can be seen.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
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
