//! Server, host, review host and gateway in one process: each on threads of its own, those that listen on a port of
//! their own, the gateway on the address that people use. They meet over HTTP, as on many machines.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use serde_json::json;
use soma_host::home::{Home, Settings};
use soma_policy::Code;
use soma_server::{Network, Server};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::arrivals::{Arrivals, CatalogueFlags};
use super::host::{HostFlags, OpenHost};
use super::{LAST, asked_to_end, founding, joining, listen, review, server, telemetry, threads};
use crate::context::Context;
use crate::failure::Failure;
use crate::gateway::{Gateway, Kept, Plan};

/// Where the parts behind the gateway listen.
const INSIDE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// How it is started.
#[derive(Debug)]
pub(crate) struct Start {
    /// Where people come in.
    pub(crate) listen: SocketAddr,
    /// Whether the host joins the server.
    pub(crate) join: bool,
    /// What is published along.
    pub(crate) catalogue: CatalogueFlags,
}

/// Threads of the roles.
struct Threads {
    server: Runtime,
    host: Runtime,
    review: Runtime,
    gateway: Runtime,
}

/// Runs all of it until SIGINT or SIGTERM.
pub(crate) fn run(
    flags: &HostFlags,
    context: &Context,
    home: Home,
    start: Start,
) -> Result<(), Failure> {
    telemetry(context);
    server::tidy(context);
    let threads = Threads {
        server: threads("soma-server", Some(2))?,
        host: threads("soma-edge", None)?,
        review: threads("soma-review", Some(1))?,
        gateway: threads("soma-gateway", Some(2))?,
    };
    let ended = threads.gateway.block_on(all(&threads, flags, context, home, start));
    let Threads { server, host, review, gateway } = threads;
    // Connections that stay open do not keep the process.
    for runtime in [gateway, host, review, server] {
        runtime.shutdown_timeout(LAST);
    }
    ended
}

async fn all(
    threads: &Threads,
    flags: &HostFlags,
    context: &Context,
    home: Home,
    start: Start,
) -> Result<(), Failure> {
    let lock = home.lock_host()?;
    let Start { listen: at, join, catalogue } = start;
    let (listener, address) = listen(at).await?;
    let (stop, control) = (asked_to_end()?, CancellationToken::new());
    let beside = start_server(threads, context, &home, (&stop, control.clone())).await?;
    let (inside, host_address) =
        threads.host.spawn(listen(INSIDE)).await.map_err(ended_early)??;
    let host_url = format!("http://{host_address}");
    let joined = joining::settle(context, &home, &beside, (&host_url, join)).await?;
    let reviewing = start_review(threads, context, &home, &beside, &stop).await?;
    let own = vec![at.ip(), INSIDE.ip()];
    let host = tokio::task::block_in_place(|| OpenHost::open(flags, home, lock, own))?;
    let hosting = start_host(threads, &host, inside, &stop);
    let url = format!("http://{address}");
    let parts = json!({ "server": beside.url, "host": host_url, "joined": joined });
    host.tell(&url, &parts)?;
    let plan = Plan {
        server: upstream(&beside.url)?,
        hosts: vec![upstream(&host_url)?],
        domains: Settings::load(host.home.layout())?.apps.domains,
        kept: if joined { Kept::ByServer } else { Kept::ByHost },
    };
    host.ready(context, &url, &parts)?;
    let arriving = joined.then(|| {
        let (server, url, home) = (beside.server.clone(), beside.url.clone(), host.home.clone());
        let arrivals = Arrivals { context: context.clone(), home, server, url };
        threads.server.spawn(arrivals.all(catalogue))
    });
    Gateway::new(plan).serve(listener, stop.cancelled_owned()).await;
    if let Some(arriving) = arriving {
        arriving.abort();
    }
    let hosted = end_of(hosting).await.and(end_of(reviewing).await);
    // The server ends last: what the host still says is heard.
    control.cancel();
    end_of(beside.serving).await.and(hosted)?;
    context.out.note("ended");
    Ok(())
}

fn upstream(url: &str) -> Result<crate::gateway::Upstream, Failure> {
    url.parse().map_err(|e: crate::gateway::UpstreamError| {
        Failure::new(Code::ConfigurationBad, e.to_string())
    })
}

type Served = JoinHandle<Result<(), Failure>>;

/// The server of this process.
pub(super) struct Beside {
    pub(super) server: Server,
    pub(super) url: String,
    serving: Served,
}

/// Opens and serves the control plane; the first start also makes its first operator.
async fn start_server(
    threads: &Threads,
    context: &Context,
    home: &Home,
    (stop, control): (&CancellationToken, CancellationToken),
) -> Result<Beside, Failure> {
    let mut config = server::configuration(context.home_path())?;
    // The gateway of this process: it says who its clients are.
    config.proxies.push(Network::loopback());
    // Whoever runs all of it on one machine has nobody else to ask: the rules approve what has little risk.
    config.market.auto_approve.get_or_insert(true);
    let opened = threads.server.spawn(async move {
        let (listener, address) = listen(INSIDE).await?;
        let (server, code) = server::open(&config).await?;
        Ok::<_, Failure>((listener, address, server, code))
    });
    let (listener, address, server, code) = opened.await.map_err(ended_early)??;
    let (all, serves) = (stop.clone(), server.clone());
    let serving = threads.server.spawn(async move {
        let _all = all.drop_guard();
        let served = serves.serve(listener, control.cancelled_owned()).await;
        served.map_err(|e| Failure::new(Code::HostFailure, format!("the listener failed: {e}")))
    });
    let url = format!("http://{address}");
    founding::found(context, home, &url, code.as_ref()).await?;
    Ok(Beside { server, url, serving })
}

fn start_host(
    threads: &Threads,
    host: &OpenHost,
    listener: TcpListener,
    stop: &CancellationToken,
) -> Served {
    let (all, behind, inner) = (stop.clone(), stop.child_token(), Arc::clone(&host.host));
    threads.host.spawn(async move {
        let _all = all.drop_guard();
        crate::edge::serve(inner, listener, behind.cancelled_owned()).await
    })
}

async fn start_review(
    threads: &Threads,
    context: &Context,
    home: &Home,
    beside: &Beside,
    stop: &CancellationToken,
) -> Result<Served, Failure> {
    let own = review::home_beside(context, home)?;
    joining::settle_review(&own, beside).await?;
    let (watching, behind) = (review::Watching::open(&own)?, stop.child_token());
    Ok(threads.review.spawn(async move {
        watching.until(behind).await;
        Ok(())
    }))
}

async fn end_of(role: Served) -> Result<(), Failure> {
    role.await.map_err(ended_early)?
}

fn ended_early(error: tokio::task::JoinError) -> Failure {
    Failure::new(Code::HostFailure, format!("a role ended before its time: {error}"))
}
