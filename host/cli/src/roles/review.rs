//! The review host: asks its server for submissions, watches each in a home that lives as long as the review, hands in
//! signed passports. Alone it says how it is at its address, and takes nothing there; it holds no tenant's data.

mod status;

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::json;
use soma_capsule::KeyPair;
use soma_host::clock::{Clock, SystemClock};
use soma_host::descriptors::Descriptors;
use soma_host::feed::FeedClient;
use soma_host::home::{Birth, Home, HostLock};
use soma_host::review::{Progress, Reviewer, work};
use soma_policy::feed::HostRole;
use soma_policy::{Code, HostId};
use tokio_util::sync::CancellationToken;

use self::status::Status;
use super::{LAST, asked_to_end, listen, telemetry, threads};
use crate::context::{Context, person, random_id};
use crate::failure::Failure;
use crate::local::program;
use crate::output::Report;

/// The home of the review host that runs beside a server, in that home's state.
const BESIDE: &str = "review-host";

/// A review host that holds its home and is ready to work.
pub(crate) struct Watching {
    client: FeedClient,
    reviewer: Reviewer,
    key: KeyPair,
    url: String,
    progress: Arc<Progress>,
    _lock: HostLock,
}

impl Watching {
    /// Opens the review host of a home that joined a server as one.
    pub(crate) fn open(home: &Home) -> Result<Self, Failure> {
        let lock = home.lock_host()?;
        let server = home.server()?.filter(|server| server.role == HostRole::Review);
        let server = server.ok_or_else(not_enrolled)?;
        let url = server.url.to_string();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let client = FeedClient::new(home, server, Arc::clone(&clock))?;
        let key = home.keys()?.host.pair()?;
        let reviewer = Reviewer {
            clock,
            compiler: (program()?, "compile-child".to_owned()),
            scratch: home.layout().state().join("reviews"),
            host: home.identity().host,
        };
        // What a review that was cut short left behind is nobody's.
        let _ = std::fs::remove_dir_all(&reviewer.scratch);
        let progress = Arc::default();
        Ok(Self { client, reviewer, key, url, progress, _lock: lock })
    }

    /// Watches submissions until it is asked to stop.
    pub(crate) async fn until(self, stop: CancellationToken) {
        work(&self.client, &self.reviewer, &self.key, &self.progress, stop).await;
    }
}

/// The home of the review host beside a server; the first start makes it. Nobody can give orders in it.
pub(crate) fn home_beside(context: &Context, home: &Home) -> Result<Home, Failure> {
    let host = HostId::from_u128(random_id());
    let birth = Birth { now: context.now(), host, person: person(), passphrase: None };
    Ok(Home::open_or_create(&home.layout().state().join(BESIDE), &birth)?.0)
}

/// Watches submissions until SIGINT or SIGTERM.
pub(crate) fn run(context: &Context, home: &Home, at: SocketAddr) -> Result<(), Failure> {
    telemetry(context);
    if let Err(error) = Descriptors::raise() {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    let watching = Watching::open(home)?;
    let runtime = threads("soma-review", Some(2))?;
    let ended = runtime.block_on(async {
        let (listener, address) = listen(at).await?;
        let (stop, server, url) = (asked_to_end()?, &watching.url, format!("http://{address}"));
        let status = Status {
            progress: Arc::clone(&watching.progress),
            clock: Arc::clone(&watching.reviewer.clock),
            stop: stop.clone(),
        };
        tokio::spawn(status::serve(listener, status));
        let text = format!("ready {url} · review for {server}");
        let host = watching.reviewer.host;
        let value = json!({ "role": "review", "url": url, "server": server, "host": host });
        context.out.event(&Report::new("soma.serve.v1", value, text))?;
        watching.until(stop).await;
        context.out.note("ended");
        Ok(())
    });
    runtime.shutdown_timeout(LAST);
    ended
}

fn not_enrolled() -> Failure {
    Failure::new(Code::HostNotEnrolled, "this home has not joined a server as a review host").fix(
        "an operator runs `soma host invite --role review`; then here: \
         `soma host enrol URL --role review --address http://127.0.0.1`",
    )
}
