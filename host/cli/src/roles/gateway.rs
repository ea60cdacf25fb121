//! The gateway alone, in front of parts that run elsewhere.

use std::net::SocketAddr;

use serde_json::json;

use super::{LAST, asked_to_end, listen, telemetry, threads};
use crate::context::Context;
use crate::failure::Failure;
use crate::gateway::{Gateway, Kept, Plan, Upstream};
use crate::output::Report;

/// What a gateway stands in front of.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Options of a gateway")]
pub(crate) struct GatewayFlags {
    /// The server behind the gateway
    #[arg(long, value_name = "URL")]
    to_server: Option<Upstream>,
    /// A host behind the gateway (may be repeated)
    #[arg(long, value_name = "URL")]
    to_host: Vec<Upstream>,
    /// A domain under which capsules are served, beside localhost (may be repeated)
    #[arg(long, value_name = "DOMAIN")]
    apps_domain: Vec<String>,
}

impl GatewayFlags {
    fn plan(&self) -> Result<Plan, Failure> {
        let missing = |what: &str| {
            Failure::new(soma_policy::Code::Usage, format!("a gateway needs {what}"))
                .fix("soma serve --role gateway --to-server URL --to-host URL")
        };
        if self.to_host.is_empty() {
            return Err(missing("--to-host"));
        }
        Ok(Plan {
            server: self.to_server.clone().ok_or_else(|| missing("--to-server"))?,
            hosts: self.to_host.clone(),
            domains: self.apps_domain.clone(),
            kept: Kept::ByServer,
        })
    }
}

/// Serves a gateway alone until SIGINT or SIGTERM.
pub(crate) fn run(flags: &GatewayFlags, context: &Context, at: SocketAddr) -> Result<(), Failure> {
    telemetry(context);
    let plan = flags.plan()?;
    let runtime = threads("soma-gateway", None)?;
    let ended = runtime.block_on(async {
        let (listener, address) = listen(at).await?;
        let stop = asked_to_end()?;
        let url = format!("http://{address}");
        let value = json!({ "role": "gateway", "url": url });
        let text = format!("ready {url} · gateway");
        context.out.event(&Report::new("soma.serve.v1", value, text))?;
        Gateway::new(plan).serve(listener, stop.cancelled_owned()).await;
        context.out.note("ended");
        Ok(())
    });
    runtime.shutdown_timeout(LAST);
    ended
}

/// Says what the flags come to.
pub(crate) fn check(flags: &GatewayFlags, context: &Context) -> Result<(), Failure> {
    let plan = flags.plan()?;
    let text = format!("right · server {} · {} hosts", plan.server, plan.hosts.len());
    let value = json!({ "ok": true, "server": plan.server.to_string(), "hosts": plan.hosts.len() });
    Ok(context.out.report(&Report::new("soma.serve.check.v1", value, text))?)
}
