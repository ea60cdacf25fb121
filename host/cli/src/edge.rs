//! The door to the host's HTTP edge: the one place of the command line that serves requests.

use std::future::Future;
use std::sync::Arc;

use soma_host::Host;
use soma_policy::Code;
use tokio::net::TcpListener;

use crate::failure::Failure;

/// Serves a host's routes and its capsules until `stop` is ready.
pub(crate) async fn serve(
    host: Arc<Host>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), Failure> {
    let ended = soma_host::edge::serve(host, listener, stop).await;
    ended.map_err(|e| Failure::new(Code::HostFailure, format!("the listener failed: {e}")))
}
