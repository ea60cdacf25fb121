//! What every command is given: where the home is, how to reach the host, how to print, what time it is.

use std::path::{Path, PathBuf};

use soma_host::home::{Birth, Born, Home};
use soma_policy::{Code, EnvironmentId, HostId, OrgId, Timestamp, TokenId};

use crate::cli::Global;
use crate::client::{Client, ServerClient};
use crate::failure::Failure;
use crate::output::Output;
use crate::passphrase::Passphrase;

/// Where a host listens unless told otherwise.
pub(crate) const ADDRESS: &str = "127.0.0.1:7662";

/// What every command is given.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) out: Output,
    home: PathBuf,
    host: Option<String>,
    token: Option<String>,
}

/// `--tenant` and `--env`, for commands that need them.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Place {
    /// The tenant
    #[arg(long, value_name = "TENANT", env = "SOMA_TENANT", default_value = "local")]
    pub(crate) tenant: OrgId,
    /// The environment
    #[arg(long = "env", value_name = "ENV", env = "SOMA_ENV", default_value = "production")]
    pub(crate) environment: EnvironmentId,
}

impl Place {
    /// The place that every home has.
    pub(crate) fn of_home() -> Result<Self, Failure> {
        Ok(Self { tenant: "local".parse()?, environment: "production".parse()? })
    }
}

impl Context {
    pub(crate) fn new(global: &Global) -> Self {
        let out = Output::new(global.output, global.quiet, global.verbose, global.color);
        Self {
            out,
            home: global.home.clone(),
            host: global.host.clone(),
            // From the environment only: a command line is seen by every process.
            token: std::env::var("SOMA_TOKEN").ok().filter(|t| !t.is_empty()),
        }
    }

    /// The same with another home (`soma up DIR`).
    pub(crate) fn with_home(mut self, home: Option<PathBuf>) -> Self {
        if let Some(home) = home {
            self.home = home;
        }
        self
    }

    pub(crate) fn home_path(&self) -> &Path {
        &self.home
    }

    /// The home, which must be there.
    pub(crate) fn home(&self) -> Result<Home, Failure> {
        Home::open(&self.home).map_err(Failure::from)
    }

    /// The home; it is made if there is none, and that is said.
    pub(crate) fn home_or_new(&self) -> Result<Home, Failure> {
        let (home, born) = self.birth()?;
        if !born.is_empty() {
            self.out.note(format!("made a home at {}", self.home.display()));
        }
        Ok(home)
    }

    /// The home and what had to be made of it.
    pub(crate) fn birth(&self) -> Result<(Home, Born), Failure> {
        if let Ok(home) = Home::open(&self.home) {
            return Ok((home, Born::default()));
        }
        let passphrase = Passphrase::for_new_key("the operator key")?;
        let birth = Birth {
            now: self.now(),
            host: HostId::from_u128(random_id()),
            person: person(),
            passphrase: Some(passphrase.bytes()),
        };
        let born = Home::open_or_create(&self.home, &birth)?;
        if passphrase.bytes().is_empty() && !born.1.is_empty() {
            let keys = "keys/root.key and keys/operator.key have no passphrase";
            self.out.note(format!(
                "{keys}: set SOMA_KEY_PASSWORD before a home is made to give them one"
            ));
        }
        Ok(born)
    }

    /// A way to talk to the host.
    pub(crate) fn client(&self) -> Result<Client<'_>, Failure> {
        Client::new(self, self.host.as_deref(), self.token.as_deref())
    }

    /// The token that the environment gives.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Where requests go: `--host`, else what runs from the home, else the usual address.
    pub(crate) fn base(&self) -> Result<String, Failure> {
        crate::client::base(self, self.host.as_deref())
    }

    /// A way to talk to the server, as a member of an org.
    pub(crate) fn server(&self, org: &OrgId) -> Result<ServerClient<'_>, Failure> {
        ServerClient::new(self, org)
    }

    /// The same as an operator of the platform.
    pub(crate) fn platform(&self) -> Result<ServerClient<'_>, Failure> {
        ServerClient::new(self, &"platform".parse()?)
    }

    /// Now. The command line is the composition root: it may read the clock.
    #[expect(clippy::unused_self, reason = "commands ask their context, never the system")]
    pub(crate) fn now(&self) -> Timestamp {
        now()
    }

    /// A fresh name for a token.
    #[expect(clippy::unused_self, reason = "commands ask their context, never the system")]
    pub(crate) fn token_id(&self) -> TokenId {
        TokenId::from_u128(random_id())
    }

    /// A file that was named on the command line, read whole.
    pub(crate) fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
        soma_host::home::read_bounded(path, limit)
            .map_err(|e| Failure::new(Code::FileNotFound, Failure::chain(&e)))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the composition root reads the clock, others are told"
)]
fn now() -> Timestamp {
    let milliseconds = jiff::Timestamp::now().as_millisecond();
    Timestamp(u64::try_from(milliseconds).unwrap_or_default())
}

/// A UUIDv7 as a number: time-ordered and random.
pub(crate) fn random_id() -> u128 {
    uuid::Uuid::now_v7().as_u128()
}

/// Who sits here, for the operators' list.
pub(crate) fn person() -> String {
    let name = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_default();
    let name: String =
        name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect();
    if name.is_empty() { "operator".to_owned() } else { name }
}
