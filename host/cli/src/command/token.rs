//! `soma token new`: mints a token from the home.

use std::time::Duration;

use serde_json::json;
use soma_host::token::{Issuer, Scope, TokenAsk};
use soma_policy::Code;

use crate::context::{Context, Place};
use crate::duration::Span;
use crate::failure::Failure;
use crate::output::Report;

pub(crate) const HELP: &str =
    "Example:\n  export SOMA_TOKEN=$(soma token new --tenant local --can call:issues)";

/// Mint tokens for callers
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Token {
    New(New),
}

/// Mint a token and print it
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma token new --tenant local --can call:issues --ttl 1h\n  soma token new --can operate --can read:calls --ttl 10m"
)]
pub(crate) struct New {
    #[command(flatten)]
    place: Place,
    /// What it may do: `call:ID`, `call:*`, `read:calls`, `operate` (may be repeated)
    #[arg(long = "can", value_name = "SCOPE", default_values = ["call:*", "read:calls"])]
    can: Vec<String>,
    /// How long it lives, at most 1h
    #[arg(long, value_name = "TIME", default_value = "1h")]
    ttl: Span,
    /// Who will hold it; shown in receipts and the audit
    #[arg(long = "subject", value_name = "NAME", default_value = "soma-cli")]
    subject: String,
}

impl Token {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::New(new) => new.run(context),
        }
    }
}

impl New {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let scopes = self.can.iter().map(|s| s.parse()).collect::<Result<Vec<Scope>, _>>()?;
        let home = context.home()?;
        require_tenant(&home, &self.place)?;
        let issuer = Issuer::new(home.identity(), &home.keys()?.issuer)?;
        let ask = TokenAsk {
            subject: self.subject,
            org: self.place.tenant.clone(),
            environment: self.place.environment.clone(),
            scopes,
            life_seconds: Duration::from(self.ttl).as_secs(),
            constitution: None,
        };
        let minted = issuer.mint(ask, context.token_id(), context.now())?;
        context.out.note(format!("expires {} · jti {}", minted.expires, minted.jti));
        let value = json!({
            "token": minted.token,
            "jti": minted.jti.to_string(),
            "expires": minted.expires.to_string(),
        });
        Ok(context.out.report(&Report::new("soma.token.v1", value, minted.token.clone()))?)
    }
}

/// Refuses a tenant or environment that this home does not serve.
pub(crate) fn require_tenant(home: &soma_host::home::Home, place: &Place) -> Result<(), Failure> {
    let orgs = soma_host::home::Orgs::load(home.layout())?;
    if orgs.allows(&place.tenant, &place.environment) {
        return Ok(());
    }
    Err(Failure::new(
        Code::NotFound,
        format!(
            "there is no tenant `{}` with an environment `{}`",
            place.tenant, place.environment
        ),
    )
    .fix(format!("add it to {}", home.layout().orgs().display())))
}
