//! The HTTP edge: a listener, one fork (served capsules or the host's own interface), an orderly end.
//!
//! It turns requests into calls of [`crate::Host`] and values into JSON; it decides nothing. Identity
//! comes from the verified token alone. Every route stands in [`routes`], on one screen; the OpenAPI
//! document is generated from the same lines.

mod auth;
mod calls;
mod invoke;
mod journal;
mod kills;
mod openapi;
mod problem;
mod refusal;
mod routes;
mod schema;
pub(crate) mod serve;
mod shape;
mod status;
mod stream;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::descriptors::Descriptors;
use crate::host::Host;
use serve::{Apps, serve_connection};

pub use openapi::document as openapi;
pub use serve::{AppDomains, NameError, Site, passes};

/// How long connections may take to end once the host stops.
const FAREWELL: Duration = Duration::from_secs(10);

/// Serves until `stop` is ready, then lets connections end.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(
    host: Arc<Host>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send,
) -> std::io::Result<()> {
    let api = routes::router(host.clone());
    let settings = host.settings().apps.clone();
    let apps = Arc::new(Apps::new(host, AppDomains::new(settings.domains), settings.https));
    let (stopping, tasks) = (CancellationToken::new(), TaskTracker::new());
    let connections = Descriptors::of_connections(Descriptors::now().soft);
    let room = usize::try_from(connections).unwrap_or(usize::MAX);
    let room = Arc::new(tokio::sync::Semaphore::new(room));
    tokio::pin!(stop);
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { break };
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors: connections that end make room again.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        // Small answers must not wait for more to say.
        let _ = stream.set_nodelay(true);
        let (apps, api, stopping) = (apps.clone(), api.clone(), stopping.clone());
        tasks.spawn(async move {
            serve_connection(stream, apps, api, stopping).await;
            drop(place);
        });
    }
    stopping.cancel();
    tasks.close();
    // Whoever does not end in time is cut by the process's own end.
    let _ = tokio::time::timeout(FAREWELL, tasks.wait()).await;
    Ok(())
}
