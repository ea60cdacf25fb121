//! Components by digest: component, bundle and approval come together, are verified here, and are kept.
//!
//! What does not verify is not kept. What is kept is verified again at every load.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use soma_capsule::{TrustStore, UnverifiedPackage, crash_point};
use soma_policy::Digest;

use super::{FeedClient, FeedError, Request, route};
use crate::home::{HomeError, PackageError};
use crate::host::Host;

const COMPONENT_BYTES_MAX: usize = 33 << 20;
const BUNDLE_BYTES_MAX: usize = 1 << 20;
const APPROVAL_BYTES_MAX: usize = 64 << 10;
const WITHIN: Duration = Duration::from_secs(60);
/// Components that come at one time.
const AT_ONCE: usize = 4;

/// Why a component did not come.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    Package(#[from] PackageError),
    #[error(transparent)]
    Home(#[from] HomeError),
}

/// Brings these here, within a time; says which came.
pub(super) async fn all(
    host: &Arc<Host>,
    client: &Arc<FeedClient>,
    wanted: Vec<Digest>,
    trust: Arc<TrustStore>,
    within: Duration,
) -> HashSet<Digest> {
    let mut came = HashSet::new();
    let each = wanted.into_iter().map(|digest| {
        let trust = Arc::clone(&trust);
        async move { (digest, one(host, client, digest, trust).await) }
    });
    let mut done = futures::stream::iter(each).buffer_unordered(AT_ONCE);
    let work = async {
        while let Some((digest, result)) = done.next().await {
            match result {
                Ok(()) => {
                    came.insert(digest);
                }
                Err(error) => tracing::error!(%digest, %error, "a component did not come"),
            }
        }
    };
    // What has not come by then is asked for again later.
    let _ = tokio::time::timeout(within, work).await;
    drop(done);
    came
}

async fn one(
    host: &Arc<Host>,
    client: &FeedClient,
    digest: Digest,
    trust: Arc<TrustStore>,
) -> Result<(), FetchError> {
    let [component, bundle, approval] = route::component(&digest);
    let get =
        |path, bytes_max| client.send(Request { within: WITHIN, bytes_max, ..Request::get(path) });
    let (component, bundle, approval) = tokio::try_join!(
        get(&component, COMPONENT_BYTES_MAX),
        get(&bundle, BUNDLE_BYTES_MAX),
        get(&approval, APPROVAL_BYTES_MAX),
    )?;
    let keeper = Arc::clone(host);
    let keep = move || keep(&keeper, &digest, [component, bundle, approval], &trust);
    match host.control().spawn_blocking(keep).await {
        Ok(kept) => kept,
        Err(error) => Err(FeedError::system("keeping a component")(error).into()),
    }
}

fn keep(
    host: &Host,
    digest: &Digest,
    [component, bundle, approval]: [Bytes; 3],
    trust: &TrustStore,
) -> Result<(), FetchError> {
    let package = UnverifiedPackage { component: component.into(), bundle: bundle.into() };
    let packages = host.packages();
    let verified = packages.judge(package.clone(), Some(&approval), trust, digest)?;
    let manifest = verified.manifest();
    let title = format!("{}@{}", manifest.name, manifest.version);
    let store = packages.store();
    store.put_approval(digest, &approval)?;
    crash_point!("host.fetch.approved");
    store.put(&package, &title, verified.analysis(), host.clock().now())?;
    packages.forget(digest);
    Ok(())
}
