//! `soma host`: the fleet: who joined, who may join, who leaves.

use serde_json::json;
use soma_host::feed::Joining;
use soma_policy::feed::HostRole;
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
    Enrol(Enrol),
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

/// Let the host of this home join a server; its one-time token is asked for
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma host enrol https://soma.example.org --address http://10.0.0.2:7701 --region eu\n\nSOMA_CODE answers what would be asked. From then on the host follows the server, not its files."
)]
pub(crate) struct Enrol {
    /// The server's origin
    #[arg(value_name = "URL")]
    server: String,
    /// Where the gateway reaches this host
    #[arg(long, value_name = "URL")]
    address: String,
    /// What it does there
    #[arg(long, default_value = "host", value_parser = ["host", "review", "gateway"])]
    role: String,
    /// Where it stands
    #[arg(long)]
    region: Option<RegionId>,
}

impl Enrol {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let home = context.home_or_new()?;
        let _lock = home.lock_host()?;
        let token = crate::asking::secret("SOMA_CODE", "the one-time token")?;
        let role = match self.role.as_str() {
            "review" => HostRole::Review,
            "gateway" => HostRole::Gateway,
            _ => HostRole::Host,
        };
        let (url, address) = (self.server.as_str(), self.address.as_str());
        let joining = Joining { url, token: &token, address, role, region: self.region };
        let joined = block_on(async { Ok(soma_host::feed::enrol(&home, joining).await?) })?;
        let host = home.identity().host;
        let text = format!("joined {} as {host} · deployment {}", joined.url, joined.deployment);
        let value = json!({ "host": host, "server": joined.url.to_string(), "deployment": joined.deployment });
        Ok(context.out.report(&Report::new("soma.host.enrol.v1", value, text))?)
    }
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
            Self::Enrol(enrol) => enrol.run(context),
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
