//! `soma up [DIR]`: makes the home if there is none and runs every role on it until it is asked to end.

use std::net::SocketAddr;
use std::path::PathBuf;

use soma_host::home::{Born, Home, OperatorFile, OperatorsOnDisk as _};

use crate::context::{ADDRESS, Context};
use crate::failure::Failure;
use crate::roles::arrivals::CatalogueFlags;
use crate::roles::host::{self, HostFlags};
use crate::roles::server;
use crate::roles::together::{self, Start};

/// Start server, host, review host and gateway on this home; the first start makes the home
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma up\n  soma up --listen 127.0.0.1:0 --dev\n  soma up --join         (with a marketplace: the catalogue is published, installation files are brought in)\n  soma up --check        (only look whether everything is right)"
)]
pub(crate) struct Up {
    /// The home; by default --home
    dir: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = ADDRESS)]
    listen: SocketAddr,
    /// Only check home, policy, installations and the server's configuration
    #[arg(long)]
    check: bool,
    /// Let the host join the server beside it: from then on it runs what is installed there, and its installation files
    /// are brought in
    #[arg(long)]
    join: bool,
    #[command(flatten)]
    catalogue: CatalogueFlags,
    #[command(flatten)]
    host: HostFlags,
}

impl Up {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let context = context.clone().with_home(self.dir.clone());
        let (home, born) = context.birth()?;
        tell_of_birth(&context, &home, &born)?;
        if self.check {
            server::configuration(context.home_path())?;
            return host::check(&context, home, self.host.dev);
        }
        let Self { listen, join, catalogue, .. } = self;
        together::run(&self.host, &context, home, Start { listen, join, catalogue })
    }
}

/// A new home is told of in full: where it is, what guards it, what to do next.
pub(crate) fn tell_of_birth(context: &Context, home: &Home, born: &Born) -> Result<(), Failure> {
    if born.is_empty() {
        return Ok(());
    }
    context.out.note(format!("made a home at {} (0700)", context.home_path().display()));
    context
        .out
        .note(format!("  host {} · tenant local · environment production", home.identity().host));
    context.out.note("  policy/starter.cedar lets the library run; edit it to your taste");
    if OperatorFile::load(home.layout())?.is_single_operator() {
        context.out.note(
            "  single-operator mode: one signature stops and lifts everything (this is audited)",
        );
    }
    context.out.note("next: soma key new acme, or soma capsule new acme/csv");
    Ok(())
}
