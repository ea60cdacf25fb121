//! `soma serve --role server|host|review|gateway`: one role alone, for machines of its own.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::context::{ADDRESS, Context};
use crate::failure::Failure;
use crate::roles::gateway::{self, GatewayFlags};
use crate::roles::host::{self, HostFlags};
use crate::roles::{review, server};

/// Run one role of a deployment
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma serve --role server --home /var/lib/soma --listen 10.0.0.1:7700\n  soma serve --role host --listen 10.0.0.2:7701\n  soma serve --role gateway --to-server http://10.0.0.1:7700 --to-host http://10.0.0.2:7701 --listen 0.0.0.0:7662"
)]
pub(crate) struct Serve {
    /// The home; by default --home
    dir: Option<PathBuf>,
    /// What this process is
    #[arg(long, value_enum)]
    role: Role,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = ADDRESS)]
    listen: SocketAddr,
    /// Only check what the role would start with
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    host: HostFlags,
    #[command(flatten)]
    gateway: GatewayFlags,
}

/// A role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// The control plane: identity, marketplace, ledger, feed
    Server,
    /// Runs capsules: by the files of its home, or by the feed of the server that it joined
    Host,
    /// Observes submissions against fakes
    Review,
    /// One address in front of a server and its hosts
    Gateway,
}

impl Serve {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let context = context.clone().with_home(self.dir.clone());
        match self.role {
            Role::Server if self.check => server::check(&context),
            Role::Server => server::run(&context, self.listen),
            Role::Gateway if self.check => gateway::check(&self.gateway, &context),
            Role::Gateway => gateway::run(&self.gateway, &context, self.listen),
            Role::Review => {
                let (home, _) = context.birth()?;
                review::run(&context, &home, self.listen)
            }
            Role::Host => {
                let (home, born) = context.birth()?;
                super::up::tell_of_birth(&context, &home, &born)?;
                if self.check {
                    return host::check(&context, home, self.host.dev);
                }
                host::run(&self.host, &context, home, self.listen)
            }
        }
    }
}
