//! `soma host`: the fleet: who joined, who may join, who leaves.

use serde_json::json;
use soma_policy::{HostId, RegionId};

use crate::client::Ask;
use crate::confirm::Consent;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Column, Report, listed, shown};
use crate::run::block_on;

pub(crate) const HELP: &str = "Example:\n  soma host list\n  soma host invite --role host";

const COLUMNS: &[Column] = &[
    ("host", "/host"),
    ("role", "/role"),
    ("state", "/state"),
    ("region", "/region"),
    ("address", "/address"),
    ("seen", "/seen"),
    ("feed", "/head/n"),
    ("running", "/running"),
];

/// Hosts of a deployment
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Host {
    List(List),
    Show(Show),
    Invite(Invite),
    Retire(Retire),
}

/// List the hosts that joined
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma host list")]
pub(crate) struct List {}

/// Show a host
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma host show 01JD7Q2M3N4P5R6S7T8V9W0XYZ")]
pub(crate) struct Show {
    /// Which
    host: HostId,
}

/// Make a one-time token that lets one host join within an hour; operators with two fresh factors may
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma host invite --role host --region eu")]
pub(crate) struct Invite {
    /// host, review or gateway
    #[arg(long, default_value = "host", value_parser = ["host", "review", "gateway"])]
    role: String,
    /// The only region that it lets join
    #[arg(long)]
    region: Option<RegionId>,
}

/// Take a host out of the fleet: it is told nothing more
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma host retire 01JD7Q2M3N4P5R6S7T8V9W0XYZ --yes")]
pub(crate) struct Retire {
    /// Which
    host: HostId,
    #[command(flatten)]
    consent: Consent,
}

impl Host {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List(_) => {
                let items = block_on(context.platform()?.list("/v1/hosts"))?;
                Ok(context.out.report(&listed(
                    "soma.hosts.v1",
                    items,
                    COLUMNS,
                    "no host joined",
                ))?)
            }
            Self::Show(Show { host }) => {
                let found = block_on(context.platform()?.get(&format!("/v1/hosts/{host}")))?;
                Ok(context.out.report(&shown("soma.host.v1", found, COLUMNS))?)
            }
            Self::Invite(invite) => invite.run(context),
            Self::Retire(Retire { host, consent }) => {
                consent.require(&format!("Take host {host} out of the fleet?"))?;
                block_on(context.platform()?.send(Ask::delete(format!("/v1/hosts/{host}"))))?;
                let value = json!({ "host": host, "retired": true });
                Ok(context.out.report(&Report::new("soma.host.v1", value, "retired"))?)
            }
        }
    }
}

impl Invite {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let mut body = json!({ "role": self.role });
        if let (Some(region), Some(fields)) = (&self.region, body.as_object_mut()) {
            fields.insert("region".to_owned(), json!(region));
        }
        let made = block_on(context.platform()?.send(Ask::post("/v1/hosts/enrolments", &body)))?;
        let token = super::list::word(made.value.get("token"));
        context.out.note("good once, within an hour · on the host: soma host enrol URL");
        Ok(context.out.report(&Report::new("soma.host.invite.v1", made.value, token))?)
    }
}
